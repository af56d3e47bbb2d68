//! What a durable message costs: a writer appends it, the service stores it and pushes it to a reader.

use std::path::Path;

use super::{Bench, Section, Unit, each_us, settle, wal::WalWatch};
use crate::{
    client::Service,
    latencies::Quantiles,
    pairs::{BODY_BYTES, Pace, Pair, exchange},
    usage,
};

/// One in so many goes before, unmeasured: connections, caches and the log get to their usual size.
const WARMING: u64 = 8;

/// Of one exchange.
pub struct Exchanged {
    /// How many.
    pub messages: u64,
    /// How many a second.
    pub per_second: f64,
    /// Processor time of the service for each, in microseconds.
    pub service_us: f64,
    /// And of this program, which shares the processors with it.
    pub clients_us: f64,
    /// From sending to the reader, in milliseconds.
    pub delivered_ms: Quantiles,
    /// From sending to the acknowledgement, in milliseconds.
    pub acknowledged_ms: Quantiles,
}

/// Has pairs exchange messages, first saturated, then at half the rate which that gave.
pub async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let data = bench.program.data()?;
    let process = bench.program.serve(data.path()).await?;
    let service = Service::at(&process, &mut bench.rng).await?;
    let mut pairs = Vec::new();
    for _ in 0..bench.sizes.pairs {
        pairs.push(Pair::meet(&service, &mut bench.rng).await?);
    }
    let each = u64::from(bench.sizes.messages.div_ceil(bench.sizes.pairs));
    let before = each.div_ceil(WARMING);
    let wal = WalWatch::begin(data.path());
    exchange(&mut pairs, before, Pace::Saturated).await?;
    let saturated = measured(process.pid(), &mut pairs, each, Pace::Saturated).await?;
    let pace = Pace::PerSecond(saturated.per_second / 2.0);
    let half = measured(process.pid(), &mut pairs, each.div_ceil(2), pace).await?;
    let wal_mib = wal.longest_mib().await?;

    let written = u64::from(bench.sizes.pairs) * before + saturated.messages + half.messages;
    settle().await;
    let [open_kib, peak_kib] = [usage::rss_kib(process.pid())?, usage::peak_rss_kib(process.pid())?];
    drop(pairs);
    process.end().await?;
    let disk_bytes = disk_bytes(data.path())? as f64 / written as f64;

    let mut section = Section::new("messages");
    let pairs = bench.sizes.pairs;
    add(&mut section, "saturated", &format!("{pairs} pairs, saturated"), &saturated, Some(120.0), None);
    add(&mut section, "half", &format!("{pairs} pairs, at half that rate"), &half, None, Some(15.0));
    section.add("disk_bytes", format!("disk, for a body of {BODY_BYTES} bytes"), disk_bytes, Unit::Bytes);
    section.add("wal_mib", "write-ahead log, longest", wal_mib, Unit::Mib).target(96.0);
    section.add("rss_mib", "resident memory afterwards", open_kib as f64 / 1024.0, Unit::Mib);
    section.add("rss_peak_mib", "resident memory, most", peak_kib as f64 / 1024.0, Unit::Mib);
    Ok(section)
}

fn add(section: &mut Section, name: &str, what: &str, of: &Exchanged, cpu: Option<f64>, p99: Option<f64>) {
    section.add(&format!("{name}_per_second"), format!("{what}: messages"), of.per_second, Unit::PerSecond);
    let what_cpu = format!("{what}: CPU of the service, a message");
    section.add(&format!("{name}_service_us"), what_cpu, of.service_us, Unit::Us);
    if let Some(cpu) = cpu {
        section.target(cpu);
    }
    let what_cpu = format!("{what}: CPU of the clients, a message");
    section.add(&format!("{name}_clients_us"), what_cpu, of.clients_us, Unit::Us);
    section.add_latency(&format!("{name}_delivered_ms"), &format!("{what}: delivered"), &of.delivered_ms, p99);
    section.add_latency(
        &format!("{name}_acknowledged_ms"),
        &format!("{what}: acknowledged"),
        &of.acknowledged_ms,
        None,
    );
}

/// Has pairs exchange messages, and tells what that cost.
pub async fn measured(pid: u32, pairs: &mut Vec<Pair>, each: u64, pace: Pace) -> anyhow::Result<Exchanged> {
    let cpu = || anyhow::Ok([usage::cpu(pid)?, usage::own_cpu()]);
    let [service_before, clients_before] = cpu()?;
    let exchange = exchange(pairs, each, pace).await?;
    let [service_after, clients_after] = cpu()?;
    let messages = exchange.delivered.len() as u64;
    Ok(Exchanged {
        messages,
        per_second: messages as f64 / exchange.took.as_secs_f64(),
        service_us: each_us(service_after.saturating_sub(service_before), messages),
        clients_us: each_us(clients_after.saturating_sub(clients_before), messages),
        delivered_ms: exchange.delivered.quantiles(),
        acknowledged_ms: exchange.acknowledged.quantiles(),
    })
}

/// Length of the channel plane's file, in a data folder whose service has ended in order.
pub fn disk_bytes(data: &Path) -> anyhow::Result<u64> {
    Ok(data.join("channels.db").metadata()?.len())
}
