//! That somebody writes just now: told over the open circuit, sealed for the epoch, and kept nowhere.

use bytes::Bytes;
use undertone_wire::content::Transient;

use crate::{
    ClientError, Result,
    db::{
        chats::{Chat, State},
        contacts, me,
    },
    own::Own,
    rules::{compose, mls, riders},
    state::Tx,
    view::Typing,
};

/// The chat in which it is to be told.
///
/// # Errors
/// When there is none, or it is told to nobody.
pub(crate) fn chat(tx: &Tx<'_>, own: &Own, who: &str) -> Result<i64> {
    if !me::settings(tx.db)?.typing {
        return Err(ClientError::TypingOff);
    }
    Ok(compose::existing(tx, own, who, compose::is_company)?.id)
}

/// As it goes to the other of a chat; none where it is told to nobody, or not understood.
pub(crate) fn sealed(tx: &mut Tx<'_>, own: &Own, chat: &Chat, typing: bool) -> Result<Option<Bytes>> {
    if !me::settings(tx.db)?.typing || !riders::may_ride(tx, own, chat)? {
        return Ok(None);
    }
    let channel = chat.channel()?;
    let Some(key) = key(tx, own, chat)? else { return Ok(None) };
    let transient = Transient { account: own.account.into(), typing };
    Ok(Some(key.seal(channel.position, &transient, &mut tx.rng)?))
}

/// What came; none where it is nothing to be shown.
pub(crate) fn heard(tx: &mut Tx<'_>, own: &Own, chat: &Chat, sealed: &[u8]) -> Result<Option<Typing>> {
    if chat.state != State::Open || !me::settings(tx.db)?.typing {
        return Ok(None);
    }
    let Some(key) = key(tx, own, chat)? else { return Ok(None) };
    let Transient { account, typing } = key.open(chat.channel()?.position, sealed)?;
    if account[..] != chat.peer.as_bytes()[..] || chat.peer == own.account {
        // Another device of our own, for one.
        return Ok(None);
    }
    Ok(Some(Typing { chat: chat.peer.to_hex(), name: contacts::name(tx.db, chat.peer)?, typing }))
}

fn key(tx: &mut Tx<'_>, own: &Own, chat: &Chat) -> Result<Option<undertone_e2ee::TransientKey>> {
    let channel = chat.channel()?;
    mls::with_any(tx, own, channel, |me, mls| mls.transient_key(me))
}
