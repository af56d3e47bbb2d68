//! Blobs in SQLite.

use std::path::Path;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _};
use undertone_wire::{BlobId, Day};

use super::{
    engine::Engine,
    execute, integer,
    open::{OpenError, Plane},
    tokens,
};
use crate::{Beginning, BlobCounts, Blobs, NewBlob, Putting, StoreError, entry::expired};

static PLANE: Plane = Plane {
    name: "blobs",
    // "UnBl"
    application_id: 0x556e_426c,
    schema: &[BLOBS, tokens::SCHEMA],
    upgrades: &[],
};

/// `blob_days` counts those that expire on one day; their parts stand together in `parts_DAY`, which is dropped whole. Parts
/// have random keys: counted ones would keep the order of arrival across blobs.
const BLOBS: &str = "
    CREATE TABLE blobs (
        blob BLOB PRIMARY KEY,
        bytes INTEGER NOT NULL,
        expiry_day INTEGER NOT NULL
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX blobs_expiry ON blobs (expiry_day);
    CREATE TABLE blob_days (
        day INTEGER PRIMARY KEY,
        blobs INTEGER NOT NULL,
        bytes INTEGER NOT NULL
    ) WITHOUT ROWID, STRICT;";

/// Blobs, in one SQLite file.
pub struct SqliteBlobs {
    pub(super) engine: Engine,
}

impl SqliteBlobs {
    /// Opens the file, or creates it. Blocks.
    ///
    /// # Errors
    /// Why the file cannot be used, for the operator.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Ok(Self { engine: Engine::open(path, &PLANE)? })
    }
}

impl Blobs for SqliteBlobs {
    async fn begin(&self, new: NewBlob, bytes_max: u64) -> Result<Beginning, StoreError> {
        self.engine.change(move |db| begin(db, &new, bytes_max)).await
    }

    async fn blob(&self, blob: BlobId, today: Day) -> Result<Option<NewBlob>, StoreError> {
        self.engine.read(move |db| live(db, blob, today)).await
    }

    async fn put_part(&self, blob: BlobId, part: u32, bytes: Bytes, today: Day) -> Result<Putting, StoreError> {
        self.engine.change(move |db| put_part(db, blob, part, &bytes, today)).await
    }

    async fn part(&self, blob: BlobId, part: u32, today: Day) -> Result<Option<Bytes>, StoreError> {
        let read = move |db: &Connection| match live(db, blob, today)? {
            Some(blob) => Parts::of(db, &blob).bytes(part),
            None => Ok(None),
        };
        self.engine.read(read).await
    }

    async fn expire(&self, today: Day) -> Result<(), StoreError> {
        let over = move |db: &Connection| {
            let mut days = db.prepare_cached("SELECT day FROM blob_days WHERE day < ?1")?;
            days.query_map([today.0], |row| row.get(0))?.collect::<rusqlite::Result<Vec<u32>>>()
        };
        // A transaction for each day, so that the writer is never held for longer than one takes.
        for day in self.engine.read(over).await? {
            self.engine.change(move |db| drop_day(db, day)).await?;
        }
        Ok(())
    }

    async fn counts(&self) -> Result<BlobCounts, StoreError> {
        self.engine.read(counts).await
    }
}

fn begin(db: &Connection, new: &NewBlob, bytes_max: u64) -> rusqlite::Result<Beginning> {
    let day = new.expiry_day.0;
    if let Some(blob) = load(db, new.blob)? {
        if blob != *new {
            return Ok(Beginning::Taken);
        }
        return Ok(Beginning::Begun { parts: Parts::of(db, &blob).count()? });
    }
    if counts(db)?.bytes.saturating_add(new.bytes) > bytes_max {
        return Ok(Beginning::Full);
    }
    let bytes = integer(new.bytes);
    db.prepare_cached("INSERT INTO blobs (blob, bytes, expiry_day) VALUES (?1, ?2, ?3)")?.execute((
        new.blob.as_bytes(),
        bytes,
        day,
    ))?;
    let first = db
        .prepare_cached(
            "INSERT INTO blob_days (day, blobs, bytes) VALUES (?1, 1, ?2)
            ON CONFLICT (day) DO UPDATE SET blobs = blobs + 1, bytes = bytes + excluded.bytes
            RETURNING blobs",
        )?
        .query_row((day, bytes), |row| Ok(row.get::<_, i64>(0)? == 1))?;
    if first {
        execute(
            db,
            &format!(
                "CREATE TABLE parts_{day} (
                    key INTEGER PRIMARY KEY, blob BLOB NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL,
                    UNIQUE (blob, part)
                ) STRICT"
            ),
        )?;
    }
    Ok(Beginning::Begun { parts: 0 })
}

