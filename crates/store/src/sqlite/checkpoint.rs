//! Keeps the write-ahead log short.
//!
//! Checkpoints copy the log into the database and sync both. At the end of a commit that is felt (p99 of 31-47 ms
//! against 17), so a thread of its own does it. But one that never stops the writer is never finished under constant
//! writes, and the log grows without bound: so beyond a limit the writer itself finishes one, and starts the log anew.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

use rusqlite::Connection;

/// The log is checkpointed each time it has grown by so much, and cut to so much when it starts anew. Pages that change
/// often are then copied once for many changes (measured, 64 writers: 2,700 appends a second against 1,900 with 4 MiB).
pub(super) const WAL_BYTES: u64 = 16 << 20;
/// Beyond this length, so many times [`WAL_BYTES`], the writer waits for a checkpoint.
const WAL_STEPS_MAX: u64 = 4;

/// The writer's side.
pub(super) struct Checkpoints {
    wal: PathBuf,
    /// Whole steps of [`WAL_BYTES`] in the log when it was last looked at.
    steps: u64,
    due: SyncSender<()>,
    /// One at a time: SQLite refuses a second checkpoint at once.
    db: Arc<Mutex<Connection>>,
}

/// The thread's side.
pub(super) struct Checkpointer {
    due: Receiver<()>,
    db: Arc<Mutex<Connection>>,
}

/// Of the database at `path`, through a connection of their own.
pub(super) fn start(path: &Path, db: Connection) -> (Checkpoints, Checkpointer) {
    let mut wal = OsString::from(path);
    wal.push("-wal");
    let db = Arc::new(Mutex::new(db));
    // One that waits is as good as many.
    let (sender, due) = sync_channel(1);
    (Checkpoints { wal: wal.into(), steps: 0, due: sender, db: Arc::clone(&db) }, Checkpointer { due, db })
}

impl Checkpoints {
    /// To be called by the writer between transactions. `journal_size_limit` cuts the file when the log starts anew, so
    /// its length tells how far the log has grown since.
    pub(super) fn after_commit(&mut self) {
        let bytes = self.wal.metadata().map_or(0, |metadata| metadata.len());
        let steps = bytes.saturating_sub(1) / WAL_BYTES;
        if steps > self.steps {
            if steps >= WAL_STEPS_MAX {
                // Copies what is left, and waits for readers of the old log, no longer than for any lock.
                checkpoint(&self.db, "PRAGMA wal_checkpoint(RESTART)");
            } else {
                // Full or gone: then one is due anyway, or none is needed.
                let _ = self.due.try_send(());
            }
        }
        self.steps = steps;
    }
}

impl Checkpointer {
    /// Serves until the writer is gone.
    pub(super) fn run(self) {
        while self.due.recv().is_ok() {
            checkpoint(&self.db, "PRAGMA wal_checkpoint(PASSIVE)");
        }
    }
}

/// A checkpoint that fails leaves the log as it was, and the next one tries again.
fn checkpoint(db: &Mutex<Connection>, pragma: &str) {
    let db = db.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = db.query_row(pragma, [], |_| Ok(())) {
        tracing::warn!(code = error.sqlite_error().map_or(0, |error| error.extended_code), "a checkpoint failed");
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::sqlite::open::{self, Plane};

    static PLANE: Plane = Plane {
        name: "notes",
        application_id: 1,
        schema: &["CREATE TABLE notes (number INTEGER PRIMARY KEY, text BLOB) STRICT;"],
        upgrades: &[],
    };

    /// As under constant writes, where the thread's checkpoints never reach the end of the log: here it does none at
    /// all.
    #[test]
    fn the_writer_bounds_the_log_by_itself() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("notes.db");
        let db = open::writer(&path, &PLANE).unwrap();
        let (mut checkpoints, checkpointer) = start(&path, open::writer(&path, &PLANE).unwrap());
        let mut longest = 0;
        let mut restarts = 0;
        for number in 0..100 {
            db.execute("INSERT INTO notes (number, text) VALUES (?1, zeroblob(2000000))", [number]).unwrap();
            checkpoints.after_commit();
            let length = checkpoints.wal.metadata().unwrap().len();
            restarts += u32::from(length < longest);
            longest = longest.max(length);
        }
        assert!(longest < (WAL_STEPS_MAX + 1) * WAL_BYTES, "{longest} bytes");
        assert!(restarts >= 1);
        assert!(checkpointer.due.try_recv().is_ok(), "and the thread was told");
    }
}
