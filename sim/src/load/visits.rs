//! What one act of nobody costs, end to end: a circuit of its own, a token that is spent, a channel that is made and durable.

use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use serde::Serialize;

use crate::{
    client::{Keys, Service},
    latencies::{Latencies, Quantiles},
    usage,
};

/// Acts, one after the other.
const VISITS: u32 = 1_000;

/// Figures of an act.
#[derive(Serialize)]
pub struct Visits {
    /// So many were done.
    visits: u32,
    /// Processor time of the service, in microseconds.
    pub service_cpu_us: f64,
    /// Processor time of the client, in microseconds; its token was there before.
    pub client_cpu_us: f64,
    /// From the first byte of the connection to the answer, in milliseconds.
    pub took_ms: Quantiles,
}

/// Visits a service that has nothing else to do, whose keys are known.
pub async fn visits(service: &Service, pid: u32, rng: &mut ChaCha20Rng) -> anyhow::Result<Visits> {
    let mut requests = Vec::new();
    for _ in 0..VISITS {
        requests.push(Keys::generate(rng).creation(service, rng)?);
    }
    let (of_service, of_client) = (usage::cpu(pid)?, usage::own_cpu());
    let mut took = Latencies::default();
    for request in requests {
        let begun = Instant::now();
        service.visit(request, rng).await?;
        took.record(begun.elapsed());
    }
    let each_us = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(VISITS);
    Ok(Visits {
        visits: VISITS,
        service_cpu_us: each_us(usage::cpu(pid)?.saturating_sub(of_service)),
        client_cpu_us: each_us(usage::own_cpu().saturating_sub(of_client)),
        took_ms: took.quantiles(),
    })
}
