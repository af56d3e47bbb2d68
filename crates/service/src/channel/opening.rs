//! Openings: a circuit proves that it holds a channel's keys.
//!
//! A stranger learns nothing: an unknown channel, a wrong signature and a generation that never was get the same answer
//! after the same signature checks.

use undertone_credentials::{PublicKey, SIGNATURE_LEN, verify_open_read, verify_open_write};
use undertone_wire::{ChannelId, HandshakeHash, channel::Opening, circuit::Fault};

use super::rights::Rights;
use crate::request::{ensure, parse};

/// An opening whose form is right.
pub struct Claim {
    pub channel: ChannelId,
    opening: Opening,
}

/// The keys that open a generation.
pub struct Keys {
    pub read: [u8; 32],
    /// None for a generation that is over: nobody writes under it any more.
    pub write: Option<[u8; 32]>,
}

impl Claim {
    /// Checks the form of an opening.
    pub fn check(opening: Opening) -> Result<Self, Fault> {
        ensure(opening.read_signature.len() == SIGNATURE_LEN)?;
        ensure(matches!(opening.write_signature.len(), 0 | SIGNATURE_LEN))?;
        Ok(Self { channel: parse(&opening.channel)?, opening })
    }

    /// The generation that it is for.
    pub fn generation(&self) -> u32 {
        self.opening.generation
    }

    /// The newest entry that whoever opens it has.
    pub fn known(&self) -> u64 {
        self.opening.known
    }

    /// Checks its signatures with the keys of the generation, or with `decoy` where there is no such. All that was claimed
    /// must hold; but whoever means to write under a generation that is over could not know so, and may read.
    pub fn verify(&self, circuit: &HandshakeHash, keys: Option<&Keys>, decoy: &PublicKey) -> Option<Rights> {
        let Opening { generation, read_signature, write_signature, .. } = &self.opening;
        let key = |bytes: Option<&[u8; 32]>| PublicKey::try_from(bytes.unwrap_or(decoy.as_bytes())).unwrap_or(*decoy);
        let read_key = key(keys.map(|keys| &keys.read));
        let write_key = key(keys.and_then(|keys| keys.write.as_ref()));

        let read = verify_open_read(circuit, self.channel, *generation, &read_key, read_signature);
        let write = (!write_signature.is_empty())
            .then(|| verify_open_write(circuit, self.channel, *generation, &write_key, write_signature));

        match (keys?.write, read, write) {
            (None, Ok(_), _) | (Some(_), Ok(_), None) => Some(Rights::proven(*generation, false)),
            (Some(_), Ok(_), Some(Ok(_))) => Some(Rights::proven(*generation, true)),
            _ => None,
        }
    }
}
