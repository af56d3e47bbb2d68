//! Peers that do what no honest one does, with a session of their own: the other end survives, says so, and ends.
//! A panic here means a bug, never bad input.

mod clients;
mod services;

use std::{
    future::pending,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use proptest::prelude::*;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    sync::watch,
    task::JoinHandle,
    time::Instant,
};
use undertone_wire::{
    Now,
    channel::{Channel, FollowRequest, LogPush, OpenRequest},
    circuit::{
        Code, Fault, Frame, GoAway, Hello, HelloReply, Kind, Leaving, Parameters, Request, SignedParameters, frame,
    },
    frame::{encode, padded_hello},
    limits,
    rpc::{Answer, Dispatch, Encoded, OpenPushes, Pushes, Service},
};

use crate::{
    link::{Link, Step},
    noise::{Session, initiate, respond},
    preamble::{self, Preamble},
    *,
};

static KEYS: LazyLock<ServiceKeys> = LazyLock::new(|| ServiceKeys::generate(&mut rng(0)));

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

const ECHO: u32 = 1;
const NEVER: u32 = 2;
const LONG: u32 = 3;
const FOLLOW: u32 = 4;
const LONG_BYTES: usize = 100 << 10;

/// Answers as its methods are called.
#[derive(Default)]
struct Desk {
    begun: AtomicUsize,
    followers: Mutex<Vec<Pushes<LogPush>>>,
}

impl<S: Service> Dispatch<S> for Desk {
    async fn dispatch(&self, _: Now, method: u32, body: Bytes, pushes: OpenPushes) -> Result<Answer, Fault> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        match method {
            ECHO => Ok(Answer::Reply(body)),
            NEVER => pending().await,
            LONG => Ok(Answer::Reply(vec![1; LONG_BYTES].into())),
            FOLLOW => {
                self.followers.lock().unwrap().push(pushes.typed());
                Ok(Answer::Open)
            }
            _ => Err(Code::Unsupported.into()),
        }
    }
}

type Served = JoinHandle<Result<Ending, AcceptError>>;

/// A service for one tunnel.
fn serve(tunnel: impl Tunnel, desk: Arc<Desk>) -> Served {
    tokio::spawn(async move {
        let hello =
            ServerHello { parameters: Parameters { version: 1, ..Parameters::default() }, ..Default::default() };
        let drain = watch::Sender::new(false);
        Ok(match accept(tunnel, &KEYS, &hello, &mut rng(2)).await? {
            Accepted::Account(circuit) => circuit.serve(desk, || Now(0), drain.subscribe()).await,
            Accepted::Visitor(circuit) => circuit.serve(desk, || Now(0), drain.subscribe()).await,
            Accepted::Channel(circuit) => circuit.serve(desk, || Now(0), drain.subscribe()).await,
            Accepted::Blob(circuit) => circuit.serve(desk, || Now(0), drain.subscribe()).await,
            Accepted::Directory(circuit) => circuit.serve(desk, || Now(0), drain.subscribe()).await,
        })
    })
}

async fn session(tunnel: &mut DuplexStream) -> Session {
    let (initiated, message) = initiate(KEYS.public(), &mut rng(1)).unwrap();
    preamble::write(tunnel, &Preamble::Handshake1(message)).await.unwrap();
    let Ok(Preamble::Handshake2(message)) = preamble::read(tunnel).await else { panic!("no handshake 2") };
    initiated.finish(&message).unwrap().session
}

fn hello(kind: Kind) -> Hello {
    let features = undertone_wire::ladder::FEATURES.to_vec();
    padded_hello(Hello { kind: kind.into(), protocol_min: 1, protocol_max: 1, features, ..Hello::default() })
}

/// A client with a session, before its Hello.
async fn stranger() -> (Link, Served, Arc<Desk>) {
    let (mut near, far) = duplex(64 << 10);
    let desk = Arc::<Desk>::default();
    let served = serve(far, desk.clone());
    let session = session(&mut near).await;
    let mut link = Link::new(Box::new(near), session);
    link.open();
    (link, served, desk)
}

/// A client that has been let in.
async fn guest(kind: Kind) -> (Link, Served, Arc<Desk>) {
    let (mut link, served, desk) = stranger().await;
    link.queue(0, frame::Kind::Hello(hello(kind)));
    let reply = link.receive().await.unwrap().unwrap();
    assert!(matches!(reply.kind, Some(frame::Kind::HelloReply(_))));
    (link, served, desk)
}

fn request(method: u32) -> frame::Kind {
    frame::Kind::Request(Request { method, body: Bytes::from_static(b"body"), deadline_ms: 0 })
}

/// Why the other end says it leaves, if it does; answers before that are passed over.
async fn farewell(link: &mut Link) -> Option<Ending> {
    loop {
        match link.receive().await {
            Ok(Some(Frame { kind: Some(frame::Kind::GoAway(go_away)), .. })) => {
                return Some(Ending::told(go_away.reason()));
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return None,
        }
    }
}
