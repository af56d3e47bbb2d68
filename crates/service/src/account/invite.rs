//! Invite codes: what an operator gives to a friend. The service keeps only their hashes.

use data_encoding::BASE32_NOPAD;
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use undertone_store::InviteHash;
use zeroize::{ZeroizeOnDrop, Zeroizing};

const CODE_BYTES: usize = 16;
/// Characters between two hyphens: the 26 of a code make 7-7-7-5.
const GROUP: usize = 7;

/// 16 random bytes; whoever has them may register.
#[derive(ZeroizeOnDrop)]
pub struct InviteCode([u8; CODE_BYTES]);

impl InviteCode {
    /// A fresh code.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut code = Self([0; CODE_BYTES]);
        rng.fill_bytes(&mut code.0);
        code
    }

    /// Its text: base32 (RFC 4648) in small letters, in groups.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::new());
        let letters = Zeroizing::new(BASE32_NOPAD.encode(&self.0).to_lowercase());
        for (place, letter) in letters.chars().enumerate() {
            if place > 0 && place % GROUP == 0 {
                text.push('-');
            }
            text.push(letter);
        }
        text
    }

    /// Reads a code as somebody types it: capitals, hyphens and spaces do not matter. None: it is no code.
    pub fn parse(text: &str) -> Option<Self> {
        let letters: Zeroizing<String> = Zeroizing::new(
            text.chars().filter(|c| *c != '-' && !c.is_whitespace()).map(|c| c.to_ascii_uppercase()).collect(),
        );
        let bytes = Zeroizing::new(BASE32_NOPAD.decode(letters.as_bytes()).ok()?);
        bytes[..].try_into().ok().map(Self)
    }

    /// By this the service knows it again: SHA-256 of the 16 bytes.
    pub fn hash(&self) -> InviteHash {
        InviteHash(Sha256::digest(self.0).into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = InviteCode::generate(&mut ChaCha20Rng::from_seed([1; 32]));
        let text = code.to_text();
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [7, 7, 7, 5]);
        for typed in [text.to_string(), text.to_uppercase(), text.replace('-', " "), format!(" {}\n", &*text)] {
            assert!(InviteCode::parse(&typed).is_some_and(|read| read.hash() == code.hash()));
        }
        for wrong in
            ["", "a", text.trim_start_matches(char::is_alphanumeric), &text.replace('-', "_"), &format!("{}a", &*text)]
        {
            assert!(InviteCode::parse(wrong).is_none());
        }
    }

    proptest! {
        #[test]
        fn any_text_parses_or_fails(text in ".{0,60}") {
            let _ = InviteCode::parse(&text);
        }
    }
}
