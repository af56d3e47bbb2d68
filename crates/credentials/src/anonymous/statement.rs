//! Statements about secret scalars, and proofs that somebody knows them: our interface over `sigma-proofs`.
//!
//! A statement is a list of equations `image = secret * point + secret * point + ...`, all about the same secrets; the
//! paper writes it `PK{(secrets): image = ... AND image = ...}`. The prover and the verifier build it by one function, so it
//! cannot be one thing to the one and another to the other. The proof is Schnorr's for linear maps (Maurer 2009), made
//! non-interactive by hashing with TurboSHAKE128, as in draft-irtf-cfrg-sigma-protocols: commitments, then responses. It is
//! bound to a context and a message; and to every point, since the statement is hashed as a whole.

use std::ops::Neg;

use curve25519_dalek::{RistrettoPoint, Scalar};
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use sigma_proofs::{
    DefaultHash, Instance, LinearRelation, NargCodec as _, PrivateRng,
    fiat_shamir::{SessionId, derive_session_id, prove_batchable_with, verify_batchable_with},
    linear_relation::{GroupVar, LinearCombination, ScalarVar},
};
use undertone_wire::context::Context;
use zeroize::Zeroizing;

use crate::{
    CredentialError,
    voprf::{ELEMENT_LEN, SCALAR_LEN},
};

/// What the draft wants in every tag: form of the proof (batchable: commitments are sent) and ciphersuite.
const SUITE: &[u8] = b"DSFS sigma-proofs_TurboShake128_Ristretto255";

/// A statement about `N` secrets, in the making.
pub struct Statement<const N: usize> {
    relation: LinearRelation<RistrettoPoint>,
    session: SessionId,
}

/// A secret of a statement: a name, not its value.
#[derive(Clone, Copy)]
pub struct Secret(ScalarVar<RistrettoPoint>);

/// A point of a statement, or its opposite. Everybody knows it.
#[derive(Clone, Copy)]
pub struct Point {
    variable: GroupVar<RistrettoPoint>,
    negative: bool,
}

impl Neg for Point {
    type Output = Self;

    fn neg(self) -> Self {
        Self { negative: !self.negative, ..self }
    }
}

/// Bytes of a proof of so many equations about so many secrets.
pub const fn proof_len(equations: usize, secrets: usize) -> usize {
    (equations + secrets) * ELEMENT_LEN
}

impl<const N: usize> Statement<N> {
    /// An empty statement with its secrets. Whoever proves it, proves it in this context and for this message alone.
    pub fn new(context: Context, message: &[&[u8]]) -> (Self, [Secret; N]) {
        let tag = context.bytes(&[&[SUITE], message].concat());
        let mut relation = LinearRelation::new();
        let secrets = relation.allocate_scalars().map(Secret);
        (Self { relation, session: derive_session_id::<DefaultHash>(&tag) }, secrets)
    }

    /// Points that its equations are about.
    pub fn points<const P: usize>(&mut self, points: [RistrettoPoint; P]) -> [Point; P] {
        points.map(|point| Point { variable: self.relation.allocate_element_with(point), negative: false })
    }

    /// Adds the equation `image = sum of secret * point`.
    pub fn add<const T: usize>(&mut self, image: Point, terms: [(Secret, Point); T]) {
        let term = |(secret, point): (Secret, Point)| {
            (secret.0 * point.variable) * if point.negative { -Scalar::ONE } else { Scalar::ONE }
        };
        self.relation.append_equation(image.variable, terms.into_iter().map(term).sum::<LinearCombination<_>>());
    }

    /// Proves that all equations hold for these values of the secrets. If one does not, the proof does not check.
    ///
    /// The nonces of a proof are as secret as its secrets. They follow from randomness, statement and secrets together, so
    /// that randomness which comes twice does not give two proofs the same ones.
    pub fn prove(&self, secrets: &[Scalar; N], rng: &mut impl CryptoRng) -> Vec<u8> {
        let mut random = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *random);
        #[allow(clippy::expect_used, reason = "all points of our statements have values")]
        let instance = self.instance().expect("a whole statement");
        let mut values = Zeroizing::new(Vec::with_capacity(N * SCALAR_LEN));
        secrets.iter().for_each(|secret| values.extend_from_slice(secret.as_bytes()));
        let statement = instance.encode_instance();
        let parts = [&*random, &self.session.as_bytes()[..], statement.as_ref(), &values];
        let seed = Zeroizing::new(Sha256::digest(&*Zeroizing::new(Context::PROOF_NONCES.bytes(&parts))).into());
        let mut nonces = PrivateRng::<DefaultHash>::from_seed(*seed);
        #[allow(clippy::expect_used, reason = "the statement has as many secrets as the type says")]
        prove_batchable_with::<DefaultHash, _>(&self.session, &instance, &secrets[..], &mut nonces).expect("N secrets")
    }

    /// Checks that whoever has made this proof knew secrets for which all equations hold.
    ///
    /// # Errors
    /// [`CredentialError::Proof`].
    pub fn verify(&self, proof: &[u8]) -> Result<(), CredentialError> {
        let instance = self.instance()?;
        verify_batchable_with::<DefaultHash, _>(&self.session, &instance, proof).map_err(|_| CredentialError::Proof)
    }

    fn instance(&self) -> Result<Instance<RistrettoPoint>, CredentialError> {
        self.relation.compile().map_err(|_| CredentialError::Proof)
    }
}
