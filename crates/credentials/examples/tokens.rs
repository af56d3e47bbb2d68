//! What blind tokens cost: a batch of 40, as many as an account is issued at once, on both sides; and a spend.
//!
//! ```text
//! cargo run --release -p undertone-credentials --example tokens
//! ```

use std::{
    error::Error,
    hint::black_box,
    io::{self, Write as _},
    time::Instant,
};

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use undertone_credentials::{IssuingKey, Wish};
use undertone_wire::{
    Week,
    objects::{self, Purpose},
};

const BATCH: usize = 40;
const RUNS: usize = 400;
const PURPOSE: Purpose = Purpose::Inbox;
const WEEK: Week = Week(2_968);

fn main() -> Result<(), Box<dyn Error>> {
    let rng = &mut ChaCha20Rng::from_seed([1; 32]);
    let issuing = IssuingKey::generate(rng);
    let key = issuing.key(PURPOSE, WEEK);
    let wish = Wish::new(PURPOSE, WEEK, BATCH, rng)?;
    let blinded = wish.blinded();
    let issued = key.issue(&blinded, rng)?;
    let tokens = wish.finish(&key.public(), &issued.evaluated, &issued.proof)?;
    let token = objects::Token::from(tokens.first().ok_or("no token")?);

    measure("client: blind a batch", || Wish::new(PURPOSE, WEEK, BATCH, rng))?;
    let rng = &mut ChaCha20Rng::from_seed([2; 32]);
    measure("service: issue a batch", || key.issue(&blinded, rng))?;
    let finish = || wish.finish(&key.public(), &issued.evaluated, &issued.proof);
    measure("client: finish a batch", finish)?;
    measure("service: verify a token", || issuing.verify(PURPOSE, &token, WEEK))?;
    Ok(())
}

/// The best of many, since other work may run on the same machine.
fn measure<T>(what: &str, mut act: impl FnMut() -> T) -> io::Result<()> {
    let times = (0..RUNS).map(|_| {
        let started = Instant::now();
        black_box(act());
        started.elapsed()
    });
    let best = times.min().unwrap_or_default();
    writeln!(io::stdout(), "{what:<24}{:>9.1} us", best.as_secs_f64() * 1e6)
}
