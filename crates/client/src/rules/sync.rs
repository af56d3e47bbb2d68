//! What a person's own devices tell each other, in the chat with oneself.
//!
//! Its log puts what they say into one order, so that all come to the same. Nothing in it is shown; it is never put into
//! a letter. Where there is only one device, nobody is told anything.

use bytes::Bytes;
use undertone_credentials::{DeviceList, IdentityKey, KeyPackage};
use undertone_e2ee::InboxSecret;
use undertone_wire::{
    AccountId, ChannelId, Message as _, MessageId,
    channel::EntryKind,
    content::{self, Asked, Content, History, Invitation, Joined, Past, Shared, Standing, Sync, past, standing},
};

pub(crate) use undertone_wire::content::sync::Kind;

use crate::{
    ClientError, Result,
    db::{
        chats::{self, Chat, State, Trouble},
        contacts, inbox, me, members,
        messages::{self, NewMessage, Place, Shown},
        outbox,
    },
    own::Own,
    rules::{
        asks, compose,
        entrance::{self, Way},
        groups, letters, lists, profiles, receipts,
    },
    state::Tx,
};

/// Messages and bytes of history in one entry of the log.
const HISTORY_MESSAGES: u32 = 200;
const HISTORY_BYTES: usize = 40 << 10;

/// The chat with ourselves, which is made if there is none.
pub(crate) fn own_chat(tx: &Tx<'_>, own: &Own) -> Result<Chat> {
    if let Some(chat) = chats::with(tx.db, own.account)? {
        return Ok(chat);
    }
    contacts::put(tx.db, own.account, "")?;
    let id = chats::insert(tx.db, own.account, State::New)?;
    Ok(chats::load(tx.db, id)?)
}

/// Tells our other devices, if there are any.
pub(crate) fn tell(tx: &mut Tx<'_>, own: &Own, kind: Kind) -> Result<()> {
    if lists::of_ourselves(tx)?.devices().len() < 2 {
        return Ok(());
    }
    let chat = own_chat(tx, own)?;
    let id = MessageId::new(tx.random());
    let content = compose::content(tx, id, content::content::Kind::Sync(Sync { kind: Some(kind) }));
    outbox::push(tx.db, chat.id, EntryKind::Message, &content.encode_to_vec())?;
    Ok(())
}

/// Tells how we stand with somebody.
pub(crate) fn tell_standing(tx: &mut Tx<'_>, own: &Own, peer: AccountId) -> Result<()> {
    if peer == own.account {
        return Ok(());
    }
    let standing = standing(tx, peer)?;
    tell(tx, own, Kind::Standing(standing))
}

/// Tells of a chat; with the way in, for those who were added to it just now.
pub(crate) fn tell_joined(tx: &mut Tx<'_>, own: &Own, chat: &Chat, invitation: Option<&Invitation>) -> Result<()> {
    let channel = chat.channel()?;
    let joined = Joined {
        peer: chat.peer.into(),
        channel: channel.id.into(),
        invitation: Some(match invitation {
            Some(invitation) => invitation.clone(),
            None => Invitation { part: channel.part, ..Invitation::default() },
        }),
        inviter: channel.inviter.into(),
        standing: Some(standing(tx, chat.peer)?),
    };
    tell(tx, own, Kind::Joined(joined))
}

/// How we stand with somebody, as it is told and kept.
pub(crate) fn standing(tx: &Tx<'_>, peer: AccountId) -> Result<Standing> {
    let state = match chats::with(tx.db, peer)?.map(|chat| chat.state) {
        Some(State::New) => standing::State::New,
        Some(State::Invited) => standing::State::Invited,
        Some(State::Request) => standing::State::Request,
        Some(State::Open) => standing::State::Open,
        Some(State::Blocked) => standing::State::Blocked,
        Some(State::Out) | None => standing::State::Unspecified,
    };
    Ok(Standing {
        peer: peer.into(),
        name: contacts::written_name(tx.db, peer)?,
        state: state.into(),
        device_list: contacts::device_list(tx.db, peer)?.unwrap_or_default(),
        profile_key: profiles::key_of(tx, peer)?,
    })
}

/// Tells up to where the person has read a chat, if that has changed. True: there is something to send.
pub(crate) fn tell_read(tx: &mut Tx<'_>, own: &Own, chat: i64) -> Result<bool> {
    let Some((n, message)) = messages::read_untold(tx.db, chat, own.account)? else { return Ok(false) };
    let peer = chats::load(tx.db, chat)?.peer;
    tell(tx, own, Kind::Read(content::Read { peer: peer.into(), message: message.into() }))?;
    messages::set_read_told(tx.db, chat, n)?;
    Ok(true)
}

