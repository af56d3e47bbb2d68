//! A whole world in one process: the service's rules over memory stores, clients with real databases, real circuits
//! through memory tunnels.

#![allow(dead_code, reason = "each story uses its part")]

use std::{sync::Arc, time::Duration};

use rand::rngs::StdRng;
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use undertone_circuit::{Accepted, Dialer, MemoryDialer, ServerHello, ServiceKeys, accept, memory};
use undertone_client::{Clock, Config, Engine, Message, Pace, Sent, SystemClock};
use undertone_credentials::HeadKey;
use undertone_service::{AccountPlane, ChannelPlane, Registration, VisitorSession};
use undertone_store::memory::{MemoryAccounts, MemoryChannels};
use undertone_wire::{
    AccountId,
    link::{Link, Scheme},
};

/// Nothing in a story takes longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service, which can go away and come back.
pub struct Service {
    keys: Arc<ServiceKeys>,
    accounts: Arc<AccountPlane<MemoryAccounts>>,
    channels: Arc<ChannelPlane<MemoryChannels>>,
    door: Arc<std::sync::Mutex<Option<MemoryDialer>>>,
    listening: Option<JoinHandle<()>>,
}

impl Service {
    pub fn start() -> Self {
        let mut rng = rand::make_rng::<StdRng>();
        let mut service = Self {
            keys: Arc::new(ServiceKeys::generate(&mut rng)),
            accounts: Arc::new(AccountPlane::new(MemoryAccounts::default(), Registration::Open)),
            channels: Arc::new(ChannelPlane::new(MemoryChannels::default(), HeadKey::generate(&mut rng))),
            door: Arc::default(),
            listening: None,
        };
        service.listen();
        service
    }

    pub fn listen(&mut self) {
        let (dialer, mut listener) = memory(1 << 16);
        *self.door.lock().unwrap() = Some(dialer);
        let (keys, accounts, channels) = (self.keys.clone(), self.accounts.clone(), self.channels.clone());
        let hello = ServerHello { parameters: channels.parameters(), ..ServerHello::default() };
        self.listening = Some(tokio::spawn(async move {
            // With the listener all its circuits go, as with a process that is killed.
            let mut circuits = tokio::task::JoinSet::new();
            while let Some(tunnel) = listener.accept().await {
                let (keys, hello, accounts, channels) =
                    (keys.clone(), hello.clone(), accounts.clone(), channels.clone());
                circuits.spawn(async move {
                    let (_drain, draining) = watch::channel(false);
                    let clock = || SystemClock.now();
                    let mut rng = rand::make_rng::<StdRng>();
                    match accept(tunnel, &keys, &hello, &mut rng).await {
                        Ok(Accepted::Account(circuit)) => {
                            let session = accounts.session(circuit.handshake_hash());
                            circuit.serve(Arc::new(session), clock, draining).await;
                        }
                        Ok(Accepted::Visitor(circuit)) => {
                            let session = VisitorSession::new(accounts, channels);
                            circuit.serve(Arc::new(session), clock, draining).await;
                        }
                        Ok(Accepted::Channel(circuit)) => {
                            let session = channels.session(circuit.handshake_hash());
                            circuit.serve(Arc::new(session), clock, draining).await;
                        }
                        Err(_) => {}
                    }
                });
            }
        }));
    }

    pub async fn go_away(&mut self) {
        self.door.lock().unwrap().take();
        if let Some(listening) = self.listening.take() {
            listening.abort();
            let _ = listening.await;
        }
    }

    pub fn link(&self) -> String {
        let pin = self.keys.pin();
        Link { scheme: Scheme::Tcp, endpoint: "memory:1".into(), pin, account: None }.to_text()
    }

    fn dialer(&self) -> Arc<dyn Dialer> {
        Arc::new(Door(self.door.clone()))
    }
}

/// Dials whatever door there is at that moment.
struct Door(Arc<std::sync::Mutex<Option<MemoryDialer>>>);

impl Dialer for Door {
    fn dial(&self) -> undertone_circuit::Dialing<'_> {
        Box::pin(async {
            let door = self.0.lock().unwrap().clone();
            match door {
                Some(door) => door.dial().await,
                None => Err(undertone_circuit::DialError(std::io::ErrorKind::ConnectionRefused)),
            }
        })
    }
}

/// A person's home, and the driver that keeps it in step.
pub struct Home {
    folder: TempDir,
    dialer: Arc<dyn Dialer>,
    pace: Pace,
    pub engine: Engine,
    driver: Option<JoinHandle<()>>,
}

