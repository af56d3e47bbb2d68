//! How the engine behaves when statements, commits, callers and disks fail.

use std::{
    pin::Pin,
    sync::mpsc::{Sender, channel},
    task::{Context, Waker},
};

use rusqlite::Connection;
use tempfile::TempDir;

use super::{
    engine::{CHANGES_WAITING, Engine},
    open::Plane,
};
use crate::StoreError;

/// A note may name another that must exist by the time of the commit.
static PLANE: Plane = Plane {
    name: "notes",
    application_id: 1,
    schema: &["CREATE TABLE notes (
        number INTEGER PRIMARY KEY, other INTEGER REFERENCES notes DEFERRABLE INITIALLY DEFERRED, text TEXT
    ) STRICT;"],
    upgrades: &[],
};

fn open() -> (Engine, TempDir) {
    let dir = TempDir::new().unwrap();
    (reopen(&dir), dir)
}

fn reopen(dir: &TempDir) -> Engine {
    Engine::open(&dir.path().join("notes.db"), &PLANE).unwrap()
}

fn note(number: i64) -> impl FnOnce(&Connection) -> rusqlite::Result<()> + Send {
    move |db| db.execute("INSERT INTO notes (number) VALUES (?1)", [number]).map(drop)
}

async fn notes(engine: &Engine) -> Vec<i64> {
    let read = |db: &Connection| {
        db.prepare("SELECT number FROM notes ORDER BY number")?.query_map([], |row| row.get(0))?.collect()
    };
    engine.read(read).await.unwrap()
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + 'a>>;

/// Hands a change over, and does not wait for its answer.
fn start<'a>(change: impl Future<Output = Result<(), StoreError>> + 'a) -> Running<'a> {
    let mut change = Box::pin(change);
    assert!(change.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    change
}

/// Holds the writer up until something is sent, so that what comes meanwhile makes one batch.
fn hold_up(engine: &Engine) -> (Running<'_>, Sender<()>) {
    let (begun, has_begun) = channel();
    let (release, released) = channel();
    let running = start(engine.change(move |_| {
        begun.send(()).unwrap();
        released.recv().unwrap();
        Ok(())
    }));
    has_begun.recv().unwrap();
    (running, release)
}

#[tokio::test]
async fn a_change_that_fails_is_undone_alone() {
    let (engine, _dir) = open();
    let (held, release) = hold_up(&engine);
    let first = start(engine.change(note(1)));
    let fails = start(engine.change(|db| {
        note(2)(db)?;
        db.execute("INSERT INTO nowhere VALUES (1)", []).map(drop)
    }));
    let third = start(engine.change(note(3)));
    release.send(()).unwrap();
    assert_eq!(
        (held.await, first.await, fails.await, third.await),
        (Ok(()), Ok(()), Err(StoreError::NotApplied), Ok(()))
    );
    assert_eq!(notes(&engine).await, [1, 3]);
}

#[tokio::test]
async fn a_caller_who_goes_away_cuts_nothing() {
    let (engine, dir) = open();
    let (held, release) = hold_up(&engine);
    drop(start(engine.change(|db| note(1)(db).and_then(|()| note(2)(db)))));
    drop(held);
    release.send(()).unwrap();
    // Closing waits for what was handed over.
    drop(engine);
    assert_eq!(notes(&reopen(&dir)).await, [1, 2]);
}

#[tokio::test]
async fn what_does_not_fit_the_queue_is_not_applied() {
    let (engine, _dir) = open();
    let (held, release) = hold_up(&engine);
    let waiting: Vec<_> = (0..CHANGES_WAITING as i64).map(|number| start(engine.change(note(number)))).collect();
    assert_eq!(engine.change(note(-1)).await, Err(StoreError::NotApplied));
    assert_eq!(notes(&engine).await, [0; 0], "reads go on");
    release.send(()).unwrap();
    held.await.unwrap();
    for change in waiting {
        change.await.unwrap();
    }
    assert!(notes(&engine).await.into_iter().eq(0..CHANGES_WAITING as i64));
}

#[tokio::test]
async fn a_full_disk_is_outlived() {
    let (engine, _dir) = open();
    let text = |number: i64| {
        move |db: &Connection| {
            db.execute("INSERT INTO notes (number, text) VALUES (?1, hex(zeroblob(4096)))", [number]).map(drop)
        }
    };
    let pages_max =
        |pages: u32| move |db: &Connection| db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()));
    engine.change(text(0)).await.unwrap();
    engine.change(pages_max(20)).await.unwrap();
    let mut kept = vec![0];
    for number in 1..20 {
        match engine.change(text(number)).await {
            Ok(()) => kept.push(number),
            Err(error) => assert_eq!(error, StoreError::NotApplied),
        }
    }
    assert!(kept.len() < 19);
    assert_eq!(notes(&engine).await, kept);
    engine.change(pages_max(1_000)).await.unwrap();
    engine.change(text(99)).await.unwrap();
    kept.push(99);
    assert_eq!(notes(&engine).await, kept);
}

#[tokio::test]
async fn a_commit_that_does_not_begin_applies_nothing() {
    let (engine, _dir) = open();
    let dangling = |db: &Connection| db.execute("INSERT INTO notes (number, other) VALUES (1, 7)", []).map(drop);
    assert_eq!(engine.change(dangling).await, Err(StoreError::NotApplied));
    assert_eq!(notes(&engine).await, [0; 0]);
    engine.change(move |db| dangling(db).and_then(|()| note(7)(db))).await.unwrap();
    assert_eq!(notes(&engine).await, [1, 7]);
}

#[tokio::test]
async fn a_lost_transaction_applies_nothing() {
    let (engine, _dir) = open();
    let (held, release) = hold_up(&engine);
    let first = start(engine.change(note(1)));
    let lost = start(engine.change(|db| db.execute_batch("ROLLBACK; SELECT 1 FROM nowhere")));
    let third = start(engine.change(note(3)));
    release.send(()).unwrap();
    held.await.unwrap();
    for change in [first, lost, third] {
        assert_eq!(change.await, Err(StoreError::NotApplied));
    }
    engine.change(note(4)).await.unwrap();
    assert_eq!(notes(&engine).await, [4]);
}

#[tokio::test]
async fn without_its_writer_an_engine_says_so() {
    let (engine, _dir) = open();
    engine.change(note(1)).await.unwrap();
    let dies: Result<(), _> = engine.change(|_| panic!("on purpose")).await;
    assert_eq!(dies, Err(StoreError::Unknown));
    // The queue closes when the thread has come to its end.
    let stopped = loop {
        match engine.change(note(2)).await {
            Err(StoreError::Unknown) => {}
            answer => break answer,
        }
    };
    assert!(matches!(stopped, Err(StoreError::Unusable(_))));
    assert_eq!(notes(&engine).await, [1], "reads go on");
}
