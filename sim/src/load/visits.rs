//! What one act of nobody costs, end to end: a circuit of its own, a token that is spent, a channel that is made and durable.

use std::time::Instant;

use super::{Bench, Section, Unit, each_us};
use crate::{
    client::{Keys, Service},
    latencies::Latencies,
    usage,
};

/// Visits a service that has nothing else to do, whose keys are known, one after the other. Tokens were there before.
pub async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let rng = &mut bench.rng;
    let count = bench.sizes.visits;
    let data = bench.program.data()?;
    let process = bench.program.serve(data.path()).await?;
    let service = Service::at(&process, rng).await?;
    let mut requests = Vec::new();
    for _ in 0..count {
        requests.push(Keys::generate(rng).creation(&service, rng)?);
    }
    let (of_service, of_client) = (usage::cpu(process.pid())?, usage::own_cpu());
    let mut took = Latencies::default();
    for request in requests {
        let begun = Instant::now();
        service.visit(request, rng).await?;
        took.record(begun.elapsed());
    }
    let service_us = each_us(usage::cpu(process.pid())?.saturating_sub(of_service), count.into());
    let client_us = each_us(usage::own_cpu().saturating_sub(of_client), count.into());
    process.end().await?;

    let mut section = Section::new("visits");
    let what = "visit (connect, spend a token, make a channel)";
    section.add("service_us", format!("{what}: CPU of the service"), service_us, Unit::Us);
    section.add("client_us", "the same: CPU of the client", client_us, Unit::Us);
    section.add_latency("took_ms", "the same, end to end", &took.quantiles(), None);
    Ok(section)
}
