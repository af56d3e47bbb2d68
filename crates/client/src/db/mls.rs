//! MLS state: `e2ee`'s key-value store over the open transaction.

use rusqlite::{Connection, OptionalExtension as _};
use zeroize::Zeroizing;

use super::Result;

pub(crate) fn get(db: &Connection, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let value = db
        .prepare_cached("SELECT value FROM mls WHERE key = ?1")?
        .query_row([key], |row| row.get(0).map(Zeroizing::new))
        .optional()?;
    Ok(value)
}

pub(crate) fn put(db: &Connection, key: &[u8], value: &[u8]) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO mls(key, value) VALUES (?1, ?2)")?.execute([key, value])?;
    Ok(())
}

pub(crate) fn delete(db: &Connection, key: &[u8]) -> Result<()> {
    db.prepare_cached("DELETE FROM mls WHERE key = ?1")?.execute([key])?;
    Ok(())
}
