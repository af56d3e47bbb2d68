//! Letters: what is written to somebody before he has accepted, and what others write so to us.

use bytes::Bytes;
use rusqlite::Connection;
use undertone_credentials::{DeviceList, InboxKey};
use undertone_e2ee::{InboxSecret, VerifiedLetter, open, read_letter, seal, write_letter};
use undertone_wire::Message as _;
use undertone_wire::{
    AccountId, ChannelId, Day, IdempotencyId, MessageId, Week,
    account::InboxEntry,
    channel::EntryKind,
    content::{self, Content, Invitation, Letter, content as kinds},
    limits,
};

use crate::{
    ClientError, Result,
    db::{
        DbError,
        chats::{self, Chat, State},
        contacts, evidence,
        inbox::{self, PendingLetter, Post},
        me,
        messages::{self, NewMessage, Place, Shown},
        outbox, ways,
    },
    own::Own,
    rules::{
        asks, compose,
        entrance::{self, Way},
        groups, lists, sync,
    },
    state::Tx,
};

/// Bytes of messages in one letter: with an invitation they fit the largest bucket.
const CONTENTS_BYTES_MAX: usize = 96 << 10;
/// An inbox key older than this is fetched anew before more is sealed to it.
const INBOX_KEY_FRESH_WEEKS: u32 = 2;

/// Letters of strangers can be shown to others for so long.
const EVIDENCE_DAYS: u32 = 30;

/// Which inbox key of somebody does for a letter to him.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyAge {
    /// One that may still be the newest that there is.
    Fresh,
    /// The one that we have: it was fetched just now. Who was away for long has no newer one.
    Any,
}

/// What came of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// A letter that waits to be delivered.
    Letter,
    /// There was nothing to write.
    Nothing,
    /// The inbox key that we have is too old: fetch it.
    NeedsKey,
}

/// Puts what waits in the outbox of a chat whose other has not accepted yet into a letter; as much of it as one can carry.
pub(crate) fn write(
    tx: &mut Tx<'_>,
    own: &Own,
    chat: i64,
    invitation: Option<Invitation>,
    age: KeyAge,
) -> Result<Written> {
    let invited = chats::find(tx.db, chat)?.filter(|chat| chat.state == State::Invited);
    let Some((chat, channel)) = invited.as_ref().and_then(|chat| Some((chat, chat.channel.as_ref()?))) else {
        return Ok(Written::Nothing);
    };
    let items = outbox::first(tx.db, chat.id, limits::APPEND_ENTRIES_MAX)?;
    let mut size = 0;
    let fits = |item: &&outbox::Item| {
        size += item.content.len();
        size <= CONTENTS_BYTES_MAX || size == item.content.len()
    };
    // The commit that closes our own channel goes there.
    let messages = items.iter().filter(|item| item.kind == EntryKind::Message);
    let items: Vec<_> = messages.take_while(fits).collect();
    if items.is_empty() && invitation.is_none() {
        return Ok(Written::Nothing);
    }
    let Some(key) = inbox_key(tx, own, chat.peer, age)? else { return Ok(Written::NeedsKey) };

    // Who has lost all that was, and begins again, is let in by a contact whose channel goes on.
    let ask = invitation.is_some().then(|| asks::wish(tx, own, chat)).transpose()?;
    let again = if invitation.is_some() { said_before(tx, own, chat)? } else { Vec::new() };
    if !again.is_empty() {
        // What waits comes after it.
        let mut beside = (invitation, ask);
        for said in again {
            sync::tell(tx, own, sync::Kind::Letters(said.clone()))?;
            let (invitation, ask) = std::mem::take(&mut beside);
            let content::Letters { contents, first_index, part, .. } = said;
            let upto = first_index + contents.len() as u64;
            let channel = channel.id.into();
            let letter = Letter { channel, invitation, contents, first_index, ask, part, ..Letter::default() };
            dispatch(tx, own, chat, None, &key, &letter, upto)?;
        }
        return Ok(Written::Letter);
    }
    let letter = Letter {
        channel: channel.id.into(),
        invitation,
        contents: items.iter().map(|item| Bytes::from(item.content.clone())).collect(),
        first_index: chat.letters,
        ask,
        part: channel.part,
        ..Letter::default()
    };
    let mut place = chat.letters;
    for item in items {
        let content = Content::decode(&item.content[..]).map_err(|_| ClientError::Bug("our own message"))?;
        messages::set_place(tx.db, chat.id, &content.id, channel.part, Place::Letter(place))?;
        outbox::remove(tx.db, item.n)?;
        place += 1;
    }
    chats::set_letters(tx.db, chat.id, place)?;
    dispatch(tx, own, chat, None, &key, &letter, place)?;
    let letters = content::Letters {
        peer: chat.peer.into(),
        contents: letter.contents,
        first_index: letter.first_index,
        part: channel.part,
    };
    sync::tell(tx, own, sync::Kind::Letters(letters))?;
    Ok(Written::Letter)
}

