//! Two elements that belong together, with their bytes.

use crate::{
    CredentialError,
    voprf::{ELEMENT_LEN, Element},
};

/// Bytes of a pair.
pub const PAIR_LEN: usize = 2 * ELEMENT_LEN;

/// Two elements, neither the identity.
#[derive(Clone, Copy)]
pub struct Pair {
    pub first: Element,
    pub second: Element,
    encoding: [u8; PAIR_LEN],
}

impl Pair {
    pub fn new(first: Element, second: Element) -> Self {
        let mut encoding = [0; PAIR_LEN];
        let (one, other) = encoding.split_at_mut(ELEMENT_LEN);
        one.copy_from_slice(first.as_bytes());
        other.copy_from_slice(second.as_bytes());
        Self { first, second, encoding }
    }

    /// The encodings of both, one behind the other.
    pub fn as_bytes(&self) -> &[u8; PAIR_LEN] {
        &self.encoding
    }
}

impl TryFrom<&[u8]> for Pair {
    type Error = CredentialError;

    fn try_from(bytes: &[u8]) -> Result<Self, CredentialError> {
        let (first, second) = bytes.split_at_checked(ELEMENT_LEN).ok_or(CredentialError::Element)?;
        Ok(Self::new(Element::try_from(first)?, Element::try_from(second)?))
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.encoding == other.encoding
    }
}

impl Eq for Pair {}
