//! What rides along with messages: receipts, the key of our profile, and what the service showed us. Where there is nothing
//! to say for a while, it goes alone, as a note.
//!
//! Only in chats that are open to both, and all of whose devices understand it. A person's devices tell each other what the
//! service showed them, in the chat with oneself.

use undertone_wire::{
    Message as _, MessageId,
    channel::EntryKind,
    content::{Content, Note, content},
    ladder,
};

use crate::{
    Result,
    db::{
        chats::{self, Chat, State, Trouble},
        outbox, receipts as marks,
    },
    own::Own,
    pace::Delay,
    rules::{compose, lists, parameters, profiles, receipts},
    state::Tx,
};

/// Puts what is to be told beside a content that is about to be encrypted. False: it is a note, and there is nothing.
pub(crate) fn attach(tx: &Tx<'_>, own: &Own, chat: &Chat, content: &mut Content) -> Result<bool> {
    let may = may_ride(tx, own, chat)?;
    content.receipt = if may { receipts::rider(tx, chat)? } else { None };
    content.profile_key = if may { profiles::rider(tx, chat)? } else { None };
    let compares = may || (chat.peer == own.account && own.list.devices().len() > 1);
    content.parameters = if compares { parameters::rider(tx, chat)? } else { None };
    Ok(!is_note(content) || content.receipt.is_some() || content.profile_key.is_some())
}

/// Whether a content says nothing but what rides along.
pub(crate) fn is_note(content: &Content) -> bool {
    matches!(content.kind, Some(content::Kind::Note(_)))
}

/// Whether anything but messages is told in a chat.
pub(crate) fn may_ride(tx: &Tx<'_>, own: &Own, chat: &Chat) -> Result<bool> {
    if chat.state != State::Open || chat.is_group || chat.peer == own.account || chat.channel.is_none() {
        return Ok(false);
    }
    let lists = lists::of_log(tx, chat.id)?;
    let understood = lists.iter().flat_map(|list| list.devices()).all(|device| {
        let ours = device.key == own.device_key.public();
        ours || device.features.contains(&ladder::READS_NOTES)
    });
    Ok(understood && own.features.contains(&ladder::READS_NOTES))
}

/// What rode on a content of another device of ours.
pub(crate) fn heard_of_ours(tx: &Tx<'_>, own: &Own, chat: &Chat, content: &Content) -> Result<()> {
    match &content.parameters {
        Some(seen) if chat.peer == own.account => parameters::heard(tx, own, chat, seen),
        _ => told(tx, own, chat.id, content),
    }
}

/// What rode on a content of ours, by this device or another, stands in the log of a chat.
pub(crate) fn told(tx: &Tx<'_>, own: &Own, chat: i64, content: &Content) -> Result<()> {
    if let Some(receipt) = &content.receipt {
        receipts::told(tx, own, chat, receipt)?;
    }
    if let Some(key) = &content.profile_key {
        profiles::told(tx, chat, key)?;
    }
    if let Some(seen) = &content.parameters {
        parameters::told(tx, chat, seen)?;
    }
    Ok(())
}

/// What rode on a content of the other.
pub(crate) fn heard(tx: &Tx<'_>, own: &Own, chat: &Chat, content: &Content) -> Result<()> {
    if chat.state != State::Open || chat.is_group {
        return Ok(());
    }
    if let Some(receipt) = &content.receipt {
        receipts::heard(tx, own, chat.id, receipt)?;
    }
    if let Some(key) = &content.profile_key {
        profiles::heard(tx, chat.peer, key)?;
    }
    if let Some(seen) = &content.parameters {
        parameters::heard(tx, own, chat, seen)?;
    }
    Ok(())
}

/// Plans when a chat's riders go alone: each chat's at a moment of its own. What is due goes into the outbox. True: there is
/// something to send now.
pub(crate) fn plan(tx: &mut Tx<'_>, own: &Own, chat: &Chat, delay: &Delay) -> Result<bool> {
    let due_ms = marks::note_due_ms(tx.db, chat.id)?;
    let may = chat.trouble == Trouble::None && may_ride(tx, own, chat)?;
    if !may || !(receipts::rider(tx, chat)?.is_some() || profiles::wants_note(tx, chat)?) {
        marks::set_note_due(tx.db, chat.id, 0)?;
        return Ok(false);
    }
    // More than the pace ever asks for comes from a clock that was wrong.
    if due_ms == 0 || due_ms > tx.now.0.saturating_add(delay.max_ms()) {
        let due_ms = tx.now.plus_ms(delay.draw_ms(&mut *tx.rng)).0;
        marks::set_note_due(tx.db, chat.id, due_ms.max(1))?;
        return Ok(false);
    }
    if due_ms > tx.now.0 {
        return Ok(false);
    }
    marks::set_note_due(tx.db, chat.id, 0)?;
    if !outbox::first(tx.db, chat.id, 1)?.is_empty() {
        // With whatever waits there it goes anyhow.
        return Ok(false);
    }
    let id = MessageId::new(tx.random());
    let note = compose::content(tx, id, content::Kind::Note(Note {}));
    outbox::push(tx.db, chat.id, EntryKind::Message, &note.encode_to_vec())?;
    Ok(true)
}

/// The same for all chats.
pub(crate) fn plan_all(tx: &mut Tx<'_>, own: &Own, delay: &Delay) -> Result<bool> {
    let mut any = false;
    for chat in chats::all(tx.db)? {
        any |= plan(tx, own, &chat, delay)?;
    }
    Ok(any)
}
