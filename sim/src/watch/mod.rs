//! The adversary: a service that records everything, and what can be made of that.
//!
//! ```text
//!   mod         worlds, attacks, and the table of how far they came
//!    |
//!   life        a world that is lived through the service     cast      who is there, when, and talks to whom
//!    |                                                        measures  what protects people, left out one by one
//!   service     keeps to its rules, and records
//!    |
//!   record      what it has in the end                        truth     who was who: for judges alone
//!    |                                                           |
//!   stored      the files, as a thief reads them                 |
//!   traffic     the frames, read                                 |
//!    |                                                           |
//!   still, live    attacks: who may be tied to what,     ---> attack    judges answers
//!                  and what speaks for it                     model     learns what counts, from another world
//!                                                             ranking   AUC, top-1, chance
//! ```
//!
//! **The adversary** is the operator who keeps all that he ever gets: each request with its time, circuit and address, and
//! his files. He knows the program, and how worlds like this one go: he lived others, in which he knew everybody. He does
//! not break the rules, which is another attack (`sim world`), and has no friends among the people.
//!
//! **The people** sleep at night, look at their devices now and then, most in the evening, talk in bursts, and meet
//! strangers all through the time. Each has one device with one address that never changes, the best that the adversary
//! can wish for; *behind doors* each connection comes from one of a few that all share.
//!
//! Attacks get the record and nothing else: that is their type. Each world is judged by what was learnt from another one.

mod attack;
mod cast;
mod life;
mod live;
mod measures;
mod model;
mod ranking;
mod record;
mod report;
mod service;
mod still;
mod stored;
mod traffic;
mod truth;

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use anyhow::{Context as _, ensure};
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;

use attack::{Question, Task, judge};
use cast::Scale;
use life::Lived;
use live::Analyst;
use measures::Without;
use ranking::Ranked;
use record::Addresses;
pub use report::Report;
use report::{Costs, Figure, View};
use traffic::Traffic;

/// How much is lived and attacked.
#[derive(Clone, clap::Args)]
pub struct Args {
    /// People, each with one device
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(4..=200))]
    people: u16,
    /// Chats of each; an even number
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(2..=50))]
    chats: u16,
    /// Messages of all, about
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(10..=50_000))]
    messages: u32,
    /// Days that a world lasts
    #[arg(long, value_name = "D", default_value_t = 14, value_parser = clap::value_parser!(u16).range(2..=60))]
    days: u16,
    /// Everybody joins within so many of them
    #[arg(long, value_name = "D", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=60))]
    joining: u16,
    /// Devices stay connected when nobody looks at them
    #[arg(long)]
    always_on: bool,
    /// What protects people and is left out
    #[arg(long, value_enum, default_value_t = Without::Nothing)]
    without: Without,
    /// Worlds of different seeds; each is attacked with what was learnt from the next
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(2..=20))]
    worlds: u16,
    /// The seed of the first; the others follow it
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Lives the worlds, attacks them, and tells how far that came.
///
/// # Errors
/// When a world goes wrong: nothing in it should.
pub fn run(args: &Args) -> anyhow::Result<Report> {
    let begun = Instant::now();
    let scale = Scale {
        people: args.people.into(),
        chats: usize::from(args.chats).min(usize::from(args.people) - 2),
        messages: usize::try_from(args.messages)?,
        days: args.days.into(),
        joining_days: args.joining.min(args.days).into(),
        always_on: args.always_on,
    };
    let worlds = lived(args, &scale)?;
    let mut figures = attacked_stored(&worlds);
    for addresses in [Addresses::Known, Addresses::Doors] {
        figures.extend(attacked_live(&worlds, addresses));
    }
    Ok(Report {
        scale,
        without: args.without,
        seed: args.seed,
        worlds: worlds.len(),
        messages: worlds.iter().map(|world| world.messages).sum(),
        costs: Costs::of(&worlds, &scale),
        figures,
        seconds: begun.elapsed().as_secs_f64(),
    })
}

/// As many at once as there are processors.
fn lived(args: &Args, scale: &Scale) -> anyhow::Result<Vec<Lived>> {
    let worlds = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    let processors = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..processors.min(args.worlds.into()) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= usize::from(args.worlds) {
                        return;
                    }
                    let lived = life::live(args.seed + number as u64, scale, &args.without.pace());
                    worlds.lock().unwrap_or_else(PoisonError::into_inner).push((number, lived));
                }
            });
        }
    });
    let mut worlds = worlds.into_inner().unwrap_or_else(PoisonError::into_inner);
    ensure!(worlds.len() == usize::from(args.worlds), "a world ended in a panic");
    worlds.sort_by_key(|(number, _)| *number);
    worlds.into_iter().map(|(number, lived)| lived.with_context(|| format!("world {number}"))).collect()
}

/// What the files alone tell.
fn attacked_stored(worlds: &[Lived]) -> Vec<Figure> {
    let ask = |task| worlds.iter().map(|world| still::questions(&world.record.stored, task)).collect::<Vec<_>>();
    Task::ALL.into_iter().filter_map(|task| figure(View::Stored, task, &ask(task), worlds)).collect()
}

/// What live traffic tells.
fn attacked_live(worlds: &[Lived], addresses: Addresses) -> Vec<Figure> {
    let seen = |(number, world): (usize, &Lived)| match addresses {
        Addresses::Known => world.record.clone(),
        Addresses::Doors => world.record.behind_doors(&mut ChaCha20Rng::seed_from_u64(number as u64)),
    };
    let records: Vec<_> = worlds.iter().enumerate().map(seen).collect();
    let traffic: Vec<_> = records.iter().map(|record| Traffic::of(record, addresses)).collect();
    let learnt = traffic.iter().zip(worlds).map(|(traffic, world)| Analyst::learn(traffic, &world.truth, addresses));
    let analysts: Vec<_> = learnt.collect();
    // Each looks at the world before his own, whose judge then learns from how the next one looked at his.
    let looks = traffic.iter().enumerate().filter_map(|(number, traffic)| Some(next(&analysts, number)?.look(traffic)));
    let looks: Vec<_> = looks.collect();
    let view = if addresses == Addresses::Known { View::Live } else { View::Doors };
    let ask = |task| looks.iter().map(|look| look.questions(task)).collect::<Vec<_>>();
    Task::ALL.into_iter().filter_map(|task| figure(view, task, &ask(task), worlds)).collect()
}

/// None: the view says nothing of it.
fn figure(view: View, task: Task, asked: &[Vec<Question>], worlds: &[Lived]) -> Option<Figure> {
    let mut ranked: Vec<Ranked> = Vec::new();
    for (number, (questions, world)) in asked.iter().zip(worlds).enumerate() {
        let (learnt, other) = (next(asked, number)?, next(worlds, number)?);
        ranked.extend(judge(task, (learnt, &other.truth), (questions, &world.truth)));
    }
    (!ranked.is_empty()).then(|| Figure { view, task, success: attack::success(&ranked) })
}

/// What comes after, in a ring.
fn next<T>(ring: &[T], number: usize) -> Option<&T> {
    ring.get((number + 1) % ring.len().max(1))
}
