//! Appending: positions, retries, atomicity, limits.

use std::collections::BTreeSet;

use bytes::Bytes;
use undertone_wire::{ChannelId, Day, channel::EntryKind};

use super::{
    Engine, TODAY, at_once,
    channels::{
        CHANNEL, PLENTY, append, append_to, at, chain, channel, create, entry, expiring, fresh, head, log, message,
    },
};
use crate::{Append, AppendOutcome, Channels, NewEntry, StoreError};

fn commit(epoch: u64, id: u8) -> NewEntry {
    entry(EntryKind::Commit, epoch, id)
}

pub async fn a_commit_moves_the_position_and_nothing_else_does<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    assert_eq!(fresh(&channels, [message(0, 1)]).await.1.position, at(0));
    assert_eq!(fresh(&channels, [entry(EntryKind::Change, 0, 2)]).await.1.position, at(0));
    assert_eq!(fresh(&channels, [commit(0, 3)]).await.1.position, at(1));
    assert_eq!(fresh(&channels, [commit(1, 4)]).await.1.position, at(2));
    assert_eq!(head(&channels).await.position, at(2));
}

pub async fn an_entry_for_another_position_is_stale<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let before = fresh(&channels, [commit(0, 1)]).await.1;
    let mut other_incarnation = message(1, 4);
    other_incarnation.position.incarnation = 1;
    for late in [message(0, 2), commit(0, 3), message(2, 4), message(u64::MAX, 4), other_incarnation] {
        assert!(append(&channels, [late]).await == AppendOutcome::Stale(before));
    }
    assert!(head(&channels).await == before);
    // What was refused has used no id up.
    fresh(&channels, [message(1, 2)]).await;
}

pub async fn entries_after_a_commit_are_made_for_the_next_epoch<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let before = head(&channels).await;
    for wrong in [[message(0, 1), commit(0, 2), message(0, 3)], [message(1, 1), commit(0, 2), message(1, 3)]] {
        assert!(append(&channels, wrong).await == AppendOutcome::Stale(before));
    }
    let (_, after) = fresh(&channels, [message(0, 1), commit(0, 2), message(1, 3), commit(1, 4), message(2, 5)]).await;
    assert_eq!((after.seq, after.position), (5, at(2)));
    assert!(chain(&log(&channels, TODAY).await) == after.chain);
}

pub async fn a_batch_stands_whole_or_not_at_all<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let before = head(&channels).await;
    assert!(append(&channels, [message(0, 1), message(0, 2), message(9, 3)]).await == AppendOutcome::Stale(before));
    let full = Append {
        channel: CHANNEL,
        generation: 0,
        entries: vec![message(0, 1), message(0, 2)],
        record: None,
        slot: None,
        bytes_max: 511,
    };
    assert!(channels.append(full).await.unwrap() == AppendOutcome::Full);
    assert!(append(&channels, [message(0, 1), message(0, 1)]).await == AppendOutcome::Conflict);
    assert!(head(&channels).await == before);
    assert!(log(&channels, TODAY).await.is_empty());
    let (first_seq, after) = fresh(&channels, [message(0, 1), message(0, 2), message(0, 3)]).await;
    assert_eq!((first_seq, after.seq), (1, 3));
}

pub async fn nothing_to_append_changes_nothing<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let channel = head(&channels).await;
    assert!(
        append(&channels, []).await == AppendOutcome::Appended { first_seq: 1, channel, fresh: false, ended: None }
    );
    channels.expire(TODAY + 8, 7).await.unwrap();
    assert!(channels.channel(CHANNEL).await.unwrap().is_none(), "it is still unused");
}

pub async fn an_entry_without_a_body_is_not_applied<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let before = head(&channels).await;
    let entries = vec![message(0, 1), NewEntry { body: Bytes::new(), ..message(0, 2) }];
    let append = Append { channel: CHANNEL, generation: 0, entries, record: None, slot: None, bytes_max: PLENTY };
    assert!(channels.append(append).await == Err(StoreError::NotApplied));
    assert!(head(&channels).await == before);
}

