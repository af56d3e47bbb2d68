//! People, circuits and a service for the stories.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use bytes::Bytes;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use undertone_credentials::{
    Device, DeviceKey, DeviceList, HeadKey, INBOX_KEY_LEN, IdentityKey, InboxKey, IssuingKey, KeyPackage, PublicKey,
    ReadKey, RecoveryKey, Wish, WriteKey, authenticate, open_read, open_write, recover, register,
};
use undertone_service::{
    AccountPlane, AccountSession, BlobPlane, ChannelPlane, ChannelSession, Codes, Issuer, Registration, TicketKey,
    VisitorSession,
};
use undertone_store::memory::{MemoryAccounts, MemoryBlobs, MemoryChannels};
use undertone_wire::{
    AccountId, ChannelId, Day, HandshakeHash, Message, Now, Week,
    account::{AccountHandler, AuthenticateRequest, PutKeyPackagesRequest, RecoverRequest, RegisterRequest},
    channel::{
        AppendReply, AppendRequest, ChannelHandler, EntryKind, Head, LogPush, NewEntry, OpenRequest, Opening, Refusal,
        append_reply, opened,
    },
    circuit::Fault,
    limits::{LETTER_DAYS_STEP, RESERVE_TOKENS},
    objects::{Purpose, Token},
    paid::Paid,
    rpc::{OpenPushes, PushQueue, Pushes},
    visitor::{
        CreateChannelReply, CreateChannelRequest, DeliverReply, DeliverRequest, FetchContactReply, FetchContactRequest,
        FetchProfileReply, FetchProfileRequest, VisitorHandler,
    },
};

use crate::stores::Scripted;

pub const NOW: Now = Now(1_795_341_522_000);
pub const TODAY: Day = NOW.day();
/// Up to when a letter of today is kept.
pub const LETTER_DAY: u32 = (TODAY.0 + 30) / LETTER_DAYS_STEP * LETTER_DAYS_STEP;
/// Seed of the issuing key.
pub const ISSUING: [u8; 32] = [98; 32];

pub type Accounts = Scripted<MemoryAccounts>;
pub type Channels = Scripted<MemoryChannels>;

/// A service, and the means to open circuits to it.
pub struct World {
    pub account_store: Accounts,
    pub channel_store: Channels,
    pub accounts: Arc<AccountPlane<Accounts>>,
    pub channels: Arc<ChannelPlane<Channels>>,
    pub blobs: Arc<BlobPlane<MemoryBlobs>>,
    pub head_key: PublicKey,
    issuer: Arc<Issuer>,
    circuits: AtomicU64,
}

impl World {
    pub fn new(registration: Registration) -> Self {
        Self::with_issuer(registration, issuer())
    }

    pub fn with_issuer(registration: Registration, issuer: Issuer) -> Self {
        let (account_store, channel_store, issuer) = (Accounts::default(), Channels::default(), Arc::new(issuer));
        let blobs = Arc::new(BlobPlane::new(MemoryBlobs::default(), issuer.clone(), 1 << 30));
        Self {
            head_key: HeadKey::from_seed(&[99; 32]).public(),
            accounts: Arc::new(AccountPlane::new(account_store.clone(), registration, issuer.clone())),
            channels: Arc::new(channel_plane(&channel_store, 1, issuer.clone()).with_large(blobs.clone())),
            blobs,
            account_store,
            channel_store,
            issuer,
            circuits: AtomicU64::new(1),
        }
    }

    /// With codes by which identifiers are verified.
    pub fn with_codes(self, codes: Codes) -> Self {
        let accounts = AccountPlane::new(self.account_store.clone(), Registration::Open, self.issuer.clone());
        Self { accounts: Arc::new(accounts.with_codes(codes)), ..self }
    }

    /// Starts again, with another issuer.
    pub fn restart_with(&mut self, issuer: Issuer) {
        self.issuer = Arc::new(issuer);
        let accounts = AccountPlane::new(self.account_store.clone(), Registration::Open, self.issuer.clone());
        self.accounts = Arc::new(accounts);
    }

    pub fn open() -> Self {
        Self::new(Registration::Open)
    }

