//! What a group shows, and to whom: its record, its head slot, and who it is that asks.

use bytes::Bytes;
use undertone_credentials::group::{Action, Follows, Link, Record, Role};
use undertone_wire::{
    channel::{ChangeGroupRequest, ChannelHandler, EntryKind, NewEntry, ReadHeadSlotRequest, ReserveCommitRequest},
    limits::RESERVE_MS,
};

use super::{Group, OPEN, Somebody, outcome, reading, sha256};
use crate::people::{self, NOW, code};

const LINK: [u8; 32] = [77; 32];

async fn reads(group: &Group, by: &Somebody, link: &[u8]) -> (&'static str, &'static str) {
    let slot = ReadHeadSlotRequest { channel: group.keys.channel.into(), link_secret: Bytes::copy_from_slice(link) };
    let record = by.session.read_record(NOW, reading(&group.keys, link)).await;
    (code(record), code(by.session.read_head_slot(NOW, slot).await))
}

#[tokio::test]
async fn a_record_is_shown_to_those_whom_it_concerns() {
    const NO: &str = "UNAUTHENTICATED";
    let (mut group, owner) = Group::new(OPEN).await;
    let [member, invited, requesting, nobody, reader] = [1, 2, 3, 4, 5].map(|number| group.somebody(number));
    let actions = vec![
        Action::Add(member.whom, Role::Member),
        Action::Invite(invited.whom, Role::Member),
        Action::SetLink(Link::Ask(Link::hash(&LINK))),
    ];
    assert_eq!(group.does(&owner, actions, Follows::Commit).await, "done");
    assert_eq!(group.does_with(&requesting, vec![Action::Request], Follows::Nothing, &LINK).await, "done");
    for (by, before, shown) in [
        (&member, (NO, NO), ("OK", "OK")),
        (&invited, (NO, NO), ("OK", "OK")),
        // Whoever has asked on this circuit has shown himself.
        (&requesting, ("OK", NO), ("OK", NO)),
    ] {
        assert_eq!(reads(&group, by, &[]).await, before);
        let reply = by.presents(&group.keys).await.unwrap();
        assert!(reply.revision == 3 && reply.head.unwrap().seq == 4);
        assert_eq!(reads(&group, by, &[]).await, shown);
    }
    assert_eq!(code(nobody.presents(&group.keys).await), "FORBIDDEN");
    assert_eq!(reads(&group, &nobody, &[]).await, (NO, NO));
    // By the link: the record where one may ask, the head slot only where one may join.
    assert_eq!(reads(&group, &nobody, &LINK).await, ("OK", NO));
    assert_eq!(reads(&group, &nobody, &[78; 32]).await, (NO, NO));
    let open = vec![Action::SetLink(Link::Join(Link::hash(&LINK)))];
    assert_eq!(group.does(&owner, open, Follows::Nothing).await, "done");
    assert_eq!(reads(&group, &nobody, &LINK).await, ("OK", "OK"));
    let reset = vec![Action::SetLink(Link::Join(Link::hash(&[79; 32])))];
    assert_eq!(group.does(&owner, reset, Follows::Nothing).await, "done");
    assert_eq!(reads(&group, &nobody, &LINK).await, (NO, NO));
    // By the read key.
    reader.opens(&group.keys, false).await;
    assert_eq!(reads(&group, &reader, &[]).await, ("OK", "OK"));
    let shown = reader.session.read_record(NOW, reading(&group.keys, &[])).await.unwrap();
    assert!(Record::decode(&shown.record).ok() == Some(group.record.clone()) && shown.head.unwrap().seq == 6);
}

