//! The part of every log that is forgotten with its day: bodies and idempotency ids.
//!
//! A log is a channel's or an inbox. Its entries that expire on one day stand in that day's table, with those of all other
//! logs; the table is made when the first entry comes and dropped whole, which costs no deletion per entry.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _};
use undertone_wire::{Day, IdempotencyId};

use super::{execute, integer};
use crate::append::Used;

/// The days that have a table `body_DAY`; day 0 is for entries that never expire.
pub(super) const SCHEMA: &str = "CREATE TABLE partitions (day INTEGER PRIMARY KEY) WITHOUT ROWID, STRICT;";

/// A channel's or an account's id.
pub(super) type LogId = [u8; 16];

/// An existing partition, for the length of a transaction.
pub(super) struct Partition<'db> {
    db: &'db Connection,
    day: Day,
}

impl<'db> Partition<'db> {
    /// None when nothing that expires on this day is kept.
    pub(super) fn find(db: &'db Connection, day: Day) -> rusqlite::Result<Option<Self>> {
        let exists = db.prepare_cached("SELECT 1 FROM partitions WHERE day = ?1")?.exists([day.0])?;
        Ok(exists.then_some(Self { db, day }))
    }

    pub(super) fn find_or_create(db: &'db Connection, day: Day) -> rusqlite::Result<Self> {
        if let Some(partition) = Self::find(db, day)? {
            return Ok(partition);
        }
        // `body` stands last, so that the other columns are read without its pages; it is null once a letter is read.
        let Day(number) = day;
        db.execute_batch(&format!(
            "CREATE TABLE body_{number} (
                log BLOB NOT NULL, seq INTEGER NOT NULL, id BLOB NOT NULL, digest BLOB NOT NULL, body BLOB,
                PRIMARY KEY (log, seq)
            ) WITHOUT ROWID, STRICT;
            CREATE UNIQUE INDEX body_{number}_id ON body_{number} (log, id);"
        ))?;
        db.prepare_cached("INSERT INTO partitions (day) VALUES (?1)")?.execute([number])?;
        Ok(Self { db, day })
    }

    /// All that exist, in order of days.
    pub(super) fn all(db: &'db Connection) -> rusqlite::Result<Vec<Self>> {
        let mut days = db.prepare_cached("SELECT day FROM partitions ORDER BY day")?;
        days.query_map([], |row| Ok(Self { db, day: Day(row.get(0)?) }))?.collect()
    }

    /// What an idempotency id stands for, in this partition of a log.
    pub(super) fn used(&self, log: &LogId, id: &IdempotencyId) -> rusqlite::Result<Option<Used>> {
        let sql = format!("SELECT seq, digest FROM {} WHERE log = ?1 AND id = ?2", self.table());
        let mut used = self.db.prepare_cached(&sql)?;
        let used = used.query_row((log, id.as_bytes()), |row| {
            Ok(Used { seq: row.get::<_, i64>(0)?.cast_unsigned(), digest: row.get(1)? })
        });
        used.optional()
    }

    pub(super) fn insert(
        &self,
        log: &LogId,
        seq: u64,
        id: &IdempotencyId,
        digest: &[u8; 32],
        body: &[u8],
    ) -> rusqlite::Result<()> {
        let sql = format!("INSERT INTO {} (log, seq, id, digest, body) VALUES (?1, ?2, ?3, ?4, ?5)", self.table());
        let mut insert = self.db.prepare_cached(&sql)?;
        insert.execute((log, integer(seq), id.as_bytes(), digest, body)).map(drop)
    }

    /// None when it is not here, or was cleared.
    pub(super) fn body(&self, log: &LogId, seq: u64) -> rusqlite::Result<Option<Bytes>> {
        let sql = format!("SELECT body FROM {} WHERE log = ?1 AND seq = ?2", self.table());
        let mut body = self.db.prepare_cached(&sql)?;
        let body = body.query_row((log, integer(seq)), |row| row.get::<_, Option<Vec<u8>>>(0)).optional()?;
        Ok(body.flatten().map(Bytes::from))
    }

    /// Length of a body, which is not read.
    pub(super) fn size(&self, log: &LogId, seq: u64) -> rusqlite::Result<Option<u64>> {
        let sql = format!("SELECT length(body) FROM {} WHERE log = ?1 AND seq = ?2", self.table());
        let mut size = self.db.prepare_cached(&sql)?;
        let size = size.query_row((log, integer(seq)), |row| row.get::<_, Option<i64>>(0)).optional()?;
        Ok(size.flatten().map(i64::cast_unsigned))
    }

    /// Forgets a log's bodies up to and with `up_to`, but not their idempotency ids.
    pub(super) fn clear(&self, log: &LogId, up_to: u64) -> rusqlite::Result<()> {
        let sql = format!("UPDATE {} SET body = NULL WHERE log = ?1 AND seq <= ?2 AND body IS NOT NULL", self.table());
        self.db.prepare_cached(&sql)?.execute((log, integer(up_to))).map(drop)
    }

    /// Number of entries here, cleared ones too.
    pub(super) fn count(&self) -> rusqlite::Result<u64> {
        let sql = format!("SELECT count(*) FROM {}", self.table());
        self.db.query_row(&sql, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
    }

    pub(super) fn drop_table(self) -> rusqlite::Result<()> {
        execute(self.db, &format!("DROP TABLE {}", self.table()))?;
        self.db.prepare_cached("DELETE FROM partitions WHERE day = ?1")?.execute([self.day.0]).map(drop)
    }

    /// Its name, for the statements of those who keep books on it.
    pub(super) fn table(&self) -> String {
        format!("body_{}", self.day.0)
    }
}

/// The days whose partitions have expired before `today`.
pub(super) fn expired(db: &Connection, today: Day) -> rusqlite::Result<Vec<Day>> {
    let mut days = db.prepare_cached("SELECT day FROM partitions WHERE day > 0 AND day < ?1")?;
    days.query_map([today.0], |row| row.get(0).map(Day))?.collect()
}
