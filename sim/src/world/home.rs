//! A device of somebody: its home on a disk, the engine over it while its process lives, and the driver.

use std::{
    fmt::{self, Display},
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::Poll,
};

use anyhow::bail;
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;
use tempfile::TempDir;
use tokio::task::{JoinHandle, JoinSet};
use undertone_circuit::Dialer;
use undertone_client::{ClientError, Config, Engine, GroupChanged, Kind, Message, Pace, Rungs, Sent};

use super::{
    disk::{Disk, On},
    time::{Time, Watch},
};

/// Messages looked at in one go.
const UNSHOWN_MAX: u32 = 64;

/// One device.
pub struct Home {
    folder: TempDir,
    dialer: Arc<dyn Dialer>,
    pace: Pace,
    /// Its clock.
    pub watch: Arc<Watch>,
    /// Its disk.
    pub disk: Arc<Disk>,
    /// The door through which it reaches the service.
    pub door: usize,
    rng: ChaCha20Rng,
    process: Option<Process>,
}

/// What ends when the process is killed.
struct Process {
    engine: Engine,
    driver: JoinHandle<()>,
    sends: JoinSet<(u64, Result<Sent, ClientError>)>,
    deeds: JoinSet<(u64, Result<GroupChanged, ClientError>)>,
}

/// What became of a message that was written, as far as its writer knows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is in the database.
    Kept,
    /// The service has it.
    Acknowledged,
    /// It was never kept, or taken back.
    Refused,
    /// It may have been taken back.
    Unknown,
}

impl Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kept => "kept",
            Self::Acknowledged => "acknowledged",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        })
    }
}

type Sending = Pin<Box<dyn Future<Output = (u64, Result<Sent, ClientError>)> + Send>>;

impl Home {
    /// A new one in this folder, which is empty or holds an empty home.
    pub fn new(
        folder: TempDir,
        time: &Arc<Time>,
        pace: Pace,
        (door, dialer): (usize, Arc<dyn Dialer>),
        rng: ChaCha20Rng,
    ) -> Self {
        let (watch, disk) = (Watch::new(time), Disk::new());
        Self { folder, dialer, pace, watch, disk, door, rng, process: None }
    }

    /// Starts its process.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn start(&mut self) -> Result<(), ClientError> {
        if self.process.is_some() {
            return Ok(());
        }
        let dialer = self.dialer.clone();
        let config = Config {
            folder: self.folder.path().to_owned(),
            passphrase: None,
            pace: self.pace.clone(),
            clock: self.watch.clone(),
            dialer_for: Arc::new(move |_| dialer.clone()),
            rng: Box::new(ChaCha20Rng::from_rng(&mut self.rng)),
            rungs: Rungs::of_this_release(),
        };
        let engine = self.disk.using(|| Engine::open(config))?;
        let running = engine.clone();
        let driver = tokio::spawn(On::new(&self.disk, async move { running.run().await }));
        self.process = Some(Process { engine, driver, sends: JoinSet::new(), deeds: JoinSet::new() });
        Ok(())
    }

    /// Ends its process, wherever it stands.
    pub async fn kill(&mut self) -> Vec<(u64, Fate)> {
        let fates = self.fates();
        let Some(Process { engine, driver, mut sends, mut deeds }) = self.process.take() else { return fates };
        driver.abort();
        sends.shutdown().await;
        deeds.shutdown().await;
        let _ = driver.await;
        drop(engine);
        fates
    }

    /// Its engine, while its process lives.
    pub fn engine(&self) -> Option<&Engine> {
        self.process.as_ref().map(|process| &process.engine)
    }

    /// Does something with its engine, on its disk. None: its process does not live.
    pub fn with<T>(&self, act: impl FnOnce(&Engine) -> T) -> Option<T> {
        self.engine().map(|engine| self.disk.using(|| act(engine)))
    }

    /// Its driver never ends by itself.
    pub fn is_well(&self) -> bool {
        self.process.as_ref().is_none_or(|process| !process.driver.is_finished())
    }

    /// Writes a message, and does not stay to see what becomes of it: [`Self::fates`] tells.
    pub async fn write(&mut self, number: u64, to: &str, text: &str) -> anyhow::Result<Fate> {
        let Some(process) = &mut self.process else { bail!("a dead process was to write") };
        let (engine, to, text) = (process.engine.clone(), to.to_owned(), text.to_owned());
        let sending = async move { (number, engine.send(&to, &text).await) };
        let mut sending: Sending = Box::pin(On::new(&self.disk, sending));
        match poll_fn(|context| Poll::Ready(sending.as_mut().poll(context))).await {
            Poll::Ready((_, sent)) => fate(&sent, true),
            Poll::Pending => {
                process.sends.spawn(sending);
                Ok(Fate::Kept)
            }
        }
    }

    /// What has become of messages in the meantime.
    pub fn fates(&mut self) -> Vec<(u64, Fate)> {
        let Some(process) = &mut self.process else { return Vec::new() };
        let mut fates = Vec::new();
        while let Some(done) = process.sends.try_join_next() {
            if let Ok((number, sent)) = done {
                fates.extend(fate(&sent, false).map(|fate| (number, fate)));
            }
        }
        fates
    }

    /// Does something in a group, and does not stay to see what becomes of it: [`Self::deeds`] tells.
    pub fn act<F>(&mut self, number: u64, act: impl FnOnce(Engine) -> F)
    where
        F: Future<Output = Result<GroupChanged, ClientError>> + Send + 'static,
    {
        let Some(process) = &mut self.process else { return };
        let act = act(process.engine.clone());
        process.deeds.spawn(On::new(&self.disk, async move { (number, act.await) }));
    }

    /// What has become of these in the meantime.
    pub fn deeds(&mut self) -> Vec<(u64, Result<GroupChanged, ClientError>)> {
        let Some(process) = &mut self.process else { return Vec::new() };
        let mut deeds = Vec::new();
        while let Some(done) = process.deeds.try_join_next() {
            deeds.extend(done);
        }
        deeds
    }

    /// Whether it does something in a group.
    pub fn is_busy(&self) -> bool {
        self.process.as_ref().is_some_and(|process| !process.deeds.is_empty())
    }

    /// New messages, noted as shown.
    ///
    /// # Errors
    /// When the engine fails, but for a disk that is full.
    pub fn show(&self) -> anyhow::Result<Vec<Message>> {
        let mut shown = Vec::new();
        while let Some(messages) = self.with(|engine| engine.unshown(UNSHOWN_MAX)).transpose()? {
            if messages.is_empty() {
                break;
            }
            for message in messages {
                match self.with(|engine| engine.set_shown(&message)) {
                    Some(Ok(())) => shown.push(message),
                    // Not noted: it will be new again.
                    Some(Err(error)) if is_disk(&error) => return Ok(shown),
                    Some(Err(error)) => return Err(error.into()),
                    None => return Ok(shown),
                }
            }
        }
        Ok(shown)
    }
}

/// `at_once`: the first moment decides whether a message is kept at all.
fn fate(sent: &Result<Sent, ClientError>, at_once: bool) -> anyhow::Result<Fate> {
    Ok(match sent {
        Ok(sent) if sent.queued => Fate::Kept,
        Ok(_) => Fate::Acknowledged,
        Err(error) if at_once || !is_disk(error) => {
            if matches!(error, ClientError::Bug(_)) {
                bail!("{error}");
            }
            Fate::Refused
        }
        Err(_) => Fate::Unknown,
    })
}

/// Whether an engine says that its disk is full.
pub fn is_disk(error: &ClientError) -> bool {
    error.kind() == Kind::Failed && matches!(error, ClientError::Db(_))
}
