//! Credentials by which we show ourselves in groups: one for each day.

use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_wire::Day;
use zeroize::Zeroizing;

use super::Result;

/// Keeps that of a day, and forgets those of days before `first`.
pub(crate) fn put(db: &Connection, day: Day, credential: &[u8], first: Day) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO credentials(day, credential) VALUES (?1, ?2)")?
        .execute(params![day.0, credential])?;
    db.prepare_cached("DELETE FROM credentials WHERE day < ?1")?.execute([first.0])?;
    Ok(())
}

/// That of a day.
pub(crate) fn of(db: &Connection, day: Day) -> Result<Option<Zeroizing<Vec<u8>>>> {
    Ok(db
        .prepare_cached("SELECT credential FROM credentials WHERE day = ?1")?
        .query_row([day.0], |row| row.get(0).map(Zeroizing::new))
        .optional()?)
}
