//! Identifiers under which we are listed, or want to be. The service forgets them, so this is where they are known.

use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_wire::{Day, Identifier};

use super::{Result, directory::identifier};

/// How far it is with a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// A code was sent to it.
    Sent = 0,
    /// Somebody else is listed there, and has time to keep it.
    Waits = 1,
    /// We are listed under it.
    Listed = 2,
}

/// A listing.
pub(crate) struct Listing {
    pub(crate) identifier: Identifier,
    pub(crate) state: State,
    /// From which day on the same wish is granted, where it waits.
    pub(crate) day: Day,
}

/// All of them.
pub(crate) fn all(db: &Connection) -> Result<Vec<Listing>> {
    let mut statement = db.prepare_cached("SELECT identifier, state, day FROM listings ORDER BY identifier")?;
    let rows = statement.query_map((), |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?, row.get(2)?)))?;
    rows.map(|row| {
        let (bytes, state, day) = row?;
        let state = match state {
            0 => State::Sent,
            1 => State::Waits,
            _ => State::Listed,
        };
        Ok(Listing { identifier: identifier(&bytes)?, state, day: Day(day) })
    })
    .collect()
}

/// Notes how far it is with one.
pub(crate) fn put(db: &Connection, identifier: &Identifier, state: State, day: Day) -> Result<()> {
    db.execute(
        "INSERT INTO listings(identifier, state, day) VALUES (?1, ?2, ?3)
         ON CONFLICT(identifier) DO UPDATE SET state = excluded.state, day = excluded.day",
        params![identifier.bytes(), state as i64, day.0],
    )?;
    Ok(())
}

/// A code was sent to one; where we are listed there, we stay so.
pub(crate) fn sent(db: &Connection, identifier: &Identifier) -> Result<()> {
    db.execute(
        "INSERT OR IGNORE INTO listings(identifier, state) VALUES (?1, ?2)",
        params![identifier.bytes(), State::Sent as i64],
    )?;
    Ok(())
}

/// Forgets one.
pub(crate) fn forget(db: &Connection, identifier: &Identifier) -> Result<()> {
    db.execute("DELETE FROM listings WHERE identifier = ?1", [identifier.bytes()])?;
    Ok(())
}

/// Whether somebody else wants an identifier of ours, as the service said last.
pub(crate) fn is_claimed(db: &Connection) -> Result<bool> {
    Ok(db.query_row("SELECT listing_claimed FROM me", (), |row| row.get(0)).optional()?.unwrap_or(false))
}

/// See [`is_claimed`].
pub(crate) fn set_claimed(db: &Connection, claimed: bool) -> Result<()> {
    db.execute("UPDATE me SET listing_claimed = ?1 WHERE listing_claimed <> ?1", [claimed])?;
    Ok(())
}
