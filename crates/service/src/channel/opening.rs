//! Openings: a circuit proves that it holds a channel's keys.
//!
//! A stranger learns nothing: an unknown channel, a wrong signature and an old generation get the same answer after the
//! same signature checks.

use undertone_credentials::{PublicKey, ReadOpening, SIGNATURE_LEN, WriteOpening, verify_open_read, verify_open_write};
use undertone_store::StoredChannel;
use undertone_wire::{ChannelId, HandshakeHash, channel::Opening, circuit::Fault};

use crate::request::{ensure, parse};

/// An opening whose form is right.
pub struct Claim {
    pub channel: ChannelId,
    opening: Opening,
}

/// What a circuit may do in a channel.
#[derive(Clone, Copy)]
pub struct Rights {
    pub read: ReadOpening,
    pub write: Option<WriteOpening>,
}

impl Claim {
    /// Checks the form of an opening.
    pub fn check(opening: Opening) -> Result<Self, Fault> {
        ensure(opening.read_signature.len() == SIGNATURE_LEN)?;
        ensure(matches!(opening.write_signature.len(), 0 | SIGNATURE_LEN))?;
        Ok(Self { channel: parse(&opening.channel)?, opening })
    }

    /// Checks its signatures with the keys of the channel, or with `decoy` where there is no such channel. All that was
    /// claimed must hold.
    pub fn verify(&self, circuit: &HandshakeHash, stored: Option<&StoredChannel>, decoy: &PublicKey) -> Option<Rights> {
        let Opening { generation, read_signature, write_signature, .. } = &self.opening;
        let key = |bytes: Option<&[u8; 32]>| PublicKey::try_from(bytes.unwrap_or(decoy.as_bytes())).unwrap_or(*decoy);
        let read_key = key(stored.map(|stored| &stored.read_key));
        let write_key = key(stored.map(|stored| &stored.write_key));

        let read = verify_open_read(circuit, self.channel, *generation, &read_key, read_signature);
        let write = (!write_signature.is_empty())
            .then(|| verify_open_write(circuit, self.channel, *generation, &write_key, write_signature));

        let current = stored.is_some_and(|stored| stored.generation == *generation);
        match (current, read, write) {
            (true, Ok(read), None) => Some(Rights { read, write: None }),
            (true, Ok(read), Some(Ok(write))) => Some(Rights { read, write: Some(write) }),
            _ => None,
        }
    }
}
