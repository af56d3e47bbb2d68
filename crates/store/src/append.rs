//! What an append does to a channel: the rules that all engines share. No I/O.

use std::collections::BTreeSet;

use undertone_wire::{WrongLength, chain::Digest, channel::Entry};

use crate::{
    Append, AppendOutcome, EndedGeneration, GenerationKeys, HeadSlot, NewEntry, StoreError, StoredChannel,
    entry::{StoredEntry, field},
};

/// An append with the digests of its entries, computed before the engine's turn comes.
pub(crate) struct Prepared {
    pub(crate) append: Append,
    digests: Vec<Digest>,
}

/// What an idempotency id stands for already.
#[derive(Clone, Copy)]
pub(crate) struct Used {
    pub(crate) seq: u64,
    /// Of what came with it.
    pub(crate) digest: [u8; 32],
}

/// What an engine has to do.
pub(crate) enum Plan {
    /// Write the entries, numbered on from the channel's `seq`, and what they make of it.
    Write(Moved),
    /// Write nothing and answer this.
    Answer(AppendOutcome),
}

/// What entries make of a channel.
pub(crate) struct Moved {
    /// As it is after them.
    pub(crate) channel: StoredChannel,
    /// Generations that end with them, by their numbers.
    pub(crate) ended: Vec<(u32, EndedGeneration)>,
}

impl Moved {
    /// What whoever appended learns, once it is written.
    pub(crate) fn outcome(&self, first_seq: u64) -> AppendOutcome {
        let ended = self.ended.first().map(|(_, ended)| *ended);
        AppendOutcome::Appended { first_seq, channel: self.channel, fresh: true, ended }
    }

    fn new(channel: StoredChannel) -> Self {
        Self { channel, ended: Vec::new() }
    }

    fn append(&mut self, entry: &NewEntry, digest: &Digest) {
        let Self { channel, ended } = self;
        channel.seq += 1;
        channel.chain = channel.chain.then(digest);
        channel.position = channel.position.after(entry.kind);
        if let Some(GenerationKeys { read, write }) = entry.installs {
            let StoredChannel { seq, chain, position, generation, read_key, .. } = *channel;
            ended.push((generation, EndedGeneration { read_key, seq, chain, position }));
            (channel.generation, channel.read_key, channel.write_key) = (generation + 1, read, write);
        }
    }
}

impl Prepared {
    /// # Errors
    /// [`StoreError::NotApplied`] for an empty body, which has no digest.
    pub(crate) fn new(append: Append) -> Result<Self, StoreError> {
        let digests = append.entries.iter().map(digest).collect::<Result<_, _>>();
        Ok(Self { append, digests: digests.map_err(|_| StoreError::NotApplied)? })
    }

    /// Entries as they stand from `first_seq` on, in order.
    pub(crate) fn numbered(&self, first_seq: u64) -> impl Iterator<Item = (&NewEntry, StoredEntry)> {
        let entries = (first_seq..).zip(&self.append.entries).zip(&self.digests);
        entries.map(|((seq, entry), digest)| (entry, StoredEntry::new(entry, seq, *digest)))
    }

    /// The head slot that comes with it, for the position after it.
    pub(crate) fn slot(&self, after: &StoredChannel) -> Option<HeadSlot> {
        self.append.slot.clone().map(|sealed| HeadSlot { position: after.position, sealed })
    }

    /// Bytes of all bodies.
    pub(crate) fn bytes(&self) -> u64 {
        self.append.entries.iter().map(|entry| entry.body.len() as u64).sum()
    }

    /// Decides, from what the engine holds: the channel, the bytes of its bodies, and for each entry what its id stands
    /// for in (channel, expiry day).
    pub(crate) fn plan(&self, channel: StoredChannel, bytes_held: u64, used: &[Option<Used>]) -> Plan {
        if let Some(outcome) = self.known(channel, used) {
            return Plan::Answer(outcome);
        }
        let stale = Plan::Answer(AppendOutcome::Stale(channel));
        if self.append.generation != channel.generation {
            return stale;
        }
        let mut after = Moved::new(channel);
        for (entry, digest) in self.append.entries.iter().zip(&self.digests) {
            if entry.position != after.channel.position {
                return stale;
            }
            after.append(entry, digest);
        }
        if let Some(record) = &self.append.record {
            if channel.revision.checked_add(1) != Some(record.revision) {
                return stale;
            }
            after.channel.revision = record.revision;
        }
        if bytes_held.saturating_add(self.bytes()) > self.append.bytes_max {
            return Plan::Answer(AppendOutcome::Full);
        }
        Plan::Write(after)
    }

    /// What the ids alone decide; none when all are new.
    fn known(&self, channel: StoredChannel, used: &[Option<Used>]) -> Option<AppendOutcome> {
        let mut ids = BTreeSet::new();
        if !self.append.entries.iter().all(|entry| ids.insert((entry.expiry_day, entry.id))) {
            return Some(AppendOutcome::Conflict);
        }
        let first_seq = match used.first() {
            // Nothing to append stands already.
            None => channel.seq + 1,
            Some(_) if used.iter().all(Option::is_none) => return None,
            Some(None) => return Some(AppendOutcome::Conflict),
            Some(Some(first)) => first.seq,
        };
        let again = (first_seq..)
            .zip(&self.digests)
            .zip(used)
            .all(|((seq, digest), used)| used.is_some_and(|used| used.seq == seq && used.digest == *digest.as_bytes()));
        Some(if again {
            AppendOutcome::Appended { first_seq, channel, fresh: false, ended: None }
        } else {
            AppendOutcome::Conflict
        })
    }
}

/// The part of an entry that its digest is over.
fn digest(entry: &NewEntry) -> Result<Digest, WrongLength> {
    Digest::of(&Entry {
        kind: entry.kind.into(),
        incarnation: entry.position.incarnation,
        epoch: entry.position.epoch,
        expiry_day: entry.expiry_day.0,
        body: entry.body.clone(),
        installs: entry.installs.as_ref().map(GenerationKeys::to_bytes).unwrap_or_default(),
        countersignature: field(entry.countersignature.as_ref()),
        slot_hash: field(entry.slot_hash.as_ref()),
        ..Entry::default()
    })
}
