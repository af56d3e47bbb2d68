//! What the system has counted against a process, from `/proc` (proc_pid_stat(5), proc_pid_smaps(5), proc_pid_io(5)).

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::time::{ClockId, clock_gettime};

/// Fields of `/proc/PID/stat` between the name and `utime`, after which come `stime`, `cutime` and `cstime`.
const FIELDS_BEFORE_UTIME: usize = 11;
/// Places of `idle` and `iowait` among the fields of the first line of `/proc/stat`, counted from 1.
const NO_WORK: [usize; 2] = [4, 5];

/// User and system time of all its threads, ended ones too; counted in steps of 10 ms on most systems.
pub fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process is gone")?;
    let [user, system, ..] = process_ticks(&stat).context("/proc/PID/stat has another form on this system")?;
    Ok(time(user + system))
}

/// User and system time of this process so far, to the nanosecond.
pub fn own_cpu() -> Duration {
    clock(ClockId::ProcessCPUTime)
}

/// The same of the thread that asks.
pub fn thread_cpu() -> Duration {
    clock(ClockId::ThreadCPUTime)
}

fn clock(id: ClockId) -> Duration {
    let time = clock_gettime(id);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// User and system time of all processes that this one has started and waited for.
pub fn children_cpu() -> anyhow::Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").context("there is no /proc")?;
    let [_, _, user, system] = process_ticks(&stat).context("/proc/PID/stat has another form on this system")?;
    Ok(time(user + system))
}

/// Bytes that a process has had written to disks: whole pages, each time that one was to be written; what stands in memory
/// alone, as in a `tmpfs`, is not among them, and neither is what the file system writes for itself.
pub fn written(pid: u32) -> anyhow::Result<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).context("the process is gone")?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes:"));
    line.and_then(|bytes| bytes.trim().parse().ok()).context("/proc/PID/io has another form on this system")
}

/// The time that this program and the processors' other users have had since then.
pub struct Meanwhile {
    since: Instant,
    machine: Duration,
    ours: Duration,
}

impl Meanwhile {
    /// From now on.
    pub fn begin() -> anyhow::Result<Self> {
        Ok(Self { since: Instant::now(), machine: machine()?, ours: ours()? })
    }

    /// The part of all processors' time that others had: neither this program nor those of its children that have ended.
    /// From 0 to 1; what the system does on behalf of none, as interrupts, is theirs.
    pub fn others(&self) -> anyhow::Result<f64> {
        let others = (machine()?.saturating_sub(self.machine)).saturating_sub(ours()?.saturating_sub(self.ours));
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(others.as_secs_f64() / self.since.elapsed().as_secs_f64() / processors as f64)
    }
}

fn machine() -> anyhow::Result<Duration> {
    let stat = fs::read_to_string("/proc/stat").context("there is no /proc")?;
    Ok(time(machine_ticks(&stat).context("/proc/stat has another form on this system")?))
}

fn ours() -> anyhow::Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").context("there is no /proc")?;
    let ticks = process_ticks(&stat).context("/proc/PID/stat has another form on this system")?;
    Ok(time(ticks.iter().sum()))
}

fn time(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Its own user and system time, and those of its children that have ended.
fn process_ticks(stat: &str) -> Option<[u64; 4]> {
    // The name may hold anything, parentheses too.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields = fields.split_whitespace().skip(FIELDS_BEFORE_UTIME);
    let ticks: Vec<_> = fields.take(4).map_while(|field| field.parse().ok()).collect();
    ticks.try_into().ok()
}

/// All time that the processors have worked.
fn machine_ticks(stat: &str) -> Option<u64> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    // Time of guests, at the end, is in that of users already.
    let fields = (1..=8).zip(fields).filter(|(place, _)| !NO_WORK.contains(place));
    fields.map(|(_, ticks)| ticks.parse::<u64>().ok()).sum()
}

/// Resident memory in KiB, the pages of the program and its libraries included. Kernel memory, as of sockets, is not
/// counted against anybody.
pub fn rss_kib(pid: u32) -> anyhow::Result<u64> {
    // `VmRSS` of /proc/PID/status is summed up lazily and may be some hundred KiB off.
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).context("the process is gone")?;
    kib(&rollup, "Rss:").context("/proc/PID/smaps_rollup has another form on this system")
}

/// The most that it ever had, in KiB.
pub fn peak_rss_kib(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    kib(&status, "VmHWM:").context("/proc/PID/status has another form on this system")
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
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 2052 0 3 0 120 45 6 7 20 0 9 0 3113 1 2 3";
        assert_eq!(process_ticks(stat), Some([120, 45, 6, 7]));
        assert_eq!(process_ticks("7 (a) S 1"), None);
    }

    #[test]
    fn a_machine_works_when_it_is_not_idle() {
        let stat = "cpu  1 20 300 4000 50000 600000 7000000 80000000 900000000 0\ncpu0 1 1 1 1\n";
        assert_eq!(machine_ticks(stat), Some(87_600_321));
        assert_eq!(machine_ticks("intr 1"), None);
    }

    #[test]
    fn resident_memory_is_one_line_of_many() {
        assert_eq!(kib("5567-7ffd [rollup]\nRss:                1912 kB\nPss: 9 kB\n", "Rss:"), Some(1912));
        assert_eq!(kib("Pss: 9 kB\n", "Rss:"), None);
    }

    #[test]
    fn this_process_is_counted() {
        let own = std::process::id();
        assert!(cpu(own).is_ok() && rss_kib(own).unwrap() > 100 && peak_rss_kib(own).unwrap() > 100);
        assert!(own_cpu() > Duration::ZERO && written(own).is_ok());
        assert!(Meanwhile::begin().unwrap().others().is_ok());
    }
}
