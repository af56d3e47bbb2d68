//! The requests of one circuit that are being answered.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::timeout;
use undertone_wire::{circuit::Fault, rpc::Answer};

/// What became of a request; none when its deadline passed first, and so nobody waits for it.
pub(super) type Outcome = Option<Result<Answer, Fault>>;

type Answering = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// At most [`IN_FLIGHT_MAX`](undertone_wire::limits::IN_FLIGHT_MAX), by the caller's care: few enough to poll them all
/// whenever one of them may go on. They live in the circuit's own task, so they end with it.
#[derive(Default)]
pub(super) struct Running {
    requests: Vec<(u32, Answering)>,
}

impl Running {
    pub(super) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Begins to answer request `id`, which is dropped after `deadline_ms` (0: never).
    pub(super) fn start(
        &mut self,
        id: u32,
        deadline_ms: u32,
        answer: impl Future<Output = Result<Answer, Fault>> + Send + 'static,
    ) {
        let answering: Answering = match deadline_ms {
            0 => Box::pin(async { Some(answer.await) }),
            ms => Box::pin(async move { timeout(Duration::from_millis(ms.into()), answer).await.ok() }),
        };
        self.requests.push((id, answering));
    }

    /// Drops request `id` where it stands: handlers allow for it.
    pub(super) fn cancel(&mut self, id: u32) {
        self.requests.retain(|(running, _)| *running != id);
        self.free();
    }

    /// The next request to be done; waits for ever while there is none. Nothing is lost by dropping it.
    pub(super) async fn next(&mut self) -> (u32, Outcome) {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<(u32, Outcome)> {
        let done = self.requests.iter_mut().enumerate().find_map(|(index, (_, answering))| {
            match answering.as_mut().poll(cx) {
                Poll::Ready(outcome) => Some((index, outcome)),
                Poll::Pending => None,
            }
        });
        let Some((index, outcome)) = done else {
            return Poll::Pending;
        };
        let (id, _) = self.requests.swap_remove(index);
        self.free();
        Poll::Ready((id, outcome))
    }

    /// An idle circuit keeps no memory for requests.
    fn free(&mut self) {
        if self.requests.is_empty() {
            self.requests = Vec::new();
        }
    }
}
