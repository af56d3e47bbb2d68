//! From our command line to the home, as its host or as a guest of whoever is.

use std::{sync::Arc, time::Duration};

use rand::rngs::StdRng;
use tokio::time::Instant;
use undertone_circuit::{Dialer, TcpDialer};
use undertone_client::{Config, Engine, Pace, Rungs};
use zeroize::Zeroizing;

use super::{
    folder::Folder,
    guest::{Ended, Guest},
    host::Host,
    lock::HomeLock,
};
use crate::{
    clock::ProcessClock,
    command::{AfterCut, Command, Context, Sink, execute},
    failure::{Failure, Kind},
    output::{self, Line},
    question::{Answer, Question},
};

const PASSPHRASE: &str = "UNDERTONE_PASSPHRASE";
/// How long a home may be changing hands. A host that leaves takes at most 20 s.
const TAKE: Duration = Duration::from_secs(30);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(20);
/// Hosts that may go away under one command.
const HOSTS_MAX: u32 = 100;

/// How to open a home.
pub struct Opening {
    /// Where it is.
    pub folder: Folder,
    /// Its delays.
    pub pace: Pace,
    /// Whether lines are for a program.
    pub json: bool,
}

/// Commands on one home, one after another.
pub struct Session {
    opening: Opening,
    role: Option<Role>,
}

enum Role {
    Host(Host),
    Guest(Guest),
}

impl Session {
    /// Opens nothing yet.
    pub fn new(opening: Opening) -> Self {
        Self { opening, role: None }
    }

    /// Does a command, and prints its lines.
    pub async fn run(&mut self, command: &Command) -> Result<(), Failure> {
        let json = self.opening.json;
        let mut skip = 0;
        for _ in 0..HOSTS_MAX {
            if self.role.is_none() {
                self.role = Some(self.opening.enter(command.makes_home()).await?);
            }
            match &mut self.role {
                Some(Role::Host(host)) => return execute(host.context(), command, &mut Terminal { json, skip }).await,
                Some(Role::Guest(guest)) => match guest.run(json, command, skip).await {
                    Ended::Done(result) => return result,
                    Ended::HostGone { begun: false, .. } => {}
                    Ended::HostGone { begun: true, printed } => match command.after_cut(printed.max(skip)) {
                        AfterCut::Again { skip: again } => skip = again,
                        AfterCut::Done => return Ok(()),
                        AfterCut::Lost => {
                            let message =
                                "the process that had this home open was killed in the middle of this; try again";
                            return Err(Failure::new(Kind::Failed, message));
                        }
                    },
                },
                None => {}
            }
            self.role = None;
        }
        Err(Failure::new(Kind::Failed, "the processes that have this home open keep ending; try again"))
    }

    /// Leaves the home in order.
    pub async fn close(self) {
        if let Some(Role::Host(host)) = self.role {
            host.close().await;
        }
    }
}

impl Opening {
    /// The engine of a home whose lock we hold.
    pub fn engine(&self) -> Result<Engine, Failure> {
        let passphrase = std::env::var(PASSPHRASE).ok().filter(|text| !text.is_empty()).map(Zeroizing::new);
        Ok(Engine::open(Config {
            folder: self.folder.path().to_owned(),
            passphrase,
            pace: self.pace.clone(),
            clock: Arc::new(ProcessClock),
            rng: Box::new(rand::make_rng::<StdRng>()),
            rungs: Rungs::of_this_release(),
            dialer_for: Arc::new(|link| Arc::new(TcpDialer::new(&*link.endpoint)) as Arc<dyn Dialer>),
        })?)
    }

    /// The lock of the home, once nobody else has it.
    pub async fn lock(&self) -> Result<HomeLock, Failure> {
        let deadline = Instant::now() + TAKE;
        loop {
            if let Some(lock) = HomeLock::take(&self.folder.lock())? {
                return Ok(lock);
            }
            wait(deadline).await?;
        }
    }

    async fn enter(&self, make: bool) -> Result<Role, Failure> {
        if make { self.folder.prepare() } else { self.folder.must_be_home() }?;
        let deadline = Instant::now() + TAKE;
        loop {
            if let Some(lock) = HomeLock::take(&self.folder.lock())? {
                let context = Context::new(self.engine()?);
                return Ok(Role::Host(Host::open(self.folder.clone(), lock, context)?));
            }
            if let Some(guest) = Guest::enter(&self.folder).await? {
                return Ok(Role::Guest(guest));
            }
            wait(deadline).await?;
        }
    }
}

