//! Blobs in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use undertone_wire::{BlobId, Day};

use super::{lock, tokens::Spent};
use crate::{Beginning, BlobCounts, Blobs, NewBlob, Putting, StoreError, entry::expired};

/// Blobs, in memory. Clones are the same blobs.
#[derive(Clone, Default)]
pub struct MemoryBlobs(pub(super) Arc<Mutex<State>>);

#[derive(Default)]
pub(super) struct State {
    blobs: BTreeMap<BlobId, (NewBlob, Vec<Bytes>)>,
    pub(super) spent: Spent,
}

impl State {
    fn live(&mut self, blob: BlobId, today: Day) -> Option<&mut (NewBlob, Vec<Bytes>)> {
        self.blobs.get_mut(&blob).filter(|(blob, _)| !expired(blob.expiry_day, today))
    }

    fn bytes(&self) -> u64 {
        self.blobs.values().map(|(blob, _)| blob.bytes).sum()
    }
}

impl Blobs for MemoryBlobs {
    async fn begin(&self, new: NewBlob, bytes_max: u64) -> Result<Beginning, StoreError> {
        let mut state = lock(&self.0);
        if let Some((blob, parts)) = state.blobs.get(&new.blob) {
            let parts = u32::try_from(parts.len()).unwrap_or(u32::MAX);
            return Ok(if *blob == new { Beginning::Begun { parts } } else { Beginning::Taken });
        }
        if state.bytes() + new.bytes > bytes_max {
            return Ok(Beginning::Full);
        }
        state.blobs.insert(new.blob, (new, Vec::new()));
        Ok(Beginning::Begun { parts: 0 })
    }

    async fn blob(&self, blob: BlobId, today: Day) -> Result<Option<NewBlob>, StoreError> {
        Ok(lock(&self.0).live(blob, today).map(|(blob, _)| *blob))
    }

    async fn put_part(&self, blob: BlobId, part: u32, bytes: Bytes, today: Day) -> Result<Putting, StoreError> {
        let mut state = lock(&self.0);
        let Some((_, parts)) = state.live(blob, today) else {
            return Ok(Putting::NotFound);
        };
        Ok(match parts.get(part as usize) {
            Some(kept) if *kept == bytes => Putting::Kept,
            Some(_) => Putting::Conflict,
            None if parts.len() == part as usize => {
                parts.push(bytes);
                Putting::Kept
            }
            None => Putting::Early,
        })
    }

    async fn part(&self, blob: BlobId, part: u32, today: Day) -> Result<Option<Bytes>, StoreError> {
        Ok(lock(&self.0).live(blob, today).and_then(|(_, parts)| parts.get(part as usize).cloned()))
    }

    async fn expire(&self, today: Day) -> Result<(), StoreError> {
        lock(&self.0).blobs.retain(|_, (blob, _)| !expired(blob.expiry_day, today));
        Ok(())
    }

    async fn counts(&self) -> Result<BlobCounts, StoreError> {
        let state = lock(&self.0);
        Ok(BlobCounts { blobs: state.blobs.len() as u64, bytes: state.bytes() })
    }
}
