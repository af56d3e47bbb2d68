//! How often a channel's position may move: one commit a second, in bursts (GCRA, the leaky bucket as a meter).

use undertone_wire::{Now, limits::COMMIT_BURST};

/// One more commit is allowed after so long.
const COMMIT_EVERY_MS: u64 = 1_000;
/// After so long without commits a whole burst is allowed.
const BURST_MS: u64 = COMMIT_BURST as u64 * COMMIT_EVERY_MS;

/// What is left of a channel's allowance.
#[derive(Clone, Copy)]
pub struct Allowance {
    /// When it will be whole again.
    whole_at: Now,
}

impl Allowance {
    /// A whole one.
    pub fn whole() -> Self {
        Self { whole_at: Now(0) }
    }

    /// How many milliseconds to wait until `commits` are allowed; 0 if they are.
    pub fn wait_ms(&self, now: Now, commits: u32) -> u64 {
        self.spent_ms(now).saturating_add(cost_ms(commits)).saturating_sub(BURST_MS)
    }

    /// Uses it for commits that have been made.
    pub fn spend(&mut self, now: Now, commits: u32) {
        self.whole_at = now.plus_ms(self.spent_ms(now).saturating_add(cost_ms(commits)));
    }

    /// Never more than a burst, so that a clock that was set back does not lock a channel.
    fn spent_ms(&self, now: Now) -> u64 {
        self.whole_at.0.saturating_sub(now.0).min(BURST_MS)
    }
}

fn cost_ms(commits: u32) -> u64 {
    u64::from(commits) * COMMIT_EVERY_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Now = Now(1_795_000_000_000);

    #[test]
    fn a_burst_and_then_one_a_second() {
        let mut allowance = Allowance::whole();
        for _ in 0..COMMIT_BURST {
            assert_eq!(allowance.wait_ms(START, 1), 0);
            allowance.spend(START, 1);
        }
        assert_eq!(allowance.wait_ms(START, 1), 1_000);
        assert_eq!(allowance.wait_ms(START.plus_ms(400), 1), 600);
        assert_eq!(allowance.wait_ms(START.plus_ms(400), 3), 2_600);
        assert_eq!(allowance.wait_ms(START.plus_ms(1_000), 1), 0);
        allowance.spend(START.plus_ms(1_000), 1);
        assert_eq!(allowance.wait_ms(START.plus_ms(1_000), 1), 1_000);
        assert_eq!(allowance.wait_ms(START.plus_ms(1_000 + BURST_MS), COMMIT_BURST), 0);
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let mut allowance = Allowance::whole();
        allowance.spend(START, COMMIT_BURST);
        assert_eq!(allowance.wait_ms(Now(0), 1), 1_000);
        assert_eq!(allowance.wait_ms(Now(u64::MAX), COMMIT_BURST), 0);
    }
}
