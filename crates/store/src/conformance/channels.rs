//! Channels, and reading their logs.

use bytes::Bytes;
use undertone_wire::{
    ChannelId, Day, IdempotencyId, Position,
    chain::{Chain, Digest},
    channel::{Entry, EntryKind},
};

use super::{Engine, TODAY};
use crate::{Append, AppendOutcome, ChannelCounts, Channels, NewChannel, NewEntry, StoredChannel};

pub(super) const CHANNEL: ChannelId = ChannelId::new([1; 16]);
/// More than any case appends.
pub(super) const PLENTY: u64 = 1 << 30;

pub(super) fn channel(channel: ChannelId) -> NewChannel {
    NewChannel { channel, read_key: [2; 32], write_key: [3; 32] }
}

pub(super) fn at(epoch: u64) -> Position {
    Position { incarnation: 0, epoch }
}

pub(super) fn entry(kind: EntryKind, epoch: u64, id: u8) -> NewEntry {
    NewEntry {
        kind,
        position: at(epoch),
        expiry_day: TODAY + 30,
        body: Bytes::from(vec![id; 256]),
        installs: None,
        countersignature: None,
        slot_hash: None,
        id: IdempotencyId::new([id; 16]),
    }
}

pub(super) fn message(epoch: u64, id: u8) -> NewEntry {
    entry(EntryKind::Message, epoch, id)
}

pub(super) fn expiring(expiry_day: Day, entry: NewEntry) -> NewEntry {
    NewEntry { expiry_day, ..entry }
}

pub(super) async fn append_to<C: Channels>(
    channels: &Engine<C>,
    channel: ChannelId,
    entries: impl Into<Vec<NewEntry>>,
) -> AppendOutcome {
    append_under(channels, channel, 0, entries).await
}

pub(super) async fn append_under<C: Channels>(
    channels: &Engine<C>,
    channel: ChannelId,
    generation: u32,
    entries: impl Into<Vec<NewEntry>>,
) -> AppendOutcome {
    channels
        .append(Append { channel, generation, entries: entries.into(), record: None, slot: None, bytes_max: PLENTY })
        .await
        .unwrap()
}

pub(super) async fn append<C: Channels>(channels: &Engine<C>, entries: impl Into<Vec<NewEntry>>) -> AppendOutcome {
    append_to(channels, CHANNEL, entries).await
}

/// Appends what must be taken as new, and gives the number of the first entry with the channel after them.
pub(super) async fn fresh<C: Channels>(
    channels: &Engine<C>,
    entries: impl Into<Vec<NewEntry>>,
) -> (u64, StoredChannel) {
    match append(channels, entries).await {
        AppendOutcome::Appended { first_seq, channel, fresh: true, ended: None } => (first_seq, channel),
        _ => panic!("not appended"),
    }
}

pub(super) async fn create<C: Channels>(channels: &Engine<C>) {
    assert!(channels.create(channel(CHANNEL), TODAY).await.unwrap());
}

pub(super) async fn head<C: Channels>(channels: &Engine<C>) -> StoredChannel {
    channels.channel(CHANNEL).await.unwrap().unwrap()
}

pub(super) async fn log<C: Channels>(channels: &Engine<C>, today: Day) -> Vec<Entry> {
    channels.read_after(CHANNEL, 0, u32::MAX, usize::MAX, today).await.unwrap().unwrap()
}

/// What any member computes from the entries that he reads.
pub(super) fn chain(entries: &[Entry]) -> Chain {
    entries.iter().fold(Chain::start(CHANNEL), |chain, entry| chain.then(&Digest::of(entry).unwrap()))
}

pub async fn a_channel_starts_empty<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let StoredChannel { seq, chain, position, generation, read_key, write_key, revision } = head(&channels).await;
    assert!(chain == Chain::start(CHANNEL));
    assert_eq!((seq, position, generation, read_key, write_key), (0, at(0), 0, [2; 32], [3; 32]));
    assert_eq!(revision, 0);
    assert!(log(&channels, TODAY).await.is_empty());
}

pub async fn a_channel_is_created_once<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    create(&channels).await;
    fresh(&channels, [message(0, 1)]).await;
    let before = head(&channels).await;
    assert!(channels.create(channel(CHANNEL), TODAY + 1).await.unwrap());
    let others =
        [NewChannel { read_key: [9; 32], ..channel(CHANNEL) }, NewChannel { write_key: [9; 32], ..channel(CHANNEL) }];
    for other in others {
        assert!(!channels.create(other, TODAY).await.unwrap());
    }
    assert!(head(&channels).await == before);
}

pub async fn nobody_has_no_log<C: Channels>(channels: Engine<C>) {
    assert!(channels.channel(CHANNEL).await.unwrap().is_none());
    assert!(channels.read_after(CHANNEL, 0, 10, 1_000, TODAY).await.unwrap().is_none());
    assert!(append(&channels, [message(0, 1)]).await == AppendOutcome::NotFound);
}

pub async fn entries_are_read_back_and_make_the_chain<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let entries = [
        message(0, 1),
        expiring(Day(0), entry(EntryKind::Change, 0, 2)),
        entry(EntryKind::Commit, 0, 3),
        NewEntry { body: vec![7; 65_536].into(), ..message(1, 4) },
    ];
    let (first_seq, after) = fresh(&channels, &entries[..2]).await;
    assert_eq!((first_seq, after.seq), (1, 2));
    let (first_seq, after) = fresh(&channels, &entries[2..]).await;
    assert_eq!((first_seq, after.seq), (3, 4));
    assert!(head(&channels).await == after);
    let read = log(&channels, TODAY).await;
    assert_eq!(read.len(), entries.len());
    for ((seq, read), new) in (1..).zip(&read).zip(&entries) {
        let same = Entry {
            seq,
            kind: new.kind.into(),
            incarnation: 0,
            epoch: new.position.epoch,
            expiry_day: new.expiry_day.0,
            body: new.body.clone(),
            ..Entry::default()
        };
        assert!(*read == same);
    }
    assert!(chain(&read) == after.chain);
}

