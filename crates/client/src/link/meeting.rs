//! The channel of a link, on a circuit of its own: two devices say what [`Talk`] takes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};
use undertone_circuit::{Circuit, Subscription};
use undertone_credentials::{open_read, open_write};
use undertone_e2ee::{Generation, Place};
use undertone_wire::{
    Day, IdempotencyId, Message as _, Position,
    channel::{
        AppendRequest, Channel, Entry, EntryKind, FollowRequest, LogPush, NewEntry, OpenRequest, Opening, ReadRequest,
        append_reply, opened,
    },
    content::{Linking, linking::Kind},
    limits,
    link::DeviceLink,
};
use zeroize::Zeroizing;

use super::talk::Talk;
use crate::{ClientError, Result, shared::Shared};

/// A link is good for so long.
const GOOD: Duration = Duration::from_secs(600);
/// Circuits that may break in a row.
const TRIES_MAX: u32 = 5;
/// What is said stays in the channel for so many days, which is as short as clocks that differ allow.
const DAYS: u32 = limits::CLOCK_SKEW_DAYS;

/// One end of a linking.
pub(super) struct Meeting {
    shared: Arc<Shared>,
    link: DeviceLink,
    generation: Generation,
    line: Option<Line>,
    /// So many entries were taken.
    heard: u64,
    talk: Talk,
    deadline: Instant,
}

struct Line {
    circuit: Circuit<Channel>,
    pushes: Subscription<LogPush>,
}

impl Meeting {
    /// Goes to the channel of a link, and hears what was said there before.
    ///
    /// # Errors
    /// [`ClientError::LinkUnknown`] when there is no such channel; what [`Talk::take`] says of what is there.
    pub(super) async fn open(shared: Arc<Shared>, link: DeviceLink) -> Result<Self> {
        let generation = Generation::from_secret(link.secret);
        let deadline = Instant::now() + GOOD;
        let mut meeting = Self { shared, link, generation, line: None, heard: 0, talk: Talk::default(), deadline };
        meeting.until(None, |_| Some(())).await?;
        Ok(meeting)
    }

    /// The link that led here.
    pub(super) const fn link(&self) -> &DeviceLink {
        &self.link
    }

    /// What was said so far.
    pub(super) const fn talk(&self) -> &Talk {
        &self.talk
    }

    /// Says something, and hears it among what is said.
    ///
    /// # Errors
    /// When the service cannot be reached, or somebody else has spoken.
    pub(super) async fn say(&mut self, kind: Kind) -> Result<()> {
        let entry = self.entry(kind)?;
        let mut failures = 0;
        while let Err(error) = self.append(&entry).await {
            self.pause(error, &mut failures).await?;
        }
        self.until(None, |_| Some(())).await
    }

    /// Ends it for the other device too, if that can be said; else it finds out by the time.
    pub(super) async fn cancel(&mut self) {
        if let Ok(entry) = self.entry(Kind::Cancelled(true)) {
            let _ = self.append(&entry).await;
        }
    }

    /// Hears what is said, until it is enough. Without `patience` it waits as long as the link is good.
    ///
    /// # Errors
    /// [`ClientError::LinkSilent`] when the patience ends before, [`ClientError::LinkTimedOut`] when the link does; what
    /// [`Talk::take`] says of what was said, upon which it is over for both.
    pub(super) async fn until<T>(
        &mut self,
        patience: Option<Duration>,
        enough: impl Fn(&Talk) -> Option<T>,
    ) -> Result<T> {
        let patience = patience.map(|patience| Instant::now() + patience);
        let until = patience.map_or(self.deadline, |patience| patience.min(self.deadline));
        let mut failures = 0;
        loop {
            match self.hear().await {
                Ok(()) => failures = 0,
                Err(error) => self.pause(error, &mut failures).await?,
            }
            if failures == 0
                && let Some(found) = enough(&self.talk)
            {
                return Ok(found);
            }
            let Some(line) = &mut self.line else { continue };
            match timeout_at(until, line.pushes.next()).await {
                // A push only says that there is something to read.
                Ok(Some(_)) => {}
                Ok(None) => self.line = None,
                Err(_) if until < self.deadline => return Err(ClientError::LinkSilent),
                Err(_) => {
                    self.cancel().await;
                    return Err(ClientError::LinkTimedOut);
                }
            }
        }
    }

