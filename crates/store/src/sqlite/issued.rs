//! Which batches of tokens each account was issued, and who is issued none.

use rusqlite::Connection;
use undertone_wire::{AccountId, Week};

use crate::Issuing;

pub(super) const SCHEMA: &str = "
    CREATE TABLE issued (
        account BLOB NOT NULL,
        week INTEGER NOT NULL,
        request BLOB NOT NULL,
        PRIMARY KEY (account, week, request)
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE suspended (account BLOB PRIMARY KEY) WITHOUT ROWID, STRICT;";

pub(super) fn issue(
    db: &Connection,
    account: AccountId,
    week: Week,
    request: &[u8; 32],
    batches_max: u32,
) -> rusqlite::Result<Issuing> {
    if is_suspended(db, account)? {
        return Ok(Issuing::Suspended);
    }
    let batch = (account.as_bytes(), week.0, request);
    let known = "SELECT 1 FROM issued WHERE account = ?1 AND week = ?2 AND request = ?3";
    if db.prepare_cached(known)?.exists(batch)? {
        return Ok(Issuing::Granted);
    }
    let issued: u32 = db
        .prepare_cached("SELECT count(*) FROM issued WHERE account = ?1 AND week = ?2")?
        .query_row((account.as_bytes(), week.0), |row| row.get(0))?;
    if issued >= batches_max {
        return Ok(Issuing::Over);
    }
    db.prepare_cached("INSERT INTO issued (account, week, request) VALUES (?1, ?2, ?3)")?.execute(batch)?;
    Ok(Issuing::Granted)
}

pub(super) fn is_suspended(db: &Connection, account: AccountId) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM suspended WHERE account = ?1")?.exists([account.as_bytes()])
}

pub(super) fn suspend(db: &Connection, account: AccountId, suspended: bool) -> rusqlite::Result<()> {
    let sql = match suspended {
        true => "INSERT OR IGNORE INTO suspended (account) VALUES (?1)",
        false => "DELETE FROM suspended WHERE account = ?1",
    };
    db.prepare_cached(sql)?.execute([account.as_bytes()]).map(drop)
}

pub(super) fn count(db: &Connection, week: Week) -> rusqlite::Result<u64> {
    let mut count = db.prepare("SELECT count(*) FROM issued WHERE week = ?1")?;
    count.query_row([week.0], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

pub(super) fn forget(db: &Connection, oldest: Week) -> rusqlite::Result<()> {
    db.execute("DELETE FROM issued WHERE week < ?1", [oldest.0]).map(drop)
}
