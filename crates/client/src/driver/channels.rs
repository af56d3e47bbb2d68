//! Channel circuits: long-lived, and each carries some of our channels.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use tokio::{sync::mpsc, task::JoinHandle};
use undertone_circuit::{CallError, Circuit, Event, Subscription};
use undertone_credentials::{open_read, open_write};
use undertone_e2ee::Generation;
use undertone_wire::{
    ChannelId,
    channel::{Channel, FollowRequest, LogPush, OpenRequest, Opening, ReadRequest, append_reply, opened},
    circuit::Code,
    limits,
};

use super::Driver;
use crate::{
    ClientError, Result,
    db::chats::{self, Chat, State, Trouble},
    own::Own,
    rules::{
        log::{self, Taken},
        outbox,
    },
};

/// Pushes that wait for the driver; a circuit's own bound comes before it.
const EVENTS_MAX: usize = 64;
/// Times that the same batch may come back before the pass gives up; the next tries again.
const TRIES_MAX: u32 = 8;

/// Our channel circuits.
pub(super) struct Channels {
    lines: Vec<Option<Line>>,
    sender: mpsc::Sender<LineEvent>,
    events: mpsc::Receiver<LineEvent>,
    /// Counts circuits, so that an event of one that is gone is known.
    made: u64,
}

/// One circuit.
struct Line {
    number: u64,
    circuit: Circuit<Channel>,
    opened: HashSet<ChannelId>,
    pumps: Vec<JoinHandle<()>>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.pumps.iter().for_each(JoinHandle::abort);
    }
}

/// Something came on a circuit.
pub(super) struct LineEvent {
    line: usize,
    number: u64,
    /// None: it has ended.
    event: Option<Event<LogPush>>,
}

impl Channels {
    pub(super) fn new(circuits: usize) -> Self {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        Self { lines: (0..circuits.max(1)).map(|_| None).collect(), sender, events, made: 0 }
    }

    pub(super) async fn event(&mut self) -> LineEvent {
        match self.events.recv().await {
            Some(event) => event,
            // We hold a sender ourselves.
            None => std::future::pending().await,
        }
    }

    fn line(&self, index: usize) -> Result<&Line> {
        self.lines.get(index).and_then(Option::as_ref).ok_or(ClientError::Offline(LOST))
    }

    fn drop_line(&mut self, index: usize) {
        if let Some(line) = self.lines.get_mut(index) {
            *line = None;
        }
    }

    /// The same chat is always on the same circuit.
    fn index(&self, chat: i64) -> usize {
        usize::try_from(chat).unwrap_or(0) % self.lines.len().max(1)
    }
}

const LOST: &str = "the connection broke";

impl Driver {
    /// Opens what is to be open, reads what was missed, sends what waits.
    pub(super) async fn sync_channels(&mut self, own: &Arc<Own>) -> Result<()> {
        let now = self.shared.now().0;
        let chats: Vec<Chat> =
            self.shared.read(|db| Ok(chats::all(db)?))?.into_iter().filter(|chat| active(chat, now)).collect();
        let mut by_line: BTreeMap<usize, Vec<&Chat>> = BTreeMap::new();
        for chat in &chats {
            by_line.entry(self.channels.index(chat.id)).or_default().push(chat);
        }
        let mut first_error = Ok(());
        for (index, chats) in by_line {
            let synced = self.sync_line(own, index, &chats).await;
            if let (Ok(()), Err(error)) = (&first_error, synced) {
                first_error = Err(error);
            }
        }
        first_error
    }

