//! The time of a world. It passes with tokio's, which passes when everybody waits; days are slept through by all at once;
//! and everybody has a clock of his own, which may be wrong.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use tokio::time::Instant;
use undertone_client::Clock;
use undertone_wire::Now;

/// When every world begins: 2030-01-01, in milliseconds.
pub const BEGIN_MS: u64 = 1_893_456_000_000;
/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;

/// What the time really is.
pub struct Time {
    since: Instant,
    slept_ms: AtomicI64,
}

impl Time {
    /// A world that begins at this moment of its first day.
    pub fn new(of_day_ms: i64) -> Arc<Self> {
        Arc::new(Self { since: Instant::now(), slept_ms: AtomicI64::new(of_day_ms) })
    }

    /// Lets so much time pass in which nobody does anything.
    pub fn sleep(&self, ms: i64) {
        self.slept_ms.fetch_add(ms, Ordering::Relaxed);
    }

    fn passed_ms(&self) -> i64 {
        let awake = i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX);
        awake.saturating_add(self.slept_ms.load(Ordering::Relaxed))
    }
}

impl Clock for Time {
    fn now(&self) -> Now {
        Now(BEGIN_MS.saturating_add_signed(self.passed_ms()))
    }
}

/// Somebody's clock.
pub struct Watch {
    time: Arc<Time>,
    off_ms: AtomicI64,
}

impl Watch {
    /// One that is right.
    pub fn new(time: &Arc<Time>) -> Arc<Self> {
        Arc::new(Self { time: time.clone(), off_ms: AtomicI64::new(0) })
    }

    /// Sets it so far ahead of what is right, or behind.
    pub fn set_off(&self, ms: i64) {
        self.off_ms.store(ms, Ordering::Relaxed);
    }
}

impl Clock for Watch {
    fn now(&self) -> Now {
        Now(self.time.now().0.saturating_add_signed(self.off_ms.load(Ordering::Relaxed)))
    }
}
