//! The service: keys by purpose and week, batches that are evaluated under them, tokens that are judged.

use rand_core::CryptoRng;
use subtle::ConstantTimeEq as _;
use undertone_wire::{
    Week,
    context::Context,
    limits::TOKEN_WEEKS,
    objects::{self, Purpose},
};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::token::{Nullifier, Token, input, number};
use crate::{
    CredentialError, SEED_LEN,
    voprf::{ELEMENT_LEN, Element, PROOF_LEN, PublicKey, SecretKey, Voprf},
};

/// From which the key of every purpose and week follows. Whoever has it makes tokens as he likes.
#[derive(ZeroizeOnDrop)]
pub struct IssuingKey([u8; SEED_LEN]);

impl IssuingKey {
    /// A fresh key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; SEED_LEN]);
        rng.fill_bytes(&mut *seed);
        Self::from_seed(&seed)
    }

    /// The key of a seed; every 32 bytes are one.
    pub fn from_seed(seed: &[u8; SEED_LEN]) -> Self {
        Self(*seed)
    }

    /// Its seed, to be stored.
    pub fn seed(&self) -> Zeroizing<[u8; SEED_LEN]> {
        Zeroizing::new(self.0)
    }

    /// The key of one purpose and week.
    pub fn key(&self, purpose: Purpose, week: Week) -> TokenKey {
        let info = Context::TOKEN_KEY.bytes(&[&number(purpose), &week.0.to_be_bytes()]);
        #[allow(clippy::expect_used, reason = "256 hashes in a row are zero once in 2^64,512 seeds")]
        TokenKey(SecretKey::derive(&self.0, &info).expect("a short info"))
    }

    /// What everybody knows the key of one purpose and week by.
    pub fn public(&self, purpose: Purpose, week: Week) -> TokenPublicKey {
        self.key(purpose, week).public()
    }

    /// Judges a token that somebody wants to spend in the current week for this purpose. Whether it is spent already is
    /// for the store to say.
    ///
    /// # Errors
    /// [`CredentialError::TokenWeek`] outside of its week and [`TOKEN_WEEKS`] after it, [`CredentialError::Token`] if it
    /// was not issued, or for another purpose or week.
    pub fn verify(
        &self,
        purpose: Purpose,
        token: &objects::Token,
        current: Week,
    ) -> Result<Nullifier, CredentialError> {
        let token = Token::try_from(token).map_err(|_| CredentialError::Token)?;
        let age = current.0.checked_sub(token.week().0).ok_or(CredentialError::TokenWeek)?;
        if age > TOKEN_WEEKS {
            return Err(CredentialError::TokenWeek);
        }
        let expected = self.key(purpose, token.week()).0.evaluate(&input(purpose, token.week(), token.nonce()))?;
        if bool::from(expected.ct_eq(token.authenticator())) {
            Ok(Nullifier::of(&token))
        } else {
            Err(CredentialError::Token)
        }
    }
}

/// The key under which tokens of one purpose and week are issued.
pub struct TokenKey(SecretKey<Voprf>);

// The key inside wipes itself.
impl ZeroizeOnDrop for TokenKey {}

impl TokenKey {
    /// What everybody knows it by.
    pub fn public(&self) -> TokenPublicKey {
        TokenPublicKey(self.0.public())
    }

    /// Evaluates a batch: blinded elements of 32 bytes each.
    ///
    /// # Errors
    /// [`CredentialError::Batch`] for none or more than 65,535, [`CredentialError::Element`] for what is no element.
    pub fn issue(&self, blinded: &[impl AsRef<[u8]>], rng: &mut impl CryptoRng) -> Result<Issued, CredentialError> {
        let (evaluated, proof) = self.0.blind_evaluate(&elements(blinded)?, rng)?;
        let evaluated = evaluated.iter().map(|element| *element.as_bytes()).collect();
        Ok(Issued { evaluated, proof: proof.to_bytes() })
    }
}

/// What a batch is answered with.
pub struct Issued {
    /// Evaluated elements, in the order of the blinded ones.
    pub evaluated: Vec<[u8; ELEMENT_LEN]>,
    /// That all were evaluated under the public key.
    pub proof: [u8; PROOF_LEN],
}

/// What everybody knows a [`TokenKey`] by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenPublicKey(pub(super) PublicKey);

impl TokenPublicKey {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; ELEMENT_LEN] {
        self.0.as_bytes()
    }
}

impl TryFrom<&[u8]> for TokenPublicKey {
    type Error = CredentialError;

    /// # Errors
    /// [`CredentialError::Element`] for another length, and for what is no element or the identity.
    fn try_from(bytes: &[u8]) -> Result<Self, CredentialError> {
        PublicKey::try_from(bytes).map(Self)
    }
}

/// Parses a batch of elements.
pub fn elements(encoded: &[impl AsRef<[u8]>]) -> Result<Vec<Element>, CredentialError> {
    encoded.iter().map(|bytes| Element::try_from(bytes.as_ref())).collect()
}
