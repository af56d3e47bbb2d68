//! What goes right.

use super::*;
use crate::{forget_key_package, testing::Memory};

#[test]
fn two_people_talk_and_renew_their_keys() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    assert!(ana.authenticator() == bo.authenticator());

    for round in 0..3 {
        let text = format!("hello {round}");
        assert!(bo.read(&ana.encrypt(&text), &both) == (text, ana.account(), 1));
        let commit = bo.self_update();
        // While it is pending, the old epoch still carries messages.
        assert!(ana.read(&bo.encrypt("before"), &both) == ("before".into(), bo.account(), 1));
        let before = ana.authenticator();
        bo.merge_pending();
        ana.follow(&commit, &both);
        assert!(ana.authenticator() == bo.authenticator() && ana.authenticator() != before);
        assert!(ana.read(&bo.encrypt("after"), &both) == ("after".into(), bo.account(), 1));
    }
}

#[test]
fn all_devices_of_both_read_the_same() {
    let mut bos = Person::with_devices(2, 2);
    let (ana, bo2, bo1) = (Person::new(1), bos.pop().unwrap(), bos.pop().unwrap());
    let both = lists(&[&ana, &bo1]);
    let invitation = ana.create(&[&bo1, &bo2]).unwrap();
    bo1.join(&invitation, &both).unwrap();
    bo2.join(&invitation, &both).unwrap();
    let members = ana.chat(|_, chat| Ok(chat.members())).unwrap();
    assert!(members.len() == 3 && members.iter().filter(|member| member.account == bo1.account()).count() == 2);

    let everybody = [&ana, &bo1, &bo2];
    for writer in everybody {
        let others = || everybody.into_iter().filter(|other| !std::ptr::eq(*other, writer));
        let message = writer.encrypt("to all");
        assert!(
            others().all(|other| other.read(&message, &both) == ("to all".into(), writer.account(), writer.number))
        );
        let commit = writer.self_update();
        writer.merge_pending();
        others().for_each(|other| other.follow(&commit, &both));
        assert!(others().all(|other| other.authenticator() == writer.authenticator()));
    }
}

#[test]
fn a_note_to_oneself_needs_nobody() {
    let ana = Person::new(1);
    assert!(ana.create(&[]).is_none());
    ana.encrypt("remember");
    let commit = ana.self_update();
    ana.follow(&commit, &lists(&[&ana]));
    ana.encrypt("remember this too");
    assert!(ana.chat(|_, chat| Ok(chat.members())).unwrap().len() == 1);
}

#[test]
fn one_channel_holds_one_chat() {
    let (ana, bo) = pair();
    let exists = ana.act(|me| Chat::create(me, CHANNEL, &[]).map(drop));
    assert_eq!(exists, Err(E2eeError::Exists));

    // Who has lost the way is invited again, and replaces what he had in one transaction.
    let old = bo.authenticator();
    bo.act(|me| Chat::load(me, CHANNEL)?.unwrap().delete(me)).unwrap();
    assert!(bo.act(|me| Chat::load(me, CHANNEL)).unwrap().is_none());
    assert!(bo.memory.rows.borrow().is_empty(), "nothing of a deleted chat is left");
    ana.act(|me| Chat::load(me, CHANNEL)?.unwrap().delete(me)).unwrap();
    let invitation = ana.create(&[&bo]).unwrap();
    bo.join(&invitation, &lists(&[&ana, &bo])).unwrap();
    assert!(bo.authenticator() == ana.authenticator() && bo.authenticator() != old);
}

#[test]
fn a_one_time_package_serves_once_and_a_last_resort_until_it_is_forgotten() {
    let (ana, bo) = (Person::new(1), Person::new(2));
    let both = lists(&[&ana, &bo]);
    let invite = |package| {
        *ana.memory.rows.borrow_mut() = Memory::default().rows.into_inner();
        ana.act(|me| Ok(Chat::create(me, CHANNEL, &[(&bo.list, package)])?.1)).unwrap().unwrap()
    };
    let leave = || bo.act(|me| Chat::load(me, CHANNEL)?.unwrap().delete(me)).unwrap();

    let once = bo.key_package(false);
    bo.join(&invite(&once), &both).unwrap();
    leave();
    assert_eq!(bo.join(&invite(&once), &both), Err(E2eeError::KeyGone));

    let resort = bo.key_package(true);
    for _ in 0..2 {
        bo.join(&invite(&resort), &both).unwrap();
        leave();
    }
    bo.act(|me| forget_key_package(me, resort.mls())).unwrap();
    assert_eq!(bo.join(&invite(&resort), &both), Err(E2eeError::KeyGone));
}

