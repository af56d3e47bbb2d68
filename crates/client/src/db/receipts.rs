//! How far each side's messages have come, as message ids: each covers all messages before it, in the order of the chat.

use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_wire::{AccountId, MessageId};

use super::{
    Result,
    messages::{LAST_FIRST, PLACE, Whose, seen_up_to},
};

/// Two of these marks.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// A device of the person has it.
    pub(crate) delivered: Option<MessageId>,
    /// The person has seen it.
    pub(crate) read: Option<MessageId>,
}

/// Whose messages the marks of a chat are about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// The other's: what we have told him.
    Theirs,
    /// Ours: what he has told us.
    Ours,
}

impl Of {
    const fn columns(self) -> [&'static str; 2] {
        match self {
            Self::Theirs => ["delivered_told", "read_told_to"],
            Self::Ours => ["delivered", "read"],
        }
    }
}

fn id(bytes: Option<[u8; 16]>) -> Option<MessageId> {
    bytes.map(MessageId::new)
}

/// What was told in a chat.
pub(crate) fn marks(db: &Connection, chat: i64, of: Of) -> Result<Marks> {
    let [delivered, read] = of.columns();
    Ok(db
        .prepare_cached(&format!("SELECT {delivered}, {read} FROM chats WHERE id = ?1"))?
        .query_row([chat], |row| Ok(Marks { delivered: id(row.get(0)?), read: id(row.get(1)?) }))?)
}

/// Moves marks forward. A mark that is no message of that side, or not after the one that stands, moves nothing.
pub(crate) fn advance(db: &Connection, chat: i64, own: AccountId, of: Of, marks: &Marks) -> Result<()> {
    let side = if of == Of::Ours { "=" } else { "<>" };
    for (column, mark) in of.columns().into_iter().zip([marks.delivered, marks.read]) {
        let Some(mark) = mark else { continue };
        db.prepare_cached(&format!(
            "UPDATE chats SET {column} = ?2 WHERE id = ?1
               AND EXISTS (SELECT 1 FROM messages WHERE chat = ?1 AND id = ?2 AND sender {side} ?3
                           AND (letter IS NOT NULL OR seq IS NOT NULL))
               AND ({column} IS NULL OR (SELECT {PLACE} FROM messages WHERE chat = ?1 AND id = ?2)
                                      > (SELECT {PLACE} FROM messages WHERE chat = ?1 AND id = {column}))"
        ))?
        .execute(params![chat, mark.as_bytes(), own.as_bytes()])?;
    }
    Ok(())
}

/// How far the other's messages have come here: the last that stands, and the last up to which all were seen.
pub(crate) fn reached(db: &Connection, chat: i64, other: AccountId) -> Result<Marks> {
    let delivered = db
        .prepare_cached(&format!(
            "SELECT id FROM messages WHERE chat = ?1 AND sender = ?2 AND (letter IS NOT NULL OR seq IS NOT NULL)
             ORDER BY {LAST_FIRST} LIMIT 1"
        ))?
        .query_row(params![chat, other.as_bytes()], |row| row.get(0).map(MessageId::new))
        .optional()?;
    Ok(Marks { delivered, read: seen_up_to(db, chat, Whose::Of(other))?.map(|(_, id)| id) })
}

/// The later of two marks.
pub(crate) fn later(
    db: &Connection,
    chat: i64,
    one: Option<MessageId>,
    other: Option<MessageId>,
) -> Result<Option<MessageId>> {
    let (Some(first), Some(second)) = (one, other) else { return Ok(one.or(other)) };
    let place = |id: &str| format!("(SELECT {PLACE} FROM messages WHERE chat = ?1 AND id = {id})");
    let is_before: Option<bool> = db
        .prepare_cached(&format!("SELECT {} < {}", place("?2"), place("?3")))?
        .query_row(params![chat, first.as_bytes(), second.as_bytes()], |row| row.get(0))?;
    Ok(if is_before == Some(true) { other } else { one })
}

/// Whether a message of ours that stands somewhere is covered: as delivered, and as read.
pub(crate) fn covers(db: &Connection, chat: i64, message: MessageId) -> Result<(bool, bool)> {
    let [delivered, read] = Of::Ours.columns();
    let covered = |column| {
        format!(
            "coalesce(({PLACE}) <= (SELECT {PLACE} FROM messages m
               WHERE m.chat = messages.chat AND m.id = (SELECT {column} FROM chats WHERE id = ?1)), 0)"
        )
    };
    Ok(db
        .prepare_cached(&format!(
            "SELECT {}, {} FROM messages WHERE chat = ?1 AND id = ?2 AND (letter IS NOT NULL OR seq IS NOT NULL)",
            covered(delivered),
            covered(read)
        ))?
        .query_row(params![chat, message.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .unwrap_or_default())
}

/// Counts all that is here as told: what was read while receipts were off is not told by itself.
pub(crate) fn forget_untold(db: &Connection, own: AccountId) -> Result<()> {
    let mut statement = db.prepare_cached("SELECT id, peer FROM chats")?;
    let chats = statement.query_map((), |row| Ok((row.get(0)?, AccountId::new(row.get(1)?))))?;
    for (chat, peer) in chats.collect::<Result<Vec<_>, _>>()? {
        let reached = reached(db, chat, peer)?;
        advance(db, chat, own, Of::Theirs, &reached)?;
    }
    Ok(())
}

/// The next moment at which what rides on messages is to go alone in some chat.
pub(crate) fn next_note_ms(db: &Connection) -> Result<Option<u64>> {
    Ok(db
        .prepare_cached("SELECT min(note_due_ms) FROM chats WHERE note_due_ms > 0")?
        .query_row((), |row| row.get(0))?)
}

/// When what rides on messages is to go alone in a chat; 0: not planned.
pub(crate) fn note_due_ms(db: &Connection, chat: i64) -> Result<u64> {
    Ok(db.prepare_cached("SELECT note_due_ms FROM chats WHERE id = ?1")?.query_row([chat], |row| row.get(0))?)
}

pub(crate) fn set_note_due(db: &Connection, chat: i64, due_ms: u64) -> Result<()> {
    db.prepare_cached("UPDATE chats SET note_due_ms = ?2 WHERE id = ?1 AND note_due_ms <> ?2")?
        .execute(params![chat, due_ms])?;
    Ok(())
}
