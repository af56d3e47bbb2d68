//! Blobs: bytes for whoever knows their ids. Neither plane knows of them, and they have a file of their own.

use std::sync::{Arc, OnceLock};

use undertone_store::{Beginning, BlobCounts, Blobs, NewBlob, Putting, StoreError};
use undertone_wire::{
    BlobId, Now, Week,
    blob::{
        BeginBlobReply, BeginBlobRequest, BlobHandler, FetchPartReply, FetchPartRequest, PutPartReply, PutPartRequest,
    },
    circuit::{Code, Fault},
    limits::{BLOB_DAYS_MAX, BLOB_PART_BYTES},
    padding,
};

use crate::{
    Issuer, fault, issuer,
    request::{ensure, expiry_day, parse},
};

/// Blobs over their store.
pub struct BlobPlane<B> {
    store: B,
    issuer: Arc<Issuer>,
    bytes_max: u64,
}

impl<B: Blobs> BlobPlane<B> {
    /// With the issuer of tokens, and so many bytes that all blobs together may take up.
    pub fn new(store: B, issuer: Arc<Issuer>, bytes_max: u64) -> Self {
        Self { store, issuer, bytes_max }
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
        let BlobPlane { store, issuer, bytes_max } = &*self.plane;
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
