//! From the outbox into the log: encrypt for the position where the chat stands, send those bytes until their fate is
//! known, and only then forget the plaintext.

use bytes::Bytes;
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};
use undertone_e2ee::{Chat as Mls, Committed, Generation, Lists, Place, Plan, RestartAt};
use undertone_wire::Message as _;
use undertone_wire::{
    ChannelId, Day, IdempotencyId,
    channel::{AppendRequest, Appended, ChangeGroupRequest, Entry, EntryKind, NewEntry},
    content::{Content, Seen},
    large::Large,
    limits, padding,
};

use crate::{
    ClientError, Result,
    db::{
        chats::{self, Channel, Chat, State},
        inbox, me,
        outbox::{self, Attempt, Begins, Item},
    },
    own::Own,
    rules::{
        begin::{self, Fetched},
        entrance,
        groups::{self, large::Beside},
        heads, lists, log, mls,
        owed::Owed,
        riders, sync,
    },
    state::Tx,
};

/// What MLS, the authenticated data and the wrap add to a content (measured: 330 bytes).
const OVERHEAD_BYTES_MAX: usize = 512;

/// Ciphertext under way: what goes out in one append.
pub(crate) struct Batch {
    pub(super) chat: i64,
    pub(super) items: Vec<UnderWay>,
    pub(super) channel: ChannelId,
    /// In a group: whether the circuit has to have shown whom it speaks for.
    pub(super) shows: bool,
}

pub(crate) struct UnderWay {
    pub(super) kind: EntryKind,
    pub(super) attempt: Attempt,
    pub(super) installs: Vec<u8>,
    /// In a group: the head slot that comes with a commit.
    pub(super) slot: Vec<u8>,
}

impl UnderWay {
    pub(super) fn of(item: &Item) -> Option<Self> {
        let Begins { installs, slot, .. } = item.begins.clone();
        Some(Self { kind: item.kind, attempt: item.attempt.clone()?, installs, slot })
    }

    /// As it is sent.
    fn entry(&self) -> NewEntry {
        let Self { kind, attempt, installs, slot } = self;
        NewEntry {
            kind: (*kind).into(),
            incarnation: attempt.position.incarnation,
            epoch: attempt.position.epoch,
            expiry_day: attempt.expiry_day.0,
            body: attempt.body.clone().into(),
            idempotency_id: attempt.id.into(),
            installs: installs.clone().into(),
            slot_hash: slot_hash(slot),
        }
    }
}

/// By which an entry names the head slot that comes with it.
fn slot_hash(slot: &[u8]) -> Bytes {
    if slot.is_empty() { Bytes::new() } else { Sha256::digest(slot).to_vec().into() }
}

impl Batch {
    /// Whose it is.
    pub(crate) fn chat(&self) -> i64 {
        self.chat
    }

    /// Where it goes.
    pub(crate) fn channel(&self) -> ChannelId {
        self.channel
    }

    /// Whether it is a commit or a restart, which goes alone.
    pub(crate) fn is_commit(&self) -> bool {
        self.items.iter().any(|item| item.kind != EntryKind::Message)
    }

    /// As a request. The same batch gives the same request.
    pub(crate) fn request(&self) -> AppendRequest {
        let entries = self.items.iter().map(UnderWay::entry).collect();
        AppendRequest { channel: self.channel.into(), entries, head_slot: self.head_slot() }
    }

    /// If it is a change of a group: as a request that is yet to be shown to be ours.
    pub(crate) fn change(&self) -> Option<ChangeGroupRequest> {
        let (change, follows) = self.items.split_first().filter(|(first, _)| first.kind == EntryKind::Change)?;
        Some(ChangeGroupRequest {
            channel: self.channel.into(),
            change: Some(change.entry()),
            commit: follows.first().map(UnderWay::entry),
            head_slot: self.head_slot(),
            ..ChangeGroupRequest::default()
        })
    }

    /// Whether the circuit has to show whom it speaks for before this is sent.
    pub(crate) fn shows(&self) -> bool {
        self.shows
    }

