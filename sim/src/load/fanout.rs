//! What it costs to push one message to many who follow its channel at this moment.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use tokio::{task::JoinSet, time::sleep};

use super::{Bench, Section, Unit, each_us, filling, settle};
use crate::{
    client::{Follower, Service, idempotency_id},
    latencies::Latencies,
    pairs::BODY_BYTES,
    usage,
};

/// From one message to the next: each has the service to itself.
const APART: Duration = Duration::from_millis(150);
/// One in so many goes before, unmeasured.
const WARMING: u32 = 10;

/// One writer, and everybody else a reader on a circuit of his own.
pub async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let (subscribers, messages) = (bench.sizes.subscribers, bench.sizes.fanned_out);
    let data = bench.program.data()?;
    let channels = filling::channels(&bench.program, data.path(), 1, &mut bench.rng).await?;
    let keys = channels.first().context("no channel")?;
    let process = bench.program.serve(data.path()).await?;
    let service = Service::at(&process, &mut bench.rng).await?;
    let writer = keys.open(&service, &mut bench.rng).await?;
    let before = messages.div_ceil(WARMING);
    let begun = Instant::now();
    let mut readers = JoinSet::new();
    for _ in 0..subscribers {
        let follower = keys.open(&service, &mut bench.rng).await?.follow().await?;
        readers.spawn(read(follower, u64::from(before + messages), begun));
    }
    settle().await;

    let mut sent = Vec::new();
    let (mut cpu, mut clients) = (usage::cpu(process.pid())?, usage::own_cpu());
    for number in 0..before + messages {
        if number == before {
            (cpu, clients) = (usage::cpu(process.pid())?, usage::own_cpu());
        }
        sent.push(begun.elapsed());
        writer.append(Bytes::from_static(&[0; BODY_BYTES]), idempotency_id(&mut bench.rng)).await?;
        sleep(APART).await;
    }
    let service_us = each_us(usage::cpu(process.pid())?.saturating_sub(cpu), messages.into());
    let clients_us = each_us(usage::own_cpu().saturating_sub(clients), messages.into());
    let (mut delivered, mut last) = (Latencies::default(), vec![Duration::ZERO; sent.len()]);
    while let Some(came) = readers.join_next().await {
        for (number, came) in came??.into_iter().enumerate().skip(before as usize) {
            let took = came.saturating_sub(sent.get(number).copied().unwrap_or_default());
            delivered.record(took);
            if let Some(last) = last.get_mut(number) {
                *last = took.max(*last);
            }
        }
    }
    process.end().await?;
    let mut all = Latencies::default();
    last.into_iter().skip(before as usize).for_each(|took| all.record(took));

    let per_subscriber = service_us / f64::from(subscribers);
    let mut section = Section::new("fanout");
    let what = format!("one message to {subscribers} live subscribers");
    section.add("service_ms", format!("{what}: CPU of the service"), service_us / 1e3, Unit::Ms);
    section.target(0.02 * f64::from(subscribers));
    section.add("subscriber_us", "the same, for each of them", per_subscriber, Unit::Us);
    section.add("clients_ms", "the same: CPU of all clients", clients_us / 1e3, Unit::Ms);
    section.add_latency("delivered_ms", &format!("{what}: delivered"), &delivered.quantiles(), Some(150.0));
    section.add_latency("all_ms", &format!("{what}: until the last has it"), &all.quantiles(), None);
    Ok(section)
}

/// When each of so many messages came.
async fn read(mut follower: Follower, messages: u64, begun: Instant) -> anyhow::Result<Vec<Duration>> {
    let mut came = Vec::new();
    while (came.len() as u64) < messages {
        let entries = follower.next().await?;
        came.extend(entries.iter().map(|_| begun.elapsed()));
    }
    Ok(came)
}
