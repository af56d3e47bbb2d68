//! Randomness as an argument: the Noise library draws its ephemeral key from bytes that we were given.

use rand_core::CryptoRng;
use snow::{
    Error,
    params::{CipherChoice, DHChoice, HashChoice},
    resolvers::{CryptoResolver, DefaultResolver},
    types::{Cipher, Dh, Hash, Random},
};
use zeroize::Zeroizing;

/// The library's own primitives, with one ephemeral X25519 secret in place of its random number generator.
pub(super) struct Primitives {
    ephemeral: Zeroizing<[u8; 32]>,
}

impl Primitives {
    /// Draws 32 bytes: one session's ephemeral secret.
    pub(super) fn new(rng: &mut impl CryptoRng) -> Self {
        let mut ephemeral = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *ephemeral);
        Self { ephemeral }
    }
}

impl CryptoResolver for Primitives {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Once(Some(self.ephemeral.clone()))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

/// Gives its bytes once: an ephemeral key that came twice would be none.
struct Once(Option<Zeroizing<[u8; 32]>>);

impl Random for Once {
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
        let bytes = self.0.take().ok_or(Error::Rng)?;
        let out: &mut [u8; 32] = out.try_into().map_err(|_| Error::Rng)?;
        *out = *bytes;
        Ok(())
    }
}
