//! What openmls needs from us: cryptography, randomness and storage.

mod crypto;
mod storage;

use openmls_traits::OpenMlsProvider;
use rand_core::CryptoRng;

pub use self::{
    crypto::{Crypto, is_encryption_key},
    storage::Storage,
};
use crate::KeyValue;

/// Everything openmls needs, for the time of one transaction.
pub struct Provider<'a> {
    crypto: Crypto<'a>,
    storage: Storage<'a>,
}

impl<'a> Provider<'a> {
    pub fn new(store: &'a dyn KeyValue, rng: &'a mut (dyn CryptoRng + Send)) -> Self {
        Self { crypto: Crypto::new(rng), storage: Storage::new(store) }
    }
}

impl<'a> OpenMlsProvider for Provider<'a> {
    type CryptoProvider = Crypto<'a>;
    type RandProvider = Crypto<'a>;
    type StorageProvider = Storage<'a>;

    fn storage(&self) -> &Storage<'a> {
        &self.storage
    }

    fn crypto(&self) -> &Crypto<'a> {
        &self.crypto
    }

    fn rand(&self) -> &Crypto<'a> {
        &self.crypto
    }
}
