//! The encrypted database of one home: a single SQLCipher file that holds keys, MLS state, history and outbox.
//!
//! They share a file so that they share a transaction: a received message, the ratchet it consumed, and the cursor of
//! its log stand or fall together. Each module below is one table, or a few that are one thing.

mod key_file;
mod schema;

pub(crate) mod chats;
pub(crate) mod contacts;
pub(crate) mod credentials;
pub(crate) mod directory;
pub(crate) mod evidence;
pub(crate) mod groups;
pub(crate) mod inbox;
pub(crate) mod large;
pub(crate) mod listings;
pub(crate) mod me;
pub(crate) mod members;
pub(crate) mod messages;
pub(crate) mod mls;
pub(crate) mod outbox;
pub(crate) mod parameters;
pub(crate) mod profiles;
pub(crate) mod receipts;
pub(crate) mod stock;
pub(crate) mod tokens;
pub(crate) mod ways;

use std::{path::Path, sync::Once};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

pub use key_file::DbKey;

/// Why the database is of no use, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// Held by another process.
    #[error("the database is in use by another program; close it and try again")]
    Locked,
    /// No or wrong passphrase.
    #[error("the passphrase is missing or wrong; set UNDERTONE_PASSPHRASE")]
    Passphrase,
    /// The key file is missing, damaged, or cannot be written.
    #[error("the key file of this home cannot be used; restore it from a copy, or recover into a new home")]
    KeyFile,
    /// Made by a later release.
    #[error("this home was written by a newer version of this program; update it first")]
    Newer,
    /// Not our database, or not readable with this key, or cut off.
    #[error("the database of this home is damaged or belongs to another key; keep a copy, and recover into a new home")]
    Damaged,
    /// No room, or the disk does not answer. Nothing was changed.
    #[error("the database cannot be written: is the disk full or read-only?")]
    Disk,
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            Some(
                ErrorCode::DiskFull
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::SystemIoFailure
                | ErrorCode::PermissionDenied,
            ) => Self::Disk,
            _ => {
                tracing::error!(code = ?error.sqlite_error_code(), "database failed");
                Self::Damaged
            }
        }
    }
}

/// Result of this module.
pub(crate) type Result<T, E = DbError> = std::result::Result<T, E>;

/// Statements that are kept ready: all that there are. To read one takes longer than to do it.
const STATEMENTS_KEPT: usize = 256;

/// An open database.
pub struct Db {
    connection: Connection,
}

impl Db {
    /// Opens the database at `path`, and makes it if there is none.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn open(path: &Path, key: &DbKey) -> Result<Self> {
        // SQLite lets a second thread pass as soon as its own set-up is done, while the first is still at SQLCipher's, and
        // no key is taken then: so the process opens its first connection alone. If that fails, the next says why.
        static SET_UP: Once = Once::new();
        SET_UP.call_once(|| drop(Connection::open_in_memory()));
        let connection = Connection::open(path)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        // SQLCipher would write to standard error what we tell the person ourselves.
        connection.execute_batch("PRAGMA cipher_log_level = NONE")?;
        connection.pragma_update(None, "key", key.pragma().as_str())?;
        connection.execute_batch(
            // One process owns a home; so SQLite need not ask the system for a lock at every statement.
            "PRAGMA locking_mode = EXCLUSIVE;
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA secure_delete = ON;
             PRAGMA temp_store = MEMORY;",
        )?;
        let mut db = Self { connection };
        db.write(schema::bring_up)?;
        Ok(db)
    }

    /// Reads.
    pub(crate) fn read<T, E: From<DbError>>(&self, work: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        work(&self.connection)
    }

    /// Does all of `work` or nothing. It is on the disk before this returns.
    pub(crate) fn write<T, E: From<DbError>>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.transact(work)
    }

    /// The same, but it is on the disk only with what [`Self::write`] writes next: should the machine lose its power before, it
    /// has never been. For what can be had again from where it came.
    pub(crate) fn write_lazily<T, E: From<DbError>>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.connection.pragma_update(None, "synchronous", "NORMAL").map_err(DbError::from)?;
        let outcome = self.transact(work);
        self.connection.pragma_update(None, "synchronous", "FULL").map_err(DbError::from)?;
        outcome
    }

    fn transact<T, E: From<DbError>>(&mut self, work: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(DbError::from)?;
        let value = work(&transaction)?;
        transaction.commit().map_err(DbError::from)?;
        Ok(value)
    }
}

