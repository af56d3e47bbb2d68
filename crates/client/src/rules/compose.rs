//! From what a person types to what is in the outbox.

use undertone_wire::Message as _;
use undertone_wire::{
    AccountId, MessageId,
    channel::EntryKind,
    content::{Accepted, Content, Said, Text, content},
    limits,
    link::Link,
};

use crate::{
    ClientError, Result,
    db::{
        chats::{self, Chat, State},
        contacts, directory, evidence, inbox, me, messages,
        messages::{NewMessage, Place, Shown, StoredMessage},
        outbox,
    },
    own::Own,
    rules::{groups, profiles, sync},
    state::Tx,
    view,
};

/// Whom a person means: by name, by what the address book calls him or finds him by, by contact link, or by account id.
/// Where several go by a name, those count with whom there is a chat in a state that `meant` names, and those whom we call so
/// ourselves: a stranger may call himself as a friend of ours does.
///
/// # Errors
/// When it is nobody, or one of several.
pub(crate) fn whom(tx: &Tx<'_>, own: &Own, who: &str, meant: fn(State) -> bool) -> Result<AccountId> {
    if who.contains('#') || who.contains(':') {
        let link = Link::parse(who)?;
        if link.pin != own.link.pin {
            return Err(ClientError::OtherService);
        }
        return link.account.ok_or(ClientError::WrongLink { found: "service", expected: "person" });
    }
    let mut named = contacts::by_name(tx.db, who)?;
    if own.name == who {
        named.push(own.account);
    }
    let found = directory::accounts_of(tx.db, who)?;
    named.extend(found.iter().filter(|account| !named.contains(account)).copied().collect::<Vec<_>>());
    if named.len() > 1 {
        let mut likely = Vec::new();
        for account in &named {
            let state = if *account == own.account { Some(State::Open) } else { state_of(tx, *account)? };
            if state.map_or_else(|| found.contains(account), meant) {
                likely.push(*account);
            }
        }
        if !likely.is_empty() {
            named = likely;
        }
    }
    match named[..] {
        [account] => Ok(account),
        [] => AccountId::from_hex(who).map_err(|_| ClientError::UnknownName(who.to_owned())),
        _ => Err(ClientError::AmbiguousName(who.to_owned())),
    }
}

/// The same, or a group, by its title or id.
fn meant(tx: &Tx<'_>, own: &Own, who: &str, meant: fn(State) -> bool) -> Result<AccountId> {
    match (groups::named(tx, who)?, whom(tx, own, who, meant)) {
        (Some(_), Ok(account)) if account.to_hex() != who => Err(ClientError::AmbiguousName(who.to_owned())),
        (Some(group), _) => Ok(group),
        (None, whom) => whom,
    }
}

/// Any chat, by what it is called.
///
/// # Errors
/// When there is none.
pub(crate) fn any(tx: &Tx<'_>, own: &Own, who: &str) -> Result<Chat> {
    let peer = meant(tx, own, who, is_company)?;
    chats::with(tx.db, peer)?.ok_or_else(|| ClientError::UnknownName(who.to_owned()))
}

fn state_of(tx: &Tx<'_>, account: AccountId) -> Result<Option<State>> {
    Ok(chats::with(tx.db, account)?.map(|chat| chat.state))
}

/// Somebody to talk to.
pub(crate) fn is_company(state: State) -> bool {
    matches!(state, State::New | State::Invited | State::Open)
}

/// The chat with somebody, as it is.
///
/// # Errors
/// When there is none.
pub(crate) fn existing(tx: &Tx<'_>, own: &Own, who: &str, meant: fn(State) -> bool) -> Result<Chat> {
    let account = whom(tx, own, who, meant)?;
    chats::with(tx.db, account)?.filter(|chat| !chat.is_group).ok_or_else(|| ClientError::UnknownName(who.to_owned()))
}

