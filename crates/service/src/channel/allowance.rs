//! How often something may be done: once a second, in bursts (GCRA, the leaky bucket as a meter).

use undertone_wire::Now;

/// One more is allowed after so long.
const EVERY_MS: u64 = 1_000;

/// What is left of an allowance.
#[derive(Clone, Copy)]
pub struct Allowance {
    /// When it will be whole again.
    whole_at: Now,
    /// After so long without anything a whole burst is allowed.
    burst_ms: u64,
}

impl Allowance {
    /// A whole one, of so many at once.
    pub fn whole(burst: u32) -> Self {
        Self { whole_at: Now(0), burst_ms: cost_ms(burst) }
    }

    /// How many milliseconds to wait until so many are allowed; 0 if they are.
    pub fn wait_ms(&self, now: Now, count: u32) -> u64 {
        self.spent_ms(now).saturating_add(cost_ms(count)).saturating_sub(self.burst_ms)
    }

    /// Uses it for what has been done.
    pub fn spend(&mut self, now: Now, count: u32) {
        self.whole_at = now.plus_ms(self.spent_ms(now).saturating_add(cost_ms(count)));
    }

    /// Never more than a burst, so that a clock that was set back locks nobody out.
    fn spent_ms(&self, now: Now) -> u64 {
        self.whole_at.0.saturating_sub(now.0).min(self.burst_ms)
    }
}

fn cost_ms(count: u32) -> u64 {
    u64::from(count) * EVERY_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    const BURST: u32 = 32;
    const START: Now = Now(1_795_000_000_000);

    #[test]
    fn a_burst_and_then_one_a_second() {
        let mut allowance = Allowance::whole(BURST);
        for _ in 0..BURST {
            assert_eq!(allowance.wait_ms(START, 1), 0);
            allowance.spend(START, 1);
        }
        assert_eq!(allowance.wait_ms(START, 1), 1_000);
        assert_eq!(allowance.wait_ms(START.plus_ms(400), 1), 600);
        assert_eq!(allowance.wait_ms(START.plus_ms(400), 3), 2_600);
        assert_eq!(allowance.wait_ms(START.plus_ms(1_000), 1), 0);
        allowance.spend(START.plus_ms(1_000), 1);
        assert_eq!(allowance.wait_ms(START.plus_ms(1_000), 1), 1_000);
        assert_eq!(allowance.wait_ms(START.plus_ms(1_000 + cost_ms(BURST)), BURST), 0);
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let mut allowance = Allowance::whole(BURST);
        allowance.spend(START, BURST);
        assert_eq!(allowance.wait_ms(Now(0), 1), 1_000);
        assert_eq!(allowance.wait_ms(Now(u64::MAX), BURST), 0);
    }
}
