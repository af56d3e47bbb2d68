//! The driver: the one task of a home that talks to the service.
//!
//! It makes passes. A pass does everything that is due, plane by plane, each on circuits of its own; between passes it
//! waits for a push, a wish, or a time. Faces never wait for the network: they write to the database and watch it.

mod account;
mod channels;
mod groups;
mod lines;
mod people;
mod visits;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;
use undertone_wire::{ChannelId, large::Large};

use self::lines::Lines;
use crate::{
    ClientError, Kind, Result,
    db::{
        chats::{self, Chat, State, Trouble},
        me,
        stock::{self, Stocked},
    },
    own::Own,
    pace::{Delay, Pace},
    rules::{self, asks, groups::restart, lists, sync, tokens},
    shared::{Asked, Shared},
};

/// Pushes taken between two passes when the second is due at once.
const EVENTS_A_TURN: u32 = 64;

/// How a pass went.
#[derive(Clone, Default)]
pub(crate) struct Report {
    /// What it answers.
    pub(crate) asked: Asked,
    /// Why it did not reach the service, if it did not.
    pub(crate) error: Option<ClientError>,
    /// What went wrong in one chat alone, by chat.
    pub(crate) refused: BTreeMap<i64, ClientError>,
}

/// Its times are the machine's own count, which nobody sets: a clock that is put right must not hold anything up.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    lines: Lines,
    inbox_due: Instant,
    /// When the next channel is made for the stock; none while that is full.
    restock_due: Option<Instant>,
    /// When each channel of the stock is opened, ahead of the chat that will begin in it.
    spare_due: BTreeMap<ChannelId, Instant>,
    retry_due: Option<Instant>,
    failures: u32,
    inbox_read: u64,
    /// When a circuit was last opened or closed.
    last_circuit: Option<Instant>,
    refused: BTreeMap<i64, ClientError>,
    vault_due: Instant,
    /// Chats in which another home has written as this device, as far as the service was asked about it.
    doubled: BTreeSet<i64>,
    /// Tickets for channels that we had open, each for one generation: in memory alone, since whoever has one may open it.
    tickets: BTreeMap<ChannelId, (u32, Bytes)>,
    /// When we last told that we write, by chat.
    typed: BTreeMap<i64, Instant>,
    /// The large head slot that was fetched last.
    last_slot: Option<(Large, Bytes)>,
    /// What is large and was put: hashes.
    put: BTreeSet<[u8; 32]>,
    /// Something was done upon which there is more to do at once.
    again: bool,
    /// Something waits for tokens.
    unpaid: bool,
    /// What has waited for tokens is not done before.
    pays_from: Option<Instant>,
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let lines = Lines::new(shared.pace.channel_circuits);
        // A process that lives for one command only keeps to the schedule all the same.
        let last_read = shared.read(|db| Ok(me::load(db)?.map_or(0, |me| me.inbox_read_ms))).unwrap_or_default();
        let elapsed_ms = shared.now().0.checked_sub(last_read).unwrap_or(u64::MAX);
        // Nor does its first visit follow the opening of its channels.
        let fresh_ms = shared.draw_ms(&shared.pace.inbox) / 2;
        let wait_ms = shared.draw_ms(&shared.pace.inbox).saturating_sub(elapsed_ms).max(fresh_ms);
        let now = Instant::now();
        Self {
            shared,
            lines,
            inbox_due: now + Duration::from_millis(wait_ms),
            restock_due: None,
            spare_due: BTreeMap::new(),
            retry_due: None,
            failures: 0,
            inbox_read: 0,
            last_circuit: None,
            refused: BTreeMap::new(),
            vault_due: now,
            doubled: BTreeSet::new(),
            tickets: BTreeMap::new(),
            typed: BTreeMap::new(),
            last_slot: None,
            put: BTreeSet::new(),
            again: false,
            unpaid: false,
            pays_from: None,
        }
    }

    /// Works until it is dropped.
    pub(crate) async fn run(mut self) {
        loop {
            let asked = self.shared.asked();
            match self.shared.own() {
                Err(_) => self.shared.wake.notified().await,
                Ok(_) => {
                    self.refused.clear();
                    let error = self.pass(asked).await.err();
                    let refused = std::mem::take(&mut self.refused);
                    // These have times of their own.
                    let waits = |error: &ClientError| matches!(error, ClientError::NoTokens | ClientError::NoWayIn);
                    let again = |error: &&ClientError| error.kind() == Kind::Network && !waits(error);
                    self.after(error.as_ref().or_else(|| refused.values().find(again)));
                    self.shared.report.send_replace(Report { asked, error, refused });
                    self.wait().await;
                }
            }
        }
    }

    /// Everything that is due. What one part cannot do does not keep the others from trying.
    async fn pass(&mut self, asked: Asked) -> Result<()> {
        self.again = false;
        self.unpaid = false;
        self.pays_from.take_if(|from| *from <= Instant::now());
        self.may_go_on()?;
        if !self.shared.read(lists::is_put)? {
            // Before anybody is told of it: another of our devices may have been faster.
            let own = self.shared.reload_own()?;
            let read = self.read_account(&own, asked).await;
            self.may_go_on()?;
            if !self.shared.read(lists::is_put)? {
                return read;
            }
        }
        // What came with the last pass may have changed what we are.
        let own = &self.shared.reload_own()?;
        let mut first_error = Ok(());
        let mut note = |result: Result<()>| {
            if let (Ok(()), Err(error)) = (&first_error, result) {
                first_error = Err(error);
            }
        };
        note(self.ask_ways_back(own));
        note(self.shared.write_quietly(|tx| sync::tell_all_read(tx, own)));
        note(self.plan_notes(own));
        note(self.visits(own).await);
        note(self.groups(own).await);
        note(self.sync_channels(own).await);
        note(self.fetch_profiles(own).await);
        if asked.inbox > self.inbox_read || Instant::now() >= self.inbox_due {
            note(self.read_account(own, asked).await);
            self.may_go_on()?;
            let own = &self.shared.reload_own()?;
            // What came may be answered at once where the pace allows it.
            note(self.visits(own).await);
            note(self.groups(own).await);
            note(self.sync_channels(own).await);
        }
        if first_error.is_ok() {
            first_error = self.restock(own).await;
        }
        first_error
    }

    async fn read_account(&mut self, own: &Own, asked: Asked) -> Result<()> {
        self.account(own).await?;
        self.inbox_read = asked.inbox;
        Ok(())
    }

    /// Whether this home may speak as its device.
    fn may_go_on(&mut self) -> Result<()> {
        let standing = self.shared.read(|db| Ok(me::load(db)?.map(|me| me.standing)))?;
        standing.map_or(Ok(()), me::Standing::check)
    }

    /// Asks for the way back into chats that we have lost, where it is time to.
    fn ask_ways_back(&mut self, own: &Own) -> Result<()> {
        let now_ms = self.shared.now().0;
        for chat in self.shared.read(|db| Ok(chats::all(db)?))? {
            let asks = asks::due_ms(&chat, &self.shared.pace.ask, now_ms).is_some_and(|due| due <= now_ms);
            let first = asks && chat.asked == 0;
            if !chat.doubled {
                self.doubled.remove(&chat.id);
            }
            let doubled = chat.doubled && self.doubled.insert(chat.id);
            if first || doubled {
                // It may be that another home speaks as this device: the service knows.
                self.inbox_due = Instant::now();
            }
            if asks {
                self.shared.write(|tx| asks::ask(tx, own, &chat, &self.shared.pace))?;
                self.again = true;
            }
        }
        Ok(())
    }

    /// What goes wrong in one chat is noted as that chat's alone. What is wrong with the way to the service, or with our own
    /// database, is everybody's.
    fn contain(&mut self, chat: i64, outcome: Result<()>) -> Result<()> {
        match outcome {
            Err(ClientError::BadHead) => self.shared.write(|tx| {
                // Where only somebody's word led us, it is not said that the service has changed anything.
                let at_its_word = chats::load(tx.db, chat)?.channel.is_some_and(|channel| channel.seen.is_none());
                let trouble = if at_its_word { Trouble::Lost } else { Trouble::Inconsistent };
                Ok(chats::set_trouble(tx.db, chat, trouble)?)
            }),
            Err(ClientError::NoTokens) => {
                // The next visit to our account brings more, unless there are none for a while.
                if self.shared.read(|db| tokens::are_put_off(db, self.shared.now()))? {
                    self.refused.insert(chat, ClientError::NoTokens);
                }
                Ok(())
            }
            Err(error) if error.is_of_one_chat() => {
                tracing::debug!(%error, "a chat does not go on for now");
                self.refused.insert(chat, error);
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Sets when to try again.
    fn after(&mut self, error: Option<&ClientError>) {
        match error {
            None => {
                self.failures = 0;
                self.retry_due = None;
            }
            Some(error) => {
                tracing::debug!(%error, "a pass did not get through");
                self.retry_due = Some(self.in_a_while(&self.shared.pace.retry.backoff(self.failures)));
                self.failures = self.failures.saturating_add(1);
            }
        }
    }

    /// Waits for whatever comes first: a push, a wish, a time.
    async fn wait(&mut self) {
        let Ok(own) = self.shared.own() else { return };
        let own = &own;
        self.plan_between(own);
        // What was pushed during the pass comes before the next one, however soon that is due.
        for _ in 0..EVENTS_A_TURN {
            let Some(event) = self.lines.pushed() else { break };
            if self.take_event(own, event).await {
                return;
            }
        }
        loop {
            let due = self.next_due();
            tokio::select! {
                biased;
                () = self.shared.wake.notified() => return,
                () = self.shared.nudge.notified() => {
                    self.tell_typing(own);
                    if !self.see_to_stirred(own).await {
                        return;
                    }
                }
                event = self.lines.event() => {
                    if self.take_event(own, event).await {
                        return;
                    }
                }
                () = tokio::time::sleep_until(due) => return,
            }
        }
    }

    /// The next moment at which something is due.
    fn next_due(&self) -> Instant {
        match self.retry_due {
            // While the service is away there is nothing to do but to look whether it is back.
            Some(retry) => retry,
            // Where more is to be read than one turn allows, the next turn follows at once.
            None if self.again || self.lines.any_behind() => Instant::now(),
            None => [
                Some(self.inbox_due),
                self.opening_due(),
                self.people_due(),
                self.spare_opening_due(),
                self.asking_due(),
                self.pays_from,
                self.restock_due,
            ]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(self.inbox_due),
        }
    }

    /// When the next of the chats that were begun or accepted may be opened.
    fn opening_due(&self) -> Option<Instant> {
        let now_ms = self.shared.now().0;
        let chats = self.shared.read(|db| Ok(chats::put_off(db, now_ms)?)).unwrap_or_default();
        let begun = |chat: &&Chat| matches!(chat.state, State::Open | State::Invited);
        let waiting = chats.iter().filter(begun).map(|chat| self.opens_in_ms(chat));
        let ms = waiting.filter(|ms| *ms > 0).min()?;
        Some(Instant::now() + Duration::from_millis(ms))
    }

    /// When the next channel of the stock is to be opened.
    fn spare_opening_due(&self) -> Option<Instant> {
        let closed = |channel: &ChannelId| !self.lines.is_open(self.lines.index(*channel), *channel);
        self.spare_due.iter().filter(|(channel, _)| closed(channel)).map(|(_, due)| *due).min()
    }

    /// When the next of the chats that are lost is to ask, or to be tried again.
    fn asking_due(&self) -> Option<Instant> {
        let chats = self.shared.read(|db| Ok(chats::in_need(db)?)).unwrap_or_default();
        let now_ms = self.shared.now().0;
        let pace = &self.shared.pace.ask;
        let asks = chats.iter().filter_map(|chat| asks::due_ms(chat, pace, now_ms));
        let ways_in = chats.iter().filter_map(|chat| restart::due_ms(chat, pace, now_ms));
        let due_ms = asks.chain(ways_in).min()?;
        Some(Instant::now() + Duration::from_millis(due_ms.saturating_sub(now_ms)))
    }

    /// How long a chat is not to be touched yet. More than the pace ever asks for comes from a clock that was wrong.
    fn opens_in_ms(&self, chat: &Chat) -> u64 {
        let ms = chat.open_from_ms.saturating_sub(self.shared.now().0);
        let Pace { after_acceptance, before_opening, .. } = &self.shared.pace;
        if ms > after_acceptance.max_ms().max(before_opening.max_ms()) { 0 } else { ms }
    }

    /// A moment that one of these delays from now leads to.
    fn in_a_while(&self, delay: &Delay) -> Instant {
        Instant::now() + Duration::from_millis(self.shared.draw_ms(delay))
    }

    /// Keeps circuits apart in time: waits until the last opening or closing of another is a while ago.
    async fn apart(&mut self) {
        if let Some(last) = self.last_circuit {
            let ms = self.shared.draw_ms(&self.shared.pace.between_circuits);
            tokio::time::sleep_until(last + Duration::from_millis(ms)).await;
        }
        self.touched();
    }

    fn touched(&mut self) {
        self.last_circuit = Some(Instant::now());
    }

    /// Makes one channel for the stock, if one is wanted and due.
    async fn restock(&mut self, own: &Own) -> Result<()> {
        self.shared.write(|tx| rules::stock::forget_old(tx))?;
        if self.shared.read(|db| Ok(stock::ready(db)?.len() >= self.shared.pace.stock))? {
            self.restock_due = None;
        } else if self.restock_due.is_none() {
            // Not at once: what has emptied it is not to be told by what fills it.
            self.restock_due = Some(self.in_a_while(&self.shared.pace.restock));
        }
        if self.restock_due.is_some_and(|due| Instant::now() >= due) {
            match self.make_channel(own).await {
                // After the next visit to our account there is something to pay with.
                Err(ClientError::NoTokens) => self.restock_due = Some(self.pays_from.unwrap_or(self.inbox_due)),
                made => {
                    made?;
                    self.restock_due = None;
                    self.spares()?;
                }
            }
        }
        Ok(())
    }

    /// The channels of the stock that are to be open by now.
    fn spares(&mut self) -> Result<Vec<Stocked>> {
        let mut spares = self.shared.read(|db| Ok(stock::ready(db)?))?;
        let now = Instant::now();
        let mut due = BTreeMap::new();
        for Stocked { channel, .. } in &spares {
            let when = self.spare_due.get(channel).copied();
            due.insert(*channel, when.unwrap_or_else(|| self.in_a_while(&self.shared.pace.before_opening)));
        }
        spares.retain(|spare| due.get(&spare.channel).is_some_and(|due| *due <= now));
        self.spare_due = due;
        Ok(spares)
    }
}
