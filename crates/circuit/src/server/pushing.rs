//! The pushes of one circuit, between those who fan out and the circuit's task.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Notify;
use undertone_wire::{limits, rpc::PushQueue};

use crate::link::BODY_BYTES_MAX;

/// A bounded queue that never blocks who fills it. A push that finds it full is dropped, and a marker (an empty push)
/// takes its place as soon as there is room: the client then reads from its cursor. A subscription has at most one
/// marker in the queue, since whatever is dropped before the marker leaves is read by that same reading.
#[derive(Default)]
pub(super) struct Pushing {
    state: Mutex<State>,
    ready: Notify,
}

#[derive(Default)]
struct State {
    queue: VecDeque<(u32, Bytes)>,
    subscriptions: HashMap<u32, Flow>,
    /// Subscriptions in [`Flow::Owed`], in order.
    owed: VecDeque<u32>,
}

/// How the pushes of one subscription fare.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// None is missing.
    Complete,
    /// Some were dropped, and there was no room for a marker.
    Owed,
    /// The marker stands in the queue.
    Marked,
}

impl Pushing {
    /// From now on takes pushes of subscription `id`.
    pub(super) fn open(&self, id: u32) {
        self.state().subscriptions.insert(id, Flow::Complete);
    }

    /// No longer takes pushes of `id`, and forgets those that wait.
    pub(super) fn close(&self, id: u32) {
        let mut state = self.state();
        if state.subscriptions.remove(&id).is_some() {
            state.queue.retain(|(queued, _)| *queued != id);
            state.owed.retain(|owed| *owed != id);
        }
    }

    /// No longer takes any.
    pub(super) fn close_all(&self) {
        *self.state() = State::default();
    }

    pub(super) fn is_open(&self, id: u32) -> bool {
        self.state().subscriptions.contains_key(&id)
    }

    pub(super) fn subscriptions(&self) -> usize {
        self.state().subscriptions.len()
    }

    /// Takes the next push out of the queue.
    pub(super) fn pop(&self) -> Option<(u32, Bytes)> {
        let mut state = self.state();
        let (id, body) = state.queue.pop_front()?;
        if body.is_empty() {
            state.set_flow(id, Flow::Complete);
        }
        if let Some(owed) = state.owed.pop_front() {
            state.set_flow(owed, Flow::Marked);
            state.queue.push_back((owed, Bytes::new()));
        }
        if state.queue.is_empty() {
            state.queue = VecDeque::new();
        }
        Some((id, body))
    }

    /// Waits until there may be something to take.
    pub(super) async fn ready(&self) {
        self.ready.notified().await;
    }

    /// A poisoned lock guards a queue that is still whole: nothing in here stops halfway.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PushQueue for Pushing {
    fn push(&self, id: u32, body: Bytes) -> bool {
        let mut state = self.state();
        let Some(flow) = state.subscriptions.get(&id).copied() else {
            return false;
        };
        let full = state.queue.len() >= limits::PUSHES_QUEUED_MAX;
        let fits = body.len() <= BODY_BYTES_MAX;
        match flow {
            Flow::Owed => {}
            Flow::Marked if full || !fits => {}
            Flow::Complete if full => {
                state.set_flow(id, Flow::Owed);
                state.owed.push_back(id);
            }
            Flow::Complete if !fits => {
                state.set_flow(id, Flow::Marked);
                state.queue.push_back((id, Bytes::new()));
            }
            Flow::Complete | Flow::Marked => state.queue.push_back((id, body)),
        }
        drop(state);
        self.ready.notify_one();
        true
    }
}

impl State {
    fn set_flow(&mut self, id: u32, flow: Flow) {
        if let Some(of) = self.subscriptions.get_mut(&id) {
            *of = flow;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(n: usize) -> Bytes {
        vec![u8::try_from(n).unwrap()].into()
    }

    fn full() -> Pushing {
        let pushing = Pushing::default();
        pushing.open(1);
        pushing.open(2);
        for n in 0..limits::PUSHES_QUEUED_MAX {
            assert!(pushing.push(1, body(n)));
        }
        pushing
    }

    #[test]
    fn a_marker_stands_where_pushes_were_dropped() {
        let pushing = full();
        assert!(pushing.push(1, body(100)) && pushing.push(2, body(101)) && pushing.push(1, body(102)));
        for n in 0..limits::PUSHES_QUEUED_MAX {
            assert!(pushing.pop() == Some((1, body(n))));
        }
        assert!(pushing.push(1, body(103)), "kept, behind the marker");
        assert!(pushing.pop() == Some((1, Bytes::new())));
        assert!(pushing.pop() == Some((2, Bytes::new())));
        assert!(pushing.pop() == Some((1, body(103))));
        assert!(pushing.pop().is_none());
    }

    #[test]
    fn one_marker_serves_all_that_was_dropped_before_it_leaves() {
        let pushing = full();
        for _ in 0..1_000 {
            assert!(pushing.push(1, body(1)) && pushing.pop().is_some());
        }
        let rest: Vec<_> = std::iter::from_fn(|| pushing.pop()).collect();
        assert!(rest.len() <= limits::PUSHES_QUEUED_MAX);
        assert!(rest.iter().filter(|(_, body)| body.is_empty()).count() <= 1);
    }

    #[test]
    fn what_fits_no_frame_is_dropped_and_marked() {
        let pushing = Pushing::default();
        pushing.open(1);
        assert!(pushing.push(1, vec![0; limits::FRAME_BYTES_MAX].into()));
        assert!(pushing.pop() == Some((1, Bytes::new())));
    }

    #[test]
    fn nobody_listens_after_the_end() {
        let pushing = full();
        assert!(pushing.push(1, body(1)));
        pushing.close(1);
        assert!(!pushing.push(1, body(1)) && pushing.pop().is_none());
        assert!(pushing.push(2, body(1)));
        pushing.close_all();
        assert!(!pushing.push(2, body(1)) && pushing.pop().is_none());
    }
}
