//! Where and when a run was done.

use std::{fs, process::Command};

use anyhow::Context as _;
use undertone_wire::Day;

use super::figures::Machine;
use crate::client;

/// This machine.
pub fn machine() -> anyhow::Result<Machine> {
    let processors = fs::read_to_string("/proc/cpuinfo").context("there is no /proc")?;
    let memory = fs::read_to_string("/proc/meminfo").context("there is no /proc")?;
    let name = |line: &str| line.split_once(':').map(|(_, name)| name.trim().to_owned());
    let processor = processors.lines().find(|line| line.starts_with("model name")).and_then(name);
    let memory = memory.lines().find(|line| line.starts_with("MemTotal:")).and_then(name);
    let memory_kib: u64 = memory.and_then(|memory| memory.split_whitespace().next()?.parse().ok()).unwrap_or_default();
    let system = Command::new("uname").arg("-sr").output().context("the system has no name")?;
    Ok(Machine {
        processor: processor.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        memory_mib: memory_kib / 1024,
        system: String::from_utf8_lossy(&system.stdout).trim().to_owned(),
    })
}

/// Today, as 2026-01-31.
pub fn today() -> String {
    written(client::today())
}

/// A day of the proleptic Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn written(Day(day): Day) -> String {
    let days = u64::from(day) + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        let days = [0, 59, 60, 789, 20_779, 20_780];
        let dates = ["1970-01-01", "1970-03-01", "1970-03-02", "1972-02-29", "2026-11-22", "2026-11-23"];
        assert_eq!(days.map(|day| written(Day(day))), dates);
    }

    #[test]
    fn this_machine_is_some_machine() {
        let machine = machine().unwrap();
        assert!(machine.processors > 0 && machine.memory_mib > 0 && !machine.system.is_empty());
    }
}
