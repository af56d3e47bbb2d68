//! One channel in memory: where its log stands, and who follows it.
//!
//! Appends to one channel go one after another, so that followers are told in the order of sequence numbers. A caller
//! may go away in mid-append: the append is then not cut off, but stays here under way, and whoever comes next to this
//! channel brings it to its end and has it published first. After an append of which the store itself cannot tell, the
//! next to come reads where the log stands. Until somebody comes, followers may lack that entry: they find it by its
//! absence as soon as the next one, or a head, arrives, and read.
//!
//! A generation ends with an entry that installs the keys of the next. Who has opened it is pushed that entry and nothing
//! after it, reads up to it, and appends no more.
//!
//! A group's channel has its record here too, beside the head: what is appended is held against it, and a change makes the
//! next one of it.

use std::{
    pin::Pin,
    sync::{Arc, MutexGuard, PoisonError},
};

use bytes::Bytes;
use undertone_credentials::{
    HeadKey, SIGNATURE_LEN,
    group::{Change, Record, table::Act},
};
use undertone_store::{Append, AppendOutcome, Channels, EndedGeneration, StoreError, StoredChannel, StoredRecord};
use undertone_wire::{
    ChannelId, Day, HandshakeHash, Now, Position,
    chain::Chain,
    channel::{Entry, Head, LogPush, ReadReply, Refusal},
    circuit::{Code, Fault},
    limits::{CHANNEL_BYTES_MAX, COMMIT_BURST, PAGE_BYTES_MAX, PAGE_ENTRIES_MAX, RESERVE_MS},
    rpc::{Encoded, Pushes},
};

use super::{
    allowance::Allowance,
    followers::Followers,
    groups::refusal,
    new_entries::NewEntries,
    opening::Keys,
    speaker::{Denial, Speaker},
};
use crate::{fault, request::ensure};

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
    /// Boxed, since hubs are many and most of them idle.
    under_way: Option<Box<UnderWay>>,
    /// The store could not tell whether an append was applied.
    in_doubt: bool,
}

/// An append that the store was given.
struct UnderWay {
    now: Now,
    entries: NewEntries,
    /// That a change makes.
    record: Option<Arc<Record>>,
    outcome: Pin<Box<dyn Future<Output = Result<AppendOutcome, StoreError>> + Send>>,
}

/// What we have heard of the log.
struct Known {
    stored: StoredChannel,
    /// Of its head, signed once for all who ask.
    signature: [u8; SIGNATURE_LEN],
    /// Of a group; of the revision that `stored` has.
    record: Option<Arc<Record>>,
    allowance: Allowance,
    /// Who holds the next commit, and until when.
    reserved: Option<Box<(HandshakeHash, Now)>>,
    /// All under the current generation.
    followers: Followers,
}

impl<C: Channels> Hub<C> {
    pub fn new(
        backing: Arc<Backing<C>>,
        channel: ChannelId,
        stored: StoredChannel,
        record: Option<Arc<Record>>,
    ) -> Self {
        let known = Known {
            stored,
            signature: Stand::of(&stored).sign(&backing.head_key, channel),
            record,
            reserved: None,
            allowance: Allowance::whole(COMMIT_BURST),
            followers: Followers::default(),
        };
        Self { backing, channel, order: tokio::sync::Mutex::default(), known: known.into() }
    }

    /// The current generation as far as we have heard.
    pub fn generation(&self) -> u32 {
        self.known().stored.generation
    }

    /// The keys that open a generation. None: there is no such generation yet.
    pub async fn keys(&self, generation: u32) -> Result<Option<Keys>, Fault> {
        // Whoever began a generation and has not heard so may ask with its keys.
        self.head().await?;
        let StoredChannel { generation: current, read_key, write_key, .. } = self.known().stored;
        if generation == current {
            return Ok(Some(Keys { read: read_key, write: Some(write_key) }));
        }
        Ok(self.ended(generation).await?.map(|ended| Keys { read: ended.read_key, write: None }))
    }

    /// Where the log stands for those who have opened a generation, and the entry that ended it; 0 if it is the current
    /// one.
    pub async fn head_under(&self, generation: u32) -> Result<(Head, u64), Fault> {
        let head = self.head().await?;
        if generation == head.generation {
            return Ok((head, 0));
        }
        let ended = self.ended(generation).await?.ok_or_else(fault::unusable)?;
        let stand = Stand::at_the_end(&ended, generation);
        Ok((stand.signed_head(&self.backing.head_key, self.channel), ended.seq))
    }

