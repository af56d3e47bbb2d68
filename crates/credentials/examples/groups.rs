//! What anonymous credentials and member entries cost: each operation on one core, and the bytes that travel.
//!
//! ```text
//! cargo run --release -p undertone-credentials --example groups
//! ```

use std::{
    error::Error,
    hint::black_box,
    io::{self, Write as _},
    time::Instant,
};

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use undertone_credentials::{
    CREDENTIAL_LEN, CREDENTIAL_PUBLIC_LEN, Credential, CredentialKey, GroupMasterKey, ISSUED_LEN, MEMBER_ENTRY_LEN,
    MemberEntry, PRESENTATION_LEN,
};
use undertone_wire::{AccountId, Day};

const RUNS: usize = 1_000;
const ACCOUNT: AccountId = AccountId::new([7; 16]);
const DAY: Day = Day(20_779);
const BINDING: [u8; 32] = [9; 32];

fn main() -> Result<(), Box<dyn Error>> {
    let rng = &mut ChaCha20Rng::from_seed([1; 32]);
    let key = CredentialKey::from_seed(&[2; 32]);
    let public = *key.public();
    let issued = key.issue(ACCOUNT, DAY, rng);
    let credential = Credential::receive(&public, ACCOUNT, DAY, &issued)?;
    let group = GroupMasterKey::generate(rng).secret();
    let known = group.public();
    let entry = group.encrypt(&ACCOUNT);
    let presentation = credential.present(&public, &group, &BINDING, rng);
    key.verify(&known, &entry, DAY, &BINDING, &presentation)?;

    measure("service: issue", || key.issue(ACCOUNT, DAY, rng))?;
    measure("client: receive", || Credential::receive(&public, ACCOUNT, DAY, &issued))?;
    let rng = &mut ChaCha20Rng::from_seed([3; 32]);
    measure("client: present", || credential.present(&public, &group, &BINDING, rng))?;
    measure("service: verify", || key.verify(&known, &entry, DAY, &BINDING, &presentation))?;
    measure("client: encrypt a member", || group.encrypt(&ACCOUNT))?;
    measure("client: decrypt a member", || group.decrypt(&entry))?;
    measure("read a member's entry", || MemberEntry::try_from(&entry.as_bytes()[..]))?;
    let rng = &mut ChaCha20Rng::from_seed([4; 32]);
    measure("client: make a group", || GroupMasterKey::generate(rng).secret().public())?;
    measure("service: make the key", || CredentialKey::from_seed(&[2; 32]))?;

    let sizes = [
        ("key that everybody knows", CREDENTIAL_PUBLIC_LEN),
        ("issued", ISSUED_LEN),
        ("credential, kept", CREDENTIAL_LEN),
        ("member entry", MEMBER_ENTRY_LEN),
        ("presentation", PRESENTATION_LEN),
    ];
    sizes.iter().try_for_each(|(what, bytes)| writeln!(io::stdout(), "{what:<26}{bytes:>9} bytes"))?;
    Ok(())
}

/// The best of many, since other work may run on the same machine.
fn measure<T>(what: &str, mut act: impl FnMut() -> T) -> io::Result<()> {
    let times = (0..RUNS).map(|_| {
        let started = Instant::now();
        black_box(act());
        started.elapsed()
    });
    let best = times.min().unwrap_or_default();
    writeln!(io::stdout(), "{what:<26}{:>9.1} us", best.as_secs_f64() * 1e6)
}
