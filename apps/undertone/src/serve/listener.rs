//! The TCP listener: takes connections for as long as the service runs, whatever comes.

use std::{io, sync::Arc, time::Duration};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use undertone_wire::limits::DRAIN_MS;

use super::{Circuits, gate::Gate, going_away, limits::CIRCUITS_MAX};

/// Open files that are no circuits: databases, their logs, sockets.
const OTHER_FILES: u64 = 128;
/// Out of files or memory, the next connection would fail at once: time for others to end.
const PAUSE: Duration = Duration::from_millis(100);
/// Circuits end by themselves within [`DRAIN_MS`], and have 2 s for their last words.
const LEAVE: Duration = Duration::from_millis(DRAIN_MS + 3_000);

/// Takes connections and has them carried as circuits.
pub struct Listener {
    tcp: TcpListener,
    gate: Arc<Gate>,
    circuits: Arc<Circuits>,
    /// One task each.
    carried: JoinSet<()>,
}

impl Listener {
    /// Nobody is let in yet.
    pub fn new(tcp: TcpListener, circuits: Arc<Circuits>) -> Self {
        Self { tcp, gate: Arc::new(Gate::new(circuits_max())), circuits, carried: JoinSet::new() }
    }

    /// Runs until the service goes away and all circuits have ended.
    pub async fn run(mut self, draining: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = going_away(draining.clone()) => break,
                accepted = self.tcp.accept() => match accepted {
                    Ok((stream, from)) => self.take(stream, from, &draining),
                    Err(error) => survive(&error).await,
                },
                Some(ended) = self.carried.join_next() => note(ended),
            }
        }
        self.leave().await;
    }

    fn take(&mut self, stream: TcpStream, from: std::net::SocketAddr, draining: &watch::Receiver<bool>) {
        let (handshaking, pass) = match self.gate.admit(from.ip()) {
            Ok(admitted) => admitted,
            Err(refusal) => return tracing::debug!(?refusal, "a tunnel was refused"),
        };
        // Frames are written whole; to wait for more to send with them would only delay them.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let (circuits, draining) = (self.circuits.clone(), draining.clone());
        self.carried.spawn(async move { circuits.carry(stream, handshaking, pass, draining).await });
    }

    async fn leave(self) {
        let Self { tcp, mut carried, .. } = self;
        drop(tcp);
        let all_ended = async {
            while let Some(ended) = carried.join_next().await {
                note(ended);
            }
        };
        if timeout(LEAVE, all_ended).await.is_err() {
            tracing::warn!(circuits = carried.len(), "circuits were cut off");
        }
        carried.shutdown().await;
    }
}

/// How many circuits this process may hold. The limit of open files is raised as far as the system lets us.
fn circuits_max() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    match if raised { maximum } else { current } {
        // At least one, so that a service under an absurd limit is slow and not deaf.
        Some(files) => usize::try_from(files.saturating_sub(OTHER_FILES).max(1)).unwrap_or(CIRCUITS_MAX),
        None => CIRCUITS_MAX,
    }
}

/// A failed accept is no reason to stop.
async fn survive(error: &io::Error) {
    match error.kind() {
        // That one client is gone again.
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted => {}
        kind => {
            tracing::warn!(?kind, "the system gives no connection");
            sleep(PAUSE).await;
        }
    }
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("the task of a circuit panicked; the others go on");
    }
}
