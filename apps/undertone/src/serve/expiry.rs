//! Forgetting what has expired: at the start, and then every hour.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{Planes, going_away};
use crate::clock::now;

/// Expiry is by days, so an hour is how long something may outlive its last day.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Runs until the service goes away. What fails is tried again an hour later.
pub async fn run(planes: &Planes, draining: watch::Receiver<bool>) {
    let mut hours = interval(EVERY);
    hours.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let expiring = async {
        loop {
            hours.tick().await;
            expire(planes).await;
        }
    };
    tokio::select! {
        () = going_away(draining) => {}
        () = expiring => {}
    }
}

async fn expire(planes: &Planes) {
    if let Err(error) = planes.accounts.expire(now()).await {
        tracing::error!(plane = "accounts", %error, "what has expired is still there");
    }
    if let Err(error) = planes.channels.expire(now()).await {
        tracing::error!(plane = "channels", %error, "what has expired is still there");
    }
    if let Err(error) = planes.blobs.expire(now()).await {
        tracing::error!(plane = "blobs", %error, "what has expired is still there");
    }
}
