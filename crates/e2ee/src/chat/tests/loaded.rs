//! A chat that stayed in memory does what one does that is read from the store each time.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

/// What somebody does who has the chat, and says; the other one follows.
fn act(what: u8, by: &Person, other: &Person) -> Bytes {
    let both = lists(&[by, other]);
    match what {
        0 => {
            let message = by.encrypt("hello");
            assert!(other.read(&message, &both).0 == "hello");
            message
        }
        1 => {
            let commit = by.self_update(&both);
            by.follow(&commit, &both);
            other.follow(&commit, &both);
            commit
        }
        // What is given up nobody sees.
        2 => {
            let commit = by.self_update(&both);
            by.chat(|me, chat| chat.discard_pending(me)).unwrap();
            commit
        }
        // What was encrypted in a transaction that failed was never encrypted.
        3 => {
            let failed = by.act(|me| {
                let mut chat = by.load(me)?.unwrap();
                chat.encrypt(me, b"lost", &seen(1))?;
                chat.keep(me);
                Err::<(), _>(E2eeError::Storage)
            });
            assert_eq!(failed, Err(E2eeError::Storage));
            Bytes::new()
        }
        _ => {
            assert!(by.refusal(EntryKind::Message, b"noise", &both).is_some());
            Bytes::new()
        }
    }
}

/// Somebody whose device has come to the same point, and draws the same by chance.
fn twin(person: &Person) -> Person {
    let twin = Person::new(person.seed);
    twin.memory.edit(|rows| rows.clone_from(&person.memory.rows.borrow()));
    twin.rng.borrow_mut().clone_from(&person.rng.borrow());
    twin
}

/// What a store has. The message secrets are left out, as the MLS library notes with them what time it is; what they do shows in
/// what is encrypted.
fn rows(person: &Person) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut rows = person.memory.rows.borrow().clone();
    rows.retain(|key, _| !key.starts_with(b"mls1/messages/"));
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn as_if_it_were_read_each_time(acts in proptest::collection::vec((0..5_u8, any::<bool>()), 1..16)) {
        let kept = pair();
        let read = (twin(&kept.0), twin(&kept.1));
        for (what, ana) in acts {
            let does = |people: &(Person, Person)| {
                let (by, other) = if ana { (&people.0, &people.1) } else { (&people.1, &people.0) };
                act(what, by, other)
            };
            prop_assert!(does(&kept) == does(&read));
            for (kept, read) in [(&kept.0, &read.0), (&kept.1, &read.1)] {
                read.memory.loaded.clear();
                prop_assert!(rows(kept) == rows(read));
            }
        }
    }
}