/// Puts a text into the outbox, and into our history, unless it is there.
///
/// # Errors
/// When the chat cannot take it, or the text is none that can be sent.
pub(crate) fn text(tx: &Tx<'_>, own: &Own, id: MessageId, who: &str, body: &str) -> Result<Chat> {
    match body.len() {
        0 => return Err(ClientError::EmptyText),
        length if length > limits::TEXT_BYTES_MAX => return Err(ClientError::TextTooLong(length)),
        _ => {}
    }
    me::load(tx.db)?.ok_or(ClientError::NotRegistered)?.standing.check()?;
    let peer = meant(tx, own, who, is_company)?;
    let chat = match chats::with(tx.db, peer)? {
        Some(chat) => chat,
        None => {
            // Until he says himself what he is called.
            contacts::put(tx.db, peer, &directory::contact_of(tx.db, peer)?.unwrap_or_default())?;
            let id = chats::insert(tx.db, peer, State::New)?;
            chats::load(tx.db, id)?
        }
    };
    if messages::has(tx.db, chat.id, id)? {
        return Ok(chat);
    }
    if chat.is_group {
        groups::check_post(tx, own, &chat)?;
    }
    match chat.state {
        State::Request => return Err(ClientError::RequestWaits),
        State::Blocked => return Err(ClientError::Blocked),
        State::New | State::Invited | State::Open | State::Out => {}
    }
    if let Some(trouble) = view::trouble(chat.trouble).filter(|_| !view::mends_itself(chat.trouble)) {
        return Err(ClientError::Trouble(trouble));
    }
    let kind = content::Kind::Text(Text { body: body.to_owned() });
    let content = content(tx, id, kind);
    let encoded = content.encode_to_vec();
    messages::insert(
        tx.db,
        &NewMessage {
            chat: chat.id,
            sender: own.account,
            part: 0,
            place: Place::Pending,
            content: &content,
            encoded: &encoded,
            shown: Shown::Yes,
            acked: false,
        },
    )?;
    outbox::push(tx.db, chat.id, EntryKind::Message, &encoded)?;
    Ok(chat)
}

/// Says yes to a request: from now on we may write, and the other learns it by the first thing that we write.
///
/// `open_from_ms`: not before this is the channel touched.
///
/// # Errors
/// When there is no such request.
pub(crate) fn accept(tx: &mut Tx<'_>, own: &Own, who: &str, open_from_ms: u64) -> Result<AccountId> {
    let chat = existing(tx, own, who, |state| !is_company(state))?;
    match (chat.state, &chat.channel) {
        (State::Request, _) => open(tx, own, &chat, open_from_ms)?,
        // Blocked before it was accepted, or after: the channel tells which, for only an open one was ever read.
        (State::Blocked, Some(_)) => open(tx, own, &chat, open_from_ms)?,
        (State::Blocked, None) => {
            chats::set_state(tx.db, chat.id, State::New)?;
            sync::tell_standing(tx, own, chat.peer)?;
        }
        (State::New | State::Invited | State::Open | State::Out, _) => return Err(ClientError::NoRequest),
    }
    Ok(chat.peer)
}

/// Opens a chat that we were invited to, and tells the other so.
pub(crate) fn open(tx: &mut Tx<'_>, own: &Own, chat: &Chat, open_from_ms: u64) -> Result<()> {
    chats::set_state(tx.db, chat.id, State::Open)?;
    evidence::forget(tx.db, chat.id)?;
    chats::set_open_from(tx.db, chat.id, open_from_ms)?;
    sync::tell_standing(tx, own, chat.peer)?;
    let id = MessageId::new(tx.random());
    let accepted = content(tx, id, content::Kind::Accepted(Accepted { name: own.name.clone() }));
    outbox::push(tx.db, chat.id, EntryKind::Message, &accepted.encode_to_vec())?;
    if chat.channel.is_none() {
        // Another device of ours got the invitation: it lets us in.
        chats::set_trouble(tx.db, chat.id, chats::Trouble::Lost)?;
    }
    Ok(())
}

/// Hears nothing of somebody any more, and sends nothing that waits for him.
///
/// # Errors
/// When there is no such chat.
pub(crate) fn block(tx: &mut Tx<'_>, own: &Own, who: &str) -> Result<AccountId> {
    // Two of one name are not told apart by a guess: who is blocked by mistake does not know why nobody answers.
    let chat = existing(tx, own, who, |_| true)?;
    if chat.peer == own.account {
        return Err(ClientError::NoRequest);
    }
    profiles::blocked(tx, own, &chat)?;
    chats::set_state(tx.db, chat.id, State::Blocked)?;
    outbox::clear(tx.db, chat.id)?;
    inbox::forget_letters(tx.db, chat.id)?;
    sync::tell_standing(tx, own, chat.peer)?;
    Ok(chat.peer)
}

/// Says something again, before all that waits, of which the other may never have come to where it stands.
pub(crate) fn say_again(tx: &Tx<'_>, message: &StoredMessage) -> Result<()> {
    let Place::Log(seq) = message.place else { return Ok(()) };
    let said = message.content.said.or(Some(Said { part: message.part, seq }));
    let content = Content { said, ..message.content.clone() };
    Ok(outbox::push_front(tx.db, message.chat, &content.encode_to_vec())?)
}

/// Where a message stands: where it came, or where it was said before.
pub(crate) fn stands(content: &Content, part: u32, place: Place) -> (u32, Place) {
    match &content.said {
        Some(said) if said.part <= part && i64::try_from(said.seq).is_ok() => (said.part, Place::Log(said.seq)),
        _ => (part, place),
    }
}

pub(crate) fn content(tx: &Tx<'_>, id: MessageId, kind: content::Kind) -> Content {
    Content { id: id.into(), sent_at_ms: tx.now.0, kind: Some(kind), ..Content::default() }
}
