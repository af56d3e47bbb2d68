//! Circuits: end-to-end encrypted connections of a client to the service, through whatever tunnel there is.
//!
//! ```text
//!   Circuit<S> / Incoming<S>    typed requests, replies, pushes        client/, server/
//!     Link                      frames (wire::frame)                   link.rs
//!       SealedStream            Noise messages                         sealed.rs, noise/
//!         Tunnel                any byte stream; preamble in clear     tunnel/, preamble.rs
//! ```
//!
//! The client knows the service by the pin in its link; the service knows nothing of the client but what is asked. A
//! tunnel, and whoever runs it, sees lengths and times. A circuit's kind is part of its type, so that a request of one
//! plane cannot be sent on a circuit of the other.
//!
//! Each end is one task, and an idle one holds no buffer. Everything that a peer can make us hold has a bound: frames
//! by [`FRAME_BYTES_MAX`], requests by [`IN_FLIGHT_MAX`], pushes by [`PUSHES_QUEUED_MAX`], what it does not read by the
//! room of its link and by time.
//!
//! [`FRAME_BYTES_MAX`]: undertone_wire::limits::FRAME_BYTES_MAX
//! [`IN_FLIGHT_MAX`]: undertone_wire::limits::IN_FLIGHT_MAX
//! [`PUSHES_QUEUED_MAX`]: undertone_wire::limits::PUSHES_QUEUED_MAX

mod client;
mod error;
mod keys;
mod link;
mod noise;
mod preamble;
mod sealed;
mod server;
mod tunnel;
mod watchdog;

pub use client::{Circuit, Event, Reusable, Subscription};
pub use error::{AcceptError, CallError, ConnectError, Ending};
pub use keys::{KeysError, ServiceKeys, ServicePublicKeys};
pub use server::{Accepted, Incoming, ServerHello, accept};
pub use tunnel::{DialError, Dialer, Dialing, MemoryDialer, MemoryListener, TcpDialer, Tunnel, memory};

#[cfg(test)]
mod hostile;
