//! Devices that come, go, lose their way and come back.

use super::*;

#[test]
fn a_device_that_comes_later_reads_from_then_on() {
    let (ana, bo1, bo2) = trio();
    let all = lists(&[&ana, &bo2]);
    all_talk(&[&ana, &bo1, &bo2], &all);
    assert!(ana.chat(|_, chat| Ok(chat.members())).unwrap().len() == 3);
    // It can do all that the others can.
    let commit = bo2.self_update(&all);
    [&ana, &bo1, &bo2].into_iter().for_each(|person| person.follow(&commit, &all));
    all_talk(&[&bo2, &ana, &bo1], &all);
}

#[test]
fn a_removed_device_is_locked_out() {
    let (ana, bo1, bo2) = trio();
    let known = lists(&[&ana, &bo2]);
    let without = bo2.list_without(2);
    // The other side has learnt the list and carries it into the log.
    let plan = Plan { removes: vec![bo2.member()], lists: vec![&without], generation: true, ..Plan::default() };
    let committed = ana.commit(&plan, &known).unwrap();
    assert!(committed.invitation.is_none());
    for person in [&ana, &bo1] {
        let change = person.merge(&committed, &known);
        assert!(same(change.generation.as_ref(), committed.generation.as_ref()) && !change.gone);
        assert!(change.removed == [bo2.member()] && change.added.is_empty());
        assert!(change.lists.len() == 1 && change.lists[0].encoded() == without.encoded());
    }
    let change = bo2.merge(&committed, &known);
    assert!(change.gone && change.generation.is_none() && change.removed == [bo2.member()]);
    assert!(bo2.memory.rows.borrow().is_empty(), "nothing of the chat is left to it");

    let now = Lists::from_iter([&ana.list, &without]);
    all_talk(&[&ana, &bo1], &now);
    let again = bo1.self_update(&now);
    [&ana, &bo1].into_iter().for_each(|person| person.follow(&again, &now));
}

/// Also when it goes on with a copy of its state from before.
#[test]
fn a_removed_device_neither_reads_nor_writes() {
    let (ana, bo1, bo2) = trio();
    let known = lists(&[&ana, &bo2]);
    let without = bo2.list_without(2);
    let plan = Plan { removes: vec![bo2.member()], lists: vec![&without], generation: true, ..Plan::default() };
    let committed = ana.commit(&plan, &known).unwrap();
    ana.merge(&committed, &known);
    bo1.merge(&committed, &known);
    let now = Lists::from_iter([&ana.list, &without]);

    let (message, late, commit) = (ana.encrypt("without him"), bo2.encrypt("late"), bo2.self_update(&known));
    assert_eq!(bo2.refusal(EntryKind::Message, &message, &known), Some(Flaw::Epoch.into()));
    assert_eq!(ana.refusal(EntryKind::Message, &late, &now), Some(Flaw::Ciphertext.into()));
    assert_eq!(ana.refusal(EntryKind::Commit, &commit, &now), Some(Flaw::Epoch.into()));
}

#[test]
fn a_chat_in_memory_knows_that_it_is_over() {
    let (ana, _, bo2) = trio();
    let known = lists(&[&ana, &bo2]);
    let without = bo2.list_without(2);
    let plan = Plan { removes: vec![bo2.member()], lists: vec![&without], generation: true, ..Plan::default() };
    let committed = ana.commit(&plan, &known).unwrap();
    let installs = committed.generation.as_ref().unwrap().installs();
    bo2.act(|me| {
        let mut chat = bo2.load(me)?.unwrap();
        let entry = Arriving { kind: EntryKind::Commit, installs: &installs, content: &committed.entry };
        chat.receive(me, &entry, &known)?;
        assert_eq!(chat.receive(me, &entry, &known).err(), Some(E2eeError::Private));
        assert_eq!(chat.encrypt(me, b"hello", &seen(1)).err(), Some(E2eeError::Private));
        assert_eq!(chat.commit(me, &Plan::default(), &known, &seen(1)).err(), Some(E2eeError::Private));
        Ok(())
    })
    .unwrap();
    assert!(bo2.memory.rows.borrow().is_empty());
}

#[test]
fn who_lost_the_way_is_added_again_in_one_commit() {
    let (ana, bo1, bo2) = trio();
    let known = lists(&[&ana, &bo2]);
    // Whoever hears it first helps: here the other side. Nobody goes, so no generation begins.
    for helper in [&ana, &bo1] {
        let package = bo2.key_package(false);
        let plan = Plan { adds: vec![(&bo2.list, &package)], removes: vec![bo2.member()], ..Plan::default() };
        let committed = helper.commit(&plan, &known).unwrap();
        for person in [&ana, &bo1] {
            let change = person.merge(&committed, &known);
            assert!(change.added == [bo2.member()] && change.removed == change.added && !change.gone);
        }
        // He may have followed after all, or have lost everything: either way he comes in by the invitation.
        if std::ptr::eq(helper, &ana) {
            assert!(bo2.merge(&committed, &known).gone);
        } else {
            bo2.memory.edit(|rows| rows.retain(|key, _| key.starts_with(b"mls1/key package")));
        }
        bo2.join(committed.invitation.as_ref().unwrap(), &known).unwrap();
        all_talk(&[&ana, &bo1, &bo2], &known);
    }
}

