//! The directory's key: what an identifier is looked up by, and says nothing without.
//!
//! The function of an identifier is that of RFC 9497 up to its last step. The service keeps the element that the input
//! becomes under the key, and forgets the input, so that what is derived from it can be computed by both sides: by the
//! service from what it keeps, by whoever looks an identifier up from an evaluation that hides it.

use std::num::NonZeroU32;

use undertone_wire::{Identifier, context::Context};
use zeroize::ZeroizeOnDrop;

use crate::{
    CredentialError, Issued, IssuingKey,
    tokens::elements,
    voprf::{ELEMENT_LEN, SecretKey, SecretScalar, Voprf},
};

/// The key of a directory. Whoever has it can test identifiers: who of them is listed, and as which account.
pub struct DirectoryKey {
    number: NonZeroU32,
    secret: SecretKey<Voprf>,
}

// The key inside wipes itself.
impl ZeroizeOnDrop for DirectoryKey {}

impl IssuingKey {
    /// The directory key of this number. They count from 1: another is taken when one was stolen.
    pub fn directory_key(&self, number: NonZeroU32) -> DirectoryKey {
        let info = Context::DIRECTORY_KEY.bytes(&[&number.get().to_be_bytes()]);
        #[allow(clippy::expect_used, reason = "256 hashes in a row are zero once in 2^64,512 seeds")]
        let secret = SecretKey::derive(&self.seed(), &info).expect("a short info");
        DirectoryKey { number, secret }
    }
}

impl DirectoryKey {
    /// Which of the service's directory keys it is.
    pub fn number(&self) -> u32 {
        self.number.get()
    }

    /// What everybody knows it by: an element.
    pub fn public(&self) -> [u8; ELEMENT_LEN] {
        *self.secret.public().as_bytes()
    }

    /// What an identifier is listed under: an element, which its evaluation gives too when it is unblinded.
    ///
    /// # Errors
    /// [`CredentialError::Element`] for an identifier that gives the identity, of which none is known.
    pub fn element(&self, identifier: &Identifier) -> Result<[u8; ELEMENT_LEN], CredentialError> {
        Ok(*self.secret.element(&identifier.bytes())?.as_bytes())
    }

    /// What this key makes of the identifiers of which another has made these elements: as many, in the same order.
    ///
    /// # Errors
    /// [`CredentialError::Element`] for what is no element.
    pub fn remake(
        &self,
        made_by: &Self,
        made: &[[u8; ELEMENT_LEN]],
    ) -> Result<Vec<[u8; ELEMENT_LEN]>, CredentialError> {
        let remade = made_by.secret.multiplier(&self.secret).apply(&elements(made)?);
        Ok(remade.iter().map(|element| *element.as_bytes()).collect())
    }

    /// Evaluates a batch: blinded elements of 32 bytes each; with a fresh random scalar, for the proof.
    ///
    /// # Errors
    /// [`CredentialError::Batch`] for none or more than 65,535, [`CredentialError::Element`] for what is no element.
    pub fn evaluate(&self, blinded: &[impl AsRef<[u8]>], random: &SecretScalar) -> Result<Issued, CredentialError> {
        let (evaluated, proof) = self.secret.blind_evaluate_with(&elements(blinded)?, random)?;
        let evaluated = evaluated.iter().map(|element| *element.as_bytes()).collect();
        Ok(Issued { evaluated, proof: proof.to_bytes() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::rng;

    fn key(number: u32) -> DirectoryKey {
        IssuingKey::from_seed(&[7; 32]).directory_key(NonZeroU32::new(number).unwrap())
    }

    #[test]
    fn keys_differ_by_number_and_identifiers_by_kind() {
        let (phone, username) = (Identifier::phone("+41791234567").unwrap(), Identifier::username("ana").unwrap());
        assert!(key(1).public() == key(1).public() && key(1).public() != key(2).public());
        assert!(key(1).element(&phone).unwrap() == key(1).element(&phone).unwrap());
        assert!(key(1).element(&phone).unwrap() != key(2).element(&phone).unwrap());
        assert!(key(1).element(&phone).unwrap() != key(1).element(&username).unwrap());
    }

    #[test]
    fn another_key_makes_the_same_of_elements_as_of_identifiers() {
        let all = [Identifier::phone("+41791234567").unwrap(), Identifier::username("ana").unwrap()];
        let [old, new] = [1, 2].map(|number| all.each_ref().map(|identifier| key(number).element(identifier).unwrap()));
        assert!(key(2).remake(&key(1), &old).unwrap() == new && key(1).remake(&key(2), &new).unwrap() == old);
        assert!(key(2).remake(&key(1), &[[0; 32]]).err() == Some(CredentialError::Element));
    }

    #[test]
    fn what_is_no_element_is_not_evaluated() {
        let random = SecretScalar::random(&mut rng(1));
        assert!(key(1).evaluate(&[[0; 32]], &random).err() == Some(CredentialError::Element));
        let none: [[u8; 32]; 0] = [];
        assert!(key(1).evaluate(&none, &random).err() == Some(CredentialError::Batch));
    }
}
