//! Stories of a home's database that cannot be used for a while.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use support::{Home, Service, acquainted, database};
use undertone_client::{ClientError, DbError};

#[tokio::test(start_paused = true)]
async fn a_home_has_one_owner() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    let locked = |home: &Home| matches!(home.setup.open(&home.folder).err(), Some(ClientError::Db(DbError::Locked)));
    assert!(locked(&ana), "open already");
    ana.send("Bo", "not disturbed by that").await;
    bo.expect(&ana, "not disturbed by that").await;

    let setup = ana.setup.clone();
    let history = ana.history(&bo.account());
    let folder = ana.close().await;
    let other = database(&folder);
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(matches!(setup.open(&folder).err(), Some(ClientError::Db(DbError::Locked))), "held by another program");
    drop(other);
    let engine = setup.open(&folder).unwrap();
    assert_eq!(engine.history("Bo").unwrap().len(), history.len());
}
