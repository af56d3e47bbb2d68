//! What we have of groups besides a chat: their secrets, their records, and whom the entries of these encrypt.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use undertone_credentials::group::Pseudonym;
use undertone_wire::{AccountId, ChannelId};
use zeroize::Zeroizing;

use super::Result;

/// A group's row.
pub(crate) struct Stored {
    pub(crate) chat: i64,
    pub(crate) channel: ChannelId,
    pub(crate) master_key: Zeroizing<[u8; 32]>,
    /// group.Record.
    pub(crate) record: Option<Vec<u8>>,
    pub(crate) link_secret: Option<Zeroizing<[u8; 32]>>,
    pub(crate) inviter: Option<AccountId>,
    /// content.GroupWay, as long as it waits for our word.
    pub(crate) way: Option<Zeroizing<Vec<u8>>>,
    /// Revision of the record with which this epoch began.
    pub(crate) epoch_revision: u64,
    /// The commit by which we come in is under way.
    pub(crate) entering: bool,
    /// When our own leaf was renewed; 0: not since we were added.
    pub(crate) renewed_ms: u64,
    /// The head slot is not what it should be.
    pub(crate) head_wrong: bool,
    /// The commit whose head slot is to be looked at, and who made it on which device.
    pub(crate) head: Option<(u64, AccountId, u32)>,
}

const COLUMNS: &str = "chat, channel, master_key, record, link_secret, inviter, way, epoch_revision, entering, renewed_ms, \
                       head_wrong, head_seq, head_by, head_device";

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        chat: row.get(0)?,
        channel: ChannelId::new(row.get(1)?),
        master_key: Zeroizing::new(row.get(2)?),
        record: row.get(3)?,
        link_secret: row.get::<_, Option<_>>(4)?.map(Zeroizing::new),
        inviter: row.get::<_, Option<_>>(5)?.map(AccountId::new),
        way: row.get::<_, Option<_>>(6)?.map(Zeroizing::new),
        epoch_revision: row.get(7)?,
        entering: row.get(8)?,
        renewed_ms: row.get(9)?,
        head_wrong: row.get(10)?,
        head: match (row.get(11)?, row.get::<_, Option<_>>(12)?) {
            (0, _) | (_, None) => None,
            (seq, Some(by)) => Some((seq, AccountId::new(by), row.get(13)?)),
        },
    })
}

pub(crate) fn load(db: &Connection, chat: i64) -> Result<Option<Stored>> {
    let query = format!("SELECT {COLUMNS} FROM groups WHERE chat = ?1");
    Ok(db.prepare_cached(&query)?.query_row([chat], stored).optional()?)
}

pub(crate) fn all(db: &Connection) -> Result<Vec<Stored>> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM groups ORDER BY chat"))?;
    let all = statement.query_map((), stored)?.collect::<Result<_, _>>()?;
    Ok(all)
}

pub(crate) fn insert(db: &Connection, chat: i64, channel: ChannelId, master_key: &[u8; 32]) -> Result<()> {
    db.prepare_cached("INSERT INTO groups(chat, channel, master_key) VALUES (?1, ?2, ?3)")?.execute(params![
        chat,
        channel.as_bytes(),
        master_key
    ])?;
    Ok(())
}

/// A group that is being made has got its channel.
pub(crate) fn set_channel(db: &Connection, chat: i64, channel: ChannelId) -> Result<()> {
    db.prepare_cached("UPDATE groups SET channel = ?2 WHERE chat = ?1")?.execute(params![chat, channel.as_bytes()])?;
    Ok(())
}

/// Keeps the record where we stand.
pub(crate) fn set_record(db: &Connection, chat: i64, record: &[u8]) -> Result<()> {
    db.prepare_cached("UPDATE groups SET record = ?2 WHERE chat = ?1")?.execute(params![chat, record])?;
    Ok(())
}

pub(crate) fn set_link_secret(db: &Connection, chat: i64, secret: Option<&[u8; 32]>) -> Result<()> {
    db.prepare_cached("UPDATE groups SET link_secret = ?2 WHERE chat = ?1")?.execute(params![chat, secret])?;
    Ok(())
}

/// Somebody has added or invited us; `way` is kept until we have said what we want.
pub(crate) fn set_way(db: &Connection, chat: i64, inviter: AccountId, way: &[u8]) -> Result<()> {
    db.prepare_cached("UPDATE groups SET inviter = ?2, way = ?3 WHERE chat = ?1")?.execute(params![
        chat,
        inviter.as_bytes(),
        way
    ])?;
    Ok(())
}

pub(crate) fn forget_way(db: &Connection, chat: i64) -> Result<()> {
    db.prepare_cached("UPDATE groups SET way = NULL WHERE chat = ?1")?.execute([chat])?;
    Ok(())
}

/// Notes whether the commit by which we come in is under way.
pub(crate) fn set_entering(db: &Connection, chat: i64, entering: bool) -> Result<()> {
    db.prepare_cached("UPDATE groups SET entering = ?2 WHERE chat = ?1")?.execute(params![chat, entering])?;
    Ok(())
}

/// Our own leaf was renewed; 0: it is as somebody has added it.
pub(crate) fn set_renewed(db: &Connection, chat: i64, now_ms: u64) -> Result<()> {
    db.prepare_cached("UPDATE groups SET renewed_ms = ?2 WHERE chat = ?1")?.execute(params![chat, now_ms])?;
    Ok(())
}

