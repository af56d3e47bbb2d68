//! What goes on between messages: our own profile and those of others, notes, and what is told of the moment.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use undertone_circuit::{CallError, Circuit};
use undertone_wire::{
    account::{Account, ReadProfileRequest},
    channel::SendTransientRequest,
    circuit::Code,
    visitor::Visitor,
};

use super::Driver;
use crate::{
    ClientError, Result,
    db::{
        chats::{self, Chat, State},
        profiles as rows, receipts,
    },
    own::Own,
    rules::{
        profiles::{self, Read, Step},
        riders, typing,
    },
    view::Typing,
};

/// Steps at one visit until our profile is in step: others of our devices may be at it too.
const PROFILE_STEPS: u32 = 6;
/// That we write is told so often at most.
const TYPING_EVERY: Duration = Duration::from_secs(3);

impl Driver {
    /// Brings our profile into step with the one that the service has.
    pub(super) async fn sync_profile(&self, circuit: &Circuit<Account>) -> Result<()> {
        let own = &self.shared.reload_own()?;
        for _ in 0..PROFILE_STEPS {
            let reply = match self.shared.write_quietly(|tx| profiles::next_step(tx, own))? {
                None => return Ok(()),
                Some(Step::Read(request)) => circuit.call(request).await?,
                Some(Step::Put { request, revision }) => {
                    let put = request.revision;
                    match circuit.call(request).await {
                        Ok(_) => {
                            self.shared.write(|tx| profiles::put(tx, own, revision, put))?;
                            continue;
                        }
                        // Another of our devices was faster, or our own answer was lost.
                        Err(CallError::Refused(fault)) if fault.code() == Code::Conflict => {
                            circuit.call(ReadProfileRequest {}).await?
                        }
                        // A service of a former release keeps none.
                        Err(CallError::Refused(fault)) if fault.code() == Code::Unsupported => return Ok(()),
                        Err(error) => return Err(error.into()),
                    }
                }
            };
            if self.shared.write(|tx| profiles::read(tx, &reply))? == Read::Later {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Fetches the profiles of which there is news, each on a circuit and at a time of its own.
    pub(super) async fn fetch_profiles(&mut self, own: &Own) -> Result<()> {
        let pace = self.shared.pace.clone();
        for rows::Wanted { account, due_ms } in self.shared.read(|db| Ok(rows::wanted(db, State::Open as i64)?))? {
            let now_ms = self.shared.now().0;
            // More than the pace ever asks for comes from a clock that was wrong.
            let due_ms = match due_ms {
                0 => now_ms + self.shared.draw_ms(&pace.profile),
                far if far > now_ms + pace.profile.max_ms().max(pace.ask.max_ms()) => now_ms,
                due_ms => due_ms,
            };
            if due_ms > now_ms {
                self.shared.write_quietly(|tx| Ok(rows::set_due(tx.db, account, due_ms)?))?;
                continue;
            }
            let request = self.shared.read(|db| profiles::request(db, account))?;
            self.apart().await;
            let reply = self.shared.connect::<Visitor>(&own.link).await?.visit(request).await;
            self.touched();
            let kept = match reply {
                Ok(reply) => self.shared.write(|tx| profiles::fetched(tx, account, &reply))?,
                Err(CallError::Refused(fault))
                    if fault.code() == Code::Unsupported || ClientError::refused(fault.code()).is_of_one_chat() =>
                {
                    false
                }
                Err(CallError::Malformed) => false,
                Err(error) => return Err(error.into()),
            };
            if !kept {
                tracing::info!("the service gave no profile that can be believed; what is known stays");
                self.shared.write_quietly(|tx| {
                    let failures = rows::add_failure(tx.db, account)?;
                    let wait_ms = pace.ask.backoff(failures).draw_ms(&mut *tx.rng);
                    Ok(rows::set_due(tx.db, account, tx.now.plus_ms(wait_ms).0)?)
                })?;
            }
        }
        Ok(())
    }

    /// Plans notes, and puts those into the outbox that are due.
    pub(super) fn plan_notes(&mut self, own: &Own) -> Result<()> {
        let delay = &self.shared.pace.note;
        self.again |= self.shared.write_quietly(|tx| riders::plan_all(tx, own, delay))?;
        Ok(())
    }

    /// The same between passes, the next of which says what is wrong.
    pub(super) fn plan_between(&mut self, own: &Own) {
        if let Err(error) = self.plan_notes(own) {
            tracing::debug!(%error, "notes could not be planned");
        }
    }

    /// The same in one chat.
    pub(super) fn plan_note(&mut self, own: &Own, chat: i64) -> Result<()> {
        let delay = &self.shared.pace.note;
        self.again |= self.shared.write_quietly(|tx| {
            let chat = chats::load(tx.db, chat)?;
            riders::plan(tx, own, &chat, delay)
        })?;
        Ok(())
    }

    /// When the next note goes, or the next profile is fetched.
    pub(super) fn people_due(&self) -> Option<Instant> {
        let next = |db: &rusqlite::Connection| {
            let profile = rows::wanted(db, State::Open as i64)?.first().map(|wanted| wanted.due_ms);
            Ok(profile.into_iter().chain(receipts::next_note_ms(db)?).min())
        };
        let due_ms = self.shared.read(next).ok().flatten()?;
        Some(Instant::now() + Duration::from_millis(due_ms.saturating_sub(self.shared.now().0)))
    }

    /// Tells that we write, or do not any more, over circuits that are open. Whether it arrives, nobody asks.
    pub(super) fn tell_typing(&mut self, own: &Arc<Own>) {
        for (chat, typing) in self.shared.take_typing() {
            let since = self.typed.get(&chat).map(Instant::elapsed);
            let holds = since.is_some_and(|since| since < Duration::from_secs(Typing::SECONDS));
            let soon = since.is_some_and(|since| since < TYPING_EVERY);
            if (typing && soon) || (!typing && !holds) {
                continue;
            }
            match typing {
                true => drop(self.typed.insert(chat, Instant::now())),
                false => drop(self.typed.remove(&chat)),
            }
            if let Err(error) = self.try_typing(own, chat, typing) {
                tracing::debug!(%error, "that somebody writes could not be told");
            }
        }
    }

    fn try_typing(&self, own: &Arc<Own>, chat: i64, typing: bool) -> Result<()> {
        let chat = self.shared.read(|db| Ok(chats::load(db, chat)?))?;
        let Some(channel) = chat.channel.as_ref().filter(|_| self.is_active(&chat)) else { return Ok(()) };
        let index = self.lines.index(channel.id);
        if !self.lines.is_open_under(index, (channel.id, channel.generation)) {
            return Ok(());
        }
        let circuit = self.lines.circuit(index)?;
        if let Some(body) = self.shared.write_quietly(|tx| typing::sealed(tx, own, &chat, typing))? {
            let request = SendTransientRequest { channel: channel.id.into(), body };
            tokio::spawn(async move {
                let _ = circuit.call(request).await;
            });
        }
        Ok(())
    }

    /// What somebody tells of the moment: shown to whoever looks just now. What makes no sense is passed over.
    pub(super) fn hear_transient(&self, own: &Arc<Own>, chat: &Chat, sealed: &[u8]) {
        match self.shared.write_quietly(|tx| typing::heard(tx, own, chat, sealed)) {
            Ok(Some(typing)) => self.shared.show_typing(typing),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "what was told of the moment makes no sense"),
        }
    }
}
