//! What a base is made of.

use std::num::NonZeroUsize;

use undertone_wire::{AccountId, context::Context};

use crate::{DiscoveryError, DiscoverySecret, header::take, parallel::each, secret::WORDS, shape::ENTRIES_MAX};

const VERSION: u8 = 1;

/// What one entry of a base is made of. It is as public as the base.
#[derive(Clone, Copy)]
pub(crate) struct Member {
    /// What its buckets follow from.
    pub place: u64,
    /// Tag and hidden account.
    pub sealed: [u8; 2 * WORDS],
}

/// Entries of a base before they are placed: whoever keeps them can make the same base again.
pub struct Members {
    pub(crate) number: u32,
    pub(crate) members: Vec<Member>,
}

impl Members {
    /// None yet, for the base of this number.
    pub const fn new(number: u32) -> Self {
        Self { number, members: Vec::new() }
    }

    /// Adds some. Of several with one secret the last counts.
    pub fn add(&mut self, some: &[(DiscoverySecret, AccountId)], threads: NonZeroUsize) {
        // So many at once that threads have something to do, and so few that memory does not notice.
        const PART: usize = 1 << 12;
        let number = self.number;
        let mut parts: Vec<_> = some.chunks(PART).map(|part| (part, Vec::new())).collect();
        each(threads, &mut parts, |_, (part, members)| {
            members.extend(part.iter().map(|(secret, account)| {
                let mark = secret.mark(Context::DISCOVERY_BASE, number);
                Member { place: mark.place, sealed: mark.seal(account) }
            }));
        });
        self.members.extend(parts.into_iter().flat_map(|(_, members)| members));
    }

    /// How many there are, those included that do not count.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Its bytes, to be stored: 28 for each.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.number.to_be_bytes());
        for Member { place, sealed } in &self.members {
            bytes.extend_from_slice(&place.to_be_bytes());
            bytes.extend_from_slice(sealed);
        }
        bytes
    }

    /// As they were stored.
    ///
    /// # Errors
    /// [`DiscoveryError::Newer`], [`DiscoveryError::Malformed`], [`DiscoveryError::TooLarge`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DiscoveryError> {
        let mut rest = bytes;
        let [version] = take(&mut rest)?;
        if version != VERSION {
            return Err(if version == 0 { DiscoveryError::Malformed } else { DiscoveryError::Newer });
        }
        let number = u32::from_be_bytes(take(&mut rest)?);
        let (members, cut) = rest.as_chunks::<{ 8 + 2 * WORDS }>();
        if !cut.is_empty() {
            return Err(DiscoveryError::Malformed);
        }
        if members.len() > ENTRIES_MAX as usize {
            return Err(DiscoveryError::TooLarge);
        }
        let read = |bytes: &[u8; 8 + 2 * WORDS]| {
            let mut rest = &bytes[..];
            Ok(Member { place: u64::from_be_bytes(take(&mut rest)?), sealed: take(&mut rest)? })
        };
        Ok(Self { number, members: members.iter().map(read).collect::<Result<_, _>>()? })
    }

    /// One of each, in an order that does not depend on that in which they came.
    pub(crate) fn distinct(self) -> Vec<Member> {
        let mut members = self.members;
        members.reverse();
        let key = |member: &Member| (member.place, member.tag());
        // Stable: of equals the last that was added comes first, and stays.
        members.sort_by_key(key);
        members.dedup_by_key(|member| key(member));
        members
    }
}

impl Member {
    fn tag(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.sealed;
        [a, b, c, d]
    }
}
