//! From a tunnel to a circuit of a known kind.

use std::{io, marker::PhantomData, time::Duration};

use rand_core::CryptoRng;
use tokio::time::timeout;
use undertone_wire::{
    HandshakeHash,
    account::Account,
    blob::Blob,
    channel::Channel,
    circuit::{Code, Hello, HelloReply, Kind, Leaving, Parameters, SignedParameters, frame},
    directory::Directory,
    ladder, limits,
    visitor::Visitor,
};

use crate::{
    AcceptError, ServiceKeys, Tunnel,
    link::Link,
    noise::{Established, respond},
    preamble::{self, Preamble, PreambleError},
};

/// What this service tells every client, the same to all.
#[derive(Clone, Default)]
pub struct ServerHello {
    /// Its public parameters.
    pub signed_parameters: SignedParameters,
    /// What clients of release 0.1 know of these.
    pub parameters: Parameters,
    /// Below this protocol version it will refuse from `floor_day` on.
    pub protocol_floor_next: u32,
    /// Day (since 1970-01-01) of that cut-off; 0 when none is planned.
    pub floor_day: u32,
}

/// A circuit that a client has opened, by its kind.
pub enum Accepted {
    /// It means to authenticate as a device.
    Account(Incoming<Account>),
    /// It asks one thing, as nobody.
    Visitor(Incoming<Visitor>),
    /// It means to open channels.
    Channel(Incoming<Channel>),
    /// It means to put or to fetch a blob.
    Blob(Incoming<Blob>),
    /// It means to look up who is here.
    Directory(Incoming<Directory>),
}

/// The service's end of a circuit of kind `S`, before anything was asked.
pub struct Incoming<S> {
    pub(super) link: Link,
    hash: HandshakeHash,
    kind: PhantomData<fn() -> S>,
}

impl<S> Incoming<S> {
    fn new(link: Link, hash: HandshakeHash) -> Self {
        Self { link, hash, kind: PhantomData }
    }

    /// What signatures on this circuit are bound to.
    pub fn handshake_hash(&self) -> HandshakeHash {
        self.hash
    }
}

/// Does the service's part of the handshakes. Returns only after the client's first frame, so only for a client that
/// is really there: Noise message 1 alone may be a replay.
///
/// # Errors
/// The tunnel has then been closed. Takes at most [`limits::CONNECT_MS`].
pub async fn accept(
    mut tunnel: impl Tunnel,
    keys: &ServiceKeys,
    hello: &ServerHello,
    rng: &mut (impl CryptoRng + Send),
) -> Result<Accepted, AcceptError> {
    let handshakes = async {
        let Established { session, hash } = handshake(&mut tunnel, keys, rng).await?;
        greet(Link::new(Box::new(tunnel), session), hash, hello).await
    };
    timeout(Duration::from_millis(limits::CONNECT_MS), handshakes).await.unwrap_or(Err(AcceptError::TimedOut))
}

async fn handshake(
    tunnel: &mut impl Tunnel,
    keys: &ServiceKeys,
    rng: &mut impl CryptoRng,
) -> Result<Established, AcceptError> {
    let mut first = read_or_tell(tunnel).await?;
    if first == Preamble::KeyRequest {
        preamble::write(tunnel, &Preamble::Keys(keys.public().to_bytes())).await?;
        first = read_or_tell(tunnel).await?;
    }
    let Preamble::Handshake1(message) = first else {
        return Err(AcceptError::Malformed);
    };
    let (established, message) = respond(keys, &message, rng)?;
    preamble::write(tunnel, &Preamble::Handshake2(message)).await?;
    Ok(established)
}

/// Reads a message; a client of another version is told which ones there are.
async fn read_or_tell(tunnel: &mut impl Tunnel) -> Result<Preamble, PreambleError> {
    let read = preamble::read(tunnel).await;
    if let Err(PreambleError::Version) = read {
        preamble::write(tunnel, &Preamble::Unsupported(preamble::VERSIONS.to_vec())).await?;
    }
    read
}

async fn greet(mut link: Link, hash: HandshakeHash, ours: &ServerHello) -> Result<Accepted, AcceptError> {
    let hello = match first_frame(&mut link).await {
        Err(AcceptError::Malformed) => {
            link.leave(Some(Leaving::Protocol)).await;
            return Err(AcceptError::Malformed);
        }
        hello => hello?,
    };
    let kind = known_kind(&hello).filter(|kind| kind.required().iter().all(|need| hello.features.contains(need)));
    let (Some(reply), Some(kind)) = (reply(&hello, ours), kind) else {
        link.queue(0, frame::Kind::Fault(Code::Unsupported.into()));
        link.leave(None).await;
        return Err(AcceptError::Unsupported);
    };
    link.queue(0, frame::Kind::HelloReply(reply));
    link.flush().await?;
    link.open();
    Ok(match kind {
        KnownKind::Account => Accepted::Account(Incoming::new(link, hash)),
        KnownKind::Visitor => Accepted::Visitor(Incoming::new(link, hash)),
        KnownKind::Channel => Accepted::Channel(Incoming::new(link, hash)),
        KnownKind::Blob => Accepted::Blob(Incoming::new(link, hash)),
        KnownKind::Directory => Accepted::Directory(Incoming::new(link, hash)),
    })
}

async fn first_frame(link: &mut Link) -> Result<Hello, AcceptError> {
    let frame = link.receive().await?.ok_or(AcceptError::Lost(io::ErrorKind::UnexpectedEof))?;
    match frame.kind {
        Some(frame::Kind::Hello(hello)) if frame.id == 0 => Ok(hello),
        _ => Err(AcceptError::Malformed),
    }
}

fn reply(hello: &Hello, ours: &ServerHello) -> Option<HelloReply> {
    Some(HelloReply {
        protocol: ladder::negotiate(hello.protocol_min, hello.protocol_max)?,
        features: ladder::common_features(&hello.features),
        protocol_floor_next: ours.protocol_floor_next,
        floor_day: ours.floor_day,
        parameters: Some(ours.parameters.clone()),
        signed_parameters: Some(ours.signed_parameters.clone()),
    })
}

enum KnownKind {
    Account,
    Visitor,
    Channel,
    Blob,
    Directory,
}

impl KnownKind {
    /// Features without which nothing can be done on such a circuit: who lacks one is told to update, and not, upon each
    /// request, what it costs.
    const fn required(&self) -> &'static [u32] {
        match self {
            Self::Account | Self::Channel => &[],
            Self::Visitor | Self::Blob | Self::Directory => &[ladder::TOKENS],
        }
    }
}

fn known_kind(hello: &Hello) -> Option<KnownKind> {
    match Kind::try_from(hello.kind) {
        Ok(Kind::Account) => Some(KnownKind::Account),
        Ok(Kind::Visitor) => Some(KnownKind::Visitor),
        Ok(Kind::Channel) => Some(KnownKind::Channel),
        Ok(Kind::Blob) => Some(KnownKind::Blob),
        Ok(Kind::Directory) => Some(KnownKind::Directory),
        Ok(Kind::Unspecified) | Err(_) => None,
    }
}
