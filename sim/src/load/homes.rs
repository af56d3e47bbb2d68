//! Homes of real engines, on a disk, over real sockets.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rand::rngs::StdRng;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::sleep};
use undertone_circuit::{Dialer, TcpDialer};
use undertone_client::{Config, Engine, Pace, Rungs, SystemClock};

use crate::program::Program;

/// What comes to pass at all does so within this time.
const PATIENCE: Duration = Duration::from_secs(60);
/// From one look to the next.
const LOOK: Duration = Duration::from_millis(2);

/// A home, and its process while it runs.
pub struct Home {
    folder: TempDir,
    running: Option<(Engine, JoinHandle<()>)>,
}

impl Home {
    /// An empty one that runs.
    pub fn new(program: &Program) -> anyhow::Result<Self> {
        let folder = program.data()?;
        // By this the command line knows a home; nobody else comes to this one.
        std::fs::write(folder.path().join("lock"), "")?;
        let mut home = Self { folder, running: None };
        home.start()?;
        Ok(home)
    }

    /// Where it stands.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Opens it, and keeps it in step with its service.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let engine = Engine::open(Config {
            folder: self.path().to_owned(),
            passphrase: None,
            pace: Pace::eager(),
            clock: Arc::new(SystemClock),
            dialer_for: Arc::new(|link| Arc::new(TcpDialer::new(&*link.endpoint)) as Arc<dyn Dialer>),
            rng: Box::new(rand::make_rng::<StdRng>()),
            rungs: Rungs::of_this_release(),
        })?;
        let running = engine.clone();
        let driver = tokio::spawn(async move { running.run().await });
        self.running = Some((engine, driver));
        Ok(())
    }

    /// Closes it: afterwards all of it stands in one file.
    pub async fn stop(&mut self) {
        if let Some((engine, driver)) = self.running.take() {
            driver.abort();
            let _ = driver.await;
            drop(engine);
        }
    }

    /// Its engine.
    pub fn engine(&self) -> anyhow::Result<&Engine> {
        Ok(&self.running.as_ref().context("a home that does not run")?.0)
    }

    /// Length of the database of a home that does not run.
    pub fn disk_bytes(&self) -> anyhow::Result<u64> {
        Ok(self.database().metadata()?.len())
    }

    /// Writes the messages of its chats again and again, under other ids, until there are so many. It does not run.
    pub fn multiply_history(&self, messages: u32) -> anyhow::Result<()> {
        let key = std::fs::read(self.path().join("key")).context("the home's key cannot be read")?;
        let key = key.strip_prefix(&[1, 0]).context("the home's key is of another form")?;
        let db = Connection::open(self.database())?;
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        db.pragma_update(None, "key", format!("x'{hex}'"))?;
        let columns: Vec<String> = db
            .prepare("SELECT name FROM pragma_table_info('messages') WHERE name NOT IN ('n', 'id', 'seq')")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let columns = columns.join(", ");
        let count =
            || db.query_row("SELECT count(*), max(seq) FROM messages", [], |row| Ok((row.get(0)?, row.get(1)?)));
        let (mut there, mut last): (u32, i64) = count()?;
        while there < messages {
            db.execute(
                &format!(
                    "INSERT INTO messages (id, seq, {columns})
                    SELECT randomblob(16), seq + ?1, {columns} FROM messages WHERE seq IS NOT NULL ORDER BY n LIMIT ?2"
                ),
                (last, messages - there),
            )?;
            (there, last) = count()?;
        }
        Ok(())
    }

    fn database(&self) -> PathBuf {
        self.path().join("undertone.db")
    }
}

/// Waits until something holds.
pub async fn until(what: &str, mut holds: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !holds()? {
        if begun.elapsed() > PATIENCE {
            bail!("waited in vain for {what}");
        }
        sleep(LOOK).await;
    }
    Ok(())
}
