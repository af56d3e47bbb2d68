//! Whose devices a chat is made of, as its log says; and which of them are to be added.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use undertone_wire::{AccountId, ChannelId, Week};

use super::Result;

/// The device lists that a chat's log has brought up to where we stand.
pub(crate) fn lists(db: &Connection, chat: i64) -> Result<Vec<Bytes>> {
    let mut statement = db.prepare_cached("SELECT device_list FROM members WHERE chat = ?1 ORDER BY account")?;
    let lists = statement.query_map([chat], |row| row.get::<_, Vec<u8>>(0).map(Bytes::from))?;
    Ok(lists.collect::<Result<_, _>>()?)
}

/// Keeps an account's list as that of the log.
pub(crate) fn put(db: &Connection, chat: i64, account: AccountId, list: &[u8]) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO members(chat, account, device_list) VALUES (?1, ?2, ?3)")?
        .execute(params![chat, account.as_bytes(), list])?;
    Ok(())
}

/// Forgets the list of an account that does not belong to a chat any more.
pub(crate) fn remove(db: &Connection, chat: i64, account: AccountId) -> Result<()> {
    db.prepare_cached("DELETE FROM members WHERE chat = ?1 AND account = ?2")?
        .execute(params![chat, account.as_bytes()])?;
    Ok(())
}

/// Forgets them all: the chat begins anew.
pub(crate) fn clear(db: &Connection, chat: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM members WHERE chat = ?1")?.execute([chat])?;
    Ok(())
}

/// Key packages of last resort of our other devices, by device.
pub(crate) fn cards(db: &Connection) -> Result<Vec<(u32, Bytes)>> {
    let mut statement = db.prepare_cached("SELECT device, key_package FROM cards ORDER BY device")?;
    let cards = statement.query_map((), |row| Ok((row.get(0)?, Bytes::from(row.get::<_, Vec<u8>>(1)?))))?;
    Ok(cards.collect::<Result<_, _>>()?)
}

/// Keeps the key package of one of our devices.
pub(crate) fn put_card(db: &Connection, device: u32, key_package: &[u8]) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO cards(device, key_package) VALUES (?1, ?2)")?
        .execute(params![device, key_package])?;
    Ok(())
}

/// Forgets the key package of a device that is no longer ours, or was replaced.
pub(crate) fn remove_card(db: &Connection, device: u32) -> Result<()> {
    db.prepare_cached("DELETE FROM cards WHERE device = ?1")?.execute([device])?;
    Ok(())
}

/// A device that asked to be added to a chat again.
pub(crate) struct Asking {
    pub(crate) account: AccountId,
    pub(crate) device: u32,
    /// SignedKeyPackage.
    pub(crate) key_package: Bytes,
    /// X-Wing key for an answer by letter, and its week.
    pub(crate) seal_key: Bytes,
    pub(crate) week: Week,
    /// The last place that it knows of.
    pub(crate) channel: Bytes,
    pub(crate) seq: u64,
}

impl Asking {
    /// The place behind which it knows nothing of a channel.
    pub(crate) fn knows_of(&self, channel: ChannelId) -> u64 {
        if self.channel[..] == channel.as_bytes()[..] { self.seq } else { 0 }
    }
}

/// Who asks in a chat.
pub(crate) fn asks(db: &Connection, chat: i64) -> Result<Vec<Asking>> {
    let mut statement = db.prepare_cached(
        "SELECT account, device, key_package, seal_key, week, channel, seq FROM asks WHERE chat = ?1 AND answered = 0
         ORDER BY account, device",
    )?;
    let asks = statement.query_map([chat], asking)?.collect::<Result<_, _>>()?;
    Ok(asks)
}

fn asking(row: &Row<'_>) -> rusqlite::Result<Asking> {
    Ok(Asking {
        account: AccountId::new(row.get(0)?),
        device: row.get(1)?,
        key_package: row.get::<_, Vec<u8>>(2)?.into(),
        seal_key: row.get::<_, Vec<u8>>(3)?.into(),
        week: Week(row.get(4)?),
        channel: row.get::<_, Vec<u8>>(5)?.into(),
        seq: row.get(6)?,
    })
}

