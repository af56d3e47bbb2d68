//! What stays of a log entry for good.

use bytes::Bytes;
use undertone_wire::{Day, Position, chain::Digest, channel::Entry};

use crate::{GenerationKeys, NewEntry};

/// An entry without its body.
#[derive(Clone, Copy)]
pub(crate) struct StoredEntry {
    pub(crate) seq: u64,
    /// `EntryKind`, as its number.
    pub(crate) kind: i32,
    pub(crate) position: Position,
    pub(crate) expiry_day: Day,
    pub(crate) digest: Digest,
    pub(crate) installs: Option<GenerationKeys>,
    pub(crate) countersignature: Option<[u8; 64]>,
    pub(crate) slot_hash: Option<[u8; 32]>,
}

impl StoredEntry {
    pub(crate) fn new(entry: &NewEntry, seq: u64, digest: Digest) -> Self {
        let NewEntry { kind, position, expiry_day, installs, countersignature, slot_hash, .. } = *entry;
        Self { seq, kind: kind.into(), position, expiry_day, digest, installs, countersignature, slot_hash }
    }

    /// What a reader gets: the body, or the digest in its place.
    pub(crate) fn served(self, body: Option<Bytes>) -> Entry {
        let Self { seq, kind, position, expiry_day: Day(expiry_day), digest, installs, .. } = self;
        let (countersignature, slot_hash) = (field(self.countersignature.as_ref()), field(self.slot_hash.as_ref()));
        let installs = installs.as_ref().map(GenerationKeys::to_bytes).unwrap_or_default();
        let (body, digest) = match body {
            Some(body) => (body, Bytes::new()),
            None => (Bytes::new(), Bytes::copy_from_slice(digest.as_bytes())),
        };
        let Position { incarnation, epoch } = position;
        Entry { seq, kind, incarnation, epoch, expiry_day, body, installs, countersignature, digest, slot_hash }
    }
}

/// As an entry carries what it has or has not.
pub(crate) fn field<const LENGTH: usize>(bytes: Option<&[u8; LENGTH]>) -> Bytes {
    bytes.map_or_else(Bytes::new, |bytes| Bytes::copy_from_slice(bytes))
}

/// Whether what expires on `day` is not to be served any more on `today`; day 0 never comes.
pub(crate) fn expired(day: Day, today: Day) -> bool {
    day != Day(0) && day < today
}
