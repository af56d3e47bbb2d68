//! Registration and authentication: an account circuit speaks for a device.

use bytes::Bytes;
use undertone_wire::{AccountId, HandshakeHash, context::Context};

use crate::{CredentialError, DeviceKey, DeviceList, IdentityKey, PublicKey, RecoveryKey, SIGNATURE_LEN};

/// A device that has proven itself on a circuit, and was on its account's list then.
pub struct AuthenticatedDevice {
    account: AccountId,
    device: u32,
    key: PublicKey,
}

impl AuthenticatedDevice {
    /// Its account.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Its number on the list.
    pub fn device(&self) -> u32 {
        self.device
    }

    /// Whether it still has its place on a list: the same account, number and key.
    pub fn is_on(&self, list: &DeviceList) -> bool {
        list.account() == self.account && list.device(self.device).is_some_and(|device| device.key == self.key)
    }
}

/// The three signatures of a registration.
pub struct RegisterSignatures {
    /// By the recovery key.
    pub recovery: Bytes,
    /// By the identity key.
    pub identity: Bytes,
    /// By the device's key, as in [`authenticate`].
    pub device: Bytes,
}

/// Registers `list`, as its device `device`, on this circuit.
pub fn register(
    circuit: &HandshakeHash,
    list: &DeviceList,
    device: u32,
    (recovery_key, identity_key, device_key): (&RecoveryKey, &IdentityKey, &DeviceKey),
) -> RegisterSignatures {
    let account = list.account();
    let parts = [&circuit.as_bytes()[..], account.as_bytes()];
    RegisterSignatures {
        recovery: Bytes::copy_from_slice(&recovery_key.sign(&Context::REGISTER.bytes(&parts))),
        identity: Bytes::copy_from_slice(&identity_key.sign(&Context::REGISTER.bytes(&parts))),
        device: Bytes::copy_from_slice(&authenticate(circuit, account, device, device_key)),
    }
}

/// Checks a registration: all three keys were there, the list is an account's first kind (identity number 0), and its
/// one device is the one that registers.
///
/// # Errors
/// [`CredentialError::DeviceCount`], [`CredentialError::Malformed`], [`CredentialError::Signature`].
pub fn verify_register(
    circuit: &HandshakeHash,
    list: &DeviceList,
    signatures: &RegisterSignatures,
) -> Result<AuthenticatedDevice, CredentialError> {
    let [device] = list.devices() else {
        return Err(CredentialError::DeviceCount);
    };
    if list.order().identity_number != 0 {
        return Err(CredentialError::Malformed);
    }
    let account = list.account();
    let parts = [&circuit.as_bytes()[..], account.as_bytes()];
    list.recovery().verify(&Context::REGISTER.bytes(&parts), &signatures.recovery)?;
    list.identity().verify(&Context::REGISTER.bytes(&parts), &signatures.identity)?;
    verify_authenticate(circuit, list, device.number, &signatures.device)
}

/// Authenticates this circuit as a device.
pub fn authenticate(circuit: &HandshakeHash, account: AccountId, device: u32, key: &DeviceKey) -> [u8; SIGNATURE_LEN] {
    key.sign(&Context::AUTHENTICATE.bytes(&[circuit.as_bytes(), account.as_bytes(), &device.to_be_bytes()]))
}

