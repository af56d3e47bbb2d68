//! What the channels of groups have besides their logs.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _};
use undertone_wire::{ChannelId, Position};

use super::{integer, partition::LogId};
use crate::{HeadSlot, StoredRecord};

/// Records and head slots stand apart, since they change apart.
pub(super) const SCHEMA: &str = "
    CREATE TABLE records (
        channel BLOB PRIMARY KEY,
        revision INTEGER NOT NULL,
        record BLOB NOT NULL
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE head_slots (
        channel BLOB PRIMARY KEY,
        incarnation INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        sealed BLOB NOT NULL
    ) WITHOUT ROWID, STRICT;";

pub(super) fn put_record(db: &Connection, log: &LogId, record: &StoredRecord) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO records (channel, revision, record) VALUES (?1, ?2, ?3)")?
        .execute((log, integer(record.revision), &record.encoded[..]))
        .map(drop)
}

pub(super) fn record(db: &Connection, channel: ChannelId) -> rusqlite::Result<Option<StoredRecord>> {
    db.prepare_cached("SELECT revision, record FROM records WHERE channel = ?1")?
        .query_row([channel.as_bytes()], |row| {
            let revision = row.get::<_, i64>(0)?.cast_unsigned();
            Ok(StoredRecord { revision, encoded: Bytes::from(row.get::<_, Vec<u8>>(1)?) })
        })
        .optional()
}

pub(super) fn put_slot(db: &Connection, log: &LogId, slot: &HeadSlot) -> rusqlite::Result<()> {
    let HeadSlot { position: Position { incarnation, epoch }, sealed } = slot;
    db.prepare_cached(
        "INSERT OR REPLACE INTO head_slots (channel, incarnation, epoch, sealed) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute((log, incarnation, integer(*epoch), &sealed[..]))
    .map(drop)
}

pub(super) fn slot(db: &Connection, channel: ChannelId) -> rusqlite::Result<Option<HeadSlot>> {
    db.prepare_cached("SELECT incarnation, epoch, sealed FROM head_slots WHERE channel = ?1")?
        .query_row([channel.as_bytes()], |row| {
            let position = Position { incarnation: row.get(0)?, epoch: row.get::<_, i64>(1)?.cast_unsigned() };
            Ok(HeadSlot { position, sealed: Bytes::from(row.get::<_, Vec<u8>>(2)?) })
        })
        .optional()
}
