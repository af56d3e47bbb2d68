//! What stands in a plane's file, for its operator: everything that the service knows and could be made to tell, bodies
//! as their sizes.

use rusqlite::Connection;
use undertone_wire::{AccountId, ChannelId, Day, Position};

use super::{
    SqliteAccounts, SqliteChannels, blob,
    partition::{BodyKey, Partition},
};
use crate::StoreError;

/// An account and what waits for it.
#[derive(Clone)]
pub struct AccountRow {
    /// Its id.
    pub account: AccountId,
    /// The day it was created.
    pub created: Day,
    /// The day it last authenticated.
    pub last_seen: Day,
    /// Listed devices.
    pub devices: u64,
    /// One-time key packages that wait, of all its devices.
    pub key_packages: u64,
    /// Size of its vault in bytes; 0 while there is none.
    pub vault_bytes: u64,
    /// Its inbox, oldest first.
    pub inbox: Vec<LetterRow>,
}

/// A sealed entry of an inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LetterRow {
    /// Its number.
    pub seq: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// The last day on which it is kept.
    pub expiry_day: Day,
}

/// A channel and its log.
#[derive(Clone)]
pub struct ChannelRow {
    /// Its id.
    pub channel: ChannelId,
    /// Number of its newest entry.
    pub seq: u64,
    /// Where its log stands.
    pub position: Position,
    /// The generation of its keys.
    pub generation: u32,
    /// The newest entries, oldest first.
    pub entries: Vec<EntryRow>,
}

/// An entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryRow {
    /// Its number.
    pub seq: u64,
    /// `EntryKind`, as its number.
    pub kind: i32,
    /// The last day on which its body is kept; 0 for good.
    pub expiry_day: Day,
    /// Size of its body in bytes; none once that is forgotten.
    pub bytes: Option<u64>,
}

impl SqliteAccounts {
    /// At most `limit` accounts, by id, with at most `limit` entries of each inbox.
    ///
    /// # Errors
    /// As for any read.
    pub async fn inspect(&self, limit: u32) -> Result<Vec<AccountRow>, StoreError> {
        self.engine.read(move |db| accounts(db, limit)).await
    }
}

impl SqliteChannels {
    /// At most `limit` channels, by id, with at most `limit` entries of each: the newest.
    ///
    /// # Errors
    /// As for any read.
    pub async fn inspect(&self, limit: u32) -> Result<Vec<ChannelRow>, StoreError> {
        self.engine.read(move |db| channels(db, limit)).await
    }
}

fn accounts(db: &Connection, limit: u32) -> rusqlite::Result<Vec<AccountRow>> {
    let mut select = db.prepare(
        "SELECT account, created, last_seen,
            (SELECT count(*) FROM devices WHERE account = accounts.account),
            (SELECT count(*) FROM key_packages WHERE account = accounts.account AND package IS NOT NULL),
            (SELECT coalesce(sum(length(sealed)), 0) FROM vaults WHERE account = accounts.account)
        FROM accounts ORDER BY account LIMIT ?1",
    )?;
    let rows = select.query_map([limit], |row| {
        let account: AccountId = blob(row, 0)?;
        Ok(AccountRow {
            account,
            created: Day(row.get(1)?),
            last_seen: Day(row.get(2)?),
            devices: row.get::<_, i64>(3)?.cast_unsigned(),
            key_packages: row.get::<_, i64>(4)?.cast_unsigned(),
            vault_bytes: row.get::<_, i64>(5)?.cast_unsigned(),
            inbox: inbox(db, account, limit)?,
        })
    });
    rows?.collect()
}

fn inbox(db: &Connection, account: AccountId, limit: u32) -> rusqlite::Result<Vec<LetterRow>> {
    let mut select =
        db.prepare_cached("SELECT seq, expiry_day, body_key FROM inbox WHERE account = ?1 ORDER BY seq LIMIT ?2")?;
    let rows = select.query_map((account.as_bytes(), limit), |row| {
        let (seq, expiry_day) = (row.get::<_, i64>(0)?.cast_unsigned(), Day(row.get(1)?));
        Ok(LetterRow { seq, bytes: size(db, expiry_day, row.get(2)?)?.unwrap_or(0), expiry_day })
    });
    rows?.collect()
}

fn channels(db: &Connection, limit: u32) -> rusqlite::Result<Vec<ChannelRow>> {
    let mut select =
        db.prepare("SELECT channel, seq, incarnation, epoch, generation FROM channels ORDER BY channel LIMIT ?1")?;
    let rows = select.query_map([limit], |row| {
        let channel: ChannelId = blob(row, 0)?;
        Ok(ChannelRow {
            channel,
            seq: row.get::<_, i64>(1)?.cast_unsigned(),
            position: Position { incarnation: row.get(2)?, epoch: row.get::<_, i64>(3)?.cast_unsigned() },
            generation: row.get(4)?,
            entries: entries(db, channel, limit)?,
        })
    });
    rows?.collect()
}

fn entries(db: &Connection, channel: ChannelId, limit: u32) -> rusqlite::Result<Vec<EntryRow>> {
    let mut select = db.prepare_cached(
        "SELECT seq, kind, expiry_day, body_key FROM entries WHERE channel = ?1 ORDER BY seq DESC LIMIT ?2",
    )?;
    let rows = select.query_map((channel.as_bytes(), limit), |row| {
        let (seq, expiry_day) = (row.get::<_, i64>(0)?.cast_unsigned(), Day(row.get(2)?));
        let bytes = size(db, expiry_day, row.get(3)?)?;
        Ok(EntryRow { seq, kind: row.get(1)?, expiry_day, bytes })
    });
    let mut entries = rows?.collect::<Result<Vec<_>, _>>()?;
    entries.reverse();
    Ok(entries)
}

fn size(db: &Connection, day: Day, key: BodyKey) -> rusqlite::Result<Option<u64>> {
    let partition = Partition::find(db, day)?;
    Ok(partition.map(|partition| partition.size(key)).transpose()?.flatten())
}
