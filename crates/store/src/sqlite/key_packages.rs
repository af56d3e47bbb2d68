//! Key packages: handed out once each, a last resort when none is left, or none that may go.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _};
use sha2::{Digest as _, Sha256};
use undertone_wire::AccountId;

use crate::{HANDED_OUT_KEPT, NewKeyPackages};

pub(super) fn put(
    db: &Connection,
    account: AccountId,
    device: u32,
    new: &NewKeyPackages,
    one_time_max: u32,
) -> rusqlite::Result<u32> {
    if new.replace {
        forget_others(db, account, device, &new.one_time)?;
    }
    let mut left = left(db, account, device)?;
    // Handed out ones keep their row for a while, so that the same bytes are known and not taken again.
    let mut insert = db.prepare_cached(
        "INSERT OR IGNORE INTO key_packages (account, device, number, hash, package)
        SELECT ?1, ?2, coalesce(max(number), 0) + 1, ?3, ?4 FROM key_packages WHERE account = ?1 AND device = ?2",
    )?;
    for package in &new.one_time {
        if left >= one_time_max {
            break;
        }
        let hash: [u8; 32] = Sha256::digest(package).into();
        if insert.execute((account.as_bytes(), device, hash, &package[..]))? == 1 {
            left += 1;
        }
    }
    if let Some(package) = &new.last_resort {
        db.prepare_cached("INSERT OR REPLACE INTO last_resorts (account, device, package) VALUES (?1, ?2, ?3)")?
            .execute((account.as_bytes(), device, &package[..]))?;
    }
    Ok(left)
}

/// Forgets what waits and is not among these.
fn forget_others(db: &Connection, account: AccountId, device: u32, kept: &[Bytes]) -> rusqlite::Result<()> {
    let mut waiting = db.prepare_cached(
        "SELECT number, package FROM key_packages WHERE account = ?1 AND device = ?2 AND package IS NOT NULL",
    )?;
    let waiting = waiting.query_map((account.as_bytes(), device), |row| Ok((row.get(0)?, row.get(1)?)))?;
    for row in waiting.collect::<Result<Vec<(i64, Vec<u8>)>, _>>()? {
        if !kept.iter().any(|package| package[..] == row.1[..]) {
            db.prepare_cached("DELETE FROM key_packages WHERE account = ?1 AND device = ?2 AND number = ?3")?
                .execute((account.as_bytes(), device, row.0))?;
        }
    }
    Ok(())
}

/// Forgets all of a device.
pub(super) fn forget(db: &Connection, account: AccountId, device: u32) -> rusqlite::Result<()> {
    for table in ["key_packages", "last_resorts"] {
        db.prepare_cached(&format!("DELETE FROM {table} WHERE account = ?1 AND device = ?2"))?
            .execute((account.as_bytes(), device))?;
    }
    Ok(())
}

pub(super) fn left(db: &Connection, account: AccountId, device: u32) -> rusqlite::Result<u32> {
    db.prepare_cached("SELECT count(*) FROM key_packages WHERE account = ?1 AND device = ?2 AND package IS NOT NULL")?
        .query_row((account.as_bytes(), device), |row| row.get(0))
}

/// One of each device, by device number. Who has no more than `reserve` one-time ones keeps those.
pub(super) fn take(db: &Connection, account: AccountId, reserve: u32) -> rusqlite::Result<Vec<Bytes>> {
    let mut devices = db.prepare_cached(
        "SELECT device FROM key_packages WHERE account = ?1
        UNION SELECT device FROM last_resorts WHERE account = ?1 ORDER BY device",
    )?;
    let devices = devices.query_map([account.as_bytes()], |row| row.get(0))?.collect::<Result<Vec<u32>, _>>()?;
    let mut packages = Vec::with_capacity(devices.len());
    for device in devices {
        let package = match left(db, account, device)? > reserve {
            true => take_one_time(db, account, device)?,
            false => last_resort(db, account, device)?,
        };
        packages.extend(package.map(Bytes::from));
    }
    Ok(packages)
}

fn take_one_time(db: &Connection, account: AccountId, device: u32) -> rusqlite::Result<Option<Vec<u8>>> {
    let first = db
        .prepare_cached(
            "SELECT number, package FROM key_packages
            WHERE account = ?1 AND device = ?2 AND package IS NOT NULL ORDER BY number LIMIT 1",
        )?
        .query_row((account.as_bytes(), device), |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))
        .optional()?;
    let Some((number, package)) = first else {
        return Ok(None);
    };
    db.prepare_cached("UPDATE key_packages SET package = NULL WHERE account = ?1 AND device = ?2 AND number = ?3")?
        .execute((account.as_bytes(), device, number))?;
    // They go out in order of their numbers, so what stands below was handed out before.
    db.prepare_cached("DELETE FROM key_packages WHERE account = ?1 AND device = ?2 AND number <= ?3")?.execute((
        account.as_bytes(),
        device,
        number - HANDED_OUT_KEPT as i64,
    ))?;
    Ok(Some(package))
}

fn last_resort(db: &Connection, account: AccountId, device: u32) -> rusqlite::Result<Option<Vec<u8>>> {
    db.prepare_cached("SELECT package FROM last_resorts WHERE account = ?1 AND device = ?2")?
        .query_row((account.as_bytes(), device), |row| row.get(0))
        .optional()
}
