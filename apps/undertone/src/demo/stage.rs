use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use undertone_wire::link::Link;

use super::{
    person::{Person, text},
    process::{PATIENCE, Process, program},
};
use crate::output::{self, Line, one_line};

/// Everybody and everything in the demo.
pub struct Stage {
    pub ana: Person,
    pub bo: Person,
    pub frank: Person,
    service: Option<Process>,
    link: String,
    folder: PathBuf,
    json: bool,
    steps: u32,
}

impl Stage {
    /// Empty, in this folder.
    pub fn new(folder: &Path, json: bool) -> anyhow::Result<Self> {
        let person = |name, home| Person::new(name, folder.join(home));
        Ok(Self {
            ana: person("Ana", "ana"),
            bo: person("Bo", "bo"),
            frank: person("Frank", "frank"),
            service: None,
            link: String::new(),
            folder: folder.to_owned(),
            json,
            steps: 0,
        })
    }

    /// Whether lines are for a program.
    pub const fn json(&self) -> bool {
        self.json
    }

    /// The service's link.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// The demo's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The service's folder.
    pub fn data(&self) -> PathBuf {
        self.folder.join("service")
    }

    /// A tick.
    pub fn done(&mut self, what: &'static str) -> anyhow::Result<()> {
        self.steps += 1;
        Ok(output::print(&Line::step(self.steps, what).render(self.json))?)
    }

    /// Starts the service: where it was before, if it was.
    pub async fn start_service(&mut self) -> anyhow::Result<()> {
        let before = Link::parse(&self.link).ok();
        let listen = before.map_or_else(|| "127.0.0.1:0".to_owned(), |link| link.endpoint);
        let mut command = program()?;
        command.args(["serve", "--registration", "open", "--listen", &listen, "--data"]).arg(self.data());
        let mut service = Process::start("the service", command, &self.folder.join("service.log"))?;
        let line = service.line_soon("it has to say that it is ready").await?;
        self.service = Some(service);
        let link = line.strip_prefix("ready ").with_context(|| format!("the service said {:?}", one_line(&line)))?;
        ensure!(self.link.is_empty() || self.link == link, "the service came back as another one");
        self.link = link.to_owned();
        Ok(())
    }

    /// Kills the service with SIGKILL.
    pub async fn kill_service(&mut self) -> anyhow::Result<()> {
        self.service.take().context("there is no service to kill")?.kill().await
    }

    /// What `undertone admin view` says.
    pub async fn service_view(&self) -> anyhow::Result<Vec<Value>> {
        let mut command = program()?;
        command.args(["admin", "--data"]).arg(self.data()).args(["view", "--json"]);
        let output = tokio::time::timeout(PATIENCE, command.output()).await.context("the service shows nothing")??;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the service's view cannot be had: {}", errors.trim_end());
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }

    /// That every process that should run does.
    pub fn must_be_whole(&mut self) -> anyhow::Result<()> {
        let runs = self.service.as_mut().is_some_and(Process::runs) && self.ana.listens() && self.bo.listens();
        ensure!(runs, "a process of the demo has ended");
        Ok(())
    }

    /// Shows what arrives, until a process ends that should not.
    pub async fn go_on(&mut self) -> anyhow::Result<()> {
        loop {
            let Some(service) = self.service.as_mut() else { bail!("there is no service") };
            let (name, message) = tokio::select! {
                message = self.ana.hears_something() => (self.ana.name, message?),
                message = self.bo.hears_something() => (self.bo.name, message?),
                error = service.ended() => return Err(error),
            };
            if self.json {
                output::print(&message.to_string())?;
            } else {
                let body = text(&message, "body").unwrap_or_default();
                output::print(&format!("{name} received: {}", one_line(&body)))?;
            }
        }
    }

    /// Ends every process.
    pub async fn end(&mut self) {
        self.ana.go_offline().await;
        self.bo.go_offline().await;
        if let Some(service) = self.service.take() {
            service.end().await;
        }
    }
}
