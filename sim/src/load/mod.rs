//! What a service costs: each measurement is a function that gives figures, and has the service to itself.
//!
//! ```text
//!   starts, messages, fanout, circuits, people, reconnect, visits      a small service
//!   storm                                                              everybody comes back at once
//!   growth, store                                                      many channels, a long log, expiry
//!   engine                                                             the client: real homes over real sockets
//!   peers                                                              what people would run instead, in the same run
//!   tokens, credentials, groups, discovery                             arithmetic alone, on one core
//!
//!   figures   what is measured, as a table, a file or a page           filling   channels and logs without clients
//! ```

mod best;
mod circuits;
mod credentials;
mod discovery;
mod engine;
mod fanout;
mod figures;
mod filling;
mod groups;
mod growth;
mod homes;
mod machine;
mod messages;
mod peers;
mod people;
mod reconnect;
mod report;
mod sizes;
mod starts;
mod store;
mod storm;
mod tokens;
mod visits;
mod wal;

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tokio::time::sleep;

use crate::{
    program::{Program, allow_files},
    usage::Meanwhile,
};
#[cfg(test)]
pub use figures::Machine;
pub use figures::{Figure, Report, Section, Unit, grouped};
pub use report::{met, table};
use sizes::Sizes;

/// Open files besides those of circuits.
const OTHER_FILES: u64 = 256;
/// Until a service has done what it does after the last request: freed, checkpointed, closed.
const SETTLING: Duration = Duration::from_millis(1_500);

/// All measurements, in their order.
const SECTIONS: [&str; 16] = [
    "starts",
    "messages",
    "fanout",
    "circuits",
    "people",
    "reconnect",
    "visits",
    "storm",
    "growth",
    "store",
    "engine",
    "peers",
    "tokens",
    "credentials",
    "groups",
    "discovery",
];

/// What is measured, and how much.
#[derive(Clone, clap::Args)]
pub struct Args {
    /// In the sizes of docs/benchmarks.md: a quarter of an hour instead of three minutes
    #[arg(long)]
    all: bool,
    /// Only these, with commas: starts, messages, fanout, circuits, people, reconnect, visits, storm, growth, store, engine,
    /// peers, tokens, credentials, groups, discovery
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(SECTIONS))]
    only: Vec<String>,
    /// Length of the large log, in MiB
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(16..=16_384))]
    store_mib: Option<u64>,
    /// Of all keys and bodies
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the figures to this file, too, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl Args {
    fn sizes(&self) -> Sizes {
        let sizes = if self.all { Sizes::ALL } else { Sizes::SHORT };
        Sizes { store_mib: self.store_mib.unwrap_or(sizes.store_mib), ..sizes }
    }

    /// How they are asked for again.
    fn command(&self) -> String {
        let mut command = String::from("sim load");
        if self.all {
            command += " --all";
        }
        if !self.only.is_empty() {
            command += &format!(" --only {}", self.only.join(","));
        }
        if let Some(mib) = self.store_mib {
            command += &format!(" --store-mib {mib}");
        }
        command
    }
}

/// What measurements stand on.
struct Bench {
    program: Program,
    sizes: Sizes,
    rng: ChaCha20Rng,
}

impl Bench {
    async fn measure(&mut self, name: &str) -> anyhow::Result<Section> {
        match name {
            "starts" => starts::measure(self).await,
            "messages" => messages::measure(self).await,
            "fanout" => fanout::measure(self).await,
            "circuits" => circuits::measure(self).await,
            "people" => people::measure(self).await,
            "reconnect" => reconnect::measure(self).await,
            "visits" => visits::measure(self).await,
            "storm" => storm::measure(self).await,
            "growth" => growth::measure(self).await,
            "store" => store::measure(self).await,
            "engine" => engine::measure(self).await,
            "peers" => peers::measure(self).await,
            "tokens" => tokens::measure(self),
            "credentials" => credentials::measure(self),
            "groups" => groups::measure(self),
            "discovery" => discovery::measure(self),
            _ => bail!("there is no measurement of this name"),
        }
    }
}

/// Measures what was asked for, one thing after the other.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    let (begun, meanwhile) = (Instant::now(), Meanwhile::begin()?);
    let sizes = args.sizes();
    allow_files(u64::from(sizes.storm) + OTHER_FILES)?;
    let rng = ChaCha20Rng::seed_from_u64(args.seed);
    let mut bench = Bench { program: Program::find()?, sizes, rng };
    let mut sections = Vec::new();
    for name in SECTIONS.iter().filter(|name| args.only.is_empty() || args.only.iter().any(|only| only == *name)) {
        say(name);
        sections.push(bench.measure(name).await.with_context(|| format!("while measuring {name}"))?);
    }
    Ok(Report {
        command: args.command(),
        day: machine::today(),
        machine: machine::machine()?,
        took_s: begun.elapsed().as_secs_f64(),
        others_percent: 100.0 * meanwhile.others()?,
        sections,
    })
}

/// Reads what an earlier run has written.
pub fn read(file: &Path) -> anyhow::Result<Report> {
    let text = std::fs::read_to_string(file).context("the file of figures cannot be read")?;
    serde_json::from_str(&text).context("the file of figures is not one of `sim load --json`")
}

/// Writes what was measured, for [`read`].
pub fn write(report: &Report, file: &Path) -> anyhow::Result<()> {
    std::fs::write(file, serde_json::to_string_pretty(report)? + "\n").context("the figures cannot be written")
}

async fn settle() {
    sleep(SETTLING).await;
}

/// Microseconds of each of so many.
fn each_us(took: Duration, count: u64) -> f64 {
    took.as_secs_f64() * 1e6 / count as f64
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Says what is measured now: it takes a minute or two.
fn say(what: &str) {
    // Where standard error is closed, nobody wants to be told.
    let _ = writeln!(io::stderr(), "measuring {what} ...");
}