/// The same of all chats.
pub(crate) fn tell_all_read(tx: &mut Tx<'_>, own: &Own) -> Result<()> {
    for chat in chats::ids(tx.db)? {
        tell_read(tx, own, chat)?;
    }
    Ok(())
}

/// Asks our other devices for what of a chat cannot be read here any more; of the chat with ourselves, for all that it may
/// have brought.
pub(crate) fn ask_history(tx: &mut Tx<'_>, own: &Own, chat: &Chat) -> Result<()> {
    let peer = if chat.peer == own.account { Bytes::new() } else { chat.peer.into() };
    tell(tx, own, Kind::Asked(Asked { peer, history: true, device: own.device, ask: None }))
}

/// Takes in what another of our devices tells. What makes no sense is passed over.
pub(crate) fn hear(tx: &mut Tx<'_>, own: &Own, from: u32, sync: Sync) -> Result<()> {
    match tx.attempt(|tx| take(tx, own, from, sync))? {
        Err(ClientError::Letter | ClientError::E2ee(_)) => {
            tracing::info!("what another device told makes no sense and was passed over");
            Ok(())
        }
        outcome => outcome,
    }
}

fn take(tx: &mut Tx<'_>, own: &Own, from: u32, sync: Sync) -> Result<()> {
    match sync.kind {
        Some(Kind::Joined(joined)) => take_joined(tx, own, joined),
        Some(Kind::Standing(standing)) => take_standing(tx, own, &standing).map(drop),
        Some(Kind::Letters(letters)) => {
            let chat = chat_with(tx, &letters.peer)?;
            let (part, first) = (letters.part, letters.first_index);
            letters::contents(tx, chat.id, own.account, part, first, &letters.contents, true)?;
            let after = first.saturating_add(letters.contents.len() as u64);
            Ok(chats::set_letters(tx.db, chat.id, chat.letters.max(after.min(u32::MAX.into())))?)
        }
        Some(Kind::History(history)) if history.device == own.device => take_history(tx, &history),
        Some(Kind::Shared(shared)) => take_shared(tx, own, &shared),
        Some(Kind::Settings(settings)) => receipts::hear_settings(tx, own, &settings),
        Some(Kind::Card(card)) => {
            if KeyPackage::verify(&own.list, &card.key_package).is_ok_and(|package| package.device() == from) {
                members::put_card(tx.db, from, &card.key_package)?;
                chats::all_owe(tx.db)?;
            }
            Ok(())
        }
        Some(Kind::Group(known)) => groups::hear(tx, own, &known),
        Some(Kind::Asked(asked)) if asked.device == from => take_asked(tx, own, &asked),
        Some(Kind::Read(read)) => {
            let chat = chat_with(tx, &read.peer)?;
            let message = MessageId::try_from(&read.message[..]).map_err(|_| ClientError::Letter)?;
            Ok(messages::set_shown_up_to(tx.db, chat.id, message)?)
        }
        _ => Ok(()),
    }
}

fn account(bytes: &[u8]) -> Result<AccountId> {
    AccountId::try_from(bytes).map_err(|_| ClientError::Letter)
}

fn chat_with(tx: &Tx<'_>, peer: &[u8]) -> Result<Chat> {
    chats::with(tx.db, account(peer)?)?.ok_or(ClientError::Letter)
}

/// A chat that another device is in. Without a way in, it is one that we should have, and ask for if we have not.
fn take_joined(tx: &mut Tx<'_>, own: &Own, joined: Joined) -> Result<()> {
    let channel = ChannelId::try_from(&joined.channel[..]).map_err(|_| ClientError::Letter)?;
    let standing = joined.standing.ok_or(ClientError::Letter)?;
    let chat = take_standing(tx, own, &standing)?;
    let way = Way { channel, inviter: account(&joined.inviter)?, invitation: joined.invitation.unwrap_or_default() };
    if way.invitation.welcome.is_empty() && !chat.is_read() {
        let lacks = chat.channel.as_ref().is_none_or(|ours| way.precedence() > ours.precedence());
        if lacks && chat.state == State::Open && chat.trouble == Trouble::None {
            chats::set_trouble(tx.db, chat.id, Trouble::Lost)?;
        }
        return Ok(());
    }
    let asks = chat.state == State::Open && !chat.trouble.is_proven();
    match entrance::consider(tx, own, &chat, way, 0) {
        // Another device of ours is there, and we were not let in.
        Ok(false) | Err(ClientError::Letter) if asks => Ok(chats::set_trouble(tx.db, chat.id, Trouble::Lost)?),
        considered => considered.map(drop),
    }
}