    async fn sync_line(&mut self, own: &Arc<Own>, index: usize, chats: &[&Chat]) -> Result<()> {
        if self.channels.line(index).is_err() {
            self.apart().await;
            let circuit = self.shared.connect::<Channel>(&own.link).await?;
            self.channels.made += 1;
            let line = Line { number: self.channels.made, circuit, opened: HashSet::new(), pumps: Vec::new() };
            if let Some(place) = self.channels.lines.get_mut(index) {
                *place = Some(line);
            }
        }
        // The first circuit may have brought the service's parameters.
        let own = &self.shared.own()?;
        let synced = async {
            let opened = &self.channels.line(index)?.opened;
            let new: Vec<&Chat> = chats
                .iter()
                .copied()
                .filter(|chat| on(chat).is_some_and(|channel| !opened.contains(&channel)))
                .collect();
            for new in new.chunks(limits::OPENINGS_MAX) {
                self.open(own, index, new).await?;
            }
            for chat in chats {
                let opened = &self.channels.line(index)?.opened;
                if on(chat).is_some_and(|channel| opened.contains(&channel)) {
                    self.flush(own, index, chat.id).await?;
                }
            }
            Ok(())
        }
        .await;
        if matches!(synced, Err(ClientError::Offline(_))) {
            self.channels.drop_line(index);
            self.touched();
        }
        synced
    }

    /// Proves keys, follows, and reads up to the head.
    async fn open(&mut self, own: &Own, index: usize, chats: &[&Chat]) -> Result<()> {
        let line = self.channels.line(index)?;
        let circuit = line.circuit.clone();
        let openings = chats.iter().map(|chat| opening(chat, &circuit)).collect::<Result<_>>()?;
        let reply = circuit.call(OpenRequest { openings }).await?;
        let mut behind = Vec::new();
        for (chat, opened) in chats.iter().zip(reply.opened) {
            match opened.result {
                Some(opened::Result::Head(_)) => behind.push(*chat),
                Some(opened::Result::Refused(code)) if code == Code::NotFound as u32 => {
                    self.shared.write(|tx| Ok(chats::set_trouble(tx.db, chat.id, Trouble::Expired)?))?;
                }
                _ => return Err(ClientError::Offline("it opens no more channels now")),
            }
        }
        if behind.is_empty() {
            return Ok(());
        }
        let channels = behind.iter().filter_map(|chat| on(chat)).map(Into::into).collect();
        let subscription = circuit.subscribe(FollowRequest { channels }).await?;
        self.pump(index, subscription, behind.iter().filter_map(|chat| on(chat)))?;
        for chat in behind {
            self.catch_up(own, index, chat.id).await?;
        }
        Ok(())
    }

    /// Passes what a subscription brings on to the driver.
    fn pump(
        &mut self,
        index: usize,
        mut subscription: Subscription<LogPush>,
        channels: impl Iterator<Item = ChannelId>,
    ) -> Result<()> {
        let sender = self.channels.sender.clone();
        let Some(Some(line)) = self.channels.lines.get_mut(index) else { return Err(ClientError::Offline(LOST)) };
        let number = line.number;
        line.opened.extend(channels);
        line.pumps.push(tokio::spawn(async move {
            loop {
                let event = subscription.next().await;
                let ended = event.is_none();
                if sender.send(LineEvent { line: index, number, event }).await.is_err() || ended {
                    return;
                }
            }
        }));
        Ok(())
    }

    /// Takes what came on a circuit. True: a pass is needed.
    pub(super) async fn take_event(&mut self, own: &Arc<Own>, event: LineEvent) -> bool {
        let current = self.channels.line(event.line).is_ok_and(|line| line.number == event.number);
        if !current {
            return false;
        }
        let taken = match event.event {
            None => {
                self.channels.drop_line(event.line);
                self.touched();
                return true;
            }
            Some(Event::Item(push)) => self.push(own, event.line, &push).await,
            Some(_) => self.reread(own, event.line).await,
        };
        if let Err(error) = taken {
            tracing::debug!(%error, "a push could not be taken");
            self.channels.drop_line(event.line);
            self.touched();
            return true;
        }
        false
    }

    async fn push(&mut self, own: &Own, index: usize, push: &LogPush) -> Result<()> {
        let Ok(channel) = ChannelId::try_from(&push.channel[..]) else { return Ok(()) };
        let Some(chat) = self.shared.read(|db| Ok(chats::on_channel(db, channel)?))? else { return Ok(()) };
        if chat.trouble != Trouble::None {
            return Ok(());
        }
        let head = push.head.clone().unwrap_or_default();
        let taken = self.shared.write(|tx| log::take(tx, own, chat.id, &push.entries, &head))?;
        if taken == Taken::Behind {
            self.catch_up(own, index, chat.id).await?;
        }
        // An acceptance may be what our outbox waited for.
        self.flush(own, index, chat.id).await
    }

