//! Runs of one target, each of which may fail by a panic or by not coming back.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};

use crate::{Target, mutate::Mutator};

/// No run of any target comes near to this, on a busy machine either.
const RUN_MAX: Duration = Duration::from_secs(60);

/// What to run.
#[derive(Clone, Copy)]
pub struct Runs {
    /// All inputs follow from this.
    pub seed: u64,
    /// How many mutated inputs; those that were not mutated come first.
    pub count: u64,
}

/// Sees an input before it is run; an error ends the runs.
pub trait Look: Fn(&[u8]) -> io::Result<()> + Send + 'static {}

impl<F: Fn(&[u8]) -> io::Result<()> + Send + 'static> Look for F {}

/// An input that a target did not take.
pub struct Failure {
    /// What happened: the panic's own words are on standard error.
    pub what: &'static str,
    /// The input.
    pub input: Vec<u8>,
}

/// Runs a target on its seeds and on inputs made of them, each of which `look` sees before.
///
/// # Errors
/// The first input that it does not take. A run that hangs is left behind, to end with the process.
pub fn run(target: &'static Target, runs: Runs, look: impl Look) -> Result<(), Failure> {
    let seeds = (target.seeds)().unwrap_or_default();
    if seeds.is_empty() {
        return Err(Failure { what: "has no seeds", input: Vec::new() });
    }
    let mutated = move |seeds: &[Vec<u8>], number: u64| {
        let mut rng = ChaCha8Rng::seed_from_u64(runs.seed);
        rng.set_stream(number);
        Mutator::new(&mut rng, seeds).input()
    };
    let inputs = move || {
        let originals = seeds.clone().into_iter();
        originals.chain((0..runs.count).map(move |number| mutated(&seeds, number)))
    };
    run_on(target, look, inputs)
}

/// Runs a target on these inputs.
///
/// # Errors
/// As [`run`].
pub fn run_on<I>(
    target: &'static Target,
    look: impl Look,
    inputs: impl FnOnce() -> I + Send + 'static,
) -> Result<(), Failure>
where
    I: Iterator<Item = Vec<u8>>,
{
    let current = Arc::new(Mutex::new(Vec::new()));
    let (done, progress) = mpsc::channel();
    let running = current.clone();
    thread::spawn(move || {
        for input in inputs() {
            lock(&running).clone_from(&input);
            if look(&input).is_err() {
                return;
            }
            let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(&input)));
            if done.send(outcome.is_ok()).is_err() || outcome.is_err() {
                return;
            }
        }
    });
    loop {
        let what = match progress.recv_timeout(RUN_MAX) {
            Ok(true) => continue,
            Ok(false) => "panics",
            Err(mpsc::RecvTimeoutError::Timeout) => "hangs",
            Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
        };
        return Err(Failure { what, input: lock(&current).clone() });
    }
}

fn lock(input: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    input.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TARGETS;

    const FINE: Target = Target { name: "fine", run: |_| (), seeds: || Some(vec![vec![1; 40]]), cost: 1 };
    const PICKY: Target = Target { run: |data| assert!(data.len() < 100, "too much"), ..FINE };

    fn look(_: &[u8]) -> io::Result<()> {
        Ok(())
    }

    #[test]
    fn every_target_takes_its_seeds_and_a_few_others() {
        for target in TARGETS {
            let failed = run(target, Runs { seed: 1, count: 20 }, look).err();
            assert!(failed.is_none_or(|failure| panic!("{} {}: {:?}", target.name, failure.what, failure.input)));
        }
    }

    #[test]
    fn seeds_are_the_same_at_every_call() {
        for target in TARGETS {
            assert!((target.seeds)() == (target.seeds)(), "{}", target.name);
        }
    }

    #[test]
    fn an_input_that_is_not_taken_is_found_and_found_again() {
        static TARGET: Target = PICKY;
        let fail = |seed| run(&TARGET, Runs { seed, count: 10_000 }, look).err().unwrap();
        let (first, again, other) = (fail(1), fail(1), fail(2));
        assert_eq!((first.what, first.input.len() >= 100), ("panics", true));
        assert!(first.input == again.input && first.input != other.input);
        assert!(run_on(&TARGET, look, move || [first.input].into_iter()).is_err());
        static UNSEEDED: Target = Target { seeds: || None, ..FINE };
        assert!(run(&UNSEEDED, Runs { seed: 1, count: 1 }, look).is_err());
    }
}
