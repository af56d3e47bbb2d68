//! What a home's engine and its driver share.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use rand::{SeedableRng as _, rngs::StdRng};
use tokio::{
    sync::{Notify, broadcast, watch},
    time::Instant,
};
use undertone_circuit::{Circuit, Dialer, ServicePublicKeys};
use undertone_credentials::authenticate;
use undertone_wire::{
    Now,
    account::{Account, AuthenticateRequest},
    link::Link,
    rpc::Service,
};

use crate::{
    ClientError, Result,
    db::me,
    driver::Report,
    own::Own,
    pace::{Clock, Delay, Pace},
    rules::parameters,
    state::{State, Tx},
    view::Typing,
};

/// Makes a way to the service that a link names.
pub type DialerFor = Arc<dyn Fn(&Link) -> Arc<dyn Dialer> + Send + Sync>;

/// Typings that wait for a slow face; what comes beyond is lost to it.
const TYPINGS_MAX: usize = 32;

/// For so long after it was linked a device is let into chats while a person waits.
const LINKING: Duration = Duration::from_secs(15 * 60);

/// What was asked of the driver: each number counts up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Passes.
    pub(crate) pass: u64,
    /// Passes that read the inbox, due or not.
    pub(crate) inbox: u64,
}

pub(crate) struct Shared {
    state: Mutex<State>,
    own: Mutex<Option<Arc<Own>>>,
    asked: Mutex<Asked>,
    pub(crate) pace: Pace,
    pub(crate) clock: Arc<dyn Clock>,
    dialer_for: DialerFor,
    /// Something changed that the driver should look at.
    pub(crate) wake: Notify,
    /// Something changed that is for the driver to see to, and that is no reason for a pass.
    pub(crate) nudge: Notify,
    /// Chats in which something changed here, and whether it is to be sent.
    stirred: Mutex<BTreeMap<i64, bool>>,
    /// Chats in which we write, or do not any more, as is yet to be told.
    typing: Mutex<BTreeMap<i64, bool>>,
    /// Who writes just now.
    pub(crate) typings: broadcast::Sender<Typing>,
    /// Something changed that a face may want to show.
    pub(crate) changes: watch::Sender<u64>,
    /// The driver's last pass.
    pub(crate) report: watch::Sender<Report>,
    /// Until when a device that was just linked, and those it was linked by, wait for letters of each other.
    linking_until: Mutex<Option<Instant>>,
    /// Held while an address book is looked up: one at a time.
    pub(crate) looking_up: tokio::sync::Mutex<()>,
}

