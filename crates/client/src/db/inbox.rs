//! Our inbox keys, and the letters of ours that are under way.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_wire::{AccountId, Day, IdempotencyId, Week};
use zeroize::Zeroizing;

use super::Result;

/// Keeps the secret of the account's inbox key of a week.
pub(crate) fn put_key(db: &Connection, week: Week, secret: &[u8]) -> Result<()> {
    db.prepare_cached("INSERT OR IGNORE INTO inbox_secrets(week, secret) VALUES (?1, ?2)")?
        .execute(params![week.0, secret])?;
    Ok(())
}

/// Keeps the secret of a key that only this device has, for an answer by letter. It is never told, and never published.
pub(crate) fn put_own_key(db: &Connection, week: Week, secret: &[u8]) -> Result<()> {
    db.prepare_cached("INSERT INTO inbox_secrets(week, secret, ours) VALUES (?1, ?2, 1)")?
        .execute(params![week.0, secret])?;
    Ok(())
}

/// The newest secret of the account's for a week, if one was made.
pub(crate) fn key(db: &Connection, week: Week) -> Result<Option<Zeroizing<Vec<u8>>>> {
    Ok(db
        .prepare_cached("SELECT secret FROM inbox_secrets WHERE week = ?1 AND ours = 0 ORDER BY n DESC LIMIT 1")?
        .query_row([week.0], |row| row.get(0).map(Zeroizing::new))
        .optional()?)
}

/// The account's secrets of all weeks that are kept, oldest first: what all our devices hold.
pub(crate) fn shared_keys(db: &Connection) -> Result<Vec<Zeroizing<Vec<u8>>>> {
    secrets(db, "SELECT secret FROM inbox_secrets WHERE ours = 0 ORDER BY week, n")
}

/// The weeks of these.
pub(crate) fn weeks(db: &Connection) -> Result<BTreeSet<Week>> {
    let mut statement = db.prepare_cached("SELECT DISTINCT week FROM inbox_secrets WHERE ours = 0")?;
    let weeks = statement.query_map((), |row| row.get(0).map(Week))?.collect::<Result<_, _>>()?;
    Ok(weeks)
}

/// All secrets by which a letter to us may open.
pub(crate) fn keys(db: &Connection) -> Result<Vec<Zeroizing<Vec<u8>>>> {
    secrets(db, "SELECT secret FROM inbox_secrets ORDER BY week DESC, n DESC")
}

fn secrets(db: &Connection, query: &str) -> Result<Vec<Zeroizing<Vec<u8>>>> {
    let mut statement = db.prepare_cached(query)?;
    let secrets = statement.query_map((), |row| row.get(0).map(Zeroizing::new))?.collect::<Result<_, _>>()?;
    Ok(secrets)
}

/// Forgets keys of weeks before `week`, and what came then: what was sealed to them can then be opened by nobody.
pub(crate) fn forget_before(db: &Connection, week: Week) -> Result<()> {
    db.prepare_cached("DELETE FROM inbox_secrets WHERE week < ?1")?.execute([week.0])?;
    db.prepare_cached("DELETE FROM sealed WHERE week < ?1")?.execute([week.0])?;
    Ok(())
}

/// Entries of our inbox kept that no key opens, the newest: most of them are answers to another of our devices.
const SEALED_MAX: u32 = 32;

/// Keeps an entry of our inbox that no key opens yet.
pub(crate) fn keep_sealed(db: &Connection, week: Week, sealed: &[u8]) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO sealed(week, sealed, tried) VALUES (?1, ?2, (SELECT coalesce(max(n), 0) FROM inbox_secrets))",
    )?
    .execute(params![week.0, sealed])?;
    db.prepare_cached("DELETE FROM sealed WHERE n NOT IN (SELECT n FROM sealed ORDER BY n DESC LIMIT ?1)")?
        .execute([SEALED_MAX])?;
    Ok(())
}

/// Those that were kept before the account had the newest of its keys here, oldest first.
pub(crate) fn sealed_before_keys(db: &Connection) -> Result<Vec<(i64, Vec<u8>)>> {
    let mut statement = db.prepare_cached(
        "SELECT n, sealed FROM sealed WHERE tried < (SELECT max(n) FROM inbox_secrets WHERE ours = 0) ORDER BY n",
    )?;
    let sealed = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(sealed)
}

/// Whether there are any, tried or not.
pub(crate) fn keeps_sealed(db: &Connection) -> Result<bool> {
    Ok(db.prepare_cached("SELECT EXISTS (SELECT 1 FROM sealed)")?.query_row((), |row| row.get(0))?)
}

/// None of the keys that are here by now opens it.
pub(crate) fn set_tried(db: &Connection, n: i64) -> Result<()> {
    db.prepare_cached("UPDATE sealed SET tried = (SELECT max(n) FROM inbox_secrets) WHERE n = ?1")?.execute([n])?;
    Ok(())
}

/// It was opened.
pub(crate) fn forget_sealed(db: &Connection, n: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM sealed WHERE n = ?1")?.execute([n])?;
    Ok(())
}

