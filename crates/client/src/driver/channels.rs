//! What goes over channel circuits: openings, what was missed, what waits to be sent, and pushes.
//!
//! Chats share circuits and nothing else: what goes wrong in one is noted as that chat's alone, and each has its turn.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use undertone_circuit::{CallError, Circuit, Event};
use undertone_credentials::{open_read, open_write};
use undertone_e2ee::Generation;
use undertone_wire::{
    ChannelId, HandshakeHash,
    channel::{
        Appended, Channel, FollowRequest, LogPush, OpenRequest, Opened, Opening, ReadRequest, ResumeRequest,
        append_reply, opened,
    },
    circuit::Code,
    limits,
    rpc::Call,
};
use zeroize::Zeroizing;

use super::{Driver, lines::LineEvent};
use crate::{
    ClientError, Result,
    db::{
        chats::{self, Chat, Trouble},
        groups, outbox as rows,
        stock::{self, Stocked},
        ways,
    },
    own::Own,
    rules::{
        entrance,
        log::{self, Taken},
        outbox::{self, Batch},
        sync,
    },
};

/// Times that the position may move under what we send before the pass gives up; the next tries again.
pub(super) const TRIES_MAX: u32 = 8;
/// Pages of one log read in one go. Whoever writes without end, or a service that says so, keeps no other chat waiting.
const PAGES_A_TURN: u32 = 256;
/// Pages in a row that may end short of their head and bring nothing: an entry may be appended while a page is read.
const EMPTY_PAGES_MAX: u32 = 3;

impl Driver {
    /// Opens what is to be open, reads what was missed, sends what waits.
    pub(super) async fn sync_channels(&mut self, own: &Arc<Own>) -> Result<()> {
        for chat in self.shared.read(|db| Ok(ways::chats(db)?))? {
            self.shared.write_quietly(|tx| entrance::enter_waiting(tx, own, chat))?;
        }
        for group in self.shared.read(|db| Ok(groups::all(db)?))? {
            self.lines.set_alone(group.channel);
        }
        let mut chats = self.shared.read(|db| Ok(chats::all(db)?))?;
        chats.retain(|chat| self.is_active(chat));
        let spares = self.spares()?;
        let spare = spares.iter().map(|spare| spare.channel);
        self.lines.keep_open(&chats.iter().filter_map(on).chain(spare).collect());
        let mut by_line: BTreeMap<usize, (Vec<Chat>, Vec<Stocked>)> = BTreeMap::new();
        for chat in chats {
            let Some(channel) = on(&chat) else { continue };
            by_line.entry(self.lines.index(channel)).or_default().0.push(chat);
        }
        for spare in spares {
            by_line.entry(self.lines.index(spare.channel)).or_default().1.push(spare);
        }
        let mut first_error = Ok(());
        for (index, (chats, spares)) in by_line {
            let synced = self.sync_line(own, index, &chats, &spares).await;
            if matches!(synced, Err(ClientError::Offline(_))) {
                self.lines.drop_line(index);
                self.touched();
            }
            if let (Ok(()), Err(error)) = (&first_error, synced) {
                first_error = Err(error);
            }
        }
        first_error
    }

    async fn sync_line(&mut self, own: &Arc<Own>, index: usize, chats: &[Chat], spares: &[Stocked]) -> Result<()> {
        if !self.lines.has(index) {
            self.apart().await;
            let circuit = self.shared.connect::<Channel>(&own.link).await?;
            self.lines.put(index, circuit);
        }
        // The first circuit may have brought the service's parameters.
        let own = &self.shared.own()?;
        let mut new: Vec<Closed> = chats.iter().filter_map(Closed::of_chat).collect();
        new.extend(spares.iter().map(Closed::of_stock));
        new.retain(|closed| !self.lines.is_open_under(index, closed.generation));
        for new in new.chunks(limits::OPENINGS_MAX) {
            self.open(index, new).await?;
        }
        for spare in spares {
            // Nobody else knows of it yet.
            self.lines.set_behind(index, spare.channel, false);
        }
        for chat in chats {
            let Some(channel) = on(chat).filter(|channel| self.lines.is_open(index, *channel)) else { continue };
            let synced = async {
                if self.lines.is_behind(index, channel) {
                    self.catch_up(own, index, chat.id).await?;
                }
                self.flush(own, index, chat.id).await
            };
            let synced = synced.await;
            self.contain_on(index, chat, synced)?;
            self.turn_page(own, index, chat)?;
        }
        Ok(())
    }

