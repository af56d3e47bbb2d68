//! The client: a batch of tokens that it has asked for.

use std::cmp::Ordering;

use rand_core::CryptoRng;
use undertone_wire::{Week, objects::Purpose};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{
    issue::{TokenPublicKey, elements},
    token::{NONCE_LEN, Token, input, number},
};
use crate::{
    CredentialError,
    voprf::{Blinded, ELEMENT_LEN, Proof, SCALAR_LEN, SecretScalar, Voprf},
};

/// Version of a wish's bytes.
const VERSION: u8 = 1;
/// Bytes of a token that is asked for: its nonce, its blind.
const ITEM_LEN: usize = NONCE_LEN + SCALAR_LEN;
/// Bytes before the first of them: version, purpose, week.
const HEAD_LEN: usize = 1 + 4 + 4;

/// Tokens of one purpose and week that are asked for, with the secrets that take them out of the answer.
///
/// It is kept before it is sent, and until its tokens are: an answer that was lost then comes again, for the same
/// elements, out of the same budget.
pub struct Wish {
    purpose: Purpose,
    week: Week,
    nonces: Vec<Zeroizing<[u8; NONCE_LEN]>>,
    blinded: Blinded<Voprf>,
}

// Nonces and blinds wipe themselves.
impl ZeroizeOnDrop for Wish {}

impl Wish {
    /// So many tokens, of fresh nonces.
    ///
    /// # Errors
    /// [`CredentialError::Batch`] for none or more than 65,535.
    pub fn new(purpose: Purpose, week: Week, count: usize, rng: &mut impl CryptoRng) -> Result<Self, CredentialError> {
        let mut item = || {
            let mut nonce = Zeroizing::new([0; NONCE_LEN]);
            rng.fill_bytes(&mut *nonce);
            (nonce, SecretScalar::random(rng))
        };
        let items = (0..count).map(|_| item()).collect();
        Self::of(purpose, week, items)
    }

    fn of(
        purpose: Purpose,
        week: Week,
        items: Vec<(Zeroizing<[u8; NONCE_LEN]>, SecretScalar)>,
    ) -> Result<Self, CredentialError> {
        let (nonces, blinds): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        let inputs: Vec<_> = nonces.iter().map(|nonce| input(purpose, week, nonce)).collect();
        Ok(Self { purpose, week, nonces, blinded: Blinded::new(inputs.into_iter().zip(blinds))? })
    }

    /// What the tokens pay for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The week whose key they are to be issued under.
    pub fn week(&self) -> Week {
        self.week
    }

    /// What the service gets: always the same elements of 32 bytes, one for each token.
    pub fn blinded(&self) -> Vec<[u8; ELEMENT_LEN]> {
        self.blinded.elements().iter().map(|element| *element.as_bytes()).collect()
    }

    /// Takes the tokens out of an answer, if the whole batch was evaluated under the key that everybody is shown for this
    /// purpose and week.
    ///
    /// # Errors
    /// [`CredentialError::Batch`] for another number of elements, [`CredentialError::Element`] for what is no element,
    /// [`CredentialError::Proof`] for another key. The wish stays as it was.
    pub fn finish(
        &self,
        key: &TokenPublicKey,
        evaluated: &[impl AsRef<[u8]>],
        proof: &[u8],
    ) -> Result<Vec<Token>, CredentialError> {
        let outputs = self.blinded.finalize(&key.0, &elements(evaluated)?, &Proof::try_from(proof)?)?;
        let token = |(nonce, output): (&Zeroizing<_>, Zeroizing<_>)| Token::new(self.week, **nonce, *output);
        Ok(self.nonces.iter().zip(outputs).map(token).collect())
    }

    /// The first so many of its tokens: where the service has evaluated as many.
    ///
    /// # Errors
    /// [`CredentialError::Batch`] for none, or more than it has.
    pub fn first(&self, count: usize) -> Result<Self, CredentialError> {
        let bytes = self.to_bytes();
        let len = count.checked_mul(ITEM_LEN).and_then(|items| items.checked_add(HEAD_LEN));
        Self::from_bytes(len.and_then(|len| bytes.get(..len)).ok_or(CredentialError::Batch)?)
    }

    /// As it is kept: version (1 byte), purpose, week (u32 each, big-endian), then nonce and blind of each token.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEAD_LEN + self.nonces.len() * ITEM_LEN));
        bytes.push(VERSION);
        bytes.extend_from_slice(&number(self.purpose));
        bytes.extend_from_slice(&self.week.0.to_be_bytes());
        for (nonce, blind) in self.nonces.iter().zip(self.blinded.blinds()) {
            bytes.extend_from_slice(&**nonce);
            bytes.extend_from_slice(&*blind.to_bytes());
        }
        bytes
    }

    /// From the bytes that were kept.
    ///
    /// # Errors
    /// [`CredentialError::Newer`] for those of a later release, [`CredentialError::Malformed`], [`CredentialError::Batch`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CredentialError> {
        let (version, rest) = bytes.split_first().ok_or(CredentialError::Malformed)?;
        match version.cmp(&VERSION) {
            Ordering::Less => Err(CredentialError::Malformed),
            Ordering::Equal => Self::parse(rest),
            Ordering::Greater => Err(CredentialError::Newer),
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, CredentialError> {
        let (purpose, rest) = bytes.split_first_chunk().ok_or(CredentialError::Malformed)?;
        let (week, rest) = rest.split_first_chunk().ok_or(CredentialError::Malformed)?;
        let (items, []) = rest.as_chunks::<ITEM_LEN>() else {
            return Err(CredentialError::Malformed);
        };
        let purpose = match Purpose::try_from(i32::from_be_bytes(*purpose)) {
            Ok(Purpose::Unspecified) | Err(_) => return Err(CredentialError::Malformed),
            Ok(purpose) => purpose,
        };
        let items = items.iter().map(|item| {
            let (nonce, blind) = item.split_first_chunk().ok_or(CredentialError::Malformed)?;
            let blind = blind.try_into().map_err(|_| CredentialError::Malformed)?;
            Ok((Zeroizing::new(*nonce), SecretScalar::from_bytes(blind)?))
        });
        Self::of(purpose, Week(u32::from_be_bytes(*week)), items.collect::<Result<_, _>>()?)
    }
}
