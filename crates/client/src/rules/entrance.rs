//! Ways into a chat: invitations, given and taken.
//!
//! An invitation leads to a place in a channel's log: its beginning, or wherever a commit has added the invited. There
//! may be several for one chat, from two who meet, from two devices of one person, or because a channel was given up.
//! They have an order ([`chats::precedence`]) in which everybody prefers the same one.

use bytes::Bytes;
use undertone_credentials::{DeviceList, verify_seen};
use undertone_e2ee::{Chat as Mls, E2eeError, Lists};
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
        chats::{self, Channel, Chat, State, Trouble},
        members, outbox, ways,
    },
    own::Own,
    rules::{
        compose, heads,
        lists::{self, newer},
        sync,
    },
    state::{MlsStore, Tx},
};

/// Incarnations, generations and groups of one channel: far more than a commit a second makes of them in a century.
const COUNT_MAX: u32 = u32::MAX / 2;

/// A way into a chat.
pub(crate) struct Way {
    pub(crate) channel: ChannelId,
    /// Whose invitation the channel was in the beginning.
    pub(crate) inviter: AccountId,
    pub(crate) invitation: Invitation,
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
    })
}

/// Takes a way in, now or once the channel that we have is read to its end: what was said there comes first.
///
/// # Errors
/// [`ClientError::Letter`] when it leads nowhere.
pub(crate) fn consider(tx: &mut Tx<'_>, own: &Own, chat: &Chat, way: Way, open_from_ms: u64) -> Result<()> {
    let is_read = chat.state == State::Open && chat.channel.is_some() && chat.trouble == Trouble::None;
    // A way back may come before what makes it needed was read.
    let ahead = is_read && leads_ahead(chat, &way) && !ways::waits(tx.db, chat.id)?;
    if !is_better(chat, &way) && !ahead {
        return Ok(());
    }
    if is_read {
        ways::put(tx.db, chat.id, way.channel, way.inviter, &way.invitation.encode_to_vec())?;
        return Ok(());
    }
    enter(tx, own, chat, &way, open_from_ms)
}

/// The channel of a chat is read to its end, or can't be: takes the way that waits, if there is one.
pub(crate) fn enter_waiting(tx: &mut Tx<'_>, own: &Own, chat: i64) -> Result<bool> {
    let Some(waiting) = ways::take(tx.db, chat)? else { return Ok(false) };
    let chat = chats::load(tx.db, chat)?;
    let invitation = Invitation::decode(&waiting.invitation[..]).map_err(|_| crate::db::DbError::Damaged)?;
    let way = Way { channel: waiting.channel, inviter: waiting.inviter, invitation };
    if !is_better(&chat, &way) {
        return Ok(false);
    }
    let db = tx.db;
    match crate::db::attempt(db, || enter(tx, own, &chat, &way, 0))? {
        Ok(()) => Ok(true),
        Err(ClientError::Letter) => {
            if way.inviter == own.account {
                // Another device of ours is there, and we were not let in: we ask.
                chats::set_trouble(tx.db, chat.id, Trouble::Lost)?;
            }
            Ok(false)
        }
        Err(error) => Err(error),
    }
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
        Some(channel) => chats::precedence(way.invitation.part, way.inviter, way.channel) > channel.precedence(),
    }
}

/// Whether a way leads into the channel that a chat has, not before where we stand.
fn leads_ahead(chat: &Chat, way: &Way) -> bool {
    let begins = way.invitation.head.as_ref().map_or(0, |head| head.seq);
    chat.channel.as_ref().is_some_and(|ours| ours.id == way.channel && begins >= ours.seq)
}