    /// Forgets what is in memory alone.
    pub fn restart(&mut self) {
        let channels = channel_plane(&self.channel_store, 2, self.issuer.clone());
        self.channels = Arc::new(channels.with_large(self.blobs.clone()));
    }

    fn circuit(&self) -> HandshakeHash {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&self.circuits.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        HandshakeHash::new(hash)
    }

    pub fn account_circuit(&self) -> (HandshakeHash, AccountSession<Accounts>) {
        let circuit = self.circuit();
        (circuit, self.accounts.session(circuit))
    }

    /// A visitor who pays for what he asks, if his request does not: with fresh tokens, and plenty of them.
    pub fn visitor(&self) -> Paying<'_> {
        Paying { world: self, visitor: self.bare_visitor() }
    }

    /// A visitor who pays with what his request has.
    pub fn bare_visitor(&self) -> VisitorSession<Accounts, Channels> {
        VisitorSession::new(self.accounts.clone(), self.channels.clone())
    }

    pub fn channel_circuit(&self) -> (HandshakeHash, ChannelSession<Channels>) {
        let circuit = self.circuit();
        (circuit, self.channels.session(circuit))
    }

    /// A person who has registered, on a circuit of that time.
    pub async fn registered(&self, seed: u8) -> (Person, AccountSession<Accounts>) {
        let person = Person::new(seed);
        let (circuit, session) = self.account_circuit();
        session.register(NOW, person.registration(&circuit)).await.unwrap();
        (person, session)
    }

    /// A channel that exists.
    pub async fn channel(&self, seed: u8) -> Keys {
        let keys = Keys::new(seed);
        self.visitor().create_channel(NOW, keys.creation()).await.unwrap();
        keys
    }

    /// A circuit on which these channels are open, to read and to write.
    pub async fn opened(&self, keys: &[&Keys]) -> ChannelSession<Channels> {
        let (circuit, session) = self.channel_circuit();
        let openings = keys.iter().map(|keys| keys.opening(&circuit, true)).collect();
        let reply = session.open(NOW, OpenRequest { openings }).await.unwrap();
        assert!(reply.opened.iter().all(|opened| matches!(opened.result, Some(opened::Result::Head(_)))));
        session
    }
}

/// See [`World::visitor`].
pub struct Paying<'a> {
    world: &'a World,
    visitor: VisitorSession<Accounts, Channels>,
}

impl Paying<'_> {
    fn pay<R: Paid>(&self, now: Now, mut request: R) -> R {
        if request.tokens().is_empty() {
            let seed = self.world.circuits.fetch_add(1, Ordering::Relaxed);
            *request.tokens_mut() = tokens(ISSUING, R::PURPOSE, now.day().week(), RESERVE_TOKENS, seed);
        }
        request
    }
}

impl VisitorHandler for Paying<'_> {
    async fn fetch_contact(&self, now: Now, request: FetchContactRequest) -> Result<FetchContactReply, Fault> {
        self.visitor.fetch_contact(now, self.pay(now, request)).await
    }

    async fn deliver(&self, now: Now, request: DeliverRequest) -> Result<DeliverReply, Fault> {
        self.visitor.deliver(now, self.pay(now, request)).await
    }

    async fn create_channel(&self, now: Now, request: CreateChannelRequest) -> Result<CreateChannelReply, Fault> {
        self.visitor.create_channel(now, self.pay(now, request)).await
    }

    async fn fetch_profile(&self, now: Now, request: FetchProfileRequest) -> Result<FetchProfileReply, Fault> {
        self.visitor.fetch_profile(now, request).await
    }
}

/// Tokens as somebody has them, made without asking for them.
pub fn tokens(issuing: [u8; 32], purpose: Purpose, week: Week, count: usize, seed: u64) -> Vec<Token> {
    let rng = &mut ChaCha20Rng::seed_from_u64(seed);
    let (key, wish) =
        (IssuingKey::from_seed(&issuing).key(purpose, week), Wish::new(purpose, week, count, rng).unwrap());
    let issued = key.issue(&wish.blinded(), rng).unwrap();
    wish.finish(&key.public(), &issued.evaluated, &issued.proof).unwrap().iter().map(Token::from).collect()
}

