//! What the system has counted against a process, from `/proc` (proc_pid_stat(5), proc_pid_smaps(5)).

use std::{fs, time::Duration};

use anyhow::Context as _;

/// Fields of `/proc/PID/stat` between the name and `utime`, which `stime` follows.
const FIELDS_BEFORE_UTIME: usize = 11;

/// User and system time of all its threads, ended ones too; counted in steps of 10 ms on most systems.
pub fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process is gone")?;
    let ticks = ticks(&stat).context("/proc/PID/stat has another form on this system")?;
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

fn ticks(stat: &str) -> Option<u64> {
    // The name may hold anything, parentheses too.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(FIELDS_BEFORE_UTIME);
    let [user, system] = [fields.next()?, fields.next()?].map(str::parse::<u64>);
    Some(user.ok()? + system.ok()?)
}

/// Resident memory in KiB, the pages of the program and its libraries included. Kernel memory, as of sockets, is not
/// counted against anybody.
pub fn rss_kib(pid: u32) -> anyhow::Result<u64> {
    // `VmRSS` of /proc/PID/status is summed up lazily and may be some hundred KiB off.
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).context("the process is gone")?;
    kib(&rollup, "Rss:").context("/proc/PID/smaps_rollup has another form on this system")
}

fn kib(rollup: &str, field: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_have_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 2052 0 3 0 120 45 0 0 20 0 9 0 3113 1 2 3";
        assert_eq!(ticks(stat), Some(165));
        assert_eq!(ticks("7 (a) S 1"), None);
    }

    #[test]
    fn resident_memory_is_one_line_of_many() {
        assert_eq!(kib("5567-7ffd [rollup]\nRss:                1912 kB\nPss: 9 kB\n", "Rss:"), Some(1912));
        assert_eq!(kib("Pss: 9 kB\n", "Rss:"), None);
    }

    #[test]
    fn this_process_is_counted() {
        let own = std::process::id();
        assert!(cpu(own).is_ok() && rss_kib(own).unwrap() > 100);
    }
}
