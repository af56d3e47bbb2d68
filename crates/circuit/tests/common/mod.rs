//! A small service that counts, waits where it is told to, and pushes on demand; and its house with one door.

#![allow(dead_code, clippy::unwrap_used, reason = "a test's own tools, of which each story uses what it needs")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use tokio::sync::{Semaphore, mpsc, watch};
use undertone_circuit::{
    Accepted, Circuit, ConnectError, Ending, MemoryDialer, MemoryListener, ServerHello, ServiceKeys, Tunnel, accept,
    memory,
};
use undertone_wire::{
    Now,
    account::*,
    channel::*,
    circuit::{Code, Fault, Parameters, SignedParameters},
    rpc::{Encoded, Pushes, Service},
    visitor::*,
};

pub const NOW: Now = Now(1_795_341_522_000);

pub fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// What the handlers do and saw.
pub struct Desk {
    /// An append takes one of these, and waits while there is none.
    pub gate: Semaphore,
    pub running: AtomicUsize,
    pub running_max: AtomicUsize,
    pub begun: AtomicUsize,
    /// Appends that were dropped before they were done.
    pub dropped: AtomicUsize,
    pub visits: AtomicUsize,
    pub followers: Mutex<Vec<Pushes<LogPush>>>,
}

/// Counts a handler that ends, and how.
struct Counted<'a> {
    desk: &'a Desk,
    done: AtomicBool,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.desk.running.fetch_sub(1, Ordering::SeqCst);
        if !self.done.load(Ordering::SeqCst) {
            self.desk.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Desk {
    fn enter(&self) -> Counted<'_> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.running_max.fetch_max(running, Ordering::SeqCst);
        Counted { desk: self, done: AtomicBool::new(false) }
    }

    /// Pushes to all followers; true if any still listens.
    pub fn push(&self, seq: u64) -> bool {
        let push = Encoded::new(&LogPush { head: Some(Head { seq, ..Head::default() }), ..LogPush::default() });
        let mut followers = self.followers.lock().unwrap();
        followers.retain(|pushes| pushes.send(&push));
        !followers.is_empty()
    }
}

impl ChannelHandler for Desk {
    async fn open(&self, now: Now, request: OpenRequest) -> Result<OpenReply, Fault> {
        assert!(now == NOW);
        let opened = |_| Opened::default();
        Ok(OpenReply { opened: request.openings.into_iter().map(opened).collect() })
    }

    async fn append(&self, _: Now, request: AppendRequest) -> Result<AppendReply, Fault> {
        let counted = self.enter();
        self.gate.acquire().await.unwrap().forget();
        counted.done.store(true, Ordering::SeqCst);
        let first_seq = request.entries.first().map_or(0, |entry| entry.epoch);
        Ok(AppendReply { result: Some(append_reply::Result::Appended(Appended { first_seq, head: None })) })
    }

    async fn read(&self, _: Now, request: ReadRequest) -> Result<ReadReply, Fault> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        if request.limit == 0 {
            return Err(Fault::from(Code::Exhausted).retry_after_ms(7));
        }
        let body = vec![1; request.limit as usize].into();
        Ok(ReadReply { entries: vec![Entry { seq: request.after + 1, body, ..Entry::default() }], head: None })
    }

    async fn follow(&self, _: Now, request: FollowRequest, pushes: Pushes<LogPush>) -> Result<(), Fault> {
        if request.channels.is_empty() {
            return Err(Code::NotFound.into());
        }
        self.followers.lock().unwrap().push(pushes);
        Ok(())
    }

    async fn resume(&self, _: Now, _: ResumeRequest) -> Result<OpenReply, Fault> {
        Ok(OpenReply::default())
    }

    async fn send_transient(&self, _: Now, _: SendTransientRequest) -> Result<SendTransientReply, Fault> {
        Ok(SendTransientReply {})
    }

    async fn change_group(&self, _: Now, _: ChangeGroupRequest) -> Result<ChangeGroupReply, Fault> {
        Ok(ChangeGroupReply::default())
    }

    async fn present(&self, _: Now, _: PresentRequest) -> Result<PresentReply, Fault> {
        Ok(PresentReply::default())
    }

    async fn read_record(&self, _: Now, _: ReadRecordRequest) -> Result<ReadRecordReply, Fault> {
        Ok(ReadRecordReply::default())
    }

    async fn read_head_slot(&self, _: Now, _: ReadHeadSlotRequest) -> Result<ReadHeadSlotReply, Fault> {
        Ok(ReadHeadSlotReply::default())
    }

    async fn reserve_commit(&self, _: Now, _: ReserveCommitRequest) -> Result<ReserveCommitReply, Fault> {
        Ok(ReserveCommitReply {})
    }
}