impl Shared {
    pub(crate) fn new(mut state: State, pace: Pace, clock: Arc<dyn Clock>, dialer_for: DialerFor) -> Result<Self> {
        let own = state.write(clock.now(), |tx| {
            crate::db::chats::try_again(tx.db)?;
            crate::db::outbox::forget_refused(tx.db)?;
            if me::load(tx.db)?.is_some_and(|me| me.registered) { Own::load(tx) } else { Ok(None) }
        })?;
        Ok(Self {
            state: Mutex::new(state),
            own: Mutex::new(own),
            asked: Mutex::new(Asked::default()),
            pace,
            clock,
            dialer_for,
            wake: Notify::new(),
            nudge: Notify::new(),
            stirred: Mutex::default(),
            typing: Mutex::default(),
            typings: broadcast::Sender::new(TYPINGS_MAX),
            changes: watch::Sender::new(0),
            report: watch::Sender::new(Report::default()),
            linking_until: Mutex::new(None),
            looking_up: tokio::sync::Mutex::new(()),
        })
    }

    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }

    /// Who we are, once registered.
    pub(crate) fn own(&self) -> Result<Arc<Own>> {
        lock(&self.own).clone().ok_or(ClientError::NotRegistered)
    }

    pub(crate) fn set_own(&self, own: Arc<Own>) {
        *lock(&self.own) = Some(own);
    }

    /// Does all of `work` in one transaction, or nothing; then faces are told to look.
    pub(crate) fn write<T>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let value = self.write_quietly(work)?;
        self.show_change();
        Ok(value)
    }

    /// The same, for what stands in a log: if the machine loses its power, it is read there again, so the disk is not waited for.
    pub(crate) fn take_from_log<T>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let value = lock(&self.state).write_lazily(self.now(), work)?;
        self.show_change();
        Ok(value)
    }

    fn show_change(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// The same, where faces need not look.
    pub(crate) fn write_quietly<T>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        lock(&self.state).write(self.now(), work)
    }

    /// Looks.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&rusqlite::Connection) -> Result<T>) -> Result<T> {
        lock(&self.state).read(work)
    }

    /// A delay of the pace, in milliseconds.
    pub(crate) fn draw_ms(&self, delay: &Delay) -> u64 {
        delay.draw_ms(lock(&self.state).rng())
    }

    /// Randomness for one circuit.
    fn circuit_rng(&self) -> StdRng {
        StdRng::from_rng(&mut lock(&self.state).rng())
    }

    /// A device has just been linked: it and this one write to each other by letters now, while a person waits.
    pub(crate) fn set_linking(&self) {
        *lock(&self.linking_until) = Some(Instant::now() + LINKING);
        self.ask(true);
    }

    pub(crate) fn is_linking(&self) -> bool {
        lock(&self.linking_until).is_some_and(|until| Instant::now() < until)
    }

    /// Asks the driver for a pass that begins after this, and tells which it is.
    pub(crate) fn ask(&self, inbox: bool) -> Asked {
        let asked = {
            let mut asked = lock(&self.asked);
            asked.pass += 1;
            asked.inbox += u64::from(inbox);
            *asked
        };
        self.wake.notify_one();
        asked
    }

    /// Asks for what waits in a chat to be sent: by a pass, where it takes one.
    pub(crate) fn ask_for(&self, chat: i64) -> Asked {
        let asked = {
            let mut asked = lock(&self.asked);
            asked.pass += 1;
            *asked
        };
        self.stir(chat, true);
        asked
    }

    /// Something of a chat was shown, which may be told.
    pub(crate) fn was_shown(&self, chat: i64) {
        self.stir(chat, false);
    }

    fn stir(&self, chat: i64, sends: bool) {
        *lock(&self.stirred).entry(chat).or_default() |= sends;
        self.nudge.notify_one();
    }

    /// Where something changed here, and whether it is to be sent.
    pub(crate) fn take_stirred(&self) -> BTreeMap<i64, bool> {
        std::mem::take(&mut *lock(&self.stirred))
    }

    /// Has it told that we write in a chat, or do not any more.
    pub(crate) fn set_typing(&self, chat: i64, typing: bool) {
        lock(&self.typing).insert(chat, typing);
        self.nudge.notify_one();
    }

    /// What is to be told of that.
    pub(crate) fn take_typing(&self) -> BTreeMap<i64, bool> {
        std::mem::take(&mut *lock(&self.typing))
    }

    /// Shows that somebody writes, to whoever looks.
    pub(crate) fn show_typing(&self, typing: Typing) {
        // Nobody may look.
        let _ = self.typings.send(typing);
    }

    pub(crate) fn asked(&self) -> Asked {
        *lock(&self.asked)
    }

    /// A fresh circuit to our service, which shows the parameters that it always showed.
    pub(crate) async fn connect<S: Service>(&self, link: &Link) -> Result<Circuit<S>> {
        let cached = self.read(|db| Ok(me::load(db)?.and_then(|me| me.service_keys)))?;
        let cached = cached.and_then(|keys| ServicePublicKeys::from_bytes(&keys).ok());
        let dialer = (self.dialer_for)(link);
        let circuit =
            Circuit::<S>::connect(dialer.as_ref(), &link.pin, cached.as_ref(), &mut self.circuit_rng()).await?;
        let keys = circuit.service_keys().to_bytes();
        let first = self.write_quietly(|tx| {
            me::set_service_keys(tx.db, &keys)?;
            parameters::shown(tx, circuit.signed_parameters())
        })?;
        if first && lock(&self.own).is_some() {
            self.reload_own()?;
        }
        Ok(circuit)
    }

    /// A circuit that speaks as this device. What this home says of its visits stays between the service and the driver, which
    /// may be on one just now.
    pub(crate) async fn authenticated(&self, own: &Own) -> Result<Circuit<Account>> {
        let circuit = self.connect::<Account>(&own.link).await?;
        let signature = authenticate(&circuit.handshake_hash(), own.account, own.device, &own.device_key);
        let authentication = AuthenticateRequest {
            account: own.account.into(),
            device: own.device,
            signature: Bytes::copy_from_slice(&signature),
            ..AuthenticateRequest::default()
        };
        circuit.call(authentication).await?;
        Ok(circuit)
    }

    /// Loads our row anew.
    pub(crate) fn reload_own(&self) -> Result<Arc<Own>> {
        let own = self.write_quietly(|tx| Own::load(tx))?.ok_or(ClientError::NotRegistered)?;
        self.set_own(own.clone());
        Ok(own)
    }
}

/// A panic while a lock was held cannot leave a transaction half done: those stand or fall on their own.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
