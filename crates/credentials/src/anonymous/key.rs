//! The service's key: an algebraic MAC over a credential's attributes (section 3.1).

use curve25519_dalek::{RistrettoPoint, Scalar, traits::MultiscalarMul as _};
use undertone_wire::context::Context;
use zeroize::ZeroizeOnDrop;

use super::{
    hash,
    pair::{PAIR_LEN, Pair},
    system::SYSTEM,
};
use crate::{CredentialError, IssuingKey, SEED_LEN, voprf::Element};

/// Bytes of what everybody knows the key by.
pub const CREDENTIAL_PUBLIC_LEN: usize = PAIR_LEN;

/// The key under which credentials are issued, and presentations verified: both planes hold it. Who steals it makes
/// credentials for any account, and so passes for anybody in groups whose master key he knows; it tells nobody who presents.
#[derive(ZeroizeOnDrop)]
pub struct CredentialKey {
    pub(super) w: Scalar,
    pub(super) w_prime: Scalar,
    pub(super) x0: Scalar,
    pub(super) x1: Scalar,
    pub(super) y1: Scalar,
    pub(super) y2: Scalar,
    pub(super) y3: Scalar,
    /// `W = w * G_w`.
    pub(super) W: RistrettoPoint,
    #[zeroize(skip)]
    public: CredentialPublic,
}

impl CredentialKey {
    /// The key of a seed; every 32 bytes are one. No other key gives anything away that follows from the same seed.
    pub fn from_seed(seed: &[u8; SEED_LEN]) -> Self {
        let scalar = |name: &str| hash::to_scalar(Context::CREDENTIAL_KEY, &[seed, name.as_bytes()]);
        let [w, w_prime, x0, x1, y1, y2, y3] = ["w", "w'", "x0", "x1", "y1", "y2", "y3"].map(scalar);
        let sys = &*SYSTEM;
        let W = sys.G_w * w;
        // Section 3.2: C_W = w * G_w + w' * G_w', I = G_V - (x0 * G_x0 + x1 * G_x1 + y1 * G_y1 + y2 * G_y2 + y3 * G_y3).
        let C_W = W + sys.G_w_prime * w_prime;
        let bases = [sys.G_x0, sys.G_x1, sys.G_y1, sys.G_y2, sys.G_y3];
        let I = sys.G_V - RistrettoPoint::multiscalar_mul([x0, x1, y1, y2, y3], bases);
        let public = CredentialPublic(Pair::new(Element::nonzero(C_W), Element::nonzero(I)));
        Self { w, w_prime, x0, x1, y1, y2, y3, W, public }
    }

    /// What everybody knows it by.
    pub fn public(&self) -> &CredentialPublic {
        &self.public
    }

    /// `V = W + (x0 + x1 * t) * U + y1 * M1 + y2 * M2 + y3 * M3`: the MAC of the attributes, for `t` and `U`.
    pub(super) fn mac(&self, t: &Scalar, U: &RistrettoPoint, M: [RistrettoPoint; 3]) -> RistrettoPoint {
        let [M1, M2, M3] = M;
        let scalars = [self.x0 + self.x1 * t, self.y1, self.y2, self.y3];
        self.W + RistrettoPoint::multiscalar_mul(scalars, [*U, M1, M2, M3])
    }
}

impl IssuingKey {
    /// The key under which credentials are issued, which follows from the same seed as all token keys.
    pub fn credential_key(&self) -> CredentialKey {
        CredentialKey::from_seed(&self.seed())
    }
}

/// What everybody knows the service's key by, the issuer parameters of section 3.2: commitments to all of it. The same for
/// everybody: a service that used a key of his own for somebody could know him again by what he presents.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CredentialPublic(Pair);

impl CredentialPublic {
    /// Its bytes: `C_W`, `I`.
    pub fn as_bytes(&self) -> &[u8; CREDENTIAL_PUBLIC_LEN] {
        self.0.as_bytes()
    }

    pub(super) fn C_W(&self) -> &RistrettoPoint {
        self.0.first.point()
    }

    pub(super) fn I(&self) -> &RistrettoPoint {
        self.0.second.point()
    }
}

impl TryFrom<&[u8]> for CredentialPublic {
    type Error = CredentialError;

    /// # Errors
    /// [`CredentialError::Element`] for another length, and for what is no element or the identity.
    fn try_from(bytes: &[u8]) -> Result<Self, CredentialError> {
        Pair::try_from(bytes).map(Self)
    }
}
