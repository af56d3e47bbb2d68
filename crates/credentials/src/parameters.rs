//! The service's public parameters: one signed list, the same for everybody.
//!
//! The service signs it, and clients tell each other what they were shown: two lists of one revision that differ, both
//! signed, prove that it keeps people apart by the keys that it gives them.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use undertone_wire::{
    Message as _, Week,
    circuit::{Parameters, SignedParameters},
    context::Context,
    objects::Purpose,
};

use crate::{CredentialError, CredentialPublic, HeadKey, PublicKey, SIGNATURE_LEN, TokenPublicKey, signed, voprf};

/// A list, encoded: keys of three purposes and as many weeks take 400 bytes, and later lists have more to say.
const BODY_BYTES_MAX: usize = 16 << 10;
/// Of this format of the list.
const VERSION: u32 = 1;

/// Signs a list. Its version and head key are set here: they follow from the signer.
pub fn sign_parameters(key: &HeadKey, parameters: &Parameters) -> SignedParameters {
    let head_key = Bytes::copy_from_slice(key.public().as_bytes());
    let body = Parameters { version: VERSION, head_key, ..parameters.clone() }.encode_to_vec();
    let signature = key.sign(&signed_bytes(parameters.revision, &Sha256::digest(&body).into()));
    SignedParameters { body: body.into(), signature: Bytes::copy_from_slice(&signature) }
}

/// Checks what a service is said to have signed: that it showed somebody a list of this revision with this hash. With
/// the list that it showed us under the same revision, it is evidence.
///
/// # Errors
/// [`CredentialError::Signature`].
pub fn verify_parameters_seen(
    key: &PublicKey,
    revision: u64,
    hash: &[u8; 32],
    signature: &[u8],
) -> Result<(), CredentialError> {
    key.verify(&signed_bytes(revision, hash), signature)
}

/// A list that its own head key has signed. Whether that is the key that this service always had is for its reader to
/// compare.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedParameters {
    head_key: PublicKey,
    revision: u64,
    token_keys: Vec<(Purpose, Week, TokenPublicKey)>,
    credential_key: Option<CredentialPublic>,
    directory_key: Option<voprf::PublicKey>,
    hash: [u8; 32],
    signature: [u8; SIGNATURE_LEN],
}

impl VerifiedParameters {
    /// Checks a list from its bytes.
    ///
    /// # Errors
    /// [`CredentialError::Malformed`], also for two keys of one purpose and week; [`CredentialError::Newer`];
    /// [`CredentialError::Key`] and [`CredentialError::Element`] for what is no key; [`CredentialError::Signature`].
    pub fn verify(signed: &SignedParameters) -> Result<Self, CredentialError> {
        let list: Parameters = signed::decode(&signed.body, BODY_BYTES_MAX)?;
        match list.version {
            VERSION => {}
            newer if newer > VERSION => return Err(CredentialError::Newer),
            _ => return Err(CredentialError::Malformed),
        }
        let head_key = PublicKey::try_from(&list.head_key[..])?;
        let hash = Sha256::digest(&signed.body).into();
        verify_parameters_seen(&head_key, list.revision, &hash, &signed.signature)?;
        let mut token_keys: Vec<(Purpose, Week, TokenPublicKey)> = Vec::with_capacity(list.token_keys.len());
        for key in &list.token_keys {
            // A purpose that this release does not know is nothing that it asks for.
            let Ok(purpose) = Purpose::try_from(key.purpose.cast_signed()) else { continue };
            if token_keys.iter().any(|(known, week, _)| (*known, week.0) == (purpose, key.week)) {
                return Err(CredentialError::Malformed);
            }
            token_keys.push((purpose, Week(key.week), TokenPublicKey::try_from(&key.key[..])?));
        }
        // A service of an earlier release has none.
        let credential_key = match &list.credential_key[..] {
            [] => None,
            bytes => Some(CredentialPublic::try_from(bytes)?),
        };
        let directory_key = match &list.directory_key[..] {
            [] => None,
            bytes => Some(voprf::PublicKey::try_from(bytes)?),
        };
        let signature = signed.signature[..].try_into().map_err(|_| CredentialError::Signature)?;
        Ok(Self { head_key, revision: list.revision, token_keys, credential_key, directory_key, hash, signature })
    }

    /// The key under which the service signs this list and chain heads.
    pub fn head_key(&self) -> &PublicKey {
        &self.head_key
    }

    /// Counts the lists of this service.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// SHA-256 of the list.
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// The service's signature: with the hash, evidence.
    pub fn signature(&self) -> &[u8; SIGNATURE_LEN] {
        &self.signature
    }

    /// The week in which tokens are issued: the one before the newest that there are keys for. None: there are none.
    pub fn week(&self) -> Option<Week> {
        let newest = self.token_keys.iter().map(|(_, week, _)| *week).max()?;
        newest.0.checked_sub(1).map(Week)
    }

    /// The key that every credential must be issued under. None: this service has no groups.
    pub fn credential_key(&self) -> Option<&CredentialPublic> {
        self.credential_key.as_ref()
    }

    /// The key under which identifiers must be evaluated. None: this service has no directory.
    pub fn directory_key(&self) -> Option<&voprf::PublicKey> {
        self.directory_key.as_ref()
    }

    /// The key that every token of this purpose and week must be issued under. None: the list has none.
    pub fn token_key(&self, purpose: Purpose, week: Week) -> Option<&TokenPublicKey> {
        self.token_keys.iter().find(|(of, at, _)| (*of, *at) == (purpose, week)).map(|(_, _, key)| key)
    }
}

