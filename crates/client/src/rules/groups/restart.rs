//! Groups that nobody can follow any more: because the newest commit has left no head slot that leads in, or because somebody
//! has opened the channel to keys that nobody has.
//!
//! Whoever is in such a group commits, and then there is a way in again. Where nobody is, those who may
//! ([`Action::Restart`]) put another MLS group in its place, after they have tried to come in for a while. Nobody is in that
//! group at first: its head slot is all that there is of it, and everybody comes in by that as ever, whoever made it too. So a
//! restart leaves nothing behind where it was made, and it is all the same whether it was another's.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use undertone_credentials::{
    DeviceList,
    group::{Action, Change, Follows, Record},
    verify_head,
};
use undertone_e2ee::{Chat as Mls, Place as WrapPlace, seal_head};
use undertone_wire::{
    Day, IdempotencyId, Message as _, Position,
    channel::{EntryKind, Head},
    content::{EntryContent, GroupPlace, Seen},
    limits,
};

use super::{Group, entrance, large, outside};
use crate::{
    ClientError, Result,
    db::{
        chats::{self, Chat, State, Trouble},
        groups as rows, me,
        outbox::Attempt,
    },
    own::Own,
    pace::Delay,
    rules::{
        heads, lists,
        outbox::{Batch, UnderWay},
    },
    state::Tx,
};

/// Who has found no way in so often makes one, if he may. Till then somebody who is in may have made one.
pub(crate) const TRIES: u32 = 3;

/// Whether we are to come into a group again that we were in, or that another device of ours is in.
pub(crate) fn is_lost(chat: &Chat) -> bool {
    chat.is_group
        && chat.state == State::Open
        && matches!(chat.trouble, Trouble::Lost | Trouble::Expired | Trouble::Locked)
}

/// When a group is to be tried again that we have found no way into, in milliseconds since 1970: ever more rarely. None where
/// nothing keeps us from it.
pub(crate) fn due_ms(chat: &Chat, pace: &Delay, now_ms: u64) -> Option<u64> {
    let outside = chat.is_group && matches!(chat.state, State::Request | State::Invited);
    // A clock that was ahead must not put it off for long.
    let never = chat.asked == 0 || chat.asked_ms > now_ms;
    let waits = (is_lost(chat) || outside) && !never;
    waits.then(|| chat.asked_ms.saturating_add(pace.backoff_ms(chat.asked - 1)))
}

/// A restart of a group, by the record and the head that the service shows; as a change that is yet to be shown to be ours.
/// None: it is not for us to do.
///
/// Its head slot leads on from the last place of the log that is certain here: so all who come by it, we among them, replay
/// what the service has shown, and whatever else it was goes nowhere.
///
/// # Errors
/// [`ClientError::BadHead`] when the head is not signed, or the record is older than what is certain.
pub(crate) fn restart(tx: &mut Tx<'_>, own: &Own, chat: i64, record: &[u8], head: &Head) -> Result<Option<Batch>> {
    let chat = chats::load(tx.db, chat)?;
    let group = Group::load(tx.db, chat.id)?;
    let id = group.stored.channel;
    if verify_head(heads::head_key(own)?, head).map_err(|_| ClientError::BadHead)?.channel() != id {
        return Err(ClientError::BadHead);
    }
    let before = outside::shown(&group, record)?;
    let certain = certain(tx, &chat, &group)?;
    if certain.as_ref().is_some_and(|(_, record)| before.revision() < record.revision()) {
        return Err(ClientError::BadHead);
    }
    let mut actions = vec![Action::Restart];
    if before.is_owed() {
        actions.insert(0, Action::Settle);
    }
    let actor = group.entry(tx.db, own.account)?;
    let revision = before.revision().saturating_add(1);
    let change = Change { revision, actor, actions, follows: Follows::Restart };
    let Ok(next) = before.apply(&change) else { return Ok(None) };

    let (at, incarnation) =
        (Position { incarnation: head.incarnation, epoch: head.epoch }, head.incarnation.saturating_add(1));
    let mut door = {
        let store = tx.mls();
        Mls::door(&own.me(&store, tx.rng), id, incarnation, own.suite)?
    };
    let lists = known_lists(tx, own, &chat, &group, &next)?;
    let accounts: Vec<_> = lists.iter().map(DeviceList::account).collect();
    let (seen, record) = certain.map_or_else(Default::default, |(seen, record)| (seen, record.encode()));
    door.place = GroupPlace {
        seen: Some(seen),
        record,
        device_lists: lists.iter().map(|list| list.encoded().clone()).collect(),
        generation: head.generation.saturating_add(1),
        group: incarnation,
        names: Group::names(tx, own, &accounts)?,
    };
    let there = at.after(EntryKind::Restart);
    let sealed = seal_head(&entrance::slot_key(&group), id, there, &door, &mut tx.rng)?;
    let slot = large::standing(tx, chat.id, sealed.to_vec(), large::is_read(&lists))?;

    let body = change.encode().map_err(|_| ClientError::Bug("a change that does not fit"))?;
    let change = under_way(tx, EntryKind::Change, at, Day(0), &body);
    // All that it says is in its head slot.
    let expiry_day = me::today(tx.db, tx.now)? + limits::COMMIT_DAYS;
    let place = WrapPlace { channel: id, kind: EntryKind::Restart, position: at, expiry_day };
    let body = door.generation.wrap(&place, &EntryContent::default().encode_to_vec(), &mut tx.rng)?;
    let begins = under_way(tx, EntryKind::Restart, at, expiry_day, &body);
    let begins = UnderWay { installs: door.generation.installs().to_vec(), slot, ..begins };
    Ok(Some(Batch { chat: chat.id, items: vec![change, begins], channel: id, shows: false }))
}

/// Where we stand in the log, and the record there. None where what we have of the record is only what somebody has told us.
fn certain(tx: &Tx<'_>, chat: &Chat, group: &Group) -> Result<Option<(Seen, Record)>> {
    let (Some(channel), Some(record)) = (&chat.channel, &group.record) else { return Ok(None) };
    if rows::revision(tx.db, chat.id, record.revision())? != Some(record.hash()) {
        return Ok(None);
    }
    let chain = Bytes::copy_from_slice(channel.chain.as_bytes());
    Ok(Some((Seen { seq: channel.seq, chain, revision: record.revision(), ..Seen::default() }, record.clone())))
}

/// The lists of those who belong, as far as we have them; whoever comes in brings a newer one of his own.
fn known_lists(tx: &Tx<'_>, own: &Own, chat: &Chat, group: &Group, record: &Record) -> Result<Vec<DeviceList>> {
    let members = group.members_of(tx.db, record)?;
    let mut lists = lists::of_log(tx, chat.id)?;
    lists.retain(|list| list.account() != own.account && members.iter().any(|(member, _)| *member == list.account()));
    lists.push(own.list.clone());
    Ok(lists)
}

fn under_way(tx: &mut Tx<'_>, kind: EntryKind, position: Position, expiry_day: Day, body: &[u8]) -> UnderWay {
    let attempt = Attempt {
        id: IdempotencyId::new(tx.random()),
        body_hash: Sha256::digest(body).into(),
        body: body.to_vec(),
        position,
        expiry_day,
    };
    UnderWay { kind, attempt, installs: Vec::new(), slot: Vec::new() }
}
