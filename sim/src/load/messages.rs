//! What a durable message costs: a writer appends it, the service stores it and pushes it to a reader.

use std::path::Path;

use rand_chacha::ChaCha20Rng;
use serde::Serialize;

use super::{Args, settle};
use crate::{
    client::Service,
    latencies::Quantiles,
    pairs::{Pace, Pair, exchange},
    program::Process,
    usage,
};

/// One in so many goes before, unmeasured: connections, caches and the log get to their usual size.
const WARMING: u64 = 8;

/// Of all that was exchanged.
#[derive(Serialize)]
pub struct Messages {
    /// Each writer as fast as it is acknowledged.
    pub saturated: Exchanged,
    /// At half that rate, evenly.
    pub half: Exchanged,
    /// All that were written.
    pub written: u64,
    /// Resident memory afterwards, in KiB, with all circuits still open and after they were closed.
    pub rss_kib: [u64; 2],
}

/// Of one exchange.
#[derive(Serialize)]
pub struct Exchanged {
    /// How many.
    pub messages: u64,
    /// How many a second.
    pub per_second: f64,
    /// Processor time of the service for each, in microseconds.
    pub service_cpu_us: f64,
    /// And of this program, which shares the processors with it.
    pub clients_cpu_us: f64,
    /// From sending to the reader, in milliseconds.
    pub delivered_ms: Quantiles,
    /// From sending to the acknowledgement, in milliseconds.
    pub acknowledged_ms: Quantiles,
}

/// Has pairs exchange messages, first saturated, then at half the rate which that gave.
pub async fn messages(process: &Process, args: &Args, rng: &mut ChaCha20Rng) -> anyhow::Result<Messages> {
    let service = Service::at(process, rng).await?;
    let mut pairs = Vec::new();
    for _ in 0..args.pairs {
        pairs.push(Pair::meet(&service, rng).await?);
    }
    let each = u64::from(args.messages.div_ceil(args.pairs));
    let before = each.div_ceil(WARMING);
    exchange(&mut pairs, before, Pace::Saturated).await?;
    let saturated = measured(process.pid(), &mut pairs, each, Pace::Saturated).await?;
    let pace = Pace::PerSecond(saturated.per_second / 2.0);
    let half = measured(process.pid(), &mut pairs, each.div_ceil(2), pace).await?;

    let written = u64::from(args.pairs) * before + saturated.messages + half.messages;
    settle().await;
    let open = usage::rss_kib(process.pid())?;
    drop(pairs);
    settle().await;
    Ok(Messages { saturated, half, written, rss_kib: [open, usage::rss_kib(process.pid())?] })
}

async fn measured(pid: u32, pairs: &mut Vec<Pair>, each: u64, pace: Pace) -> anyhow::Result<Exchanged> {
    let cpu = || anyhow::Ok([usage::cpu(pid)?, usage::cpu(std::process::id())?]);
    let [service_before, clients_before] = cpu()?;
    let exchange = exchange(pairs, each, pace).await?;
    let [service_after, clients_after] = cpu()?;
    let messages = exchange.delivered.len();
    let each_us = |took: std::time::Duration| took.as_secs_f64() * 1e6 / messages as f64;
    Ok(Exchanged {
        messages: messages as u64,
        per_second: messages as f64 / exchange.took.as_secs_f64(),
        service_cpu_us: each_us(service_after.saturating_sub(service_before)),
        clients_cpu_us: each_us(clients_after.saturating_sub(clients_before)),
        delivered_ms: exchange.delivered.quantiles(),
        acknowledged_ms: exchange.acknowledged.quantiles(),
    })
}

/// Length of the channel plane's file, in a data folder whose service has ended in order.
pub fn disk_bytes(data: &Path) -> anyhow::Result<u64> {
    Ok(data.join("channels.db").metadata()?.len())
}
