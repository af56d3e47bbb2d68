//! What stories are made of.

mod chance;
mod dialogue;
mod fleet;
mod home;
mod lines;
mod proxy;
mod schema;
mod service;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

pub use chance::Chance;
pub use dialogue::Dialogue;
pub use fleet::{Device, Fleet};
pub use home::{Done, Home, Listener, body};
pub use lines::Lines;
pub use proxy::Proxy;
pub use schema::{Schema, must_fit};
pub use service::Service;

/// Far longer than anything takes on a slow and busy machine: a story that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The program.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_undertone"));
    let variables =
        ["CLOCK_AHEAD", "HOME", "LOG", "PACE", "PASSPHRASE"].map(|variable| format!("UNDERTONE_{variable}"));
    for variable in variables.iter().map(String::as_str).chain(["XDG_DATA_HOME"]) {
        command.env_remove(variable);
    }
    command
}

/// The folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// A process that ends with the story, whatever becomes of that.
pub struct Running(pub Child);

impl Running {
    /// SIGKILL.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// SIGTERM. Returns the exit code; the caller has seen its output end.
    pub fn terminate(&self) {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
