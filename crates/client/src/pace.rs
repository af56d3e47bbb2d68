//! Pace and clock: every delay and every moment in one place, so that a test or a demo can choose them.
//!
//! Delays protect people: circuits that start together, or an answer that follows its question at once, tell an observer
//! who belongs to whom. docs/protocol.md lists what each is for.

use std::{ops::RangeInclusive, time::Duration};

use rand::RngExt as _;
use rand_core::CryptoRng;
use undertone_wire::Now;

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Now;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Now(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A delay: chosen evenly from a range of milliseconds, each time anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delay(RangeInclusive<u64>);

impl Delay {
    /// From `min` to `max` milliseconds.
    pub const fn ms(min: u64, max: u64) -> Self {
        Self(min..=max)
    }

    /// What waits before the so-manieth repetition: its beginning doubled each time, up to its end.
    pub(crate) fn backoff_ms(&self, repetition: u32) -> u64 {
        self.0.start().saturating_mul(1 << repetition.min(30)).min(*self.0.end())
    }

    /// For the so-manieth failure in a row: its beginning doubled each time, up to its end; half of it is chance.
    pub(crate) fn backoff(&self, failures: u32) -> Self {
        let full = self.0.start().saturating_mul(1 << failures.min(20)).min(*self.0.end());
        Self::ms(full / 2, full)
    }

    /// The longest of them, in milliseconds.
    pub(crate) const fn max_ms(&self) -> u64 {
        *self.0.end()
    }

    /// One of them, in milliseconds.
    pub fn draw_ms(&self, rng: &mut dyn CryptoRng) -> u64 {
        rng.random_range(self.0.clone())
    }

    /// One of them.
    pub fn draw(&self, rng: &mut dyn CryptoRng) -> Duration {
        Duration::from_millis(self.draw_ms(rng))
    }
}

/// All delays of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Between circuits of different planes or purposes, so that none starts where another ends.
    pub between_circuits: Delay,
    /// From an acceptance to the first use of the channel, so that it does not follow the reading of an inbox.
    pub after_acceptance: Delay,
    /// From the making of an empty channel to its opening, so that a chat which begins in it opens nothing.
    pub before_opening: Delay,
    /// From one reading of our inbox to the next.
    pub inbox: Delay,
    /// The same for a while after a device was linked, when a person waits for its chats.
    pub inbox_while_linking: Delay,
    /// After a failure to reach the service, doubled with each in a row up to its end.
    pub retry: Delay,
    /// Between two times that a device which has lost its way in a chat asks for it, doubled each time up to its end.
    pub ask: Delay,
    /// From one writing of the vault to the next.
    pub vault: Delay,
    /// From one batch of blind tokens to the next.
    pub tokens: Delay,
    /// From a batch that an act has waited for to that act, so that it does not follow the visit that paid for it.
    pub after_tokens: Delay,
    /// From what a chat is to be told besides messages to a note that tells it, each chat's at a time of its own.
    pub note: Delay,
    /// From the news of somebody's profile to its fetching.
    pub profile: Delay,
    /// Self-updates of one chat are at least so far apart.
    pub self_update_ms: u64,
    /// Empty channels kept ready.
    pub stock: usize,
    /// From a place in the stock that became free to the channel that fills it.
    pub restock: Delay,
    /// Circuits over which channels are spread.
    pub channel_circuits: usize,
}

impl Pace {
    /// What protects people.
    pub const fn normal() -> Self {
        Self {
            between_circuits: Delay::ms(300, 2_000),
            after_acceptance: Delay::ms(5_000, 60_000),
            before_opening: Delay::ms(60_000, 1_200_000),
            inbox: Delay::ms(120_000, 360_000),
            inbox_while_linking: Delay::ms(10_000, 30_000),
            retry: Delay::ms(500, 60_000),
            ask: Delay::ms(60_000, 86_400_000),
            vault: Delay::ms(60_000, 600_000),
            tokens: Delay::ms(57_600_000, 115_200_000),
            after_tokens: Delay::ms(5_000, 60_000),
            note: Delay::ms(10_000, 90_000),
            profile: Delay::ms(30_000, 900_000),
            self_update_ms: 600_000,
            stock: 3,
            restock: Delay::ms(30_000, 3_600_000),
            channel_circuits: 3,
        }
    }

    /// Without protective delays: for demos, tests and impatient people on their own service.
    pub const fn eager() -> Self {
        Self {
            between_circuits: Delay::ms(0, 0),
            after_acceptance: Delay::ms(0, 0),
            before_opening: Delay::ms(200, 300),
            inbox: Delay::ms(200, 300),
            inbox_while_linking: Delay::ms(200, 300),
            retry: Delay::ms(50, 1_000),
            ask: Delay::ms(500, 30_000),
            vault: Delay::ms(0, 0),
            tokens: Delay::ms(21_600_000, 43_200_000),
            after_tokens: Delay::ms(0, 0),
            note: Delay::ms(1_500, 3_000),
            profile: Delay::ms(0, 0),
            self_update_ms: 2_000,
            stock: 1,
            restock: Delay::ms(0, 0),
            channel_circuits: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_stay_in_their_range() {
        let mut rng = rand::make_rng::<rand::rngs::StdRng>();
        for _ in 0..100 {
            assert!((5..=9).contains(&Delay::ms(5, 9).draw_ms(&mut rng)));
        }
        assert_eq!(Delay::ms(0, 0).draw_ms(&mut rng), 0);
    }

    /// The table in docs/protocol.md promises these.
    #[test]
    fn normal_never_answers_at_once() {
        let pace = Pace::normal();
        for delay in [
            &pace.between_circuits,
            &pace.after_acceptance,
            &pace.before_opening,
            &pace.inbox,
            &pace.restock,
            &pace.note,
            &pace.profile,
        ] {
            assert!(*delay.0.start() > 0 && delay.0.start() < delay.0.end());
        }
        assert_eq!(pace.self_update_ms, 10 * 60 * 1_000);
    }
}
