//! Cryptography for our suites. All randomness comes from the caller, so that transcripts can be frozen; what needs
//! none is `openmls_rust_crypto`'s.

use std::{
    convert::Infallible,
    sync::{Mutex, PoisonError},
};

use hpke::{
    Deserializable, HpkeError, Kem, OpModeR, OpModeS, Serializable,
    aead::{Aead, AesGcm128, AesGcm256},
    kdf::{HkdfSha256, HkdfSha384, Kdf},
    kem::{X25519HkdfSha256, XWing},
};
use openmls::prelude::tls_codec::{self, Deserialize as _, SecretVLBytes, VLBytes};
use openmls_rust_crypto::RustCrypto;
use openmls_traits::{
    crypto::OpenMlsCrypto,
    random::OpenMlsRand,
    types::{
        AeadType, Ciphersuite, CryptoError, ExporterSecret, HashType, HpkeAeadType, HpkeCiphertext, HpkeConfig,
        HpkeKdfType, HpkeKemType, HpkeKeyPair, KemOutput, SignatureScheme,
    },
};
use rand_core::CryptoRng;

use crate::Suite;

/// `hpke` panics on an `info` of 64 KiB less a few bytes; ours are a label and a group context.
const INFO_BYTES_MAX: usize = 60 << 10;

/// Whether openmls could encrypt to this key. It finds out only when it does, which is too late for a member's leaf.
pub fn is_encryption_key(suite: Suite, key: &impl tls_codec::Serialize) -> bool {
    // openmls shows the bytes of a key only in its encoding.
    let key = key.tls_serialize_detached().and_then(VLBytes::tls_deserialize_exact);
    key.is_ok_and(|key| match suite {
        Suite::Classical => is_x25519_key(key.as_slice()),
        Suite::PostQuantum => <XWing as Kem>::PublicKey::from_bytes(key.as_slice()).is_ok(),
    })
}

/// Every 32 bytes parse, but HPKE refuses points of small order: here as its receiver, who needs no randomness for it.
fn is_x25519_key(key: &[u8]) -> bool {
    let (secret, _) = X25519HkdfSha256::derive_keypair(&[0; 32]);
    <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(key).is_ok_and(|key| {
        hpke::setup_receiver::<AesGcm128, HkdfSha256, X25519HkdfSha256>(&OpModeR::Base, &secret, &key, &[]).is_ok()
    })
}

pub struct Crypto<'a> {
    fixed: RustCrypto,
    // openmls wants its cryptography to be `Sync`; one operation uses one thread for a group of our size.
    rng: Mutex<&'a mut (dyn CryptoRng + Send)>,
}

impl<'a> Crypto<'a> {
    pub fn new(rng: &'a mut (dyn CryptoRng + Send)) -> Self {
        Self { fixed: RustCrypto::default(), rng: Mutex::new(rng) }
    }

