//! What is done in a group by who has no leaf in it: to make it, to ask for a place, to want none. Nothing of its log is read for
//! that; the record is what the service shows, and good enough to say no, or to wait.

use sha2::{Digest as _, Sha256};
use undertone_credentials::{
    group::{Action, Change, Follows, Link, Record, Standing},
    verify_head,
};
use undertone_e2ee::Chat as Mls;
use undertone_wire::{
    ChannelId, Day, IdempotencyId, Position,
    chain::Chain,
    channel::{ChangeGroupRequest, EntryKind, Head},
};

use super::{Group, group_id, replay, sending, wishes};
use crate::{
    ClientError, Result,
    db::{
        chats::{self, Channel, State},
        groups as rows, members,
        outbox::{self, Attempt, Item},
        stock,
    },
    own::Own,
    rules::{
        heads,
        outbox::{Batch, UnderWay},
    },
    state::Tx,
};

/// What is wanted from outside.
pub(crate) enum Wish {
    /// To come in, as somebody who has a place.
    ComeIn,
    /// To join by the link, or to ask: as the record has it.
    ByLink,
    /// Something that needs no leaf.
    Change {
        /// The link's secret goes with it.
        by_link: bool,
    },
}

/// Puts a group that is to be made into a channel of the stock, which nobody has opened.
///
/// # Errors
/// [`ClientError::Busy`] when another chat was faster.
pub(crate) fn begin(tx: &mut Tx<'_>, own: &Own, chat: i64, channel: ChannelId) -> Result<()> {
    let (stocked, head) = stock::take_this(tx.db, channel)?.ok_or(ClientError::Busy)?;
    {
        let store = tx.mls();
        Mls::create(&own.me(&store, tx.rng), channel, own.suite, &[])?;
    }
    chats::set_peer(tx.db, chat, group_id(channel))?;
    rows::set_channel(tx.db, chat, channel)?;
    chats::set_channel(
        tx.db,
        chat,
        &Channel {
            id: channel,
            position: Position::default(),
            generation: 0,
            generation_secret: stocked.generation_secret,
            generation_day: tx.now.day(),
            group: 0,
            part: 0,
            inviter: own.account,
            seq: 0,
            chain: Chain::start(channel),
            seen: None,
        },
    )?;
    members::put(tx.db, chat, own.account, own.list.encoded())?;
    rows::set_renewed(tx.db, chat, tx.now.0)?;
    chats::set_seen(tx.db, chat, &head)?;
    Ok(chats::set_state(tx.db, chat, State::Open)?)
}

fn waiting(tx: &Tx<'_>, chat: i64) -> Result<Option<Item>> {
    let items = outbox::first(tx.db, chat, usize::from(u8::MAX))?;
    Ok(items.into_iter().find(|item| item.kind == EntryKind::Change))
}

/// What is wanted, if anything is.
pub(crate) fn wish(tx: &Tx<'_>, chat: i64) -> Result<Option<Wish>> {
    let Some(item) = waiting(tx, chat)? else { return Ok(None) };
    Ok(Some(match wishes::actions(&item)?[..] {
        [Action::Accept] => Wish::ComeIn,
        [Action::Join] => Wish::ByLink,
        [Action::Request] => Wish::Change { by_link: true },
        _ => Wish::Change { by_link: false },
    }))
}

/// What is wanted by the link, as the record is now: to join where that is let, else to ask. Who stands in it already comes in,
/// and who is invited accepts that.
///
/// # Errors
/// [`ClientError::GroupLinkOver`] when the record is not the one of this group.
pub(crate) fn by_link(tx: &mut Tx<'_>, own: &Own, chat: i64, record: &[u8]) -> Result<Wish> {
    let group = Group::load(tx.db, chat)?;
    let record = shown(&group, record)?;
    rows::set_record(tx.db, chat, &record.encode())?;
    let actor = group.entry(tx.db, own.account)?;
    let standing = record.standing(&actor);
    let Some(item) = waiting(tx, chat)? else { return Ok(Wish::Change { by_link: true }) };
    let chat = chats::load(tx.db, chat)?;
    if standing.is_member() {
        outbox::remove(tx.db, item.n)?;
        return super::invitations::by_ourselves(tx, &chat).map(|()| Wish::ByLink);
    }
    let (action, wish) = match record.link() {
        _ if standing == Standing::Invited => (Action::Accept, Wish::ComeIn),
        Link::Join(_) => (Action::Join, Wish::ByLink),
        Link::Ask(_) | Link::Off => (Action::Request, Wish::Change { by_link: true }),
    };
    let change = Change { revision: 1, actor, actions: vec![action], follows: Follows::Nothing };
    outbox::set_content(tx.db, item.n, &change.encode().map_err(|_| ClientError::TooMuchAtOnce)?)?;
    Ok(wish)
}

