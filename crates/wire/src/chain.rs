//! The hash chain of a log: `chain_n = H(chain_{n-1}, digest_n)`, with SHA-256 for H.
//!
//! The service signs heads of it, members compare them, and a digest stays when its entry has expired. Idempotency ids
//! are no part of it (docs/decisions/0001): they are never served to readers, who must be able to recompute it.

use sha2::{Digest as _, Sha256};

use crate::{ChannelId, WrongLength, channel::Entry, context::Context};

/// SHA-256 of one entry's own content, without its place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

/// The chain's value after an entry: it commits to everything before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Chain([u8; 32]);

impl Digest {
    /// Of an entry that still has its body: H(kind, incarnation, epoch, expiry, installs, countersignature, H(body)); and of
    /// one that comes with a head slot, the slot's hash after all these.
    /// Of an expired one: what the entry says, which the chain then confirms or not.
    ///
    /// # Errors
    /// When an expired entry carries no 32-byte digest.
    pub fn of(entry: &Entry) -> Result<Self, WrongLength> {
        if entry.body.is_empty() {
            return Self::try_from(&entry.digest[..]);
        }
        let body: [u8; 32] = Sha256::digest(&entry.body).into();
        let (kind, incarnation, epoch, expiry_day) = (
            entry.kind.to_be_bytes(),
            entry.incarnation.to_be_bytes(),
            entry.epoch.to_be_bytes(),
            entry.expiry_day.to_be_bytes(),
        );
        let mut parts: Vec<&[u8]> =
            vec![&kind, &incarnation, &epoch, &expiry_day, &entry.installs, &entry.countersignature, &body];
        parts.extend(Some(&entry.slot_hash[..]).filter(|hash| !hash.is_empty()));
        Ok(Self(hash(Context::ENTRY, &parts)))
    }

    /// Its 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Chain {
    /// Of the empty log of a channel.
    pub fn start(channel: ChannelId) -> Self {
        Self(hash(Context::CHAIN, &[channel.as_bytes()]))
    }

    /// After one more entry.
    #[must_use]
    pub fn then(&self, digest: &Digest) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        hasher.update(digest.0);
        Self(hasher.finalize().into())
    }

    /// Its 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What the service's head key signs.
    pub fn signed_bytes(&self, channel: ChannelId, seq: u64) -> Vec<u8> {
        Context::HEAD.bytes(&[channel.as_bytes(), &seq.to_be_bytes(), &self.0])
    }
}

fn hash(context: Context, parts: &[&[u8]]) -> [u8; 32] {
    Sha256::digest(context.bytes(parts)).into()
}

impl TryFrom<&[u8]> for Digest {
    type Error = WrongLength;

    fn try_from(bytes: &[u8]) -> Result<Self, WrongLength> {
        bytes.try_into().map(Self).map_err(|_| WrongLength { expected: 32 })
    }
}

impl TryFrom<&[u8]> for Chain {
    type Error = WrongLength;

    fn try_from(bytes: &[u8]) -> Result<Self, WrongLength> {
        bytes.try_into().map(Self).map_err(|_| WrongLength { expected: 32 })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn entry() -> Entry {
        Entry {
            seq: 7,
            kind: 1,
            incarnation: 0,
            epoch: 3,
            expiry_day: 20_800,
            body: Bytes::from_static(&[5; 256]),
            ..Entry::default()
        }
    }

    /// Formats that outlive a process do not drift: these values are frozen.
    #[test]
    fn known_answers() {
        let digest = Digest::of(&entry()).unwrap();
        let chain = Chain::start(ChannelId::new([1; 16])).then(&digest);
        let hex = |bytes: &[u8; 32]| data_encoding::HEXLOWER.encode(bytes);
        assert_eq!(
            [hex(digest.as_bytes()), hex(chain.as_bytes())],
            [
                "d8baf050d5bec605585193a015621cefb51a0fd82bf8553d121a0ec3026f9416",
                "24990f1d0b9a94445357fcdffa9d2a207535809c0a49ac421e5a871b7398ec94",
            ]
        );
        let signed = [&[1; 16][..], &[0, 0, 0, 0, 0, 0, 0, 7], chain.as_bytes()];
        assert_eq!(chain.signed_bytes(ChannelId::new([1; 16]), 7), Context::HEAD.bytes(&signed));
    }

    #[test]
    fn every_field_but_the_place_counts() {
        let digest = |change: fn(&mut Entry)| {
            let mut entry = entry();
            change(&mut entry);
            *Digest::of(&entry).unwrap().as_bytes()
        };
        let same = digest(|entry| entry.seq = 8);
        let others = [
            digest(|entry| entry.kind = 2),
            digest(|entry| entry.incarnation = 1),
            digest(|entry| entry.epoch = 4),
            digest(|entry| entry.expiry_day = 1),
            digest(|entry| entry.installs = Bytes::from_static(&[1])),
            digest(|entry| entry.countersignature = Bytes::from_static(&[1])),
            digest(|entry| entry.body = Bytes::from_static(&[6; 256])),
            digest(|entry| entry.slot_hash = Bytes::from_static(&[1])),
        ];
        assert_eq!(same, digest(|_| ()));
        assert!(!others.contains(&same));
    }

    #[test]
    fn an_expired_entry_needs_its_digest() {
        assert!(Digest::of(&Entry::default()).is_err());
    }
}