/// What a device asked last, answered or not.
pub(crate) fn asked(db: &Connection, chat: i64, account: AccountId, device: u32) -> Result<Option<Asking>> {
    Ok(db
        .prepare_cached(
            "SELECT account, device, key_package, seal_key, week, channel, seq FROM asks
             WHERE chat = ?1 AND account = ?2 AND device = ?3",
        )?
        .query_row(params![chat, account.as_bytes(), device], asking)
        .optional()?)
}

/// Keeps what a device asks, in place of what it asked before. The same again is no new wish.
pub(crate) fn put_ask(db: &Connection, chat: i64, asking: &Asking) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO asks(chat, account, device, key_package, seal_key, week, channel, seq)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT(chat, account, device) DO UPDATE SET key_package = excluded.key_package,
             seal_key = excluded.seal_key, week = excluded.week, channel = excluded.channel, seq = excluded.seq,
             answered = 0
           WHERE key_package <> excluded.key_package",
    )?
    .execute(params![
        chat,
        asking.account.as_bytes(),
        asking.device,
        &asking.key_package[..],
        &asking.seal_key[..],
        asking.week.0,
        &asking.channel[..],
        asking.seq,
    ])?;
    Ok(())
}

/// A device was added, has come by itself, or asks what cannot be.
pub(crate) fn set_answered(db: &Connection, chat: i64, account: AccountId, device: u32) -> Result<()> {
    db.prepare_cached("UPDATE asks SET answered = 1 WHERE chat = ?1 AND account = ?2 AND device = ?3")?
        .execute(params![chat, account.as_bytes(), device])?;
    Ok(())
}

/// The chat is about to go on in this channel. Who has invited there is there, and needs no other way in; whoever has
/// invited elsewhere does, as long as nobody was let in anywhere (`unheard`).
pub(crate) fn set_answered_in(db: &Connection, chat: i64, channel: ChannelId, unheard: bool) -> Result<()> {
    db.prepare_cached("UPDATE asks SET answered = (channel = ?2) WHERE chat = ?1 AND (channel = ?2 OR ?3)")?
        .execute(params![chat, channel.as_bytes(), unheard])?;
    Ok(())
}

/// History that a device is yet to be told.
pub(crate) struct Telling {
    pub(crate) chat: i64,
    pub(crate) device: u32,
    pub(crate) after_n: i64,
}

/// The first of these.
pub(crate) fn next_history(db: &Connection) -> Result<Option<Telling>> {
    Ok(db
        .prepare_cached("SELECT chat, device, after_n FROM histories ORDER BY device, chat LIMIT 1")?
        .query_row((), |row| Ok(Telling { chat: row.get(0)?, device: row.get(1)?, after_n: row.get(2)? }))
        .optional()?)
}

/// Notes that a device is to be told a chat's history, after the message `after_n` of ours.
pub(crate) fn put_history(db: &Connection, chat: i64, device: u32, after_n: i64) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO histories(chat, device, after_n) VALUES (?1, ?2, ?3)")?
        .execute(params![chat, device, after_n])?;
    Ok(())
}

/// The same, where less is not to be told than it is to be told already.
pub(crate) fn add_history(db: &Connection, chat: i64, device: u32, after_n: i64) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO histories(chat, device, after_n) VALUES (?1, ?2, ?3)
         ON CONFLICT(chat, device) DO UPDATE SET after_n = min(after_n, excluded.after_n)",
    )?
    .execute(params![chat, device, after_n])?;
    Ok(())
}

/// It was told.
pub(crate) fn remove_history(db: &Connection, chat: i64, device: u32) -> Result<()> {
    db.prepare_cached("DELETE FROM histories WHERE chat = ?1 AND device = ?2")?.execute(params![chat, device])?;
    Ok(())
}
