//! Every action of the table, played.

use undertone_credentials::group::{
    Action, AttributeKind, Follows, Link, Place, Pseudonym, Role, Rules, Standing, Who,
};
use undertone_wire::{AccountId, channel::ChannelHandler};

use super::{Group, NOW, OPEN, outcome, secret};

const LINK: [u8; 32] = [77; 32];

#[tokio::test]
async fn a_whole_life() {
    let (mut group, owner) = Group::new(OPEN).await;
    let [ana, bo, cy, dan, eve] = [1, 2, 3, 4, 5].map(|number| group.somebody(number));
    let none = Follows::Nothing;

    // In by being added, invited, by asking, and by the link.
    assert_eq!(group.does(&owner, vec![Action::Add(ana.whom, Role::Admin)], Follows::Commit).await, "done");
    assert_eq!(group.does(&ana, vec![Action::Invite(bo.whom, Role::Member)], none).await, "done");
    assert_eq!(group.does(&bo, vec![Action::Accept], Follows::Entrance).await, "done");
    assert_eq!(group.does(&bo, vec![Action::Invite(cy.whom, Role::Reader)], none).await, "done");
    assert_eq!(group.does(&cy, vec![Action::Decline], none).await, "done");
    assert_eq!(group.does(&bo, vec![Action::Invite(cy.whom, Role::Member)], none).await, "done");
    assert_eq!(group.does(&bo, vec![Action::Revoke(cy.whom)], none).await, "done");
    let link = Link::Ask(Link::hash(&LINK));
    assert_eq!(group.does(&ana, vec![Action::SetLink(link)], none).await, "done");
    assert_eq!(group.does_with(&cy, vec![Action::Request], none, &LINK).await, "done");
    assert_eq!(group.does_with(&dan, vec![Action::Request], none, &LINK).await, "done");
    assert_eq!(
        group.does(&ana, vec![Action::Approve(cy.whom, Role::Reader), Action::Deny(dan.whom)], none).await,
        "done"
    );
    assert_eq!(group.does(&cy, vec![Action::Accept], Follows::Entrance).await, "done");
    let link = Link::Join(Link::hash(&LINK));
    assert_eq!(group.does(&ana, vec![Action::SetLink(link)], none).await, "done");
    assert_eq!(group.does_with(&dan, vec![Action::Join], Follows::Entrance, &LINK).await, "done");
    assert_eq!(group.record.members().count(), 5);

    // What it says of itself, and its rules.
    for (kind, size) in [
        (AttributeKind::Title, 256),
        (AttributeKind::Description, 1_024),
        (AttributeKind::Avatar, 32_768),
        (AttributeKind::Pinned, 4_096),
        (AttributeKind::Timer, 256),
    ] {
        let set = vec![Action::SetAttribute(kind, vec![1; size].into())];
        assert_eq!(group.does(&dan, set, none).await, "done");
    }
    let unset = vec![Action::SetAttribute(AttributeKind::Pinned, vec![].into())];
    assert_eq!(group.does(&bo, unset, none).await, "done");
    assert!(group.record.attribute(AttributeKind::Pinned).is_none());
    let rules = Rules { edit: Who::Admins, ..OPEN };
    assert_eq!(group.does(&ana, vec![Action::SetRules(rules)], none).await, "done");

    // Out, and not in again.
    assert_eq!(group.does(&ana, vec![Action::Remove(bo.whom)], Follows::Generation).await, "done");
    assert_eq!(group.does(&ana, vec![Action::Ban(dan.whom)], Follows::Generation).await, "done");
    assert_eq!(group.does_with(&dan, vec![Action::Join], Follows::Entrance, &LINK).await, "NOT_ALLOWED");
    assert_eq!(group.does(&ana, vec![Action::Unban(dan.whom), Action::Ban(eve.whom)], none).await, "done");
    assert_eq!(group.does_with(&dan, vec![Action::Join], Follows::Entrance, &LINK).await, "done");
    assert_eq!(group.does(&owner, vec![Action::SetRole(dan.whom, Role::Admin)], none).await, "done");
    assert_eq!(group.does(&dan, vec![Action::SetRole(cy.whom, Role::Member)], none).await, "done");
    assert_eq!(group.does(&dan, vec![Action::Restart], Follows::Restart).await, "done");

    // Ownership, and the end.
    assert_eq!(group.does(&owner, vec![Action::Leave], none).await, "NOT_ALLOWED");
    assert_eq!(group.does(&owner, vec![Action::HandOver(ana.whom), Action::Leave], none).await, "done");
    assert!(
        group.record.standing(&ana.whom) == Standing::Owner && group.record.place(&owner.whom) == Some(&Place::Left)
    );
    assert_eq!(group.does(&dan, vec![Action::Restart], Follows::Restart).await, "OWED");
    assert_eq!(group.does(&cy, vec![Action::Leave], none).await, "done");
    assert_eq!(group.does(&dan, vec![Action::Settle], Follows::Generation).await, "done");
    assert_eq!(group.does(&dan, vec![Action::Close], none).await, "NOT_ALLOWED");
    assert_eq!(group.does(&ana, vec![Action::Close], none).await, "done");
    assert_eq!(group.does(&ana, vec![Action::SetRules(OPEN)], none).await, "CLOSED");
    group.is_replayed().await;

    // All of this was done by people without an account here: the account plane was never asked.
    assert_eq!(group.world.account_store.changes(), 0);
    assert_eq!(group.world.accounts.counts().await.unwrap().accounts, 0);
}