pub async fn a_retry_returns_the_first_result_whatever_came_after<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let first = [message(0, 1), commit(0, 2), message(1, 3)];
    let channel = fresh(&channels, first.clone()).await.1;
    let again = |channel| AppendOutcome::Appended { first_seq: 1, channel, fresh: false, ended: None };
    assert!(append(&channels, first.clone()).await == again(channel));
    let channel = fresh(&channels, [message(1, 4), commit(1, 5)]).await.1;
    assert!(append(&channels, first.clone()).await == again(channel), "position comes after idempotency");
    let full =
        Append { channel: CHANNEL, generation: 0, entries: first.to_vec(), record: None, slot: None, bytes_max: 0 };
    assert!(channels.append(full).await.unwrap() == again(channel), "and so do bytes");
    assert!(head(&channels).await == channel);
}

pub async fn an_id_stands_for_one_content<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let before = fresh(&channels, [message(0, 1)]).await.1;
    let others = [
        NewEntry { kind: EntryKind::Commit, ..message(0, 1) },
        NewEntry { position: at(1), ..message(0, 1) },
        NewEntry { body: vec![9; 256].into(), ..message(0, 1) },
        NewEntry { body: vec![1; 512].into(), ..message(0, 1) },
    ];
    for other in others {
        assert!(append(&channels, [other]).await == AppendOutcome::Conflict);
    }
    assert!(head(&channels).await == before);
}

pub async fn the_scope_of_an_id_is_channel_and_expiry_day<C: Channels>(channels: Engine<C>) {
    let other = ChannelId::new([8; 16]);
    create(&channels).await;
    assert!(channels.create(channel(other), TODAY).await.unwrap());
    fresh(&channels, [message(0, 1)]).await;
    fresh(&channels, [expiring(TODAY, NewEntry { body: vec![9; 256].into(), ..message(0, 1) })]).await;
    let elsewhere = append_to(&channels, other, [NewEntry { body: vec![9; 256].into(), ..message(0, 1) }]).await;
    assert!(matches!(elsewhere, AppendOutcome::Appended { first_seq: 1, fresh: true, .. }));
}

pub async fn a_batch_is_known_only_as_it_stands<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    fresh(&channels, [message(0, 1), message(0, 2)]).await;
    fresh(&channels, [message(0, 3)]).await;
    let before = fresh(&channels, [message(0, 4)]).await.1;
    for (case, ids) in [&[2, 1][..], &[1, 3], &[1, 2, 9], &[9, 1, 2], &[1, 2, 4], &[4, 3]].iter().enumerate() {
        let entries: Vec<_> = ids.iter().map(|id| message(0, *id)).collect();
        assert!(append(&channels, entries).await == AppendOutcome::Conflict, "case {case}");
    }
    assert!(head(&channels).await == before);
}

pub async fn an_id_twice_in_a_batch_is_a_conflict<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    assert!(append(&channels, [message(0, 1), message(0, 2), message(0, 1)]).await == AppendOutcome::Conflict);
    fresh(&channels, [message(0, 1), expiring(TODAY, message(0, 1))]).await;
}

pub async fn ids_are_forgotten_with_their_partition<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let old = expiring(TODAY, message(0, 1));
    fresh(&channels, [old.clone(), message(0, 2)]).await;
    channels.expire(TODAY + 1, 7).await.unwrap();
    // Of a batch that has expired in part, only some ids are left.
    assert!(append(&channels, [old.clone(), message(0, 2)]).await == AppendOutcome::Conflict);
    assert_eq!(fresh(&channels, [old]).await.0, 3);
}