#[tokio::test]
async fn a_head_slot_comes_with_its_commit_or_not_at_all() {
    let (mut group, owner) = Group::new(OPEN).await;
    owner.opens(&group.keys, true).await;
    let slot = Bytes::from(vec![9; 512]);
    let read = async || {
        let request = ReadHeadSlotRequest { channel: group.keys.channel.into(), ..ReadHeadSlotRequest::default() };
        let reply = owner.session.read_head_slot(NOW, request).await.unwrap();
        (reply.incarnation, reply.epoch, reply.sealed)
    };
    assert!(read().await == (0, 0, Bytes::new()));
    let commit = NewEntry { slot_hash: sha256(&slot), ..crate::people::entry(EntryKind::Commit, 0, 200) };
    let request = |entry: NewEntry, head_slot: Bytes| undertone_wire::channel::AppendRequest {
        head_slot,
        ..group.keys.append(vec![entry])
    };
    let append = async |request| people::outcome(owner.session.append(NOW, request).await);
    let wrong = [
        request(commit.clone(), Bytes::new()),
        request(commit.clone(), Bytes::from(vec![8; 512])),
        request(commit.clone(), Bytes::from(vec![9; 511])),
        request(NewEntry { slot_hash: Bytes::new(), ..commit.clone() }, slot.clone()),
        request(NewEntry { slot_hash: Bytes::from(vec![1; 31]), ..commit.clone() }, slot.clone()),
        request(NewEntry { kind: EntryKind::Message.into(), ..commit.clone() }, slot.clone()),
    ];
    for wrong in wrong {
        assert_eq!(append(wrong).await, "MALFORMED");
    }
    let late = NewEntry { epoch: 7, ..commit.clone() };
    assert_eq!(append(request(late, slot.clone())).await, "stale at 0.0");
    assert!(read().await.2.is_empty());
    assert_eq!(append(request(commit.clone(), slot.clone())).await, "2 of 2");
    assert!(read().await == (0, 1, slot.clone()));
    assert!(group.log().await[1].slot_hash == commit.slot_hash);

    // With a change too.
    group.epoch = 1;
    let ana = group.somebody(1);
    let change = group.change(&owner, vec![Action::Add(ana.whom, Role::Member)], Follows::Commit);
    let (commit, _) = group.following(Follows::Commit);
    let slot = Bytes::from(vec![7; 1_024]);
    let commit = commit.map(|commit| NewEntry { slot_hash: sha256(&slot), ..commit });
    let request = ChangeGroupRequest { head_slot: slot.clone(), ..group.request(&change, commit) };
    let reply = owner.session.change_group(NOW, owner.shows(&owner.circuit, request)).await;
    assert_eq!(outcome(reply), "done");
    let request = ReadHeadSlotRequest { channel: group.keys.channel.into(), ..ReadHeadSlotRequest::default() };
    let reply = owner.session.read_head_slot(NOW, request).await.unwrap();
    assert!((reply.incarnation, reply.epoch, reply.sealed) == (0, 2, slot));
}

#[tokio::test]
async fn other_channels_have_neither() {
    let (group, _) = Group::new(OPEN).await;
    let keys = group.world.channel(2).await;
    let session = group.world.opened(&[&keys]).await;
    assert_eq!(code(session.read_record(NOW, reading(&keys, &[])).await), "NOT_FOUND");
    let slot = Bytes::from(vec![9; 512]);
    let entry = NewEntry { slot_hash: sha256(&slot), ..crate::people::entry(EntryKind::Commit, 0, 200) };
    let append = undertone_wire::channel::AppendRequest { head_slot: slot, ..keys.append(vec![entry]) };
    assert_eq!(code(session.append(NOW, append).await), "MALFORMED");
    assert_eq!(
        code(session.reserve_commit(NOW, ReserveCommitRequest { channel: keys.channel.into() }).await),
        "UNAUTHENTICATED"
    );
}

#[tokio::test]
async fn an_admin_holds_the_next_commit_for_a_while() {
    let (mut group, [owner, member, _, admin]) = Group::with_all_roles(OPEN).await;
    let channel: Bytes = group.keys.channel.into();
    let reserve = async |by: &Somebody, ms| {
        let request = ReserveCommitRequest { channel: channel.clone() };
        let reserved = by.session.reserve_commit(NOW.plus_ms(ms), request).await;
        reserved.map_err(|fault| (fault.code().as_str_name(), fault.retry_after_ms)).err()
    };
    assert_eq!(reserve(&admin, 0).await, Some(("UNAUTHENTICATED", 0)));
    admin.presents(&group.keys).await.unwrap();
    member.presents(&group.keys).await.unwrap();
    assert_eq!(reserve(&member, 0).await, Some(("FORBIDDEN", 0)));
    assert_eq!(reserve(&admin, 0).await, None);
    assert_eq!(reserve(&owner, 10).await, Some(("EXHAUSTED", RESERVE_MS as u32 - 10)));
    let commit = group.entry(EntryKind::Commit);
    let append = async |by: &Somebody, ms, entry: &NewEntry| {
        people::outcome(by.session.append(NOW.plus_ms(ms), group.keys.append(vec![entry.clone()])).await)
    };
    assert_eq!(append(&owner, 10, &commit).await, "EXHAUSTED");
    let message = crate::people::entry(EntryKind::Message, group.epoch, 201);
    assert_eq!(append(&owner, 10, &message).await, "4 of 4", "messages go on");
    assert_eq!(append(&admin, 10, &commit).await, "5 of 5");
    // It is over with his commit, with its time, and with his circuit.
    let commit = NewEntry { epoch: 2, ..crate::people::entry(EntryKind::Commit, 2, 202) };
    assert_eq!(append(&owner, 20, &commit).await, "6 of 6");
    assert_eq!(reserve(&admin, 30).await, None);
    assert_eq!(reserve(&owner, 30 + RESERVE_MS).await, None);
    drop(owner);
    assert_eq!(reserve(&admin, 40 + RESERVE_MS).await, None);
}
