//! Changes: what the service has let somebody do in a group, and cannot take back.

use sha2::{Digest as _, Sha256};
use undertone_wire::{
    ChannelId,
    channel::{Entry, EntryKind},
    context::Context,
};

use crate::{CredentialError, HeadKey, PublicKey, SIGNATURE_LEN, group::Change};

impl HeadKey {
    /// Signs that whoever makes a change has shown himself as its actor, and that the record allowed it.
    pub fn sign_change(&self, channel: ChannelId, revision: u64, body: &[u8]) -> [u8; SIGNATURE_LEN] {
        self.sign(&signed_bytes(channel, revision, body))
    }
}

/// Checks an entry that tells of a change in this channel. Whether it follows upon the record so far is for
/// [`Record::apply`](crate::group::Record::apply) to say.
///
/// # Errors
/// [`CredentialError::Malformed`], [`CredentialError::Newer`], [`CredentialError::Signature`].
pub fn verify_change(key: &PublicKey, channel: ChannelId, entry: &Entry) -> Result<Change, CredentialError> {
    if entry.kind() != EntryKind::Change {
        return Err(CredentialError::Malformed);
    }
    let change = Change::decode(&entry.body)?;
    key.verify(&signed_bytes(channel, change.revision, &entry.body), &entry.countersignature)?;
    Ok(change)
}

fn signed_bytes(channel: ChannelId, revision: u64, body: &[u8]) -> Vec<u8> {
    let hash: [u8; 32] = Sha256::digest(body).into();
    Context::GROUP_CHANGE.bytes(&[channel.as_bytes(), &revision.to_be_bytes(), &hash])
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::group::{Action, Follows, Pseudonym};

    const CHANNEL: ChannelId = ChannelId::new([3; 16]);

    fn entry(key: &HeadKey, revision: u64) -> Entry {
        let change = Change {
            revision,
            actor: Pseudonym::new([1; 64]),
            actions: vec![Action::Leave],
            follows: Follows::Nothing,
        };
        let body = change.encode().unwrap();
        let countersignature = Bytes::copy_from_slice(&key.sign_change(CHANNEL, revision, &body));
        Entry { kind: EntryKind::Change.into(), body, countersignature, ..Entry::default() }
    }

    #[test]
    fn a_countersigned_change_is_read_back() {
        let key = HeadKey::from_seed(&[1; 32]);
        let change = verify_change(&key.public(), CHANNEL, &entry(&key, 7)).ok().unwrap();
        assert!(change.revision == 7 && change.actions == [Action::Leave]);
    }

    #[test]
    fn a_signature_holds_for_its_channel_revision_and_bytes() {
        let key = HeadKey::from_seed(&[1; 32]);
        let refused = |key: &HeadKey, channel, entry: &Entry| verify_change(&key.public(), channel, entry).err();
        let good = entry(&key, 7);
        let other = HeadKey::from_seed(&[2; 32]);
        assert_eq!(refused(&other, CHANNEL, &good), Some(CredentialError::Signature));
        assert_eq!(refused(&key, ChannelId::new([4; 16]), &good), Some(CredentialError::Signature));
        let borrowed = Entry { countersignature: entry(&key, 8).countersignature, ..good.clone() };
        assert_eq!(refused(&key, CHANNEL, &borrowed), Some(CredentialError::Signature));
        let unsigned = Entry { countersignature: Bytes::new(), ..good.clone() };
        assert_eq!(refused(&key, CHANNEL, &unsigned), Some(CredentialError::Signature));
        let message = Entry { kind: EntryKind::Message.into(), ..good.clone() };
        assert_eq!(refused(&key, CHANNEL, &message), Some(CredentialError::Malformed));
        let expired = Entry { body: Bytes::new(), ..good };
        assert_eq!(refused(&key, CHANNEL, &expired), Some(CredentialError::Malformed));
    }
}
