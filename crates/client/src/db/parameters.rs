//! What the service showed to all alike, as it signed it.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use undertone_wire::{AccountId, Message as _, content::ParametersSeen};

use super::Result;

/// Lists that are kept: for as long as a contact who was away may still tell of one.
const KEPT: u32 = 16;

/// One list.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) revision: u64,
    /// SHA-256 of the body.
    pub(crate) hash: [u8; 32],
    pub(crate) signature: Vec<u8>,
    /// circuit.Parameters.
    pub(crate) body: Vec<u8>,
}

fn shown(row: &Row<'_>) -> rusqlite::Result<Shown> {
    Ok(Shown { revision: row.get(0)?, hash: row.get(1)?, signature: row.get(2)?, body: row.get(3)? })
}

/// The newest; none before the first.
pub(crate) fn newest(db: &Connection) -> Result<Option<Shown>> {
    Ok(db
        .prepare_cached("SELECT revision, hash, signature, body FROM parameters ORDER BY revision DESC LIMIT 1")?
        .query_row((), shown)
        .optional()?)
}

/// That of a revision, if it was shown to us and is still kept.
pub(crate) fn of_revision(db: &Connection, revision: u64) -> Result<Option<Shown>> {
    Ok(db
        .prepare_cached("SELECT revision, hash, signature, body FROM parameters WHERE revision = ?1")?
        .query_row([revision], shown)
        .optional()?)
}

/// Keeps one that is newer than all others.
pub(crate) fn put(db: &Connection, new: &Shown) -> Result<()> {
    db.prepare_cached("INSERT INTO parameters(revision, hash, signature, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![new.revision, new.hash, new.signature, new.body])?;
    db.prepare_cached(
        "DELETE FROM parameters WHERE revision NOT IN (SELECT revision FROM parameters ORDER BY revision DESC LIMIT ?1)",
    )?
    .execute([KEPT])?;
    Ok(())
}

/// The newest revision that we have told in a chat.
pub(crate) fn told(db: &Connection, chat: i64) -> Result<u64> {
    Ok(db.prepare_cached("SELECT parameters_told FROM chats WHERE id = ?1")?.query_row([chat], |row| row.get(0))?)
}

/// See [`told`].
pub(crate) fn set_told(db: &Connection, chat: i64, revision: u64) -> Result<()> {
    db.prepare_cached("UPDATE chats SET parameters_told = ?2 WHERE id = ?1 AND parameters_told < ?2")?
        .execute(params![chat, revision])?;
    Ok(())
}

/// It is to be told in a chat once more.
pub(crate) fn set_untold(db: &Connection, chat: i64) -> Result<()> {
    db.prepare_cached("UPDATE chats SET parameters_told = 0 WHERE id = ?1")?.execute([chat])?;
    Ok(())
}

/// Keeps what somebody in a chat was shown.
pub(crate) fn set_heard(db: &Connection, chat: i64, seen: &ParametersSeen) -> Result<()> {
    db.prepare_cached("UPDATE chats SET parameters_heard = ?2 WHERE id = ?1")?
        .execute(params![chat, seen.encode_to_vec()])?;
    Ok(())
}

/// What somebody in each chat was shown, where it was told.
pub(crate) fn heard(db: &Connection) -> Result<Vec<(i64, ParametersSeen)>> {
    let query = "SELECT id, parameters_heard FROM chats WHERE parameters_heard IS NOT NULL";
    let mut statement = db.prepare_cached(query)?;
    let heard = statement.query_map((), |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let heard = heard.collect::<Result<Vec<_>, _>>()?;
    let decode = |(chat, bytes): (i64, Vec<u8>)| Some((chat, ParametersSeen::decode(&bytes[..]).ok()?));
    Ok(heard.into_iter().filter_map(decode).collect())
}

/// Keeps the proof that somebody in a chat was shown other keys than we. False: there was one before.
pub(crate) fn set_other_keys(db: &Connection, chat: i64, proof: &[u8]) -> Result<bool> {
    let changed = db
        .prepare_cached("UPDATE chats SET other_keys = ?2 WHERE id = ?1 AND other_keys IS NULL")?
        .execute(params![chat, proof])?;
    Ok(changed > 0)
}

/// Whether there is such a proof in the chat with somebody.
pub(crate) fn has_other_keys(db: &Connection, peer: AccountId) -> Result<bool> {
    let query = "SELECT EXISTS(SELECT 1 FROM chats WHERE peer = ?1 AND other_keys IS NOT NULL)";
    Ok(db.prepare_cached(query)?.query_row([peer.as_bytes()], |row| row.get(0))?)
}
