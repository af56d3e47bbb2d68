//! A service that keeps to its rules, over memory stores, and writes down everything it is asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;
use tokio::{sync::watch, task::JoinSet};
use undertone_circuit::{Accepted, Dialer, Incoming, ServerHello, ServiceKeys, Tunnel, accept, memory};
use undertone_client::Clock as _;
use undertone_credentials::{HeadKey, IssuingKey};
use undertone_service::{AccountPlane, ChannelPlane, Issuer, Registration, TicketKey, VisitorSession};
use undertone_store::{
    Accounts, Channels,
    memory::{MemoryAccounts, MemoryChannels},
};
use undertone_wire::{
    HandshakeHash, Now,
    circuit::{Fault, Kind},
    link::{Link, Scheme},
    rpc::{Answer, Dispatch, OpenPushes, Service as Rpc},
};

use super::record::{Circuit, Frame, Record};
use crate::world::time::Time;

/// Bytes on their way in either direction of a connection.
const ROOM_BYTES: usize = 64 << 10;

/// The service's rules over stores of one kind. The same seed gives the same keys, so that a second service with it can be
/// asked everything again.
pub struct Planes<A, C> {
    /// The account plane.
    pub accounts: Arc<AccountPlane<A>>,
    /// The channel plane.
    pub channels: Arc<ChannelPlane<C>>,
}

impl<A: Accounts, C: Channels> Planes<A, C> {
    /// Over these stores.
    pub fn new(seed: u64, accounts: A, channels: C) -> Self {
        let rng = &mut ChaCha20Rng::seed_from_u64(seed);
        let head_key = HeadKey::generate(rng);
        let tickets = TicketKey::generate(rng);
        let issuer = Arc::new(Issuer::new(IssuingKey::generate(rng), ChaCha20Rng::from_rng(rng)));
        Self {
            accounts: Arc::new(AccountPlane::new(accounts, Registration::Open, issuer.clone())),
            channels: Arc::new(ChannelPlane::new(channels, head_key, tickets, issuer)),
        }
    }
}

impl<A, C> Clone for Planes<A, C> {
    fn clone(&self) -> Self {
        Self { accounts: self.accounts.clone(), channels: self.channels.clone() }
    }
}

/// A service that records.
pub struct Service {
    keys: Arc<ServiceKeys>,
    planes: Planes<MemoryAccounts, MemoryChannels>,
    tape: Arc<Tape>,
    time: Arc<Time>,
    rng: ChaCha20Rng,
    doors: JoinSet<()>,
    /// Dropped, it would send everybody away.
    staying: watch::Sender<bool>,
}

impl Service {
    /// One that begins with an empty record.
    pub fn new(seed: u64, time: &Arc<Time>, mut rng: ChaCha20Rng) -> Self {
        Self {
            keys: Arc::new(ServiceKeys::generate(&mut rng)),
            planes: Planes::new(seed, MemoryAccounts::default(), MemoryChannels::default()),
            tape: Arc::new(Tape { began: time.now(), record: Mutex::default() }),
            time: time.clone(),
            rng,
            doors: JoinSet::new(),
            staying: watch::Sender::new(false),
        }
    }

    /// A way in for one device, whose connections come from this address.
    pub fn way_from(&mut self, address: u32) -> Arc<dyn Dialer> {
        let (dialer, mut listener) = memory(ROOM_BYTES);
        let mut rng = ChaCha20Rng::from_rng(&mut self.rng);
        let (keys, planes, tape, time) = (self.keys.clone(), self.planes.clone(), self.tape.clone(), self.time.clone());
        let staying = self.staying.subscribe();
        self.doors.spawn(async move {
            let mut circuits = JoinSet::new();
            while let Some(tunnel) = listener.accept().await {
                let rng = ChaCha20Rng::from_rng(&mut rng);
                let serving = Serving {
                    keys: keys.clone(),
                    planes: planes.clone(),
                    tape: tape.clone(),
                    time: time.clone(),
                    staying: staying.clone(),
                    address,
                };
                circuits.spawn(serving.serve(tunnel, rng));
                while circuits.try_join_next().is_some() {}
            }
        });
        Arc::new(dialer)
    }

    /// Forgets what has expired, as services do every hour.
    ///
    /// # Errors
    /// The stores'.
    pub async fn expire(&self) -> anyhow::Result<()> {
        self.planes.accounts.expire(self.time.now()).await?;
        Ok(self.planes.channels.expire(self.time.now()).await?)
    }

