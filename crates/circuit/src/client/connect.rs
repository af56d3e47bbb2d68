//! From a pin to a circuit.

use std::{
    io,
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use rand_core::CryptoRng;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::timeout,
};
use undertone_wire::{
    circuit::{Code, Hello, HelloReply, Kind, frame},
    frame::padded_hello,
    ladder, limits,
    link::Pin,
    rpc::Service,
};

use super::{Circuit, Shared, driver::Driver};
use crate::{
    ConnectError, Dialer, ServicePublicKeys, Tunnel,
    link::Link,
    noise::initiate,
    preamble::{self, Preamble},
};

impl<S: Service> Circuit<S> {
    /// Opens a circuit to the service that `pin` names, through a tunnel of `dialer`. With the service's keys at hand
    /// (from an earlier circuit) it takes one round trip less; keys of another service are passed over.
    ///
    /// The circuit's task is spawned on the current tokio runtime.
    ///
    /// # Errors
    /// After at most [`limits::CONNECT_MS`].
    pub async fn connect(
        dialer: &dyn Dialer,
        pin: &Pin,
        keys: Option<&ServicePublicKeys>,
        rng: &mut (impl CryptoRng + Send),
    ) -> Result<Self, ConnectError> {
        let connected = connect(dialer, pin, keys, hello(S::KIND), rng);
        let shared = timeout(Duration::from_millis(limits::CONNECT_MS), connected)
            .await
            .unwrap_or(Err(ConnectError::TimedOut))?;
        Ok(Self::of(shared))
    }
}

/// What this release says of itself.
pub(super) fn hello(kind: Kind) -> Hello {
    Hello {
        kind: kind.into(),
        protocol_min: ladder::PROTOCOL_MIN,
        protocol_max: ladder::PROTOCOL,
        features: ladder::FEATURES.to_vec(),
        ..Hello::default()
    }
}

pub(super) async fn connect(
    dialer: &dyn Dialer,
    pin: &Pin,
    keys: Option<&ServicePublicKeys>,
    hello: Hello,
    rng: &mut (impl CryptoRng + Send),
) -> Result<Arc<Shared>, ConnectError> {
    let mut tunnel = dialer.dial().await?;
    let service_keys = match keys.filter(|keys| keys.pin() == *pin) {
        Some(keys) => keys.clone(),
        None => ask_keys(&mut tunnel, pin).await?,
    };

    let (initiated, message) = initiate(&service_keys, rng)?;
    preamble::write(&mut tunnel, &Preamble::Handshake1(message)).await?;
    let Preamble::Handshake2(message) = read(&mut tunnel).await? else {
        return Err(ConnectError::Protocol);
    };
    let established = initiated.finish(&message)?;

    let mut link = Link::new(tunnel, established.session);
    let hello = greet(&mut link, hello).await?;
    let parameters = hello.parameters.clone().ok_or(ConnectError::Protocol)?;
    // A service that does not sign them yet is of a release that we cannot talk to any more.
    let signed_parameters = hello.signed_parameters.clone().ok_or(ConnectError::UpdateNeeded)?;
    let (commands, taken) = mpsc::unbounded_channel();
    let (ended, ending) = watch::channel(None);
    tokio::spawn(Driver::new(link, taken, ended).run());
    Ok(Arc::new(Shared {
        commands,
        turns: Semaphore::new(limits::IN_FLIGHT_MAX),
        last_id: AtomicU32::new(0),
        ending,
        handshake_hash: established.hash,
        service_keys,
        hello,
        parameters,
        signed_parameters,
    }))
}

async fn ask_keys(tunnel: &mut impl Tunnel, pin: &Pin) -> Result<ServicePublicKeys, ConnectError> {
    preamble::write(tunnel, &Preamble::KeyRequest).await?;
    let Preamble::Keys(keys) = read(tunnel).await? else {
        return Err(ConnectError::Protocol);
    };
    let keys = ServicePublicKeys::from_bytes(&keys).map_err(|_| ConnectError::Protocol)?;
    if keys.pin() == *pin { Ok(keys) } else { Err(ConnectError::WrongKey) }
}

async fn read(tunnel: &mut impl Tunnel) -> Result<Preamble, ConnectError> {
    match preamble::read(tunnel).await? {
        Preamble::Unsupported(_) => Err(ConnectError::UpdateNeeded),
        message => Ok(message),
    }
}

async fn greet(link: &mut Link, hello: Hello) -> Result<HelloReply, ConnectError> {
    link.queue(0, frame::Kind::Hello(padded_hello(hello)));
    let frame = link.receive().await?.ok_or(ConnectError::Unreachable(io::ErrorKind::UnexpectedEof))?;
    match frame.kind {
        Some(frame::Kind::HelloReply(reply)) if ladder::negotiate(reply.protocol, reply.protocol).is_some() => {
            link.open();
            Ok(reply)
        }
        Some(frame::Kind::Fault(fault)) if fault.code() == Code::Unsupported => Err(ConnectError::UpdateNeeded),
        Some(frame::Kind::Fault(_) | frame::Kind::GoAway(_)) => Err(ConnectError::Refused),
        _ => Err(ConnectError::Protocol),
    }
}
