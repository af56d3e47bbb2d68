//! What is too large for a log: it is put as a blob, and a reference stands in its place.
//!
//! Large may be commits of large groups, and the head slots that come with them. A reference is shorter than the smallest bucket
//! of [`padding::ENTRY`], so nothing else can be taken for one; whatever commits to the body, or to the slot, commits to the
//! reference, and by its hash to what that stands for. The blob's id follows from the hash.

use sha2::{Digest as _, Sha256};

use crate::{BlobId, context::Context, limits::LARGE_BYTES_MAX, padding};

const VERSION: u8 = 1;

/// Stands for a blob.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Large {
    bytes: u64,
    hash: [u8; 32],
}

impl Large {
    /// Length of a reference: version (1) || bytes (u64) || SHA-256.
    pub const LEN: usize = 1 + 8 + 32;

    /// The reference to these bytes, if they are as many as a blob has.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let length = bytes.len() as u64;
        may_be(length).then(|| Self { bytes: length, hash: Sha256::digest(bytes).into() })
    }

    /// The reference that stands in the place of a body or a head slot, if one does.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let rest: &[u8; Self::LEN - 1] = body.strip_prefix(&[VERSION])?.try_into().ok()?;
        let (bytes, hash) = rest.split_first_chunk::<8>()?;
        let large = Self { bytes: u64::from_be_bytes(*bytes), hash: hash.try_into().ok()? };
        may_be(large.bytes).then_some(large)
    }

    /// As it stands in a log.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut encoded = [VERSION; Self::LEN];
        let (_, rest) = encoded.split_at_mut(1);
        let (bytes, hash) = rest.split_at_mut(8);
        bytes.copy_from_slice(&self.bytes.to_be_bytes());
        hash.copy_from_slice(&self.hash);
        encoded
    }

    /// Whether it stands for these bytes.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        self.bytes == bytes.len() as u64 && self.hash[..] == Sha256::digest(bytes)[..]
    }

    /// How many they are: those of a blob.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 of them.
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Where they are.
    pub fn blob(&self) -> BlobId {
        let hash: [u8; 32] = Sha256::digest(Context::LARGE.bytes(&[&self.hash])).into();
        let [id @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = hash;
        BlobId::new(id)
    }
}

fn may_be(bytes: u64) -> bool {
    bytes <= LARGE_BYTES_MAX && padding::blob_bytes(bytes) == Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::BLOB_PART_BYTES;

    #[test]
    fn a_reference_stands_for_its_bytes_alone() {
        let bytes = vec![7; 2 * BLOB_PART_BYTES];
        let large = Large::of(&bytes).unwrap();
        assert!(Large::parse(&large.to_bytes()) == Some(large) && large.is_of(&bytes));
        assert!(!large.is_of(&bytes[1..]) && !large.is_of(&vec![8; 2 * BLOB_PART_BYTES]));
        let other = Large::of(&vec![8; 2 * BLOB_PART_BYTES]).unwrap();
        assert!(large.blob() != other.blob());
    }

    #[test]
    fn what_stands_in_a_log_is_no_reference() {
        assert!(padding::ENTRY.iter().all(|bucket| Large::parse(&vec![1; *bucket]).is_none()));
        assert!(!padding::ENTRY.contains(&Large::LEN));
        for length in [0, 1, Large::LEN, 256, 8 << 10, (128 << 10) + 1, 16 << 20] {
            assert!(Large::of(&vec![1; length]).is_none());
        }
    }

    #[test]
    fn only_whole_blobs_are_stood_for() {
        let good = Large::of(&vec![7; 2 * BLOB_PART_BYTES]).unwrap().to_bytes();
        let with = |bytes: u64| {
            let mut changed = good;
            changed[1..9].copy_from_slice(&bytes.to_be_bytes());
            Large::parse(&changed).is_some()
        };
        assert!(with(256 << 10) && with(LARGE_BYTES_MAX));
        assert!(!with(0) && !with((256 << 10) - 1) && !with(LARGE_BYTES_MAX + (1 << 20)) && !with(u64::MAX));
        for version in [0, 2, 255] {
            assert!(Large::parse(&[&[version], &good[1..]].concat()).is_none());
        }
        assert!(Large::parse(&good[1..]).is_none() && Large::parse(&[&good[..], &[0]].concat()).is_none());
    }
}