#[test]
fn what_is_rolled_back_can_be_done_again() {
    let (ana, bo) = (Person::new(1), Person::new(2));
    let both = lists(&[&ana, &bo]);
    let invitation = ana.create(&[&bo]).unwrap();
    let undone = || {
        bo.act(|me| {
            Chat::join(me, CHANNEL, &invitation.welcome, &invitation.tree, &both)?;
            Err::<(), _>(E2eeError::Storage)
        })
    };
    assert_eq!(undone(), Err(E2eeError::Storage));
    bo.join(&invitation, &both).unwrap();

    for (kind, entry) in [(EntryKind::Message, ana.encrypt("again")), (EntryKind::Commit, ana.self_update())] {
        let undone = bo.chat(|me, chat| {
            chat.receive(me, kind, &entry, &both)?;
            Err::<(), _>(E2eeError::Storage)
        });
        assert_eq!(undone, Err(E2eeError::Storage));
        assert!(bo.receive(kind, &entry, &both).is_ok());
        let flaw = if kind == EntryKind::Message { Flaw::Ciphertext } else { Flaw::Epoch };
        assert_eq!(bo.refusal(kind, &entry, &both), Some(flaw.into()), "a replay");
    }
}

#[test]
fn a_batch_may_be_read_with_gaps_and_out_of_order() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let entries: Vec<_> = (0..66).map(|n| ana.encrypt(&n.to_string())).collect();
    assert!(bo.read(&entries[65], &both).0 == "65");
    assert!(bo.read(&entries[2], &both).0 == "2");
    assert_eq!(bo.refusal(EntryKind::Message, &entries[1], &both), Some(Flaw::Ciphertext.into()));
}

#[test]
fn every_failure_of_the_store_is_seen_and_survived() {
    let (ana, bo) = (Person::new(1), Person::new(2));
    let both = lists(&[&ana, &bo]);
    // Repeats one step with a store that fails ever later, until it does not fail any more.
    let survive = |person: &Person, step: &dyn Fn() -> Result<(), E2eeError>| {
        for operations in 0.. {
            person.memory.operations_left.set(Some(operations));
            let result = step();
            person.memory.operations_left.set(None);
            let failures = person.memory.failures.replace(0);
            match result {
                Ok(()) => {
                    assert_eq!(failures, 0, "none goes unseen");
                    break;
                }
                Err(error) => assert_eq!(error, E2eeError::Storage, "after {operations} operations"),
            }
        }
    };
    let package = bo.key_package(false);
    let invitation = std::cell::RefCell::new(None);
    survive(&ana, &|| {
        invitation.replace(ana.act(|me| Ok(Chat::create(me, CHANNEL, &[(&bo.list, &package)])?.1))?);
        Ok(())
    });
    let invitation = invitation.into_inner().unwrap();
    survive(&bo, &|| bo.join(&invitation, &both));

    let entry = std::cell::RefCell::new(Default::default());
    survive(&ana, &|| {
        entry.replace(ana.act(|me| Chat::load(me, CHANNEL)?.unwrap().encrypt(me, b"hello", &seen(1)))?);
        Ok(())
    });
    survive(&bo, &|| bo.receive(EntryKind::Message, &entry.borrow(), &both).map(drop));
    survive(&ana, &|| {
        entry.replace(ana.act(|me| Chat::load(me, CHANNEL)?.unwrap().self_update(me, &seen(2)))?);
        Ok(())
    });
    survive(&bo, &|| bo.receive(EntryKind::Commit, &entry.borrow(), &both).map(drop));
    survive(&ana, &|| ana.act(|me| Chat::load(me, CHANNEL)?.unwrap().merge_pending(me)));
    assert!(ana.authenticator() == bo.authenticator());
}

/// What a chat costs on the wire, so that a change is noticed.
#[test]
fn sizes() {
    let (ana, bo) = pair();
    let message = ana.encrypt(&"x".repeat(100)).len();
    let commit = ana.self_update().len();
    let package = bo.key_package(false).encoded().len();
    println!("100-byte message {message}, self-update of 2 {commit}, signed key package {package}");
    assert_eq!([message, commit, package], [352, 4_158, 2_740]);
}