pub async fn pages_have_no_gap<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    for id in 1..=7 {
        fresh(&channels, [message(0, id)]).await;
    }
    let page = async |after, limit, bytes_max| {
        let entries = channels.read_after(CHANNEL, after, limit, bytes_max, TODAY).await.unwrap().unwrap();
        entries.iter().map(|entry| entry.seq).collect::<Vec<_>>()
    };
    assert_eq!(page(0, 3, usize::MAX).await, [1, 2, 3]);
    assert_eq!(page(3, 100, usize::MAX).await, [4, 5, 6, 7]);
    assert_eq!(page(2, 100, 512).await, [3, 4]);
    assert_eq!(page(2, 100, 511).await, [3]);
    assert_eq!(page(2, 100, 0).await, [3], "the first always comes");
    assert_eq!(page(0, 0, usize::MAX).await, [0; 0]);
    for after in [7, 8, u64::MAX] {
        assert_eq!(page(after, 100, usize::MAX).await, [0; 0]);
    }
}

pub async fn an_expired_body_leaves_its_digest_in_an_unbroken_chain<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let commit = expiring(TODAY + 1, entry(EntryKind::Commit, 0, 2));
    fresh(&channels, [expiring(TODAY, message(0, 1)), commit, message(1, 3)]).await;
    let whole = log(&channels, TODAY).await;
    let head = fresh(&channels, [expiring(TODAY, message(1, 4))]).await.1;

    channels.expire(TODAY, 7).await.unwrap();
    assert!(log(&channels, TODAY).await[..3] == whole, "the last day still counts");

    channels.expire(TODAY + 2, 7).await.unwrap();
    // Even for one whose clock is behind: they are gone.
    for today in [TODAY, TODAY + 2] {
        let left = log(&channels, today).await;
        assert!(left[2] == whole[2]);
        for (left, whole) in [0, 1].map(|place| (&left[place], &whole[place])) {
            let digest = Bytes::copy_from_slice(Digest::of(whole).unwrap().as_bytes());
            assert!(*left == Entry { body: Bytes::new(), digest, ..whole.clone() });
        }
        assert!(chain(&left) == head.chain);
    }
    assert_eq!(fresh(&channels, [message(1, 5)]).await.0, 5, "the log goes on");
}

pub async fn what_has_expired_is_not_served_even_before_it_is_dropped<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    let head = fresh(&channels, [expiring(TODAY, message(0, 1)), message(0, 2)]).await.1;
    assert!(log(&channels, TODAY).await.iter().all(|entry| entry.digest.is_empty()));
    let later = log(&channels, TODAY + 1).await;
    assert!(later[0].body.is_empty() && later[0].digest.len() == 32);
    assert!(!later[1].body.is_empty());
    assert!(chain(&later) == head.chain);
    // Its bytes take no room on a page.
    let page = channels.read_after(CHANNEL, 0, 10, 256, TODAY + 1).await.unwrap().unwrap();
    assert_eq!(page.len(), 2);
}

pub async fn day_zero_never_comes<C: Channels>(channels: Engine<C>) {
    create(&channels).await;
    fresh(&channels, [expiring(Day(0), entry(EntryKind::Change, 0, 1))]).await;
    channels.expire(Day(u32::MAX), 7).await.unwrap();
    assert!(!log(&channels, Day(u32::MAX)).await[0].body.is_empty());
}

pub async fn unused_channels_are_forgotten<C: Channels>(channels: Engine<C>) {
    let used = ChannelId::new([8; 16]);
    create(&channels).await;
    assert!(channels.create(channel(used), TODAY).await.unwrap());
    append_to(&channels, used, [message(0, 1)]).await;
    channels.expire(TODAY + 7, 7).await.unwrap();
    assert!(channels.channel(CHANNEL).await.unwrap().is_some());
    channels.expire(TODAY + 8, 7).await.unwrap();
    assert!(channels.channel(CHANNEL).await.unwrap().is_none());
    assert!(append(&channels, [message(0, 1)]).await == AppendOutcome::NotFound);
    channels.expire(Day(u32::MAX), 0).await.unwrap();
    assert!(channels.channel(used).await.unwrap().is_some());
    assert!(channels.create(NewChannel { read_key: [9; 32], ..channel(CHANNEL) }, TODAY).await.unwrap());
}

pub async fn channels_are_counted<C: Channels>(channels: Engine<C>) {
    assert_eq!(channels.counts().await.unwrap(), ChannelCounts::default());
    create(&channels).await;
    assert!(channels.create(channel(ChannelId::new([8; 16])), TODAY).await.unwrap());
    fresh(&channels, [message(0, 1), expiring(TODAY, message(0, 2)), expiring(Day(0), message(0, 3))]).await;
    assert_eq!(channels.counts().await.unwrap(), ChannelCounts { channels: 2, entries: 3, bodies: 3 });
    channels.expire(TODAY + 1, 7).await.unwrap();
    assert_eq!(channels.counts().await.unwrap(), ChannelCounts { channels: 2, entries: 3, bodies: 2 });
}