    /// Leaves a channel, or a generation of it, that was read to its end: the next pass opens what comes after.
    fn turn_page(&mut self, own: &Own, index: usize, chat: &Chat) -> Result<()> {
        let Some(before) = &chat.channel else { return Ok(()) };
        let now = self.shared.read(|db| Ok(chats::load(db, chat.id)?))?;
        let left = !now.is_read() && self.shared.write(|tx| entrance::enter_waiting(tx, own, chat.id))?;
        let ended = now.trouble != chat.trouble;
        let generation = now.channel.as_ref().map(|channel| (channel.id, channel.generation));
        if left || ended || generation != Some((before.id, before.generation)) {
            self.lines.close(index, before.id);
            self.again = true;
        }
        Ok(())
    }

    /// As [`Self::contain`]. A channel that could not be read to its head is opened anew by the next pass.
    fn contain_on(&mut self, index: usize, chat: &Chat, outcome: Result<()>) -> Result<()> {
        if let (Err(_), Some(channel)) = (&outcome, on(chat))
            && self.lines.is_behind(index, channel)
        {
            self.lines.close(index, channel);
        }
        self.contain(chat.id, outcome)
    }

    /// Opens channels, by a ticket where we have one and else by their keys, and follows them. What was missed is yet to be
    /// read, but where the service says that nothing was: then it says, too, what comes until they are followed.
    pub(super) async fn open(&mut self, index: usize, closed: &[Closed]) -> Result<()> {
        let circuit = self.lines.circuit(index)?;
        let mut opened = self.resume(&circuit, closed).await?;
        let others: Vec<_> =
            closed.iter().filter(|closed| !opened.iter().any(|open| open.of == closed.generation)).collect();
        if !others.is_empty() {
            let openings = others.iter().map(|closed| closed.opening(&circuit.handshake_hash())).collect();
            let reply = circuit.call(OpenRequest { openings }).await?;
            for (closed, answer) in others.into_iter().zip(reply.opened) {
                let (until, ticket) = (answer.until, answer.ticket.clone());
                let Some(unchanged) = self.is_opened(closed, answer)? else { continue };
                // An older generation is read to its end, and nothing comes after.
                opened.push(NowOpen { of: closed.generation, known: closed.known, unchanged, over: until > 0 });
                if until == 0 {
                    let (channel, of) = closed.generation;
                    self.tickets.insert(channel, (of, ticket));
                }
            }
        }
        if opened.is_empty() {
            return Ok(());
        }
        self.lines.opened(index, opened.iter().map(|open| open.of))?;
        let current: Vec<_> = opened.iter().filter(|open| !open.over).collect();
        if current.is_empty() {
            return Ok(());
        }
        let channels = current.iter().map(|open| open.of.0.into()).collect();
        // What is to be read anyhow is read once it is followed.
        let known = current.iter().map(|open| if open.unchanged { open.known } else { 0 }).collect();
        match circuit.subscribe(FollowRequest { channels, known }).await {
            Ok(subscription) => {
                for open in current.iter().filter(|open| open.unchanged) {
                    self.lines.set_behind(index, open.of.0, false);
                }
                self.lines.follow(index, subscription)
            }
            // Of one of them a generation has ended since it was opened, and then none is followed: opened anew, it is known.
            Err(CallError::Refused(fault)) if fault.code() == Code::Unauthenticated => {
                opened.iter().for_each(|open| self.lines.close(index, open.of.0));
                self.again = true;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Opens what we have tickets for. A ticket that is not taken any more is forgotten.
    async fn resume(&mut self, circuit: &Circuit<Channel>, closed: &[Closed]) -> Result<Vec<NowOpen>> {
        let ticket = |closed: &Closed| {
            let (channel, of) = closed.generation;
            let (made_for, ticket) = self.tickets.get(&channel)?;
            (*made_for == of).then(|| (closed.generation, closed.known, ticket.clone()))
        };
        let held: Vec<_> = closed.iter().filter_map(ticket).collect();
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let tickets = held.iter().map(|(.., ticket)| ticket.clone()).collect();
        let known = held.iter().map(|(_, known, _)| *known).collect();
        let reply = circuit.call(ResumeRequest { tickets, known }).await?;
        let mut resumed = Vec::new();
        for ((of, known, _), answer) in held.into_iter().zip(reply.opened) {
            match is_unchanged(answer.result.as_ref(), known) {
                Some(unchanged) => resumed.push(NowOpen { of, known, unchanged, over: false }),
                None => drop(self.tickets.remove(&of.0)),
            }
        }
        Ok(resumed)
    }

    /// Whether a channel that the service has opened stands where we know it; none, and notes why, if it is not open.
    fn is_opened(&mut self, closed: &Closed, answer: Opened) -> Result<Option<bool>> {
        let unchanged = is_unchanged(answer.result.as_ref(), closed.known);
        match (answer.result, closed.chat) {
            _ if unchanged.is_some() => {}
            // No chat is to begin in it.
            (_, None) => self.shared.write(|tx| Ok(stock::forget(tx.db, closed.generation.0)?))?,
            (Some(opened::Result::Refused(code)), Some(chat)) if code == Code::NotFound as u32 => {
                self.shared.write(|tx| Ok(chats::set_trouble(tx.db, chat, Trouble::Expired)?))?;
            }
            (_, Some(chat)) => {
                self.refused.insert(chat, ClientError::Refused("it does not open this chat now"));
            }
        }
        Ok(unchanged)
    }

    /// Takes what came on a circuit. True: the circuit is gone, and a pass is needed.
    pub(super) async fn take_event(&mut self, own: &Arc<Own>, event: LineEvent) -> bool {
        if !self.lines.is_current(&event) {
            return false;
        }
        let taken = match event.event {
            None => Err(ClientError::Offline("the connection broke")),
            Some(Event::Item(push)) => self.push(own, event.line, &push).await,
            Some(_) => self.reread(own, event.line).await,
        };
        if let Err(error) = taken {
            tracing::debug!(%error, "a push could not be taken");
            self.lines.drop_line(event.line);
            self.touched();
            return true;
        }
        false
    }

    async fn push(&mut self, own: &Arc<Own>, index: usize, push: &LogPush) -> Result<()> {
        let Ok(channel) = ChannelId::try_from(&push.channel[..]) else { return Ok(()) };
        let Some(chat) = self.shared.read(|db| Ok(chats::on_channel(db, channel)?))? else { return Ok(()) };
        if !self.is_active(&chat) {
            // Blocked since it was opened, for one.
            self.lines.close(index, channel);
            return Ok(());
        }
        if !push.transient.is_empty() {
            self.hear_transient(own, &chat, &push.transient);
            return Ok(());
        }
        let taken = async {
            let head = push.head.clone().unwrap_or_default();
            let taken = self.shared.take_from_log(|tx| log::take(tx, own, chat.id, &push.entries, &head))?;
            if matches!(taken, Taken::Behind | Taken::Waits) {
                self.catch_up(own, index, chat.id).await?;
            }
            // An acceptance may be what our outbox waited for.
            self.flush(own, index, chat.id).await
        };
        let taken = taken.await;
        self.settle(own, index, &chat, taken)
    }

    /// Sees to the chats in which something changed here. False: that takes a pass.
    pub(super) async fn see_to_stirred(&mut self, own: &Arc<Own>) -> bool {
        for (chat, sends) in self.shared.take_stirred() {
            let seen_to = match sends {
                true => self.send_at_once(own, chat).await,
                false => self.plan_note(own, chat).map(|()| true),
            };
            match seen_to {
                Ok(true) => {}
                Ok(false) => return false,
                Err(error) => {
                    tracing::debug!(%error, "what waits in a chat takes a pass");
                    return false;
                }
            }
        }
        true
    }

    /// Sends what waits in a chat that is open and read to its head. False: something still waits.
    async fn send_at_once(&mut self, own: &Arc<Own>, chat: i64) -> Result<bool> {
        let chat = self.shared.read(|db| Ok(chats::load(db, chat)?))?;
        let Some(of) = generation(&chat).filter(|_| self.is_active(&chat)) else { return Ok(false) };
        let index = self.lines.index(of.0);
        if !self.lines.is_open_under(index, of) || self.lines.is_behind(index, of.0) {
            return Ok(false);
        }
        let sent = self.flush(own, index, chat.id).await;
        if matches!(sent, Err(ClientError::Offline(_))) {
            self.lines.drop_line(index);
            self.touched();
        }
        self.settle(own, index, &chat, sent)?;
        self.again |= self.shared.write_quietly(|tx| sync::tell_read(tx, own, chat.id))?;
        Ok(self.refused.is_empty() && self.shared.read(|db| Ok(rows::first(db, chat.id, 1)?.is_empty()))?)
    }

    /// What follows when a chat was read from, or written to.
    fn settle(&mut self, own: &Own, index: usize, chat: &Chat, outcome: Result<()>) -> Result<()> {
        self.contain_on(index, chat, outcome)?;
        self.turn_page(own, index, chat)?;
        self.plan_note(own, chat.id)
    }

    async fn reread(&mut self, own: &Own, index: usize) -> Result<()> {
        for channel in self.lines.open(index) {
            let Some(chat) = self.shared.read(|db| Ok(chats::on_channel(db, channel)?))? else { continue };
            if self.is_active(&chat) {
                let read = self.catch_up(own, index, chat.id).await.map(drop);
                self.contain_on(index, &chat, read)?;
                self.turn_page(own, index, &chat)?;
            }
        }
        Ok(())
    }

    /// Reads from our cursor to the head, for one turn at most: what is left then is noted as such.
    ///
    /// # Errors
    /// [`ClientError::BadHead`] when the service does not lead us to the head that it shows, or has lost what it showed.
    pub(super) async fn catch_up(&mut self, own: &Own, index: usize, chat: i64) -> Result<Taken> {
        let (mut before, mut empty_pages) = (None, 0);
        for _ in 0..PAGES_A_TURN {
            let chat = self.shared.read(|db| Ok(chats::load(db, chat)?))?;
            // A way in may have led us to a later generation than the one that is open: the next pass opens that.
            let led_on = generation(&chat)
                .is_some_and(|(channel, of)| self.lines.generation(index, channel).is_some_and(|open| open != of));
            let readable = !led_on && chat.trouble == Trouble::None;
            let Some(channel) = chat.channel.as_ref().filter(|_| readable) else {
                return Ok(Taken::Stopped);
            };
            empty_pages = if before.replace(channel.seq) == Some(channel.seq) { empty_pages + 1 } else { 0 };
            if empty_pages > EMPTY_PAGES_MAX {
                return Err(ClientError::BadHead);
            }
            let request =
                ReadRequest { channel: channel.id.into(), after: channel.seq, limit: limits::PAGE_ENTRIES_MAX };
            let reply = self.ask(index, channel.id, request).await?;
            let head = reply.head.unwrap_or_default();
            let taken = self.shared.take_from_log(|tx| log::take(tx, own, chat.id, &reply.entries, &head))?;
            if taken == Taken::UpToDate && head.seq < channel.seq {
                return Err(ClientError::BadHead);
            }
            self.lines.set_behind(index, channel.id, matches!(taken, Taken::Behind | Taken::Waits));
            if taken == Taken::Waits {
                self.fetch_large(own, chat.id).await?;
                continue;
            }
            if taken != Taken::Behind {
                return Ok(taken);
            }
        }
        Ok(Taken::Behind)
    }

    /// Sends what waits in a chat, in order.
    async fn flush(&mut self, own: &Own, index: usize, chat: i64) -> Result<()> {
        if self.shared.read(|db| Ok(chats::load(db, chat)?.is_group))? {
            return self.flush_group(own, index, chat).await;
        }
        let self_update_ms = self.shared.pace.self_update_ms;
        let mut tries = 0;
        while tries < TRIES_MAX {
            let before = generation(&self.shared.read(|db| Ok(chats::load(db, chat)?))?);
            if !before.is_some_and(|of| self.lines.is_open_under(index, of)) {
                // To be opened anew before anything can be written.
                return Ok(());
            }
            let Some(batch) = self.shared.write(|tx| outbox::next(tx, own, chat, self_update_ms))? else {
                return Ok(());
            };
            let refusal = match self.ask(index, batch.channel(), batch.request()).await.map(|reply| reply.result) {
                Ok(Some(append_reply::Result::Appended(appended))) => {
                    if self.appended(own, index, &batch, &appended).await? != Taken::UpToDate {
                        return Ok(());
                    }
                    continue;
                }
                Ok(_) => None,
                Err(CallError::Refused(fault)) if is_certain(fault.code()) => Some(fault.code()),
                Err(error) => return Err(error.into()),
            };
            // Not applied. It may be that an earlier try was: what stands in the log is not made anew.
            self.catch_up(own, index, chat).await?;
            tries += 1;
            match refusal {
                // Too many commits of late: this one can wait, messages need not.
                Some(Code::Exhausted) if batch.is_commit() => {
                    self.shared.write(|tx| outbox::postpone_update(tx, own, chat))?;
                }
                refusal => {
                    self.shared.write(|tx| outbox::refused(tx, own, chat))?;
                    if generation(&self.shared.read(|db| Ok(chats::load(db, chat)?))?) != before {
                        // The generation has ended under what we sent: it goes under the next.
                        return Ok(());
                    }
                    if let Some(code) = refusal {
                        return Err(ClientError::refused(code));
                    }
                }
            }
        }
        Err(ClientError::Busy)
    }

    /// Takes in what the service says it has appended.
    pub(super) async fn appended(
        &mut self,
        own: &Own,
        index: usize,
        batch: &Batch,
        appended: &Appended,
    ) -> Result<Taken> {
        let taken = match self.shared.take_from_log(|tx| outbox::appended(tx, own, batch, appended))? {
            Taken::Behind | Taken::Waits => self.catch_up(own, index, batch.chat()).await?,
            taken => taken,
        };
        let missing = taken == Taken::UpToDate && self.shared.read(|db| batch.is_under_way(db))?;
        if missing { Err(ClientError::BadHead) } else { Ok(taken) }
    }

    /// A request about one channel. Where that is not open any more, the next pass opens it.
    pub(super) async fn ask<R: Call<Service = Channel>>(
        &mut self,
        index: usize,
        channel: ChannelId,
        request: R,
    ) -> Result<R::Reply, CallError> {
        let circuit = self.lines.circuit(index).map_err(|_| CallError::NotSent)?;
        let reply = circuit.call(request).await;
        if let Err(CallError::Refused(fault)) = &reply
            && matches!(fault.code(), Code::NotFound | Code::Unauthenticated)
        {
            self.lines.close(index, channel);
        }
        reply
    }

    /// Whether a chat's channel is to be open now.
    pub(super) fn is_active(&self, chat: &Chat) -> bool {
        chat.is_read() && self.opens_in_ms(chat) == 0
    }
}

/// The channel of a chat and its generation.
pub(super) fn generation(chat: &Chat) -> Option<(ChannelId, u32)> {
    chat.channel.as_ref().map(|channel| (channel.id, channel.generation))
}

/// The channel of a chat that is active.
fn on(chat: &Chat) -> Option<ChannelId> {
    chat.channel.as_ref().map(|channel| channel.id)
}

/// Whether a refusal says that nothing was applied, and that the same again would not be.
pub(super) fn is_certain(code: Code) -> bool {
    !matches!(code, Code::Unavailable | Code::Unknown | Code::Unspecified)
}

/// A channel that is open now.
struct NowOpen {
    of: (ChannelId, u32),
    /// The newest entry that we have.
    known: u64,
    /// It is the newest that there is.
    unchanged: bool,
    /// By a generation that is over.
    over: bool,
}

/// Whether a channel that was opened stands where we know it. None: it was not opened.
fn is_unchanged(answer: Option<&opened::Result>, known: u64) -> Option<bool> {
    match answer {
        Some(opened::Result::Head(_)) => Some(false),
        Some(opened::Result::Refused(_)) => None,
        None => (known > 0).then_some(true),
    }
}

/// A channel that is to be opened.
pub(super) struct Closed {
    /// The chat in it; none yet for one of the stock.
    pub(super) chat: Option<i64>,
    pub(super) generation: (ChannelId, u32),
    pub(super) secret: Zeroizing<[u8; 32]>,
    /// The newest entry that we have.
    pub(super) known: u64,
}

impl Closed {
    fn of_chat(chat: &Chat) -> Option<Self> {
        let channel = chat.channel.as_ref()?;
        let generation = (channel.id, channel.generation);
        let secret = channel.generation_secret.clone();
        // Not without the head that goes with it: whoever was let in has none yet.
        let known = channel.seen.as_ref().map_or(0, |seen| seen.seq).min(channel.seq);
        Some(Self { chat: Some(chat.id), generation, secret, known })
    }

    fn of_stock(spare: &Stocked) -> Self {
        Self { chat: None, generation: (spare.channel, 0), secret: spare.generation_secret.clone(), known: 0 }
    }

    fn opening(&self, circuit: &HandshakeHash) -> Opening {
        let (channel, generation) = self.generation;
        let keys = Generation::from_secret(*self.secret);
        let read = open_read(circuit, channel, generation, &keys.read_key());
        let write = open_write(circuit, channel, generation, &keys.write_key());
        Opening {
            channel: channel.into(),
            generation,
            read_signature: Bytes::copy_from_slice(&read),
            write_signature: Bytes::copy_from_slice(&write),
            known: self.known,
        }
    }
}