fn enter(tx: &mut Tx<'_>, own: &Own, chat: &Chat, way: &Way, open_from_ms: u64) -> Result<()> {
    if chats::on_channel(tx.db, way.channel)?.is_some_and(|other| other.id != chat.id) {
        return Err(ClientError::Letter);
    }
    let channel = channel(tx, own, way)?;
    let known = known(tx, own, chat)?;
    let of_log = of_log(&way.invitation, &known)?;
    // What the log does not have yet, the tree must stand up to all the same.
    let newest = |known: &DeviceList| {
        let said = of_log.iter().find(|said| said.account() == known.account() && newer(said, known));
        said.unwrap_or(known).clone()
    };
    let newest: Vec<_> = known.iter().map(newest).collect();
    forget_group(tx, own, chat)?;
    {
        let store = MlsStore(tx.db);
        let invitation = &way.invitation;
        let me = own.me(&store, tx.rng);
        let judging = Lists::from_iter(&newest);
        match Mls::join(&me, way.channel, invitation.group, &invitation.welcome, &invitation.tree, &judging) {
            Ok(_) => {}
            Err(E2eeError::Storage) => return Err(E2eeError::Storage.into()),
            Err(_) => return Err(ClientError::Letter),
        }
    }
    outbox::drop_attempts(tx.db, chat.id)?;
    let gap = chat.channel.as_ref().filter(|ours| ours.id == channel.id).map_or(0, |ours| channel.seq - ours.seq);
    chats::set_channel(tx.db, chat.id, &channel)?;
    if gap > 0 {
        // What was said between is not for us any more; another device of ours may have it.
        chats::add_missed(tx.db, chat.id, gap)?;
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
        State::Invited => way.inviter == chat.peer,
        State::Request | State::Open | State::Blocked => false,
    };
    if accepts && chat.peer != own.account {
        // Both wanted to talk, so nobody is asked. Who comes to the other's channel says so there.
        compose::open(tx, own, &chats::load(tx.db, chat.id)?, open_from_ms)?;
    }
    Ok(())
}

/// The place where a way leads to, as far as it can be checked before anything is read there.
fn channel(tx: &Tx<'_>, own: &Own, way: &Way) -> Result<Channel> {
    let invitation = &way.invitation;
    let secret = invitation.generation_secret[..].try_into().map_err(|_| ClientError::Letter)?;
    let (seq, chain) = match &invitation.head {
        None => (0, Chain::start(way.channel)),
        Some(head) => {
            let signed = head.signature.is_empty() || verify_seen(heads::head_key(own)?, way.channel, head).is_ok();
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
        && [position.incarnation, invitation.generation, invitation.group].into_iter().all(|count| count < COUNT_MAX);
    if !countable || (seq == 0 && !begins) {
        return Err(ClientError::Letter);
    }
    Ok(Channel {
        id: way.channel,
        position,
        generation: invitation.generation,
        generation_secret: Zeroizing::new(secret),
        generation_day: tx.now.day(),
        group: invitation.group,
        part: invitation.part,
        inviter: way.inviter,
        seq,
        chain,
        seen: None,
    })
}

/// The lists that the log has at the place of an invitation: those that it says, or those that the two who meet have of
/// each other.
fn of_log(invitation: &Invitation, known: &[DeviceList]) -> Result<Vec<DeviceList>> {
    if invitation.device_lists.is_empty() {
        return Ok(known.to_vec());
    }
    let said = invitation.device_lists.iter().map(|bytes| DeviceList::verify(bytes));
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

/// Forgets the MLS group of the channel that a chat leaves.
pub(crate) fn forget_group(tx: &mut Tx<'_>, own: &Own, chat: &Chat) -> Result<()> {
    chat.channel.as_ref().map_or(Ok(()), |channel| forget(tx, own, channel))
}

/// Forgets the MLS group that a channel has had up to now.
pub(crate) fn forget(tx: &mut Tx<'_>, own: &Own, channel: &Channel) -> Result<()> {
    let store = MlsStore(tx.db);
    let me = own.me(&store, tx.rng);
    if let Some(group) = Mls::load(&me, channel.id, channel.group)? {
        group.delete(&me)?;
    }
    Ok(())
}
