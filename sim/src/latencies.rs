//! Latencies, all of them: a run is bounded, so none has to be rounded into a bucket.

use std::time::Duration;

use serde::Serialize;

/// What has been measured so far, in microseconds.
#[derive(Default)]
pub struct Latencies(Vec<u32>);

/// What is told of many latencies, in milliseconds.
#[derive(Clone, Copy, Serialize)]
pub struct Quantiles {
    /// Half took no longer.
    pub p50: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Latencies {
    /// Adds one, of an hour at most.
    pub fn record(&mut self, latency: Duration) {
        self.0.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    /// Adds all of another.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// By nearest rank; zeros if there are none.
    pub fn quantiles(mut self) -> Quantiles {
        self.0.sort_unstable();
        let at = |percent: usize| {
            let rank = (self.0.len() * percent).div_ceil(100);
            let us = self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default();
            f64::from(us) / 1e3
        };
        Quantiles { p50: at(50), p99: at(99), max: at(100) }
    }
}

/// The middle one, by nearest rank; 0 if there are none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_definition() {
        let mut latencies = Latencies::default();
        for ms in (1..=200).rev() {
            latencies.record(Duration::from_millis(ms));
        }
        let Quantiles { p50, p99, max } = latencies.quantiles();
        assert_eq!([p50, p99, max], [100.0, 198.0, 200.0]);
        assert_eq!(Latencies::default().quantiles().max, 0.0);
    }

    #[test]
    fn the_median_is_a_value_that_was_measured() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 2.0);
        assert_eq!(median(vec![]), 0.0);
    }
}
