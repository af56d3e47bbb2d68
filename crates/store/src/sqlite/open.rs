//! Opening a plane's file: what is accepted, and what an operator is told about the rest.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::checkpoint::WAL_BYTES_KEPT;

/// What differs between the planes' files.
pub(super) struct Plane {
    /// For thread names and tracing.
    pub(super) name: &'static str,
    /// `PRAGMA application_id`: tells this plane's file from the other's, and from everybody else's.
    pub(super) application_id: i32,
    /// Its tables.
    pub(super) schema: &'static [&'static str],
    /// How files of former releases get these tables: the first from version 1 to 2, and so on.
    pub(super) upgrades: &'static [Upgrade],
}

/// Brings a file from one version to the next, in a transaction that is not its own.
pub(super) type Upgrade = fn(&Connection) -> Result<(), OpenError>;

impl Plane {
    /// `PRAGMA user_version` of the files that this release writes.
    fn version(&self) -> i32 {
        i32::try_from(self.upgrades.len()).unwrap_or(i32::MAX - 1) + 1
    }
}

/// SQLite 3.7.0 to 3.51.2 can corrupt a database in WAL mode when two connections write and checkpoint.
const SQLITE_VERSION_MIN: i32 = 3_051_003;
/// How long a statement waits for a lock that somebody else's process holds, a backup tool for example.
const BUSY: Duration = Duration::from_millis(1_000);
/// Page cache of the writer, in KiB: the upper levels of its trees, and what one batch touches.
const WRITER_CACHE_KIB: i32 = 4_096;
/// Page cache of a reader, in KiB. What is read again soon is in the system's own cache.
const READER_CACHE_KIB: i32 = 1_024;
/// Prepared statements that a connection keeps: the fixed ones, and a few for each partition in use.
const STATEMENTS: usize = 128;

/// Why a plane's file could not be opened, and what an operator does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// This program was linked with a SQLite that can corrupt its files.
    #[error("SQLite {found} is too old: its WAL mode can corrupt databases; build with 3.51.3 or later")]
    SqliteTooOld {
        /// Its version.
        found: &'static str,
    },
    /// There is no such directory, or no right to open the file.
    #[error("the file cannot be opened or created: check that its directory exists and belongs to this user")]
    CannotOpen,
    /// The file, its directory or its file system is read-only.
    #[error("the file cannot be written: check its owner and that its file system is not mounted read-only")]
    ReadOnly,
    /// No space left.
    #[error("the disk is full: make room and start again")]
    DiskFull,
    /// Somebody else holds a lock.
    #[error("another program holds the file locked: stop it and start again")]
    Locked,
    /// A database, but not this plane's.
    #[error("this is not the {plane} file: check that files were not exchanged or the wrong directory given")]
    WrongFile {
        /// What it should have been.
        plane: &'static str,
    },
    /// Written by a later release.
    #[error("the file has format {found}, this release knows up to {known}: update, or restore an older backup")]
    Newer {
        /// Its format.
        found: i32,
        /// The newest one known.
        known: i32,
    },
    /// Truncated, overwritten, or no database at all.
    #[error("the file is damaged: keep a copy of it, and restore a backup")]
    Damaged,
    /// WAL mode needs memory that connections share, which some network file systems cannot give.
    #[error("this file system does not support SQLite's WAL mode: use a local one")]
    NoWal,
    /// The system gave no thread.
    #[error("the system refuses another thread: check its limits")]
    Thread,
    /// Anything else that SQLite says.
    #[error("SQLite failed with code {code} (see sqlite.org/rescode.html)")]
    Failed {
        /// Its extended result code.
        code: i32,
    },
}

/// Opens or creates a plane's file, checks that it is one, and makes it ready for a writer.
pub(super) fn writer(path: &Path, plane: &Plane) -> Result<Connection, OpenError> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(OpenError::SqliteTooOld { found: rusqlite::version() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut db = connect(path, flags, WRITER_CACHE_KIB)?;
    accept(&mut db, plane)?;
    // Only now: a file that is not ours must not be changed.
    let journal_mode: String = db.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if journal_mode != "wal" {
        return Err(OpenError::NoWal);
    }
    db.pragma_update(None, "synchronous", "full")?;
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    db.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES_KEPT, |_| Ok(()))?;
    db.pragma_update_and_check(None, "secure_delete", "fast", |_| Ok(()))?;
    Ok(db)
}

/// Opens a file that a writer has made ready, for reading alone.
pub(super) fn reader(path: &Path) -> Result<Connection, OpenError> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, READER_CACHE_KIB)
}

fn connect(path: &Path, flags: OpenFlags, cache_kib: i32) -> Result<Connection, OpenError> {
    // Each connection stays in one thread, or behind a lock of ours.
    let db = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(BUSY)?;
    db.pragma_update(None, "cache_size", -cache_kib)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(db)
}

/// Tells our file from all others, gives an empty one its tables, and brings an older one up to date.
fn accept(db: &mut Connection, plane: &Plane) -> Result<(), OpenError> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let number = |pragma| tx.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let application_id = number("application_id")?;
    let version = number("user_version")?;
    let empty = tx.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?;
    if empty && (application_id, version) == (0, 0) {
        for tables in plane.schema {
            tx.execute_batch(tables)?;
        }
        tx.pragma_update(None, "application_id", plane.application_id)?;
    } else if application_id != plane.application_id {
        return Err(OpenError::WrongFile { plane: plane.name });
    } else if version != plane.version() {
        upgrade(&tx, plane, version)?;
    } else {
        return Ok(());
    }
    tx.pragma_update(None, "user_version", plane.version())?;
    Ok(tx.commit()?)
}

fn upgrade(db: &Connection, plane: &Plane, version: i32) -> Result<(), OpenError> {
    // No release wrote a version 0.
    let done = usize::try_from(version).ok().and_then(|version| version.checked_sub(1)).ok_or(OpenError::Damaged)?;
    let newer = OpenError::Newer { found: version, known: plane.version() };
    plane.upgrades.get(done..).ok_or(newer)?.iter().try_for_each(|upgrade| upgrade(db))
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Self::CannotOpen,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            _ => Self::Failed { code: error.sqlite_error().map_or(0, |error| error.extended_code) },
        }
    }
}
