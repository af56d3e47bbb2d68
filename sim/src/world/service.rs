//! A service: its real rules over memory stores, behind doors of which each leads one home in. It can be killed, go away in
//! order, come back, be busy, and cheat.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use tokio::task::{JoinHandle, JoinSet};
use undertone_circuit::{
    Accepted, DialError, Dialer, Dialing, MemoryDialer, ServerHello, ServiceKeys, Tunnel, accept, memory,
};
use undertone_client::Clock as _;
use undertone_credentials::{HeadKey, IssuingKey};
use undertone_service::{AccountPlane, ChannelPlane, Issuer, Registration, TicketKey, VisitorSession};
use undertone_store::memory::{MemoryAccounts, MemoryChannels};
use undertone_wire::{
    Week,
    link::{Link, Pin, Scheme},
};

use super::{
    bell::Bell,
    cheat::{Cheat, Cheating},
    mood::{Mood, Moody},
    spoil::{Spoiler, Spoiling},
    time::Time,
};

/// Bytes on their way in either direction of a connection.
const ROOM_BYTES: usize = 64 << 10;

/// A service and its doors.
pub struct Service {
    keys: Arc<ServiceKeys>,
    head_key: [u8; 32],
    accounts: MemoryAccounts,
    channels: MemoryChannels,
    /// What it shows behind some of its doors instead.
    others: Option<MemoryChannels>,
    /// How it feels: whether it is busy.
    pub mood: Arc<Mood>,
    doors: Vec<Door>,
    time: Arc<Time>,
    rng: Arc<Mutex<ChaCha20Rng>>,
    running: Option<Running>,
}

/// A way in.
struct Door {
    dialer: Arc<Mutex<Option<MemoryDialer>>>,
    hand: Hand,
    /// Whether it leads to the other channels, where there are such.
    other: bool,
}

/// What is done at a door that should not be.
#[derive(Clone, Default)]
pub struct Hand {
    /// By the service.
    pub cheat: Arc<Cheat>,
    /// By whoever comes in there.
    pub spoiler: Arc<Spoiler>,
}

struct Running {
    drain: Arc<Bell<bool>>,
    /// As they are shown, and as they are shown to some.
    planes: [Planes; 2],
    rng: Arc<Mutex<ChaCha20Rng>>,
    listening: Vec<JoinHandle<()>>,
}

impl Running {
    fn open(&mut self, door: &Door) {
        let (dialer, mut listener) = memory(ROOM_BYTES);
        *lock(&door.dialer) = Some(dialer);
        let [own, others] = &self.planes;
        let planes = if door.other { others } else { own }.clone();
        let (hand, rng) = (door.hand.clone(), self.rng.clone());
        self.listening.push(tokio::spawn(async move {
            // With this task all its circuits go, as with a process that is killed.
            let mut circuits = JoinSet::new();
            while let Some(tunnel) = listener.accept().await {
                let rng = ChaCha20Rng::from_rng(&mut *lock(&rng));
                circuits.spawn(planes.clone().serve(tunnel, hand.clone(), rng));
                while circuits.try_join_next().is_some() {}
            }
            while circuits.join_next().await.is_some() {}
        }));
    }
}

impl Service {
    /// A service of its own, that runs.
    pub fn new(time: &Arc<Time>, mut rng: ChaCha20Rng) -> Self {
        let head_key = *HeadKey::generate(&mut rng).seed();
        let keys = Arc::new(ServiceKeys::generate(&mut rng));
        let mood = Mood::new(ChaCha20Rng::from_rng(&mut rng));
        Self {
            keys,
            head_key,
            accounts: MemoryAccounts::default(),
            channels: MemoryChannels::default(),
            others: None,
            mood,
            doors: Vec::new(),
            time: time.clone(),
            rng: Arc::new(rng.into()),
            running: None,
        }
    }

    /// A new door. It is open at once if the service is there.
    pub fn make_door(&mut self) -> (usize, Arc<dyn Dialer>) {
        let door = Door { dialer: Arc::default(), hand: Hand::default(), other: false };
        let way = Arc::new(Way(door.dialer.clone()));
        if let Some(running) = self.running.as_mut().filter(|running| !running.drain.last()) {
            running.open(&door);
        }
        self.doors.push(door);
        (self.doors.len() - 1, way)
    }

    /// What is done at a door that should not be.
    pub fn hand(&self, door: usize) -> Option<&Hand> {
        self.doors.get(door).map(|door| &door.hand)
    }

    /// Whether it is there.
    pub fn is_there(&self) -> bool {
        self.running.is_some()
    }

    /// Starts, over what its stores hold: what was in memory is gone.
    pub async fn start(&mut self) {
        self.kill().await;
        let issuer = IssuingKey::from_seed(&self.head_key);
        let issuer = Arc::new(Issuer::new(issuer, ChaCha20Rng::from_seed(self.head_key)));
        let accounts = Arc::new(AccountPlane::new(self.accounts.clone(), Registration::Open, issuer.clone()));
        let channels = |store: &MemoryChannels| {
            let tickets = TicketKey::generate(&mut *lock(&self.rng));
            let head_key = HeadKey::from_seed(&self.head_key);
            Arc::new(ChannelPlane::new(store.clone(), head_key, tickets, issuer.clone()))
        };
        let own = channels(&self.channels);
        let others = self.others.as_ref().map(channels).unwrap_or_else(|| own.clone());
        let drain = Arc::new(Bell::new(false));
        let planes = [own, others].map(|channels| Planes {
            accounts: accounts.clone(),
            channels,
            keys: self.keys.clone(),
            hello: Arc::default(),
            time: self.time.clone(),
            mood: self.mood.clone(),
            drain: drain.clone(),
        });
        let mut running = Running { drain, planes, rng: self.rng.clone(), listening: Vec::new() };
        self.doors.iter().for_each(|door| running.open(door));
        self.running = Some(running);
    }

