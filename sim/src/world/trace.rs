//! What happens in a world, step by step: printed when one asks for it, and always hashed, so that two runs of a seed can be
//! held against each other.

use std::{
    fmt::Display,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, Write as _},
};

use tokio::time::Instant;

/// The steps of one world.
pub struct Trace {
    since: Instant,
    printed: bool,
    hasher: DefaultHasher,
}

impl Trace {
    /// Of a world that begins now.
    pub fn new(printed: bool) -> Self {
        Self { since: Instant::now(), printed, hasher: DefaultHasher::new() }
    }

    /// Something happens. It must be told without anything that differs from run to run.
    pub fn note(&mut self, what: impl Display) {
        let what = what.to_string();
        let at_ms = self.since.elapsed().as_millis();
        (at_ms, &what).hash(&mut self.hasher);
        if self.printed {
            // Where nobody reads, nothing has to be written.
            let _ = writeln!(io::stdout(), "{:>12.3} s  {what}", at_ms as f64 / 1000.0);
        }
    }

    /// The same for two worlds in which the same has happened at the same times.
    pub fn mark(&self) -> u64 {
        self.hasher.finish()
    }
}
