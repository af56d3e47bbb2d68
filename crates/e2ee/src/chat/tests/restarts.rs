//! Restarts, right and wrong.

use undertone_credentials::KeyPackage;

use super::*;
use crate::{Change, E2eeError::Invalid};

const AT: RestartAt = RestartAt { channel: CHANNEL, group: 1, position: Position { incarnation: 0, epoch: 4 } };

fn packages(people: &[&Person]) -> Vec<KeyPackage> {
    people.iter().map(|person| person.key_package(true)).collect()
}

fn adds<'a>(people: &[&'a Person], packages: &'a [KeyPackage]) -> Plan<'a> {
    Plan {
        adds: people.iter().zip(packages).map(|(person, package)| (&person.list, package)).collect(),
        ..Plan::default()
    }
}

/// A restart as its author made it, with its parts changed.
fn forged(committed: &Committed, change: impl FnOnce(&mut undertone_wire::content::Restart)) -> Committed {
    let entry = changed(&committed.entry, |content| change(content.restart.as_mut().unwrap())).into();
    let generation = committed.generation.as_ref().map(|generation| Generation::from_secret(*generation.secret()));
    Committed { entry, generation, invitation: None }
}

fn refusal(by: &Person, at: &RestartAt, committed: &Committed, lists: &Lists<'_>) -> Option<E2eeError> {
    by.take_restart(at, committed, lists).err()
}

#[test]
fn a_chat_moves_to_the_post_quantum_suite() {
    let (ana, bo) = pair_of(Suite::Classical);
    let both = lists(&[&ana, &bo]);
    all_talk(&[&ana, &bo], &both);
    let commit = ana.self_update(&both);
    [&ana, &bo].into_iter().for_each(|person| person.follow(&commit, &both));
    assert!(ana.chat(|_, chat| Ok(chat.suite())).unwrap() == Suite::Classical);

    let packages = packages(&[&ana]);
    let committed = bo.restart(&AT, Suite::PostQuantum, &adds(&[&ana], &packages), &both).unwrap();
    // Until it stands in the log, the former group carries the chat.
    all_talk(&[&ana, &bo], &both);
    for person in [&ana, &bo] {
        let Change { lists, added, removed, generation, gone } = person.take_restart(&AT, &committed, &both).unwrap();
        assert!(lists.is_empty() && removed.is_empty() && !gone && added.len() == 2);
        assert!([&ana, &bo].iter().all(|person| added.contains(&person.member())));
        assert!(same(generation.as_ref(), committed.generation.as_ref()));
        person.group.set(0);
        person.delete();
        person.group.set(1);
        assert!(person.chat(|_, chat| Ok(chat.suite())).unwrap() == Suite::PostQuantum);
    }
    all_talk(&[&ana, &bo], &both);
    let commit = ana.self_update(&both);
    [&ana, &bo].into_iter().for_each(|person| person.follow(&commit, &both));
    all_talk(&[&bo, &ana], &both);

    let down = bo.key_package_of(Suite::Classical, true);
    let plan = Plan { adds: vec![(&bo.list, &down)], ..Plan::default() };
    let at = RestartAt { group: 2, ..AT };
    assert_eq!(ana.restart(&at, Suite::Classical, &plan, &both).err(), Some(Flaw::Context.into()), "and never back");
}

#[test]
fn a_restart_brings_everybody_who_has_a_place_and_nobody_else() {
    let (ana, bo1, bo2) = trio();
    let known = lists(&[&ana, &bo2]);
    let ana2 = ana.next_device();
    let without = bo2.list_without(2);
    let package = [bo1.key_package(false), ana2.key_package(false)];
    let plan = Plan {
        adds: vec![(&without, &package[0]), (&ana2.list, &package[1])],
        lists: vec![&without, &ana2.list],
        ..Plan::default()
    };
    let committed = ana.restart(&AT, Suite::PostQuantum, &plan, &known).unwrap();
    for person in [&ana, &bo1, &ana2] {
        let change = person.take_restart(&AT, &committed, &known).unwrap();
        assert!(change.lists.len() == 2 && change.added.len() == 3);
    }
    // Who was in the former group and has no place knows neither the new group nor its generation.
    assert_eq!(refusal(&bo2, &AT, &committed, &known), Some(E2eeError::Private));
    let now: Lists<'_> = [&ana2.list, &without].into_iter().collect();
    all_talk(&[&ana, &ana2, &bo1], &now);

    // The next one is the third group, under its own name.
    let at = RestartAt { group: 2, position: Position { incarnation: 1, epoch: 0 }, ..AT };
    let packages = packages(&[&ana, &ana2]);
    let plan = Plan { adds: vec![(&ana2.list, &packages[1])], ..Plan::default() };
    assert_eq!(bo1.restart(&at, Suite::PostQuantum, &plan, &now).err(), Some(Flaw::Leaf.into()), "one is missing");
}

