//! Chats, and the channel that carries each.

use std::cmp::Reverse;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use undertone_wire::{AccountId, ChannelId, Day, Position, chain::Chain, channel::Head};
use zeroize::Zeroizing;

use super::{DbError, Result};

/// How far a chat has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// We want to write; nobody has been asked for anything yet.
    New = 0,
    /// Our invitation is on its way or there; what we write goes by letter until it is accepted.
    Invited = 1,
    /// A stranger's invitation waits for our word.
    Request = 2,
    /// Both write into the channel.
    Open = 3,
    /// We want to hear nothing of this person.
    Blocked = 4,
    /// A group that we are not in any more, or do not want to be in.
    Out = 5,
}

/// Why a chat does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    None = 0,
    /// We cannot follow its encryption any more.
    Lost = 1,
    /// The service showed its members different histories, and there is proof.
    Forked = 2,
    /// What we need is gone from the service.
    Expired = 3,
    /// A newer version wrote what comes next.
    Newer = 4,
    /// What the service shows is not what it signed, or less than it had shown.
    Inconsistent = 5,
    /// A member has installed keys that are not those of the chat: nobody can open the channel any more.
    Locked = 6,
    /// The service showed its members different keys of its own, and there is proof.
    OtherKeys = 7,
    /// Its channel is over, and the way into the one where it goes on is still to come.
    Moved = 8,
}

impl Trouble {
    /// Whether there is proof that the service cheats: then nothing is mended.
    pub(crate) const fn is_proven(self) -> bool {
        matches!(self, Self::Forked | Self::OtherKeys)
    }
}

/// A chat's own channel.
#[derive(Clone)]
pub(crate) struct Channel {
    pub(crate) id: ChannelId,
    pub(crate) position: Position,
    pub(crate) generation: u32,
    pub(crate) generation_secret: Zeroizing<[u8; 32]>,
    /// The day on which the generation began, as far as we know.
    pub(crate) generation_day: Day,
    /// How often the MLS group was replaced.
    pub(crate) group: u32,
    /// Channels that the chat lived in before.
    pub(crate) part: u32,
    /// Whose invitation it is.
    pub(crate) inviter: AccountId,
    /// Entries up to this one are processed.
    pub(crate) seq: u64,
    pub(crate) chain: Chain,
    /// The newest head signed by the service that agrees with `chain`; none before the first.
    pub(crate) seen: Option<Head>,
}

/// A chat.
#[derive(Clone)]
pub(crate) struct Chat {
    pub(crate) id: i64,
    pub(crate) peer: AccountId,
    pub(crate) state: State,
    pub(crate) open_from_ms: u64,
    pub(crate) letters: u64,
    pub(crate) channel: Option<Channel>,
    pub(crate) peer_spoke: bool,
    pub(crate) updated_ms: u64,
    pub(crate) trouble: Trouble,
    /// Whether a commit may be owed.
    pub(crate) owes: bool,
    /// Whether it is to go on in a fresh channel: of which part at least; 0 if not.
    pub(crate) fresh: u32,
    /// Whether it is to go on in an MLS group of a better suite.
    pub(crate) restart: bool,
    /// Messages that had expired before they were read here.
    pub(crate) missed: u64,
    /// When we last asked for the way back, and how often in vain; of a group, how often we found no way in.
    pub(crate) asked_ms: u64,
    pub(crate) asked: u32,
    /// Another home has written as this device in this epoch.
    pub(crate) doubled: bool,
    /// Whether the other has come to the channel: it is his, or he has said something there since a device of his was added.
    pub(crate) met: bool,
    /// A group: `peer` is what it is called by, and nobody.
    pub(crate) is_group: bool,
}

impl Chat {
    /// Whether its channel is read, or will be once it may be opened.
    pub(crate) fn is_read(&self) -> bool {
        matches!(self.state, State::Open | State::Invited) && self.channel.is_some() && self.trouble == Trouble::None
    }

