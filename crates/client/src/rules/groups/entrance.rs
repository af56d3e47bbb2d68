//! Coming into a group: by an invitation to where somebody has added us, or by ourselves, with the head slot.
//!
//! The head slot leads to the newest commit, and says what the log had made of the group at a place before that. From there on
//! the log is read, and its chain hashed up to the head that the service signs: so whoever comes in knows the group as all
//! others do, and believes nobody what the log does not say. He then commits from outside; where he is only invited, or comes by
//! the link, together with the change that makes him a member.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use undertone_credentials::{
    DeviceList,
    group::{Change, Follows, Record},
    verify_head,
};
use undertone_e2ee::{Chat as Mls, E2eeError, Generation, Head as Slot, Lists, open_head};
use undertone_wire::{
    AccountId, Day, IdempotencyId, Position,
    chain::{Chain, Digest},
    channel::{Entry, EntryKind, Head, ReadHeadSlotReply},
    content::{GroupPlace, Invitation, Seen},
};
use zeroize::Zeroizing;

use super::{Group, invitations, large::Beside, replay, sending, take_names};
use crate::{
    ClientError, Result,
    db::{
        chats::{self, Channel, Chat, State, Trouble},
        contacts, groups as rows, members,
        outbox::{self, Attempt},
    },
    own::Own,
    rules::{
        entrance::{self, COUNT_MAX},
        heads, lists,
        outbox::under_way_with,
        sync,
    },
    state::Tx,
};

/// Label of the key of head slots.
const SLOT_KEY: &str = "head slot";

/// The key under which a group's head slots are sealed.
pub(super) fn slot_key(group: &Group) -> Zeroizing<[u8; 32]> {
    group.secret.subkey(SLOT_KEY)
}

/// What a commit says of the log and of the record that stands before it.
pub(super) fn seen_by(own: &Own, chat: &Chat, record: &Record) -> Result<Seen> {
    Ok(Seen {
        revision: record.revision(),
        record_hash: Bytes::copy_from_slice(&record.hash()),
        name: own.name.clone(),
        ..heads::seen(chat)?
    })
}

/// What the log has made of a group where we stand, for those who come in; with the lists and the generation that are behind the
/// commit that says so.
pub(super) fn place(
    tx: &Tx<'_>,
    own: &Own,
    channel: &Channel,
    group: &Group,
    lists: &[DeviceList],
    generation: u32,
) -> Result<GroupPlace> {
    let accounts: Vec<_> = lists.iter().map(DeviceList::account).collect();
    let (revision, record) =
        group.record.as_ref().map_or_else(Default::default, |record| (record.revision(), record.encode()));
    let chain = Bytes::copy_from_slice(channel.chain.as_bytes());
    Ok(GroupPlace {
        seen: Some(Seen { seq: channel.seq, chain, revision, ..Seen::default() }),
        record,
        device_lists: lists.iter().map(|list| list.encoded().clone()).collect(),
        generation,
        group: channel.group,
        names: Group::names(tx, own, &accounts)?,
    })
}

/// A head slot that was opened, and where it leads.
pub(crate) struct Opened {
    pub(super) slot: Slot,
    hash: [u8; 32],
    pub(super) position: Position,
}

impl Opened {
    /// Opens what the service gave; `sealed` is that, or what it stands for.
    ///
    /// # Errors
    /// [`ClientError::NoWayIn`] where there is none that leads in.
    pub(crate) fn open(group: &Group, reply: &ReadHeadSlotReply, sealed: &[u8]) -> Result<Self> {
        let position = Position { incarnation: reply.incarnation, epoch: reply.epoch };
        let slot =
            open_head(&slot_key(group), group.stored.channel, position, sealed).map_err(|error| match error {
                E2eeError::Unsupported => ClientError::UpdateNeeded,
                _ => ClientError::NoWayIn,
            })?;
        Ok(Self { slot, hash: Sha256::digest(&reply.sealed).into(), position })
    }

    /// From behind which entry on the log is to be read.
    pub(crate) fn after(&self) -> u64 {
        self.slot.place.seen.as_ref().map_or(0, |seen| seen.seq)
    }

    /// The generation that reads it, and its number.
    pub(crate) fn generation(&self) -> (u32, Zeroizing<[u8; 32]>) {
        (self.slot.place.generation, Zeroizing::new(*self.slot.generation.secret()))
    }

