//! A seeded world: the real engine and the real rules of the service, on simulated time.
//!
//! ```text
//!   mod        many seeds in several processes, and what came of them
//!   worker     one process, one thread: one world after the other
//!     life     a world: its people, its steps, and what always holds
//!       acts, devices, ending   what is done in it, devices that come and go, and what must be true in the end
//!       groups                  the same of groups
//!      |
//!     person   somebody, his devices                  chronicle   what was written, and what was shown of it
//!     home     a device: disk, engine, driver         trace       what happened, for people and for comparing
//!     ground   where homes stand
//!      |
//!     weather  connections       disk    what is refused to a database      time   everybody's clock
//!     service  planes and doors  mood    a service that is busy             cheat  a service that lies
//!     bell     what many hear at once                                            spoil  a member who is none
//! ```
//!
//! **Faults.** Connections are refused, are slow, break after any number of bytes, and what was on its way arrives all the
//! same, late, after its repetition. A client's process dies wherever it stands. The service dies in mid-request, or goes
//! away in order, and starts over the same stores; it cannot apply what it is asked, or cannot tell, or takes its time.
//! Disks refuse writes at any byte. Clocks are set off by hours or weeks; all sleep for days. In some worlds the service
//! lies to some: it holds pushes back, changes pages, shows old heads, and two histories. In others people link devices,
//! which may be cut short, remove some, and lose all and begin anew with their words; in some of these the service lies as
//! well. Where it does not, one of five worlds has members whose programs write noise, commits that are none, what they
//! have written before, and keys that nobody has; not where everybody has one device by wish (`--alone`).
//!
//! With `--groups` up to six people make groups as well, and do in them whatever they want, whether they may or not: add,
//! invite, come by links, ask, go, remove and ban each other, hand over and close, all that while everything fails as
//! above. There every other honest world has members whose programs do wrong; and a service that lies shows old records
//! and head slots, too.
//!
//! **No faults.** What database and store have called durable stays. Homes are not copied or restored. No member makes
//! wrong things with the keys of a chat: what he can do with them is told in the client's stories (`hostile_peer`).
//!
//! **Invariants.** A message that a home has kept is not lost, whoever dies; none is shown twice, none before one that its
//! device wrote before, none that was taken back, none that nobody wrote. Devices that were removed have nothing of what is
//! written later. Where nobody lied no chat says that it cannot go
//! on; and once the faults end every such chat goes on by itself, and all devices have the same history, in which
//! everything is. Where the service lied a chat may stop and say so; if it does not say so, all this holds for it as well.
//!
//! In groups likewise, for those who were in one when something was said, and have stayed: whom somebody has put out, or may
//! have, is owed only what is said after the faults. Then all who are in a group show the same record, epoch and roles; nobody
//! else thinks that he is in; who may not post cannot; and who is out has nothing of what is said from then on.
//!
//! A seed decides everything: lived again, the same happens at the same times (`mark`). Only what a database makes of its
//! pages differs, and decides nothing.

mod acts;
mod bell;
mod cheat;
mod chronicle;
pub mod devices;
mod disk;
mod ending;
mod ground;
mod groups;
pub mod home;
mod life;
mod mood;
mod panics;
mod person;
pub mod service;
mod spoil;
pub mod time;
mod trace;
mod weather;
mod worker;

use std::{
    fmt,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    sync::mpsc,
    time::timeout,
};

use worker::Said;

/// A world that takes longer hangs: less than a second is usual.
const SEED_MAX: Duration = Duration::from_secs(60);
/// Broken seeds after which no more are looked for.
const BROKEN_MAX: usize = 10;

/// Which worlds are lived.
#[derive(clap::Args)]
pub struct Args {
    /// So many worlds
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub seeds: u64,
    /// The seed of the first; the others follow it
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub first: u64,
    /// Only this one, with all its steps
    #[arg(long, value_name = "S", conflicts_with_all = ["seeds", "first"])]
    pub seed: Option<u64>,
    /// Which of all worlds
    #[command(flatten)]
    pub sort: Sort,
    /// Processes at once; as many as there are processors if not said
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=256))]
    pub workers: Option<u64>,
    /// Print one JSON object instead of a sentence
    #[arg(long)]
    pub json: bool,
    /// Be the worker that takes every so-manieth seed
    #[arg(long, hide = true, value_name = "EVERY")]
    pub worker: Option<u64>,
}

/// Which of all worlds are lived. What a seed means depends on it.
#[derive(Clone, Copy, Default, clap::Args, Serialize)]
pub struct Sort {
    /// Only worlds in which everybody has one device
    #[arg(long)]
    pub alone: bool,
    /// Only worlds in which people make groups
    #[arg(long)]
    pub groups: bool,
}

