//! A credential as its owner keeps it (section 3.1).

use std::cmp::Ordering;

use curve25519_dalek::{RistrettoPoint, Scalar};
use undertone_wire::{AccountId, Day};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::{
    CredentialError,
    voprf::{ELEMENT_LEN, Element, SCALAR_LEN},
};

/// Bytes of a MAC: `t`, `U`, `V`.
pub const MAC_LEN: usize = SCALAR_LEN + 2 * ELEMENT_LEN;
/// Bytes of a credential as it is kept.
pub const CREDENTIAL_LEN: usize = 1 + AccountId::LEN + 4 + MAC_LEN;
/// Of the form in which it is kept.
const VERSION: u8 = 1;

/// That an account is one of the service's, on one day. Who has it passes for that account in every group whose secret he
/// has too, on that day.
#[derive(ZeroizeOnDrop)]
pub struct Credential {
    #[zeroize(skip)]
    pub(super) account: AccountId,
    #[zeroize(skip)]
    pub(super) day: Day,
    pub(super) t: Scalar,
    pub(super) U: RistrettoPoint,
    pub(super) V: RistrettoPoint,
}

impl Credential {
    /// Whom it is for.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The day on which it can be presented.
    pub fn day(&self) -> Day {
        self.day
    }

    /// As it is kept: version (1 byte), account id, day (u32, big-endian), `t`, `U`, `V`.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let parts = [&[VERSION], &self.account.as_bytes()[..], &self.day.0.to_be_bytes(), &*self.mac()];
        Zeroizing::new(parts.concat())
    }

    /// From the bytes that were kept. That it is good was checked when it was [received](Self::receive).
    ///
    /// # Errors
    /// [`CredentialError::Newer`] for those of a later release; [`CredentialError::Malformed`] and
    /// [`CredentialError::Element`] for what is none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CredentialError> {
        let (version, rest) = bytes.split_first().ok_or(CredentialError::Malformed)?;
        match version.cmp(&VERSION) {
            Ordering::Less => return Err(CredentialError::Malformed),
            Ordering::Equal => {}
            Ordering::Greater => return Err(CredentialError::Newer),
        }
        let (account, rest) = rest.split_first_chunk().ok_or(CredentialError::Malformed)?;
        let (day, mac) = rest.split_first_chunk().ok_or(CredentialError::Malformed)?;
        let mac = mac.try_into().map_err(|_| CredentialError::Malformed)?;
        Self::parse(AccountId::new(*account), Day(u32::from_be_bytes(*day)), mac)
    }

    /// The MAC's bytes: `t`, `U`, `V`.
    pub(super) fn mac(&self) -> Zeroizing<Vec<u8>> {
        let points = [self.U, self.V].map(|point| point.compress().to_bytes());
        Zeroizing::new([&self.t.as_bytes()[..], points.as_flattened()].concat())
    }

    /// Reads a MAC, and does not check it.
    pub(super) fn parse(account: AccountId, day: Day, mac: &[u8; MAC_LEN]) -> Result<Self, CredentialError> {
        let (t, points) = mac.split_first_chunk::<SCALAR_LEN>().ok_or(CredentialError::Malformed)?;
        let (U, V) = points.split_at_checked(ELEMENT_LEN).ok_or(CredentialError::Malformed)?;
        let t = Option::from(Scalar::from_canonical_bytes(*t)).ok_or(CredentialError::Malformed)?;
        Ok(Self { account, day, t, U: *Element::try_from(U)?.point(), V: *Element::try_from(V)?.point() })
    }
}
