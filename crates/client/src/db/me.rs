//! Who we are.

use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_wire::AccountId;
use zeroize::Zeroizing;

use super::Result;

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
}

pub(crate) fn insert(db: &Connection, me: &Me) -> Result<()> {
    db.execute(
        "INSERT INTO me(one, link, name, account, identity_seed, device, device_seed, device_list, invite)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            me.link,
            me.name,
            me.account.as_bytes(),
            &me.identity_seed[..],
            me.device,
            &me.device_seed[..],
            me.device_list,
            me.invite
        ],
    )?;
    Ok(())
}

pub(crate) fn load(db: &Connection) -> Result<Option<Me>> {
    let me = db
        .prepare_cached(
            "SELECT link, service_keys, head_key, name, account, identity_seed, device, device_seed, device_list,
                    registered, invite, inbox_cursor, inbox_read_ms FROM me",
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
            })
        })
        .optional()?;
    Ok(me)
}

/// Forgets an account that never came to be, for another try with other words.
pub(crate) fn forget_unregistered(db: &Connection) -> Result<()> {
    db.execute_batch("DELETE FROM me WHERE registered = 0; DELETE FROM inbox_keys; DELETE FROM mls;")?;
    Ok(())
}

pub(crate) fn set_registered(db: &Connection) -> Result<()> {
    db.execute("UPDATE me SET registered = 1, invite = ''", ())?;
    Ok(())
}

pub(crate) fn set_service_keys(db: &Connection, keys: &[u8]) -> Result<()> {
    db.execute("UPDATE me SET service_keys = ?1", [keys])?;
    Ok(())
}

/// Keeps the service's head key, the first time. Later ones must be the same.
///
/// False: it is another key than before.
pub(crate) fn pin_head_key(db: &Connection, key: &[u8; 32]) -> Result<bool> {
    db.execute("UPDATE me SET head_key = ?1 WHERE head_key IS NULL", [&key[..]])?;
    let same: bool = db.query_row("SELECT head_key = ?1 FROM me", [&key[..]], |row| row.get(0))?;
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
