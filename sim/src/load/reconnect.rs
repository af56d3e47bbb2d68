//! What it costs a service that clients come back, all of them.

use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tokio::task::JoinSet;

use crate::{
    client::{Follower, Keys, Service},
    usage,
};

/// So many come at once, as after an outage: enough to keep the service busy.
const AT_ONCE: usize = 16;

/// Processor time of the service for each circuit, in microseconds: handshake, opening one channel to read and to write,
/// following it. The clients know the service's keys, and their channels are in its memory.
pub async fn cpu_us(
    service: &Arc<Service>,
    pid: u32,
    channels: &Arc<[Keys]>,
    rng: &mut ChaCha20Rng,
) -> anyhow::Result<f64> {
    let before = usage::cpu(pid)?;
    let mut tasks = JoinSet::new();
    for first in 0..AT_ONCE {
        let (service, channels, rng) = (service.clone(), channels.clone(), ChaCha20Rng::seed_from_u64(rng.next_u64()));
        tasks.spawn(async move { reconnect(&service, channels.iter().skip(first).step_by(AT_ONCE), rng).await });
    }
    let mut followers = Vec::new();
    while let Some(reconnected) = tasks.join_next().await {
        followers.extend(reconnected??);
    }
    let took = usage::cpu(pid)?.saturating_sub(before);
    Ok(took.as_secs_f64() * 1e6 / followers.len() as f64)
}

async fn reconnect(
    service: &Service,
    channels: impl Iterator<Item = &Keys>,
    mut rng: ChaCha20Rng,
) -> anyhow::Result<Vec<Follower>> {
    let mut followers = Vec::new();
    for keys in channels {
        followers.push(keys.open(service, &mut rng).await?.follow().await?);
    }
    Ok(followers)
}