    /// Where the log stands for somebody: as it is for whoever is in the group, else as the keys that he opened it with let
    /// him see it.
    pub async fn head_for(&self, by: &Speaker) -> Result<Head, Fault> {
        let (_, record) = self.stands();
        let is_inside = record.is_some_and(|record| by.allows(&record, Act::ReadRecord));
        match by.rights {
            Some(rights) if !is_inside => Ok(self.head_under(rights.generation()).await?.0),
            _ => self.head().await,
        }
    }

    /// Where the log stands. An append that is under way just now may or may not be in it.
    pub async fn head(&self) -> Result<Head, Fault> {
        // If somebody holds the order, he is at it already.
        if let Ok(mut order) = self.order.try_lock() {
            self.settle(&mut order).await?;
        }
        Ok(self.known().head(self.channel))
    }

    /// The record of a group as far as we have heard, and where its channel stands. None: it is no group.
    pub async fn record(&self) -> Result<Option<(Arc<Record>, StoredChannel)>, Fault> {
        self.head().await?;
        let (stored, record) = self.stands();
        Ok(record.map(|record| (record, stored)))
    }

    /// The channel as far as we have heard.
    pub fn stored(&self) -> StoredChannel {
        self.known().stored
    }

    fn stands(&self) -> (StoredChannel, Option<Arc<Record>>) {
        let known = self.known();
        (known.stored, known.record.clone())
    }

    /// Appends as somebody, and pushes what was appended. Commits are taken as far as the channel's allowance goes. Who may
    /// not append finds all the same what he has appended while he might.
    pub async fn append(&self, now: Now, by: &Speaker, entries: NewEntries) -> Result<Appending, Fault> {
        let mut order = self.order.lock().await;
        self.settle(&mut order).await?;
        let (stored, record) = self.stands();
        ensure(record.is_some() || (entries.slot().is_none() && entries.large().is_empty()))?;
        let next = by.may_append(&stored, record.as_deref(), entries.entries()).map(|()| None);
        if !by.might_write()
            && let Err(denial) = next
        {
            return Ok(Err(denial));
        }
        self.write(&mut order, now, by.circuit, entries, next).await
    }

    /// Makes a change as its actor, who has shown himself, and pushes it with what follows. Whoever may write to an empty
    /// channel makes a group of it. `link_secret` is what the actor has shown if he came with the link.
    pub async fn change(
        &self,
        now: Now,
        by: &Speaker,
        change: &Change,
        entries: NewEntries,
        link_secret: &[u8],
    ) -> Result<Appending, Fault> {
        let mut order = self.order.lock().await;
        self.settle(&mut order).await?;
        let (stored, record) = self.stands();
        let next = match &record {
            Some(record) if change.is_by_link() && !record.link().is_opened_by(link_secret) => Err(Refusal::Link),
            Some(record) => record.apply(change).map_err(refusal),
            None if stored.seq == 0 && by.writes(&stored) => Record::create(change).map_err(refusal),
            None => return Err(Code::NotFound.into()),
        };
        let next = if change.follows_as(entries.follows()) { next } else { Err(Refusal::Follows) };
        let next = next.map(|record| Some(Arc::new(record))).map_err(Denial::Refused);
        self.write(&mut order, now, by.circuit, entries, next).await
    }

    /// Holds the next commit for a circuit.
    pub fn reserve(&self, now: Now, circuit: HandshakeHash) -> Result<(), Fault> {
        let mut known = self.known();
        known.ensure_free_for(&circuit, now)?;
        known.reserved = Some(Box::new((circuit, now.plus_ms(RESERVE_MS))));
        Ok(())
    }

    /// Writes entries with the record that they make, if they make one. What is denied is only looked for.
    async fn write(
        &self,
        order: &mut Order,
        now: Now,
        circuit: HandshakeHash,
        entries: NewEntries,
        next: Result<Option<Arc<Record>>, Denial>,
    ) -> Result<Appending, Fault> {
        let generation = if next.is_ok() { self.generation() } else { Append::NOTHING_NEW };
        if next.is_ok() {
            self.known().ensure_paced(&circuit, now, &entries)?;
        }
        let record = next.as_ref().ok().and_then(Clone::clone);
        let append = Append {
            channel: self.channel,
            generation,
            entries: entries.entries().to_vec(),
            record: record.as_ref().map(|record| stored_record(record)),
            slot: entries.slot().cloned(),
            bytes_max: CHANNEL_BYTES_MAX,
        };
        let backing = self.backing.clone();
        let outcome = Box::pin(async move { backing.store.append(append).await });
        let under_way = order.under_way.insert(Box::new(UnderWay { now, entries, record, outcome }));
        let outcome = under_way.outcome.as_mut().await;
        self.conclude(order, &outcome);
        match (outcome.map_err(fault::store)?, next) {
            (AppendOutcome::Stale(_), Err(denial)) => Ok(Err(denial)),
            (outcome, _) => Ok(Ok(outcome)),
        }
    }

