//! Who we are.

use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_wire::{AccountId, Day, Now};
use zeroize::Zeroizing;

use super::Result;
use crate::ClientError;

/// Whether this home may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It may.
    Good = 0,
    /// Another home speaks as this device: this one is a copy, or has been copied.
    Copied = 1,
    /// This device is not on its account's list any more.
    Removed = 2,
}

impl Standing {
    /// # Errors
    /// Why this home may say nothing more.
    pub(crate) fn check(self) -> Result<(), ClientError> {
        match self {
            Self::Good => Ok(()),
            Self::Copied => Err(ClientError::Copied),
            Self::Removed => Err(ClientError::Removed),
        }
    }
}

/// Our own row.
pub(crate) struct Me {
    pub(crate) link: String,
    pub(crate) service_keys: Option<Vec<u8>>,
    pub(crate) head_key: Option<[u8; 32]>,
    pub(crate) name: String,
    pub(crate) account: AccountId,
    pub(crate) identity_seed: Zeroizing<[u8; 32]>,
    pub(crate) device: u32,
    pub(crate) device_seed: Zeroizing<[u8; 32]>,
    pub(crate) device_list: Vec<u8>,
    pub(crate) registered: bool,
    pub(crate) invite: String,
    pub(crate) inbox_cursor: u64,
    /// When our inbox was last read to its end.
    pub(crate) inbox_read_ms: u64,
    pub(crate) vault_key: Option<Zeroizing<[u8; 32]>>,
    pub(crate) vault_revision: u64,
    /// SHA-256 of what was put into the vault last.
    pub(crate) vault_hash: Option<[u8; 32]>,
    /// What this home said to the service last time.
    pub(crate) visit: Option<[u8; 16]>,
    /// What it is saying, until that has certainly arrived.
    pub(crate) next_visit: Option<[u8; 16]>,
    pub(crate) standing: Standing,
    pub(crate) card_day: Day,
    /// Whether the service has our device list.
    pub(crate) list_put: bool,
}

pub(crate) fn insert(db: &Connection, me: &Me) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO me(one, link, name, account, identity_seed, device, device_seed, device_list, invite, registered,
                        vault_key, vault_revision, card_day, list_put)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?
    .execute(params![
        me.link,
        me.name,
        me.account.as_bytes(),
        &me.identity_seed[..],
        me.device,
        &me.device_seed[..],
        me.device_list,
        me.invite,
        me.registered,
        me.vault_key.as_ref().map(|key| &key[..]),
        me.vault_revision,
        me.card_day.0,
        me.list_put,
    ])?;
    Ok(())
}

pub(crate) fn load(db: &Connection) -> Result<Option<Me>> {
    let me = db
        .prepare_cached(
            "SELECT link, service_keys, head_key, name, account, identity_seed, device, device_seed, device_list,
                    registered, invite, inbox_cursor, inbox_read_ms, vault_key, vault_revision, vault_hash, visit,
                    next_visit, standing, card_day, list_put FROM me",
        )?
        .query_row((), |row| {
            Ok(Me {
                link: row.get(0)?,
                service_keys: row.get(1)?,
                head_key: row.get(2)?,
                name: row.get(3)?,
                account: AccountId::new(row.get(4)?),
                identity_seed: Zeroizing::new(row.get(5)?),
                device: row.get(6)?,
                device_seed: Zeroizing::new(row.get(7)?),
                device_list: row.get(8)?,
                registered: row.get(9)?,
                invite: row.get(10)?,
                inbox_cursor: row.get(11)?,
                inbox_read_ms: row.get(12)?,
                vault_key: row.get::<_, Option<_>>(13)?.map(Zeroizing::new),
                vault_revision: row.get(14)?,
                vault_hash: row.get(15)?,
                visit: row.get(16)?,
                next_visit: row.get(17)?,
                standing: match row.get(18)? {
                    1 => Standing::Copied,
                    2 => Standing::Removed,
                    _ => Standing::Good,
                },
                card_day: Day(row.get(19)?),
                list_put: row.get(20)?,
            })
        })
        .optional()?;
    Ok(me)
}

/// Forgets an account that never came to be here, with all that came with it, for another try with other words.
pub(crate) fn forget_unregistered(db: &Connection) -> Result<()> {
    db.execute_batch(
        "DELETE FROM me WHERE registered = 0; DELETE FROM inbox_secrets; DELETE FROM mls; DELETE FROM chats;
         DELETE FROM contacts; DELETE FROM cards;",
    )?;
    Ok(())
}

pub(crate) fn set_registered(db: &Connection) -> Result<()> {
    db.prepare_cached("UPDATE me SET registered = 1, invite = ''")?.execute(())?;
    Ok(())
}

pub(crate) fn set_service_keys(db: &Connection, keys: &[u8]) -> Result<()> {
    db.prepare_cached("UPDATE me SET service_keys = ?1")?.execute([keys])?;
    Ok(())
}

