//! Letters about groups: who is added or invited gets the master key, and who is added the way in.

use std::collections::BTreeMap;

use bytes::Bytes;
use undertone_credentials::{
    DeviceList,
    group::{Action, Change, Place, Record, Standing},
};
use undertone_e2ee::{E2eeError, Head, Member, Welcomes, open_head};
use undertone_wire::{
    AccountId, ChannelId, Message as _, Position,
    content::{GroupKnown, GroupWay, Invitation, Letter, Named},
    large::Large,
};

use super::{Group, entrance, group_id, large, replay, take_names, tell, wishes};
use crate::{
    ClientError, Result,
    db::{
        self,
        chats::{self, Chat, State, Trouble},
        contacts, groups as rows, inbox,
        outbox::Begins,
    },
    own::Own,
    rules::{entrance::invitation as entrance_of, lists},
    state::Tx,
};

/// A record that is larger does not travel with letters: who is invited sees it when he comes.
const RECORD_BYTES_MAX: usize = 48 << 10;
/// Names of members in one letter: with a record, and an invitation to as many as its head slot is inline for, they fit one.
const NAMES_MAX: usize = 128;

/// Writes to people who may come in by themselves.
pub(crate) fn invite(tx: &mut Tx<'_>, own: &Own, chat: &Chat, whom: &[AccountId]) -> Result<()> {
    if whom.is_empty() {
        return Ok(());
    }
    let group = Group::load(tx.db, chat.id)?;
    let record = group.record()?.encode();
    let way = GroupWay {
        master_key: group.stored.master_key.to_vec().into(),
        record: if record.len() <= RECORD_BYTES_MAX { record } else { Bytes::new() },
        names: some_names(tx, own, &group)?,
        ..GroupWay::default()
    };
    whom.iter().try_for_each(|to| post(tx, &group, *to, way.clone()))
}

/// Writes to all whom a commit of ours has added, from the place behind it: each gets his own share of the Welcome. `change`
/// stood right before it. Where the commit's head slot is large, that has all the rest.
pub(crate) fn let_in(
    tx: &mut Tx<'_>,
    own: &Own,
    there: &Chat,
    added: &[Member],
    begins: &Begins,
    change: Option<&Bytes>,
) -> Result<()> {
    let Some((welcome, tree)) = &begins.invitation else { return Ok(()) };
    let group = Group::load(tx.db, there.id)?;
    let mut invitation = entrance_of(tx, own, there, Bytes::new(), Bytes::copy_from_slice(tree))?;
    let in_slot = Large::parse(&begins.slot).is_some();
    let way = if in_slot {
        invitation.device_lists.clear();
        GroupWay {
            master_key: group.stored.master_key.to_vec().into(),
            head_slot: Bytes::copy_from_slice(&begins.slot),
            change: change.cloned().unwrap_or_default(),
            ..GroupWay::default()
        }
    } else {
        GroupWay {
            master_key: group.stored.master_key.to_vec().into(),
            record: group.record()?.encode(),
            names: some_names(tx, own, &group)?,
            ..GroupWay::default()
        }
    };
    let mut places: BTreeMap<AccountId, Vec<usize>> = BTreeMap::new();
    for (place, member) in added.iter().enumerate().filter(|(_, member)| member.account != own.account) {
        places.entry(member.account).or_default().push(place);
    }
    let welcomes = Welcomes::parse(welcome)?;
    for (account, places) in places {
        let invitation = Some(Invitation { welcome: welcomes.of(places)?, ..invitation.clone() });
        post(tx, &group, account, GroupWay { invitation, ..way.clone() })?;
    }
    Ok(())
}

fn post(tx: &Tx<'_>, group: &Group, to: AccountId, way: GroupWay) -> Result<()> {
    let letter = Letter { channel: group.stored.channel.into(), group: Some(way), ..Letter::default() };
    contacts::put(tx.db, to, "")?;
    Ok(inbox::post_to(tx.db, group.stored.chat, to, &letter.encode_to_vec())?)
}

/// What the members call themselves, as many as fit a letter besides a record.
fn some_names(tx: &Tx<'_>, own: &Own, group: &Group) -> Result<Vec<Named>> {
    let members: Vec<_> = group.members(tx.db)?.into_iter().map(|(account, _)| account).collect();
    let mut names = Group::names(tx, own, &members)?;
    names.truncate(NAMES_MAX);
    Ok(names)
}

