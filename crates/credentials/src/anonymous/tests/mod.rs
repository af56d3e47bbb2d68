//! The scheme as a whole: what is issued, encrypted, presented, and what is refused on the way.

mod entries;
mod forger;
mod issuing;
mod known_answers;
mod presenting;
mod proving;

use data_encoding::HEXLOWER;
use undertone_wire::{AccountId, Day};

use super::*;
use crate::testing::rng;

const ANA: AccountId = AccountId::new([0xa1; 16]);
const FRANK: AccountId = AccountId::new([0xf2; 16]);
const TODAY: Day = Day(20_779);
const BINDING: [u8; 32] = [9; 32];

fn key() -> CredentialKey {
    CredentialKey::from_seed(&[7; 32])
}

fn credential(account: AccountId, day: Day) -> Credential {
    let key = key();
    Credential::receive(key.public(), account, day, &key.issue(account, day, &mut rng(1))).ok().unwrap()
}

fn group(seed: u8) -> GroupSecret {
    GroupMasterKey::from_bytes(&[seed; 32]).secret()
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}
