//! Profiles, sealed for those whom their owner has given the key.
//!
//! `version (1) || nonce (24) || XChaCha20-Poly1305 of the padded SignedProfile`, exactly one bucket of
//! [`padding::PROFILE`] long. The service keeps it, and gives it to whoever shows what follows from the same key; so who
//! was never told the key cannot even fetch it. The owner's signature lies inside: those who know the key can open the
//! profile, and cannot make another.

use bytes::Bytes;
use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha256;
use undertone_credentials::{CredentialError, DeviceList, IdentityKey, Profile};
use undertone_wire::{AccountId, WrongLength, content, context::Context, padding};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::{
    E2eeError, Flaw,
    aead::{self, KEY_LEN},
};

const VERSION: u8 = 1;

/// The key of a person's profile.
#[derive(Clone, PartialEq, Eq, ZeroizeOnDrop)]
pub struct ProfileKey([u8; KEY_LEN]);

impl ProfileKey {
    /// A fresh one.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut key = Self([0; KEY_LEN]);
        rng.fill_bytes(&mut key.0);
        key
    }

    /// The key of these bytes.
    pub const fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// Its bytes, to be stored and to be told.
    pub fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// What a visitor shows to fetch the profile: it tells nothing of the key (HKDF-SHA256, RFC 5869, without salt).
    pub fn access(&self) -> Zeroizing<[u8; 32]> {
        let mut access = Zeroizing::new([0; 32]);
        #[allow(clippy::expect_used, reason = "HKDF-SHA256 gives up to 8,160 bytes")]
        Hkdf::<Sha256>::new(None, &self.0).expand(&Context::PROFILE_ACCESS.bytes(&[]), &mut *access).expect("32 bytes");
        access
    }
}

impl TryFrom<&[u8]> for ProfileKey {
    type Error = WrongLength;

    fn try_from(bytes: &[u8]) -> Result<Self, WrongLength> {
        bytes.try_into().map(Self).map_err(|_| WrongLength { expected: KEY_LEN })
    }
}

/// Signs and seals a profile.
///
/// # Errors
/// [`E2eeError::TooLong`] when a part of it is longer than it may be.
pub fn seal_profile(
    key: &ProfileKey,
    identity: &IdentityKey,
    account: AccountId,
    profile: &content::Profile,
    rng: &mut impl CryptoRng,
) -> Result<Bytes, E2eeError> {
    let signed = Profile::sign(identity, account, profile).map_err(|_| E2eeError::TooLong)?;
    aead::seal(&key.0, &associated(account), (&[VERSION], &signed), padding::PROFILE, rng).map(Bytes::from)
}

/// Opens a profile. It has to be signed by the identity key of one of `lists`, which are of one account: of the newest that
/// is known, or of the one that a chat has.
///
/// # Errors
/// [`E2eeError::Unsupported`] for a later version, [`Flaw::Malformed`], [`Flaw::Ciphertext`], [`Flaw::Signature`].
pub fn open_profile(key: &ProfileKey, lists: &[DeviceList], sealed: &[u8]) -> Result<Profile, E2eeError> {
    let list = lists.first().ok_or(Flaw::Signature)?;
    let sealed = match sealed.split_first() {
        Some((&VERSION, rest)) if padding::PROFILE.contains(&sealed.len()) => rest,
        Some((&version, _)) if version > VERSION => return Err(E2eeError::Unsupported),
        _ => return Err(Flaw::Malformed.into()),
    };
    let signed = aead::open(&key.0, &associated(list.account()), sealed)?;
    let same = lists.iter().filter(|other| other.account() == list.account());
    let mut refused = Flaw::Signature.into();
    for list in same {
        match Profile::verify(list, &signed) {
            Ok(profile) => return Ok(profile),
            Err(CredentialError::Newer) => return Err(E2eeError::Unsupported),
            Err(CredentialError::Malformed) => refused = Flaw::Malformed.into(),
            Err(_) => {}
        }
    }
    Err(refused)
}

