//! Restarts: which device has put another MLS group in a chat's place, and where in the log it did so.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use undertone_wire::{ChannelId, Message as _, Position, content::Seen, context::Context};

use crate::{CredentialError, DeviceKey, DeviceList, SIGNATURE_LEN};

/// What a restart says, and where it stands: it holds in no other place.
#[derive(Clone, Copy)]
pub struct Restart<'a> {
    /// The channel.
    pub channel: ChannelId,
    /// The position that its entry is made for.
    pub position: Position,
    /// MLSMessage (Welcome).
    pub welcome: &'a [u8],
    /// MLS ratchet tree.
    pub tree: &'a [u8],
    /// The signed device lists in its entry.
    pub device_lists: &'a [Bytes],
    /// What its sender had seen of the log.
    pub seen: &'a Seen,
}

/// Signs a restart.
pub fn sign_restart(key: &DeviceKey, restart: &Restart<'_>) -> [u8; SIGNATURE_LEN] {
    key.sign(&restart.bytes())
}

/// Checks that a device of the sender's list made this restart.
///
/// # Errors
/// [`CredentialError::NoDevice`], [`CredentialError::Signature`].
pub fn verify_restart(
    sender: &DeviceList,
    device: u32,
    restart: &Restart<'_>,
    signature: &[u8],
) -> Result<(), CredentialError> {
    sender.device(device).ok_or(CredentialError::NoDevice)?.key.verify(&restart.bytes(), signature)
}

impl Restart<'_> {
    fn bytes(&self) -> Vec<u8> {
        let hashed: Vec<[u8; 32]> = [self.welcome, self.tree]
            .into_iter()
            .chain(self.device_lists.iter().map(|list| &list[..]))
            .map(|part| Sha256::digest(part).into())
            .collect();
        let (incarnation, epoch) = (self.position.incarnation.to_be_bytes(), self.position.epoch.to_be_bytes());
        let seen = self.seen.encode_to_vec();
        let mut parts = vec![&self.channel.as_bytes()[..], &incarnation, &epoch];
        parts.extend(hashed.iter().map(|hash| &hash[..]));
        parts.push(&seen);
        Context::RESTART.bytes(&parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Person;

    #[test]
    fn every_part_and_its_place_count() {
        let (ana, bo) = (Person::new(1), Person::new(2));
        let lists = [ana.list.encoded().clone(), bo.list.encoded().clone()];
        let (seen, other_seen) = (Seen { seq: 4, ..Seen::default() }, Seen { seq: 5, ..Seen::default() });
        let position = Position { incarnation: 1, epoch: 7 };
        let right = Restart {
            channel: ChannelId::new([3; 16]),
            position,
            welcome: b"welcome",
            tree: b"tree",
            device_lists: &lists,
            seen: &seen,
        };
        let signature = sign_restart(&ana.device, &right);
        assert_eq!(verify_restart(&ana.list, 1, &right, &signature), Ok(()));
        assert_eq!(verify_restart(&ana.list, 2, &right, &signature), Err(CredentialError::NoDevice));
        let refused = Err(CredentialError::Signature);
        assert_eq!(verify_restart(&bo.list, 1, &right, &signature), refused);
        for wrong in [
            Restart { channel: ChannelId::new([4; 16]), ..right },
            Restart { position: Position { incarnation: 2, ..position }, ..right },
            Restart { position: Position { epoch: 8, ..position }, ..right },
            Restart { welcome: b"tree", tree: b"welcome", ..right },
            Restart { welcome: b"", ..right },
            Restart { tree: b"", ..right },
            Restart { device_lists: &lists[..1], ..right },
            Restart { device_lists: &[], ..right },
            Restart { seen: &other_seen, ..right },
        ] {
            assert_eq!(verify_restart(&ana.list, 1, &wrong, &signature), refused);
        }
    }
}
