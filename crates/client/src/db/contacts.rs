//! People we know of.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_wire::{AccountId, Week};

use super::Result;

/// Notes a person, and what he calls himself unless that is empty.
pub(crate) fn put(db: &Connection, account: AccountId, name: &str) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO contacts(account, name) VALUES (?1, ?2)
         ON CONFLICT(account) DO UPDATE SET name = excluded.name WHERE excluded.name <> ''",
    )?
    .execute(params![account.as_bytes(), name])?;
    Ok(())
}

/// What a person calls himself, in his profile or else in what he wrote; empty while unknown.
pub(crate) fn name(db: &Connection, account: AccountId) -> Result<String> {
    name_by(db, account, &format!("SELECT {SHOWN} FROM {NAMED} WHERE c.account = ?1"))
}

/// What a person has called himself in what he wrote, whatever his profile says.
pub(crate) fn written_name(db: &Connection, account: AccountId) -> Result<String> {
    name_by(db, account, "SELECT name FROM contacts WHERE account = ?1")
}

fn name_by(db: &Connection, account: AccountId, query: &str) -> Result<String> {
    let name = db.prepare_cached(query)?.query_row([account.as_bytes()], |row| row.get(0)).optional()?;
    Ok(name.unwrap_or_default())
}

const SHOWN: &str = "coalesce(nullif(p.name, ''), c.name)";
const NAMED: &str = "contacts c LEFT JOIN profiles p ON p.account = c.account";

/// Everybody who goes by this name.
pub(crate) fn by_name(db: &Connection, name: &str) -> Result<Vec<AccountId>> {
    let query = format!("SELECT c.account FROM {NAMED} WHERE {SHOWN} = ?1 ORDER BY c.account");
    let mut statement = db.prepare_cached(&query)?;
    let accounts = statement.query_map([name], |row| row.get(0).map(AccountId::new))?.collect::<Result<_, _>>()?;
    Ok(accounts)
}

/// The newest device list that we hold of a person, verified before it was kept.
pub(crate) fn device_list(db: &Connection, account: AccountId) -> Result<Option<Bytes>> {
    let list: Option<Option<Vec<u8>>> = db
        .prepare_cached("SELECT device_list FROM contacts WHERE account = ?1")?
        .query_row([account.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(list.flatten().map(Bytes::from))
}

pub(crate) fn set_device_list(db: &Connection, account: AccountId, list: &[u8]) -> Result<()> {
    db.prepare_cached("UPDATE contacts SET device_list = ?2 WHERE account = ?1")?
        .execute(params![account.as_bytes(), list])?;
    Ok(())
}

/// The list by which a person's letters are judged: the newest that we held when our inbox was last read to its end.
pub(crate) fn letters_by(db: &Connection, account: AccountId) -> Result<Option<Bytes>> {
    let list: Option<Option<Vec<u8>>> = db
        .prepare_cached("SELECT letters_by FROM contacts WHERE account = ?1")?
        .query_row([account.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(list.flatten().map(Bytes::from))
}

/// Whose newest list that we hold is not the one by which his letters are judged.
pub(crate) fn lists_to_judge_by(db: &Connection) -> Result<Vec<(AccountId, Vec<u8>)>> {
    let query =
        "SELECT account, device_list FROM contacts WHERE device_list IS NOT NULL AND letters_by IS NOT device_list";
    let mut statement = db.prepare_cached(query)?;
    let lists =
        statement.query_map((), |row| Ok((row.get(0).map(AccountId::new)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(lists)
}

/// Sets by which list a person's letters are judged.
pub(crate) fn set_letters_by(db: &Connection, account: AccountId, list: &[u8]) -> Result<()> {
    db.prepare_cached("UPDATE contacts SET letters_by = ?2 WHERE account = ?1")?
        .execute(params![account.as_bytes(), list])?;
    Ok(())
}

/// The newest inbox key that we hold of a person, and its week.
pub(crate) fn inbox_key(db: &Connection, account: AccountId) -> Result<Option<(Week, Bytes)>> {
    let key: Option<(u32, Option<Vec<u8>>)> = db
        .prepare_cached("SELECT inbox_week, inbox_key FROM contacts WHERE account = ?1")?
        .query_row([account.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(key.and_then(|(week, key)| Some((Week(week), Bytes::from(key?)))))
}

pub(crate) fn set_inbox_key(db: &Connection, account: AccountId, week: Week, key: &[u8]) -> Result<()> {
    db.prepare_cached("UPDATE contacts SET inbox_key = ?2, inbox_week = ?3 WHERE account = ?1")?.execute(params![
        account.as_bytes(),
        key,
        week.0
    ])?;
    Ok(())
}
