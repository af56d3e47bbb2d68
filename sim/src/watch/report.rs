//! How far the attacks came, as a table or as one JSON object.

use std::fmt;

use serde::Serialize;
use undertone_wire::circuit::Kind;

use super::{
    attack::Task,
    cast::Scale,
    life::Lived,
    measures::Without,
    ranking::{Mean, Success},
};

/// What an attack had before it.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// The files alone.
    Stored,
    /// Everything that came, with the address of each device.
    Live,
    /// Everything that came, through doors that all share.
    Doors,
}

/// How far one attack came.
#[derive(Serialize)]
pub struct Figure {
    /// With what.
    pub view: View,
    /// At what.
    pub task: Task,
    /// How far.
    #[serde(flatten)]
    pub success: Success,
}

/// What clients ask for, on average.
#[derive(Serialize)]
pub struct Costs {
    /// Visits to the account by a client and day.
    pub visits_per_day: f64,
    /// Requests on account circuits by a client and day.
    pub account_requests_per_day: f64,
    /// Circuits of all kinds by a client and day.
    pub circuits_per_day: f64,
    /// Bytes of requests by a client and day.
    pub request_bytes_per_day: f64,
}

/// Everything.
#[derive(Serialize)]
pub struct Report {
    /// How many of everything.
    pub scale: Scale,
    /// What was left out.
    pub without: Without,
    /// Of the first world.
    pub seed: u64,
    /// How many.
    pub worlds: usize,
    /// In all of them.
    pub messages: usize,
    /// What it took.
    pub costs: Costs,
    /// Attack by attack.
    pub figures: Vec<Figure>,
    /// How long it took.
    pub seconds: f64,
}

impl Costs {
    /// Averages of some worlds.
    pub fn of(worlds: &[Lived], scale: &Scale) -> Self {
        let days = (worlds.len() * scale.people) as f64 * scale.days as f64;
        let circuits = || worlds.iter().flat_map(|world| &world.record.circuits);
        let account = |world: &Lived| {
            let on_account = |circuit: usize| {
                world.record.circuits.get(circuit).is_some_and(|circuit| circuit.kind == Kind::Account)
            };
            world.record.frames.iter().filter(|frame| on_account(frame.circuit)).count()
        };
        let frames = || worlds.iter().flat_map(|world| &world.record.frames);
        Self {
            visits_per_day: circuits().filter(|circuit| circuit.kind == Kind::Account).count() as f64 / days,
            account_requests_per_day: worlds.iter().map(account).sum::<usize>() as f64 / days,
            circuits_per_day: circuits().count() as f64 / days,
            request_bytes_per_day: frames().map(|frame| frame.body.len()).sum::<usize>() as f64 / days,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scale { people, chats, days, joining_days, always_on, .. } = self.scale;
        let devices = if always_on { "devices always on" } else { "devices on when looked at" };
        writeln!(
            f,
            "{} worlds from seed {}: {people} people, {chats} chats each, {} messages in all, {days} days, joined within \
             {joining_days}, {devices}; left out: {}",
            self.worlds,
            self.seed,
            self.messages,
            self.without.name(),
        )?;
        for (view, title) in [
            (View::Stored, "stored data alone"),
            (View::Live, "live traffic, addresses known"),
            (View::Doors, "live traffic, doors in use"),
        ] {
            writeln!(f, "\n{title:<50}{:>14}{:>16}{:>8}{:>16}", "AUC", "first is true", "chance", "as many as true")?;
            for figure in self.figures.iter().filter(|figure| figure.view == view) {
                let Success { auc, top, guess, precision, .. } = figure.success;
                let name = figure.task.name();
                writeln!(f, "{name:<50}{:>14}{:>16}{guess:>8.2}{:>16}", say(auc), say(top), say(precision))?;
            }
        }
        let Costs { visits_per_day, account_requests_per_day, circuits_per_day, request_bytes_per_day } = self.costs;
        write!(
            f,
            "\na client and day: {visits_per_day:.1} visits to the account, {account_requests_per_day:.0} requests there, \
             {circuits_per_day:.0} circuits in all, {:.0} KB of requests; {:.0} s",
            request_bytes_per_day / 1e3,
            self.seconds,
        )
    }
}

fn say(Mean { mean, within }: Mean) -> String {
    format!("{mean:.3} ±{within:.3}")
}
