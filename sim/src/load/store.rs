//! Whether a long log costs more than a short one: appends, a start after kill -9, and the end of a day's partition.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use rusqlite::{Connection, OpenFlags};
use tokio::time::sleep;

use super::{Bench, Section, Unit, filling, messages::measured, ms, wal::WalWatch};
use crate::{
    client::{Service, idempotency_id, today},
    latencies::{Latencies, median},
    pairs::{BODY_BYTES, Pace, Pair},
    usage,
};

/// Channels among which the log lies.
const CHANNELS: u32 = 1_000;
/// Pairs that write while something is measured.
const PAIRS: usize = 16;
/// A body of the large log.
const LOGGED_BYTES: usize = 8 << 10;
/// Days for which the large log is kept, and by which the service's clock is ahead when they are over.
const KEPT_DAYS: u32 = 10;
const AHEAD_DAYS: u32 = 12;
/// Messages that a killed service finds in its write-ahead log.
const BEFORE_KILL: u64 = 200;
/// The end of a partition takes no longer.
const EXPIRY_MAX: Duration = Duration::from_secs(240);
/// From one message to the next while it ends.
const BEAT: Duration = Duration::from_millis(4);

/// On one folder: with a short log, then a long one, then when that is over.
pub async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let mut section = Section::new("store");
    let data = bench.program.data()?;
    let channels = filling::channels(&bench.program, data.path(), CHANNELS, &mut bench.rng).await?;
    let each = u64::from(bench.sizes.growth_messages) / PAIRS as u64;

    let small_mib = length_mib(data.path())?;
    let small = append(bench, data.path(), each).await?;
    let bytes = bench.sizes.store_mib << 20;
    let begun = Instant::now();
    let until = today() + KEPT_DAYS;
    let written =
        filling::log(&bench.program, data.path(), &channels, (bytes, LOGGED_BYTES), until, &mut bench.rng).await?;
    let filled_s = begun.elapsed().as_secs_f64();
    let large_mib = length_mib(data.path())?;
    let large = append(bench, data.path(), each).await?;
    let what = "CPU of the service, a message, with a log of";
    section.add("small_us", format!("{what} {small_mib:.0} MiB"), small, Unit::Us);
    section.add("large_us", format!("{what} {large_mib:.0} MiB"), large, Unit::Us);
    section
        .add(
            "percent",
            "CPU of a message, more with the large log than with the small one",
            100.0 * (large / small - 1.0),
            Unit::Percent,
        )
        .target(20.0);
    let what = format!("entries of {} KiB written while it was filled, without circuits", LOGGED_BYTES >> 10);
    section.add("filled", what, written as f64 / filled_s, Unit::PerSecond);

    let [ready_ms, serving_ms] = restarts(bench, data.path()).await?;
    section.add("ready_ms", format!("after kill -9, with {large_mib:.0} MiB: until `ready`"), ready_ms, Unit::Ms);
    section
        .add(
            "serving_ms",
            format!("after kill -9, with {large_mib:.0} MiB: until a message is acknowledged"),
            serving_ms,
            Unit::Ms,
        )
        .target(150.0);

    expiry(bench, data.path(), &mut section).await?;
    Ok(section)
}

/// Processor time of the service for an append, in microseconds, by pairs over channels that are there.
async fn append(bench: &mut Bench, data: &Path, each: u64) -> anyhow::Result<f64> {
    let process = bench.program.serve(data).await?;
    let service = Service::at(&process, &mut bench.rng).await?;
    let mut pairs = Vec::new();
    for _ in 0..PAIRS {
        pairs.push(Pair::meet(&service, &mut bench.rng).await?);
    }
    measured(process.pid(), &mut pairs, each / 4, Pace::Saturated).await?;
    let exchanged = measured(process.pid(), &mut pairs, each, Pace::Saturated).await?;
    drop(pairs);
    process.end().await?;
    Ok(exchanged.service_us)
}

/// Kills the service and starts it again: the median times until it says that it is ready, and until it has appended a
/// message, in milliseconds. What it had acknowledged before must be there afterwards.
async fn restarts(bench: &mut Bench, data: &Path) -> anyhow::Result<[f64; 2]> {
    let rng = &mut bench.rng;
    let mut process = bench.program.serve(data).await?;
    let keys = crate::client::Keys::create(&Service::at(&process, rng).await?, rng).await?;
    let (mut ready, mut serving) = (Vec::new(), Vec::new());
    for _ in 0..bench.sizes.starts {
        let service = Service::at(&process, rng).await?;
        let opened = keys.open(&service, rng).await?;
        let mut acknowledged = 0;
        for _ in 0..BEFORE_KILL {
            acknowledged = opened.append(Bytes::from_static(&[0; BODY_BYTES]), idempotency_id(rng)).await?;
        }
        process.kill().await?;
        let begun = Instant::now();
        process = bench.program.serve(data).await?;
        ready.push(ms(process.ready_after()));
        let service = Service::at(&process, rng).await?;
        let opened = keys.open(&service, rng).await?;
        if opened.seq() < acknowledged {
            bail!("the service has lost a message that it had acknowledged");
        }
        opened.append(Bytes::from_static(&[0; BODY_BYTES]), idempotency_id(rng)).await?;
        serving.push(ms(begun.elapsed()));
    }
    process.end().await?;
    Ok([median(ready), median(serving)])
}

/// Starts the service on the day after the large log's last, so that its partition ends, while messages go on.
async fn expiry(bench: &mut Bench, data: &Path, section: &mut Section) -> anyhow::Result<()> {
    let rng = &mut bench.rng;
    let wal = WalWatch::begin(data);
    let process = bench.program.serve_ahead(data, AHEAD_DAYS).await?;
    let begun = Instant::now();
    let service = Service::at(&process, rng).await?;
    let opened = crate::client::Keys::create(&service, rng).await?.open(&service, rng).await?;
    let day = today() + KEPT_DAYS;
    let mut acknowledged = Latencies::default();
    while has_partition(data, day.0)? {
        if begun.elapsed() > EXPIRY_MAX {
            bail!("a partition that is over is still there");
        }
        let sent = Instant::now();
        opened.append(Bytes::from_static(&[0; BODY_BYTES]), idempotency_id(rng)).await?;
        acknowledged.record(sent.elapsed());
        sleep(BEAT).await;
    }
    let took_s = begun.elapsed().as_secs_f64();
    let wal_mib = wal.longest_mib().await?;
    let rss = usage::peak_rss_kib(process.pid())? as f64 / 1024.0;
    process.end().await?;
    section.add("expiry_ms", "end of that log's day: until it is forgotten", took_s * 1e3, Unit::Ms);
    section.add_latency("meanwhile_ms", "acknowledged while a day is forgotten", &acknowledged.quantiles(), Some(50.0));
    section.add("expiry_wal_mib", "write-ahead log while a day is forgotten, longest", wal_mib, Unit::Mib).target(96.0);
    section.add("expiry_rss_mib", "resident memory meanwhile, most", rss, Unit::Mib);
    Ok(())
}

fn has_partition(data: &Path, day: u32) -> anyhow::Result<bool> {
    let db = Connection::open_with_flags(data.join("channels.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.query_row("SELECT EXISTS (SELECT 1 FROM partitions WHERE day = ?1)", [day], |row| row.get(0))
        .context("the service's partitions cannot be read")
}

fn length_mib(data: &Path) -> anyhow::Result<f64> {
    Ok(super::messages::disk_bytes(data)? as f64 / f64::from(1 << 20))
}
