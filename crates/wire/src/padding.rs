//! Padding to buckets: what the service may know of a size.
//!
//! A body on the wire is exactly one bucket long, whatever is added around the padded content by encryption; so the
//! caller states that overhead.

use zeroize::Zeroizing;

use crate::limits::{BLOB_BYTES_MAX, BLOB_PART_BYTES, LARGE_BYTES_MAX};

/// Sizes of a log entry's body. A self-update of a chat of two needs 4,202 bytes, hence 8 KiB.
pub const ENTRY: &[usize] = &[256, 512, 1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10];

/// Sizes of an inbox entry. A first letter carries a Welcome and a tree besides its messages.
pub const INBOX: &[usize] = &[16 << 10, 32 << 10, 128 << 10];

/// Sizes of a sealed vault.
pub const VAULT: &[usize] = &[8 << 10, 32 << 10, 96 << 10, crate::limits::VAULT_BYTES_MAX];

/// Sizes of a sealed profile: without an avatar, with a small one, with one.
pub const PROFILE: &[usize] = &[1 << 10, 16 << 10, 64 << 10];

/// Sizes of a sealed attribute of a group: a line, a text, an avatar.
pub const ATTRIBUTE: &[usize] = &[256, 1 << 10, 4 << 10, 32 << 10];

/// Size of what is told of the moment: the same as the smallest entry.
pub const TRANSIENT: &[usize] = &[256];

/// Sizes of a blob of one part.
const BLOB: &[usize] = &[16 << 10, 32 << 10, 64 << 10, BLOB_PART_BYTES];

/// The smallest size that a blob may have which holds so many bytes: one of four up to a [part](BLOB_PART_BYTES), above that
/// as many parts as a number with four significant bits says. So at most an eighth is padding, and there are few sizes.
/// None: it is too long.
pub fn blob_bytes(bytes: u64) -> Option<u64> {
    const PART: u64 = BLOB_PART_BYTES as u64;
    if let Some(bucket) = BLOB.iter().find(|bucket| **bucket as u64 >= bytes) {
        return Some(*bucket as u64);
    }
    if bytes > BLOB_BYTES_MAX {
        return None;
    }
    let parts = bytes.div_ceil(PART);
    let step = 1 << parts.ilog2().saturating_sub(3);
    Some(parts.next_multiple_of(step) * PART)
}

/// The size of a commit, or of a head slot, of so many bytes: a bucket of [`ENTRY`], or a [blob](blob_bytes) where it is too large
/// for a log. None: it is too long.
pub fn commit_bytes(bytes: usize) -> Option<usize> {
    if let Some(bucket) = ENTRY.iter().find(|bucket| **bucket >= bytes) {
        return Some(*bucket);
    }
    let large = blob_bytes(bytes as u64).filter(|large| *large <= LARGE_BYTES_MAX)?;
    usize::try_from(large).ok()
}

/// The content does not fit into the largest bucket, or a padded one has no valid length in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaddingError {
    /// Larger than the largest bucket.
    #[error("too long for the largest padding bucket")]
    TooLong,
    /// The stated length does not fit, or the padding is not zero.
    #[error("not a padded content")]
    Invalid,
}

/// Bytes of the length before a padded content.
pub const LENGTH: usize = 4;

/// `length as u32, big-endian || content || zeros`, so long that with `overhead` it fills the smallest bucket that
/// fits.
///
/// # Errors
/// [`PaddingError::TooLong`].
pub fn pad(content: &[u8], overhead: usize, buckets: &[usize]) -> Result<Zeroizing<Vec<u8>>, PaddingError> {
    let needed = LENGTH + content.len() + overhead;
    let bucket = buckets.iter().find(|bucket| **bucket >= needed).ok_or(PaddingError::TooLong)?;
    let length = u32::try_from(content.len()).map_err(|_| PaddingError::TooLong)?;
    let mut out = Zeroizing::new(Vec::with_capacity(bucket - overhead));
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(content);
    out.resize(bucket - overhead, 0);
    Ok(out)
}

