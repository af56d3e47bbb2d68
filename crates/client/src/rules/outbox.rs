//! From the outbox into the log: encrypt for the position where the chat stands, send those bytes until their fate is
//! known, and only then forget the plaintext.

use bytes::Bytes;
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};
use undertone_e2ee::{Chat as Mls, E2eeError, Generation, Place};
use undertone_wire::Message as _;
use undertone_wire::{
    ChannelId, IdempotencyId,
    channel::{AppendRequest, Appended, Entry, EntryKind, NewEntry},
    content::Content,
    limits, padding,
};

use crate::{
    ClientError, Result,
    db::{
        chats::{self, Channel, Chat, State, Trouble},
        inbox,
        outbox::{self, Attempt, Item},
    },
    own::Own,
    rules::{heads, log},
    state::{MlsStore, Tx},
};

/// What MLS, the authenticated data and the wrap add to a content (measured: 330 bytes).
const OVERHEAD_BYTES_MAX: usize = 512;

/// Ciphertext under way: what goes out in one append.
pub(crate) struct Batch {
    chat: i64,
    items: Vec<(EntryKind, Attempt)>,
    channel: ChannelId,
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

    /// Whether it is a commit, which goes alone.
    pub(crate) fn is_commit(&self) -> bool {
        self.items.iter().any(|(kind, _)| *kind == EntryKind::Commit)
    }

    /// As a request. The same batch gives the same request.
    pub(crate) fn request(&self) -> AppendRequest {
        let entries = self.items.iter().map(|(kind, attempt)| NewEntry {
            kind: (*kind).into(),
            incarnation: attempt.position.incarnation,
            epoch: attempt.position.epoch,
            expiry_day: attempt.expiry_day.0,
            body: attempt.body.clone().into(),
            idempotency_id: attempt.id.into(),
        });
        AppendRequest { channel: self.channel.into(), entries: entries.collect() }
    }

    /// Whether any of it was neither found in the log yet, nor given up.
    pub(crate) fn is_under_way(&self, db: &Connection) -> Result<bool> {
        let bodies = self.items.iter().map(|(_, attempt)| outbox::by_body(db, self.chat, &attempt.body_hash));
        Ok(bodies.collect::<Result<Vec<_>, _>>()?.iter().any(Option::is_some))
    }

    /// The entries as they stand in the log from `first_seq` on.
    fn entries(&self, first_seq: u64) -> Vec<Entry> {
        let entry = |(seq, (kind, attempt)): (u64, &(EntryKind, Attempt))| Entry {
            seq,
            kind: (*kind).into(),
            incarnation: attempt.position.incarnation,
            epoch: attempt.position.epoch,
            expiry_day: attempt.expiry_day.0,
            body: attempt.body.clone().into(),
            ..Entry::default()
        };
        (first_seq..).zip(&self.items).map(entry).collect()
    }
}

/// What of a chat goes out next: what is under way already, or else what waits, encrypted now. A self-update goes
/// before a message when the speaker changes.
pub(crate) fn next(tx: &mut Tx<'_>, own: &Own, chat: i64, self_update_ms: u64) -> Result<Option<Batch>> {
    let chat = chats::load(tx.db, chat)?;
    let Some(channel) = &chat.channel else { return Ok(None) };
    if chat.state != State::Open || chat.trouble != Trouble::None || inbox::has_letters(tx.db, chat.id)? {
        return Ok(None);
    }
    let items = outbox::first(tx.db, chat.id, limits::APPEND_ENTRIES_MAX)?;
    let under_way: Vec<_> = items.iter().filter_map(|item| Some((item.kind, item.attempt.clone()?))).collect();
    let items = match &items[..] {
        [] => return Ok(None),
        _ if !under_way.is_empty() => under_way,
        _ if update_is_due(tx, own, &chat, self_update_ms) => vec![commit(tx, own, &chat, channel)?],
        items => messages(tx, own, &chat, channel, items)?,
    };
    Ok(Some(Batch { chat: chat.id, items, channel: channel.id }))
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
    refused(tx, own, chat)
}

/// Self-updates come at a change of speaker, and not too often: they heal a chat of whoever had copied its keys.
fn update_is_due(tx: &Tx<'_>, own: &Own, chat: &Chat, self_update_ms: u64) -> bool {
    // Either way: a clock that was ahead must not put it off for long.
    let elapsed_ms = tx.now.0.abs_diff(chat.updated_ms);
    chat.peer != own.account && chat.peer_spoke && elapsed_ms >= self_update_ms
}

fn commit(tx: &mut Tx<'_>, own: &Own, chat: &Chat, channel: &Channel) -> Result<(EntryKind, Attempt)> {
    let seen = heads::seen(chat)?;
    let content = {
        let store = MlsStore(tx.db);
        let me = own.me(&store, tx.rng);
        load(&me, channel)?.self_update(&me, &seen)?
    };
    let attempt = wrap(tx, channel, EntryKind::Commit, &content, limits::COMMIT_DAYS)?;
    let n = outbox::push(tx.db, chat.id, EntryKind::Commit, &[])?;
    outbox::set_attempt(tx.db, n, &attempt)?;
    Ok((EntryKind::Commit, attempt))
}

fn messages(
    tx: &mut Tx<'_>,
    own: &Own,
    chat: &Chat,
    channel: &Channel,
    items: &[Item],
) -> Result<Vec<(EntryKind, Attempt)>> {
    let seen = heads::seen(chat)?;
    let mut mls = {
        let store = MlsStore(tx.db);
        load(&own.me(&store, tx.rng), channel)?
    };
    let mut batch: Vec<(EntryKind, Attempt)> = Vec::new();
    let mut size = 0;
    for item in items {
        let mut content = Content::decode(&item.content[..]).map_err(|_| ClientError::Bug("our own message"))?;
        content.letters = chat.letters;
        size += bucket_at_most(item.content.len());
        if size > limits::PAGE_BYTES_MAX && !batch.is_empty() {
            break;
        }
        let encrypted = {
            let store = MlsStore(tx.db);
            mls.encrypt(&own.me(&store, tx.rng), &content.encode_to_vec(), &seen)?
        };
        let attempt = wrap(tx, channel, EntryKind::Message, &encrypted, limits::MESSAGE_DAYS_MAX)?;
        outbox::set_attempt(tx.db, item.n, &attempt)?;
        batch.push((EntryKind::Message, attempt));
    }
    Ok(batch)
}

/// The largest body that a content of this length may come to be.
fn bucket_at_most(length: usize) -> usize {
    let needed = length + OVERHEAD_BYTES_MAX;
    padding::ENTRY.iter().copied().find(|bucket| *bucket >= needed).unwrap_or(limits::PAGE_BYTES_MAX)
}

fn load(me: &undertone_e2ee::Me<'_>, channel: &Channel) -> Result<Mls> {
    Ok(Mls::load(me, channel.id)?.ok_or(E2eeError::Private)?)
}

fn wrap(tx: &mut Tx<'_>, channel: &Channel, kind: EntryKind, content: &Bytes, days: u32) -> Result<Attempt> {
    let expiry_day = tx.now.day() + days;
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