#[test]
fn one_commit_pays_all_that_is_owed() {
    let (ana, bo1, bo2) = trio();
    let known = lists(&[&ana, &bo2]);
    let ana2 = ana.next_device();
    let without = bo2.list_without(1);
    let (package, again) = (ana2.key_package(true), bo2.key_package(true));
    let plan = Plan {
        adds: vec![(&ana2.list, &package), (&without, &again)],
        removes: vec![bo1.member(), bo2.member()],
        lists: vec![&ana2.list, &without],
        generation: true,
    };
    let committed = ana.commit(&plan, &known).unwrap();
    assert!(ana.merge(&committed, &known).lists.len() == 2);
    assert!(bo1.merge(&committed, &known).gone && bo2.merge(&committed, &known).gone);
    let now = Lists::from_iter([&ana2.list, &without]);
    for person in [&ana2, &bo2] {
        person.join(committed.invitation.as_ref().unwrap(), &now).unwrap();
    }
    all_talk(&[&ana, &ana2, &bo2], &now);
}

#[test]
fn a_person_removes_his_own_device_though_it_has_a_place() {
    let (ana, bo1, bo2) = trio();
    let known = lists(&[&ana, &bo2]);
    let plan = || Plan { removes: vec![bo2.member()], generation: true, ..Plan::default() };
    assert_eq!(ana.commit(&plan(), &known).err(), Some(Flaw::Leaf.into()), "he is not hers to remove");
    let committed = bo1.commit(&plan(), &known).unwrap();
    for person in [&ana, &bo1] {
        assert!(person.merge(&committed, &known).removed == [bo2.member()]);
    }
    all_talk(&[&ana, &bo1], &known);
}

#[test]
fn a_generation_begins_by_the_calendar_too() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let plan = || Plan { generation: true, ..Plan::default() };
    let first = bo.commit(&plan(), &both).unwrap();
    let seen_by_ana = ana.merge(&first, &both).generation;
    assert!(same(seen_by_ana.as_ref(), first.generation.as_ref()));
    assert!(same(bo.merge(&first, &both).generation.as_ref(), first.generation.as_ref()));
    let second = ana.commit(&plan(), &both).unwrap();
    assert!(!same(second.generation.as_ref(), first.generation.as_ref()));
}

#[test]
fn lists_travel_and_only_newer_ones_count() {
    let (ana, bo1, bo2) = trio();
    let (older, newer) = (lists(&[&ana, &bo1]), lists(&[&ana, &bo2]));
    // Ana does not know of the second device yet: its words count only once the list is in the log.
    let message = bo2.encrypt("hello");
    assert_eq!(ana.refusal(EntryKind::Message, &message, &older), Some(Flaw::Leaf.into()));
    let plan = Plan { lists: vec![&bo2.list], ..Plan::default() };
    let committed = bo1.commit(&plan, &older).unwrap();
    assert!(ana.merge(&committed, &older).lists.len() == 1);
    bo1.merge(&committed, &older);
    bo2.merge(&committed, &newer);

    let old = Plan { lists: vec![&bo1.list], ..Plan::default() };
    let committed = bo1.commit(&old, &newer).unwrap();
    for person in [&ana, &bo1, &bo2] {
        assert!(person.merge(&committed, &newer).lists.is_empty(), "an older list changes nothing");
    }
    all_talk(&[&ana, &bo1, &bo2], &newer);
}

#[test]
fn a_lost_race_leaves_nothing_of_a_plan() {
    let (ana, bo1, bo2) = trio();
    let known = lists(&[&ana, &bo2]);
    let bo3 = bo2.next_device();
    let package = bo3.key_package(true);
    let plan = || Plan { adds: vec![(&bo3.list, &package)], lists: vec![&bo3.list], ..Plan::default() };
    let (lost, won) = (ana.commit(&plan(), &known).unwrap(), bo1.commit(&plan(), &known).unwrap());
    for person in [&ana, &bo1, &bo2] {
        person.merge(&won, &known);
    }
    let now = lists(&[&ana, &bo3]);
    assert!(bo3.join(lost.invitation.as_ref().unwrap(), &now).is_ok(), "nobody can tell from an invitation alone");
    assert!(bo3.authenticator() != ana.authenticator());
    bo3.join(won.invitation.as_ref().unwrap(), &now).unwrap();
    all_talk(&[&ana, &bo1, &bo2, &bo3], &now);
    // What is done already cannot be done again.
    assert_eq!(ana.commit(&plan(), &now).err(), Some(Flaw::Commit.into()));
}

#[test]
fn a_list_that_is_known_is_no_news() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let plan = Plan { lists: vec![&ana.list, &bo.list], ..Plan::default() };
    let committed = ana.commit(&plan, &both).unwrap();
    for person in [&ana, &bo] {
        assert!(person.merge(&committed, &both).lists.is_empty());
    }
}
