//! Letters of strangers as they came, so that their recipient can show what was written to him.

use bytes::Bytes;
use rusqlite::{Connection, params};
use undertone_wire::Day;

use super::Result;

/// Letters kept of one chat: the newest.
const LETTERS_MAX: u32 = 8;

/// Keeps a letter in place of the oldest, if there is no room for it.
pub(crate) fn keep(db: &Connection, chat: i64, day: Day, letter: &[u8]) -> Result<()> {
    db.prepare_cached("INSERT INTO evidence(chat, day, letter) VALUES (?1, ?2, ?3)")?
        .execute(params![chat, day.0, letter])?;
    db.prepare_cached(
        "DELETE FROM evidence WHERE chat = ?1 AND n NOT IN (
           SELECT n FROM evidence WHERE chat = ?1 ORDER BY n DESC LIMIT ?2)",
    )?
    .execute(params![chat, LETTERS_MAX])?;
    Ok(())
}

/// Keeps a letter if there is room for it: who is blocked does not push out what he was blocked for.
pub(crate) fn keep_more(db: &Connection, chat: i64, day: Day, letter: &[u8]) -> Result<()> {
    let kept: u32 =
        db.prepare_cached("SELECT count(*) FROM evidence WHERE chat = ?1")?.query_row([chat], |row| row.get(0))?;
    if kept < LETTERS_MAX { keep(db, chat, day, letter) } else { Ok(()) }
}

/// Those of a chat, oldest first.
pub(crate) fn of(db: &Connection, chat: i64) -> Result<Vec<Bytes>> {
    let mut statement = db.prepare_cached("SELECT letter FROM evidence WHERE chat = ?1 ORDER BY n")?;
    let letters = statement.query_map([chat], |row| row.get::<_, Vec<u8>>(0).map(Bytes::from))?;
    Ok(letters.collect::<Result<_, _>>()?)
}

/// Who was accepted is a stranger no more.
pub(crate) fn forget(db: &Connection, chat: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM evidence WHERE chat = ?1")?.execute([chat])?;
    Ok(())
}

/// Forgets what came before a day.
pub(crate) fn forget_before(db: &Connection, day: Day) -> Result<()> {
    db.prepare_cached("DELETE FROM evidence WHERE day < ?1")?.execute([day.0])?;
    Ok(())
}
