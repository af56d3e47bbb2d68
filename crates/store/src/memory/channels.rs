//! The channel plane in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use undertone_wire::{ChannelId, Day, IdempotencyId, channel::Entry};

use super::{lock, tokens::Spent};
use crate::{
    Append, AppendOutcome, ChannelCounts, Channels, EndedGeneration, HeadSlot, NewChannel, NewEntry, StoreError,
    StoredChannel, StoredRecord,
    append::{Plan, Prepared, Used},
    entry::{StoredEntry, expired},
    page::Page,
};

/// Channels and their logs, in memory. Clones are the same channels.
#[derive(Clone, Default)]
pub struct MemoryChannels(pub(super) Arc<Mutex<State>>);

#[derive(Clone, Default)]
pub(super) struct State {
    logs: BTreeMap<ChannelId, Log>,
    pub(super) spent: Spent,
}

#[derive(Clone)]
struct Log {
    channel: StoredChannel,
    created: Day,
    /// Generations that are over.
    ended: BTreeMap<u32, EndedGeneration>,
    record: Option<StoredRecord>,
    slot: Option<HeadSlot>,
    /// The entry with number n stands at n - 1.
    entries: Vec<Kept>,
}

#[derive(Clone)]
struct Kept {
    entry: StoredEntry,
    /// What goes with the partition of its day.
    live: Option<Live>,
}

#[derive(Clone)]
struct Live {
    id: IdempotencyId,
    body: Bytes,
}

impl MemoryChannels {
    /// All channels as they are now; what is done to these from now on is not done to those.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(lock(&self.0).clone())))
    }
}

impl Channels for MemoryChannels {
    async fn create(&self, new: NewChannel, today: Day) -> Result<bool, StoreError> {
        let logs = &mut lock(&self.0).logs;
        let log = logs.entry(new.channel).or_insert_with(|| Log {
            channel: StoredChannel::new(&new),
            created: today,
            ended: BTreeMap::new(),
            record: None,
            slot: None,
            entries: Vec::new(),
        });
        Ok(log.channel.has_keys_of(&new))
    }

    async fn channel(&self, channel: ChannelId) -> Result<Option<StoredChannel>, StoreError> {
        Ok(lock(&self.0).logs.get(&channel).map(|log| log.channel))
    }

    async fn ended_generation(
        &self,
        channel: ChannelId,
        generation: u32,
    ) -> Result<Option<EndedGeneration>, StoreError> {
        Ok(lock(&self.0).logs.get(&channel).and_then(|log| log.ended.get(&generation).copied()))
    }

    async fn append(&self, append: Append) -> Result<AppendOutcome, StoreError> {
        let prepared = Prepared::new(append)?;
        let logs = &mut lock(&self.0).logs;
        let Some(log) = logs.get_mut(&prepared.append.channel) else {
            return Ok(AppendOutcome::NotFound);
        };
        let used: Vec<_> = prepared.append.entries.iter().map(|entry| log.used(entry)).collect();
        let moved = match prepared.plan(log.channel, log.bytes(), &used) {
            Plan::Write(moved) => moved,
            Plan::Answer(outcome) => return Ok(outcome),
        };
        let first_seq = log.channel.seq + 1;
        log.entries.extend(prepared.numbered(first_seq).map(|(new, entry)| Kept::new(new, entry)));
        let outcome = moved.outcome(first_seq);
        log.channel = moved.channel;
        log.ended.extend(moved.ended);
        log.slot = prepared.slot(&log.channel).or_else(|| log.slot.take());
        log.record = prepared.append.record.or_else(|| log.record.take());
        Ok(outcome)
    }

    async fn read_after(
        &self,
        channel: ChannelId,
        after: u64,
        limit: u32,
        bytes_max: usize,
        today: Day,
    ) -> Result<Option<Vec<Entry>>, StoreError> {
        let mut page = Page::new(limit, bytes_max);
        Ok(lock(&self.0).logs.get(&channel).map(|log| {
            let entries = log.entries.iter().skip(usize::try_from(after).unwrap_or(usize::MAX));
            entries.map(|kept| kept.served(today)).take_while(|entry| page.take(entry.body.len())).collect()
        }))
    }

    async fn record(&self, channel: ChannelId) -> Result<Option<StoredRecord>, StoreError> {
        Ok(lock(&self.0).logs.get(&channel).and_then(|log| log.record.clone()))
    }

    async fn head_slot(&self, channel: ChannelId) -> Result<Option<HeadSlot>, StoreError> {
        Ok(lock(&self.0).logs.get(&channel).and_then(|log| log.slot.clone()))
    }

    async fn expire(&self, today: Day, unused_days: u32) -> Result<(), StoreError> {
        let logs = &mut lock(&self.0).logs;
        logs.retain(|_, log| !log.entries.is_empty() || log.created + unused_days >= today);
        for kept in logs.values_mut().flat_map(|log| &mut log.entries) {
            if expired(kept.entry.expiry_day, today) {
                kept.live = None;
            }
        }
        Ok(())
    }

    async fn counts(&self) -> Result<ChannelCounts, StoreError> {
        let State { logs, .. } = &*lock(&self.0);
        let bodies = logs.values().flat_map(|log| &log.entries).filter(|kept| kept.live.is_some()).count();
        Ok(ChannelCounts {
            channels: logs.len() as u64,
            entries: logs.values().map(|log| log.channel.seq).sum(),
            bodies: bodies as u64,
        })
    }
}

impl Log {
    fn used(&self, new: &NewEntry) -> Option<Used> {
        let same = |kept: &&Kept| {
            kept.entry.expiry_day == new.expiry_day && kept.live.as_ref().is_some_and(|live| live.id == new.id)
        };
        let StoredEntry { seq, digest, .. } = self.entries.iter().find(same)?.entry;
        Some(Used { seq, digest: *digest.as_bytes() })
    }

    fn bytes(&self) -> u64 {
        self.entries.iter().filter_map(|kept| kept.live.as_ref()).map(|live| live.body.len() as u64).sum()
    }
}

impl Kept {
    fn new(new: &NewEntry, entry: StoredEntry) -> Self {
        Self { entry, live: Some(Live { id: new.id, body: new.body.clone() }) }
    }

    fn served(&self, today: Day) -> Entry {
        let live = self.live.as_ref().filter(|_| !expired(self.entry.expiry_day, today));
        self.entry.served(live.map(|live| live.body.clone()))
    }
}
