//! What it costs a service that a phone with many chats comes back: proving its keys anew, or by tickets.

use rand_chacha::ChaCha20Rng;
use serde::Serialize;

use crate::{
    client::{Keys, Service, open_all, resume_all},
    usage,
};

/// Chats of one phone.
const CHANNELS: usize = 300;
/// Times that it comes back. Processor time is counted in steps of 10 ms, and tickets cost little.
const RETURNS: u32 = 60;

/// Processor time of the service for each return, handshake included, in microseconds.
#[derive(Serialize)]
pub struct Phone {
    /// How many channels it opens.
    pub channels: usize,
    /// By signatures, to read and to write.
    pub signatures_cpu_us: f64,
    /// By tickets.
    pub tickets_cpu_us: f64,
}

/// Measures both, with as many of the channels as a phone has.
pub async fn phone(service: &Service, pid: u32, channels: &[Keys], rng: &mut ChaCha20Rng) -> anyhow::Result<Phone> {
    let channels = channels.get(..CHANNELS).unwrap_or(channels);
    // The first time, channels come into the service's memory.
    let tickets = open_all(service, channels, rng).await?;
    let begun = usage::cpu(pid)?;
    for _ in 0..RETURNS {
        open_all(service, channels, rng).await?;
    }
    let by_signatures = usage::cpu(pid)?;
    for _ in 0..RETURNS {
        resume_all(service, &tickets, rng).await?;
    }
    let by_tickets = usage::cpu(pid)?;
    let each = |from, to: std::time::Duration| to.saturating_sub(from).as_secs_f64() * 1e6 / f64::from(RETURNS);
    Ok(Phone {
        channels: channels.len(),
        signatures_cpu_us: each(begun, by_signatures),
        tickets_cpu_us: each(by_signatures, by_tickets),
    })
}
