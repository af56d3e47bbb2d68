//! Attributes of a group, sealed for those who have its master key.
//!
//! `version (1) || nonce (24) || XChaCha20-Poly1305 of the padded value`, exactly one bucket of [`padding::ATTRIBUTE`] long;
//! it opens as its kind alone. That the group says so, and not somebody else who has the key, is its record's
//! to say.

use bytes::Bytes;
use rand_core::CryptoRng;
use undertone_wire::{context::Context, padding};
use zeroize::Zeroizing;

use crate::{
    E2eeError, Flaw,
    aead::{self, KEY_LEN},
};

const VERSION: u8 = 1;

/// Bytes that an attribute may have at most, in the so-manieth of its sizes.
pub fn attribute_bytes_max(size: usize) -> usize {
    let bucket = padding::ATTRIBUTE.get(size).copied().unwrap_or_default();
    bucket.saturating_sub(1 + aead::OVERHEAD + size_of::<u32>())
}

/// Seals what a group says of itself. `kind` is the number of its kind in the schema.
///
/// # Errors
/// [`E2eeError::TooLong`].
pub fn seal_attribute(
    key: &[u8; KEY_LEN],
    kind: i32,
    value: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Bytes, E2eeError> {
    aead::seal(key, &associated(kind), (&[VERSION], value), padding::ATTRIBUTE, rng).map(Bytes::from)
}

/// Opens it.
///
/// # Errors
/// [`E2eeError::Unsupported`] for another version, [`Flaw::Malformed`], [`Flaw::Ciphertext`].
pub fn open_attribute(key: &[u8; KEY_LEN], kind: i32, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, E2eeError> {
    let rest = match sealed.split_first() {
        Some((&VERSION, rest)) if padding::ATTRIBUTE.contains(&sealed.len()) => rest,
        Some((&version, _)) if version > VERSION => return Err(E2eeError::Unsupported),
        _ => return Err(Flaw::Malformed.into()),
    };
    Ok(aead::open(key, &associated(kind), rest)?)
}

fn associated(kind: i32) -> Vec<u8> {
    Context::GROUP_ATTRIBUTE.bytes(&[&kind.to_be_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{rng, vector};

    const KEY: [u8; KEY_LEN] = [6; KEY_LEN];

    #[test]
    fn known_answer() {
        let sealed = seal_attribute(&KEY, 1, b"Lighthouse", &mut rng(1)).unwrap();
        crate::testing::freeze(
            "attribute.txt",
            "A sealed attribute: `key` opens `sealed` as `value`, the title (1) of a group.",
            &[("key", &KEY), ("value", b"Lighthouse"), ("sealed", &sealed)],
        );
        let vector = vector("attribute.txt");
        let key = vector["key"][..].try_into().unwrap();
        assert!(open_attribute(key, 1, &vector["sealed"]).unwrap()[..] == vector["value"][..]);
        assert!(sealed == vector["sealed"]);
    }

    #[test]
    fn it_opens_in_its_place_alone() {
        let sealed = seal_attribute(&KEY, 1, b"", &mut rng(1)).unwrap();
        assert_eq!(sealed.len(), padding::ATTRIBUTE[0]);
        let refusal = |key: &[u8; KEY_LEN], kind, sealed: &[u8]| open_attribute(key, kind, sealed).err();
        assert_eq!(refusal(&KEY, 1, &sealed), None);
        let ciphertext = Some(Flaw::Ciphertext.into());
        assert_eq!(refusal(&[7; KEY_LEN], 1, &sealed), ciphertext);
        assert_eq!(refusal(&KEY, 2, &sealed), ciphertext);
        let mut changed = sealed.to_vec();
        for (version, error) in [(0, Flaw::Malformed.into()), (2, E2eeError::Unsupported)] {
            changed[0] = version;
            assert_eq!(refusal(&KEY, 1, &changed), Some(error));
        }
        assert_eq!(refusal(&KEY, 1, &sealed[..100]), Some(Flaw::Malformed.into()));
        assert_eq!(refusal(&KEY, 1, &[]), Some(Flaw::Malformed.into()));
    }

    #[test]
    fn each_size_holds_what_it_says() {
        for (size, bucket) in padding::ATTRIBUTE.iter().enumerate() {
            let value = vec![7; attribute_bytes_max(size)];
            assert_eq!(seal_attribute(&KEY, 1, &value, &mut rng(1)).unwrap().len(), *bucket);
        }
        let largest = vec![7; attribute_bytes_max(padding::ATTRIBUTE.len() - 1) + 1];
        assert_eq!(seal_attribute(&KEY, 1, &largest, &mut rng(1)).err(), Some(E2eeError::TooLong));
        assert_eq!(attribute_bytes_max(99), 0);
    }
}