/// Keeps the service's head key, the first time. Later ones must be the same.
///
/// False: it is another key than before.
pub(crate) fn pin_head_key(db: &Connection, key: &[u8; 32]) -> Result<bool> {
    db.prepare_cached("UPDATE me SET head_key = ?1 WHERE head_key IS NULL")?.execute([&key[..]])?;
    let same: bool = db.prepare_cached("SELECT head_key = ?1 FROM me")?.query_row([&key[..]], |row| row.get(0))?;
    Ok(same)
}

/// Notes how far the inbox was read.
pub(crate) fn set_inbox_cursor(db: &Connection, seq: u64) -> Result<()> {
    db.prepare_cached("UPDATE me SET inbox_cursor = ?1")?.execute([seq])?;
    Ok(())
}

pub(crate) fn set_inbox_read(db: &Connection, now_ms: u64) -> Result<()> {
    db.prepare_cached("UPDATE me SET inbox_read_ms = ?1")?.execute([now_ms])?;
    Ok(())
}

/// Takes on a newer device list, which the service may not have yet.
pub(crate) fn set_device_list(db: &Connection, list: &[u8], put: bool) -> Result<()> {
    db.prepare_cached("UPDATE me SET device_list = ?1, list_put = ?2")?.execute(params![list, put])?;
    Ok(())
}

/// The service has this device list, if it is still ours.
pub(crate) fn set_list_put(db: &Connection, list: &[u8]) -> Result<()> {
    db.prepare_cached("UPDATE me SET list_put = 1 WHERE device_list = ?1")?.execute([list])?;
    Ok(())
}

/// Calls ourselves otherwise from now on.
pub(crate) fn set_name(db: &Connection, name: &str) -> Result<()> {
    db.prepare_cached("UPDATE me SET name = ?1")?.execute([name])?;
    Ok(())
}

/// What the person tells of himself without saying anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Receipts: told, and shown.
    pub(crate) receipts: bool,
    /// That somebody writes: told, and shown.
    pub(crate) typing: bool,
}

pub(crate) fn settings(db: &Connection) -> Result<Settings> {
    let settings = db
        .prepare_cached("SELECT receipts, typing FROM me")?
        .query_row((), |row| Ok(Settings { receipts: row.get(0)?, typing: row.get(1)? }));
    Ok(settings?)
}

pub(crate) fn set_settings(db: &Connection, settings: Settings) -> Result<()> {
    db.prepare_cached("UPDATE me SET receipts = ?1, typing = ?2")?.execute([settings.receipts, settings.typing])?;
    Ok(())
}

pub(crate) fn set_identity(db: &Connection, seed: &[u8; 32]) -> Result<()> {
    db.prepare_cached("UPDATE me SET identity_seed = ?1")?.execute([&seed[..]])?;
    Ok(())
}

pub(crate) fn set_standing(db: &Connection, standing: Standing) -> Result<()> {
    db.prepare_cached("UPDATE me SET standing = ?1")?.execute([standing as i64])?;
    Ok(())
}

pub(crate) fn set_vault_key(db: &Connection, key: &[u8; 32]) -> Result<()> {
    db.prepare_cached("UPDATE me SET vault_key = ?1, vault_hash = NULL")?.execute([&key[..]])?;
    Ok(())
}

/// Notes which vault the service has; with the hash of its content, if it is as we would have it.
pub(crate) fn set_vault(db: &Connection, revision: u64, hash: Option<&[u8; 32]>) -> Result<()> {
    db.prepare_cached("UPDATE me SET vault_revision = ?1, vault_hash = ?2")?.execute(params![revision, hash])?;
    Ok(())
}

/// Notes what this home says to the service, until [`set_visited`].
pub(crate) fn set_next_visit(db: &Connection, visit: &[u8; 16]) -> Result<()> {
    db.prepare_cached("UPDATE me SET next_visit = ?1")?.execute([&visit[..]])?;
    Ok(())
}

/// What this home was saying has arrived.
pub(crate) fn set_visited(db: &Connection) -> Result<()> {
    db.prepare_cached("UPDATE me SET visit = next_visit, next_visit = NULL WHERE next_visit IS NOT NULL")?
        .execute(())?;
    Ok(())
}

pub(crate) fn set_card_day(db: &Connection, day: Day) -> Result<()> {
    db.prepare_cached("UPDATE me SET card_day = ?1")?.execute([day.0])?;
    Ok(())
}

/// The day that it is: that of our clock, or a later one that the service has certainly come to.
pub(crate) fn today(db: &Connection, now: Now) -> Result<Day> {
    let known: Option<u32> = db.prepare_cached("SELECT max(known_day) FROM me")?.query_row((), |row| row.get(0))?;
    Ok(now.day().max(Day(known.unwrap_or_default())))
}

/// The service has come to this day.
pub(crate) fn note_day(db: &Connection, day: Day) -> Result<()> {
    db.prepare_cached("UPDATE me SET known_day = ?1 WHERE known_day < ?1")?.execute([day.0])?;
    Ok(())
}
