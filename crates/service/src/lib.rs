//! What the service does, and what it refuses. No sockets, no clock, no addresses: a request, the moment and the stores
//! go in, an answer comes out.
//!
//! There are two planes, which share no type but the [`Issuer`] of tokens and credentials, no store and no cache.
//! [`AccountPlane`] serves devices that have proven who they are; [`ChannelPlane`] serves whoever holds a channel's keys,
//! and has no word for an account. A [`VisitorSession`] is nobody, and may do one thing on either plane. Beside them a
//! [`BlobPlane`] keeps bytes for whoever knows their ids, and a [`DirectoryPlane`] tells who is listed, without learning whom
//! it was asked for. Each circuit gets a session of its kind, made from the circuit's
//! handshake hash, to which every proof is bound.
//!
//! Nobody who asks is trusted: every length is held against `wire::limits`, and nothing signed is stored before its
//! signature has been checked. The service in turn is not trusted by its clients: it never sees a key that decrypts
//! (this crate does not even link `e2ee`), and by signing chain heads it binds itself to one history.
//!
//! How a refusal is to be read: `MALFORMED` breaks a stated limit, `UNSUPPORTED` is of a version, method or kind that
//! this release does not know, `UNAUTHENTICATED` lacks a proof, `FORBIDDEN` is proven but not allowed.

mod account;
mod blob;
mod channel;
mod directory;
mod fault;
mod issuer;
mod request;
mod visitor;

pub use account::{AccountPlane, AccountSession, CodeSender, Codes, InviteCode, Registration};
pub use blob::{BlobPlane, BlobSession, LargeBodies};
pub use channel::{ChannelPlane, ChannelSession, TicketKey};
pub use directory::{BaseState, DirectoryPlane, DirectorySession, DirectoryState, Work, Workers};
pub use issuer::Issuer;
pub use visitor::VisitorSession;
