//! Who has lost the way comes back by the head.

use std::collections::BTreeMap;

use bytes::Bytes;
use undertone_credentials::{Device, DeviceKey, DeviceList, IdentityKey, RecoveryKey};

use super::*;
use crate::{Head, testing::rng};

/// Ana commits, with a head; all who are there merge it.
fn with_head(ana: &Person, others: &[&Person], plan: &Plan<'_>, lists: &Lists<'_>) -> (Committed, Head) {
    let current = Generation::from_secret([1; 32]);
    let made = ana.chat(|me, chat| chat.commit_with_head(me, plan, &current, lists, &seen(2))).unwrap();
    for person in [ana].iter().chain(others) {
        person.merge(&made.0, lists);
    }
    made
}

fn rejoin(person: &Person, head: &Head, lists: &Lists<'_>) -> Result<Committed, E2eeError> {
    person.act(|me| Chat::rejoin(me, (CHANNEL, person.group.get()), head, &[], lists, &seen(2)))
}

fn check(person: &Person, head: &Head, by: &Person, generation: &Generation) -> Option<E2eeError> {
    person.chat(|me, chat| chat.check_head(me, head, by.member(), generation)).err()
}

#[test]
fn who_is_lost_comes_back_by_himself() {
    let (ana, bo1, bo2) = trio();
    let known = lists(&[&ana, &bo2]);
    let (_, head) = with_head(&ana, &[&bo1, &bo2], &Plan::default(), &known);

    for lost_everything in [false, true] {
        if lost_everything {
            bo2.memory.edit(BTreeMap::clear);
        }
        let (_, head) = with_head(&ana, &[&bo1], &Plan::default(), &known);
        let committed = rejoin(&bo2, &head, &known).unwrap();
        for person in [&ana, &bo1] {
            let change = person.merge(&committed, &known);
            assert!(change.added == [bo2.member()] && change.removed == change.added && change.generation.is_none());
        }
        all_talk(&[&ana, &bo1, &bo2], &known);
        let commit = bo2.self_update(&known);
        [&ana, &bo1, &bo2].into_iter().for_each(|person| person.follow(&commit, &known));
    }
    // An old head leads nowhere.
    let late = rejoin(&bo1, &head, &known).unwrap();
    assert_eq!(ana.take(&late, &known).err(), Some(Flaw::Epoch.into()));
    bo1.delete();
}

#[test]
fn a_device_that_nobody_has_added_comes_in_with_its_list() {
    let (ana, bo1, bo2) = trio();
    let known = lists(&[&ana, &bo2]);
    let (_, head) = with_head(&ana, &[&bo1, &bo2], &Plan::default(), &known);
    let bo3 = bo2.next_device();
    assert_eq!(rejoin(&bo3, &head, &known).err(), Some(Flaw::Leaf.into()), "without a place");
    let join = |me: &crate::Me<'_>| Chat::rejoin(me, (CHANNEL, 0), &head, &[&bo3.list], &known, &seen(2));
    let committed = bo3.act(join).unwrap();
    for person in [&ana, &bo1, &bo2] {
        let change = person.merge(&committed, &known);
        assert!(change.added == [bo3.member()] && change.removed.is_empty() && change.lists.len() == 1);
    }
    all_talk(&[&ana, &bo1, &bo2, &bo3], &lists(&[&ana, &bo3]));
}

#[test]
fn a_copy_that_comes_in_puts_the_other_out() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let (_, head) = with_head(&ana, &[&bo], &Plan::default(), &both);
    let copy = Person { memory: Default::default(), ..Person::new(2) };
    let committed = rejoin(&copy, &head, &both).unwrap();
    assert!(bo.merge(&committed, &both).gone);
    ana.merge(&committed, &both);
    all_talk(&[&ana, &copy], &both);
}

#[test]
fn who_comes_in_sends_nobody_away_and_begins_no_generation() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let (_, head) = with_head(&ana, &[&bo], &Plan::default(), &both);
    let eve = Person::new(3);
    let with_eve = lists(&[&ana, &bo, &eve]);
    let committed = rejoin(&eve, &head, &with_eve).unwrap();
    assert_eq!(bo.take(&committed, &both).err(), Some(Flaw::Leaf.into()), "a stranger");
    let generation = Some(Generation::from_secret([1; 32]));
    let committed = Committed { generation, ..committed };
    assert_eq!(bo.take(&committed, &with_eve).err(), Some(Flaw::Generation.into()));

    // Who has put the key of Bo's device on his own list: MLS takes Bo's leaf for his former one.
    let (recovery, identity) = (RecoveryKey::from_seed(&[7; 32]), IdentityKey::from_seed(&[8; 32]));
    let device = Device { number: 1, key: bo.key.public(), features: vec![] };
    let list = DeviceList::first(&recovery.public(), &identity, vec![device]).ok().unwrap();
    let thief = Person { key: DeviceKey::from_seed(&bo.key.seed()), list, ..Person::new(4) };
    let with_thief = lists(&[&ana, &bo, &thief]);
    let committed = rejoin(&thief, &head, &with_thief).unwrap();
    for person in [&ana, &bo] {
        assert_eq!(person.take(&committed, &with_thief).err(), Some(Flaw::Leaf.into()));
    }
}

