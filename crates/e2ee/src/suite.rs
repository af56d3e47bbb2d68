//! The MLS ciphersuites that this release reads (`wire::ladder`).

use openmls::prelude::Ciphersuite;
use undertone_credentials::KeyPackage;
use undertone_wire::ladder;

use crate::E2eeError;

/// A ciphersuite of a chat. A chat only moves up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suite {
    /// `MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519`: read still, and begun by nobody.
    Classical,
    /// `MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519`.
    PostQuantum,
}

impl Suite {
    /// All of them.
    pub(crate) const ALL: [Self; 2] = [Self::Classical, Self::PostQuantum];

    /// Its number on the ladder, which is that of MLS (RFC 9420, section 17.1).
    pub fn number(self) -> u32 {
        match self {
            Self::Classical => ladder::SUITE_CLASSICAL,
            Self::PostQuantum => ladder::SUITE,
        }
    }

    /// The suite of a number; none if this release does not know it.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.number() == number)
    }

    /// The suite of the chats that a key package is for (RFC 9420, section 10: its second field); none if this release
    /// does not know it.
    pub fn of_package(package: &KeyPackage) -> Option<Self> {
        match package.mls()[..] {
            [_, _, high, low, ..] => Self::from_number(u32::from(u16::from_be_bytes([high, low]))),
            _ => None,
        }
    }

    pub(crate) fn mls(self) -> Ciphersuite {
        match self {
            Self::Classical => Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519,
            Self::PostQuantum => Ciphersuite::MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519,
        }
    }

    pub(crate) fn of(mls: Ciphersuite) -> Result<Self, E2eeError> {
        Self::ALL.into_iter().find(|suite| suite.mls() == mls).ok_or(E2eeError::Unsupported)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_mls() {
        for suite in Suite::ALL {
            assert_eq!(u32::from(u16::from(suite.mls())), suite.number());
            assert_eq!(Suite::from_number(suite.number()), Some(suite));
            assert_eq!(Suite::of(suite.mls()), Ok(suite));
        }
        assert_eq!(Suite::from_number(2), None);
        assert!(Suite::Classical < Suite::PostQuantum);
    }
}
