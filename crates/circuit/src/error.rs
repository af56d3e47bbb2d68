//! What can go wrong, by operation. Nothing here names an address, a key or an identifier.

use std::io;

use undertone_wire::circuit::{Fault, Leaving};

use crate::{link::LinkError, noise::Forged, preamble::PreambleError, tunnel::DialError};

/// A client did not get its circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No tunnel, or it broke before the circuit stood: the network, or a service that is down or too busy.
    #[error("the service cannot be reached ({0}): check the network and the service's address")]
    Unreachable(io::ErrorKind),
    /// Whoever answers there is not the service that the link names.
    #[error("another service answers at this address: its key is not the one in the link")]
    WrongKey,
    /// The two speak no common version.
    #[error("this version and the service's no longer understand each other: update")]
    UpdateNeeded,
    /// The service wants no circuit of us now.
    #[error("the service takes no connections now: try again later")]
    Refused,
    /// It took longer than [`CONNECT_MS`](undertone_wire::limits::CONNECT_MS).
    #[error("the service did not answer in time")]
    TimedOut,
    /// The answer is not of this protocol, or somebody on the way has changed it.
    #[error("what answers at this address is damaged on the way, or no service of this kind")]
    Protocol,
}

/// A service did not get a circuit out of a tunnel. For its counters: a client is told by the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The tunnel broke.
    #[error("the tunnel broke before the circuit stood: {0}")]
    Lost(io::ErrorKind),
    /// It took longer than [`CONNECT_MS`](undertone_wire::limits::CONNECT_MS).
    #[error("the handshake was not done in time")]
    TimedOut,
    /// Another version, or another kind of circuit.
    #[error("the client speaks another version")]
    Unsupported,
    /// Not this protocol, or a handshake that does not check.
    #[error("the handshake does not check")]
    Malformed,
}

/// A request was not answered as it should be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The service says no; its code tells what may be done.
    #[error("the service refused: {0:?}")]
    Refused(Fault),
    /// Certainly not sent: the circuit has ended, or no turn came in time. It can be sent on another circuit.
    #[error("the request was not sent")]
    NotSent,
    /// Sent, and then no answer: it may have been applied or not. The same bytes may be sent again.
    #[error("no answer came: the request may have been applied or not")]
    Unknown,
    /// The answer is not what the schema says.
    #[error("the answer does not parse")]
    Malformed,
    /// The request is longer than a frame may be, and was not sent.
    #[error("the request is too long")]
    TooLong,
}

/// How a circuit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// One side had no more use for it.
    Finished,
    /// The service goes away, or went: connect again.
    Drained,
    /// The tunnel broke.
    Lost,
    /// The peer was silent, or did not read, for too long.
    TimedOut,
    /// One side broke the protocol.
    Protocol,
}

impl Ending {
    /// What the other side is told.
    pub(crate) fn leaving(self) -> Option<Leaving> {
        match self {
            Self::TimedOut => Some(Leaving::Timeout),
            Self::Protocol => Some(Leaving::Protocol),
            Self::Finished | Self::Drained | Self::Lost => None,
        }
    }

    /// What the other side told us.
    pub(crate) fn told(leaving: Leaving) -> Self {
        match leaving {
            Leaving::Drain => Self::Drained,
            Leaving::Timeout => Self::TimedOut,
            Leaving::Protocol => Self::Protocol,
            Leaving::Unspecified => Self::Finished,
        }
    }
}

impl From<LinkError> for Ending {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Lost(_) => Self::Lost,
            LinkError::Malformed => Self::Protocol,
        }
    }
}

impl From<DialError> for ConnectError {
    fn from(error: DialError) -> Self {
        Self::Unreachable(error.0)
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::Unreachable(error.kind())
    }
}

impl From<PreambleError> for ConnectError {
    fn from(error: PreambleError) -> Self {
        match error {
            PreambleError::Lost(kind) => Self::Unreachable(kind),
            PreambleError::Malformed | PreambleError::Version => Self::Protocol,
        }
    }
}

impl From<Forged> for ConnectError {
    fn from(_: Forged) -> Self {
        Self::Protocol
    }
}

impl From<LinkError> for ConnectError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Lost(kind) => Self::Unreachable(kind),
            LinkError::Malformed => Self::Protocol,
        }
    }
}

impl From<io::Error> for AcceptError {
    fn from(error: io::Error) -> Self {
        Self::Lost(error.kind())
    }
}

impl From<PreambleError> for AcceptError {
    fn from(error: PreambleError) -> Self {
        match error {
            PreambleError::Lost(kind) => Self::Lost(kind),
            PreambleError::Malformed => Self::Malformed,
            PreambleError::Version => Self::Unsupported,
        }
    }
}

impl From<Forged> for AcceptError {
    fn from(_: Forged) -> Self {
        Self::Malformed
    }
}

impl From<LinkError> for AcceptError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Lost(kind) => Self::Lost(kind),
            LinkError::Malformed => Self::Malformed,
        }
    }
}
