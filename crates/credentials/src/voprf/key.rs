//! The server: keys, and what is computed with them.

use std::marker::PhantomData;

use curve25519_dalek::{RistrettoPoint, Scalar};
use rand_core::CryptoRng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{Element, Mode, Oprf, Output, Proof, SecretScalar, Voprf, suite};
use crate::CredentialError;

/// Bytes that a key is derived from.
const SEED_LEN: usize = 32;

/// What everybody knows a server's key by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub(super) Element);

impl PublicKey {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; super::ELEMENT_LEN] {
        self.0.as_bytes()
    }
}

impl TryFrom<&[u8]> for PublicKey {
    type Error = CredentialError;

    /// # Errors
    /// [`CredentialError::Element`], as for every element.
    fn try_from(bytes: &[u8]) -> Result<Self, CredentialError> {
        Element::try_from(bytes).map(Self)
    }
}

/// The server's key for one mode. Who has it computes the function of every input.
pub struct SecretKey<M> {
    scalar: SecretScalar,
    mode: PhantomData<M>,
}

// The scalar inside wipes itself.
impl<M> ZeroizeOnDrop for SecretKey<M> {}

impl<M: Mode> SecretKey<M> {
    /// `DeriveKeyPair` (RFC 9497, section 3.2.1): the key of a seed for the purpose that `info` names.
    ///
    /// # Errors
    /// [`CredentialError::Malformed`] for an info of more than 65,535 bytes, or if 256 hashes in a row are zero.
    pub fn derive(seed: &[u8; SEED_LEN], info: &[u8]) -> Result<Self, CredentialError> {
        let length = suite::length(info)?;
        (0..=u8::MAX)
            .map(|counter| suite::hash_to_scalar_for::<M>(b"DeriveKeyPair", &[seed, &length, info, &[counter]]))
            .find(|scalar| *scalar != Scalar::ZERO)
            .map(|scalar| Self { scalar: SecretScalar(scalar), mode: PhantomData })
            .ok_or(CredentialError::Malformed)
    }

    /// What others know it by.
    pub fn public(&self) -> PublicKey {
        PublicKey(Element::nonzero(RistrettoPoint::mul_base(self.scalar())))
    }

    /// `Evaluate` (RFC 9497, sections 3.3.1 and 3.3.2): the output for an input that the server itself knows.
    ///
    /// # Errors
    /// [`CredentialError::Malformed`] for an input of more than 65,535 bytes, [`CredentialError::Element`] for one that
    /// gives the identity, of which none is known.
    pub fn evaluate(&self, input: &[u8]) -> Result<Output, CredentialError> {
        suite::output(input, self.element(input)?.as_bytes())
    }

    /// The element of an input times the key: what [`SecretKey::evaluate`] hashes, and [`Blinded::unblind`] gives.
    ///
    /// # Errors
    /// As of [`SecretKey::evaluate`].
    ///
    /// [`Blinded::unblind`]: super::Blinded::unblind
    pub fn element(&self, input: &[u8]) -> Result<Element, CredentialError> {
        Ok(Element::nonzero(suite::hash_to_element::<M>(input)?.point() * self.scalar()))
    }

    pub(super) fn scalar(&self) -> &Scalar {
        &self.scalar.0
    }

    fn multiply(&self, blinded: &[Element]) -> Vec<Element> {
        multiply(self.scalar(), blinded)
    }

    /// What elements under this key are multiplied by to be under another.
    pub fn multiplier(&self, to: &Self) -> Multiplier {
        // A key is not zero, so it has an inverse.
        Multiplier(SecretScalar(self.scalar().invert() * to.scalar()))
    }
}

/// Brings elements from one key to another without anybody's inputs. Who has it and one key has both.
#[derive(ZeroizeOnDrop)]
pub struct Multiplier(SecretScalar);

impl Multiplier {
    /// Elements under the other key: as many, in the same order.
    pub fn apply(&self, elements: &[Element]) -> Vec<Element> {
        multiply(&self.0.0, elements)
    }
}

fn multiply(scalar: &Scalar, elements: &[Element]) -> Vec<Element> {
    let half = Zeroizing::new(scalar.div_by_2());
    let halves: Vec<_> = elements.iter().map(|element| element.point() * *half).collect();
    Element::doubles(&halves)
}

impl SecretKey<Oprf> {
    /// `BlindEvaluate` (RFC 9497, section 3.3.1) for each element: as many, in the same order.
    pub fn blind_evaluate(&self, blinded: &[Element]) -> Vec<Element> {
        self.multiply(blinded)
    }
}

impl SecretKey<Voprf> {
    /// `BlindEvaluate` (RFC 9497, section 3.3.2) for a batch: as many elements, in the same order, and one proof for
    /// them all.
    ///
    /// # Errors
    /// [`CredentialError::Batch`] for none or more than [`BATCH_MAX`](super::BATCH_MAX).
    pub fn blind_evaluate(
        &self,
        blinded: &[Element],
        rng: &mut impl CryptoRng,
    ) -> Result<(Vec<Element>, Proof), CredentialError> {
        self.blind_evaluate_with(blinded, &SecretScalar::random(rng))
    }

    /// The same with the random scalar of its proof (RFC 9497, section 2.2.1), which is used for nothing else.
    ///
    /// # Errors
    /// [`CredentialError::Batch`], likewise.
    pub(crate) fn blind_evaluate_with(
        &self,
        blinded: &[Element],
        random: &SecretScalar,
    ) -> Result<(Vec<Element>, Proof), CredentialError> {
        suite::check_batch(blinded.len())?;
        let evaluated = self.multiply(blinded);
        let proof = Proof::prove(self, blinded, &evaluated, random);
        Ok((evaluated, proof))
    }
}
