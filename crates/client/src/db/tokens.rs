//! Blind tokens: those that we have, what each pays for, and what was asked for.

use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_credentials::{Token, Wish};
use undertone_wire::{
    Message as _, Week,
    objects::{self, Purpose},
};
use zeroize::Zeroizing;

use super::{DbError, Result};

/// Keeps a token.
pub(crate) fn add(db: &Connection, purpose: Purpose, token: &Token) -> Result<()> {
    let encoded = Zeroizing::new(objects::Token::from(token).encode_to_vec());
    db.prepare_cached("INSERT INTO tokens(purpose, week, token) VALUES (?1, ?2, ?3)")?.execute(params![
        purpose as i32,
        token.week().0,
        &encoded[..]
    ])?;
    Ok(())
}

/// How many of a purpose pay for nothing yet.
pub(crate) fn free(db: &Connection, purpose: Purpose) -> Result<usize> {
    Ok(db
        .prepare_cached("SELECT count(*) FROM tokens WHERE purpose = ?1 AND act IS NULL")?
        .query_row([purpose as i32], |row| row.get(0))?)
}

/// Those that pay for an act, in their order.
pub(crate) fn of_act(db: &Connection, act: &[u8; 32]) -> Result<Vec<objects::Token>> {
    let mut statement = db.prepare_cached("SELECT token FROM tokens WHERE act = ?1 ORDER BY n")?;
    let encoded = statement.query_map([act], |row| row.get::<_, Vec<u8>>(0))?.collect::<Result<Vec<_>, _>>()?;
    encoded.iter().map(|bytes| objects::Token::decode(&bytes[..]).map_err(|_| DbError::Damaged)).collect()
}

/// Has so many more of a purpose pay for an act, as far as there are any; those go first that hold shortest.
pub(crate) fn bind(db: &Connection, purpose: Purpose, act: &[u8; 32], count: usize) -> Result<()> {
    db.prepare_cached(
        "UPDATE tokens SET act = ?2 WHERE n IN
         (SELECT n FROM tokens WHERE purpose = ?1 AND act IS NULL ORDER BY week, n LIMIT ?3)",
    )?
    .execute(params![purpose as i32, act, count])?;
    Ok(())
}

/// The tokens of an act are being sent.
pub(crate) fn set_sent(db: &Connection, act: &[u8; 32]) -> Result<()> {
    db.prepare_cached("UPDATE tokens SET sent = 1 WHERE act = ?1")?.execute([act])?;
    Ok(())
}

/// An act was not begun: what was to pay for it, and nobody has seen, may pay for another.
pub(crate) fn release(db: &Connection, act: &[u8; 32]) -> Result<()> {
    db.prepare_cached("UPDATE tokens SET act = NULL WHERE act = ?1 AND sent = 0")?.execute([act])?;
    Ok(())
}

/// Forgets the tokens of an act: they are spent, or no good.
pub(crate) fn forget(db: &Connection, act: &[u8; 32]) -> Result<()> {
    db.prepare_cached("DELETE FROM tokens WHERE act = ?1")?.execute([act])?;
    Ok(())
}

/// Forgets those of weeks before `week`.
pub(crate) fn forget_before(db: &Connection, week: Week) -> Result<()> {
    db.prepare_cached("DELETE FROM tokens WHERE week < ?1")?.execute([week.0])?;
    Ok(())
}

/// Forgets those that are free beyond so many, the oldest first.
pub(crate) fn forget_beyond(db: &Connection, purpose: Purpose, count: usize) -> Result<()> {
    db.prepare_cached(
        "DELETE FROM tokens WHERE n IN
         (SELECT n FROM tokens WHERE purpose = ?1 AND act IS NULL ORDER BY week DESC, n DESC LIMIT -1 OFFSET ?2)",
    )?
    .execute(params![purpose as i32, count])?;
    Ok(())
}

/// What was asked for of a purpose in a week, if it did not come yet.
pub(crate) fn wish(db: &Connection, purpose: Purpose, week: Week) -> Result<Option<Wish>> {
    let bytes = db
        .prepare_cached("SELECT wish FROM wishes WHERE purpose = ?1 AND week = ?2")?
        .query_row(params![purpose as i32, week.0], |row| row.get::<_, Vec<u8>>(0).map(Zeroizing::new))
        .optional()?;
    bytes.map(|bytes| Wish::from_bytes(&bytes).map_err(|_| DbError::Damaged)).transpose()
}

/// Keeps what is being asked for, until it has come.
pub(crate) fn put_wish(db: &Connection, wish: &Wish) -> Result<()> {
    db.prepare_cached("INSERT INTO wishes(purpose, week, wish) VALUES (?1, ?2, ?3)")?.execute(params![
        wish.purpose() as i32,
        wish.week().0,
        &wish.to_bytes()[..]
    ])?;
    Ok(())
}

/// Nothing of these purposes is being asked for.
pub(crate) fn forget_wishes(db: &Connection, purposes: &[(Purpose, usize)]) -> Result<()> {
    for (purpose, _) in purposes {
        db.prepare_cached("DELETE FROM wishes WHERE purpose = ?1")?.execute([*purpose as i32])?;
    }
    Ok(())
}

/// When the next batch is asked for, and before when not however few are left, in milliseconds.
pub(crate) fn due_ms(db: &Connection) -> Result<(u64, u64)> {
    Ok(db
        .prepare_cached("SELECT tokens_due_ms, tokens_from_ms FROM me")?
        .query_row((), |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// See [`due_ms`].
pub(crate) fn set_due(db: &Connection, due_ms: u64, from_ms: u64) -> Result<()> {
    db.prepare_cached("UPDATE me SET tokens_due_ms = ?1, tokens_from_ms = ?2")?.execute([due_ms, from_ms])?;
    Ok(())
}

/// Before when no lookups are to be had, in milliseconds.
pub(crate) fn lookups_from_ms(db: &Connection) -> Result<u64> {
    Ok(db.query_row("SELECT lookups_from_ms FROM me", (), |row| row.get(0))?)
}

/// See [`lookups_from_ms`].
pub(crate) fn set_lookups_from(db: &Connection, from_ms: u64) -> Result<()> {
    db.execute("UPDATE me SET lookups_from_ms = ?1", [from_ms])?;
    Ok(())
}

/// Whether the last batch could have told us apart.
pub(crate) fn is_marked(db: &Connection) -> Result<bool> {
    Ok(db.prepare_cached("SELECT marked FROM me")?.query_row((), |row| row.get(0)).optional()?.unwrap_or(false))
}

/// See [`is_marked`].
pub(crate) fn set_marked(db: &Connection, marked: bool) -> Result<()> {
    db.prepare_cached("UPDATE me SET marked = ?1")?.execute([marked])?;
    Ok(())
}
