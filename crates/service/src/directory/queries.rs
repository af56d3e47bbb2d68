//! Queries on their way: put part by part, answered several at once, fetched part by part. There is room for a few; who holds
//! his for too long makes room for others.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;
use undertone_discovery::Query;
use undertone_wire::{
    Now,
    circuit::{Code, Fault},
    limits::LOOKUP_PART_BYTES,
};

use super::{Workers, publication::Published};

/// Queries that are held at once: with answers of the largest base that one machine serves they take up 160 MB.
const HELD_MAX: usize = 16;
/// After so long a query may have to leave for another: it came over a slow line, or nobody means to finish it.
const HELD_MS: u64 = 120_000;
/// When there is room again, as a rule.
const RETRY_MS: u32 = 3_000;
/// Queries that are answered at once: they share what is read of the base, which takes as long as all else.
const TOGETHER_MAX: usize = 8;

/// All queries that are under way.
pub struct Queries {
    workers: Arc<Workers>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Vec<Arc<Slot>>,
    waiting: Vec<(Arc<Slot>, Query)>,
    /// Somebody answers those that wait.
    working: bool,
}

/// The place of one query.
struct Slot {
    published: Arc<Published>,
    begun: Now,
    stage: Mutex<Stage>,
    changed: Notify,
}

enum Stage {
    Putting(BytesMut),
    Computing,
    Answered(Bytes),
    /// It had to make room, or could not be answered.
    Gone,
}

/// A place that is given back when this is dropped.
pub struct Held {
    queries: Arc<Queries>,
    slot: Arc<Slot>,
}

impl Queries {
    /// None yet.
    pub fn new(workers: Arc<Workers>) -> Self {
        Self { workers, state: Mutex::default() }
    }

    /// Makes room for one query to a base.
    ///
    /// # Errors
    /// EXHAUSTED while there is none.
    pub fn hold(self: &Arc<Self>, published: Arc<Published>, now: Now) -> Result<Held, Fault> {
        let mut state = lock(&self.state);
        if state.held.len() >= HELD_MAX {
            let oldest = state.held.iter().position(|slot| slot.begun.plus_ms(HELD_MS).0 < now.0);
            let oldest = oldest.ok_or_else(|| Fault::from(Code::Exhausted).retry_after_ms(RETRY_MS))?;
            state.held.swap_remove(oldest).turn(Stage::Gone);
        }
        let stage = Mutex::new(Stage::Putting(BytesMut::new()));
        let slot = Arc::new(Slot { published, begun: now, stage, changed: Notify::new() });
        state.held.push(slot.clone());
        Ok(Held { queries: self.clone(), slot })
    }

    /// Has a query answered, together with those that come while others are.
    fn answer(self: &Arc<Self>, slot: Arc<Slot>, query: Query) {
        let mut state = lock(&self.state);
        state.waiting.push((slot, query));
        let begins = !std::mem::replace(&mut state.working, true);
        // A worker may begin at once.
        drop(state);
        if begins {
            let queries = self.clone();
            (self.workers)(Box::new(move || while queries.answer_some() {}));
        }
    }

    /// False: nobody waits.
    fn answer_some(&self) -> bool {
        let together: Vec<_> = {
            let mut state = lock(&self.state);
            let Some((first, _)) = state.waiting.first() else {
                state.working = false;
                return false;
            };
            let published = first.published.clone();
            let of_one_base = |(slot, _): &mut (Arc<Slot>, Query)| Arc::ptr_eq(&slot.published.base, &published.base);
            state.waiting.extract_if(.., of_one_base).take(TOGETHER_MAX).collect()
        };
        let Some((first, _)) = together.first() else { return true };
        let base = &first.published.base;
        let queries: Vec<_> = together.iter().map(|(_, query)| query).collect();
        let mut answers = base.answer(&queries, 0..base.header().rows()).unwrap_or_default().into_iter();
        for (slot, _) in &together {
            slot.turn(answers.next().map_or(Stage::Gone, |answer| Stage::Answered(answer.into())));
        }
        true
    }
}

impl Held {
    /// Takes the next part. With the last one the query is answered.
    ///
    /// # Errors
    /// CONFLICT for another part than the next, MALFORMED for one of another size or for what is no query, NOT_FOUND when it
    /// had to make room.
    pub fn put(&self, part: u32, bytes: &[u8]) -> Result<(), Fault> {
        let header = self.slot.published.base.header();
        let whole = header.query_len();
        let query = {
            let mut stage = lock(&self.slot.stage);
            let Stage::Putting(put) = &mut *stage else {
                return Err(if matches!(*stage, Stage::Gone) { Code::NotFound } else { Code::Conflict }.into());
            };
            if put.len() != (part as usize).saturating_mul(LOOKUP_PART_BYTES) {
                return Err(Code::Conflict.into());
            }
            if bytes.len() != whole.saturating_sub(put.len()).min(LOOKUP_PART_BYTES) || bytes.is_empty() {
                return Err(Code::Malformed.into());
            }
            put.extend_from_slice(bytes);
            if put.len() < whole {
                return Ok(());
            }
            let put = std::mem::take(put);
            *stage = Stage::Computing;
            put
        };
        match Query::from_bytes(header, &query) {
            Ok(query) => self.queries.answer(self.slot.clone(), query),
            Err(_) => {
                self.slot.turn(Stage::Gone);
                return Err(Code::Malformed.into());
            }
        }
        Ok(())
    }

    /// A part of the answer, once it is there.
    ///
    /// # Errors
    /// CONFLICT while the query is still put, NOT_FOUND for a part that it does not have, and when it had to make room.
    pub async fn fetch(&self, part: u32) -> Result<Bytes, Fault> {
        loop {
            let changed = self.slot.changed.notified();
            match &*lock(&self.slot.stage) {
                Stage::Answered(answer) => return part_of(answer, part),
                Stage::Putting(_) => return Err(Code::Conflict.into()),
                Stage::Gone => return Err(Code::NotFound.into()),
                Stage::Computing => {}
            }
            changed.await;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = lock(&self.queries.state);
        state.held.retain(|slot| !Arc::ptr_eq(slot, &self.slot));
        state.waiting.retain(|(slot, _)| !Arc::ptr_eq(slot, &self.slot));
    }
}

impl Slot {
    fn turn(&self, stage: Stage) {
        *lock(&self.stage) = stage;
        self.changed.notify_waiters();
    }
}

/// A part of something.
pub fn part_of(whole: &Bytes, part: u32) -> Result<Bytes, Fault> {
    let start = (part as usize).saturating_mul(LOOKUP_PART_BYTES);
    if start >= whole.len() {
        return Err(Code::NotFound.into());
    }
    Ok(whole.slice(start..whole.len().min(start + LOOKUP_PART_BYTES)))
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
