//! A new account: its keys, and what proves them to the service; and the stock of keys that others take from us.

use bytes::Bytes;
use undertone_credentials::{
    Device, DeviceKey, DeviceList, IdentityKey, InboxKey, KeyPackage, RecoveryKey, RecoveryWords, authenticate,
    register,
};
use undertone_e2ee::{InboxSecret, create_key_package};
use undertone_wire::{
    HandshakeHash, Week,
    account::{AuthenticateRequest, PutKeyPackagesRequest, RegisterRequest},
    content::Card,
    limits,
    link::Link,
};

use crate::{
    ClientError, Result,
    db::{
        DbError,
        chats::{State, Trouble},
        inbox, me, members, outbox,
    },
    own::Own,
    rules::sync,
    state::Tx,
};

/// One-time key packages made at once, and kept at the service.
const KEY_PACKAGES: u32 = 20;
/// With fewer left, more are made.
pub(crate) const KEY_PACKAGES_LOW: u32 = 10;
/// Life of a key package: whoever adds it later than that does not.
pub(crate) const KEY_PACKAGE_DAYS: u32 = 90;
/// A key package of last resort is replaced after so many days.
pub(crate) const CARD_DAYS: u32 = 30;

/// An account about to be registered.
pub(crate) struct Candidate {
    pub(crate) own: std::sync::Arc<Own>,
    pub(crate) words: RecoveryWords,
    recovery_key: RecoveryKey,
    inbox_key: Bytes,
    key_packages: PutKeyPackagesRequest,
    invite: Bytes,
}

/// Makes an account, and keeps it as not registered yet.
///
/// # Errors
/// When there is one already, or the name cannot be.
pub(crate) fn candidate(tx: &mut Tx<'_>, link: &Link, invite: Option<&str>, name: &str) -> Result<Candidate> {
    if me::load(tx.db)?.is_some_and(|me| me.registered) {
        return Err(ClientError::AlreadyRegistered);
    }
    if link.account.is_some() {
        return Err(ClientError::WrongLink { found: "person", expected: "service" });
    }
    if name.trim().is_empty() || name.len() > limits::NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(ClientError::BadName);
    }
    tx.forget_unregistered()?;
    let words = RecoveryWords::generate(&mut tx.rng);
    let recovery_key = words.recovery_key();
    let identity_key = IdentityKey::generate(&mut tx.rng);
    let device_key = DeviceKey::generate(&mut tx.rng);
    let device = Device { number: 1, key: device_key.public(), features: tx.rungs.features.clone() };
    let list = DeviceList::first(&recovery_key.public(), &identity_key, vec![device])
        .map_err(|_| ClientError::Bug("our own device list"))?;
    let row = me::Me {
        link: link.to_text(),
        service_keys: None,
        head_key: None,
        name: name.to_owned(),
        account: list.account(),
        identity_seed: identity_key.seed(),
        device: 1,
        device_seed: device_key.seed(),
        device_list: list.encoded().to_vec(),
        registered: false,
        invite: invite.unwrap_or_default().to_owned(),
        inbox_cursor: 0,
        inbox_read_ms: 0,
        vault_key: Some(words.vault_key(0)),
        vault_revision: 0,
        vault_hash: None,
        visit: None,
        next_visit: None,
        standing: me::Standing::Good,
        card_day: tx.now.day(),
        list_put: true,
    };
    me::insert(tx.db, &row)?;
    let own = Own::load(tx)?.ok_or(ClientError::Bug("our own row"))?;
    let inbox_key = weekly_key(tx, &own)?;
    let key_packages = key_packages(tx, &own, true)?;
    let invite = Bytes::from(row.invite);
    Ok(Candidate { own, words, recovery_key, inbox_key, key_packages, invite })
}

impl Candidate {
    /// The registration, proven on this circuit.
    pub(crate) fn request(&self, circuit: &HandshakeHash) -> RegisterRequest {
        let own = &self.own;
        let keys = (&self.recovery_key, &own.identity_key, &own.device_key);
        let signatures = register(circuit, &own.list, own.device, keys);
        RegisterRequest {
            device_list: own.list.encoded().clone(),
            recovery_signature: signatures.recovery,
            identity_signature: signatures.identity,
            device_signature: signatures.device,
            invite: self.invite.clone(),
            inbox_key: self.inbox_key.clone(),
            key_packages: Some(self.key_packages.clone()),
        }
    }
}

