//! The proof that a batch was evaluated with one key (RFC 9497, section 2.2): a Chaum-Pedersen proof of equal logarithms,
//! made non-interactive by hashing, over a random combination of the whole batch.

use curve25519_dalek::{RistrettoPoint, Scalar, traits::VartimeMultiscalarMul as _};
use sha2::{Digest as _, Sha512};

use super::{
    Element, PublicKey, SCALAR_LEN, SecretKey, SecretScalar, Voprf,
    suite::{ELEMENT_PREFIX, hash_to_scalar, tag},
};
use crate::CredentialError;

/// Bytes of a proof.
pub const PROOF_LEN: usize = 2 * SCALAR_LEN;

/// Shows, and no more than that, that one number `k` gives the public key from the generator and each evaluated element
/// from its blinded one.
#[derive(Clone, PartialEq, Eq)]
pub struct Proof {
    challenge: Scalar,
    response: Scalar,
}

impl Proof {
    /// Its bytes: challenge, response.
    pub fn to_bytes(&self) -> [u8; PROOF_LEN] {
        let mut bytes = [0; PROOF_LEN];
        let (challenge, response) = bytes.split_at_mut(SCALAR_LEN);
        challenge.copy_from_slice(self.challenge.as_bytes());
        response.copy_from_slice(self.response.as_bytes());
        bytes
    }

    /// `GenerateProof` with `ComputeCompositesFast`. `nonce` is used once: two proofs with the same one give the key away.
    pub(super) fn prove(
        key: &SecretKey<Voprf>,
        blinded: &[Element],
        evaluated: &[Element],
        nonce: &SecretScalar,
    ) -> Self {
        let public = key.public();
        let m = combine(&weights(&public, blinded, evaluated), blinded);
        let z = m * key.scalar();
        let commitments = [RistrettoPoint::mul_base(&nonce.0), m * nonce.0];
        let challenge = challenge(&public, [m, z], commitments);
        Self { challenge, response: nonce.0 - challenge * key.scalar() }
    }

    /// `VerifyProof` with `ComputeComposites`.
    ///
    /// # Errors
    /// [`CredentialError::Proof`].
    pub(super) fn verify(
        &self,
        public: &PublicKey,
        blinded: &[Element],
        evaluated: &[Element],
    ) -> Result<(), CredentialError> {
        let weights = weights(public, blinded, evaluated);
        let (m, z) = (combine(&weights, blinded), combine(&weights, evaluated));
        let (c, s) = (self.challenge, self.response);
        let commitments = [
            RistrettoPoint::vartime_double_scalar_mul_basepoint(&c, public.0.point(), &s),
            RistrettoPoint::vartime_multiscalar_mul([s, c], [m, z]),
        ];
        if challenge(public, [m, z], commitments) == c { Ok(()) } else { Err(CredentialError::Proof) }
    }
}

impl TryFrom<&[u8]> for Proof {
    type Error = CredentialError;

    /// # Errors
    /// [`CredentialError::Proof`] for another length, or a scalar that is not below the group's order.
    fn try_from(bytes: &[u8]) -> Result<Self, CredentialError> {
        let (challenge, response) = bytes.split_first_chunk().ok_or(CredentialError::Proof)?;
        let response = response.try_into().map_err(|_| CredentialError::Proof)?;
        let scalar = |bytes| Option::from(Scalar::from_canonical_bytes(bytes)).ok_or(CredentialError::Proof);
        Ok(Self { challenge: scalar(*challenge)?, response: scalar(response)? })
    }
}

/// One public weight for each pair: the combination of the batch that nobody could choose beforehand.
fn weights(public: &PublicKey, blinded: &[Element], evaluated: &[Element]) -> Vec<Scalar> {
    let tag = tag::<Voprf>(b"Seed-");
    // All our tags are far shorter than 256 bytes.
    let tag_length = [0, u8::try_from(tag.len()).unwrap_or(u8::MAX)];
    let seed = Sha512::new_with_prefix(ELEMENT_PREFIX)
        .chain_update(public.as_bytes())
        .chain_update(tag_length)
        .chain_update(&tag)
        .finalize();
    let pairs = (0u16..).zip(blinded.iter().zip(evaluated));
    let weight = |(index, (blinded, evaluated)): (u16, (&Element, &Element))| {
        hash_to_scalar::<Voprf>(&[
            &[0, 64],
            &seed,
            &index.to_be_bytes(),
            &ELEMENT_PREFIX,
            blinded.as_bytes(),
            &ELEMENT_PREFIX,
            evaluated.as_bytes(),
            b"Composite",
        ])
    };
    pairs.map(weight).collect()
}

/// The sum of all elements times their weights. Both are public.
fn combine(weights: &[Scalar], elements: &[Element]) -> RistrettoPoint {
    RistrettoPoint::vartime_multiscalar_mul(weights, elements.iter().map(Element::point))
}

/// The challenge of a statement (composites) and the commitments of its prover.
fn challenge(public: &PublicKey, [m, z]: [RistrettoPoint; 2], [t2, t3]: [RistrettoPoint; 2]) -> Scalar {
    let [m, z, t2, t3] = [m, z, t2, t3].map(|point| point.compress().to_bytes());
    let elements = [public.as_bytes(), &m, &z, &t2, &t3];
    let mut parts: Vec<&[u8]> = elements.into_iter().flat_map(|bytes| [&ELEMENT_PREFIX[..], bytes]).collect();
    parts.push(b"Challenge");
    hash_to_scalar::<Voprf>(&parts)
}