    /// How it is named.
    pub fn link(&self) -> String {
        Link { scheme: Scheme::Tcp, endpoint: "memory:1".into(), pin: self.keys.pin(), account: None }.to_text()
    }

    /// Ends, and gives its record out of its hands: what its files hold is still to be filled in.
    pub async fn end(mut self) -> Record {
        self.doors.shutdown().await;
        let mut record = std::mem::take(&mut *self.tape.record());
        let now = self.tape.since(self.time.now());
        record.circuits.iter_mut().for_each(|circuit| circuit.until = circuit.until.min(now));
        record
    }
}

/// What is written while the service runs.
struct Tape {
    began: Now,
    record: Mutex<Record>,
}

impl Tape {
    fn since(&self, now: Now) -> u64 {
        now.0.saturating_sub(self.began.0)
    }

    fn begin(&self, now: Now, kind: Kind, address: u32, hash: HandshakeHash) -> usize {
        let from = self.since(now);
        let circuits = &mut self.record().circuits;
        circuits.push(Circuit { kind, address, from, until: u64::MAX, hash: *hash.as_bytes() });
        circuits.len() - 1
    }

    fn end(&self, now: Now, circuit: usize) {
        if let Some(circuit) = self.record().circuits.get_mut(circuit) {
            circuit.until = self.since(now);
        }
    }

    fn ask(&self, now: Now, circuit: usize, method: u32, body: Bytes) -> usize {
        let at = self.since(now);
        let frames = &mut self.record().frames;
        frames.push(Frame { circuit, at, method, body, reply: None });
        frames.len() - 1
    }

    fn answer(&self, frame: usize, reply: Bytes) {
        if let Some(frame) = self.record().frames.get_mut(frame) {
            frame.reply = Some(reply);
        }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection.
struct Serving {
    keys: Arc<ServiceKeys>,
    planes: Planes<MemoryAccounts, MemoryChannels>,
    tape: Arc<Tape>,
    time: Arc<Time>,
    staying: watch::Receiver<bool>,
    address: u32,
}

impl Serving {
    async fn serve(self, tunnel: impl Tunnel, mut rng: ChaCha20Rng) {
        let channels = &self.planes.channels;
        let now = self.time.now();
        // Each week has other keys, and nothing else of the list changes.
        let signed_parameters = channels.signed_parameters(now, now.day().week().0.into());
        let hello = ServerHello { parameters: channels.parameters(), signed_parameters, ..ServerHello::default() };
        let Ok(accepted) = accept(tunnel, &self.keys, &hello, &mut rng).await else { return };
        let Planes { accounts, channels } = self.planes.clone();
        match accepted {
            Accepted::Account(circuit) => {
                let session = accounts.session(circuit.handshake_hash());
                self.attend(circuit, session).await;
            }
            Accepted::Visitor(circuit) => self.attend(circuit, VisitorSession::new(accounts, channels)).await,
            Accepted::Channel(circuit) => {
                let session = channels.session(circuit.handshake_hash());
                self.attend(circuit, session).await;
            }
            // Nobody has put anything there.
            Accepted::Blob(_) | Accepted::Directory(_) => {}
        }
    }

    async fn attend<S: Rpc>(self, circuit: Incoming<S>, honest: impl Dispatch<S> + 'static) {
        let number = self.tape.begin(self.time.now(), S::KIND, self.address, circuit.handshake_hash());
        let handler = Recording { honest, tape: self.tape.clone(), circuit: number };
        circuit.serve(Arc::new(handler), || self.time.now(), self.staying.clone()).await;
        self.tape.end(self.time.now(), number);
    }
}

/// Answers as it should, and writes it down.
struct Recording<H> {
    honest: H,
    tape: Arc<Tape>,
    circuit: usize,
}

impl<S: Rpc, H: Dispatch<S>> Dispatch<S> for Recording<H> {
    async fn dispatch(&self, now: Now, method: u32, body: Bytes, pushes: OpenPushes) -> Result<Answer, Fault> {
        let frame = self.tape.ask(now, self.circuit, method, body.clone());
        let answer = self.honest.dispatch(now, method, body, pushes).await?;
        self.tape.answer(frame, if let Answer::Reply(reply) = &answer { reply.clone() } else { Bytes::new() });
        Ok(answer)
    }
}
