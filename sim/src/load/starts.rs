//! How long until a service serves.

use std::{path::Path, time::Duration};

use anyhow::bail;
use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use serde::Serialize;

use super::settle;
use crate::{
    client::{Keys, Service, idempotency_id},
    latencies::median,
    pairs::BODY_BYTES,
    program::Program,
    usage,
};

/// Messages that a killed service finds in its write-ahead log.
const BEFORE_KILL: u64 = 200;

/// Of starts on an empty folder.
#[derive(Serialize)]
pub struct Starts {
    /// From the start of the process to the line `ready`, in milliseconds; the median.
    pub ready_ms: f64,
    /// Resident memory before anybody came, in KiB; the median.
    pub idle_rss_kib: f64,
}

/// Starts as many services, one after the other.
pub async fn starts(program: &Program, times: u32) -> anyhow::Result<Starts> {
    let (mut ready_ms, mut idle_rss_kib) = (Vec::new(), Vec::new());
    for _ in 0..times {
        let data = program.data()?;
        let process = program.serve(data.path()).await?;
        ready_ms.push(ms(process.ready_after()));
        settle().await;
        idle_rss_kib.push(usage::rss_kib(process.pid())? as f64);
        process.end().await?;
    }
    Ok(Starts { ready_ms: median(ready_ms), idle_rss_kib: median(idle_rss_kib) })
}

/// Kills a service as often and starts it again on the same data: the median time until it is ready, in milliseconds.
/// What it had acknowledged before must be there afterwards.
pub async fn restarts(program: &Program, data: &Path, times: u32, rng: &mut ChaCha20Rng) -> anyhow::Result<f64> {
    let mut process = program.serve(data).await?;
    let keys = Keys::create(&Service::at(&process, rng).await?, rng).await?;
    let (mut ready_ms, mut acknowledged) = (Vec::new(), 0);
    for _ in 0..times {
        let service = Service::at(&process, rng).await?;
        let opened = keys.open(&service, rng).await?;
        for _ in 0..BEFORE_KILL {
            acknowledged = opened.append(Bytes::from_static(&[0; BODY_BYTES]), idempotency_id(rng)).await?;
        }
        process.kill().await?;
        process = program.serve(data).await?;
        ready_ms.push(ms(process.ready_after()));
        let service = Service::at(&process, rng).await?;
        if keys.open(&service, rng).await?.seq() < acknowledged {
            bail!("the service has lost a message that it had acknowledged");
        }
    }
    process.end().await?;
    Ok(median(ready_ms))
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
