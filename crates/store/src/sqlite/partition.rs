//! The part of every log that is forgotten with its day: bodies and idempotency ids.
//!
//! A log is a channel's or an inbox. Those of its entries that expire on one day stand in that day's two tables,
//! together with those of all other logs; the tables are made when the first entry comes. Once their day is over they are
//! emptied in steps and dropped: whole, a day of 2 GB would hold up whoever appends for seconds.
//!
//! - `ids_DAY`: what each idempotency id of a log stands for.
//! - `bodies_DAY`: the bodies, each under a random key that its log notes. Such a table packs bodies of up to 2 KB
//!   close together; WITHOUT ROWID it would give each of more than 1 KB a page of its own (measured: 4.5 KB for one of
//!   1 KB). Keys are random because counted ones would keep the order of arrival across logs.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _};
use undertone_wire::{Day, IdempotencyId};

use super::{execute, integer};
use crate::append::Used;

/// The days that have tables; day 0 is for entries that never expire.
pub(super) const SCHEMA: &str = "CREATE TABLE partitions (day INTEGER PRIMARY KEY) WITHOUT ROWID, STRICT;";

/// A channel's or an account's id.
pub(super) type LogId = [u8; 16];

/// Where a body stands in its partition.
pub(super) type BodyKey = i64;