/// Does `work` inside an open transaction, and takes back what it wrote if it fails. A failure of the database itself
/// is passed on, because then the whole transaction is in doubt.
pub(crate) fn attempt<T, E>(db: &Connection, work: impl FnOnce() -> Result<T, E>) -> Result<Result<T, E>> {
    let run = |statement| db.prepare_cached(statement)?.execute(());
    run("SAVEPOINT attempt")?;
    let outcome = work();
    if outcome.is_err() {
        run("ROLLBACK TO attempt")?;
    }
    run("RELEASE attempt")?;
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, DbKey) {
        let folder = tempfile::tempdir().unwrap();
        let key = DbKey::create(&folder.path().join("key"), None, &mut rand::make_rng::<rand::rngs::StdRng>()).unwrap();
        (folder, key)
    }

    fn error(path: &Path, key: &DbKey) -> DbError {
        Db::open(path, key).err().unwrap()
    }

    #[test]
    fn only_its_key_opens_it() {
        let (folder, key) = home();
        let path = folder.path().join("db");
        drop(Db::open(&path, &key).unwrap());
        drop(Db::open(&path, &key).unwrap());
        let (_other, wrong) = home();
        assert_eq!(error(&path, &wrong), DbError::Damaged);
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"SQLite"), "the file is encrypted");
    }

    #[test]
    fn what_is_no_database_of_ours_is_left_alone() {
        let (folder, key) = home();
        let path = folder.path().join("db");
        drop(Db::open(&path, &key).unwrap());
        let whole = std::fs::read(&path).unwrap();
        for bytes in [&whole[..whole.len() / 2], &[7; 9_000][..]] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(error(&path, &key), DbError::Damaged);
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
        std::fs::write(&path, &whole).unwrap();
        let db = Db::open(&path, &key).unwrap();
        db.connection.pragma_update(None, "user_version", schema::VERSION + 1).unwrap();
        drop(db);
        assert_eq!(error(&path, &key), DbError::Newer);
    }

    #[test]
    fn a_full_disk_is_said_and_changes_nothing() {
        let (folder, key) = home();
        let mut db = Db::open(&folder.path().join("db"), &key).unwrap();
        db.write::<_, DbError>(|db| mls::put(db, &[0], b"kept")).unwrap();
        let limit = |db: &Db, pages: i64| db.connection.pragma_update(None, "max_page_count", pages).unwrap();
        limit(&db, 64);
        let mut put = |key: u8, value: &[u8]| db.write::<_, DbError>(|db| mls::put(db, &[key], value));
        let written = (1..=100).take_while(|key| put(*key, &[7; 9_000]).is_ok()).count() as u8;
        assert!((1..100).contains(&written));
        assert_eq!(put(0, &[8; 9_000]), Err(DbError::Disk));
        limit(&db, 1_000);
        let get = |key: u8| db.read::<_, DbError>(|db| mls::get(db, &[key])).unwrap().map(|value| value.len());
        assert_eq!((get(0), get(written), get(written + 1)), (Some(4), Some(9_000), None));
        db.write::<_, DbError>(|db| mls::put(db, &[0], &[8; 9_000])).unwrap();
    }

    #[test]
    fn only_what_is_written_lazily_is_not_waited_for() {
        let (folder, key) = home();
        let mut db = Db::open(&folder.path().join("db"), &key).unwrap();
        let synchronous = |db: &Connection| db.pragma_query_value(None, "synchronous", |row| row.get::<_, u8>(0));
        let (normal, full) = (1, 2);
        assert_eq!(db.write_lazily::<_, DbError>(|db| Ok(synchronous(db)?)).unwrap(), normal);
        assert_eq!(db.write::<_, DbError>(|db| Ok(synchronous(db)?)).unwrap(), full);
        assert_eq!(db.write_lazily::<(), _>(|_| Err(DbError::Disk)), Err(DbError::Disk));
        assert_eq!(db.write::<_, DbError>(|db| Ok(synchronous(db)?)).unwrap(), full);
    }

    #[test]
    fn a_failed_attempt_leaves_nothing() {
        let (folder, key) = home();
        let mut db = Db::open(&folder.path().join("db"), &key).unwrap();
        db.write::<_, DbError>(|db| {
            let failed = attempt(db, || -> Result<(), ()> {
                mls::put(db, b"gone", b"1").unwrap();
                Err(())
            })?;
            assert!(failed.is_err());
            assert!(attempt(db, || mls::put(db, b"kept", b"2"))?.is_ok());
            Ok(())
        })
        .unwrap();
        let kept = |key: &[u8]| db.read::<_, DbError>(|db| mls::get(db, key)).unwrap().is_some();
        assert!(kept(b"kept") && !kept(b"gone"));
    }
}
