//! What a message takes on disks, and how much has to be written for it.

use std::path::Path;

use anyhow::Context as _;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use serde::Serialize;
use tokio::time::{Duration, sleep};

use super::{
    Args,
    cost::Stopwatch,
    say,
    town::{By, TEXT_BYTES, Town, counted_until, length},
};
use crate::{
    client::Service,
    pairs::{BODY_BYTES, Pace, Pair, exchange},
    program::{Program, allow_files},
    usage,
};

/// Pairs of a writer and a reader: one that writes alone, and so many that share the service's commits.
const PAIRS: [u32; 2] = [1, 64];
/// As many go before, unmeasured: what is there once does not count.
const WARMING: u32 = 64;
/// Until a service has written back what it does between requests.
const SETTLING: Duration = Duration::from_millis(1_500);

/// Of one message.
#[derive(Clone, Copy, Serialize)]
pub struct Kept {
    /// Bytes of what was to be kept: a text, or an entry's body.
    pub bytes: usize,
    /// By how much files are longer for it.
    pub kept_bytes: f64,
    /// What was written to the disk for it.
    pub written_bytes: f64,
}

/// Where one person writes, message by message, and where another reads later, all in one go.
pub async fn clients(args: &Args, beside: &Path) -> anyhow::Result<[Kept; 2]> {
    say("the disks of clients");
    let mut town = Town::new(1, args.seed, beside, true).await?;
    town.meet().await?;
    write(&mut town, WARMING).await?;
    // Who has closed his database has all of it in one file.
    town.stop_friends().await;

    town.phone.stop().await;
    let before = town.phone.disk_bytes()?;
    town.phone.home.start()?;
    town.phone.engine()?.sync().await?;
    let watch = Stopwatch::start(&town.phone)?;
    write(&mut town, args.kept).await?;
    let written = watch.read(&town.phone)?.written_bytes;
    town.phone.stop().await;
    let sender = Kept::each(TEXT_BYTES, town.phone.disk_bytes()? - before, written, args.kept);

    let friend = town.friends.first().context("a friend")?;
    let (before, mut watch) = (friend.device.disk_bytes()?, Stopwatch::start(&friend.device)?);
    town.start_friends().await?;
    counted_until(&mut watch, "a friend to read all", || town.has_heard(0)).await?;
    let friend = town.friends.first().context("a friend")?;
    let written = watch.read(&friend.device)?.written_bytes;
    town.stop_friends().await;
    let friend = town.friends.first().context("a friend")?;
    let reader = Kept::each(TEXT_BYTES, friend.device.disk_bytes()? - before, written, args.kept);
    Ok([sender, reader])
}

async fn write(town: &mut Town, messages: u32) -> anyhow::Result<()> {
    for _ in 0..messages {
        town.write(0, By::Phone).await?;
    }
    Ok(())
}

/// At a real service, when one writes at a time and when many do.
pub async fn service(args: &Args, program: &Program) -> anyhow::Result<[Kept; 2]> {
    say("the disk of a service");
    allow_files(1_024)?;
    let rng = &mut ChaCha20Rng::seed_from_u64(args.seed);
    let mut all = Vec::new();
    for pairs_count in PAIRS {
        let data = program.data()?;
        let process = program.serve(data.path()).await?;
        let service = Service::at(&process, rng).await?;
        let mut pairs = Vec::new();
        for _ in 0..pairs_count {
            pairs.push(Pair::meet(&service, rng).await?);
        }
        exchange(&mut pairs, u64::from(WARMING), Pace::Saturated).await?;
        sleep(SETTLING).await;
        let before = (length(data.path())?, usage::written(process.pid())?);
        let each = args.kept_service.div_ceil(pairs_count);
        exchange(&mut pairs, u64::from(each), Pace::Saturated).await?;
        sleep(SETTLING).await;
        let written = usage::written(process.pid())? - before.1;
        drop(pairs);
        process.end().await?;
        let kept = length(data.path())?.saturating_sub(before.0);
        all.push(Kept::each(BODY_BYTES, kept, written, each * pairs_count));
    }
    all.try_into().ok().context("two services")
}

impl Kept {
    fn each(bytes: usize, kept: u64, written: u64, messages: u32) -> Self {
        let each = |total: u64| total as f64 / f64::from(messages);
        Self { bytes, kept_bytes: each(kept), written_bytes: each(written) }
    }
}
