//! Ways into a chat: invitations, given and taken.
//!
//! An invitation leads to a place in a channel's log: its beginning, or wherever a commit has added the invited. There
//! may be several for one chat, from two who meet, from two devices of one person, or because a channel was given up.
//! They have an order ([`chats::precedence`]) in which everybody prefers the same one.

use bytes::Bytes;
use undertone_credentials::{DeviceList, verify_seen};
use undertone_e2ee::{Chat as Mls, E2eeError, Lists, Member};
use undertone_wire::Message as _;
use undertone_wire::{
    AccountId, ChannelId, Position,
    chain::Chain,
    content::{Invitation, Seen},
};
use zeroize::Zeroizing;

use crate::{
    ClientError, Result,
    db::{
        chats::{self, Channel, Chat, Precedence, State, Trouble},
        members, messages, outbox, ways,
    },
    own::Own,
    rules::{
        compose, heads,
        lists::{self, newer},
        mls, sync,
    },
    state::Tx,
};

/// Incarnations, generations and groups of one channel, and parts of a chat: far more than a commit a second makes of them
/// in a century.
pub(crate) const COUNT_MAX: u32 = u32::MAX / 2;

/// Messages that are said again to who has not heard them: more are history, which he has from his own devices or not at
/// all.
pub(crate) const SAID_AGAIN_MAX: u32 = 256;

/// A way into a chat.
pub(crate) struct Way {
    pub(crate) channel: ChannelId,
    /// Whose invitation the channel was in the beginning.
    pub(crate) inviter: AccountId,
    pub(crate) invitation: Invitation,
}

impl Way {
    pub(crate) fn precedence(&self) -> Precedence {
        chats::precedence(self.invitation.part, self.inviter, self.channel)
    }
}

/// What an invitation says of a channel, for those who are let in where we stand.
pub(crate) fn invitation(tx: &Tx<'_>, own: &Own, chat: &Chat, welcome: Bytes, tree: Bytes) -> Result<Invitation> {
    let channel = chat.channel()?;
    let head = match (&channel.seen, channel.seq) {
        (_, 0) => None,
        (Some(seen), seq) if seen.seq == seq => Some(heads::seen(chat)?),
        // The service has signed a later one; who comes in hashes forward to it.
        (_, seq) => Some(Seen { seq, chain: Bytes::copy_from_slice(channel.chain.as_bytes()), ..Seen::default() }),
    };
    Ok(Invitation {
        welcome,
        tree,
        incarnation: channel.position.incarnation,
        epoch: channel.position.epoch,
        generation: channel.generation,
        generation_secret: channel.generation_secret.to_vec().into(),
        name: own.name.clone(),
        part: channel.part,
        head,
        device_lists: members::lists(tx.db, chat.id)?,
        group: channel.group,
        inviter: channel.inviter.into(),
    })
}

/// Takes a way in, now or once the channel that we have is closed: what was said there comes first. False: it is the way of
/// others of our devices, or one that we have used up.
///
/// # Errors
/// [`ClientError::Letter`] when it leads nowhere.
pub(crate) fn consider(tx: &mut Tx<'_>, own: &Own, chat: &Chat, way: Way, open_from_ms: u64) -> Result<bool> {
    if !chat.is_read() {
        return if is_better(chat, &way) { try_to_enter(tx, own, chat, &way, open_from_ms) } else { Ok(true) };
    }
    let waiting = waiting(tx, chat.id)?;
    // A way back may come before what makes it needed was read.
    let ahead = leads_ahead(chat, &way) && waiting.is_none() && !way.invitation.welcome.is_empty();
    let best = is_better(chat, &way) && waiting.is_none_or(|before| is_rather(&way, &before));
    if best || ahead {
        if !way.invitation.welcome.is_empty() {
            // No channel is closed for what leads nowhere.
            channel(tx, own, &way)?;
        }
        ways::put(tx.db, chat.id, way.channel, way.inviter, &way.invitation.encode_to_vec())?;
        if best && chat.state == State::Invited {
            // What is said to those who may have come to our own channel does not follow at once either.
            chats::set_open_from(tx.db, chat.id, open_from_ms)?;
        }
    }
    Ok(true)
}

