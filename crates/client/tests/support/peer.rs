//! Somebody without an engine: who holds keys like everybody else, and says with them what he likes.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use rand::{Rng as _, rngs::StdRng};
use undertone_circuit::{CallError, Circuit, Dialer};
use undertone_client::{Clock as _, SystemClock};
use undertone_credentials::{
    Device, DeviceKey, DeviceList, IdentityKey, InboxKey, KeyPackage, RecoveryKey, Wish, authenticate, register,
};
use undertone_e2ee::{
    E2eeError, InboxSecret, KeyValue, KeyValueError, Me, Suite, create_key_package, open, read_letter, seal,
    write_letter,
};
use undertone_wire::{
    AccountId, Day, Message as _, MessageId, Week,
    account::{Account, AuthenticateRequest, InboxEntry, PutKeyPackagesRequest, ReadInboxRequest, RegisterRequest},
    content::{Content, Letter, Text, content},
    limits,
    link::{Link, Pin, Scheme},
    objects::{Purpose, Token},
    paid::Paid,
    rpc::Call,
    visitor::{DeliverRequest, FetchContactRequest, Visitor},
};
use zeroize::Zeroizing;

use super::{Service, issuing_key};

/// His keys, and how he reaches the service.
pub struct Peer {
    pub name: String,
    pub list: DeviceList,
    pub identity: IdentityKey,
    pub device: DeviceKey,
    recovery: RecoveryKey,
    inbox: InboxSecret,
    map: Map,
    rng: RefCell<StdRng>,
    dialer: Arc<dyn Dialer>,
    pin: Pin,
}

/// What he publishes of himself.
pub struct Published {
    pub inbox_key: Bytes,
    pub key_packages: Vec<Bytes>,
}

/// What the service knows of somebody.
pub struct Contact {
    pub list: DeviceList,
    pub inbox_key: InboxKey,
    pub key_packages: Vec<KeyPackage>,
}

impl Peer {
    /// Somebody with an account as it should be.
    pub async fn new(service: &Service, name: &str) -> Self {
        let peer = Self::unregistered(service, name);
        let published = peer.published();
        peer.register(published).await;
        peer
    }

    pub fn unregistered(service: &Service, name: &str) -> Self {
        let mut rng = rand::make_rng::<StdRng>();
        let recovery = RecoveryKey::generate(&mut rng);
        let identity = IdentityKey::generate(&mut rng);
        let device = DeviceKey::generate(&mut rng);
        let devices = vec![Device { number: 1, key: device.public(), features: vec![] }];
        Self {
            name: name.to_owned(),
            list: DeviceList::first(&recovery.public(), &identity, devices).ok().unwrap(),
            identity,
            device,
            recovery,
            inbox: InboxSecret::generate(today().week(), &mut rng),
            map: Map::default(),
            rng: rng.into(),
            dialer: service.dialer(),
            pin: service.pin(),
        }
    }

    /// An inbox key and a key package, of last resort.
    pub fn published(&self) -> Published {
        let mls = self.act(|me| create_key_package(me, Suite::PostQuantum, true)).unwrap();
        Published {
            inbox_key: InboxKey::sign(&self.identity, self.account(), self.inbox.week(), &self.inbox.public()),
            key_packages: vec![self.key_package(mls)],
        }
    }

    /// Signs whatever he says is a key package of his.
    pub fn key_package(&self, mls: Bytes) -> Bytes {
        KeyPackage::sign(&self.device, self.account(), 1, today() + 90, true, mls)
    }

    pub async fn register(&self, published: Published) {
        let circuit = self.connect::<Account>().await;
        let keys = (&self.recovery, &self.identity, &self.device);
        let signatures = register(&circuit.handshake_hash(), &self.list, 1, keys);
        let request = RegisterRequest {
            device_list: self.list.encoded().clone(),
            recovery_signature: signatures.recovery,
            identity_signature: signatures.identity,
            device_signature: signatures.device,
            invite: Bytes::new(),
            inbox_key: published.inbox_key,
            key_packages: Some(PutKeyPackagesRequest {
                last_resort: published.key_packages.into_iter().next().unwrap_or_default(),
                ..PutKeyPackagesRequest::default()
            }),
        };
        circuit.call(request).await.unwrap();
    }

    pub fn account(&self) -> AccountId {
        self.list.account()
    }

    pub fn link(&self) -> String {
        let account = Some(self.account());
        Link { scheme: Scheme::Tcp, endpoint: "memory:1".into(), pin: self.pin, account }.to_text()
    }

    /// One transaction on his keys: what fails leaves no trace.
    pub fn act<T>(&self, act: impl FnOnce(&Me<'_>) -> Result<T, E2eeError>) -> Result<T, E2eeError> {
        let before = self.map.0.borrow().clone();
        let mut rng = self.rng.borrow_mut();
        let result = act(&Me::new(&self.map, &mut *rng, self.account(), 1, &self.device));
        if result.is_err() {
            *self.map.0.borrow_mut() = before;
        }
        result
    }

    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.borrow_mut().fill_bytes(&mut bytes);
        bytes
    }

    pub fn noise(&self, length: usize) -> Bytes {
        let mut bytes = vec![0; length];
        self.rng.borrow_mut().fill_bytes(&mut bytes);
        bytes.into()
    }

    /// A message as it should be.
    pub fn text(&self, body: &str) -> Content {
        let kind = Some(content::Kind::Text(Text { body: body.to_owned() }));
        Content {
            id: MessageId::new(self.random()).into(),
            sent_at_ms: SystemClock.now().0,
            kind,
            ..Content::default()
        }
    }

