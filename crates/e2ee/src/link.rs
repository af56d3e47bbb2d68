//! What two devices prove to each other while one is linked to the account of the other.
//!
//! They meet in a channel whose keys are in a link, which others may have seen too. So the new device commits to its
//! [`Hello`] (its keys) before it knows the old one's challenge, and the old one to its challenge before it knows the
//! hello: nobody in between can choose either such that the same six digits come of two conversations, but by one guess
//! in a million that two people would have to let pass. The challenge is itself a hash: what it was made from comes
//! inside the seal of what is handed over, so only the device whose code was compared can have sealed that.

use bytes::Bytes;
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use undertone_credentials::PublicKey;
use undertone_wire::{Message as _, content::LinkHello, context::Context, ladder};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::{
    E2eeError, Flaw,
    xwing::{self, PUBLIC_LEN, SecretKey},
};

/// Bytes of a commitment, and of a challenge.
const HASH_LEN: usize = 32;
const NONCE_LEN: usize = 32;
const ANSWER_LEN: usize = 32;
const CODES: u64 = 1_000_000;

/// The new device's secret half of one linking. Who has it can read what is handed over.
#[derive(ZeroizeOnDrop)]
pub struct LinkSecret(SecretKey);

impl LinkSecret {
    /// A fresh one, for one linking.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(SecretKey::generate(rng))
    }

    /// What the new device says of itself, once challenged.
    pub fn hello(&self, device_key: &PublicKey, features: &[u32], rng: &mut impl CryptoRng) -> Hello {
        let mut nonce = [0; NONCE_LEN];
        rng.fill_bytes(&mut nonce);
        let content = LinkHello {
            version: ladder::OBJECTS,
            nonce: Bytes::copy_from_slice(&nonce),
            device_key: Bytes::copy_from_slice(device_key.as_bytes()),
            seal_key: Bytes::copy_from_slice(&self.0.public()),
            features: features.to_vec(),
        };
        Hello { encoded: content.encode_to_vec().into(), device_key: *device_key, content }
    }

    /// Opens what the device of `challenge` has sealed to our hello.
    ///
    /// # Errors
    /// [`Flaw::Malformed`], [`Flaw::Ciphertext`]; [`Flaw::Signature`] when another device has sealed it.
    pub fn open(&self, hello: &Hello, challenge: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, E2eeError> {
        let opened = xwing::open(&self.0, &hello.info(), sealed)?;
        let (answer, content) = opened.split_first_chunk::<ANSWER_LEN>().ok_or(Flaw::Malformed)?;
        // Not secret any more: a comparison in whatever time tells nothing.
        if Sha256::digest(answer)[..] != *challenge {
            return Err(Flaw::Signature.into());
        }
        Ok(Zeroizing::new(content.to_vec()))
    }
}

/// What the old device challenges the new one with.
#[derive(ZeroizeOnDrop)]
pub struct LinkChallenge([u8; ANSWER_LEN]);

impl LinkChallenge {
    /// A fresh one, for one linking.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut challenge = Self([0; ANSWER_LEN]);
        rng.fill_bytes(&mut challenge.0);
        challenge
    }

    /// What is shown of it: SHA-256 of what only we know.
    pub fn public(&self) -> [u8; HASH_LEN] {
        Sha256::digest(self.0).into()
    }

    /// Seals what is handed over to a new device whose code was compared.
    ///
    /// # Errors
    /// [`Flaw::Malformed`] when the hello's key is none that X-Wing can use.
    pub fn seal(&self, hello: &Hello, content: &[u8], rng: &mut impl CryptoRng) -> Result<Bytes, E2eeError> {
        let answered = Zeroizing::new([&self.0[..], content].concat());
        xwing::seal(&hello.content.seal_key, &hello.info(), &answered, rng).map(Bytes::from)
    }
}

/// A new device's hello, which has the right form.
pub struct Hello {
    encoded: Bytes,
    device_key: PublicKey,
    content: LinkHello,
}

impl Hello {
    /// Reads one.
    ///
    /// # Errors
    /// [`E2eeError::Unsupported`] for another version, [`Flaw::Malformed`].
    pub fn parse(encoded: Bytes) -> Result<Self, E2eeError> {
        let content = LinkHello::decode(encoded.clone()).map_err(|_| Flaw::Malformed)?;
        if content.version > ladder::OBJECTS {
            return Err(E2eeError::Unsupported);
        }
        let device_key = PublicKey::try_from(&content.device_key[..]).map_err(|_| Flaw::Malformed)?;
        let lengths = (content.version, content.nonce.len(), content.seal_key.len());
        if lengths != (ladder::OBJECTS, NONCE_LEN, PUBLIC_LEN) {
            return Err(Flaw::Malformed.into());
        }
        Ok(Self { encoded, device_key, content })
    }

    /// As it is sent.
    pub fn encoded(&self) -> &Bytes {
        &self.encoded
    }

    /// The new device's key.
    pub fn device_key(&self) -> &PublicKey {
        &self.device_key
    }

    /// All that it says.
    pub fn content(&self) -> &LinkHello {
        &self.content
    }

    /// What is sent before it: SHA-256 of it.
    pub fn commitment(&self) -> [u8; HASH_LEN] {
        Sha256::digest(&self.encoded).into()
    }