    /// Where its group stands at the head that the log was read to.
    fn follow(&self, own: &Own, group: &Group, entries: &[Entry], head: &Head) -> Result<Followed> {
        let wrong = || ClientError::NoWayIn;
        let channel = group.stored.channel;
        let verified = verify_head(heads::head_key(own)?, head).map_err(|_| ClientError::BadHead)?;
        if verified.channel() != channel || i64::try_from(verified.seq()).is_err() {
            return Err(ClientError::BadHead);
        }
        let place = &self.slot.place;
        let (mut seq, mut chain) = match place.seen.as_ref().filter(|seen| seen.seq > 0) {
            None => (0, Chain::start(channel)),
            Some(seen) => (seen.seq, Chain::try_from(&seen.chain[..]).map_err(|_| wrong())?),
        };
        let mut record = match place.record.is_empty() {
            true => None,
            false => Some(Record::decode(&place.record).map_err(|_| wrong())?),
        };
        let mut epoch_revision = record.as_ref().map_or(0, Record::revision);
        let mut revisions: Vec<_> = record.iter().map(|record| (record.revision(), record.hash())).collect();
        let mut last_commit: Option<[u8; 32]> = None;
        for entry in entries {
            if entry.seq != seq + 1 {
                return Err(ClientError::BadHead);
            }
            seq = entry.seq;
            chain = chain.then(&Digest::of(entry).map_err(|_| ClientError::BadHead)?);
            match entry.kind() {
                EntryKind::Change => {
                    let change = replay::change(own, group, entry)?;
                    let next = replay::after(group, record.as_ref(), &change)?;
                    revisions.push((next.revision(), next.hash()));
                    record = Some(next);
                }
                EntryKind::Commit | EntryKind::Restart => {
                    last_commit = Some(entry.slot_hash[..].try_into().unwrap_or_default());
                    epoch_revision = record.as_ref().map_or(0, Record::revision);
                }
                EntryKind::Message | EntryKind::Unspecified => {}
            }
        }
        if (seq, &chain.as_bytes()[..]) != (head.seq, &head.chain[..]) {
            return Err(ClientError::BadHead);
        }
        let here = Position { incarnation: head.incarnation, epoch: head.epoch };
        let record = record.ok_or_else(wrong)?;
        let known = group.record.as_ref().filter(|_| group.stored.epoch_revision > 0).map_or(0, Record::revision);
        if record.revision() < known {
            // What was certain before does not become undone.
            return Err(ClientError::BadHead);
        }
        let leads_here = last_commit == Some(self.hash) && self.position == here && place.generation == head.generation;
        let countable = [place.generation, place.group, here.incarnation].into_iter().all(|count| count < COUNT_MAX);
        let ours = record.group_public() == group.secret.public().as_bytes();
        if !(leads_here && countable && ours) {
            return Err(wrong());
        }
        Ok(Followed { record, seq, chain, epoch_revision, revisions })
    }
}

/// Where a group stands, by its log.
struct Followed {
    record: Record,
    seq: u64,
    chain: Chain,
    epoch_revision: u64,
    revisions: Vec<(u64, [u8; 32])>,
}