fn associated(account: AccountId) -> Vec<u8> {
    Context::PROFILE_SEAL.bytes(&[account.as_bytes()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use undertone_wire::{Message as _, ladder, limits};

    use super::*;
    use crate::testing::{Person, freeze, rng, vector};

    const KEY: ProfileKey = ProfileKey([5; KEY_LEN]);

    fn content() -> content::Profile {
        content::Profile {
            version: ladder::OBJECTS,
            revision: 3,
            name: "Ana".into(),
            about: "at sea".into(),
            avatar: Bytes::from_static(b"an image"),
        }
    }

    fn sealed(person: &Person, profile: &content::Profile) -> Bytes {
        seal_profile(&KEY, &person.identity(), person.account(), profile, &mut rng(4)).unwrap()
    }

    fn open(person: &Person, sealed: &[u8]) -> Result<String, E2eeError> {
        open_profile(&KEY, std::slice::from_ref(&person.list), sealed).map(|profile| profile.name().to_owned())
    }

    fn refused(person: &Person, sealed: &[u8]) -> E2eeError {
        open(person, sealed).err().unwrap()
    }

    /// Profiles wait at the service for years: the one in the file opens, and is what we seal.
    #[test]
    fn known_answer() {
        let ana = Person::new(1);
        let sealed = sealed(&ana, &content());
        freeze(
            "profile.txt",
            "`sealed` is the profile of whom `list` is of, under `key`, and is fetched by `access`; its name is `name`.",
            &[
                ("list", ana.list.encoded()),
                ("key", KEY.as_bytes()),
                ("access", &*KEY.access()),
                ("name", b"Ana"),
                ("sealed", &sealed),
            ],
        );
        let vector = vector("profile.txt");
        let list = DeviceList::verify(&vector["list"]).ok().unwrap();
        let key = ProfileKey::try_from(&vector["key"][..]).ok().unwrap();
        assert_eq!(key.access()[..], vector["access"]);
        let profile = open_profile(&key, &[list], &vector["sealed"]).ok().unwrap();
        assert_eq!(profile.name().as_bytes(), vector["name"]);
        assert!(sealed == vector["sealed"]);
    }

    #[test]
    fn only_its_key_opens_it_and_only_as_its_owners() {
        let (ana, bo) = (Person::new(1), Person::new(2));
        let bytes = sealed(&ana, &content());
        assert_eq!(bytes.len(), padding::PROFILE[0]);
        assert_eq!(open(&ana, &bytes).as_deref(), Ok("Ana"));
        assert_eq!(refused(&bo, &bytes), Flaw::Ciphertext.into(), "as another's");
        let other = open_profile(&ProfileKey([6; KEY_LEN]), std::slice::from_ref(&ana.list), &bytes).err();
        assert_eq!(other, Some(Flaw::Ciphertext.into()));
        assert_eq!(open_profile(&KEY, &[], &bytes).err(), Some(Flaw::Signature.into()));
        let forged = seal_profile(&KEY, &bo.identity(), ana.account(), &content(), &mut rng(4)).unwrap();
        assert_eq!(refused(&ana, &forged), Flaw::Signature.into(), "by another identity");
    }

    /// A reader may hear of a new identity before the profile is signed by it, or after.
    #[test]
    fn the_identity_of_any_list_of_that_account_does() {
        let (ana, bo) = (Person::new(1), Person::new(2));
        let newer = ana.list_without(9);
        for (lists, opens) in [
            (vec![newer.clone(), ana.list.clone()], true),
            (vec![newer.clone()], false),
            (vec![newer, bo.list.clone()], false),
        ] {
            assert_eq!(open_profile(&KEY, &lists, &sealed(&ana, &content())).is_ok(), opens);
        }
    }

    #[test]
    fn sizes_are_buckets() {
        let ana = Person::new(1);
        let with = |length| sealed(&ana, &content::Profile { avatar: vec![1; length].into(), ..content() }).len();
        assert_eq!([with(0), with(2_000), with(20_000)], [1_024, 16_384, 65_536]);
        let longest = content::Profile {
            name: "n".repeat(limits::NAME_BYTES_MAX),
            about: "a".repeat(limits::ABOUT_BYTES_MAX),
            avatar: vec![1; limits::AVATAR_BYTES_MAX].into(),
            ..content()
        };
        assert_eq!(sealed(&ana, &longest).len(), 65_536);
        let longer = content::Profile { avatar: vec![1; limits::AVATAR_BYTES_MAX + 1].into(), ..content() };
        let refused = seal_profile(&KEY, &ana.identity(), ana.account(), &longer, &mut rng(4)).err();
        assert_eq!(refused, Some(E2eeError::TooLong));
    }

    #[test]
    fn later_versions_are_told_apart() {
        let ana = Person::new(1);
        let mut changed = sealed(&ana, &content()).to_vec();
        changed[0] = 2;
        assert_eq!(refused(&ana, &changed), E2eeError::Unsupported);
        changed[0] = 0;
        assert_eq!(refused(&ana, &changed), Flaw::Malformed.into());
        let newer = content::Profile { version: 2, ..content() }.encode_to_vec();
        let signed = content::SignedProfile { body: newer.into(), signature: Bytes::new() }.encode_to_vec();
        let header = (&[VERSION][..], &signed[..]);
        let newer = aead::seal(&KEY.0, &associated(ana.account()), header, padding::PROFILE, &mut rng(4)).unwrap();
        assert_eq!(refused(&ana, &newer), E2eeError::Unsupported);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_flipped_bit_is_refused(at in 0usize..1_024, bit in 0u8..8) {
            let ana = Person::new(1);
            let mut changed = sealed(&ana, &content()).to_vec();
            changed[at] ^= 1 << bit;
            prop_assert!(open(&ana, &changed).is_err());
        }

        #[test]
        fn every_cut_is_refused(at in 0usize..1_024) {
            let ana = Person::new(1);
            prop_assert!(open(&ana, &sealed(&ana, &content())[..at]).is_err());
        }

        #[test]
        fn any_content_is_opened_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let ana = Person::new(1);
            let header = (&[VERSION][..], &bytes[..]);
            let sealed = aead::seal(&KEY.0, &associated(ana.account()), header, padding::PROFILE, &mut rng(4)).unwrap();
            prop_assert!(open(&ana, &sealed).is_err());
        }
    }
}