    /// Ends wherever it is, in mid-request too.
    pub async fn kill(&mut self) {
        self.shut();
        let Some(running) = self.running.take() else { return };
        for listening in running.listening {
            listening.abort();
            let _ = listening.await;
        }
    }

    /// Takes nobody in any more, and tells those who are there to go.
    pub fn go_away(&mut self) {
        self.shut();
        if let Some(running) = &self.running {
            running.drain.ring(|_| true);
        }
    }

    fn shut(&self) {
        self.doors.iter().for_each(|door| drop(lock(&door.dialer).take()));
    }

    /// From its next start on shows what it has now, and only that, behind these doors, and goes on there separately.
    pub fn part(&mut self, doors: &[usize]) {
        self.others = Some(self.channels.copy());
        for (number, door) in self.doors.iter_mut().enumerate() {
            door.other = doors.contains(&number);
        }
    }

    /// From its next start on shows everybody the same again. True: what stood behind the other doors.
    pub fn rejoin(&mut self, rng: &mut ChaCha20Rng) -> bool {
        self.doors.iter_mut().for_each(|door| door.other = false);
        let others = self.others.take().filter(|_| rng.random_bool(0.3));
        others.map(|others| self.channels = others).is_some()
    }

    /// Its channels, and those that it shows to some.
    pub fn channels(&self) -> (&MemoryChannels, Option<&MemoryChannels>) {
        (&self.channels, self.others.as_ref())
    }

    /// By what it is known.
    pub fn pin(&self) -> Pin {
        self.keys.pin()
    }

    /// How it is named; where that leads is the dialer's affair.
    pub fn link(&self) -> String {
        Link { scheme: Scheme::Tcp, endpoint: "memory:1".into(), pin: self.pin(), account: None }.to_text()
    }
}

#[derive(Clone)]
struct Planes {
    accounts: Arc<AccountPlane<MemoryAccounts>>,
    channels: Arc<ChannelPlane<MemoryChannels>>,
    keys: Arc<ServiceKeys>,
    hello: Arc<Mutex<Option<(Week, ServerHello)>>>,
    time: Arc<Time>,
    mood: Arc<Mood>,
    drain: Arc<Bell<bool>>,
}

impl Planes {
    /// What is said to everybody in this week, which is signed once.
    fn hello(&self) -> ServerHello {
        let now = self.time.now();
        let week = now.day().week();
        let mut shown = lock(&self.hello);
        match &*shown {
            Some((of, hello)) if *of == week => hello.clone(),
            _ => {
                let signed_parameters = self.channels.signed_parameters(now, week.0.into());
                let parameters = self.channels.parameters();
                let hello = ServerHello { parameters, signed_parameters, ..ServerHello::default() };
                *shown = Some((week, hello.clone()));
                hello
            }
        }
    }

    async fn serve(self, tunnel: impl Tunnel, hand: Hand, mut rng: ChaCha20Rng) {
        let hello = self.hello();
        let Hand { cheat, spoiler } = hand;
        let Ok(accepted) = accept(tunnel, &self.keys, &hello, &mut rng).await else { return };
        let Self { accounts, channels, time, mood, drain, .. } = self;
        let draining = drain.listen();
        let clock = || time.now();
        match accepted {
            Accepted::Account(circuit) => {
                let honest = accounts.session(circuit.handshake_hash());
                let handler = Moody { handler: Spoiling { handler: Cheating { honest, cheat }, spoiler }, mood };
                circuit.serve(Arc::new(handler), clock, draining).await;
            }
            Accepted::Visitor(circuit) => {
                let honest = VisitorSession::new(accounts, channels);
                let handler = Moody { handler: Spoiling { handler: Cheating { honest, cheat }, spoiler }, mood };
                circuit.serve(Arc::new(handler), clock, draining).await;
            }
            Accepted::Channel(circuit) => {
                let honest = channels.session(circuit.handshake_hash());
                let handler = Moody { handler: Spoiling { handler: Cheating { honest, cheat }, spoiler }, mood };
                circuit.serve(Arc::new(handler), clock, draining).await;
            }
            // Nobody has put anything there.
            Accepted::Blob(_) | Accepted::Directory(_) => {}
        }
    }
}

/// Leads through whatever door there is at that moment.
struct Way(Arc<Mutex<Option<MemoryDialer>>>);

impl Dialer for Way {
    fn dial(&self) -> Dialing<'_> {
        Box::pin(async {
            let dialer = lock(&self.0).clone();
            match dialer {
                Some(dialer) => dialer.dial().await,
                None => Err(DialError(std::io::ErrorKind::ConnectionRefused)),
            }
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
