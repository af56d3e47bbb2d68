//! Profiles: one sealed value for each account, replaced by compare-and-set.

use rusqlite::{Connection, OptionalExtension as _};
use undertone_wire::AccountId;

use super::integer;
use crate::Profile;

/// An account that took its profile away keeps the revision, without the rest.
pub(super) const SCHEMA: &str = "
    CREATE TABLE profiles (
        account BLOB PRIMARY KEY,
        revision INTEGER NOT NULL,
        access_hash BLOB,
        sealed BLOB NOT NULL
    ) WITHOUT ROWID, STRICT;";

pub(super) fn load(db: &Connection, account: AccountId) -> rusqlite::Result<Profile> {
    let profile = db
        .prepare_cached("SELECT revision, access_hash, sealed FROM profiles WHERE account = ?1")?
        .query_row([account.as_bytes()], |row| {
            Ok(Profile {
                revision: row.get::<_, i64>(0)?.cast_unsigned(),
                access_hash: row.get(1)?,
                sealed: row.get::<_, Vec<u8>>(2)?.into(),
            })
        })
        .optional()?;
    Ok(profile.unwrap_or_default())
}

pub(super) fn put(db: &Connection, account: AccountId, profile: &Profile) -> rusqlite::Result<bool> {
    let held = load(db, account)?;
    if Some(profile.revision) != held.revision.checked_add(1) {
        return Ok(*profile == held);
    }
    let sql = "INSERT OR REPLACE INTO profiles (account, revision, access_hash, sealed) VALUES (?1, ?2, ?3, ?4)";
    db.prepare_cached(sql)?.execute((
        account.as_bytes(),
        integer(profile.revision),
        profile.access_hash,
        &profile.sealed[..],
    ))?;
    Ok(true)
}
