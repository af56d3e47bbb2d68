//! The channel plane: channels and their logs.

use bytes::Bytes;
use undertone_wire::{
    ChannelId, Day, IdempotencyId, Position, WrongLength,
    chain::Chain,
    channel::{Entry, EntryKind},
};

use crate::{StoreError, Tokens};

/// A channel as it is created: empty, generation 0.
#[derive(Clone)]
pub struct NewChannel {
    /// Its id.
    pub channel: ChannelId,
    /// Ed25519 keys of generation 0.
    pub read_key: [u8; 32],
    /// See `read_key`.
    pub write_key: [u8; 32],
}

/// Ed25519 keys of a generation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct GenerationKeys {
    /// To read.
    pub read: [u8; 32],
    /// To write.
    pub write: [u8; 32],
}

impl GenerationKeys {
    /// As an entry carries them: the read key, then the write key.
    pub fn to_bytes(&self) -> Bytes {
        [self.read, self.write].concat().into()
    }
}

impl TryFrom<&[u8]> for GenerationKeys {
    type Error = WrongLength;

    fn try_from(bytes: &[u8]) -> Result<Self, WrongLength> {
        let wrong = WrongLength { expected: 64 };
        let (read, write) = bytes.split_first_chunk().ok_or(wrong)?;
        Ok(Self { read: *read, write: write.try_into().map_err(|_| wrong)? })
    }
}

/// A generation that is over. Its read key still reads up to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EndedGeneration {
    /// Ed25519, to read.
    pub read_key: [u8; 32],
    /// Number of the entry that ended it, by beginning the next.
    pub seq: u64,
    /// The chain after that entry.
    pub chain: Chain,
    /// The position after that entry.
    pub position: Position,
}

/// What is kept of a channel itself: its head and its current keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StoredChannel {
    /// Number of the newest entry; 0 for an empty log.
    pub seq: u64,
    /// The chain after it.
    pub chain: Chain,
    /// What the next entry must be made for.
    pub position: Position,
    /// The generation whose keys these are.
    pub generation: u32,
    /// Ed25519, to read.
    pub read_key: [u8; 32],
    /// Ed25519, to write.
    pub write_key: [u8; 32],
    /// Of its group's record; 0 where it is no group's.
    pub revision: u64,
}

impl StoredChannel {
    /// As it is created.
    pub(crate) fn new(new: &NewChannel) -> Self {
        Self {
            seq: 0,
            chain: Chain::start(new.channel),
            position: Position::default(),
            generation: 0,
            read_key: new.read_key,
            write_key: new.write_key,
            revision: 0,
        }
    }

    /// Whether it still stands as this one created it, whatever was appended.
    pub(crate) fn has_keys_of(&self, new: &NewChannel) -> bool {
        (self.generation, self.read_key, self.write_key) == (0, new.read_key, new.write_key)
    }
}

/// An entry to append.
#[derive(Clone)]
pub struct NewEntry {
    /// What it is; a commit moves the position on by an epoch, a restart to the next incarnation.
    pub kind: EntryKind,
    /// What it is made for.
    pub position: Position,
    /// The last day on which its body is kept; 0 for good.
    pub expiry_day: Day,
    /// One bucket of ciphertext, never empty: an entry without a body is an expired one.
    pub body: Bytes,
    /// Keys of the generation that it begins.
    pub installs: Option<GenerationKeys>,
    /// The service's signature, with a change.
    pub countersignature: Option<[u8; 64]>,
    /// SHA-256 of the head slot that comes with a commit.
    pub slot_hash: Option<[u8; 32]>,
    /// Scope: (channel, expiry day).
    pub id: IdempotencyId,
}

/// A group's record as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Counts its changes, from 1.
    pub revision: u64,
    /// Opaque here.
    pub encoded: Bytes,
}

/// A group's head slot.
#[derive(Clone, PartialEq, Eq)]
pub struct HeadSlot {
    /// After the commit that it came with.
    pub position: Position,
    /// Ciphertext.
    pub sealed: Bytes,
}

/// An atomic append.
#[derive(Clone)]
pub struct Append {
    /// Where.
    pub channel: ChannelId,
    /// The generation whose write key was proven.
    pub generation: u32,
    /// All or none of these, in order.
    pub entries: Vec<NewEntry>,
    /// Replaces the channel's record; it must be of the next revision.
    pub record: Option<StoredRecord>,
    /// Replaces the channel's head slot.
    pub slot: Option<Bytes>,
    /// Bytes of bodies that the channel may hold.
    pub bytes_max: u64,
}

