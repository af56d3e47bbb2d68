//! The moment, asked for at the edge alone.

use std::sync::atomic::{AtomicU64, Ordering};

use undertone_client::{Clock, SystemClock};
use undertone_wire::Now;

const DAY_MS: u64 = 86_400_000;

/// Set once, before anything asks.
static AHEAD_MS: AtomicU64 = AtomicU64::new(0);

/// Sets this process's clock ahead of the machine's, so that a test needs no months to see what months do.
pub fn set_ahead(days: u32) {
    AHEAD_MS.store(u64::from(days) * DAY_MS, Ordering::Relaxed);
}

/// Now.
pub fn now() -> Now {
    ProcessClock.now()
}

/// This process's clock.
pub struct ProcessClock;

impl Clock for ProcessClock {
    fn now(&self) -> Now {
        SystemClock.now().plus_ms(AHEAD_MS.load(Ordering::Relaxed))
    }
}
