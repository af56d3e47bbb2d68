//! Profiles: what a person says of himself to those whom he talks to.

use bytes::Bytes;
use undertone_wire::{
    AccountId, Message,
    content::{self, SignedProfile},
    context::Context,
    ladder,
    limits::{ABOUT_BYTES_MAX, AVATAR_BYTES_MAX, NAME_BYTES_MAX},
    padding,
};

use crate::{CredentialError, DeviceList, IdentityKey, signed};

/// What a person says of himself, for which his identity key vouches.
#[derive(Clone)]
pub struct Profile {
    body: content::Profile,
}

impl Profile {
    /// Makes a SignedProfile.
    ///
    /// # Errors
    /// [`CredentialError::Malformed`] when a part is longer than it may be.
    pub fn sign(
        identity: &IdentityKey,
        account: AccountId,
        profile: &content::Profile,
    ) -> Result<Bytes, CredentialError> {
        check_lengths(profile)?;
        let body: Bytes = content::Profile { version: ladder::OBJECTS, ..profile.clone() }.encode_to_vec().into();
        let signature = identity.sign(&Context::PROFILE.bytes(&[account.as_bytes(), &body]));
        Ok(SignedProfile { body, signature: Bytes::copy_from_slice(&signature) }.encode_to_vec().into())
    }

    /// Checks a SignedProfile against its owner's list.
    ///
    /// That it is not an older one is the reader's to check, by its revision.
    ///
    /// # Errors
    /// When it is malformed, of a newer version, or not by this identity key for this account.
    pub fn verify(list: &DeviceList, bytes: &[u8]) -> Result<Self, CredentialError> {
        let bytes_max = padding::PROFILE.last().copied().unwrap_or_default();
        let outer: SignedProfile = signed::decode(bytes, bytes_max)?;
        let body: content::Profile = signed::decode(&outer.body, bytes_max)?;
        signed::check_version(body.version)?;
        check_lengths(&body)?;
        list.identity().verify(&Context::PROFILE.bytes(&[list.account().as_bytes(), &outer.body]), &outer.signature)?;
        Ok(Self { body })
    }

    /// Rises with each profile of the account.
    pub fn revision(&self) -> u64 {
        self.body.revision
    }

    /// What the person calls himself; at most [`NAME_BYTES_MAX`] bytes, and none where he does not say.
    pub fn name(&self) -> &str {
        &self.body.name
    }

    /// What he says about himself; at most [`ABOUT_BYTES_MAX`] bytes.
    pub fn about(&self) -> &str {
        &self.body.about
    }

    /// An image, in whatever form it has; at most [`AVATAR_BYTES_MAX`] bytes, and none where there is none.
    pub fn avatar(&self) -> &Bytes {
        &self.body.avatar
    }
}

fn check_lengths(profile: &content::Profile) -> Result<(), CredentialError> {
    let right = profile.name.len() <= NAME_BYTES_MAX
        && profile.about.len() <= ABOUT_BYTES_MAX
        && profile.avatar.len() <= AVATAR_BYTES_MAX;
    if right { Ok(()) } else { Err(CredentialError::Malformed) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Person;

    fn content() -> content::Profile {
        content::Profile {
            version: ladder::OBJECTS,
            revision: 7,
            name: "Ana".into(),
            about: "at sea".into(),
            avatar: Bytes::from_static(&[9; 30]),
        }
    }

    fn signed_by(person: &Person, owner: &Person) -> Bytes {
        Profile::sign(&person.identity, owner.list.account(), &content()).unwrap()
    }

    /// Whatever a body says, signed by its owner.
    fn verify(profile: &content::Profile) -> Option<CredentialError> {
        let ana = Person::new(1);
        let body = profile.encode_to_vec();
        let signature = ana.identity.sign(&Context::PROFILE.bytes(&[ana.list.account().as_bytes(), &body]));
        let signed = SignedProfile { body: body.into(), signature: signature.to_vec().into() };
        Profile::verify(&ana.list, &signed.encode_to_vec()).err()
    }

    #[test]
    fn it_says_what_its_owner_said() {
        let ana = Person::new(1);
        let profile = Profile::verify(&ana.list, &signed_by(&ana, &ana)).ok().unwrap();
        assert_eq!((profile.revision(), profile.name(), profile.about()), (7, "Ana", "at sea"));
        assert_eq!(profile.avatar()[..], [9; 30]);
    }

    #[test]
    fn it_is_of_this_version_whatever_its_maker_said() {
        let ana = Person::new(1);
        let unsaid = content::Profile { version: 0, ..content() };
        let profile = Profile::sign(&ana.identity, ana.list.account(), &unsaid).unwrap();
        assert_eq!(Profile::verify(&ana.list, &profile).err(), None);
    }

    #[test]
    fn only_the_owner_makes_one_and_only_for_himself() {
        let (ana, bo) = (Person::new(1), Person::new(2));
        for (signer, owner, list) in [(&bo, &ana, &ana), (&ana, &bo, &ana), (&ana, &ana, &bo)] {
            let refused = Profile::verify(&list.list, &signed_by(signer, owner)).err();
            assert_eq!(refused, Some(CredentialError::Signature));
        }
    }

    #[test]
    fn other_versions_and_lengths_are_refused() {
        assert_eq!(verify(&content()), None);
        assert_eq!(verify(&content::Profile { version: 0, ..content() }), Some(CredentialError::Malformed));
        assert_eq!(verify(&content::Profile { version: 2, ..content() }), Some(CredentialError::Newer));
        let longest = content::Profile {
            name: "n".repeat(NAME_BYTES_MAX),
            about: "a".repeat(ABOUT_BYTES_MAX),
            avatar: vec![1; AVATAR_BYTES_MAX].into(),
            ..content()
        };
        assert_eq!(verify(&longest), None);
        for longer in [
            content::Profile { name: "n".repeat(NAME_BYTES_MAX + 1), ..content() },
            content::Profile { about: "a".repeat(ABOUT_BYTES_MAX + 1), ..content() },
            content::Profile { avatar: vec![1; AVATAR_BYTES_MAX + 1].into(), ..content() },
        ] {
            assert_eq!(verify(&longer), Some(CredentialError::Malformed));
            let ana = Person::new(1);
            let signed = Profile::sign(&ana.identity, ana.list.account(), &longer);
            assert_eq!(signed.err(), Some(CredentialError::Malformed));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(Profile::verify(&Person::new(1).list, &bytes).is_err());
        }

        #[test]
        fn every_flipped_bit_is_refused(at in 0usize..1_000, bit in 0u8..8) {
            let ana = Person::new(1);
            let mut bytes = signed_by(&ana, &ana).to_vec();
            let at = at * bytes.len() / 1_000;
            bytes[at] ^= 1 << bit;
            prop_assert!(Profile::verify(&ana.list, &bytes).is_err());
        }
    }
}
