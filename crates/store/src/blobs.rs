//! Blobs: bytes that are too many for a log.

use bytes::Bytes;
use undertone_wire::{BlobId, Day};

use crate::{StoreError, Tokens};

/// A blob as it is begun: of so many bytes, none of which is there yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NewBlob {
    /// Its id.
    pub blob: BlobId,
    /// Of all its parts.
    pub bytes: u64,
    /// The last day on which it is kept.
    pub expiry_day: Day,
}

/// How beginning a blob ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// There is room for it; so many of its parts are kept already.
    Begun {
        /// From the first on.
        parts: u32,
    },
    /// Another one has this id.
    Taken,
    /// All that blobs may take up is taken.
    Full,
}

/// How putting a part ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Putting {
    /// It is kept.
    Kept,
    /// Other bytes are kept in its place.
    Conflict,
    /// The part before it is missing.
    Early,
    /// No such blob.
    NotFound,
}

/// What blobs take up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlobCounts {
    /// Blobs.
    pub blobs: u64,
    /// Bytes that were promised to them.
    pub bytes: u64,
}

/// Storage of blobs. Partition key: the blob's id.
///
/// Parts are put one after the other and never change; a blob goes, with all of them, when its day is over.
pub trait Blobs: Tokens {
    /// Makes room for a blob, unless all blobs together would take up more than `bytes_max`. The same again says how far it
    /// has come.
    fn begin(&self, new: NewBlob, bytes_max: u64) -> impl Future<Output = Result<Beginning, StoreError>> + Send;

    /// Looks a blob up. One that expired before `today` is gone, even if it was not dropped yet.
    fn blob(&self, blob: BlobId, today: Day) -> impl Future<Output = Result<Option<NewBlob>, StoreError>> + Send;

    /// Keeps a part, counted from 0. The caller judges its length.
    fn put_part(
        &self,
        blob: BlobId,
        part: u32,
        bytes: Bytes,
        today: Day,
    ) -> impl Future<Output = Result<Putting, StoreError>> + Send;

    /// A part. None: it was not put, or its blob has expired before `today`.
    fn part(
        &self,
        blob: BlobId,
        part: u32,
        today: Day,
    ) -> impl Future<Output = Result<Option<Bytes>, StoreError>> + Send;

    /// Forgets what has expired before `today`, by dropping partitions.
    fn expire(&self, today: Day) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Counts.
    fn counts(&self) -> impl Future<Output = Result<BlobCounts, StoreError>> + Send;
}
