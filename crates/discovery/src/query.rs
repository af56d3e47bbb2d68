//! A query as the service reads it.

use crate::{
    DiscoveryError, Header,
    masks::by_blocks,
    ntt::DEGREE,
    pack::{packed_len, unpack},
    ring::{Line, QUERY_BITS, ring},
    shape::Shape,
    simd::{Backend, vectorized},
};

/// The bodies of somebody's ciphertexts, transformed; the masks are the base's.
pub struct Query {
    pub(crate) shape: Shape,
    /// By block: one line for each power.
    powers: Vec<Vec<Line>>,
    /// By block: for each word of a group, one line for each digit.
    keys: Vec<Vec<Line>>,
}

impl Query {
    /// Lines of the powers in one block.
    #[inline(always)]
    pub(crate) fn powers(&self, block: usize) -> &[Line] {
        self.powers.get(block).map(Vec::as_slice).unwrap_or_default()
    }

    /// Lines of the keys, in one block, that a word's digits are switched by.
    #[inline(always)]
    pub(crate) fn key(&self, block: usize, word: usize) -> &[[Line; 1]] {
        let (switched, keys) = (self.shape.switched(), self.keys.get(block));
        let start = word % usize::from(self.shape.shared) * switched;
        keys.and_then(|keys| keys.get(start..start + switched)).unwrap_or_default().as_chunks().0
    }

    /// Any bytes of the right length are a query; nobody can tell whether it makes sense.
    ///
    /// # Errors
    /// [`DiscoveryError::Rows`] if the base is a table, [`DiscoveryError::Length`].
    pub fn from_bytes(header: &Header, bytes: &[u8]) -> Result<Self, DiscoveryError> {
        let shape = header.shape;
        if shape.rows == 0 {
            return Err(DiscoveryError::Rows);
        }
        if bytes.len() != shape.query_len() {
            return Err(DiscoveryError::Length);
        }
        let backend = Backend::best();
        let elements: Vec<_> =
            bytes.chunks_exact(packed_len(DEGREE, QUERY_BITS)).map(|body| read(backend, body)).collect();
        let (powers, keys) = elements.split_at_checked(shape.columns.into()).ok_or(DiscoveryError::Length)?;
        let blocks = |elements: &[Vec<Line>]| by_blocks(elements.iter().map(Vec::as_slice));
        Ok(Self { shape, powers: blocks(powers), keys: blocks(keys) })
    }
}

vectorized! {
    /// A body, by its values.
    fn read(body: &[u8]) -> Vec<Line> {
        let mut fractions = [0; DEGREE];
        unpack::<QUERY_BITS>(body, &mut fractions);
        ring().scale(&fractions).to_vec()
    }
}
