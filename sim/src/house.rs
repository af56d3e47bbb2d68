//! A service within this process, over tunnels in memory: its rules and its circuits, without sockets and without a binary.

use std::{sync::Arc, time::UNIX_EPOCH};

use anyhow::bail;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tokio::sync::watch;
use undertone_circuit::{Accepted, MemoryListener, ServerHello, ServiceKeys, Tunnel, accept, memory};
use undertone_credentials::{HeadKey, IssuingKey};
use undertone_service::{AccountPlane, ChannelPlane, Issuer, Registration, TicketKey, VisitorSession};
use undertone_store::{Channels, memory::MemoryAccounts};
use undertone_wire::Now;

use crate::client::Service;

/// What a tunnel holds that was written and not read.
const TUNNEL_BYTES: usize = 1 << 18;

/// Runs a service over these channels, for whoever uses the service that is returned. Visitors come, and those who have
/// channels; nobody registers.
pub async fn open<C: Channels + 'static>(channels: C, rng: &mut ChaCha20Rng) -> anyhow::Result<Service> {
    let keys = ServiceKeys::generate(rng);
    let pin = keys.pin();
    let (dialer, listener) = memory(TUNNEL_BYTES);
    tokio::spawn(serve(listener, Arc::new(keys), Planes::new(channels)));
    Service::meet(Arc::new(dialer), pin, IssuingKey::from_seed(&[1; 32]), rng).await
}

struct Planes<C> {
    accounts: Arc<AccountPlane<MemoryAccounts>>,
    channels: Arc<ChannelPlane<C>>,
    hello: ServerHello,
}

impl<C: Channels> Planes<C> {
    fn new(channels: C) -> Arc<Self> {
        let issuing = IssuingKey::from_seed(&[1; 32]);
        let issuer = Arc::new(Issuer::new(issuing, ChaCha20Rng::seed_from_u64(3)));
        let accounts = Arc::new(AccountPlane::new(MemoryAccounts::default(), Registration::Open, issuer.clone()));
        let tickets = TicketKey::generate(&mut ChaCha20Rng::seed_from_u64(1));
        let channels = Arc::new(ChannelPlane::new(channels, HeadKey::from_seed(&[1; 32]), tickets, issuer));
        let (parameters, signed_parameters) = (channels.parameters(), channels.signed_parameters(now(), 1));
        let hello = ServerHello { parameters, signed_parameters, ..ServerHello::default() };
        Arc::new(Self { accounts, channels, hello })
    }
}

async fn serve<C: Channels + 'static>(mut listener: MemoryListener, keys: Arc<ServiceKeys>, planes: Arc<Planes<C>>) {
    // Kept, so that nobody is asked to go.
    let (_drain, draining) = watch::channel(false);
    let mut seed = 0;
    while let Some(tunnel) = listener.accept().await {
        seed += 1;
        tokio::spawn(carry(tunnel, keys.clone(), planes.clone(), seed, draining.clone()));
    }
}

async fn carry<C: Channels + 'static>(
    tunnel: impl Tunnel,
    keys: Arc<ServiceKeys>,
    planes: Arc<Planes<C>>,
    seed: u64,
    draining: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    match accept(tunnel, &keys, &planes.hello, &mut ChaCha20Rng::seed_from_u64(seed)).await? {
        Accepted::Visitor(circuit) => {
            let session = VisitorSession::new(planes.accounts.clone(), planes.channels.clone());
            circuit.serve(Arc::new(session), now, draining).await;
        }
        Accepted::Channel(circuit) => {
            let session = planes.channels.session(circuit.handshake_hash());
            circuit.serve(Arc::new(session), now, draining).await;
        }
        Accepted::Account(_) | Accepted::Blob(_) | Accepted::Directory(_) => bail!("nobody registers here"),
    }
    Ok(())
}

fn now() -> Now {
    let since_1970 = UNIX_EPOCH.elapsed().unwrap_or_default();
    Now(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
}
