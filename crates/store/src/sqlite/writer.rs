//! The group commit: many changes in one transaction, each in a savepoint of its own, answered after the commit.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::Receiver,
};

use rusqlite::{Connection, ErrorCode};

use super::{
    checkpoint::{self, Checkpointer, Checkpoints},
    engine::failure,
    execute,
    open::{self, OpenError, Plane},
};
use crate::StoreError;

/// Changes in one transaction: enough to share a sync among all who wait, few enough that the first need not wait long
/// for the last.
const BATCH_MAX: usize = 256;

/// A change on its way through the writer.
pub(super) trait Job: Send {
    /// Makes the change, inside a transaction, and keeps its result back.
    fn run(&mut self, db: &Connection) -> rusqlite::Result<()>;

    /// Tells the caller the result, or why there is none.
    fn answer(self: Box<Self>, verdict: Result<(), StoreError>);
}

/// The only one who writes a plane's file.
pub(super) struct Writer {
    path: PathBuf,
    plane: &'static Plane,
    /// None when the last one was given up.
    db: Option<Connection>,
    checkpoints: Checkpoints,
}

/// Why no job of a batch has a result: nothing was applied, or with [`StoreError::Unknown`] all or nothing.
#[derive(Debug, PartialEq, Eq)]
struct Undone(StoreError);

impl Writer {
    pub(super) fn open(path: &Path, plane: &'static Plane) -> Result<(Self, Checkpointer), OpenError> {
        let db = open::writer(path, plane)?;
        let (checkpoints, checkpointer) = checkpoint::start(open::writer(path, plane)?);
        Ok((Self { path: path.to_owned(), plane, db: Some(db), checkpoints }, checkpointer))
    }

    /// Serves until nobody can hand over any more and everything handed over is answered.
    pub(super) fn run(mut self, jobs: &Receiver<Box<dyn Job>>) {
        while let Ok(first) = jobs.recv() {
            let mut batch = vec![first];
            batch.extend(jobs.try_iter().take(BATCH_MAX - 1));
            let verdicts = self.apply(&mut batch);
            for (place, job) in batch.into_iter().enumerate() {
                job.answer(match &verdicts {
                    Ok(verdicts) => verdicts.get(place).copied().unwrap_or(Err(StoreError::NotApplied)),
                    Err(Undone(error)) => Err(*error),
                });
            }
            if let Some(db) = &self.db {
                self.checkpoints.after_commit(db);
            }
        }
    }

    /// What became of each job.
    fn apply(&mut self, batch: &mut [Box<dyn Job>]) -> Result<Vec<Result<(), StoreError>>, Undone> {
        let db = match self.db.take() {
            Some(db) => db,
            None => open::writer(&self.path, self.plane).map_err(|error| {
                tracing::error!(plane = self.plane.name, %error, "cannot reopen the file");
                Undone(StoreError::NotApplied)
            })?,
        };
        let verdicts = transaction(&db, batch);
        // A connection that may not know itself where it stands is closed, which ends whatever it still holds.
        let sound = !matches!(verdicts, Err(Undone(StoreError::Unknown)))
            && (db.is_autocommit() || execute(&db, "ROLLBACK").is_ok());
        self.db = sound.then_some(db);
        verdicts
    }
}

fn transaction(db: &Connection, batch: &mut [Box<dyn Job>]) -> Result<Vec<Result<(), StoreError>>, Undone> {
    // Until COMMIT is tried, whatever fails leaves nothing behind.
    let undone = |error: rusqlite::Error| {
        tracing::error!(%error, "a transaction failed");
        Undone(failure(&error))
    };
    execute(db, "BEGIN IMMEDIATE").map_err(undone)?;
    let verdicts = batch.iter_mut().map(|job| in_savepoint(db, job.as_mut())).collect::<Result<_, _>>();
    let verdicts = verdicts.map_err(undone)?;
    execute(db, "COMMIT").map_err(|error| failed_commit(&error, db.is_autocommit()))?;
    Ok(verdicts)
}

/// Runs one job so that its failure undoes it alone. Fails when the whole transaction is lost.
fn in_savepoint(db: &Connection, job: &mut dyn Job) -> rusqlite::Result<Result<(), StoreError>> {
    execute(db, "SAVEPOINT job")?;
    let Err(error) = job.run(db) else {
        execute(db, "RELEASE job")?;
        return Ok(Ok(()));
    };
    if db.is_autocommit() {
        // SQLite has undone the transaction already, as it does when a disk is full.
        return Err(error);
    }
    execute(db, "ROLLBACK TO job")?;
    execute(db, "RELEASE job")?;
    // The text may hold the statement, but never the values in it: those are bound.
    tracing::warn!(%error, "a change failed");
    Ok(Err(failure(&error)))
}

/// What a failed COMMIT leaves behind.
fn failed_commit(error: &rusqlite::Error, transaction_over: bool) -> Undone {
    tracing::error!(%error, transaction_over, "a commit failed");
    Undone(match error.sqlite_error_code() {
        // It did not begin (busy, for example); the transaction is still there to be rolled back.
        _ if !transaction_over => failure(error),
        // The commit mark is the last thing that a commit writes to the log, before it syncs: a disk without room for
        // all of it does not hold the mark, and the next transaction overwrites what it does hold.
        Some(ErrorCode::DiskFull) => StoreError::NotApplied,
        // The mark may be on the disk, or get there yet.
        _ => StoreError::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::{Error, ffi};

    use super::*;

    #[test]
    fn a_failed_commit_is_not_applied_only_when_that_is_certain() {
        let verdict = |code, over| failed_commit(&Error::SqliteFailure(ffi::Error::new(code), None), over).0;
        assert_eq!(verdict(ffi::SQLITE_BUSY, false), StoreError::NotApplied);
        assert_eq!(verdict(ffi::SQLITE_FULL, true), StoreError::NotApplied);
        assert_eq!(verdict(ffi::SQLITE_IOERR_FSYNC, true), StoreError::Unknown);
        assert_eq!(verdict(ffi::SQLITE_IOERR_WRITE, true), StoreError::Unknown);
    }
}
