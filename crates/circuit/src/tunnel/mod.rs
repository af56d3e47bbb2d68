//! Tunnels: what a session runs in, and who opens one.
//!
//! Above the tunnel nothing knows what it is made of. This release has TCP, for loopback and the local network; a
//! session's handshake does not look random, so elsewhere it belongs inside TLS.

mod memory;
mod tcp;

use std::{io, pin::Pin};

use tokio::io::{AsyncRead, AsyncWrite};

pub use memory::{MemoryDialer, MemoryListener, memory};
pub use tcp::TcpDialer;

/// Any two-way stream of bytes, reliable and in order.
pub trait Tunnel: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Tunnel for T {}

/// Opens tunnels to one service.
pub trait Dialer: Send + Sync {
    /// Opens one more. The caller limits the time.
    fn dial(&self) -> Dialing<'_>;
}

/// A tunnel that is being opened.
pub type Dialing<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Tunnel>, DialError>> + Send + 'a>>;

/// No tunnel could be opened. It names no address: this may be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no connection: {0}")]
pub struct DialError(pub io::ErrorKind);

impl From<io::Error> for DialError {
    fn from(error: io::Error) -> Self {
        Self(error.kind())
    }
}
