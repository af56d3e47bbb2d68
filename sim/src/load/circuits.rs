//! What an idle circuit keeps of the service's memory.

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use serde::Serialize;

use super::settle;
use crate::{
    client::{Follower, Keys, Opened, Service, idempotency_id},
    usage,
};

/// Messages of 16 KiB that fill what grows once and then stays: page caches, buffers of threads.
const FILLING: usize = 640;
const FILLING_BYTES: usize = 16 << 10;
/// Messages of 1 KiB on each circuit, which has them pushed back: as in the figures that ours are compared with.
const TRAFFIC: usize = 3;
const TRAFFIC_BYTES: usize = 1 << 10;

/// The first in so many take up memory that was freed before; the others are counted.
const UNCOUNTED: usize = 4;

/// Of idle circuits, each following a channel of its own, in KiB for each: the channel's hub is in it, the kernel's socket
/// is not.
#[derive(Serialize)]
pub struct Circuits {
    /// Newly opened.
    pub new_kib: f64,
    /// After messages on each.
    pub used_kib: f64,
    /// What the process keeps of each after all were closed.
    pub closed_kib: f64,
}

/// Opens a circuit for each channel of a service that has served nobody yet, and closes them.
pub async fn circuits(
    service: &Service,
    pid: u32,
    channels: &[Keys],
    rng: &mut ChaCha20Rng,
) -> anyhow::Result<Circuits> {
    fill(service, rng).await?;
    settle().await;
    let before = rss_kib(pid)?;

    let mut followers = Vec::new();
    let (first, others) = channels.split_at(channels.len() / UNCOUNTED);
    open(service, first, &mut followers, rng).await?;
    let first_open = rss_kib(pid)?;
    open(service, others, &mut followers, rng).await?;
    let all_open = rss_kib(pid)?;

    for _ in 0..TRAFFIC {
        for (follower, opened) in &mut followers {
            opened.append(Bytes::from_static(&[0; TRAFFIC_BYTES]), idempotency_id(rng)).await?;
            follower.next().await?;
        }
    }
    settle().await;
    let used = rss_kib(pid)?;

    drop(followers);
    settle().await;
    let closed = rss_kib(pid)?;

    let new_kib = (all_open - first_open) / others.len() as f64;
    let each = |more: f64| more / channels.len() as f64;
    Ok(Circuits { new_kib, used_kib: new_kib + each(used - all_open), closed_kib: each(closed - before) })
}

fn rss_kib(pid: u32) -> anyhow::Result<f64> {
    Ok(usage::rss_kib(pid)? as f64)
}

/// Opens each channel on a circuit of its own and follows it, then waits until that is all that is there.
async fn open(
    service: &Service,
    channels: &[Keys],
    followers: &mut Vec<(Follower, Opened)>,
    rng: &mut ChaCha20Rng,
) -> anyhow::Result<()> {
    for keys in channels {
        let opened = keys.open(service, rng).await?;
        followers.push((opened.follow().await?, opened));
    }
    settle().await;
    Ok(())
}

async fn fill(service: &Service, rng: &mut ChaCha20Rng) -> anyhow::Result<()> {
    let opened = Keys::create(service, rng).await?.open(service, rng).await?;
    let mut follower = opened.follow().await?;
    for _ in 0..FILLING {
        opened.append(Bytes::from_static(&[0; FILLING_BYTES]), idempotency_id(rng)).await?;
        follower.next().await?;
    }
    let mut seen = 0;
    while let Some(last) = opened.read(seen).await?.last() {
        seen = last.seq;
    }
    Ok(())
}
