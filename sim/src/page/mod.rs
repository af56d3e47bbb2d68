//! docs/benchmarks.md, made from a file of figures: what stands between two markers is written anew, everything else is
//! somebody's prose and stays. Charts stand beside the page.
//!
//! ```text
//! <!-- sim: targets -->        all figures that something is aimed at
//! <!-- sim: end -->
//! ```
//!
//! Besides `targets` there are `run`, `peers`, `cost`, `assumed`, and the name of each section.

mod charts;
mod cost;

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

use crate::load::{self, Figure, Report, grouped, met, table};

const BEGIN: &str = "<!-- sim: ";
const END: &str = "<!-- sim: end -->";

/// What is put where.
#[derive(clap::Args)]
pub struct Args {
    /// Figures, from `sim load --json FILE`; of several files, what the later has counts
    #[arg(long, value_name = "FILE", required = true)]
    from: Vec<PathBuf>,
    /// The page
    #[arg(long, value_name = "FILE", default_value = "docs/benchmarks.md")]
    page: PathBuf,
    #[command(flatten)]
    assumed: cost::Assumed,
}

/// Writes the page and its charts. Parts of the page for which there are no figures stay as they are.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let runs = args.from.iter().map(|file| load::read(file)).collect::<anyhow::Result<Vec<_>>>()?;
    let report = together(&runs).context("there are no figures")?;
    let page = fs::read_to_string(&args.page).context("the page cannot be read")?;
    let filled = fill(&page, |part| match part {
        "run" => Ok(Some(runs_in_words(&runs)?)),
        part => text(part, &report, &args.assumed),
    })?;
    let charts = args.page.parent().unwrap_or(Path::new(".")).join("charts");
    fs::create_dir_all(&charts)?;
    for (name, chart) in charts::all(&report) {
        fs::write(charts.join(name), chart)?;
    }
    fs::write(&args.page, filled).context("the page cannot be written")
}

/// One report of all: a section of a later run stands for that of an earlier.
fn together(runs: &[Report]) -> Option<Report> {
    let (first, later) = runs.split_first()?;
    let mut report = first.clone();
    for section in later.iter().flat_map(|run| &run.sections) {
        match report.sections.iter_mut().find(|before| before.name == section.name) {
            Some(before) => before.clone_from(section),
            None => report.sections.push(section.clone()),
        }
    }
    Some(report)
}

/// What stands in one part. None: there are no figures for it.
fn text(part: &str, report: &Report, assumed: &cost::Assumed) -> anyhow::Result<Option<String>> {
    let mut text = String::new();
    match part {
        "targets" => {
            let figures = report.sections.iter().flat_map(|section| &section.figures);
            let rows: Vec<_> = figures.filter(|figure| figure.target.is_some()).map(target_row).collect();
            table(&mut text, &["what", "figure", "aimed at", ""], &rows)?;
        }
        "peers" => match peers(report) {
            Some(rows) => table(&mut text, &["", "Undertone", "ejabberd", "Prosody"], &rows)?,
            None => return Ok(None),
        },
        "cost" => match assumed.rows(report) {
            Some(rows) => table(&mut text, &["people", "10,000", "1,000,000", "100,000,000"], &rows)?,
            None => return Ok(None),
        },
        "assumed" => write!(text, "{assumed}")?,
        section => {
            let Some(section) = report.section(section) else { return Ok(None) };
            let row = |figure: &Figure| [figure.what.clone(), figure.unit.text(figure.value)];
            let rows: Vec<_> = section.figures.iter().map(row).collect();
            table(&mut text, &["what", "figure"], &rows)?;
        }
    }
    Ok(Some(text))
}

fn runs_in_words(runs: &[Report]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for Report { command, day, machine, took_s, others_percent, .. } in runs {
        writeln!(
            text,
            "`{command}` on {day}, {took_s:.0} s, while others took {others_percent:.0} % of all processors. {} processors ({}), \
             {} GiB, {}.",
            machine.processors,
            machine.processor,
            machine.memory_mib.div_ceil(1024),
            machine.system
        )?;
    }
    Ok(text)
}

fn target_row(figure: &Figure) -> [String; 4] {
    let target = figure.target.map(|target| figure.unit.text(target)).unwrap_or_default();
    [figure.what.clone(), figure.unit.text(figure.value), target, met(figure).to_owned()]
}

