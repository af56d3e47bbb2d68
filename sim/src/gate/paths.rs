//! The hot paths: what a service does all day. All but `send` go through a real circuit within one thread, so that a client's
//! half of it is counted too, which changes as seldom.

use anyhow::{Context as _, bail};
use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tempfile::TempDir;
use tokio::runtime::Builder;
use undertone_credentials::{Credential, CredentialKey, GroupMasterKey};
use undertone_store::{Channels, memory::MemoryChannels, sqlite::SqliteChannels};
use undertone_wire::{AccountId, Day};

use crate::{
    away::town::{By, Town},
    client::{Follower, Keys, Line, Opened, Service, idempotency_id},
    house,
    pairs::BODY_BYTES,
};

/// A path.
pub struct Path {
    /// By which it is asked for.
    pub name: &'static str,
    /// What it is, for people.
    pub what: &'static str,
    /// How many times it is gone to be counted.
    pub times: u32,
}

/// Subscribers of one channel, and channels of one phone.
const MANY: usize = 100;
/// Entries of a page that is read.
const PAGE: usize = 256;

/// All of them.
pub fn all() -> [Path; 10] {
    let path = |name, what, times| Path { name, what, times };
    [
        path("connect", "connect a circuit: both sides of the handshake", 20),
        path("open", "open a channel to read and write, by signatures", 100),
        path("resume", "open 100 channels by tickets, on a new circuit, and follow them", 20),
        path("append", "append a message and push it to one who follows, store in memory", 200),
        path("append-durably", "the same in SQLite", 200),
        path("fan-out", "append a message and push it to 100 who follow, store in memory", 20),
        path("read", "read a page of 256 messages from SQLite", 20),
        path("visit", "visit: connect, spend a token, make a channel", 20),
        path("present", "verify a presentation", 20),
        path("send", "send a message by a real client to another, all included", 20),
    ]
}

/// Goes a path so many times.
pub fn go(name: &str, times: u32) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    match name {
        "connect" => runtime.block_on(connect(times)),
        "open" => runtime.block_on(open(times)),
        "resume" => runtime.block_on(resume(times)),
        "append" => runtime.block_on(append(MemoryChannels::default(), 1, times)),
        "append-durably" => {
            let folder = TempDir::new()?;
            let channels = SqliteChannels::open(&folder.path().join("channels.db"))?;
            runtime.block_on(append(channels, 1, times))
        }
        "fan-out" => runtime.block_on(append(MemoryChannels::default(), MANY, times)),
        "read" => runtime.block_on(read(times)),
        "visit" => runtime.block_on(visit(times)),
        "present" => present(times),
        "send" => {
            let folder = TempDir::new()?;
            let simulated = Builder::new_current_thread().enable_all().start_paused(true).build()?;
            simulated.block_on(send(folder.path(), times))
        }
        _ => bail!("there is no such path"),
    }
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

async fn connect(times: u32) -> anyhow::Result<()> {
    let rng = &mut rng();
    let service = house::open(MemoryChannels::default(), rng).await?;
    for _ in 0..times {
        Line::open(&service, &[], rng).await?;
    }
    Ok(())
}

async fn open(times: u32) -> anyhow::Result<()> {
    let rng = &mut rng();
    let service = house::open(MemoryChannels::default(), rng).await?;
    let keys = Keys::create(&service, rng).await?;
    let line = Line::open(&service, &[], rng).await?;
    for _ in 0..times {
        line.open_more(&[&keys]).await?;
    }
    Ok(())
}

async fn resume(times: u32) -> anyhow::Result<()> {
    let rng = &mut rng();
    let service = house::open(MemoryChannels::default(), rng).await?;
    let keys = many(&service, MANY, rng).await?;
    for keys in &keys {
        keys.open(&service, rng).await?.append(Bytes::from_static(&[0; 256]), idempotency_id(rng)).await?;
    }
    let keys: Vec<_> = keys.iter().collect();
    let tickets = Line::open(&service, &keys, rng).await?.tickets;
    for _ in 0..times {
        Line::resume(&service, &tickets, &keys, rng).await?;
    }
    Ok(())
}

async fn many(service: &Service, count: usize, rng: &mut ChaCha20Rng) -> anyhow::Result<Vec<Keys>> {
    let mut keys = Vec::new();
    for _ in 0..count {
        keys.push(Keys::create(service, rng).await?);
    }
    Ok(keys)
}

async fn append(channels: impl Channels + 'static, followers: usize, times: u32) -> anyhow::Result<()> {
    let rng = &mut rng();
    let service = house::open(channels, rng).await?;
    let keys = Keys::create(&service, rng).await?;
    let writer = keys.open(&service, rng).await?;
    let mut readers = Vec::new();
    for _ in 0..followers {
        readers.push(keys.open(&service, rng).await?.follow().await?);
    }
    say(&writer, &mut readers, times, rng).await
}

/// Messages, each of which everybody has before the next.
async fn say(writer: &Opened, readers: &mut [Follower], times: u32, rng: &mut ChaCha20Rng) -> anyhow::Result<()> {
    for _ in 0..times {
        writer.append(Bytes::from_static(&[0; BODY_BYTES]), idempotency_id(rng)).await?;
        for reader in &mut *readers {
            reader.next().await?;
        }
    }
    Ok(())
}

async fn read(times: u32) -> anyhow::Result<()> {
    let rng = &mut rng();
    let folder = TempDir::new()?;
    let service = house::open(SqliteChannels::open(&folder.path().join("channels.db"))?, rng).await?;
    let opened = Keys::create(&service, rng).await?.open(&service, rng).await?;
    for _ in 0..PAGE {
        opened.append(Bytes::from_static(&[0; BODY_BYTES]), idempotency_id(rng)).await?;
    }
    for _ in 0..times {
        if opened.read(0).await?.len() != PAGE {
            bail!("a page that is not full");
        }
    }
    Ok(())
}

async fn visit(times: u32) -> anyhow::Result<()> {
    let rng = &mut rng();
    let service = house::open(MemoryChannels::default(), rng).await?;
    many(&service, times as usize, rng).await?;
    Ok(())
}

fn present(times: u32) -> anyhow::Result<()> {
    let (rng, account, day, binding) = (&mut rng(), AccountId::new([7; 16]), Day(20_779), [9; 32]);
    let key = CredentialKey::from_seed(&[2; 32]);
    let issued = key.issue(account, day, rng);
    let credential = Credential::receive(key.public(), account, day, &issued)?;
    let group = GroupMasterKey::generate(rng).secret();
    let (public, entry) = (group.public(), group.encrypt(&account));
    let presentation = credential.present(key.public(), &group, &binding, rng);
    for _ in 0..times {
        key.verify(&public, &entry, day, &binding, &presentation)?;
    }
    Ok(())
}

/// Two real clients with their databases, and a service's rules, on simulated time.
async fn send(beside: &std::path::Path, times: u32) -> anyhow::Result<()> {
    let mut town = Town::new(1, 1, beside, true).await?;
    town.meet().await?;
    for _ in 0..times {
        town.write(0, By::Phone).await?;
    }
    town.friends.first().context("a friend")?;
    Ok(())
}
