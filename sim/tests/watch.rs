//! The adversary of `sim watch`, small: what stored data must not tell, and that he finds what he is let find.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a story that cannot go on has failed")]

use std::process::Command;

use serde_json::Value;

/// A small town for some days; docs/threat-model.md has the figures of a larger one.
const TOWN: [&str; 10] = ["--people", "10", "--chats", "4", "--messages", "500", "--days", "2", "--seed", "11"];

struct Figures(Value);

impl Figures {
    fn of(town: &[&str]) -> Self {
        let run = Command::new(env!("CARGO_BIN_EXE_sim")).arg("watch").args(town).arg("--json").output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        Self(serde_json::from_slice(&run.stdout).unwrap())
    }

    /// (mean, half of its 95 % interval) of a figure.
    fn mean(&self, view: &str, task: &str, of: &str) -> (f64, f64) {
        let figures = self.0["figures"].as_array().unwrap();
        let figure = figures.iter().find(|one| one["view"] == view && one["task"] == task).unwrap();
        (figure[of]["mean"].as_f64().unwrap(), figure[of]["within"].as_f64().unwrap())
    }

    fn chance(&self, view: &str, task: &str) -> f64 {
        let figures = self.0["figures"].as_array().unwrap();
        figures.iter().find(|one| one["view"] == view && one["task"] == task).unwrap()["guess"].as_f64().unwrap()
    }
}

#[test]
fn stored_data_ties_nobody_to_anything_and_traffic_does() {
    let figures = Figures::of(&TOWN);
    for task in ["channels", "first-contact"] {
        let (auc, within) = figures.mean("stored", task, "auc");
        assert!(auc - within <= 0.55, "{task}: {auc} ±{within}");
    }
    let (precision, within) = figures.mean("stored", "pairing", "precision");
    let chance = figures.chance("stored", "pairing");
    assert!(precision - within <= chance, "{precision} ±{within}, by chance {chance}");

    // The same tool finds what there is to find: by addresses, everything.
    for task in ["channels", "first-contact", "senders", "one-device", "pairing"] {
        let (auc, within) = figures.mean("live", task, "auc");
        assert!(auc + within >= 0.9, "{task}: {auc} ±{within}");
    }
}
