//! What a person's devices tell each other of groups, and what comes back with his words: that there is one, and its master
//! key. Each device then comes in by itself.

use undertone_wire::{
    ChannelId,
    content::{GroupKnown, Seen, group_known},
};

use super::{Group, group_id, invitations, replay};
use crate::{
    ClientError, Result,
    db::{
        chats::{self, Chat, State},
        groups as rows,
    },
    own::Own,
    rules::{heads, sync},
    state::Tx,
};

/// What there is to tell of a group; nothing of one that is only being made.
pub(crate) fn known(tx: &Tx<'_>, chat: &Chat) -> Result<Option<GroupKnown>> {
    let group = Group::load(tx.db, chat.id)?;
    let Some(record) = &group.record else { return Ok(None) };
    let state = match chat.state {
        State::Open => group_known::State::In,
        State::Request => group_known::State::Invited,
        State::New | State::Invited => group_known::State::Coming,
        State::Blocked | State::Out => group_known::State::Out,
    };
    let head = Seen { revision: record.revision(), ..heads::seen(chat).unwrap_or_default() };
    Ok(Some(GroupKnown {
        channel: group.stored.channel.into(),
        master_key: group.stored.master_key.to_vec().into(),
        state: state.into(),
        link_secret: group.stored.link_secret.as_ref().map(|secret| secret.to_vec().into()).unwrap_or_default(),
        head: Some(head),
    }))
}

/// Tells our other devices of it.
pub(crate) fn tell(tx: &mut Tx<'_>, own: &Own, chat: &Chat) -> Result<()> {
    match known(tx, chat)? {
        Some(known) => sync::tell(tx, own, sync::Kind::Group(known)),
        None => Ok(()),
    }
}

/// Another device of ours knows a group, or the vault does.
///
/// # Errors
/// [`ClientError::Letter`] when it makes no sense.
pub(crate) fn hear(tx: &mut Tx<'_>, own: &Own, known: &GroupKnown) -> Result<()> {
    let channel = ChannelId::try_from(&known.channel[..]).map_err(|_| ClientError::Letter)?;
    let master_key: [u8; 32] = known.master_key[..].try_into().map_err(|_| ClientError::Letter)?;
    let chat = match chats::with(tx.db, group_id(channel))? {
        Some(chat) => chat,
        None => {
            let id = chats::insert(tx.db, group_id(channel), State::Request)?;
            rows::insert(tx.db, id, channel, &master_key)?;
            chats::load(tx.db, id)?
        }
    };
    if let Ok(secret) = <&[u8; 32]>::try_from(&known.link_secret[..]) {
        rows::set_link_secret(tx.db, chat.id, Some(secret))?;
    }
    match (known.state(), chat.state) {
        (group_known::State::In, State::Open) => invitations::told(tx, own, &chat, known),
        (group_known::State::In, State::New) => Ok(()),
        (group_known::State::In, _) => invitations::by_ourselves(tx, &chat),
        (group_known::State::Coming, State::Request) => Ok(chats::set_state(tx.db, chat.id, State::Invited)?),
        // Who is in learns by the log that he is not any more.
        (group_known::State::Out, State::Request | State::Invited) => replay::leave_behind(tx, own, &chat),
        _ => Ok(()),
    }
}
