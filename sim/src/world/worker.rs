//! A process that lives worlds, one after the other. Each has a runtime of its own, on this one thread, and time that passes
//! when everybody waits.

use std::{
    io::{self, Write as _},
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use serde::{Deserialize, Serialize};
use tokio::runtime::Builder;

use super::{
    Sort, disk,
    ground::Ground,
    life::{Life, World},
    panics,
};

/// What a worker says, one in a line.
#[derive(Serialize, Deserialize)]
pub enum Said {
    /// It begins with this seed.
    Begun(u64),
    /// All held.
    Lived(u64, Life),
    /// Something did not.
    Broken(u64, String),
}

/// Lives these seeds, and says so on standard output.
///
/// # Errors
/// When nobody reads that.
pub fn work(seeds: impl Iterator<Item = u64>, sort: Sort) -> anyhow::Result<()> {
    panics::count();
    let ground = ground()?;
    for seed in seeds {
        say(&Said::Begun(seed))?;
        let said = match live_on(&ground, seed, sort, false) {
            Ok(life) => Said::Lived(seed, life),
            Err(error) => Said::Broken(seed, format!("{error:#}")),
        };
        say(&said)?;
    }
    Ok(())
}

/// Lives one seed, and prints its steps if that is wanted.
///
/// # Errors
/// What was not as it must be.
pub fn live(seed: u64, sort: Sort, printed: bool) -> anyhow::Result<Life> {
    live_on(&ground()?, seed, sort, printed)
}

fn live_on(ground: &Arc<Ground>, seed: u64, sort: Sort, printed: bool) -> anyhow::Result<Life> {
    panics::COUNT.store(0, Ordering::Relaxed);
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build()?;
    runtime.block_on(async {
        disk::survive_refusals()?;
        World::new(seed, sort, ground, printed).await?.live().await
    })
}

/// Where homes stand: in memory where the system has such a place, for no world is about disks that lose their power.
fn ground() -> anyhow::Result<Arc<Ground>> {
    let runtime = Builder::new_current_thread().start_paused(true).enable_time().build()?;
    let _context = runtime.enter();
    let memory = Path::new("/dev/shm");
    Ground::new(memory.is_dir().then_some(memory))
}

fn say(said: &Said) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, said)?;
    stdout.write_all(b"\n")?;
    Ok(stdout.flush()?)
}
