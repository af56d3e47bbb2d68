//! The channel plane in SQLite.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Row};
use undertone_wire::{ChannelId, Day, Position, channel::Entry};

use super::{
    blob, blob_or_null,
    engine::Engine,
    generations, groups, integer,
    open::{OpenError, Plane},
    partition::{self, BodyKey, LogId, Partition},
    tokens,
};
use crate::{
    Append, AppendOutcome, ChannelCounts, Channels, EndedGeneration, HeadSlot, NewChannel, StoreError, StoredChannel,
    StoredRecord,
    append::{Plan, Prepared},
    entry::{StoredEntry, expired},
    page::Page,
};

static PLANE: Plane = Plane {
    name: "channels",
    // "UnCh"
    application_id: 0x556e_4368,
    schema: &[CHANNELS, generations::SCHEMA, tokens::SCHEMA, groups::SCHEMA, partition::SCHEMA],
    upgrades: &[
        |db| {
            db.execute_batch("ALTER TABLE entries ADD COLUMN installs BLOB")?;
            Ok(db.execute_batch(generations::SCHEMA)?)
        },
        |db| Ok(db.execute_batch(tokens::SCHEMA)?),
        |db| {
            db.execute_batch("ALTER TABLE entries ADD COLUMN countersignature BLOB")?;
            db.execute_batch("ALTER TABLE entries ADD COLUMN slot_hash BLOB")?;
            Ok(db.execute_batch(groups::SCHEMA)?)
        },
    ],
};

/// `unused_since` is known only until the first append; `bytes` are those of the bodies in all partitions. `installs` is
/// of the entries that begin a generation: its read key and its write key; `countersignature` of changes; `slot_hash` of
/// commits that came with a head slot.
const CHANNELS: &str = "
    CREATE TABLE channels (
        channel BLOB PRIMARY KEY,
        seq INTEGER NOT NULL,
        chain BLOB NOT NULL,
        incarnation INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        read_key BLOB NOT NULL,
        write_key BLOB NOT NULL,
        bytes INTEGER NOT NULL,
        unused_since INTEGER
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX channels_unused ON channels (unused_since) WHERE unused_since IS NOT NULL;
    CREATE TABLE entries (
        channel BLOB NOT NULL,
        seq INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        incarnation INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        expiry_day INTEGER NOT NULL,
        digest BLOB NOT NULL,
        body_key INTEGER NOT NULL,
        installs BLOB,
        countersignature BLOB,
        slot_hash BLOB,
        PRIMARY KEY (channel, seq)
    ) WITHOUT ROWID, STRICT;";

/// Channels and their logs, in one SQLite file.
pub struct SqliteChannels {
    pub(super) engine: Engine,
}

impl SqliteChannels {
    /// Opens the file, or creates it. Blocks.
    ///
    /// # Errors
    /// Why the file cannot be used, for the operator.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Ok(Self { engine: Engine::open(path, &PLANE)? })
    }
}

impl Channels for SqliteChannels {
    async fn create(&self, new: NewChannel, today: Day) -> Result<bool, StoreError> {
        self.engine.change(move |db| create(db, &new, today)).await
    }

    async fn channel(&self, channel: ChannelId) -> Result<Option<StoredChannel>, StoreError> {
        self.engine.read(move |db| Ok(load(db, channel)?.map(|(channel, _)| channel))).await
    }

    async fn ended_generation(
        &self,
        channel: ChannelId,
        generation: u32,
    ) -> Result<Option<EndedGeneration>, StoreError> {
        self.engine.read(move |db| generations::ended(db, channel, generation)).await
    }

    async fn append(&self, append: Append) -> Result<AppendOutcome, StoreError> {
        let prepared = Prepared::new(append)?;
        self.engine.change(move |db| self::append(db, &prepared)).await
    }

    async fn read_after(
        &self,
        channel: ChannelId,
        after: u64,
        limit: u32,
        bytes_max: usize,
        today: Day,
    ) -> Result<Option<Vec<Entry>>, StoreError> {
        let page = Page::new(limit, bytes_max);
        self.engine.read(move |db| read_after(db, channel, after, limit, page, today)).await
    }

