//! The device that acts.

use ed25519_dalek::{Signer as _, SigningKey};
use openmls::prelude::{CredentialWithKey, OpenMlsProvider as _};
use openmls_traits::{
    signatures::{Signer, SignerError},
    types::SignatureScheme,
};
use rand_core::CryptoRng;
use undertone_credentials::DeviceKey;
use undertone_wire::AccountId;

use crate::{E2eeError, KeyValue, Member, provider::Provider};

/// This device, for the time of one transaction of its store.
pub struct Me<'a> {
    pub(crate) member: Member,
    pub(crate) key: DeviceKey,
    pub(crate) signer: LeafSigner,
    pub(crate) provider: Provider<'a>,
}

impl<'a> Me<'a> {
    /// The device `device` of `account`, whose key is `key`, with its MLS secrets in `store`.
    ///
    /// All randomness comes from `rng`: who can foresee it reads what is encrypted with it.
    pub fn new(
        store: &'a dyn KeyValue,
        rng: &'a mut (dyn CryptoRng + Send),
        account: AccountId,
        device: u32,
        key: &DeviceKey,
    ) -> Self {
        Self {
            member: Member { account, device },
            key: DeviceKey::from_seed(&key.seed()),
            signer: LeafSigner(SigningKey::from_bytes(&key.seed())),
            provider: Provider::new(store, rng),
        }
    }

    /// Our leaf's credential.
    pub(crate) fn credential(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: self.member.credential(),
            signature_key: self.signer.0.verifying_key().to_bytes().to_vec().into(),
        }
    }

    /// What went wrong: a failure of the store comes before whatever openmls made of it.
    pub(crate) fn blame(&self, error: impl Into<E2eeError>) -> E2eeError {
        if self.provider.storage().has_failed() { E2eeError::Storage } else { error.into() }
    }
}

/// Signs MLS content with the device's key (`credentials` says why this meets no other signature of that key).
pub(crate) struct LeafSigner(SigningKey);

impl Signer for LeafSigner {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.0.sign(payload).to_bytes().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}
