//! Recovery words: the one thing that a person keeps on paper (BIP-39, English list, 24 words).

use bip39::{Language, Mnemonic};
use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{CredentialError, RecoveryKey};

const WORDS: usize = 24;
const ENTROPY: usize = 32;
const KEY_LEN: usize = 32;
const RECOVERY_KEY_INFO: &[u8] = b"undertone recovery key 1";
const VAULT_KEY_INFO: &[u8] = b"undertone vault key 1";

/// 24 words: 256 bits of entropy and a checksum of 8 bits. Whoever has them is the person.
#[derive(ZeroizeOnDrop)]
pub struct RecoveryWords(Mnemonic);

impl RecoveryWords {
    /// Fresh words.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut entropy = Zeroizing::new([0; ENTROPY]);
        rng.fill_bytes(&mut *entropy);
        #[allow(clippy::expect_used, reason = "256 bits are always an entropy of BIP-39")]
        Self(Mnemonic::from_entropy_in(Language::English, &*entropy).expect("256 bits"))
    }

    /// Reads words as somebody types them: capitals, line breaks and repeated spaces do not matter.
    ///
    /// # Errors
    /// [`CredentialError::WordCount`], [`CredentialError::UnknownWord`] with its place, or
    /// [`CredentialError::WordsChecksum`].
    pub fn parse(text: &str) -> Result<Self, CredentialError> {
        let text = Zeroizing::new(text.to_lowercase());
        let count = text.split_whitespace().count();
        if count != WORDS {
            return Err(CredentialError::WordCount(count));
        }
        Mnemonic::parse_in_normalized(Language::English, &text).map(Self).map_err(|error| match error {
            bip39::Error::UnknownWord(index) => CredentialError::UnknownWord(index + 1),
            _ => CredentialError::WordsChecksum,
        })
    }

    /// The words, with one space between them, for their owner's eyes.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.words().collect::<Vec<_>>().join(" "))
    }

    /// The key that an account id commits to.
    pub fn recovery_key(&self) -> RecoveryKey {
        RecoveryKey::from_seed(&self.derive(&[RECOVERY_KEY_INFO]))
    }

    /// What the account's vault is sealed with as long as its identity key has this number. Devices keep it, so that they
    /// can write the vault without the words: a removed one holds the key of a number that is no longer used.
    pub fn vault_key(&self, identity_number: u32) -> Zeroizing<[u8; KEY_LEN]> {
        self.derive(&[VAULT_KEY_INFO, &identity_number.to_be_bytes()])
    }

    /// HKDF-SHA256 (RFC 5869) of the entropy, without salt; its info is the parts, one behind the other.
    fn derive(&self, info: &[&[u8]]) -> Zeroizing<[u8; KEY_LEN]> {
        let (mut padded, length) = self.0.to_entropy_array();
        let entropy = padded.get(..length).unwrap_or_default();
        let mut key = Zeroizing::new([0; KEY_LEN]);
        #[allow(clippy::expect_used, reason = "HKDF-SHA256 gives up to 8,160 bytes")]
        Hkdf::<Sha256>::new(None, entropy).expand_multi_info(info, &mut *key).expect("32 bytes");
        padded.zeroize();
        key
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;
    use crate::{IdentityKey, account_id, testing::rng};

    /// Words on paper outlive every release: this way from them to the account id is frozen.
    #[test]
    fn known_answers() {
        let words = RecoveryWords::parse(&format!("{}art", "abandon ".repeat(23))).ok().unwrap();
        let recovery = words.recovery_key();
        let identity = IdentityKey::from_seed(&[7; 32]);
        assert_eq!(
            [
                HEXLOWER.encode(&*recovery.seed()),
                HEXLOWER.encode(recovery.public().as_bytes()),
                account_id(&recovery.public(), &identity.public()).to_hex(),
            ],
            [
                "1c42497237d738e8abfc98bd0fa0e12e8998050a0ae342593eed5045fc17859b",
                "5f0af66b3a74abbed46b358a9e0c3a12268d1e64975463e1e422fa07a600a021",
                "15e3371dccfce410aa387b60892785f2",
            ]
        );
    }

    /// A vault of any release opens with the words alone: this way to its key is frozen too.
    #[test]
    fn vault_keys_are_known() {
        let words = RecoveryWords::parse(&format!("{}art", "abandon ".repeat(23))).ok().unwrap();
        assert_eq!(
            [0, 1].map(|number| HEXLOWER.encode(&*words.vault_key(number))),
            [
                "eddfe613e5da323d6a2bb0819e8254520df7144a6b06db543d2dcac91c4e4fe3",
                "b1d8259c9ec676ec0750e7d1800685caa933befd056b1c1c80a98efded97d127",
            ]
        );
        assert!(*words.vault_key(0) != *words.recovery_key().seed());
    }

    #[test]
    fn words_round_trip_however_they_are_typed() {
        let words = RecoveryWords::generate(&mut rng(3));
        let typed = words.to_text().to_uppercase().replace(' ', "\n  ");
        let again = RecoveryWords::parse(&typed).ok().unwrap();
        assert!(again.to_text() == words.to_text());
        assert!(again.recovery_key().public() == words.recovery_key().public());
    }

    #[test]
    fn a_misspelt_word_is_named_by_its_place() {
        let words = RecoveryWords::generate(&mut rng(4)).to_text();
        for place in 1..=WORDS {
            let typed: Vec<_> =
                (1..).zip(words.split(' ')).map(|(at, word)| if at == place { "undertone" } else { word }).collect();
            assert_eq!(RecoveryWords::parse(&typed.join(" ")).err(), Some(CredentialError::UnknownWord(place)));
        }
    }

    #[test]
    fn missing_and_exchanged_words_are_noticed() {
        let words = RecoveryWords::generate(&mut rng(5)).to_text();
        let mut swapped: Vec<_> = words.split(' ').collect();
        swapped.swap(3, 11);
        assert_eq!(RecoveryWords::parse(&swapped.join(" ")).err(), Some(CredentialError::WordsChecksum));
        assert_eq!(RecoveryWords::parse(&swapped[1..].join(" ")).err(), Some(CredentialError::WordCount(23)));
        assert_eq!(RecoveryWords::parse("").err(), Some(CredentialError::WordCount(0)));
    }

    proptest! {
        #[test]
        fn any_text_parses_or_fails(text in ".{0,200}") {
            let _ = RecoveryWords::parse(&text);
        }
    }
}