    /// Its channel.
    ///
    /// # Errors
    /// A fault of ours: the caller has seen that there is one.
    pub(crate) fn channel(&self) -> Result<&Channel, crate::ClientError> {
        self.channel.as_ref().ok_or(crate::ClientError::Bug("a chat without a channel"))
    }
}

impl Channel {
    /// Of two channels of one chat, the greater goes on: by this everybody comes to the same.
    pub(crate) fn precedence(&self) -> Precedence {
        precedence(self.part, self.inviter, self.id)
    }
}

/// See [`Channel::precedence`].
pub(crate) type Precedence = (u32, Reverse<AccountId>, Reverse<ChannelId>);

/// The precedence of an invitation.
pub(crate) fn precedence(part: u32, inviter: AccountId, channel: ChannelId) -> Precedence {
    (part, Reverse(inviter), Reverse(channel))
}

const COLUMNS: &str = "id, peer, state, open_from_ms, letters, peer_spoke, updated_ms, trouble, channel, incarnation, \
                       epoch, generation, generation_secret, seq, chain, seen_seq, seen_chain, seen_signature, part, \
                       inviter, mls_group, generation_day, owes, fresh, missed, asked_ms, asked, doubled, \
                       restart, met, EXISTS (SELECT 1 FROM groups WHERE groups.chat = chats.id)";

fn chat(row: &Row<'_>) -> rusqlite::Result<Chat> {
    let channel = match row.get::<_, Option<[u8; 16]>>(8)?.map(ChannelId::new) {
        None => None,
        Some(id) => Some(Channel {
            id,
            position: Position { incarnation: row.get(9)?, epoch: row.get(10)? },
            generation: row.get(11)?,
            generation_secret: Zeroizing::new(row.get(12)?),
            generation_day: Day(row.get(21)?),
            group: row.get(20)?,
            part: row.get(18)?,
            inviter: AccountId::new(row.get::<_, Option<[u8; 16]>>(19)?.unwrap_or_default()),
            seq: row.get(13)?,
            chain: Chain::try_from(&row.get::<_, [u8; 32]>(14)?[..]).unwrap_or_else(|_| Chain::start(id)),
            seen: match row.get::<_, Option<Vec<u8>>>(17)? {
                None => None,
                Some(signature) => Some(Head {
                    channel: id.into(),
                    seq: row.get(15)?,
                    chain: row.get::<_, Vec<u8>>(16)?.into(),
                    signature: signature.into(),
                    ..Head::default()
                }),
            },
        }),
    };
    Ok(Chat {
        id: row.get(0)?,
        peer: AccountId::new(row.get(1)?),
        state: match row.get(2)? {
            1 => State::Invited,
            2 => State::Request,
            3 => State::Open,
            4 => State::Blocked,
            5 => State::Out,
            _ => State::New,
        },
        open_from_ms: row.get(3)?,
        letters: row.get(4)?,
        peer_spoke: row.get(5)?,
        updated_ms: row.get(6)?,
        trouble: match row.get(7)? {
            1 => Trouble::Lost,
            2 => Trouble::Forked,
            3 => Trouble::Expired,
            4 => Trouble::Newer,
            5 => Trouble::Inconsistent,
            6 => Trouble::Locked,
            7 => Trouble::OtherKeys,
            8 => Trouble::Moved,
            _ => Trouble::None,
        },
        channel,
        owes: row.get(22)?,
        fresh: row.get(23)?,
        missed: row.get(24)?,
        asked_ms: row.get(25)?,
        asked: row.get(26)?,
        doubled: row.get(27)?,
        restart: row.get(28)?,
        met: row.get(29)?,
        is_group: row.get(30)?,
    })
}

fn one(db: &Connection, condition: &str, key: impl rusqlite::ToSql) -> Result<Option<Chat>> {
    let query = format!("SELECT {COLUMNS} FROM chats WHERE {condition} = ?1");
    Ok(db.prepare_cached(&query)?.query_row([key], chat).optional()?)
}

