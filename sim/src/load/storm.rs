//! Everybody comes back at once, after the service was killed and has started again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tokio::{sync::Barrier, task::JoinSet, time::sleep};

use super::{Bench, Section, Unit, each_us, filling, ms, settle};
use crate::{
    client::{Follower, Keys, Service},
    latencies::Latencies,
    program::Process,
    usage,
};

/// A client that is not let in comes again after a time between half of this and this, doubled each time, as the real one
/// does (`Pace::normal().retry`).
const RETRY_MS: u64 = 500;
const RETRY_MS_MAX: u64 = 60_000;

/// Clients with a channel each come to a fresh service; it is killed, started again, and they all come back at once.
pub async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let count = bench.sizes.storm;
    let data = bench.program.data()?;
    let channels = filling::channels(&bench.program, data.path(), count, &mut bench.rng).await?;
    let process = bench.program.serve(data.path()).await?;
    let first = Arc::new(Service::at(&process, &mut bench.rng).await?);
    let clients = come(&first, &channels, &mut bench.rng).await?;
    drop(clients);
    process.kill().await?;

    let process = bench.program.serve(data.path()).await?;
    let ready_ms = ms(process.ready_after());
    let service = Arc::new(Service::at(&process, &mut bench.rng).await?);
    let (cpu, clients) = (usage::cpu(process.pid())?, usage::own_cpu());
    let storm = come(&service, &channels, &mut bench.rng).await?;
    let cpu = each_us(usage::cpu(process.pid())?.saturating_sub(cpu), count.into());
    let clients = each_us(usage::own_cpu().saturating_sub(clients), count.into());
    settle().await;
    let [rss, peak] = [usage::rss_kib(process.pid())?, usage::peak_rss_kib(process.pid())?];
    let Storm { followers, back, refused, took } = storm;
    drop(followers);
    end(process).await?;

    let mut section = Section::new("storm");
    let what = format!("{count} clients come back at once after kill -9 and a restart");
    section.add("ready_ms", "the service is ready again", ready_ms, Unit::Ms);
    section.add_latency("back_ms", &format!("{what}: back and following"), &back.quantiles(), None);
    section.add("refused", "attempts refused at the gate, and made again later", refused as f64, Unit::Count);
    section.add("rate", "clients let in", f64::from(count) / took.as_secs_f64(), Unit::PerSecond);
    section.add("service_us", "CPU of the service for each", cpu, Unit::Us);
    section.add("clients_us", "CPU of the clients for each, on the same processors", clients, Unit::Us);
    section.add("rss_mib", "resident memory with all of them", rss as f64 / 1024.0, Unit::Mib);
    section.add("rss_peak_mib", "resident memory, most", peak as f64 / 1024.0, Unit::Mib);
    Ok(section)
}

/// Closing so many circuits in order takes longer than it is waited for.
async fn end(process: Process) -> anyhow::Result<()> {
    settle().await;
    process.kill().await
}

/// All clients, back.
struct Storm {
    followers: Vec<Follower>,
    back: Latencies,
    refused: u64,
    took: Duration,
}

/// Each opens its channel and follows it, and tries until it does.
async fn come(service: &Arc<Service>, channels: &Arc<[Keys]>, rng: &mut ChaCha20Rng) -> anyhow::Result<Storm> {
    let (refused, start) = (Arc::new(AtomicU64::new(0)), Arc::new(Barrier::new(channels.len() + 1)));
    let mut coming = JoinSet::new();
    for place in 0..channels.len() {
        let (service, channels, refused, start) = (service.clone(), channels.clone(), refused.clone(), start.clone());
        let mut rng = ChaCha20Rng::seed_from_u64(rng.next_u64());
        coming.spawn(async move {
            start.wait().await;
            let (begun, mut retry_ms) = (Instant::now(), RETRY_MS);
            let keys = channels.get(place).ok_or_else(|| anyhow::anyhow!("no channel"))?;
            loop {
                let came = async { keys.open(&service, &mut rng).await?.follow().await };
                if let Ok(follower) = came.await {
                    return anyhow::Ok((follower, begun.elapsed()));
                }
                refused.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(retry_ms / 2 + rng.next_u64() % (retry_ms / 2))).await;
                retry_ms = (2 * retry_ms).min(RETRY_MS_MAX);
            }
        });
    }
    start.wait().await;
    let begun = Instant::now();
    let (mut followers, mut back) = (Vec::new(), Latencies::default());
    while let Some(came) = coming.join_next().await {
        let (follower, took) = came??;
        followers.push(follower);
        back.record(took);
    }
    Ok(Storm { followers, back, refused: refused.load(Ordering::Relaxed), took: begun.elapsed() })
}
