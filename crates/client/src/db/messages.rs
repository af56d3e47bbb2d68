//! History.
//!
//! Its order is the same for everybody in the chat: first what came by letter, by sender and place; then the log. Our own
//! messages that stand nowhere yet come last.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params};
use undertone_wire::Message as _;
use undertone_wire::{AccountId, MessageId, content::Content, limits};

use super::{DbError, Result};

/// Where a message stands in its chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Ours, and on its way.
    Pending,
    /// By letter, the so-manieth of its sender.
    Letter(u64),
    /// In the log.
    Log(u64),
}

/// Whether a person has seen a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// It is new.
    No = 0,
    /// Here or on another device.
    Yes = 1,
    /// It came here as history alone: another device has it as new.
    Elsewhere = 2,
}

/// A message of the history.
pub(crate) struct StoredMessage {
    pub(crate) n: i64,
    pub(crate) chat: i64,
    pub(crate) sender: AccountId,
    /// The channel of the chat that its place counts in.
    pub(crate) part: u32,
    pub(crate) place: Place,
    pub(crate) acked: bool,
    pub(crate) shown: Shown,
    pub(crate) content: Content,
    /// As it came, with whatever only a later release understands.
    pub(crate) encoded: Bytes,
}

/// A message to be added.
pub(crate) struct NewMessage<'a> {
    pub(crate) chat: i64,
    pub(crate) sender: AccountId,
    pub(crate) part: u32,
    pub(crate) place: Place,
    pub(crate) content: &'a Content,
    /// As it came.
    pub(crate) encoded: &'a [u8],
    /// Whether it is nothing new to the person: our own, or old.
    pub(crate) shown: Shown,
    /// Whether the service holds it.
    pub(crate) acked: bool,
}

/// Adds a message unless the chat has one of this id: by that, and nothing else, a message is known. One that came twice
/// stands at the first of its places, for everybody alike.
pub(crate) fn insert(db: &Connection, new: &NewMessage<'_>) -> Result<()> {
    let (letter, seq) = columns(new.place);
    db.prepare_cached(
        "INSERT INTO messages(chat, id, sender, sent_at_ms, content, letter, seq, letters, acked, shown, part)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT(chat, id) DO UPDATE SET part = excluded.part, letter = excluded.letter, seq = excluded.seq, acked = 1
           WHERE sender = excluded.sender AND excluded.acked AND (messages.letter IS NULL AND messages.seq IS NULL
             OR (excluded.part, excluded.letter IS NULL, coalesce(excluded.letter, excluded.seq))
              < (messages.part, messages.letter IS NULL, coalesce(messages.letter, messages.seq)))",
    )?
    .execute(params![
        new.chat,
        &new.content.id[..],
        new.sender.as_bytes(),
        i64::try_from(new.content.sent_at_ms).unwrap_or(i64::MAX),
        new.encoded,
        letter,
        seq,
        i64::try_from(new.content.letters).unwrap_or(i64::MAX),
        new.acked,
        new.shown as i64,
        new.part,
    ])?;
    if new.shown == Shown::No {
        // Two devices may have told each other of it, and each have taken it for the other's to show.
        db.prepare_cached("UPDATE messages SET shown = 0 WHERE chat = ?1 AND id = ?2 AND sender = ?3 AND shown = 2")?
            .execute(params![new.chat, &new.content.id[..], new.sender.as_bytes()])?;
    }
    Ok(())
}

/// Our message got its place in a letter that goes out, or in the log, where it is acknowledged.
pub(crate) fn set_place(db: &Connection, chat: i64, id: &[u8], part: u32, place: Place) -> Result<()> {
    let (letter, seq) = columns(place);
    db.prepare_cached(
        "UPDATE messages SET part = ?5, letter = ?3, seq = ?4, acked = acked OR ?4 IS NOT NULL
         WHERE chat = ?1 AND id = ?2 AND letter IS NULL AND seq IS NULL",
    )?
    .execute(params![chat, id, letter, seq, part])?;
    Ok(())
}

fn columns(place: Place) -> (Option<u64>, Option<u64>) {
    match place {
        Place::Pending => (None, None),
        Place::Letter(letter) => (Some(letter), None),
        Place::Log(seq) => (None, Some(seq)),
    }
}

const COLUMNS: &str = "n, chat, sender, letter, seq, acked, content, part, shown";

