//! Key packages: what others add a device to a chat with. One-time ones are handed out once; a last resort stays.

use bytes::Bytes;
use undertone_wire::{
    AccountId, Day, Message,
    context::Context,
    ladder,
    limits::{CLOCK_SKEW_DAYS, KEY_PACKAGE_BYTES_MAX},
    objects,
};

use crate::{CredentialError, DeviceKey, DeviceList, signed};

/// A key package that a device on its owner's list vouches for.
#[derive(Clone)]
pub struct KeyPackage {
    device: u32,
    expiry_day: Day,
    last_resort: bool,
    mls: Bytes,
    encoded: Bytes,
}

impl KeyPackage {
    /// Makes a SignedKeyPackage of an MLS KeyPackage (RFC 9420, section 10), opaque here.
    pub fn sign(
        key: &DeviceKey,
        account: AccountId,
        device: u32,
        expiry_day: Day,
        last_resort: bool,
        mls: Bytes,
    ) -> Bytes {
        let body: Bytes =
            objects::KeyPackage { version: ladder::OBJECTS, device, expiry_day: expiry_day.0, last_resort, mls }
                .encode_to_vec()
                .into();
        let signature = key.sign(&Context::KEY_PACKAGE.bytes(&[account.as_bytes(), &body]));
        objects::SignedKeyPackage { body, signature: Bytes::copy_from_slice(&signature) }.encode_to_vec().into()
    }

    /// Checks a SignedKeyPackage against its owner's list. Its age is judged by who adds it, and only by him
    /// ([`Self::is_current`]); that the MLS inside has the same signature key, by `e2ee`.
    ///
    /// # Errors
    /// When it is malformed, of a newer version, or not by a device of this list for this account.
    pub fn verify(list: &DeviceList, bytes: &[u8]) -> Result<Self, CredentialError> {
        let outer: objects::SignedKeyPackage = signed::decode(bytes, KEY_PACKAGE_BYTES_MAX)?;
        let body: objects::KeyPackage = signed::decode(&outer.body, KEY_PACKAGE_BYTES_MAX)?;
        signed::check_version(body.version)?;
        if body.mls.is_empty() {
            return Err(CredentialError::Malformed);
        }
        let device = list.device(body.device).ok_or(CredentialError::NoDevice)?;
        device.key.verify(&Context::KEY_PACKAGE.bytes(&[list.account().as_bytes(), &outer.body]), &outer.signature)?;
        Ok(Self {
            device: body.device,
            expiry_day: Day(body.expiry_day),
            last_resort: body.last_resort,
            mls: body.mls,
            encoded: Bytes::copy_from_slice(bytes),
        })
    }

    /// The device that it adds.
    pub fn device(&self) -> u32 {
        self.device
    }

    /// After this day nobody adds it.
    pub fn expiry_day(&self) -> Day {
        self.expiry_day
    }

    /// Whether it may be used more than once.
    pub fn last_resort(&self) -> bool {
        self.last_resort
    }

    /// The MLS KeyPackage.
    pub fn mls(&self) -> &Bytes {
        &self.mls
    }

    /// The SignedKeyPackage, byte for byte.
    pub fn encoded(&self) -> &Bytes {
        &self.encoded
    }

    /// Whether one may still add it, clocks being what they are.
    pub fn is_current(&self, today: Day) -> bool {
        today <= self.expiry_day + CLOCK_SKEW_DAYS
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Person;

    const MLS: Bytes = Bytes::from_static(b"an MLS key package");

    fn package(signer: &Person, owner: &Person, device: u32) -> Bytes {
        KeyPackage::sign(&signer.device, owner.list.account(), device, Day(100), true, MLS)
    }

    #[test]
    fn it_says_what_was_signed() {
        let ana = Person::new(1);
        let bytes = package(&ana, &ana, 1);
        let package = KeyPackage::verify(&ana.list, &bytes).ok().unwrap();
        assert!(package.device() == 1 && package.last_resort() && package.expiry_day() == Day(100));
        assert!(package.mls() == &MLS && package.encoded() == &bytes);
        assert!(package.is_current(Day(101)) && !package.is_current(Day(102)));
    }

    #[test]
    fn only_a_device_on_the_list_makes_one() {
        let (ana, bo) = (Person::new(1), Person::new(2));
        let refused = |list: &Person, bytes: Bytes| KeyPackage::verify(&list.list, &bytes).err();
        assert_eq!(refused(&ana, package(&bo, &ana, 1)), Some(CredentialError::Signature));
        assert_eq!(refused(&ana, package(&ana, &bo, 1)), Some(CredentialError::Signature));
        assert_eq!(refused(&bo, package(&ana, &ana, 1)), Some(CredentialError::Signature));
        assert_eq!(refused(&ana, package(&ana, &ana, 2)), Some(CredentialError::NoDevice));
    }

    #[test]
    fn other_versions_are_refused() {
        let ana = Person::new(1);
        for (version, error) in [(0, CredentialError::Malformed), (2, CredentialError::Newer)] {
            let body = objects::KeyPackage { version, device: 1, expiry_day: 9, last_resort: false, mls: MLS };
            let body = body.encode_to_vec();
            let signature = ana.device.sign(&Context::KEY_PACKAGE.bytes(&[ana.list.account().as_bytes(), &body]));
            let signed = objects::SignedKeyPackage { body: body.into(), signature: signature.to_vec().into() };
            assert_eq!(KeyPackage::verify(&ana.list, &signed.encode_to_vec()).err(), Some(error));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(KeyPackage::verify(&Person::new(1).list, &bytes).is_err());
        }

        #[test]
        fn every_flipped_bit_is_refused(at in 0usize..100, bit in 0u8..8) {
            let ana = Person::new(1);
            let mut bytes = package(&ana, &ana, 1).to_vec();
            let at = at * bytes.len() / 100;
            bytes[at] ^= 1 << bit;
            prop_assert!(KeyPackage::verify(&ana.list, &bytes).is_err());
        }
    }
}
