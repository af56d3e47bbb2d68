//! The way back into a chat: a device that cannot follow asks, and whoever hears it adds it again.
//!
//! It asks its own other devices in the chat with oneself where that works, by a letter to its own account where that
//! is what was lost, and else the other of the chat; by turns, ever more rarely, so that no storm comes of it. Whoever is
//! asked and cannot follow either goes on in a fresh channel.

use bytes::Bytes;
use undertone_credentials::{DeviceList, INBOX_KEY_LEN, KeyPackage};
use undertone_e2ee::{InboxSecret, Member, create_key_package};
use undertone_wire::{
    AccountId, Message as _, Week,
    content::{Ask, Asked, Letter},
};

use crate::{
    Result,
    db::{
        chats::{self, Chat, State, Trouble},
        inbox,
        members::{self, Asking},
    },
    own::Own,
    pace::{Delay, Pace},
    rules::{compose, entrance, lists, registration, sync},
    state::Tx,
};

/// So often our other devices are asked for the chat with ourselves, at least; then it goes on without their help.
const OWN_ASKS: u32 = 3;
/// So often we ask for the channel in which a chat goes on that another has closed; then it goes on in a fresh one.
const MOVED_ASKS: u32 = 4;
/// Who has asked so often is added once more: it may be that he cannot use the way in that he was given.
const SURE_ASKS: u32 = 4;
/// So often we ask by one key package before we take a new one, lest an answer was lost.
const SAME_ASKS: u32 = 4;

/// Sends a way in to the devices that a commit, or the beginning of a chat, has added: to each that asked by the key that
/// it asked with, to the others by their accounts' inbox keys.
pub(crate) fn answer(tx: &Tx<'_>, chat: &Chat, added: &[Member], letter: &Letter) -> Result<()> {
    let letter = letter.encode_to_vec();
    let mut by_account = false;
    for member in added {
        match members::asked(tx.db, chat.id, member.account, member.device)? {
            Some(asking) if asking.seal_key.len() == INBOX_KEY_LEN => {
                inbox::post(tx.db, chat.id, &letter, Some((asking.week, &asking.seal_key)))?;
            }
            _ => by_account = true,
        }
    }
    if by_account {
        inbox::post(tx.db, chat.id, &letter, None)?;
    }
    Ok(())
}

/// When a chat is to ask next, in milliseconds since 1970; none if it need not.
pub(crate) fn due_ms(chat: &Chat, pace: &Delay, now_ms: u64) -> Option<u64> {
    if chat.is_group {
        // One comes in by oneself.
        return None;
    }
    let lost = matches!(chat.trouble, Trouble::Lost | Trouble::Expired | Trouble::Locked | Trouble::Moved)
        && matches!(chat.state, State::Open | State::Invited);
    // Another device of ours is there, and did not let us in; nor did the letter that brought it, if there was one.
    let outside = matches!(chat.state, State::Invited | State::Open) && chat.channel.is_none();
    let asks = (lost || outside) && chat.fresh == 0;
    // A clock that was ahead must not put it off for long.
    let never = chat.asked == 0 || chat.asked_ms > now_ms;
    asks.then(|| if never { 0 } else { chat.asked_ms.saturating_add(pace.backoff_ms(chat.asked - 1)) })
}

/// Whether our other devices have had their time to answer what was asked of them by letters: one of them reads its inbox,
/// and then we do.
fn had_their_time(chat: &Chat, pace: &Pace) -> bool {
    let since_first_ms: u64 = (0..chat.asked).map(|ask| pace.ask.backoff_ms(ask)).sum();
    chat.asked >= OWN_ASKS && since_first_ms >= 2 * pace.inbox.max_ms()
}

