//! Pairs: a writer and a reader of one channel, each on a circuit of its own, exchanging messages that carry the time at
//! which they were sent.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tokio::{task::JoinSet, time::sleep_until};
use undertone_wire::channel::Entry;

use crate::{
    client::{Follower, Keys, Opened, Service, idempotency_id},
    latencies::Latencies,
};

/// A message's body: the smallest bucket.
pub const BODY_BYTES: usize = 256;
/// Microseconds, big-endian, at the beginning of a body.
const STAMP_BYTES: usize = 8;

/// How fast writers write.
#[derive(Clone, Copy)]
pub enum Pace {
    /// The next message as soon as the last was acknowledged.
    Saturated,
    /// So many a second, of all pairs together, evenly spread.
    PerSecond(f64),
}

/// A writer and a reader.
pub struct Pair {
    writer: Opened,
    reader: Follower,
    rng: ChaCha20Rng,
}

/// What became of all messages of an exchange.
pub struct Exchange {
    /// From the first message to the last delivery.
    pub took: Duration,
    /// From a message's due time to its delivery.
    pub delivered: Latencies,
    /// From a message's due time to its acknowledgement.
    pub acknowledged: Latencies,
}

impl Pair {
    /// A pair over a new channel.
    pub async fn meet(service: &Service, rng: &mut ChaCha20Rng) -> anyhow::Result<Self> {
        Self::over(&Keys::create(service, rng).await?, service, rng).await
    }

    /// A pair over a channel that is there.
    pub async fn over(keys: &Keys, service: &Service, rng: &mut ChaCha20Rng) -> anyhow::Result<Self> {
        let writer = keys.open(service, rng).await?;
        let reader = keys.open(service, rng).await?.follow().await?;
        Ok(Self { writer, reader, rng: ChaCha20Rng::seed_from_u64(rng.next_u64()) })
    }
}

/// Has each pair exchange `each` messages. Every one is checked to arrive once and in order.
pub async fn exchange(pairs: &mut Vec<Pair>, each: u64, pace: Pace) -> anyhow::Result<Exchange> {
    let begin = Instant::now();
    let count = pairs.len();
    let mut tasks = JoinSet::new();
    for (place, mut pair) in pairs.drain(..).enumerate() {
        let schedule = Schedule::new(begin, pace, place, count);
        tasks.spawn(async move {
            let (acknowledged, delivered) = pair.exchange(each, &schedule).await?;
            anyhow::Ok((pair, acknowledged, delivered))
        });
    }
    let mut exchange =
        Exchange { took: Duration::ZERO, delivered: Latencies::default(), acknowledged: Latencies::default() };
    while let Some(done) = tasks.join_next().await {
        let (pair, acknowledged, delivered) = done??;
        exchange.acknowledged.append(acknowledged);
        exchange.delivered.append(delivered);
        pairs.push(pair);
    }
    exchange.took = begin.elapsed();
    Ok(exchange)
}

impl Pair {
    async fn exchange(&mut self, messages: u64, schedule: &Schedule) -> anyhow::Result<(Latencies, Latencies)> {
        let Self { writer, reader, rng } = self;
        let last = reader.seen() + messages;
        tokio::try_join!(write(writer, rng, last, reader.seen(), schedule), read(reader, last, schedule))
    }
}

async fn write(
    writer: &Opened,
    rng: &mut ChaCha20Rng,
    last: u64,
    seen: u64,
    schedule: &Schedule,
) -> anyhow::Result<Latencies> {
    let mut acknowledged = Latencies::default();
    for (number, expected) in (0..).zip(seen + 1..=last) {
        let sent = schedule.turn(number).await;
        let seq = writer.append(body(sent.duration_since(schedule.begin), rng), idempotency_id(rng)).await?;
        acknowledged.record(sent.elapsed());
        if seq != expected {
            bail!("the service numbered a message {seq} and not {expected}");
        }
    }
    Ok(acknowledged)
}

async fn read(reader: &mut Follower, last: u64, schedule: &Schedule) -> anyhow::Result<Latencies> {
    let mut delivered = Latencies::default();
    while reader.seen() < last {
        for entry in reader.next().await? {
            delivered.record(schedule.begin.elapsed().saturating_sub(sent(&entry)?));
        }
    }
    Ok(delivered)
}

fn body(stamp: Duration, rng: &mut ChaCha20Rng) -> Bytes {
    let mut body = vec![0; BODY_BYTES];
    rng.fill_bytes(&mut body);
    if let Some((place, _)) = body.split_first_chunk_mut::<STAMP_BYTES>() {
        *place = u64::try_from(stamp.as_micros()).unwrap_or(u64::MAX).to_be_bytes();
    }
    body.into()
}

fn sent(entry: &Entry) -> anyhow::Result<Duration> {
    let (stamp, _) = entry.body.split_first_chunk::<STAMP_BYTES>().context("an entry lost its body")?;
    Ok(Duration::from_micros(u64::from_be_bytes(*stamp)))
}

/// When one writer's messages are due.
struct Schedule {
    begin: Instant,
    /// Its first, and the time between two; none if it does not wait.
    regular: Option<(Instant, Duration)>,
}

impl Schedule {
    fn new(begin: Instant, pace: Pace, place: usize, pairs: usize) -> Self {
        let regular = match pace {
            Pace::Saturated => None,
            Pace::PerSecond(rate) => {
                let all = Duration::from_secs_f64(pairs as f64 / rate);
                Some((begin + all.mul_f64(place as f64 / pairs as f64), all))
            }
        };
        Self { begin, regular }
    }

    /// Waits for a message's turn, and says from when on it is timed: from now, but if its turn has passed while the last
    /// one was under way, from then on. Otherwise a service that stalls would be asked less, and look fast.
    async fn turn(&self, number: u32) -> Instant {
        let Some((first, interval)) = self.regular else {
            return Instant::now();
        };
        let due = first + interval * number;
        if due <= Instant::now() {
            return due;
        }
        sleep_until(due.into()).await;
        Instant::now()
    }
}

#[cfg(test)]
mod tests {
    use undertone_store::memory::MemoryChannels;

    use super::*;
    use crate::house;

    #[tokio::test]
    async fn pairs_exchange_messages_through_a_service() {
        let rng = &mut ChaCha20Rng::seed_from_u64(3);
        let service = house::open(MemoryChannels::default(), rng).await.unwrap();
        let mut pairs = Vec::new();
        for _ in 0..3 {
            pairs.push(Pair::meet(&service, rng).await.unwrap());
        }
        for pace in [Pace::Saturated, Pace::PerSecond(1_000.0)] {
            let exchange = exchange(&mut pairs, 20, pace).await.unwrap();
            assert_eq!([exchange.delivered.len(), exchange.acknowledged.len()], [60, 60]);
            assert!(exchange.delivered.quantiles().max > 0.0);
        }
        assert!(pairs.len() == 3 && pairs.iter().all(|pair| pair.reader.seen() == 40));
    }
}
