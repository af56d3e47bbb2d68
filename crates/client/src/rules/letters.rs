//! Letters: what is written to somebody before he has accepted, and what others write so to us.

use bytes::Bytes;
use undertone_credentials::{DeviceList, InboxKey};
use undertone_e2ee::{
    Chat as Mls, E2eeError, InboxSecret, Lists, VerifiedLetter, open, read_letter, seal, write_letter,
};
use undertone_wire::Message as _;
use undertone_wire::{
    AccountId, ChannelId, Day, IdempotencyId, MessageId, Position, Week,
    account::InboxEntry,
    content::{Content, Invitation, Letter, content},
    limits,
};

use crate::{
    ClientError, Result,
    db::{
        attempt,
        chats::{self, Chat, State},
        contacts,
        inbox::{self, PendingLetter},
        me,
        messages::{self, Place},
        outbox,
    },
    own::Own,
    rules::{begin, compose},
    state::{MlsStore, Tx},
};

/// Bytes of messages in one letter: with an invitation they fit the largest bucket.
const CONTENTS_BYTES_MAX: usize = 96 << 10;
/// An inbox key older than this is fetched anew before more is sealed to it.
const INBOX_KEY_FRESH_WEEKS: u32 = 2;

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
    let items: Vec<_> = items.iter().take_while(fits).collect();
    if items.is_empty() && invitation.is_none() {
        return Ok(Written::Nothing);
    }
    let Some(key) = inbox_key(tx, chat.peer, age)? else { return Ok(Written::NeedsKey) };

    let letter = Letter {
        channel: channel.id.into(),
        invitation,
        contents: items.iter().map(|item| Bytes::from(item.content.clone())).collect(),
        first_index: chat.letters,
    };
    let content = write_letter(&own.list, own.device, &own.device_key, chat.peer, &letter);
    let sealed = seal(chat.peer, &key, &content, &mut tx.rng)?;
    let mut place = chat.letters;
    for item in items {
        let content = Content::decode(&item.content[..]).map_err(|_| ClientError::Bug("our own message"))?;
        messages::set_place(tx.db, chat.id, &content.id, Place::Letter(place))?;
        outbox::remove(tx.db, item.n)?;
        place += 1;
    }
    chats::set_letters(tx.db, chat.id, place)?;
    let id = IdempotencyId::new(tx.random());
    let expiry_day = tx.now.day() + limits::MESSAGE_DAYS_MAX;
    inbox::add_letter(tx.db, chat.id, id, &sealed, expiry_day, place)?;
    Ok(Written::Letter)
}

fn inbox_key(tx: &Tx<'_>, account: AccountId, age: KeyAge) -> Result<Option<InboxKey>> {
    let Some(list) = begin::device_list(tx, account)? else { return Ok(None) };
    let Some((week, key)) = contacts::inbox_key(tx.db, account)? else { return Ok(None) };
    let fresh = week >= Week(tx.now.day().week().0.saturating_sub(INBOX_KEY_FRESH_WEEKS));
    Ok(if fresh || age == KeyAge::Any { InboxKey::verify(&list, &key).ok() } else { None })
}

/// The day up to which the service is to keep a letter under way: the one that it was given at first, unless the letter
/// has waited too long, or got its day from a clock that was wrong. The service would never take such a one.
pub(crate) fn expiry_day(tx: &Tx<'_>, letter: &PendingLetter) -> Result<Day> {
    let today = tx.now.day();
    let latest = today + limits::MESSAGE_DAYS_MAX;
    if (today..=latest + limits::CLOCK_SKEW_DAYS).contains(&letter.expiry_day) {
        return Ok(letter.expiry_day);
    }
    inbox::set_expiry_day(tx.db, letter.n, latest)?;
    Ok(latest)
}

/// Takes entries of our inbox in, and tells up to which one we have it now. What is not a letter to us is passed over: the
/// service may not have such an inbox for whoever likes to fill it with noise. So are entries that we have had.
pub(crate) fn take(tx: &mut Tx<'_>, own: &Own, entries: &[InboxEntry], open_from_ms: u64) -> Result<u64> {
    let secrets: Vec<InboxSecret> =
        inbox::keys(tx.db)?.iter().filter_map(|secret| InboxSecret::from_bytes(secret).ok()).collect();
    let mut cursor = me::load(tx.db)?.map_or(0, |me| me.inbox_cursor);
    for entry in entries {
        if entry.seq <= cursor {
            continue;
        }
        if i64::try_from(entry.seq).is_err() {
            return Err(ClientError::Refused("it counts further than it can"));
        }
        let letter = open(&secrets, own.account, &entry.sealed).and_then(|content| read_letter(own.account, &content));
        match letter {
            Ok(letter) => {
                let db = tx.db;
                match attempt(db, || receive(tx, own, letter, open_from_ms))? {
                    Ok(()) => {}
                    Err(ClientError::Letter) => tracing::info!("a letter that cannot be used was passed over"),
                    Err(error) => return Err(error),
                }
            }
            Err(_) => tracing::info!("an inbox entry that is no letter to us was passed over"),
        }
        cursor = entry.seq;
        me::set_inbox_cursor(tx.db, cursor)?;
    }
    Ok(cursor)
}

