//! Connections in bad weather: they are refused, they break after any number of bytes, they are slow; and what was on its
//! way when one broke may arrive all the same, after what was sent again on the next: doubled, and in another order.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, duplex, split},
    sync::watch,
    time::{sleep, timeout},
};
use undertone_circuit::{DialError, Dialer, Dialing, Tunnel};

use super::bell::Bell;

/// A connection that breaks does so within this many bytes: from the middle of a handshake to some pages later.
const BYTES_MAX: u32 = 60_000;
/// Bytes that pass at once, each time after a delay.
const CHUNK_BYTES: usize = 16 << 10;
/// Bytes on their way in either direction.
const ROOM_BYTES: usize = 64 << 10;
/// The longest delays of slow connections, in milliseconds; most are quick.
const DELAYS_MS_MAX: [u64; 8] = [0, 0, 0, 0, 2, 20, 200, 3_000];
/// What is on its way when a connection breaks is lost, or arrives within this time.
const AFTERLIFE: Duration = Duration::from_secs(20);

/// The weather over all connections of a world.
pub struct Weather {
    state: Mutex<State>,
    /// Counts strokes of lightning, each of which breaks every connection that was made in a storm.
    strokes: Bell<u64>,
}

struct State {
    storm: bool,
    rng: ChaCha20Rng,
    connections: u64,
}

impl Weather {
    /// Calm for now.
    pub fn new(rng: ChaCha20Rng) -> Arc<Self> {
        let state = State { storm: false, rng, connections: 0 };
        Arc::new(Self { state: state.into(), strokes: Bell::new(0) })
    }

    /// Begins or ends a storm.
    pub fn set_storm(&self, storm: bool) {
        self.state().storm = storm;
    }

    /// Breaks all connections of the storm at once.
    pub fn strike(&self) {
        self.strokes.ring(|strokes| strokes + 1);
    }

    /// How many connections there have been.
    pub fn connections(&self) -> u64 {
        self.state().connections
    }

    /// Ways that lead through this weather.
    pub fn over(self: &Arc<Self>, way: Arc<dyn Dialer>) -> Arc<dyn Dialer> {
        Arc::new(Outdoors { way, weather: self.clone() })
    }

    fn draw(&self) -> Fate {
        let State { storm, rng, connections } = &mut *self.state();
        *connections += 1;
        if !*storm || rng.random_bool(0.3) {
            return Fate::Whole;
        }
        if rng.random_bool(0.1) {
            return Fate::Refused;
        }
        let bytes = if rng.random_bool(0.6) { rng.random_range(0..BYTES_MAX) } else { u32::MAX };
        let delay_ms_max = DELAYS_MS_MAX.get(rng.random_range(0..DELAYS_MS_MAX.len())).copied().unwrap_or_default();
        let rng = ChaCha20Rng::from_rng(rng);
        let strokes = self.strokes.listen();
        Fate::Rough(Box::new(Rough { bytes: bytes.into(), delay_ms_max, rng: rng.into(), strokes }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Outdoors {
    way: Arc<dyn Dialer>,
    weather: Arc<Weather>,
}

impl Dialer for Outdoors {
    fn dial(&self) -> Dialing<'_> {
        Box::pin(async {
            let fate = self.weather.draw();
            if matches!(fate, Fate::Refused) {
                return Err(DialError(std::io::ErrorKind::ConnectionRefused));
            }
            let tunnel = self.way.dial().await?;
            let Fate::Rough(rough) = fate else { return Ok(tunnel) };
            let (near, far) = duplex(ROOM_BYTES);
            tokio::spawn(rough.carry(far, tunnel));
            Ok(Box::new(near) as Box<dyn Tunnel>)
        })
    }
}

enum Fate {
    Whole,
    Refused,
    Rough(Box<Rough>),
}

/// One connection in a storm.
struct Rough {
    /// So many pass, in both directions together, before it breaks.
    bytes: u64,
    delay_ms_max: u64,
    rng: Mutex<ChaCha20Rng>,
    strokes: watch::Receiver<u64>,
}

impl Rough {
    async fn carry(mut self, client: impl Tunnel, service: impl Tunnel) {
        let (from_client, mut to_client) = split(client);
        let (from_service, to_service) = split(service);
        let left = Mutex::new(self.bytes);
        let (rng, delay_ms_max) = (&self.rng, self.delay_ms_max);
        let mut up = Box::pin(pump(from_client, to_service, &left, delay_ms_max, rng));
        let down = pump(from_service, &mut to_client, &left, delay_ms_max, rng);
        let broken_below = tokio::select! {
            biased;
            () = &mut up => false,
            () = down => true,
            _ = self.strokes.changed() => true,
        };
        // The client learns that it broke; what it has sent may go on.
        let _ = to_client.shutdown().await;
        let goes_on = broken_below && lock(rng).random_bool(0.5);
        if goes_on {
            *lock(&left) = u64::MAX;
            let _ = timeout(AFTERLIFE, up).await;
        }
    }
}

/// Carries bytes until the end, or until no more may pass.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    left: &Mutex<u64>,
    delay_ms_max: u64,
    rng: &Mutex<ChaCha20Rng>,
) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(bytes @ 1..) = from.read(&mut chunk).await {
        let delay_ms = if delay_ms_max == 0 { 0 } else { lock(rng).random_range(0..=delay_ms_max) };
        if delay_ms > 0 {
            sleep(Duration::from_millis(delay_ms)).await;
        }
        let passing = {
            let mut left = lock(left);
            let passing = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes);
            *left = left.saturating_sub(bytes as u64);
            passing
        };
        if to.write_all(chunk.get(..passing).unwrap_or_default()).await.is_err() || passing < bytes {
            return;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
