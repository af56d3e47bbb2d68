//! What it costs a service that a client comes back: a circuit with one channel; and a phone with many chats, proving its
//! keys anew, or by tickets.

use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tokio::task::JoinSet;

use super::{Bench, Section, Unit, each_us, filling};
use crate::{
    client::{Keys, Line, Service, today},
    meter::{Meter, Traffic},
    usage,
};

/// So many come at once, as after an outage: enough to keep the service busy.
const AT_ONCE: usize = 16;
/// In each log, in bytes, before anybody comes; and in each message.
const LOGGED: u64 = 16 << 10;
const BODY_BYTES: usize = 256;

/// The clients know the service's keys, and their channels are in its memory.
pub async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let rng = &mut bench.rng;
    let (chats, returns) = (bench.sizes.chats, bench.sizes.returns);
    let data = bench.program.data()?;
    let channels = filling::channels(&bench.program, data.path(), chats, rng).await?;
    let bytes = u64::from(chats) * LOGGED;
    filling::log(&bench.program, data.path(), &channels, (bytes, BODY_BYTES), today() + 30, rng).await?;
    let process = bench.program.serve(data.path()).await?;
    let meter = Arc::new(Meter::default());
    let service = Arc::new(Service::at(&process, rng).await?.metered(&meter));
    let all: Vec<&Keys> = channels.iter().collect();
    // The first time, channels come into the service's memory.
    let mut tickets = Line::open(&service, &all, rng).await?.tickets;

    let mut costs = Vec::new();
    for way in [Way::OneChannel, Way::Signatures, Way::Tickets] {
        let (cpu, traffic) = (usage::cpu(process.pid())?, meter.read());
        match way {
            Way::OneChannel => come_back(&service, &channels, returns * 4, rng).await?,
            Way::Signatures => {
                for _ in 0..returns.div_ceil(4) {
                    tickets = Line::open(&service, &all, rng).await?.tickets;
                }
            }
            Way::Tickets => {
                for _ in 0..returns {
                    Line::resume(&service, &tickets, &all, rng).await?;
                }
            }
        }
        let cpu = usage::cpu(process.pid())?.saturating_sub(cpu);
        let traffic = meter.read().with(traffic, u64::saturating_sub);
        costs.push((each_us(cpu, traffic.connections), traffic));
    }
    process.end().await?;

    let mut section = Section::new("reconnect");
    let mut whats = [
        ("circuit", "a circuit comes back (connect, open one channel, follow)".to_owned(), None),
        ("signatures", format!("a phone with {chats} chats comes back by signatures"), None),
        (
            "tickets",
            format!("a phone with {chats} chats, all as it left them, comes back by tickets and follows them"),
            Some((1_000.0, 6.0)),
        ),
    ]
    .into_iter();
    for ((service_us, traffic), (name, what, targets)) in costs.into_iter().zip(&mut whats) {
        let each_kib = |bytes: u64| bytes as f64 / 1024.0 / traffic.connections as f64;
        let Traffic { up_bytes, down_bytes, .. } = traffic;
        section.add(&format!("{name}_us"), format!("{what}: CPU of the service"), service_us, Unit::Us);
        if let Some((us, _)) = targets {
            section.target(us);
        }
        let kib = each_kib(up_bytes + down_bytes);
        section.add(&format!("{name}_kib"), format!("{what}: bytes both ways, handshake included"), kib, Unit::Kib);
        if let Some((_, kib)) = targets {
            section.target(kib);
        }
    }
    Ok(section)
}

/// Ways to come back.
enum Way {
    OneChannel,
    Signatures,
    Tickets,
}

/// So many clients with a channel each, some at once.
async fn come_back(
    service: &Arc<Service>,
    channels: &Arc<[Keys]>,
    count: u32,
    rng: &mut ChaCha20Rng,
) -> anyhow::Result<()> {
    let mut tasks = JoinSet::new();
    for first in 0..AT_ONCE {
        let (service, channels) = (service.clone(), channels.clone());
        let mut rng = ChaCha20Rng::seed_from_u64(rng.next_u64());
        tasks.spawn(async move {
            for keys in channels.iter().cycle().take(count as usize).skip(first).step_by(AT_ONCE) {
                keys.open(&service, &mut rng).await?.follow().await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}
