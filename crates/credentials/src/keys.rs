//! Signing keys, one type for each role. A key signs only what its role says, never bytes of a caller's choice.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use rand_core::CryptoRng;
use undertone_wire::{ChannelId, chain::Chain};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::CredentialError;

/// Bytes of a signing key's seed (RFC 8032, section 5.1.5).
pub const SEED_LEN: usize = 32;
/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 64;

/// An Ed25519 public key that is worth checking signatures with.
///
/// Only the canonical encoding of a point of large order can be one. Under a point of small order, one signature
/// would hold for many messages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Its length in bytes.
    pub const LEN: usize = 32;

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        self.0.as_bytes()
    }

    /// Checks a signature over the bytes of a context, strictly: RFC 8032 without cofactor, canonical, no small order.
    pub(crate) fn verify(&self, signed: &[u8], signature: &[u8]) -> Result<(), CredentialError> {
        let signature = Signature::from_slice(signature).map_err(|_| CredentialError::Signature)?;
        self.0.verify_strict(signed, &signature).map_err(|_| CredentialError::Signature)
    }
}

impl TryFrom<&[u8; Self::LEN]> for PublicKey {
    type Error = CredentialError;

    fn try_from(bytes: &[u8; Self::LEN]) -> Result<Self, CredentialError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| CredentialError::Key)?;
        if key.is_weak() || key.to_edwards().compress().as_bytes() != bytes {
            return Err(CredentialError::Key);
        }
        Ok(Self(key))
    }
}

impl TryFrom<&[u8]> for PublicKey {
    type Error = CredentialError;

    fn try_from(bytes: &[u8]) -> Result<Self, CredentialError> {
        <&[u8; Self::LEN]>::try_from(bytes).map_err(|_| CredentialError::Key)?.try_into()
    }
}

macro_rules! signing_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name(SigningKey);

        impl $name {
            /// A fresh key.
            pub fn generate(rng: &mut impl CryptoRng) -> Self {
                let mut seed = Zeroizing::new([0; SEED_LEN]);
                rng.fill_bytes(&mut *seed);
                Self::from_seed(&seed)
            }

            /// The key of a seed; every 32 bytes are one.
            pub fn from_seed(seed: &[u8; SEED_LEN]) -> Self {
                Self(SigningKey::from_bytes(seed))
            }

            /// Its seed, to be stored: whoever has it is the key's owner.
            pub fn seed(&self) -> Zeroizing<[u8; SEED_LEN]> {
                Zeroizing::new(self.0.to_bytes())
            }

            /// What others check its signatures with.
            pub fn public(&self) -> PublicKey {
                PublicKey(self.0.verifying_key())
            }

            /// Signs the bytes of a context.
            pub(crate) fn sign(&self, signed: &[u8]) -> [u8; SIGNATURE_LEN] {
                self.0.sign(signed).to_bytes()
            }
        }

        // The dalek key inside wipes itself.
        impl ZeroizeOnDrop for $name {}
    };
}

signing_key!(
    /// Made from the recovery words and stored nowhere: signs registration and new identity keys.
    RecoveryKey
);
signing_key!(
    /// A person's, shared by his devices: signs device lists and inbox keys.
    IdentityKey
);
signing_key!(
    /// One device's own: authenticates circuits, signs key packages, letters and (in `e2ee`) MLS leaves.
    DeviceKey
);
signing_key!(
    /// A channel generation's: opens the channel to read.
    ReadKey
);
signing_key!(
    /// A channel generation's: opens the channel to write.
    WriteKey
);
signing_key!(
    /// The service's: signs chain heads, and so binds it to one history.
    HeadKey
);

impl DeviceKey {
    /// Signs MLS content as it is framed for that (RFC 9420, section 5.1.2): every such framing begins as none of ours does.
    pub fn sign_mls(&self, framed: &[u8]) -> [u8; SIGNATURE_LEN] {
        self.sign(framed)
    }
}

impl HeadKey {
    /// Signs that a channel's log has `chain` after `seq` entries.
    pub fn sign_head(&self, channel: ChannelId, seq: u64, chain: &Chain) -> [u8; SIGNATURE_LEN] {
        self.sign(&chain.signed_bytes(channel, seq))
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use undertone_wire::context::Context;

    use super::*;
    use crate::testing::rng;

    /// RFC 8032, section 7.1, test 1: a seed is what the RFC says it is.
    #[test]
    fn a_seed_gives_the_key_of_the_rfc() {
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let key = DeviceKey::from_seed(&HEXLOWER.decode(seed.as_bytes()).unwrap().try_into().unwrap());
        assert_eq!(HEXLOWER.encode(key.public().as_bytes()), public);
        assert_eq!(HEXLOWER.encode(&*key.seed()), seed);
    }

    #[test]
    fn a_signature_holds_for_its_own_context_parts_and_key() {
        let (key, other) = (WriteKey::generate(&mut rng(1)), WriteKey::generate(&mut rng(2)));
        let signature = key.sign(&Context::LETTER.bytes(&[b"a", b"b"]));
        let refused = Err(CredentialError::Signature);
        assert_eq!(key.public().verify(&Context::LETTER.bytes(&[b"a", b"b"]), &signature), Ok(()));
        assert_eq!(key.public().verify(&Context::REGISTER.bytes(&[b"a", b"b"]), &signature), refused);
        assert_eq!(key.public().verify(&Context::LETTER.bytes(&[b"ab", b""]), &signature), refused);
        assert_eq!(other.public().verify(&Context::LETTER.bytes(&[b"a", b"b"]), &signature), refused);
        assert_eq!(key.public().verify(&Context::LETTER.bytes(&[b"a", b"b"]), &signature[..63]), refused);
    }

    /// The eight points of small order, in canonical form and (where they have one) in another, and a canonical and a
    /// non-canonical form of points of large order.
    #[test]
    fn keys_of_small_order_and_other_encodings_are_refused() {
        let refused = [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            // Small order, y not reduced or the sign of zero set.
            "0100000000000000000000000000000000000000000000000000000000000080",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            // y = p + 3, where y = 3 is a point of large order.
            "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ];
        for text in refused {
            let bytes = HEXLOWER.decode(text.as_bytes()).unwrap();
            assert!(PublicKey::try_from(&bytes[..]).is_err(), "{text}");
        }
        let mut three = [0; 32];
        three[0] = 3;
        assert!(PublicKey::try_from(&three).is_ok());
        assert!(PublicKey::try_from(&three[..31]).is_err());
    }
}
