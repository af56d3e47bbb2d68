//! The client's end of a subscription.

use std::{
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::mpsc::{self, error::TryRecvError};
use undertone_wire::{Message, limits};

use super::call::Asked;

/// What a subscription brings.
#[derive(Clone, PartialEq, Eq)]
pub enum Event<P> {
    /// One push.
    Item(P),
    /// Pushes are missing here: read from the cursor. What comes after this may repeat what was read then.
    Lagged,
}

/// Pushes of one request. Dropped, it is cancelled; it keeps its circuit open.
pub struct Subscription<P> {
    pushes: Pushes,
    _asked: Asked,
    item: PhantomData<fn() -> P>,
}

impl<P: Message + Default> Subscription<P> {
    pub(super) fn new(pushes: Pushes, asked: Asked) -> Self {
        Self { pushes, _asked: asked, item: PhantomData }
    }

    /// The next event; none once the subscription or its circuit has ended. Nothing is lost by dropping it.
    pub async fn next(&mut self) -> Option<Event<P>> {
        let body = match self.pushes.queue.try_recv() {
            Ok(body) => body,
            // The queue was full, and is read up to where it was.
            Err(TryRecvError::Empty) if self.pushes.lagged.swap(false, Ordering::AcqRel) => return Some(Event::Lagged),
            Err(_) => self.pushes.queue.recv().await?,
        };
        // An empty push is the service's own word for it. One that does not parse is as good as missing: reading from
        // the cursor shows what there is.
        if body.is_empty() {
            return Some(Event::Lagged);
        }
        Some(P::decode(body).map_or(Event::Lagged, Event::Item))
    }
}

/// Between a circuit's task and the subscription.
pub(super) struct Pushes {
    queue: mpsc::Receiver<Bytes>,
    lagged: Arc<AtomicBool>,
}

/// The task's end of it, which never waits: a subscriber that does not read must not hold up the others.
pub(super) struct Sink {
    queue: mpsc::Sender<Bytes>,
    lagged: Arc<AtomicBool>,
}

pub(super) fn sink() -> (Sink, Pushes) {
    let (sender, queue) = mpsc::channel(limits::PUSHES_QUEUED_MAX);
    let lagged = Arc::new(AtomicBool::new(false));
    (Sink { queue: sender, lagged: Arc::clone(&lagged) }, Pushes { queue, lagged })
}

impl Sink {
    pub(super) fn push(&self, body: Bytes) {
        // Nothing may follow what was dropped before the subscriber knows of it.
        if !self.lagged.load(Ordering::Acquire) && self.queue.try_send(body).is_err() {
            self.lagged.store(true, Ordering::Release);
        }
    }
}