/// Asks for the way back into a chat.
pub(crate) fn ask(tx: &mut Tx<'_>, own: &Own, chat: &Chat, pace: &Pace) -> Result<()> {
    let has_devices = own.list.devices().len() > 1;
    let is_own = chat.peer == own.account;
    let nobody_answers = is_own && (!has_devices || had_their_time(chat, pace));
    let moved = chat.trouble == Trouble::Moved;
    // Whom we have invited ourselves may know nothing of us yet: he is invited again.
    let invites = chat.state == State::Invited && chat.channel.is_some() && !moved;
    let invites_again = invites && (!has_devices || chat.asked >= OWN_ASKS);
    if chat.trouble == Trouble::Locked || nobody_answers || invites_again {
        return Ok(chats::set_fresh(tx.db, chat, 0)?);
    }
    let ask = wish(tx, own, chat)?;
    let turn = chat.asked;
    chats::set_asked(tx.db, chat.id, tx.now.0)?;
    if chat.state == State::Invited && moved {
        // We have closed our own channel because the other has invited us to his, and could not come there: nobody is to be
        // asked any more whether he wants to talk.
        compose::open(tx, own, chat, 0)?;
    }
    let unanswered = chat.state == State::Invited && !moved;
    if has_devices && !is_own && (unanswered || turn.is_multiple_of(2)) {
        let asked = Asked { peer: chat.peer.into(), ask: Some(ask), device: own.device, ..Asked::default() };
        return sync::tell(tx, own, sync::Kind::Asked(asked));
    }
    if unanswered {
        // Who has begun it is gone: we begin it ourselves, if we have something to say.
        return Ok(chats::set_state(tx.db, chat.id, State::New)?);
    }
    let channel = chat.channel.as_ref().map_or_else(|| Bytes::from_static(&[0; 16]), |channel| channel.id.into());
    let letter = Letter { channel, ask: Some(ask), ..Letter::default() };
    Ok(inbox::post(tx.db, chat.id, &letter.encode_to_vec(), None)?)
}

/// What is asked: to be added to a chat, wherever it goes on.
pub(crate) fn wish(tx: &mut Tx<'_>, own: &Own, chat: &Chat) -> Result<Ask> {
    // Our own devices add us to all chats by one and the same.
    let key_package = key_package(tx, own, chat, chat.peer == own.account)?;
    let week = tx.now.day().week();
    let secret = InboxSecret::generate(week, &mut tx.rng);
    inbox::put_own_key(tx.db, week, &secret.to_bytes())?;
    let (channel, seq) =
        chats::last_known(tx.db, chat)?.map_or_else(Default::default, |(channel, seq)| (Bytes::from(channel), seq));
    let read = chat.channel.as_ref().filter(|ours| ours.id.as_bytes()[..] == channel[..] && ours.seq == seq);
    let chain = read.map(|ours| Bytes::copy_from_slice(ours.chain.as_bytes())).unwrap_or_default();
    Ok(Ask {
        key_package,
        seal_key: Bytes::copy_from_slice(&secret.public()),
        week: week.0,
        part: chat.channel.as_ref().map_or(0, |channel| channel.part),
        channel,
        seq,
        asked: chat.asked,
        chain,
    })
}

/// A key package for whoever answers. The same for a while: who has answered it already knows so.
fn key_package(tx: &mut Tx<'_>, own: &Own, chat: &Chat, last_resort: bool) -> Result<Bytes> {
    let before = chats::asked_by(tx.db, chat.id)?;
    if let Some(before) = before.filter(|_| !chat.asked.is_multiple_of(SAME_ASKS)) {
        return Ok(before.into());
    }
    let mls = {
        let store = tx.mls();
        create_key_package(&own.me(&store, tx.rng), own.suite, last_resort)?
    };
    let expiry_day = tx.now.day() + registration::KEY_PACKAGE_DAYS;
    let signed = KeyPackage::sign(&own.device_key, own.account, own.device, expiry_day, last_resort, mls);
    chats::set_asked_by(tx.db, chat.id, &signed)?;
    Ok(signed)
}

/// A device of the other has lost its way.
pub(crate) fn heard(tx: &mut Tx<'_>, own: &Own, chat: &Chat, list: &DeviceList, device: u32, ask: &Ask) -> Result<()> {
    // Our words have brought the chat back to where we had not written yet, and the other knows better.
    let again = chat.state == State::New && chat.fresh > 0;
    let begun = (matches!(chat.state, State::Open | State::Invited) || again) && !chat.trouble.is_proven();
    // Where a channel has just been closed, the next is on its way to both.
    let moves = chat.trouble == Trouble::Moved && chat.asked < MOVED_ASKS;
    if !begun || moves || ask.part >= entrance::COUNT_MAX {
        return Ok(());
    }
    if again {
        compose::open(tx, own, chat, 0)?;
    }
    let ours = chat.channel.as_ref().map(|channel| channel.part);
    let newest = lists::of_contact(tx, chat.peer)?;
    let list = newest.as_ref().unwrap_or(list);
    keep(tx, own, chat, list, device, ask)?;
    let can_add = chat.state == State::Open && chat.trouble == Trouble::None && ours >= Some(ask.part);
    if !can_add {
        // We could not let anybody in, or only to where he does not belong any more.
        chats::set_fresh(tx.db, chat, ask.part)?;
    }
    Ok(())
}

