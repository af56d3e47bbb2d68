//! What people would run instead, measured in the same run and by the same rules: ejabberd and Prosody, where they are
//! installed (`apt-get install ejabberd prosody`). Both keep the messages of people who are online in memory alone; ours
//! are on the disk before they are acknowledged. Their circuits are plain TCP; ours are encrypted to the service.

mod server;
mod xmpp;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::task::JoinSet;

use self::{
    server::{Kind, Server},
    xmpp::Client,
};
use super::{Bench, Section, Unit, each_us, say, settle};
use crate::{latencies::Latencies, pairs::BODY_BYTES, usage};

/// Messages of 1 KiB that each connection sends itself before its memory is looked at again.
const TRAFFIC: usize = 3;
const TRAFFIC_BYTES: usize = 1 << 10;
/// The first in so many connections take up memory that was there before; the others are counted.
const UNCOUNTED: usize = 4;
/// One in so many messages goes before, unmeasured.
const WARMING: u32 = 8;

/// All that are installed. A section without figures says that none is.
pub async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let mut section = Section::new("peers");
    for kind in [Kind::Ejabberd, Kind::Prosody] {
        match kind.version() {
            Some(version) => {
                peer(bench, kind, &version, &mut section).await.with_context(|| format!("with {}", kind.name()))?
            }
            None => say(&format!("no {}: it is not installed", kind.name())),
        }
    }
    Ok(section)
}

async fn peer(bench: &Bench, kind: Kind, version: &str, section: &mut Section) -> anyhow::Result<()> {
    say(kind.name());
    let (name, what) = (kind.name().to_lowercase(), format!("{} {version}", kind.name()));
    let folder = bench.program.data()?;
    let server = Server::start(kind, folder.path()).await?;
    let pid = server.pid();
    let rss = || anyhow::Ok(usage::rss_kib(pid)? as f64);

    settle().await;
    section.add(
        &format!("{name}_rss_mib"),
        format!("{what}: resident memory before anybody came"),
        rss()? / 1024.0,
        Unit::Mib,
    );
    // Two for each pair, the others idle: they all stay until the end.
    let count = bench.sizes.peer_connections as usize;
    let mut clients = Vec::new();
    let mut first_open = 0.0;
    for place in 0..count {
        if place == count / UNCOUNTED {
            settle().await;
            first_open = rss()?;
        }
        clients.push(Client::connect(server.port()).await?);
    }
    settle().await;
    let open = rss()?;
    for _ in 0..TRAFFIC {
        for client in &mut clients {
            let to = client.jid().to_owned();
            client.send(&to, &"x".repeat(TRAFFIC_BYTES)).await?;
            client.receive().await?;
        }
    }
    settle().await;
    let used = rss()?;
    let new_kib = (open - first_open) / (count - count / UNCOUNTED) as f64;
    section.add(
        &format!("{name}_new_kib"),
        format!("{what}: memory of an idle connection (of {count}), new"),
        new_kib,
        Unit::Kib,
    );
    let used_kib = new_kib + (used - open) / count as f64;
    section.add(&format!("{name}_used_kib"), "the same after traffic", used_kib, Unit::Kib);

    let pairs = bench.sizes.pairs;
    let each = bench.sizes.peer_messages.div_ceil(pairs);
    let mut pairs: Vec<_> = clients.drain(..2 * pairs as usize).collect();
    exchange(&mut pairs, each.div_ceil(WARMING), None).await?;
    let cpu = usage::cpu(pid)?;
    let (delivered, took) = exchange(&mut pairs, each, None).await?;
    let cpu = usage::cpu(pid)?.saturating_sub(cpu);
    let messages = delivered.len() as u64;
    let per_second = messages as f64 / took.as_secs_f64();
    section.add(&format!("{name}_per_second"), format!("{what}: saturated, messages"), per_second, Unit::PerSecond);
    section.add(&format!("{name}_us"), "the same: CPU of the server, a message", each_us(cpu, messages), Unit::Us);
    section.add_latency(&format!("{name}_delivered_ms"), "the same: delivered", &delivered.quantiles(), None);
    let cpu = usage::cpu(pid)?;
    let (delivered, _) = exchange(&mut pairs, each.div_ceil(2), Some(per_second / 2.0)).await?;
    let cpu = usage::cpu(pid)?.saturating_sub(cpu);
    let half_us = each_us(cpu, delivered.len() as u64);
    section.add(
        &format!("{name}_half_us"),
        format!("{what}: at half that rate, CPU of the server, a message"),
        half_us,
        Unit::Us,
    );
    section.add_latency(&format!("{name}_half_delivered_ms"), "the same: delivered", &delivered.quantiles(), None);
    drop((clients, pairs));
    server.end().await
}

/// Pairs exchange messages, each the next one when the last was delivered, or evenly at a rate of all of them together.
async fn exchange(
    clients: &mut Vec<Client>,
    each: u32,
    per_second: Option<f64>,
) -> anyhow::Result<(Latencies, Duration)> {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    let pairs = clients.len() / 2;
    let text: Arc<str> = "x".repeat(BODY_BYTES).into();
    let mut place = 0;
    while let (Some(mut reader), Some(mut writer)) = (clients.pop(), clients.pop()) {
        let (to, text) = (reader.jid().to_owned(), text.clone());
        let regular = per_second.map(|rate| Duration::from_secs_f64(pairs as f64 / rate));
        let first = regular.map_or(begun, |all| begun + all.mul_f64(f64::from(place) / pairs as f64));
        place += 1;
        tasks.spawn(async move {
            let mut delivered = Latencies::default();
            for number in 0..each {
                let mut sent = Instant::now();
                if let Some(interval) = regular {
                    let due = first + interval * number;
                    if due > sent {
                        tokio::time::sleep_until(due.into()).await;
                        sent = Instant::now();
                    } else {
                        sent = due;
                    }
                }
                writer.send(&to, &text).await?;
                reader.receive().await?;
                delivered.record(sent.elapsed());
            }
            anyhow::Ok((writer, reader, delivered))
        });
    }
    let mut delivered = Latencies::default();
    while let Some(done) = tasks.join_next().await {
        let (writer, reader, latencies) = done??;
        clients.extend([writer, reader]);
        delivered.append(latencies);
    }
    Ok((delivered, begun.elapsed()))
}
