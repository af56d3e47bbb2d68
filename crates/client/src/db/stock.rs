//! Empty channels that wait for a chat.

use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_wire::Message as _;
use undertone_wire::{ChannelId, Day, channel::Head};
use zeroize::Zeroizing;

use super::Result;

/// A channel of the stock.
pub(crate) struct Stocked {
    pub(crate) channel: ChannelId,
    pub(crate) generation_secret: Zeroizing<[u8; 32]>,
}

pub(crate) fn add(db: &Connection, channel: ChannelId, generation_secret: &[u8; 32], today: Day) -> Result<()> {
    db.prepare_cached("INSERT INTO stock(channel, generation_secret, created_day) VALUES (?1, ?2, ?3)")?
        .execute(params![channel.as_bytes(), generation_secret, today.0])?;
    Ok(())
}

/// The service has this channel.
pub(crate) fn made(db: &Connection, channel: ChannelId, head: &Head) -> Result<()> {
    db.prepare_cached("UPDATE stock SET head = ?2 WHERE channel = ?1")?
        .execute(params![channel.as_bytes(), head.encode_to_vec()])?;
    Ok(())
}

/// One that the service was asked for, but has not confirmed.
pub(crate) fn unconfirmed(db: &Connection) -> Result<Option<Stocked>> {
    Ok(db
        .prepare_cached("SELECT channel, generation_secret FROM stock WHERE head IS NULL LIMIT 1")?
        .query_row((), |row| {
            Ok(Stocked { channel: ChannelId::new(row.get(0)?), generation_secret: Zeroizing::new(row.get(1)?) })
        })
        .optional()?)
}

/// Those that are ready.
pub(crate) fn ready(db: &Connection) -> Result<Vec<Stocked>> {
    let mut statement = db.prepare_cached("SELECT channel, generation_secret FROM stock WHERE head IS NOT NULL")?;
    let ready = statement.query_map((), |row| {
        Ok(Stocked { channel: ChannelId::new(row.get(0)?), generation_secret: Zeroizing::new(row.get(1)?) })
    })?;
    Ok(ready.collect::<Result<_, _>>()?)
}

/// Takes one that is ready, if there is any.
pub(crate) fn take(db: &Connection) -> Result<Option<(Stocked, Head)>> {
    let taken = db
        .prepare_cached(
            "DELETE FROM stock
             WHERE channel = (SELECT channel FROM stock WHERE head IS NOT NULL ORDER BY channel LIMIT 1)
             RETURNING channel, generation_secret, head",
        )?
        .query_row((), |row| {
            let stocked =
                Stocked { channel: ChannelId::new(row.get(0)?), generation_secret: Zeroizing::new(row.get(1)?) };
            Ok((stocked, Head::decode(&row.get::<_, Vec<u8>>(2)?[..]).unwrap_or_default()))
        })
        .optional()?;
    Ok(taken)
}

/// Takes this one, if it is ready.
pub(crate) fn take_this(db: &Connection, channel: ChannelId) -> Result<Option<(Stocked, Head)>> {
    Ok(db
        .query_row(
            "DELETE FROM stock WHERE channel = ?1 AND head IS NOT NULL RETURNING generation_secret, head",
            [channel.as_bytes()],
            |row| {
                let stocked = Stocked { channel, generation_secret: Zeroizing::new(row.get(0)?) };
                Ok((stocked, Head::decode(&row.get::<_, Vec<u8>>(1)?[..]).unwrap_or_default()))
            },
        )
        .optional()?)
}

/// Forgets those made before `first` or after `last`: the service soon forgets them too.
pub(crate) fn forget_but(db: &Connection, first: Day, last: Day) -> Result<()> {
    db.prepare_cached("DELETE FROM stock WHERE created_day NOT BETWEEN ?1 AND ?2")?.execute([first.0, last.0])?;
    Ok(())
}

pub(crate) fn forget(db: &Connection, channel: ChannelId) -> Result<()> {
    db.prepare_cached("DELETE FROM stock WHERE channel = ?1")?.execute([channel.as_bytes()])?;
    Ok(())
}
