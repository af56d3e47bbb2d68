//! The driver: the one task of a home that talks to the service.
//!
//! It makes passes. A pass does everything that is due, plane by plane, each on circuits of its own; between passes it
//! waits for a push, a wish, or a time. Faces never wait for the network: they write to the database and watch it.

mod account;
mod channels;
mod visits;

use std::{collections::HashMap, sync::Arc, time::Duration};

use undertone_wire::Now;

use crate::{
    ClientError, Result,
    db::{
        chats::{self, State},
        me, stock,
    },
    own::Own,
    rules,
    shared::{Asked, Shared},
};
use channels::Channels;

/// How a pass went.
#[derive(Clone, Default)]
pub(crate) struct Report {
    /// What it answers.
    pub(crate) asked: Asked,
    /// Why it did not reach the service, if it did not.
    pub(crate) error: Option<ClientError>,
    /// What the service said no to, by chat.
    pub(crate) refused: HashMap<i64, ClientError>,
}

pub(crate) struct Driver {
    shared: Arc<Shared>,
    channels: Channels,
    inbox_due: Now,
    restock_due: Now,
    retry_due: Option<Now>,
    failures: u32,
    inbox_read: u64,
    /// When a circuit was last opened or closed.
    last_circuit: Option<Now>,
    refused: HashMap<i64, ClientError>,
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let channels = Channels::new(shared.pace.channel_circuits);
        // A process that lives for one command only keeps to the schedule all the same.
        let last_read = shared.read(|db| Ok(me::load(db)?.map_or(0, |me| me.inbox_read_ms))).unwrap_or_default();
        let inbox_due =
            if last_read == 0 { Now(0) } else { Now(last_read).plus_ms(shared.draw_ms(&shared.pace.inbox)) };
        Self {
            shared,
            channels,
            inbox_due,
            restock_due: Now(0),
            retry_due: None,
            failures: 0,
            inbox_read: 0,
            last_circuit: None,
            refused: HashMap::new(),
        }
    }

    /// Works until it is dropped.
    pub(crate) async fn run(mut self) {
        loop {
            let asked = self.shared.asked();
            match self.shared.own() {
                Err(_) => self.shared.wake.notified().await,
                Ok(own) => {
                    self.refused.clear();
                    let error = self.pass(&own, asked).await.err();
                    self.after(error.as_ref());
                    let refused = std::mem::take(&mut self.refused);
                    self.shared.report.send_replace(Report { asked, error, refused });
                    self.wait(&own).await;
                }
            }
        }
    }

    /// Everything that is due. What one part cannot do does not keep the others from trying.
    async fn pass(&mut self, own: &Arc<Own>, asked: Asked) -> Result<()> {
        let mut first_error = Ok(());
        let mut note = |result: Result<()>| {
            if let (Ok(()), Err(error)) = (&first_error, result) {
                first_error = Err(error);
            }
        };
        note(self.visits(own).await);
        note(self.sync_channels(own).await);
        if asked.inbox > self.inbox_read || self.shared.now() >= self.inbox_due {
            let read = self.account(own).await;
            if read.is_ok() {
                self.inbox_read = asked.inbox;
            }
            note(read);
            // What came may be answered at once where the pace allows it.
            note(self.visits(own).await);
            note(self.sync_channels(own).await);
        }
        if first_error.is_ok() {
            first_error = self.restock(own).await;
        }
        first_error
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
                let ms = self.shared.draw_ms(&self.shared.pace.retry.backoff(self.failures));
                self.failures = self.failures.saturating_add(1);
                self.retry_due = Some(self.shared.now().plus_ms(ms));
            }
        }
    }

    /// Waits for whatever comes first: a push, a wish, a time.
    async fn wait(&mut self, own: &Arc<Own>) {
        loop {
            let due = self.next_due();
            let ms = due.0.saturating_sub(self.shared.now().0);
            tokio::select! {
                () = self.shared.wake.notified() => return,
                event = self.channels.event() => {
                    if self.take_event(own, event).await {
                        return;
                    }
                }
                () = tokio::time::sleep(Duration::from_millis(ms)) => return,
            }
        }
    }

    /// The next moment at which something is due.
    fn next_due(&self) -> Now {
        let openings = self
            .shared
            .read(|db| {
                let now = self.shared.now().0;
                let due =
                    chats::all(db)?.into_iter().filter(|chat| chat.state == State::Open && chat.open_from_ms > now);
                Ok(due.map(|chat| Now(chat.open_from_ms)).min())
            })
            .unwrap_or_default();
        let soonest = match self.retry_due {
            // While the service is away there is nothing to do but to look whether it is back.
            Some(retry) => Some(retry),
            None => [Some(self.inbox_due), openings, self.restock_wanted().then_some(self.restock_due)]
                .into_iter()
                .flatten()
                .min(),
        };
        soonest.unwrap_or(self.inbox_due)
    }

    /// Keeps circuits apart in time: waits until the last opening or closing of another is a while ago.
    async fn apart(&mut self) {
        if let Some(last) = self.last_circuit {
            let wanted = last.plus_ms(self.shared.draw_ms(&self.shared.pace.between_circuits));
            let ms = wanted.0.saturating_sub(self.shared.now().0);
            if ms > 0 {
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
        }
        self.touched();
    }

    fn touched(&mut self) {
        self.last_circuit = Some(self.shared.now());
    }

    fn restock_wanted(&self) -> bool {
        self.shared.read(|db| Ok(stock::ready(db)? < self.shared.pace.stock)).unwrap_or(false)
    }

    /// Makes one channel for the stock, if one is wanted and due.
    async fn restock(&mut self, own: &Own) -> Result<()> {
        self.shared.write(|tx| rules::stock::forget_old(tx))?;
        if self.shared.now() >= self.restock_due && self.restock_wanted() {
            self.make_channel(own).await?;
            self.restock_due = self.shared.now().plus_ms(self.shared.draw_ms(&self.shared.pace.restock));
        }
        Ok(())
    }
}
