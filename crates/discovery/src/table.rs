//! Hidden entries in the order of their tags, to be looked into by whoever has a secret: small bases, and deltas.
//!
//! An entry is `tag (8) || account id xor pad (16)`, both from the secret, the context and the number. Tags are
//! pseudorandom, so their order is a shuffle, and entries that only fill up are like all others. Without a secret, an entry
//! tells nothing, and no two tables have anything in common.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use undertone_wire::{AccountId, context::Context};

use crate::{DiscoveryError, DiscoverySecret};

const TAG_LEN: usize = 8;
const ENTRY_LEN: usize = TAG_LEN + AccountId::LEN;

/// An entry before it is written.
pub type Hidden = (u64, [u8; AccountId::LEN]);

/// Bytes of a table.
pub const fn table_len(entries: usize) -> usize {
    entries * ENTRY_LEN
}

/// The table of these, of which no two have one tag, filled up by entries of nobody.
pub fn write(mut entries: Vec<Hidden>, padded: usize, seed: &[u8; 32]) -> Vec<u8> {
    let mut rng = ChaCha20Rng::from_seed(*seed);
    while entries.len() < padded {
        let mut hidden = [0; AccountId::LEN];
        rng.fill_bytes(&mut hidden);
        entries.push((rng.next_u64(), hidden));
    }
    entries.sort_unstable();
    let bytes = entries.iter().flat_map(|(tag, hidden)| tag.to_be_bytes().into_iter().chain(*hidden));
    bytes.collect()
}

/// How many entries these bytes are.
///
/// # Errors
/// [`DiscoveryError::Malformed`] for a length that is no number of entries, or tags out of order.
pub fn entries(table: &[u8]) -> Result<usize, DiscoveryError> {
    let (entries, rest) = table.as_chunks::<ENTRY_LEN>();
    if rest.is_empty() && entries.is_sorted() { Ok(entries.len()) } else { Err(DiscoveryError::Malformed) }
}

/// What stands in the table for a secret.
pub fn find(table: &[u8], secret: &DiscoverySecret, context: Context, number: u32) -> Option<AccountId> {
    let mark = secret.mark(context, number);
    let (entries, _) = table.as_chunks::<ENTRY_LEN>();
    let tag = mark.place.to_be_bytes();
    let found = entries.binary_search_by(|entry| entry.split_at(TAG_LEN).0.cmp(&tag)).ok()?;
    let hidden = entries.get(found)?.split_at(TAG_LEN).1.try_into().ok()?;
    Some(AccountId::new(mark.pad(hidden)))
}
