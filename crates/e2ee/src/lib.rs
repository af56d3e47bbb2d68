//! End-to-end encryption: what makes a message readable to its chat and to nobody else.
//!
//! - [`Chat`]: one MLS group (RFC 9420) per channel, of a [`Suite`]. Its commits and messages are the entries of the
//!   channel's log; a restart puts another group in its place.
//! - [`Generation`]: the keys that open a channel, and the wrap around every body in its log, under which the service
//!   sees a bucket size and nothing of MLS.
//! - [`seal_head`] and [`open_head`]: the way into a group for those who have a place in it and no leaf.
//! - [`seal_attribute`] and [`open_attribute`]: what a group says of itself.
//! - [`seal`](seal()) and [`open`](open()): letters to an account's inbox (HPKE with X-Wing); [`write_letter`] and
//!   [`read_letter`]: who wrote them.
//! - [`seal_vault`] and [`open_vault`]: what comes back with the recovery words.
//! - [`seal_profile`] and [`open_profile`]: what a person tells of himself, for those who have his [`ProfileKey`].
//! - [`TransientKey`]: what is told of the moment, and changes nothing.
//! - [`Hello`], [`LinkSecret`], [`LinkChallenge`]: how a new device and an old one meet.
//!
//! The service is trusted with nothing but to keep order, and peers with nothing but their own words. Which devices
//! speak for an account is `credentials`' to say; this crate holds every leaf of a chat against it. MLS secrets lie in
//! a [`KeyValue`] map that the caller provides, over one transaction that holds an operation and all it brings.
//!
//! No type here names the MLS library behind it.

mod aead;
mod attribute;
mod chat;
mod config;
mod error;
mod generation;
mod head_slot;
mod key_package;
mod labels;
mod letter;
mod link;
mod lists;
mod loaded;
mod me;
mod profile;
mod provider;
mod seal;
mod store;
mod suite;
mod vault;
mod xwing;

#[cfg(test)]
mod testing;

pub use attribute::{attribute_bytes_max, open_attribute, seal_attribute};
pub use chat::{Arriving, Change, Chat, Committed, Invitation, Plan, Received, RestartAt, TransientKey, Welcomes};
pub use error::{E2eeError, Flaw};
pub use generation::{GENERATION_SECRET_LEN, Generation, INSTALLS_LEN, Place};
pub use head_slot::{Head, open_head, seal_head};
pub use key_package::{create_key_package, forget_key_package};
pub use letter::{VerifiedLetter, read_letter, write_letter};
pub use link::{Hello, LinkChallenge, LinkSecret};
pub use lists::{Lists, Member};
pub use loaded::Loaded;
pub use me::Me;
pub use profile::{ProfileKey, open_profile, seal_profile};
pub use seal::{InboxSecret, open, seal};
pub use store::{KeyValue, KeyValueError};
pub use suite::Suite;
pub use vault::{open_vault, seal_vault, vault_identity_number};
