//! Commits and head slots that are too large for a log: blobs, which have to be there before anything refers to them.

use bytes::Bytes;
use undertone_credentials::group::{Action, Follows, Role};
use undertone_wire::{
    blob::{BeginBlobRequest, BlobHandler, PutPartRequest},
    channel::{AppendRequest, ChangeGroupRequest, ChannelHandler, EntryKind, NewEntry, ReadHeadSlotRequest},
    large::Large,
    limits::{BLOB_PART_BYTES, COMMIT_DAYS},
    objects::Purpose,
};

use super::{Group, OPEN, Somebody, outcome, sha256};
use crate::people::{self, ISSUING, NOW, TODAY, World, code, entry, tokens};

fn bytes(byte: u8) -> Vec<u8> {
    vec![byte; 2 * BLOB_PART_BYTES]
}

fn reference(large: &Large) -> Bytes {
    Bytes::copy_from_slice(&large.to_bytes())
}

/// Puts the first parts of something, up to a day.
async fn put(world: &World, large: &Large, bytes: &[u8], parts: usize, expiry_day: u32) {
    let circuit = world.blobs.session();
    let tokens = tokens(ISSUING, Purpose::Blob, TODAY.week(), 1, bytes[0].into());
    let begin = BeginBlobRequest { blob: large.blob().into(), bytes: large.bytes(), expiry_day, tokens };
    circuit.begin_blob(NOW, begin).await.unwrap();
    for (part, bytes) in bytes.chunks(BLOB_PART_BYTES).enumerate().take(parts) {
        let bytes = Bytes::copy_from_slice(bytes);
        let request = PutPartRequest { blob: large.blob().into(), part: part as u32, bytes };
        circuit.put_part(NOW, request).await.unwrap();
    }
}

fn commit(body: &Large) -> NewEntry {
    NewEntry { body: reference(body), ..entry(EntryKind::Commit, 0, 200) }
}

async fn append(group: &Group, by: &Somebody, entry: NewEntry, head_slot: Bytes) -> String {
    let request = AppendRequest { head_slot, ..group.keys.append(vec![entry]) };
    people::outcome(by.session.append(NOW, request).await)
}

#[tokio::test]
async fn nothing_is_taken_that_refers_to_what_is_not_there() {
    const NO: &str = "MALFORMED";
    let (group, owner) = Group::new(OPEN).await;
    owner.opens(&group.keys, true).await;
    let [body, slot, other] = [1, 2, 3].map(|byte| Large::of(&bytes(byte)).unwrap());
    let whole_life = TODAY.0 + COMMIT_DAYS;
    let sent = async || append(&group, &owner, commit(&body), Bytes::new()).await;
    assert_eq!(sent().await, NO, "not begun");
    put(&group.world, &body, &bytes(1), 1, whole_life).await;
    assert_eq!(sent().await, NO, "half of it");
    // The same room with other bytes in it.
    put(&group.world, &slot, &bytes(9), 2, whole_life).await;
    let named = NewEntry { slot_hash: sha256(&reference(&slot)), ..commit(&body) };
    put(&group.world, &body, &bytes(1), 2, whole_life).await;
    assert_eq!(append(&group, &owner, named, reference(&slot)).await, NO, "other bytes");
    put(&group.world, &other, &bytes(3), 2, TODAY.0 + 1).await;
    let long = NewEntry { expiry_day: whole_life, ..commit(&other) };
    assert_eq!(append(&group, &owner, long, Bytes::new()).await, NO, "gone before its entry");
    let message = NewEntry { kind: EntryKind::Message.into(), ..commit(&body) };
    assert_eq!(append(&group, &owner, message, Bytes::new()).await, NO, "a message");
    assert_eq!(sent().await, "2 of 2");
    assert_eq!(sent().await, "2 of 2", "again");
    assert!(group.log().await[1].body == reference(&body));
}

#[tokio::test]
async fn a_change_brings_a_large_commit_and_slot() {
    let (mut group, owner) = Group::new(OPEN).await;
    let [body, slot] = [1, 2].map(|byte| Large::of(&bytes(byte)).unwrap());
    let ana = group.somebody(1);
    let change = group.change(&owner, vec![Action::Add(ana.whom, Role::Member)], Follows::Commit);
    let entry = NewEntry { slot_hash: sha256(&reference(&slot)), ..commit(&body) };
    let request = ChangeGroupRequest { head_slot: reference(&slot), ..group.request(&change, Some(entry)) };
    put(&group.world, &body, &bytes(1), 2, TODAY.0 + COMMIT_DAYS).await;
    let early = owner.shows(&owner.circuit, request.clone());
    assert_eq!(code(owner.session.change_group(NOW, early).await), "MALFORMED");
    put(&group.world, &slot, &bytes(2), 2, TODAY.0 + COMMIT_DAYS).await;
    let request = owner.shows(&owner.circuit, request);
    assert_eq!(outcome(owner.session.change_group(NOW, request).await), "done");
    let request = ReadHeadSlotRequest { channel: group.keys.channel.into(), ..ReadHeadSlotRequest::default() };
    let reply = owner.session.read_head_slot(NOW, request).await.unwrap();
    assert!((reply.epoch, reply.sealed) == (1, reference(&slot)));
}

#[tokio::test]
async fn only_groups_have_them() {
    let (group, _) = Group::new(OPEN).await;
    let body = Large::of(&bytes(1)).unwrap();
    put(&group.world, &body, &bytes(1), 2, TODAY.0 + COMMIT_DAYS).await;
    let keys = group.world.channel(2).await;
    let session = group.world.opened(&[&keys]).await;
    assert_eq!(code(session.append(NOW, keys.append(vec![commit(&body)])).await), "MALFORMED");
}
