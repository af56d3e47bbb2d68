//! The link by which one comes into a group without an invitation.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use undertone_wire::{context::Context, group};

use crate::CredentialError;

/// How one comes in without an invitation. Of the link's secret the record has the hash alone; the service is shown the
/// secret by whoever comes, and keeps it nowhere.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Link {
    /// Not at all.
    #[default]
    Off,
    /// Whoever has the link joins. With the hash of its secret.
    Join([u8; 32]),
    /// Whoever has it may ask, and an admin approves. With the hash of its secret.
    Ask([u8; 32]),
}

impl Link {
    /// The hash of a link's secret, which is 32 random bytes.
    pub fn hash(secret: &[u8]) -> [u8; 32] {
        Sha256::digest(Context::GROUP_LINK.bytes(&[secret])).into()
    }

    /// Whether this is its secret.
    pub fn is_opened_by(&self, secret: &[u8]) -> bool {
        match self {
            Self::Off => false,
            Self::Join(hash) | Self::Ask(hash) => bool::from(hash.ct_eq(&Self::hash(secret))),
        }
    }

    /// # Errors
    /// [`CredentialError::Malformed`]; [`CredentialError::Newer`] for a mode that this release does not know.
    pub(super) fn from_wire(link: Option<group::Link>) -> Result<Self, CredentialError> {
        let group::Link { mode, secret_hash } = link.unwrap_or_default();
        let mode = group::LinkMode::try_from(mode).map_err(|_| CredentialError::Newer)?;
        let hash = || secret_hash[..].try_into().map_err(|_| CredentialError::Malformed);
        match mode {
            group::LinkMode::Off if secret_hash.is_empty() => Ok(Self::Off),
            group::LinkMode::Off => Err(CredentialError::Malformed),
            group::LinkMode::Join => hash().map(Self::Join),
            group::LinkMode::Ask => hash().map(Self::Ask),
        }
    }

    pub(super) fn to_wire(self) -> group::Link {
        let (mode, hash) = match self {
            Self::Off => (group::LinkMode::Off, Bytes::new()),
            Self::Join(hash) => (group::LinkMode::Join, Bytes::copy_from_slice(&hash)),
            Self::Ask(hash) => (group::LinkMode::Ask, Bytes::copy_from_slice(&hash)),
        };
        group::Link { mode: mode.into(), secret_hash: hash }
    }
}
