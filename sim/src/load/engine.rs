//! The client: real engines with their databases, over real sockets, and the command line as a person starts it.

use std::{process::Stdio, time::Instant};

use anyhow::{Context as _, bail};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use super::{
    Bench, Section, Unit, each_us,
    homes::{Home, until},
    ms, settle,
};
use crate::{
    latencies::{Latencies, median},
    usage,
};

/// The length of every text, in bytes.
const TEXT_BYTES: usize = 64;
/// As many go before, unmeasured.
const WARMING: u32 = 20;

/// Ana and Ben.
pub async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let count = bench.sizes.sent;
    let data = bench.program.data()?;
    let process = bench.program.serve(data.path()).await?;
    let link = process.link().to_text();
    let (mut ana, mut ben) = (Home::new(&bench.program)?, Home::new(&bench.program)?);
    let ana_account = ana.engine()?.register(&link, None, "Ana").await?.me.account;
    let ben_me = ben.engine()?.register(&link, None, "Ben").await?.me;
    let to = ben_me.account.clone();
    meet((&ana, &ana_account), (&ben, &ben_me.link)).await?;
    let mut section = Section::new("engine");

    send(&ana, &to, WARMING).await?;
    let (of_service, of_clients) = (usage::cpu(process.pid())?, usage::own_cpu());
    let acknowledged = send(&ana, &to, count).await?;
    let total = (ben_me.account.as_str(), WARMING + count);
    until("messages to come", || has(&ben, &ana_account, total.1)).await?;
    let service_us = each_us(usage::cpu(process.pid())?.saturating_sub(of_service), count.into());
    let clients_us = each_us(usage::own_cpu().saturating_sub(of_clients), count.into());
    let what = "one message at a time, by the real client";
    section.add_latency("acknowledged_ms", &format!("{what}: acknowledged"), &acknowledged.quantiles(), None);
    if let Some(p50) = section.figures.iter_mut().find(|figure| figure.name.ends_with("acknowledged_ms_p50")) {
        p50.target = Some(5.0);
    }
    section.add("service_us", format!("{what}: CPU of the service"), service_us, Unit::Us);
    section.add("clients_us", format!("{what}: CPU of writer and reader together"), clients_us, Unit::Us);

    ben.stop().await;
    let before = ben.disk_bytes()?;
    let written = usage::written(std::process::id())?;
    send(&ana, &to, count).await?;
    let sent_written = usage::written(std::process::id())? - written;
    settle().await;
    let (begun, cpu) = (Instant::now(), usage::own_cpu());
    ben.start()?;
    until("messages to be read", || has(&ben, &ana_account, total.1 + count)).await?;
    let (took, cpu) = (begun.elapsed(), usage::own_cpu().saturating_sub(cpu));
    ben.stop().await;
    let kept = (ben.disk_bytes()?.saturating_sub(before)) as f64 / f64::from(count) - TEXT_BYTES as f64;
    let scale = 1_000.0 / f64::from(count);
    section.add("catch_up_ms", "1,000 messages of catch-up, from the start of the client", ms(took) * scale, Unit::Ms);
    section.target(1_000.0);
    section.add("catch_up_cpu_ms", "the same: CPU of the client", ms(cpu) * scale, Unit::Ms);
    let what = format!("disk of the reader, for a message of {TEXT_BYTES} bytes, over its text");
    section.add("kept_bytes", what, kept, Unit::Bytes).target(400.0);
    let written = sent_written as f64 / f64::from(count) / 1024.0;
    section.add("written_kib", "written to the writer's disk for a message sent alone", written, Unit::Kib);

    ana.stop().await;
    cold(bench, &ben, &mut section).await?;
    ben.start()?;
    send(&ben, &ana_account, WARMING).await?;
    let acknowledged = send(&ben, &ana_account, count / 4).await?.quantiles();
    let what = format!("one message at a time, with {} messages of history: acknowledged", bench.sizes.history);
    section.add_latency("long_acknowledged_ms", &what, &acknowledged, None);
    ben.stop().await;
    process.end().await?;
    Ok(section)
}

/// Until both have written into the channel.
async fn meet((ana, ana_account): (&Home, &str), (ben, ben_link): (&Home, &str)) -> anyhow::Result<()> {
    let ana_engine = ana.engine()?;
    ana_engine.send(ben_link, &text(0)).await?;
    let engine = ben.engine()?;
    until("a request", || Ok(!engine.requests()?.is_empty())).await?;
    engine.accept(ana_account)?;
    until("an open chat", || is_open(ben).and_then(|ben| Ok(ben && is_open(ana)?))).await?;
    engine.send(ana_account, &text(0)).await?;
    until("an answer", || Ok(!ana_engine.unshown(1)?.is_empty())).await
}

fn is_open(home: &Home) -> anyhow::Result<bool> {
    Ok(home.engine()?.chats()?.iter().any(|chat| chat.state == "open"))
}

/// Sends messages, each when the last was acknowledged.
async fn send(from: &Home, to: &str, count: u32) -> anyhow::Result<Latencies> {
    let mut acknowledged = Latencies::default();
    for number in 0..count {
        let begun = Instant::now();
        let sent = from.engine()?.send(to, &text(number)).await?;
        acknowledged.record(begun.elapsed());
        if sent.queued {
            bail!("a message waits, and nothing is in its way");
        }
    }
    Ok(acknowledged)
}

/// Whether so many messages are there besides those by which they met.
fn has(home: &Home, from: &str, count: u32) -> anyhow::Result<bool> {
    let chats = home.engine()?.chats()?;
    let chat = chats.iter().find(|chat| chat.chat == from).context("no such chat")?;
    Ok(chat.unshown >= u64::from(count))
}

fn text(number: u32) -> String {
    format!("{number:0TEXT_BYTES$}")
}

/// From the start of the program to the list of chats, of a home with a long history.
async fn cold(bench: &Bench, home: &Home, section: &mut Section) -> anyhow::Result<()> {
    let messages = bench.sizes.history;
    home.multiply_history(messages)?;
    let (mut took, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..bench.sizes.starts {
        let (begun, before) = (Instant::now(), usage::children_cpu()?);
        let mut chats = Command::new(bench.program.path())
            .args(["--json", "--home"])
            .arg(home.path())
            .arg("chats")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = chats.stdout.take().context("a process without its standard output")?;
        let first = BufReader::new(stdout).lines().next_line().await?;
        took.push(ms(begun.elapsed()));
        if !first.as_ref().is_some_and(|line| line.contains("Ana")) {
            bail!("the list of chats is not shown: {}", first.unwrap_or_default());
        }
        // What it would still tell the service is not waited for.
        chats.kill().await?;
        cpu.push(ms(usage::children_cpu()?.saturating_sub(before)));
    }
    let what = format!("cold start, until the list of chats is shown, with {messages} messages");
    section.add("cold_ms", what, median(took), Unit::Ms).target(150.0);
    section.add("cold_cpu_ms", "the same: CPU", median(cpu), Unit::Ms);
    Ok(())
}
