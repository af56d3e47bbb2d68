//! The figures as tables, and as JSON.

use std::fmt;

use serde::Serialize;

use super::{
    Args,
    acts::{Acts, Comeback},
    cost::Cost,
    disk::Kept,
};
use crate::meter::Traffic;

/// All figures of a run.
#[derive(Serialize)]
pub struct Report {
    /// What was asked for.
    pub setting: Args,
    /// What she did.
    pub acts: Acts,
    /// A message's place on disks: where it was written, and where it was read.
    pub clients: [Kept; 2],
    /// And at the service: when one writes at a time, and when 64 do.
    pub service: [Kept; 2],
    /// The part of all processors' time that others had meanwhile, from 0 to 1: where it is not small, times are too long.
    pub others: f64,
}

const HEAD: [&str; 8] = ["what", "CPU", "took", "waited", "turns", "up", "down", "written"];

impl Report {
    fn rows(&self) -> Vec<[String; 8]> {
        let Acts { comebacks, link, link_by, removal, message, message_with_update, recovery } = &self.acts;
        let chats = self.setting.chats;
        let mut rows: Vec<_> = comebacks.iter().map(|back| row(&back.name(), &back.cost)).collect();
        rows.extend([
            row(&format!("link with {chats} chats: new device"), link),
            row("the same: old device", link_by),
            row(&format!("removal of a device with {chats} chats"), removal),
            row(&format!("recovery by words with {chats} chats"), recovery),
            row("message", message),
            row("message with a self-update", message_with_update),
        ]);
        rows
    }
}

impl Comeback {
    fn name(&self) -> String {
        let Self { days, written, lacks, lacks_later, .. } = self;
        format!("back after {days} days, {written} messages ({lacks} missing; {lacks_later} an hour later)")
    }
}

fn row(what: &str, cost: &Cost) -> [String; 8] {
    let Cost { cpu_ms, took_ms, waited_s, traffic, written_bytes } = cost;
    let Traffic { connections, turns, up_bytes, down_bytes } = traffic;
    [
        what.to_owned(),
        format!("{cpu_ms:.1} ms"),
        format!("{took_ms:.1} ms"),
        format!("{waited_s:.0} s"),
        format!("{turns} on {connections}"),
        kb(*up_bytes as f64),
        kb(*down_bytes as f64),
        kb(*written_bytes as f64),
    ]
}

fn kb(bytes: f64) -> String {
    format!("{:.1} KB", bytes / 1e3)
}

impl fmt::Display for Report {
    /// Two Markdown tables.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table(f, &HEAD.map(str::to_owned), &self.rows())?;
        let [sender, reader] = &self.clients;
        let [alone, saturated] = &self.service;
        let kept = |what: &str, Kept { bytes, kept_bytes, written_bytes }: &Kept| {
            let times = written_bytes / *bytes as f64;
            [
                what.to_owned(),
                bytes.to_string(),
                if *kept_bytes > 0.0 { format!("{kept_bytes:.0}") } else { "-".to_owned() },
                format!("{written_bytes:.0}"),
                format!("{times:.0}"),
            ]
        };
        let head = ["message", "bytes", "kept", "written", "written / bytes"].map(str::to_owned);
        writeln!(f)?;
        let rows = [
            kept("client, sent one by one", sender),
            kept("client, received in one go", reader),
            kept("service, one at a time", alone),
            kept("service, 64 at once", saturated),
        ];
        table(f, &head, &rows)?;
        write!(f, "\nAll processors, taken by others meanwhile: {:.0} %", self.others * 100.0)?;
        if cfg!(debug_assertions) {
            write!(f, "\nA debug build: times say nothing. Build with --release.")?;
        }
        Ok(())
    }
}

fn table<const N: usize>(f: &mut fmt::Formatter<'_>, head: &[String; N], rows: &[[String; N]]) -> fmt::Result {
    line(f, head)?;
    writeln!(f, "| --- {}|", "| ---: ".repeat(N.saturating_sub(1)))?;
    rows.iter().try_for_each(|row| line(f, row))
}

fn line(f: &mut fmt::Formatter<'_>, cells: &[String]) -> fmt::Result {
    writeln!(f, "| {} |", cells.join(" | "))
}
