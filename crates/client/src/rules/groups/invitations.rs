//! Letters about groups: who is added or invited gets the master key, and who is added the way in.

use bytes::Bytes;
use undertone_credentials::{
    DeviceList,
    group::{Action, Change, Place, Record, Standing},
};
use undertone_e2ee::E2eeError;
use undertone_wire::{
    AccountId, ChannelId, Message as _,
    content::{GroupWay, Invitation, Letter},
};

use super::{Group, entrance, group_id, take_names, tell, wishes};
use crate::{
    ClientError, Result,
    db::{
        attempt,
        chats::{self, Chat, State, Trouble},
        contacts, groups as rows, inbox,
    },
    own::Own,
    rules::lists,
    state::Tx,
};

/// A record that is larger does not travel with letters: who is invited sees it when he comes.
const RECORD_BYTES_MAX: usize = 48 << 10;

/// Writes to somebody who was added, or may come in.
pub(crate) fn write(
    tx: &mut Tx<'_>,
    own: &Own,
    chat: &Chat,
    to: AccountId,
    invitation: Option<Invitation>,
) -> Result<()> {
    let group = Group::load(tx.db, chat.id)?;
    let record = group.record()?.encode();
    let members: Vec<_> = group.members(tx.db)?.into_iter().map(|(account, _)| account).collect();
    let fits = invitation.is_some() || record.len() <= RECORD_BYTES_MAX;
    let way = GroupWay {
        master_key: group.stored.master_key.to_vec().into(),
        invitation,
        record: if fits { record } else { Bytes::new() },
        names: Group::names(tx, own, &members)?,
    };
    let letter = Letter { channel: group.stored.channel.into(), group: Some(way), ..Letter::default() };
    contacts::put(tx.db, to, "")?;
    Ok(inbox::post_to(tx.db, chat.id, to, &letter.encode_to_vec())?)
}

/// A change of ours stands in the log: whom it has invited is told.
pub(crate) fn after_change(tx: &mut Tx<'_>, own: &Own, chat: &Chat, change: &Change) -> Result<()> {
    let group = Group::load(tx.db, chat.id)?;
    for action in &change.actions {
        if let Action::Invite(whom, _) | Action::Approve(whom, _) = action
            && let Some(account) = group.account(tx.db, whom)?
        {
            write(tx, own, chat, account, None)?;
        }
    }
    Ok(())
}

/// Somebody tells us of a group: that we were added, or may come in. What a friend has added us to we are in at once; all else
/// waits for our word.
///
/// # Errors
/// [`ClientError::Letter`] when it makes no sense.
pub(crate) fn invited(
    tx: &mut Tx<'_>,
    own: &Own,
    sender: &DeviceList,
    channel: ChannelId,
    way: GroupWay,
) -> Result<()> {
    let master_key: [u8; 32] = way.master_key[..].try_into().map_err(|_| ClientError::Letter)?;
    let from = sender.account();
    let friend = chats::with(tx.db, from)?.map(|chat| chat.state);
    if friend == Some(State::Blocked) {
        return Ok(());
    }
    let chat = match chats::with(tx.db, group_id(channel))? {
        Some(chat) => chat,
        None => {
            let id = chats::insert(tx.db, group_id(channel), State::Request)?;
            rows::insert(tx.db, id, channel, &master_key)?;
            chats::load(tx.db, id)?
        }
    };
    let group = Group::load(tx.db, chat.id)?;
    if group.stored.master_key[..] != master_key[..] {
        return Err(ClientError::Letter);
    }
    let stands_so = chat.state == State::Open && chat.trouble == Trouble::None;
    if stands_so || group.stored.entering {
        return Ok(());
    }
    let standing = look(tx, own, &group, &way.record)?;
    contacts::put(tx.db, from, "")?;
    lists::learn(tx, own, sender)?;
    take_names(tx, own, &way.names)?;
    rows::set_way(tx.db, chat.id, from, &way.encode_to_vec())?;
    match (chat.state, standing) {
        // We have asked, and may come in.
        (State::Invited, Some(Standing::Invited) | None) => {
            return wishes::want(tx, own, &chat, vec![Action::Accept]).map(drop);
        }
        (State::Invited, Some(_)) => {}
        (State::Out, _) => chats::set_state(tx.db, chat.id, State::Request)?,
        (State::Open, _) => return enter(tx, own, &chat, &way),
        _ => {}
    }
    let is_friend = friend == Some(State::Open) || from == own.account || chat.state == State::Invited;
    if is_friend && way.invitation.is_some() { enter(tx, own, &chats::load(tx.db, chat.id)?, &way) } else { Ok(()) }
}

/// How we stand by the record that came along, which is kept to be shown.
fn look(tx: &mut Tx<'_>, own: &Own, group: &Group, record: &[u8]) -> Result<Option<Standing>> {
    if record.is_empty() {
        return Ok(None);
    }
    let record = Record::decode(record).map_err(|_| ClientError::Letter)?;
    let ours = record.group_public() == group.secret.public().as_bytes();
    let standing = record.standing(&group.entry(tx.db, own.account)?);
    if !ours || !(standing.is_member() || standing == Standing::Invited) {
        return Err(ClientError::Letter);
    }
    if group.record.as_ref().is_none_or(|known| known.revision() < record.revision()) {
        rows::set_record(tx.db, group.stored.chat, &record.encode())?;
    }
    Ok(Some(standing))
}

/// Goes where an invitation leads; where that is of no use, in by ourselves.
pub(crate) fn enter(tx: &mut Tx<'_>, own: &Own, chat: &Chat, way: &GroupWay) -> Result<()> {
    let db = tx.db;
    let entered = match &way.invitation {
        Some(invitation) => attempt(db, || entrance::by_invitation(tx, own, chat, invitation, &way.record))?,
        None => Err(ClientError::Letter),
    };
    match entered {
        Ok(()) => {}
        Err(ClientError::Letter | ClientError::E2ee(E2eeError::KeyGone)) => by_ourselves(tx, chat)?,
        Err(error) => return Err(error),
    }
    tell(tx, own, &chats::load(tx.db, chat.id)?)
}

/// We have a place in a group, and come in as soon as the service is reached.
pub(crate) fn by_ourselves(tx: &Tx<'_>, chat: &Chat) -> Result<()> {
    chats::set_state(tx.db, chat.id, State::Open)?;
    Ok(chats::set_trouble(tx.db, chat.id, Trouble::Lost)?)
}

/// Whether we may come in, by what we were told last: as somebody who was added, or only invited.
pub(crate) fn is_added(tx: &Tx<'_>, own: &Own, group: &Group) -> Result<bool> {
    Ok(matches!(group.place(tx.db, own.account)?, Some(Place::Member(_))))
}