    pub async fn connect<S: undertone_wire::rpc::Service>(&self) -> Circuit<S> {
        let mut rng = rand::make_rng::<StdRng>();
        Circuit::<S>::connect(self.dialer.as_ref(), &self.pin, None, &mut rng).await.unwrap()
    }

    pub async fn visit<R: Call<Service = Visitor>>(&self, request: R) -> Result<R::Reply, CallError> {
        self.connect::<Visitor>().await.visit(request).await
    }

    /// A visit that costs something: he pays what it costs at most.
    pub async fn pay<R: Paid + Call<Service = Visitor>>(&self, mut request: R) -> Result<R::Reply, CallError> {
        *request.tokens_mut() = (0..limits::TOKENS_MAX).map(|_| token(R::PURPOSE, today().week())).collect();
        self.visit(request).await
    }

    pub async fn contact(&self, of: AccountId) -> Contact {
        let reply =
            self.pay(FetchContactRequest { account: of.into(), ..FetchContactRequest::default() }).await.unwrap();
        let list = DeviceList::verify(&reply.device_list).ok().unwrap();
        let inbox_key = InboxKey::verify(&list, &reply.inbox_key).ok().unwrap();
        let packages = reply.key_packages.iter().map(|package| KeyPackage::verify(&list, package).ok().unwrap());
        Contact { key_packages: packages.collect(), list, inbox_key }
    }

    /// His list once this device was removed and another is there, and that one's key.
    pub fn replaced(&self) -> (DeviceList, DeviceKey) {
        let rng = &mut *self.rng.borrow_mut();
        let (identity, device) = (IdentityKey::generate(rng), DeviceKey::generate(rng));
        let devices = vec![Device { number: 2, key: device.public(), features: vec![] }];
        (self.list.next_identity(&self.recovery, &identity, devices).ok().unwrap(), device)
    }

    /// Whereto an answer to him may be sealed, and of which week.
    pub fn seal_key(&self) -> (u32, Bytes) {
        (self.inbox.week().0, Bytes::copy_from_slice(&self.inbox.public()))
    }

    /// What others wrote to him.
    pub async fn letters(&self) -> Vec<(DeviceList, Letter)> {
        let circuit = self.connect::<Account>().await;
        let signature = authenticate(&circuit.handshake_hash(), self.account(), 1, &self.device);
        let signature = Bytes::copy_from_slice(&signature);
        let account = self.account().into();
        let request = AuthenticateRequest { account, device: 1, signature, ..AuthenticateRequest::default() };
        circuit.call(request).await.unwrap();
        let page = circuit.call(ReadInboxRequest { after: 0, limit: limits::PAGE_ENTRIES_MAX }).await.unwrap();
        let read = |entry: &InboxEntry| {
            let opened = open(std::slice::from_ref(&self.inbox), self.account(), &entry.sealed).unwrap();
            let (sender, _, letter) = read_letter(self.account(), &opened).ok().unwrap().into_parts();
            (sender, letter)
        };
        page.entries.iter().map(read).collect()
    }

    /// A letter of his, as it goes under the seal.
    pub fn written(&self, to: AccountId, letter: &Letter) -> Zeroizing<Vec<u8>> {
        write_letter(&self.list, 1, &self.device, to, letter)
    }

    /// Puts something under a seal, and into somebody's inbox.
    pub async fn seal_and_deliver(&self, to: &Contact, opened: &[u8]) {
        let sealed = seal(to.list.account(), &to.inbox_key, opened, &mut *self.rng.borrow_mut()).unwrap();
        self.deliver(to.list.account(), sealed).await.unwrap();
    }

    /// Puts something into somebody's inbox.
    pub async fn deliver(&self, to: AccountId, sealed: Bytes) -> Result<(), CallError> {
        let request = DeliverRequest {
            account: to.into(),
            idempotency_id: self.random::<16>().to_vec().into(),
            sealed,
            expiry_day: letter_day().0,
            ..DeliverRequest::default()
        };
        self.pay(request).await.map(drop)
    }
}

/// A token as the service issues them.
pub fn token(purpose: Purpose, week: Week) -> Token {
    let mut rng = rand::make_rng::<StdRng>();
    let wish = Wish::new(purpose, week, 1, &mut rng).unwrap();
    let key = issuing_key().key(purpose, week);
    let issued = key.issue(&wish.blinded(), &mut rng).unwrap();
    Token::from(&wish.finish(&key.public(), &issued.evaluated, &issued.proof).unwrap()[0])
}

/// Up to when a letter of today is kept.
fn letter_day() -> Day {
    let latest = today() + limits::MESSAGE_DAYS_MAX;
    Day(latest.0 - latest.0 % limits::LETTER_DAYS_STEP)
}

pub fn today() -> Day {
    SystemClock.now().day()
}

/// Bytes of a message.
pub fn encoded(content: &Content) -> Bytes {
    content.encode_to_vec().into()
}

/// His MLS secrets.
#[derive(Default)]
struct Map(RefCell<BTreeMap<Vec<u8>, Vec<u8>>>);

impl KeyValue for Map {
    fn get(&self, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, KeyValueError> {
        Ok(self.0.borrow().get(key).cloned().map(Zeroizing::new))
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), KeyValueError> {
        self.0.borrow_mut().insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<(), KeyValueError> {
        self.0.borrow_mut().remove(key);
        Ok(())
    }
}
