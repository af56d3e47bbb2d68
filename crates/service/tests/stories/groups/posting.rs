//! Who says something, by key or by showing himself.

use bytes::Bytes;
use undertone_credentials::group::{Action, Follows, Role, Rules, Who};
use undertone_wire::channel::{ChannelHandler, EntryKind, NewEntry, SendTransientRequest, append_reply};

use super::{Group, OPEN, Somebody};
use crate::people::{NOW, code, outcome};

async fn says(group: &mut Group, by: &Somebody, kind: EntryKind) -> String {
    let entry = group.entry(kind);
    let said = outcome(by.session.append(NOW, group.keys.append(vec![entry])).await);
    if kind == EntryKind::Commit && said.contains(" of ") {
        group.moved(Follows::Commit, None);
    }
    if said.contains(" of ") { "said".into() } else { said }
}

async fn types(group: &Group, by: &Somebody) -> &'static str {
    let request = SendTransientRequest { channel: group.keys.channel.into(), body: vec![1; 256].into() };
    code(by.session.send_transient(NOW, request).await)
}

#[tokio::test]
async fn where_all_may_post_the_write_key_tells_enough() {
    let (mut group, owner) = Group::new(OPEN).await;
    let ana = group.somebody(1);
    assert_eq!(says(&mut group, &ana, EntryKind::Message).await, "UNAUTHENTICATED");
    ana.opens(&group.keys, false).await;
    assert_eq!(says(&mut group, &ana, EntryKind::Message).await, "FORBIDDEN");
    ana.opens(&group.keys, true).await;
    assert_eq!(says(&mut group, &ana, EntryKind::Message).await, "said");
    assert_eq!(says(&mut group, &ana, EntryKind::Commit).await, "said");
    assert_eq!(types(&group, &ana).await, "OK");
    // But to begin a generation one says who one is, and to restart one makes a change.
    let (commit, keys) = group.following(Follows::Generation);
    assert_eq!(outcome(ana.session.append(NOW, group.keys.append(vec![commit.clone().unwrap()])).await), "FORBIDDEN");
    let (restart, _) = group.following(Follows::Restart);
    assert_eq!(outcome(owner.session.append(NOW, group.keys.append(vec![restart.unwrap()])).await), "FORBIDDEN");
    let add = vec![Action::Add(ana.whom, Role::Member)];
    assert_eq!(group.does(&owner, add, Follows::Commit).await, "done");
    ana.presents(&group.keys).await.unwrap();
    let entry = NewEntry { epoch: group.epoch, ..commit.unwrap() };
    assert_eq!(outcome(ana.session.append(NOW, group.keys.append(vec![entry])).await), "6 of 6");
    group.moved(Follows::Generation, keys);
    assert_eq!(says(&mut group, &ana, EntryKind::Message).await, "said", "whoever has shown himself needs no keys");
}

#[tokio::test]
async fn in_a_group_of_announcements_admins_alone_post() {
    let rules = Rules { post: Who::Admins, ..OPEN };
    let (mut group, [owner, member, reader, admin]) = Group::with_all_roles(rules).await;
    for by in [&member, &reader, &admin] {
        by.opens(&group.keys, true).await;
        assert_eq!(says(&mut group, by, EntryKind::Message).await, "FORBIDDEN", "all have the write key");
        assert_eq!(says(&mut group, by, EntryKind::Commit).await, "FORBIDDEN");
        assert_eq!(types(&group, by).await, "FORBIDDEN");
        by.presents(&group.keys).await.unwrap();
        assert_eq!(says(&mut group, by, EntryKind::Commit).await, "said", "everybody keeps his keys fresh");
    }
    for (by, expected) in [(&owner, "said"), (&admin, "said"), (&member, "FORBIDDEN"), (&reader, "FORBIDDEN")] {
        assert_eq!(says(&mut group, by, EntryKind::Message).await, expected);
    }
    assert_eq!((types(&group, &admin).await, types(&group, &member).await), ("OK", "FORBIDDEN"));
    // On another circuit he is nobody again.
    let again = group.somebody(3);
    again.opens(&group.keys, true).await;
    assert_eq!(says(&mut group, &again, EntryKind::Message).await, "FORBIDDEN");
    // Rules and roles count at once.
    assert_eq!(group.does(&owner, vec![Action::SetRules(OPEN)], Follows::Nothing).await, "done");
    assert_eq!(says(&mut group, &member, EntryKind::Message).await, "said");
    assert_eq!(says(&mut group, &reader, EntryKind::Message).await, "FORBIDDEN");
    let roles = vec![Action::SetRole(member.whom, Role::Reader), Action::SetRole(reader.whom, Role::Member)];
    assert_eq!(group.does(&admin, roles, Follows::Nothing).await, "done");
    assert_eq!(says(&mut group, &member, EntryKind::Message).await, "FORBIDDEN");
    assert_eq!(says(&mut group, &reader, EntryKind::Message).await, "said");
}

