//! Generations and incarnations: entries that install keys, and restarts.

use undertone_wire::{Position, channel::EntryKind};

use super::{
    Engine, TODAY, at_once,
    channels::{CHANNEL, append, append_under, at, chain, create, entry, expiring, fresh, head, log, message},
};
use crate::{AppendOutcome, Channels, EndedGeneration, GenerationKeys, NewEntry, StoredChannel};

fn keys(seed: u8) -> GenerationKeys {
    GenerationKeys { read: [seed; 32], write: [seed + 1; 32] }
}

fn installing(epoch: u64, id: u8) -> NewEntry {
    NewEntry { installs: Some(keys(id)), ..entry(EntryKind::Commit, epoch, id) }
}

async fn installed<C: Channels>(
    channels: &Engine<C>,
    generation: u32,
    entry: NewEntry,
) -> (StoredChannel, EndedGeneration) {
    match append_under(channels, CHANNEL, generation, [entry]).await {
        AppendOutcome::Appended { channel, fresh: true, ended: Some(ended), .. } => (channel, ended),
        _ => panic!("no generation has ended"),
    }
}

async fn ended<C: Channels>(channels: &Engine<C>, generation: u32) -> Option<EndedGeneration> {
    channels.ended_generation(CHANNEL, generation).await.unwrap()
}

pub async fn a_commit_that_installs_keys_begins_the_next_generation<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    fresh(&channels, [message(0, 1), entry(EntryKind::Commit, 0, 2)]).await;
    assert_eq!(head(&channels).await.generation, 0, "not every commit does");
    let (after, end) = installed(&channels, 0, installing(1, 50)).await;
    let StoredChannel { seq, position, generation, read_key, write_key, .. } = after;
    assert_eq!((seq, position, generation, read_key, write_key), (3, at(2), 1, [50; 32], [51; 32]));
    assert!(head(&channels).await == after);
    let read = log(&channels, TODAY).await;
    assert!(chain(&read) == after.chain && read[2].installs == keys(50).to_bytes() && read[1].installs.is_empty());
    assert!(end == EndedGeneration { read_key: [2; 32], seq, chain: after.chain, position });
}

pub async fn each_ended_generation_keeps_its_read_key_and_its_end<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    assert!(ended(&channels, 0).await.is_none());
    let (_, first) = installed(&channels, 0, installing(0, 50)).await;
    let (_, second) = installed(&channels, 1, installing(1, 60)).await;
    append_under(&channels, CHANNEL, 2, [message(2, 7)]).await;
    assert!(ended(&channels, 0).await == Some(first) && ended(&channels, 1).await == Some(second));
    assert!(first.read_key == [2; 32] && second.read_key == [50; 32]);
    assert_eq!((first.seq, first.position, second.seq, second.position), (1, at(1), 2, at(2)));
    for generation in [2, 3, u32::MAX] {
        assert!(ended(&channels, generation).await.is_none());
    }
    let nowhere = undertone_wire::ChannelId::new([8; 16]);
    assert!(channels.ended_generation(nowhere, 0).await.unwrap().is_none());
    channels.expire(TODAY + 1_000, 7).await.unwrap();
    assert!(ended(&channels, 0).await == Some(first), "as long as the channel lives");
}

pub async fn only_the_current_generation_appends<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let before = head(&channels).await;
    assert!(append_under(&channels, CHANNEL, 1, [message(0, 1)]).await == AppendOutcome::Stale(before));
    let (after, _) = installed(&channels, 0, installing(0, 50)).await;
    for late in [message(1, 1), message(0, 1), installing(1, 60)] {
        assert!(append(&channels, [late]).await == AppendOutcome::Stale(after), "whatever position it names");
    }
    assert!(head(&channels).await == after);
    let appended = append_under(&channels, CHANNEL, 1, [message(1, 1)]).await;
    assert!(matches!(appended, AppendOutcome::Appended { first_seq: 2, fresh: true, .. }));
}

pub async fn a_retry_is_found_whatever_generation_it_is<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    fresh(&channels, [message(0, 1)]).await;
    let (after, _) = installed(&channels, 0, installing(0, 50)).await;
    let again = |first_seq| AppendOutcome::Appended { first_seq, channel: after, fresh: false, ended: None };
    assert!(append(&channels, [message(0, 1)]).await == again(1));
    assert!(append(&channels, [installing(0, 50)]).await == again(2));
    assert!(head(&channels).await == after);
}

pub async fn keys_belong_to_what_an_id_stands_for<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    installed(&channels, 0, installing(0, 50)).await;
    let others =
        [NewEntry { installs: None, ..installing(0, 50) }, NewEntry { installs: Some(keys(60)), ..installing(0, 50) }];
    for other in others {
        assert!(append(&channels, [other]).await == AppendOutcome::Conflict);
    }
}

pub async fn keys_stay_when_the_body_has_expired<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let (after, _) = installed(&channels, 0, expiring(TODAY, installing(0, 50))).await;
    channels.expire(TODAY + 1, 7).await.unwrap();
    let read = log(&channels, TODAY + 1).await;
    assert!(read[0].body.is_empty() && read[0].installs == keys(50).to_bytes() && chain(&read) == after.chain);
    assert!(ended(&channels, 0).await.is_some_and(|ended| ended.seq == 1));
}

pub async fn a_restart_begins_the_next_incarnation<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    fresh(&channels, [entry(EntryKind::Commit, 0, 1)]).await;
    assert!(matches!(append(&channels, [entry(EntryKind::Restart, 0, 2)]).await, AppendOutcome::Stale(_)));
    let (_, after) = fresh(&channels, [message(1, 2), entry(EntryKind::Restart, 1, 3)]).await;
    assert_eq!(after.position, Position { incarnation: 1, epoch: 0 });
    assert!(append(&channels, [message(1, 4)]).await == AppendOutcome::Stale(after));
    let at = |epoch| Position { incarnation: 1, epoch };
    let commit = NewEntry { position: at(0), ..entry(EntryKind::Commit, 0, 5) };
    let (_, after) = fresh(&channels, [NewEntry { position: at(0), ..message(0, 4) }, commit]).await;
    assert_eq!(after.position, at(1));
    let restart = NewEntry { position: at(1), installs: Some(keys(50)), ..entry(EntryKind::Restart, 0, 6) };
    let (after, end) = installed(&channels, 0, restart).await;
    assert_eq!((after.position, after.generation), (Position { incarnation: 2, epoch: 0 }, 1));
    assert_eq!((end.position, end.seq), (after.position, 6));
    let read = log(&channels, TODAY).await;
    assert!(chain(&read) == after.chain && read[5].kind == i32::from(EntryKind::Restart));
}

pub async fn one_of_many_generations_wins<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let outcomes = at_once(32, |id| {
        let channels = channels.clone();
        async move { append(&channels, [installing(0, id)]).await }
    });
    let outcomes = outcomes.await;
    let head = head(&channels).await;
    assert_eq!((head.seq, head.generation), (1, 1));
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == AppendOutcome::Stale(head)).count(), 31);
}
