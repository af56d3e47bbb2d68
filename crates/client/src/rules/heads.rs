//! Honest history: what the service signs and what others saw, held against our own chain.

use undertone_credentials::{PublicKey, verify_head, verify_seen};
use undertone_wire::Message as _;
use undertone_wire::{channel::Head, content::Seen};

use crate::{
    ClientError, Result,
    db::chats::{self, Chat, Trouble},
    own::Own,
    state::Tx,
};

/// What somebody's view of the log says about the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// It is ours, or of a part of the log that we never had.
    Agrees,
    /// The service signed it, and it is not ours: proof.
    Forked,
    /// It is not ours, and nobody signed it: its sender cheats.
    Unsigned,
}

/// The service's key for heads.
///
/// # Errors
/// Before the first circuit told it.
pub(crate) fn head_key(own: &Own) -> Result<&PublicKey> {
    own.head_key.as_ref().ok_or(ClientError::Bug("a head before any parameters"))
}

/// Checks the signature of a head that the service answered with, and that it is this chat's.
///
/// # Errors
/// [`ClientError::BadHead`] when it is not the service's, of another channel, or of a log longer than any.
pub(crate) fn check(own: &Own, chat: &Chat, head: &Head) -> Result<()> {
    let verified = verify_head(head_key(own)?, head).map_err(|_| ClientError::BadHead)?;
    let ours = chat.channel.as_ref().is_some_and(|channel| channel.id == verified.channel());
    let countable = i64::try_from(verified.seq()).is_ok();
    if ours && countable { Ok(()) } else { Err(ClientError::BadHead) }
}

/// Holds a checked head against our own chain, as far as that goes, and notes it as the newest that agrees if we stand
/// there. False: the service has signed two histories.
///
/// # Errors
/// [`ClientError::BadHead`] when it did not sign what it served.
pub(crate) fn note(tx: &Tx<'_>, chat: &Chat, head: &Head) -> Result<bool> {
    let Some(channel) = &chat.channel else { return Ok(true) };
    let Some(ours) = chats::chain_at(tx.db, chat, head.seq)? else { return Ok(true) };
    if ours.as_bytes()[..] == head.chain[..] {
        if head.seq == channel.seq {
            chats::set_seen(tx.db, chat.id, head)?;
        }
        return Ok(true);
    }
    let signed_before = channel.seen.as_ref().is_some_and(|seen| seen.seq >= head.seq);
    if !signed_before {
        return Err(ClientError::BadHead);
    }
    let other = Seen { seq: head.seq, chain: head.chain.clone(), signature: head.signature.clone(), ..Seen::default() };
    forked(tx, chat, &other)?;
    Ok(false)
}

/// What the sender of an entry saw, held against ours. Keeps the evidence where there is any.
pub(crate) fn hold_against(tx: &Tx<'_>, own: &Own, chat: &Chat, seen: &Seen) -> Result<View> {
    let Some(channel) = &chat.channel else { return Ok(View::Unsigned) };
    match chats::chain_at(tx.db, chat, seen.seq)? {
        Some(chain) if chain.as_bytes()[..] == seen.chain[..] => return Ok(View::Agrees),
        None if seen.seq < channel.seq => return Ok(View::Agrees),
        Some(_) | None => {}
    }
    if verify_seen(head_key(own)?, channel.id, seen).is_err() {
        return Ok(View::Unsigned);
    }
    forked(tx, chat, seen)?;
    Ok(View::Forked)
}

/// What we send as our own view.
///
/// # Errors
/// Before the channel was first read.
pub(crate) fn seen(chat: &Chat) -> Result<Seen> {
    let head = chat.channel.as_ref().and_then(|channel| channel.seen.as_ref());
    let head = head.ok_or(ClientError::Bug("a message before any head"))?;
    Ok(Seen { seq: head.seq, chain: head.chain.clone(), signature: head.signature.clone(), ..Seen::default() })
}

/// Notes a signed view that an invitation brought as the newest that agrees.
pub(crate) fn set_seen(tx: &Tx<'_>, chat: i64, seen: &Seen) -> Result<()> {
    let head = Head { seq: seen.seq, chain: seen.chain.clone(), signature: seen.signature.clone(), ..Head::default() };
    Ok(chats::set_seen(tx.db, chat, &head)?)
}

/// Stops the chat, and keeps both signed views.
fn forked(tx: &Tx<'_>, chat: &Chat, other: &Seen) -> Result<()> {
    let ours = seen(chat).unwrap_or_default();
    let mut evidence = ours.encode_length_delimited_to_vec();
    evidence.extend(other.encode_length_delimited_to_vec());
    chats::set_evidence(tx.db, chat.id, &evidence)?;
    chats::set_trouble(tx.db, chat.id, Trouble::Forked)?;
    Ok(())
}