pub async fn a_channel_holds_so_many_bytes<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let append = async |entries: Vec<NewEntry>, bytes_max| {
        channels
            .append(Append { channel: CHANNEL, generation: 0, entries, record: None, slot: None, bytes_max })
            .await
            .unwrap()
    };
    let appended = |outcome| matches!(outcome, AppendOutcome::Appended { fresh: true, .. });
    assert!(append(vec![message(0, 1)], 255).await == AppendOutcome::Full);
    assert!(appended(append(vec![message(0, 1), message(0, 2)], 512).await));
    assert!(append(vec![message(0, 3)], 767).await == AppendOutcome::Full);
    assert!(appended(append(vec![message(0, 3)], 768).await));
    let stale = AppendOutcome::Stale(head(&channels).await);
    assert!(append(vec![message(1, 4)], 0).await == stale, "position comes before bytes");
}

pub async fn expiry_makes_room<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    fresh(&channels, [expiring(TODAY, message(0, 1)), expiring(TODAY, message(0, 2)), message(0, 3)]).await;
    fresh(&channels, [expiring(TODAY + 1, message(0, 4)), expiring(Day(0), message(0, 5))]).await;
    let append = async |id, bytes_max| {
        channels
            .append(Append {
                channel: CHANNEL,
                generation: 0,
                entries: vec![message(0, id)],
                record: None,
                slot: None,
                bytes_max,
            })
            .await
            .unwrap()
    };
    channels.expire(TODAY + 1, 7).await.unwrap();
    assert!(append(6, 4 * 256 - 1).await == AppendOutcome::Full);
    assert!(matches!(append(6, 4 * 256).await, AppendOutcome::Appended { fresh: true, .. }));
    channels.expire(Day(u32::MAX), 7).await.unwrap();
    assert!(append(7, 2 * 256 - 1).await == AppendOutcome::Full);
    assert!(matches!(append(7, 2 * 256).await, AppendOutcome::Appended { fresh: true, .. }));
}

pub async fn concurrent_appends_get_numbers_without_a_gap<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let firsts = at_once(64, |id| {
        let channels = channels.clone();
        async move { fresh(&channels, [message(0, id), expiring(TODAY, message(0, id))]).await.0 }
    });
    let firsts: BTreeSet<_> = firsts.await.into_iter().collect();
    assert!(firsts.into_iter().eq((0..64).map(|pair| 2 * pair + 1)));
    let read = log(&channels, TODAY).await;
    assert!(read.iter().map(|entry| entry.seq).eq(1..=128));
    assert!(read.chunks(2).all(|pair| pair[0].body == pair[1].body));
    assert!(chain(&read) == head(&channels).await.chain);
}

pub async fn one_of_many_commits_wins<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let outcomes = at_once(32, |id| {
        let channels = channels.clone();
        async move { append(&channels, [commit(0, id)]).await }
    });
    let outcomes = outcomes.await;
    let head = head(&channels).await;
    assert_eq!((head.seq, head.position), (1, at(1)));
    let stale = outcomes.iter().filter(|outcome| **outcome == AppendOutcome::Stale(head)).count();
    let won = AppendOutcome::Appended { first_seq: 1, channel: head, fresh: true, ended: None };
    assert_eq!((outcomes.iter().filter(|outcome| **outcome == won).count(), stale), (1, 31));
}

pub async fn the_same_bytes_at_once_stand_once<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let outcomes = at_once(32, |_| {
        let channels = channels.clone();
        let append = Append {
            channel: CHANNEL,
            generation: 0,
            entries: vec![message(0, 1)],
            record: None,
            slot: None,
            bytes_max: PLENTY,
        };
        async move { channels.append(append).await.unwrap() }
    });
    let fresh = outcomes.await.into_iter().map(|outcome| match outcome {
        AppendOutcome::Appended { first_seq: 1, fresh, .. } => fresh,
        _ => panic!("not appended"),
    });
    assert_eq!(fresh.filter(|fresh| *fresh).count(), 1);
    assert_eq!(head(&channels).await.seq, 1);
}
