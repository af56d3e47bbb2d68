//! Groups by the number of their devices, end to end: what a client does with MLS, from its store and back, without a database.

use std::{cell::RefCell, collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use undertone_credentials::{Device as Listed, DeviceKey, DeviceList, IdentityKey, KeyPackage, RecoveryKey};
use undertone_e2ee::{
    Arriving, Chat, Committed, E2eeError, Generation, Head, KeyValue, KeyValueError, Lists, Loaded, Me, Plan, Received,
    Suite, Welcomes, create_key_package, seal_head,
};
use undertone_wire::{ChannelId, Day, Position, channel::EntryKind, content::Seen, limits};
use zeroize::Zeroizing;

use super::{Bench, Section, Unit, best::best, ms};

const CHANNEL: ChannelId = ChannelId::new([9; 16]);
const DAY: Day = Day(20_779);
const DEVICE: u32 = 1;
const TEXT_BYTES: usize = 64;
const RUNS: u32 = 5;

/// A group that one person has just made with all others at once. Nobody else has committed yet, so no commit is ever longer
/// than the first of one of them.
pub fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let mut section = Section::new("groups");
    for &devices in bench.sizes.devices {
        let rng = &mut bench.rng;
        let mut people = (0..devices).map(|_| Device::new(rng)).collect::<anyhow::Result<Vec<_>>>()?;
        of(devices, &mut people, &mut section).with_context(|| format!("in a group of {devices}"))?;
    }
    Ok(section)
}

fn of(devices: u32, people: &mut [Device], section: &mut Section) -> anyhow::Result<()> {
    let mut add = |name: &str, what: &str, value: f64, unit| {
        section.add(&format!("{name}_{devices}"), format!("{devices} devices: {what}"), value, unit);
    };
    let device_lists: Vec<_> = people.iter().map(|person| person.list.clone()).collect();
    let lists: Lists<'_> = device_lists.iter().collect();
    let packages = people.iter_mut().skip(1).map(Device::key_package).collect::<anyhow::Result<Vec<_>>>()?;
    let others: Vec<_> = device_lists.iter().skip(1).zip(&packages).collect();
    let [ana, bo, .., cy] = people else { anyhow::bail!("two alone are no group") };
    let create = |me: &Me<'_>| Ok(Chat::create(me, CHANNEL, Suite::PostQuantum, &others)?.1);
    let (invitation, took) = best(1, || ana.act(create))?;
    let invitation = invitation.context("nobody was invited")?;
    add("create_ms", "begin it with all others, CPU", ms(took), Unit::Ms);
    let welcome = Welcomes::parse(&invitation.welcome)?.of([0])?;
    let kib = |bytes: usize| bytes as f64 / 1024.0;
    add(
        "invitation_kib",
        "what each of them gets: Welcome and tree",
        kib(welcome.len() + invitation.tree.len()),
        Unit::Kib,
    );
    let join = |me: &Me<'_>| Chat::join(me, CHANNEL, 0, &welcome, &invitation.tree, &lists).map(drop);
    let ((), took) = best(1, || bo.act(join))?;
    add("join_ms", "join by it, CPU", ms(took), Unit::Ms);

    let text = [b'a'; TEXT_BYTES];
    let (_, took) = best(RUNS, || ana.restarted().chat(|me, chat| chat.encrypt(me, &text, &Seen::default())))?;
    add("send_cold_us", "encrypt a message, of a chat that is not in memory, CPU", us(took), Unit::Us);
    let (entry, took) = best(RUNS, || ana.chat(|me, chat| chat.encrypt(me, &text, &Seen::default())))?;
    add("send_us", "encrypt a message, CPU", us(took), Unit::Us);
    add("message_bytes", "a message of 64 bytes, before it is wrapped", entry.len() as f64, Unit::Bytes);
    let (received, took) = best(1, || bo.restarted().receive(EntryKind::Message, &entry, &lists))?;
    anyhow::ensure!(matches!(received, Received::Message { .. }), "a message that is none");
    add("read_cold_us", "read it, of a chat that is not in memory, CPU", us(took), Unit::Us);
    let entry = ana.chat(|me, chat| chat.encrypt(me, &text, &Seen::default()))?;
    let (_, took) = best(1, || bo.receive(EntryKind::Message, &entry, &lists))?;
    add("read_us", "read the next one, CPU", us(took), Unit::Us);

    let generation = Generation::generate(&mut ana.rng);
    let commit = |me: &Me<'_>, chat: &mut Chat| {
        chat.commit_with_head(me, &Plan::default(), &generation, &lists, &Seen::default())
    };
    let ((committed, head), took) = best(1, || ana.chat(commit))?;
    add("commit_ms", "renew one's keys, with the head for who comes in, CPU", ms(took), Unit::Ms);
    add("commit_kib", "such a commit", kib(committed.entry.len()), Unit::Kib);
    add("head_kib", "such a head, sealed", kib(sealed(&head, &mut ana.rng)?.len()), Unit::Kib);
    follow(&mut [ana], &committed, &lists)?;
    let ((), took) = best(1, || follow(&mut [&mut *bo], &committed, &lists))?;
    add("follow_ms", "follow it, CPU", ms(took), Unit::Ms);
    let come_in = |me: &Me<'_>| Chat::rejoin(me, (CHANNEL, 0), &head, &[], &lists, &Seen::default());
    let (entrance, took) = best(1, || cy.act(come_in))?;
    add("enter_ms", "come in by that head, CPU", ms(took), Unit::Ms);
    add("enter_kib", "the commit by which one comes in", kib(entrance.entry.len()), Unit::Kib);
    let ((), took) = best(1, || follow(&mut [&mut *bo], &entrance, &lists))?;
    add("let_in_ms", "follow that, CPU", ms(took), Unit::Ms);
    Ok(())
}

