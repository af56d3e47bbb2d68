//! Which account a recovery key recovers.

use rusqlite::{Connection, OptionalExtension as _};
use undertone_wire::AccountId;

use super::blob;

pub(super) const SCHEMA: &str = "
    CREATE TABLE recoveries (
        recovery_key BLOB PRIMARY KEY,
        account BLOB NOT NULL
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX recoveries_account ON recoveries (account);";

pub(super) fn find(db: &Connection, recovery_key: &[u8; 32]) -> rusqlite::Result<Option<AccountId>> {
    db.prepare_cached("SELECT account FROM recoveries WHERE recovery_key = ?1")?
        .query_row([recovery_key], |row| blob(row, 0))
        .optional()
}

/// Of two accounts with one key, as a former release allowed them, the first stays the one that is recovered.
pub(super) fn insert(db: &Connection, recovery_key: &[u8; 32], account: AccountId) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR IGNORE INTO recoveries (recovery_key, account) VALUES (?1, ?2)")?
        .execute((recovery_key, account.as_bytes()))
        .map(drop)
}