/// The revision stands beside the hash: nobody can tell others of one list as if it were another.
fn signed_bytes(revision: u64, hash: &[u8; 32]) -> Vec<u8> {
    Context::PARAMETERS.bytes(&[&revision.to_be_bytes(), hash])
}

#[cfg(test)]
mod tests {
    use undertone_wire::circuit::TokenKey;

    use super::*;
    use crate::{IssuingKey, testing::rng};

    const WEEK: Week = Week(2_970);

    fn token_key(purpose: Purpose, week: Week) -> TokenKey {
        let key = IssuingKey::from_seed(&[5; 32]).public(purpose, week);
        TokenKey {
            purpose: i32::from(purpose).unsigned_abs(),
            week: week.0,
            key: Bytes::copy_from_slice(key.as_bytes()),
        }
    }

    fn list() -> Parameters {
        Parameters { revision: 7, token_keys: vec![token_key(Purpose::Inbox, WEEK)], ..Parameters::default() }
    }

    fn head_key() -> HeadKey {
        HeadKey::generate(&mut rng(1))
    }

    /// A list with another content, signed all the same.
    fn changed(change: impl FnOnce(&mut Parameters)) -> Result<VerifiedParameters, CredentialError> {
        let key = head_key();
        let mut list = Parameters::decode(&sign_parameters(&key, &list()).body[..]).unwrap();
        change(&mut list);
        let body = list.encode_to_vec();
        let signature = key.sign(&signed_bytes(list.revision, &Sha256::digest(&body).into()));
        VerifiedParameters::verify(&SignedParameters { body: body.into(), signature: signature.to_vec().into() })
    }

    #[test]
    fn what_is_signed_is_read_back() {
        let signed = sign_parameters(&head_key(), &list());
        let verified = VerifiedParameters::verify(&signed).ok().unwrap();
        assert!(*verified.head_key() == head_key().public() && verified.revision() == 7);
        assert!(*verified.hash() == <[u8; 32]>::from(Sha256::digest(&signed.body)));
        let expected = IssuingKey::from_seed(&[5; 32]).public(Purpose::Inbox, WEEK);
        assert!(verified.token_key(Purpose::Inbox, WEEK) == Some(&expected));
        assert!(verified.token_key(Purpose::Contact, WEEK).is_none());
        assert!(verified.token_key(Purpose::Inbox, Week(WEEK.0 + 1)).is_none());
        assert!(verified.credential_key().is_none());
        let key = verified.head_key();
        assert_eq!(verify_parameters_seen(key, 7, verified.hash(), verified.signature()), Ok(()));
        let refused = Err(CredentialError::Signature);
        assert_eq!(verify_parameters_seen(key, 7, &[0; 32], verified.signature()), refused);
        assert_eq!(verify_parameters_seen(key, 8, verified.hash(), verified.signature()), refused);
    }

    #[test]
    fn a_list_that_was_touched_is_refused() {
        let signed = sign_parameters(&head_key(), &list());
        let refused = |signed: SignedParameters| VerifiedParameters::verify(&signed).err();
        for at in 0..signed.body.len() {
            let mut body = signed.body.to_vec();
            body[at] ^= 1;
            assert!(refused(SignedParameters { body: body.into(), ..signed.clone() }).is_some(), "byte {at}");
        }
        let signature = Bytes::from_static(&[0; 64]);
        assert_eq!(refused(SignedParameters { signature, ..signed.clone() }), Some(CredentialError::Signature));
        let other = sign_parameters(&HeadKey::generate(&mut rng(2)), &list());
        assert_eq!(
            refused(SignedParameters { signature: other.signature, ..signed }),
            Some(CredentialError::Signature)
        );
        assert_eq!(refused(SignedParameters::default()), Some(CredentialError::Malformed));
    }

    #[test]
    fn a_list_has_one_key_of_each_kind_and_a_version_that_is_known() {
        assert!(changed(|_| ()).is_ok());
        assert!(changed(|list| list.token_keys.push(token_key(Purpose::Inbox, Week(WEEK.0 + 1)))).is_ok());
        assert!(changed(|list| list.token_keys.push(TokenKey { purpose: 99, ..TokenKey::default() })).is_ok());
        let twice = changed(|list| list.token_keys.push(token_key(Purpose::Inbox, WEEK)));
        assert_eq!(twice.err(), Some(CredentialError::Malformed));
        assert_eq!(changed(|list| list.version = 2).err(), Some(CredentialError::Newer));
        assert_eq!(changed(|list| list.version = 0).err(), Some(CredentialError::Malformed));
        assert_eq!(changed(|list| list.head_key = Bytes::new()).err(), Some(CredentialError::Key));
        let identity = TokenKey { purpose: 3, week: 1, key: vec![0; 32].into() };
        assert_eq!(changed(|list| list.token_keys.push(identity)).err(), Some(CredentialError::Element));
        let public = *IssuingKey::from_seed(&[5; 32]).credential_key().public();
        let bytes = Bytes::copy_from_slice(public.as_bytes());
        let with_key = |key: Bytes| changed(|list| list.credential_key = key);
        assert!(with_key(bytes.clone()).is_ok_and(|list| list.credential_key() == Some(&public)));
        assert_eq!(with_key(bytes.slice(1..)).err(), Some(CredentialError::Element));
        assert_eq!(with_key(vec![0; 64].into()).err(), Some(CredentialError::Element));
        let long = TokenKey { key: vec![0; BODY_BYTES_MAX].into(), ..TokenKey::default() };
        assert_eq!(changed(|list| list.token_keys.push(long)).err(), Some(CredentialError::Malformed));
    }
}
