//! What it costs a service that clients come back, all of them.

use rand_chacha::ChaCha20Rng;

use crate::{
    client::{Keys, Service},
    usage,
};

/// Processor time of the service for each circuit, in microseconds: handshake, opening one channel to read and to write,
/// following it. The clients know the service's keys, and their channels are in its memory.
pub async fn cpu_us(service: &Service, pid: u32, channels: &[Keys], rng: &mut ChaCha20Rng) -> anyhow::Result<f64> {
    let before = usage::cpu(pid)?;
    let mut followers = Vec::new();
    for keys in channels {
        followers.push(keys.open(service, rng).await?.follow().await?);
    }
    let took = usage::cpu(pid)?.saturating_sub(before);
    Ok(took.as_secs_f64() * 1e6 / channels.len() as f64)
}
