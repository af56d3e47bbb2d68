//! What all signed objects have in common: bounded bytes, a version, and a body that travels as it was signed.

use std::cmp::Ordering;

use undertone_wire::{Message, ladder};

use crate::CredentialError;

/// Parses bytes of a stated length at most.
pub fn decode<M: Message + Default>(bytes: &[u8], bytes_max: usize) -> Result<M, CredentialError> {
    if bytes.len() > bytes_max {
        return Err(CredentialError::Malformed);
    }
    M::decode(bytes).map_err(|_| CredentialError::Malformed)
}

/// Judges an object's version, before anything that a later one could have changed.
pub fn check_version(version: u32) -> Result<(), CredentialError> {
    match version.cmp(&ladder::OBJECTS) {
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(CredentialError::Newer),
        Ordering::Less => Err(CredentialError::Malformed),
    }
}