/// What must follow must, and nothing else.
#[tokio::test]
async fn what_follows_is_what_the_change_says() {
    let (mut group, owner) = Group::new(OPEN).await;
    let ana = group.somebody(1);
    let add = || vec![Action::Add(ana.whom, Role::Member)];
    for follows in [Follows::Nothing, Follows::Entrance, Follows::Restart] {
        assert_eq!(group.does(&owner, add(), follows).await, "FOLLOWS");
    }
    // Said, and not done.
    for (said, done) in [
        (Follows::Commit, Follows::Nothing),
        (Follows::Commit, Follows::Generation),
        (Follows::Generation, Follows::Commit),
        (Follows::Generation, Follows::Restart),
    ] {
        let change = group.change(&owner, add(), said);
        let (commit, _) = group.following(done);
        let request = owner.shows(&owner.circuit, group.request(&change, commit));
        let got = outcome(owner.session.change_group(NOW, request).await);
        assert_eq!(got, "FOLLOWS");
    }
    assert_eq!(group.does(&owner, add(), Follows::Generation).await, "done");
    group.is_replayed().await;
}

/// By the table: what each role may not do, in a group that leaves nothing to members.
#[tokio::test]
async fn who_may_not_is_refused() {
    let (mut group, [owner, member, reader, admin]) = Group::with_all_roles(Rules::default()).await;
    let (stranger, new) = (group.somebody(8), group.somebody(9).whom);
    let none = Follows::Nothing;
    let of_admins = |target| {
        vec![
            (Action::Add(new, Role::Member), Follows::Commit),
            (Action::Invite(new, Role::Member), none),
            (Action::Ban(new), none),
            (Action::Remove(target), Follows::Generation),
            (Action::Ban(target), Follows::Generation),
            (Action::SetRole(target, Role::Reader), none),
            (Action::SetAttribute(AttributeKind::Title, vec![1; 256].into()), none),
            (Action::SetRules(OPEN), none),
            (Action::SetLink(Link::Off), none),
            (Action::Restart, Follows::Restart),
        ]
    };
    let of_the_owner = vec![
        (Action::HandOver(member.whom), none),
        (Action::Close, none),
        (Action::SetRole(member.whom, Role::Admin), none),
        (Action::Add(new, Role::Admin), Follows::Commit),
        (Action::Invite(new, Role::Admin), none),
    ];
    for by in [&member, &reader, &stranger] {
        for (action, follows) in of_admins(admin.whom).into_iter().chain(of_the_owner.clone()) {
            assert_eq!(group.does(by, vec![action], follows).await, "NOT_ALLOWED");
        }
    }
    for (action, follows) in of_the_owner {
        assert_eq!(group.does(&admin, vec![action], follows).await, "NOT_ALLOWED");
    }
    for by in [&admin, &owner] {
        for action in [Action::Remove(owner.whom), Action::Ban(owner.whom), Action::SetRole(owner.whom, Role::Admin)] {
            assert_eq!(group.does(by, vec![action], Follows::Generation).await, "TARGET");
        }
    }
    for action in [Action::Accept, Action::Decline, Action::Leave, Action::Settle] {
        assert_eq!(group.does(&stranger, vec![action], Follows::Generation).await, "NOT_ALLOWED");
    }
    for action in [Action::Join, Action::Request] {
        assert_eq!(group.does(&stranger, vec![action], Follows::Entrance).await, "LINK");
    }
    for (action, follows) in of_admins(member.whom) {
        assert_eq!(group.does(&admin, vec![action], follows).await, "done");
        if group.record.standing(&member.whom) != Standing::Member {
            let back = vec![Action::Unban(member.whom)];
            let _ = group.does(&admin, back, none).await;
            let add = vec![Action::Add(member.whom, Role::Member)];
            let _ = group.does(&admin, add, Follows::Commit).await;
        }
        if group.record.standing(&new) != Standing::Nobody {
            let gone = match group.record.standing(&new) {
                Standing::Invited => (Action::Revoke(new), none),
                Standing::Banned => (Action::Unban(new), none),
                _ => (Action::Remove(new), Follows::Generation),
            };
            assert_eq!(group.does(&admin, vec![gone.0], gone.1).await, "done");
        }
    }
    group.is_replayed().await;
}

#[tokio::test]
async fn the_1001st_is_refused() {
    let (mut group, owner) = Group::new(OPEN).await;
    let mut entries = (10..).map(|number: u64| {
        let mut account = [0; 16];
        account[..8].copy_from_slice(&number.to_be_bytes());
        Pseudonym::from(&secret().encrypt(&AccountId::new(account)))
    });
    while group.record.members().count() < 1_000 {
        let room = 1_000 - group.record.members().count();
        let batch = entries.by_ref().take(room.min(64)).map(|whom| Action::Add(whom, Role::Member)).collect();
        assert_eq!(group.does(&owner, batch, Follows::Commit).await, "done");
    }
    let last = Action::Add(entries.next().unwrap(), Role::Member);
    assert_eq!(group.does(&owner, vec![last.clone()], Follows::Commit).await, "FULL");
    let member = *group.record.members().find(|(_, role)| *role == Role::Member).unwrap().0;
    let swap = vec![Action::Remove(member), last];
    assert_eq!(group.does(&owner, swap, Follows::Generation).await, "done");
    group.is_replayed().await;
}
