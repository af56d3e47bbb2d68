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

use crate::{
    Arriving, Change, Chat, Committed, E2eeError, Generation, Invitation, KeyValue, KeyValueError, Lists, Loaded, Me,
    Member, Plan, Received, RestartAt, Suite, create_key_package,
};

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
    pub loaded: Loaded,
}

impl Memory {
    /// Changes what is kept behind the back of whoever has it in memory.
    pub fn edit(&self, change: impl FnOnce(&mut BTreeMap<Vec<u8>, Vec<u8>>)) {
        self.loaded.clear();
        change(&mut self.rows.borrow_mut());
    }

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

    fn loaded(&self) -> Option<&Loaded> {
        Some(&self.loaded)
    }
}

/// One device of a person, with its own store.
pub struct Person {
    pub seed: u8,
    pub key: DeviceKey,
    pub number: u32,
    /// The newest list when this device came.
    pub list: DeviceList,
    pub memory: Memory,
    pub rng: RefCell<ChaCha20Rng>,
    /// The group that its chat is in.
    pub group: Cell<u32>,
}

/// The keys of an account and of its devices from number 1.
fn keys(seed: u8, devices: u32) -> (RecoveryKey, IdentityKey, Vec<DeviceKey>) {
    let rng = &mut rng(seed);
    let (recovery, identity) = (RecoveryKey::generate(rng), IdentityKey::generate(rng));
    (recovery, identity, (0..devices).map(|_| DeviceKey::generate(rng)).collect())
}

impl Person {
    /// Somebody with one device.
    pub fn new(seed: u8) -> Self {
        Self::with_devices(seed, 1).pop().unwrap()
    }

    /// Somebody's devices, from number 1.
    pub fn with_devices(seed: u8, devices: u32) -> Vec<Self> {
        let (recovery, identity, keys) = keys(seed, devices);
        let listed = (1..).zip(&keys).map(|(number, key)| listed(number, key));
        let list = DeviceList::first(&recovery.public(), &identity, listed.collect()).ok().unwrap();
        (1..).zip(keys).map(|(number, key)| Self::device(seed, number, key, list.clone())).collect()
    }

    fn device(seed: u8, number: u32, key: DeviceKey, list: DeviceList) -> Self {
        let rng = RefCell::new(self::rng(seed.wrapping_mul(16).wrapping_add(number as u8)));
        Self { seed, key, number, list, memory: Memory::default(), rng, group: Cell::new(0) }
    }

    /// A device that comes later, with the list that lists it.
    pub fn next_device(&self) -> Self {
        let number = self.list.devices().iter().map(|device| device.number).max().unwrap() + 1;
        let (_, identity, mut keys) = keys(self.seed, number);
        let key = keys.pop().unwrap();
        let mut devices = self.list.devices().to_vec();
        devices.push(listed(number, &key));
        let list = self.list.next(&identity, devices).ok().unwrap();
        Self::device(self.seed, number, key, list)
    }

    /// The list after this device's, from which another was removed.
    pub fn list_without(&self, number: u32) -> DeviceList {
        let devices = self.list.devices().iter().filter(|device| device.number != number).cloned().collect();
        let (recovery, _, _) = keys(self.seed, 0);
        self.list.next_identity(&recovery, &IdentityKey::from_seed(&[self.seed; 32]), devices).ok().unwrap()
    }

    /// The key that signs for the account, until a device is removed.
    pub fn identity(&self) -> IdentityKey {
        keys(self.seed, 0).1
    }