/// Comes in by the head slot: makes the commit that does it, and with it the first change that waits and lets us in. It stands
/// once the log has it; should another be faster, it is all done again.
///
/// # Errors
/// [`ClientError::NoWayIn`] where the slot does not lead in: the next commit of a member brings another.
pub(crate) fn come_in(
    tx: &mut Tx<'_>,
    own: &Own,
    chat: &Chat,
    opened: &Opened,
    entries: &[Entry],
    head: &Head,
) -> Result<()> {
    let mut group = Group::load(tx.db, chat.id)?;
    let followed = opened.follow(own, &group, entries, head)?;
    let is_closed = followed.record.is_closed();
    if followed.record.is_owed() && !is_closed {
        // First somebody who is in settles it. If nobody is, whoever may of those who were begins the group anew.
        return Err(if chat.state == State::Open { ClientError::NoWayIn } else { ClientError::Busy });
    }
    let place = &opened.slot.place;
    let channel = Channel {
        id: group.stored.channel,
        position: opened.position,
        generation: place.generation,
        generation_secret: Zeroizing::new(*opened.slot.generation.secret()),
        generation_day: tx.now.day(),
        group: place.group,
        part: 0,
        inviter: own.account,
        seq: followed.seq,
        chain: followed.chain,
        seen: None,
    };
    let missed = match &chat.channel {
        Some(ours) if ours.id == channel.id && ours.seq >= opened.after() => {
            let said = |entry: &&Entry| entry.seq > ours.seq && entry.kind() == EntryKind::Message;
            entries.iter().filter(said).count() as u64
        }
        _ => missed(chat, &channel),
    };
    settle_at(tx, chat, &mut group, &channel, followed.record, (followed.epoch_revision, &followed.revisions))?;
    chats::add_missed(tx.db, chat.id, missed)?;
    if missed > 0 || is_closed {
        sync::ask_history(tx, own, chat)?;
    }
    chats::set_seen(tx.db, chat.id, head)?;
    take_names(tx, own, &place.names)?;
    let record = group.record()?.clone();
    let lists = take_lists(tx, own, chat, &group, &record, &place.device_lists)?;

    if is_closed {
        // Nobody comes into it any more; what it was is known now, and nothing more comes.
        outbox::clear(tx.db, chat.id)?;
        return known_as_closed(tx, own, chat, &group);
    }

    let wish =
        outbox::first(tx.db, chat.id, usize::from(u8::MAX))?.into_iter().find(|item| item.kind == EntryKind::Change);
    let actor = group.entry(tx.db, own.account)?;
    let (next, wish) = match wish.filter(|_| !record.standing(&actor).is_member()) {
        None => (record.clone(), None),
        Some(item) => {
            let actions = super::wishes::actions(&item)?;
            let revision = record.revision().saturating_add(1);
            let follows = Follows::Entrance;
            let change = Change { revision, actor, actions, follows };
            match record.apply(&change) {
                Ok(next) => (next, Some((item, change))),
                Err(refused) => {
                    outbox::set_refused(tx.db, item.n, sending::number(refused))?;
                    return Err(ClientError::NotInGroup);
                }
            }
        }
    };
    if !next.standing(&actor).is_member() {
        return Err(ClientError::NotInGroup);
    }

    let chat = chats::load(tx.db, chat.id)?;
    let brought: Vec<&DeviceList> = match lists.iter().find(|list| list.account() == own.account) {
        Some(ours) if !lists::newer(&own.list, ours) => Vec::new(),
        _ => vec![&own.list],
    };
    let seen = seen_by(own, &chat, &next)?;
    let belongs: Vec<AccountId> = group.members_of(tx.db, &next)?.into_iter().map(|(account, _)| account).collect();
    let generation = Generation::from_secret(*channel.generation_secret);
    let (committed, mut slot) = {
        let store = tx.mls();
        let me = own.me(&store, tx.rng);
        let judging = Lists::from_iter(&lists).and_newcomers(belongs.iter().copied());
        let in_group = (channel.id, channel.group);
        let committed =
            Mls::rejoin(&me, in_group, &opened.slot, &brought, &judging, &seen).map_err(|error| match error {
                E2eeError::Storage | E2eeError::Unsupported => ClientError::from(error),
                _ => ClientError::NoWayIn,
            })?;
        let mls = Mls::load(&me, channel.id, channel.group)?.ok_or(E2eeError::Private)?;
        (committed, mls.head(&me, &generation)?)
    };
    let mut after: Vec<DeviceList> = lists.clone();
    if !brought.is_empty() {
        after.retain(|list| list.account() != own.account);
        after.push(own.list.clone());
    }
    slot.place = self::place(tx, own, &channel, &group, &after, channel.generation)?;
    let beside = match Beside::of(tx, &group, &channel, &slot, &after) {
        Err(ClientError::E2ee(E2eeError::TooLong)) => return Err(ClientError::GroupTooLarge),
        beside => beside?,
    };
    if let Some((item, change)) = wish {
        let body = change.encode().map_err(|_| ClientError::Bug("a change that does not fit"))?;
        let attempt = Attempt {
            id: IdempotencyId::new(tx.random()),
            body_hash: Sha256::digest(&body).into(),
            body: body.to_vec(),
            position: channel.position,
            expiry_day: Day(0),
        };
        outbox::set_attempt(tx.db, item.n, &attempt)?;
    }
    under_way_with(tx, &chat, &channel, EntryKind::Commit, committed, beside)?;
    Ok(rows::set_entering(tx.db, chat.id, true)?)
}

/// Puts a group where its log stands for us.
fn settle_at(
    tx: &mut Tx<'_>,
    chat: &Chat,
    group: &mut Group,
    channel: &Channel,
    record: Record,
    (epoch_revision, revisions): (u64, &[(u64, [u8; 32])]),
) -> Result<()> {
    outbox::drop_attempts(tx.db, chat.id)?;
    crate::db::large::forget_all(tx.db, chat.id)?;
    chats::set_channel(tx.db, chat.id, channel)?;
    rows::set_record(tx.db, chat.id, &record.encode())?;
    rows::set_epoch(tx.db, chat.id, epoch_revision)?;
    for (revision, hash) in revisions.iter().filter(|(revision, _)| *revision >= epoch_revision) {
        rows::put_revision(tx.db, chat.id, *revision, hash)?;
    }
    group.stored.epoch_revision = epoch_revision;
    group.record = Some(record);
    Ok(())
}