/// How we stand with somebody, as another device says; what was said last counts.
pub(crate) fn take_standing(tx: &mut Tx<'_>, own: &Own, standing: &Standing) -> Result<Chat> {
    let peer = account(&standing.peer)?;
    if peer == own.account {
        return own_chat(tx, own);
    }
    contacts::put(tx.db, peer, &letters::name(&standing.name))?;
    if let Ok(list) = tx.verified.list(&standing.device_list)
        && list.account() == peer
    {
        lists::learn(tx, own, &list)?;
    }
    if let Some(key) = &standing.profile_key {
        profiles::heard(tx, peer, key)?;
    }
    let state = match standing.state() {
        standing::State::Invited => State::Invited,
        standing::State::Request => State::Request,
        standing::State::Open => State::Open,
        standing::State::Blocked => State::Blocked,
        standing::State::New => State::New,
        standing::State::Unspecified => return Err(ClientError::Letter),
    };
    let before = chats::with(tx.db, peer)?;
    let opens = before.as_ref().is_none_or(|chat| chat.state != State::Open);
    let chat = match before {
        None => chats::load(tx.db, chats::insert(tx.db, peer, state)?)?,
        Some(chat) => {
            // From what was accepted nobody goes back to waiting, nor from what was begun to the time before.
            let back = match state {
                State::New => chat.state != State::Blocked,
                State::Invited | State::Request => chat.state == State::Open,
                State::Open | State::Blocked | State::Out => false,
            };
            if !back {
                chats::set_state(tx.db, chat.id, state)?;
            }
            if state == State::Blocked {
                outbox::clear(tx.db, chat.id)?;
                inbox::forget_letters(tx.db, chat.id)?;
            }
            chats::load(tx.db, chat.id)?
        }
    };
    if opens && chat.state == State::Open && chat.channel.is_none() {
        // The way there may be on its way to us: before we ask for one, it has its time.
        chats::set_asked(tx.db, chat.id, tx.now.0)?;
        return Ok(chats::load(tx.db, chat.id)?);
    }
    Ok(chat)
}

fn take_history(tx: &Tx<'_>, history: &History) -> Result<()> {
    let chat = chat_with(tx, &history.peer)?;
    for past in &history.messages {
        let Ok(content) = Content::decode(past.content.clone()) else { continue };
        let place = match past.place {
            Some(past::Place::Letter(letter)) => Place::Letter(letter),
            Some(past::Place::Seq(seq)) => Place::Log(seq),
            None => continue,
        };
        if MessageId::try_from(&content.id[..]).is_err() {
            continue;
        }
        messages::insert(
            tx.db,
            &NewMessage {
                chat: chat.id,
                sender: account(&past.sender)?,
                part: past.part,
                place,
                content: &content,
                encoded: &past.content,
                shown: if past.unseen { Shown::Elsewhere } else { Shown::Yes },
                acked: true,
            },
        )?;
    }
    Ok(chats::clear_missed(tx.db, chat.id)?)
}

/// Keys that all our devices hold.
pub(crate) fn take_shared(tx: &mut Tx<'_>, own: &Own, shared: &Shared) -> Result<()> {
    let list = tx.verified.list(&shared.device_list).map_err(|_| ClientError::Letter)?;
    lists::adopt(tx, own, &list, true)?;
    let list = lists::of_ourselves(tx)?;
    let seed: [u8; 32] = shared.identity_seed[..].try_into().map_err(|_| ClientError::Letter)?;
    if IdentityKey::from_seed(&seed).public() != *list.identity() {
        return Err(ClientError::Letter);
    }
    me::set_identity(tx.db, &seed)?;
    if let Ok(key) = shared.vault_key[..].try_into() {
        me::set_vault_key(tx.db, key)?;
    }
    for bytes in &shared.inbox_secrets {
        let secret = InboxSecret::from_bytes(bytes).map_err(|_| ClientError::Letter)?;
        inbox::put_key(tx.db, secret.week(), bytes)?;
    }
    profiles::hear_ours(tx, shared)?;
    take_cards(tx, own.device, &list, &shared.cards)
}

/// Key packages of our other devices, where we have none yet: each tells its newest itself.
pub(crate) fn take_cards(tx: &Tx<'_>, device: u32, list: &DeviceList, cards: &[Bytes]) -> Result<()> {
    let known = members::cards(tx.db)?;
    for card in cards {
        let Ok(package) = KeyPackage::verify(list, card) else { continue };
        if package.device() != device && known.iter().all(|(known, _)| *known != package.device()) {
            members::put_card(tx.db, package.device(), card)?;
        }
    }
    Ok(())
}