fn put_part(db: &Connection, blob: BlobId, part: u32, bytes: &[u8], today: Day) -> rusqlite::Result<Putting> {
    let Some(blob) = live(db, blob, today)? else {
        return Ok(Putting::NotFound);
    };
    let parts = Parts::of(db, &blob);
    if let Some(kept) = parts.bytes(part)? {
        return Ok(if kept == bytes { Putting::Kept } else { Putting::Conflict });
    }
    if parts.count()? != part {
        return Ok(Putting::Early);
    }
    parts.insert(part, bytes)?;
    Ok(Putting::Kept)
}

fn load(db: &Connection, blob: BlobId) -> rusqlite::Result<Option<NewBlob>> {
    db.prepare_cached("SELECT bytes, expiry_day FROM blobs WHERE blob = ?1")?
        .query_row([blob.as_bytes()], |row| {
            Ok(NewBlob { blob, bytes: row.get::<_, i64>(0)?.cast_unsigned(), expiry_day: Day(row.get(1)?) })
        })
        .optional()
}

fn live(db: &Connection, blob: BlobId, today: Day) -> rusqlite::Result<Option<NewBlob>> {
    Ok(load(db, blob)?.filter(|blob| !expired(blob.expiry_day, today)))
}

fn drop_day(db: &Connection, day: u32) -> rusqlite::Result<()> {
    execute(db, &format!("DROP TABLE parts_{day}"))?;
    db.prepare_cached("DELETE FROM blobs WHERE expiry_day = ?1")?.execute([day])?;
    db.prepare_cached("DELETE FROM blob_days WHERE day = ?1")?.execute([day]).map(drop)
}

fn counts(db: &Connection) -> rusqlite::Result<BlobCounts> {
    db.prepare_cached("SELECT coalesce(sum(blobs), 0), coalesce(sum(bytes), 0) FROM blob_days")?.query_row([], |row| {
        Ok(BlobCounts { blobs: row.get::<_, i64>(0)?.cast_unsigned(), bytes: row.get::<_, i64>(1)?.cast_unsigned() })
    })
}

/// The parts of a blob that was begun.
struct Parts<'db> {
    db: &'db Connection,
    blob: BlobId,
    table: String,
}

impl<'db> Parts<'db> {
    fn of(db: &'db Connection, blob: &NewBlob) -> Self {
        Self { db, blob: blob.blob, table: format!("parts_{}", blob.expiry_day.0) }
    }

    fn count(&self) -> rusqlite::Result<u32> {
        let sql = format!("SELECT count(*) FROM {} WHERE blob = ?1", self.table);
        self.db.prepare_cached(&sql)?.query_row([self.blob.as_bytes()], |row| row.get(0))
    }

    fn bytes(&self, part: u32) -> rusqlite::Result<Option<Bytes>> {
        let sql = format!("SELECT bytes FROM {} WHERE blob = ?1 AND part = ?2", self.table);
        let mut bytes = self.db.prepare_cached(&sql)?;
        Ok(bytes.query_row((self.blob.as_bytes(), part), |row| row.get::<_, Vec<u8>>(0)).optional()?.map(Bytes::from))
    }

    fn insert(&self, part: u32, bytes: &[u8]) -> rusqlite::Result<()> {
        // Should a key be taken, the change fails, and finds another one when it is made again.
        let sql = format!("INSERT INTO {} (key, blob, part, bytes) VALUES (random(), ?1, ?2, ?3)", self.table);
        self.db.prepare_cached(&sql)?.execute((self.blob.as_bytes(), part, bytes)).map(drop)
    }
}