/// Keeps the lists of those who belong, as somebody says that the log has them.
fn take_lists(
    tx: &mut Tx<'_>,
    own: &Own,
    chat: &Chat,
    group: &Group,
    record: &Record,
    said: &[Bytes],
) -> Result<Vec<DeviceList>> {
    let mut lists = Vec::new();
    for bytes in said {
        let list = tx.verified.list(bytes).map_err(|_| ClientError::NoWayIn)?;
        let account = list.account();
        let belongs = record.standing(&group.entry(tx.db, account)?).is_member();
        if !belongs || lists.iter().any(|known: &DeviceList| known.account() == account) {
            continue;
        }
        members::put(tx.db, chat.id, account, list.encoded())?;
        if account != own.account {
            contacts::put(tx.db, account, "")?;
        }
        lists::learn(tx, own, &list)?;
        lists.push(list);
    }
    Ok(lists)
}

/// Messages between where we stood and where we come in.
fn missed(chat: &Chat, channel: &Channel) -> u64 {
    let before = chat.channel.as_ref().filter(|ours| ours.id == channel.id && ours.seq > 0);
    before.map_or(0, |ours| entrance::said_between(ours, channel))
}

/// Comes in where somebody has added us.
///
/// # Errors
/// [`ClientError::Letter`] when it leads nowhere; [`E2eeError::KeyGone`] when it is for other devices of ours.
pub(crate) fn by_invitation(
    tx: &mut Tx<'_>,
    own: &Own,
    chat: &Chat,
    invitation: &Invitation,
    record: &[u8],
) -> Result<()> {
    let mut group = Group::load(tx.db, chat.id)?;
    let record = Record::decode(record).map_err(|_| ClientError::Letter)?;
    let channel = entrance::channel_of(tx, own, group.stored.channel, own.account, invitation)?;
    let ahead = chat.channel.as_ref().is_none_or(|ours| ours.seq <= channel.seq);
    let ours = record.group_public() == group.secret.public().as_bytes();
    let actor = group.entry(tx.db, own.account)?;
    if !ours || !ahead || !record.standing(&actor).is_member() {
        return Err(ClientError::Letter);
    }
    if let Some(before) = &chat.channel {
        entrance::forget(tx, own, before)?;
    }
    let missed = missed(chat, &channel);
    let epoch_revision = record.revision();
    let revisions = [(epoch_revision, record.hash())];
    settle_at(tx, chat, &mut group, &channel, record.clone(), (epoch_revision, &revisions))?;
    chats::add_missed(tx.db, chat.id, missed)?;
    let lists =
        take_lists(tx, own, chat, &group, &record, &invitation.device_lists).map_err(|_| ClientError::Letter)?;
    {
        let store = tx.mls();
        let me = own.me(&store, tx.rng);
        let judging = Lists::from_iter(&lists);
        let Invitation { welcome, tree, group, .. } = invitation;
        Mls::join(&me, channel.id, *group, welcome, tree, &judging).map_err(|error| match error {
            E2eeError::Storage | E2eeError::KeyGone => ClientError::from(error),
            _ => ClientError::Letter,
        })?;
    }
    if let Some(seen) = invitation.head.as_ref().filter(|head| !head.signature.is_empty()) {
        heads::set_seen(tx, chat.id, seen)?;
    }
    rows::set_renewed(tx.db, chat.id, 0)?;
    rows::forget_way(tx.db, chat.id)?;
    chats::set_state(tx.db, chat.id, State::Open)?;
    chats::set_owes(tx.db, chat.id, true)?;
    Ok(())
}

/// A group has ended before we came in: as for who was there.
fn known_as_closed(tx: &mut Tx<'_>, own: &Own, chat: &Chat, group: &Group) -> Result<()> {
    if !group.standing(tx.db, own.account)?.is_member() {
        return Err(ClientError::NotInGroup);
    }
    rows::forget_way(tx.db, chat.id)?;
    Ok(chats::set_state(tx.db, chat.id, State::Open)?)
}

/// The commit by which we come in stands in the log.
pub(crate) fn came_in(tx: &mut Tx<'_>, own: &Own, chat: &Chat) -> Result<()> {
    members::put(tx.db, chat.id, own.account, lists::of_ourselves(tx)?.encoded())?;
    rows::set_entering(tx.db, chat.id, false)?;
    rows::set_renewed(tx.db, chat.id, tx.now.0)?;
    invitations::came_in(tx, chat)?;
    chats::set_state(tx.db, chat.id, State::Open)?;
    chats::set_owes(tx.db, chat.id, true)?;
    super::tell(tx, own, &chats::load(tx.db, chat.id)?)
}

/// Another commit stands where ours was to: the next head slot will do.
pub(crate) fn give_up(tx: &mut Tx<'_>, own: &Own, chat: &Chat) -> Result<()> {
    if let Some(channel) = &chat.channel {
        entrance::forget(tx, own, channel)?;
    }
    outbox::drop_attempts(tx.db, chat.id)?;
    rows::set_entering(tx.db, chat.id, false)?;
    Ok(chats::set_trouble(tx.db, chat.id, Trouble::Lost)?)
}
