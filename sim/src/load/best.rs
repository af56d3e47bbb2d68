//! Arithmetic alone, on one core.

use std::{hint::black_box, time::Duration};

use anyhow::Context as _;

use crate::usage;

/// The least that one of so many calls took of a processor, since other work may disturb; and what the last gave.
pub fn best<T>(times: u32, mut act: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<(T, Duration)> {
    let (mut least, mut last) = (Duration::MAX, None);
    for _ in 0..times {
        let before = usage::thread_cpu();
        last = Some(black_box(act()?));
        least = least.min(usage::thread_cpu().saturating_sub(before));
    }
    Ok((last.context("nothing was measured")?, least))
}

/// The same in microseconds, where only the time is asked for.
pub fn best_us<T>(times: u32, mut act: impl FnMut() -> T) -> anyhow::Result<f64> {
    let (_, took) = best(times, || Ok(act()))?;
    Ok(took.as_secs_f64() * 1e6)
}
