//! Inboxes: logs without epochs, whose entries are forgotten once all devices have read them.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _};
use sha2::{Digest as _, Sha256};
use undertone_wire::{AccountId, Day, IdempotencyId, account::InboxEntry};

use super::{devices, integer, partition::Partition};
use crate::{Delivery, InboxPage, page::Page};

/// An entry on its way into an inbox.
pub(super) struct Letter {
    id: IdempotencyId,
    sealed: Bytes,
    digest: [u8; 32],
    expiry_day: Day,
}

impl Letter {
    pub(super) fn new(id: IdempotencyId, sealed: Bytes, expiry_day: Day) -> Self {
        let digest = Sha256::digest(&sealed).into();
        Self { id, sealed, digest, expiry_day }
    }
}

pub(super) fn deliver(
    db: &Connection,
    account: AccountId,
    letter: &Letter,
    entries_max: u64,
) -> rusqlite::Result<Delivery> {
    let newest = db
        .prepare_cached("SELECT inbox_seq FROM accounts WHERE account = ?1")?
        .query_row([account.as_bytes()], |row| row.get::<_, i64>(0))
        .optional()?;
    let Some(newest) = newest else {
        return Ok(Delivery::NotFound);
    };
    if let Some(partition) = Partition::find(db, letter.expiry_day)?
        && let Some(used) = partition.used(account.as_bytes(), &letter.id)?
    {
        return Ok(if used.digest == letter.digest { Delivery::Delivered } else { Delivery::Conflict });
    }
    let waiting = db
        .prepare_cached("SELECT count(*) FROM inbox WHERE account = ?1")?
        .query_row([account.as_bytes()], |row| row.get::<_, i64>(0))?;
    if waiting >= integer(entries_max) {
        return Ok(Delivery::Full);
    }
    let seq = newest.cast_unsigned() + 1;
    let partition = Partition::find_or_create(db, letter.expiry_day)?;
    let body_key = partition.insert(account.as_bytes(), seq, &letter.id, &letter.digest, &letter.sealed)?;
    db.prepare_cached("INSERT INTO inbox (account, seq, expiry_day, body_key) VALUES (?1, ?2, ?3, ?4)")?.execute((
        account.as_bytes(),
        integer(seq),
        letter.expiry_day.0,
        body_key,
    ))?;
    db.prepare_cached("UPDATE accounts SET inbox_seq = ?2 WHERE account = ?1")?
        .execute((account.as_bytes(), integer(seq)))?;
    Ok(Delivery::Delivered)
}

pub(super) fn read(
    db: &Connection,
    account: AccountId,
    after: u64,
    limit: u32,
    bytes_max: usize,
) -> rusqlite::Result<InboxPage> {
    let mut page = Page::new(limit, bytes_max);
    let mut select =
        db.prepare_cached("SELECT seq, expiry_day, body_key FROM inbox WHERE account = ?1 AND seq > ?2 ORDER BY seq")?;
    let mut rows = select.query((account.as_bytes(), integer(after)))?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let seq = row.get::<_, i64>(0)?.cast_unsigned();
        let Some(partition) = Partition::find(db, Day(row.get(1)?))? else {
            continue;
        };
        let Some(sealed) = partition.body(row.get(2)?)? else {
            continue;
        };
        if !page.take(sealed.len()) {
            return Ok(InboxPage { entries, more: true });
        }
        entries.push(InboxEntry { seq, sealed });
    }
    Ok(InboxPage { entries, more: false })
}

/// Forgets what all listed devices have read.
pub(super) fn clear(db: &Connection, account: AccountId) -> rusqlite::Result<()> {
    forget(db, account, devices::all_read_up_to(db, account)?)
}

/// Forgets letters up to and with `up_to`, but not their idempotency ids.
pub(super) fn forget(db: &Connection, account: AccountId, up_to: u64) -> rusqlite::Result<()> {
    let place = (account.as_bytes(), integer(up_to));
    let mut select = db.prepare_cached("SELECT expiry_day, body_key FROM inbox WHERE account = ?1 AND seq <= ?2")?;
    let mut rows = select.query(place)?;
    while let Some(row) = rows.next()? {
        if let Some(partition) = Partition::find(db, Day(row.get(0)?))? {
            partition.forget(row.get(1)?)?;
        }
    }
    db.prepare_cached("DELETE FROM inbox WHERE account = ?1 AND seq <= ?2")?.execute(place).map(drop)
}

/// Forgets some of the partition of a day, with the places in inboxes of those entries in it that nobody read. True: it is
/// gone.
pub(super) fn shrink_partition(db: &Connection, day: Day) -> rusqlite::Result<bool> {
    let Some(partition) = Partition::find(db, day)? else {
        return Ok(true);
    };
    let gone = partition.next_gone();
    db.prepare_cached(&format!("DELETE FROM inbox WHERE (account, seq) IN (SELECT log, seq FROM {gone})"))?
        .execute([])?;
    partition.shrink()
}
