//! Two people with keys, who are the same in every process.

use std::cell::RefCell;
use std::collections::BTreeMap;

use bytes::Bytes;
use ed25519_dalek::{Signer as _, SigningKey};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use undertone_credentials::{Device, DeviceKey, DeviceList, IdentityKey, KeyPackage, RecoveryKey};
use undertone_e2ee::{E2eeError, InboxSecret, KeyValue, KeyValueError, Me, Suite, create_key_package};
use undertone_wire::{AccountId, Day, Week, context::Context};
use zeroize::Zeroizing;

/// The day on which all of this happens.
pub const TODAY: Day = Day(20_779);

/// Somebody with one device.
pub struct Person {
    pub recovery: RecoveryKey,
    pub identity: IdentityKey,
    pub device: DeviceKey,
    pub list: DeviceList,
    pub inbox: InboxSecret,
    rows: Rows,
    rng: RefCell<ChaCha20Rng>,
}

impl Person {
    pub fn new(number: u8) -> Option<Self> {
        let rng = &mut ChaCha20Rng::from_seed([number; 32]);
        let (recovery, identity, device) =
            (RecoveryKey::generate(rng), IdentityKey::generate(rng), DeviceKey::generate(rng));
        let devices = vec![Device { number: 1, key: device.public(), features: vec![1] }];
        let list = DeviceList::first(&recovery.public(), &identity, devices).ok()?;
        let inbox = InboxSecret::generate(TODAY.week(), rng);
        let rng = RefCell::new(ChaCha20Rng::from_rng(rng));
        Some(Self { recovery, identity, device, list, inbox, rows: Rows::default(), rng })
    }

    pub fn account(&self) -> AccountId {
        self.list.account()
    }

    pub fn week(&self) -> Week {
        self.inbox.week()
    }

    pub fn rng(&self) -> ChaCha20Rng {
        self.rng.borrow().clone()
    }

    /// Does something with this device's MLS secrets, for good.
    pub fn act<T>(&self, act: impl FnOnce(&Me<'_>) -> Result<T, E2eeError>) -> Option<T> {
        act(&Me::new(&self.rows, &mut *self.rng.borrow_mut(), self.account(), 1, &self.device)).ok()
    }

    /// Does something with them that is forgotten.
    pub fn attempt<T>(&self, act: impl FnOnce(&Me<'_>) -> Result<T, E2eeError>) -> Result<T, E2eeError> {
        let rows = Rows(RefCell::new(self.rows.0.borrow().clone()));
        act(&Me::new(&rows, &mut self.rng(), self.account(), 1, &self.device))
    }

    pub fn key_package(&self, suite: Suite, last_resort: bool) -> Option<KeyPackage> {
        let mls = self.act(|me| create_key_package(me, suite, last_resort))?;
        KeyPackage::verify(&self.list, &self.sign_key_package(mls, last_resort)).ok()
    }

    pub fn sign_key_package(&self, mls: Bytes, last_resort: bool) -> Bytes {
        KeyPackage::sign(&self.device, self.account(), 1, TODAY + 60, last_resort, mls)
    }
}

/// Signs what our own code would not: so that what lies behind a signature is reached.
pub fn sign(seed: &[u8; 32], context: Context, parts: &[&[u8]]) -> Bytes {
    Bytes::copy_from_slice(&SigningKey::from_bytes(seed).sign(&context.bytes(parts)).to_bytes())
}

#[derive(Default)]
struct Rows(RefCell<BTreeMap<Vec<u8>, Vec<u8>>>);

impl KeyValue for Rows {
    fn get(&self, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, KeyValueError> {
        Ok(self.0.borrow().get(key).cloned().map(Zeroizing::new))
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), KeyValueError> {
        self.0.borrow_mut().insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<(), KeyValueError> {
        self.0.borrow_mut().remove(key);
        Ok(())
    }
}
