//! Channels that a service can show in two versions.

use std::sync::{Arc, Mutex};

use undertone_store::{
    Append, AppendOutcome, ChannelCounts, Channels, EndedGeneration, HeadSlot, NewChannel, Spending, SpentToken,
    StoreError, StoredChannel, StoredRecord, Tokens, memory::MemoryChannels,
};
use undertone_wire::{ChannelId, Day, Week, channel::Entry};

/// Channels in memory, and all that was done to them: done again, it makes a copy. Clones are the same channels.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Inner>);

#[derive(Default)]
struct Inner {
    channels: MemoryChannels,
    done: Mutex<Vec<Done>>,
}

#[derive(Clone)]
enum Done {
    Create(NewChannel, Day),
    Append(Append),
}

impl Ledger {
    /// The same channels as they are now; what is done to them from now on is not done to these.
    pub async fn copy(&self) -> Self {
        let copy = Self::default();
        let done = self.0.done.lock().unwrap().clone();
        for done in done {
            copy.again(done).await;
        }
        copy
    }

    async fn again(&self, done: Done) {
        match done {
            Done::Create(new, today) => drop(self.create(new, today).await.unwrap()),
            Done::Append(append) => drop(self.append(append).await.unwrap()),
        }
    }

    /// What was appended, in order.
    pub fn appended(&self) -> Vec<Append> {
        let done = self.0.done.lock().unwrap();
        let appends = done.iter().filter_map(|done| if let Done::Append(append) = done { Some(append) } else { None });
        appends.cloned().collect()
    }

    fn note(&self, done: Done) {
        self.0.done.lock().unwrap().push(done);
    }
}

impl Tokens for Ledger {
    async fn spend(&self, tokens: Vec<SpentToken>, request: [u8; 32]) -> Result<Spending, StoreError> {
        self.0.channels.spend(tokens, request).await
    }

    async fn spent(&self, week: Week) -> Result<u64, StoreError> {
        self.0.channels.spent(week).await
    }

    async fn forget_spent(&self, oldest: Week) -> Result<(), StoreError> {
        self.0.channels.forget_spent(oldest).await
    }
}

impl Channels for Ledger {
    async fn create(&self, new: NewChannel, today: Day) -> Result<bool, StoreError> {
        self.note(Done::Create(new.clone(), today));
        self.0.channels.create(new, today).await
    }

    async fn channel(&self, channel: ChannelId) -> Result<Option<StoredChannel>, StoreError> {
        self.0.channels.channel(channel).await
    }

    async fn ended_generation(
        &self,
        channel: ChannelId,
        generation: u32,
    ) -> Result<Option<EndedGeneration>, StoreError> {
        self.0.channels.ended_generation(channel, generation).await
    }

    async fn append(&self, append: Append) -> Result<AppendOutcome, StoreError> {
        let outcome = self.0.channels.append(append.clone()).await?;
        if let AppendOutcome::Appended { fresh: true, .. } = outcome {
            self.note(Done::Append(append));
        }
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
        self.0.channels.read_after(channel, after, limit, bytes_max, today).await
    }

    async fn record(&self, channel: ChannelId) -> Result<Option<StoredRecord>, StoreError> {
        self.0.channels.record(channel).await
    }

    async fn head_slot(&self, channel: ChannelId) -> Result<Option<HeadSlot>, StoreError> {
        self.0.channels.head_slot(channel).await
    }

    async fn expire(&self, today: Day, unused_days: u32) -> Result<(), StoreError> {
        self.0.channels.expire(today, unused_days).await
    }

    async fn counts(&self) -> Result<ChannelCounts, StoreError> {
        self.0.channels.counts().await
    }
}
