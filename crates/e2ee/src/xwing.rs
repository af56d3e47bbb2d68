//! Content to whoever holds the secret of a public key: HPKE (RFC 9180), base mode, X-Wing, HKDF-SHA256, AES-256-GCM.
//!
//! `enc (1120) || ciphertext`. Base mode authenticates nobody.

use hpke::{Deserializable, Kem as _, OpModeR, OpModeS, Serializable, aead::AesGcm256, kdf::HkdfSha256, kem::XWing};
use rand_core::CryptoRng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::{E2eeError, Flaw};

type PublicKey = <XWing as hpke::Kem>::PublicKey;
type PrivateKey = <XWing as hpke::Kem>::PrivateKey;
type EncappedKey = <XWing as hpke::Kem>::EncappedKey;

/// Bytes of a public key.
pub(crate) const PUBLIC_LEN: usize = 1_216;
const ENC_LEN: usize = 1_120;
const TAG_LEN: usize = 16;
/// What is added to content.
pub(crate) const OVERHEAD: usize = ENC_LEN + TAG_LEN;
const SEED_LEN: usize = 32;

/// A secret key, as its seed.
#[derive(ZeroizeOnDrop)]
pub(crate) struct SecretKey([u8; SEED_LEN]);

impl SecretKey {
    pub(crate) fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut key = Self([0; SEED_LEN]);
        rng.fill_bytes(&mut key.0);
        key
    }

    /// # Errors
    /// [`Flaw::Malformed`] for another length.
    pub(crate) fn from_seed(seed: &[u8]) -> Result<Self, Flaw> {
        seed.try_into().map(Self).map_err(|_| Flaw::Malformed)
    }

    pub(crate) fn seed(&self) -> &[u8; SEED_LEN] {
        &self.0
    }

    pub(crate) fn public(&self) -> [u8; PUBLIC_LEN] {
        let mut key = [0; PUBLIC_LEN];
        XWing::sk_to_pk(&self.private()).write_exact(&mut key);
        key
    }

    fn private(&self) -> PrivateKey {
        #[allow(clippy::expect_used, reason = "every seed of this length is a key")]
        PrivateKey::from_bytes(&self.0).expect("32 bytes")
    }
}

/// Seals content to a public key; it opens with the same info alone.
///
/// # Errors
/// [`Flaw::Malformed`] when the key is none that X-Wing can use.
pub(crate) fn seal(public: &[u8], info: &[u8], content: &[u8], rng: &mut impl CryptoRng) -> Result<Vec<u8>, E2eeError> {
    let public = PublicKey::from_bytes(public).map_err(|_| Flaw::Malformed)?;
    let sealed = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, XWing>(
        &OpModeS::Base,
        &public,
        info,
        content,
        &[],
        rng,
    );
    let (enc, ciphertext) = sealed.map_err(|_| E2eeError::Internal)?;
    Ok([&enc.to_bytes()[..], &ciphertext].concat())
}

/// Opens what was sealed to a key.
///
/// # Errors
/// [`Flaw::Malformed`], [`Flaw::Ciphertext`].
pub(crate) fn open(secret: &SecretKey, info: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Flaw> {
    let (enc, ciphertext) = sealed.split_first_chunk::<ENC_LEN>().ok_or(Flaw::Malformed)?;
    let enc = EncappedKey::from_bytes(enc).map_err(|_| Flaw::Malformed)?;
    let (mode, private) = (OpModeR::Base, secret.private());
    let opened = hpke::single_shot_open::<AesGcm256, HkdfSha256, XWing>(&mode, &private, &enc, info, ciphertext, &[]);
    opened.map(Zeroizing::new).map_err(|_| Flaw::Ciphertext)
}