fn us(took: Duration) -> f64 {
    took.as_secs_f64() * 1e6
}

fn sealed(head: &Head, rng: &mut ChaCha20Rng) -> anyhow::Result<Bytes> {
    let position = Position { incarnation: 1, epoch: 2 };
    Ok(seal_head(&[3; 32], CHANNEL, position, head, rng)?)
}

fn follow(people: &mut [&mut Device], committed: &Committed, lists: &Lists<'_>) -> anyhow::Result<()> {
    for person in people {
        let received = person.receive(EntryKind::Commit, &committed.entry, lists)?;
        anyhow::ensure!(matches!(received, Received::Commit { .. }), "a commit that is none");
    }
    Ok(())
}

/// A person's one device, with its store.
struct Device {
    list: DeviceList,
    key: DeviceKey,
    store: Memory,
    rng: ChaCha20Rng,
}

impl Device {
    fn new(rng: &mut ChaCha20Rng) -> anyhow::Result<Self> {
        let (recovery, identity) = (RecoveryKey::generate(rng), IdentityKey::generate(rng));
        let key = DeviceKey::generate(rng);
        let listed = Listed { number: DEVICE, key: key.public(), features: vec![] };
        let list = DeviceList::first(&recovery.public(), &identity, vec![listed])?;
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        Ok(Self { list, key, store: Memory::default(), rng: ChaCha20Rng::from_seed(seed) })
    }

    fn act<T>(&mut self, act: impl FnOnce(&Me<'_>) -> Result<T, E2eeError>) -> anyhow::Result<T> {
        let Self { list, key, store, rng } = self;
        Ok(act(&Me::new(store, rng, list.account(), DEVICE, key))?)
    }

    fn chat<T>(&mut self, act: impl FnOnce(&Me<'_>, &mut Chat) -> Result<T, E2eeError>) -> anyhow::Result<T> {
        self.act(|me| {
            let mut chat = Chat::load(me, CHANNEL, 0)?.ok_or(E2eeError::Private)?;
            let done = act(me, &mut chat)?;
            chat.keep(me);
            Ok(done)
        })
    }

    /// As after a start: its chats are in the store alone.
    fn restarted(&mut self) -> &mut Self {
        self.store.loaded.clear();
        self
    }

    fn receive(&mut self, kind: EntryKind, content: &[u8], lists: &Lists<'_>) -> anyhow::Result<Received> {
        self.chat(|me, chat| chat.receive(me, &Arriving { kind, installs: &[], content }, lists))
    }

    fn key_package(&mut self) -> anyhow::Result<KeyPackage> {
        let mls = self.act(|me| create_key_package(me, Suite::PostQuantum, false))?;
        let until = DAY + limits::MESSAGE_DAYS_MAX;
        let signed = KeyPackage::sign(&self.key, self.list.account(), DEVICE, until, false, mls);
        Ok(KeyPackage::verify(&self.list, &signed)?)
    }
}

/// Where a client has its database.
#[derive(Default)]
struct Memory {
    rows: RefCell<BTreeMap<Vec<u8>, Vec<u8>>>,
    loaded: Loaded,
}

impl KeyValue for Memory {
    fn get(&self, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, KeyValueError> {
        Ok(self.rows.borrow().get(key).cloned().map(Zeroizing::new))
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), KeyValueError> {
        self.rows.borrow_mut().insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<(), KeyValueError> {
        self.rows.borrow_mut().remove(key);
        Ok(())
    }

    fn loaded(&self) -> Option<&Loaded> {
        Some(&self.loaded)
    }
}
