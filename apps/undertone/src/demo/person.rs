use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::process::{PATIENCE, Process, program};

/// Between two looks at what is to come.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Somebody with a home: a process that listens, and short ones that act through it.
pub struct Person {
    pub name: &'static str,
    pub home: PathBuf,
    account: String,
    link: String,
    ears: Option<Process>,
    heard: HashSet<String>,
}

/// What a short process said.
pub struct Said {
    pub code: Option<i32>,
    pub lines: Vec<Value>,
    errors: String,
}

impl Person {
    /// Without an account.
    pub fn new(name: &'static str, home: PathBuf) -> Self {
        Self { name, home, account: String::new(), link: String::new(), ears: None, heard: HashSet::new() }
    }

    /// Account id.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// What friends are given.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// Makes an account.
    pub async fn register(&mut self, service: &str) -> anyhow::Result<()> {
        let me = self.one(&["register", "--service", service, "--name", self.name]).await?;
        (self.account, self.link) = (text(&me, "account")?, text(&me, "link")?);
        Ok(())
    }

    /// Starts to listen.
    pub fn go_online(&mut self) -> anyhow::Result<()> {
        let mut command = self.command()?;
        command.args(["receive", "--follow"]);
        self.ears = Some(Process::start(self.name, command, &log_beside(&self.home))?);
        Ok(())
    }

    /// Ends listening.
    pub async fn go_offline(&mut self) {
        if let Some(ears) = self.ears.take() {
            ears.end().await;
        }
    }

    /// Sends a message, which the service then has. Returns its id.
    pub async fn send(&self, who: &str, body: &str) -> anyhow::Result<String> {
        text(&self.one(&["send", who, body]).await?, "id")
    }

    /// Waits for the message of this id, and hears nothing twice meanwhile.
    pub async fn hears(&mut self, id: &str) -> anyhow::Result<Value> {
        while !self.heard.contains(id) {
            let ears = self.ears.as_mut().context("nobody listens")?;
            let line = ears.line_soon("a message is on its way").await?;
            let message = self.hear(&line)?;
            if text(&message, "id")? == id {
                return Ok(message);
            }
        }
        bail!("{} was shown a message before its turn", self.name)
    }

    /// Waits for whatever comes.
    pub async fn hears_something(&mut self) -> anyhow::Result<Value> {
        let ears = self.ears.as_mut().context("nobody listens")?;
        let line = ears.line().await?;
        self.hear(&line)
    }

    fn hear(&mut self, line: &str) -> anyhow::Result<Value> {
        let message: Value = serde_json::from_str(line)?;
        let new = self.heard.insert(text(&message, "id")?);
        ensure!(new, "{} was shown a message twice", self.name);
        Ok(message)
    }

    /// Waits until he knows what somebody says of himself.
    pub async fn knows_about(&self, who: &str, about: &str) -> anyhow::Result<()> {
        let known = async {
            while text(&self.one(&["profile", who]).await?, "about")? != about {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Ok(())
        };
        tokio::time::timeout(PATIENCE, known).await.with_context(|| format!("{} hears no news of {who}", self.name))?
    }

    /// Waits until a group is as it should be, where nobody listens by asking the service.
    pub async fn sees(&self, group: &str, holds: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let seen = async {
            loop {
                if self.ears.is_none() {
                    self.all(&["receive"]).await?;
                }
                let all = self.all(&["group", "list"]).await?;
                let found = all.into_iter().find(|line| line.get("title").and_then(Value::as_str) == Some(group));
                match found.filter(&holds) {
                    Some(line) => return Ok(line),
                    None => tokio::time::sleep(LOOK_AGAIN).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, seen).await.with_context(|| format!("{} does not see {group}", self.name))?
    }

    /// Does a command that has to succeed and say one thing.
    pub async fn one(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let lines = self.all(arguments).await?;
        let [line] = &lines[..] else { bail!("{}: {} lines instead of one", self.name, lines.len()) };
        Ok(line.clone())
    }

    /// Does a command that has to succeed.
    pub async fn all(&self, arguments: &[&str]) -> anyhow::Result<Vec<Value>> {
        let said = self.says(arguments).await?;
        let command = arguments.first().unwrap_or(&"");
        ensure!(said.code == Some(0), "{} could not {command}: {}", self.name, said.errors.trim_end());
        Ok(said.lines)
    }

    /// Does a command, whatever comes of it.
    pub async fn says(&self, arguments: &[&str]) -> anyhow::Result<Said> {
        let mut command = self.command()?;
        command.args(arguments);
        let command_name = arguments.first().unwrap_or(&"");
        let output = tokio::time::timeout(PATIENCE, command.output())
            .await
            .with_context(|| format!("{}: `{command_name}` did not end within {} s", self.name, PATIENCE.as_secs()))?
            .context("this program cannot be started")?;
        let lines =
            String::from_utf8_lossy(&output.stdout).lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(Said { code: output.status.code(), lines, errors })
    }

    /// Whether the listening process still runs.
    pub fn listens(&mut self) -> bool {
        self.ears.as_mut().is_some_and(Process::runs)
    }

    fn command(&self) -> anyhow::Result<tokio::process::Command> {
        let mut command = program()?;
        command.arg("--home").arg(&self.home).args(["--pace", "eager", "--json"]);
        Ok(command)
    }
}

/// A text field of a line.
pub fn text(line: &Value, field: &str) -> anyhow::Result<String> {
    let value = line.get(field).and_then(Value::as_str).with_context(|| format!("a line without `{field}`"))?;
    Ok(value.to_owned())
}

fn log_beside(home: &Path) -> PathBuf {
    home.with_extension("log")
}
