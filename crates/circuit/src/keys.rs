//! The service's static keys: X25519 and ML-KEM-768 together, so that a session falls only with both.

use ml_kem::{KeyExport as _, TryKeyInit as _, ml_kem_768};
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use snow::{
    params::DHChoice,
    resolvers::{CryptoResolver as _, DefaultResolver},
};
use undertone_wire::{context::Context, link::Pin};
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// An X25519 key, secret or public, in bytes.
pub(crate) const DH_BYTES: usize = 32;
/// A public ML-KEM-768 key, in bytes (FIPS 203, table 3).
pub(crate) const KEM_BYTES: usize = 1184;
/// The seed `d || z` of a secret ML-KEM-768 key, in bytes (FIPS 203, section 7.1).
const KEM_SEED_BYTES: usize = 64;

const VERSION: u8 = 1;

/// Bytes that are no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// Of another length, or not a valid key.
    #[error("the service's keys are damaged")]
    Damaged,
    /// Written by a later release.
    #[error("the service's keys were written by a newer version: update first")]
    Newer,
}

/// The two secret keys of a service. Whoever has them can stand in for the service towards every client; past
/// circuits stay closed to him.
#[derive(ZeroizeOnDrop)]
pub struct ServiceKeys {
    dh: Zeroizing<[u8; DH_BYTES]>,
    seed: Zeroizing<[u8; KEM_SEED_BYTES]>,
    kem: ml_kem_768::DecapsulationKey,
    #[zeroize(skip)]
    public: ServicePublicKeys,
}

impl ServiceKeys {
    /// Fresh keys.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut dh = Zeroizing::new([0; DH_BYTES]);
        let mut seed = Zeroizing::new([0; KEM_SEED_BYTES]);
        rng.fill_bytes(&mut *dh);
        rng.fill_bytes(&mut *seed);
        Self::new(dh, seed)
    }

    /// For storage, secret: `version (1) || X25519 secret (32) || ML-KEM seed (64)`.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(1 + DH_BYTES + KEM_SEED_BYTES));
        out.push(VERSION);
        out.extend_from_slice(&*self.dh);
        out.extend_from_slice(&*self.seed);
        out
    }

    /// From storage.
    ///
    /// # Errors
    /// When these are not bytes of [`ServiceKeys::to_bytes`], of this release or an earlier one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeysError> {
        let (version, rest) = bytes.split_first().ok_or(KeysError::Damaged)?;
        match *version {
            VERSION => {}
            0 => return Err(KeysError::Damaged),
            _ => return Err(KeysError::Newer),
        }
        let (dh, seed) = rest.split_first_chunk().ok_or(KeysError::Damaged)?;
        let seed = seed.try_into().map_err(|_| KeysError::Damaged)?;
        Ok(Self::new(Zeroizing::new(*dh), Zeroizing::new(seed)))
    }

    /// What clients get to see.
    pub fn public(&self) -> &ServicePublicKeys {
        &self.public
    }

    /// What the service's link pins.
    pub fn pin(&self) -> Pin {
        self.public.pin()
    }

    pub(crate) fn dh(&self) -> &[u8; DH_BYTES] {
        &self.dh
    }

    pub(crate) fn kem(&self) -> &ml_kem_768::DecapsulationKey {
        &self.kem
    }

    fn new(dh: Zeroizing<[u8; DH_BYTES]>, seed: Zeroizing<[u8; KEM_SEED_BYTES]>) -> Self {
        let kem = ml_kem_768::DecapsulationKey::from_seed((*seed).into());
        let public = ServicePublicKeys { dh: dh_public(&dh), kem: Box::new(kem.encapsulation_key().to_bytes().into()) };
        Self { dh, seed, kem, public }
    }
}

/// The two public keys of a service. A client believes them only when they hash to the pin in its link.
#[derive(Clone, PartialEq, Eq)]
pub struct ServicePublicKeys {
    dh: [u8; DH_BYTES],
    kem: Box<[u8; KEM_BYTES]>,
}

impl ServicePublicKeys {
    /// Their length in bytes.
    pub const LEN: usize = DH_BYTES + KEM_BYTES;