    async fn record(&self, channel: ChannelId) -> Result<Option<StoredRecord>, StoreError> {
        self.engine.read(move |db| groups::record(db, channel)).await
    }

    async fn head_slot(&self, channel: ChannelId) -> Result<Option<HeadSlot>, StoreError> {
        self.engine.read(move |db| groups::slot(db, channel)).await
    }

    async fn expire(&self, today: Day, unused_days: u32) -> Result<(), StoreError> {
        // In steps, between which others get their turn.
        for day in self.engine.read(move |db| partition::expired(db, today)).await? {
            while !self.engine.change(move |db| shrink_partition(db, day)).await? {}
        }
        let unused_before = today.0.saturating_sub(unused_days);
        let forget = move |db: &Connection| {
            db.execute("DELETE FROM channels WHERE unused_since < ?1", [unused_before]).map(drop)
        };
        self.engine.change(forget).await
    }

    async fn counts(&self) -> Result<ChannelCounts, StoreError> {
        self.engine.read(counts).await
    }
}

fn create(db: &Connection, new: &NewChannel, today: Day) -> rusqlite::Result<bool> {
    if let Some((channel, _)) = load(db, new.channel)? {
        return Ok(channel.has_keys_of(new));
    }
    let StoredChannel { seq, chain, position, generation, read_key, write_key, .. } = StoredChannel::new(new);
    db.prepare_cached(
        "INSERT INTO channels
            (channel, seq, chain, incarnation, epoch, generation, read_key, write_key, bytes, unused_since)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9)",
    )?
    .execute((
        new.channel.as_bytes(),
        integer(seq),
        chain.as_bytes(),
        position.incarnation,
        integer(position.epoch),
        generation,
        read_key,
        write_key,
        today.0,
    ))?;
    Ok(true)
}

/// A channel, and how many bytes its bodies have.
fn load(db: &Connection, channel: ChannelId) -> rusqlite::Result<Option<(StoredChannel, u64)>> {
    db.prepare_cached(
        "SELECT seq, chain, incarnation, epoch, generation, read_key, write_key, bytes, coalesce(revision, 0)
        FROM channels LEFT JOIN records USING (channel) WHERE channel = ?1",
    )?
    .query_row([channel.as_bytes()], |row| {
        let channel = StoredChannel {
            seq: row.get::<_, i64>(0)?.cast_unsigned(),
            chain: blob(row, 1)?,
            position: Position { incarnation: row.get(2)?, epoch: row.get::<_, i64>(3)?.cast_unsigned() },
            generation: row.get(4)?,
            read_key: row.get(5)?,
            write_key: row.get(6)?,
            revision: row.get::<_, i64>(8)?.cast_unsigned(),
        };
        Ok((channel, row.get::<_, i64>(7)?.cast_unsigned()))
    })
    .optional()
}

fn append(db: &Connection, prepared: &Prepared) -> rusqlite::Result<AppendOutcome> {
    let Append { channel: id, entries, .. } = &prepared.append;
    let log = id.as_bytes();
    let Some((channel, bytes_held)) = load(db, *id)? else {
        return Ok(AppendOutcome::NotFound);
    };
    let mut used = Vec::with_capacity(entries.len());
    for entry in entries {
        let partition = Partition::find(db, entry.expiry_day)?;
        used.push(partition.map(|partition| partition.used(log, &entry.id)).transpose()?.flatten());
    }
    let moved = match prepared.plan(channel, bytes_held, &used) {
        Plan::Write(moved) => moved,
        Plan::Answer(outcome) => return Ok(outcome),
    };
    let first_seq = channel.seq + 1;
    for (new, entry) in prepared.numbered(first_seq) {
        let partition = Partition::find_or_create(db, new.expiry_day)?;
        let body_key = partition.insert(log, entry.seq, &new.id, entry.digest.as_bytes(), &new.body)?;
        insert(db, log, &entry, body_key)?;
    }
    for (generation, ended) in &moved.ended {
        generations::end(db, log, *generation, ended)?;
    }
    let after = moved.channel;
    if let Some(record) = &prepared.append.record {
        groups::put_record(db, log, record)?;
    }
    if let Some(slot) = prepared.slot(&after) {
        groups::put_slot(db, log, &slot)?;
    }
    db.prepare_cached(
        "UPDATE channels SET seq = ?2, chain = ?3, incarnation = ?4, epoch = ?5, generation = ?6, read_key = ?7,
            write_key = ?8, bytes = bytes + ?9, unused_since = NULL
        WHERE channel = ?1",
    )?
    .execute((
        log,
        integer(after.seq),
        after.chain.as_bytes(),
        after.position.incarnation,
        integer(after.position.epoch),
        after.generation,
        after.read_key,
        after.write_key,
        integer(prepared.bytes()),
    ))?;
    Ok(moved.outcome(first_seq))
}

