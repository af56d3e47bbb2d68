//! One circuit's task: sends requests, hands out answers and pushes, until one side leaves.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use undertone_wire::{
    circuit::{Fault, Frame, Request, frame},
    limits,
};

use super::{call::Claim, subscription::Sink};
use crate::{
    Ending,
    link::{Link, Step},
    watchdog::{Alarm, CLIENT_PING, Watchdog},
};

/// What the holders of a circuit want of its task.
pub(super) enum Command {
    Ask(Ask),
    /// Nobody waits for the answer, or the pushes, of this request any more.
    Cancel(u32),
}

/// A request to be sent.
pub(super) struct Ask {
    pub(super) id: u32,
    pub(super) claim: Claim,
    pub(super) method: u32,
    pub(super) body: Bytes,
    pub(super) deadline: Instant,
    pub(super) answer: oneshot::Sender<Result<Bytes, Fault>>,
    pub(super) pushes: Option<Sink>,
}

/// A request that was sent.
struct Waiting {
    /// Until the answer has come.
    answer: Option<oneshot::Sender<Result<Bytes, Fault>>>,
    pushes: Option<Sink>,
}

pub(super) struct Driver {
    link: Link,
    commands: mpsc::UnboundedReceiver<Command>,
    ended: watch::Sender<Option<Ending>>,
    waiting: BTreeMap<u32, Waiting>,
    watchdog: Watchdog,
    draining: bool,
}

impl Driver {
    pub(super) fn new(
        link: Link,
        commands: mpsc::UnboundedReceiver<Command>,
        ended: watch::Sender<Option<Ending>>,
    ) -> Self {
        let watchdog = Watchdog::new(CLIENT_PING);
        Self { link, commands, ended, waiting: BTreeMap::new(), watchdog, draining: false }
    }

    pub(super) async fn run(mut self) {
        let ending = self.drive().await;
        self.tell(ending);
        // Whoever waits learns it now, and not after the last words.
        self.commands.close();
        self.waiting.clear();
        while self.commands.try_recv().is_ok() {}
        self.link.leave(ending.leaving()).await;
    }

    async fn drive(&mut self) -> Ending {
        loop {
            if self.draining && !self.is_awaited() {
                return Ending::Drained;
            }
            if !self.link.is_flushed() {
                self.watchdog.unsent();
            }
            tokio::select! {
                biased;
                () = self.watchdog.ring() => match self.watchdog.judge(self.link.stalled_since(), true) {
                    Some(Alarm::Quiet) => self.link.queue(0, frame::Kind::Ping(0)),
                    Some(Alarm::TimedOut) => return Ending::TimedOut,
                    Some(Alarm::Overdue) => return Ending::Drained,
                    None => {}
                },
                command = self.commands.recv(), if !self.draining && self.link.has_room() => match command {
                    Some(Command::Ask(ask)) => self.ask(ask),
                    Some(Command::Cancel(id)) => self.cancel(id),
                    None => return Ending::Finished,
                },
                // Read always: if both sides waited until the other reads, neither would.
                step = self.link.step(true) => match step {
                    Ok(Step::Frame(frame)) => {
                        self.watchdog.heard();
                        if let Err(ending) = self.take(frame) {
                            return ending;
                        }
                    }
                    Ok(Step::Flushed) => {}
                    Ok(Step::Closed) if self.draining => return Ending::Drained,
                    Ok(Step::Closed) => return Ending::Finished,
                    Err(error) => return error.into(),
                },
            }
        }
    }

    fn ask(&mut self, ask: Ask) {
        if !ask.claim.is_ours() {
            return;
        }
        let left = ask.deadline.saturating_duration_since(Instant::now());
        // Never 0, which means no deadline.
        let deadline_ms = u32::try_from(left.as_millis()).unwrap_or(u32::MAX).max(1);
        let request = Request { method: ask.method, body: ask.body, deadline_ms };
        self.waiting.insert(ask.id, Waiting { answer: Some(ask.answer), pushes: ask.pushes });
        self.link.queue(ask.id, frame::Kind::Request(request));
    }

    fn cancel(&mut self, id: u32) {
        if self.waiting.remove(&id).is_some() {
            self.link.queue(id, frame::Kind::Cancel(true));
        }
    }

    /// Frames for which nobody waits are passed over: an answer may cross its own cancellation.
    fn take(&mut self, frame: Frame) -> Result<(), Ending> {
        let Frame { id, kind } = frame;
        match kind {
            Some(frame::Kind::Reply(body)) => {
                if let Some(waiting) = self.waiting.get_mut(&id) {
                    answer(waiting, Ok(body));
                    if waiting.pushes.is_none() {
                        self.waiting.remove(&id);
                    }
                }
            }
            Some(frame::Kind::Fault(fault)) => {
                if let Some(mut waiting) = self.waiting.remove(&id) {
                    answer(&mut waiting, Err(fault));
                }
            }
            Some(frame::Kind::Push(body)) => {
                if let Some(Waiting { pushes: Some(pushes), .. }) = self.waiting.get(&id) {
                    pushes.push(body);
                }
            }
            // Without room the service has enough of ours to read, and knows from it that we are here.
            Some(frame::Kind::Ping(number)) if self.link.has_room() => self.link.queue(0, frame::Kind::Pong(number)),
            Some(frame::Kind::GoAway(go_away)) => return self.go_away(Ending::told(go_away.reason())),
            Some(frame::Kind::Ping(_) | frame::Kind::Pong(_)) | None => {}
            Some(
                frame::Kind::Hello(_) | frame::Kind::HelloReply(_) | frame::Kind::Request(_) | frame::Kind::Cancel(_),
            ) => return Err(Ending::Protocol),
        }
        Ok(())
    }

    /// The service takes nothing new; when it drains, it still answers what it has.
    fn go_away(&mut self, ending: Ending) -> Result<(), Ending> {
        if ending != Ending::Drained {
            return Err(ending);
        }
        self.draining = true;
        self.tell(ending);
        self.watchdog.leave_within(Duration::from_millis(limits::DRAIN_MS));
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            if let Command::Cancel(id) = command {
                self.cancel(id);
            }
        }
        Ok(())
    }

    /// The first reason stands.
    fn tell(&self, ending: Ending) {
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert(ending);
            first
        });
    }

    fn is_awaited(&self) -> bool {
        let awaited = |waiting: &Waiting| waiting.answer.as_ref().is_some_and(|answer| !answer.is_closed());
        self.waiting.values().any(awaited)
    }
}

fn answer(waiting: &mut Waiting, result: Result<Bytes, Fault>) {
    if let Some(answer) = waiting.answer.take() {
        // The caller may have gone meanwhile.
        let _ = answer.send(result);
    }
}
