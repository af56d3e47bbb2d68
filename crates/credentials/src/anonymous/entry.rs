//! Member entries: verifiable and deterministic encryption of account ids under a group's secret (section 4.1).

use curve25519_dalek::RistrettoPoint;
use subtle::ConstantTimeEq as _;
use undertone_wire::AccountId;

use super::{
    GroupSecret, attributes,
    pair::{PAIR_LEN, Pair},
};
use crate::{CredentialError, voprf::Element};

/// Bytes of an entry.
pub const MEMBER_ENTRY_LEN: usize = PAIR_LEN;

/// An account in a group: `(E_A1, E_A2)`. One account has one entry in a group, and entries of two groups look unrelated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MemberEntry(Pair);

impl MemberEntry {
    /// Its bytes: `E_A1`, `E_A2`.
    pub fn as_bytes(&self) -> &[u8; MEMBER_ENTRY_LEN] {
        self.0.as_bytes()
    }

    pub(super) fn E_A1(&self) -> &RistrettoPoint {
        self.0.first.point()
    }

    pub(super) fn E_A2(&self) -> &RistrettoPoint {
        self.0.second.point()
    }
}

impl TryFrom<&[u8]> for MemberEntry {
    type Error = CredentialError;

    /// That the points are points; whether they encrypt an account, only members can tell.
    ///
    /// # Errors
    /// [`CredentialError::Element`] for another length, and for what is no element or the identity.
    fn try_from(bytes: &[u8]) -> Result<Self, CredentialError> {
        Pair::try_from(bytes).map(Self)
    }
}

impl GroupSecret {
    /// The entry of an account: `E_A1 = a1 * M1`, `E_A2 = a2 * E_A1 + M2` (section 4.1).
    pub fn encrypt(&self, account: &AccountId) -> MemberEntry {
        self.encrypt_points(attributes::of_account(account))
    }

    pub(super) fn encrypt_points(&self, [M1, M2]: [RistrettoPoint; 2]) -> MemberEntry {
        let E_A1 = M1 * self.a1;
        let E_A2 = E_A1 * self.a2 + M2;
        MemberEntry(Pair::new(Element::nonzero(E_A1), Element::nonzero(E_A2)))
    }

    /// Whom an entry stands for: `M2 = E_A2 - a2 * E_A1` is decoded, and the account found must give this `E_A1`
    /// (section 4.1). Without the second check a member could write entries that decrypt to others.
    ///
    /// # Errors
    /// [`CredentialError::Entry`] if it is no account's entry in this group: it is void.
    pub fn decrypt(&self, entry: &MemberEntry) -> Result<AccountId, CredentialError> {
        let E_A1 = entry.E_A1();
        let M2 = entry.E_A2() - E_A1 * self.a2;
        let account = attributes::decoded(&M2).ok_or(CredentialError::Entry)?;
        let expected = attributes::hashed(&account) * self.a1;
        if bool::from(expected.ct_eq(E_A1)) { Ok(account) } else { Err(CredentialError::Entry) }
    }
}
