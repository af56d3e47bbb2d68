//! What has changed since a base: one list a day, the same for everybody, in which everybody looks for himself.

use undertone_wire::{AccountId, context::Context};

use crate::{DiscoveryError, DiscoverySecret, header::take, table};

const VERSION: u8 = 1;
/// The account that stands in place of one which is gone. No account has this id, which is a hash.
const GONE: AccountId = AccountId::new([0; AccountId::LEN]);
/// Entries of a delta at the most: a tenth of the largest base.
const ENTRIES_MAX: usize = 20_000_000;

/// What has become of an identifier.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is this account's now.
    Added(AccountId),
    /// It is nobody's any more.
    Removed,
}

/// Changes of one day: additions and removals, which look alike.
#[derive(Clone)]
pub struct Delta {
    number: u32,
    table: Vec<u8>,
}

impl Delta {
    /// The bytes of the delta of these changes, which the service signs. Of several changes of one identifier the last
    /// counts. `seed`: of what fills it up.
    ///
    /// # Errors
    /// [`DiscoveryError::TooLarge`].
    pub fn build(
        number: u32,
        changes: &[(DiscoverySecret, Change)],
        seed: &[u8; 32],
    ) -> Result<Vec<u8>, DiscoveryError> {
        let mut entries = std::collections::BTreeMap::new();
        for (secret, change) in changes {
            let mark = secret.mark(Context::DISCOVERY_DELTA, number);
            let account = match change {
                Change::Added(account) => account,
                Change::Removed => &GONE,
            };
            entries.insert(mark.place, mark.pad(*account.as_bytes()));
        }
        let padded = padded(entries.len());
        if padded > ENTRIES_MAX {
            return Err(DiscoveryError::TooLarge);
        }
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&number.to_be_bytes());
        bytes.extend_from_slice(&table::write(entries.into_iter().collect(), padded, seed));
        Ok(bytes)
    }

    /// From its bytes, whose signature has been checked.
    ///
    /// # Errors
    /// [`DiscoveryError::Newer`] for another version, [`DiscoveryError::Malformed`] for a length that no delta has, or
    /// entries out of order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DiscoveryError> {
        let mut rest = bytes;
        let [version] = take(&mut rest)?;
        if version != VERSION {
            return Err(if version == 0 { DiscoveryError::Malformed } else { DiscoveryError::Newer });
        }
        let number = u32::from_be_bytes(take(&mut rest)?);
        let entries = table::entries(rest)?;
        if entries != padded(entries) || entries > ENTRIES_MAX {
            return Err(DiscoveryError::Malformed);
        }
        Ok(Self { number, table: rest.to_vec() })
    }

    /// Which delta this is.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// What this delta says of an identifier. None: nothing, or as of 2^-64 by chance.
    pub fn find(&self, secret: &DiscoverySecret) -> Option<Change> {
        let account = table::find(&self.table, secret, Context::DISCOVERY_DELTA, self.number)?;
        Some(if account == GONE { Change::Removed } else { Change::Added(account) })
    }
}

/// So many, or at most an eighth more, with four significant bits; at least 32.
fn padded(entries: usize) -> usize {
    let step = 1usize << entries.max(32).ilog2().saturating_sub(3);
    entries.max(32).next_multiple_of(step)
}