    /// What is large of it, and has to be put before: references, each with its last day.
    pub(crate) fn large(&self) -> Vec<(Large, Day)> {
        let of = |item: &UnderWay| {
            let until = item.attempt.expiry_day;
            [&item.attempt.body, &item.slot].map(|body| Some((Large::parse(body)?, until)))
        };
        self.items.iter().flat_map(of).flatten().collect()
    }

    fn head_slot(&self) -> Bytes {
        self.items.last().map(|last| last.slot.clone().into()).unwrap_or_default()
    }

    /// Whether any of it was neither found in the log yet, nor given up.
    pub(crate) fn is_under_way(&self, db: &Connection) -> Result<bool> {
        let bodies = self.items.iter().map(|item| outbox::by_body(db, self.chat, &item.attempt.body_hash));
        Ok(bodies.collect::<Result<Vec<_>, _>>()?.iter().any(Option::is_some))
    }

    /// The entries as they stand in the log from `first_seq` on.
    fn entries(&self, first_seq: u64) -> Vec<Entry> {
        let entry = |(seq, UnderWay { kind, attempt, installs, slot }): (u64, &UnderWay)| Entry {
            seq,
            kind: (*kind).into(),
            installs: installs.clone().into(),
            incarnation: attempt.position.incarnation,
            epoch: attempt.position.epoch,
            expiry_day: attempt.expiry_day.0,
            body: attempt.body.clone().into(),
            slot_hash: slot_hash(slot),
            ..Entry::default()
        };
        (first_seq..).zip(&self.items).map(entry).collect()
    }
}

/// What of a chat goes out next: what is under way already, or else what waits, encrypted now. What the chat owes goes
/// before all that waits, and a self-update before a message when the speaker changes.
pub(crate) fn next(tx: &mut Tx<'_>, own: &Own, chat: i64, self_update_ms: u64) -> Result<Option<Batch>> {
    let chat = chats::load(tx.db, chat)?;
    if chat.is_group {
        return groups::sending::next(tx, own, &chat, self_update_ms);
    }
    let chat = begin::anew_for_founder(tx, own, chat)?;
    let Some(channel) = &chat.channel else { return Ok(None) };
    let leaves = entrance::leaves(tx, &chat)?;
    let may_speak = chat.is_read() && chat.state == State::Open && !inbox::has_letters(tx.db, chat.id)?;
    if !may_speak && !leaves {
        return Ok(None);
    }
    let batch = |items| Some(Batch { chat: chat.id, items, channel: channel.id, shows: false });
    let mut items = outbox::first(tx.db, chat.id, limits::APPEND_ENTRIES_MAX)?;
    let under_way: Vec<_> = items.iter().filter_map(UnderWay::of).collect();
    if !under_way.is_empty() {
        return Ok(batch(under_way));
    }
    if chat.peer == own.account && !lists::is_put(tx.db)? {
        // What our devices share is told behind the commit that takes one out.
        return Ok(None);
    }
    if leaves {
        let closing = commit(tx, own, &chat, channel, &Plan::default(), true)?;
        return Ok(batch(vec![closing]));
    }
    if let Some(commit) = owed(tx, own, &chat, channel, !items.is_empty())? {
        return Ok(batch(vec![commit]));
    }
    if items.is_empty() && chat.peer == own.account && sync::next_history(tx, own)? {
        items = outbox::first(tx.db, chat.id, limits::APPEND_ENTRIES_MAX)?;
    }
    if items.is_empty() {
        return Ok(None);
    }
    // Notes go as they are: what answers a message by itself must not bring a commit about.
    let speaks = items.iter().any(|item| !is_note(item));
    if chat.doubled || (speaks && update_is_due(tx, own, &chat, self_update_ms)) {
        let update = commit(tx, own, &chat, channel, &Plan::default(), false)?;
        return Ok(batch(vec![update]));
    }
    let messages = messages(tx, own, &chat, channel, &items, &heads::seen(&chat)?)?;
    Ok(if messages.is_empty() { None } else { batch(messages) })
}

pub(super) fn is_note(item: &Item) -> bool {
    Content::decode(&item.content[..]).is_ok_and(|content| riders::is_note(&content))
}

