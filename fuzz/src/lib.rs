//! Every parser of outside bytes, as a plain function of bytes: whatever comes in, it returns.
//!
//! A [`Target`] is such a function with inputs that real encoders made. The program of this package changes these and
//! runs them, on any toolchain and reproducibly; a fuzzer that watches coverage calls the same functions (README.md).
//!
//! A target panics for two reasons: something below it does, or what it says of every input does not hold (what was
//! read reads the same when written again, for one). Both are mistakes of ours.

mod mutate;
mod people;
mod run;
mod targets;

pub use run::{Failure, Look, Runs, run, run_on};
pub use targets::TARGETS;

/// A parser, and inputs to begin with.
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// Takes any bytes.
    pub run: fn(&[u8]),
    /// Inputs that are as they should be, the same at every call. None: one could not be made, which is a mistake.
    pub seeds: fn() -> Option<Vec<Vec<u8>>>,
    /// How many runs of the cheapest target one of this takes the time of.
    pub cost: u64,
}

/// A target by its name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
