//! People for tests: everything about them follows from one number.

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use crate::{Device, DeviceKey, DeviceList, IdentityKey, RecoveryKey};

pub fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

pub struct Person {
    pub recovery: RecoveryKey,
    pub identity: IdentityKey,
    pub device: DeviceKey,
    pub list: DeviceList,
}

impl Person {
    pub fn new(seed: u8) -> Self {
        let rng = &mut rng(seed);
        let (recovery, identity, device) =
            (RecoveryKey::generate(rng), IdentityKey::generate(rng), DeviceKey::generate(rng));
        let devices = vec![Device { number: 1, key: device.public(), features: vec![3, 9] }];
        let list = DeviceList::first(&recovery.public(), &identity, devices).ok().unwrap();
        Self { recovery, identity, device, list }
    }
}
