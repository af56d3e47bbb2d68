//! The time of a story: it passes with tokio's, and can be set.

use std::sync::{
    LazyLock,
    atomic::{AtomicI64, Ordering},
};

use tokio::time::Instant;
use undertone_client::{Clock, SystemClock};
use undertone_wire::Now;

const DAY_MS: i64 = 86_400_000;

/// A clock that its owner can set.
pub struct StoryClock {
    since: Instant,
    off_ms: AtomicI64,
}

impl StoryClock {
    /// One that is right.
    pub fn new() -> Self {
        Self { since: Instant::now(), off_ms: AtomicI64::new(0) }
    }

    /// Sets it so many days off what is right.
    pub fn set_off(&self, days: i64) {
        self.off_ms.store(days * DAY_MS, Ordering::Relaxed);
    }
}

impl Clock for StoryClock {
    fn now(&self) -> Now {
        static START: LazyLock<Now> = LazyLock::new(|| SystemClock.now());
        let passed_ms = i64::try_from(self.since.elapsed().as_millis()).unwrap();
        Now(START.0.saturating_add_signed(passed_ms + self.off_ms.load(Ordering::Relaxed)))
    }
}