/// What we have said to somebody by letters, under its places, a letter each: whom we invite again may have had none of them.
fn said_before(tx: &Tx<'_>, own: &Own, chat: &Chat) -> Result<Vec<content::Letters>> {
    let mut letters: Vec<content::Letters> = Vec::new();
    let mut size = 0;
    for message in messages::by_letter(tx.db, chat.id, own.account, entrance::SAID_AGAIN_MAX)? {
        let Place::Letter(place) = message.place else { continue };
        size += message.encoded.len();
        let follows = |letter: &&mut content::Letters| {
            let next = letter.first_index + letter.contents.len() as u64;
            (letter.part, next) == (message.part, place) && size <= CONTENTS_BYTES_MAX
        };
        match letters.last_mut().filter(follows) {
            Some(letter) => letter.contents.push(message.encoded),
            None => {
                size = message.encoded.len();
                let (peer, contents) = (chat.peer.into(), vec![message.encoded]);
                letters.push(content::Letters { peer, contents, first_index: place, part: message.part });
            }
        }
    }
    Ok(letters)
}

/// The inbox key of an account, our own included: what its other devices can open.
fn inbox_key(tx: &Tx<'_>, own: &Own, account: AccountId, age: KeyAge) -> Result<Option<InboxKey>> {
    let list = if account == own.account { Some(own.list.clone()) } else { lists::of_contact(tx, account)? };
    let Some(list) = list else { return Ok(None) };
    let Some((week, key)) = contacts::inbox_key(tx.db, account)? else { return Ok(None) };
    let fresh = week >= Week(tx.now.day().week().0.saturating_sub(INBOX_KEY_FRESH_WEEKS));
    Ok(if fresh || age == KeyAge::Any { InboxKey::verify(&list, &key).ok() } else { None })
}

/// The day up to which the service is to keep a letter under way: the one that it was given at first, unless the letter
/// has waited too long, or got its day from a clock that was wrong, or from release 0.1, which used any day. The service
/// would never take such a one.
pub(crate) fn expiry_day(tx: &Tx<'_>, letter: &PendingLetter) -> Result<Day> {
    let today = me::today(tx.db, tx.now)?;
    let latest = today + limits::MESSAGE_DAYS_MAX;
    let is_of_a_fortnight = letter.expiry_day.0.is_multiple_of(limits::LETTER_DAYS_STEP);
    if is_of_a_fortnight && (today..=latest + limits::CLOCK_SKEW_DAYS).contains(&letter.expiry_day) {
        return Ok(letter.expiry_day);
    }
    let expiry_day = last_day(today);
    inbox::set_expiry_day(tx.db, letter.n, expiry_day)?;
    Ok(expiry_day)
}

/// Up to when a letter of today is kept: 17 to 30 days.
fn last_day(today: Day) -> Day {
    let latest = today + limits::MESSAGE_DAYS_MAX;
    Day(latest.0 - latest.0 % limits::LETTER_DAYS_STEP)
}

