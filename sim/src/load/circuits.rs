//! What an idle circuit keeps of the service's memory.

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;

use super::{Bench, Section, Unit, filling, settle};
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

/// Opens a circuit for each channel of a service that has served nobody yet, and closes them. The channel's hub is counted,
/// the kernel's socket is not.
pub async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let data = bench.program.data()?;
    let rng = &mut bench.rng;
    let channels = filling::channels(&bench.program, data.path(), bench.sizes.circuits, rng).await?;
    let process = bench.program.serve(data.path()).await?;
    let service = Service::at(&process, rng).await?;
    let rss_kib = || anyhow::Ok(usage::rss_kib(process.pid())? as f64);
    fill(&service, rng).await?;
    settle().await;
    let before = rss_kib()?;

    let mut followers = Vec::new();
    let (first, others) = channels.split_at(channels.len() / UNCOUNTED);
    open(&service, first, &mut followers, rng).await?;
    let first_open = rss_kib()?;
    open(&service, others, &mut followers, rng).await?;
    let all_open = rss_kib()?;

    for _ in 0..TRAFFIC {
        for (follower, opened) in &mut followers {
            opened.append(Bytes::from_static(&[0; TRAFFIC_BYTES]), idempotency_id(rng)).await?;
            follower.next().await?;
        }
    }
    settle().await;
    let used = rss_kib()?;

    drop(followers);
    settle().await;
    let closed = rss_kib()?;
    process.end().await?;

    let new_kib = (all_open - first_open) / others.len() as f64;
    let each = |more: f64| more / channels.len() as f64;
    let mut section = Section::new("circuits");
    let count = channels.len();
    section.add("new_kib", format!("memory of an idle circuit (of {count}), new"), new_kib, Unit::Kib);
    section
        .add("used_kib", "memory of an idle circuit, after traffic", new_kib + each(used - all_open), Unit::Kib)
        .target(8.0);
    section.add("closed_kib", "what the process keeps of it once closed", each(closed - before), Unit::Kib);
    Ok(section)
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

/// Takes the service's page caches and buffers to their usual size.
pub async fn fill(service: &Service, rng: &mut ChaCha20Rng) -> anyhow::Result<()> {
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