impl Home {
    /// A home with an account.
    pub async fn new(service: &Service, name: &str) -> Self {
        Self::with_pace(service, name, Pace::eager()).await
    }

    pub async fn with_pace(service: &Service, name: &str, pace: Pace) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dialer = service.dialer();
        let engine = open(&folder, &dialer, &pace);
        engine.register(&service.link(), None, name).await.unwrap();
        let mut home = Self { folder, dialer, pace, engine, driver: None };
        home.online();
        home
    }

    /// Starts the driver.
    pub fn online(&mut self) {
        let engine = self.engine.clone();
        self.driver = Some(tokio::spawn(async move { engine.run().await }));
    }

    /// Ends the driver, wherever it is.
    pub async fn offline(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.abort();
            let _ = driver.await;
        }
    }

    /// Closes the home and opens it again, as another process would.
    pub async fn reopen(mut self) -> Self {
        self.offline().await;
        let Self { folder, dialer, pace, engine, .. } = self;
        drop(engine);
        let engine = open(&folder, &dialer, &pace);
        let mut home = Self { folder, dialer, pace, engine, driver: None };
        home.online();
        home
    }

    pub fn account(&self) -> String {
        self.engine.whoami().unwrap().account
    }

    pub fn link(&self) -> String {
        self.engine.whoami().unwrap().link
    }

    pub async fn send(&self, who: &str, text: &str) -> Sent {
        timeout(PATIENCE, self.engine.send(who, text)).await.expect("send hangs").unwrap()
    }

    /// Waits for the next new message, and notes it as shown.
    pub async fn next(&self) -> Message {
        let mut changes = self.engine.changes();
        let next = async {
            loop {
                if let Some(message) = self.engine.unshown(1).unwrap().into_iter().next() {
                    self.engine.set_shown(&message).unwrap();
                    return message;
                }
                changes.changed().await.unwrap();
            }
        };
        timeout(PATIENCE, next).await.unwrap_or_else(|_| panic!("no message comes"))
    }

    pub async fn expect(&self, from: &Home, body: &str) -> Message {
        let message = self.next().await;
        assert_eq!(message.body.as_deref(), Some(body));
        assert_eq!(message.from, from.account());
        message
    }

    /// Waits until something holds of this home.
    pub async fn until(&self, what: &str, holds: impl Fn(&Engine) -> bool) {
        let mut changes = self.engine.changes();
        let wait = async {
            while !holds(&self.engine) {
                changes.changed().await.unwrap();
            }
        };
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| {
            panic!(
                "never: {what}; {:?}",
                self.engine.chats().unwrap().iter().map(|chat| (chat.state, chat.trouble)).collect::<Vec<_>>()
            )
        });
    }

    pub fn state(&self, who: &str) -> &'static str {
        self.engine.chats().unwrap().into_iter().find(|chat| chat.chat == who).map_or("none", |chat| chat.state)
    }

    /// (id, sender, body, seq) of a whole chat.
    pub fn history(&self, who: &str) -> Vec<(String, String, Option<String>, Option<u64>)> {
        let history = self.engine.history(who).unwrap();
        history.into_iter().map(|message| (message.id, message.from, message.body, message.seq)).collect()
    }
}

/// Two people who talk: what the one sees of the chat is what the other sees.
pub fn assert_same_history(one: &Home, other: &Home) {
    assert_eq!(one.history(&other.account()), other.history(&one.account()));
}

/// Two people with an open chat, in which each has written once.
pub async fn acquainted(service: &Service) -> (Home, Home) {
    let (ana, bo) = (Home::new(service, "Ana").await, Home::new(service, "Bo").await);
    ana.send(&bo.link(), "hello").await;
    bo.expect(&ana, "hello").await;
    bo.engine.accept("Ana").unwrap();
    bo.send("Ana", "hello yourself").await;
    ana.expect(&bo, "hello yourself").await;
    (ana, bo)
}

fn open(folder: &TempDir, dialer: &Arc<dyn Dialer>, pace: &Pace) -> Engine {
    let dialer = dialer.clone();
    Engine::open(Config {
        folder: folder.path().to_owned(),
        passphrase: None,
        pace: pace.clone(),
        clock: Arc::new(SystemClock),
        dialer_for: Arc::new(move |_| dialer.clone()),
    })
    .unwrap()
}

/// A fresh home whose every way leads to this service.
pub fn open_at(folder: &TempDir, service: &Service) -> Engine {
    open(folder, &service.dialer(), &Pace::eager())
}

/// An account id that nobody has.
pub fn nobody() -> String {
    AccountId::new([7; 16]).to_hex()
}