/// Checks that a device of this list authenticated this circuit.
///
/// # Errors
/// [`CredentialError::NoDevice`], [`CredentialError::Signature`].
pub fn verify_authenticate(
    circuit: &HandshakeHash,
    list: &DeviceList,
    device: u32,
    signature: &[u8],
) -> Result<AuthenticatedDevice, CredentialError> {
    let account = list.account();
    let key = &list.device(device).ok_or(CredentialError::NoDevice)?.key;
    let parts = [&circuit.as_bytes()[..], account.as_bytes(), &device.to_be_bytes()];
    key.verify(&Context::AUTHENTICATE.bytes(&parts), signature)?;
    Ok(AuthenticatedDevice { account, device, key: *key })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Device,
        testing::{Person, rng},
    };

    const HERE: HandshakeHash = HandshakeHash::new([1; 32]);
    const ELSEWHERE: HandshakeHash = HandshakeHash::new([2; 32]);

    fn registration(person: &Person) -> RegisterSignatures {
        register(&HERE, &person.list, 1, (&person.recovery, &person.identity, &person.device))
    }

    #[test]
    fn a_device_authenticates_its_circuit() {
        let ana = Person::new(1);
        let account = ana.list.account();
        let signature = authenticate(&HERE, account, 1, &ana.device);
        let device = verify_authenticate(&HERE, &ana.list, 1, &signature).ok().unwrap();
        assert!(device.account() == account && device.device() == 1);
    }

    #[test]
    fn a_device_keeps_its_place_only_with_its_key() {
        let (ana, bo) = (Person::new(1), Person::new(2));
        let signature = authenticate(&HERE, ana.list.account(), 1, &ana.device);
        let device = verify_authenticate(&HERE, &ana.list, 1, &signature).ok().unwrap();
        let next = |number, key| {
            let devices = vec![Device { number, key, features: vec![] }];
            ana.list.next(&ana.identity, devices).ok().unwrap()
        };
        assert!(device.is_on(&ana.list) && device.is_on(&next(1, ana.device.public())));
        assert!(!device.is_on(&next(2, ana.device.public())));
        assert!(!device.is_on(&next(1, bo.device.public())));
        assert!(!device.is_on(&bo.list));
    }

    #[test]
    fn what_was_signed_for_another_purpose_authenticates_nothing() {
        let (ana, bo) = (Person::new(1), Person::new(2));
        let account = ana.list.account();
        let refused = |list: &DeviceList, device, signature: [u8; SIGNATURE_LEN]| {
            verify_authenticate(&HERE, list, device, &signature).err()
        };
        let wrong = Some(CredentialError::Signature);
        assert_eq!(refused(&ana.list, 1, authenticate(&ELSEWHERE, account, 1, &ana.device)), wrong);
        assert_eq!(refused(&ana.list, 1, authenticate(&HERE, bo.list.account(), 1, &ana.device)), wrong);
        assert_eq!(refused(&ana.list, 1, authenticate(&HERE, account, 2, &ana.device)), wrong);
        assert_eq!(refused(&ana.list, 1, authenticate(&HERE, account, 1, &bo.device)), wrong);
        let parts = [&HERE.as_bytes()[..], account.as_bytes(), &1u32.to_be_bytes()];
        assert_eq!(refused(&ana.list, 1, ana.device.sign(&Context::REGISTER.bytes(&parts))), wrong);
        let second = refused(&ana.list, 2, authenticate(&HERE, account, 2, &ana.device));
        assert_eq!(second, Some(CredentialError::NoDevice));
    }

    #[test]
    fn all_three_keys_register() {
        let (ana, bo) = (Person::new(1), Person::new(2));
        let device = verify_register(&HERE, &ana.list, &registration(&ana)).ok().unwrap();
        assert!(device.account() == ana.list.account() && device.device() == 1);

        let wrong = Some(CredentialError::Signature);
        assert_eq!(verify_register(&ELSEWHERE, &ana.list, &registration(&ana)).err(), wrong);
        let changes: [fn(&mut RegisterSignatures, &RegisterSignatures); 5] = [
            |signatures, bo| signatures.recovery = bo.recovery.clone(),
            |signatures, bo| signatures.identity = bo.identity.clone(),
            |signatures, bo| signatures.device = bo.device.clone(),
            |signatures, _| std::mem::swap(&mut signatures.recovery, &mut signatures.identity),
            |signatures, _| signatures.recovery = Bytes::new(),
        ];
        for change in changes {
            let mut signatures = registration(&ana);
            change(&mut signatures, &registration(&bo));
            assert_eq!(verify_register(&HERE, &ana.list, &signatures).err(), wrong);
        }
    }

    #[test]
    fn an_account_begins_with_one_device_and_its_first_identity() {
        let ana = Person::new(1);
        let mut devices = ana.list.devices().to_vec();
        devices.push(Device { number: 2, key: DeviceKey::generate(&mut rng(9)).public(), features: vec![] });
        let two = ana.list.next(&ana.identity, devices).ok().unwrap();
        let signatures = register(&HERE, &two, 1, (&ana.recovery, &ana.identity, &ana.device));
        assert_eq!(verify_register(&HERE, &two, &signatures).err(), Some(CredentialError::DeviceCount));

        let identity = IdentityKey::generate(&mut rng(9));
        let later = ana.list.next_identity(&ana.recovery, &identity, ana.list.devices().to_vec()).ok().unwrap();
        let signatures = register(&HERE, &later, 1, (&ana.recovery, &identity, &ana.device));
        assert_eq!(verify_register(&HERE, &later, &signatures).err(), Some(CredentialError::Malformed));
    }
}