/// A chat that may be gone by now.
pub(crate) fn find(db: &Connection, id: i64) -> Result<Option<Chat>> {
    one(db, "id", id)
}

pub(crate) fn load(db: &Connection, id: i64) -> Result<Chat> {
    find(db, id)?.ok_or(DbError::Damaged)
}

pub(crate) fn with(db: &Connection, peer: AccountId) -> Result<Option<Chat>> {
    one(db, "peer", &peer.as_bytes()[..])
}

pub(crate) fn on_channel(db: &Connection, channel: ChannelId) -> Result<Option<Chat>> {
    one(db, "channel", &channel.as_bytes()[..])
}

pub(crate) fn all(db: &Connection) -> Result<Vec<Chat>> {
    some(db, "TRUE", ())
}

/// Those that something keeps from going on, or that were not begun yet.
pub(crate) fn in_need(db: &Connection) -> Result<Vec<Chat>> {
    some(db, "trouble <> 0 OR channel IS NULL OR asked <> 0", ())
}

/// Those that are not to be touched before some moment to come.
pub(crate) fn put_off(db: &Connection, now_ms: u64) -> Result<Vec<Chat>> {
    some(db, "open_from_ms > ?1", [now_ms])
}

fn some(db: &Connection, condition: &str, key: impl rusqlite::Params) -> Result<Vec<Chat>> {
    let query = format!("SELECT {COLUMNS} FROM chats WHERE {condition} ORDER BY id");
    let chats = db.prepare_cached(&query)?.query_map(key, chat)?.collect::<Result<_, _>>()?;
    Ok(chats)
}