    /// The code that both devices show, and people compare: six digits, as `123 456`.
    pub fn code(&self, challenge: &[u8]) -> String {
        let hash = Sha256::digest(Context::LINK_CODE.bytes(&[&self.encoded, challenge]));
        let number = hash.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes)) % CODES;
        format!("{:03} {:03}", number / 1_000, number % 1_000)
    }

    fn info(&self) -> Vec<u8> {
        Context::LINK_SEAL.bytes(&[&self.commitment()])
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;
    use undertone_credentials::DeviceKey;

    use super::*;
    use crate::testing::rng;

    fn new_device(seed: u8) -> (LinkSecret, Hello) {
        let rng = &mut rng(seed);
        let (key, secret) = (DeviceKey::generate(rng), LinkSecret::generate(rng));
        let hello = secret.hello(&key.public(), &[1, 7], rng);
        (secret, hello)
    }

    /// Two releases may link to each other: what each computes is frozen.
    #[test]
    fn known_answers() {
        let (_, hello) = new_device(1);
        let challenge = LinkChallenge::generate(&mut rng(2));
        assert_eq!(
            [
                HEXLOWER.encode(&hello.commitment()),
                HEXLOWER.encode(&challenge.public()),
                hello.code(&challenge.public()),
                HEXLOWER.encode(&Sha256::digest(challenge.seal(&hello, b"hello", &mut rng(3)).unwrap())),
            ],
            [
                "8247ab6c793ed3e27253b2c4c82f5a899be75d74d66d1e820ea17e34a17bf0ee",
                "ff5d5bd2bdf3467c00ab06a0ceebdad7ad5504b743850394242549d4cf6772f1",
                "524 430",
                "69154428b733714372bf728184946b5b07a7ba20887e8822b81e09539040993f",
            ]
        );
    }

    #[test]
    fn what_is_handed_over_opens_in_its_own_linking() {
        let (secret, hello) = new_device(1);
        let challenge = LinkChallenge::generate(&mut rng(2));
        let sealed = challenge.seal(&hello, b"hello", &mut rng(3)).unwrap();
        assert_eq!(&**secret.open(&hello, &challenge.public(), &sealed).unwrap(), b"hello");

        let flaw = |flaw: Flaw| Some(E2eeError::from(flaw));
        let (other, another) = new_device(4);
        assert_eq!(other.open(&hello, &challenge.public(), &sealed).err(), flaw(Flaw::Ciphertext));
        assert_eq!(secret.open(&another, &challenge.public(), &sealed).err(), flaw(Flaw::Ciphertext));
        // Somebody who has heard all, and knows the new device's key, but is not whose code was compared.
        let forged = LinkChallenge::generate(&mut rng(5)).seal(&hello, b"hello", &mut rng(6)).unwrap();
        assert_eq!(secret.open(&hello, &challenge.public(), &forged).err(), flaw(Flaw::Signature));
    }

    #[test]
    fn the_code_covers_hello_and_challenge() {
        let (hello, another) = (new_device(1).1, new_device(2).1);
        let code = hello.code(&[1; 32]);
        assert!(code != another.code(&[1; 32]) && code != hello.code(&[2; 32]));
        let again = Hello::parse(hello.encoded().clone()).ok().unwrap();
        assert!(again.code(&[1; 32]) == code && again.commitment() == hello.commitment());
        assert!(again.device_key() == hello.device_key() && again.content().features == [1, 7]);
    }

    #[test]
    fn a_hello_has_its_form() {
        let (_, hello) = new_device(1);
        let refusal = |change: fn(&mut LinkHello)| {
            let mut content = hello.content().clone();
            change(&mut content);
            Hello::parse(content.encode_to_vec().into()).err()
        };
        let malformed = Some(E2eeError::from(Flaw::Malformed));
        assert_eq!(refusal(|hello| hello.version = 2), Some(E2eeError::Unsupported));
        assert_eq!(refusal(|hello| hello.version = 0), malformed);
        assert_eq!(refusal(|hello| hello.nonce = Bytes::new()), malformed);
        assert_eq!(refusal(|hello| hello.seal_key.truncate(1_215)), malformed);
        assert_eq!(refusal(|hello| hello.device_key = vec![0; 32].into()), malformed);
        assert_eq!(refusal(|hello| hello.device_key.truncate(31)), malformed);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn codes_are_six_digits(challenge: [u8; 32]) {
            let code = new_device(1).1.code(&challenge);
            let digits = |part: &str| part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_digit());
            prop_assert!(code.split_once(' ').is_some_and(|(one, two)| digits(one) && digits(two)));
        }

        #[test]
        fn round_trip(content in proptest::collection::vec(any::<u8>(), 0..20_000), seed: u8) {
            let (secret, hello) = new_device(seed);
            let challenge = LinkChallenge::generate(&mut rng(seed));
            let sealed = challenge.seal(&hello, &content, &mut rng(seed)).unwrap();
            prop_assert!(**secret.open(&hello, &challenge.public(), &sealed).unwrap() == content);
        }

        #[test]
        fn every_flipped_bit_is_refused(at in 0usize..1_173, bit in 0u8..8) {
            let (secret, hello) = new_device(1);
            let challenge = LinkChallenge::generate(&mut rng(2));
            let mut sealed = challenge.seal(&hello, b"hello", &mut rng(3)).unwrap().to_vec();
            sealed[at] ^= 1 << bit;
            prop_assert!(secret.open(&hello, &challenge.public(), &sealed).is_err());
        }

        #[test]
        fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..1_400)) {
            let (secret, hello) = new_device(1);
            prop_assert!(secret.open(&hello, &[0; 32], &bytes).is_err());
            prop_assert!(Hello::parse(bytes.into()).is_err());
        }
    }
}
