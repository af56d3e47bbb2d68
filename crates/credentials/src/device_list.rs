//! Device lists: which devices speak for an account.
//!
//! Signed by the identity key. Identity key number 0 is committed to by the account id itself; each later one is
//! certified by the recovery key. Lists are ordered, and everybody keeps to the newest that he has seen.

use std::collections::BTreeSet;

use bytes::Bytes;
use undertone_wire::{
    AccountId, Message,
    context::Context,
    ladder,
    limits::{DEVICE_LIST_BYTES_MAX, DEVICES_MAX},
    objects,
};

use crate::{CredentialError, IdentityKey, PublicKey, RecoveryKey, account_id, signed};

/// Place of a list among those of its account: a later identity key comes first, then a higher counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListOrder {
    /// Counts identity keys from 0.
    pub identity_number: u32,
    /// Counts lists of one identity key.
    pub counter: u64,
}

/// One device.
#[derive(Clone, PartialEq, Eq)]
pub struct Device {
    /// Counts the account's devices from 1, never used twice.
    pub number: u32,
    /// Authenticates circuits and signs MLS leaves.
    pub key: PublicKey,
    /// What it understands (`wire::ladder`); unknown numbers are kept.
    pub features: Vec<u32>,
}

/// A device list that has been checked from its bytes; there is no other way to have one.
#[derive(Clone)]
pub struct DeviceList {
    account: AccountId,
    order: ListOrder,
    recovery: PublicKey,
    first_identity: PublicKey,
    identity: PublicKey,
    certificate: Bytes,
    devices: Vec<Device>,
    highest: u32,
    encoded: Bytes,
}

impl DeviceList {
    /// Makes the first list of a new account.
    ///
    /// # Errors
    /// When the devices break a rule of [`Self::verify`].
    pub fn first(recovery: &PublicKey, identity: &IdentityKey, devices: Vec<Device>) -> Result<Self, CredentialError> {
        let order = ListOrder { identity_number: 0, counter: 0 };
        sign(recovery, &identity.public(), order, identity, Bytes::new(), (devices, 0))
    }

    /// Makes the list after this one, under the same identity key: a device joins, or says what it has learnt.
    ///
    /// # Errors
    /// [`CredentialError::Signature`] for another identity key, and as [`Self::first`].
    pub fn next(&self, identity: &IdentityKey, devices: Vec<Device>) -> Result<Self, CredentialError> {
        if identity.public() != self.identity {
            return Err(CredentialError::Signature);
        }
        let order = ListOrder { counter: self.order.counter.saturating_add(1), ..self.order };
        let devices = (devices, self.highest);
        sign(&self.recovery, &self.first_identity, order, identity, self.certificate.clone(), devices)
    }

    /// Makes the list after this one, under a new identity key, which those who lose their place do not have.
    ///
    /// # Errors
    /// [`CredentialError::Signature`] for another recovery key, and as [`Self::first`].
    pub fn next_identity(
        &self,
        recovery: &RecoveryKey,
        identity: &IdentityKey,
        devices: Vec<Device>,
    ) -> Result<Self, CredentialError> {
        if recovery.public() != self.recovery {
            return Err(CredentialError::Signature);
        }
        let order = ListOrder { identity_number: self.order.identity_number.saturating_add(1), counter: 0 };
        let certificate = recovery.sign(&Context::IDENTITY.bytes(&[
            self.account.as_bytes(),
            &order.identity_number.to_be_bytes(),
            identity.public().as_bytes(),
        ]));
        let devices = (devices, self.highest);
        sign(&self.recovery, &self.first_identity, order, identity, Bytes::copy_from_slice(&certificate), devices)
    }

    /// Makes this list anew, to come after one of another device that was made without knowing of it and was put before it:
    /// what this one takes off is taken off that one.
    ///
    /// # Errors
    /// [`CredentialError::Signature`] for another identity key than this list's, and as [`Self::first`].
    pub fn after(&self, held: &Self, identity: &IdentityKey) -> Result<Self, CredentialError> {
        let stays = |device: &&Device| self.device(device.number).is_some() || device.number > self.highest;
        let devices = held.devices.iter().filter(stays).cloned().collect();
        let highest = self.highest.max(held.highest);
        Self { highest, ..self.clone() }.next(identity, devices)
    }

    /// Whether whoever made this list knew of a former one: it comes after it, and takes no number for a device that another
    /// has had. Who did not may have left a device out that was added in the meantime.
    pub fn follows(&self, former: &Self) -> bool {
        let knows = |device: &Device| match former.device(device.number) {
            Some(before) => before.key == device.key,
            None => device.number > former.highest,
        };
        self.order > former.order && self.highest >= former.highest && self.devices.iter().all(knows)
    }

