//! Whatever is asked of them in whatever order, memory and SQLite answer alike; SQLite is closed and opened again in
//! between.

#![allow(clippy::unwrap_used)]

mod accounts;
mod channels;

use std::path::Path;

use bytes::Bytes;
use proptest::{prelude::Strategy, sample::select};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use undertone_wire::Day;

const TODAY: Day = Day(20_800);
const CASES: u32 = 48;

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// Few values, so that they meet.
fn day() -> impl Strategy<Value = u32> {
    select(vec![0, TODAY.0 - 1, TODAY.0, TODAY.0 + 1, TODAY.0 + 2])
}

fn bytes(seed: u8) -> Bytes {
    vec![seed; 100 * (1 + usize::from(seed))].into()
}

/// An engine that can be closed and opened again.
struct Reopened<E> {
    engine: Option<E>,
    dir: TempDir,
    open: fn(&Path) -> E,
}

impl<E> Reopened<E> {
    fn new(open: fn(&Path) -> E) -> Self {
        let dir = TempDir::new().unwrap();
        Self { engine: Some(open(&dir.path().join("plane.db"))), dir, open }
    }

    fn engine(&self) -> &E {
        self.engine.as_ref().unwrap()
    }

    fn reopen(&mut self) {
        self.engine = None;
        self.engine = Some((self.open)(&self.dir.path().join("plane.db")));
    }
}
