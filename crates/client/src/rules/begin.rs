//! The first step of a chat, or its next part: a channel of the stock, MLS in it, and the invitation for the others.

use bytes::Bytes;
use undertone_credentials::{DeviceList, InboxKey, KeyPackage};
use undertone_e2ee::{Chat as Mls, Member};
use undertone_wire::{AccountId, Position, chain::Chain, content, visitor::FetchContactReply};

use crate::{
    ClientError, Result,
    db::{
        chats::{self, Channel, Chat, State},
        contacts, members, outbox, stock,
    },
    own::Own,
    rules::{
        asks, entrance,
        letters::{self, KeyAge, Written},
        lists, mls, sync,
    },
    state::Tx,
};

/// What the service gave us of a person, checked against the account id that we asked for.
pub(crate) struct Fetched {
    pub(crate) list: DeviceList,
    inbox_key: InboxKey,
    pub(crate) key_packages: Vec<KeyPackage>,
}

impl Fetched {
    /// Checks it.
    ///
    /// # Errors
    /// When a part is not signed by that person.
    pub(crate) fn check(account: AccountId, reply: &FetchContactReply) -> Result<Self> {
        let unsigned = |_| ClientError::Refused("it gave keys that this person did not sign");
        let list = DeviceList::verify(&reply.device_list).map_err(unsigned)?;
        if list.account() != account {
            return Err(ClientError::Refused("it gave the keys of another person"));
        }
        let inbox_key = InboxKey::verify(&list, &reply.inbox_key).map_err(unsigned)?;
        let key_packages = reply
            .key_packages
            .iter()
            .map(|package| KeyPackage::verify(&list, package).map_err(unsigned))
            .collect::<Result<_>>()?;
        Ok(Self { list, inbox_key, key_packages })
    }

    /// Keeps the list and the inbox key; a list older than the one that we have is not taken.
    pub(crate) fn keep(&self, tx: &Tx<'_>, own: &Own) -> Result<()> {
        lists::learn(tx, own, &self.list)?;
        contacts::set_inbox_key(tx.db, self.list.account(), self.inbox_key.week(), self.inbox_key.encoded())?;
        Ok(())
    }
}

/// Whether a chat is to begin, or to go on, in a channel from the stock.
pub(crate) fn is_wanted(tx: &Tx<'_>, own: &Own, chat: &Chat) -> Result<bool> {
    Ok(match chat.state {
        _ if chat.is_group => false,
        State::New => {
            let has_devices_to_talk_to =
                chat.peer == own.account && members::cards(tx.db)?.iter().any(|(device, _)| *device != own.device);
            has_devices_to_talk_to || !outbox::first(tx.db, chat.id, 1)?.is_empty()
        }
        // A channel that can be read is closed first.
        State::Invited | State::Open => (1..entrance::COUNT_MAX).contains(&chat.fresh) && !chat.is_read(),
        State::Request | State::Blocked | State::Out => false,
    })
}

/// Has a chat that nobody has accepted yet go on in a fresh channel where the device that began it was removed: who hears of
/// that first follows its invitation nowhere, and may not believe its letters.
pub(crate) fn anew_for_founder(tx: &mut Tx<'_>, own: &Own, chat: Chat) -> Result<Chat> {
    let waits = chat.owes && chat.fresh == 0 && chat.is_read() && chat.state == State::Invited;
    let Some(channel) = chat.channel.as_ref().filter(|_| waits) else { return Ok(chat) };
    // Nobody commits before it is accepted: the first leaf is the founder's.
    let (leaves, _) = mls::leaves(tx, own, channel)?;
    let is_gone = |founder: &Member| founder.account == own.account && own.list.device(founder.device).is_none();
    if !leaves.first().is_some_and(is_gone) {
        return Ok(chat);
    }
    chats::set_fresh(tx.db, &chat, 0)?;
    Ok(chats::load(tx.db, chat.id)?)
}