/// The numbers of all.
pub(crate) fn ids(db: &Connection) -> Result<Vec<i64>> {
    let ids = db
        .prepare_cached("SELECT id FROM chats ORDER BY id")?
        .query_map((), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(ids)
}

pub(crate) fn insert(db: &Connection, peer: AccountId, state: State) -> Result<i64> {
    db.prepare_cached("INSERT INTO chats(peer, state) VALUES (?1, ?2)")?
        .execute(params![peer.as_bytes(), state as i64])?;
    Ok(db.last_insert_rowid())
}

pub(crate) fn set_state(db: &Connection, id: i64, state: State) -> Result<()> {
    db.prepare_cached("UPDATE chats SET state = ?2 WHERE id = ?1")?.execute(params![id, state as i64])?;
    Ok(())
}

pub(crate) fn set_open_from(db: &Connection, id: i64, ms: u64) -> Result<()> {
    db.prepare_cached("UPDATE chats SET open_from_ms = ?2 WHERE id = ?1")?.execute(params![id, ms])?;
    Ok(())
}

pub(crate) fn set_letters(db: &Connection, id: i64, letters: u64) -> Result<()> {
    db.prepare_cached("UPDATE chats SET letters = ?2 WHERE id = ?1")?.execute(params![id, letters])?;
    Ok(())
}

pub(crate) fn set_trouble(db: &Connection, id: i64, trouble: Trouble) -> Result<()> {
    db.prepare_cached("UPDATE chats SET trouble = ?2 WHERE id = ?1")?.execute(params![id, trouble as i64])?;
    Ok(())
}

pub(crate) fn set_evidence(db: &Connection, id: i64, evidence: &[u8]) -> Result<()> {
    db.prepare_cached("UPDATE chats SET evidence = ?2 WHERE id = ?1 AND evidence IS NULL")?
        .execute(params![id, evidence])?;
    Ok(())
}

/// Puts a chat on a channel, where an invitation leads to. Its device lists are yet to be put; whatever was wrong is
/// over.
pub(crate) fn set_channel(db: &Connection, chat: i64, channel: &Channel) -> Result<()> {
    db.prepare_cached("DELETE FROM chain WHERE chat = ?1")?.execute([chat])?;
    db.prepare_cached("DELETE FROM added WHERE chat = ?1")?.execute([chat])?;
    super::members::clear(db, chat)?;
    db.prepare_cached(
        "UPDATE chats SET channel = ?2, part = ?3, inviter = ?4, seen_seq = 0, seen_chain = NULL, seen_signature = NULL,
                          trouble = 0, owes = 1, fresh = 0, restart = 0, asked = 0, asked_ms = 0, asked_by = NULL, doubled = 0,
                          met = (?4 = peer), tried_channel = NULL, tried_seq = 0
         WHERE id = ?1",
    )?
    .execute(params![chat, channel.id.as_bytes(), channel.part, channel.inviter.as_bytes()])?;
    advance(db, chat, channel)?;
    if channel.seq > 0 {
        put_chain(db, chat, channel.seq, &channel.chain)?;
        // All who were there before us.
        set_added(db, chat, AccountId::new([0; 16]), 0, channel.seq)?;
    }
    Ok(())
}

/// Notes that everything up to `seq` is processed, and where that has led to.
pub(crate) fn advance(db: &Connection, chat: i64, channel: &Channel) -> Result<()> {
    db.prepare_cached(
        "UPDATE chats SET seq = ?2, chain = ?3, incarnation = ?4, epoch = ?5, generation = ?6, generation_secret = ?7,
                          generation_day = ?8, mls_group = ?9 WHERE id = ?1",
    )?
    .execute(params![
        chat,
        channel.seq,
        channel.chain.as_bytes(),
        channel.position.incarnation,
        channel.position.epoch,
        channel.generation,
        &channel.generation_secret[..],
        channel.generation_day.0,
        channel.group
    ])?;
    Ok(())
}

/// Notes whether a commit may be owed.
pub(crate) fn set_owes(db: &Connection, chat: i64, owes: bool) -> Result<()> {
    db.prepare_cached("UPDATE chats SET owes = ?2 WHERE id = ?1 AND owes <> ?2")?.execute(params![chat, owes])?;
    Ok(())
}

/// Every chat in whose log this person has devices may owe a commit: his list has changed.
pub(crate) fn owe_for(db: &Connection, account: AccountId) -> Result<()> {
    db.prepare_cached("UPDATE chats SET owes = 1 WHERE id IN (SELECT chat FROM members WHERE account = ?1)")?
        .execute([account.as_bytes()])?;
    Ok(())
}

/// A chat has no channel here any more: what was said stays.
pub(crate) fn clear_channel(db: &Connection, chat: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM chain WHERE chat = ?1")?.execute([chat])?;
    super::members::clear(db, chat)?;
    db.prepare_cached("UPDATE chats SET channel = NULL, generation_secret = NULL, seq = 0, chain = NULL, seen_seq = 0, seen_chain = NULL,
                          seen_signature = NULL, trouble = 0, owes = 0 WHERE id = ?1")?.execute([chat])?;
    Ok(())
}

/// Every chat may owe a commit: our own device list, or what our devices are added by, has changed.
pub(crate) fn all_owe(db: &Connection) -> Result<()> {
    db.prepare_cached("UPDATE chats SET owes = 1")?.execute(())?;
    Ok(())
}

/// Notes that a chat is to go on in a fresh channel, which comes after its own and after this part.
pub(crate) fn set_fresh(db: &Connection, chat: &Chat, after: u32) -> Result<()> {
    let ours = chat.channel.as_ref().map_or(0, |channel| channel.part);
    let fresh = ours.max(after).saturating_add(1).max(chat.fresh);
    db.prepare_cached("UPDATE chats SET fresh = ?2 WHERE id = ?1")?.execute(params![chat.id, fresh])?;
    Ok(())
}

/// Notes whether a chat is to go on in an MLS group of a better suite.
pub(crate) fn set_restart(db: &Connection, chat: i64, restart: bool) -> Result<()> {
    db.prepare_cached("UPDATE chats SET restart = ?2 WHERE id = ?1")?.execute(params![chat, restart])?;
    Ok(())
}

/// Notes entries more that cannot be read here.
pub(crate) fn add_missed(db: &Connection, chat: i64, entries: u64) -> Result<()> {
    db.prepare_cached("UPDATE chats SET missed = missed + ?2 WHERE id = ?1")?.execute(params![chat, entries])?;
    Ok(())
}

/// One of these was said again.
pub(crate) fn found(db: &Connection, chat: i64) -> Result<()> {
    db.prepare_cached("UPDATE chats SET missed = missed - 1 WHERE id = ?1 AND missed > 0")?.execute([chat])?;
    Ok(())
}

/// What was missed was told by another device.
pub(crate) fn clear_missed(db: &Connection, chat: i64) -> Result<()> {
    db.prepare_cached("UPDATE chats SET missed = 0 WHERE id = ?1")?.execute([chat])?;
    Ok(())
}

/// Notes that we have asked for the way back, or that it is on its way.
pub(crate) fn set_asked(db: &Connection, chat: i64, now_ms: u64) -> Result<()> {
    db.prepare_cached("UPDATE chats SET asked = asked + 1, asked_ms = ?2 WHERE id = ?1")?
        .execute(params![chat, now_ms])?;
    Ok(())
}

/// What was tried in vain has led somewhere.
pub(crate) fn forget_asked(db: &Connection, chat: i64) -> Result<()> {
    db.prepare_cached("UPDATE chats SET asked = 0, asked_ms = 0 WHERE id = ?1 AND asked > 0")?.execute([chat])?;
    Ok(())
}

/// The key package by which we asked last.
pub(crate) fn asked_by(db: &Connection, chat: i64) -> Result<Option<Vec<u8>>> {
    Ok(db.prepare_cached("SELECT asked_by FROM chats WHERE id = ?1")?.query_row([chat], |row| row.get(0))?)
}

pub(crate) fn set_asked_by(db: &Connection, chat: i64, key_package: &[u8]) -> Result<()> {
    db.prepare_cached("UPDATE chats SET asked_by = ?2 WHERE id = ?1")?.execute(params![chat, key_package])?;
    Ok(())
}

/// Notes whether another home writes as this device in this epoch.
pub(crate) fn set_doubled(db: &Connection, chat: i64, doubled: bool) -> Result<()> {
    db.prepare_cached("UPDATE chats SET doubled = ?2 WHERE id = ?1 AND doubled <> ?2")?
        .execute(params![chat, doubled])?;
    Ok(())
}

/// A way in has led to a place where it was of no use to us, or we were added again there.
pub(crate) fn set_tried(db: &Connection, chat: i64, channel: ChannelId, seq: u64) -> Result<()> {
    let place = params![chat, channel.as_bytes(), seq];
    db.prepare_cached("UPDATE chats SET tried_channel = ?2, tried_seq = ?3 WHERE id = ?1")?.execute(place)?;
    Ok(())
}

/// The last place of a chat that this device knows of.
pub(crate) fn last_known(db: &Connection, chat: &Chat) -> Result<Option<(ChannelId, u64)>> {
    let tried = db
        .prepare_cached("SELECT tried_channel, tried_seq FROM chats WHERE id = ?1")?
        .query_row([chat.id], |row| Ok(row.get::<_, Option<[u8; 16]>>(0)?.zip(Some(row.get(1)?))))?;
    let tried = tried.map(|(channel, seq)| (ChannelId::new(channel), seq));
    Ok(tried.or_else(|| chat.channel.as_ref().map(|channel| (channel.id, channel.seq))))
}

/// Where in its log a device came to a chat's channel that we stand in. From before we came ourselves we don't know more
/// than that.
pub(crate) fn added_at(db: &Connection, chat: i64, account: AccountId, device: u32) -> Result<u64> {
    let seq = db
        .prepare_cached(
            "SELECT coalesce((SELECT seq FROM added WHERE chat = ?1 AND account = ?2 AND device = ?3),
                             (SELECT seq FROM added WHERE chat = ?1 AND device = 0), 0)",
        )?
        .query_row(params![chat, account.as_bytes(), device], |row| row.get(0))?;
    Ok(seq)
}

/// A device was added to a chat's channel.
pub(crate) fn set_added(db: &Connection, chat: i64, account: AccountId, device: u32, seq: u64) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO added(chat, account, device, seq) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![chat, account.as_bytes(), device, seq])?;
    Ok(())
}

