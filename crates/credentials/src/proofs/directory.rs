//! The directory: what the service says there is, and who gives a listing up.

use sha2::{Digest as _, Sha256};
use undertone_wire::{AccountId, HandshakeHash, Identifier, context::Context};

use crate::{CredentialError, HeadKey, PublicKey, RecoveryKey, SIGNATURE_LEN};

/// Signs the head of a directory (`directory.Head`, encoded).
pub fn sign_directory(key: &HeadKey, head: &[u8]) -> [u8; SIGNATURE_LEN] {
    key.sign(&directory_bytes(head))
}

/// Checks that the service has signed the head of a directory.
///
/// # Errors
/// [`CredentialError::Signature`].
pub fn verify_directory(key: &PublicKey, head: &[u8], signature: &[u8]) -> Result<(), CredentialError> {
    key.verify(&directory_bytes(head), signature)
}

fn directory_bytes(head: &[u8]) -> Vec<u8> {
    Context::DIRECTORY_HEAD.bytes(&[&Sha256::digest(head)])
}

/// Gives a listing up: whoever has this recovery key lets the account of this circuit take its place.
pub fn give_listing(
    circuit: &HandshakeHash,
    key: &RecoveryKey,
    to: AccountId,
    identifier: &Identifier,
) -> [u8; SIGNATURE_LEN] {
    key.sign(&listing_bytes(circuit, to, identifier))
}

/// Checks that a listing is given up.
///
/// # Errors
/// [`CredentialError::Key`], [`CredentialError::Signature`].
pub fn verify_give_listing(
    circuit: &HandshakeHash,
    recovery_key: &[u8],
    to: AccountId,
    identifier: &Identifier,
    signature: &[u8],
) -> Result<(), CredentialError> {
    PublicKey::try_from(recovery_key)?.verify(&listing_bytes(circuit, to, identifier), signature)
}

fn listing_bytes(circuit: &HandshakeHash, to: AccountId, identifier: &Identifier) -> Vec<u8> {
    Context::TAKE_LISTING.bytes(&[circuit.as_bytes(), to.as_bytes(), &identifier.bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Person;

    #[test]
    fn a_head_is_the_service_s() {
        let (key, other) = (HeadKey::from_seed(&[1; 32]), HeadKey::from_seed(&[2; 32]));
        let signature = sign_directory(&key, b"head");
        assert_eq!(verify_directory(&key.public(), b"head", &signature), Ok(()));
        let refused = Err(CredentialError::Signature);
        assert_eq!(verify_directory(&key.public(), b"Head", &signature), refused);
        assert_eq!(verify_directory(&other.public(), b"head", &signature), refused);
        assert_eq!(verify_directory(&key.public(), b"head", &signature[1..]), refused);
    }

    #[test]
    fn a_listing_is_given_to_one_on_one_circuit() {
        let (ana, bo) = (Person::new(1), Person::new(2));
        let (here, elsewhere) = (HandshakeHash::new([1; 32]), HandshakeHash::new([2; 32]));
        let (phone, email) = (Identifier::phone("+41791234567").unwrap(), Identifier::email("a@b.org").unwrap());
        let (to, recovery) = (bo.list.account(), ana.recovery.public());
        let signature = give_listing(&here, &ana.recovery, to, &phone);
        let verify = |circuit, key: &PublicKey, to, identifier| {
            verify_give_listing(circuit, key.as_bytes(), to, identifier, &signature)
        };
        assert_eq!(verify(&here, &recovery, to, &phone), Ok(()));
        let refused = Err(CredentialError::Signature);
        assert_eq!(verify(&elsewhere, &recovery, to, &phone), refused);
        assert_eq!(verify(&here, &bo.recovery.public(), to, &phone), refused);
        assert_eq!(verify(&here, &recovery, ana.list.account(), &phone), refused);
        assert_eq!(verify(&here, &recovery, to, &email), refused);
    }
}
