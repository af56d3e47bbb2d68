//! Undertone's words on the wire.
//!
//! The schema (`proto/`) and everything that both ends must compute alike: identifiers, frames, limits, padding
//! buckets, signature contexts, the hash chain of a log, links, and the ladder of versions. This crate does no I/O,
//! holds no secret but the one in the link for a device, and depends on no other crate of the house; all others may
//! depend on it.
//!
//! No message and no identifier has `Debug` or `Display`: what must not be logged cannot be.

mod identifier;
mod ids;

pub mod chain;
pub mod context;
pub mod frame;
pub mod ladder;
pub mod large;
pub mod limits;
pub mod link;
pub mod padding;
pub mod paid;
pub mod presented;
pub mod rpc;

pub use identifier::{Identifier, IdentifierError};
pub use ids::{
    AccountId, BlobId, ChannelId, Day, HandshakeHash, IdempotencyId, MessageId, Now, ParseIdError, Position, Week,
    WrongLength,
};
pub use prost::Message;

/// A schema file as Rust. Documentation of the items is the schema's own.
macro_rules! schema {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[allow(missing_docs, clippy::all)]
        pub mod $name {
            include!(concat!(env!("OUT_DIR"), "/undertone.", stringify!($name), ".rs"));
        }
    };
}

schema!(
    /// Frames of a circuit (`proto/circuit.proto`).
    circuit
);
schema!(
    /// What an account circuit carries (`proto/account.proto`).
    account
);
schema!(
    /// What a visitor circuit carries (`proto/visitor.proto`).
    visitor
);
schema!(
    /// What a channel circuit carries (`proto/channel.proto`).
    channel
);
schema!(
    /// What a blob circuit carries (`proto/blob.proto`).
    blob
);
schema!(
    /// What a directory circuit carries (`proto/directory.proto`).
    directory
);
schema!(
    /// A group's record and its changes (`proto/group.proto`).
    group
);
schema!(
    /// Objects that devices sign (`proto/objects.proto`).
    objects
);
schema!(
    /// What only members read (`proto/content.proto`).
    content
);
