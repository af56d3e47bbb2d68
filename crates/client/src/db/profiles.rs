//! What we say of ourselves, and what others say of themselves.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use undertone_e2ee::ProfileKey;
use undertone_wire::AccountId;

use super::{DbError, Result};

/// What somebody says of himself.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) avatar: Vec<u8>,
}

impl Said {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How our profile here stands to the one that the service has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// They are the same.
    InStep = 0,
    /// Ours is to be put.
    Changed = 1,
    /// Another device of ours has told of one, which is to be read.
    Told = 2,
    /// The same, and it was not there when we looked.
    Awaited = 3,
}

/// Our own profile.
pub(crate) struct Ours {
    pub(crate) key: ProfileKey,
    /// Of what the service has, while that is not sealed under `key` yet.
    pub(crate) former_key: Option<ProfileKey>,
    pub(crate) revision: u64,
    pub(crate) said: Said,
    pub(crate) state: State,
    /// The revision by which the service counts what it has.
    pub(crate) put: u64,
    /// Times that what it has could not be opened.
    pub(crate) misses: u32,
}

/// Somebody else's.
pub(crate) struct Theirs {
    pub(crate) key: ProfileKey,
    /// Nothing older is believed.
    pub(crate) least: u64,
    /// Of what we have; 0: nothing yet.
    pub(crate) revision: u64,
    pub(crate) said: Said,
    /// Whether it is to be fetched.
    pub(crate) wanted: bool,
}

fn key(bytes: &[u8]) -> ProfileKey {
    // What is of another length was never stored; and opens nothing.
    ProfileKey::try_from(bytes).unwrap_or_else(|_| ProfileKey::from_bytes([0; 32]))
}

/// Our own, once there is one.
pub(crate) fn ours(db: &Connection) -> Result<Option<Ours>> {
    Ok(db
        .prepare_cached("SELECT key, former_key, revision, name, about, avatar, state, put, misses FROM profile")?
        .query_row((), |row| {
            Ok(Ours {
                key: key(&row.get::<_, Vec<u8>>(0)?),
                former_key: row.get::<_, Option<Vec<u8>>>(1)?.map(|bytes| key(&bytes)),
                revision: row.get(2)?,
                said: said(row, 3)?,
                state: match row.get(6)? {
                    1 => State::Changed,
                    2 => State::Told,
                    3 => State::Awaited,
                    _ => State::InStep,
                },
                put: row.get(7)?,
                misses: row.get(8)?,
            })
        })
        .optional()?)
}

fn said(row: &Row<'_>, first: usize) -> rusqlite::Result<Said> {
    Ok(Said { name: row.get(first)?, about: row.get(first + 1)?, avatar: row.get(first + 2)? })
}

pub(crate) fn set_ours(db: &Connection, ours: &Ours) -> Result<()> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO profile(one, key, former_key, revision, name, about, avatar, state, put, misses)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        ours.key.as_bytes(),
        ours.former_key.as_ref().map(ProfileKey::as_bytes),
        ours.revision,
        ours.said.name,
        ours.said.about,
        ours.said.avatar,
        ours.state as i64,
        ours.put,
        ours.misses,
    ])?;
    Ok(())
}

/// What we know of somebody's.
pub(crate) fn theirs(db: &Connection, account: AccountId) -> Result<Option<Theirs>> {
    Ok(db
        .prepare_cached("SELECT key, least, revision, name, about, avatar, wanted FROM profiles WHERE account = ?1")?
        .query_row([account.as_bytes()], |row| {
            Ok(Theirs {
                key: key(&row.get::<_, Vec<u8>>(0)?),
                least: row.get(1)?,
                revision: row.get(2)?,
                said: said(row, 3)?,
                wanted: row.get(6)?,
            })
        })
        .optional()?)
}

/// Notes by which key somebody's profile opens, and that it is to be fetched.
pub(crate) fn put_key(db: &Connection, account: AccountId, key: &ProfileKey, least: u64) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO profiles(account, key, least) VALUES (?1, ?2, ?3)
         ON CONFLICT(account) DO UPDATE
         SET key = excluded.key, least = excluded.least, wanted = 1, due_ms = 0, failures = 0",
    )?
    .execute(params![account.as_bytes(), key.as_bytes(), least])?;
    Ok(())
}

/// Keeps what somebody says of himself; and it is fetched no more.
pub(crate) fn set_theirs(db: &Connection, account: AccountId, revision: u64, said: &Said) -> Result<()> {
    db.prepare_cached(
        "UPDATE profiles SET revision = ?2, name = ?3, about = ?4, avatar = ?5, wanted = 0, failures = 0
         WHERE account = ?1",
    )?
    .execute(params![account.as_bytes(), revision, said.name, said.about, said.avatar])?;
    Ok(())
}

/// A profile that is to be fetched.
pub(crate) struct Wanted {
    pub(crate) account: AccountId,
    /// Not before this; 0: that is yet to be drawn.
    pub(crate) due_ms: u64,
}

/// Those of people with whom we are in contact (`open`: `chats::State::Open`).
pub(crate) fn wanted(db: &Connection, open: i64) -> Result<Vec<Wanted>> {
    let mut statement = db.prepare_cached(
        "SELECT account, due_ms FROM profiles JOIN chats ON peer = account AND state = ?1 WHERE wanted = 1
         ORDER BY due_ms, account",
    )?;
    let wanted =
        statement.query_map([open], |row| Ok(Wanted { account: AccountId::new(row.get(0)?), due_ms: row.get(1)? }))?;
    Ok(wanted.collect::<Result<_, _>>()?)
}

pub(crate) fn set_due(db: &Connection, account: AccountId, due_ms: u64) -> Result<()> {
    db.prepare_cached("UPDATE profiles SET due_ms = ?2 WHERE account = ?1")?
        .execute(params![account.as_bytes(), due_ms])?;
    Ok(())
}

/// The service gave none, or something else. Tells how often in a row by now.
pub(crate) fn add_failure(db: &Connection, account: AccountId) -> Result<u32> {
    db.prepare_cached("UPDATE profiles SET failures = failures + 1 WHERE account = ?1 RETURNING failures")?
        .query_row([account.as_bytes()], |row| row.get(0))
        .optional()?
        .ok_or(DbError::Damaged)
}

/// Which of our profiles was told in a chat: its revision; 0: none; -1: none, but one is to be.
pub(crate) fn told(db: &Connection, chat: i64) -> Result<i64> {
    Ok(db.prepare_cached("SELECT profile_told FROM chats WHERE id = ?1")?.query_row([chat], |row| row.get(0))?)
}

/// Notes that one was told in a chat, by this device or another.
pub(crate) fn set_told(db: &Connection, chat: i64, revision: u64) -> Result<()> {
    db.prepare_cached("UPDATE chats SET profile_told = max(profile_told, ?2) WHERE id = ?1")?
        .execute(params![chat, i64::try_from(revision).unwrap_or(i64::MAX)])?;
    Ok(())
}

/// Has it told in all chats that are open (`open`: `chats::State::Open`), be there something else to say or not.
pub(crate) fn tell_all(db: &Connection, open: i64) -> Result<()> {
    db.prepare_cached("UPDATE chats SET profile_told = -1 WHERE profile_told = 0 AND state = ?1")?.execute([open])?;
    Ok(())
}
