//! End-to-end encryption: what makes a message readable to its chat and to nobody else.
//!
//! - [`Chat`]: one MLS group (RFC 9420) per channel, on the post-quantum suite of `wire::ladder`. Its commits and
//!   messages are the entries of the channel's log.
//! - [`Generation`]: the keys that open a channel, and the wrap around every body in its log, under which the service
//!   sees a bucket size and nothing of MLS.
//! - [`seal`](seal()) and [`open`](open()): letters to an account's inbox (HPKE with X-Wing); [`write_letter`] and
//!   [`read_letter`]: who wrote them.
//!
//! The service is trusted with nothing but to keep order, and peers with nothing but their own words. Which devices
//! speak for an account is `credentials`' to say; this crate holds every leaf of a chat against it. MLS secrets lie in
//! a [`KeyValue`] map that the caller provides, over one transaction that holds an operation and all it brings.
//!
//! No type here names the MLS library behind it.

mod chat;
mod config;
mod error;
mod generation;
mod key_package;
mod labels;
mod letter;
mod lists;
mod me;
mod provider;
mod seal;
mod store;

#[cfg(test)]
mod testing;

pub use chat::{Chat, Invitation, Received};
pub use error::{E2eeError, Flaw};
pub use generation::{GENERATION_SECRET_LEN, Generation, Place};
pub use key_package::{create_key_package, forget_key_package};
pub use letter::{VerifiedLetter, read_letter, write_letter};
pub use lists::{Lists, Member};
pub use me::Me;
pub use seal::{InboxSecret, open, seal};
pub use store::{KeyValue, KeyValueError};