fn message(row: &Row<'_>) -> rusqlite::Result<StoredMessage> {
    let place = match (row.get(3)?, row.get(4)?) {
        (_, Some(seq)) => Place::Log(seq),
        (Some(letter), None) => Place::Letter(letter),
        (None, None) => Place::Pending,
    };
    let encoded = Bytes::from(row.get::<_, Vec<u8>>(6)?);
    Ok(StoredMessage {
        n: row.get(0)?,
        chat: row.get(1)?,
        sender: AccountId::new(row.get(2)?),
        part: row.get(7)?,
        place,
        acked: row.get(5)?,
        shown: match row.get(8)? {
            0 => Shown::No,
            1 => Shown::Yes,
            _ => Shown::Elsewhere,
        },
        // What does not parse was never stored.
        content: Content::decode(encoded.clone()).unwrap_or_default(),
        encoded,
    })
}

/// Whether the chat has a message of this id.
pub(crate) fn has(db: &Connection, chat: i64, id: MessageId) -> Result<bool> {
    Ok(db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM messages WHERE chat = ?1 AND id = ?2)")?
        .query_row(params![chat, id.as_bytes()], |row| row.get(0))?)
}

pub(crate) fn load(db: &Connection, chat: i64, id: MessageId) -> Result<StoredMessage> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM messages WHERE chat = ?1 AND id = ?2"))?
        .query_row(params![chat, id.as_bytes()], message)
        .optional()?
        .ok_or(DbError::Damaged)
}

/// The whole chat, in order.
pub(crate) fn history(db: &Connection, chat: i64) -> Result<Vec<StoredMessage>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM messages WHERE chat = ?1
         ORDER BY seq IS NULL AND letter IS NULL, part, letter IS NULL, seq, sender, letter, id, n"
    ))?;
    let messages = statement.query_map([chat], message)?.collect::<Result<_, _>>()?;
    Ok(messages)
}

/// Messages of a chat that stand somewhere, after our so-manieth, at most `limit`.
pub(crate) fn placed_after(db: &Connection, chat: i64, after_n: i64, limit: u32) -> Result<Vec<StoredMessage>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM messages
         WHERE chat = ?1 AND n > ?2 AND (seq IS NOT NULL OR letter IS NOT NULL) ORDER BY n LIMIT ?3"
    ))?;
    let messages = statement.query_map(params![chat, after_n, limit], message)?.collect::<Result<_, _>>()?;
    Ok(messages)
}

/// Which of the messages that stand in the log of a part came here first.
pub(crate) fn first_in_log(db: &Connection, chat: i64, part: u32) -> Result<Option<i64>> {
    Ok(db
        .prepare_cached("SELECT min(n) FROM messages WHERE chat = ?1 AND part = ?2 AND seq IS NOT NULL")?
        .query_row(params![chat, part], |row| row.get(0))?)
}

/// What somebody has said in the log of a part between two places, and in the logs of all parts before: the newest of it, at
/// most `limit`, newest first.
pub(crate) fn said(
    db: &Connection,
    (chat, sender): (i64, AccountId),
    part: u32,
    (after, before): (u64, u64),
    limit: u32,
) -> Result<Vec<StoredMessage>> {
    let countable = |seq| i64::try_from(seq).unwrap_or(i64::MAX);
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM messages
         WHERE chat = ?1 AND sender = ?2 AND seq IS NOT NULL AND (part < ?3 OR (part = ?3 AND seq > ?4 AND seq < ?5))
         ORDER BY part DESC, seq DESC, n DESC LIMIT ?6"
    ))?;
    let key = params![chat, sender.as_bytes(), part, countable(after), countable(before), limit];
    let messages = statement.query_map(key, message)?.collect::<Result<_, _>>()?;
    Ok(messages)
}

/// What somebody has said by letters: the newest of it, at most `limit`, in its order.
pub(crate) fn by_letter(db: &Connection, chat: i64, sender: AccountId, limit: u32) -> Result<Vec<StoredMessage>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM messages WHERE chat = ?1 AND sender = ?2 AND letter IS NOT NULL
         ORDER BY part DESC, letter DESC, id DESC LIMIT ?3"
    ))?;
    let mut messages: Vec<_> =
        statement.query_map(params![chat, sender.as_bytes(), limit], message)?.collect::<Result<_, _>>()?;
    messages.reverse();
    Ok(messages)
}

