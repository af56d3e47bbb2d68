//! Tokens, and what is left of them once they are spent.

use bytes::Bytes;
use undertone_wire::{
    Week,
    context::Context,
    objects::{self, Purpose},
};
use zeroize::ZeroizeOnDrop;

use crate::{CredentialError, voprf};

pub const NONCE_LEN: usize = 32;

/// What its holder pays with, once. Whoever else learns it can spend it, or know who spent it.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Token {
    #[zeroize(skip)]
    week: Week,
    nonce: [u8; NONCE_LEN],
    authenticator: [u8; voprf::OUTPUT_LEN],
}

impl Token {
    pub(super) fn new(week: Week, nonce: [u8; NONCE_LEN], authenticator: [u8; voprf::OUTPUT_LEN]) -> Self {
        Self { week, nonce, authenticator }
    }

    /// The week whose key it was issued under.
    pub fn week(&self) -> Week {
        self.week
    }

    pub(super) fn nonce(&self) -> &[u8; NONCE_LEN] {
        &self.nonce
    }

    pub(super) fn authenticator(&self) -> &[u8; voprf::OUTPUT_LEN] {
        &self.authenticator
    }
}

impl From<&Token> for objects::Token {
    fn from(token: &Token) -> Self {
        let (nonce, authenticator) = (&token.nonce, &token.authenticator);
        let (nonce, authenticator) = (Bytes::copy_from_slice(nonce), Bytes::copy_from_slice(authenticator));
        Self { week: token.week.0, nonce, authenticator }
    }
}

impl TryFrom<&objects::Token> for Token {
    type Error = CredentialError;

    /// # Errors
    /// [`CredentialError::Malformed`] for other lengths.
    fn try_from(token: &objects::Token) -> Result<Self, CredentialError> {
        let malformed = |_| CredentialError::Malformed;
        let nonce = token.nonce[..].try_into().map_err(malformed)?;
        let authenticator = token.authenticator[..].try_into().map_err(malformed)?;
        Ok(Self { week: Week(token.week), nonce, authenticator })
    }
}

/// What is kept of a token that was found good, so that it pays once: its nonce, for as long as it can be spent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nullifier {
    week: Week,
    nonce: [u8; NONCE_LEN],
}

impl Nullifier {
    pub(super) fn of(token: &Token) -> Self {
        Self { week: token.week, nonce: token.nonce }
    }

    /// The week whose key the token was issued under.
    pub fn week(&self) -> Week {
        self.week
    }

    /// The nonce.
    pub fn as_bytes(&self) -> &[u8; NONCE_LEN] {
        &self.nonce
    }
}

/// What the function is computed of: a nonce is worth something for one purpose and week.
pub fn input(purpose: Purpose, week: Week, nonce: &[u8; NONCE_LEN]) -> Vec<u8> {
    Context::TOKEN.bytes(&[&number(purpose), &week.0.to_be_bytes(), nonce])
}

/// A purpose in what is hashed.
pub fn number(purpose: Purpose) -> [u8; 4] {
    i32::from(purpose).to_be_bytes()
}