/// The commit that a chat owes, if it owes one. `speaks`: whether there is something to say anyhow.
fn owed(tx: &mut Tx<'_>, own: &Own, chat: &Chat, channel: &Channel, speaks: bool) -> Result<Option<UnderWay>> {
    if !chat.owes && !speaks {
        return Ok(None);
    }
    let (members, suite) = mls::leaves(tx, own, channel)?;
    let owed = Owed::find(tx, own, chat, &members, suite)?;
    if owed.restart() != chat.restart {
        // The keys for it are fetched first; till then the chat goes on as it is.
        chats::set_restart(tx.db, chat.id, owed.restart())?;
    }
    if owed.is_empty() || (owed.can_wait() && !speaks) {
        chats::set_owes(tx.db, chat.id, false)?;
        return Ok(None);
    }
    commit(tx, own, chat, channel, &owed.plan(), false).map(Some)
}

/// The service has a batch: takes it in if nothing stands between it and our cursor.
pub(crate) fn appended(tx: &mut Tx<'_>, own: &Own, batch: &Batch, appended: &Appended) -> Result<log::Taken> {
    let head = appended.head.as_ref().filter(|head| appended.first_seq <= head.seq).ok_or(ClientError::BadHead)?;
    log::take(tx, own, batch.chat, &batch.entries(appended.first_seq), head)
}

/// The service certainly has nothing of what is under way in this chat.
pub(crate) fn refused(tx: &mut Tx<'_>, own: &Own, chat: i64) -> Result<()> {
    let chat = chats::load(tx.db, chat)?;
    log::discard(tx, own, &chat)
}

/// The service takes no commit now: gives this one up, and counts the time for the next from here.
pub(crate) fn postpone_update(tx: &mut Tx<'_>, own: &Own, chat: i64) -> Result<()> {
    chats::set_updated(tx.db, chat, tx.now.0)?;
    chats::set_doubled(tx.db, chat, false)?;
    refused(tx, own, chat)
}

/// Self-updates come at a change of speaker, and not too often: they heal a chat of whoever had copied its keys.
fn update_is_due(tx: &Tx<'_>, own: &Own, chat: &Chat, self_update_ms: u64) -> bool {
    // Either way: a clock that was ahead must not put it off for long.
    let elapsed_ms = tx.now.0.abs_diff(chat.updated_ms);
    chat.peer != own.account && chat.peer_spoke && elapsed_ms >= self_update_ms
}

/// `closes`: it is the last thing that is said in this channel.
fn commit(
    tx: &mut Tx<'_>,
    own: &Own,
    chat: &Chat,
    channel: &Channel,
    plan: &Plan<'_>,
    closes: bool,
) -> Result<UnderWay> {
    let seen = Seen { closes, ..heads::seen(chat)? };
    let in_log = lists::of_log(tx, chat.id)?;
    let lists = Lists::from_iter(&in_log);
    let committed = mls::with(tx, own, channel, |me, mls| mls.commit(me, plan, &lists, &seen))?;
    under_way_with(tx, chat, channel, EntryKind::Commit, committed, Beside::default())
}

/// Moves a chat on into an MLS group of a better suite, with the other's key packages. Where something is under way, or
/// a device has none that fit, it is left for later.
pub(crate) fn restart(tx: &mut Tx<'_>, own: &Own, chat: i64, fetched: Option<&Fetched>) -> Result<()> {
    let chat = chats::load(tx.db, chat)?;
    let Some(channel) = &chat.channel else { return Ok(()) };
    let items = outbox::first(tx.db, chat.id, limits::APPEND_ENTRIES_MAX)?;
    if !chat.restart || items.iter().any(|item| item.attempt.is_some()) {
        return Ok(());
    }
    let in_log = lists::of_log(tx, chat.id)?;
    let packages = begin::packages(tx, own, fetched)?;
    let adds = packages.iter().map(|(list, package)| (list, package)).collect();
    let newest = in_log.iter().map(|list| packages.iter().map(|(list, _)| list).find(|new| lists::newer(new, list)));
    let plan = Plan { adds, lists: newest.flatten().collect(), ..Plan::default() };
    let seen = heads::seen(&chat)?;
    let at = RestartAt { channel: channel.id, group: channel.group + 1, position: channel.position };
    let committed = {
        let store = tx.mls();
        let me = own.me(&store, tx.rng);
        Mls::restart(&me, &at, own.suite, &plan, &Lists::from_iter(&in_log), &seen)?
    };
    under_way_with(tx, &chat, channel, EntryKind::Restart, committed, Beside::default()).map(drop)
}

