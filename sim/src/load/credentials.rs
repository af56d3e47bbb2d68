//! Anonymous credentials and member entries, and records of groups: what makes and judges a group's changes.

use anyhow::Context as _;
use curve25519_dalek::{RistrettoPoint, Scalar};
use undertone_credentials::{
    Credential, CredentialKey, GroupMasterKey, MemberEntry, PRESENTATION_LEN,
    group::{Action, Change, Follows, Pseudonym, Record, Refused, Role, Rules},
};
use undertone_wire::{AccountId, Day};

use super::{Bench, Section, Unit, best::best_us};

const RUNS: u32 = 400;
const ACCOUNT: AccountId = AccountId::new([7; 16]);
const DAY: Day = Day(20_779);
const BINDING: [u8; 32] = [9; 32];
/// Members of the groups whose records are changed.
const MEMBERS: [u32; 3] = [10, 100, 1_000];
/// Adds of one change.
const BATCH: usize = 32;

/// Each operation alone. What is aimed at are libsignal's figures for issuing and receiving, and half of them for the others.
pub fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let rng = &mut bench.rng;
    let key = CredentialKey::from_seed(&[2; 32]);
    let public = *key.public();
    let issued = key.issue(ACCOUNT, DAY, rng);
    let credential = Credential::receive(&public, ACCOUNT, DAY, &issued)?;
    let group = GroupMasterKey::generate(rng).secret();
    let known = group.public();
    let entry = group.encrypt(&ACCOUNT);
    let presentation = credential.present(&public, &group, &BINDING, rng);
    let verify = || key.verify(&known, &entry, DAY, &BINDING, &presentation);
    verify().context("a presentation of ours is refused")?;
    let (scalar, point) = (Scalar::from_bytes_mod_order([5; 32]), RistrettoPoint::mul_base(&Scalar::from(5u64)));

    let mut section = Section::new("credentials");
    let us = best_us(RUNS, || key.issue(ACCOUNT, DAY, rng))?;
    section.add("issue_us", "service: issue a credential", us, Unit::Us).target(850.0);
    let us = best_us(RUNS, || Credential::receive(&public, ACCOUNT, DAY, &issued))?;
    section.add("receive_us", "client: receive it", us, Unit::Us).target(373.0);
    let us = best_us(RUNS, || credential.present(&public, &group, &BINDING, rng))?;
    section.add("present_us", "client: present it, encrypting its own entry", us, Unit::Us).target(700.0);
    section.add("verify_us", "service: verify a presentation", best_us(RUNS, verify)?, Unit::Us).target(350.0);
    let bytes = PRESENTATION_LEN as f64;
    section.add("presentation_bytes", "bytes of a presentation", bytes, Unit::Bytes).target(633.0);
    let us = best_us(RUNS, || group.encrypt(&ACCOUNT))?;
    section.add("encrypt_us", "client: encrypt a member", us, Unit::Us).target(67.0);
    let us = best_us(RUNS, || group.decrypt(&entry))?;
    section.add("decrypt_us", "client: decrypt a member", us, Unit::Us).target(116.0);
    let us = best_us(RUNS, || MemberEntry::try_from(&entry.as_bytes()[..]))?;
    section.add("read_us", "either: read an entry from its bytes", us, Unit::Us);
    let us = best_us(RUNS, || point * scalar)?;
    section.add("multiply_us", "for scale: one multiplication of a point, in constant time", us, Unit::Us);
    for members in MEMBERS {
        record(members, &mut section)?;
    }
    Ok(section)
}

/// What a change of one role costs in a record of so many members.
fn record(members: u32, section: &mut Section) -> anyhow::Result<()> {
    let record = of(members)?;
    let actions = vec![Action::SetRole(whom(1), Role::Admin)];
    let change = Change { revision: record.revision() + 1, actor: whom(0), actions, follows: Follows::Nothing };
    let encoded = record.encode();
    let mut add = |name: &str, what: &str, us| {
        let what = format!("record of {members} members: {what}");
        section.add(&format!("{name}_{members}_us"), what, us, Unit::Us);
    };
    add("apply", "judge a change and make the next", best_us(RUNS, || record.apply(&change).is_ok())?);
    add("encode", "as it is kept, and hashed by members", best_us(RUNS, || record.encode())?);
    add("decode", "read it", best_us(RUNS, || Record::decode(&encoded).is_ok())?);
    Ok(())
}

fn of(members: u32) -> Result<Record, Refused> {
    let create = Action::Create { group_public: [1; 32], rules: Rules::default() };
    let change = |revision, actions, follows| Change { revision, actor: whom(0), actions, follows };
    let mut record = Record::create(&change(1, vec![create], Follows::Nothing))?;
    let others: Vec<_> = (1..members).map(|number| Action::Add(whom(number), Role::Member)).collect();
    for batch in others.chunks(BATCH) {
        record = record.apply(&change(record.revision() + 1, batch.to_vec(), Follows::Commit))?;
    }
    Ok(record)
}

/// Somebody, by number; whether the entry is a point is nothing to a record.
fn whom(number: u32) -> Pseudonym {
    let mut entry = [0; Pseudonym::LEN];
    entry.iter_mut().zip(number.to_le_bytes()).for_each(|(byte, from)| *byte = from);
    Pseudonym::new(entry)
}
