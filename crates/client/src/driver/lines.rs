//! Channel circuits: long-lived, and each carries some of our channels.

use std::collections::{BTreeMap, BTreeSet};

use tokio::{sync::mpsc, task::JoinHandle};
use undertone_circuit::{Circuit, Event, Subscription};
use undertone_wire::{
    ChannelId,
    channel::{Channel, LogPush},
};

use crate::{ClientError, Result};

/// Pushes that wait for the driver; a circuit's own bound comes before it.
const EVENTS_MAX: usize = 64;
const LOST: &str = "the connection broke";

/// Our channel circuits.
pub(super) struct Lines {
    lines: Vec<Option<Line>>,
    /// So many of them, the first ones, carry several channels.
    shared: usize,
    /// Channels that have one for themselves.
    alone: BTreeMap<ChannelId, usize>,
    sender: mpsc::Sender<LineEvent>,
    events: mpsc::Receiver<LineEvent>,
    /// Counts circuits, so that an event of one that is gone is known.
    made: u64,
}

/// One circuit.
struct Line {
    number: u64,
    circuit: Circuit<Channel>,
    /// With the generation that each was opened by.
    opened: BTreeMap<ChannelId, u32>,
    /// Those of them that were not read up to their heads yet.
    behind: BTreeSet<ChannelId>,
    /// It has shown whom it speaks for, in the one group that it carries.
    speaks: bool,
    pumps: Vec<JoinHandle<()>>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.pumps.iter().for_each(JoinHandle::abort);
    }
}

/// Something came on a circuit.
pub(super) struct LineEvent {
    pub(super) line: usize,
    number: u64,
    /// None: it has ended.
    pub(super) event: Option<Event<LogPush>>,
}

impl Lines {
    pub(super) fn new(circuits: usize) -> Self {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let shared = circuits.max(1);
        let lines = (0..shared).map(|_| None).collect();
        Self { lines, shared, alone: BTreeMap::new(), sender, events, made: 0 }
    }

    pub(super) async fn event(&mut self) -> LineEvent {
        match self.events.recv().await {
            Some(event) => event,
            // We hold a sender ourselves.
            None => std::future::pending().await,
        }
    }

    /// What has come already, if anything has.
    pub(super) fn pushed(&mut self) -> Option<LineEvent> {
        self.events.try_recv().ok()
    }

    /// Whether the circuit that an event came on is still ours.
    pub(super) fn is_current(&self, event: &LineEvent) -> bool {
        self.line(event.line).is_some_and(|line| line.number == event.number)
    }

    /// The same channel is always on the same circuit, before and after a chat takes it.
    pub(super) fn index(&self, channel: ChannelId) -> usize {
        let alone = self.alone.get(&channel).copied();
        alone.unwrap_or_else(|| usize::from(channel.as_bytes()[0]) % self.shared)
    }

    /// Gives a channel a circuit for itself, from its first opening on. Returns which.
    pub(super) fn set_alone(&mut self, channel: ChannelId) -> usize {
        let next = self.lines.len();
        let index = *self.alone.entry(channel).or_insert(next);
        if index == next {
            self.lines.push(None);
        }
        index
    }

    /// Whether a circuit has shown whom it speaks for.
    pub(super) fn speaks(&self, index: usize) -> bool {
        self.line(index).is_some_and(|line| line.speaks)
    }

    /// Notes whether it has.
    pub(super) fn set_speaks(&mut self, index: usize, speaks: bool) {
        if let Some(Some(line)) = self.lines.get_mut(index) {
            line.speaks = speaks;
        }
    }

    pub(super) fn has(&self, index: usize) -> bool {
        self.line(index).is_some()
    }

    pub(super) fn put(&mut self, index: usize, circuit: Circuit<Channel>) {
        self.made += 1;
        let (opened, behind) = (BTreeMap::new(), BTreeSet::new());
        let line = Line { number: self.made, circuit, opened, behind, speaks: false, pumps: Vec::new() };
        if let Some(place) = self.lines.get_mut(index) {
            *place = Some(line);
        }
    }

    pub(super) fn drop_line(&mut self, index: usize) {
        if let Some(line) = self.lines.get_mut(index) {
            *line = None;
        }
    }

    /// # Errors
    /// When it broke.
    pub(super) fn circuit(&self, index: usize) -> Result<Circuit<Channel>> {
        self.line(index).map(|line| line.circuit.clone()).ok_or(ClientError::Offline(LOST))
    }

    /// Notes channels that are open from now on and yet to be read.
    pub(super) fn opened(&mut self, index: usize, channels: impl Iterator<Item = (ChannelId, u32)>) -> Result<()> {
        let Some(Some(line)) = self.lines.get_mut(index) else { return Err(ClientError::Offline(LOST)) };
        for (channel, generation) in channels {
            line.opened.insert(channel, generation);
            line.behind.insert(channel);
        }
        Ok(())
    }

    /// Passes on what a subscription brings.
    pub(super) fn follow(&mut self, index: usize, mut subscription: Subscription<LogPush>) -> Result<()> {
        let sender = self.sender.clone();
        let Some(Some(line)) = self.lines.get_mut(index) else { return Err(ClientError::Offline(LOST)) };
        let number = line.number;
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

    pub(super) fn is_open(&self, index: usize, channel: ChannelId) -> bool {
        self.generation(index, channel).is_some()
    }

    /// Whether a channel was opened by this generation.
    pub(super) fn is_open_under(&self, index: usize, (channel, generation): (ChannelId, u32)) -> bool {
        self.generation(index, channel) == Some(generation)
    }

    /// The generation that a channel was opened by, if it is open.
    pub(super) fn generation(&self, index: usize, channel: ChannelId) -> Option<u32> {
        self.line(index).and_then(|line| line.opened.get(&channel).copied())
    }

    /// Channels that are open on a circuit.
    pub(super) fn open(&self, index: usize) -> Vec<ChannelId> {
        self.line(index).into_iter().flat_map(|line| line.opened.keys().copied()).collect()
    }

    /// Counts channels as not open that are not to be: should they some day, they begin anew.
    pub(super) fn keep_open(&mut self, wanted: &BTreeSet<ChannelId>) {
        for line in self.lines.iter_mut().flatten() {
            line.opened.retain(|channel, _| wanted.contains(channel));
            line.behind.retain(|channel| wanted.contains(channel));
        }
        for (channel, index) in &self.alone {
            if !wanted.contains(channel)
                && let Some(line) = self.lines.get_mut(*index)
            {
                *line = None;
            }
        }
    }

    /// Counts a channel as not open, so that the next pass begins with it anew.
    pub(super) fn close(&mut self, index: usize, channel: ChannelId) {
        if let Some(Some(line)) = self.lines.get_mut(index) {
            line.opened.remove(&channel);
            line.behind.remove(&channel);
        }
    }

    pub(super) fn set_behind(&mut self, index: usize, channel: ChannelId, behind: bool) {
        if let Some(Some(line)) = self.lines.get_mut(index) {
            if behind && line.opened.contains_key(&channel) {
                line.behind.insert(channel);
            } else {
                line.behind.remove(&channel);
            }
        }
    }

    pub(super) fn is_behind(&self, index: usize, channel: ChannelId) -> bool {
        self.line(index).is_some_and(|line| line.behind.contains(&channel))
    }

    /// Whether any open channel is yet to be read to its head.
    pub(super) fn any_behind(&self) -> bool {
        self.lines.iter().flatten().any(|line| !line.behind.is_empty())
    }

    fn line(&self, index: usize) -> Option<&Line> {
        self.lines.get(index).and_then(Option::as_ref)
    }
}