/// Authenticates this device on a circuit, and says what only this home can say: that it is the one which was here last.
pub(crate) fn authentication(tx: &mut Tx<'_>, own: &Own, circuit: &HandshakeHash) -> Result<AuthenticateRequest> {
    let me = me::load(tx.db)?.ok_or(DbError::Damaged)?;
    let next = match me.next_visit {
        // Whether it has arrived is not known: the same again.
        Some(next) => next,
        None => {
            let next = tx.random();
            me::set_next_visit(tx.db, &next)?;
            next
        }
    };
    let signature = authenticate(circuit, own.account, own.device, &own.device_key);
    Ok(AuthenticateRequest {
        account: own.account.into(),
        device: own.device,
        signature: Bytes::copy_from_slice(&signature),
        last_visit: me.visit.map(|visit| Bytes::copy_from_slice(&visit)).unwrap_or_default(),
        visit: Bytes::copy_from_slice(&next),
    })
}

/// Whether this week's inbox key may be given to the service: once all our devices can open what is sealed to it. A new one
/// is told to them first.
pub(crate) fn weekly_key_is_shared(tx: &mut Tx<'_>, own: &Own) -> Result<bool> {
    if own.list.devices().len() == 1 {
        return Ok(true);
    }
    let chat = sync::own_chat(tx, own)?;
    let in_step = chat.state == State::Open && chat.trouble == Trouble::None && chat.channel.is_some();
    if !in_step {
        return Ok(false);
    }
    weekly_key(tx, own)?;
    Ok(outbox::first(tx.db, chat.id, 1)?.is_empty())
}

/// This week's inbox key, signed; its secret is kept, and told to our other devices if it is new.
pub(crate) fn weekly_key(tx: &mut Tx<'_>, own: &Own) -> Result<Bytes> {
    let week = tx.now.day().week();
    let secret = match inbox::key(tx.db, week)? {
        Some(secret) => InboxSecret::from_bytes(&secret).map_err(|_| ClientError::Bug("our own inbox key"))?,
        None => {
            let secret = InboxSecret::generate(week, &mut tx.rng);
            inbox::put_key(tx.db, week, &secret.to_bytes())?;
            let shared = sync::shared(tx)?;
            sync::tell(tx, own, sync::Kind::Shared(shared))?;
            secret
        }
    };
    Ok(InboxKey::sign(&own.identity_key, own.account, week, &secret.public()))
}

/// Forgets the secrets of inbox keys that are too old to be written to. Only once the service has had the key of this week
/// for a while, and our inbox was read since: who comes back after months is still written to by the key that he left, and
/// a clock that is far ahead is no reason to forget it.
pub(crate) fn forget_old_keys(tx: &Tx<'_>) -> Result<()> {
    let week = tx.now.day().week();
    Ok(inbox::forget_before(tx.db, Week(week.0.saturating_sub(limits::INBOX_KEY_WEEKS)))?)
}

/// Whether our key package of last resort is to be replaced.
pub(crate) fn card_is_due(tx: &Tx<'_>) -> Result<bool> {
    let made = me::load(tx.db)?.ok_or(DbError::Damaged)?.card_day;
    Ok(tx.now.day().0.abs_diff(made.0) >= CARD_DAYS)
}

/// The service has our new key package of last resort; our other devices are told of it.
pub(crate) fn card_left(tx: &mut Tx<'_>, own: &Own, key_package: &Bytes) -> Result<()> {
    me::set_card_day(tx.db, tx.now.day())?;
    sync::tell(tx, own, sync::Kind::Card(Card { key_package: key_package.clone() }))
}

/// Fresh one-time key packages, and a last resort where it is time for one.
pub(crate) fn key_packages(tx: &mut Tx<'_>, own: &Own, last_resort: bool) -> Result<PutKeyPackagesRequest> {
    let expiry_day = tx.now.day() + KEY_PACKAGE_DAYS;
    let store = tx.mls();
    let me = own.me(&store, tx.rng);
    let make = |last_resort| {
        let mls = create_key_package(&me, own.suite, last_resort)?;
        Ok::<_, ClientError>(KeyPackage::sign(&own.device_key, own.account, own.device, expiry_day, last_resort, mls))
    };
    let one_time = (0..KEY_PACKAGES).map(|_| make(false)).collect::<Result<_>>()?;
    let last_resort = if last_resort { make(true)? } else { Bytes::new() };
    if !last_resort.is_empty() {
        members::put_card(tx.db, own.device, &last_resort)?;
    }
    Ok(PutKeyPackagesRequest { one_time, last_resort, replace: false })
}
