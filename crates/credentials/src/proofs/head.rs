//! Heads: what the service says of a log's history, and cannot take back.

use bytes::Bytes;
use undertone_wire::{ChannelId, chain::Chain, channel::Head, content::Seen};

use crate::{CredentialError, PublicKey};

/// A chain head that the service has signed: it can never again show another history up to there unnoticed.
///
/// Position and generation of a [`Head`] are not signed; they follow from the log.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedHead {
    channel: ChannelId,
    seq: u64,
    chain: Chain,
    signature: Bytes,
}

impl VerifiedHead {
    /// The channel.
    pub fn channel(&self) -> ChannelId {
        self.channel
    }

    /// Number of the newest entry; 0 for an empty log.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The chain after it.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The service's signature: with the rest, evidence.
    pub fn signature(&self) -> &Bytes {
        &self.signature
    }
}

/// Checks a head that the service answers with.
///
/// # Errors
/// [`CredentialError::Malformed`], [`CredentialError::Signature`].
pub fn verify_head(key: &PublicKey, head: &Head) -> Result<VerifiedHead, CredentialError> {
    let channel = ChannelId::try_from(&head.channel[..]).map_err(|_| CredentialError::Malformed)?;
    verify_chain(key, channel, head.seq, &head.chain, &head.signature)
}

/// Checks a head that another member says he has seen in this channel.
///
/// # Errors
/// [`CredentialError::Malformed`], [`CredentialError::Signature`].
pub fn verify_seen(key: &PublicKey, channel: ChannelId, seen: &Seen) -> Result<VerifiedHead, CredentialError> {
    verify_chain(key, channel, seen.seq, &seen.chain, &seen.signature)
}

fn verify_chain(
    key: &PublicKey,
    channel: ChannelId,
    seq: u64,
    chain: &[u8],
    signature: &Bytes,
) -> Result<VerifiedHead, CredentialError> {
    let chain = Chain::try_from(chain).map_err(|_| CredentialError::Malformed)?;
    key.verify(&chain.signed_bytes(channel, seq), signature)?;
    Ok(VerifiedHead { channel, seq, chain, signature: signature.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HeadKey;

    const CHANNEL: ChannelId = ChannelId::new([3; 16]);

    fn head(key: &HeadKey) -> Head {
        let chain = Chain::start(CHANNEL);
        Head {
            channel: CHANNEL.into(),
            seq: 9,
            chain: Bytes::copy_from_slice(chain.as_bytes()),
            signature: Bytes::copy_from_slice(&key.sign_head(CHANNEL, 9, &chain)),
            ..Head::default()
        }
    }

    #[test]
    fn a_head_and_what_members_have_seen_of_it_check_alike() {
        let key = HeadKey::from_seed(&[1; 32]);
        let head = head(&key);
        let verified = verify_head(&key.public(), &head).ok().unwrap();
        assert!(verified.channel() == CHANNEL && verified.seq() == 9 && verified.signature() == &head.signature);
        assert!(verified.chain() == &Chain::start(CHANNEL));
        let Head { seq, chain, signature, .. } = head;
        let mut seen = Seen { seq, chain, signature, ..Seen::default() };
        assert!(verify_seen(&key.public(), CHANNEL, &seen).ok() == Some(verified));
        seen.seq += 1;
        assert!(verify_seen(&key.public(), CHANNEL, &seen).is_err());
    }

    #[test]
    fn every_signed_field_counts() {
        let key = HeadKey::from_seed(&[1; 32]);
        let changes: [fn(&mut Head); 7] = [
            |head| head.seq += 1,
            |head| head.channel = ChannelId::new([4; 16]).into(),
            |head| head.channel = Bytes::new(),
            |head| head.chain = Bytes::from_static(&[7; 32]),
            |head| head.chain = Bytes::from_static(&[7; 31]),
            |head| head.signature = Bytes::new(),
            |head| head.signature = Bytes::from_static(&[0; 64]),
        ];
        for change in changes {
            let mut head = head(&key);
            change(&mut head);
            assert!(verify_head(&key.public(), &head).is_err());
        }
        let other = HeadKey::from_seed(&[2; 32]).public();
        assert!(verify_head(&other, &head(&key)).err() == Some(CredentialError::Signature));
    }
}
