//! What it costs a person to have been away, to take one more device, to take one off, and to have lost all: real engines and
//! a real service's rules on simulated time, in one process, where nothing fails. And what a message takes on disks.
//!
//! ```text
//!   acts     what is measured, one act each       disk    what a message takes on disks
//!    |
//!   town     she, her devices, her friends        cost    what something costs one device
//!    |                                            report  the tables
//!   world's homes, service and time; a meter on its line
//! ```
//!
//! Delays are those of the normal pace: they are slept through, and told apart from what the machine took. Processor time is
//! that of client and service together, for they share a thread; bytes are those of the one device. Its home stands on a
//! disk, all others are in memory, and so is what the service keeps.

mod acts;
mod cost;
mod disk;
mod report;
pub mod town;

use std::io::{self, Write as _};

use tokio::runtime::Builder;

use crate::{program::Program, usage::Meanwhile};
pub use report::Report;

/// How much is measured.
#[derive(Clone, Copy, clap::Args, serde::Serialize)]
pub struct Args {
    /// Chats that she has
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=300))]
    pub chats: u32,
    /// Messages by which the disks of clients are measured
    #[arg(long, value_name = "M", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(50..=50_000))]
    pub kept: u32,
    /// Messages by which the disk of a service is measured
    #[arg(long, value_name = "M", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(50..=500_000))]
    pub kept_service: u32,
    /// Of all keys and delays
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Print one JSON object instead of a table
    #[arg(long)]
    #[serde(skip)]
    pub json: bool,
}

/// Measures everything.
///
/// # Errors
/// When something cannot be measured, or does not come to pass that must.
pub fn run(args: &Args) -> anyhow::Result<Report> {
    let program = Program::find()?;
    let beside = program.data()?;
    let meanwhile = Meanwhile::begin()?;
    let simulated = || Builder::new_current_thread().enable_all().start_paused(true).build();
    let acts = simulated()?.block_on(acts::acts(args, beside.path()))?;
    let clients = simulated()?.block_on(disk::clients(args, beside.path()))?;
    let service = tokio::runtime::Runtime::new()?.block_on(disk::service(args, &program))?;
    Ok(Report { setting: *args, acts, clients, service, others: meanwhile.others()? })
}

/// Says what is measured now: it takes a minute or two.
fn say(what: &str) {
    // Where standard error is closed, nobody wants to be told.
    let _ = writeln!(io::stderr(), "measuring {what} ...");
}
