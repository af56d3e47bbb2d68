//! Who somebody is, and how he proves it.
//!
//! A person's recovery words give the recovery key; it and the first identity key are what an [account id](account_id)
//! commits to. The identity key signs the [`DeviceList`], the weekly [`InboxKey`] and the [`Profile`]; each device's key signs
//! [`KeyPackage`]s, letters and its own authentication. A channel has a [`ReadKey`] and a [`WriteKey`] that belong to
//! nobody in particular; the service has a [`HeadKey`]. All keys are Ed25519 (RFC 8032).
//!
//! Nobody is trusted here: every object is checked from its bytes, and a check that has passed leaves a value with
//! private fields ([`DeviceList`], [`AuthenticatedDevice`], [`ReadOpening`], ...), which later steps demand.
//!
//! Some things are done by nobody in particular: [blind tokens](Token) show that some account was issued them, and not
//! which, by an oblivious function ([`voprf`]). And who changes a group shows by a [`Credential`] that he is the one behind
//! a [`MemberEntry`], without showing who that is.
//!
//! Every signature is over a [`wire::context`](undertone_wire::context), so that none can stand for another, and what
//! proves presence is bound to one circuit by its handshake hash. MLS signs with device keys too; its signed content
//! begins with a byte other than zero (the length of "MLS 1.0 ..."), a context with a zero, so the two never meet.

mod account;
mod anonymous;
mod device_list;
mod directory;
mod error;
pub mod group;
mod inbox_key;
mod key_package;
mod keys;
mod parameters;
mod profile;
mod proofs;
mod signed;
mod tokens;
pub mod voprf;
mod words;

#[cfg(test)]
mod testing;

pub use account::account_id;
pub use anonymous::{
    CREDENTIAL_LEN, CREDENTIAL_PUBLIC_LEN, Credential, CredentialKey, CredentialPublic, GROUP_KEY_LEN, GroupMasterKey,
    GroupPublic, GroupSecret, ISSUED_LEN, MEMBER_ENTRY_LEN, MemberEntry, PRESENTATION_LEN,
};
pub use device_list::{Device, DeviceList, ListOrder};
pub use directory::DirectoryKey;
pub use error::CredentialError;
pub use inbox_key::{INBOX_KEY_LEN, InboxKey};
pub use key_package::KeyPackage;
pub use keys::{DeviceKey, HeadKey, IdentityKey, PublicKey, ReadKey, RecoveryKey, SEED_LEN, SIGNATURE_LEN, WriteKey};
pub use parameters::{VerifiedParameters, sign_parameters, verify_parameters_seen};
pub use profile::Profile;
pub use proofs::{
    AuthenticatedDevice, ProvenRecovery, ReadOpening, RegisterSignatures, Restart, VerifiedHead, WriteOpening,
    authenticate, give_listing, open_read, open_write, recover, register, sign_directory, sign_letter, sign_restart,
    verify_authenticate, verify_change, verify_directory, verify_give_listing, verify_head, verify_letter,
    verify_open_read, verify_open_write, verify_recover, verify_register, verify_restart, verify_seen,
};
pub use tokens::{Issued, IssuingKey, Nullifier, Token, TokenKey, TokenPublicKey, Wish};
pub use words::RecoveryWords;
