//! People who are not whom they say, or say what is not so.

use bytes::Bytes;
use undertone_credentials::{
    GroupMasterKey,
    group::{Action, Follows, Link, Pseudonym, Role},
};
use undertone_wire::{
    AccountId,
    channel::{ChangeGroupRequest, ChannelHandler, EntryKind, NewEntry, PresentRequest},
};

use super::{Group, OPEN, Somebody, credential, outcome, secret};
use crate::people::{NOW, TODAY, code};

const LINK: [u8; 32] = [77; 32];

async fn sends(by: &Somebody, request: ChangeGroupRequest) -> String {
    outcome(by.session.change_group(NOW, request).await)
}

#[tokio::test]
async fn a_presentation_holds_for_one_request_on_one_circuit() {
    let (mut group, owner) = Group::new(OPEN).await;
    let (thief, other) = (group.somebody(0), group.somebody(1));
    let change = group.change(&owner, vec![Action::SetRules(OPEN)], Follows::Nothing);
    let bare = group.request(&change, None);
    let good = owner.shows(&owner.circuit, bare.clone());

    // On another circuit; for another revision, channel, actor, day, entry; with a byte of it changed.
    assert_eq!(sends(&thief, good.clone()).await, "UNAUTHENTICATED");
    let change = |revision, actor: Pseudonym, action: Action| {
        let other = undertone_credentials::group::Change { revision, actor, actions: vec![action], ..change.clone() };
        NewEntry { body: other.encode().unwrap(), ..bare.change.clone().unwrap() }
    };
    let with = |change| ChangeGroupRequest { change: Some(change), ..good.clone() };
    let mut forged = vec![
        with(change(3, owner.whom, Action::SetRules(OPEN))),
        with(change(2, owner.whom, Action::Close)),
        with(change(2, other.whom, Action::SetRules(OPEN))),
        with(NewEntry { idempotency_id: vec![99; 16].into(), ..bare.change.clone().unwrap() }),
        ChangeGroupRequest { day: TODAY.0 + 1, ..good.clone() },
        ChangeGroupRequest { day: TODAY.0 + 2, ..good.clone() },
        ChangeGroupRequest { link_secret: Bytes::from_static(&[1]), ..good.clone() },
        ChangeGroupRequest { presentation: Bytes::new(), ..good.clone() },
        ChangeGroupRequest { commit: group.following(Follows::Commit).0, ..good.clone() },
    ];
    for at in [0, 31, 100, good.presentation.len() - 1] {
        let mut presentation = good.presentation.to_vec();
        presentation[at] ^= 1;
        forged.push(ChangeGroupRequest { presentation: presentation.into(), ..good.clone() });
    }
    for forged in forged {
        assert_eq!(sends(&owner, forged).await, "UNAUTHENTICATED");
    }
    let elsewhere = group.world.channel(2).await;
    let moved = ChangeGroupRequest { channel: elsewhere.channel.into(), ..good.clone() };
    assert_eq!(sends(&owner, moved).await, "NOT_FOUND");
    let nowhere = ChangeGroupRequest { channel: vec![88; 16].into(), ..good.clone() };
    assert_eq!(sends(&owner, nowhere).await, "NOT_FOUND");
    assert_eq!(group.log().await.len(), 1, "nothing came of all that");
    assert_eq!(sends(&owner, good.clone()).await, "done");
    assert_eq!(sends(&owner, good).await, "done", "again it is the same change");
    assert_eq!(group.log().await.len(), 2);
    // Nor does it open anything.
    let present =
        PresentRequest { presentation: owner.presenting(&group.keys).presentation, ..thief.presenting(&group.keys) };
    assert_eq!(code(thief.session.present(NOW, present).await), "UNAUTHENTICATED");
}

#[tokio::test]
async fn nobody_is_somebody_else() {
    let (mut group, owner) = Group::new(OPEN).await;
    let mallory = group.somebody(6);
    // With the owner's entry and his own credential; with yesterday's; with an entry of another group's.
    let change = group.change(&owner, vec![Action::Close], Follows::Nothing);
    let request = group.request(&change, None);
    assert_eq!(sends(&mallory, mallory.shows(&mallory.circuit, request)).await, "UNAUTHENTICATED");
    let yesterday = Somebody { credential: credential(AccountId::new([0; 16]), TODAY + 5), ..group.somebody(0) };
    let request = group.request(&change, None);
    assert_eq!(sends(&yesterday, yesterday.shows(&yesterday.circuit, request)).await, "UNAUTHENTICATED");
    let another = GroupMasterKey::from_bytes(&[9; 32]).secret();
    let entry = Pseudonym::from(&another.encrypt(&AccountId::new([0; 16])));
    let stranger = Somebody { whom: entry, secret: another, ..group.somebody(0) };
    let change = group.change(&stranger, vec![Action::Close], Follows::Nothing);
    let request = group.request(&change, None);
    assert_eq!(sends(&stranger, stranger.shows(&stranger.circuit, request)).await, "UNAUTHENTICATED");
    // Bytes that are no entry come in by nobody's hand.
    for forged in [[0; 64], [0xff; 64], [1; 64]] {
        let add = vec![Action::Invite(Pseudonym::new(forged), Role::Member)];
        assert_eq!(group.does(&owner, add, Follows::Nothing).await, "MALFORMED");
    }
    assert_eq!(group.log().await.len(), 1);
}

