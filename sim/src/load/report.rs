//! The figures as a table, and as JSON.

use std::fmt;

use serde::Serialize;

use super::{
    Args,
    circuits::Circuits,
    messages::{Exchanged, Messages},
    phone::Phone,
    starts::Starts,
    visits::Visits,
};
use crate::latencies::Quantiles;

/// All figures of a run.
#[derive(Serialize)]
pub struct Report {
    /// What was asked for.
    pub setting: Args,
    /// Length of the binary.
    pub binary_bytes: u64,
    /// Starts on an empty folder.
    pub starts: Starts,
    /// Median time until a killed service is ready again, in milliseconds.
    pub restart_ms: f64,
    /// Messages.
    pub messages: Messages,
    /// Length of the channel plane's file for each of them.
    pub disk_bytes_per_message: f64,
    /// Idle circuits.
    pub circuits: Circuits,
    /// Processor time of a circuit that comes back, in microseconds.
    pub reconnect_cpu_us: f64,
    /// A phone with many chats that comes back.
    pub phone: Phone,
    /// Acts of nobody.
    pub visits: Visits,
    /// The part of all processors' time that others had meanwhile, from 0 to 1: where it is not small, times are too long.
    pub others: f64,
}

impl Report {
    fn rows(&self) -> Vec<[String; 2]> {
        let Self { setting, starts, messages, circuits, .. } = self;
        let Args { circuits: count, pairs, .. } = setting;
        let [open, closed] = messages.rss_kib.map(|kib| mib(kib as f64));
        let mut rows = vec![
            row("binary", mib(self.binary_bytes as f64 / 1024.0)),
            row("start, until `ready`", format!("{:.1} ms", starts.ready_ms)),
            row("restart after kill -9, until `ready`", format!("{:.1} ms", self.restart_ms)),
            row("RSS after start", mib(starts.idle_rss_kib)),
            row("RSS after load, circuits open / closed", format!("{open} / {closed}")),
        ];
        rows.extend(exchanged(&format!("saturated, {pairs} pairs"), &messages.saturated));
        rows.extend(exchanged("half that rate", &messages.half));
        rows.extend([
            row("disk for a message of 256 bytes", format!("{:.0} bytes", self.disk_bytes_per_message)),
            row(
                &format!("memory of an idle circuit (of {count}), new / after traffic"),
                format!("{:.1} / {:.1} KiB", circuits.new_kib, circuits.used_kib),
            ),
            row("what stays of it once closed", format!("{:.1} KiB", circuits.closed_kib)),
            row("reconnect (connect, open, follow): service CPU", format!("{:.0} us", self.reconnect_cpu_us)),
            row(
                &format!(
                    "phone with {} chats comes back, by signatures / by tickets: service CPU",
                    self.phone.channels
                ),
                format!("{:.0} / {:.0} us", self.phone.signatures_cpu_us, self.phone.tickets_cpu_us),
            ),
            row(
                "visit (connect, spend a token, make a channel): CPU of the service / of the client",
                format!("{:.0} / {:.0} us", self.visits.service_cpu_us, self.visits.client_cpu_us),
            ),
            row("the same, end to end, p50 / p99 / max", quantiles(&self.visits.took_ms)),
            row("all processors, taken by others meanwhile", format!("{:.0} %", self.others * 100.0)),
        ]);
        rows
    }
}

fn quantiles(Quantiles { p50, p99, max }: &Quantiles) -> String {
    format!("{p50:.1} / {p99:.1} / {max:.0} ms")
}

fn exchanged(name: &str, exchanged: &Exchanged) -> [[String; 2]; 4] {
    [
        row(&format!("{name}: messages"), format!("{:.0} a second", exchanged.per_second)),
        row(
            &format!("{name}: CPU of the service / of the clients"),
            format!("{:.1} / {:.1} us a message", exchanged.service_cpu_us, exchanged.clients_cpu_us),
        ),
        row(&format!("{name}: delivered, p50 / p99 / max"), quantiles(&exchanged.delivered_ms)),
        row(&format!("{name}: acknowledged, p50 / p99 / max"), quantiles(&exchanged.acknowledged_ms)),
    ]
}

fn row(what: &str, figure: String) -> [String; 2] {
    [what.to_owned(), figure]
}

fn mib(kib: f64) -> String {
    format!("{:.1} MiB", kib / 1024.0)
}

impl fmt::Display for Report {
    /// A Markdown table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows();
        let width = |column: fn(&[String; 2]) -> &String| rows.iter().map(|row| column(row).len()).max().unwrap_or(0);
        let (left, right) = (width(|[what, _]| what), width(|[_, figure]| figure));
        writeln!(f, "| {:left$} | {:right$} |\n| {:-<left$} | {:-<right$} |", "what", "figure", "", "")?;
        for [what, figure] in &rows {
            writeln!(f, "| {what:left$} | {figure:right$} |")?;
        }
        if cfg!(debug_assertions) {
            writeln!(f, "\nA debug build: these figures say nothing. Build with --release.")?;
        }
        Ok(())
    }
}
