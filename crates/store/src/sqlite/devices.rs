//! Listed devices, and what is kept for each: how far it has read the inbox, and what it will say of its last visit.

use rusqlite::{Connection, OptionalExtension as _};
use undertone_wire::{AccountId, Message as _, objects};

use super::{blob, integer, key_packages, open::OpenError, recovery};
use crate::{ListedDevice, Visit};

pub(super) const SCHEMA: &str = "
    CREATE TABLE devices (
        account BLOB NOT NULL,
        device INTEGER NOT NULL,
        key BLOB NOT NULL,
        read_up_to INTEGER NOT NULL,
        visit BLOB,
        PRIMARY KEY (account, device)
    ) WITHOUT ROWID, STRICT;";

/// Makes these the account's devices. Those that were so before keep what is theirs; with the others it goes.
pub(super) fn replace(db: &Connection, account: AccountId, listed: &[ListedDevice]) -> rusqlite::Result<()> {
    let mut former = db.prepare_cached("SELECT device, key FROM devices WHERE account = ?1")?;
    let former =
        former.query_map([account.as_bytes()], |row| Ok(ListedDevice { number: row.get(0)?, key: row.get(1)? }));
    for device in former?.collect::<Result<Vec<_>, _>>()?.iter().filter(|device| !listed.contains(device)) {
        db.prepare_cached("DELETE FROM devices WHERE account = ?1 AND device = ?2")?
            .execute((account.as_bytes(), device.number))?;
        key_packages::forget(db, account, device.number)?;
    }
    let mut insert =
        db.prepare_cached("INSERT OR IGNORE INTO devices (account, device, key, read_up_to) VALUES (?1, ?2, ?3, 0)")?;
    for ListedDevice { number, key } in listed {
        insert.execute((account.as_bytes(), number, key))?;
    }
    Ok(())
}

pub(super) fn is_listed(db: &Connection, account: AccountId, device: u32) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM devices WHERE account = ?1 AND device = ?2")?.exists((account.as_bytes(), device))
}

/// See [`Accounts::seen`](crate::Accounts::seen).
pub(super) fn visit(db: &Connection, account: AccountId, device: u32, visit: &Visit) -> rusqlite::Result<bool> {
    let held: Option<Option<[u8; 16]>> = db
        .prepare_cached("SELECT visit FROM devices WHERE account = ?1 AND device = ?2")?
        .query_row((account.as_bytes(), device), |row| row.get(0))
        .optional()?;
    let held = held.flatten();
    if !visit.follows(held) {
        return Ok(false);
    }
    if held != Some(visit.next) {
        db.prepare_cached("UPDATE devices SET visit = ?3 WHERE account = ?1 AND device = ?2")?.execute((
            account.as_bytes(),
            device,
            visit.next,
        ))?;
    }
    Ok(true)
}

/// What is still to come was not read, whatever the device says.
pub(super) fn read_up_to(db: &Connection, account: AccountId, device: u32, up_to: u64) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE devices SET read_up_to = max(read_up_to, min(?3, accounts.inbox_seq)) FROM accounts
        WHERE devices.account = ?1 AND devices.device = ?2 AND accounts.account = ?1",
    )?
    .execute((account.as_bytes(), device, integer(up_to)))
    .map(drop)
}

pub(super) fn all_read_up_to(db: &Connection, account: AccountId) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT coalesce(min(read_up_to), 0) FROM devices WHERE account = ?1")?
        .query_row([account.as_bytes()], |row| row.get::<_, i64>(0))
        .map(i64::cast_unsigned)
}

/// Fills this table and that of recovery keys from the device lists, which is all that a former release kept of either.
pub(super) fn fill(db: &Connection) -> Result<(), OpenError> {
    let mut lists = db.prepare("SELECT account, device_list FROM accounts ORDER BY created, account")?;
    let mut rows = lists.query([])?;
    while let Some(row) = rows.next()? {
        let account = blob(row, 0)?;
        let list = list(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?).ok_or(OpenError::Damaged)?;
        recovery::insert(db, &list.recovery_key, account)?;
        replace(db, account, &list.devices)?;
    }
    Ok(())
}

struct List {
    recovery_key: [u8; 32],
    devices: Vec<ListedDevice>,
}

/// None for what no former release has stored.
fn list(signed: &[u8]) -> Option<List> {
    let signed = objects::SignedDeviceList::decode(signed).ok()?;
    let list = objects::DeviceList::decode(signed.body).ok()?;
    let device = |device: &objects::Device| Some(ListedDevice { number: device.number, key: key(&device.key)? });
    Some(List {
        recovery_key: key(&list.recovery_key)?,
        devices: list.devices.iter().map(device).collect::<Option<_>>()?,
    })
}

fn key(bytes: &[u8]) -> Option<[u8; 32]> {
    bytes.try_into().ok()
}