/// Puts a commit or a restart on its way.
pub(super) fn under_way_with(
    tx: &mut Tx<'_>,
    chat: &Chat,
    channel: &Channel,
    kind: EntryKind,
    committed: Committed,
    Beside { slot, may_be_large }: Beside,
) -> Result<UnderWay> {
    let sealed = wrap(tx, channel, kind, &committed.entry, limits::COMMIT_DAYS)?;
    let body = groups::large::standing(tx, chat.id, sealed.body, may_be_large)?;
    let attempt = Attempt { body_hash: Sha256::digest(&body).into(), body, ..sealed };
    // What has added somebody leads in by the slot, if that is large.
    let in_slot = Large::parse(&slot).is_some();
    let tree = |tree: &Bytes| if in_slot { Vec::new() } else { tree.to_vec() };
    let begins = Begins {
        installs: committed.generation.map(|generation| generation.installs().to_vec()).unwrap_or_default(),
        invitation: committed.invitation.map(|way| (way.welcome.to_vec(), tree(&way.tree))),
        slot,
    };
    let n = outbox::push(tx.db, chat.id, kind, &[])?;
    outbox::set_attempt(tx.db, n, &attempt)?;
    outbox::set_begins(tx.db, n, &begins)?;
    Ok(UnderWay { kind, attempt, installs: begins.installs, slot: begins.slot })
}

pub(super) fn messages(
    tx: &mut Tx<'_>,
    own: &Own,
    chat: &Chat,
    channel: &Channel,
    items: &[Item],
    seen: &Seen,
) -> Result<Vec<UnderWay>> {
    let mut batch: Vec<UnderWay> = Vec::new();
    let mut size = 0;
    for item in items {
        let mut content = Content::decode(&item.content[..]).map_err(|_| ClientError::Bug("our own message"))?;
        content.letters = chat.letters;
        if !riders::attach(tx, own, chat, &mut content)? {
            outbox::remove(tx.db, item.n)?;
            continue;
        }
        let encoded = content.encode_to_vec();
        size += bucket_at_most(encoded.len());
        if size > limits::PAGE_BYTES_MAX && !batch.is_empty() {
            break;
        }
        let encrypted = mls::with(tx, own, channel, |me, mls| mls.encrypt(me, &encoded, seen))?;
        // Once it stands in the log, it is known from here what rode along.
        outbox::set_content(tx.db, item.n, &encoded)?;
        let attempt = wrap(tx, channel, EntryKind::Message, &encrypted, limits::MESSAGE_DAYS_MAX)?;
        outbox::set_attempt(tx.db, item.n, &attempt)?;
        batch.push(UnderWay { kind: EntryKind::Message, attempt, installs: Vec::new(), slot: Vec::new() });
    }
    Ok(batch)
}

/// The largest body that a content of this length may come to be.
fn bucket_at_most(length: usize) -> usize {
    let needed = length + OVERHEAD_BYTES_MAX;
    padding::ENTRY.iter().copied().find(|bucket| *bucket >= needed).unwrap_or(limits::PAGE_BYTES_MAX)
}

fn wrap(tx: &mut Tx<'_>, channel: &Channel, kind: EntryKind, content: &Bytes, days: u32) -> Result<Attempt> {
    let expiry_day = me::today(tx.db, tx.now)? + days;
    let place = Place { channel: channel.id, kind, position: channel.position, expiry_day };
    let generation = Generation::from_secret(*channel.generation_secret);
    let body = generation.wrap(&place, content, &mut tx.rng)?;
    Ok(Attempt {
        id: IdempotencyId::new(tx.random()),
        body_hash: Sha256::digest(&body).into(),
        body: body.to_vec(),
        position: channel.position,
        expiry_day,
    })
}
