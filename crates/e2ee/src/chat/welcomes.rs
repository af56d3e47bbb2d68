//! A Welcome for many, cut into one for each.
//!
//! A Welcome (RFC 9420, section 12.4.3.1) holds one share for each device that its commit adds, and what all of them read. Each
//! needs no more than its own; of a thousand shares that is a megabyte less for everybody.

use bytes::Bytes;
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _, VLBytes};

use crate::{E2eeError, Flaw};

/// Version, wire format and ciphersuite, which stand before the shares.
const HEADER_LEN: usize = 3 * 2;

/// A Welcome, taken apart.
pub struct Welcomes<'a> {
    header: &'a [u8],
    shares: Vec<&'a [u8]>,
    group_info: &'a [u8],
}

impl<'a> Welcomes<'a> {
    /// Takes a Welcome of our own apart.
    ///
    /// # Errors
    /// [`Flaw::Malformed`].
    pub fn parse(welcome: &'a [u8]) -> Result<Self, E2eeError> {
        let (header, rest) = welcome.split_at_checked(HEADER_LEN).ok_or(Flaw::Malformed)?;
        let mut group_info = rest;
        // Both are encoded as bytes with their length before them.
        let shares_len = skip(&mut group_info)?;
        let (_, inside) = rest.split_at_checked(rest.len() - group_info.len() - shares_len).ok_or(Flaw::Malformed)?;
        let mut inside = inside.get(..shares_len).ok_or(Flaw::Malformed)?;
        let mut shares = Vec::new();
        while !inside.is_empty() {
            let before = inside;
            // KeyPackageRef, and the two parts of an HPKECiphertext.
            for _ in 0..3 {
                skip(&mut inside)?;
            }
            shares.push(before.get(..before.len() - inside.len()).ok_or(Flaw::Malformed)?);
        }
        Ok(Self { header, shares, group_info })
    }

    /// How many devices it is for, in the order in which its commit adds them.
    pub fn count(&self) -> usize {
        self.shares.len()
    }

    /// The Welcome of some of them, by their places.
    ///
    /// # Errors
    /// [`Flaw::Malformed`] when there is no such place.
    pub fn of(&self, places: impl IntoIterator<Item = usize>) -> Result<Bytes, E2eeError> {
        let mut shares = Vec::new();
        for place in places {
            shares.extend_from_slice(self.shares.get(place).ok_or(Flaw::Malformed)?);
        }
        let shares = VLBytes::new(shares).tls_serialize_detached().map_err(|_| E2eeError::Internal)?;
        Ok([self.header, &shares, self.group_info].concat().into())
    }
}

/// Passes over bytes with their length before them. Returns how many they are.
fn skip(bytes: &mut &[u8]) -> Result<usize, Flaw> {
    VLBytes::tls_deserialize(bytes).map(|skipped| skipped.as_slice().len()).map_err(|_| Flaw::Malformed)
}
