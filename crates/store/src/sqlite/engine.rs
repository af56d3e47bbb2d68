//! Hands changes to the one writer and reads to the readers; threads of their own, so that no task of the runtime ever
//! waits for a disk.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use super::{
    open::{self, OpenError, Plane},
    writer::{Job, Writer},
};
use crate::StoreError;

/// Changes that wait for the writer: a few full batches. Whoever comes after them is told at once to come again.
pub(super) const CHANGES_WAITING: usize = 1_024;
/// Reads that wait for a reader.
const READS_WAITING: usize = 1_024;
/// Enough that one long catch-up does not hold up the others.
const READERS: usize = 2;

/// One plane's file with its threads. Dropping it waits until everything handed over is committed and the file is
/// closed.
pub(super) struct Engine {
    /// Closed first: the last to close a file tidies up behind it, and must be allowed to write.
    readers: Crew<Read>,
    writers: Crew<Box<dyn Job>>,
}

type Read = Box<dyn FnOnce(&Connection) + Send>;

impl Engine {
    pub(super) fn open(path: &Path, plane: &'static Plane) -> Result<Self, OpenError> {
        let (writer, checkpointer) = Writer::open(path, plane)?;
        let (mut writers, jobs) = Crew::new(CHANGES_WAITING);
        let (mut readers, reads) = Crew::new(READS_WAITING);
        let reads = Arc::new(Mutex::new(reads));
        for _ in 0..READERS {
            let (db, reads) = (open::reader(path)?, Arc::clone(&reads));
            readers.hire(plane, "reader", move || read(&db, &reads))?;
        }
        writers.hire(plane, "checkpointer", move || checkpointer.run())?;
        writers.hire(plane, "writer", move || writer.run(&jobs))?;
        Ok(Self { readers, writers })
    }

    /// Makes a change and answers once it is durable. It is handed over in one step: a caller who goes away does not
    /// cut it in two.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (caller, answer) = oneshot::channel();
        let job = Box::new(Change { change: Some(change), result: None, caller });
        self.writers.hand_over(job)?;
        // Without an answer the writer is gone, and nobody knows how far it came.
        answer.await.unwrap_or(Err(StoreError::Unknown))
    }

    /// Reads, from one snapshot that holds every change answered before.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (caller, answer) = oneshot::channel();
        let job = Box::new(move |db: &Connection| {
            let result = db.unchecked_transaction().and_then(|snapshot| read(&snapshot));
            // The caller may have gone away.
            let _ = caller.send(result.map_err(|error| failure(&error)));
        });
        self.readers.hand_over(job)?;
        answer.await.unwrap_or(Err(StoreError::NotApplied))
    }
}

/// Threads that serve one queue, until it is dropped and everything in it is done.
struct Crew<J> {
    /// None only while this is dropped.
    queue: Option<SyncSender<J>>,
    threads: Vec<JoinHandle<()>>,
}

impl<J> Crew<J> {
    fn new(waiting_max: usize) -> (Self, Receiver<J>) {
        let (queue, jobs) = sync_channel(waiting_max);
        (Self { queue: Some(queue), threads: Vec::new() }, jobs)
    }

    fn hire(&mut self, plane: &Plane, role: &str, run: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let thread = thread::Builder::new().name(format!("{} {role}", plane.name)).spawn(run);
        self.threads.push(thread.map_err(|_| OpenError::Thread)?);
        Ok(())
    }

    fn hand_over(&self, job: J) -> Result<(), StoreError> {
        let stopped = StoreError::Unusable("one of its threads has stopped: restart the service");
        self.queue.as_ref().ok_or(stopped)?.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::NotApplied,
            TrySendError::Disconnected(_) => stopped,
        })
    }
}

impl<J> Drop for Crew<J> {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

struct Change<F, T> {
    /// None once it was run.
    change: Option<F>,
    /// Kept back until the commit.
    result: Option<T>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job for Change<F, T>
where
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn run(&mut self, db: &Connection) -> rusqlite::Result<()> {
        if let Some(change) = self.change.take() {
            self.result = Some(change(db)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, verdict: Result<(), StoreError>) {
        let Self { result, caller, .. } = *self;
        // The caller may have gone away; what was decided stands all the same.
        let _ = caller.send(verdict.and_then(|()| result.ok_or(StoreError::NotApplied)));
    }
}

/// One reader: all wait at the same queue.
fn read(db: &Connection, reads: &Mutex<Receiver<Read>>) {
    let next = || reads.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(read) = next() {
        read(db);
    }
}

/// What a failed statement means to its caller, once nothing of it is left.
pub(super) fn failure(error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Unusable("its file is damaged: stop the service and restore a backup")
        }
        _ => StoreError::NotApplied,
    }
}
