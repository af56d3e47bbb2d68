//! What goes right.

use std::{cell::RefCell, collections::BTreeMap};

use super::*;
use crate::forget_key_package;

#[test]
fn two_people_talk_and_renew_their_keys() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    assert!(ana.authenticator() == bo.authenticator());

    for round in 0..3 {
        let text = format!("hello {round}");
        assert!(bo.read(&ana.encrypt(&text), &both) == (text, ana.account(), 1));
        let commit = bo.self_update(&both);
        // While it is pending, the old epoch still carries messages.
        assert!(ana.read(&bo.encrypt("before"), &both) == ("before".into(), bo.account(), 1));
        let before = ana.authenticator();
        bo.follow(&commit, &both);
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
        let commit = writer.self_update(&both);
        writer.follow(&commit, &both);
        others().for_each(|other| other.follow(&commit, &both));
        assert!(others().all(|other| other.authenticator() == writer.authenticator()));
    }
}

#[test]
fn a_note_to_oneself_needs_nobody() {
    let ana = Person::new(1);
    let alone = lists(&[&ana]);
    assert!(ana.create(&[]).is_none());
    ana.encrypt("remember");
    let commit = ana.self_update(&alone);
    ana.follow(&commit, &alone);
    ana.encrypt("remember this too");
    assert!(ana.chat(|_, chat| Ok(chat.members())).unwrap().len() == 1);
}

#[test]
fn one_channel_holds_one_chat() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let exists = ana.act(|me| Chat::create(me, CHANNEL, Suite::PostQuantum, &[]).map(drop));
    assert_eq!(exists, Err(E2eeError::Exists));

    let old = bo.authenticator();
    bo.delete();
    assert!(bo.act(|me| bo.load(me)).unwrap().is_none());
    assert!(bo.memory.rows.borrow().is_empty(), "nothing of a deleted chat is left");
    ana.delete();
    let invitation = ana.create(&[&bo]).unwrap();
    bo.join(&invitation, &both).unwrap();
    assert!(bo.authenticator() == ana.authenticator() && bo.authenticator() != old);

    // Who has lost the way is invited again, and what he had goes with it.
    ana.delete();
    let rows = bo.memory.rows.borrow().len();
    bo.join(&ana.create(&[&bo]).unwrap(), &both).unwrap();
    assert!(bo.authenticator() == ana.authenticator() && bo.memory.rows.borrow().len() == rows);
}

