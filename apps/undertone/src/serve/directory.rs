//! Publishing the directory: at the start, and then whenever something is due.

use std::{num::NonZeroUsize, thread::available_parallelism, time::Duration};

use rand::rngs::StdRng;
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};
use undertone_service::Workers;

use super::{Planes, going_away};
use crate::clock::now;

/// What is due is due by the day.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Runs until the service goes away. What fails is tried again an hour later; what was published before answers meanwhile.
pub async fn run(planes: &Planes, draining: watch::Receiver<bool>) {
    let mut hours = interval(EVERY);
    hours.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let publishing = async {
        let mut rng = rand::make_rng::<StdRng>();
        loop {
            hours.tick().await;
            if let Err(error) = planes.directory.publish(now(), &mut rng).await {
                tracing::error!(%error, "the directory is as it was");
            }
        }
    };
    tokio::select! {
        () = going_away(draining) => {}
        () = publishing => {}
    }
}

/// Threads that a base is made by: one is left for those who chat.
pub fn threads() -> NonZeroUsize {
    let all = available_parallelism().map_or(1, NonZeroUsize::get);
    NonZeroUsize::new(all.saturating_sub(1)).unwrap_or(NonZeroUsize::MIN)
}

/// Threads of the runtime that may block.
pub fn workers() -> Workers {
    Box::new(|work| drop(spawn_blocking(work)))
}