/// Begins a chat, or its next part, in a channel of the stock, and writes the letter that invites the others; with what
/// waits in the outbox, if nobody has accepted yet. Where it is not wanted any more, nothing happens. False: there is no
/// channel in stock.
///
/// # Errors
/// When none of the other's devices can be added now.
pub(crate) fn begin(tx: &mut Tx<'_>, own: &Own, chat: &Chat, fetched: Option<&Fetched>) -> Result<bool> {
    let Some(chat) = chats::find(tx.db, chat.id)? else { return Ok(true) };
    if !is_wanted(tx, own, &chat)? {
        return Ok(true);
    }
    let Some((stocked, head)) = stock::take(tx.db)? else { return Ok(false) };
    let packages = packages(tx, own, fetched)?;
    let peers: Vec<_> = packages.iter().map(|(list, package)| (list, package)).collect();
    if chat.peer != own.account && peers.iter().all(|(list, _)| list.account() == own.account) {
        return Err(ClientError::Refused("this person's devices have published no keys for a long time"));
    }
    let added: Vec<_> =
        packages.iter().map(|(list, package)| Member { account: list.account(), device: package.device() }).collect();
    entrance::leave(tx, own, &chat, &added, own.account)?;
    let invitation = {
        let store = tx.mls();
        Mls::create(&own.me(&store, tx.rng), stocked.channel, own.suite_for(&packages), &peers)?.1
    };
    outbox::drop_attempts(tx.db, chat.id)?;
    if chat.peer == own.account && chat.channel.is_none() {
        // What was said before there was anybody to tell it to.
        for member in &added {
            sync::tell_all(tx, own, member.device)?;
        }
    }
    chats::set_channel(
        tx.db,
        chat.id,
        &Channel {
            id: stocked.channel,
            position: Position::default(),
            generation: 0,
            generation_secret: stocked.generation_secret,
            generation_day: tx.now.day(),
            group: 0,
            part: chat.channel.as_ref().map_or(0, |channel| channel.part.saturating_add(1)).max(chat.fresh),
            inviter: own.account,
            seq: 0,
            chain: Chain::start(stocked.channel),
            seen: None,
        },
    )?;
    members::put(tx.db, chat.id, own.account, own.list.encoded())?;
    if let Some(fetched) = fetched.filter(|_| chat.peer != own.account) {
        fetched.keep(tx, own)?;
        members::put(tx.db, chat.id, fetched.list.account(), fetched.list.encoded())?;
    }
    if head.channel[..] == stocked.channel.as_bytes()[..] {
        chats::set_seen(tx.db, chat.id, &head)?;
    }
    let state = match chat.state {
        // A note to oneself: nobody is to be asked.
        State::New if chat.peer == own.account => State::Open,
        State::New => State::Invited,
        state => state,
    };
    chats::set_state(tx.db, chat.id, state)?;
    let chat = chats::load(tx.db, chat.id)?;
    if let Some(invitation) = invitation {
        invite(tx, own, &chat, &added, invitation.welcome, invitation.tree)?;
        for member in added {
            members::set_answered(tx.db, chat.id, member.account, member.device)?;
        }
    }
    Ok(true)
}

/// Invites all who were added at a chat's beginning.
fn invite(tx: &mut Tx<'_>, own: &Own, chat: &Chat, added: &[Member], welcome: Bytes, tree: Bytes) -> Result<()> {
    let invitation = entrance::invitation(tx, own, chat, welcome, tree)?;
    if chat.peer != own.account {
        sync::tell_joined(tx, own, chat, Some(&invitation))?;
    }
    if chat.state == State::Invited {
        return match letters::write(tx, own, chat.id, Some(invitation), KeyAge::Any)? {
            Written::Letter => Ok(()),
            Written::Nothing | Written::NeedsKey => Err(ClientError::Bug("an invitation that nobody gets")),
        };
    }
    let channel = chat.channel()?.id.into();
    let letter = content::Letter { channel, invitation: Some(invitation), ..content::Letter::default() };
    let by_letter = |member: &Member| member.account == chat.peer;
    let by_letter: Vec<_> = added.iter().copied().filter(by_letter).collect();
    asks::answer(tx, chat, &by_letter, &letter)
}

/// Key packages of the other's devices, and of our own other ones, that may be added today.
pub(crate) fn packages(tx: &Tx<'_>, own: &Own, fetched: Option<&Fetched>) -> Result<Vec<(DeviceList, KeyPackage)>> {
    let today = tx.now.day();
    let mut packages = Vec::new();
    if let Some(fetched) = fetched {
        packages.extend(fetched.key_packages.iter().map(|package| (fetched.list.clone(), package.clone())));
    }
    for (_, card) in members::cards(tx.db)? {
        packages.extend(KeyPackage::verify(&own.list, &card).ok().map(|package| (own.list.clone(), package)));
    }
    let ours = |list: &DeviceList, device| list.account() == own.account && device == own.device;
    packages.retain(|(list, package)| package.is_current(today) && !ours(list, package.device()));
    // Of one of our own devices there may be two: one that it left at the service, and its card.
    let mut known = Vec::new();
    packages.retain(|(list, package)| {
        let member = (list.account(), package.device());
        let fresh = !known.contains(&member);
        known.push(member);
        fresh
    });
    Ok(packages)
}