#[test]
fn a_chat_with_oneself_restarts_too() {
    let ana = Person::new(1);
    ana.create(&[]);
    let alone = lists(&[&ana]);
    let committed = ana.restart(&AT, Suite::PostQuantum, &Plan::default(), &alone).unwrap();
    let change = ana.take_restart(&AT, &committed, &alone).unwrap();
    assert!(same(change.generation.as_ref(), committed.generation.as_ref()));
    ana.encrypt("on we go");
}

#[test]
fn a_lost_race_leaves_the_former_group() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let packages = packages(&[&ana, &bo]);
    let lost = ana.restart(&AT, Suite::PostQuantum, &adds(&[&bo], &packages[1..]), &both).unwrap();
    let exists = ana.restart(&AT, Suite::PostQuantum, &adds(&[&bo], &packages[1..]), &both).err();
    assert_eq!(exists, Some(E2eeError::Exists));
    let won = bo.self_update(&both);
    ana.group.set(1);
    ana.delete();
    ana.group.set(0);
    [&ana, &bo].into_iter().for_each(|person| person.follow(&won, &both));
    all_talk(&[&ana, &bo], &both);
    let later = RestartAt { position: Position { incarnation: 0, epoch: 5 }, ..AT };
    assert_eq!(refusal(&bo, &later, &lost, &both), Some(Flaw::Signature.into()), "it was made for its place alone");
    assert_eq!(refusal(&ana, &AT, &lost, &both), Some(E2eeError::Private), "what was given up is gone");

    let again = ana.restart(&later, Suite::PostQuantum, &adds(&[&bo], &packages[1..]), &both).unwrap();
    for person in [&ana, &bo] {
        person.take_restart(&later, &again, &both).unwrap();
    }
    all_talk(&[&ana, &bo], &both);
}

#[test]
fn two_restarts_at_once_and_one_stands() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let packages = packages(&[&ana, &bo]);
    ana.restart(&AT, Suite::PostQuantum, &adds(&[&bo], &packages[1..]), &both).unwrap();
    let won = bo.restart(&AT, Suite::PostQuantum, &adds(&[&ana], &packages[..1]), &both).unwrap();
    for person in [&ana, &bo] {
        person.take_restart(&AT, &won, &both).unwrap();
    }
    all_talk(&[&ana, &bo], &both);
}

#[test]
fn a_restart_is_by_a_device_with_a_place_for_its_place() {
    let (ana, bo1, bo2) = trio();
    let known = lists(&[&ana, &bo2]);
    let packages = packages(&[&ana, &bo1]);
    let right = bo2.restart(&AT, Suite::PostQuantum, &adds(&[&ana, &bo1], &packages), &known);
    // Its key packages were checked against the lists that they came with.
    let right = right.unwrap();
    let wrong = |committed: &Committed| refusal(&ana, &AT, committed, &known);
    let signature = Some(Invalid(Flaw::Signature));

    for at in [
        RestartAt { position: Position { incarnation: 0, epoch: 5 }, ..AT },
        RestartAt { position: Position { incarnation: 1, epoch: 4 }, ..AT },
        RestartAt { channel: undertone_wire::ChannelId::new([8; 16]), ..AT },
    ] {
        assert_eq!(refusal(&ana, &at, &right, &known), signature, "said again elsewhere");
    }
    assert_eq!(refusal(&ana, &RestartAt { group: 2, ..AT }, &right, &known), Some(Flaw::Epoch.into()));
    assert_eq!(refusal(&ana, &RestartAt { group: 0, ..AT }, &right, &known), Some(Flaw::Kind.into()));
    assert_eq!(wrong(&forged(&right, |restart| restart.signature = vec![0; 64].into())), signature);
    assert_eq!(wrong(&forged(&right, |restart| restart.sender = Some(bo1.member().leaf()))), signature);
    assert_eq!(wrong(&forged(&right, |restart| restart.sender.as_mut().unwrap().device = 9)), Some(Flaw::Leaf.into()));
    assert_eq!(wrong(&forged(&right, |restart| restart.sender = None)), Some(Flaw::Leaf.into()));
    assert_eq!(wrong(&forged(&right, |restart| restart.seen = None)), Some(Flaw::AuthenticatedData.into()));
    assert_eq!(wrong(&forged(&right, |restart| restart.seen.as_mut().unwrap().seq = 9)), signature);
    assert_eq!(wrong(&forged(&right, |restart| restart.tree = restart.welcome.clone())), signature);

    // Once the log has brought the list without it, it has no say.
    let without = bo2.list_without(2);
    let now: Lists<'_> = [&ana.list, &without].into_iter().collect();
    assert_eq!(refusal(&ana, &AT, &right, &now), Some(Flaw::Leaf.into()), "by a removed device");
    ana.take_restart(&AT, &right, &known).unwrap();
}

