//! Disks that fill. The system itself refuses the writes, so what a database sees is what it would see: a file that could
//! not be made longer, in the middle of a transaction, by a few bytes or by many.
//!
//! The limit is the process's (setrlimit(2), RLIMIT_FSIZE). It holds while one home's code runs, and only then: so a
//! process that has worlds in it runs them one after the other, on one thread.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

/// SIGXFSZ on Linux, which ends a process that has no handler for it.
const SIGXFSZ: i32 = 25;
const ENDLESS: u64 = u64::MAX;

/// Has writes beyond the limit fail instead of ending the process. Needs a runtime with I/O; once is enough.
///
/// # Errors
/// When the system takes no handler.
pub fn survive_refusals() -> io::Result<()> {
    signal(SignalKind::from_raw(SIGXFSZ)).map(drop)
}

/// The disk of one home.
pub struct Disk {
    file_bytes_max: AtomicU64,
}

impl Disk {
    /// One with room.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { file_bytes_max: ENDLESS.into() })
    }

    /// From now on no file can be made longer than this.
    pub fn fill(&self, file_bytes_max: u64) {
        self.file_bytes_max.store(file_bytes_max, Ordering::Relaxed);
    }

    /// From now on there is room.
    pub fn clear(&self) {
        self.fill(ENDLESS);
    }

    /// Does something on this disk.
    pub fn using<T>(&self, act: impl FnOnce() -> T) -> T {
        let file_bytes_max = self.file_bytes_max.load(Ordering::Relaxed);
        if file_bytes_max == ENDLESS {
            return act();
        }
        let before = getrlimit(Resource::Fsize);
        // Lowering the soft limit and raising it again is everybody's right; were it not, the disk would have room.
        let _ = setrlimit(Resource::Fsize, Rlimit { current: Some(file_bytes_max), maximum: before.maximum });
        let done = act();
        let _ = setrlimit(Resource::Fsize, before);
        done
    }
}

/// A future that works on a disk.
pub struct On<F> {
    disk: Arc<Disk>,
    future: Pin<Box<F>>,
}

impl<F: Future> On<F> {
    /// `future`, on `disk`.
    pub fn new(disk: &Arc<Disk>, future: F) -> Self {
        Self { disk: disk.clone(), future: Box::pin(future) }
    }
}

impl<F: Future> Future for On<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Self { disk, future } = &mut *self;
        disk.using(|| future.as_mut().poll(context))
    }
}