/// A change of ours stands in the log: whom it has invited is told; and if it has made the group, our other devices are.
pub(crate) fn after_change(tx: &mut Tx<'_>, own: &Own, chat: &Chat, change: &Change) -> Result<()> {
    let group = Group::load(tx.db, chat.id)?;
    let mut invited = Vec::new();
    for action in &change.actions {
        if let Action::Invite(whom, _) | Action::Approve(whom, _) = action {
            invited.extend(group.account(tx.db, whom)?);
        }
    }
    invite(tx, own, chat, &invited)?;
    if group.record()?.revision() == 1 { tell(tx, own, chat) } else { Ok(()) }
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
        if !leads_ahead(&chat, &group, &way) {
            return Ok(());
        }
        // It may be that what it follows is yet to be read: that we are taken out.
        contacts::put(tx.db, from, "")?;
        lists::learn(tx, own, sender)?;
        return keep(tx, &group, from, &way);
    }
    contacts::put(tx.db, from, "")?;
    lists::learn(tx, own, sender)?;
    follow(tx, own, &chat, from, &way)
}

/// Another device of ours says that it is in a group that we are in, too. It may be that this one is yet to read that we were put
/// out before that: then it comes in by itself, as that one did.
pub(super) fn told(tx: &Tx<'_>, own: &Own, chat: &Chat, known: &GroupKnown) -> Result<()> {
    let group = Group::load(tx.db, chat.id)?;
    let there = Invitation { head: known.head.clone(), ..Invitation::default() };
    let way = GroupWay { master_key: known.master_key.clone(), invitation: Some(there), ..GroupWay::default() };
    if leads_ahead(chat, &group, &way) { keep(tx, &group, own.account, &way) } else { Ok(()) }
}

/// We have come in. What was kept leads no further, unless it is certainly of later than we have read to.
pub(super) fn came_in(tx: &Tx<'_>, chat: &Chat) -> Result<()> {
    let group = Group::load(tx.db, chat.id)?;
    let later = kept(&group)?.is_some_and(|way| revision(&way) > 0 && leads_ahead(chat, &group, &way));
    if later { Ok(()) } else { Ok(rows::forget_way(tx.db, chat.id)?) }
}

/// Keeps a way, unless one of later is kept.
fn keep(tx: &Tx<'_>, group: &Group, from: AccountId, way: &GroupWay) -> Result<()> {
    let adds = way.invitation.as_ref().is_some_and(|invitation| !invitation.welcome.is_empty());
    let before = kept(group)?.map_or(0, |kept| revision(&kept));
    let later = revision(way) > before || (revision(way) == before && adds) || group.stored.way.is_none();
    if later { Ok(rows::set_way(tx.db, group.stored.chat, from, &way.encode_to_vec())?) } else { Ok(()) }
}

/// The way that is kept, if one is.
fn kept(group: &Group) -> Result<Option<GroupWay>> {
    let way = group.stored.way.as_ref().map(|way| GroupWay::decode(&way[..]));
    Ok(way.transpose().map_err(|_| db::DbError::Damaged)?)
}

/// Whether a way leads on from where we stand, or may.
fn leads_ahead(chat: &Chat, group: &Group, way: &GroupWay) -> bool {
    let here = chat.channel.as_ref().map_or(0, |channel| channel.seq);
    let head = way.invitation.as_ref().and_then(|invitation| invitation.head.as_ref());
    let known = group.record.as_ref().map_or(0, Record::revision);
    head.map_or(way.record.is_empty(), |head| head.seq > here) || revision(way) > known
}

/// The revision of a group's record where a way leads; 0 where it does not say.
fn revision(way: &GroupWay) -> u64 {
    let head = way.invitation.as_ref().and_then(|invitation| invitation.head.as_ref());
    let record = Record::decode(&way.record).map_or(0, |record| record.revision());
    record.max(head.map_or(0, |head| head.revision))
}

/// We are out, by what the log says up to here. If we have been told already that somebody has let us in again after that, it
/// is kept.
pub(crate) fn leave(tx: &mut Tx<'_>, own: &Own, chat: &Chat) -> Result<()> {
    let group = Group::load(tx.db, chat.id)?;
    replay::leave_behind(tx, own, chat)?;
    match (group.stored.inviter, kept(&group)?) {
        (Some(from), Some(way)) if leads_ahead(chat, &group, &way) => {
            Ok(rows::set_way(tx.db, chat.id, from, &way.encode_to_vec())?)
        }
        _ => Ok(()),
    }
}

/// Takes up what was kept when we were taken out, if anything was.
pub(crate) fn come_again(tx: &mut Tx<'_>, own: &Own, chat: i64) -> Result<()> {
    let Some(group) = rows::load(tx.db, chat)? else { return Ok(()) };
    let (Some(from), Some(bytes)) = (group.inviter, &group.way) else { return Ok(()) };
    let way = GroupWay::decode(&bytes[..]).map_err(|_| db::DbError::Damaged)?;
    let chat = chats::load(tx.db, chat)?;
    match tx.attempt(|tx| follow(tx, own, &chat, from, &way))? {
        Err(ClientError::Letter) => Ok(rows::forget_way(tx.db, chat.id)?),
        followed => followed,
    }
}

