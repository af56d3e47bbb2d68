//! What the service keeps, as domain traits, and the engines that keep it.
//!
//! The two planes are two traits and two files: [`Accounts`] and [`Channels`] share no table, no transaction and no
//! commit order, so that nothing stored ties a chat to an account; [`Blobs`] stand in a third file. Each keeps the
//! [`Tokens`] that paid for its own acts. One call is one transaction on one partition key. An engine answers a mutation
//! only once it is durable; what it cannot promise it says ([`StoreError`]). A mutation whose caller goes away is applied
//! whole or not at all. A read sees every mutation that was answered before it.
//!
//! Keys and ciphertext are opaque here: no engine checks a signature. Times are days.
//!
//! [`memory`] and [`sqlite`] are the engines; `conformance` is the one suite for all of them.

mod accounts;
mod append;
mod blobs;
mod channels;
mod directory;
mod entry;
mod error;
mod page;
mod published;
mod tokens;

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod memory;
pub mod sqlite;

pub use accounts::{
    AccountCounts, Accounts, Contact, Creation, Delivery, HANDED_OUT_KEPT, InboxPage, Invite, InviteHash, Issuing,
    ListVersion, ListedDevice, NewAccount, NewKeyPackages, NewList, Profile, StoredAccount, Vault, Visit,
};
pub use blobs::{Beginning, BlobCounts, Blobs, NewBlob, Putting};
pub use channels::{
    Append, AppendOutcome, ChannelCounts, Channels, EndedGeneration, GenerationKeys, HeadSlot, NewChannel, NewEntry,
    StoredChannel, StoredRecord,
};
pub use directory::{Directory, Listed, ListedElement, Listing, ListingChange, Lookups};
pub use error::StoreError;
pub use published::{COLUMNS, Columns, StoredValue, Value, ValuesPage, meaning};
pub use tokens::{Spending, SpentToken, Tokens};
