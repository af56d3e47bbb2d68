//! A service: its rules over memory stores, behind a door that can be shut.

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    pin::Pin as Pinned,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use rand::rngs::StdRng;
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use undertone_circuit::{Accepted, DialError, Dialer, Dialing, MemoryDialer, ServerHello, ServiceKeys, accept, memory};
use undertone_client::Clock as _;
use undertone_credentials::{HeadKey, IssuingKey};
use undertone_service::{
    AccountPlane, BlobPlane, ChannelPlane, CodeSender, Codes, DirectoryPlane, Issuer, Registration, TicketKey,
    VisitorSession, Work,
};
use undertone_store::{
    Accounts as _, Directory as _, ListVersion, ListedElement, Listing, NewAccount, NewList,
    memory::{MemoryAccounts, MemoryBlobs},
};
use undertone_wire::{
    AccountId, Identifier, Message as _, Now,
    circuit::{Parameters, SignedParameters},
    limits::{self, LISTINGS_MAX},
    link::{Link, Pin, Scheme},
};

use super::{
    clock::StoryClock,
    lies::{Liar, Lies},
    store::Ledger,
};

/// What blobs may take up.
const BLOB_BYTES: u64 = 1 << 30;

/// A service, which can go away and come back, and lie.
pub struct Service {
    keys: Arc<ServiceKeys>,
    head_key: [u8; 32],
    issuer: Arc<Issuer>,
    accounts: Arc<AccountPlane<MemoryAccounts>>,
    channels: Arc<ChannelPlane<Ledger>>,
    blobs: Arc<BlobPlane<MemoryBlobs>>,
    directory: Arc<DirectoryPlane<MemoryAccounts>>,
    post: Post,
    pub lies: Arc<Lies>,
    pub clock: Arc<StoryClock>,
    door: Arc<Mutex<Option<MemoryDialer>>>,
    listening: Option<JoinHandle<()>>,
}

impl Service {
    pub fn start() -> Self {
        Self::with_budget(limits::TOKEN_BATCHES_A_WEEK)
    }

    /// One that issues so many batches of tokens to one account in a week.
    pub fn with_budget(batches: u32) -> Self {
        let mut rng = rand::make_rng::<StdRng>();
        let head_key = *HeadKey::generate(&mut rng).seed();
        let issuer = Issuer::new(issuing_key(), rand::make_rng::<StdRng>()).with_budget(batches);
        let issuer = Arc::new(issuer);
        let accounts = AccountPlane::new(MemoryAccounts::default(), Registration::Open, issuer.clone());
        let post = Post::default();
        let codes = Codes::new(Box::new(post.clone()), rand::make_rng::<StdRng>());
        let keys = Arc::new(ServiceKeys::generate(&mut rng));
        Self { post, ..Self::over(keys, head_key, issuer, Arc::new(accounts.with_codes(codes)), Ledger::default()) }
    }

    /// A second one with the same keys and accounts, over other channels.
    pub fn twin(&self, channels: Ledger) -> Self {
        Self::over(self.keys.clone(), self.head_key, self.issuer.clone(), self.accounts.clone(), channels)
    }

    /// Another door of the same service, behind which it tells lies of its own.
    pub fn door(&self) -> Self {
        let logs = (self.channels.clone(), self.blobs.clone());
        Self::of(self.keys.clone(), self.head_key, self.issuer.clone(), self.accounts.clone(), logs)
    }

    fn over(
        keys: Arc<ServiceKeys>,
        head_key: [u8; 32],
        issuer: Arc<Issuer>,
        accounts: Arc<AccountPlane<MemoryAccounts>>,
        channels: Ledger,
    ) -> Self {
        let blobs = Arc::new(BlobPlane::new(MemoryBlobs::default(), issuer.clone(), BLOB_BYTES));
        let channels = Arc::new(channel_plane(channels, &head_key, issuer.clone(), &blobs));
        Self::of(keys, head_key, issuer, accounts, (channels, blobs))
    }

    fn of(
        keys: Arc<ServiceKeys>,
        head_key: [u8; 32],
        issuer: Arc<Issuer>,
        accounts: Arc<AccountPlane<MemoryAccounts>>,
        (channels, blobs): (Arc<ChannelPlane<Ledger>>, Arc<BlobPlane<MemoryBlobs>>),
    ) -> Self {
        let (lies, door, post) = Default::default();
        let clock = Arc::new(StoryClock::new());
        let directory = Arc::new(directory_plane(accounts.clone(), &head_key));
        let mut service = Self {
            keys,
            head_key,
            issuer,
            accounts,
            channels,
            blobs,
            directory,
            post,
            lies,
            clock,
            door,
            listening: None,
        };
        service.listen();
        service
    }

