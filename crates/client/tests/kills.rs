//! Stories in which everything dies, at any moment and again and again, and every message arrives all the same: exactly
//! once by its id, in its sender's order, and with the same history on both sides.
//!
//! Faults: a connection breaks after any number of bytes. A client's driver is dropped wherever it stands, with its home
//! closed and opened again. The service is dropped with all its circuits, in mid-request too, and starts over the same
//! store. No faults: what database and store have called durable stays, and nobody lies.
//!
//! A seed chooses all of this. `UNDERTONE_SEED=N` runs that one alone. Time is tokio's own, which passes when everybody
//! waits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use support::{Home, PATIENCE, Service, Setup, assert_same_history, befriend};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::timeout,
};
use undertone_circuit::{Dialer, Dialing, Tunnel};
use undertone_client::{Delay, Kind, Message, Pace};

/// A long run is a command away: `UNDERTONE_SEEDS=1000`.
const SEEDS: u64 = 6;
const STEPS: u32 = 50;
/// Between two steps: turns that others get, and milliseconds, at most.
const TURNS_MAX: u32 = 60;
const PAUSE_MS_MAX: u64 = 50;
/// A connection that breaks does so within this many bytes: from the middle of a handshake to some pages later.
const BYTES_MAX: usize = 40_000;

#[tokio::test(start_paused = true)]
async fn every_message_arrives_once_whatever_dies() {
    let number = |variable| std::env::var(variable).ok().map(|number| number.parse::<u64>().unwrap());
    let seeds = 0..number("UNDERTONE_SEEDS").unwrap_or(SEEDS);
    let seeds = number("UNDERTONE_SEED").map_or(seeds, |seed| seed..seed + 1);
    for seed in seeds {
        println!("seed {seed}");
        World::new(seed).await.live().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_comes_to_be_on_lines_that_break() {
    let service = Service::start();
    let bo = Home::new(&service, "Bo").await;
    for seed in 0..8 {
        let faults = Arc::new(Faults { on: AtomicBool::new(true), rng: StdRng::seed_from_u64(seed).into() });
        let dialer = Arc::new(Frayed { whole: service.dialer(), faults });
        let folder = support::folder();
        let engine = Setup { dialer, ..Setup::at(&service) }.open(&folder).unwrap();
        while let Err(error) = engine.register(&service.link(), None, "Ana").await {
            assert_eq!(error.kind(), Kind::Network);
            assert!(engine.whoami().is_err(), "nothing is kept of what did not come to be");
        }
        drop(engine);
        let ana = Home::open(folder, Setup::at(&service));
        befriend(&ana, &bo).await;
    }
}

/// One of the two, what he wrote, and what he was shown.
struct Person {
    home: Option<Home>,
    written: u32,
    shown: Vec<Message>,
}

impl Person {
    fn new(home: Home) -> Self {
        Self { home: Some(home), written: 0, shown: Vec::new() }
    }

    fn home(&self) -> &Home {
        self.home.as_ref().unwrap()
    }

    /// Writes some messages, and does not stay to see what becomes of them.
    async fn write(&mut self, to: &str, messages: u32) {
        for _ in 0..messages {
            let text = self.written.to_string();
            self.written += 1;
            let mut sending = pin!(self.home().engine.send(to, &text));
            if let Poll::Ready(sent) = poll_fn(|context| Poll::Ready(sending.as_mut().poll(context))).await {
                sent.unwrap();
            }
        }
    }

    /// Whether he knows the other, and owes her no answer.
    fn may_write_to(&self, other: &str) -> bool {
        !["none", "request"].contains(&self.home().state(other))
    }

    fn accept_all(&self) {
        for request in self.home().engine.requests().unwrap() {
            self.home().engine.accept(&request.account).unwrap();
        }
    }

    async fn is_killed(&mut self) {
        let home = self.home.take().unwrap();
        self.home = Some(home.reopen().await);
    }

    fn read(&mut self) {
        while let Some(message) = self.home().take_new() {
            self.shown.push(message);
        }
    }

    /// Waits until everything that the other wrote was shown.
    async fn read_all(&mut self, other: &Person) {
        let mut changes = self.home().engine.changes();
        let all = async {
            loop {
                self.read();
                if self.shown.len() >= other.written as usize {
                    return;
                }
                changes.changed().await.unwrap();
            }
        };
        let all = timeout(PATIENCE, all).await;
        let shown: Vec<_> = self.shown.iter().map(|message| message.body.clone().unwrap()).collect();
        let written: Vec<_> = (0..other.written).map(|n| n.to_string()).collect();
        assert_eq!(shown, written, "each once and in order; in time: {}", all.is_ok());
    }
}

struct World {
    rng: StdRng,
    service: Service,
    faults: Arc<Faults>,
    ana: Person,
    bo: Person,
}

impl World {
    async fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let service = Service::start();
        let faults = Arc::new(Faults { on: AtomicBool::new(false), rng: StdRng::from_rng(&mut rng).into() });
        let pace = Pace { retry: Delay::ms(2, 50), self_update_ms: rng.random_range(1..200), ..Pace::eager() };
        let dialer = Arc::new(Frayed { whole: service.dialer(), faults: faults.clone() });
        let setup = Setup { pace, dialer, ..Setup::at(&service) };
        let ana = Person::new(Home::with(&service, "Ana", setup.clone()).await);
        let bo = Person::new(Home::with(&service, "Bo", setup).await);
        Self { rng, service, faults, ana, bo }
    }

    async fn live(mut self) {
        let (to_ana, to_bo) = (self.ana.home().account(), self.bo.home().account());
        let (ana_link, bo_link) = (self.ana.home().link(), self.bo.home().link());
        self.faults.on.store(true, Ordering::Relaxed);
        self.ana.write(&bo_link, 1).await;
        if self.rng.random_bool(0.3) {
            // Two who write to each other first.
            self.bo.write(&ana_link, 1).await;
        }
        for _ in 0..STEPS {
            self.bo.accept_all();
            let messages = self.rng.random_range(1..4);
            match self.rng.random_range(0..12) {
                0..=2 => self.ana.write(&to_bo, messages).await,
                3..=5 if self.bo.may_write_to(&to_ana) => self.bo.write(&to_ana, messages).await,
                6 => self.ana.is_killed().await,
                7 => self.bo.is_killed().await,
                8 => self.service.restart().await,
                9 => self.service.go_away().await,
                10 => self.ana.read(),
                11 => self.bo.read(),
                _ => {}
            }
            if self.rng.random_bool(0.5) {
                tokio::time::sleep(Duration::from_millis(self.rng.random_range(0..PAUSE_MS_MAX))).await;
            }
            for _ in 0..self.rng.random_range(0..TURNS_MAX) {
                tokio::task::yield_now().await;
            }
            self.service.be_there();
        }
        self.end(&to_ana, &to_bo).await;
    }

    /// Everything holds again.
    async fn end(mut self, to_ana: &str, to_bo: &str) {
        self.faults.on.store(false, Ordering::Relaxed);
        self.service.restart().await;
        self.bo.home().until("written to", |engine| !engine.chats().unwrap().is_empty()).await;
        self.bo.accept_all();
        self.bo.write(to_ana, 1).await;
        self.bo.read_all(&self.ana).await;
        self.ana.read_all(&self.bo).await;
        for (person, other) in [(&self.ana, to_bo), (&self.bo, to_ana)] {
            let sent = |engine: &undertone_client::Engine| {
                engine.history(other).unwrap().iter().all(|message| !message.queued)
            };
            person.home().until("nothing queued", sent).await;
            assert!(person.home().chat(other).unwrap().trouble.is_none());
        }
        assert_same_history(self.ana.home(), self.bo.home());
        let total = (self.ana.written + self.bo.written) as usize;
        assert_eq!(self.ana.home().history(to_bo).len(), total);
    }
}

/// Whether connections break, and which.
struct Faults {
    on: AtomicBool,
    rng: Mutex<StdRng>,
}

/// Dials connections that break.
struct Frayed {
    whole: Arc<dyn Dialer>,
    faults: Arc<Faults>,
}

impl Dialer for Frayed {
    fn dial(&self) -> Dialing<'_> {
        Box::pin(async {
            let tunnel = self.whole.dial().await?;
            let mut rng = self.faults.rng.lock().unwrap();
            let breaks = self.faults.on.load(Ordering::Relaxed) && rng.random_bool(0.5);
            let left = if breaks { rng.random_range(0..BYTES_MAX) } else { usize::MAX };
            Ok(Box::new(Fraying { tunnel, left }) as Box<dyn Tunnel>)
        })
    }
}

/// A connection that carries so many bytes more, in both directions together.
struct Fraying {
    tunnel: Box<dyn Tunnel>,
    left: usize,
}

impl Fraying {
    fn carry(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }

    fn check(&self) -> io::Result<()> {
        if self.left == 0 { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Fraying {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        let room = buf.remaining().min(self.left);
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(room));
        ready!(Pin::new(&mut self.tunnel).poll_read(context, &mut part))?;
        let bytes = part.filled().len();
        buf.advance(bytes);
        self.carry(bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Fraying {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        let room = bytes.len().min(self.left);
        let written = ready!(Pin::new(&mut self.tunnel).poll_write(context, &bytes[..room]))?;
        self.carry(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.tunnel).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tunnel).poll_shutdown(context)
    }
}
