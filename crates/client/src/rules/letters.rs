//! Letters: what is written to somebody before he has accepted, and what others write so to us.

use bytes::Bytes;
use undertone_credentials::{DeviceList, InboxKey};
use undertone_e2ee::{
    Chat as Mls, E2eeError, InboxSecret, Lists, VerifiedLetter, open, read_letter, seal, write_letter,
};
use undertone_wire::Message as _;
use undertone_wire::{
    AccountId, ChannelId, IdempotencyId, MessageId, Position, Week,
    account::InboxEntry,
    content::{Content, Invitation, Letter, content},
    limits,
};

use crate::{
    ClientError, Result,
    db::{
        attempt,
        chats::{self, Chat, State},
        contacts, inbox, me,
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

/// What a letter of ours needs first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It waits to be delivered; or there was nothing to write.
    Yes,
    /// The inbox key that we have is too old: fetch it.
    NeedsKey,
}

/// Puts what waits in a chat's outbox into a letter.
pub(crate) fn write(tx: &mut Tx<'_>, own: &Own, chat: &Chat, invitation: Option<Invitation>) -> Result<Written> {
    let Some(channel) = &chat.channel else { return Ok(Written::Yes) };
    let items = outbox::first(tx.db, chat.id, limits::APPEND_ENTRIES_MAX)?;
    let mut size = 0;
    let fits = |item: &&outbox::Item| {
        size += item.content.len();
        size <= CONTENTS_BYTES_MAX || size == item.content.len()
    };
    let items: Vec<_> = items.iter().take_while(fits).collect();
    if items.is_empty() && invitation.is_none() {
        return Ok(Written::Yes);
    }
    let Some(key) = inbox_key(tx, chat.peer)? else { return Ok(Written::NeedsKey) };

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
    Ok(Written::Yes)
}

fn inbox_key(tx: &Tx<'_>, account: AccountId) -> Result<Option<InboxKey>> {
    let Some(list) = begin::device_list(tx, account)? else { return Ok(None) };
    let Some((week, key)) = contacts::inbox_key(tx.db, account)? else { return Ok(None) };
    let fresh = week >= Week(tx.now.day().week().0.saturating_sub(INBOX_KEY_FRESH_WEEKS));
    Ok(if fresh { InboxKey::verify(&list, &key).ok() } else { None })
}

/// Takes entries of our inbox in. What is not a letter to us is passed over: the service may not have such an inbox for
/// whoever likes to fill it with noise.
pub(crate) fn take(tx: &mut Tx<'_>, own: &Own, entries: &[InboxEntry], open_from_ms: u64) -> Result<()> {
    let secrets: Vec<InboxSecret> =
        inbox::keys(tx.db)?.iter().filter_map(|secret| InboxSecret::from_bytes(secret).ok()).collect();
    for entry in entries {
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
        me::set_inbox_cursor(tx.db, entry.seq)?;
    }
    Ok(())
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
    for (place, bytes) in (letter.first_index..).zip(&letter.contents) {
        let Ok(content) = Content::decode(bytes.clone()) else { continue };
        if MessageId::try_from(&content.id[..]).is_err() || matches!(content.kind, Some(content::Kind::Accepted(_))) {
            continue;
        }
        messages::insert(tx.db, chat.id, account, Place::Letter(place), &content, false)?;
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
    if chats::on_channel(tx.db, channel)?.is_some() {
        return Err(ClientError::Letter);
    }
    let store = MlsStore(tx.db);
    let lists = Lists::from_iter([&own.list, sender]);
    match Mls::join(&own.me(&store, tx.rng), channel, &invitation.welcome, &invitation.tree, &lists) {
        Ok(_) => {}
        Err(E2eeError::Storage) => return Err(E2eeError::Storage.into()),
        Err(_) => return Err(ClientError::Letter),
    }
    let position = Position { incarnation: invitation.incarnation, epoch: invitation.epoch };
    chats::set_channel(tx.db, chat, channel, position, invitation.generation, &secret)?;
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
