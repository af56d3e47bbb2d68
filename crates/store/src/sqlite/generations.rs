//! Generations that are over: whoever has such a read key may read what stands up to their end, for as long as the
//! channel lives.

use rusqlite::{Connection, OptionalExtension as _};
use undertone_wire::{ChannelId, Position};

use super::{blob, integer, partition::LogId};
use crate::EndedGeneration;

pub(super) const SCHEMA: &str = "
    CREATE TABLE generations (
        channel BLOB NOT NULL,
        generation INTEGER NOT NULL,
        read_key BLOB NOT NULL,
        seq INTEGER NOT NULL,
        chain BLOB NOT NULL,
        incarnation INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        PRIMARY KEY (channel, generation)
    ) WITHOUT ROWID, STRICT;";

pub(super) fn end(db: &Connection, log: &LogId, generation: u32, ended: &EndedGeneration) -> rusqlite::Result<()> {
    let EndedGeneration { read_key, seq, chain, position } = ended;
    db.prepare_cached(
        "INSERT INTO generations (channel, generation, read_key, seq, chain, incarnation, epoch)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute((
        log,
        generation,
        read_key,
        integer(*seq),
        chain.as_bytes(),
        position.incarnation,
        integer(position.epoch),
    ))
    .map(drop)
}

pub(super) fn ended(db: &Connection, channel: ChannelId, generation: u32) -> rusqlite::Result<Option<EndedGeneration>> {
    db.prepare_cached(
        "SELECT read_key, seq, chain, incarnation, epoch FROM generations WHERE channel = ?1 AND generation = ?2",
    )?
    .query_row((channel.as_bytes(), generation), |row| {
        Ok(EndedGeneration {
            read_key: row.get(0)?,
            seq: row.get::<_, i64>(1)?.cast_unsigned(),
            chain: blob(row, 2)?,
            position: Position { incarnation: row.get(3)?, epoch: row.get::<_, i64>(4)?.cast_unsigned() },
        })
    })
    .optional()
}