    /// Waits a little where another circuit may do better; else says why not.
    async fn pause(&mut self, error: ClientError, failures: &mut u32) -> Result<()> {
        let again = matches!(error, ClientError::Offline(_)) && *failures < TRIES_MAX;
        if !again {
            // What was said there makes no sense: it is over for the other too.
            if matches!(error, ClientError::LinkUsed | ClientError::LinkForged | ClientError::E2ee(_)) {
                self.cancel().await;
            }
            return Err(error);
        }
        self.line = None;
        let ms = self.shared.draw_ms(&self.shared.pace.retry.backoff(*failures));
        *failures += 1;
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok(())
    }

    /// Reads what stands behind what was heard.
    async fn hear(&mut self) -> Result<()> {
        loop {
            let request =
                ReadRequest { channel: self.link.channel.into(), after: self.heard, limit: limits::PAGE_ENTRIES_MAX };
            let page = self.line().await?.circuit.call(request).await?;
            for entry in &page.entries {
                self.take(entry)?;
            }
            let all = page.head.is_none_or(|head| head.seq <= self.heard);
            if all || page.entries.is_empty() {
                return Ok(());
            }
        }
    }

    fn take(&mut self, entry: &Entry) -> Result<()> {
        if entry.seq != self.heard + 1 || entry.kind() != EntryKind::Message {
            return Err(ClientError::LinkForged);
        }
        let place = self.place(Day(entry.expiry_day));
        let said = self.generation.unwrap(&place, &entry.body).map_err(|_| ClientError::LinkForged)?;
        self.heard = entry.seq;
        self.talk.take(&said)
    }

    fn place(&self, expiry_day: Day) -> Place {
        let (channel, position) = (self.link.channel, Position::default());
        Place { channel, kind: EntryKind::Message, position, expiry_day }
    }

    fn entry(&self, kind: Kind) -> Result<NewEntry> {
        let said = Zeroizing::new(Linking { kind: Some(kind) }.encode_to_vec());
        let expiry_day = self.shared.now().day() + DAYS;
        let place = self.place(expiry_day);
        self.shared.write_quietly(|tx| {
            Ok(NewEntry {
                kind: EntryKind::Message.into(),
                expiry_day: expiry_day.0,
                body: self.generation.wrap(&place, &said, &mut tx.rng)?,
                idempotency_id: IdempotencyId::new(tx.random()).into(),
                ..NewEntry::default()
            })
        })
    }

    /// The same entry may be appended again: it stands there once.
    async fn append(&mut self, entry: &NewEntry) -> Result<()> {
        let request = AppendRequest {
            channel: self.link.channel.into(),
            entries: vec![entry.clone()],
            ..AppendRequest::default()
        };
        match self.line().await?.circuit.call(request).await?.result {
            Some(append_reply::Result::Appended(_)) => Ok(()),
            // Only a commit moves the position, and no device has any business with one here.
            Some(append_reply::Result::Stale(_)) => Err(ClientError::LinkUsed),
            _ => Err(ClientError::Refused("its answer makes no sense")),
        }
    }

    async fn line(&mut self) -> Result<&mut Line> {
        let line = match self.line.take() {
            Some(line) => line,
            None => self.connect().await?,
        };
        Ok(self.line.insert(line))
    }

    async fn connect(&self) -> Result<Line> {
        let circuit = self.shared.connect::<Channel>(&self.link.service).await?;
        let (hash, channel) = (circuit.handshake_hash(), self.link.channel);
        let opening = Opening {
            channel: channel.into(),
            generation: 0,
            read_signature: Bytes::copy_from_slice(&open_read(&hash, channel, 0, &self.generation.read_key())),
            write_signature: Bytes::copy_from_slice(&open_write(&hash, channel, 0, &self.generation.write_key())),
            known: 0,
        };
        let reply = circuit.call(OpenRequest { openings: vec![opening] }).await?;
        let opened = reply.opened.into_iter().next().and_then(|opened| opened.result);
        if !matches!(opened, Some(opened::Result::Head(_))) {
            return Err(ClientError::LinkUnknown);
        }
        let pushes =
            circuit.subscribe(FollowRequest { channels: vec![channel.into()], ..FollowRequest::default() }).await?;
        Ok(Line { circuit, pushes })
    }
}
