//! Content under a key that its readers share: XChaCha20-Poly1305 with a random nonce, padded to a bucket.
//!
//! `nonce (24) || ciphertext of the padded content`. Nonces of this length may be drawn at random for as long as a key
//! lives.

use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use rand_core::CryptoRng;
use undertone_wire::padding;
use zeroize::Zeroizing;

use crate::{E2eeError, Flaw};

pub(crate) const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;
/// What is added to padded content.
pub(crate) const OVERHEAD: usize = NONCE_LEN + TAG_LEN;

/// Encrypts content. With `header` before it, the result is exactly one of the buckets long.
///
/// # Errors
/// [`E2eeError::TooLong`].
pub(crate) fn seal(
    key: &[u8; KEY_LEN],
    associated: &[u8],
    (header, content): (&[u8], &[u8]),
    buckets: &[usize],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, E2eeError> {
    let padded = padding::pad(content, header.len() + OVERHEAD, buckets).map_err(|_| E2eeError::TooLong)?;
    seal_padded(key, associated, (header, &padded), rng)
}

/// As [`seal`], as long as a commit or a head slot may be: what fits no bucket of a log is as long as a blob.
///
/// # Errors
/// [`E2eeError::TooLong`].
pub(crate) fn seal_large(
    key: &[u8; KEY_LEN],
    associated: &[u8],
    (header, content): (&[u8], &[u8]),
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, E2eeError> {
    let overhead = header.len() + OVERHEAD;
    let bytes = padding::commit_bytes(padding::LENGTH + content.len() + overhead).ok_or(E2eeError::TooLong)?;
    let padded = padding::pad(content, overhead, &[bytes]).map_err(|_| E2eeError::TooLong)?;
    seal_padded(key, associated, (header, &padded), rng)
}

fn seal_padded(
    key: &[u8; KEY_LEN],
    associated: &[u8],
    (header, padded): (&[u8], &[u8]),
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, E2eeError> {
    let mut nonce = XNonce::default();
    rng.fill_bytes(&mut nonce);
    let ciphertext = XChaCha20Poly1305::new(&Key::from(*key))
        .encrypt(&nonce, Payload { msg: padded, aad: associated })
        .map_err(|_| E2eeError::Internal)?;
    Ok([header, &nonce[..], &ciphertext].concat())
}

/// The content of what stands behind the header.
///
/// # Errors
/// [`Flaw::Ciphertext`].
pub(crate) fn open(key: &[u8; KEY_LEN], associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Flaw> {
    let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(Flaw::Ciphertext)?;
    let padded = XChaCha20Poly1305::new(&Key::from(*key))
        .decrypt(&XNonce::from(*nonce), Payload { msg: ciphertext, aad: associated })
        .map(Zeroizing::new)
        .map_err(|_| Flaw::Ciphertext)?;
    Ok(Zeroizing::new(padding::unpad(&padded).map_err(|_| Flaw::Ciphertext)?.to_vec()))
}
