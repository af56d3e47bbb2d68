//! One channel in memory: where its log stands, and who follows it.
//!
//! Appends to one channel go one after another, so that followers are told in the order of sequence numbers. A caller
//! may go away in mid-append: the append is then not cut off, but stays here under way, and whoever comes next to this
//! channel brings it to its end and has it published first. After an append of which the store itself cannot tell, the
//! next to come reads where the log stands. Until somebody comes, followers may lack that entry: they find it by its
//! absence as soon as the next one, or a head, arrives, and read.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, MutexGuard, PoisonError},
};

use bytes::Bytes;
use undertone_credentials::HeadKey;
use undertone_store::{Append, AppendOutcome, Channels, StoreError, StoredChannel};
use undertone_wire::{
    ChannelId, Day, HandshakeHash, Now,
    channel::{Entry, Head, LogPush, ReadReply},
    circuit::{Code, Fault},
    limits::{CHANNEL_BYTES_MAX, PAGE_BYTES_MAX, PAGE_ENTRIES_MAX},
    rpc::{Encoded, Pushes},
};

use super::{allowance::Allowance, new_entries::NewEntries};
use crate::fault;

/// What all hubs stand on.
pub struct Backing<C> {
    pub store: C,
    pub head_key: HeadKey,
}

/// One channel in memory.
pub struct Hub<C> {
    backing: Arc<Backing<C>>,
    channel: ChannelId,
    /// Held by whoever appends. Never taken while `known` is held.
    order: tokio::sync::Mutex<Order>,
    known: std::sync::Mutex<Known>,
}

/// What may have moved the log without our having heard of it.
#[derive(Default)]
struct Order {
    under_way: Option<UnderWay>,
    /// The store could not tell whether an append was applied.
    in_doubt: bool,
}

/// An append that the store was given.
struct UnderWay {
    now: Now,
    entries: NewEntries,
    outcome: Pin<Box<dyn Future<Output = Result<AppendOutcome, StoreError>> + Send>>,
}

/// What we have heard of the log.
struct Known {
    stored: StoredChannel,
    /// Of `stored`, signed once for all who ask.
    head: Head,
    allowance: Allowance,
    /// One for each circuit.
    followers: HashMap<HandshakeHash, Arc<Pushes<LogPush>>>,
}

impl<C: Channels> Hub<C> {
    pub fn new(backing: Arc<Backing<C>>, channel: ChannelId, stored: StoredChannel) -> Self {
        let known = Known {
            stored,
            head: signed_head(&backing.head_key, channel, &stored),
            allowance: Allowance::whole(),
            followers: HashMap::new(),
        };
        Self { backing, channel, order: tokio::sync::Mutex::default(), known: known.into() }
    }

    /// The channel as far as we have heard: its current keys.
    pub fn stored(&self) -> StoredChannel {
        self.known().stored
    }

    /// Where the log stands. An append that is under way just now may or may not be in it.
    pub async fn head(&self) -> Result<Head, Fault> {
        // If somebody holds the order, he is at it already.
        if let Ok(mut order) = self.order.try_lock() {
            self.settle(&mut order).await?;
        }
        Ok(self.known().head.clone())
    }

    /// Appends, and pushes what was appended. Commits are taken as far as the channel's allowance goes.
    pub async fn append(&self, now: Now, entries: NewEntries) -> Result<AppendOutcome, Fault> {
        let mut order = self.order.lock().await;
        self.settle(&mut order).await?;
        let commits = entries.commits();
        let wait_ms = if commits > 0 { self.known().allowance.wait_ms(now, commits) } else { 0 };
        if wait_ms > 0 {
            let wait_ms = u32::try_from(wait_ms).unwrap_or(u32::MAX);
            return Err(Fault::from(Code::Exhausted).retry_after_ms(wait_ms));
        }
        let append =
            Append { channel: self.channel, entries: entries.clone().into_inner(), bytes_max: CHANNEL_BYTES_MAX };
        let backing = self.backing.clone();
        let outcome = Box::pin(async move { backing.store.append(append).await });
        let under_way = order.under_way.insert(UnderWay { now, entries, outcome });
        let outcome = under_way.outcome.as_mut().await;
        self.conclude(&mut order, &outcome);
        outcome.map_err(fault::store)
    }

