//! The service as a process: the real binary, on a free port of loopback, with a data folder of its own.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};
use undertone_credentials::IssuingKey;
use undertone_wire::link::Link;

/// Neither a start nor an end takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// The `undertone` beside this program, so of the same build.
pub struct Program(PathBuf);

impl Program {
    /// Looks for it.
    pub fn find() -> anyhow::Result<Self> {
        let path = std::env::current_exe().context("this program does not know where it is")?;
        let path = path.with_file_name("undertone");
        if !path.is_file() {
            bail!("there is no `undertone` beside this program: cargo build --release -p undertone -p undertone-sim");
        }
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Its length in bytes.
    pub fn bytes(&self) -> anyhow::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    /// An empty data folder, removed when dropped. It stands beside the program: the system's folder for temporary files
    /// may be in memory, where syncing costs nothing.
    pub fn data(&self) -> anyhow::Result<TempDir> {
        let beside = self.0.parent().context("this program does not know where it is")?;
        TempDir::with_prefix_in("sim-", beside).context("no folder can be made beside this program")
    }

    /// Starts a service and waits until it is ready.
    pub async fn serve(&self, data: &Path) -> anyhow::Result<Process> {
        self.serve_ahead(data, 0).await
    }

    /// The same, with its clock so many days ahead.
    pub async fn serve_ahead(&self, data: &Path, days_ahead: u32) -> anyhow::Result<Process> {
        let begun = Instant::now();
        let mut child = Command::new(&self.0)
            .env("UNDERTONE_CLOCK_AHEAD", days_ahead.to_string())
            .args(["serve", "--listen", "127.0.0.1:0", "--registration", "open", "--data"])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("the service cannot be started")?;
        let stdout = child.stdout.take().context("a process without its standard output")?;
        let mut stdout = BufReader::new(stdout).lines();
        let line = timeout(PATIENCE, stdout.next_line()).await.context("the service does not get ready")??;
        let ready_after = begun.elapsed();
        let link = line.as_deref().and_then(|line| line.strip_prefix("ready "));
        let link = Link::parse(link.context("the service does not say that it is ready")?)?;
        let pid = child.id().context("the service ended at once")?;
        Ok(Process { child, _stdout: stdout, pid, link, data: data.to_owned(), days_ahead, ready_after })
    }
}

/// A service that runs. Dropped, it is killed.
pub struct Process {
    child: Child,
    /// Kept open, as a pipe without a reader would end the service when it prints.
    _stdout: Lines<BufReader<ChildStdout>>,
    pid: u32,
    link: Link,
    data: PathBuf,
    days_ahead: u32,
    ready_after: Duration,
}

impl Process {
    /// Its number in the system.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How it is reached.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// The key that it issues tokens with: in its file it stands behind magic, version, circuit keys and head key.
    pub fn issuing(&self) -> anyhow::Result<IssuingKey> {
        let keys = std::fs::read(self.data.join("service.keys")).context("the service's keys cannot be read")?;
        let seed = keys.get(8 + 1 + 97 + 32..).and_then(|rest| rest.first_chunk());
        Ok(IssuingKey::from_seed(seed.context("the file of the service's keys is of another form")?))
    }

    /// By how much its clock is before ours.
    pub fn days_ahead(&self) -> u32 {
        self.days_ahead
    }

    /// How long it took from its start to the line `ready`.
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// SIGKILL.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("the service cannot be killed")
    }

    /// SIGTERM, and waits until it has gone away in order.
    pub async fn end(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("not the number of a process")?;
        kill_process(pid, Signal::TERM).context("the service cannot be asked to end")?;
        let status = timeout(PATIENCE, self.child.wait()).await.context("the service does not end")??;
        if !status.success() {
            bail!("the service did not end in order ({status})");
        }
        Ok(())
    }
}

/// Raises the limit of open files, which holds for processes started from here too, and checks that so many are allowed.
pub fn allow_files(needed: u64) -> anyhow::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).context("the limit of open files stays low")?;
    if maximum.is_some_and(|maximum| maximum < needed) {
        bail!(
            "this needs {needed} open files, and the system allows fewer (ulimit -Hn): ask for fewer circuits or pairs"
        );
    }
    Ok(())
}
