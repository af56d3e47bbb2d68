//! Inbox keys: what strangers seal their letters to. A new one each week.

use bytes::Bytes;
use undertone_wire::{AccountId, Message, Week, context::Context, ladder, limits::INBOX_KEY_BYTES_MAX, objects};

use crate::{CredentialError, DeviceList, IdentityKey, signed};

/// Bytes of an X-Wing encapsulation key.
pub const INBOX_KEY_LEN: usize = 1_216;

/// An inbox key that its owner's identity key vouches for.
#[derive(Clone)]
pub struct InboxKey {
    week: Week,
    key: Bytes,
    encoded: Bytes,
}

impl InboxKey {
    /// Makes a SignedInboxKey.
    pub fn sign(identity: &IdentityKey, account: AccountId, week: Week, key: &[u8; INBOX_KEY_LEN]) -> Bytes {
        let body: Bytes =
            objects::InboxKey { version: ladder::OBJECTS, week: week.0, key: Bytes::copy_from_slice(key) }
                .encode_to_vec()
                .into();
        let signature = identity.sign(&Context::INBOX_KEY.bytes(&[account.as_bytes(), &body]));
        objects::SignedInboxKey { body, signature: Bytes::copy_from_slice(&signature) }.encode_to_vec().into()
    }

    /// A key for which something else vouches than its owner's identity key: the signed letter that it came in.
    ///
    /// # Errors
    /// [`CredentialError::Malformed`] for another length.
    pub fn vouched(week: Week, key: Bytes) -> Result<Self, CredentialError> {
        if key.len() != INBOX_KEY_LEN {
            return Err(CredentialError::Malformed);
        }
        Ok(Self { week, key, encoded: Bytes::new() })
    }

    /// Checks a SignedInboxKey against its owner's list.
    ///
    /// That the key is one that X-Wing can use is found out by who uses it.
    ///
    /// # Errors
    /// When it is malformed, of a newer version, or not by this identity key for this account.
    pub fn verify(list: &DeviceList, bytes: &[u8]) -> Result<Self, CredentialError> {
        let outer: objects::SignedInboxKey = signed::decode(bytes, INBOX_KEY_BYTES_MAX)?;
        let body: objects::InboxKey = signed::decode(&outer.body, INBOX_KEY_BYTES_MAX)?;
        signed::check_version(body.version)?;
        if body.key.len() != INBOX_KEY_LEN {
            return Err(CredentialError::Malformed);
        }
        list.identity()
            .verify(&Context::INBOX_KEY.bytes(&[list.account().as_bytes(), &outer.body]), &outer.signature)?;
        Ok(Self { week: Week(body.week), key: body.key, encoded: Bytes::copy_from_slice(bytes) })
    }

    /// The week that it was made for.
    pub fn week(&self) -> Week {
        self.week
    }

    /// The X-Wing encapsulation key, [`INBOX_KEY_LEN`] bytes.
    pub fn key(&self) -> &Bytes {
        &self.key
    }

    /// The SignedInboxKey, byte for byte; empty where no such vouches for it.
    pub fn encoded(&self) -> &Bytes {
        &self.encoded
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Person;

    fn signed_by(person: &Person, owner: &Person) -> Bytes {
        InboxKey::sign(&person.identity, owner.list.account(), Week(2_968), &[5; INBOX_KEY_LEN])
    }

    #[test]
    fn it_says_week_and_key() {
        let ana = Person::new(1);
        let bytes = signed_by(&ana, &ana);
        let key = InboxKey::verify(&ana.list, &bytes).ok().unwrap();
        assert!(key.week() == Week(2_968) && key.key()[..] == [5; INBOX_KEY_LEN] && key.encoded() == &bytes);
    }

    #[test]
    fn only_the_owner_makes_one_and_only_for_himself() {
        let (ana, bo) = (Person::new(1), Person::new(2));
        for (signer, owner, list) in [(&bo, &ana, &ana), (&ana, &bo, &ana), (&ana, &ana, &bo)] {
            let refused = InboxKey::verify(&list.list, &signed_by(signer, owner)).err();
            assert_eq!(refused, Some(CredentialError::Signature));
        }
    }

    #[test]
    fn other_versions_and_lengths_are_refused() {
        let ana = Person::new(1);
        let verify = |version, key: &'static [u8]| {
            let body = objects::InboxKey { version, week: 1, key: Bytes::from_static(key) }.encode_to_vec();
            let signature = ana.identity.sign(&Context::INBOX_KEY.bytes(&[ana.list.account().as_bytes(), &body]));
            let signed = objects::SignedInboxKey { body: body.into(), signature: signature.to_vec().into() };
            InboxKey::verify(&ana.list, &signed.encode_to_vec()).err()
        };
        assert_eq!(verify(1, &[5; INBOX_KEY_LEN]), None);
        assert_eq!(verify(1, &[5; INBOX_KEY_LEN - 1]), Some(CredentialError::Malformed));
        assert_eq!(verify(1, &[5; 2 * INBOX_KEY_LEN]), Some(CredentialError::Malformed));
        assert_eq!(verify(0, &[5; INBOX_KEY_LEN]), Some(CredentialError::Malformed));
        assert_eq!(verify(2, &[5; INBOX_KEY_LEN]), Some(CredentialError::Newer));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            prop_assert!(InboxKey::verify(&Person::new(1).list, &bytes).is_err());
        }

        #[test]
        fn every_flipped_bit_is_refused(at in 0usize..1_000, bit in 0u8..8) {
            let ana = Person::new(1);
            let mut bytes = signed_by(&ana, &ana).to_vec();
            let at = at * bytes.len() / 1_000;
            bytes[at] ^= 1 << bit;
            prop_assert!(InboxKey::verify(&ana.list, &bytes).is_err());
        }
    }
}
