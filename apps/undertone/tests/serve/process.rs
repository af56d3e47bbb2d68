//! Services and operators as processes. Every wait is bounded; what a test leaves running ends with the test.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rand::rngs::StdRng;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, ChildStderr, ChildStdout, Command},
};
use undertone_circuit::{CallError, Circuit, ConnectError, TcpDialer};
use undertone_client::{Clock as _, SystemClock};
use undertone_credentials::{IssuingKey, ReadKey, Wish, WriteKey};
use undertone_wire::{
    circuit::Code,
    link::Link,
    objects::{Purpose, Token},
    rpc::Service as Kind,
    visitor::{CreateChannelRequest, Visitor},
};

/// However busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for what must happen.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("this takes too long")
}

fn undertone() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_undertone"));
    command.kill_on_drop(true).env_remove("UNDERTONE_LOG").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A folder for a service, not made yet.
pub struct Data {
    _parent: tempfile::TempDir,
    pub path: PathBuf,
}

impl Data {
    pub fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        Self { path: parent.path().join("data"), _parent: parent }
    }
}

/// A service that is ready.
pub struct Service {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: ChildStderr,
    pub text: String,
    pub link: Link,
    data: PathBuf,
}

impl Service {
    pub async fn start(data: &Data) -> Self {
        Self::listen(data, "127.0.0.1:0").await
    }

    pub async fn listen(data: &Data, address: &str) -> Self {
        let mut command = undertone();
        command.args(["serve", "--listen", address, "--data"]).arg(&data.path);
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut stderr = child.stderr.take().unwrap();
        let mut line = String::new();
        soon(stdout.read_line(&mut line)).await.unwrap();
        let Some(text) = line.strip_prefix("ready ").and_then(|rest| rest.strip_suffix('\n')) else {
            let mut said = String::new();
            soon(stderr.read_to_string(&mut said)).await.unwrap();
            panic!("not ready: {line}{said}");
        };
        let (link, data) = (Link::parse(text).unwrap(), data.path.clone());
        Self { link, text: text.to_owned(), child, stdout, stderr, data }
    }

    pub fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        kill_process(id.expect("it has ended"), signal).unwrap();
    }

    /// Waits for its end; returns what it said after `ready`, on both outputs.
    pub async fn ended(mut self) -> (ExitStatus, String, String) {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        soon(self.stdout.read_to_string(&mut stdout)).await.unwrap();
        soon(self.stderr.read_to_string(&mut stderr)).await.unwrap();
        (soon(self.child.wait()).await.unwrap(), stdout, stderr)
    }

    pub async fn terminate(self) {
        self.signal(Signal::TERM);
        let (status, stdout, stderr) = self.ended().await;
        assert!(status.success(), "{status}: {stderr}");
        assert_eq!((stdout, stderr), (String::new(), String::new()));
    }

    pub async fn kill(self) {
        self.signal(Signal::KILL);
        assert!(!self.ended().await.0.success());
    }

    pub fn endpoint(&self) -> &str {
        &self.link.endpoint
    }

    pub async fn connect<K: Kind>(&self) -> Result<Circuit<K>, ConnectError> {
        let mut rng = rand::make_rng::<StdRng>();
        Circuit::connect(&TcpDialer::new(self.endpoint()), &self.link.pin, None, &mut rng).await
    }

    /// Has a channel made, and pays for it; None: so it is.
    pub async fn create_channel(&self, request: &CreateChannelRequest) -> Option<Code> {
        let circuit = soon(self.connect::<Visitor>()).await.unwrap();
        let tokens = vec![self.token(Purpose::Channel)];
        match soon(circuit.visit(CreateChannelRequest { tokens, ..request.clone() })).await {
            Ok(_) => None,
            Err(CallError::Refused(fault)) => Some(fault.code()),
            Err(error) => panic!("{error}"),
        }
    }

    /// What an account would be issued, made with the service's own key: it stands in its file behind magic, version,
    /// circuit keys and head key.
    fn token(&self, purpose: Purpose) -> Token {
        let keys = std::fs::read(self.data.join("service.keys")).unwrap();
        let seed = keys[8 + 1 + 97 + 32..][..32].try_into().unwrap();
        let mut rng = rand::make_rng::<StdRng>();
        let wish = Wish::new(purpose, SystemClock.now().day().week(), 1, &mut rng).unwrap();
        let key = IssuingKey::from_seed(&seed).key(purpose, wish.week());
        let issued = key.issue(&wish.blinded(), &mut rng).unwrap();
        Token::from(&wish.finish(&key.public(), &issued.evaluated, &issued.proof).unwrap()[0])
    }

    /// It serves whoever comes.
    pub async fn must_serve(&self) {
        assert!(self.create_channel(&channel(rand::random())).await.is_none());
    }
}

/// A request to make this channel, with fresh keys.
pub fn channel(id: [u8; 16]) -> CreateChannelRequest {
    let mut rng = rand::make_rng::<StdRng>();
    CreateChannelRequest {
        channel: id.to_vec().into(),
        read_key: ReadKey::generate(&mut rng).public().as_bytes().to_vec().into(),
        write_key: WriteKey::generate(&mut rng).public().as_bytes().to_vec().into(),
        ..CreateChannelRequest::default()
    }
}

/// How a command ended, and what it said.
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// Its only line, as JSON.
    pub fn json(&self) -> serde_json::Value {
        assert_eq!((self.code, self.stdout.lines().count()), (Some(0), 1), "{}{}", self.stdout, self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// All lines, as JSON.
    pub fn jsons(&self) -> Vec<serde_json::Value> {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Runs a command to its end.
pub async fn run(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Outcome {
    let output = soon(undertone().args(arguments).output()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Asks as the operator.
pub async fn admin(data: &Path, arguments: &[&str]) -> Outcome {
    let mut all: Vec<&OsStr> = ["admin", "--data"].map(OsStr::new).into();
    all.push(data.as_os_str());
    all.extend(arguments.iter().map(OsStr::new));
    run(all).await
}
