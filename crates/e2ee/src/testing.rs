//! People for tests, everything about whom follows from one number, and the store that their devices share a trait with.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use undertone_credentials::{Device, DeviceKey, DeviceList, IdentityKey, KeyPackage, RecoveryKey};
use undertone_wire::{AccountId, ChannelId, Day, channel::EntryKind, content::Seen};
use zeroize::Zeroizing;

use crate::{Chat, E2eeError, Invitation, KeyValue, KeyValueError, Lists, Me, Received, create_key_package};

pub const CHANNEL: ChannelId = ChannelId::new([9; 16]);

pub fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

/// A map in memory that can go back, and can be made to fail after so many operations.
#[derive(Default)]
pub struct Memory {
    pub rows: RefCell<BTreeMap<Vec<u8>, Vec<u8>>>,
    pub operations_left: Cell<Option<u32>>,
    pub failures: Cell<u32>,
}

impl Memory {
    fn step(&self) -> Result<(), KeyValueError> {
        match self.operations_left.get() {
            Some(0) => {
                self.failures.set(self.failures.get() + 1);
                Err(KeyValueError)
            }
            left => {
                self.operations_left.set(left.map(|left| left - 1));
                Ok(())
            }
        }
    }
}

impl KeyValue for Memory {
    fn get(&self, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, KeyValueError> {
        self.step()?;
        Ok(self.rows.borrow().get(key).cloned().map(Zeroizing::new))
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), KeyValueError> {
        self.step()?;
        self.rows.borrow_mut().insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<(), KeyValueError> {
        self.step()?;
        self.rows.borrow_mut().remove(key);
        Ok(())
    }
}

/// One device of a person, with its own store.
pub struct Person {
    pub key: DeviceKey,
    pub number: u32,
    pub list: DeviceList,
    pub memory: Memory,
    pub rng: RefCell<ChaCha20Rng>,
}

impl Person {
    /// Somebody with one device.
    pub fn new(seed: u8) -> Self {
        Self::with_devices(seed, 1).pop().unwrap()
    }

    /// Somebody's devices, from number 1.
    pub fn with_devices(seed: u8, devices: u32) -> Vec<Self> {
        let rng = &mut rng(seed);
        let (recovery, identity) = (RecoveryKey::generate(rng), IdentityKey::generate(rng));
        let keys: Vec<DeviceKey> = (0..devices).map(|_| DeviceKey::generate(rng)).collect();
        let listed = (1..).zip(&keys).map(|(number, key)| Device { number, key: key.public(), features: vec![] });
        let list = DeviceList::first(&recovery.public(), &identity, listed.collect()).ok().unwrap();
        (1..)
            .zip(keys)
            .map(|(number, key)| Self {
                key,
                number,
                list: list.clone(),
                memory: Memory::default(),
                rng: RefCell::new(self::rng(seed.wrapping_mul(16).wrapping_add(number as u8))),
            })
            .collect()
    }

    pub fn account(&self) -> AccountId {
        self.list.account()
    }

    /// One transaction: what fails leaves no trace.
    pub fn act<T>(&self, f: impl FnOnce(&Me<'_>) -> Result<T, E2eeError>) -> Result<T, E2eeError> {
        let before = self.memory.rows.borrow().clone();
        let mut rng = self.rng.borrow_mut();
        let result = f(&Me::new(&self.memory, &mut *rng, self.account(), self.number, &self.key));
        if result.is_err() {
            *self.memory.rows.borrow_mut() = before;
        }
        result
    }

    /// One transaction on the chat, after which it is loaded again and must be in the same epoch.
    pub fn chat<T>(&self, f: impl FnOnce(&Me<'_>, &mut Chat) -> Result<T, E2eeError>) -> Result<T, E2eeError> {
        self.act(|me| {
            let mut chat = Chat::load(me, CHANNEL)?.expect("there is a chat");
            let result = f(me, &mut chat)?;
            let authenticator = chat.epoch_authenticator();
            assert_eq!(authenticator.len(), 48);
            assert!(Chat::load(me, CHANNEL)?.unwrap().epoch_authenticator() == authenticator);
            Ok(result)
        })
    }

    pub fn authenticator(&self) -> Bytes {
        self.chat(|_, chat| Ok(chat.epoch_authenticator())).unwrap()
    }

    pub fn key_package(&self, last_resort: bool) -> KeyPackage {
        let mls = self.act(|me| create_key_package(me, last_resort)).unwrap();
        self.sign_key_package(mls, last_resort)
    }

    pub fn sign_key_package(&self, mls: Bytes, last_resort: bool) -> KeyPackage {
        let signed = KeyPackage::sign(&self.key, self.account(), self.number, Day(100), last_resort, mls);
        KeyPackage::verify(&self.list, &signed).ok().unwrap()
    }

    /// Begins the chat with these devices.
    pub fn create(&self, others: &[&Person]) -> Option<Invitation> {
        let packages: Vec<KeyPackage> = others.iter().map(|other| other.key_package(false)).collect();
        let peers: Vec<_> = others.iter().zip(&packages).map(|(other, package)| (&other.list, package)).collect();
        self.act(|me| Ok(Chat::create(me, CHANNEL, &peers)?.1)).unwrap()
    }

    pub fn join(&self, invitation: &Invitation, lists: &Lists<'_>) -> Result<(), E2eeError> {
        self.act(|me| Chat::join(me, CHANNEL, &invitation.welcome, &invitation.tree, lists).map(drop))
    }

    pub fn encrypt(&self, text: &str) -> Bytes {
        self.chat(|me, chat| chat.encrypt(me, text.as_bytes(), &seen(1))).unwrap()
    }

    pub fn self_update(&self) -> Bytes {
        self.chat(|me, chat| chat.self_update(me, &seen(2))).unwrap()
    }

    pub fn merge_pending(&self) {
        self.chat(|me, chat| chat.merge_pending(me)).unwrap();
    }

    pub fn receive(&self, kind: EntryKind, entry: &[u8], lists: &Lists<'_>) -> Result<Received, E2eeError> {
        self.chat(|me, chat| chat.receive(me, kind, entry, lists))
    }

    /// The text and sender of a message that must be right.
    pub fn read(&self, entry: &[u8], lists: &Lists<'_>) -> (String, AccountId, u32) {
        match self.receive(EntryKind::Message, entry, lists) {
            Ok(Received::Message { sender, content, seen }) => {
                assert!(seen == self::seen(1));
                (String::from_utf8(content).unwrap(), sender.account, sender.device)
            }
            Ok(_) => panic!("another entry than a message"),
            Err(error) => panic!("{error}"),
        }
    }

    /// Follows a commit that must be right.
    pub fn follow(&self, entry: &[u8], lists: &Lists<'_>) {
        match self.receive(EntryKind::Commit, entry, lists) {
            Ok(Received::Commit { seen, .. }) => assert!(seen == self::seen(2)),
            Ok(_) => panic!("another entry than a commit"),
            Err(error) => panic!("{error}"),
        }
    }

    /// Why an entry is refused.
    pub fn refusal(&self, kind: EntryKind, entry: &[u8], lists: &Lists<'_>) -> Option<E2eeError> {
        self.receive(kind, entry, lists).err()
    }
}

pub fn lists<'a>(people: &[&'a Person]) -> Lists<'a> {
    people.iter().map(|person| &person.list).collect()
}

/// Ana and Bo, in a chat that she began.
pub fn pair() -> (Person, Person) {
    let (ana, bo) = (Person::new(1), Person::new(2));
    let invitation = ana.create(&[&bo]).unwrap();
    bo.join(&invitation, &lists(&[&ana, &bo])).unwrap();
    (ana, bo)
}

pub fn seen(seq: u64) -> Seen {
    Seen { seq, chain: Bytes::from_static(&[4; 32]), signature: Bytes::from_static(&[5; 64]), revision: 0 }
}

/// A file of `tests/vectors`: lines `name = hex`, and comments.
pub fn vector(name: &str) -> BTreeMap<String, Vec<u8>> {
    let text = std::fs::read_to_string(vector_path(name)).unwrap();
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let (name, value) = line.split_once(" = ").unwrap();
            (name.into(), HEXLOWER.decode(value.as_bytes()).unwrap())
        })
        .collect()
}

/// Writes such a file anew when `UNDERTONE_FREEZE` is set, which is only right when what we say changes on purpose.
pub fn freeze(name: &str, about: &str, values: &[(&str, &[u8])]) {
    if std::env::var_os("UNDERTONE_FREEZE").is_none() {
        return;
    }
    let lines: Vec<String> =
        values.iter().map(|(name, value)| format!("{name} = {}\n", HEXLOWER.encode(value))).collect();
    std::fs::write(vector_path(name), format!("# {about}\n{}", lines.concat())).unwrap();
}

fn vector_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)
}