/// Notes whether the other has come to the channel.
pub(crate) fn set_met(db: &Connection, chat: i64, met: bool) -> Result<()> {
    db.prepare_cached("UPDATE chats SET met = ?2 WHERE id = ?1")?.execute(params![chat, met])?;
    Ok(())
}

/// Keeps our chain after entry `seq`.
pub(crate) fn put_chain(db: &Connection, chat: i64, seq: u64, chain: &Chain) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO chain(chat, seq, chain) VALUES (?1, ?2, ?3)")?.execute(params![
        chat,
        seq,
        chain.as_bytes()
    ])?;
    Ok(())
}

/// Our chain after entry `seq`; none for entries from before we came.
pub(crate) fn chain_at(db: &Connection, chat: &Chat, seq: u64) -> Result<Option<Chain>> {
    if let (0, Some(channel)) = (seq, &chat.channel) {
        return Ok(Some(Chain::start(channel.id)));
    }
    let chain: Option<[u8; 32]> = db
        .prepare_cached("SELECT chain FROM chain WHERE chat = ?1 AND seq = ?2")?
        .query_row(params![chat.id, seq], |row| row.get(0))
        .optional()?;
    chain.map(|chain| Chain::try_from(&chain[..]).map_err(|_| DbError::Damaged)).transpose()
}