/// The content of a padded one.
///
/// # Errors
/// [`PaddingError::Invalid`].
pub fn unpad(padded: &[u8]) -> Result<&[u8], PaddingError> {
    let (length, rest) = padded.split_first_chunk::<LENGTH>().ok_or(PaddingError::Invalid)?;
    let length = u32::from_be_bytes(*length) as usize;
    let (content, zeros) = rest.split_at_checked(length).ok_or(PaddingError::Invalid)?;
    if zeros.iter().any(|byte| *byte != 0) {
        return Err(PaddingError::Invalid);
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn round_trip(content in proptest::collection::vec(any::<u8>(), 0..70_000), overhead in 0usize..64) {
            match pad(&content, overhead, ENTRY) {
                Ok(padded) => {
                    prop_assert!(ENTRY.contains(&(padded.len() + overhead)));
                    prop_assert_eq!(unpad(&padded).unwrap(), &content[..]);
                }
                Err(error) => {
                    prop_assert_eq!(error, PaddingError::TooLong);
                    prop_assert!(content.len() + overhead + LENGTH > 65_536);
                }
            }
        }

        #[test]
        fn any_bytes_unpad_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = unpad(&bytes);
        }
    }

    /// What a size tells is told to the service, and what it takes it takes for good.
    #[test]
    fn buckets_stay_as_they_are() {
        assert_eq!(ENTRY, [256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768, 65_536]);
        assert_eq!(INBOX, [16_384, 32_768, 131_072]);
        assert_eq!(VAULT, [8_192, 32_768, 98_304, 196_608]);
        assert_eq!(PROFILE, [1_024, 16_384, 65_536]);
        assert_eq!(ATTRIBUTE, [256, 1_024, 4_096, 32_768]);
        assert_eq!(TRANSIENT, [256]);
        let sizes: BTreeSet<_> = (0..).map_while(|kib: u64| blob_bytes(kib << 10)).map(|bytes| bytes >> 10).collect();
        let parts = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        let larger = (4..9).flat_map(|bits| (8..16).map(move |four: u64| four << (bits - 3)));
        let parts = parts.into_iter().chain(larger).chain([512]).map(|parts| parts * 128);
        assert!(sizes == [16, 32, 64].into_iter().chain(parts).collect());
    }

    #[test]
    fn a_blob_has_little_padding() {
        for bytes in (0..BLOB_BYTES_MAX).step_by(77_777) {
            let padded = blob_bytes(bytes).unwrap();
            assert!(padded >= bytes && blob_bytes(padded) == Some(padded));
            assert!(bytes < BLOB_PART_BYTES as u64 || padded - bytes <= BLOB_PART_BYTES as u64 + bytes / 8);
        }
        assert!(blob_bytes(BLOB_BYTES_MAX + 1).is_none() && blob_bytes(u64::MAX).is_none());
    }

    #[test]
    fn a_large_commit_is_as_long_as_a_blob() {
        assert!(ENTRY.iter().all(|bucket| commit_bytes(*bucket) == Some(*bucket)));
        assert_eq!(commit_bytes((64 << 10) + 1), Some(128 << 10));
        assert_eq!(commit_bytes(3_000_000), Some(24 << 17));
        assert_eq!(commit_bytes(8 << 20), Some(8 << 20));
        assert_eq!((commit_bytes((8 << 20) + 1), commit_bytes(usize::MAX)), (None, None));
    }

    #[test]
    fn a_bucket_is_filled_to_its_last_byte() {
        for overhead in [0, 1, 16, 40] {
            let size = |length: usize| pad(&vec![1; length], overhead, INBOX).map(|padded| padded.len() + overhead);
            for (at, bucket) in INBOX.iter().enumerate() {
                let longest = bucket - overhead - LENGTH;
                assert_eq!(size(longest), Ok(*bucket));
                assert_eq!(size(longest + 1), INBOX.get(at + 1).copied().ok_or(PaddingError::TooLong));
            }
        }
    }

    #[test]
    fn bad_padding_is_refused() {
        assert_eq!(unpad(&[]), Err(PaddingError::Invalid));
        assert_eq!(unpad(&[0, 0, 0, 1]), Err(PaddingError::Invalid));
        assert_eq!(unpad(&[0, 0, 0, 0, 1]), Err(PaddingError::Invalid));
        assert_eq!(unpad(&[255; 8]), Err(PaddingError::Invalid));
    }
}