    /// A page of the log, and a head that is not behind it. None: the channel is gone.
    pub async fn read(&self, after: u64, limit: u32, today: Day) -> Result<Option<ReadReply>, Fault> {
        let limit = limit.min(PAGE_ENTRIES_MAX);
        let page = self.backing.store.read_after(self.channel, after, limit, PAGE_BYTES_MAX, today).await;
        let Some(entries) = page.map_err(fault::store)? else {
            return Ok(None);
        };
        let mut head = self.head().await?;
        if entries.last().is_some_and(|last| last.seq > head.seq) {
            // The store has finished an append whose caller has not heard of it yet.
            let mut order = self.order.lock().await;
            order.in_doubt = true;
            self.settle(&mut order).await?;
            head = self.known().head.clone();
        }
        Ok(Some(ReadReply { entries, head: Some(head) }))
    }

    /// Pushes from now on what is appended; once for each circuit, so that a later call replaces an earlier one.
    pub fn follow(&self, circuit: HandshakeHash, pushes: Arc<Pushes<LogPush>>) {
        self.known().followers.insert(circuit, pushes);
    }

    /// Ends [`Self::follow`].
    pub fn unfollow(&self, circuit: &HandshakeHash) {
        self.known().followers.remove(circuit);
    }

    /// Whether nothing would be lost with this hub.
    pub fn is_settled(&self) -> bool {
        self.order.try_lock().is_ok_and(|order| order.under_way.is_none() && !order.in_doubt)
    }

    /// Catches up with what an earlier caller has left behind.
    async fn settle(&self, order: &mut Order) -> Result<(), Fault> {
        if let Some(under_way) = &mut order.under_way {
            let outcome = under_way.outcome.as_mut().await;
            self.conclude(order, &outcome);
        }
        if order.in_doubt {
            if let Some(stored) = self.backing.store.channel(self.channel).await.map_err(fault::store)? {
                self.advance(stored, Vec::new());
            }
            order.in_doubt = false;
        }
        Ok(())
    }

    /// Takes note of how the append under way has ended.
    fn conclude(&self, order: &mut Order, outcome: &Result<AppendOutcome, StoreError>) {
        let Some(UnderWay { now, entries, .. }) = order.under_way.take() else {
            return;
        };
        match outcome {
            Ok(AppendOutcome::Appended { first_seq, channel, fresh: true }) => {
                self.known().allowance.spend(now, entries.commits());
                self.advance(*channel, entries.into_log(*first_seq));
            }
            Ok(AppendOutcome::Appended { channel, .. } | AppendOutcome::Stale(channel)) => {
                self.advance(*channel, Vec::new());
            }
            Ok(AppendOutcome::Conflict | AppendOutcome::NotFound | AppendOutcome::Full)
            | Err(StoreError::NotApplied) => {}
            Err(_) => order.in_doubt = true,
        }
    }

    /// Moves on to where the log stands and tells the followers: with the entries, or, where we do not have them, with
    /// the head alone, upon which they read. Who listens no more is forgotten.
    fn advance(&self, stored: StoredChannel, entries: Vec<Entry>) {
        let mut known = self.known();
        if stored.seq <= known.stored.seq {
            return;
        }
        known.stored = stored;
        known.head = signed_head(&self.backing.head_key, self.channel, &stored);
        if known.followers.is_empty() {
            return;
        }
        let push = LogPush { channel: self.channel.into(), entries, head: Some(known.head.clone()) };
        let push = Encoded::new(&push);
        known.followers.retain(|_, pushes| pushes.send(&push));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn signed_head(key: &HeadKey, channel: ChannelId, stored: &StoredChannel) -> Head {
    Head {
        channel: channel.into(),
        seq: stored.seq,
        chain: Bytes::copy_from_slice(stored.chain.as_bytes()),
        incarnation: stored.position.incarnation,
        epoch: stored.position.epoch,
        generation: stored.generation,
        signature: Bytes::copy_from_slice(&key.sign_head(channel, stored.seq, &stored.chain)),
    }
}