/// Waits a little, because a home is just being opened or closed by another process.
async fn wait(deadline: Instant) -> Result<(), Failure> {
    if Instant::now() >= deadline {
        let message = "another process has this home open and does not answer; end that process, then try again";
        return Err(Failure::new(Kind::Failed, message));
    }
    tokio::time::sleep(AGAIN).await;
    Ok(())
}

/// Our own standard output, but for the first lines.
struct Terminal {
    json: bool,
    skip: u64,
}

impl Sink for Terminal {
    async fn print(&mut self, line: &Line) -> Result<(), Failure> {
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(());
        }
        output::print(&line.render(self.json))
    }

    fn is_for_program(&self) -> bool {
        self.json
    }

    async fn note(&mut self, text: &str) -> Result<(), Failure> {
        output::note(text);
        Ok(())
    }

    async fn ask(&mut self, question: Question) -> Result<Answer, Failure> {
        question.ask().await
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        os::unix::net::UnixStream,
        path::Path,
    };

    use serde_json::{Value, json};

    use super::*;
    use crate::home::protocol::LINE_BYTES_MAX;

    /// A home without an account: every command on it fails, in a way that tells that it was done.
    fn home(path: &Path) -> Session {
        let folder = Folder::find(Some(path)).unwrap();
        folder.prepare().unwrap();
        std::fs::write(folder.lock(), "").unwrap();
        Session::new(Opening { folder, pace: Pace::eager(), json: true })
    }

    async fn is_done(session: &mut Session) -> bool {
        let failure = session.run(&Command::Chats).await.err().unwrap();
        failure.to_string().contains("no account yet")
    }

    /// Says lines to the host as a guest does, and hears what it answers.
    async fn said(folder: &Folder, lines: &[&[u8]]) -> Vec<Value> {
        let mut stream = UnixStream::connect(folder.socket()).unwrap();
        let bytes = lines.concat();
        tokio::task::spawn_blocking(move || {
            // The host may hang up before it has read everything.
            let _ = stream.write_all(&bytes);
            let lines = BufReader::new(stream).lines().map_while(Result::ok);
            lines.map(|line| serde_json::from_str(&line).unwrap()).collect()
        })
        .await
        .unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_hosts_and_the_others_are_guests() {
        let folder = tempfile::tempdir().unwrap();
        let mut sessions = [home(folder.path()), home(folder.path()), home(folder.path())];
        for session in &mut sessions {
            assert!(is_done(session).await);
        }
        let [first, mut second, mut third] = sessions;
        assert!(matches!(first.role, Some(Role::Host(_))));
        assert!(matches!((&second.role, &third.role), (Some(Role::Guest(_)), Some(Role::Guest(_)))));
        first.close().await;
        assert!(is_done(&mut second).await && is_done(&mut third).await);
        assert!(matches!((&second.role, &third.role), (Some(Role::Host(_)), Some(Role::Guest(_)))));
        second.close().await;
        third.close().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_socket_that_was_left_behind_does_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let mut session = home(folder.path());
        drop(std::os::unix::net::UnixListener::bind(session.opening.folder.socket()).unwrap());
        assert!(is_done(&mut session).await);
        assert!(matches!(session.role, Some(Role::Host(_))));
        let socket = session.opening.folder.socket();
        session.close().await;
        assert!(!socket.exists());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nonsense_from_a_guest_is_an_error_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let mut host = home(folder.path());
        assert!(is_done(&mut host).await);
        let folder = host.opening.folder.clone();
        let hello = b"{\"hello\":2}\n";
        for nonsense in [
            &b"{}\n"[..],
            b"\xff\xff\n",
            b"\"printed\"\n",
            b"{\"answer\":\"yes\"}\n",
            b"{\"run\":{\"json\":1}}\n",
            &vec![b'['; LINE_BYTES_MAX + 1],
        ] {
            let answers = said(&folder, &[hello, nonsense]).await;
            assert_eq!(answers[0], json!({"hello": 2}));
            assert_eq!(answers[1]["done"]["kind"], json!("usage"));
            assert_eq!(answers.len(), 2);
        }
        assert!(said(&folder, &[b"GET / HTTP/1.1\r\n\r\n"]).await.is_empty());
        assert_eq!(said(&folder, &[b"{\"hello\":99}\n"]).await, [json!({"hello": 2})]);
        assert!(is_done(&mut host).await && is_done(&mut home(folder.path())).await);
        host.close().await;
    }
}