#[tokio::test]
async fn a_group_with_readers_has_no_use_for_the_write_key() {
    let (mut group, [owner, member, reader, _]) = Group::with_all_roles(OPEN).await;
    let nobody = group.somebody(7);
    for by in [&nobody, &member, &reader] {
        by.opens(&group.keys, true).await;
        assert_eq!(says(&mut group, by, EntryKind::Message).await, "FORBIDDEN");
    }
    assert_eq!(code(nobody.presents(&group.keys).await), "FORBIDDEN");
    member.presents(&group.keys).await.unwrap();
    reader.presents(&group.keys).await.unwrap();
    assert_eq!(says(&mut group, &member, EntryKind::Message).await, "said");
    assert_eq!(says(&mut group, &reader, EntryKind::Message).await, "FORBIDDEN");
    let remove = vec![Action::Remove(reader.whom)];
    assert_eq!(group.does(&owner, remove, Follows::Generation).await, "done");
    member.opens(&group.keys, true).await;
    let fresh = group.somebody(1);
    fresh.opens(&group.keys, true).await;
    assert_eq!(says(&mut group, &fresh, EntryKind::Message).await, "said", "the last reader is gone");
}

#[tokio::test]
async fn who_has_left_is_settled_before_anything_is_said() {
    let (mut group, [owner, member, _, admin]) = Group::with_all_roles(OPEN).await;
    owner.opens(&group.keys, true).await;
    assert_eq!(group.does(&member, vec![Action::Leave], Follows::Nothing).await, "done");
    for kind in [EntryKind::Message, EntryKind::Commit] {
        assert_eq!(says(&mut group, &owner, kind).await, "OWED");
    }
    let (commit, _) = group.following(Follows::Generation);
    assert_eq!(outcome(owner.session.append(NOW, group.keys.append(vec![commit.unwrap()])).await), "OWED");
    assert_eq!(group.does(&owner, vec![Action::SetRules(OPEN)], Follows::Nothing).await, "OWED");
    assert_eq!(group.does(&member, vec![Action::Settle], Follows::Generation).await, "NOT_ALLOWED");
    assert_eq!(group.does(&admin, vec![Action::Leave], Follows::Nothing).await, "done");
    assert_eq!(group.does(&owner, vec![Action::Settle], Follows::Commit).await, "FOLLOWS");
    assert_eq!(group.does(&owner, vec![Action::Settle], Follows::Generation).await, "done");
    assert_eq!(says(&mut group, &owner, EntryKind::Message).await, "said");
    group.is_replayed().await;
}

#[tokio::test]
async fn whom_a_change_takes_out_neither_reads_on_nor_writes() {
    let (mut group, [owner, member, _, _]) = Group::with_all_roles(OPEN).await;
    let former = crate::people::Keys::new(1);
    member.opens(&former, true).await;
    member.presents(&former).await.unwrap();
    assert_eq!(says(&mut group, &member, EntryKind::Message).await, "said");
    let until = group.log().await.len() as u64 + 2;
    assert_eq!(group.does(&owner, vec![Action::Ban(member.whom)], Follows::Generation).await, "done");
    assert_eq!(says(&mut group, &owner, EntryKind::Message).await, "said");
    assert_eq!(says(&mut group, &member, EntryKind::Message).await, "FORBIDDEN");
    let read = undertone_wire::channel::ReadRequest { channel: former.channel.into(), after: 0, limit: 99 };
    let page = member.session.read(NOW, read).await.unwrap();
    assert_eq!(page.entries.last().unwrap().seq, until, "up to what took him out");
    assert_eq!(page.head.unwrap().seq, until);
    // Not even by a retry of what he said when he might.
    let said = group.log().await[3].clone();
    let again = NewEntry {
        body: said.body,
        idempotency_id: vec![4; 16].into(),
        epoch: said.epoch,
        ..crate::people::entry(EntryKind::Message, 0, 3)
    };
    let reply = member.session.append(NOW, former.append(vec![again])).await.unwrap();
    let Some(append_reply::Result::Appended(appended)) = reply.result else { unreachable!() };
    assert_eq!(appended.head.unwrap().seq, until);
    assert_eq!(code(member.session.read_record(NOW, super::reading(&former, &[])).await), "UNAUTHENTICATED");
    assert_eq!(code(member.presents(&former).await), "FORBIDDEN");
    assert_eq!(types(&group, &member).await, "FORBIDDEN");
}

#[tokio::test]
async fn a_closed_group_is_silent() {
    let (mut group, owner) = Group::new(OPEN).await;
    assert_eq!(group.does(&owner, vec![Action::Close], Follows::Nothing).await, "done");
    for kind in [EntryKind::Message, EntryKind::Commit] {
        assert_eq!(says(&mut group, &owner, kind).await, "CLOSED");
    }
    assert_eq!(types(&group, &owner).await, "FORBIDDEN");
    assert!(owner.session.read_record(NOW, super::reading(&group.keys, &[])).await.unwrap().record != Bytes::new());
}

/// What was appended while it might be is found, though it may not be any more.
#[tokio::test]
async fn a_retry_is_found_whatever_has_become_of_its_writer() {
    let (mut group, [owner, member, _, _]) = Group::with_all_roles(OPEN).await;
    member.presents(&group.keys).await.unwrap();
    let entry = group.entry(EntryKind::Message);
    let append = || group.keys.append(vec![entry.clone()]);
    assert_eq!(outcome(member.session.append(NOW, append()).await), "4 of 4");
    let again = append();
    let role = vec![Action::SetRole(member.whom, Role::Reader)];
    assert_eq!(group.does(&owner, role, Follows::Nothing).await, "done");
    assert_eq!(outcome(member.session.append(NOW, again).await), "4 of 5");
    assert_eq!(says(&mut group, &member, EntryKind::Message).await, "FORBIDDEN");
}
