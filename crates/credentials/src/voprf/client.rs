//! The client: inputs that are hidden, and outputs that come out of the server's answer.

use std::marker::PhantomData;

use curve25519_dalek::{RistrettoPoint, Scalar};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{Element, Mode, Oprf, Output, Proof, PublicKey, SecretScalar, Voprf, suite};
use crate::CredentialError;

/// A batch of inputs, each hidden by a blind of its own: to whoever sees the elements alone, any inputs would do.
pub struct Blinded<M> {
    inputs: Vec<Zeroizing<Vec<u8>>>,
    blinds: Vec<SecretScalar>,
    elements: Vec<Element>,
    mode: PhantomData<M>,
}

// Inputs and blinds wipe themselves.
impl<M> ZeroizeOnDrop for Blinded<M> {}

impl<M: Mode> Blinded<M> {
    /// `Blind` (RFC 9497, section 3.3.1) for each input, with the blind given for it: random, and used for nothing else.
    ///
    /// # Errors
    /// [`CredentialError::Batch`] for none or more than [`BATCH_MAX`](super::BATCH_MAX), [`CredentialError::Malformed`]
    /// for an input of more than 65,535 bytes, [`CredentialError::Element`] for one that gives the identity, of which none
    /// is known.
    pub fn new(batch: impl IntoIterator<Item = (Vec<u8>, SecretScalar)>) -> Result<Self, CredentialError> {
        let (inputs, blinds): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|(input, blind)| (Zeroizing::new(input), blind)).unzip();
        suite::check_batch(inputs.len())?;
        let half_blinded = |(input, blind): (&Zeroizing<Vec<u8>>, &SecretScalar)| {
            let half = Zeroizing::new(blind.0.div_by_2());
            Ok(suite::hash_to_element::<M>(input)?.point() * *half)
        };
        let halves: Vec<_> = inputs.iter().zip(&blinds).map(half_blinded).collect::<Result<_, _>>()?;
        Ok(Self { inputs, blinds, elements: Element::doubles(&halves), mode: PhantomData })
    }

    /// What the server gets, in the order of the inputs.
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// The blinds, in the order of the inputs.
    pub(crate) fn blinds(&self) -> &[SecretScalar] {
        &self.blinds
    }

    fn check_answer(&self, evaluated: &[Element]) -> Result<(), CredentialError> {
        if evaluated.len() == self.elements.len() { Ok(()) } else { Err(CredentialError::Batch) }
    }

    fn outputs(&self, evaluated: &[Element]) -> Result<Vec<Output>, CredentialError> {
        let unblinded = RistrettoPoint::double_and_compress_batch(&self.unblinded_halves(evaluated));
        self.inputs.iter().zip(unblinded).map(|(input, element)| suite::output(input, element.as_bytes())).collect()
    }

    /// Halves of the elements without their blinds.
    fn unblinded_halves(&self, evaluated: &[Element]) -> Vec<RistrettoPoint> {
        // Half of each blind's inverse: no blind is zero, so there is one.
        let mut halves: Zeroizing<Vec<_>> = Zeroizing::new(self.blinds.iter().map(|blind| blind.0 + blind.0).collect());
        Scalar::invert_batch_alloc(&mut halves);
        evaluated.iter().zip(halves.iter()).map(|(element, half)| element.point() * half).collect()
    }
}

impl Blinded<Oprf> {
    /// `Finalize` (RFC 9497, section 3.3.1) for each input: as many outputs, in the same order.
    ///
    /// # Errors
    /// [`CredentialError::Batch`] for another number of evaluated elements.
    pub fn finalize(&self, evaluated: &[Element]) -> Result<Vec<Output>, CredentialError> {
        self.check_answer(evaluated)?;
        self.outputs(evaluated)
    }
}

impl Blinded<Voprf> {
    /// `Finalize` (RFC 9497, section 3.3.2) for the batch: as many outputs, in the order of the inputs, and none unless
    /// all were evaluated with the key.
    ///
    /// # Errors
    /// [`CredentialError::Batch`] for another number of evaluated elements, [`CredentialError::Proof`].
    pub fn finalize(
        &self,
        public: &PublicKey,
        evaluated: &[Element],
        proof: &Proof,
    ) -> Result<Vec<Output>, CredentialError> {
        self.check_answer(evaluated)?;
        proof.verify(public, &self.elements, evaluated)?;
        self.outputs(evaluated)
    }

    /// What `Finalize` hashes: the element of each input times the key, in the order of the inputs, and none unless all were
    /// evaluated with the key. For protocols whose server keeps elements, so that it can forget inputs.
    ///
    /// # Errors
    /// [`CredentialError::Batch`] for another number of evaluated elements, [`CredentialError::Proof`].
    pub fn unblind(
        &self,
        public: &PublicKey,
        evaluated: &[Element],
        proof: &Proof,
    ) -> Result<Vec<Element>, CredentialError> {
        self.check_answer(evaluated)?;
        proof.verify(public, &self.elements, evaluated)?;
        Ok(Element::doubles(&self.unblinded_halves(evaluated)))
    }
}