/// A device has asked beside its invitation, and nobody is let in yet. If the chat goes on elsewhere, it is to be let in
/// there: who has led us there may be another device of the same person, and may never tell it. `is_here`: it does not.
pub(crate) fn heard_early(
    tx: &mut Tx<'_>,
    own: &Own,
    chat: &Chat,
    list: &DeviceList,
    device: u32,
    ask: &Ask,
    is_here: bool,
) -> Result<()> {
    keep(tx, own, chat, list, device, ask)?;
    if is_here {
        members::set_answered(tx.db, chat.id, list.account(), device)?;
    }
    Ok(())
}

/// One of our other devices has lost its way into the chat with ourselves, or is new: then it lacks all the others too.
pub(crate) fn heard_from_ours(tx: &mut Tx<'_>, own: &Own, list: &DeviceList, device: u32, ask: &Ask) -> Result<()> {
    let known = members::cards(tx.db)?.iter().any(|(_, card)| *card == ask.key_package);
    if !known && KeyPackage::verify(list, &ask.key_package).is_ok_and(|package| package.device() == device) {
        members::put_card(tx.db, device, &ask.key_package)?;
        chats::all_owe(tx.db)?;
    }
    let chat = sync::own_chat(tx, own)?;
    keep(tx, own, &chat, list, device, ask)?;
    let ahead = chat.channel.as_ref().is_some_and(|ours| ours.part < ask.part) && ask.part < entrance::COUNT_MAX;
    if ahead && chat.trouble == Trouble::None {
        chats::set_fresh(tx.db, &chat, ask.part)?;
    }
    // Where we are lost there too, we ask ourselves.
    Ok(())
}

/// One of our other devices asks in the chat with ourselves.
pub(crate) fn heard_in_sync(tx: &mut Tx<'_>, own: &Own, chat: &Chat, device: u32, ask: &Ask) -> Result<()> {
    if chat.state != State::Open || chat.trouble != Trouble::None || chat.channel.is_none() {
        return Ok(());
    }
    keep(tx, own, chat, &own.list, device, ask)
}

/// Keeps what a device asks, for the next commit or the next channel of the chat.
fn keep(tx: &mut Tx<'_>, own: &Own, chat: &Chat, list: &DeviceList, device: u32, ask: &Ask) -> Result<()> {
    let account = list.account();
    let is_other = account != own.account || device != own.device;
    let sound = KeyPackage::verify(list, &ask.key_package).is_ok_and(|package| package.device() == device)
        && i64::try_from(ask.seq).is_ok();
    if is_other && sound && !is_answered(tx, own, chat, account, device, ask)? {
        members::put_ask(
            tx.db,
            chat.id,
            &Asking {
                account,
                device,
                key_package: ask.key_package.clone(),
                seal_key: ask.seal_key.clone(),
                week: Week(ask.week),
                channel: ask.channel.clone(),
                seq: shared_place(tx, chat, ask)?,
            },
        )?;
        chats::set_owes(tx.db, chat.id, true)?;
    }
    Ok(())
}

/// Up to where the asking device has read what we have. A service may have shown it another history: then what we have said
/// there is to be said again from the beginning.
fn shared_place(tx: &Tx<'_>, chat: &Chat, ask: &Ask) -> Result<u64> {
    let here = chat.channel.as_ref().is_some_and(|ours| ours.id.as_bytes()[..] == ask.channel[..]);
    let ours = if here && !ask.chain.is_empty() { chats::chain_at(tx.db, chat, ask.seq)? } else { None };
    let is_another = ours.is_some_and(|ours| ours.as_bytes()[..] != ask.chain[..]);
    Ok(if is_another { 0 } else { ask.seq })
}

/// Whether a device was added since it asked, by another that was faster: its way in is on its way. Adding it once more
/// would throw it out again.
fn is_answered(tx: &mut Tx<'_>, own: &Own, chat: &Chat, account: AccountId, device: u32, ask: &Ask) -> Result<bool> {
    let Some(channel) = chat.channel.as_ref().filter(|_| chat.is_read() && ask.asked < SURE_ASKS) else {
        return Ok(false);
    };
    let knows = if ask.channel[..] == channel.id.as_bytes()[..] { ask.seq } else { 0 };
    if chats::added_at(tx.db, chat.id, account, device)? <= knows {
        return Ok(false);
    }
    Ok(entrance::members_of(tx, own, channel)?.contains(&Member { account, device }))
}
