//! Whether a message costs the same in a service that has many channels.

use anyhow::Context as _;
use rand_chacha::ChaCha20Rng;

use super::{Bench, Section, Unit, filling, messages::measured};
use crate::{
    client::{Keys, Service},
    pairs::{Pace, Pair},
};

/// From one number of channels to the next.
const STEP: u32 = 10;

/// The same number of messages by the same number of pairs, who go on to other channels for each few of them, among 10
/// channels, then 100, and so on.
pub async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let most = bench.sizes.channels;
    let data = bench.program.data()?;
    let channels = filling::channels(&bench.program, data.path(), most, &mut bench.rng).await?;
    let process = bench.program.serve(data.path()).await?;
    let service = Service::at(&process, &mut bench.rng).await?;
    let mut section = Section::new("growth");
    let mut count = STEP;
    let mut first = None;
    while count <= most {
        let channels = channels.get(..count as usize).context("fewer channels")?;
        let messages = bench.sizes.growth_messages;
        let us = among(&service, process.pid(), channels, messages, &mut bench.rng).await?;
        let first = *first.get_or_insert(us);
        section.add(
            &format!("channels_{count}_us"),
            format!("CPU of the service, a message among {count} channels"),
            us,
            Unit::Us,
        );
        if count * STEP > most {
            let percent = 100.0 * (us / first - 1.0);
            section.add(
                "channels_percent",
                format!("CPU of a message, more among {count} channels than among {STEP}"),
                percent,
                Unit::Percent,
            );
            section.target(20.0);
        }
        count *= STEP;
    }
    process.end().await?;
    Ok(section)
}

/// Channels that are written and read at once.
const AT_ONCE: usize = 10;
/// Rounds in which all messages are written; each takes other channels, as far as there are.
const ROUNDS: usize = 20;

async fn among(
    service: &Service,
    pid: u32,
    channels: &[Keys],
    messages: u32,
    rng: &mut ChaCha20Rng,
) -> anyhow::Result<f64> {
    let each = u64::from(messages) / (ROUNDS * AT_ONCE) as u64;
    let step = (channels.len() / AT_ONCE).max(1);
    let (mut us, mut count) = (0.0, 0);
    for round in 0..ROUNDS {
        let mut pairs = Vec::new();
        for place in 0..AT_ONCE {
            // Far from each other, and from those of the last round.
            let keys = channels.get((place * step + round * 7919 % step) % channels.len()).context("a channel")?;
            pairs.push(Pair::over(keys, service, rng).await?);
        }
        let exchanged = measured(pid, &mut pairs, each, Pace::Saturated).await?;
        us += exchanged.service_us * exchanged.messages as f64;
        count += exchanged.messages;
    }
    Ok(us / count as f64)
}
