//! One circuit's task: takes requests, has them answered, carries pushes, until one side leaves.

use std::{future::pending, marker::PhantomData, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::watch;
use undertone_wire::{
    Now,
    circuit::{Code, Frame, GoAway, Kind, Leaving, Request, frame},
    limits,
    rpc::{Answer, Dispatch, OpenPushes, Service},
};

use super::{
    accept::Incoming,
    pushing::Pushing,
    running::{Outcome, Running},
};
use crate::{
    Ending,
    link::{BODY_BYTES_MAX, Link, Step},
    watchdog::{Alarm, SERVICE_PING, Watchdog},
};

/// Requests and subscriptions of one circuit: each channel that it may open can be followed singly, while others run.
const SUBSCRIPTIONS_MAX: usize = limits::OPENINGS_MAX + limits::IN_FLIGHT_MAX;

impl<S: Service> Incoming<S> {
    /// Serves this circuit to its end. `clock` is asked once for each request.
    ///
    /// Handlers run at once, up to [`limits::IN_FLIGHT_MAX`] of them, and no more is read while so many do. A handler
    /// is dropped where it stands when the client cancels, its deadline passes or the circuit ends: what must be done
    /// wholly is handed on in one step.
    ///
    /// Once `drain` says true, the client is told to go; what runs is finished, nothing new is taken, and the circuit
    /// ends when the client closes it, or after [`limits::DRAIN_MS`].
    pub async fn serve<H, C>(self, handler: Arc<H>, clock: C, drain: watch::Receiver<bool>) -> Ending
    where
        H: Dispatch<S> + 'static,
        C: Fn() -> Now + Send,
    {
        let mut serving = Serving {
            link: self.link,
            running: Running::default(),
            pushing: Arc::default(),
            handler,
            clock,
            draining: false,
            visited: false,
            service: PhantomData,
        };
        let ending = serving.run(drain).await;
        serving.running = Running::default();
        serving.pushing.close_all();
        serving.link.leave(ending.leaving()).await;
        ending
    }
}

struct Serving<S, H, C> {
    link: Link,
    running: Running,
    pushing: Arc<Pushing>,
    handler: Arc<H>,
    clock: C,
    draining: bool,
    /// A visitor has asked what he may ask.
    visited: bool,
    service: PhantomData<fn() -> S>,
}

impl<S, H, C> Drop for Serving<S, H, C> {
    /// However this ends, those who fan out learn of it.
    fn drop(&mut self) {
        self.pushing.close_all();
    }
}

impl<S: Service, H: Dispatch<S> + 'static, C: Fn() -> Now + Send> Serving<S, H, C> {
    async fn run(&mut self, drain: watch::Receiver<bool>) -> Ending {
        let mut watchdog = Watchdog::new(SERVICE_PING);
        let mut drain = pin!(asked_to_drain(drain));
        loop {
            self.take_pushes();
            if self.visited && self.running.is_empty() && self.link.is_flushed() {
                return Ending::Finished;
            }
            let reading = self.link.has_room() && self.running.len() < limits::IN_FLIGHT_MAX;
            if !self.link.is_flushed() {
                watchdog.unsent();
            }
            tokio::select! {
                biased;
                () = &mut drain, if !self.draining => {
                    self.draining = true;
                    self.link.queue(0, frame::Kind::GoAway(GoAway { reason: Leaving::Drain.into() }));
                    watchdog.leave_within(Duration::from_millis(limits::DRAIN_MS));
                }
                () = watchdog.ring() => match watchdog.judge(self.link.stalled_since(), reading) {
                    Some(Alarm::Quiet) => self.link.queue(0, frame::Kind::Ping(0)),
                    Some(Alarm::TimedOut) => return Ending::TimedOut,
                    Some(Alarm::Overdue) => return Ending::Drained,
                    None => {}
                },
                (id, outcome) = self.running.next() => self.answer(id, outcome),
                () = self.pushing.ready(), if self.link.has_room() => {}
                step = self.link.step(reading) => match step {
                    Ok(Step::Frame(frame)) => {
                        watchdog.heard();
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

    fn take_pushes(&mut self) {
        while self.link.has_room() {
            let Some((id, body)) = self.pushing.pop() else {
                return;
            };
            self.link.queue(id, frame::Kind::Push(body));
        }
    }

    fn take(&mut self, frame: Frame) -> Result<(), Ending> {
        match frame.kind {
            Some(frame::Kind::Request(request)) => self.request(frame.id, request)?,
            Some(frame::Kind::Cancel(_)) => {
                self.running.cancel(frame.id);
                self.pushing.close(frame.id);
            }
            Some(frame::Kind::Ping(number)) => self.link.queue(0, frame::Kind::Pong(number)),
            // A client that leaves closes its end. A kind without a name here is of a later release.
            Some(frame::Kind::Pong(_) | frame::Kind::GoAway(_)) | None => {}
            Some(
                frame::Kind::Hello(_)
                | frame::Kind::HelloReply(_)
                | frame::Kind::Reply(_)
                | frame::Kind::Fault(_)
                | frame::Kind::Push(_),
            ) => return Err(Ending::Protocol),
        }
        Ok(())
    }

    fn request(&mut self, id: u32, request: Request) -> Result<(), Ending> {
        if id == 0 || self.pushing.is_open(id) || self.visited {
            return Err(Ending::Protocol);
        }
        self.visited = S::KIND == Kind::Visitor;
        let refused = if self.draining {
            Some(Code::Unavailable)
        } else if self.pushing.subscriptions() >= SUBSCRIPTIONS_MAX {
            Some(Code::Exhausted)
        } else {
            None
        };
        if let Some(code) = refused {
            self.link.queue(id, frame::Kind::Fault(code.into()));
            return Ok(());
        }
        // Open before the handler runs: what it subscribes to may push at once.
        self.pushing.open(id);
        let pushes = OpenPushes::new(self.pushing.clone(), id);
        let now = (self.clock)();
        let handler = Arc::clone(&self.handler);
        let Request { method, body, deadline_ms } = request;
        self.running.start(id, deadline_ms, async move { handler.dispatch(now, method, body, pushes).await });
        Ok(())
    }

    fn answer(&mut self, id: u32, outcome: Outcome) {
        let answer = match outcome {
            // The empty reply says that the subscription stands.
            Some(Ok(Answer::Open)) => return self.link.queue(id, frame::Kind::Reply(Bytes::new())),
            Some(Ok(Answer::Reply(body))) if body.len() > BODY_BYTES_MAX => {
                tracing::error!("a handler's reply does not fit a frame");
                Some(frame::Kind::Fault(Code::Unknown.into()))
            }
            Some(Ok(Answer::Reply(body))) => Some(frame::Kind::Reply(body)),
            Some(Err(fault)) => Some(frame::Kind::Fault(fault)),
            None => None,
        };
        self.pushing.close(id);
        if let Some(answer) = answer {
            self.link.queue(id, answer);
        }
    }
}

async fn asked_to_drain(mut drain: watch::Receiver<bool>) {
    // Without a sender nobody will ever ask.
    if drain.wait_for(|drain| *drain).await.is_err() {
        pending().await
    }
}
