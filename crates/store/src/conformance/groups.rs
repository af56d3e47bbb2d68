//! Records and head slots of groups: they change with an append, or not at all.

use undertone_wire::{ChannelId, Day, channel::EntryKind};

use super::{
    Engine, TODAY, at_once,
    channels::{CHANNEL, PLENTY, append, at, chain, create, entry, expiring, head, log, message},
};
use crate::{Append, AppendOutcome, Channels, HeadSlot, NewEntry, StoredRecord};

fn record(revision: u64, content: u8) -> StoredRecord {
    StoredRecord { revision, encoded: vec![content; 9].into() }
}

/// A change at an epoch, countersigned.
fn change(epoch: u64, id: u8) -> NewEntry {
    expiring(Day(0), NewEntry { countersignature: Some([id; 64]), ..entry(EntryKind::Change, epoch, id) })
}

/// A commit that comes with a head slot.
fn commit(epoch: u64, id: u8) -> NewEntry {
    NewEntry { slot_hash: Some([id; 32]), ..entry(EntryKind::Commit, epoch, id) }
}

fn making(entries: impl Into<Vec<NewEntry>>, record: Option<StoredRecord>, slot: Option<u8>) -> Append {
    let slot = slot.map(|content| vec![content; 5].into());
    Append { channel: CHANNEL, generation: 0, entries: entries.into(), record, slot, bytes_max: PLENTY }
}

async fn kept<C: Channels>(channels: &Engine<C>) -> (Option<StoredRecord>, Option<HeadSlot>) {
    let (record, slot) = (channels.record(CHANNEL).await.unwrap(), channels.head_slot(CHANNEL).await.unwrap());
    assert_eq!(head(channels).await.revision, record.as_ref().map_or(0, |record| record.revision));
    (record, slot)
}

fn is_fresh(outcome: AppendOutcome) -> bool {
    matches!(outcome, AppendOutcome::Appended { fresh: true, .. })
}

pub async fn a_record_is_replaced_by_the_next_revision<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    assert!(kept(&channels).await == (None, None));
    let before = head(&channels).await;
    for revision in [0, 2, u64::MAX] {
        let early = making([change(0, 1)], Some(record(revision, 1)), None);
        assert!(channels.append(early).await.unwrap() == AppendOutcome::Stale(before));
    }
    assert!(kept(&channels).await.0.is_none() && log(&channels, TODAY).await.is_empty());
    for revision in 1..4 {
        let id = revision as u8;
        assert!(is_fresh(channels.append(making([change(0, id)], Some(record(revision, id)), None)).await.unwrap()));
        assert!(kept(&channels).await.0 == Some(record(revision, id)));
        let late = making([change(0, 9)], Some(record(revision, 9)), None);
        assert!(channels.append(late).await.unwrap() == AppendOutcome::Stale(head(&channels).await));
    }
    assert!(is_fresh(append(&channels, [message(0, 7)]).await));
    assert!(kept(&channels).await.0 == Some(record(3, 3)), "messages leave it as it is");
}

pub async fn a_change_stands_with_its_record_or_not_at_all<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let whole = |epoch| making([change(epoch, 1), commit(epoch, 2)], Some(record(1, 1)), Some(1));
    let before = head(&channels).await;
    assert!(channels.append(whole(1)).await.unwrap() == AppendOutcome::Stale(before), "of another position");
    assert!(channels.append(Append { bytes_max: 300, ..whole(0) }).await.unwrap() == AppendOutcome::Full);
    assert!(channels.append(Append { generation: 1, ..whole(0) }).await.unwrap() == AppendOutcome::Stale(before));
    assert!(kept(&channels).await == (None, None) && head(&channels).await == before);
    assert!(is_fresh(channels.append(whole(0)).await.unwrap()));
    let slot = HeadSlot { position: at(1), sealed: vec![1; 5].into() };
    assert!(kept(&channels).await == (Some(record(1, 1)), Some(slot)));
    // Again it is what it was, whatever came after.
    assert!(is_fresh(channels.append(making([change(1, 3)], Some(record(2, 2)), None)).await.unwrap()));
    let again = channels.append(whole(0)).await.unwrap();
    assert!(
        matches!(again, AppendOutcome::Appended { first_seq: 1, channel, fresh: false, .. } if channel.revision == 2)
    );
    assert!(kept(&channels).await.0 == Some(record(2, 2)));
}

pub async fn a_head_slot_is_of_the_position_after_its_commit<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    for epoch in 0..3 {
        let id = epoch as u8 + 1;
        assert!(is_fresh(channels.append(making([commit(epoch, id)], None, Some(id))).await.unwrap()));
        let slot = HeadSlot { position: at(epoch + 1), sealed: vec![id; 5].into() };
        assert!(kept(&channels).await.1 == Some(slot));
    }
    let before = kept(&channels).await;
    assert!(is_fresh(append(&channels, [entry(EntryKind::Commit, 3, 9)]).await));
    assert!(kept(&channels).await == before, "a commit without one leaves it as it is");
}

pub async fn signatures_and_hashes_are_served_and_chained<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let expiring_commit = expiring(TODAY, commit(0, 2));
    let append = making([change(0, 1), expiring_commit], Some(record(1, 1)), Some(1));
    assert!(is_fresh(channels.append(append.clone()).await.unwrap()));
    let after = head(&channels).await;
    channels.expire(TODAY + 100, 7).await.unwrap();
    for today in [TODAY, TODAY + 100] {
        let read = log(&channels, today).await;
        assert!(read[0].body == append.entries[0].body, "changes are kept for good");
        assert!(read[0].countersignature[..] == [1; 64] && read[0].slot_hash.is_empty());
        assert!(read[1].slot_hash[..] == [2; 32] && read[1].countersignature.is_empty());
        assert!(chain(&read) == after.chain);
    }
    // They are part of what an idempotency id stands for.
    let others = [
        NewEntry { countersignature: None, ..change(0, 1) },
        NewEntry { countersignature: Some([9; 64]), ..change(0, 1) },
    ];
    for other in others {
        let conflict = making([other], Some(record(2, 1)), None);
        assert!(channels.append(conflict).await.unwrap() == AppendOutcome::Conflict);
    }
}

pub async fn nobody_has_no_record<C: Channels>(channels: Engine<C>) {
    let nowhere = ChannelId::new([77; 16]);
    assert!(channels.record(nowhere).await.unwrap().is_none());
    assert!(channels.head_slot(nowhere).await.unwrap().is_none());
}

pub async fn one_of_many_changes_wins<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let outcomes = at_once(32, |id| {
        let channels = channels.clone();
        async move { channels.append(making([change(0, id)], Some(record(1, id)), None)).await.unwrap() }
    });
    let outcomes = outcomes.await;
    let head = head(&channels).await;
    assert_eq!((head.seq, head.revision), (1, 1));
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == AppendOutcome::Stale(head)).count(), 31);
    let read = log(&channels, TODAY).await;
    assert!(kept(&channels).await.0 == Some(record(1, read[0].body[0])));
}
