//! Blobs: bytes for whoever knows their ids. Neither plane knows of them, and they have a file of their own.

use std::{
    collections::BTreeSet,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use sha2::{Digest as _, Sha256};
use undertone_store::{Beginning, BlobCounts, Blobs, NewBlob, Putting, StoreError};
use undertone_wire::{
    BlobId, Day, Now, Week,
    blob::{
        BeginBlobReply, BeginBlobRequest, BlobHandler, FetchPartReply, FetchPartRequest, PutPartReply, PutPartRequest,
    },
    circuit::{Code, Fault},
    large::Large,
    limits::{BLOB_DAYS_MAX, BLOB_PART_BYTES},
    padding,
};

use crate::{
    Issuer, fault, issuer,
    request::{ensure, expiry_day, parse},
};

/// Blobs that were read and found to be what a reference says; more are read again.
const KNOWN_MAX: usize = 4_096;

/// Where a channel's log has what is too large for it. The channel plane asks this of blobs, and nothing else.
pub trait LargeBodies: Send + Sync {
    /// Whether all of what a reference stands for is there, and is kept until a day.
    fn has<'a>(
        &'a self,
        large: &'a Large,
        until: Day,
        today: Day,
    ) -> Pin<Box<dyn Future<Output = Result<bool, Fault>> + Send + 'a>>;
}

/// Blobs over their store.
pub struct BlobPlane<B> {
    store: B,
    issuer: Arc<Issuer>,
    bytes_max: u64,
    /// Hashes of blobs that are there and are never going to be others: they need not be read again.
    known: Mutex<BTreeSet<[u8; 32]>>,
}

impl<B: Blobs> BlobPlane<B> {
    /// With the issuer of tokens, and so many bytes that all blobs together may take up.
    pub fn new(store: B, issuer: Arc<Issuer>, bytes_max: u64) -> Self {
        Self { store, issuer, bytes_max, known: Mutex::default() }
    }

    /// What answers one blob circuit.
    pub fn session(self: &Arc<Self>) -> BlobSession<B> {
        BlobSession { plane: self.clone(), blob: OnceLock::new() }
    }

    /// Forgets what has expired; to be called every hour or so.
    ///
    /// # Errors
    /// The store's; the next call makes up for it.
    pub async fn expire(&self, now: Now) -> Result<(), StoreError> {
        self.store.expire(now.day()).await?;
        self.store.forget_spent(issuer::oldest_week(now.day())).await
    }

    /// Numbers for the operator.
    ///
    /// # Errors
    /// The store's.
    pub async fn counts(&self) -> Result<BlobCounts, StoreError> {
        self.store.counts().await
    }

    /// Tokens of a week that were spent on blobs.
    ///
    /// # Errors
    /// The store's.
    pub async fn tokens_spent(&self, week: Week) -> Result<u64, StoreError> {
        self.store.spent(week).await
    }
}

impl<B: Blobs> BlobPlane<B> {
    async fn keeps(&self, large: &Large, until: Day, today: Day) -> Result<bool, Fault> {
        let kept = self.store.blob(large.blob(), today).await.map_err(fault::store)?;
        if kept.is_none_or(|kept| kept.bytes != large.bytes() || kept.expiry_day < until) {
            return Ok(false);
        }
        if self.known().contains(large.hash()) {
            return Ok(true);
        }
        let mut hasher = Sha256::new();
        for part in (0..).take_while(|part| part_bytes(large.bytes(), *part).is_some()) {
            match self.store.part(large.blob(), part, today).await.map_err(fault::store)? {
                Some(bytes) => hasher.update(&bytes),
                None => return Ok(false),
            }
        }
        let same = hasher.finalize()[..] == large.hash()[..];
        if same {
            let mut known = self.known();
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            known.insert(*large.hash());
        }
        Ok(same)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeSet<[u8; 32]>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: Blobs> LargeBodies for BlobPlane<B> {
    fn has<'a>(
        &'a self,
        large: &'a Large,
        until: Day,
        today: Day,
    ) -> Pin<Box<dyn Future<Output = Result<bool, Fault>> + Send + 'a>> {
        Box::pin(self.keeps(large, until, today))
    }
}

/// Answers one blob circuit. It carries one blob: two on one would tie what they belong to together.
pub struct BlobSession<B> {
    plane: Arc<BlobPlane<B>>,
    /// The one that was named first.
    blob: OnceLock<BlobId>,
}

impl<B: Blobs> BlobSession<B> {
    fn the_one(&self, blob: &[u8]) -> Result<BlobId, Fault> {
        let blob = parse(blob)?;
        if *self.blob.get_or_init(|| blob) == blob { Ok(blob) } else { Err(Code::Forbidden.into()) }
    }
}

impl<B: Blobs> BlobHandler for BlobSession<B> {
    async fn begin_blob(&self, now: Now, request: BeginBlobRequest) -> Result<BeginBlobReply, Fault> {
        let BlobPlane { store, issuer, bytes_max, .. } = &*self.plane;
        let blob = self.the_one(&request.blob)?;
        ensure(padding::blob_bytes(request.bytes) == Some(request.bytes))?;
        let expiry_day = expiry_day(request.expiry_day, now.day(), BLOB_DAYS_MAX)?;
        issuer.take(now, store, &request).await?;
        let new = NewBlob { blob, bytes: request.bytes, expiry_day };
        match store.begin(new, *bytes_max).await.map_err(fault::store)? {
            Beginning::Begun { parts } => Ok(BeginBlobReply { parts }),
            Beginning::Taken => Err(Code::Conflict.into()),
            Beginning::Full => Err(fault::full()),
        }
    }

    async fn put_part(&self, now: Now, request: PutPartRequest) -> Result<PutPartReply, Fault> {
        let store = &self.plane.store;
        let blob = self.the_one(&request.blob)?;
        let begun = store.blob(blob, now.day()).await.map_err(fault::store)?.ok_or(Code::NotFound)?;
        ensure(part_bytes(begun.bytes, request.part) == Some(request.bytes.len() as u64))?;
        match store.put_part(blob, request.part, request.bytes, now.day()).await.map_err(fault::store)? {
            Putting::Kept => Ok(PutPartReply {}),
            // With the part before it, it would be taken.
            Putting::Early => Err(Code::Malformed.into()),
            Putting::Conflict => Err(Code::Conflict.into()),
            Putting::NotFound => Err(Code::NotFound.into()),
        }
    }

    async fn fetch_part(&self, now: Now, request: FetchPartRequest) -> Result<FetchPartReply, Fault> {
        let blob = self.the_one(&request.blob)?;
        let bytes = self.plane.store.part(blob, request.part, now.day()).await.map_err(fault::store)?;
        Ok(FetchPartReply { bytes: bytes.ok_or(Code::NotFound)? })
    }
}

/// The length of a part of a blob of so many bytes. None: it has no such part.
fn part_bytes(bytes: u64, part: u32) -> Option<u64> {
    const PART: u64 = BLOB_PART_BYTES as u64;
    let rest = bytes.checked_sub(u64::from(part).saturating_mul(PART))?;
    Some(rest.min(PART)).filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_but_the_last_are_of_one_size() {
        let parts = |bytes| (0..).map_while(|part| part_bytes(bytes, part)).collect::<Vec<_>>();
        assert_eq!(parts(16 << 10), [16 << 10]);
        assert_eq!(parts(128 << 10), [128 << 10]);
        assert_eq!(parts(300 << 10), [128 << 10, 128 << 10, 44 << 10]);
        assert_eq!(part_bytes(u64::MAX, u32::MAX), Some(128 << 10));
        assert_eq!(part_bytes(0, 0), None);
    }
}
