//! What we want to send and nobody holds yet.
//!
//! A row keeps its plaintext until the service has taken it. Ciphertext is made for one position; it is kept and sent
//! again unchanged until its fate is known, then either done with, or dropped and made anew.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use undertone_wire::{Day, IdempotencyId, Message as _, MessageId, Position, channel::EntryKind, content::Content};

use super::{Result, large};

/// Ciphertext under way.
#[derive(Clone)]
pub(crate) struct Attempt {
    pub(crate) id: IdempotencyId,
    pub(crate) body: Vec<u8>,
    pub(crate) body_hash: [u8; 32],
    pub(crate) position: Position,
    pub(crate) expiry_day: Day,
}

/// What a commit under way brings besides itself.
#[derive(Clone, Default)]
pub(crate) struct Begins {
    /// Read and write key of the generation that it begins; empty if it begins none.
    pub(crate) installs: Vec<u8>,
    /// The way in for the devices that it adds.
    pub(crate) invitation: Option<(Vec<u8>, Vec<u8>)>,
    /// In groups: the head slot that comes with it.
    pub(crate) slot: Vec<u8>,
}

/// A row.
pub(crate) struct Item {
    pub(crate) n: i64,
    pub(crate) kind: EntryKind,
    /// content.Content; for a change, what is wanted, see `rules::groups`. Empty for what is only made for its moment: a
    /// commit, and a change that the group owes.
    pub(crate) content: Vec<u8>,
    pub(crate) attempt: Option<Attempt>,
    pub(crate) begins: Begins,
}

const COLUMNS: &str = "n, kind, content, idempotency_id, body, body_hash, incarnation, epoch, expiry_day, installs, welcome, tree, \
     slot";

fn item(row: &Row<'_>) -> rusqlite::Result<Item> {
    let attempt = match row.get::<_, Option<[u8; 16]>>(3)? {
        None => None,
        Some(id) => Some(Attempt {
            id: IdempotencyId::new(id),
            body: row.get(4)?,
            body_hash: row.get(5)?,
            position: Position { incarnation: row.get(6)?, epoch: row.get(7)? },
            expiry_day: Day(row.get(8)?),
        }),
    };
    let kind = EntryKind::try_from(row.get::<_, i32>(1)?).unwrap_or_default();
    let begins = Begins {
        installs: row.get::<_, Option<_>>(9)?.unwrap_or_default(),
        invitation: row.get::<_, Option<_>>(10)?.zip(row.get::<_, Option<_>>(11)?),
        slot: row.get::<_, Option<_>>(12)?.unwrap_or_default(),
    };
    Ok(Item { n: row.get(0)?, kind, content: row.get(2)?, attempt, begins })
}

pub(crate) fn push(db: &Connection, chat: i64, kind: EntryKind, content: &[u8]) -> Result<i64> {
    db.prepare_cached("INSERT INTO outbox(chat, kind, content) VALUES (?1, ?2, ?3)")?.execute(params![
        chat,
        kind as i32,
        content
    ])?;
    Ok(db.last_insert_rowid())
}

/// A change that a group owes, before all that waits already.
pub(crate) fn push_before(db: &Connection, chat: i64, kind: EntryKind) -> Result<i64> {
    db.prepare_cached(
        "INSERT INTO outbox(n, chat, kind, content) SELECT min(coalesce(min(n), 0), 0) - 1, ?1, ?2, x'' FROM outbox",
    )?
    .execute(params![chat, kind as i32])?;
    Ok(db.last_insert_rowid())
}

/// As [`push`], before all that waits already.
pub(crate) fn push_front(db: &Connection, chat: i64, content: &[u8]) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO outbox(n, chat, kind, content) SELECT min(coalesce(min(n), 0), 0) - 1, ?1, ?2, ?3 FROM outbox",
    )?
    .execute(params![chat, EntryKind::Message as i32, content])?;
    Ok(())
}

/// The first rows of a chat. Rows under way come first: they were the first to be made.
pub(crate) fn first(db: &Connection, chat: i64, limit: usize) -> Result<Vec<Item>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox WHERE chat = ?1 AND refused IS NULL ORDER BY idempotency_id IS NULL, n LIMIT ?2"
    ))?;
    let items = statement.query_map(params![chat, limit], item)?.collect::<Result<_, _>>()?;
    Ok(items)
}

/// The row whose ciphertext this is.
pub(crate) fn by_body(db: &Connection, chat: i64, body_hash: &[u8; 32]) -> Result<Option<Item>> {
    Ok(db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM outbox WHERE chat = ?1 AND body_hash = ?2"))?
        .query_row(params![chat, body_hash], item)
        .optional()?)
}

/// Notes what of a message is encrypted: with what rides along this time.
pub(crate) fn set_content(db: &Connection, n: i64, content: &[u8]) -> Result<()> {
    db.prepare_cached("UPDATE outbox SET content = ?2 WHERE n = ?1")?.execute(params![n, content])?;
    Ok(())
}

pub(crate) fn set_attempt(db: &Connection, n: i64, attempt: &Attempt) -> Result<()> {
    db.prepare_cached(
        "UPDATE outbox SET idempotency_id = ?2, body = ?3, body_hash = ?4, incarnation = ?5, epoch = ?6, expiry_day = ?7
         WHERE n = ?1",
    )?
    .execute(params![
        n,
        attempt.id.as_bytes(),
        attempt.body,
        attempt.body_hash,
        attempt.position.incarnation,
        attempt.position.epoch,
        attempt.expiry_day.0
    ])?;
    Ok(())
}

