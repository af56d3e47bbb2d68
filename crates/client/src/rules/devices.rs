//! Our own devices: which there are, and how one comes and goes.

use undertone_credentials::{Device, DeviceKey, DeviceList, IdentityKey, PublicKey, RecoveryKey, RecoveryWords};
use undertone_e2ee::{Hello, InboxSecret, open_vault, vault_identity_number};
use undertone_wire::{
    ChannelId, Message as _, Position,
    account::RecoverReply,
    chain::Chain,
    content::{Handover, Shared, Vault, VaultChat},
    ladder, limits,
    link::Link,
};
use zeroize::Zeroizing;

use crate::{
    ClientError, Result,
    db::{
        chats::{self, Channel, State, Trouble},
        inbox, me, members,
    },
    own::Own,
    rules::{groups, lists, profiles, receipts, sync},
    state::Tx,
};

/// What the old device gives to a new one: a list with it, signed but not yet put, and the keys that devices share.
///
/// # Errors
/// When there are as many devices as there may be, or this home does not hold the identity key.
pub(crate) fn offer(tx: &Tx<'_>, own: &Own, hello: &Hello) -> Result<(DeviceList, Handover)> {
    let features = hello.content().features.clone();
    let list = with_device(&own.list, &own.identity_key, *hello.device_key(), features)?;
    let device = newest(&list);
    let shared = Shared { device_list: list.encoded().clone(), name: own.name.clone(), ..sync::shared(tx)? };
    Ok((list, Handover { device, shared: Some(shared) }))
}

/// Says what this device understands, where our list says something else.
pub(crate) fn announce(tx: &Tx<'_>, own: &Own) -> Result<()> {
    let says = |device: &Device| device.features == own.features;
    if !own.may_sign() || own.list.device(own.device).is_none_or(says) {
        return Ok(());
    }
    let features = |device: &Device| match device.number == own.device {
        true => Device { features: own.features.clone(), ..device.clone() },
        false => device.clone(),
    };
    let devices = own.list.devices().iter().map(features).collect();
    let list = own.list.next(&own.identity_key, devices).map_err(|_| ClientError::Bug("our own device list"))?;
    lists::adopt(tx, own, &list, false)
}

fn with_device(list: &DeviceList, identity: &IdentityKey, key: PublicKey, features: Vec<u32>) -> Result<DeviceList> {
    if list.devices().len() >= limits::DEVICES_MAX {
        return Err(ClientError::TooManyDevices);
    }
    let mut devices = list.devices().to_vec();
    if !devices.iter().any(|device| device.key == key) {
        devices.push(Device { number: list.next_device_number(), key, features });
    }
    list.next(identity, devices).map_err(|_| ClientError::StaleIdentity)
}

fn newest(list: &DeviceList) -> u32 {
    list.devices().iter().map(|device| device.number).max().unwrap_or(0)
}

/// The new device takes over what the old one gave.
///
/// # Errors
/// When it does not name this device, or there is an account here already.
pub(crate) fn take_over(tx: &mut Tx<'_>, link: &Link, key: &DeviceKey, handover: &Handover) -> Result<()> {
    let shared = handover.shared.as_ref().ok_or(ClientError::BadHandover)?;
    fill(tx, link, key, handover.device, shared, 0, true)
}

/// Fills an empty home.
fn fill(
    tx: &mut Tx<'_>,
    link: &Link,
    key: &DeviceKey,
    device: u32,
    shared: &Shared,
    vault_revision: u64,
    list_put: bool,
) -> Result<()> {
    if me::load(tx.db)?.is_some_and(|me| me.registered) {
        return Err(ClientError::AlreadyRegistered);
    }
    tx.forget_unregistered()?;
    let list = DeviceList::verify(&shared.device_list).map_err(|_| ClientError::BadHandover)?;
    let seed: [u8; 32] = shared.identity_seed[..].try_into().map_err(|_| ClientError::BadHandover)?;
    let seed = Zeroizing::new(seed);
    let named = list.device(device).is_some_and(|device| device.key == key.public());
    if !named || IdentityKey::from_seed(&seed).public() != *list.identity() {
        return Err(ClientError::BadHandover);
    }
    let vault_key = shared.vault_key[..].try_into().ok().map(Zeroizing::new);
    me::insert(
        tx.db,
        &me::Me {
            link: link.to_text(),
            service_keys: None,
            head_key: None,
            name: shared.name.clone(),
            account: list.account(),
            identity_seed: seed,
            device,
            device_seed: key.seed(),
            device_list: list.encoded().to_vec(),
            registered: list_put,
            invite: String::new(),
            inbox_cursor: 0,
            inbox_read_ms: 0,
            vault_key,
            vault_revision,
            vault_hash: None,
            visit: None,
            next_visit: None,
            standing: me::Standing::Good,
            card_day: undertone_wire::Day(0),
            list_put,
        },
    )?;
    for bytes in &shared.inbox_secrets {
        let secret = InboxSecret::from_bytes(bytes).map_err(|_| ClientError::BadHandover)?;
        inbox::put_key(tx.db, secret.week(), bytes)?;
    }
    sync::take_cards(tx, device, &list, &shared.cards)?;
    let own = Own::load(tx)?.ok_or(ClientError::Bug("our own row"))?;
    profiles::hear_ours(tx, shared)?;
    if let Some(settings) = &shared.settings {
        receipts::hear_settings(tx, &own, settings)?;
    }
    // The way into the chat with ourselves is asked for like any that was lost.
    let chat = sync::own_chat(tx, &own)?;
    chats::set_state(tx.db, chat.id, State::Open)?;
    chats::set_trouble(tx.db, chat.id, Trouble::Lost)?;
    Ok(())
}