#[tokio::test]
async fn a_link_opens_to_its_secret_alone() {
    let (mut group, owner) = Group::new(OPEN).await;
    let (ana, bo) = (group.somebody(1), group.somebody(2));
    assert_eq!(group.does_with(&ana, vec![Action::Join], Follows::Entrance, &LINK).await, "LINK");
    let open = vec![Action::SetLink(Link::Join(Link::hash(&LINK)))];
    assert_eq!(group.does(&owner, open, Follows::Nothing).await, "done");
    for wrong in [&[][..], &[78; 32], &LINK[..31], &Link::hash(&LINK)] {
        assert_eq!(group.does_with(&ana, vec![Action::Join], Follows::Entrance, wrong).await, "LINK");
    }
    assert_eq!(group.does_with(&ana, vec![Action::Request], Follows::Nothing, &LINK).await, "NOT_ALLOWED");
    assert_eq!(group.does_with(&ana, vec![Action::Join], Follows::Entrance, &LINK).await, "done");
    let reset = vec![Action::SetLink(Link::Join(Link::hash(&[79; 32])))];
    assert_eq!(group.does(&owner, reset, Follows::Nothing).await, "done");
    assert_eq!(group.does_with(&bo, vec![Action::Join], Follows::Entrance, &LINK).await, "LINK");
    // The log and the store have no secret.
    let (log, record) = (group.log().await, group.record.encode());
    let holds = |bytes: &[u8]| bytes.windows(32).any(|window| window == LINK);
    assert!(!holds(&record) && log.iter().all(|entry| !holds(&entry.body)));
}

#[tokio::test]
async fn what_has_another_form_is_no_change() {
    let (mut group, owner) = Group::new(OPEN).await;
    let change = group.change(&owner, vec![Action::SetRules(OPEN)], Follows::Nothing);
    let good = group.request(&change, None);
    let entry = good.change.clone().unwrap();
    let later = {
        let mut body = vec![0, 0, 0, 2, 8, 2];
        body.resize(256, 0);
        NewEntry { body: body.into(), ..entry.clone() }
    };
    let with = |change: NewEntry| ChangeGroupRequest { change: Some(change), ..good.clone() };
    let (message, _) = (group.entry(EntryKind::Message), ());
    for (expected, request) in [
        ("MALFORMED", ChangeGroupRequest { change: None, ..good.clone() }),
        ("MALFORMED", with(NewEntry { kind: EntryKind::Message.into(), ..entry.clone() })),
        ("MALFORMED", with(NewEntry { expiry_day: TODAY.0 + 1, ..entry.clone() })),
        ("MALFORMED", with(NewEntry { body: Bytes::from_static(&[0; 256]), ..entry.clone() })),
        ("MALFORMED", with(NewEntry { installs: group.keys.next(9).installs(), ..entry.clone() })),
        ("MALFORMED", with(NewEntry { slot_hash: vec![1; 32].into(), ..entry.clone() })),
        ("MALFORMED", ChangeGroupRequest { commit: Some(message), ..good.clone() }),
        ("MALFORMED", ChangeGroupRequest { head_slot: vec![1; 256].into(), ..good.clone() }),
        ("UNSUPPORTED", with(later)),
    ] {
        assert_eq!(sends(&owner, owner.shows(&owner.circuit, request)).await, expected);
    }
    // A change is never appended by itself.
    owner.opens(&group.keys, true).await;
    assert_eq!(code(owner.session.append(NOW, group.keys.append(vec![entry])).await), "UNSUPPORTED");
}

#[tokio::test]
async fn a_group_is_made_of_an_empty_channel_by_who_may_write_to_it() {
    let (group, owner) = Group::new(OPEN).await;
    let keys = group.world.channel(2).await;
    let create = Action::Create { group_public: *secret().public().as_bytes(), rules: OPEN };
    let change = undertone_credentials::group::Change {
        revision: 1,
        actor: owner.whom,
        actions: vec![create],
        follows: Follows::Nothing,
    };
    let entry = |number| NewEntry {
        expiry_day: 0,
        body: change.encode().unwrap(),
        ..crate::people::entry(EntryKind::Change, 0, number)
    };
    let request = |number| {
        let channel = keys.channel.into();
        let bare =
            ChangeGroupRequest { channel, change: Some(entry(number)), day: TODAY.0, ..ChangeGroupRequest::default() };
        owner.shows(&owner.circuit, bare)
    };
    assert_eq!(sends(&owner, request(1)).await, "NOT_FOUND", "he has not opened it");
    owner.opens(&keys, false).await;
    assert_eq!(sends(&owner, request(1)).await, "NOT_FOUND");
    owner.opens(&keys, true).await;
    let message = crate::people::message(9);
    let full = group.world.channel(3).await;
    owner.opens(&full, true).await;
    owner.session.append(NOW, full.append(vec![message])).await.unwrap();
    let late = ChangeGroupRequest { channel: full.channel.into(), ..request(1) };
    assert_eq!(sends(&owner, owner.shows(&owner.circuit, late)).await, "NOT_FOUND", "something stands in it");
    assert_eq!(sends(&owner, request(1)).await, "done");
    assert_eq!(sends(&owner, request(1)).await, "done");
    assert_eq!(sends(&owner, request(2)).await, "stale at 0.0, revision 1");
}