/// Goes as somebody has told us, as far as we want to.
fn follow(tx: &mut Tx<'_>, own: &Own, chat: &Chat, from: AccountId, way: &GroupWay) -> Result<()> {
    let friend = chats::with(tx.db, from)?.map(|chat| chat.state);
    let group = Group::load(tx.db, chat.id)?;
    let standing = look(tx, own, &group, &way.record)?;
    take_names(tx, own, &way.names)?;
    rows::set_way(tx.db, chat.id, from, &way.encode_to_vec())?;
    match (chat.state, standing) {
        // We have asked, and may come in.
        (State::Invited, Some(Standing::Invited) | None) => {
            return wishes::want(tx, own, chat, vec![Action::Accept]).map(drop);
        }
        (State::Invited, Some(_)) => {}
        (State::Out, _) => chats::set_state(tx.db, chat.id, State::Request)?,
        (State::Open, _) => return enter(tx, own, chat, way),
        _ => {}
    }
    let is_friend = friend == Some(State::Open) || from == own.account || chat.state == State::Invited;
    if is_friend && way.invitation.is_some() { enter(tx, own, &chats::load(tx.db, chat.id)?, way) } else { Ok(()) }
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
    if let Some(slot) = Large::parse(&way.head_slot)
        && !large::want(tx, chat.id, &slot)?
    {
        // As soon as that is there we go on.
        return Ok(chats::set_state(db, chat.id, State::Open)?);
    }
    let whole = whole(tx, chat, way)?;
    let entered = match &whole.invitation {
        Some(invitation) => tx.attempt(|tx| entrance::by_invitation(tx, own, chat, invitation, &whole.record))?,
        None => Err(ClientError::Letter),
    };
    if entered.is_ok() {
        take_names(tx, own, &whole.names)?;
    }
    match entered {
        Ok(()) => {}
        Err(ClientError::Letter | ClientError::E2ee(E2eeError::KeyGone)) => by_ourselves(tx, chat)?,
        Err(error) => return Err(error),
    }
    tell(tx, own, &chats::load(tx.db, chat.id)?)
}

/// A way with all that its head slot has of it, if it refers to one; without invitation where that is of no use.
fn whole(tx: &Tx<'_>, chat: &Chat, way: &GroupWay) -> Result<GroupWay> {
    let Some(slot) = Large::parse(&way.head_slot) else { return Ok(way.clone()) };
    let bare = GroupWay { invitation: None, ..way.clone() };
    let (Some((db::large::State::Here, bytes)), Some(invitation)) =
        (db::large::load(tx.db, chat.id, &slot)?, way.invitation.clone())
    else {
        return Ok(bare);
    };
    let group = Group::load(tx.db, chat.id)?;
    let position = Position { incarnation: invitation.incarnation, epoch: invitation.epoch };
    let Ok(head) = open_head(&entrance::slot_key(&group), group.stored.channel, position, &bytes) else {
        return Ok(bare);
    };
    let Head { tree, place, .. } = head;
    let Some(record) = record_after(&place.record, &way.change) else { return Ok(bare) };
    let invitation = Invitation { tree, device_lists: place.device_lists, ..invitation };
    Ok(GroupWay { invitation: Some(invitation), record, names: place.names, ..bare })
}

/// The record behind a change, or as it is if there is none. None inside: it does not follow.
fn record_after(record: &[u8], change: &Bytes) -> Option<Bytes> {
    let before = if record.is_empty() { None } else { Some(Record::decode(record).ok()?) };
    if change.is_empty() {
        return before.map(|record| record.encode());
    }
    let change = Change::decode(change).ok()?;
    let after = before.map_or_else(|| Record::create(&change), |record| record.apply(&change));
    after.ok().map(|record| record.encode())
}

/// Goes on into groups whose head slots have come.
pub(crate) fn go_on(tx: &mut Tx<'_>, own: &Own) -> Result<()> {
    for stored in rows::all(tx.db)? {
        let Some(way) = stored.way.as_ref().and_then(|way| GroupWay::decode(&way[..]).ok()) else { continue };
        let chat = chats::load(tx.db, stored.chat)?;
        let waits = chat.state == State::Open && chat.channel.is_none() && chat.trouble == Trouble::None;
        if waits && !way.head_slot.is_empty() {
            enter(tx, own, &chat, &way)?;
        }
    }
    Ok(())
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
