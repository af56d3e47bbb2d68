//! Gates: how many instructions hot paths take, held to limits.
//!
//! Instructions do not depend on the machine's load, so that a change which makes a path dearer is seen in CI, where times
//! say nothing. They are counted by Valgrind (cachegrind), which runs this program again for each path: once with a path gone
//! so many times, once twice as many. The difference is that of one time, without start and set-up.
//!
//! A count differs by some tenths of a percent from run to run (random seeds of maps), and by more with another compiler or
//! processor family: hence the slack of a limit. **To raise one** put the new figure into [`limits`] and say in the commit
//! what it buys; to lower one, the same. `sim gate` prints the figures.

mod limits;
mod paths;
#[cfg(test)]
mod sizes;

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

use self::{limits::LIMITS, paths::Path};
use crate::load::{grouped, table};

/// A count may be beyond its figure by so much.
const SLACK_PERCENT: f64 = 5.0;

/// What is counted.
#[derive(clap::Args)]
pub struct Args {
    /// Go this path, and count nothing
    #[arg(long, value_name = "PATH", hide = true)]
    path: Option<String>,
    /// So many times
    #[arg(long, value_name = "N", hide = true, default_value_t = 0)]
    times: u32,
    /// Only these, with commas
    #[arg(long, value_name = "PATHS", value_delimiter = ',')]
    only: Vec<String>,
}

/// Counts all paths and prints the table. False: one is beyond its limit.
pub fn run(args: &Args) -> anyhow::Result<bool> {
    if let Some(path) = &args.path {
        paths::go(path, args.times)?;
        return Ok(true);
    }
    if cfg!(debug_assertions) {
        bail!("a debug build: its instructions say nothing. Build with --release");
    }
    if !is_known_processor() {
        writeln!(io::stderr(), "SKIPPED: limits are those of x86-64 with AVX2, and this processor is another")?;
        return Ok(true);
    }
    let (mut rows, mut within) = (Vec::new(), true);
    for Path { name, what, times } in paths::all() {
        if !args.only.is_empty() && !args.only.iter().any(|only| only == name) {
            continue;
        }
        let _ = writeln!(io::stderr(), "counting {name} ...");
        let more = instructions(name, 2 * times)?.checked_sub(instructions(name, times)?);
        let count = more.context("a path that takes less, the oftener it is gone")? as f64 / f64::from(times);
        let limit = LIMITS.iter().find(|(path, _)| *path == name).map(|(_, figure)| *figure as f64);
        let percent = limit.map_or(0.0, |limit| 100.0 * (count / limit - 1.0));
        let beyond = limit.is_none() || percent > SLACK_PERCENT;
        within &= !beyond;
        let verdict = if beyond { "BEYOND" } else { "" };
        rows.push([
            what.to_owned(),
            grouped(count),
            grouped(limit.unwrap_or(0.0)),
            format!("{percent:+.1} %{verdict}"),
        ]);
    }
    let mut text = String::new();
    table(&mut text, &["path", "instructions", "figure", ""], &rows)?;
    write!(text, "\nA path may take {SLACK_PERCENT} % more than its figure (sim/src/gate/limits.rs).")?;
    writeln!(io::stdout(), "{text}")?;
    Ok(within)
}

/// Instructions of a whole process that goes a path so many times.
fn instructions(path: &str, times: u32) -> anyhow::Result<u64> {
    let counted = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(std::env::current_exe().context("this program does not know where it is")?)
        .args(["gate", "--path", path, "--times", &times.to_string()])
        .stdin(Stdio::null())
        .output()
        .context("valgrind cannot be started: apt-get install valgrind")?;
    let said = String::from_utf8_lossy(&counted.stderr);
    if !counted.status.success() {
        bail!("valgrind or the path fails:\n{said}");
    }
    refs(&said).context("valgrind does not say how many instructions it counted")
}

/// `==123== I   refs:      1,234,567`
fn refs(said: &str) -> Option<u64> {
    let (_, count) = said.lines().find(|line| line.contains("refs:"))?.rsplit_once(':')?;
    count.trim().replace(',', "").parse().ok()
}

/// Whether limits are for this one: elsewhere other code is chosen when the program runs.
fn is_known_processor() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_valgrind_says_is_read() {
        assert_eq!(refs("==1== Cachegrind\n==1== \n==1== I   refs:      1,234,567\n"), Some(1_234_567));
        assert_eq!(refs("==1== Cachegrind\n"), None);
    }

    #[test]
    fn every_path_has_a_limit_and_every_limit_a_path() {
        let paths: Vec<_> = paths::all().iter().map(|path| path.name).collect();
        let limits: Vec<_> = LIMITS.iter().map(|(name, _)| *name).collect();
        assert_eq!(paths, limits);
    }

    /// As far as that can be seen without Valgrind.
    #[test]
    fn every_path_can_be_gone() {
        for path in paths::all() {
            paths::go(path.name, 2).unwrap();
        }
        assert!(paths::go("nowhere", 1).is_err());
    }
}
