//! What anonymous credentials and member entries cost: each operation on one core, and the bytes that travel.
//!
//! ```text
//! cargo run --release -p undertone-credentials --example groups
//! ```
//!
//! `groups OPERATION COUNT` does that alone, so many times, for whoever counts instructions: what 20 take less what none
//! take, `valgrind --tool=callgrind --callgrind-out-file=/dev/null groups verify 20`.

use std::{
    env,
    error::Error,
    hint::black_box,
    io::{self, Write as _},
    time::{Duration, Instant},
};

use curve25519_dalek::{RistrettoPoint, Scalar};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use undertone_credentials::{
    CREDENTIAL_LEN, CREDENTIAL_PUBLIC_LEN, Credential, CredentialKey, GroupMasterKey, ISSUED_LEN, MEMBER_ENTRY_LEN,
    MemberEntry, PRESENTATION_LEN,
    group::{Action, Change, Follows, Pseudonym, Record, Refused, Role, Rules},
};
use undertone_wire::{AccountId, Day};

const RUNS: usize = 1_000;
const ACCOUNT: AccountId = AccountId::new([7; 16]);
const DAY: Day = Day(20_779);
const BINDING: [u8; 32] = [9; 32];

/// Its name, who does it, and the act.
type Operation<'a> = (&'static str, &'static str, Box<dyn FnMut() + 'a>);

fn main() -> Result<(), Box<dyn Error>> {
    let [issuing, presenting, making] = &mut [1, 2, 3].map(|seed| ChaCha20Rng::from_seed([seed; 32]));
    let key = CredentialKey::from_seed(&[2; 32]);
    let public = *key.public();
    let issued = key.issue(ACCOUNT, DAY, issuing);
    let credential = Credential::receive(&public, ACCOUNT, DAY, &issued)?;
    let group = GroupMasterKey::generate(making).secret();
    let known = group.public();
    let entry = group.encrypt(&ACCOUNT);
    let presentation = credential.present(&public, &group, &BINDING, presenting);
    let (scalar, point) = (Scalar::from_bytes_mod_order([5; 32]), RistrettoPoint::mul_base(&Scalar::from(5u64)));

    let sizes = [10, 100, 1_000];
    let records = sizes.iter().map(|members| record(*members)).collect::<Result<Vec<_>, _>>()?;
    let changes = records.iter().map(set_role).collect::<Vec<_>>();
    let encoded: Vec<_> = records.iter().map(Record::encode).collect();

    let mut operations: Vec<Operation<'_>> = vec![
        ("issue", "service", act(|| key.issue(ACCOUNT, DAY, issuing))),
        ("receive", "client", act(|| Credential::receive(&public, ACCOUNT, DAY, &issued))),
        ("present", "client", act(|| credential.present(&public, &group, &BINDING, presenting))),
        ("verify", "service", act(|| key.verify(&known, &entry, DAY, &BINDING, &presentation))),
        ("encrypt", "client", act(|| group.encrypt(&ACCOUNT))),
        ("decrypt", "client", act(|| group.decrypt(&entry))),
        ("read-entry", "both", act(|| MemberEntry::try_from(&entry.as_bytes()[..]))),
        ("make-group", "client", act(|| GroupMasterKey::generate(making).secret())),
        ("make-key", "service", act(|| CredentialKey::from_seed(&[2; 32]))),
        ("multiply", "for scale", act(|| black_box(point) * black_box(scalar))),
    ];
    let names = [["apply-10", "apply-100", "apply-1000"], ["encode-10", "encode-100", "encode-1000"]];
    let [apply, encode] = names;
    for ((name, record), change) in apply.into_iter().zip(&records).zip(&changes) {
        operations.push((name, "both", act(|| record.apply(change).is_ok())));
    }
    for (name, record) in encode.into_iter().zip(&records) {
        operations.push((name, "both", act(|| record.encode())));
    }
    for (name, encoded) in ["decode-10", "decode-100", "decode-1000"].into_iter().zip(&encoded) {
        operations.push((name, "both", act(|| Record::decode(encoded).is_ok())));
    }
    match &env::args().skip(1).collect::<Vec<_>>()[..] {
        [] => measure(operations)?,
        [name, count] => repeat(operations, name, count.parse()?)?,
        _ => return Err("expected nothing, or OPERATION COUNT".into()),
    }
    Ok(())
}

/// A record of so many members.
fn record(members: u32) -> Result<Record, Refused> {
    let create = Action::Create { group_public: [1; 32], rules: Rules::default() };
    let change = |revision, actions, follows| Change { revision, actor: whom(0), actions, follows };
    let mut record = Record::create(&change(1, vec![create], Follows::Nothing))?;
    let others: Vec<_> = (1..members).map(|number| Action::Add(whom(number), Role::Member)).collect();
    for batch in others.chunks(32) {
        record = record.apply(&change(record.revision() + 1, batch.to_vec(), Follows::Commit))?;
    }
    Ok(record)
}

/// The smallest change: one member's role.
fn set_role(record: &Record) -> Change {
    let actions = vec![Action::SetRole(whom(1), Role::Admin)];
    Change { revision: record.revision() + 1, actor: whom(0), actions, follows: Follows::Nothing }
}

/// Somebody, by number; whether the entry is a point is nothing to a record.
fn whom(number: u32) -> Pseudonym {
    let mut entry = [0; Pseudonym::LEN];
    for (byte, from) in entry.iter_mut().zip(number.to_le_bytes()) {
        *byte = from;
    }
    Pseudonym::new(entry)
}

fn act<'a, T>(mut act: impl FnMut() -> T + 'a) -> Box<dyn FnMut() + 'a> {
    Box::new(move || drop(black_box(act())))
}

/// The best of many, since other work may run on the same machine.
fn measure(operations: Vec<Operation<'_>>) -> io::Result<()> {
    for (name, who, mut act) in operations {
        let best = (0..RUNS).map(|_| timed(&mut act)).min().unwrap_or_default();
        writeln!(io::stdout(), "{who:<10}{name:<12}{:>8.1} us", best.as_secs_f64() * 1e6)?;
    }
    let sizes = [
        ("what everybody knows", CREDENTIAL_PUBLIC_LEN),
        ("issued", ISSUED_LEN),
        ("credential, kept", CREDENTIAL_LEN),
        ("member entry", MEMBER_ENTRY_LEN),
        ("presentation", PRESENTATION_LEN),
    ];
    sizes.iter().try_for_each(|(what, bytes)| writeln!(io::stdout(), "{what:<22}{bytes:>8} bytes"))
}

fn timed(act: &mut impl FnMut()) -> Duration {
    let started = Instant::now();
    act();
    started.elapsed()
}

fn repeat(operations: Vec<Operation<'_>>, wanted: &str, count: usize) -> Result<(), Box<dyn Error>> {
    let found = operations.into_iter().find(|(name, ..)| *name == wanted);
    let (.., mut act) = found.ok_or("no such operation")?;
    (0..count).for_each(|_| act());
    Ok(())
}
