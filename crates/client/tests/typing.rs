//! That somebody writes: shown to who is there just now, kept by nobody, and of no consequence whatever comes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use std::time::Duration;

use bytes::Bytes;
use support::{Home, PATIENCE, Service, acquainted, assert_same_history};
use tokio::sync::broadcast::Receiver;
use undertone_client::{ClientError, Settings, Typing};
use undertone_wire::channel::SendTransientRequest;

const ON: Settings = Settings { receipts: false, typing: true };

async fn next(typings: &mut Receiver<Typing>) -> Typing {
    tokio::time::timeout(PATIENCE, typings.recv()).await.expect("nobody writes").unwrap()
}

/// Nothing is shown for a while.
async fn nothing(typings: &mut Receiver<Typing>) {
    assert!(tokio::time::timeout(Duration::from_millis(700), typings.recv()).await.is_err());
}

async fn both_on(service: &Service) -> (Home, Home) {
    let (ana, bo) = acquainted(service).await;
    for home in [&ana, &bo] {
        home.engine.set_settings(ON).unwrap();
        home.sync().await.unwrap();
    }
    (ana, bo)
}

#[tokio::test(start_paused = true)]
async fn who_is_there_sees_it() {
    let service = Service::start();
    let (ana, bo) = both_on(&service).await;
    let mut typings = bo.engine.typings();
    ana.engine.typing("Bo", true).unwrap();
    let typing = next(&mut typings).await;
    assert!(typing.chat == ana.account() && typing.name == "Ana" && typing.typing);
    // Not at every key.
    for _ in 0..20 {
        ana.engine.typing("Bo", true).unwrap();
    }
    nothing(&mut typings).await;
    ana.engine.typing("Bo", false).unwrap();
    assert!(!next(&mut typings).await.typing);
    ana.engine.typing("Bo", false).unwrap();
    nothing(&mut typings).await;

    ana.send("Bo", "there").await;
    bo.expect(&ana, "there").await;
    assert_same_history(&ana, &bo);
    assert_eq!(bo.texts(&ana.account()).len(), 3, "and nothing of it is kept");
}

#[tokio::test(start_paused = true)]
async fn it_is_off_until_both_want_it() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    let mut typings = bo.engine.typings();
    assert!(matches!(ana.engine.typing("Bo", true).err(), Some(ClientError::TypingOff)));
    ana.engine.set_settings(ON).unwrap();
    ana.engine.typing("Bo", true).unwrap();
    nothing(&mut typings).await;
    bo.engine.set_settings(ON).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    ana.engine.typing("Bo", true).unwrap();
    assert!(next(&mut typings).await.typing);
    bo.engine.block("Ana").unwrap();
    ana.engine.typing("Bo", false).unwrap();
    nothing(&mut typings).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_garbled_or_repeated_harms_nothing() {
    let service = Service::start();
    let (ana, bo) = both_on(&service).await;
    let mut typings = bo.engine.typings();
    let changes: [fn(Bytes) -> Bytes; 4] = [
        |body| body.iter().map(|byte| byte ^ 1).collect(),
        |body| body.slice(..100),
        |_| Bytes::from_static(&[7; 256]),
        |_| Bytes::from_static(&[0; 4_096]),
    ];
    for change in changes {
        service.lies.push(move |push| {
            if !push.transient.is_empty() {
                push.transient = change(push.transient.clone());
            }
            true
        });
        ana.engine.typing("Bo", true).unwrap();
        nothing(&mut typings).await;
        service.lies.stop();
        ana.engine.typing("Bo", false).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        while typings.try_recv().is_ok() {}
        assert!(bo.chat(&ana.account()).unwrap().trouble.is_none());
    }
    for n in 0..3 {
        ana.send("Bo", &format!("{n}")).await;
        bo.expect(&ana, &format!("{n}")).await;
    }
    assert_same_history(&ana, &bo);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_nobodys_concern() {
    let mut service = Service::start();
    let (ana, bo) = both_on(&service).await;
    service.lies.refuse::<SendTransientRequest>(undertone_wire::circuit::Code::Exhausted);
    ana.engine.typing("Bo", true).unwrap();
    ana.send("Bo", "one").await;
    bo.expect(&ana, "one").await;
    service.lies.stop();
    service.go_away().await;
    ana.engine.typing("Bo", false).unwrap();
    ana.engine.typing("Bo", true).unwrap();
    service.listen();
    ana.send("Bo", "two").await;
    bo.expect(&ana, "two").await;
    assert_same_history(&ana, &bo);
}
