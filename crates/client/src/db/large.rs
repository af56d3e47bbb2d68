//! What is too large for a log: ours, until it stands there; others', until it was read.

use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_wire::large::Large;

use super::Result;

/// How far something large is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// We have made it.
    Ours = 1,
    /// It is to be fetched.
    Wanted = 2,
    /// It was fetched.
    Here = 3,
    /// It cannot be had.
    Gone = 4,
}

/// Keeps something, in place of what was known of it.
pub(crate) fn put(db: &Connection, chat: i64, large: &Large, state: State, bytes: &[u8]) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO large(chat, reference, state, bytes) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![chat, large.to_bytes(), state as u8, bytes])?;
    Ok(())
}

/// What is known of a reference.
pub(crate) fn load(db: &Connection, chat: i64, large: &Large) -> Result<Option<(State, Vec<u8>)>> {
    let row = db
        .prepare_cached("SELECT state, bytes FROM large WHERE chat = ?1 AND reference = ?2")?
        .query_row(params![chat, large.to_bytes()], |row| Ok((row.get::<_, u8>(0)?, row.get(1)?)))
        .optional()?;
    Ok(row.map(|(state, bytes)| {
        let state = match state {
            1 => State::Ours,
            3 => State::Here,
            4 => State::Gone,
            _ => State::Wanted,
        };
        (state, bytes)
    }))
}

/// All that is to be fetched, with the chats that wait for it.
pub(crate) fn wanted(db: &Connection) -> Result<Vec<(i64, Large)>> {
    let mut statement = db.prepare_cached("SELECT chat, reference FROM large WHERE state = ?1 ORDER BY chat")?;
    let rows = statement.query_map([State::Wanted as u8], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let rows: Vec<(i64, Vec<u8>)> = rows.collect::<Result<_, _>>()?;
    Ok(rows.into_iter().filter_map(|(chat, reference)| Some((chat, Large::parse(&reference)?))).collect())
}

/// It is needed no more.
pub(crate) fn forget(db: &Connection, chat: i64, large: &Large) -> Result<()> {
    db.prepare_cached("DELETE FROM large WHERE chat = ?1 AND reference = ?2")?
        .execute(params![chat, large.to_bytes()])?;
    Ok(())
}

/// Nothing of ours is under way in a chat any more.
pub(crate) fn forget_ours(db: &Connection, chat: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM large WHERE chat = ?1 AND state = ?2")?.execute(params![chat, State::Ours as u8])?;
    Ok(())
}

/// A chat begins anew, or ends.
pub(crate) fn forget_all(db: &Connection, chat: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM large WHERE chat = ?1")?.execute([chat])?;
    Ok(())
}