#[test]
fn a_one_time_package_serves_once_and_a_last_resort_until_it_is_forgotten() {
    let (ana, bo) = (Person::new(1), Person::new(2));
    let both = lists(&[&ana, &bo]);
    let invite = |package| {
        ana.memory.edit(BTreeMap::clear);
        ana.act(|me| Ok(Chat::create(me, CHANNEL, Suite::PostQuantum, &[(&bo.list, package)])?.1)).unwrap().unwrap()
    };
    let leave = || bo.delete();

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
            Chat::join(me, CHANNEL, 0, &invitation.welcome, &invitation.tree, &both)?;
            Err::<(), _>(E2eeError::Storage)
        })
    };
    assert_eq!(undone(), Err(E2eeError::Storage));
    bo.join(&invitation, &both).unwrap();

    for (kind, entry) in [(EntryKind::Message, ana.encrypt("again")), (EntryKind::Commit, ana.self_update(&both))] {
        let undone = bo.chat(|me, chat| {
            chat.receive(me, &Arriving { kind, installs: &[], content: &entry }, &both)?;
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
    let package = bo.key_package(false);
    let invitation = RefCell::new(None);
    survive(&ana, &|| {
        invitation
            .replace(ana.act(|me| Ok(Chat::create(me, CHANNEL, Suite::PostQuantum, &[(&bo.list, &package)])?.1))?);
        Ok(())
    });
    let invitation = invitation.into_inner().unwrap();
    survive(&bo, &|| bo.join(&invitation, &both));

    let entry = RefCell::new(Default::default());
    survive(&ana, &|| {
        entry.replace(ana.act(|me| ana.load(me)?.unwrap().encrypt(me, b"hello", &seen(1)))?);
        Ok(())
    });
    survive(&bo, &|| bo.receive(EntryKind::Message, &entry.borrow(), &both).map(drop));
    survive(&ana, &|| {
        entry.replace(ana.act(|me| Ok(ana.load(me)?.unwrap().commit(me, &Plan::default(), &both, &seen(2))?.entry))?);
        Ok(())
    });
    survive(&bo, &|| bo.receive(EntryKind::Commit, &entry.borrow(), &both).map(drop));
    survive(&ana, &|| ana.receive(EntryKind::Commit, &entry.borrow(), &both).map(drop));
    assert!(ana.authenticator() == bo.authenticator());
}

#[test]
fn every_failure_of_the_store_is_survived_by_devices_too() {
    let (ana, bo1, bo2) = trio();
    let known = lists(&[&ana, &bo2]);
    let made: RefCell<Option<Committed>> = RefCell::default();
    let take = |person: &Person| {
        survive(person, &|| person.take(made.borrow().as_ref().unwrap(), &known).map(drop));
    };
    let package = bo2.key_package(false);
    survive(&ana, &|| {
        let adds = vec![(&bo2.list, &package)];
        let plan = Plan { adds, removes: vec![bo2.member()], generation: true, ..Plan::default() };
        made.replace(Some(ana.act(|me| ana.load(me)?.unwrap().commit(me, &plan, &known, &seen(2)))?));
        Ok(())
    });
    [&ana, &bo1, &bo2].into_iter().for_each(take);
    survive(&bo2, &|| bo2.join(made.borrow().as_ref().unwrap().invitation.as_ref().unwrap(), &known));
    all_talk(&[&ana, &bo1, &bo2], &known);

    // An invitation to one who is still there.
    let package = bo2.key_package(true);
    let adds = vec![(&bo2.list, &package)];
    let plan = Plan { adds, removes: vec![bo2.member()], ..Plan::default() };
    let committed = ana.commit(&plan, &known).unwrap();
    [&ana, &bo1].into_iter().for_each(|person| drop(person.merge(&committed, &known)));
    survive(&bo2, &|| bo2.join(committed.invitation.as_ref().unwrap(), &known));
    all_talk(&[&ana, &bo1, &bo2], &known);

    let head = RefCell::new(None);
    survive(&bo1, &|| {
        let current = Generation::from_secret([1; 32]);
        let with_head = |me: &crate::Me<'_>| {
            bo1.load(me)?.unwrap().commit_with_head(me, &Plan::default(), &current, &known, &seen(2))
        };
        let (committed, new) = bo1.act(with_head)?;
        made.replace(Some(committed));
        head.replace(Some(new));
        Ok(())
    });
    [&ana, &bo1].into_iter().for_each(take);
    survive(&bo2, &|| {
        let head = head.borrow();
        let join = |me: &crate::Me<'_>| Chat::rejoin(me, (CHANNEL, 0), head.as_ref().unwrap(), &[], &known, &seen(2));
        made.replace(Some(bo2.act(join)?));
        Ok(())
    });
    [&ana, &bo1].into_iter().for_each(take);
    all_talk(&[&ana, &bo1, &bo2], &known);

    let at = RestartAt { channel: CHANNEL, group: 1, position: Position { incarnation: 0, epoch: 5 } };
    let packages = [bo1.key_package(false), bo2.key_package(true)];
    survive(&ana, &|| {
        let adds = vec![(&bo1.list, &packages[0]), (&bo2.list, &packages[1])];
        let plan = Plan { adds, ..Plan::default() };
        made.replace(Some(ana.restart(&at, Suite::PostQuantum, &plan, &known)?));
        Ok(())
    });
    for person in [&ana, &bo1, &bo2] {
        survive(person, &|| person.take_restart(&at, made.borrow().as_ref().unwrap(), &known).map(drop));
    }
    all_talk(&[&ana, &bo1, &bo2], &known);
}

/// Repeats one step with a store that fails ever later, until it does not fail any more.
fn survive(person: &Person, step: &dyn Fn() -> Result<(), E2eeError>) {
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
}

/// What a chat costs on the wire, so that a change is noticed.
#[test]
fn sizes() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let message = ana.encrypt(&"x".repeat(100)).len();
    let commit = ana.self_update(&both).len();
    let package = bo.key_package(false).encoded().len();
    println!("100-byte message {message}, self-update of 2 {commit}, signed key package {package}");
    assert_eq!([message, commit, package], [352, 4_158, 2_740]);
}

/// The same of what devices do, and what a head takes.
#[test]
fn sizes_with_devices() {
    let (ana, bo1, bo2) = trio();
    let (known, bo3) = (lists(&[&ana, &bo2]), bo2.next_device());
    let package = bo3.key_package(true);
    let plan = Plan { adds: vec![(&bo3.list, &package)], lists: vec![&bo3.list], ..Plan::default() };
    let addition = ana.commit(&plan, &known).unwrap();
    let invitation = addition.invitation.as_ref().unwrap();
    let (addition, welcome, tree) = (addition.entry.len(), invitation.welcome.len(), invitation.tree.len());
    ana.chat(|me, chat| chat.discard_pending(me)).unwrap();
    let without = bo2.list_without(2);
    let plan = Plan { removes: vec![bo2.member()], lists: vec![&without], generation: true, ..Plan::default() };
    let current = Generation::from_secret([1; 32]);
    let (removal, head) = ana.chat(|me, chat| chat.commit_with_head(me, &plan, &current, &known, &seen(2))).unwrap();
    let removal = removal.entry.len();
    let head =
        crate::seal_head(&[6; 32], CHANNEL, Position::default(), &head, &mut crate::testing::rng(1)).unwrap().len();
    let packages = [bo1.key_package(true), bo2.key_package(true)];
    let plan = Plan { adds: vec![(&bo1.list, &packages[0]), (&bo2.list, &packages[1])], ..Plan::default() };
    let at = RestartAt { channel: CHANNEL, group: 1, position: Position::default() };
    let restart = ana.restart(&at, Suite::PostQuantum, &plan, &known).unwrap().entry.len();
    println!("fourth device: commit {addition}, welcome {welcome}, tree {tree}; head {head}");
    println!("third device removed: commit {removal}; restart of 3 {restart}");
    assert_eq!([addition, welcome, tree, removal, head, restart], [9_527, 1_596, 8_061, 4_449, 8_192, 9_742]);
}