    /// As on the wire, and for a client to keep: `X25519 (32) || ML-KEM-768 (1184)`.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.dh[..], &self.kem[..]].concat()
    }

    /// From those bytes.
    ///
    /// # Errors
    /// When the length is wrong, or the ML-KEM key fails the check of FIPS 203, section 7.2.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeysError> {
        let (dh, kem) = bytes.split_first_chunk().ok_or(KeysError::Damaged)?;
        let kem: [u8; KEM_BYTES] = kem.try_into().map_err(|_| KeysError::Damaged)?;
        parse_kem(&kem)?;
        Ok(Self { dh: *dh, kem: Box::new(kem) })
    }

    /// SHA-256 over both keys, in [`Context::SERVICE_KEYS`].
    pub fn pin(&self) -> Pin {
        Pin::new(Sha256::digest(Context::SERVICE_KEYS.bytes(&[&self.dh, &self.kem[..]])).into())
    }

    pub(crate) fn dh(&self) -> &[u8; DH_BYTES] {
        &self.dh
    }

    pub(crate) fn kem(&self) -> &[u8; KEM_BYTES] {
        &self.kem
    }
}

/// A public ML-KEM key, checked.
pub(crate) fn parse_kem(bytes: &[u8]) -> Result<ml_kem_768::EncapsulationKey, KeysError> {
    ml_kem_768::EncapsulationKey::new_from_slice(bytes).map_err(|_| KeysError::Damaged)
}

/// The public X25519 key, by the same code that the Noise session uses.
fn dh_public(secret: &[u8; DH_BYTES]) -> [u8; DH_BYTES] {
    let mut public = [0; DH_BYTES];
    // The default resolver always has X25519: without it no session could be built either.
    if let Some(mut dh) = DefaultResolver.resolve_dh(&DHChoice::Curve25519) {
        dh.set(secret);
        public.copy_from_slice(dh.pubkey());
    }
    public
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

    use super::*;

    fn keys(seed: u64) -> ServiceKeys {
        ServiceKeys::generate(&mut ChaCha20Rng::seed_from_u64(seed))
    }

    #[test]
    fn stored_keys_come_back() {
        let keys = keys(1);
        let again = ServiceKeys::from_bytes(&keys.to_bytes()).ok().unwrap();
        assert!(again.public() == keys.public());
        assert!(again.to_bytes() == keys.to_bytes());
        let public = ServicePublicKeys::from_bytes(&keys.public().to_bytes()).ok().unwrap();
        assert!(public.pin() == keys.pin());
    }

    #[test]
    fn damaged_and_newer_keys_are_told_apart() {
        let bytes = keys(1).to_bytes();
        let error = |bytes: &[u8]| ServiceKeys::from_bytes(bytes).err();
        assert_eq!(error(&[]), Some(KeysError::Damaged));
        assert_eq!(error(&bytes[..96]), Some(KeysError::Damaged));
        assert_eq!(error(&[&bytes[..], &[0]].concat()), Some(KeysError::Damaged));
        assert_eq!(error(&[&[2], &bytes[1..]].concat()), Some(KeysError::Newer));
        // All coefficients of the ML-KEM key far above its modulus.
        assert_eq!(ServicePublicKeys::from_bytes(&[255; ServicePublicKeys::LEN]).err(), Some(KeysError::Damaged));
    }

    #[test]
    fn either_key_changes_the_pin() {
        let (a, b) = (keys(1), keys(2));
        let mixed = ServicePublicKeys { dh: a.public.dh, kem: b.public.kem.clone() };
        assert!(mixed.pin() != a.pin() && mixed.pin() != b.pin());
    }

    /// RFC 7748, section 6.1: Alice's keys.
    #[test]
    fn x25519_public_key_is_the_rfcs() {
        let hex = |text: &str| <[u8; 32]>::try_from(HEXLOWER.decode(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(
            dh_public(&hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")),
            hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
        );
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..1_300)) {
            let _ = ServiceKeys::from_bytes(&bytes);
            let _ = ServicePublicKeys::from_bytes(&bytes);
        }
    }
}
