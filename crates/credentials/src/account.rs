//! Account ids: who owns an account can be checked without asking any service.

use sha2::{Digest, Sha256};
use undertone_wire::{AccountId, context::Context};

use crate::PublicKey;

/// The account of these keys: the first 16 bytes of SHA-256 over (context, recovery key, first identity key).
///
/// Nobody can take over an id without finding a second preimage of 128 bits.
pub fn account_id(recovery: &PublicKey, first_identity: &PublicKey) -> AccountId {
    let hash = Sha256::digest(Context::ACCOUNT_ID.bytes(&[recovery.as_bytes(), first_identity.as_bytes()]));
    let mut id = [0; AccountId::LEN];
    id.iter_mut().zip(hash).for_each(|(byte, hashed)| *byte = hashed);
    AccountId::new(id)
}
