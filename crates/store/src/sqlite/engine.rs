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
const CHANGES_WAITING: usize = 1_024;
/// Reads that wait for a reader.
const READS_WAITING: usize = 1_024;
/// Enough that one long catch-up does not hold up the others.
const READERS: usize = 2;

/// One plane's file with its threads. Dropping it waits until everything handed over is committed and the file is closed.
pub(super) struct Engine {
    /// None only while this is dropped.
    queues: Option<Queues>,
    threads: Vec<JoinHandle<()>>,
}

struct Queues {
    changes: SyncSender<Box<dyn Job>>,
    reads: SyncSender<Read>,
}

type Read = Box<dyn FnOnce(&Connection) + Send>;

impl Engine {
    pub(super) fn open(path: &Path, plane: &'static Plane) -> Result<Self, OpenError> {
        let (writer, checkpointer) = Writer::open(path, plane)?;
        let readers = (0..READERS).map(|_| open::reader(path)).collect::<Result<Vec<_>, _>>()?;
        let (changes, jobs) = sync_channel(CHANGES_WAITING);
        let (reads, waiting) = sync_channel(READS_WAITING);
        let mut engine = Self { queues: Some(Queues { changes, reads }), threads: Vec::new() };
        let waiting = Arc::new(Mutex::new(waiting));
        for db in readers {
            let waiting = Arc::clone(&waiting);
            engine.spawn(plane, "reader", move || read(db, &waiting))?;
        }
        engine.spawn(plane, "checkpointer", move || checkpointer.run())?;
        engine.spawn(plane, "writer", move || writer.run(&jobs))?;
        Ok(engine)
    }

    fn spawn(&mut self, plane: &Plane, role: &str, run: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let thread = thread::Builder::new().name(format!("{} {role}", plane.name)).spawn(run);
        self.threads.push(thread.map_err(|_| OpenError::Thread)?);
        Ok(())
    }

    /// Makes a change and answers once it is durable. It is handed over in one step: a caller who goes away does not
    /// cut it in two.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (caller, answer) = oneshot::channel();
        let job = Box::new(Change { change: Some(change), result: None, caller });
        self.queues()?.changes.try_send(job).map_err(refused)?;
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
        self.queues()?.reads.try_send(job).map_err(refused)?;
        answer.await.unwrap_or(Err(StoreError::NotApplied))
    }

    fn queues(&self) -> Result<&Queues, StoreError> {
        self.queues.as_ref().ok_or(STOPPED)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.queues = None;
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

fn read(db: Connection, waiting: &Mutex<Receiver<Read>>) {
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(read) => read(&db),
            Err(_) => return,
        }
    }
}

const STOPPED: StoreError = StoreError::Unusable("one of its threads has stopped: restart the service");

fn refused<T>(error: TrySendError<T>) -> StoreError {
    match error {
        TrySendError::Full(_) => StoreError::NotApplied,
        TrySendError::Disconnected(_) => STOPPED,
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
