//! The device that acts.

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
    pub(crate) signer: LeafSigner<'a>,
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
        key: &'a DeviceKey,
    ) -> Self {
        Self { member: Member { account, device }, signer: LeafSigner(key), provider: Provider::new(store, rng) }
    }

    /// Our leaf's credential.
    pub(crate) fn credential(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: self.member.credential(),
            signature_key: self.signer.0.public().as_bytes().to_vec().into(),
        }
    }

    /// What went wrong: a failure of the store comes before whatever openmls made of it.
    pub(crate) fn blame(&self, error: impl Into<E2eeError>) -> E2eeError {
        if self.provider.storage().has_failed() { E2eeError::Storage } else { error.into() }
    }
}

/// Signs MLS content with the device's key (`credentials` says why this meets no other signature of that key).
pub(crate) struct LeafSigner<'a>(pub(crate) &'a DeviceKey);

impl Signer for LeafSigner<'_> {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.0.sign_mls(payload).to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}