/// What was not shown yet and may be now, in the order to show it, at most `limit`.
///
/// A message of the log waits for the letters that its sender wrote before it, as long as they can still come; and comes
/// after them, should it have been here first. Letters come by their places: those that are said again may come to who has
/// later ones by then.
pub(crate) fn unshown(db: &Connection, now_ms: u64, limit: u32) -> Result<Vec<StoredMessage>> {
    let oldest_letter = now_ms.saturating_sub(u64::from(limits::MESSAGE_DAYS_MAX) * 86_400_000);
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM messages m
         WHERE shown = 0 AND (letters = 0 OR sent_at_ms < ?1 OR letters <= (
           SELECT count(*) FROM messages l WHERE l.chat = m.chat AND l.sender = m.sender AND l.letter IS NOT NULL))
         ORDER BY letter IS NULL, iif(letter IS NULL, 0, part), letter, n LIMIT ?2"
    ))?;
    let messages = statement.query_map(params![oldest_letter, limit], message)?.collect::<Result<_, _>>()?;
    Ok(messages)
}

/// The last message that may wait for letters; zero where none does.
pub(crate) fn last_waiting(db: &Connection) -> Result<i64> {
    let query = "SELECT coalesce(max(n), 0) FROM messages WHERE shown = 0 AND letters > 0";
    Ok(db.prepare_cached(query)?.query_row((), |row| row.get(0))?)
}

/// No message up to `n` waits for letters any more.
pub(crate) fn wait_no_more(db: &Connection, n: i64) -> Result<()> {
    db.prepare_cached("UPDATE messages SET letters = 0 WHERE shown = 0 AND letters > 0 AND n <= ?1")?.execute([n])?;
    Ok(())
}

/// The person has seen a message; in which chat, if it is still there.
pub(crate) fn set_shown(db: &Connection, n: i64) -> Result<Option<i64>> {
    let mut statement = db.prepare_cached("UPDATE messages SET shown = 1 WHERE n = ?1 RETURNING chat")?;
    Ok(statement.query_row([n], |row| row.get(0)).optional()?)
}

/// Where a message stands, for comparison.
pub(super) const PLACE: &str = "part, letter IS NULL, coalesce(letter, seq)";
/// From the last to the first.
pub(super) const LAST_FIRST: &str = "part DESC, letter IS NULL DESC, coalesce(letter, seq) DESC";

/// All messages of a chat up to this one, in its order, were seen by the person.
pub(crate) fn set_shown_up_to(db: &Connection, chat: i64, id: MessageId) -> Result<()> {
    let key = params![chat, id.as_bytes()];
    db.prepare_cached(
        "UPDATE chats SET read_told = coalesce((SELECT n FROM messages WHERE chat = ?1 AND id = ?2), read_told)
         WHERE id = ?1",
    )?
    .execute(key)?;
    db.prepare_cached(&format!(
        "UPDATE messages SET shown = 1 WHERE chat = ?1 AND shown <> 1
           AND ({PLACE}) <= (SELECT {PLACE} FROM messages WHERE chat = ?1 AND id = ?2)"
    ))?
    .execute(key)?;
    Ok(())
}

/// Whose messages.
#[derive(Clone, Copy)]
pub(super) enum Whose {
    /// This person's.
    Of(AccountId),
    /// Everybody's but this person's.
    NotOf(AccountId),
}

