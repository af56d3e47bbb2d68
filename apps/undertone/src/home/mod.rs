//! One process owns a home; others reach it through the owner's socket.
//!
//! The engine's state must never be used by two processes at once. So whoever wants something of a home first tries its
//! lock: the one who gets it is the *host*, opens the engine, and listens on `HOME/socket`; everybody else is a *guest*
//! and has its commands done by the host. When the host goes away, a guest takes the lock in its place.

mod folder;
mod guest;
mod host;
mod lock;
mod protocol;
mod session;
mod socket;

pub use folder::Folder;
pub use session::{Opening, Session};