    /// Checks a SignedDeviceList: its version; each key; the identity key, by the account id or by its certificate; the
    /// signature; between 1 and [`DEVICES_MAX`] devices with numbers of their own above 0 and keys of their own.
    ///
    /// Whose list it is, the caller judges by [`Self::account`].
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn verify(bytes: &[u8]) -> Result<Self, CredentialError> {
        let outer: objects::SignedDeviceList = signed::decode(bytes, DEVICE_LIST_BYTES_MAX)?;
        let body: objects::DeviceList = signed::decode(&outer.body, DEVICE_LIST_BYTES_MAX)?;
        signed::check_version(body.version)?;

        let recovery = PublicKey::try_from(&body.recovery_key[..])?;
        let first_identity = PublicKey::try_from(&body.first_identity_key[..])?;
        let identity = PublicKey::try_from(&body.identity_key[..])?;
        let account = account_id(&recovery, &first_identity);
        if body.identity_number == 0 {
            // The account id vouches for this key; a certificate would be a second way to say the same.
            if identity != first_identity || !body.identity_certificate.is_empty() {
                return Err(CredentialError::Signature);
            }
        } else {
            recovery.verify(
                &Context::IDENTITY.bytes(&[
                    account.as_bytes(),
                    &body.identity_number.to_be_bytes(),
                    identity.as_bytes(),
                ]),
                &body.identity_certificate,
            )?;
        }
        identity.verify(&Context::DEVICE_LIST.bytes(&[&outer.body]), &outer.signature)?;

        let devices = check_devices(body.devices)?;
        let highest = devices.iter().map(|device| device.number).max().unwrap_or(0);
        if body.highest_device != 0 && body.highest_device <= highest {
            return Err(CredentialError::Malformed);
        }
        Ok(Self {
            account,
            order: ListOrder { identity_number: body.identity_number, counter: body.counter },
            recovery,
            first_identity,
            identity,
            certificate: body.identity_certificate,
            devices,
            highest: highest.max(body.highest_device),
            encoded: Bytes::copy_from_slice(bytes),
        })
    }

    /// The account that its keys commit to.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Its place among the lists of this account.
    pub fn order(&self) -> ListOrder {
        self.order
    }

    /// The identity key that signed it.
    pub fn identity(&self) -> &PublicKey {
        &self.identity
    }

    /// The account's recovery key.
    pub fn recovery(&self) -> &PublicKey {
        &self.recovery
    }

    /// A device by its number.
    pub fn device(&self, number: u32) -> Option<&Device> {
        self.devices.iter().find(|device| device.number == number)
    }

    /// All devices.
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// A number for one more device, which none ever had.
    pub fn next_device_number(&self) -> u32 {
        self.highest.saturating_add(1)
    }

    /// The SignedDeviceList, byte for byte as it was signed or received.
    pub fn encoded(&self) -> &Bytes {
        &self.encoded
    }
}

fn sign(
    recovery: &PublicKey,
    first_identity: &PublicKey,
    order: ListOrder,
    identity: &IdentityKey,
    certificate: Bytes,
    (devices, highest): (Vec<Device>, u32),
) -> Result<DeviceList, CredentialError> {
    let highest_listed = devices.iter().map(|device| device.number).fold(0, u32::max);
    let highest_device = if highest > highest_listed { highest } else { 0 };
    let body: Bytes = objects::DeviceList {
        version: ladder::OBJECTS,
        recovery_key: Bytes::copy_from_slice(recovery.as_bytes()),
        first_identity_key: Bytes::copy_from_slice(first_identity.as_bytes()),
        identity_number: order.identity_number,
        identity_key: Bytes::copy_from_slice(identity.public().as_bytes()),
        identity_certificate: certificate,
        counter: order.counter,
        devices: devices
            .into_iter()
            .map(|Device { number, key, features }| objects::Device {
                number,
                key: Bytes::copy_from_slice(key.as_bytes()),
                features,
            })
            .collect(),
        highest_device,
    }
    .encode_to_vec()
    .into();
    let signature = identity.sign(&Context::DEVICE_LIST.bytes(&[&body]));
    let signed = objects::SignedDeviceList { body, signature: Bytes::copy_from_slice(&signature) };
    // What we make passes the same door as what we are given.
    DeviceList::verify(&signed.encode_to_vec())
}