    /// A page of the log as far as a generation may read, and a head that is not behind it. None: the channel is gone.
    pub async fn read(&self, generation: u32, after: u64, limit: u32, today: Day) -> Result<Option<ReadReply>, Fault> {
        let limit = limit.min(PAGE_ENTRIES_MAX);
        let page = self.backing.store.read_after(self.channel, after, limit, PAGE_BYTES_MAX, today).await;
        let Some(mut entries) = page.map_err(fault::store)? else {
            return Ok(None);
        };
        let (mut head, mut until) = self.head_under(generation).await?;
        if until == 0 && entries.last().is_some_and(|last| last.seq > head.seq) {
            // The store has finished an append whose caller has not heard of it yet.
            let mut order = self.order.lock().await;
            order.in_doubt = true;
            self.settle(&mut order).await?;
            drop(order);
            (head, until) = self.head_under(generation).await?;
        }
        entries.retain(|entry| until == 0 || entry.seq <= until);
        Ok(Some(ReadReply { entries, head: Some(head) }))
    }

    /// Pushes from now on what is appended; once for each circuit, so that a later call replaces an earlier one. False if
    /// the generation is not the current one.
    pub fn follow(&self, circuit: HandshakeHash, generation: u32, pushes: Arc<Pushes<LogPush>>) -> bool {
        let mut known = self.known();
        let current = known.stored.generation == generation;
        if current {
            known.followers.insert(circuit, pushes);
        }
        current
    }

    /// Says that there are newer entries than the one that is known, if so; for who follows already, so that none is missed
    /// between.
    pub async fn push_newer(&self, known: u64, pushes: &Pushes<LogPush>) -> Result<(), Fault> {
        let head = self.head().await?;
        if head.seq > known {
            pushes.send(&Encoded::new(&LogPush {
                channel: self.channel.into(),
                head: Some(head),
                ..LogPush::default()
            }));
        }
        Ok(())
    }

    /// Ends [`Self::follow`] and [`Self::reserve`].
    pub fn leave(&self, circuit: &HandshakeHash) {
        let mut known = self.known();
        known.followers.remove(circuit);
        known.reserved.take_if(|reserved| reserved.0 == *circuit);
    }

