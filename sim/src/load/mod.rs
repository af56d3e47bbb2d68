//! What a service costs: each measurement is a function with a typed result, and has the service to itself.

mod circuits;
mod messages;
mod phone;
mod reconnect;
mod report;
mod starts;
mod visits;

use std::{
    io::{self, Write as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tokio::time::sleep;

use crate::{
    client::{Keys, Service},
    program::{Program, allow_files},
    usage::Meanwhile,
};
pub use report::Report;

/// Open files besides those of circuits.
const OTHER_FILES: u64 = 128;
/// Until a service has done what it does after the last request: freed, checkpointed, closed.
const SETTLING: Duration = Duration::from_millis(1_500);

/// How much is measured. The upper bounds keep within what a service allows loopback, and in minutes.
#[derive(Clone, Copy, clap::Args, serde::Serialize)]
pub struct Args {
    /// Idle circuits, each with a channel of its own
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(100..=6_000))]
    pub circuits: u32,
    /// Pairs of a writer and a reader
    #[arg(long, value_name = "P", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=512))]
    pub pairs: u32,
    /// Messages exchanged by all pairs together, saturated; then half as many at half the rate
    #[arg(long, value_name = "M", default_value_t = 64_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub messages: u32,
    /// Starts, and as many restarts
    #[arg(long, value_name = "K", default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..=101))]
    pub starts: u32,
    /// Of all keys and bodies
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Print one JSON object instead of a table
    #[arg(long)]
    #[serde(skip)]
    pub json: bool,
}

/// Measures everything, one thing after the other.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    let program = Program::find()?;
    let meanwhile = Meanwhile::begin()?;
    allow_files(u64::from(args.circuits.max(2 * args.pairs)) + OTHER_FILES)?;
    let rng = &mut ChaCha20Rng::seed_from_u64(args.seed);

    say("starts");
    let starts = starts::starts(&program, args.starts).await?;

    say("messages");
    let data = program.data()?;
    let process = program.serve(data.path()).await?;
    let messages = messages::messages(&process, args, rng).await?;
    process.end().await?;
    let disk_bytes_per_message = messages::disk_bytes(data.path())? as f64 / messages.written as f64;

    say("restarts");
    let restart_ms = starts::restarts(&program, data.path(), args.starts, rng).await?;
    drop(data);

    say("circuits");
    let data = program.data()?;
    let channels = channels(&program, data.path(), args.circuits, rng).await?;
    // Another process than the one that had the visitors who made the channels.
    let process = program.serve(data.path()).await?;
    let service = Arc::new(Service::at(&process, rng).await?);
    let circuits = circuits::circuits(&service, process.pid(), &channels, rng).await?;
    say("reconnects");
    let reconnect_cpu_us = reconnect::cpu_us(&service, process.pid(), &channels, rng).await?;
    let phone = phone::phone(&service, process.pid(), &channels, rng).await?;
    say("visits");
    let visits = visits::visits(&service, process.pid(), rng).await?;
    process.end().await?;

    Ok(Report {
        setting: *args,
        binary_bytes: program.bytes()?,
        starts,
        restart_ms,
        messages,
        disk_bytes_per_message,
        circuits,
        reconnect_cpu_us,
        phone,
        visits,
        others: meanwhile.others()?,
    })
}

/// Makes channels by a service that is then ended.
async fn channels(program: &Program, data: &Path, count: u32, rng: &mut ChaCha20Rng) -> anyhow::Result<Arc<[Keys]>> {
    let process = program.serve(data).await?;
    let service = Service::at(&process, rng).await?;
    let mut channels = Vec::new();
    for _ in 0..count {
        channels.push(Keys::create(&service, rng).await?);
    }
    process.end().await?;
    Ok(channels.into())
}

async fn settle() {
    sleep(SETTLING).await;
}

/// Says what is measured now: it takes a minute or two.
fn say(what: &str) {
    // Where standard error is closed, nobody wants to be told.
    let _ = writeln!(io::stderr(), "measuring {what} ...");
}