fn check_devices(devices: Vec<objects::Device>) -> Result<Vec<Device>, CredentialError> {
    if devices.is_empty() || devices.len() > DEVICES_MAX {
        return Err(CredentialError::DeviceCount);
    }
    let (mut numbers, mut keys) = (BTreeSet::from([0]), BTreeSet::new());
    devices
        .into_iter()
        .map(|objects::Device { number, key, features }| {
            let key = PublicKey::try_from(&key[..])?;
            if !numbers.insert(number) || !keys.insert(*key.as_bytes()) {
                return Err(CredentialError::Malformed);
            }
            Ok(Device { number, key, features })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::{
        DeviceKey,
        testing::{Person, rng},
    };

    /// The body of a list, changed and signed again by its rightful identity key.
    fn changed(
        person: &Person,
        list: &DeviceList,
        change: impl Fn(&mut objects::DeviceList),
    ) -> Option<CredentialError> {
        let outer = objects::SignedDeviceList::decode(&list.encoded()[..]).unwrap();
        let mut body = objects::DeviceList::decode(&outer.body[..]).unwrap();
        change(&mut body);
        let body = body.encode_to_vec();
        let signature = person.identity.sign(&Context::DEVICE_LIST.bytes(&[&body])).to_vec();
        let outer = objects::SignedDeviceList { body: body.into(), signature: signature.into() };
        DeviceList::verify(&outer.encode_to_vec()).err()
    }

    fn device(number: u32, seed: u8) -> Device {
        Device { number, key: DeviceKey::generate(&mut rng(seed)).public(), features: vec![] }
    }

    fn key_bytes(seed: u8) -> Bytes {
        Bytes::copy_from_slice(device(1, seed).key.as_bytes())
    }

    /// Lists outlive every release: keys, fields and signature are frozen.
    #[test]
    fn known_answer() {
        let (recovery, identity) = (RecoveryKey::from_seed(&[1; 32]), IdentityKey::from_seed(&[2; 32]));
        let device = Device { number: 1, key: DeviceKey::from_seed(&[3; 32]).public(), features: vec![7] };
        let first = DeviceList::first(&recovery.public(), &identity, vec![device]).ok().unwrap();
        let later = IdentityKey::from_seed(&[4; 32]);
        let second = first.next_identity(&recovery, &later, first.devices().to_vec()).ok().unwrap();
        assert_eq!(
            [
                first.account().to_hex(),
                HEXLOWER.encode(&Sha256::digest(first.encoded())),
                HEXLOWER.encode(&Sha256::digest(second.encoded())),
            ],
            [
                "e47ea3abeb99146f5589e2e4113df6f4",
                "1c47676d0abd6906ecc15ef4357d29f5fd21c52594e99a20d54d8074c68537f7",
                "4da00ecf160e29f205a808a8ab5deef2f5dca1e935dc5482afa2bbf2e0b225ea",
            ]
        );
    }

    #[test]
    fn no_number_is_used_twice() {
        let ana = Person::new(1);
        let device = |list: &DeviceList, seed| Device {
            number: list.next_device_number(),
            key: DeviceKey::from_seed(&[seed; 32]).public(),
            features: vec![],
        };
        let first = ana.list.devices()[0].clone();
        let two = ana.list.next(&ana.identity, vec![first.clone(), device(&ana.list, 8)]).ok().unwrap();
        assert_eq!(two.next_device_number(), 3);
        let later = IdentityKey::from_seed(&[4; 32]);
        let one = two.next_identity(&ana.recovery, &later, vec![first.clone()]).ok().unwrap();
        let one = DeviceList::verify(one.encoded()).ok().unwrap();
        assert_eq!(one.next_device_number(), 3, "the second was removed");
        let again = one.next(&later, vec![first, device(&one, 9)]).ok().unwrap();
        assert_eq!((again.next_device_number(), again.devices()[1].number), (4, 3));
        // There is one way to say which number was the highest.
        let highest = |highest| changed(&ana, &two, |list| list.highest_device = highest);
        assert_eq!([1, 2].map(highest), [Some(CredentialError::Malformed); 2]);
        assert_eq!([0, 3].map(highest), [None; 2]);
    }

    #[test]
    fn a_list_says_what_was_signed() {
        let ana = Person::new(1);
        let list = DeviceList::verify(ana.list.encoded()).ok().unwrap();
        assert!(list.account() == account_id(&ana.recovery.public(), &ana.identity.public()));
        assert!(list.order() == ListOrder { identity_number: 0, counter: 0 });
        assert!(list.identity() == &ana.identity.public() && list.recovery() == &ana.recovery.public());
        assert!(list.device(1).is_some_and(|device| device.key == ana.device.public() && device.features == [3, 9]));
        assert!(list.device(0).is_none() && list.device(2).is_none());
    }

    #[test]
    fn later_lists_stand_above_earlier_ones() {
        let ana = Person::new(1);
        let second = ana.list.next(&ana.identity, vec![device(1, 7), device(2, 8)]).ok().unwrap();
        let identity = IdentityKey::generate(&mut rng(9));
        let third = second.next_identity(&ana.recovery, &identity, vec![device(2, 8)]).ok().unwrap();
        let fourth = third.next(&identity, vec![device(2, 8), device(3, 9)]).ok().unwrap();
        let lists = [&ana.list, &second, &third, &fourth];
        assert!(lists.is_sorted_by(|a, b| a.order() < b.order()));
        assert!(lists.iter().all(|list| list.account() == ana.list.account()));
        assert!(fourth.identity() == &identity.public() && fourth.devices().len() == 2);
    }

    #[test]
    fn a_list_follows_those_of_which_its_maker_knew() {
        let ana = Person::new(1);
        let next = |list: &DeviceList, devices: &[Device]| list.next(&ana.identity, devices.to_vec()).ok().unwrap();
        let later = IdentityKey::generate(&mut rng(9));
        let [one, two, three, other] = [(1, 11), (2, 12), (3, 13), (3, 14)].map(|(number, seed)| device(number, seed));
        let base = next(&ana.list, &[ana.list.devices()[0].clone(), two.clone()]);
        let first = base.devices()[0].clone();
        let linked = next(&base, &[first.clone(), two.clone(), three.clone()]);
        assert!(linked.follows(&base) && linked.follows(&ana.list));
        assert!(!base.follows(&linked) && !base.follows(&base), "it must come after it");

        let removed = |list: &DeviceList, devices: &[Device]| {
            list.next_identity(&ana.recovery, &later, devices.to_vec()).ok().unwrap()
        };
        assert!(removed(&linked, &[first.clone(), two.clone()]).follows(&linked), "the last one may be taken off");
        assert!(!removed(&base, std::slice::from_ref(&first)).follows(&linked), "it does not know of the third");
        let again = next(&base, &[first.clone(), two.clone(), other.clone()]);
        assert!(!removed(&again, &[first.clone(), other]).follows(&linked), "its third is another");
        assert!(!removed(&base, std::slice::from_ref(&one)).follows(&base), "nobody gets another key");
        let without = removed(&linked, &[first.clone(), three.clone()]);
        let late = next(&next(&base, base.devices()), &[first.clone(), two, three]);
        let late = removed(&removed(&late, late.devices()), late.devices());
        assert!(late.order() > without.order() && !late.follows(&without), "nobody comes back");
        let last = removed(&linked, &linked.devices()[..2]);
        assert!(late.order() > last.order() && !late.follows(&last), "nor does whoever was the last");
    }

    #[test]
    fn what_two_have_done_at_once_both_holds() {
        let ana = Person::new(1);
        let next = |list: &DeviceList, devices: &[Device]| list.next(&ana.identity, devices.to_vec()).ok().unwrap();
        let later = IdentityKey::generate(&mut rng(9));
        let first = ana.list.devices()[0].clone();
        let (two, three, other) = (device(2, 12), device(3, 13), device(3, 14));
        let base = next(&ana.list, &[first.clone(), two.clone()]);
        let linked = next(&base, &[first.clone(), two.clone(), three.clone()]);

        // One has removed the second, who has added the third.
        let removed = base.next_identity(&ana.recovery, &later, vec![first.clone()]).ok().unwrap();
        let both = removed.after(&linked, &later).ok().unwrap();
        assert!(both.follows(&linked) && both.order() > removed.order());
        assert!(both.devices() == [first.clone(), three.clone()] && both.identity() == &later.public());
        assert_eq!(removed.after(&linked, &ana.identity).err(), Some(CredentialError::Signature));

        // The same, by one whose own third never came.
        let mistaken = next(&base, &[first.clone(), two, other.clone()]);
        let removed = mistaken.next_identity(&ana.recovery, &later, vec![first.clone(), other]).ok().unwrap();
        let both = removed.after(&linked, &later).ok().unwrap();
        assert!(both.follows(&linked) && both.devices() == [first.clone(), three]);

        // Numbers that were used are not used again, whoever did.
        let gone = linked.next(&ana.identity, vec![first.clone()]).ok().unwrap();
        let both =
            base.next_identity(&ana.recovery, &later, vec![first]).ok().unwrap().after(&gone, &later).ok().unwrap();
        assert!(both.follows(&gone));
        assert_eq!(both.next_device_number(), 4);
    }

    #[test]
    fn only_the_keys_of_the_account_make_later_lists() {
        let (ana, bo) = (Person::new(1), Person::new(2));
        let devices = ana.list.devices().to_vec();
        let refused = Some(CredentialError::Signature);
        assert_eq!(ana.list.next(&bo.identity, devices.clone()).err(), refused);
        assert_eq!(ana.list.next_identity(&bo.recovery, &bo.identity, devices).err(), refused);
    }

    #[test]
    fn every_field_is_judged() {
        let ana = Person::new(1);
        let refused = |change: fn(&mut objects::DeviceList)| changed(&ana, &ana.list, change);
        assert_eq!(refused(|_| ()), None);
        assert_eq!(refused(|list| list.version = 0), Some(CredentialError::Malformed));
        assert_eq!(refused(|list| list.version = 2), Some(CredentialError::Newer));
        assert_eq!(refused(|list| list.recovery_key = Bytes::new()), Some(CredentialError::Key));
        assert_eq!(refused(|list| list.recovery_key = Bytes::from_static(&[0; 32])), Some(CredentialError::Key));
        assert_eq!(refused(|list| list.first_identity_key = key_bytes(5)), Some(CredentialError::Signature));
        assert_eq!(refused(|list| list.identity_key = key_bytes(5)), Some(CredentialError::Signature));
        assert_eq!(refused(|list| list.identity_number = 1), Some(CredentialError::Signature));
        assert_eq!(
            refused(|list| list.identity_certificate = Bytes::from_static(&[1; 64])),
            Some(CredentialError::Signature)
        );
        assert_eq!(refused(|list| list.devices.clear()), Some(CredentialError::DeviceCount));
        assert_eq!(refused(|list| list.devices[0].number = 0), Some(CredentialError::Malformed));
        assert_eq!(refused(|list| list.devices[0].key = Bytes::from_static(&[1; 31])), Some(CredentialError::Key));
        assert_eq!(refused(|list| list.devices[0].features = vec![0; 9_000]), Some(CredentialError::Malformed));
    }

    #[test]
    fn a_certificate_is_for_one_account_number_and_key() {
        let ana = Person::new(1);
        let identity = IdentityKey::generate(&mut rng(9));
        let list = ana.list.next_identity(&ana.recovery, &identity, ana.list.devices().to_vec()).ok().unwrap();
        let ana = Person { identity, ..ana };
        let refused = |change: fn(&mut objects::DeviceList)| changed(&ana, &list, change);
        assert_eq!(refused(|list| list.counter = 5), None);
        for change in [
            (|list| list.identity_number = 2) as fn(&mut objects::DeviceList),
            |list| list.identity_number = 0,
            |list| list.first_identity_key = key_bytes(5),
            |list| list.recovery_key = key_bytes(5),
            |list| list.identity_key = key_bytes(5),
            |list| list.identity_certificate = Bytes::new(),
        ] {
            assert_eq!(refused(change), Some(CredentialError::Signature));
        }
    }

    #[test]
    fn devices_are_few_and_all_different() {
        let ana = Person::new(1);
        let next = |devices| ana.list.next(&ana.identity, devices).err();
        let many = |count: u32| (1..=count).map(|number| device(number, number as u8)).collect::<Vec<_>>();
        let most = DEVICES_MAX as u32;
        assert_eq!(next(many(most)), None);
        assert_eq!(next(many(most + 1)), Some(CredentialError::DeviceCount));
        assert_eq!(next(vec![]), Some(CredentialError::DeviceCount));
        assert_eq!(next(vec![device(1, 1), device(1, 2)]), Some(CredentialError::Malformed));
        assert_eq!(next(vec![device(1, 1), device(2, 1)]), Some(CredentialError::Malformed));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(DeviceList::verify(&bytes).is_err());
        }

        /// Everything in a list is signed: there is no bit that somebody else could set.
        #[test]
        fn every_flipped_bit_is_refused(at in 0usize..1_000, bit in 0u8..8) {
            let mut bytes = Person::new(1).list.encoded().to_vec();
            let at = at * bytes.len() / 1_000;
            bytes[at] ^= 1 << bit;
            prop_assert!(DeviceList::verify(&bytes).is_err());
        }
    }
}
