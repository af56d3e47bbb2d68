//! The vault: what comes back with the recovery words, sealed by the account's devices.
//!
//! `version (1) || identity number (4, big-endian) || nonce (24) || XChaCha20-Poly1305 of the padded content`, exactly one
//! bucket of [`padding::VAULT`] long. The key belongs to the identity number (`credentials::RecoveryWords::vault_key`), so
//! whoever has the words finds it by the number in front; who holds an older number's key, as a removed device does,
//! opens what was sealed before and nothing since. That a vault is not an older one is the reader's to check, by the
//! revision that the service gives with it.

use bytes::Bytes;
use rand_core::CryptoRng;
use undertone_wire::{AccountId, context::Context, padding};
use zeroize::Zeroizing;

use crate::{
    E2eeError, Flaw,
    aead::{self, KEY_LEN},
};

const VERSION: u8 = 1;
const NUMBER_LEN: usize = 4;

/// Seals content as an account's vault, under the key of an identity number.
///
/// # Errors
/// [`E2eeError::TooLong`].
pub fn seal_vault(
    key: &[u8; KEY_LEN],
    account: AccountId,
    identity_number: u32,
    content: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Bytes, E2eeError> {
    let header = [&[VERSION][..], &identity_number.to_be_bytes()].concat();
    aead::seal(key, &associated(account, identity_number), (&header, content), padding::VAULT, rng).map(Bytes::from)
}

/// The identity number whose key a vault is sealed with.
///
/// # Errors
/// [`E2eeError::Unsupported`] for another version, [`Flaw::Malformed`].
pub fn vault_identity_number(sealed: &[u8]) -> Result<u32, E2eeError> {
    Ok(split(sealed)?.0)
}

/// Opens an account's vault with the key of its identity number.
///
/// # Errors
/// [`E2eeError::Unsupported`] for another version, [`Flaw::Malformed`], [`Flaw::Ciphertext`].
pub fn open_vault(key: &[u8; KEY_LEN], account: AccountId, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, E2eeError> {
    let (identity_number, rest) = split(sealed)?;
    Ok(aead::open(key, &associated(account, identity_number), rest)?)
}

fn associated(account: AccountId, identity_number: u32) -> Vec<u8> {
    Context::VAULT.bytes(&[account.as_bytes(), &identity_number.to_be_bytes()])
}

/// The identity number after a version that we know, and the rest.
fn split(sealed: &[u8]) -> Result<(u32, &[u8]), E2eeError> {
    match sealed.split_first() {
        Some((&VERSION, rest)) if padding::VAULT.contains(&sealed.len()) => {
            let (number, rest) = rest.split_first_chunk::<NUMBER_LEN>().ok_or(Flaw::Malformed)?;
            Ok((u32::from_be_bytes(*number), rest))
        }
        Some((&version, _)) if version > VERSION => Err(E2eeError::Unsupported),
        _ => Err(Flaw::Malformed.into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use undertone_credentials::RecoveryWords;

    use super::*;
    use crate::testing::{freeze, rng, vector};

    const ACCOUNT: AccountId = AccountId::new([6; 16]);
    const KEY: [u8; KEY_LEN] = [3; KEY_LEN];

    fn sealed(content: &[u8]) -> Bytes {
        seal_vault(&KEY, ACCOUNT, 2, content, &mut rng(1)).unwrap()
    }

    /// A vault outlives the release that sealed it: the one in the file opens with its words, and is what we seal.
    #[test]
    fn known_answer() {
        let words = format!("{}art", "abandon ".repeat(23));
        let key = RecoveryWords::parse(&words).ok().unwrap().vault_key(1);
        let content = b"a vault of 2026";
        let sealed = seal_vault(&key, ACCOUNT, 1, content, &mut rng(2)).unwrap();
        freeze(
            "vault.txt",
            "The vault of `account`: `words` (their text) give the key of its identity number, which opens `sealed` to `content`.",
            &[("account", ACCOUNT.as_bytes()), ("words", words.as_bytes()), ("content", content), ("sealed", &sealed)],
        );
        let vector = vector("vault.txt");
        let words = RecoveryWords::parse(std::str::from_utf8(&vector["words"]).unwrap()).ok().unwrap();
        let account = AccountId::try_from(&vector["account"][..]).unwrap();
        let key = words.vault_key(vault_identity_number(&vector["sealed"]).unwrap());
        assert_eq!(*open_vault(&key, account, &vector["sealed"]).unwrap(), vector["content"]);
        assert!(sealed == vector["sealed"]);
    }

    #[test]
    fn only_its_account_number_and_key_open_it() {
        let sealed = sealed(b"hello");
        assert_eq!((sealed.len(), vault_identity_number(&sealed)), (padding::VAULT[0], Ok(2)));
        assert_eq!(&**open_vault(&KEY, ACCOUNT, &sealed).unwrap(), b"hello");
        let refused = Some(E2eeError::from(Flaw::Ciphertext));
        assert_eq!(open_vault(&KEY, AccountId::new([7; 16]), &sealed).err(), refused);
        assert_eq!(open_vault(&[4; KEY_LEN], ACCOUNT, &sealed).err(), refused);
        let cut = &sealed[..sealed.len() - 1];
        assert_eq!(open_vault(&KEY, ACCOUNT, cut).err(), Some(Flaw::Malformed.into()), "no bucket");
        let mut changed = sealed.to_vec();
        changed[4] = 1;
        assert_eq!(open_vault(&KEY, ACCOUNT, &changed).err(), refused, "another number");
        changed[0] = 2;
        assert_eq!(open_vault(&KEY, ACCOUNT, &changed).err(), Some(E2eeError::Unsupported));
        changed[0] = 0;
        assert_eq!(open_vault(&KEY, ACCOUNT, &changed).err(), Some(Flaw::Malformed.into()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn round_trip(content in proptest::collection::vec(any::<u8>(), 0..200_000), seed: u8) {
            match seal_vault(&KEY, ACCOUNT, 2, &content, &mut rng(seed)) {
                Ok(sealed) => {
                    prop_assert!(padding::VAULT.contains(&sealed.len()));
                    prop_assert!(**open_vault(&KEY, ACCOUNT, &sealed).unwrap() == content);
                }
                Err(error) => {
                    prop_assert_eq!(error, E2eeError::TooLong);
                    prop_assert!(content.len() > (192 << 10) - 100);
                }
            }
        }

        #[test]
        fn every_flipped_bit_is_refused(at in 0usize..(8 << 10), bit in 0u8..8) {
            let mut changed = sealed(b"hello").to_vec();
            changed[at] ^= 1 << bit;
            prop_assert!(open_vault(&KEY, ACCOUNT, &changed).is_err());
        }

        #[test]
        fn every_cut_is_refused(at in 0usize..(8 << 10)) {
            prop_assert!(open_vault(&KEY, ACCOUNT, &sealed(b"hello")[..at]).is_err());
        }

        #[test]
        fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600), sound: bool) {
            let bytes = if sound {
                let mut vault = [&[VERSION][..], &bytes].concat();
                vault.resize(padding::VAULT[0], 0);
                vault
            } else {
                bytes
            };
            prop_assert!(open_vault(&KEY, ACCOUNT, &bytes).is_err());
        }
    }
}
