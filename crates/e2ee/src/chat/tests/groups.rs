//! Chats of many accounts, which come and go.

use super::*;
use crate::Head;
use undertone_credentials::DeviceList;
use undertone_wire::content::Seen;

/// Entry `committed` taken by all of them.
fn all_merge(people: &[&Person], committed: &Committed, lists: &Lists<'_>) {
    for person in people {
        person.merge(committed, lists);
    }
}

/// Ana's group of herself and two others, each with one device.
fn three() -> (Person, Person, Person) {
    let (ana, bo, cy) = (Person::new(1), Person::new(2), Person::new(3));
    assert!(ana.create(&[]).is_none());
    for other in [&bo, &cy] {
        let package = other.key_package(false);
        let plan = Plan { adds: vec![(&other.list, &package)], lists: vec![&other.list], ..Plan::default() };
        let before: Vec<&Person> = if std::ptr::eq(other, &bo) { vec![&ana] } else { vec![&ana, &bo] };
        let lists_now = lists(&before).and_newcomers([other.account()]);
        let committed = ana.commit(&plan, &lists_now).unwrap();
        all_merge(&before, &committed, &lists_now);
        let after: Vec<&Person> = before.into_iter().chain([other]).collect();
        other.join(committed.invitation.as_ref().unwrap(), &lists(&after)).unwrap();
    }
    (ana, bo, cy)
}

/// A head as it comes with a self-update of somebody.
fn head_by(person: &Person, others: &[&Person], lists: &Lists<'_>) -> Head {
    let generation = Generation::from_secret([7; 32]);
    let made = person.chat(|me, chat| chat.commit_with_head(me, &Plan::default(), &generation, lists, &seen(2)));
    let (committed, head) = made.unwrap();
    all_merge(&[person], &committed, lists);
    all_merge(others, &committed, lists);
    head
}

fn enter(person: &Person, head: &Head, brought: &[&DeviceList], lists: &Lists<'_>) -> Result<Committed, E2eeError> {
    let seen: Seen = seen(2);
    person.act(|me| Chat::rejoin(me, (CHANNEL, 0), head, brought, lists, &seen))
}

#[test]
fn accounts_are_added_one_after_the_other() {
    let (ana, bo, cy) = three();
    all_talk(&[&ana, &bo, &cy], &lists(&[&ana, &bo, &cy]));
}

#[test]
fn who_has_a_place_enters_by_himself() {
    let (ana, bo, cy) = three();
    let dan = Person::new(4);
    let before = lists(&[&ana, &bo, &cy]);
    let head = head_by(&bo, &[&ana, &cy], &before);
    let with_dan = before.clone().and_newcomers([dan.account()]);
    let entered = enter(&dan, &head, &[&dan.list], &with_dan).unwrap();
    for person in [&ana, &bo, &cy] {
        let change = person.merge(&entered, &with_dan);
        assert!(change.added == [dan.member()] && change.removed.is_empty());
        assert!(change.lists.len() == 1 && change.lists[0].encoded() == dan.list.encoded());
    }
    all_talk(&[&ana, &bo, &cy, &dan], &lists(&[&ana, &bo, &cy, &dan]));
}

#[test]
fn nobody_comes_in_without_a_place() {
    let (ana, bo, cy) = three();
    let dan = Person::new(4);
    let before = lists(&[&ana, &bo, &cy]);
    let head = head_by(&ana, &[&bo, &cy], &before);
    // He thinks that he has one, and enters; the others know better.
    let entered = enter(&dan, &head, &[&dan.list], &before.clone().and_newcomers([dan.account()])).unwrap();
    for person in [&ana, &bo, &cy] {
        assert_eq!(person.take(&entered, &before).err(), Some(Flaw::List.into()));
    }
    let unnamed = enter(&dan, &head, &[], &before.clone().and_newcomers([dan.account()]));
    assert_eq!(unnamed.err(), Some(Flaw::Leaf.into()), "a list is needed to know his device by");

    let package = dan.key_package(false);
    let plan = Plan { adds: vec![(&dan.list, &package)], lists: vec![&dan.list], ..Plan::default() };
    assert_eq!(bo.commit(&plan, &before).err(), Some(Flaw::List.into()));
    let other = before.clone().and_newcomers([Person::new(5).account()]);
    assert_eq!(bo.commit(&plan, &other).err(), Some(Flaw::List.into()));
    let unnamed = Plan { lists: vec![], ..plan };
    assert_eq!(bo.commit(&unnamed, &before.and_newcomers([dan.account()])).err(), Some(Flaw::Leaf.into()));
}

#[test]
fn whoever_has_lost_his_place_is_removed_by_anybody() {
    let (ana, bo, cy) = three();
    let everybody = lists(&[&ana, &bo, &cy]);
    let plan = Plan { removes: vec![cy.member()], generation: true, ..Plan::default() };
    assert_eq!(bo.commit(&plan, &everybody).err(), Some(Flaw::Leaf.into()), "he still has his place");
    let without = lists(&[&ana, &bo]);
    let committed = bo.commit(&plan, &without).unwrap();
    for person in [&ana, &bo] {
        let change = person.merge(&committed, &without);
        assert!(change.removed == [cy.member()] && change.generation.is_some());
    }
    all_talk(&[&ana, &bo], &without);
    let written = ana.encrypt("without him");
    assert!(cy.refusal(EntryKind::Message, &written, &everybody).is_some());
}

#[test]
fn a_newcomer_brings_one_list() {
    let (ana, bo, cy) = three();
    let dan = Person::new(4);
    let with_dan = lists(&[&ana, &bo, &cy]).and_newcomers([dan.account()]);
    let head = head_by(&ana, &[&bo, &cy], &lists(&[&ana, &bo, &cy]));
    let later = dan.next_device();
    // Both are his; the newest counts, whatever their order.
    for brought in [[&dan.list, &later.list], [&later.list, &dan.list]] {
        let entered = enter(&dan, &head, &brought, &with_dan).unwrap();
        let content = EntryContent::decode(&entered.entry[..]).unwrap();
        assert_eq!(content.device_lists.len(), 2);
        dan.delete();
    }
    let entered = enter(&later, &head, &[&later.list], &with_dan).unwrap();
    let brings = |lists| changed(&entered.entry, |content| content.device_lists = lists);
    let many = brings(vec![later.list.encoded().clone(); 5]);
    assert_eq!(bo.refusal(EntryKind::Commit, &many, &with_dan), Some(Flaw::List.into()));
    assert_eq!(bo.refusal(EntryKind::Commit, &brings(vec![]), &with_dan), Some(Flaw::Leaf.into()));
    all_merge(&[&ana, &bo, &cy], &entered, &with_dan);
    all_talk(&[&ana, &bo, &cy, &later], &lists(&[&ana, &bo, &cy, &later]));
}