fn insert(db: &Connection, log: &LogId, entry: &StoredEntry, body_key: BodyKey) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO entries (channel, seq, kind, incarnation, epoch, expiry_day, digest, body_key, installs,
            countersignature, slot_hash)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute((
        log,
        integer(entry.seq),
        entry.kind,
        entry.position.incarnation,
        integer(entry.position.epoch),
        entry.expiry_day.0,
        entry.digest.as_bytes(),
        body_key,
        entry.installs.map(|keys| keys.to_bytes().to_vec()),
        entry.countersignature.map(|signature| signature.to_vec()),
        entry.slot_hash,
    ))
    .map(drop)
}

fn read_after(
    db: &Connection,
    channel: ChannelId,
    after: u64,
    limit: u32,
    mut page: Page,
    today: Day,
) -> rusqlite::Result<Option<Vec<Entry>>> {
    if load(db, channel)?.is_none() {
        return Ok(None);
    }
    let mut select = db.prepare_cached(
        "SELECT seq, kind, incarnation, epoch, expiry_day, digest, body_key, installs, countersignature, slot_hash
        FROM entries
        WHERE channel = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
    )?;
    let mut entries = Vec::new();
    for entry in select.query_map((channel.as_bytes(), integer(after), limit), stored_entry)? {
        let (entry, body_key) = entry?;
        let body = match Partition::find(db, entry.expiry_day)? {
            Some(partition) if !expired(entry.expiry_day, today) => partition.body(body_key)?,
            _ => None,
        };
        let entry = entry.served(body);
        if !page.take(entry.body.len()) {
            break;
        }
        entries.push(entry);
    }
    Ok(Some(entries))
}

fn stored_entry(row: &Row<'_>) -> rusqlite::Result<(StoredEntry, BodyKey)> {
    let entry = StoredEntry {
        seq: row.get::<_, i64>(0)?.cast_unsigned(),
        kind: row.get(1)?,
        position: Position { incarnation: row.get(2)?, epoch: row.get::<_, i64>(3)?.cast_unsigned() },
        expiry_day: Day(row.get(4)?),
        digest: blob(row, 5)?,
        installs: blob_or_null(row, 7)?,
        countersignature: row.get(8)?,
        slot_hash: row.get(9)?,
    };
    Ok((entry, row.get(6)?))
}

/// Forgets some of the partition of a day, and takes its bytes off the channels that had bodies in it. True: it is gone.
fn shrink_partition(db: &Connection, day: Day) -> rusqlite::Result<bool> {
    let Some(partition) = Partition::find(db, day)? else {
        return Ok(true);
    };
    let sql = format!(
        "UPDATE channels SET bytes = channels.bytes - gone.bytes
        FROM (SELECT log, sum(bytes) AS bytes FROM {} GROUP BY log) AS gone
        WHERE channels.channel = gone.log",
        partition.next_gone()
    );
    db.prepare_cached(&sql)?.execute([])?;
    partition.shrink()
}

fn counts(db: &Connection) -> rusqlite::Result<ChannelCounts> {
    let (channels, entries) = db.query_row("SELECT count(*), coalesce(sum(seq), 0) FROM channels", [], |row| {
        Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned()))
    })?;
    let bodies = Partition::all(db)?.iter().map(Partition::count).sum::<Result<_, _>>()?;
    Ok(ChannelCounts { channels, entries, bodies })
}
