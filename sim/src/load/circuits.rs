//! What an idle circuit keeps of the service's memory.

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use serde::Serialize;

use super::settle;
use crate::{
    client::{Keys, Service, idempotency_id},
    usage,
};

/// Messages of 16 KiB that fill what grows once and then stays: page caches, buffers of threads.
const FILLING: usize = 640;
const FILLING_BYTES: usize = 16 << 10;
/// Messages of 1 KiB on each circuit, which has them pushed back: as in the figures that ours are compared with.
const TRAFFIC: usize = 3;
const TRAFFIC_BYTES: usize = 1 << 10;

/// Of idle circuits, each following a channel of its own, in KiB for each: its part in the channel's hub is in it, the
/// kernel's socket is not.
#[derive(Serialize)]
pub struct Circuits {
    /// Resident memory before them.
    pub before_rss_kib: u64,
    /// After they were opened.
    pub new_kib: f64,
    /// After messages on each.
    pub used_kib: f64,
    /// What stays of each after all were closed.
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
    let before = usage::rss_kib(pid)?;
    let each = |now: u64| now.saturating_sub(before) as f64 / channels.len() as f64;

    let mut followers = Vec::new();
    for keys in channels {
        let opened = keys.open(service, rng).await?;
        followers.push((opened.follow().await?, opened));
    }
    settle().await;
    let new_kib = each(usage::rss_kib(pid)?);

    for _ in 0..TRAFFIC {
        for (follower, opened) in &mut followers {
            opened.append(Bytes::from_static(&[0; TRAFFIC_BYTES]), idempotency_id(rng)).await?;
            follower.next().await?;
        }
    }
    settle().await;
    let used_kib = each(usage::rss_kib(pid)?);

    drop(followers);
    settle().await;
    let closed_kib = each(usage::rss_kib(pid)?);
    Ok(Circuits { before_rss_kib: before, new_kib, used_kib, closed_kib })
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