/// Notes the newest signed head that agrees with our chain.
pub(crate) fn set_seen(db: &Connection, chat: i64, head: &Head) -> Result<()> {
    db.prepare_cached("UPDATE chats SET seen_seq = ?2, seen_chain = ?3, seen_signature = ?4 WHERE id = ?1")?
        .execute(params![chat, head.seq, &head.chain[..], &head.signature[..]])?;
    Ok(())
}

pub(crate) fn set_peer_spoke(db: &Connection, chat: i64, peer_spoke: bool) -> Result<()> {
    db.prepare_cached("UPDATE chats SET peer_spoke = ?2 WHERE id = ?1")?.execute(params![chat, peer_spoke])?;
    Ok(())
}

pub(crate) fn set_updated(db: &Connection, chat: i64, now_ms: u64) -> Result<()> {
    db.prepare_cached("UPDATE chats SET updated_ms = ?2 WHERE id = ?1")?.execute(params![chat, now_ms])?;
    Ok(())
}

/// A newer release may understand what an older one did not, and a service may have mended itself: those chats are tried
/// again.
pub(crate) fn try_again(db: &Connection) -> Result<()> {
    let may_pass = [Trouble::Newer as i64, Trouble::Inconsistent as i64];
    db.prepare_cached("UPDATE chats SET trouble = 0 WHERE trouble IN (?1, ?2)")?.execute(may_pass)?;
    Ok(())
}

/// Forgets a chat, with all that was said.
pub(crate) fn remove(db: &Connection, id: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM chats WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// A group has got its channel, and by that what it is called by.
pub(crate) fn set_peer(db: &Connection, id: i64, peer: AccountId) -> Result<()> {
    db.prepare_cached("UPDATE chats SET peer = ?2 WHERE id = ?1")?.execute(params![id, peer.as_bytes()])?;
    Ok(())
}

/// Forgets a chat that was begun and holds nothing.
pub(crate) fn remove_if_empty(db: &Connection, id: i64) -> Result<()> {
    db.prepare_cached(
        "DELETE FROM chats WHERE id = ?1 AND state = ?2 AND NOT EXISTS (SELECT 1 FROM messages WHERE chat = ?1)
           AND NOT EXISTS (SELECT 1 FROM groups WHERE chat = ?1)",
    )?
    .execute(params![id, State::New as i64])?;
    Ok(())
}