/// Whether a chat is to leave its channel, which can be read, for a better one. That is closed before: by a commit behind
/// which nobody says anything, so that who leaves has read all that was said.
pub(crate) fn leaves(tx: &Tx<'_>, chat: &Chat) -> Result<bool> {
    let better = |way: Way| leads_elsewhere(chat, &way) && is_better(chat, &way);
    Ok(chat.is_read() && (chat.fresh > 0 || waiting(tx, chat.id)?.is_some_and(better)))
}

/// Takes the way that waits for a chat, if there is one and its channel is closed, or cannot be read.
pub(crate) fn enter_waiting(tx: &mut Tx<'_>, own: &Own, chat: i64) -> Result<bool> {
    let Some(chat) = chats::find(tx.db, chat)?.filter(|chat| !chat.is_read()) else { return Ok(false) };
    let Some(way) = waiting(tx, chat.id)? else { return Ok(false) };
    ways::forget(tx.db, chat.id)?;
    if !is_better(&chat, &way) || way.invitation.welcome.is_empty() {
        return Ok(false);
    }
    match try_to_enter(tx, own, &chat, &way, 0) {
        // Then we ask.
        Err(ClientError::Letter) => Ok(false),
        entered => entered,
    }
}

/// False: it is the way of others.
fn try_to_enter(tx: &mut Tx<'_>, own: &Own, chat: &Chat, way: &Way, open_from_ms: u64) -> Result<bool> {
    match tx.attempt(|tx| enter(tx, own, chat, way, open_from_ms))? {
        Ok(()) => Ok(true),
        Err(ClientError::E2ee(E2eeError::KeyGone)) => {
            let seq = way.invitation.head.as_ref().map_or(0, |head| head.seq);
            chats::set_tried(tx.db, chat.id, way.channel, seq)?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn waiting(tx: &Tx<'_>, chat: i64) -> Result<Option<Way>> {
    let Some(waiting) = ways::waiting(tx.db, chat)? else { return Ok(None) };
    let invitation = Invitation::decode(&waiting.invitation[..]).map_err(|_| crate::db::DbError::Damaged)?;
    Ok(Some(Way { channel: waiting.channel, inviter: waiting.inviter, invitation }))
}

/// Whether a way is to wait in the place of another.
fn is_rather(way: &Way, than: &Way) -> bool {
    let lets_in = |way: &Way| !way.invitation.welcome.is_empty();
    (way.precedence(), lets_in(way)) > (than.precedence(), lets_in(than))
}

/// Whether a way leads to a better channel than the one that a chat has, or back into the same where we have lost it.
fn is_better(chat: &Chat, way: &Way) -> bool {
    if chat.trouble.is_proven() {
        // There is proof that the service cheats: nothing is mended behind the person's back.
        return false;
    }
    match &chat.channel {
        None => true,
        Some(channel) if channel.id == way.channel => {
            matches!(chat.trouble, Trouble::Lost | Trouble::Expired) && leads_ahead(chat, way)
        }
        Some(channel) => way.precedence() > channel.precedence(),
    }
}

/// Whether a way leads into the channel that a chat has, not before where we stand.
fn leads_ahead(chat: &Chat, way: &Way) -> bool {
    let begins = way.invitation.head.as_ref().map_or(0, |head| head.seq);
    chat.channel.as_ref().is_some_and(|ours| ours.id == way.channel && begins >= ours.seq)
}

fn leads_elsewhere(chat: &Chat, way: &Way) -> bool {
    chat.channel.as_ref().is_none_or(|ours| ours.id != way.channel)
}

fn enter(tx: &mut Tx<'_>, own: &Own, chat: &Chat, way: &Way, open_from_ms: u64) -> Result<()> {
    if chats::on_channel(tx.db, way.channel)?.is_some_and(|other| other.id != chat.id) {
        return Err(ClientError::Letter);
    }
    let channel = channel(tx, own, way)?;
    let known = known(tx, own, chat)?;
    let of_log = of_log(tx, &way.invitation, &known)?;
    let newest: Vec<_> = known.iter().map(|known| newest(known, &of_log)).collect();
    // Who invites may not have known that somebody, or he himself, has removed a device: then the commit that says so is owed.
    let judging = if chat.peer == own.account { &newest } else { &of_log };
    if !leads_elsewhere(chat, way) {
        forget_group(tx, own, chat)?;
    }
    let (next, inviter) = {
        let store = tx.mls();
        let invitation = &way.invitation;
        let me = own.me(&store, tx.rng);
        let judging = Lists::from_iter(judging);
        match Mls::join(&me, way.channel, invitation.group, &invitation.welcome, &invitation.tree, &judging) {
            Ok((mls, inviter)) => (mls.members(), inviter),
            Err(error @ (E2eeError::Storage | E2eeError::KeyGone)) => return Err(error.into()),
            Err(_) => return Err(ClientError::Letter),
        }
    };
    // But nobody is led anywhere by a device that was removed.
    let key = |lists: &[DeviceList]| {
        let list = lists.iter().find(|list| list.account() == inviter.account)?;
        list.device(inviter.device).map(|device| device.key)
    };
    if inviter.account != own.account && key(&newest) != key(judging) {
        return Err(ClientError::Letter);
    }
    if leads_elsewhere(chat, way) {
        leave(tx, own, chat, &next, way.inviter)?;
        let unheard = matches!(chat.state, State::Request | State::Invited);
        members::set_answered_in(tx.db, chat.id, way.channel, unheard)?;
    }
    outbox::drop_attempts(tx.db, chat.id)?;
    let gap = chat.channel.as_ref().filter(|ours| ours.id == channel.id).map_or(0, |ours| said_between(ours, &channel));
    chats::set_channel(tx.db, chat.id, &channel)?;
    // What was said between is not for us any more; another device of ours may have it, and in the chat with ourselves all
    // that our devices told each other before we came.
    chats::add_missed(tx.db, chat.id, gap)?;
    // Nor is what stands there already if we come from elsewhere: of that, the other says again his own alone.
    let from_elsewhere = chat.channel.as_ref().is_some_and(|ours| ours.id != channel.id);
    if gap > 0 || ((chat.peer == own.account || from_elsewhere) && channel.seq > 0) {
        sync::ask_history(tx, own, chat)?;
    }
    for list in &of_log {
        members::put(tx.db, chat.id, list.account(), list.encoded())?;
    }
    if let Some(seen) = way.invitation.head.as_ref().filter(|head| !head.signature.is_empty()) {
        heads::set_seen(tx, chat.id, seen)?;
    }
    let accepts = match chat.state {
        State::New => true,
        // Behind the beginning somebody has let us in: then he was there.
        State::Invited => way.inviter == chat.peer || channel.seq > 0,
        State::Request | State::Open | State::Blocked | State::Out => false,
    };
    if accepts && chat.peer == own.account {
        // A note to oneself: nobody is to be asked.
        chats::set_state(tx.db, chat.id, State::Open)?;
    } else if accepts {
        // Both wanted to talk, so nobody is asked. Who comes to the other's channel says so there.
        compose::open(tx, own, &chats::load(tx.db, chat.id)?, open_from_ms)?;
    }
    Ok(())
}

/// The newest list of an account that is known, or that comes with an invitation.
fn newest(known: &DeviceList, said: &[DeviceList]) -> DeviceList {
    let is_newer = |said: &&DeviceList| said.account() == known.account() && newer(said, known);
    said.iter().find(is_newer).unwrap_or(known).clone()
}

/// How many messages stand between two places of a log: all but the commits.
pub(crate) fn said_between(from: &Channel, to: &Channel) -> u64 {
    let same = from.position.incarnation == to.position.incarnation;
    let commits = if same { to.position.epoch.saturating_sub(from.position.epoch) } else { 0 };
    to.seq.saturating_sub(from.seq).saturating_sub(commits)
}

/// Whether an invitation may be for other devices of ours: its sender knew of such.
pub(crate) fn is_for_others(own: &Own, invitation: &Invitation) -> bool {
    let lists = invitation.device_lists.iter().filter_map(|bytes| DeviceList::verify(bytes).ok());
    let devices = lists.filter(|list| list.account() == own.account).flat_map(|list| list.devices().to_vec());
    devices.into_iter().any(|device| device.number != own.device)
}

/// The place where a way leads to, as far as it can be checked before anything is read there.
fn channel(tx: &Tx<'_>, own: &Own, way: &Way) -> Result<Channel> {
    channel_of(tx, own, way.channel, way.inviter, &way.invitation)
}

/// The same.
pub(crate) fn channel_of(
    tx: &Tx<'_>,
    own: &Own,
    id: ChannelId,
    inviter: AccountId,
    invitation: &Invitation,
) -> Result<Channel> {
    let secret = invitation.generation_secret[..].try_into().map_err(|_| ClientError::Letter)?;
    let (seq, chain) = match &invitation.head {
        None => (0, Chain::start(id)),
        Some(head) => {
            let signed = head.signature.is_empty() || verify_seen(heads::head_key(own)?, id, head).is_ok();
            let countable = i64::try_from(head.seq).is_ok();
            let chain = Chain::try_from(&head.chain[..]).map_err(|_| ClientError::Letter)?;
            if !signed || !countable {
                return Err(ClientError::Letter);
            }
            (head.seq, chain)
        }
    };
    let position = Position { incarnation: invitation.incarnation, epoch: invitation.epoch };
    let begins = (position, invitation.generation, invitation.group) == (Position::default(), 0, 0);
    // No chat comes to so many in its life; what counts further is there to make us overflow.
    let countable = i64::try_from(position.epoch).is_ok()
        && [position.incarnation, invitation.generation, invitation.group, invitation.part]
            .into_iter()
            .all(|count| count < COUNT_MAX);
    if !countable || (seq == 0 && !begins) {
        return Err(ClientError::Letter);
    }
    Ok(Channel {
        id,
        position,
        generation: invitation.generation,
        generation_secret: Zeroizing::new(secret),
        generation_day: tx.now.day(),
        group: invitation.group,
        part: invitation.part,
        inviter,
        seq,
        chain,
        seen: None,
    })
}

/// The lists that the log has at the place of an invitation: those that it says, or those that the two who meet have of
/// each other.
fn of_log(tx: &Tx<'_>, invitation: &Invitation, known: &[DeviceList]) -> Result<Vec<DeviceList>> {
    if invitation.device_lists.is_empty() {
        return Ok(known.to_vec());
    }
    let said = invitation.device_lists.iter().map(|bytes| tx.verified.list(bytes));
    let said: Vec<_> = said.collect::<Result<_, _>>().map_err(|_| ClientError::Letter)?;
    let complete = |known: &DeviceList| said.iter().filter(|list| list.account() == known.account()).count() == 1;
    if said.len() == known.len() && known.iter().all(complete) { Ok(said) } else { Err(ClientError::Letter) }
}

/// The newest lists that we know of those who belong to a chat.
fn known(tx: &Tx<'_>, own: &Own, chat: &Chat) -> Result<Vec<DeviceList>> {
    let mut known = vec![lists::of_ourselves(tx)?];
    if chat.peer != own.account {
        known.push(lists::of_contact(tx, chat.peer)?.ok_or(ClientError::Letter)?);
    }
    Ok(known)
}

/// A commit has added devices. That one of the other's was added does not mean that it comes: it may know of a better channel
/// by then, and those of his that were there before may be lost.
pub(crate) fn were_added(tx: &Tx<'_>, chat: &mut Chat, added: &[Member], seq: u64) -> Result<()> {
    for member in added {
        members::set_answered(tx.db, chat.id, member.account, member.device)?;
        chats::set_added(tx.db, chat.id, member.account, member.device, seq)?;
        if chat.met && member.account == chat.peer {
            chats::set_met(tx.db, chat.id, false)?;
            chat.met = false;
        }
    }
    Ok(())
}

/// Leaves the channel of a chat for another, which these come to. What was said there some may not have heard: our other
/// devices are told; and to the other it is said again, if he has never come there, or if devices of his come along that
/// were not there.
pub(crate) fn leave(tx: &mut Tx<'_>, own: &Own, chat: &Chat, next: &[Member], inviter: AccountId) -> Result<()> {
    let Some(channel) = &chat.channel else { return Ok(()) };
    let before = members_of(tx, own, channel)?;
    forget(tx, own, channel)?;
    let devices: Vec<_> = own.list.devices().iter().map(|device| device.number).collect();
    let others = devices.into_iter().filter(|device| *device != own.device);
    if chat.peer == own.account {
        for device in others {
            sync::tell_all(tx, own, device)?;
        }
        return Ok(());
    }
    if let Some(first) = messages::first_in_log(tx.db, chat.id, channel.part)? {
        for device in others {
            members::add_history(tx.db, chat.id, device, first - 1)?;
        }
    }
    // Those of his devices that were there may all be lost, which nobody knows.
    let newcomers = next.iter().any(|member| member.account == chat.peer && !before.contains(member));
    let asks = members::asks(tx.db, chat.id)?;
    let unheard =
        asks.iter().filter(|asking| asking.account == chat.peer).map(|asking| asking.knows_of(channel.id)).min();
    // And whoever goes on elsewhere may do so because he is lost himself: where he stood, he has told nobody.
    let unheard = if chat.met && !newcomers && inviter != chat.peer { unheard } else { Some(0) };
    unheard.map_or(Ok(()), |after| say_again(tx, own, chat, after, u64::MAX))
}

/// Whose leaves are in the MLS group of a channel; nobody's, where we do not have it.
pub(crate) fn members_of(tx: &mut Tx<'_>, own: &Own, channel: &Channel) -> Result<Vec<Member>> {
    Ok(mls::with_any(tx, own, channel, |_, mls| Ok(mls.members()))?.unwrap_or_default())
}

/// Says again to the other of a chat, before all that waits, what of ours stands in its log between two places.
pub(crate) fn say_again(tx: &mut Tx<'_>, own: &Own, chat: &Chat, after: u64, before: u64) -> Result<()> {
    // What was said again in this log stands where it was said first: in one before.
    let part = chat.channel()?.part;
    for message in messages::said(tx.db, (chat.id, own.account), part, (after, before), SAID_AGAIN_MAX)? {
        compose::say_again(tx, &message)?;
    }
    Ok(())
}

/// Forgets the MLS group of the channel that a chat has.
fn forget_group(tx: &mut Tx<'_>, own: &Own, chat: &Chat) -> Result<()> {
    chat.channel.as_ref().map_or(Ok(()), |channel| forget(tx, own, channel))
}

/// Forgets the MLS group that a channel has had up to now.
pub(crate) fn forget(tx: &mut Tx<'_>, own: &Own, channel: &Channel) -> Result<()> {
    let store = tx.mls();
    let me = own.me(&store, tx.rng);
    if let Some(group) = Mls::load(&me, channel.id, channel.group)? {
        group.delete(&me)?;
    }
    Ok(())
}
