//! What everybody knows of a base, and the service signs.

use undertone_wire::context::Context;

use crate::{DiscoveryError, shape::Shape};

/// Version of the header, and of all that is computed by it.
const VERSION: u8 = 1;
/// Bytes of a header.
const LEN: usize = 1 + 4 + 4 + 4 + 2 + 2 + 1 + 8 + HASH_LEN;
/// Bytes of a download's hash.
pub const HASH_LEN: usize = 32;

/// A base as everybody sees it: which it is, how large, where entries stand in it, and the hash of its download.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    pub(crate) number: u32,
    pub(crate) through: u32,
    pub(crate) shape: Shape,
    pub(crate) salt: u64,
    pub(crate) hash: [u8; HASH_LEN],
}

impl Header {
    /// Which base this is: entries of different ones have nothing in common.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The last delta whose changes are in this base.
    pub fn through(&self) -> u32 {
        self.through
    }

    /// How many entries it has, with padding.
    pub fn entries(&self) -> u32 {
        self.shape.entries
    }

    /// Rows of an answer. None: it is a table, in which everybody looks for himself.
    pub fn rows(&self) -> u32 {
        self.shape.rows.into()
    }

    /// Bytes of the download: the table, or what all answers have in common.
    pub fn download_len(&self) -> usize {
        self.shape.download_len()
    }

    /// SHA-256 of the download.
    pub fn download_hash(&self) -> &[u8; HASH_LEN] {
        &self.hash
    }

    /// Bytes of a query.
    pub fn query_len(&self) -> usize {
        self.shape.query_len()
    }

    /// Bytes of one row of an answer.
    pub fn row_len(&self) -> usize {
        self.shape.row_len()
    }

    /// Bytes of an answer.
    pub fn answer_len(&self) -> usize {
        usize::from(self.shape.rows) * self.shape.row_len()
    }

    /// The seed of the masks that all queries to this base are made with.
    pub(crate) fn mask_seed(&self) -> [u8; 32] {
        use sha2::Digest as _;
        let bytes = self.to_bytes();
        let (known, _) = bytes.split_at(LEN - HASH_LEN);
        sha2::Sha256::digest(Context::DISCOVERY_MASKS.bytes(&[known])).into()
    }

    /// Its bytes, to be signed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self { number, through, shape: Shape { entries, rows, columns, shared }, salt, hash } = self;
        let mut out = Vec::with_capacity(LEN);
        out.push(VERSION);
        [number, through, entries].iter().for_each(|word| out.extend_from_slice(&word.to_be_bytes()));
        [rows, columns].iter().for_each(|word| out.extend_from_slice(&word.to_be_bytes()));
        out.push(*shared);
        out.extend_from_slice(&salt.to_be_bytes());
        out.extend_from_slice(hash);
        out
    }

    /// From its bytes, whose signature has been checked.
    ///
    /// # Errors
    /// [`DiscoveryError::Newer`] for another version, [`DiscoveryError::Malformed`] for another length, or a shape that no
    /// service of this version makes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DiscoveryError> {
        let mut rest = bytes;
        let [version] = take(&mut rest)?;
        if version != VERSION {
            return Err(if version == 0 { DiscoveryError::Malformed } else { DiscoveryError::Newer });
        }
        let number = u32::from_be_bytes(take(&mut rest)?);
        let through = u32::from_be_bytes(take(&mut rest)?);
        let entries = u32::from_be_bytes(take(&mut rest)?);
        let rows = u16::from_be_bytes(take(&mut rest)?);
        let columns = u16::from_be_bytes(take(&mut rest)?);
        let [shared] = take(&mut rest)?;
        let salt = u64::from_be_bytes(take(&mut rest)?);
        let hash = take(&mut rest)?;
        let shape = Shape { entries, rows, columns, shared };
        shape.check()?;
        if rest.is_empty() { Ok(Self { number, through, shape, salt, hash }) } else { Err(DiscoveryError::Malformed) }
    }
}

/// The next bytes of what is read.
///
/// # Errors
/// [`DiscoveryError::Malformed`] if there are not so many.
pub(crate) fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], DiscoveryError> {
    let (bytes, behind) = rest.split_first_chunk().ok_or(DiscoveryError::Malformed)?;
    *rest = behind;
    Ok(*bytes)
}