    pub fn member(&self) -> Member {
        Member { account: self.account(), device: self.number }
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
            self.memory.loaded.clear();
        }
        result
    }

    /// One transaction on the chat, after which it is read from the store and must be in the same epoch; the next one goes on
    /// with what this one had in memory.
    pub fn chat<T>(&self, f: impl FnOnce(&Me<'_>, &mut Chat) -> Result<T, E2eeError>) -> Result<T, E2eeError> {
        self.act(|me| {
            let mut chat = self.load(me)?.expect("there is a chat");
            let result = f(me, &mut chat)?;
            match self.load(me)? {
                Some(again) => assert!(again.epoch_authenticator() == chat.epoch_authenticator()),
                None => assert!(chat.check_member().is_err(), "only who was removed has nothing left"),
            }
            chat.keep(me);
            Ok(result)
        })
    }

    pub fn load(&self, me: &Me<'_>) -> Result<Option<Chat>, E2eeError> {
        Chat::load(me, CHANNEL, self.group.get())
    }

    pub fn delete(&self) {
        self.act(|me| self.load(me)?.unwrap().delete(me)).unwrap();
    }

    pub fn authenticator(&self) -> Bytes {
        self.chat(|_, chat| Ok(chat.epoch_authenticator())).unwrap()
    }

    pub fn key_package(&self, last_resort: bool) -> KeyPackage {
        self.key_package_of(Suite::PostQuantum, last_resort)
    }

    pub fn key_package_of(&self, suite: Suite, last_resort: bool) -> KeyPackage {
        let mls = self.act(|me| create_key_package(me, suite, last_resort)).unwrap();
        self.sign_key_package(mls, last_resort)
    }

    pub fn sign_key_package(&self, mls: Bytes, last_resort: bool) -> KeyPackage {
        let signed = KeyPackage::sign(&self.key, self.account(), self.number, Day(100), last_resort, mls);
        KeyPackage::verify(&self.list, &signed).ok().unwrap()
    }

    /// Begins the chat with these devices.
    pub fn create(&self, others: &[&Person]) -> Option<Invitation> {
        self.create_of(Suite::PostQuantum, others)
    }

    pub fn create_of(&self, suite: Suite, others: &[&Person]) -> Option<Invitation> {
        let packages: Vec<KeyPackage> = others.iter().map(|other| other.key_package_of(suite, false)).collect();
        let peers: Vec<_> = others.iter().zip(&packages).map(|(other, package)| (&other.list, package)).collect();
        self.act(|me| Ok(Chat::create(me, CHANNEL, suite, &peers)?.1)).unwrap()
    }

    pub fn join(&self, invitation: &Invitation, lists: &Lists<'_>) -> Result<(), E2eeError> {
        let group = self.group.get();
        self.act(|me| Chat::join(me, CHANNEL, group, &invitation.welcome, &invitation.tree, lists).map(drop))
    }

    pub fn encrypt(&self, text: &str) -> Bytes {
        self.chat(|me, chat| chat.encrypt(me, text.as_bytes(), &seen(1))).unwrap()
    }

    pub fn commit(&self, plan: &Plan<'_>, lists: &Lists<'_>) -> Result<Committed, E2eeError> {
        self.chat(|me, chat| chat.commit(me, plan, lists, &seen(2)))
    }

    pub fn self_update(&self, lists: &Lists<'_>) -> Bytes {
        self.commit(&Plan::default(), lists).unwrap().entry
    }

    pub fn receive(&self, kind: EntryKind, entry: &[u8], lists: &Lists<'_>) -> Result<Received, E2eeError> {
        self.chat(|me, chat| chat.receive(me, &Arriving { kind, installs: &[], content: entry }, lists))
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

    /// Follows a commit that must be right and changes nothing.
    pub fn follow(&self, entry: &[u8], lists: &Lists<'_>) {
        let committed = Committed { entry: Bytes::copy_from_slice(entry), generation: None, invitation: None };
        let change = self.merge(&committed, lists);
        assert!(change.added.is_empty() && change.removed.is_empty() && change.lists.is_empty() && !change.gone);
    }

    /// Follows a commit that must be right.
    pub fn merge(&self, committed: &Committed, lists: &Lists<'_>) -> Change {
        match self.take(committed, lists) {
            Ok(Received::Commit { seen, change, .. }) => {
                assert!(seen == self::seen(2));
                change
            }
            Ok(_) => panic!("another entry than a commit"),
            Err(error) => panic!("{error}"),
        }
    }

    /// Receives a commit as the log serves it.
    pub fn take(&self, committed: &Committed, lists: &Lists<'_>) -> Result<Received, E2eeError> {
        let installs = committed.generation.as_ref().map(Generation::installs);
        let installs: &[u8] = installs.as_ref().map_or(&[], |installs| installs);
        self.chat(|me, chat| {
            chat.receive(me, &Arriving { kind: EntryKind::Commit, installs, content: &committed.entry }, lists)
        })
    }

    pub fn restart(
        &self,
        at: &RestartAt,
        suite: Suite,
        plan: &Plan<'_>,
        lists: &Lists<'_>,
    ) -> Result<Committed, E2eeError> {
        self.act(|me| Chat::restart(me, at, suite, plan, lists, &seen(2)))
    }

    /// Receives a restart as the log serves it, and goes on in its group.
    pub fn take_restart(&self, at: &RestartAt, committed: &Committed, lists: &Lists<'_>) -> Result<Change, E2eeError> {
        let installs = committed.generation.as_ref().unwrap().installs();
        let entry = Arriving { kind: EntryKind::Restart, installs: &installs, content: &committed.entry };
        match self.act(|me| Chat::receive_restart(me, at, &entry, lists))? {
            Received::Commit { seen, change, .. } => {
                assert!(seen == self::seen(2));
                self.group.set(at.group);
                Ok(change)
            }
            _ => panic!("another entry than a restart"),
        }
    }

    /// Why an entry is refused.
    pub fn refusal(&self, kind: EntryKind, entry: &[u8], lists: &Lists<'_>) -> Option<E2eeError> {
        self.receive(kind, entry, lists).err()
    }
}

fn listed(number: u32, key: &DeviceKey) -> Device {
    Device { number, key: key.public(), features: vec![] }
}

pub fn lists<'a>(people: &[&'a Person]) -> Lists<'a> {
    people.iter().map(|person| &person.list).collect()
}

/// Ana and Bo, in a chat that she began.
pub fn pair() -> (Person, Person) {
    pair_of(Suite::PostQuantum)
}

pub fn pair_of(suite: Suite) -> (Person, Person) {
    let (ana, bo) = (Person::new(1), Person::new(2));
    let invitation = ana.create_of(suite, &[&bo]).unwrap();
    bo.join(&invitation, &lists(&[&ana, &bo])).unwrap();
    (ana, bo)
}

pub fn seen(seq: u64) -> Seen {
    Seen { seq, chain: Bytes::from_static(&[4; 32]), signature: Bytes::from_static(&[5; 64]), ..Seen::default() }
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