    pub fn listen(&mut self) {
        let channels = self.channels.clone();
        self.listen_showing(move |now| channels.signed_parameters(now, revision(now)));
    }

    /// Comes back, and shows other parameters than it has.
    pub fn listen_showing(&mut self, shows: impl Fn(Now) -> SignedParameters + Send + Sync + 'static) {
        let (dialer, mut listener) = memory(1 << 16);
        *self.door.lock().unwrap() = Some(dialer);
        let keys = self.keys.clone();
        let (parameters, clock, shows) = (self.channels.parameters(), self.clock.clone(), Arc::new(shows));
        let planes = Planes {
            accounts: self.accounts.clone(),
            channels: self.channels.clone(),
            blobs: self.blobs.clone(),
            directory: self.directory.clone(),
            lies: self.lies.clone(),
            clock: self.clock.clone(),
        };
        self.listening = Some(tokio::spawn(async move {
            // With the listener all its circuits go, as with a process that is killed.
            let mut circuits = JoinSet::new();
            while let Some(tunnel) = listener.accept().await {
                let (keys, planes) = (keys.clone(), planes.clone());
                let (parameters, signed_parameters) = (parameters.clone(), shows(clock.now()));
                let hello = ServerHello { parameters, signed_parameters, ..ServerHello::default() };
                circuits.spawn(async move {
                    if let Ok(circuit) = accept(tunnel, &keys, &hello, &mut rand::make_rng::<StdRng>()).await {
                        planes.serve(circuit).await;
                    }
                });
                while circuits.try_join_next().is_some() {}
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

    /// Comes back, if it went away.
    pub fn be_there(&mut self) {
        if self.listening.is_none() {
            self.listen();
        }
    }

    /// Starts again over the same channels, as its process would: what was in memory is gone.
    pub async fn restart(&mut self) {
        self.restart_over(self.store().clone()).await;
    }

    /// Starts again over other channels.
    pub async fn restart_over(&mut self, channels: Ledger) {
        self.go_away().await;
        self.channels = Arc::new(channel_plane(channels, &self.head_key, self.issuer.clone(), &self.blobs));
        self.listen();
    }

    /// The code that was sent to an identifier last.
    pub fn code(&self, identifier: &Identifier) -> String {
        self.post.0.lock().unwrap()[identifier.text()].clone()
    }

    /// Publishes a base of everybody who is listed now.
    pub async fn publish(&self) {
        self.directory.publish_anew(self.clock.now(), &mut rand::make_rng::<StdRng>()).await.unwrap();
    }

    /// Tells what has changed before today, and makes a new base if one is due.
    pub async fn publish_due(&self) {
        self.directory.publish(self.clock.now(), &mut rand::make_rng::<StdRng>()).await.unwrap();
    }

    /// Takes another directory key, as at a start of the process.
    pub async fn take_another_key(&mut self) {
        self.go_away().await;
        self.directory.take_another_key().await.unwrap();
        let number = self.accounts.store().directory_key().await.unwrap();
        let issuer = Issuer::new(issuing_key(), rand::make_rng::<StdRng>());
        self.issuer = Arc::new(issuer.with_directory_key(number.try_into().unwrap()));
        let store = self.accounts.store().clone();
        self.accounts = Arc::new(AccountPlane::new(store, Registration::Open, self.issuer.clone()));
        self.channels = Arc::new(channel_plane(self.store().clone(), &self.head_key, self.issuer.clone(), &self.blobs));
        self.directory = Arc::new(directory_plane(self.accounts.clone(), &self.head_key));
        self.clock.set_off(7);
        self.listen();
    }

    /// Lists people whom nobody knows under so many identifiers: a base of 45,000 is too large to be downloaded.
    pub async fn fill(&self, identifiers: u32) {
        let (store, today) = (self.accounts.store(), self.clock.now().day());
        for number in 0..identifiers {
            let mut bytes = [1; 32];
            bytes[..4].copy_from_slice(&(number / LISTINGS_MAX).to_be_bytes());
            let account = AccountId::new(*bytes.first_chunk().unwrap());
            if number.is_multiple_of(LISTINGS_MAX) {
                let list = NewList {
                    version: ListVersion { identity_number: 0, counter: 1 },
                    encoded: Bytes::new(),
                    devices: Vec::new(),
                };
                let (inbox_week, inbox_key, key_packages) = Default::default();
                let new = NewAccount {
                    account,
                    recovery_key: bytes,
                    list,
                    inbox_week,
                    inbox_key,
                    device: 1,
                    key_packages,
                    invite: None,
                };
                store.create(new, today).await.unwrap();
            }
            bytes[4..8].copy_from_slice(&number.to_be_bytes());
            store.list(Listing { element: ListedElement(bytes), account }, 1, None, today).await.unwrap();
        }
    }

    pub fn store(&self) -> &Ledger {
        self.channels.store()
    }

    /// Its list of parameters as it should be, under another number.
    pub fn parameters(&self, revision: u64) -> Parameters {
        let signed = self.channels.signed_parameters(self.clock.now(), revision);
        Parameters::decode(signed.body).unwrap()
    }

    pub fn head_key(&self) -> HeadKey {
        HeadKey::from_seed(&self.head_key)
    }

    pub fn pin(&self) -> Pin {
        self.keys.pin()
    }

    pub fn link(&self) -> String {
        Link { scheme: Scheme::Tcp, endpoint: "memory:1".into(), pin: self.pin(), account: None }.to_text()
    }

    pub fn dialer(&self) -> Arc<dyn Dialer> {
        Arc::new(Door(self.door.clone()))
    }
}

#[derive(Clone)]
struct Planes {
    accounts: Arc<AccountPlane<MemoryAccounts>>,
    channels: Arc<ChannelPlane<Ledger>>,
    blobs: Arc<BlobPlane<MemoryBlobs>>,
    directory: Arc<DirectoryPlane<MemoryAccounts>>,
    lies: Arc<Lies>,
    clock: Arc<StoryClock>,
}

impl Planes {
    async fn serve(self, accepted: Accepted) {
        let (_drain, draining) = watch::channel(false);
        let (lies, clock) = (self.lies, || self.clock.now());
        let circuit_number = lies.circuit();
        match accepted {
            Accepted::Account(circuit) => {
                let honest = self.accounts.session(circuit.handshake_hash());
                circuit.serve(Arc::new(Liar { honest, lies, circuit: circuit_number }), clock, draining).await;
            }
            Accepted::Visitor(circuit) => {
                let honest = VisitorSession::new(self.accounts, self.channels);
                circuit.serve(Arc::new(Liar { honest, lies, circuit: circuit_number }), clock, draining).await;
            }
            Accepted::Channel(circuit) => {
                let honest = self.channels.session(circuit.handshake_hash());
                circuit.serve(Arc::new(Liar { honest, lies, circuit: circuit_number }), clock, draining).await;
            }
            Accepted::Directory(circuit) => {
                let honest = self.directory.session();
                circuit.serve(Arc::new(Liar { honest, lies, circuit: circuit_number }), clock, draining).await;
            }
            Accepted::Blob(circuit) => {
                let honest = self.blobs.session();
                circuit.serve(Arc::new(Liar { honest, lies, circuit: circuit_number }), clock, draining).await;
            }
        }
    }
}

fn channel_plane(
    channels: Ledger,
    head_key: &[u8; 32],
    issuer: Arc<Issuer>,
    blobs: &Arc<BlobPlane<MemoryBlobs>>,
) -> ChannelPlane<Ledger> {
    let tickets = TicketKey::generate(&mut rand::make_rng::<StdRng>());
    ChannelPlane::new(channels, HeadKey::from_seed(head_key), tickets, issuer).with_large(blobs.clone())
}

fn directory_plane(accounts: Arc<AccountPlane<MemoryAccounts>>, head_key: &[u8; 32]) -> DirectoryPlane<MemoryAccounts> {
    // The time of a story stands still meanwhile.
    let workers = Box::new(|work: Work| drop(tokio::task::spawn_blocking(work)));
    DirectoryPlane::new(accounts, HeadKey::from_seed(head_key), NonZeroUsize::MIN, workers)
}

/// Codes that were sent, by identifier.
#[derive(Clone, Default)]
struct Post(Arc<Mutex<HashMap<String, String>>>);

impl CodeSender for Post {
    fn send<'a>(&'a self, to: &'a Identifier, code: &'a str) -> Pinned<Box<dyn Future<Output = bool> + Send + 'a>> {
        self.0.lock().unwrap().insert(to.text().to_owned(), code.to_owned());
        Box::pin(std::future::ready(true))
    }
}

/// The key of every service of a story.
pub fn issuing_key() -> IssuingKey {
    IssuingKey::from_seed(&[5; 32])
}

/// Which list of parameters this is: there is one for each week.
pub fn revision(now: Now) -> u64 {
    now.day().week().0.into()
}

/// Dials whatever door there is at that moment.
struct Door(Arc<Mutex<Option<MemoryDialer>>>);

impl Dialer for Door {
    fn dial(&self) -> Dialing<'_> {
        Box::pin(async {
            let door = self.0.lock().unwrap().clone();
            match door {
                Some(door) => door.dial().await,
                None => Err(DialError(std::io::ErrorKind::ConnectionRefused)),
            }
        })
    }
}
