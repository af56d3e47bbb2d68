//! Many at once, and a service that fails in between.

use std::sync::Arc;

use undertone_credentials::group::{Action, Follows, Role, Rules, Who};
use undertone_store::StoreError;
use undertone_wire::{
    channel::{ChangeGroupRequest, ChannelHandler, EntryKind, FollowRequest},
    limits::COMMIT_BURST,
};

use super::{Group, OPEN, outcome};
use crate::{
    people::{self, Listener, NOW},
    stores::Trouble,
};

#[tokio::test]
async fn of_changes_at_once_one_wins_and_the_others_learn_where_it_stands() {
    let (mut group, [owner, member, _, admin]) = Group::with_all_roles(OPEN).await;
    let mut requests = Vec::new();
    for (by, number) in [(&owner, 10), (&admin, 11), (&member, 12)] {
        let invite = vec![Action::Invite(group.somebody(number).whom, Role::Member)];
        let change = group.change(by, invite, Follows::Nothing);
        requests.push(by.shows(&by.circuit, group.request(&change, None)));
    }
    let [one, two, three] = &requests[..] else { unreachable!() };
    let (one, two, three) = tokio::join!(
        owner.session.change_group(NOW, one.clone()),
        admin.session.change_group(NOW, two.clone()),
        member.session.change_group(NOW, three.clone())
    );
    let mut outcomes = [outcome(one), outcome(two), outcome(three)];
    outcomes.sort();
    assert_eq!(outcomes, ["done", "stale at 0.1, revision 3", "stale at 0.1, revision 3"]);
    assert_eq!(group.log().await.len(), 4);
}

#[tokio::test]
async fn a_change_is_for_its_position_and_revision() {
    let (mut group, owner) = Group::new(OPEN).await;
    let ana = group.somebody(1);
    let change = group.change(&owner, vec![Action::Add(ana.whom, Role::Member)], Follows::Commit);
    let (commit, _) = group.following(Follows::Commit);
    let early = owner.shows(&owner.circuit, group.request(&change, commit));
    // Somebody commits first.
    let entry = group.entry(EntryKind::Commit);
    assert_eq!(people::outcome(owner.session.append(NOW, group.keys.append(vec![entry])).await), "2 of 2");
    group.moved(Follows::Commit, None);
    assert_eq!(outcome(owner.session.change_group(NOW, early).await), "stale at 0.1, revision 1");
    for revision in [0, 1, 3, u64::MAX] {
        let change = undertone_credentials::group::Change {
            revision,
            ..group.change(&owner, vec![Action::SetRules(OPEN)], Follows::Nothing)
        };
        let request = owner.shows(&owner.circuit, group.request(&change, None));
        assert_eq!(outcome(owner.session.change_group(NOW, request).await), "stale at 0.1, revision 1");
    }
    assert_eq!(group.does(&owner, vec![Action::Add(ana.whom, Role::Member)], Follows::Commit).await, "done");
    group.is_replayed().await;
}

#[tokio::test]
async fn followers_are_told_of_changes_and_restarts_forget_nothing() {
    let (mut group, owner) = Group::new(OPEN).await;
    let (ana, bo) = (group.somebody(1), group.somebody(2));
    bo.opens(&group.keys, false).await;
    let listener = Arc::new(Listener::default());
    let request = FollowRequest { channels: vec![group.keys.channel.into()], known: Vec::new() };
    bo.session.follow(NOW, request, listener.pushes()).await.unwrap();
    assert_eq!(group.does(&owner, vec![Action::Add(ana.whom, Role::Member)], Follows::Commit).await, "done");
    let heard: Vec<_> = listener.heard().into_iter().flat_map(|push| push.entries).collect();
    let log = group.log().await;
    assert!(heard == log[1..] && heard[0].countersignature.len() == 64);

    group.world.restart();
    let owner = group.somebody(0);
    let announcing = Rules { post: Who::Admins, ..OPEN };
    assert_eq!(group.does(&owner, vec![Action::SetRules(announcing)], Follows::Nothing).await, "done");
    group.is_replayed().await;
}

#[tokio::test]
async fn a_change_of_unknown_outcome_is_found_by_its_retry() {
    let (mut group, owner) = Group::new(OPEN).await;
    let ana = group.somebody(1);
    let change = group.change(&owner, vec![Action::Add(ana.whom, Role::Member)], Follows::Commit);
    let (commit, _) = group.following(Follows::Commit);
    let bare = group.request(&change, commit);
    group.world.channel_store.trouble(Trouble::After(StoreError::Unknown));
    let request = owner.shows(&owner.circuit, bare.clone());
    assert_eq!(outcome(owner.session.change_group(NOW, request).await), "UNKNOWN");
    // On another circuit, with another presentation, and though somebody has done more meanwhile.
    group.record = group.record.apply(&change).unwrap();
    group.moved(Follows::Commit, None);
    assert_eq!(
        group.does(&ana, vec![Action::Invite(group.somebody(2).whom, Role::Member)], Follows::Nothing).await,
        "done"
    );
    let again = group.somebody(0);
    let request = again.shows(&again.circuit, bare.clone());
    assert_eq!(outcome(again.session.change_group(NOW, request).await), "done");
    // Other bytes under the same id are something else.
    let other = ChangeGroupRequest {
        change: bare.change.clone().map(|entry| {
            let change = group.change(&owner, vec![Action::SetRules(OPEN)], Follows::Nothing);
            undertone_wire::channel::NewEntry { body: change.encode().unwrap(), epoch: 1, ..entry }
        }),
        commit: None,
        ..bare
    };
    assert_eq!(outcome(owner.session.change_group(NOW, owner.shows(&owner.circuit, other)).await), "conflict");
    group.is_replayed().await;
}

#[tokio::test]
async fn changes_keep_their_pace() {
    let (mut group, owner) = Group::new(OPEN).await;
    let mut does = async || {
        let change = group.change(&owner, vec![Action::SetRules(OPEN)], Follows::Nothing);
        let request = owner.shows(&owner.circuit, group.request(&change, None));
        let outcome = outcome(owner.session.change_group(NOW, request).await);
        if outcome == "done" {
            group.record = group.record.apply(&change).unwrap();
        }
        outcome
    };
    for _ in 1..COMMIT_BURST {
        assert_eq!(does().await, "done");
    }
    assert_eq!(does().await, "EXHAUSTED");
}
