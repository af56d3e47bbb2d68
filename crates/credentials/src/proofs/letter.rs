//! Letters: who wrote what is sealed into an inbox.

use undertone_wire::{AccountId, context::Context};

use crate::{CredentialError, DeviceKey, DeviceList, SIGNATURE_LEN};

/// Signs a letter to an account, so that it cannot be passed on as a letter to somebody else.
pub fn sign_letter(key: &DeviceKey, recipient: AccountId, letter: &[u8]) -> [u8; SIGNATURE_LEN] {
    key.sign(&Context::LETTER.bytes(&[recipient.as_bytes(), letter]))
}

/// Checks that a device of the sender's list wrote this letter to this recipient.
///
/// # Errors
/// [`CredentialError::NoDevice`], [`CredentialError::Signature`].
pub fn verify_letter(
    sender: &DeviceList,
    device: u32,
    recipient: AccountId,
    letter: &[u8],
    signature: &[u8],
) -> Result<(), CredentialError> {
    let device = sender.device(device).ok_or(CredentialError::NoDevice)?;
    device.key.verify(&Context::LETTER.bytes(&[recipient.as_bytes(), letter]), signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Person;

    #[test]
    fn a_letter_is_by_one_device_for_one_recipient() {
        let (ana, bo, cy) = (Person::new(1), Person::new(2), Person::new(3));
        let (to_bo, to_cy) = (bo.list.account(), cy.list.account());
        let signature = sign_letter(&ana.device, to_bo, b"hello");
        let refused = Err(CredentialError::Signature);
        assert_eq!(verify_letter(&ana.list, 1, to_bo, b"hello", &signature), Ok(()));
        assert_eq!(verify_letter(&ana.list, 1, to_cy, b"hello", &signature), refused);
        assert_eq!(verify_letter(&ana.list, 1, to_bo, b"hullo", &signature), refused);
        assert_eq!(verify_letter(&cy.list, 1, to_bo, b"hello", &signature), refused);
        assert_eq!(verify_letter(&ana.list, 2, to_bo, b"hello", &signature), Err(CredentialError::NoDevice));
    }
}