/// Fills an empty home by the recovery words: with what the vault holds, or as the only device of a person who knows
/// nobody, where there is none.
///
/// # Errors
/// When the words are those of another account, or the vault is not what the devices sealed.
pub(crate) fn recovered(
    tx: &mut Tx<'_>,
    link: &Link,
    words: &RecoveryWords,
    reply: &RecoverReply,
    name: &str,
) -> Result<()> {
    let recovery = words.recovery_key();
    let list = DeviceList::verify(&reply.device_list)
        .map_err(|_| ClientError::Refused("it gave a device list that this person did not sign"))?;
    if *list.recovery() != recovery.public() {
        return Err(ClientError::Refused("it gave the account of somebody else"));
    }
    let key = DeviceKey::generate(&mut tx.rng);
    let vault = open(&list, words, &reply.vault)?;
    let features = tx.rungs.features.clone();
    let shared = vault.as_ref().and_then(|vault| vault.shared.clone());
    let (list, shared) = match shared.and_then(|shared| Some((identity(&shared)?, shared))) {
        Some((identity, shared)) if identity.public() == *list.identity() => {
            let list = with_device(&list, &identity, key.public(), features)?;
            let shared = Shared { device_list: list.encoded().clone(), ..shared };
            (list, shared)
        }
        // What devices shared is lost, or older than the last removal: only a new identity key can be had.
        _ => anew(tx, &list, &recovery, words, key.public(), features, name)?,
    };
    fill(tx, link, &key, newest(&list), &shared, reply.vault_revision, false)?;
    if let Some(vault) = vault {
        restore(tx, &vault)?;
    }
    Ok(())
}

/// The account goes on with one device.
fn anew(
    tx: &mut Tx<'_>,
    list: &DeviceList,
    recovery: &RecoveryKey,
    words: &RecoveryWords,
    key: PublicKey,
    features: Vec<u32>,
    name: &str,
) -> Result<(DeviceList, Shared)> {
    let identity = IdentityKey::generate(&mut tx.rng);
    let device = Device { number: list.next_device_number(), key, features };
    let list =
        list.next_identity(recovery, &identity, vec![device]).map_err(|_| ClientError::Bug("our own device list"))?;
    let shared = Shared {
        device_list: list.encoded().clone(),
        identity_seed: identity.seed().to_vec().into(),
        inbox_secrets: Vec::new(),
        vault_key: words.vault_key(list.order().identity_number).to_vec().into(),
        name: name.to_owned(),
        cards: Vec::new(),
        profile_key: None,
        settings: None,
    };
    Ok((list, shared))
}

fn identity(shared: &Shared) -> Option<IdentityKey> {
    let seed: [u8; 32] = shared.identity_seed[..].try_into().ok()?;
    Some(IdentityKey::from_seed(&seed))
}

fn open(list: &DeviceList, words: &RecoveryWords, sealed: &[u8]) -> Result<Option<Vault>> {
    if sealed.is_empty() {
        return Ok(None);
    }
    let damaged = |_| ClientError::Refused("the vault that it gave is not the one of this account");
    let key = words.vault_key(vault_identity_number(sealed).map_err(damaged)?);
    let content = open_vault(&key, list.account(), sealed).map_err(damaged)?;
    let vault = Vault::decode(&content[..]).map_err(|_| ClientError::BadHandover)?;
    if vault.version > ladder::OBJECTS {
        return Err(ClientError::UpdateNeeded);
    }
    Ok(Some(vault))
}