/// With tickets of its own at each start.
fn channel_plane(store: &Channels, start: u8, issuer: Arc<Issuer>) -> ChannelPlane<Channels> {
    let tickets = TicketKey::generate(&mut ChaCha20Rng::from_seed([start; 32]));
    ChannelPlane::new(store.clone(), HeadKey::from_seed(&[99; 32]), tickets, issuer)
}

pub fn issuer() -> Issuer {
    Issuer::new(IssuingKey::from_seed(&ISSUING), ChaCha20Rng::from_seed([9; 32]))
}

pub fn code<T>(result: Result<T, Fault>) -> &'static str {
    match result {
        Ok(_) => "OK",
        Err(fault) => fault.code().as_str_name(),
    }
}

pub struct Person {
    pub recovery: RecoveryKey,
    pub identity: IdentityKey,
    pub device: DeviceKey,
    pub list: DeviceList,
}

impl Person {
    pub fn new(seed: u8) -> Self {
        let rng = &mut ChaCha20Rng::from_seed([seed; 32]);
        let (recovery, identity, device) =
            (RecoveryKey::generate(rng), IdentityKey::generate(rng), DeviceKey::generate(rng));
        let devices = vec![Device { number: 1, key: device.public(), features: vec![] }];
        let list = DeviceList::first(&recovery.public(), &identity, devices).unwrap_or_else(|_| unreachable!());
        Self { recovery, identity, device, list }
    }

    pub fn account(&self) -> AccountId {
        self.list.account()
    }

    pub fn registration(&self, circuit: &HandshakeHash) -> RegisterRequest {
        let signatures = register(circuit, &self.list, 1, (&self.recovery, &self.identity, &self.device));
        RegisterRequest {
            device_list: self.list.encoded().clone(),
            recovery_signature: signatures.recovery,
            identity_signature: signatures.identity,
            device_signature: signatures.device,
            invite: Bytes::new(),
            inbox_key: self.inbox_key(TODAY),
            key_packages: Some(PutKeyPackagesRequest {
                one_time: vec![self.key_package(1, false), self.key_package(2, false)],
                last_resort: self.key_package(0, true),
                replace: false,
            }),
        }
    }

    pub fn authentication(&self, circuit: &HandshakeHash) -> AuthenticateRequest {
        self.authentication_of(circuit, 1, &self.device)
    }

    pub fn authentication_of(&self, circuit: &HandshakeHash, device: u32, key: &DeviceKey) -> AuthenticateRequest {
        let signature = Bytes::copy_from_slice(&authenticate(circuit, self.account(), device, key));
        AuthenticateRequest { account: self.account().into(), device, signature, ..AuthenticateRequest::default() }
    }

    pub fn recovery(&self, circuit: &HandshakeHash) -> RecoverRequest {
        RecoverRequest {
            recovery_key: Bytes::copy_from_slice(self.recovery.public().as_bytes()),
            signature: Bytes::copy_from_slice(&recover(circuit, &self.recovery)),
        }
    }

    pub fn inbox_key(&self, day: Day) -> Bytes {
        InboxKey::sign(&self.identity, self.account(), day.week(), &[7; INBOX_KEY_LEN])
    }

    pub fn key_package(&self, content: u8, last_resort: bool) -> Bytes {
        let mls = Bytes::copy_from_slice(&[content; 32]);
        KeyPackage::sign(&self.device, self.account(), 1, TODAY + 30, last_resort, mls)
    }

    /// His next list, with these devices.
    pub fn next_list(&self, devices: Vec<Device>) -> DeviceList {
        self.list.next(&self.identity, devices).unwrap_or_else(|_| unreachable!())
    }
}

/// Whoever has these has the channel.
pub struct Keys {
    pub channel: ChannelId,
    pub generation: u32,
    pub read: ReadKey,
    pub write: WriteKey,
}

impl Keys {
    pub fn new(seed: u8) -> Self {
        Self {
            channel: ChannelId::new([seed; 16]),
            generation: 0,
            read: ReadKey::from_seed(&[seed; 32]),
            write: WriteKey::from_seed(&[seed.wrapping_add(100); 32]),
        }
    }