#[test]
fn nobody_restarts_with_the_welcome_of_another() {
    let (ana, bo1, bo2) = trio();
    let known = lists(&[&ana, &bo2]);
    let packages = packages(&[&bo1, &bo2]);
    let plan = Plan { adds: vec![(&bo2.list, &packages[0]), (&bo2.list, &packages[1])], ..Plan::default() };
    let by_ana = ana.restart(&AT, Suite::PostQuantum, &plan, &known).unwrap();
    let by_bo = forged(&by_ana, |restart| {
        let signed = undertone_credentials::Restart {
            channel: CHANNEL,
            position: AT.position,
            welcome: &restart.welcome,
            tree: &restart.tree,
            device_lists: &[],
            seen: restart.seen.as_ref().unwrap(),
        };
        restart.signature = undertone_credentials::sign_restart(&bo1.key, &signed).to_vec().into();
        restart.sender = Some(bo1.member().leaf());
    });
    assert_eq!(refusal(&bo2, &AT, &by_bo, &known), Some(Flaw::Leaf.into()));
    bo2.take_restart(&AT, &by_ana, &known).unwrap();
}

#[test]
fn a_restart_with_a_device_too_few_or_too_many_is_refused() {
    let (ana, bo1, bo2) = trio();
    let (known, eve) = (lists(&[&ana, &bo2]), Person::new(3));
    let packages = packages(&[&bo1, &bo2, &eve]);
    let leaf = Some(Invalid(Flaw::Leaf));
    let restart = |people: &[&Person], packages: &[KeyPackage]| {
        ana.restart(&AT, Suite::PostQuantum, &adds(people, packages), &known).err()
    };
    assert_eq!(restart(&[&bo1], &packages), leaf, "one is missing");
    assert_eq!(restart(&[&bo1, &bo2, &eve], &packages), leaf, "a stranger");

    // A member who skips our own check: to the others, who hold it against more lists, it is the same.
    let fewer = lists(&[&ana, &bo1]);
    let short = ana.restart(&AT, Suite::PostQuantum, &adds(&[&bo1], &packages), &fewer).unwrap();
    assert_eq!(refusal(&bo1, &AT, &short, &known), leaf);
    let with_eve = lists(&[&ana, &bo1, &eve]);
    ana.group.set(1);
    ana.delete();
    let more = ana
        .restart(
            &AT,
            Suite::PostQuantum,
            &Plan { adds: vec![(&bo1.list, &packages[0]), (&eve.list, &packages[2])], ..Plan::default() },
            &with_eve,
        )
        .unwrap();
    assert_eq!(refusal(&bo1, &AT, &more, &fewer), leaf);
}

#[test]
fn a_restart_installs_its_generation() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let packages = packages(&[&bo]);
    let committed = ana.restart(&AT, Suite::PostQuantum, &adds(&[&bo], &packages), &both).unwrap();
    let with = |kind, installs: &[u8], content: &[u8]| {
        bo.act(|me| Chat::receive_restart(me, &AT, &Arriving { kind, installs, content }, &both).map(drop)).err()
    };
    let installs = committed.generation.as_ref().unwrap().installs();
    let swapped = [&installs[32..], &installs[..32]].concat();
    for wrong in [&[][..], &installs[..63], &swapped, &[0; 64]] {
        assert_eq!(with(EntryKind::Restart, wrong, &committed.entry), Some(Flaw::Generation.into()));
    }
    assert_eq!(with(EntryKind::Commit, &installs, &committed.entry), Some(Flaw::Kind.into()));
    assert_eq!(with(EntryKind::Restart, &installs, &ana.encrypt("hello")), Some(Flaw::Kind.into()));
    let more = changed(&committed.entry, |content| content.fork_tag = vec![0; 32].into());
    assert_eq!(with(EntryKind::Restart, &installs, &more), Some(Flaw::Kind.into()));
    assert_eq!(bo.refusal(EntryKind::Commit, &committed.entry, &both), Some(Flaw::Kind.into()));
    assert_eq!(bo.refusal(EntryKind::Restart, &ana.self_update(&both), &both), Some(Flaw::Kind.into()));
    bo.take_restart(&AT, &committed, &both).unwrap();
}

#[test]
fn who_cannot_open_the_welcome_alone_is_left_behind() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let packages = packages(&[&bo]);
    let committed = ana.restart(&AT, Suite::PostQuantum, &adds(&[&bo], &packages), &both).unwrap();
    bo.act(|me| crate::forget_key_package(me, packages[0].mls())).unwrap();
    assert_eq!(refusal(&bo, &AT, &committed, &both), Some(E2eeError::Private));
    // What nobody accepts he does not accept either.
    assert_eq!(refusal(&bo, &AT, &committed, &lists(&[&bo])), Some(Flaw::Leaf.into()));
    let eve = Person::new(3);
    assert_eq!(refusal(&bo, &AT, &committed, &lists(&[&ana, &bo, &eve])), Some(Flaw::Leaf.into()));
}
