//! Anonymous credentials and encrypted member entries: "some account holder, today, whose account id this entry encrypts",
//! proven to a service that learns nothing else.
//!
//! After Chase, Perrin, Zaverucha, "The Signal Private Group System and Anonymous Credentials Supporting Efficient
//! Verifiable Encryption" (CCS 2020, ePrint 2019/1416), on ristretto255. Each formula carries its section there; points
//! are written additively, and have the paper's names. Where we depart from it, and why, is in
//! docs/decisions/0016-the-group-is-known-by-an-inverse.md.
//!
//! Members of a group share a [`GroupMasterKey`]. Under the [`GroupSecret`] that follows from it every account has one
//! [`MemberEntry`] (section 4.1), which the service keeps in the group's record; it knows the group by [`GroupPublic`].
//! The account plane issues a [`Credential`] over (account id, day) to a device that has authenticated, with a proof that
//! it has used the [`CredentialKey`] that everybody knows (sections 3.1 and 3.2). On a channel circuit, which nobody has
//! authenticated on, the device presents it: the channel plane verifies with the same key that there is such a credential
//! for the account in the entry, and that it was presented for this request on this circuit.
//!
//! Who plays which role: the service holds the [`CredentialKey`] and is trusted with nothing but to issue to the right
//! accounts. It cannot read entries, nor tell who presents. A member holds the master key: whoever learns it reads the
//! entries of the group; with the service's key too, he passes for anybody there.
//!
//! Proofs of statements go through [`statement`].
//! Whatever multiplies by a secret takes constant time, on both sides; what varies in time is multiplied by challenges and
//! responses, which are sent, and by the day. Secrets are wiped.

#![allow(non_snake_case, reason = "points have the paper's names")]

mod attributes;
mod credential;
mod entry;
mod group;
mod hash;
mod issue;
mod key;
mod pair;
mod presentation;
mod statement;
mod system;

#[cfg(test)]
mod tests;

pub use credential::{CREDENTIAL_LEN, Credential};
pub use entry::{MEMBER_ENTRY_LEN, MemberEntry};
pub use group::{GROUP_KEY_LEN, GroupMasterKey, GroupPublic, GroupSecret};
pub use issue::ISSUED_LEN;
pub use key::{CREDENTIAL_PUBLIC_LEN, CredentialKey, CredentialPublic};
pub use presentation::PRESENTATION_LEN;