impl Sort {
    /// As they are asked for.
    fn options(self) -> impl Iterator<Item = &'static str> {
        [self.alone.then_some("--alone"), self.groups.then_some("--groups")].into_iter().flatten()
    }
}

/// What came of many worlds.
#[derive(Default, Serialize)]
pub struct Report {
    worlds: u64,
    steps: u64,
    messages: u64,
    connections: u64,
    seconds: f64,
    /// Seeds that broke, and what.
    broken: Vec<(u64, String)>,
    #[serde(flatten)]
    sort: Sort,
}

impl Args {
    /// Whether this process lives the worlds itself.
    pub fn is_worker(&self) -> bool {
        self.seed.is_some() || self.worker.is_some()
    }

    /// Lives the worlds that this process has to.
    ///
    /// # Errors
    /// What was not as it must be.
    pub fn work(&self) -> anyhow::Result<()> {
        match (self.seed, self.worker) {
            (Some(seed), _) => worker::live(seed, self.sort, true).map(drop),
            (None, every) => {
                let every = usize::try_from(every.unwrap_or(1).max(1))?;
                worker::work((self.first..self.first.saturating_add(self.seeds)).step_by(every), self.sort)
            }
        }
    }
}

/// Has the worlds lived, and tells what came of them.
///
/// # Errors
/// When processes cannot be started, or end without having said why.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    let begun = Instant::now();
    let processors = std::thread::available_parallelism().map_or(1, |processors| processors.get() as u64);
    let workers = args.workers.unwrap_or(processors).min(args.seeds.max(1));
    let (sender, mut said) = mpsc::channel(64);
    for number in 0..workers {
        let share = Share {
            next: args.first + number,
            end: args.first.saturating_add(args.seeds),
            every: workers,
            sort: args.sort,
        };
        let sender = sender.clone();
        tokio::spawn(async move {
            if let Err(error) = attend(share, &sender).await {
                let _ = sender.send(Err(error)).await;
            }
        });
    }
    drop(sender);
    let mut report = Report { sort: args.sort, ..Report::default() };
    while let Some(said) = said.recv().await {
        match said? {
            Said::Begun(_) => {}
            Said::Lived(_, life) => {
                report.worlds += 1;
                report.steps += u64::from(life.steps);
                report.messages += life.messages as u64;
                report.connections += life.connections;
            }
            Said::Broken(seed, why) => {
                report.worlds += 1;
                report.broken.push((seed, why));
                if report.broken.len() >= BROKEN_MAX {
                    break;
                }
            }
        }
    }
    report.broken.sort();
    report.seconds = begun.elapsed().as_secs_f64();
    Ok(report)
}

/// The seeds that are left to one worker.
struct Share {
    next: u64,
    end: u64,
    every: u64,
    sort: Sort,
}

/// Has a share lived, and passes on what is said. A seed that hangs, or takes its process with it, counts as broken, and
/// another process goes on after it.
async fn attend(mut share: Share, sender: &mpsc::Sender<anyhow::Result<Said>>) -> anyhow::Result<()> {
    while share.next < share.end {
        let mut worker = start(&share)?;
        let stdout = worker.stdout.take().context("a process without its standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        while share.next < share.end {
            let said = match timeout(SEED_MAX, lines.next_line()).await {
                Ok(line) => line?.map(|line| serde_json::from_str(&line)).transpose()?.ok_or("its process ended"),
                Err(_) => Err("it hangs"),
            };
            let ended = said.is_err();
            let said = said.unwrap_or_else(|why| Said::Broken(share.next, why.to_owned()));
            share.next += if matches!(said, Said::Begun(_)) { 0 } else { share.every };
            if sender.send(Ok(said)).await.is_err() {
                return Ok(());
            }
            if ended {
                break;
            }
        }
    }
    Ok(())
}

fn start(Share { next, end, every, sort }: &Share) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("this program does not know where it is")?;
    let [first, seeds, every] = [*next, end - next, *every].map(|number| number.to_string());
    Command::new(program)
        .args(["world", "--first", &first, "--seeds", &seeds, "--worker", &every])
        .args(sort.options())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("a worker cannot be started")
}

impl Report {
    /// Whether all held in every world.
    pub fn is_clean(&self) -> bool {
        self.broken.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worlds, steps, messages, connections, seconds, broken, sort } = self;
        let sort: String = sort.options().flat_map(|option| [option, " "]).collect();
        for (seed, why) in broken {
            writeln!(f, "seed {seed}: {why}\n  again: cargo run -p undertone-sim -- world {sort}--seed {seed}")?;
        }
        let per_second = *messages as f64 / seconds.max(f64::EPSILON);
        write!(
            f,
            "{worlds} worlds, {} broken: {steps} steps, {messages} messages, {connections} connections, in {seconds:.1} s \
             ({per_second:.0} messages a second)",
            broken.len(),
        )
    }
}