    /// Pushes what is of the moment to all who follow but the circuit that it comes from.
    pub fn tell(&self, by: &Speaker, transient: Bytes) -> Result<(), Fault> {
        let mut known = self.known();
        by.may_tell(&known.stored, known.record.as_deref())?;
        let push = Encoded::new(&LogPush { channel: self.channel.into(), transient, ..LogPush::default() });
        known.followers.retain(|circuit, pushes| *circuit == by.circuit || pushes.send(&push));
        Ok(())
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
                let StoredChannel { generation, revision, .. } = self.stored();
                let ended = if stored.generation == generation { None } else { self.ended(generation).await? };
                let record = if stored.revision == revision {
                    None
                } else {
                    record(&self.backing, &stored, self.channel).await?
                };
                self.advance(stored, Vec::new(), ended, record);
            }
            order.in_doubt = false;
        }
        Ok(())
    }

    /// Takes note of how the append under way has ended.
    fn conclude(&self, order: &mut Order, outcome: &Result<AppendOutcome, StoreError>) {
        let Some(under_way) = order.under_way.take() else {
            return;
        };
        let UnderWay { now, entries, record, .. } = *under_way;
        match outcome {
            Ok(AppendOutcome::Appended { first_seq, channel, fresh: true, ended }) => {
                let mut known = self.known();
                known.allowance.spend(now, entries.paced());
                // Whoever held this commit has made it.
                known.reserved.take_if(|_| entries.commits());
                drop(known);
                self.advance(*channel, entries.into_log(*first_seq), *ended, record);
            }
            Ok(AppendOutcome::Appended { channel, .. } | AppendOutcome::Stale(channel)) => {
                // Nothing new, or what we have not heard of.
                order.in_doubt |= channel.seq > self.known().stored.seq;
            }
            Ok(AppendOutcome::Conflict | AppendOutcome::NotFound | AppendOutcome::Full)
            | Err(StoreError::NotApplied) => {}
            Err(_) => order.in_doubt = true,
        }
    }

    /// Moves on to where the log stands and tells the followers: with the entries, or, where we do not have them, with
    /// the head alone, upon which they read. With a generation its followers go; before that, those who listen no more.
    fn advance(
        &self,
        stored: StoredChannel,
        mut entries: Vec<Entry>,
        ended: Option<EndedGeneration>,
        record: Option<Arc<Record>>,
    ) {
        let mut known = self.known();
        if stored.seq <= known.stored.seq {
            return;
        }
        known.record = record.or_else(|| known.record.take());
        let before = std::mem::replace(&mut known.stored, stored);
        known.signature = Stand::of(&stored).sign(&self.backing.head_key, self.channel);
        if known.followers.is_empty() {
            return;
        }
        let head = match &ended {
            Some(ended) => {
                entries.retain(|entry| entry.seq <= ended.seq);
                Stand::at_the_end(ended, before.generation).signed_head(&self.backing.head_key, self.channel)
            }
            None => known.head(self.channel),
        };
        let push =
            Encoded::new(&LogPush { channel: self.channel.into(), entries, head: Some(head), ..LogPush::default() });
        known.followers.retain(|_, pushes| pushes.send(&push) && ended.is_none());
    }

    async fn ended(&self, generation: u32) -> Result<Option<EndedGeneration>, Fault> {
        self.backing.store.ended_generation(self.channel, generation).await.map_err(fault::store)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Where the log stands, signed.
    fn head(&self, channel: ChannelId) -> Head {
        Stand::of(&self.stored).head(channel, &self.signature)
    }

    /// Fails while another circuit holds the next commit.
    fn ensure_free_for(&self, circuit: &HandshakeHash, now: Now) -> Result<(), Fault> {
        match self.reserved.as_deref() {
            Some((holder, until)) if holder != circuit && now < *until => Err(exhausted(until.0 - now.0)),
            _ => Ok(()),
        }
    }

    fn ensure_paced(&self, circuit: &HandshakeHash, now: Now, entries: &NewEntries) -> Result<(), Fault> {
        if entries.commits() {
            self.ensure_free_for(circuit, now)?;
        }
        match entries.paced() {
            0 => Ok(()),
            count => match self.allowance.wait_ms(now, count) {
                0 => Ok(()),
                wait_ms => Err(exhausted(wait_ms)),
            },
        }
    }
}

/// How an append or a change has ended: as the store says; or it may not be, and never was.
pub type Appending = Result<AppendOutcome, Denial>;

/// The record of a channel that stands so, as the store has it. None: it is no group's.
pub async fn record<C: Channels>(
    backing: &Backing<C>,
    stored: &StoredChannel,
    channel: ChannelId,
) -> Result<Option<Arc<Record>>, Fault> {
    if stored.revision == 0 {
        return Ok(None);
    }
    let kept = backing.store.record(channel).await.map_err(fault::store)?.ok_or_else(fault::unusable)?;
    let record = Record::decode(&kept.encoded).map_err(|_| fault::unusable())?;
    Ok(Some(Arc::new(record)))
}

fn stored_record(record: &Record) -> StoredRecord {
    StoredRecord { revision: record.revision(), encoded: record.encode() }
}

fn exhausted(wait_ms: u64) -> Fault {
    Fault::from(Code::Exhausted).retry_after_ms(u32::try_from(wait_ms).unwrap_or(u32::MAX))
}

/// Where a log stands, or stood.
struct Stand {
    seq: u64,
    chain: Chain,
    position: Position,
    generation: u32,
}

impl Stand {
    fn of(stored: &StoredChannel) -> Self {
        let StoredChannel { seq, chain, position, generation, .. } = *stored;
        Self { seq, chain, position, generation }
    }

    /// With the entry that ended a generation, and so began the next.
    fn at_the_end(ended: &EndedGeneration, generation: u32) -> Self {
        let EndedGeneration { seq, chain, position, .. } = *ended;
        Self { seq, chain, position, generation: generation + 1 }
    }

    fn sign(&self, key: &HeadKey, channel: ChannelId) -> [u8; SIGNATURE_LEN] {
        key.sign_head(channel, self.seq, &self.chain)
    }

    fn signed_head(&self, key: &HeadKey, channel: ChannelId) -> Head {
        self.head(channel, &self.sign(key, channel))
    }

    fn head(&self, channel: ChannelId, signature: &[u8; SIGNATURE_LEN]) -> Head {
        Head {
            channel: channel.into(),
            seq: self.seq,
            chain: Bytes::copy_from_slice(self.chain.as_bytes()),
            incarnation: self.position.incarnation,
            epoch: self.position.epoch,
            generation: self.generation,
            signature: Bytes::copy_from_slice(signature),
        }
    }
}