    fn with_rng<T>(&self, f: impl FnOnce(&mut &'a mut (dyn CryptoRng + Send)) -> T) -> T {
        f(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl OpenMlsRand for Crypto<'_> {
    type Error = Infallible;

    fn random_array<const N: usize>(&self) -> Result<[u8; N], Infallible> {
        let mut bytes = [0; N];
        self.with_rng(|rng| rand_core::Rng::fill_bytes(rng, &mut bytes));
        Ok(bytes)
    }

    fn random_vec(&self, len: usize) -> Result<Vec<u8>, Infallible> {
        let mut bytes = vec![0; len];
        self.with_rng(|rng| rand_core::Rng::fill_bytes(rng, &mut bytes));
        Ok(bytes)
    }
}

/// The suite that HPKE is asked for, within the library's limits.
fn suite(config: &HpkeConfig, info: &[u8]) -> Result<Suite, CryptoError> {
    let suite = match config {
        HpkeConfig(HpkeKemType::DhKem25519, HpkeKdfType::HkdfSha256, HpkeAeadType::AesGcm128) => Suite::Classical,
        HpkeConfig(HpkeKemType::XWingKemDraft6, HpkeKdfType::HkdfSha384, HpkeAeadType::AesGcm256) => Suite::PostQuantum,
        _ => return Err(CryptoError::UnsupportedCiphersuite),
    };
    if info.len() > INFO_BYTES_MAX { Err(CryptoError::TooMuchData) } else { Ok(suite) }
}

fn recipient<M: Kem>(key: &[u8]) -> Result<M::PublicKey, CryptoError> {
    M::PublicKey::from_bytes(key).map_err(|_| CryptoError::InvalidPublicKey)
}

fn seal<A: Aead, K: Kdf, M: Kem>(
    key: &[u8],
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<HpkeCiphertext, CryptoError> {
    let key = recipient::<M>(key)?;
    let (enc, ciphertext) = hpke::single_shot_seal_with_rng::<A, K, M>(&OpModeS::Base, &key, info, plaintext, aad, rng)
        .map_err(|_: HpkeError| CryptoError::HpkeEncryptionError)?;
    Ok(HpkeCiphertext { kem_output: enc.to_bytes().to_vec().into(), ciphertext: ciphertext.into() })
}

fn setup_sender_and_export<A: Aead, K: Kdf, M: Kem>(
    key: &[u8],
    info: &[u8],
    exporter_context: &[u8],
    exporter_length: usize,
    rng: &mut impl CryptoRng,
) -> Result<(KemOutput, ExporterSecret), CryptoError> {
    let key = recipient::<M>(key)?;
    let (enc, sender) = hpke::setup_sender_with_rng::<A, K, M>(&OpModeS::Base, &key, info, rng)
        .map_err(|_: HpkeError| CryptoError::SenderSetupError)?;
    let mut secret = vec![0; exporter_length];
    sender.export(exporter_context, &mut secret).map_err(|_| CryptoError::ExporterError)?;
    Ok((enc.to_bytes().to_vec(), secret.into()))
}

impl OpenMlsCrypto for Crypto<'_> {
    fn supports(&self, suite: Ciphersuite) -> Result<(), CryptoError> {
        Suite::of(suite).map(drop).map_err(|_| CryptoError::UnsupportedCiphersuite)
    }

    fn supported_ciphersuites(&self) -> Vec<Ciphersuite> {
        Suite::ALL.map(Suite::mls).into()
    }

    fn hpke_seal(
        &self,
        config: HpkeConfig,
        recipient: &[u8],
        info: &[u8],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<HpkeCiphertext, CryptoError> {
        let seal = match suite(&config, info)? {
            Suite::Classical => seal::<AesGcm128, HkdfSha256, X25519HkdfSha256>,
            Suite::PostQuantum => seal::<AesGcm256, HkdfSha384, XWing>,
        };
        self.with_rng(|rng| seal(recipient, info, aad, plaintext, rng))
    }

    fn hpke_setup_sender_and_export(
        &self,
        config: HpkeConfig,
        recipient: &[u8],
        info: &[u8],
        exporter_context: &[u8],
        exporter_length: usize,
    ) -> Result<(KemOutput, ExporterSecret), CryptoError> {
        let export = match suite(&config, info)? {
            Suite::Classical => setup_sender_and_export::<AesGcm128, HkdfSha256, X25519HkdfSha256>,
            Suite::PostQuantum => setup_sender_and_export::<AesGcm256, HkdfSha384, XWing>,
        };
        self.with_rng(|rng| export(recipient, info, exporter_context, exporter_length, rng))
    }

    fn signature_key_gen(&self, _: SignatureScheme) -> Result<(Vec<u8>, Vec<u8>), CryptoError> {
        // Leaves are signed with device keys, which `credentials` makes.
        Err(CryptoError::UnsupportedSignatureScheme)
    }

    fn hkdf_extract(&self, hash: HashType, salt: &[u8], ikm: &[u8]) -> Result<SecretVLBytes, CryptoError> {
        self.fixed.hkdf_extract(hash, salt, ikm)
    }

    fn hmac(&self, hash: HashType, key: &[u8], message: &[u8]) -> Result<SecretVLBytes, CryptoError> {
        self.fixed.hmac(hash, key, message)
    }

    fn hkdf_expand(&self, hash: HashType, prk: &[u8], info: &[u8], len: usize) -> Result<SecretVLBytes, CryptoError> {
        self.fixed.hkdf_expand(hash, prk, info, len)
    }

    fn hash(&self, hash: HashType, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.fixed.hash(hash, data)
    }

    fn aead_encrypt(
        &self,
        alg: AeadType,
        key: &[u8],
        data: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        self.fixed.aead_encrypt(alg, key, data, nonce, aad)
    }

    fn aead_decrypt(
        &self,
        alg: AeadType,
        key: &[u8],
        ciphertext: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        self.fixed.aead_decrypt(alg, key, ciphertext, nonce, aad)
    }

    fn verify_signature(
        &self,
        scheme: SignatureScheme,
        data: &[u8],
        key: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        self.fixed.verify_signature(scheme, data, key, signature)
    }

    fn sign(&self, scheme: SignatureScheme, data: &[u8], key: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.fixed.sign(scheme, data, key)
    }

    fn hpke_open(
        &self,
        config: HpkeConfig,
        input: &HpkeCiphertext,
        key: &[u8],
        info: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        self.fixed.hpke_open(config, input, key, info, aad)
    }

    fn hpke_setup_receiver_and_export(
        &self,
        config: HpkeConfig,
        enc: &[u8],
        key: &[u8],
        info: &[u8],
        exporter_context: &[u8],
        exporter_length: usize,
    ) -> Result<ExporterSecret, CryptoError> {
        self.fixed.hpke_setup_receiver_and_export(config, enc, key, info, exporter_context, exporter_length)
    }

    fn derive_hpke_keypair(&self, config: HpkeConfig, ikm: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        self.fixed.derive_hpke_keypair(config, ikm)
    }
}

#[cfg(test)]
mod tests {
    use openmls::prelude::InitKey;

    use super::*;
    use crate::testing::rng;

    /// What we seal with our own randomness, the library that draws its own opens.
    #[test]
    fn both_implementations_of_hpke_agree() {
        let (rng, fixed) = (&mut rng(1), RustCrypto::default());
        let crypto = Crypto::new(rng);
        for suite in Suite::ALL {
            let config = || suite.mls().hpke_config();
            let pair = crypto.derive_hpke_keypair(config(), &[7; 32]).unwrap();
            let sealed = crypto.hpke_seal(config(), &pair.public, b"info", b"aad", b"hello").unwrap();
            assert_eq!(fixed.hpke_open(config(), &sealed, &pair.private, b"info", b"aad").unwrap(), b"hello");

            let (enc, sent) = crypto.hpke_setup_sender_and_export(config(), &pair.public, b"info", b"x", 48).unwrap();
            let received =
                fixed.hpke_setup_receiver_and_export(config(), &enc, &pair.private, b"info", b"x", 48).unwrap();
            assert!(sent.as_ref() == received.as_ref());
        }
    }

    #[test]
    fn only_what_our_suites_have_is_done() {
        let rng = &mut rng(1);
        let crypto = Crypto::new(rng);
        let ours = Suite::PostQuantum.mls();
        let pair = crypto.derive_hpke_keypair(ours.hpke_config(), &[7; 32]).unwrap();
        let other = Ciphersuite::MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519;
        assert_eq!(crypto.supports(other), Err(CryptoError::UnsupportedCiphersuite));
        let refusal = |suite: Ciphersuite, key: &[u8], info: &[u8]| {
            crypto.hpke_seal(suite.hpke_config(), key, info, b"", b"").err()
        };
        assert_eq!(refusal(other, &pair.public, b""), Some(CryptoError::UnsupportedCiphersuite));
        assert_eq!(refusal(ours, &pair.public, &[0; 1 << 16]), Some(CryptoError::TooMuchData));
        assert_eq!(refusal(ours, &pair.public[1..], b""), Some(CryptoError::InvalidPublicKey));
    }

    #[test]
    fn what_could_not_be_encrypted_to_is_no_key() {
        let rng = &mut rng(1);
        let crypto = Crypto::new(rng);
        for suite in Suite::ALL {
            let config = || suite.mls().hpke_config();
            let is_key = |key: &[u8]| {
                let is_key = is_encryption_key(suite, &InitKey::from(key.to_vec()));
                assert_eq!(is_key, crypto.hpke_seal(config(), key, b"", b"", b"").is_ok());
                is_key
            };
            let pair = crypto.derive_hpke_keypair(config(), &[7; 32]).unwrap();
            assert!(is_key(&pair.public));
            assert!(!is_key(&pair.public[1..]));
            assert!(!is_key(&[]));
            let none = if suite == Suite::Classical { 0 } else { 0xff };
            assert!(!is_key(&vec![none; pair.public.len()]));
        }
    }
}
