//! The ciphersuite: what is hashed for what (RFC 9497, sections 3.1 and 4.1).

use curve25519_dalek::{RistrettoPoint, Scalar};
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use super::{ELEMENT_LEN, Element};
use crate::CredentialError;

/// Bytes of an output of the function.
pub const OUTPUT_LEN: usize = 64;
/// Elements in one batch: a proof numbers them with two bytes.
pub const BATCH_MAX: usize = u16::MAX as usize;

/// An output of the function: a secret of those who know the input.
pub type Output = Zeroizing<[u8; OUTPUT_LEN]>;

/// A mode of the protocol. Keys and outputs of one have no meaning in another.
pub trait Mode: sealed::Sealed {
    /// Its number in every hash (RFC 9497, section 3.1).
    const NUMBER: u8;
}

/// The client takes the server's word for it.
pub enum Oprf {}

/// The server proves which key it has used.
pub enum Voprf {}

impl Mode for Oprf {
    const NUMBER: u8 = 0;
}

impl Mode for Voprf {
    const NUMBER: u8 = 1;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Oprf {}
    impl Sealed for super::Voprf {}
}

/// `HashToGroup`: an element whose logarithm nobody knows.
///
/// # Errors
/// [`CredentialError::Malformed`] for an input of more than 65,535 bytes, [`CredentialError::Element`] for one that gives
/// the identity, of which none is known.
pub fn hash_to_element<M: Mode>(input: &[u8]) -> Result<Element, CredentialError> {
    length(input)?;
    Element::new(RistrettoPoint::from_uniform_bytes(&expand::<M>(b"HashToGroup-", &[input])))
}

/// `HashToScalar` over the concatenated parts.
pub fn hash_to_scalar<M: Mode>(parts: &[&[u8]]) -> Scalar {
    hash_to_scalar_for::<M>(b"HashToScalar-", parts)
}

/// `HashToScalar` with a domain separation tag of its own, which begins with `purpose`.
pub fn hash_to_scalar_for<M: Mode>(purpose: &[u8], parts: &[&[u8]]) -> Scalar {
    Scalar::from_bytes_mod_order_wide(&expand::<M>(purpose, parts))
}

/// The last step of `Finalize` and `Evaluate`: from an input and its element, unblinded, to the output.
pub fn output(input: &[u8], element: &[u8; ELEMENT_LEN]) -> Result<Output, CredentialError> {
    let hash = Sha512::new()
        .chain_update(length(input)?)
        .chain_update(input)
        .chain_update(ELEMENT_PREFIX)
        .chain_update(element)
        .chain_update(b"Finalize");
    Ok(Zeroizing::new(hash.finalize().into()))
}

/// What stands before an element in a hash: its length.
pub const ELEMENT_PREFIX: [u8; 2] = [0, 32];

/// What stands before an input or an info in a hash: its length.
///
/// # Errors
/// [`CredentialError::Malformed`] for more than 65,535 bytes.
pub fn length(bytes: &[u8]) -> Result<[u8; 2], CredentialError> {
    u16::try_from(bytes.len()).map(u16::to_be_bytes).map_err(|_| CredentialError::Malformed)
}

/// The size of a batch that can be proven.
///
/// # Errors
/// [`CredentialError::Batch`] for none or more than [`BATCH_MAX`].
pub fn check_batch(count: usize) -> Result<(), CredentialError> {
    if (1..=BATCH_MAX).contains(&count) { Ok(()) } else { Err(CredentialError::Batch) }
}

/// `purpose || contextString`: the domain separation tag of a hash in this mode.
pub fn tag<M: Mode>(purpose: &[u8]) -> Vec<u8> {
    [purpose, b"OPRFV1-", &[M::NUMBER], b"-ristretto255-SHA512"].concat()
}

/// `expand_message_xmd` with SHA-512 (RFC 9380, section 5.3.1) for 64 bytes, which is one block of output.
fn expand<M: Mode>(purpose: &[u8], message: &[&[u8]]) -> [u8; 64] {
    const BLOCK_OF_SHA512: [u8; 128] = [0; 128];
    const OUTPUT: [u8; 2] = [0, 64];
    let mut tag = tag::<M>(purpose);
    // The longest of ours has 42 bytes, the longest allowed 255.
    tag.push(u8::try_from(tag.len()).unwrap_or(u8::MAX));
    let mut first = Sha512::new_with_prefix(BLOCK_OF_SHA512);
    for part in message {
        first.update(part);
    }
    let first = first.chain_update(OUTPUT).chain_update([0]).chain_update(&tag).finalize();
    Sha512::new_with_prefix(first).chain_update([1]).chain_update(&tag).finalize().into()
}
