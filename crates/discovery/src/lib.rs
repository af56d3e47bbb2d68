//! Private contact discovery: who of an address book is here.
//!
//! Asked so that the service does not learn the address book, and nobody can list its users. Both halves, pure: no
//! sockets, no clock, no files; randomness is an argument.
//!
//! An identifier (a phone number, say) is known here by its [`DiscoverySecret`], which nobody finds without the service's
//! key and the service computes blindly ([`undertone_credentials::voprf`]). The service makes a [`Base`] of all accounts
//! that want to be found, with nothing in it that could be read without such a secret. Everybody gets its [`Header`],
//! signed, and its download. A small base is a table, in which everybody looks for himself ([`find_in_table`]). A large one
//! is asked by a [`Question`]: the query is encrypted, the service computes on it as it is, and does not see what it
//! answers. What changes later comes as [`Delta`]s, which everybody takes as a whole.
//!
//! Whom clients trust: for the answer to be right, the service. For what it learns, nobody: the query hides everything
//! under RLWE, whatever the service does (docs/protocol.md, "Contact discovery").

mod base;
mod delta;
mod error;
mod header;
mod interpolate;
mod kernel;
mod masks;
mod members;
mod ntt;
mod pack;
mod parallel;
mod query;
mod question;
mod ring;
mod secret;
mod shape;
mod simd;
mod table;

pub use base::Base;
pub use delta::{Change, Delta};
pub use error::DiscoveryError;
pub use header::Header;
pub use members::Members;
pub use query::Query;
pub use question::{CONTACTS_MAX, Question, find_in_table};
pub use secret::{DiscoverySecret, SECRET_LEN};

#[cfg(test)]
mod tests;