/// Ours beside theirs.
fn peers(report: &Report) -> Option<Vec<[String; 4]>> {
    report.section("peers")?;
    let rows = [
        ("memory before anybody came", "starts.rss_mib", "rss_mib"),
        ("memory of an idle connection, new", "circuits.new_kib", "new_kib"),
        ("the same after traffic", "circuits.used_kib", "used_kib"),
        ("saturated, messages", "messages.saturated_per_second", "per_second"),
        ("the same: CPU of the server, a message", "messages.saturated_service_us", "us"),
        ("the same: delivered, p50", "messages.saturated_delivered_ms_p50", "delivered_ms_p50"),
        ("the same: delivered, p99", "messages.saturated_delivered_ms_p99", "delivered_ms_p99"),
        ("at half of that: CPU of the server, a message", "messages.half_service_us", "half_us"),
        ("the same: delivered, p50", "messages.half_delivered_ms_p50", "half_delivered_ms_p50"),
        ("the same: delivered, p99", "messages.half_delivered_ms_p99", "half_delivered_ms_p99"),
    ];
    let figure = |name: &str| report.figure(name).map_or("-".to_owned(), |figure| figure.unit.text(figure.value));
    let row = |(what, ours, theirs): (&str, &str, &str)| {
        let [ejabberd, prosody] = ["ejabberd", "prosody"].map(|peer| figure(&format!("peers.{peer}_{theirs}")));
        [what.to_owned(), figure(ours), ejabberd, prosody]
    };
    let mut rows: Vec<_> = rows.into_iter().map(row).collect();
    let kept = ["on the disk, before it is acknowledged", "in memory, while the reader is online"];
    let [ours, theirs] = kept.map(str::to_owned);
    rows.push(["where a message is kept".to_owned(), ours, theirs.clone(), theirs]);
    Some(rows)
}

/// The page with every part between markers written anew.
fn fill(page: &str, part: impl Fn(&str) -> anyhow::Result<Option<String>>) -> anyhow::Result<String> {
    let mut filled = String::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (name, after) = after.split_once(" -->\n").context("a marker of the page is not closed")?;
        let Some((old, after)) = after.split_once(END) else { bail!("part {name} of the page has no end") };
        let text = part(name)?.unwrap_or_else(|| old.to_owned());
        write!(filled, "{before}{BEGIN}{name} -->\n{text}{END}")?;
        rest = after;
    }
    Ok(filled + rest)
}

/// A count in a word: 12,300,000 is 12.3 M.
fn counted(value: f64) -> String {
    match value {
        large if large >= 1e9 => format!("{:.1} G", value / 1e9),
        large if large >= 1e6 => format!("{:.1} M", value / 1e6),
        large if large >= 100.0 => grouped(value),
        _ => format!("{value:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_anew_and_prose_stays() {
        let page =
            "one\n<!-- sim: a -->\nold\n<!-- sim: end -->\ntwo\n<!-- sim: b -->\nkept\n<!-- sim: end -->\nthree\n";
        let text = |part: &str| Ok((part == "a").then(|| "new\n".to_owned()));
        let expected = page.replace("old", "new");
        assert_eq!(fill(page, text).unwrap(), expected);
        assert_eq!(fill(&expected, text).unwrap(), expected);
        assert!(fill("<!-- sim: a -->\n", text).is_err() && fill("<!-- sim: a", text).is_err());
    }

    #[test]
    fn of_several_runs_the_later_counts() {
        let machine = load::Machine { processor: "p".into(), processors: 2, memory_mib: 1, system: "s".into() };
        let run = |command: &str, names: &[&str]| {
            let section = |name: &&str| {
                let mut section = load::Section::new(name);
                section.add("n", command, names.len() as f64, load::Unit::Count);
                section
            };
            let sections = names.iter().map(section).collect();
            let (command, day) = (command.to_owned(), "2026-01-31".to_owned());
            Report { command, day, machine: machine.clone(), took_s: 1.0, others_percent: 0.0, sections }
        };
        let runs = [run("first", &["a", "b"]), run("later", &["b", "c", "d"])];
        let report = together(&runs).unwrap();
        let values = ["a.n", "b.n", "c.n", "d.n"].map(|name| report.value(name).unwrap());
        assert_eq!(values, [2.0, 3.0, 3.0, 3.0]);
        assert_eq!(report.sections.len(), 4);
        assert_eq!(runs_in_words(&runs).unwrap().lines().count(), 2);
        assert!(together(&[]).is_none());
    }

    #[test]
    fn counts_are_short() {
        assert_eq!([0.25, 12_345.0, 2.5e6, 1.25e9].map(counted), ["0.2", "12,345", "2.5 M", "1.2 G"]);
    }
}
