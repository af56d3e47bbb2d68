//! Who somebody is in a group, for those who do not know him.

use undertone_wire::WrongLength;

use crate::{CredentialError, MemberEntry};

/// The bytes of a [`MemberEntry`]: they name somebody in this group, and in no other. A record holds a thousand of them, so
/// whether they are an entry at all is seen when one comes, by [`Self::entry`], and what it encrypts by those who have the
/// key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pseudonym([u8; 64]);

impl Pseudonym {
    /// Its length in bytes.
    pub const LEN: usize = 64;

    /// From its bytes.
    pub const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// The entry of these bytes.
    ///
    /// # Errors
    /// [`CredentialError::Element`]: they are none.
    pub fn entry(&self) -> Result<MemberEntry, CredentialError> {
        MemberEntry::try_from(&self.0[..])
    }
}

impl From<&MemberEntry> for Pseudonym {
    fn from(entry: &MemberEntry) -> Self {
        Self(*entry.as_bytes())
    }
}

impl TryFrom<&[u8]> for Pseudonym {
    type Error = WrongLength;

    fn try_from(bytes: &[u8]) -> Result<Self, WrongLength> {
        bytes.try_into().map(Self).map_err(|_| WrongLength { expected: Self::LEN })
    }
}