/// What all our devices hold.
pub(crate) fn shared(tx: &Tx<'_>) -> Result<Shared> {
    let me = me::load(tx.db)?.ok_or(crate::db::DbError::Damaged)?;
    Ok(Shared {
        device_list: me.device_list.into(),
        identity_seed: me.identity_seed.to_vec().into(),
        inbox_secrets: inbox::shared_keys(tx.db)?.iter().map(|secret| secret.to_vec().into()).collect(),
        vault_key: me.vault_key.map(|key| key.to_vec().into()).unwrap_or_default(),
        name: me.name,
        cards: members::cards(tx.db)?.into_iter().map(|(_, card)| card).collect(),
        profile_key: profiles::shared_key(tx)?,
        settings: Some(receipts::told_settings(me::settings(tx.db)?)),
    })
}

/// What was to be told of what we share, and was not yet, is told as it stands by now.
pub(crate) fn tell_shared_anew(tx: &mut Tx<'_>, own: &Own) -> Result<()> {
    let Some(chat) = chats::with(tx.db, own.account)? else { return Ok(()) };
    for item in outbox::first(tx.db, chat.id, usize::from(u16::MAX))? {
        let Ok(content) = Content::decode(&item.content[..]) else { continue };
        let is_shared =
            matches!(&content.kind, Some(content::content::Kind::Sync(Sync { kind: Some(Kind::Shared(_)) })));
        if is_shared && item.attempt.is_none() {
            let kind = content::content::Kind::Sync(Sync { kind: Some(Kind::Shared(shared(tx)?)) });
            outbox::set_content(tx.db, item.n, &Content { kind: Some(kind), ..content }.encode_to_vec())?;
        }
    }
    Ok(())
}

fn take_asked(tx: &mut Tx<'_>, own: &Own, asked: &Asked) -> Result<()> {
    if asked.peer.is_empty() {
        return tell_all(tx, own, asked.device);
    }
    let chat = chat_with(tx, &asked.peer)?;
    if let Some(ask) = asked.ask.as_ref().filter(|_| !chat.is_group) {
        asks::heard_in_sync(tx, own, &chat, asked.device, ask)?;
    }
    if asked.history {
        members::put_history(tx.db, chat.id, asked.device, 0)?;
    }
    Ok(())
}

/// Tells a device that has missed some of it all that it may have missed.
pub(crate) fn tell_all(tx: &mut Tx<'_>, own: &Own, device: u32) -> Result<()> {
    let shared = shared(tx)?;
    tell(tx, own, Kind::Shared(shared))?;
    for chat in chats::all(tx.db)? {
        if chat.is_group {
            groups::tell(tx, own, &chat)?;
        } else if chat.peer != own.account {
            match &chat.channel {
                Some(_) => tell_joined(tx, own, &chat, None)?,
                None => tell_standing(tx, own, chat.peer)?,
            }
        }
        members::put_history(tx.db, chat.id, device, 0)?;
    }
    Ok(())
}

/// Puts the next part of the history that a device is to be told into the outbox. False: there is none.
pub(crate) fn next_history(tx: &mut Tx<'_>, own: &Own) -> Result<bool> {
    let Some(telling) = members::next_history(tx.db)? else { return Ok(false) };
    let chat = chats::load(tx.db, telling.chat)?;
    let (mut after_n, mut size) = (telling.after_n, 0);
    let mut past = Vec::new();
    for message in messages::placed_after(tx.db, chat.id, after_n, HISTORY_MESSAGES)? {
        size += message.encoded.len();
        if size > HISTORY_BYTES && !past.is_empty() {
            break;
        }
        after_n = message.n;
        past.push(Past {
            sender: message.sender.into(),
            content: message.encoded,
            unseen: message.shown != Shown::Yes,
            part: message.part,
            place: match message.place {
                Place::Letter(letter) => Some(past::Place::Letter(letter)),
                Place::Log(seq) => Some(past::Place::Seq(seq)),
                Place::Pending => None,
            },
        });
    }
    if past.is_empty() {
        members::remove_history(tx.db, chat.id, telling.device)?;
        if telling.after_n > 0 {
            return Ok(true);
        }
        // That there is nothing is an answer too: then nothing was missed.
    } else {
        members::put_history(tx.db, chat.id, telling.device, after_n)?;
    }
    let history = History { peer: chat.peer.into(), device: telling.device, messages: past };
    tell(tx, own, Kind::History(history))?;
    Ok(true)
}
