//! A person's home, and the driver that keeps it in step.

use std::{sync::Arc, time::Duration};

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::timeout};
use undertone_circuit::Dialer;
use undertone_client::{ChatSummary, ClientError, Clock, Config, Engine, Message, Pace, Rungs, Sent};

use super::{Service, StoryClock};

/// Nothing in a story takes longer, unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a home is opened with.
#[derive(Clone)]
pub struct Setup {
    pub pace: Pace,
    pub clock: Arc<dyn Clock>,
    pub dialer: Arc<dyn Dialer>,
    pub rungs: Rungs,
}

impl Setup {
    pub fn at(service: &Service) -> Self {
        Self {
            pace: Pace::eager(),
            clock: Arc::new(StoryClock::new()),
            dialer: service.dialer(),
            rungs: Rungs::of_this_release(),
        }
    }

    pub fn open(&self, folder: &TempDir) -> Result<Engine, ClientError> {
        let dialer = self.dialer.clone();
        Engine::open(Config {
            folder: folder.path().to_owned(),
            passphrase: None,
            pace: self.pace.clone(),
            clock: self.clock.clone(),
            dialer_for: Arc::new(move |_| dialer.clone()),
            rng: Box::new(rand::make_rng::<rand::rngs::StdRng>()),
            rungs: self.rungs.clone(),
        })
    }
}

pub struct Home {
    pub folder: TempDir,
    pub setup: Setup,
    pub engine: Engine,
    driver: Option<JoinHandle<()>>,
}

impl Home {
    /// A home with an account.
    pub async fn new(service: &Service, name: &str) -> Self {
        Self::with(service, name, Setup::at(service)).await
    }

    pub async fn with_pace(service: &Service, name: &str, pace: Pace) -> Self {
        Self::with(service, name, Setup { pace, ..Setup::at(service) }).await
    }

    pub async fn with(service: &Service, name: &str, setup: Setup) -> Self {
        let folder = folder();
        let engine = setup.open(&folder).unwrap();
        engine.register(&service.link(), None, name).await.unwrap();
        let mut home = Self { folder, setup, engine, driver: None };
        home.online();
        home
    }

    /// A home that was there before.
    pub fn open(folder: TempDir, setup: Setup) -> Self {
        let engine = setup.open(&folder).unwrap();
        let mut home = Self { folder, setup, engine, driver: None };
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
            let ended = driver.await;
            assert!(ended.is_err_and(|error| error.is_cancelled()), "the driver ended by itself");
        }
    }

    /// Closes the home and opens it again, as another process would.
    pub async fn reopen(self) -> Self {
        let setup = self.setup.clone();
        self.reopen_with(setup).await
    }

    /// The same where the service's address leads elsewhere now.
    pub async fn reopen_at(self, service: &Service) -> Self {
        let setup = Setup { dialer: service.dialer(), ..self.setup.clone() };
        self.reopen_with(setup).await
    }

    pub async fn reopen_with(self, setup: Setup) -> Self {
        Self::open(self.close().await, setup)
    }

    /// Closes it; its folder is left.
    pub async fn close(mut self) -> TempDir {
        self.offline().await;
        self.folder
    }

    pub fn account(&self) -> String {
        self.engine.whoami().unwrap().account
    }

    pub fn link(&self) -> String {
        self.engine.whoami().unwrap().link
    }

    pub async fn send(&self, who: &str, text: &str) -> Sent {
        self.try_send(who, text).await.unwrap()
    }

    pub async fn try_send(&self, who: &str, text: &str) -> Result<Sent, ClientError> {
        timeout(PATIENCE, self.engine.send(who, text)).await.expect("send hangs")
    }

    /// One whole pass.
    pub async fn sync(&self) -> Result<(), ClientError> {
        timeout(PATIENCE, self.engine.sync()).await.expect("sync hangs")
    }

    /// Waits for the next new message, and notes it as shown.
    pub async fn next(&self) -> Message {
        let mut changes = self.engine.changes();
        let next = async {
            loop {
                if let Some(message) = self.take_new() {
                    return message;
                }
                changes.changed().await.unwrap();
            }
        };
        timeout(PATIENCE, next).await.unwrap_or_else(|_| panic!("no message comes"))
    }

    /// The next new message, if there is one already.
    pub fn take_new(&self) -> Option<Message> {
        let message = self.engine.unshown(1).unwrap().into_iter().next()?;
        self.engine.set_shown(&message).unwrap();
        Some(message)
    }

    pub async fn expect(&self, from: &Home, body: &str) -> Message {
        self.expect_from(&from.account(), body).await
    }

    pub async fn expect_from(&self, account: &str, body: &str) -> Message {
        let message = self.next().await;
        assert_eq!(message.body.as_deref(), Some(body));
        assert_eq!(message.from, account);
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
            let chats = self.engine.chats().unwrap();
            let seen = chats.iter().map(|chat| (chat.state, chat.trouble, self.texts(&chat.chat)));
            panic!("never: {what}; {:?}", seen.collect::<Vec<_>>())
        });
    }

    pub fn chat(&self, who: &str) -> Option<ChatSummary> {
        self.engine.chats().unwrap().into_iter().find(|chat| chat.chat == who)
    }

    pub fn state(&self, who: &str) -> &'static str {
        self.chat(who).map_or("none", |chat| chat.state)
    }

    /// Why a chat does not go on, waited for.
    pub async fn trouble(&self, who: &str) -> &'static str {
        let chat = || self.chat(who).and_then(|chat| chat.trouble);
        self.until("trouble", |_| chat().is_some()).await;
        chat().unwrap()
    }

    /// (id, sender, body, seq) of a whole chat.
    pub fn history(&self, who: &str) -> Vec<(String, String, Option<String>, Option<u64>)> {
        let history = self.engine.history(who).unwrap();
        history.into_iter().map(|message| (message.id, message.from, message.body, message.seq)).collect()
    }

    /// What was written in a chat.
    pub fn texts(&self, who: &str) -> Vec<String> {
        self.history(who).into_iter().map(|(_, _, body, _)| body.unwrap_or_default()).collect()
    }
}

/// A fresh folder: in memory where the system has such a place, for no story is about disks that lose their power.
pub fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A home's database, opened past its engine, which is to be closed.
pub fn database(folder: &TempDir) -> Connection {
    let key = std::fs::read(folder.path().join("key")).unwrap();
    let hex: String = key[2..].iter().map(|byte| format!("{byte:02x}")).collect();
    let connection = Connection::open(folder.path().join("undertone.db")).unwrap();
    connection.pragma_update(None, "key", format!("x'{hex}'")).unwrap();
    connection
}