fn receive(tx: &mut Tx<'_>, own: &Own, letter: VerifiedLetter, open_from_ms: u64) -> Result<()> {
    let (sender, _, letter) = letter.into_parts();
    let account = sender.account();
    if account == own.account {
        return Err(ClientError::Letter);
    }
    let known = chats::with(tx.db, account)?;
    if known.as_ref().is_some_and(|chat| chat.state == State::Blocked) {
        return Ok(());
    }
    let channel = ChannelId::try_from(&letter.channel[..]).map_err(|_| ClientError::Letter)?;
    let chat = match (&letter.invitation, known) {
        (None, None) => return Err(ClientError::Letter),
        (None, Some(chat)) => chat,
        (Some(invitation), known) => {
            contacts::put(tx.db, account, &name(&invitation.name))?;
            begin::keep_list(tx, &sender)?;
            match known {
                None => {
                    let id = chats::insert(tx.db, account, State::Request)?;
                    join(tx, own, id, channel, &sender, invitation)?;
                    chats::load(tx.db, id)?
                }
                Some(chat) => {
                    meet(tx, own, &chat, channel, &sender, invitation, open_from_ms)?;
                    chats::load(tx.db, chat.id)?
                }
            }
        }
    };
    // Nobody writes so many letters.
    let first_index = u32::try_from(letter.first_index).map_err(|_| ClientError::Letter)?;
    for (place, bytes) in (u64::from(first_index)..).zip(&letter.contents) {
        let Ok(content) = Content::decode(bytes.clone()) else { continue };
        if MessageId::try_from(&content.id[..]).is_err() || matches!(content.kind, Some(content::Kind::Accepted(_))) {
            continue;
        }
        messages::insert(tx.db, chat.id, account, Place::Letter(place), &content, bytes, false)?;
    }
    Ok(())
}

/// An invitation from somebody whom we were about to write to ourselves.
///
/// Both wanted to talk, so nobody is asked. The channel of the smaller account id goes on; who comes to the other's
/// channel says so there, and till then the other's messages come by letter.
fn meet(
    tx: &mut Tx<'_>,
    own: &Own,
    chat: &Chat,
    channel: ChannelId,
    sender: &DeviceList,
    invitation: &Invitation,
    open_from_ms: u64,
) -> Result<()> {
    let theirs_goes_on = match chat.state {
        State::New => true,
        State::Invited => sender.account() < own.account,
        State::Request | State::Open | State::Blocked => false,
    };
    if theirs_goes_on {
        join(tx, own, chat.id, channel, sender, invitation)?;
        compose::open(tx, own, &chats::load(tx.db, chat.id)?, open_from_ms)?;
    }
    Ok(())
}

fn join(
    tx: &mut Tx<'_>,
    own: &Own,
    chat: i64,
    channel: ChannelId,
    sender: &DeviceList,
    invitation: &Invitation,
) -> Result<()> {
    let secret: [u8; 32] = invitation.generation_secret[..].try_into().map_err(|_| ClientError::Letter)?;
    // We read a log from its beginning, so that is where an invitation has to lead.
    let (position, generation) = (Position::default(), 0);
    let begins = Position { incarnation: invitation.incarnation, epoch: invitation.epoch } == position
        && invitation.generation == generation;
    if !begins || chats::on_channel(tx.db, channel)?.is_some() {
        return Err(ClientError::Letter);
    }
    let store = MlsStore(tx.db);
    let lists = Lists::from_iter([&own.list, sender]);
    match Mls::join(&own.me(&store, tx.rng), channel, &invitation.welcome, &invitation.tree, &lists) {
        Ok(_) => {}
        Err(E2eeError::Storage) => return Err(E2eeError::Storage.into()),
        Err(_) => return Err(ClientError::Letter),
    }
    chats::set_channel(tx.db, chat, channel, position, generation, &secret)?;
    Ok(())
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