/// Takes entries of our inbox in, and tells up to which one we have it now. What is not a letter to us is passed over: the
/// service may not have such an inbox for whoever likes to fill it with noise. So are entries that we have had. But what is
/// sealed to a key that another of our devices is yet to tell us is kept.
pub(crate) fn take(tx: &mut Tx<'_>, own: &Own, entries: &[InboxEntry], open_from_ms: u64) -> Result<u64> {
    let secrets = secrets(tx)?;
    let mut cursor = me::load(tx.db)?.map_or(0, |me| me.inbox_cursor);
    let has_others = own.list.devices().len() > 1;
    evidence::forget_before(tx.db, Day(tx.now.day().0.saturating_sub(EVIDENCE_DAYS)))?;
    for entry in entries {
        if entry.seq <= cursor {
            continue;
        }
        if i64::try_from(entry.seq).is_err() {
            return Err(ClientError::Refused("it counts further than it can"));
        }
        if !take_sealed(tx, own, &secrets, &entry.sealed, open_from_ms)? && has_others {
            inbox::keep_sealed(tx.db, tx.now.day().week(), &entry.sealed)?;
        }
        cursor = entry.seq;
        me::set_inbox_cursor(tx.db, cursor)?;
    }
    Ok(cursor)
}

/// Takes in what could not be opened when it came, and may be opened by keys that another of our devices has told since.
pub(crate) fn take_kept(tx: &mut Tx<'_>, own: &Own, open_from_ms: u64) -> Result<()> {
    let secrets = secrets(tx)?;
    for (n, sealed) in inbox::sealed_before_keys(tx.db)? {
        if take_sealed(tx, own, &secrets, &sealed, open_from_ms)? {
            inbox::forget_sealed(tx.db, n)?;
        } else {
            inbox::set_tried(tx.db, n)?;
        }
    }
    Ok(())
}

fn secrets(tx: &Tx<'_>) -> Result<Vec<InboxSecret>> {
    Ok(inbox::keys(tx.db)?.iter().filter_map(|secret| InboxSecret::from_bytes(secret).ok()).collect())
}

/// Takes an entry of our inbox in. False: none of these opens it.
fn take_sealed(tx: &mut Tx<'_>, own: &Own, secrets: &[InboxSecret], sealed: &[u8], open_from_ms: u64) -> Result<bool> {
    let Ok(opened) = open(secrets, own.account, sealed) else {
        tracing::info!("an inbox entry that no key of ours opens was passed over");
        return Ok(false);
    };
    let Ok(letter) = read_letter(own.account, &opened) else {
        tracing::info!("an inbox entry that is no letter to us was passed over");
        return Ok(true);
    };
    match tx.attempt(|tx| receive(tx, own, letter, &opened, open_from_ms))? {
        Ok(()) => {}
        Err(ClientError::Letter) => tracing::info!("a letter that cannot be used was passed over"),
        Err(error) => return Err(error),
    }
    Ok(true)
}

fn receive(tx: &mut Tx<'_>, own: &Own, letter: VerifiedLetter, opened: &[u8], open_from_ms: u64) -> Result<()> {
    let (sender, device, letter) = letter.into_parts();
    let account = sender.account();
    let channel = ChannelId::try_from(&letter.channel[..]).map_err(|_| ClientError::Letter)?;
    if was_removed(tx, own, &sender, device)? {
        return Err(ClientError::Letter);
    }
    if let Some(way) = letter.group {
        return groups::invited(tx, own, &sender, channel, way);
    }
    if account == own.account {
        return from_ourselves(tx, own, &sender, device, channel, letter, open_from_ms);
    }
    let known = chats::with(tx.db, account)?;
    if let Some(chat) = known.as_ref().filter(|chat| chat.state == State::Blocked) {
        return Ok(evidence::keep_more(tx.db, chat.id, tx.now.day(), opened)?);
    }
    let says_something = letter.ask.is_some() || !letter.contents.is_empty();
    let is_known = known.is_some();
    let chat = match known {
        Some(chat) => chat,
        // Another device of ours had the invitation, and has not told us yet, or was removed before it could.
        None if letter.invitation.is_some() || (has_had_others(own) && says_something) => {
            contacts::put(tx.db, account, "")?;
            chats::load(tx.db, chats::insert(tx.db, account, State::Request)?)?
        }
        None => return Err(ClientError::Letter),
    };
    lists::learn(tx, own, &sender)?;
    let invites = letter.invitation.is_some();
    if let Some(invitation) = letter.invitation {
        contacts::put(tx.db, account, &name(&invitation.name))?;
        let way = Way { channel, inviter: inviter(own, &chat, channel, account, &invitation), invitation };
        let for_others = entrance::is_for_others(own, &way.invitation);
        if way.invitation.welcome.is_empty() {
            return Err(ClientError::Letter);
        }
        let taken = match entrance::consider(tx, own, &chat, way, open_from_ms) {
            // It leads nowhere: he may not have known of what we know. Whom we know says something all the same.
            Err(ClientError::Letter) if is_known => true,
            considered => considered?,
        };
        // Who began when he did not know of this device has written to us all the same.
        if !taken && !for_others && chat.state == State::Request {
            return Err(ClientError::Letter);
        }
    }
    if let Some(ask) = letter.ask {
        let chat = chats::load(tx.db, chat.id)?;
        let is_here = chat.channel.as_ref().is_some_and(|ours| ours.id == channel);
        let taken = is_here || ways::waits(tx.db, chat.id)?;
        if !invites || (chat.state == State::Open && !taken) {
            asks::heard(tx, own, &chat, &sender, device, &ask)?;
        } else if matches!(chat.state, State::Request | State::Invited) {
            asks::heard_early(tx, own, &chat, &sender, device, &ask, is_here)?;
        }
    }
    contents(tx, chat.id, account, letter.part, letter.first_index, &letter.contents, false)?;
    if chats::load(tx.db, chat.id)?.state == State::Request {
        evidence::keep(tx.db, chat.id, tx.now.day(), opened)?;
    }
    Ok(())
}

