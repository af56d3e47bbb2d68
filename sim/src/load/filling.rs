//! Channels and logs that stand in a service's file before it starts, made without clients: it would take hours to send
//! what these hold.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng as _;
use tokio::task::JoinSet;
use undertone_store::{Append, AppendOutcome, Channels as _, NewEntry, sqlite::SqliteChannels};
use undertone_wire::{
    Day, Position,
    channel::EntryKind,
    limits::{CHANNEL_BYTES_MAX, PAGE_BYTES_MAX},
};

use crate::{
    client::{Keys, idempotency_id, today},
    program::Program,
};

/// Changes handed over before any is waited for: the store joins what waits.
const TOGETHER: usize = 512;

/// Makes channels. The service of this folder does not run.
pub async fn channels(
    program: &Program,
    data: &Path,
    count: u32,
    rng: &mut ChaCha20Rng,
) -> anyhow::Result<Arc<[Keys]>> {
    let store = open(program, data).await?;
    let keys: Vec<_> = (0..count).map(|_| Keys::generate(rng)).collect();
    for some in keys.chunks(TOGETHER) {
        let create = |keys: &Keys| {
            let (store, new) = (store.clone(), keys.new_channel());
            async move { store.create(new, today()).await }
        };
        let mut creating: JoinSet<_> = some.iter().map(create).collect();
        while let Some(created) = creating.join_next().await {
            if !created?? {
                bail!("a new channel is there already");
            }
        }
    }
    Ok(keys.into())
}

/// Writes messages of `body_bytes` into the logs of channels, round by round, `bytes` in all; they are kept up to
/// `expiry_day`. Their number is returned.
pub async fn log(
    program: &Program,
    data: &Path,
    channels: &[Keys],
    (bytes, body_bytes): (u64, usize),
    expiry_day: Day,
    rng: &mut ChaCha20Rng,
) -> anyhow::Result<u64> {
    let store = open(program, data).await?;
    let mut body = vec![0; body_bytes];
    rng.fill_bytes(&mut body);
    let body = Bytes::from(body);
    let each = (PAGE_BYTES_MAX / body_bytes).clamp(1, 16);
    let (mut written, mut places) = (0, channels.iter().cycle());
    while written * (body_bytes as u64) < bytes {
        let mut appending = JoinSet::new();
        for _ in 0..TOGETHER / each {
            let channel = places.next().context("no channels")?.new_channel().channel;
            let entries = (0..each).map(|_| entry(body.clone(), expiry_day, rng)).collect();
            let append =
                Append { channel, generation: 0, entries, record: None, slot: None, bytes_max: CHANNEL_BYTES_MAX };
            let store = store.clone();
            appending.spawn(async move { store.append(append).await });
            written += each as u64;
        }
        while let Some(appended) = appending.join_next().await {
            if !matches!(appended??, AppendOutcome::Appended { .. }) {
                bail!("a channel does not take a message");
            }
        }
    }
    Ok(written)
}

fn entry(body: Bytes, expiry_day: Day, rng: &mut ChaCha20Rng) -> NewEntry {
    NewEntry {
        kind: EntryKind::Message,
        position: Position::default(),
        expiry_day,
        body,
        installs: None,
        countersignature: None,
        slot_hash: None,
        id: idempotency_id(rng),
    }
}

/// The channels of a folder that has, from now on at the latest, what a service needs besides.
async fn open(program: &Program, data: &Path) -> anyhow::Result<Arc<SqliteChannels>> {
    if !data.join("service.keys").exists() {
        program.serve(data).await?.end().await?;
    }
    Ok(Arc::new(SqliteChannels::open(&data.join("channels.db")).context("the service's channels cannot be opened")?))
}