    async fn reread(&mut self, own: &Own, index: usize) -> Result<()> {
        let channels: Vec<ChannelId> = self.channels.line(index)?.opened.iter().copied().collect();
        for channel in channels {
            if let Some(chat) = self.shared.read(|db| Ok(chats::on_channel(db, channel)?))? {
                self.catch_up(own, index, chat.id).await?;
            }
        }
        Ok(())
    }

    /// Reads from our cursor to the head.
    async fn catch_up(&self, own: &Own, index: usize, chat: i64) -> Result<()> {
        let circuit = &self.channels.line(index)?.circuit;
        loop {
            let Some((channel, after)) = self.shared.read(|db| {
                let chat = chats::load(db, chat)?;
                let going = chat.trouble == Trouble::None;
                Ok(chat.channel.filter(|_| going).map(|channel| (channel.id, channel.seq)))
            })?
            else {
                return Ok(());
            };
            let request = ReadRequest { channel: channel.into(), after, limit: limits::PAGE_ENTRIES_MAX };
            let reply = circuit.call(request).await?;
            let head = reply.head.unwrap_or_default();
            match self.shared.write(|tx| log::take(tx, own, chat, &reply.entries, &head))? {
                Taken::Behind if reply.entries.is_empty() => return Err(ClientError::BadHead),
                Taken::Behind => {}
                Taken::UpToDate | Taken::Stopped => return Ok(()),
            }
        }
    }

    /// Sends what waits in a chat, in order.
    async fn flush(&mut self, own: &Own, index: usize, chat: i64) -> Result<()> {
        for _ in 0..TRIES_MAX {
            loop {
                let self_update_ms = self.shared.pace.self_update_ms;
                let Some(batch) = self.shared.write(|tx| outbox::next(tx, own, chat, self_update_ms))? else {
                    return Ok(());
                };
                let reply = self.channels.line(index)?.circuit.call(batch.request()).await;
                let result = match reply {
                    Ok(reply) => reply.result,
                    Err(CallError::Refused(fault)) if fault.code() == Code::Exhausted && batch.is_commit() => {
                        // Too many commits of late: this one can wait, messages need not.
                        self.shared.write(|tx| outbox::postpone_update(tx, own, chat))?;
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                };
                match result {
                    Some(append_reply::Result::Appended(appended)) => {
                        if self.shared.write(|tx| outbox::appended(tx, own, &batch, &appended))? == Taken::Behind {
                            self.catch_up(own, index, chat).await?;
                        }
                    }
                    Some(append_reply::Result::Stale(_)) => {
                        self.catch_up(own, index, chat).await?;
                        self.shared.write(|tx| outbox::refused(tx, own, chat))?;
                        break;
                    }
                    Some(append_reply::Result::Conflict(_)) | None => {
                        self.shared.write(|tx| outbox::refused(tx, own, chat))?;
                        break;
                    }
                }
            }
        }
        Err(ClientError::Offline("this chat is too busy"))
    }
}

/// The channel of a chat that is active.
fn on(chat: &Chat) -> Option<ChannelId> {
    chat.channel.as_ref().map(|channel| channel.id)
}

/// Whether a chat's channel is to be open now.
fn active(chat: &Chat, now_ms: u64) -> bool {
    let state = matches!(chat.state, State::Open | State::Invited);
    state && chat.channel.is_some() && chat.trouble == Trouble::None && chat.open_from_ms <= now_ms
}

fn opening(chat: &Chat, circuit: &Circuit<Channel>) -> Result<Opening> {
    let channel = chat.channel.as_ref().ok_or(ClientError::Bug("an opening without a channel"))?;
    let generation = Generation::from_secret(*channel.generation_secret);
    let hash = circuit.handshake_hash();
    let read = open_read(&hash, channel.id, channel.generation, &generation.read_key());
    let write = open_write(&hash, channel.id, channel.generation, &generation.write_key());
    Ok(Opening {
        channel: channel.id.into(),
        generation: channel.generation,
        read_signature: Bytes::copy_from_slice(&read),
        write_signature: Bytes::copy_from_slice(&write),
    })
}