/// The last message of some that stands before all of them that the person has not seen: its number here, and its id.
pub(super) fn seen_up_to(db: &Connection, chat: i64, whose: Whose) -> Result<Option<(i64, MessageId)>> {
    let (sender, is_sender) = match &whose {
        Whose::Of(account) => (account.as_bytes(), "="),
        Whose::NotOf(account) => (account.as_bytes(), "<>"),
    };
    let these = format!("chat = ?1 AND sender {is_sender} ?2 AND (letter IS NOT NULL OR seq IS NOT NULL)");
    let unseen: Option<(u32, bool, i64)> = db
        .prepare_cached(&format!(
            "SELECT {PLACE} FROM messages INDEXED BY messages_unseen WHERE {these} AND shown <> 1 ORDER BY {PLACE} LIMIT 1"
        ))?
        .query_row(params![chat, sender], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let last = |before: &str, order: &str, key: &[&dyn ToSql]| {
        db.prepare_cached(&format!("SELECT n, id FROM messages WHERE {these} {before} ORDER BY {order} LIMIT 1"))?
            .query_row(key, |row| Ok((row.get(0)?, MessageId::new(row.get(1)?))))
            .optional()
    };
    let Some((part, in_log, place)) = unseen else { return Ok(last("", LAST_FIRST, params![chat, sender])?) };
    // One after the other: what is before three columns at once, no index finds.
    let here = "AND part = ?3 AND (letter IS NULL) = ?4 AND coalesce(letter, seq) < ?5";
    if let Some(seen) = last(here, "coalesce(letter, seq) DESC", params![chat, sender, part, in_log, place])? {
        return Ok(Some(seen));
    }
    if let Some(seen) =
        last("AND part = ?3 AND (letter IS NULL) < ?4", LAST_FIRST, params![chat, sender, part, in_log])?
    {
        return Ok(Some(seen));
    }
    Ok(last("AND part < ?3", LAST_FIRST, params![chat, sender, part])?)
}

/// Up to where a chat was read here, without a gap, if our other devices do not know: message and its number here.
pub(crate) fn read_untold(db: &Connection, chat: i64, own: AccountId) -> Result<Option<(i64, MessageId)>> {
    let told: i64 =
        db.prepare_cached("SELECT read_told FROM chats WHERE id = ?1")?.query_row([chat], |row| row.get(0))?;
    Ok(seen_up_to(db, chat, Whose::NotOf(own))?.filter(|(n, _)| *n != told))
}

/// Our other devices know that we have read a chat up to the message that came here as the `n`th.
pub(crate) fn set_read_told(db: &Connection, chat: i64, n: i64) -> Result<()> {
    db.prepare_cached("UPDATE chats SET read_told = ?2 WHERE id = ?1")?.execute(params![chat, n])?;
    Ok(())
}

/// How many of a chat were not shown yet.
pub(crate) fn unshown_in(db: &Connection, chat: i64) -> Result<u64> {
    // The first of the two conditions is the index's.
    Ok(db
        .prepare_cached("SELECT count(*) FROM messages WHERE chat = ?1 AND shown <> 1 AND shown = 0")?
        .query_row([chat], |row| row.get(0))?)
}

/// The first message of a chat that is not ours.
pub(crate) fn first_from(db: &Connection, chat: i64, sender: AccountId) -> Result<Option<StoredMessage>> {
    Ok(db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM messages WHERE chat = ?1 AND sender = ?2 ORDER BY n LIMIT 1"))?
        .query_row(params![chat, sender.as_bytes()], message)
        .optional()?)
}

/// Forgets a message.
pub(crate) fn remove(db: &Connection, chat: i64, id: MessageId) -> Result<()> {
    db.prepare_cached("DELETE FROM messages WHERE chat = ?1 AND id = ?2")?.execute(params![chat, id.as_bytes()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rand_core::{Rng as _, SeedableRng as _};

    use super::*;
    use crate::db::{Db, DbKey, chats};

    fn home() -> (tempfile::TempDir, Db) {
        let folder = tempfile::tempdir().unwrap();
        let key = DbKey::create(&folder.path().join("key"), None, &mut rand::make_rng::<rand::rngs::StdRng>()).unwrap();
        let db = Db::open(&folder.path().join("db"), &key).unwrap();
        (folder, db)
    }

    /// What only a later release understands must be there when that release opens this database.
    #[test]
    fn a_message_is_kept_as_it_came() {
        let (_folder, mut db) = home();
        let content = Content { id: vec![1; 16].into(), ..Content::default() };
        // Field 100, which nobody knows yet.
        let encoded = [&content.encode_to_vec()[..], &[0xa2, 0x06, 1, 7]].concat();
        let peer = AccountId::new([2; 16]);
        let kept: Vec<u8> = db
            .write::<_, DbError>(|db| {
                let chat = chats::insert(db, peer, chats::State::Open)?;
                let parsed = Content::decode(&encoded[..]).unwrap();
                insert(
                    db,
                    &NewMessage {
                        chat,
                        sender: peer,
                        part: 0,
                        place: Place::Log(1),
                        content: &parsed,
                        encoded: &encoded,
                        shown: Shown::No,
                        acked: true,
                    },
                )?;
                Ok(db.query_row("SELECT content FROM messages", (), |row| row.get(0))?)
            })
            .unwrap();
        assert_eq!(kept, encoded);
    }

    #[test]
    fn what_comes_by_itself_is_new_though_it_was_told_as_another_devices() {
        let (_folder, mut db) = home();
        let content = Content { id: vec![1; 16].into(), ..Content::default() };
        let peer = AccountId::new([2; 16]);
        let comes = |db: &Connection, chat, shown| {
            let place = Place::Log(1);
            insert(
                db,
                &NewMessage { chat, sender: peer, part: 0, place, content: &content, encoded: &[], shown, acked: true },
            )
        };
        db.write::<_, DbError>(|db| {
            let chat = chats::insert(db, peer, chats::State::Open)?;
            comes(db, chat, Shown::Elsewhere)?;
            assert!(unshown(db, 0, 9)?.is_empty());
            comes(db, chat, Shown::No)?;
            let [new] = &unshown(db, 0, 9)?[..] else { panic!("it is new") };
            set_shown(db, new.n)?;
            comes(db, chat, Shown::No)?;
            comes(db, chat, Shown::Elsewhere)?;
            assert!(unshown(db, 0, 9)?.is_empty());
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn letters_are_shown_by_their_places_in_whatever_order_they_came() {
        let (_folder, mut db) = home();
        let peer = AccountId::new([2; 16]);
        db.write::<_, DbError>(|db| {
            let chat = chats::insert(db, peer, chats::State::Open)?;
            for (at, part) in [(1, 1), (7, 0), (2, 1), (0, 1)] {
                let content = Content { id: vec![at as u8 + 1; 16].into(), ..Content::default() };
                let place = Place::Letter(at);
                let (content, shown) = (&content, Shown::No);
                insert(db, &NewMessage { chat, sender: peer, part, place, content, encoded: &[], shown, acked: true })?;
            }
            let shown: Vec<_> = unshown(db, 0, 9)?.iter().map(|message| (message.part, message.place)).collect();
            let letter = |(part, at)| (part, Place::Letter(at));
            assert_eq!(shown, [(0, 7), (1, 0), (1, 1), (1, 2)].map(letter));
            Ok(())
        })
        .unwrap();
    }

    /// Held against looking at all of them, in chats of every kind of place.
    #[test]
    fn what_was_seen_is_found_as_if_all_were_looked_at() {
        let rng = &mut rand::rngs::StdRng::seed_from_u64(9);
        let (_folder, mut db) = home();
        let people = [1u8, 2, 3].map(|person| AccountId::new([person; 16]));
        for round in 0..200u8 {
            let mut below = |end: u32| rng.next_u32() % end;
            let mut all = Vec::new();
            for n in 0..below(14) {
                let (part, letter, shown) = (below(3), below(2) == 0, below(4) > 0);
                let at = u64::from(n + 1);
                let place = if letter { Place::Letter(at) } else { Place::Log(at) };
                all.push((people[below(3) as usize], part, place, shown, MessageId::new([n as u8 + 1; 16])));
            }
            db.write::<_, DbError>(|db| {
                let chat = chats::insert(db, AccountId::new([round; 16]), chats::State::Open)?;
                for (sender, part, place, shown, id) in &all {
                    let content = Content { id: (*id).into(), ..Content::default() };
                    let shown = if *shown { Shown::Yes } else { Shown::No };
                    let (sender, part, place) = (*sender, *part, *place);
                    let encoded = &content.encode_to_vec()[..];
                    insert(
                        db,
                        &NewMessage { chat, sender, part, place, content: &content, encoded, shown, acked: true },
                    )?;
                }
                let order = |(_, part, place, ..): &(AccountId, u32, Place, bool, MessageId)| match place {
                    Place::Letter(letter) => (*part, false, *letter),
                    Place::Log(seq) => (*part, true, *seq),
                    Place::Pending => (u32::MAX, true, u64::MAX),
                };
                all.sort_by_key(order);
                for whose in [Whose::Of(people[0]), Whose::NotOf(people[0])] {
                    let is = |sender: AccountId| match whose {
                        Whose::Of(account) => sender == account,
                        Whose::NotOf(account) => sender != account,
                    };
                    let theirs = all.iter().filter(|(sender, ..)| is(*sender));
                    let expected = theirs.take_while(|(.., shown, _)| *shown).last().map(|(.., id)| *id);
                    let found = seen_up_to(db, chat, whose)?.map(|(_, id)| id);
                    assert!(found == expected, "round {round}");
                }
                Ok(())
            })
            .unwrap();
        }
    }
}
