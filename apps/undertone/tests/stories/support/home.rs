use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
    thread,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{Lines, Running, Service, must_fit, program};

/// Somebody's home, and what is done with it from a command line.
pub struct Home {
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
    /// What all commands have written to standard error, where that is kept.
    errors: Option<Mutex<Vec<String>>>,
}

/// What a command came to.
pub struct Done {
    /// Exit code.
    pub code: i32,
    /// Lines of standard output.
    pub lines: Vec<Value>,
    /// Standard error.
    pub errors: String,
}

/// A `receive --follow` that runs.
pub struct Listener {
    running: Running,
    lines: Lines,
    errors: Lines,
}

impl Home {
    /// None yet.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new(), errors: None }
    }

    /// With an account.
    pub fn of(name: &str, service: &Service) -> Self {
        let home = Self::new();
        home.register(name, service).must();
        home
    }

    /// With a variable in the environment of its commands.
    pub fn with(mut self, variable: &'static str, value: &str) -> Self {
        self.environment.push((variable, value.to_owned()));
        self
    }

    /// Keeps what its commands write to standard error.
    pub fn keeping_errors(mut self) -> Self {
        self.errors = Some(Mutex::default());
        self
    }

    /// What they have written, so far as they have ended.
    pub fn errors(&self) -> Vec<String> {
        self.errors.as_ref().unwrap().lock().unwrap().clone()
    }

    /// The home's folder.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// `register`.
    pub fn register(&self, name: &str, service: &Service) -> Done {
        self.run(&["register", "--service", service.link(), "--name", name])
    }

    /// Account id.
    pub fn account(&self) -> String {
        self.run(&["whoami"]).one()["account"].as_str().unwrap().to_owned()
    }

    /// What a friend is given.
    pub fn link(&self) -> String {
        self.run(&["whoami"]).one()["link"].as_str().unwrap().to_owned()
    }

    /// `send`, which has to succeed. Returns its line.
    pub fn send(&self, who: &str, text: &str) -> Value {
        self.run(&["send", who, text]).one()
    }

    /// Bodies that `receive` prints now.
    pub fn receive(&self) -> Vec<String> {
        self.run(&["receive"]).must().iter().map(body).collect()
    }

    /// Bodies from `receive --wait`, until so many have come.
    pub fn receive_some(&self, count: usize) -> Vec<String> {
        let mut bodies = Vec::new();
        while bodies.len() < count {
            let lines = self.run(&["receive", "--wait", "60"]).must();
            assert!(!lines.is_empty(), "only {} of {count} messages came", bodies.len());
            bodies.extend(lines.iter().map(body));
        }
        bodies
    }

    /// `history`.
    pub fn history(&self, who: &str) -> Vec<Value> {
        self.run(&["history", who]).must()
    }

    /// Starts `receive --follow`.
    pub fn listen(&self) -> Listener {
        let mut child = self
            .command(&["receive", "--follow"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, errors) = (Lines::of(child.stdout.take().unwrap()), Lines::of(child.stderr.take().unwrap()));
        Listener { running: Running(child), lines, errors }
    }

    /// Does a command.
    pub fn run(&self, arguments: &[&str]) -> Done {
        self.run_with(arguments, b"")
    }

    /// Does a command that reads standard input.
    pub fn run_with(&self, arguments: &[&str], input: &[u8]) -> Done {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (lines, errors) = (Lines::of(child.stdout.take().unwrap()), Lines::of(child.stderr.take().unwrap()));
        let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
        // A command that fails may not read what it was given.
        thread::spawn(move || stdin.write_all(&input));
        let mut running = Running(child);
        let schema = schema_of(arguments);
        let lines: Vec<Value> = lines.rest().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &lines {
            must_fit(schema, line);
        }
        let errors = errors.rest();
        if let Some(kept) = &self.errors {
            kept.lock().unwrap().extend(errors.iter().cloned());
        }
        let done = Done { code: exit_code(&mut running), lines, errors: errors.join("\n") };
        if done.code != 0 {
            must_fit("error", &done.error());
        }
        done
    }

    /// A command of this home.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.arg("--home").arg(self.path()).args(["--pace", "eager", "--json"]).args(arguments);
        command.envs(self.environment.iter().map(|(variable, value)| (variable, value)));
        command
    }

    /// A file of the home.
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }
}