    /// Those of the channel's next generation.
    pub fn next(&self, seed: u8) -> Self {
        Self { channel: self.channel, generation: self.generation + 1, ..Self::new(seed) }
    }

    /// As the entry that begins their generation carries them.
    pub fn installs(&self) -> Bytes {
        [*self.read.public().as_bytes(), *self.write.public().as_bytes()].concat().into()
    }

    pub fn creation(&self) -> CreateChannelRequest {
        CreateChannelRequest {
            channel: self.channel.into(),
            read_key: Bytes::copy_from_slice(self.read.public().as_bytes()),
            write_key: Bytes::copy_from_slice(self.write.public().as_bytes()),
            ..CreateChannelRequest::default()
        }
    }

    pub fn opening(&self, circuit: &HandshakeHash, to_write: bool) -> Opening {
        let write = open_write(circuit, self.channel, self.generation, &self.write);
        Opening {
            channel: self.channel.into(),
            generation: self.generation,
            read_signature: Bytes::copy_from_slice(&open_read(circuit, self.channel, self.generation, &self.read)),
            write_signature: if to_write { Bytes::copy_from_slice(&write) } else { Bytes::new() },
            known: 0,
        }
    }

    pub fn append(&self, entries: Vec<NewEntry>) -> AppendRequest {
        AppendRequest { channel: self.channel.into(), entries, ..AppendRequest::default() }
    }
}

/// An entry whose body and idempotency id follow from a number.
pub fn entry(kind: EntryKind, epoch: u64, number: u8) -> NewEntry {
    NewEntry {
        kind: kind.into(),
        incarnation: 0,
        epoch,
        expiry_day: TODAY.0 + 30,
        body: vec![number; 256].into(),
        idempotency_id: vec![number; 16].into(),
        ..NewEntry::default()
    }
}

/// A commit that begins the generation of these keys.
pub fn installing(keys: &Keys, epoch: u64, number: u8) -> NewEntry {
    NewEntry { installs: keys.installs(), ..entry(EntryKind::Commit, epoch, number) }
}

pub fn message(number: u8) -> NewEntry {
    entry(EntryKind::Message, 0, number)
}

/// The result of an append, as far as it is one line.
pub fn outcome(reply: Result<AppendReply, Fault>) -> String {
    match reply.map(|reply| reply.result.unwrap()) {
        Ok(append_reply::Result::Appended(appended)) => {
            format!("{} of {}", appended.first_seq, appended.head.unwrap().seq)
        }
        Ok(append_reply::Result::Stale(head)) => format!("stale at {}.{}", head.incarnation, head.epoch),
        Ok(append_reply::Result::Conflict(_)) => "conflict".into(),
        Ok(append_reply::Result::Refused(refusal)) => {
            Refusal::try_from(refusal).map_or("?", |refusal| refusal.as_str_name()).into()
        }
        Err(fault) => fault.code().as_str_name().into(),
    }
}

/// The end of a circuit to which pushes come.
#[derive(Default)]
pub struct Listener {
    pushed: Mutex<Vec<LogPush>>,
    deaf: AtomicBool,
}

impl PushQueue for Listener {
    fn push(&self, _: u32, body: Bytes) -> bool {
        if self.deaf.load(Ordering::Relaxed) {
            return false;
        }
        self.pushed.lock().unwrap().push(LogPush::decode(body).unwrap());
        true
    }
}

impl Listener {
    pub fn pushes(self: &Arc<Self>) -> Pushes<LogPush> {
        OpenPushes::new(self.clone(), 1).typed()
    }

    pub fn go_away(&self) {
        self.deaf.store(true, Ordering::Relaxed);
    }

    pub fn heard(&self) -> Vec<LogPush> {
        std::mem::take(&mut *self.pushed.lock().unwrap())
    }

    /// Sequence numbers of the entries heard since the last time.
    pub fn heard_seqs(&self) -> Vec<u64> {
        self.heard().iter().flat_map(|push| &push.entries).map(|entry| entry.seq).collect()
    }
}

pub fn head(opened: Option<opened::Result>) -> Option<Head> {
    match opened {
        Some(opened::Result::Head(head)) => Some(head),
        _ => None,
    }
}
