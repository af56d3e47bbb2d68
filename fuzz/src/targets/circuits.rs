//! The first bytes of a circuit, before anybody has proven anything, at both ends.

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use undertone_circuit::{Circuit, Dialer, Dialing, ServerHello, ServiceKeys, accept};
use undertone_wire::account::Account;

use crate::Target;

pub const HANDSHAKES: Target = Target { name: "handshakes", run: handshakes, seeds: some_handshakes, cost: 512 };

const TUNNEL_BYTES: usize = 1 << 20;

/// What a client says first, or a service: to be heard by the other one, and then there is no more.
fn handshakes(data: &[u8]) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else { return };
    runtime.block_on(async {
        let keys = keys();
        if let Some(near) = said(data).await {
            let _ = accept(near, &keys, &ServerHello::default(), &mut rng(2)).await;
        }
        for known in [None, Some(keys.public())] {
            let Some(near) = said(data).await else { return };
            let dialer = Once(std::sync::Mutex::new(Some(near)));
            let _ = Circuit::<Account>::connect(&dialer, &keys.pin(), known, &mut rng(3)).await;
        }
    });
}

fn keys() -> ServiceKeys {
    ServiceKeys::generate(&mut rng(1))
}

fn rng(number: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([number; 32])
}

/// The near end of a tunnel whose far end has said this and nothing more.
async fn said(data: &[u8]) -> Option<DuplexStream> {
    let (near, mut far) = duplex(TUNNEL_BYTES);
    far.write_all(data).await.ok()?;
    far.shutdown().await.ok()?;
    tokio::spawn(async move {
        // What is answered has somewhere to go.
        let _ = far.read_to_end(&mut Vec::new()).await;
    });
    Some(near)
}

/// Gives a tunnel that is there already.
struct Once(std::sync::Mutex<Option<DuplexStream>>);

impl Dialer for Once {
    fn dial(&self) -> Dialing<'_> {
        Box::pin(async {
            let tunnel = self.0.lock().ok().and_then(|mut tunnel| tunnel.take());
            tunnel.map(|tunnel| Box::new(tunnel) as _).ok_or(std::io::Error::from(std::io::ErrorKind::NotFound).into())
        })
    }
}

/// All that both ends of real circuits have said: with known keys and without.
fn some_handshakes() -> Option<Vec<Vec<u8>>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().ok()?;
    runtime.block_on(async {
        let keys = keys();
        let mut seeds = Vec::new();
        for known in [None, Some(keys.public())] {
            let (client, client_far) = duplex(TUNNEL_BYTES);
            let (service, service_far) = duplex(TUNNEL_BYTES);
            let (mut client_read, mut client_write) = tokio::io::split(client_far);
            let (mut service_read, mut service_write) = tokio::io::split(service_far);
            let from_client = tokio::spawn(async move { pass(&mut client_read, &mut service_write).await });
            let from_service = tokio::spawn(async move { pass(&mut service_read, &mut client_write).await });
            let dialer = Once(std::sync::Mutex::new(Some(client)));
            let (hello, rng_service, rng_client) = (ServerHello::default(), &mut rng(2), &mut rng(3));
            let pin = keys.pin();
            let (accepted, connected) = tokio::join!(
                accept(service, &keys, &hello, rng_service),
                Circuit::<Account>::connect(&dialer, &pin, known, rng_client)
            );
            drop((accepted.ok()?, connected.ok()?));
            seeds.extend([from_client.await.ok()?, from_service.await.ok()?]);
        }
        Some(seeds)
    })
}

/// Passes everything on, and tells what it was.
async fn pass(
    from: &mut (impl tokio::io::AsyncRead + Unpin),
    to: &mut (impl tokio::io::AsyncWrite + Unpin),
) -> Vec<u8> {
    let mut heard = Vec::new();
    while let Ok(length @ 1..) = from.read_buf(&mut heard).await {
        let from = heard.len() - length;
        if to.write_all(heard.get(from..).unwrap_or_default()).await.is_err() {
            break;
        }
    }
    heard
}