impl Done {
    /// Its lines; it has to have succeeded.
    #[track_caller]
    pub fn must(self) -> Vec<Value> {
        assert_eq!(self.code, 0, "{}", self.errors);
        self.lines
    }

    /// Its only line; it has to have succeeded.
    #[track_caller]
    pub fn one(self) -> Value {
        let lines = self.must();
        assert_eq!(lines.len(), 1);
        lines[0].clone()
    }

    /// The error on its last line.
    #[track_caller]
    pub fn error(&self) -> Value {
        let line = self.errors.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|_| panic!("no error: {:?}", self.errors))
    }

    /// Has to have failed like this, and to say something of this.
    #[track_caller]
    pub fn fails(&self, code: i32, says: &str) {
        assert_eq!(self.code, code, "{}", self.errors);
        let message = self.error()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(says), "{message:?} does not say {says:?}");
    }
}

impl Listener {
    /// The next message.
    pub fn next(&self) -> Value {
        self.next_as("received")
    }

    /// The next line, of this schema.
    pub fn next_as(&self, schema: &str) -> Value {
        let line = self.lines.next().expect("nobody listens any more");
        let line = serde_json::from_str(&line).unwrap();
        must_fit(schema, &line);
        line
    }

    /// The next note on standard error that says this.
    pub fn is_told(&self, says: &str) {
        while let Some(line) = self.errors.next() {
            if line.contains(says) {
                return;
            }
        }
        panic!("nobody said {says:?}");
    }

    /// SIGKILL.
    pub fn kill(self) {
        self.running.kill();
    }

    /// SIGTERM. Returns the messages that nobody has looked at.
    pub fn stop(mut self) -> Vec<Value> {
        self.running.terminate();
        let rest = self.lines.rest().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(self.running.0.wait().unwrap().code(), Some(0));
        rest
    }
}

fn exit_code(running: &mut Running) -> i32 {
    let status = running.0.wait().unwrap();
    status.code().unwrap_or_else(|| panic!("ended by a signal: {status}"))
}

/// The text of a message.
pub fn body(message: &Value) -> String {
    message["body"].as_str().unwrap().to_owned()
}

/// What a command prints.
fn schema_of(arguments: &[&str]) -> &'static str {
    match arguments {
        ["--clock-ahead", _, rest @ ..] => schema_of(rest),
        ["register", ..] => "registered",
        ["whoami", "--published"] => "published",
        ["whoami", ..] => "whoami",
        ["profile", ..] => "profile",
        ["settings", ..] => "settings",
        ["report", ..] => "report",
        ["typing", ..] => "typing",
        ["send", ..] => "sent",
        ["receive", ..] => "received",
        ["history", ..] => "entry",
        ["chats", ..] => "chat",
        ["group", "list" | "show", ..] => "group",
        ["group", "requests", ..] => "group-request",
        ["group", "invite-link", ..] => "group-link",
        ["group", ..] => "group-changed",
        ["device", "list"] => "device",
        ["device", "remove", ..] => "removed",
        // These fail before they print, or are dialogues.
        ["device", "link", ..] => "code",
        ["recover", ..] => "whoami",
        ["delete-account", ..] => "deleted",
        ["request", "list", ..] => "request",
        ["request", ..] => "answered",
        ["contacts", "forget", ..] => "forgotten",
        ["contacts", ..] => "contact",
        ["listing", ..] => "listing",
        ["demo", ..] => "step",
        _ => panic!("what does {arguments:?} print?"),
    }
}
