//! The first step of a chat: a channel of the stock, MLS in it, and the invitation for the other.

use undertone_credentials::{DeviceList, InboxKey, KeyPackage};
use undertone_e2ee::Chat as Mls;
use undertone_wire::{AccountId, Position, content, visitor::FetchContactReply};

use crate::{
    ClientError, Result,
    db::{
        chats::{self, Chat, State},
        contacts, outbox, stock,
    },
    own::Own,
    rules::letters::{self, KeyAge, Written},
    state::{MlsStore, Tx},
};

/// What the service gave us of a person, checked against the account id that we asked for.
pub(crate) struct Fetched {
    list: DeviceList,
    inbox_key: InboxKey,
    key_packages: Vec<KeyPackage>,
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
    pub(crate) fn keep(&self, tx: &Tx<'_>) -> Result<()> {
        let account = self.list.account();
        keep_list(tx, &self.list)?;
        contacts::set_inbox_key(tx.db, account, self.inbox_key.week(), self.inbox_key.encoded())?;
        Ok(())
    }
}

/// Keeps a verified device list, unless the one that we have is as new.
pub(crate) fn keep_list(tx: &Tx<'_>, list: &DeviceList) -> Result<()> {
    let newer = match device_list(tx, list.account())? {
        Some(known) => list.order() > known.order(),
        None => true,
    };
    if newer {
        contacts::set_device_list(tx.db, list.account(), list.encoded())?;
    }
    Ok(())
}

/// The newest device list that we have of a person.
pub(crate) fn device_list(tx: &Tx<'_>, account: AccountId) -> Result<Option<DeviceList>> {
    let known = contacts::device_list(tx.db, account)?;
    Ok(known.map(|bytes| DeviceList::verify(&bytes)).transpose().map_err(|_| crate::db::DbError::Damaged)?)
}

/// Begins a chat in a channel of the stock, and writes the letter that invites the other; it carries what waits in the
/// outbox. Where nothing does any more, nothing happens. False: there is no channel in stock.
///
/// # Errors
/// When none of the other's devices can be added now.
pub(crate) fn begin(tx: &mut Tx<'_>, own: &Own, chat: &Chat, fetched: Option<&Fetched>) -> Result<bool> {
    let wanted = chats::find(tx.db, chat.id)?.is_some_and(|chat| chat.state == State::New);
    if !wanted || outbox::first(tx.db, chat.id, 1)?.is_empty() {
        return Ok(true);
    }
    let Some((stocked, head)) = stock::take(tx.db)? else { return Ok(false) };
    let invitation = {
        let store = MlsStore(tx.db);
        let today = tx.now.day();
        let current = |package: &&KeyPackage| package.is_current(today);
        let peers: Vec<_> = fetched
            .iter()
            .flat_map(|of| of.key_packages.iter().filter(current).map(|package| (&of.list, package)))
            .collect();
        if fetched.is_some() && peers.is_empty() {
            return Err(ClientError::Refused("this person's devices have published no keys for a long time"));
        }
        Mls::create(&own.me(&store, tx.rng), stocked.channel, &peers)?.1
    };
    if let Some(fetched) = fetched {
        fetched.keep(tx)?;
    }
    chats::set_channel(tx.db, chat.id, stocked.channel, Position::default(), 0, &stocked.generation_secret)?;
    if head.channel[..] == stocked.channel.as_bytes()[..] {
        chats::set_seen(tx.db, chat.id, &head)?;
    }
    let Some(invitation) = invitation else {
        // A note to oneself: nobody is to be asked.
        chats::set_state(tx.db, chat.id, State::Open)?;
        return Ok(true);
    };
    chats::set_state(tx.db, chat.id, State::Invited)?;
    let invitation = content::Invitation {
        welcome: invitation.welcome,
        tree: invitation.tree,
        incarnation: 0,
        epoch: 0,
        generation: 0,
        generation_secret: stocked.generation_secret.to_vec().into(),
        name: own.name.clone(),
    };
    match letters::write(tx, own, chat.id, Some(invitation), KeyAge::Any)? {
        Written::Letter => Ok(true),
        Written::Nothing | Written::NeedsKey => Err(ClientError::Bug("an invitation that nobody gets")),
    }
}