impl VisitorHandler for Desk {
    async fn fetch_contact(&self, _: Now, request: FetchContactRequest) -> Result<FetchContactReply, Fault> {
        self.visits.fetch_add(1, Ordering::SeqCst);
        Ok(FetchContactReply { inbox_key: request.account, ..FetchContactReply::default() })
    }

    async fn deliver(&self, _: Now, _: DeliverRequest) -> Result<DeliverReply, Fault> {
        Ok(DeliverReply {})
    }

    async fn create_channel(&self, _: Now, _: CreateChannelRequest) -> Result<CreateChannelReply, Fault> {
        Err(Code::Conflict.into())
    }

    async fn fetch_profile(&self, _: Now, _: FetchProfileRequest) -> Result<FetchProfileReply, Fault> {
        Ok(FetchProfileReply::default())
    }
}

impl AccountHandler for Desk {
    async fn issue_tokens(&self, _: Now, _: IssueTokensRequest) -> Result<IssueTokensReply, Fault> {
        Ok(IssueTokensReply::default())
    }

    async fn read_profile(&self, _: Now, _: ReadProfileRequest) -> Result<ReadProfileReply, Fault> {
        Ok(ReadProfileReply::default())
    }

    async fn put_profile(&self, _: Now, _: PutProfileRequest) -> Result<PutProfileReply, Fault> {
        Ok(PutProfileReply {})
    }

    async fn issue_credentials(&self, _: Now, _: IssueCredentialsRequest) -> Result<IssueCredentialsReply, Fault> {
        Ok(IssueCredentialsReply::default())
    }

    async fn issue_lookups(&self, _: Now, _: IssueLookupsRequest) -> Result<IssueLookupsReply, Fault> {
        Ok(IssueLookupsReply::default())
    }

    async fn send_code(&self, _: Now, _: SendCodeRequest) -> Result<SendCodeReply, Fault> {
        Ok(SendCodeReply {})
    }

    async fn put_listing(&self, _: Now, _: PutListingRequest) -> Result<PutListingReply, Fault> {
        Ok(PutListingReply::default())
    }

    async fn remove_listing(&self, _: Now, _: RemoveListingRequest) -> Result<RemoveListingReply, Fault> {
        Ok(RemoveListingReply {})
    }

    async fn publish(&self, _: Now, _: PublishRequest) -> Result<PublishReply, Fault> {
        Ok(PublishReply::default())
    }

    async fn register(&self, _: Now, _: RegisterRequest) -> Result<RegisterReply, Fault> {
        Ok(RegisterReply {})
    }

    async fn authenticate(&self, _: Now, request: AuthenticateRequest) -> Result<AuthenticateReply, Fault> {
        Ok(AuthenticateReply { key_packages_left: request.device, ..AuthenticateReply::default() })
    }

    async fn put_device_list(&self, _: Now, _: PutDeviceListRequest) -> Result<PutDeviceListReply, Fault> {
        Ok(PutDeviceListReply {})
    }

    async fn put_inbox_key(&self, _: Now, _: PutInboxKeyRequest) -> Result<PutInboxKeyReply, Fault> {
        Ok(PutInboxKeyReply {})
    }

    async fn put_key_packages(&self, _: Now, _: PutKeyPackagesRequest) -> Result<PutKeyPackagesReply, Fault> {
        Ok(PutKeyPackagesReply::default())
    }

    async fn read_inbox(&self, _: Now, _: ReadInboxRequest) -> Result<ReadInboxReply, Fault> {
        Ok(ReadInboxReply::default())
    }

    async fn clear_inbox(&self, _: Now, _: ClearInboxRequest) -> Result<ClearInboxReply, Fault> {
        Ok(ClearInboxReply {})
    }

    async fn read_vault(&self, _: Now, _: ReadVaultRequest) -> Result<ReadVaultReply, Fault> {
        Ok(ReadVaultReply::default())
    }