/// Whether the device that wrote was certainly removed before. What it wrote while it was on the list may come after we have heard
/// that it is not; but not after we have since read our inbox to its end. Whoever holds such a device goes on writing, with
/// the list of before: that list says nothing of when. What our own devices write leads somewhere, and no removed one is led.
fn was_removed(tx: &Tx<'_>, own: &Own, sender: &DeviceList, device: u32) -> Result<bool> {
    let judging = if sender.account() == own.account {
        lists::of_ourselves(tx)?
    } else {
        let Some(judging) = contacts::letters_by(tx.db, sender.account())? else { return Ok(false) };
        tx.verified.list(&judging).map_err(|_| DbError::Damaged)?
    };
    let key = |list: &DeviceList| list.device(device).map(|listed| listed.key);
    Ok(lists::newer(&judging, sender) && key(&judging) != key(sender))
}

/// What was here when our inbox began to be read. Once it is read to its end, all letters of before are here as well.
pub(crate) struct Before {
    /// Device lists by which letters are not judged yet.
    lists: Vec<(AccountId, Vec<u8>)>,
    /// The last message that waits for letters; zero: none does.
    waiting: i64,
}

impl Before {
    /// As it is now.
    pub(crate) fn reading(db: &Connection) -> Result<Self> {
        Ok(Self { lists: contacts::lists_to_judge_by(db)?, waiting: messages::last_waiting(db)? })
    }

    /// Whether to have read the inbox changes anything.
    pub(crate) fn matters(&self) -> bool {
        !self.lists.is_empty() || self.waiting > 0
    }

    /// The inbox was read to its end: by these lists letters are judged from now on, and nothing that was here waits for
    /// letters any more, which may have been refused, or never came to be sent. But for those that another key may open.
    pub(crate) fn was_read(self, tx: &Tx<'_>) -> Result<()> {
        for (account, list) in self.lists {
            contacts::set_letters_by(tx.db, account, &list)?;
        }
        if !inbox::keeps_sealed(tx.db)? {
            messages::wait_no_more(tx.db, self.waiting)?;
        }
        Ok(())
    }
}

/// Whether there are, or were, other devices of ours: one of them may know of somebody of whom we do not.
fn has_had_others(own: &Own) -> bool {
    own.list.next_device_number() > 2
}

/// Whose invitation a channel was in the beginning: a letter that leads into the one we have says nothing new of that.
fn inviter(own: &Own, chat: &Chat, channel: ChannelId, sender: AccountId, invitation: &Invitation) -> AccountId {
    match &chat.channel {
        Some(ours) if ours.id == channel => ours.inviter,
        _ if invitation.inviter[..] == own.account.as_bytes()[..] => own.account,
        _ => sender,
    }
}

