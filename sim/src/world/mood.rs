//! A service that is busy: its store could not apply a change, or cannot tell whether it did, and everything takes time, so
//! that requests are answered in another order than they came.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use rand::RngExt as _;
use rand_chacha::ChaCha20Rng;
use tokio::time::sleep;
use undertone_wire::{
    Now,
    circuit::{Code, Fault},
    rpc::{Answer, Dispatch, OpenPushes, Service},
};

/// How long a request may take at most, in milliseconds.
const DELAY_MS_MAX: u64 = 400;

/// Whether the service is busy.
pub struct Mood {
    busy: AtomicBool,
    rng: Mutex<ChaCha20Rng>,
}

/// What happens to one request.
enum Luck {
    Good,
    /// Not applied, and it says so.
    NotApplied,
    /// Applied, and it cannot say so.
    Unknown,
    /// Applied some milliseconds later.
    Late(u64),
}

impl Mood {
    /// Not busy.
    pub fn new(rng: ChaCha20Rng) -> Arc<Self> {
        Arc::new(Self { busy: false.into(), rng: rng.into() })
    }

    /// Begins or ends a busy time.
    pub fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
    }

    fn draw(&self) -> Luck {
        if !self.busy.load(Ordering::Relaxed) {
            return Luck::Good;
        }
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        match rng.random_range(0..10) {
            0 => Luck::NotApplied,
            1 => Luck::Unknown,
            2..=4 => Luck::Late(rng.random_range(0..DELAY_MS_MAX)),
            _ => Luck::Good,
        }
    }
}

/// Answers as another does, when it comes to it.
pub struct Moody<H> {
    /// Who answers.
    pub handler: H,
    /// And in what mood.
    pub mood: Arc<Mood>,
}

impl<S: Service, H: Dispatch<S>> Dispatch<S> for Moody<H> {
    async fn dispatch(&self, now: Now, method: u32, body: Bytes, pushes: OpenPushes) -> Result<Answer, Fault> {
        match self.mood.draw() {
            Luck::Good => self.handler.dispatch(now, method, body, pushes).await,
            Luck::NotApplied => Err(Code::Unavailable.into()),
            Luck::Unknown => {
                self.handler.dispatch(now, method, body, pushes).await?;
                Err(Code::Unknown.into())
            }
            Luck::Late(ms) => {
                sleep(Duration::from_millis(ms)).await;
                self.handler.dispatch(now, method, body, pushes).await
            }
        }
    }
}