impl Append {
    /// As a generation: nothing is appended that does not stand already. No channel gets so far.
    pub const NOTHING_NEW: u32 = u32::MAX;
}

/// How an append ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum AppendOutcome {
    /// The entries stand from `first_seq` on; `channel` is as it is now.
    Appended {
        /// Number of the first.
        first_seq: u64,
        /// The head, with or after them.
        channel: StoredChannel,
        /// False when this was a retry, and nothing new was written.
        fresh: bool,
        /// How the generation that it was appended under has ended, if it ended with this.
        ended: Option<EndedGeneration>,
    },
    /// The generation is not the current one, or an entry is made for another position than it would come to stand at, or
    /// the record for another revision.
    Stale(StoredChannel),
    /// An idempotency id was used before with other bytes, or twice in this append, or only some of the ids were, or
    /// the entries do not stand in this order without others between them.
    Conflict,
    /// No such channel.
    NotFound,
    /// The channel holds as much as it may.
    Full,
}

/// Numbers an operator may see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelCounts {
    /// Channels.
    pub channels: u64,
    /// Entries ever appended to them.
    pub entries: u64,
    /// Entries whose bodies are still kept.
    pub bodies: u64,
}

/// Storage of the channel plane. Partition key: the channel id.
///
/// A group's channel has a record and a head slot besides its log, which only an append replaces.
///
/// An entry has three parts: its body and idempotency id, in the partition of its expiry day, which is forgotten as a whole;
/// and its digest with kind, position, expiry day and the keys that it installs, for good. A commit's body is dropped
/// like any other, at the day that its entry names; a change's never (its expiry day is 0). The caller bounds expiry days.
pub trait Channels: Tokens {
    /// Creates an empty channel. True also for the same keys again; false when the id is taken by others.
    fn create(&self, new: NewChannel, today: Day) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Looks a channel up.
    fn channel(&self, channel: ChannelId) -> impl Future<Output = Result<Option<StoredChannel>, StoreError>> + Send;

    /// Looks up a generation that is over. None for the current one, and for those that never were.
    fn ended_generation(
        &self,
        channel: ChannelId,
        generation: u32,
    ) -> impl Future<Output = Result<Option<EndedGeneration>, StoreError>> + Send;

    /// Appends all entries or none. Each must be made for the position at which it comes to stand: after a commit, the
    /// next epoch; after a restart, epoch 0 of the next incarnation. One that installs keys begins the next generation
    /// with them. Idempotency ids are looked up before generation and positions are compared, and those before bytes are
    /// counted: with the same kinds, positions, keys and bodies in the same order the first result is returned, whatever
    /// came after. Record and head slot are written with the entries, or not at all. An empty body is
    /// [`StoreError::NotApplied`], always.
    fn append(&self, append: Append) -> impl Future<Output = Result<AppendOutcome, StoreError>> + Send;

    /// Entries after `after` without a gap, at most `limit` and (but for the first) `bytes_max` of bodies. An expired
    /// entry has its digest instead of its body. Bodies of entries that expired before `today` are not served, even if
    /// they were not dropped yet. None: no such channel.
    fn read_after(
        &self,
        channel: ChannelId,
        after: u64,
        limit: u32,
        bytes_max: usize,
        today: Day,
    ) -> impl Future<Output = Result<Option<Vec<Entry>>, StoreError>> + Send;

    /// The record of a channel's group. None: it is no group's, or there is no such channel.
    fn record(&self, channel: ChannelId) -> impl Future<Output = Result<Option<StoredRecord>, StoreError>> + Send;

    /// The head slot of a channel's group. None: it has none.
    fn head_slot(&self, channel: ChannelId) -> impl Future<Output = Result<Option<HeadSlot>, StoreError>> + Send;

    /// Forgets what has expired before `today`, by emptying partitions, and channels still empty that were created
    /// more than `unused_days` ago.
    fn expire(&self, today: Day, unused_days: u32) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Counts.
    fn counts(&self) -> impl Future<Output = Result<ChannelCounts, StoreError>> + Send;
}
