//! A group's keys (sections 4.1 and 5): the master key that members share, the secret that follows from it, and what the
//! service knows the group by.

use curve25519_dalek::{RistrettoPoint, Scalar, traits::MultiscalarMul as _};
use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha256;
use undertone_wire::context::Context;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{hash, system::SYSTEM};
use crate::{
    CredentialError,
    voprf::{ELEMENT_LEN, Element},
};

/// Bytes of a master key, and of each subkey.
pub const GROUP_KEY_LEN: usize = 32;

/// What members and invitees of a group share. Who has it reads every entry of the record, and what is sealed under a
/// subkey; it lets nobody in, since that takes a credential.
#[derive(ZeroizeOnDrop)]
pub struct GroupMasterKey([u8; GROUP_KEY_LEN]);

impl GroupMasterKey {
    /// A fresh key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut key = Zeroizing::new([0; GROUP_KEY_LEN]);
        rng.fill_bytes(&mut *key);
        Self(*key)
    }

    /// The key of its bytes; every 32 are one.
    pub fn from_bytes(bytes: &[u8; GROUP_KEY_LEN]) -> Self {
        Self(*bytes)
    }

    /// Its bytes, to be stored, or told to an invitee.
    pub fn to_bytes(&self) -> Zeroizing<[u8; GROUP_KEY_LEN]> {
        Zeroizing::new(self.0)
    }

    /// The group's secret parameters.
    pub fn secret(&self) -> GroupSecret {
        let scalar = |name: &str| hash::to_scalar(Context::GROUP_SECRET, &[&self.0, name.as_bytes()]);
        // Neither is ever zero: that takes 2^252 groups.
        let (a1, a2) = (scalar("a1"), scalar("a2"));
        let b = a1.invert();
        // Section 4.1, with b for a1.
        let A = RistrettoPoint::multiscalar_mul([b, a2], [SYSTEM.G_a1, SYSTEM.G_a2]);
        GroupSecret { a1, a2, b, public: GroupPublic(Element::nonzero(A)), master: Self(self.0) }
    }
}

/// The secret of a group: the key `(a1, a2)` of its entries.
#[derive(ZeroizeOnDrop)]
pub struct GroupSecret {
    pub(super) a1: Scalar,
    pub(super) a2: Scalar,
    /// `1 / a1`.
    pub(super) b: Scalar,
    #[zeroize(skip)]
    public: GroupPublic,
    master: GroupMasterKey,
}

impl GroupSecret {
    /// `A = b * G_a1 + a2 * G_a2`: what the service knows the group by.
    pub fn public(&self) -> GroupPublic {
        self.public
    }

    /// A key for one use, such as sealing the title. Subkeys tell nothing of each other, nor of the entries' key.
    pub fn subkey(&self, label: &str) -> Zeroizing<[u8; GROUP_KEY_LEN]> {
        let mut key = Zeroizing::new([0; GROUP_KEY_LEN]);
        let info = Context::GROUP_SUBKEY.bytes(&[label.as_bytes()]);
        #[allow(clippy::expect_used, reason = "HKDF-SHA256 gives up to 8,160 bytes")]
        Hkdf::<Sha256>::new(None, &self.master.0).expand(&info, &mut *key).expect("32 bytes");
        key
    }
}

/// What the service knows a group by: it commits to the key of the entries, and tells nothing of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct GroupPublic(Element);

impl GroupPublic {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; ELEMENT_LEN] {
        self.0.as_bytes()
    }

    pub(super) fn point(&self) -> &RistrettoPoint {
        self.0.point()
    }
}

impl TryFrom<&[u8]> for GroupPublic {
    type Error = CredentialError;

    /// # Errors
    /// [`CredentialError::Element`] for another length, and for what is no element or the identity.
    fn try_from(bytes: &[u8]) -> Result<Self, CredentialError> {
        Element::try_from(bytes).map(Self)
    }
}