/// Notes what a commit brings besides itself.
pub(crate) fn set_begins(db: &Connection, n: i64, begins: &Begins) -> Result<()> {
    let (welcome, tree) = begins.invitation.as_ref().map(|(welcome, tree)| (welcome, tree)).unzip();
    db.prepare_cached("UPDATE outbox SET installs = ?2, welcome = ?3, tree = ?4, slot = ?5 WHERE n = ?1")?
        .execute(params![n, begins.installs, welcome, tree, begins.slot])?;
    Ok(())
}

/// Whether a change of a group is under way.
pub(crate) fn changes_under_way(db: &Connection, chat: i64) -> Result<bool> {
    Ok(db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM outbox WHERE chat = ?1 AND kind = ?2 AND idempotency_id IS NOT NULL)",
        )?
        .query_row(params![chat, EntryKind::Change as i32], |row| row.get(0))?)
}

/// Has a message encrypted anew that stands in the log where nobody may be able to read it.
pub(crate) fn drop_attempt(db: &Connection, n: i64) -> Result<()> {
    db.prepare_cached(
        "UPDATE outbox SET idempotency_id = NULL, body = NULL, body_hash = NULL, incarnation = NULL, epoch = NULL,
                           expiry_day = NULL WHERE n = ?1",
    )?
    .execute([n])?;
    Ok(())
}

/// Drops all ciphertext of a chat that is certainly not in the log: messages, and changes that somebody wants, wait to be
/// made anew; commits, and what else was made for its moment, are gone.
pub(crate) fn drop_attempts(db: &Connection, chat: i64) -> Result<()> {
    large::forget_ours(db, chat)?;
    db.prepare_cached("DELETE FROM outbox WHERE chat = ?1 AND length(content) = 0")?.execute([chat])?;
    db.prepare_cached(
        "UPDATE outbox SET idempotency_id = NULL, body = NULL, body_hash = NULL, incarnation = NULL, epoch = NULL,
                           expiry_day = NULL WHERE chat = ?1",
    )?
    .execute([chat])?;
    Ok(())
}

pub(crate) fn remove(db: &Connection, n: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM outbox WHERE n = ?1")?.execute([n])?;
    Ok(())
}

/// Chats that have something in their outbox.
pub(crate) fn chats(db: &Connection) -> Result<Vec<i64>> {
    let mut statement = db.prepare_cached("SELECT DISTINCT chat FROM outbox WHERE refused IS NULL ORDER BY chat")?;
    let chats = statement.query_map((), |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(chats)
}

/// Notes why a change that somebody wanted was not made; it is told to whoever asks.
pub(crate) fn set_refused(db: &Connection, n: i64, why: i32) -> Result<()> {
    drop_attempt(db, n)?;
    db.prepare_cached("UPDATE outbox SET refused = ?2 WHERE n = ?1")?.execute(params![n, why])?;
    Ok(())
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It waits, or is under way.
    Waits,
    /// It is not here any more: it was made, or nobody wants it.
    Gone,
    /// It was not made, and why.
    Refused(i32),
}

pub(crate) fn fate(db: &Connection, n: i64) -> Result<Fate> {
    let refused: Option<Option<i32>> =
        db.prepare_cached("SELECT refused FROM outbox WHERE n = ?1")?.query_row([n], |row| row.get(0)).optional()?;
    Ok(match refused {
        None => Fate::Gone,
        Some(None) => Fate::Waits,
        Some(Some(why)) => Fate::Refused(why),
    })
}

/// Forgets changes that were not made, and of which nobody was told: who wanted them is gone.
pub(crate) fn forget_refused(db: &Connection) -> Result<()> {
    db.prepare_cached("DELETE FROM outbox WHERE refused IS NOT NULL")?.execute(())?;
    Ok(())
}

/// Forgets what was wanted of a group; what is to be said in it stays.
pub(crate) fn forget_changes(db: &Connection, chat: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM outbox WHERE chat = ?1 AND kind = ?2 AND refused IS NULL")?
        .execute(params![chat, EntryKind::Change as i32])?;
    Ok(())
}

/// Forgets all that was to be sent in a chat.
pub(crate) fn clear(db: &Connection, chat: i64) -> Result<()> {
    large::forget_ours(db, chat)?;
    db.prepare_cached("DELETE FROM outbox WHERE chat = ?1 AND refused IS NULL")?.execute([chat])?;
    Ok(())
}

/// Forgets one message that was to be sent. False: it is under way, or not here any more.
pub(crate) fn remove_message(db: &Connection, chat: i64, id: MessageId) -> Result<bool> {
    let items = first(db, chat, usize::from(u16::MAX))?;
    let wanted = |item: &&Item| {
        let content = Content::decode(&item.content[..]);
        item.attempt.is_none() && content.is_ok_and(|content| content.id[..] == id.as_bytes()[..])
    };
    let item = items.iter().find(wanted);
    item.map_or(Ok(()), |item| remove(db, item.n))?;
    Ok(item.is_some())
}