    async fn put_vault(&self, _: Now, _: PutVaultRequest) -> Result<PutVaultReply, Fault> {
        Ok(PutVaultReply {})
    }

    async fn recover(&self, _: Now, _: RecoverRequest) -> Result<RecoverReply, Fault> {
        Ok(RecoverReply::default())
    }

    async fn delete_account(&self, _: Now, _: DeleteAccountRequest) -> Result<DeleteAccountReply, Fault> {
        Ok(DeleteAccountReply {})
    }
}

/// A running service.
pub struct House {
    pub keys: Arc<ServiceKeys>,
    pub desk: Arc<Desk>,
    pub dialer: MemoryDialer,
    pub drain: watch::Sender<bool>,
    endings: mpsc::UnboundedReceiver<Ending>,
    ended: mpsc::UnboundedSender<Ending>,
}

impl House {
    /// With its door open, and the gate shut.
    pub fn open() -> Self {
        let (dialer, listener) = memory(64 << 10);
        let (ended, endings) = mpsc::unbounded_channel();
        let desk = Arc::new(Desk {
            gate: Semaphore::new(0),
            running: AtomicUsize::new(0),
            running_max: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
            visits: AtomicUsize::new(0),
            followers: Mutex::default(),
        });
        let house = Self {
            keys: Arc::new(ServiceKeys::generate(&mut rng(0))),
            desk,
            dialer,
            drain: watch::Sender::new(false),
            endings,
            ended,
        };
        house.listen(listener);
        house
    }

    fn listen(&self, mut listener: MemoryListener) {
        let house = self.host();
        tokio::spawn(async move {
            while let Some(tunnel) = listener.accept().await {
                tokio::spawn(house.clone().welcome(tunnel));
            }
        });
    }

    pub fn host(&self) -> Host {
        Host {
            keys: self.keys.clone(),
            desk: self.desk.clone(),
            drain: self.drain.subscribe(),
            ended: self.ended.clone(),
        }
    }

    pub async fn connect<S: Service>(&self) -> Result<Circuit<S>, ConnectError> {
        Circuit::connect(&self.dialer, &self.keys.pin(), None, &mut rng(1)).await
    }

    /// How the service saw the next circuit end.
    pub async fn ending(&mut self) -> Ending {
        self.endings.recv().await.unwrap()
    }
}

#[derive(Clone)]
pub struct Host {
    keys: Arc<ServiceKeys>,
    desk: Arc<Desk>,
    drain: watch::Receiver<bool>,
    ended: mpsc::UnboundedSender<Ending>,
}

impl Host {
    pub async fn welcome(self, tunnel: impl Tunnel) {
        let hello = ServerHello {
            signed_parameters: SignedParameters { body: vec![8; 99].into(), signature: vec![9; 64].into() },
            parameters: Parameters { version: 1, head_key: vec![7; 32].into(), ..Parameters::default() },
            protocol_floor_next: 1,
            floor_day: 21_000,
        };
        let Ok(accepted) = accept(tunnel, &self.keys, &hello, &mut rng(2)).await else {
            return;
        };
        let ending = match accepted {
            Accepted::Account(circuit) => circuit.serve(self.desk, || NOW, self.drain).await,
            Accepted::Visitor(circuit) => circuit.serve(self.desk, || NOW, self.drain).await,
            Accepted::Channel(circuit) => circuit.serve(self.desk, || NOW, self.drain).await,
            Accepted::Blob(_) | Accepted::Directory(_) => return,
        };
        let _ = self.ended.send(ending);
    }
}

/// An append that is told apart by `number`.
pub fn append(number: u64) -> AppendRequest {
    AppendRequest { entries: vec![NewEntry { epoch: number, ..NewEntry::default() }], ..AppendRequest::default() }
}

/// A read that is answered with `bytes` bytes.
pub fn read(bytes: u32) -> ReadRequest {
    ReadRequest { limit: bytes, ..ReadRequest::default() }
}

/// Waits for something that another task is about to bring about.
pub async fn until(condition: impl Fn() -> bool) {
    // Real time, whatever the runtime's clock says: nothing here takes so long, unless it hangs.
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed().as_secs() < 60, "what is waited for never comes");
        tokio::task::yield_now().await;
    }
}
