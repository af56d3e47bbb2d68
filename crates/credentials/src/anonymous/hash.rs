//! From bytes to points and scalars. Every use has a context of its own.

use curve25519_dalek::{RistrettoPoint, Scalar};
use sha2::{Digest as _, Sha512};
use undertone_wire::context::Context;
use zeroize::Zeroizing;

/// A point whose logarithm nobody knows: `HashToG`, by the one-way map of RFC 9496 (section 4.3.4) from SHA-512.
pub fn to_point(context: Context, parts: &[&[u8]]) -> RistrettoPoint {
    RistrettoPoint::from_uniform_bytes(&Sha512::digest(context.bytes(parts)).into())
}

/// A scalar that is as secret as the parts.
pub fn to_scalar(context: Context, parts: &[&[u8]]) -> Scalar {
    let input = Zeroizing::new(context.bytes(parts));
    Scalar::from_bytes_mod_order_wide(&Zeroizing::new(Sha512::digest(&*input).into()))
}
