//! Undertone under load, and under attack and chance.
//!
//! `sim world` lives seeded worlds of real engines and a real service's rules on simulated time, in which everything fails
//! that can ([`world`]). `sim away` measures on simulated time what it costs to come back ([`away`]). `sim load` starts
//! real services on loopback, has clients of the bare protocol and real engines talk through them, and tells what that cost
//! ([`load`]); `sim page` puts its figures into docs/benchmarks.md. `sim gate` counts
//! instructions, for CI ([`gate`]). `sim watch` records everything that a service gets and attacks it ([`watch`],
//! docs/threat-model.md):
//!
//! ```text
//!   load      what is measured, one module each, and the table
//!    |
//!   pairs     a writer and a reader of one channel
//!    |
//!   client    circuits, openings and entries: the protocol without MLS and without a database
//!
//!   program   the service as a process            usage     what the system has counted against a process
//!   house     the same within this process        meter     what goes over a line
//! ```
//!
//! Everything is bounded, in number and in time. Nothing leaves this machine, and what was started is ended.

mod away;
mod client;
mod fill;
mod gate;
mod house;
mod latencies;
mod load;
mod meter;
mod page;
mod pairs;
mod program;
mod usage;
mod watch;
mod world;

use std::{
    fmt::Display,
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use anyhow::bail;
use clap::Parser;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

/// No measurement takes so long.
const RUN_MAX: Duration = Duration::from_secs(30 * 60);

/// Undertone under load, and under attack and chance
#[derive(Parser)]
#[command(name = "sim", version)]
enum Cli {
    /// Measure a service of its own, on loopback
    Load(load::Args),
    /// Put the figures of an earlier run into the page that tells them, with charts
    Page(page::Args),
    /// Count the instructions of hot paths, and hold them to their limits
    Gate(gate::Args),
    /// Measure what it costs to come back, to link, to remove and to recover, on simulated time
    Away(away::Args),
    /// Live worlds in which everything fails, and hold them to what must be true
    World(world::Args),
    /// Make a service full of people who do not exist, listed in its directory
    Fill(fill::Args),
    /// Record everything that a service gets, and attack it: who is who, and who talks to whom
    Watch(watch::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse() {
        Cli::Load(args) => measure(&args).map(|()| true),
        Cli::Gate(args) => gate::run(&args),
        Cli::Page(args) => page::run(&args).map(|()| true),
        Cli::Away(args) => away::run(&args).and_then(|report| print(&report, args.json)).map(|()| true),
        Cli::World(args) if args.is_worker() => args.work().map(|()| true),
        Cli::World(args) => live(&args),
        Cli::Fill(args) => fill(&args).map(|()| true),
        Cli::Watch(args) => watch::run(&args).and_then(|report| print(&report, args.json)).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Where standard error is closed, the exit code has to do.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &load::Args) -> anyhow::Result<()> {
    let report = tokio::runtime::Runtime::new()?.block_on(async {
        tokio::select! {
            report = load::run(args) => report,
            () = interrupted() => bail!("interrupted"),
            () = tokio::time::sleep(RUN_MAX) => bail!("not done within {} min", RUN_MAX.as_secs() / 60),
        }
    })?;
    if let Some(file) = &args.json {
        load::write(&report, file)?;
    }
    writeln!(io::stdout(), "{report}")?;
    Ok(())
}

fn fill(args: &fill::Args) -> anyhow::Result<()> {
    let report = tokio::runtime::Runtime::new()?.block_on(async {
        tokio::select! {
            report = fill::run(args) => report,
            () = interrupted() => bail!("interrupted"),
        }
    })?;
    print(&report, args.json)
}

/// False: something did not hold.
fn live(args: &world::Args) -> anyhow::Result<bool> {
    let report = tokio::runtime::Runtime::new()?.block_on(async {
        tokio::select! {
            report = world::run(args) => report,
            () = interrupted() => bail!("interrupted"),
        }
    })?;
    print(&report, args.json)?;
    Ok(report.is_clean())
}

fn print(report: &(impl Display + Serialize), json: bool) -> anyhow::Result<()> {
    let text = if json { serde_json::to_string(report)? } else { report.to_string() };
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}

/// Ends on SIGINT and SIGTERM, so that whoever is dropped then can end what he has started.
async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
