//! The servers as processes: on a free port of loopback, with a folder of their own, and no federation.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command as Asking, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

use super::xmpp::dial;

/// Neither a start nor an end takes so long.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);
/// Below those that systems give to clients.
const PORTS: std::ops::Range<u16> = 15_222..15_322;

/// Where Debian keeps Erlang's libraries: ejabberd is one.
const ERLANG_LIBRARIES: &str = "/usr/lib/x86_64-linux-gnu";

/// Which one.
#[derive(Clone, Copy)]
pub enum Kind {
    /// In Erlang.
    Ejabberd,
    /// In Lua.
    Prosody,
}

impl Kind {
    /// As it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ejabberd => "ejabberd",
            Self::Prosody => "Prosody",
        }
    }

    /// Of the Debian package. None: it is not installed.
    pub fn version(self) -> Option<String> {
        let package = self.name().to_lowercase();
        let asked = Asking::new("dpkg-query").args(["-W", "-f", "${Version}", &package]).output().ok()?;
        let version = String::from_utf8(asked.stdout).ok()?;
        asked.status.success().then_some(version).filter(|version| !version.is_empty())
    }

    fn command(self, folder: &Path, port: u16) -> anyhow::Result<Command> {
        let config = |name: &str, text: String| -> anyhow::Result<PathBuf> {
            let path = folder.join(name);
            fs::write(&path, text)?;
            Ok(path)
        };
        Ok(match self {
            Self::Ejabberd => {
                let mut command = Command::new("erl");
                command
                    .args(["-noinput", "+K", "true", "+P", "250000", "-mnesia", "dir"])
                    .arg(format!("{:?}", folder.join("mnesia")))
                    .args(["-s", "ejabberd"])
                    .env("ERL_LIBS", ERLANG_LIBRARIES)
                    .env("ERL_CRASH_DUMP", folder.join("crash"))
                    .env("EJABBERD_CONFIG_PATH", config("ejabberd.yml", ejabberd(port))?)
                    .env("EJABBERD_LOG_PATH", folder.join("ejabberd.log"));
                command
            }
            Self::Prosody => {
                let mut command = Command::new("prosody");
                command.arg("--config").arg(config("prosody.cfg.lua", prosody(port, folder))?).arg("-F");
                command
            }
        })
    }
}

fn ejabberd(port: u16) -> String {
    format!(
        "hosts: [localhost]
loglevel: warning
listen:
  - {{port: {port}, ip: \"127.0.0.1\", module: ejabberd_c2s, starttls: false, shaper: none, access: all}}
auth_method: [anonymous]
anonymous_protocol: sasl_anon
modules: {{mod_caps: {{}}, mod_carboncopy: {{}}, mod_disco: {{}}, mod_offline: {{}}, mod_ping: {{}}, mod_roster: {{}}, mod_stream_mgmt: {{}}}}
"
    )
}

fn prosody(port: u16, folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "run_as_root = true
pidfile = \"{folder}/prosody.pid\"
data_path = \"{folder}\"
log = {{ warn = \"{folder}/prosody.log\" }}
interfaces = {{ \"127.0.0.1\" }}
c2s_ports = {{ {port} }}
s2s_ports = {{}}
http_ports = {{}}
https_ports = {{}}
c2s_require_encryption = false
modules_enabled = {{ \"roster\", \"saslauth\", \"disco\", \"carbons\", \"ping\", \"smacks\" }}
modules_disabled = {{ \"s2s\", \"tls\" }}
network_backend = \"epoll\"
VirtualHost \"localhost\"
  authentication = \"anonymous\"
"
    )
}

/// One of this machine's on which nobody listens.
async fn free_port() -> Option<u16> {
    for port in PORTS {
        if dial(port).await.is_none() {
            return Some(port);
        }
    }
    None
}

/// A server that runs. Dropped, it is killed.
pub struct Server {
    child: Child,
    pid: u32,
    port: u16,
}

impl Server {
    /// Starts one and waits until it listens.
    pub async fn start(kind: Kind, folder: &Path) -> anyhow::Result<Self> {
        let port = free_port().await.context("every port is taken")?;
        let mut child = kind
            .command(folder, port)?
            .current_dir(folder)
            .env("HOME", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("it cannot be started")?;
        let pid = child.id().context("it ended at once")?;
        let listening = async {
            while dial(port).await.is_none() {
                if let Some(status) = child.try_wait()? {
                    bail!("it ended at once ({status})");
                }
                sleep(LOOK).await;
            }
            Ok(())
        };
        timeout(PATIENCE, listening).await.context("it does not listen")??;
        Ok(Self { child, pid, port })
    }

    /// Its number in the system.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it.
    pub async fn end(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("it cannot be ended")
    }
}