/// Contacts and chats of a vault. No chat has its MLS state: each is asked for.
fn restore(tx: &mut Tx<'_>, vault: &Vault) -> Result<()> {
    let own = Own::load(tx)?.ok_or(ClientError::Bug("our own row"))?;
    for standing in &vault.contacts {
        match sync::take_standing(tx, &own, standing) {
            // Who was only invited is invited again by the next message.
            Ok(chat) if chat.state == State::Invited => chats::set_state(tx.db, chat.id, State::New)?,
            Ok(_) | Err(ClientError::Letter) => {}
            Err(error) => return Err(error),
        }
    }
    for chat in &vault.chats {
        restore_chat(tx, &own, chat)?;
    }
    for group in &vault.groups {
        match groups::hear(tx, &own, group) {
            Ok(()) | Err(ClientError::Letter) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn restore_chat(tx: &mut Tx<'_>, own: &Own, kept: &VaultChat) -> Result<()> {
    let Ok(peer) = undertone_wire::AccountId::try_from(&kept.peer[..]) else { return Ok(()) };
    let (Ok(id), Ok(inviter)) =
        (ChannelId::try_from(&kept.channel[..]), undertone_wire::AccountId::try_from(&kept.inviter[..]))
    else {
        return Ok(());
    };
    let chat = chats::with(tx.db, peer)?.filter(|chat| matches!(chat.state, State::Open | State::New));
    let (Ok(secret), Some(chat)) = (kept.generation_secret[..].try_into(), chat) else { return Ok(()) };
    if chat.state == State::New {
        // The next message invites again, into a channel that comes after this one, which is lost.
        return Ok(chats::set_fresh(tx.db, &chat, kept.part)?);
    }
    let head = kept.head.clone().unwrap_or_default();
    let chain = Chain::try_from(&head.chain[..]).unwrap_or_else(|_| Chain::start(id));
    chats::set_channel(
        tx.db,
        chat.id,
        &Channel {
            id,
            position: Position::default(),
            generation: kept.generation,
            generation_secret: Zeroizing::new(secret),
            generation_day: tx.now.day(),
            group: 0,
            part: kept.part,
            inviter,
            seq: i64::try_from(head.seq).map_or(0, i64::unsigned_abs),
            chain,
            seen: None,
        },
    )?;
    members::put(tx.db, chat.id, own.account, own.list.encoded())?;
    chats::set_trouble(tx.db, chat.id, Trouble::Lost)?;
    Ok(())
}

/// Takes a device off the list: under a new identity key, which it does not have, with all that devices share made anew.
/// The list is yet to be put to the service.
///
/// # Errors
/// When the words are those of another account, or there is no such other device.
pub(crate) fn remove(tx: &mut Tx<'_>, own: &Own, number: u32, words: &RecoveryWords) -> Result<()> {
    let recovery = words.recovery_key();
    if recovery.public() != *own.list.recovery() {
        return Err(ClientError::WrongWords);
    }
    if number == own.device {
        return Err(ClientError::ThisDevice);
    }
    if own.list.device(number).is_none() {
        return Err(ClientError::NoSuchDevice(number));
    }
    let identity = IdentityKey::generate(&mut tx.rng);
    let devices = own.list.devices().iter().filter(|device| device.number != number).cloned().collect();
    let list =
        own.list.next_identity(&recovery, &identity, devices).map_err(|_| ClientError::Bug("our own device list"))?;
    me::set_identity(tx.db, &identity.seed())?;
    me::set_vault_key(tx.db, &words.vault_key(list.order().identity_number))?;
    lists::adopt(tx, own, &list, false)?;
    let own = Own::load(tx)?.ok_or(ClientError::Bug("our own row"))?;
    // Which of them the service is given, a clock decides that may be wrong by then, or is now.
    let mut weeks = inbox::weeks(tx.db)?;
    weeks.insert(tx.now.day().week());
    for week in weeks {
        let secret = InboxSecret::generate(week, &mut tx.rng);
        inbox::put_key(tx.db, week, &secret.to_bytes())?;
    }
    // Whoever has the device has the key of our profile too.
    profiles::rotate(tx)?;
    // What the others are told goes behind the commit that removes the device, which it cannot read.
    let shared = sync::shared(tx)?;
    sync::tell(tx, &own, sync::Kind::Shared(shared))
}
