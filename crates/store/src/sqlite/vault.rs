//! Vaults: one sealed value for each account, replaced by compare-and-set.

use rusqlite::{Connection, OptionalExtension as _};
use undertone_wire::AccountId;

use super::integer;
use crate::Vault;

pub(super) const SCHEMA: &str = "
    CREATE TABLE vaults (
        account BLOB PRIMARY KEY,
        revision INTEGER NOT NULL,
        sealed BLOB NOT NULL
    ) WITHOUT ROWID, STRICT;";

pub(super) fn load(db: &Connection, account: AccountId) -> rusqlite::Result<Vault> {
    let vault = db
        .prepare_cached("SELECT revision, sealed FROM vaults WHERE account = ?1")?
        .query_row([account.as_bytes()], |row| {
            Ok(Vault { revision: row.get::<_, i64>(0)?.cast_unsigned(), sealed: row.get::<_, Vec<u8>>(1)?.into() })
        })
        .optional()?;
    Ok(vault.unwrap_or_default())
}

pub(super) fn put(db: &Connection, account: AccountId, vault: &Vault) -> rusqlite::Result<bool> {
    let held = load(db, account)?;
    if vault.revision != held.revision + 1 {
        return Ok(*vault == held);
    }
    db.prepare_cached("INSERT OR REPLACE INTO vaults (account, revision, sealed) VALUES (?1, ?2, ?3)")?.execute((
        account.as_bytes(),
        integer(vault.revision),
        &vault.sealed[..],
    ))?;
    Ok(true)
}