/// Entries that one transaction forgets: few enough, at 64 KiB each, that who appends meanwhile waits no longer than for a
/// full batch.
const SHRINK_ENTRIES: u32 = 128;

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
        let Day(number) = day;
        db.execute_batch(&format!(
            "CREATE TABLE ids_{number} (
                log BLOB NOT NULL, id BLOB NOT NULL, seq INTEGER NOT NULL, digest BLOB NOT NULL, bytes INTEGER NOT NULL,
                PRIMARY KEY (log, id)
            ) WITHOUT ROWID, STRICT;
            CREATE TABLE bodies_{number} (key INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;"
        ))?;
        db.prepare_cached("INSERT INTO partitions (day) VALUES (?1)")?.execute([number])?;
        Ok(Self { db, day })
    }

    /// All that exist, in order of days.
    pub(super) fn all(db: &'db Connection) -> rusqlite::Result<Vec<Self>> {
        let mut days = db.prepare_cached("SELECT day FROM partitions ORDER BY day")?;
        days.query_map([], |row| Ok(Self { db, day: Day(row.get(0)?) }))?.collect()
    }

    pub(super) fn day(&self) -> Day {
        self.day
    }

    /// What an idempotency id stands for, in this partition of a log.
    pub(super) fn used(&self, log: &LogId, id: &IdempotencyId) -> rusqlite::Result<Option<Used>> {
        let mut used =
            self.db.prepare_cached(&format!("SELECT seq, digest FROM {} WHERE log = ?1 AND id = ?2", self.ids()))?;
        used.query_row((log, id.as_bytes()), |row| {
            Ok(Used { seq: row.get::<_, i64>(0)?.cast_unsigned(), digest: row.get(1)? })
        })
        .optional()
    }

    /// Keeps a body, and what its id stands for from now on.
    pub(super) fn insert(
        &self,
        log: &LogId,
        seq: u64,
        id: &IdempotencyId,
        digest: &[u8; 32],
        body: &[u8],
    ) -> rusqlite::Result<BodyKey> {
        let bytes = integer(body.len() as u64);
        self.db
            .prepare_cached(&format!(
                "INSERT INTO {} (log, id, seq, digest, bytes) VALUES (?1, ?2, ?3, ?4, ?5)",
                self.ids()
            ))?
            .execute((log, id.as_bytes(), integer(seq), digest, bytes))?;
        // Should a key be taken, the change fails, and finds another one when it is made again.
        let sql = format!("INSERT INTO {} (key, body) VALUES (random(), ?1)", self.bodies());
        self.db.prepare_cached(&sql)?.insert([body])
    }

    /// None when it is not here any more.
    pub(super) fn body(&self, key: BodyKey) -> rusqlite::Result<Option<Bytes>> {
        let mut body = self.db.prepare_cached(&format!("SELECT body FROM {} WHERE key = ?1", self.bodies()))?;
        Ok(body.query_row([key], |row| row.get::<_, Vec<u8>>(0)).optional()?.map(Bytes::from))
    }

    /// Length of a body, which is not read for it.
    pub(super) fn size(&self, key: BodyKey) -> rusqlite::Result<Option<u64>> {
        let mut size = self.db.prepare_cached(&format!("SELECT length(body) FROM {} WHERE key = ?1", self.bodies()))?;
        Ok(size.query_row([key], |row| row.get::<_, i64>(0)).optional()?.map(i64::cast_unsigned))
    }

    /// Forgets a body before its day, but not its idempotency id.
    pub(super) fn forget(&self, key: BodyKey) -> rusqlite::Result<()> {
        let sql = format!("DELETE FROM {} WHERE key = ?1", self.bodies());
        self.db.prepare_cached(&sql)?.execute([key]).map(drop)
    }

    /// Forgets the idempotency ids of a log, whose bodies are forgotten already.
    pub(super) fn forget_log(&self, log: &LogId) -> rusqlite::Result<()> {
        self.db.prepare_cached(&format!("DELETE FROM {} WHERE log = ?1", self.ids()))?.execute([log]).map(drop)
    }

    /// Number of entries here, those whose body was forgotten too.
    pub(super) fn count(&self) -> rusqlite::Result<u64> {
        let count = self.db.query_row(&format!("SELECT count(*) FROM {}", self.ids()), [], |row| row.get::<_, i64>(0));
        count.map(i64::cast_unsigned)
    }

    /// Forgets some of what is here, all of which has expired: ids first, then bodies, then the tables. True: it is gone.
    pub(super) fn shrink(self) -> rusqlite::Result<bool> {
        let (ids, bodies) = (self.ids(), self.bodies());
        let forget = |sql: String| self.db.prepare_cached(&sql)?.execute([SHRINK_ENTRIES]).map(|gone| gone > 0);
        if forget(format!(
            "DELETE FROM {ids} WHERE (log, id) IN (SELECT log, id FROM {ids} ORDER BY log, id LIMIT ?1)"
        ))? || forget(format!("DELETE FROM {bodies} WHERE key IN (SELECT key FROM {bodies} ORDER BY key LIMIT ?1)"))?
        {
            return Ok(false);
        }
        execute(self.db, &format!("DROP TABLE {ids}"))?;
        execute(self.db, &format!("DROP TABLE {bodies}"))?;
        self.db.prepare_cached("DELETE FROM partitions WHERE day = ?1")?.execute([self.day.0])?;
        Ok(true)
    }

    /// The ids that [`Self::shrink`] forgets next, for the statements of those who keep books on it: it has `log`, `seq` and
    /// `bytes`.
    pub(super) fn next_gone(&self) -> String {
        format!("(SELECT log, seq, bytes FROM {} ORDER BY log, id LIMIT {SHRINK_ENTRIES})", self.ids())
    }

    /// The table of idempotency ids, for the statements of those who read it whole: it has `log`, `seq` and `bytes`.
    pub(super) fn ids(&self) -> String {
        format!("ids_{}", self.day.0)
    }

    /// The table of bodies, for those who read it whole: it has `key` and `body`.
    pub(super) fn bodies(&self) -> String {
        format!("bodies_{}", self.day.0)
    }
}

/// The days whose partitions have expired before `today`.
pub(super) fn expired(db: &Connection, today: Day) -> rusqlite::Result<Vec<Day>> {
    let mut days = db.prepare_cached("SELECT day FROM partitions WHERE day > 0 AND day < ?1")?;
    days.query_map([today.0], |row| row.get(0).map(Day))?.collect()
}
