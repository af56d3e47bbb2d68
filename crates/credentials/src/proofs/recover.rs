//! Recovery: an account circuit speaks for the recovery key, where no device is left that could speak.

use undertone_wire::{HandshakeHash, context::Context};

use crate::{CredentialError, DeviceList, PublicKey, RecoveryKey, SIGNATURE_LEN};

/// A recovery key that was there on a circuit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ProvenRecovery {
    key: PublicKey,
}

impl ProvenRecovery {
    /// The key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Whether the account of a list is this key's.
    pub fn is_of(&self, list: &DeviceList) -> bool {
        list.recovery() == &self.key
    }
}

/// Proves the recovery key on this circuit. No account is named: the key alone is what the words give.
pub fn recover(circuit: &HandshakeHash, key: &RecoveryKey) -> [u8; SIGNATURE_LEN] {
    key.sign(&Context::RECOVER.bytes(&[circuit.as_bytes(), key.public().as_bytes()]))
}

/// Checks that a recovery key was proven on this circuit.
///
/// # Errors
/// [`CredentialError::Key`], [`CredentialError::Signature`].
pub fn verify_recover(
    circuit: &HandshakeHash,
    recovery_key: &[u8],
    signature: &[u8],
) -> Result<ProvenRecovery, CredentialError> {
    let key = PublicKey::try_from(recovery_key)?;
    key.verify(&Context::RECOVER.bytes(&[circuit.as_bytes(), key.as_bytes()]), signature)?;
    Ok(ProvenRecovery { key })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Person;

    const HERE: HandshakeHash = HandshakeHash::new([1; 32]);
    const ELSEWHERE: HandshakeHash = HandshakeHash::new([2; 32]);

    #[test]
    fn a_recovery_key_speaks_for_its_account_on_its_circuit() {
        let (ana, bo) = (Person::new(1), Person::new(2));
        let key = ana.recovery.public();
        let proven = verify_recover(&HERE, key.as_bytes(), &recover(&HERE, &ana.recovery)).ok().unwrap();
        assert!(proven.key() == &key && proven.is_of(&ana.list) && !proven.is_of(&bo.list));

        let wrong = Some(CredentialError::Signature);
        let refused = |signature: &[u8]| verify_recover(&HERE, key.as_bytes(), signature).err();
        assert_eq!(refused(&recover(&ELSEWHERE, &ana.recovery)), wrong);
        assert_eq!(refused(&recover(&HERE, &bo.recovery)), wrong);
        assert_eq!(refused(&[]), wrong);
        let parts = [&HERE.as_bytes()[..], key.as_bytes()];
        assert_eq!(refused(&ana.recovery.sign(&Context::REGISTER.bytes(&parts))), wrong);
        let signature = recover(&HERE, &ana.recovery);
        assert_eq!(verify_recover(&HERE, &key.as_bytes()[1..], &signature).err(), Some(CredentialError::Key));
        assert_eq!(verify_recover(&HERE, &[0; 32], &signature).err(), Some(CredentialError::Key));
    }
}
