//! Ways into other channels that wait until the present one of a chat is read to its end.

use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_wire::{AccountId, ChannelId};
use zeroize::Zeroizing;

use super::Result;

/// Keeps a way, in place of one before.
pub(crate) fn put(db: &Connection, chat: i64, channel: ChannelId, inviter: AccountId, invitation: &[u8]) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO ways(chat, channel, inviter, invitation) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![chat, channel.as_bytes(), inviter.as_bytes(), invitation])?;
    Ok(())
}

/// Whether a chat has one.
pub(crate) fn waits(db: &Connection, chat: i64) -> Result<bool> {
    Ok(db.prepare_cached("SELECT EXISTS (SELECT 1 FROM ways WHERE chat = ?1)")?.query_row([chat], |row| row.get(0))?)
}

/// Chats that have one.
pub(crate) fn chats(db: &Connection) -> Result<Vec<i64>> {
    let mut statement = db.prepare_cached("SELECT chat FROM ways ORDER BY chat")?;
    let chats = statement.query_map((), |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(chats)
}

/// A way that waits.
pub(crate) struct Waiting {
    pub(crate) channel: ChannelId,
    pub(crate) inviter: AccountId,
    /// content.Invitation.
    pub(crate) invitation: Zeroizing<Vec<u8>>,
}

/// The way of a chat that waits, if one does.
pub(crate) fn waiting(db: &Connection, chat: i64) -> Result<Option<Waiting>> {
    Ok(db
        .prepare_cached("SELECT channel, inviter, invitation FROM ways WHERE chat = ?1")?
        .query_row([chat], |row| {
            Ok(Waiting {
                channel: ChannelId::new(row.get(0)?),
                inviter: AccountId::new(row.get(1)?),
                invitation: Zeroizing::new(row.get(2)?),
            })
        })
        .optional()?)
}

/// Forgets the way of a chat.
pub(crate) fn forget(db: &Connection, chat: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM ways WHERE chat = ?1")?.execute([chat])?;
    Ok(())
}
