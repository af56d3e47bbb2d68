use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{Lines, Running, program};

const DATA: &str = "data";

/// A service that can be killed and comes back at the same place.
pub struct Service {
    folder: TempDir,
    registration: &'static str,
    link: String,
    running: Option<(Running, Lines)>,
    logging: bool,
    days_ahead: u32,
}

impl Service {
    /// With a fresh store; anybody may register.
    pub fn open() -> Self {
        Self::start("open", false)
    }

    /// The same, and it logs all that it ever would.
    pub fn logging() -> Self {
        Self::start("open", true)
    }

    /// With a fresh store; who registers needs an invite.
    pub fn by_invite() -> Self {
        Self::start("invite", false)
    }

    /// With a data folder that somebody fills; anybody may register.
    pub fn of(fill: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fill(&folder.path().join(DATA));
        Self::start_in(folder, "open", false)
    }

    fn start(registration: &'static str, logging: bool) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), registration, logging)
    }

    fn start_in(folder: TempDir, registration: &'static str, logging: bool) -> Self {
        let mut service = Self { folder, registration, link: String::new(), running: None, logging, days_ahead: 0 };
        service.restart();
        service
    }

    /// What `ready` says.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join(DATA)
    }

    /// Starts it, where it was before. It has to be the same one then.
    pub fn restart(&mut self) {
        let place = self.link.strip_prefix("undertone:").and_then(|rest| rest.split('#').next());
        let mut command = program();
        if self.logging {
            let log = File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
            command.env("UNDERTONE_LOG", "trace").stderr(log);
        }
        let mut child = command
            .env("UNDERTONE_CLOCK_AHEAD", self.days_ahead.to_string())
            .args(["serve", "--registration", self.registration, "--listen", place.unwrap_or("127.0.0.1:0"), "--data"])
            .arg(self.data())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Lines::of(child.stdout.take().unwrap());
        let running = Running(child);
        let ready = lines.next().expect("the service ended");
        let link = ready.strip_prefix("ready ").unwrap_or_else(|| panic!("the service said {ready:?}"));
        assert!(self.link.is_empty() || self.link == link, "the service came back as another one");
        self.link = link.to_owned();
        self.running = Some((running, lines));
    }

    /// Sets its clock ahead, from its next start on.
    pub fn set_ahead(&mut self, days: u32) {
        self.days_ahead = days;
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.running.take().unwrap().0.kill();
    }

    /// SIGTERM, upon which it ends in order.
    pub fn stop(&mut self) {
        let (mut running, lines) = self.running.take().unwrap();
        running.terminate();
        assert!(lines.rest().is_empty(), "`ready` is the only line");
        assert_eq!(running.0.wait().unwrap().code(), Some(0));
    }

    /// Lines that it has logged.
    pub fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
        log.lines().map(str::to_owned).collect()
    }

    /// What `undertone admin` prints.
    pub fn admin(&self, arguments: &[&str]) -> Vec<Value> {
        let output =
            program().arg("admin").arg("--data").arg(self.data()).args(arguments).arg("--json").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
