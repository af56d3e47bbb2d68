//! Worlds as the command line lives them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a story that cannot go on has failed")]

use std::process::{Command, Output};

/// So many are lived with every run of the tests; CONTRIBUTING.md has the command for a long run.
const SEEDS: &str = "40";
/// These cost more: there are more people in them.
const SEEDS_OF_GROUPS: &str = "6";

fn sim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sim")).arg("world").args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn whatever_fails_nothing_is_lost() {
    let lived = sim(&["--alone", "--seeds", SEEDS]);
    assert!(lived.status.success(), "{}", text(&lived));
}

#[test]
fn groups_end_alike_for_all_who_are_in_them() {
    let lived = sim(&["--groups", "--seeds", SEEDS_OF_GROUPS]);
    assert!(lived.status.success(), "{}", text(&lived));
}

#[test]
fn a_seed_is_always_the_same_world() {
    let steps = |seed| text(&sim(&["--alone", "--seed", seed]));
    let once = steps("7");
    assert!(once.lines().count() > 20, "{once}");
    assert_eq!(once, steps("7"));
    assert_ne!(once, steps("8"));
}
