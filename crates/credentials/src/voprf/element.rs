//! Elements of the group: ristretto255 (RFC 9496) without its identity.

use curve25519_dalek::{RistrettoPoint, ristretto::CompressedRistretto, traits::IsIdentity};

use crate::CredentialError;

/// Bytes of an element.
pub const ELEMENT_LEN: usize = 32;

/// An element other than the identity: blinded, evaluated, or a public key.
///
/// The group has prime order, so every such element times a scalar other than zero is one again.
#[derive(Clone, Copy)]
pub struct Element {
    point: RistrettoPoint,
    encoding: CompressedRistretto,
}

impl Element {
    /// Its one encoding.
    pub fn as_bytes(&self) -> &[u8; ELEMENT_LEN] {
        self.encoding.as_bytes()
    }

    pub(crate) fn point(&self) -> &RistrettoPoint {
        &self.point
    }

    /// A computed point.
    ///
    /// # Errors
    /// [`CredentialError::Element`] for the identity.
    pub(super) fn new(point: RistrettoPoint) -> Result<Self, CredentialError> {
        if point.is_identity() { Err(CredentialError::Element) } else { Ok(Self::nonzero(point)) }
    }

    /// A multiple of an element, by a scalar other than zero.
    pub(crate) fn nonzero(point: RistrettoPoint) -> Self {
        Self { point, encoding: point.compress() }
    }

    /// The doubles of multiples of elements. To encode doubles takes one inversion for the whole batch; to encode the
    /// points themselves would take one for each. So who wants multiples by `k` computes them by `k / 2`.
    pub(super) fn doubles(halves: &[RistrettoPoint]) -> Vec<Self> {
        let encodings = RistrettoPoint::double_and_compress_batch(halves);
        halves.iter().zip(encodings).map(|(half, encoding)| Self { point: half + half, encoding }).collect()
    }
}

impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.encoding == other.encoding
    }
}

impl Eq for Element {}

/// `DeserializeElement` (RFC 9497, section 2.1).
impl TryFrom<&[u8]> for Element {
    type Error = CredentialError;

    /// # Errors
    /// [`CredentialError::Element`] for another length, an encoding that is not the canonical one of an element, or the
    /// identity's.
    fn try_from(bytes: &[u8]) -> Result<Self, CredentialError> {
        let encoding = CompressedRistretto::from_slice(bytes).map_err(|_| CredentialError::Element)?;
        let point = encoding.decompress().ok_or(CredentialError::Element)?;
        if point.is_identity() { Err(CredentialError::Element) } else { Ok(Self { point, encoding }) }
    }
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::{Scalar, traits::Identity};
    use data_encoding::HEXLOWER;

    use super::*;

    /// RFC 9496, appendix A.1: the first multiples of the generator, the first of which is no element here.
    #[test]
    fn the_encodings_of_the_rfc_are_read_but_not_the_identity() {
        let encodings = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
            "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
        ];
        for (multiple, encoding) in (0u64..).zip(encodings) {
            let bytes = HEXLOWER.decode(encoding.as_bytes()).unwrap();
            let point = RistrettoPoint::mul_base(&Scalar::from(multiple));
            let expected = (multiple != 0).then_some(point);
            assert!(Element::try_from(&bytes[..]).ok().map(|element| element.point) == expected);
            assert!(
                Element::new(point).ok().map(|element| element.as_bytes()[..] == bytes[..]) == expected.map(|_| true)
            );
        }
    }

    /// RFC 9496, appendix A.2, of each kind: not reduced, negative, not a square, negative product, y = 0; and lengths.
    #[test]
    fn other_encodings_are_refused() {
        let refused = [
            "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20",
            "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
            "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "",
            "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d",
            "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d7600",
        ];
        for text in refused {
            let bytes = HEXLOWER.decode(text.as_bytes()).unwrap();
            assert!(Element::try_from(&bytes[..]).err() == Some(CredentialError::Element), "{text}");
        }
        assert!(Element::new(RistrettoPoint::identity()).err() == Some(CredentialError::Element));
    }

    #[test]
    fn doubles_are_what_is_computed_one_by_one() {
        let halves: Vec<_> = (1u64..9).map(|multiple| RistrettoPoint::mul_base(&Scalar::from(multiple))).collect();
        let doubles = Element::doubles(&halves);
        assert!(doubles.len() == 8);
        for (half, double) in halves.iter().zip(doubles) {
            let expected = Element::nonzero(half + half);
            assert!(double == expected && double.point == expected.point);
        }
    }
}
