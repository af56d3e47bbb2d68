//! Blind tokens: a day's batch on both sides, and one that is spent.

use anyhow::Context as _;
use undertone_credentials::{IssuingKey, Wish};
use undertone_wire::{
    Week, limits,
    objects::{self, Purpose},
};

use super::{Bench, Section, Unit, best::best_us};

const RUNS: u32 = 200;
const PURPOSE: Purpose = Purpose::Inbox;
const WEEK: Week = Week(2_968);

/// What a batch costs, as many tokens as an account is issued at once, under one key; and a spend.
pub fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let rng = &mut bench.rng;
    let batch = limits::TOKEN_BATCH.iter().map(|(_, count)| count).sum();
    let issuing = IssuingKey::generate(rng);
    let key = issuing.key(PURPOSE, WEEK);
    let wish = Wish::new(PURPOSE, WEEK, batch, rng)?;
    let blinded = wish.blinded();
    let issued = key.issue(&blinded, rng)?;
    let finish = || wish.finish(&key.public(), &issued.evaluated, &issued.proof);
    let tokens = finish()?;
    let token = objects::Token::from(tokens.first().context("a batch without tokens")?);

    let mut section = Section::new("tokens");
    let mut add = |name, what: String, us| {
        section.add(name, what, us, Unit::Us);
    };
    add("blind_us", format!("client: blind {batch} tokens"), best_us(RUNS, || Wish::new(PURPOSE, WEEK, batch, rng))?);
    add("issue_us", "service: evaluate them, with the proof".into(), best_us(RUNS, || key.issue(&blinded, rng))?);
    add("finish_us", "client: check the proof, unblind them".into(), best_us(RUNS, finish)?);
    let verify = || issuing.verify(PURPOSE, &token, WEEK);
    verify().context("a token of ours is refused")?;
    add("verify_us", "service: verify one that is spent".into(), best_us(RUNS, verify)?);
    Ok(section)
}