#[test]
fn a_lost_race_is_run_again() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let (_, head) = with_head(&ana, &[], &Plan::default(), &both);
    let lost = rejoin(&bo, &head, &both).unwrap();
    let (_, head) = with_head(&ana, &[], &Plan::default(), &both);
    assert_eq!(ana.take(&lost, &both).err(), Some(Flaw::Epoch.into()));
    bo.delete();
    assert!(bo.memory.rows.borrow().is_empty());
    ana.merge(&rejoin(&bo, &head, &both).unwrap(), &both);
    all_talk(&[&ana, &bo], &both);
}

#[test]
fn whoever_merges_the_commit_checks_its_head() {
    let (ana, bo1, bo2) = trio();
    let known = lists(&[&ana, &bo2]);
    let (_, before) = with_head(&ana, &[&bo1, &bo2], &Plan::default(), &known);
    let plan = Plan { generation: true, ..Plan::default() };
    let (committed, head) = with_head(&ana, &[&bo1, &bo2], &plan, &known);
    let generation = committed.generation.as_ref().unwrap();
    assert!(head.generation.secret() == generation.secret());
    assert!(before.generation.secret() == &[1; 32], "where none begins, the current one goes on");

    // Through the slot, as members find it.
    let (master, position) = ([6; 32], Position { incarnation: 0, epoch: 3 });
    let sealed = crate::seal_head(&master, CHANNEL, position, &head, &mut rng(1)).unwrap();
    let head = crate::open_head(&master, CHANNEL, position, &sealed).unwrap();
    for person in [&ana, &bo1, &bo2] {
        assert_eq!(check(person, &head, &ana, generation), None);
    }

    let wrong = Some(E2eeError::Invalid(Flaw::Head));
    assert_eq!(check(&bo1, &head, &bo2, generation), wrong, "signed by another");
    assert_eq!(check(&bo1, &head, &Person::new(9), generation), wrong);
    assert_eq!(check(&bo1, &head, &ana, &before.generation), wrong, "another generation");
    let with = |group_info: &Bytes, tree: &Bytes| {
        let generation = Generation::from_secret(*generation.secret());
        let head = Head { group_info: group_info.clone(), tree: tree.clone(), generation, place: Default::default() };
        check(&bo1, &head, &ana, &head.generation)
    };
    assert_eq!(with(&head.group_info, &head.tree), None);
    assert_eq!(with(&before.group_info, &head.tree), wrong, "of the epoch before");
    assert_eq!(with(&head.group_info, &before.tree), wrong);
    assert_eq!(with(&Bytes::new(), &head.tree), wrong);
    for at in (0..head.group_info.len()).step_by(13).chain([head.group_info.len() - 1]) {
        let mut flipped = head.group_info.to_vec();
        flipped[at] ^= 1;
        assert_eq!(with(&flipped.into(), &head.tree), wrong, "flipped at {at}");
    }
}

#[test]
fn a_head_is_judged_before_it_is_followed() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let (_, head) = with_head(&ana, &[&bo], &Plan::default(), &both);
    let copy = |group_info: Bytes, tree: Bytes| Head {
        group_info,
        tree,
        generation: Generation::from_secret([1; 32]),
        place: Default::default(),
    };
    let rows = bo.memory.rows.borrow().clone();
    let refused = |head: &Head| {
        let error = rejoin(&bo, head, &both).err().expect("refused");
        assert!(*bo.memory.rows.borrow() == rows, "what fails leaves no trace");
        error
    };
    let elsewhere = bo.act(|me| Chat::rejoin(me, (CHANNEL, 1), &head, &[], &both, &seen(2))).err();
    assert_eq!(elsewhere, Some(Flaw::Epoch.into()));
    assert_eq!(refused(&copy(head.tree.clone(), head.tree.clone())), Flaw::Head.into());
    assert!(matches!(refused(&copy(head.group_info.clone(), head.group_info.clone())), E2eeError::Invalid(_)));
    for at in (0..head.group_info.len()).step_by(29) {
        let mut flipped = head.group_info.to_vec();
        flipped[at] ^= 1;
        refused(&copy(flipped.into(), head.tree.clone()));
    }
    for at in (0..head.tree.len()).step_by(131) {
        let mut flipped = head.tree.to_vec();
        flipped[at] ^= 1;
        refused(&copy(head.group_info.clone(), flipped.into()));
    }
}

/// Nobody is in a group that is only a door; whoever comes in by it finds those who came before.
#[test]
fn all_come_in_by_the_door_of_a_group_that_nobody_is_in() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let door = ana.act(|me| Chat::door(me, CHANNEL, 1, Suite::PostQuantum)).unwrap();
    let again = ana.act(|me| Chat::door(me, CHANNEL, 1, Suite::PostQuantum)).unwrap();
    assert!(door.generation.secret() != again.generation.secret());
    for person in [&ana, &bo] {
        person.group.set(1);
    }
    assert!(ana.act(|me| Chat::load(me, CHANNEL, 1)).unwrap().is_none(), "nothing of it is kept");
    rejoin(&bo, &again, &both).unwrap();
    let head = bo.chat(|me, chat| chat.head(me, &again.generation)).unwrap();
    let committed = rejoin(&ana, &head, &both).unwrap();
    // The leaf that the door was made with goes with its device's coming.
    let change = bo.merge(&committed, &both);
    assert!(change.added == [ana.member()] && change.removed == change.added && !change.gone);
    all_talk(&[&ana, &bo], &both);
    let cy = Person::new(3);
    cy.group.set(1);
    assert_eq!(rejoin(&cy, &again, &both).err(), Some(Flaw::Leaf.into()), "without a place");
}
