//! The embedded engines: one SQLite file and one group-committing writer for each plane, and one for blobs.
//!
//! **Durability.** A change is answered after its commit, which in WAL mode with `synchronous=FULL` comes after a
//! successful sync of the write-ahead log. It then survives a crash of the process, and of the machine as far as its
//! disk keeps what it reported as synced. SQLite syncs the directory when it creates its files.
//!
//! **What the order of bytes tells.** Tables are keyed by random ids and are WITHOUT ROWID, bodies by random numbers:
//! counted rowids would keep the order in which entries of *different* channels, or letters to different accounts,
//! arrived. Expired bodies leave with their table, whose pages go back to the file and keep old ciphertext until they
//! are used again.
//!
//! - `open`: which files are accepted, and what an operator is told about others.
//! - `engine`: hands changes to the writer and reads to the readers.
//! - `writer`, `checkpoint`: the group commit, and how the write-ahead log stays short.
//! - `partition`: the part of every log that is forgotten with its day.
//! - `accounts` with `devices`, `directory`, `inbox`, `issued`, `key_packages`, `profile`, `recovery`, `values` and `vault`, `channels`
//!   with `generations` and `groups`, `blobs`, and `tokens` of all three: the domain.
//! - `inspect`: what stands in the files, for the operator.

mod accounts;
mod blobs;
mod channels;
mod checkpoint;
mod devices;
mod directory;
mod engine;
mod generations;
mod groups;
mod inbox;
mod inspect;
mod issued;
mod key_packages;
mod open;
mod partition;
mod profile;
mod recovery;
#[cfg(test)]
mod tests;
mod tokens;
mod values;
mod vault;
mod writer;

use rusqlite::{
    Connection, Row,
    types::{Type, ValueRef},
};
use undertone_wire::WrongLength;

pub use accounts::SqliteAccounts;
pub use blobs::SqliteBlobs;
pub use channels::SqliteChannels;
pub use inspect::{AccountRow, ChannelRow, EntryRow, LetterRow};
pub use open::OpenError;

/// A BLOB column as one of our types of fixed length.
fn blob<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: for<'a> TryFrom<&'a [u8], Error = WrongLength>,
{
    let failed = |error| rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(error));
    T::try_from(row.get_ref(column)?.as_blob()?).map_err(failed)
}

/// The same of a column that may be NULL.
fn blob_or_null<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>>
where
    T: for<'a> TryFrom<&'a [u8], Error = WrongLength>,
{
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => blob(row, column).map(Some),
    }
}

/// A sequence number as SQLite's signed integer. Numbers that were counted up from 1 always fit; one from outside that
/// does not is beyond all of them, and stays so.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Runs a statement that has no parameters and no rows.
fn execute(db: &Connection, sql: &str) -> rusqlite::Result<()> {
    db.prepare_cached(sql)?.execute([]).map(drop)
}