/// A sealed letter of ours that the service has not acknowledged.
pub(crate) struct PendingLetter {
    pub(crate) n: i64,
    pub(crate) chat: i64,
    pub(crate) id: IdempotencyId,
    pub(crate) sealed: Vec<u8>,
    pub(crate) expiry_day: Day,
    /// To whom; none: to the other of the chat.
    pub(crate) recipient: Option<AccountId>,
}

pub(crate) fn add_letter(
    db: &Connection,
    chat: i64,
    recipient: Option<AccountId>,
    id: IdempotencyId,
    sealed: &[u8],
    expiry_day: Day,
    upto: u64,
) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO letters(chat, idempotency_id, sealed, expiry_day, upto, recipient) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        chat,
        id.as_bytes(),
        sealed,
        expiry_day.0,
        upto,
        recipient.as_ref().map(AccountId::as_bytes)
    ])?;
    Ok(())
}

/// The oldest letter under way of each chat to each person: these go out one after the other.
pub(crate) fn next_letters(db: &Connection) -> Result<Vec<PendingLetter>> {
    let mut statement = db.prepare_cached(
        "SELECT min(n), chat, idempotency_id, sealed, expiry_day, recipient FROM letters
         GROUP BY chat, recipient ORDER BY n",
    )?;
    let letters = statement
        .query_map((), |row| {
            Ok(PendingLetter {
                n: row.get(0)?,
                chat: row.get(1)?,
                id: IdempotencyId::new(row.get(2)?),
                sealed: row.get(3)?,
                expiry_day: Day(row.get(4)?),
                recipient: row.get::<_, Option<_>>(5)?.map(AccountId::new),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(letters)
}

/// Gives a letter another last day.
pub(crate) fn set_expiry_day(db: &Connection, n: i64, expiry_day: Day) -> Result<()> {
    db.prepare_cached("UPDATE letters SET expiry_day = ?2 WHERE n = ?1")?.execute(params![n, expiry_day.0])?;
    Ok(())
}

/// Whether messages of a chat are under way by letter.
pub(crate) fn has_letters(db: &Connection, chat: i64) -> Result<bool> {
    Ok(db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM letters WHERE chat = ?1 AND upto > 0)")?
        .query_row([chat], |row| row.get(0))?)
}

/// A letter reached the inbox: its messages are acknowledged.
pub(crate) fn letter_delivered(db: &Connection, n: i64) -> Result<()> {
    db.prepare_cached(
        "UPDATE messages SET acked = 1 FROM letters l
         WHERE l.n = ?1 AND messages.chat = l.chat AND messages.letter < l.upto
           AND messages.sender = (SELECT account FROM me)",
    )?
    .execute([n])?;
    db.prepare_cached("DELETE FROM letters WHERE n = ?1")?.execute([n])?;
    Ok(())
}

/// Forgets the letters of a chat that are under way.
pub(crate) fn forget_letters(db: &Connection, chat: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM letters WHERE chat = ?1")?.execute([chat])?;
    db.prepare_cached("DELETE FROM posts WHERE chat = ?1")?.execute([chat])?;
    Ok(())
}

/// A letter that is yet to be sealed.
pub(crate) struct Post {
    pub(crate) n: i64,
    pub(crate) chat: i64,
    /// content.Letter.
    pub(crate) letter: Vec<u8>,
    /// X-Wing key to seal it to, and its week; none: the account's inbox key.
    pub(crate) seal_key: Option<(Week, Vec<u8>)>,
    /// To whom; none: to the other of the chat.
    pub(crate) recipient: Option<AccountId>,
}

/// Has a letter about a chat sealed and sent to somebody's account.
pub(crate) fn post_to(db: &Connection, chat: i64, recipient: AccountId, letter: &[u8]) -> Result<()> {
    db.prepare_cached("INSERT INTO posts(chat, letter, recipient) VALUES (?1, ?2, ?3)")?.execute(params![
        chat,
        letter,
        recipient.as_bytes()
    ])?;
    Ok(())
}

/// Has a letter sealed and sent to the other of a chat: to that key, or to the account's.
pub(crate) fn post(db: &Connection, chat: i64, letter: &[u8], seal_key: Option<(Week, &[u8])>) -> Result<()> {
    let (week, key) = seal_key.unzip();
    db.prepare_cached("INSERT INTO posts(chat, letter, seal_key, week) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        chat,
        letter,
        key,
        week.unwrap_or_default().0
    ])?;
    Ok(())
}

/// All of these, oldest first.
pub(crate) fn posts(db: &Connection) -> Result<Vec<Post>> {
    let mut statement = db.prepare_cached("SELECT n, chat, letter, seal_key, week, recipient FROM posts ORDER BY n")?;
    let posts = statement.query_map((), |row| {
        let week = Week(row.get(4)?);
        let seal_key = row.get::<_, Option<_>>(3)?.map(|key| (week, key));
        let recipient = row.get::<_, Option<_>>(5)?.map(AccountId::new);
        Ok(Post { n: row.get(0)?, chat: row.get(1)?, letter: row.get(2)?, seal_key, recipient })
    })?;
    Ok(posts.collect::<Result<_, _>>()?)
}

/// It is sealed.
pub(crate) fn remove_post(db: &Connection, n: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM posts WHERE n = ?1")?.execute([n])?;
    Ok(())
}
