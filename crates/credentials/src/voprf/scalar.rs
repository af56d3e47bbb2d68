//! Secret scalars: blinds, and what a proof is made with.

use curve25519_dalek::Scalar;
use rand_core::CryptoRng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::CredentialError;

/// Bytes of a scalar.
pub const SCALAR_LEN: usize = 32;

/// A secret scalar other than zero. Who learns the blind of an element knows what it hides; who uses one twice shows
/// that two elements belong together.
#[derive(ZeroizeOnDrop)]
pub struct SecretScalar(pub(crate) Scalar);

impl SecretScalar {
    /// `RandomScalar` (RFC 9497, section 2.1).
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        loop {
            let mut wide = Zeroizing::new([0; 2 * SCALAR_LEN]);
            rng.fill_bytes(&mut *wide);
            let scalar = Scalar::from_bytes_mod_order_wide(&wide);
            if scalar != Scalar::ZERO {
                return Self(scalar);
            }
        }
    }

    /// As it was stored.
    ///
    /// # Errors
    /// [`CredentialError::Malformed`] for zero and for numbers that are not below the group's order.
    pub fn from_bytes(bytes: &[u8; SCALAR_LEN]) -> Result<Self, CredentialError> {
        let scalar = Option::from(Scalar::from_canonical_bytes(*bytes)).ok_or(CredentialError::Malformed)?;
        if scalar == Scalar::ZERO { Err(CredentialError::Malformed) } else { Ok(Self(scalar)) }
    }

    /// Its bytes, little-endian, to be stored.
    pub fn to_bytes(&self) -> Zeroizing<[u8; SCALAR_LEN]> {
        Zeroizing::new(self.0.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use rand_core::{TryCryptoRng, TryRng};

    use super::*;
    use crate::testing::rng;

    /// Fills with zeros at first, then with this byte.
    struct Zeros(u8);

    impl TryRng for Zeros {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            unreachable!("scalars are drawn as bytes")
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            unreachable!("scalars are drawn as bytes")
        }

        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
            out.fill(0);
            if self.0 > 1 {
                out[0] = self.0;
            }
            self.0 += 1;
            Ok(())
        }
    }

    impl TryCryptoRng for Zeros {}

    #[test]
    fn zero_is_never_drawn() {
        assert_eq!(SecretScalar::random(&mut Zeros(0)).to_bytes()[0], 2);
    }

    #[test]
    fn only_its_own_bytes_are_read() {
        let scalar = SecretScalar::random(&mut rng(1));
        let bytes = scalar.to_bytes();
        assert!(SecretScalar::from_bytes(&bytes).is_ok_and(|again| again.0 == scalar.0));
        let minus_one = (-Scalar::ONE).to_bytes();
        assert!(SecretScalar::from_bytes(&minus_one).is_ok());
        let mut order = minus_one;
        order[0] += 1;
        for refused in [[0; 32], order, [0xff; 32]] {
            assert!(SecretScalar::from_bytes(&refused).err() == Some(CredentialError::Malformed));
        }
    }
}