/// The record that the service shows, if it is one of this group.
///
/// # Errors
/// [`ClientError::GroupLinkOver`].
pub(super) fn shown(group: &Group, record: &[u8]) -> Result<Record> {
    let record =
        Record::decode(record).map_err(|_| ClientError::Refused("what it shows of the group makes no sense"))?;
    let ours = record.group_public() == group.secret.public().as_bytes();
    if ours { Ok(record) } else { Err(ClientError::GroupLinkOver) }
}

/// What waits, made into a change of the record that the service has shown; again the same, if it was sent before. None: it
/// cannot be done.
pub(crate) fn change(
    tx: &mut Tx<'_>,
    own: &Own,
    chat: i64,
    record: &[u8],
    head: &Head,
) -> Result<Option<ChangeGroupRequest>> {
    let group = Group::load(tx.db, chat)?;
    let Some(item) = waiting(tx, chat)? else { return Ok(None) };
    let record = shown(&group, record)?;
    rows::set_record(tx.db, chat, &record.encode())?;
    let attempt = match item.attempt.clone() {
        Some(attempt) => attempt,
        None => {
            verify_head(heads::head_key(own)?, head).map_err(|_| ClientError::BadHead)?;
            let change = Change {
                revision: record.revision().saturating_add(1),
                actor: group.entry(tx.db, own.account)?,
                actions: wishes::actions(&item)?,
                follows: Follows::Nothing,
            };
            if let Err(refused) = record.apply(&change) {
                outbox::set_refused(tx.db, item.n, sending::number(refused))?;
                return Ok(None);
            }
            let body = change.encode().map_err(|_| ClientError::TooMuchAtOnce)?;
            let attempt = Attempt {
                id: IdempotencyId::new(tx.random()),
                body_hash: Sha256::digest(&body).into(),
                body: body.to_vec(),
                position: Position { incarnation: head.incarnation, epoch: head.epoch },
                expiry_day: Day(0),
            };
            outbox::set_attempt(tx.db, item.n, &attempt)?;
            attempt
        }
    };
    let under_way = UnderWay { kind: EntryKind::Change, attempt, installs: Vec::new(), slot: Vec::new() };
    let batch = Batch { chat, items: vec![under_way], channel: group.stored.channel, shows: false };
    Ok(batch.change())
}

/// It was done.
pub(crate) fn made(tx: &mut Tx<'_>, own: &Own, chat: i64) -> Result<()> {
    let Some(item) = waiting(tx, chat)? else { return Ok(()) };
    let asked = matches!(wishes::actions(&item)?[..], [Action::Request]);
    outbox::remove(tx.db, item.n)?;
    let chat = chats::load(tx.db, chat)?;
    if asked {
        chats::set_state(tx.db, chat.id, State::Invited)?;
    } else {
        replay::leave_behind(tx, own, &chat)?;
    }
    super::tell(tx, own, &chats::load(tx.db, chat.id)?)
}

/// It was made of a record that is another by now.
pub(crate) fn again(tx: &Tx<'_>, chat: i64) -> Result<()> {
    waiting(tx, chat)?.map_or(Ok(()), |item| Ok(outbox::drop_attempt(tx.db, item.n)?))
}

/// It cannot be done.
pub(crate) fn refuse(tx: &Tx<'_>, chat: i64, why: i32) -> Result<()> {
    waiting(tx, chat)?.map_or(Ok(()), |item| Ok(outbox::set_refused(tx.db, item.n, why)?))
}