/// Notes whether the head slot is not what it should be.
pub(crate) fn set_head_wrong(db: &Connection, chat: i64, wrong: bool) -> Result<()> {
    db.prepare_cached("UPDATE groups SET head_wrong = ?2 WHERE chat = ?1")?.execute(params![chat, wrong])?;
    Ok(())
}

/// The head slot that came with this commit is to be looked at.
pub(crate) fn look_at_head(db: &Connection, chat: i64, seq: u64, by: AccountId, device: u32) -> Result<()> {
    db.prepare_cached("UPDATE groups SET head_seq = ?2, head_by = ?3, head_device = ?4 WHERE chat = ?1")?
        .execute(params![chat, seq, by.as_bytes(), device])?;
    Ok(())
}

/// It was looked at, or there is another.
pub(crate) fn set_looked(db: &Connection, chat: i64) -> Result<()> {
    db.prepare_cached("UPDATE groups SET head_seq = 0 WHERE chat = ?1")?.execute([chat])?;
    Ok(())
}

/// Whom an entry encrypts: nobody (inside), if it is void; none, if it is not known yet.
pub(crate) fn account(db: &Connection, chat: i64, entry: &Pseudonym) -> Result<Option<Option<AccountId>>> {
    let account: Option<Option<[u8; 16]>> = db
        .prepare_cached("SELECT account FROM pseudonyms WHERE chat = ?1 AND entry = ?2")?
        .query_row(params![chat, &entry.as_bytes()[..]], |row| row.get(0))
        .optional()?;
    Ok(account.map(|account| account.map(AccountId::new)))
}

pub(crate) fn put_account(db: &Connection, chat: i64, entry: &Pseudonym, account: Option<AccountId>) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO pseudonyms(chat, entry, account) VALUES (?1, ?2, ?3)")?
        .execute(params![chat, &entry.as_bytes()[..], account.as_ref().map(|account| &account.as_bytes()[..])])?;
    Ok(())
}

/// The entry of somebody who was named in a group's record.
pub(crate) fn entry(db: &Connection, chat: i64, account: AccountId) -> Result<Option<Pseudonym>> {
    let entry: Option<[u8; 64]> = db
        .prepare_cached("SELECT entry FROM pseudonyms WHERE chat = ?1 AND account = ?2")?
        .query_row(params![chat, account.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(entry.map(Pseudonym::new))
}

/// A new epoch begins with a record of this revision: nothing is made by an older one any more.
pub(crate) fn set_epoch(db: &Connection, chat: i64, revision: u64) -> Result<()> {
    db.prepare_cached("UPDATE groups SET epoch_revision = ?2 WHERE chat = ?1")?.execute(params![chat, revision])?;
    db.prepare_cached("DELETE FROM revisions WHERE chat = ?1 AND revision < ?2")?.execute(params![chat, revision])?;
    Ok(())
}

/// Keeps the hash of the record of a revision.
pub(crate) fn put_revision(db: &Connection, chat: i64, revision: u64, hash: &[u8; 32]) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO revisions(chat, revision, hash) VALUES (?1, ?2, ?3)")?
        .execute(params![chat, revision, hash])?;
    Ok(())
}

/// Hash of the record of a revision, as far back as this epoch goes.
pub(crate) fn revision(db: &Connection, chat: i64, revision: u64) -> Result<Option<[u8; 32]>> {
    Ok(db
        .prepare_cached("SELECT hash FROM revisions WHERE chat = ?1 AND revision = ?2")?
        .query_row(params![chat, revision], |row| row.get(0))
        .optional()?)
}

/// Has somebody's keys fetched for a change.
pub(crate) fn want_fetched(db: &Connection, n: i64, account: AccountId) -> Result<()> {
    db.prepare_cached("INSERT OR IGNORE INTO fetched(n, account) VALUES (?1, ?2)")?
        .execute(params![n, account.as_bytes()])?;
    Ok(())
}

/// Whose keys are yet to be fetched, with the chat and the change that waits for them.
pub(crate) fn to_fetch(db: &Connection) -> Result<Vec<(i64, i64, AccountId)>> {
    let mut statement = db.prepare_cached(
        "SELECT outbox.chat, fetched.n, fetched.account FROM fetched JOIN outbox ON outbox.n = fetched.n
         WHERE fetched.reply IS NULL AND outbox.refused IS NULL ORDER BY fetched.n, fetched.account",
    )?;
    let wanted = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?, AccountId::new(row.get(2)?))))?;
    Ok(wanted.collect::<Result<_, _>>()?)
}

pub(crate) fn put_fetched(db: &Connection, n: i64, account: AccountId, reply: &[u8]) -> Result<()> {
    db.prepare_cached("UPDATE fetched SET reply = ?3 WHERE n = ?1 AND account = ?2")?.execute(params![
        n,
        account.as_bytes(),
        reply
    ])?;
    Ok(())
}

/// What was fetched for a change is of use for another.
pub(crate) fn pass_on(db: &Connection, n: i64, to: i64) -> Result<()> {
    db.prepare_cached("UPDATE OR IGNORE fetched SET n = ?2 WHERE n = ?1")?.execute(params![n, to])?;
    Ok(())
}

/// What was fetched for a change; none inside where it is yet to be.
pub(crate) fn fetched(db: &Connection, n: i64) -> Result<Vec<(AccountId, Option<Vec<u8>>)>> {
    let mut statement = db.prepare_cached("SELECT account, reply FROM fetched WHERE n = ?1 ORDER BY account")?;
    let fetched = statement.query_map([n], |row| Ok((AccountId::new(row.get(0)?), row.get(1)?)))?;
    Ok(fetched.collect::<Result<_, _>>()?)
}