/// A letter among our own devices: the way into the chat with oneself, or the wish for it.
fn from_ourselves(
    tx: &mut Tx<'_>,
    own: &Own,
    sender: &DeviceList,
    device: u32,
    channel: ChannelId,
    letter: Letter,
    open_from_ms: u64,
) -> Result<()> {
    lists::adopt(tx, own, sender, true)?;
    if device == own.device {
        return Ok(());
    }
    if let Some(invitation) = letter.invitation {
        let chat = sync::own_chat(tx, own)?;
        let way = Way { channel, inviter: own.account, invitation };
        entrance::consider(tx, own, &chat, way, open_from_ms)?;
    }
    if let Some(ask) = letter.ask {
        asks::heard_from_ours(tx, own, sender, device, &ask)?;
    }
    Ok(())
}

/// Takes in messages that came, or went, by letter.
pub(crate) fn contents(
    tx: &Tx<'_>,
    chat: i64,
    sender: AccountId,
    part: u32,
    first_index: u64,
    contents: &[Bytes],
    mine: bool,
) -> Result<()> {
    // Nobody writes so many letters.
    let first_index = u32::try_from(first_index).map_err(|_| ClientError::Letter)?;
    for (place, bytes) in (u64::from(first_index)..).zip(contents) {
        let Ok(content) = Content::decode(bytes.clone()) else { continue };
        let is_message = !matches!(content.kind, Some(kinds::Kind::Accepted(_) | kinds::Kind::Sync(_)));
        if MessageId::try_from(&content.id[..]).is_err() || !is_message {
            continue;
        }
        let (part, place) = compose::stands(&content, part, Place::Letter(place));
        let new = NewMessage {
            chat,
            sender,
            part,
            place,
            content: &content,
            encoded: bytes,
            shown: if mine { Shown::Yes } else { Shown::No },
            acked: true,
        };
        messages::insert(tx.db, &new)?;
    }
    Ok(())
}

/// Seals a letter that waits. None: the recipient's inbox key is to be fetched first.
pub(crate) fn seal_post(tx: &mut Tx<'_>, own: &Own, post: &Post, age: KeyAge) -> Result<Written> {
    let chat = chats::load(tx.db, post.chat)?;
    let recipient = post.recipient.unwrap_or(chat.peer);
    let key = match &post.seal_key {
        Some((week, key)) => InboxKey::vouched(*week, Bytes::copy_from_slice(key)).ok(),
        None => inbox_key(tx, own, recipient, age)?,
    };
    let Some(key) = key else { return Ok(Written::NeedsKey) };
    let letter = Letter::decode(&post.letter[..]).map_err(|_| crate::db::DbError::Damaged)?;
    inbox::remove_post(tx.db, post.n)?;
    dispatch(tx, own, &chat, post.recipient, &key, &letter, 0)?;
    Ok(Written::Letter)
}

/// Seals a letter and has it delivered.
fn dispatch(
    tx: &mut Tx<'_>,
    own: &Own,
    chat: &Chat,
    recipient: Option<AccountId>,
    key: &InboxKey,
    letter: &Letter,
    upto: u64,
) -> Result<()> {
    let account = recipient.unwrap_or(chat.peer);
    let content = write_letter(&own.list, own.device, &own.device_key, account, letter);
    let sealed = seal(account, key, &content, &mut tx.rng)?;
    let id = IdempotencyId::new(tx.random());
    let expiry_day = last_day(me::today(tx.db, tx.now)?);
    Ok(inbox::add_letter(tx.db, chat.id, recipient, id, &sealed, expiry_day, upto)?)
}

/// What somebody calls himself, cut to what a name may be.
pub(crate) fn name(name: &str) -> String {
    let mut short = String::new();
    for char in name.trim().chars().filter(|char| !char.is_control()) {
        if short.len() + char.len_utf8() > limits::NAME_BYTES_MAX {
            break;
        }
        short.push(char);
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_between_characters() {
        assert_eq!(name(" Bo\u{7}\n "), "Bo");
        assert_eq!(name(&"ü".repeat(100)).len(), 128);
        assert_eq!(name(&format!("a{}", "ü".repeat(100))).len(), 127);
    }
}
