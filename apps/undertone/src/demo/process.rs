use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// Nothing on one machine takes so long, however slow and busy it is.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// A process that was asked to end gets so long for it.
const END: Duration = Duration::from_secs(10);
/// Lines of its log that are shown when a process fails.
const LAST_WORDS: usize = 5;

/// This program, to be run once more: apart from the terminal's signals, and gone when its owner drops it.
pub fn program() -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("this program does not know where it is")?);
    command.process_group(0).kill_on_drop(true).stdin(Stdio::null()).env_remove("UNDERTONE_PASSPHRASE");
    Ok(command)
}

/// A process that goes on, and whose lines are waited for.
pub struct Process {
    name: &'static str,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Process {
    /// Starts it. What it says to standard error goes to `log`.
    pub fn start(name: &'static str, mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let errors = File::options().create(true).append(true).open(log).context("the demo's folder is gone")?;
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        let stdout = child.stdout.take().context("a process without its standard output")?;
        Ok(Self { name, child, lines: BufReader::new(stdout).lines(), log: log.to_owned() })
    }

    /// Its next line, however long that takes. Dropping this loses nothing.
    pub async fn line(&mut self) -> anyhow::Result<String> {
        match self.lines.next_line().await? {
            Some(line) => Ok(line),
            None => bail!("{} ended{}", self.name, self.last_words()),
        }
    }

    /// Its next line, which is due now. `what` says what is waited for.
    pub async fn line_soon(&mut self, what: &str) -> anyhow::Result<String> {
        match tokio::time::timeout(PATIENCE, self.line()).await {
            Ok(line) => line,
            Err(_) => bail!("{what}: {} said nothing for {} s{}", self.name, PATIENCE.as_secs(), self.last_words()),
        }
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> anyhow::Error {
        match self.child.wait().await {
            Ok(status) => anyhow::anyhow!("{} ended ({status}){}", self.name, self.last_words()),
            Err(error) => anyhow::Error::new(error).context(format!("{} is lost", self.name)),
        }
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.with_context(|| format!("{} cannot be killed", self.name))
    }

    /// SIGTERM, and SIGKILL if that is not heard.
    pub async fn end(mut self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(id) = id
            && kill_process(id, Signal::TERM).is_ok()
            && tokio::time::timeout(END, self.child.wait()).await.is_ok()
        {
            return;
        }
        let _ = self.child.kill().await;
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let last = lines.len().saturating_sub(LAST_WORDS);
        lines.iter().skip(last).map(|line| format!("\n    {line}")).collect()
    }
}
