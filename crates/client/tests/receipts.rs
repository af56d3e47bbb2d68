//! Receipts: how far a message has come is told after a while, along with others or alone, and never to strangers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use support::{Home, PATIENCE, Peer, Service, Setup, Talk, befriend, encoded, has, linked};
use undertone_client::{Delay, Engine, Pace, Settings};
use undertone_wire::{
    channel::{AppendRequest, EntryKind},
    content::{Content, Note, Receipt, content},
};

/// Longer than any note waits.
const A_WHILE: Duration = Duration::from_millis(1_500);

fn pace() -> Pace {
    Pace { note: Delay::ms(50, 300), self_update_ms: 600_000, ..Pace::eager() }
}

fn setup(service: &Service) -> Setup {
    Setup { pace: pace(), ..Setup::at(service) }
}

async fn acquainted(service: &Service) -> (Home, Home) {
    let ana = Home::with_pace(service, "Ana", pace()).await;
    let bo = Home::with_pace(service, "Bo", pace()).await;
    befriend(&ana, &bo).await;
    (ana, bo)
}

/// (delivered, read) of the last of our messages.
fn last(engine: &Engine, who: &str) -> (bool, bool) {
    let history = engine.history(who).unwrap();
    history.iter().rfind(|message| message.mine).map(|message| (message.delivered, message.read)).unwrap()
}

async fn reaches(home: &Home, who: &str, how_far: (bool, bool)) {
    home.until(&format!("{how_far:?}"), |engine| last(engine, who) == how_far).await;
}

/// Counts messages and notes that are appended from now on.
fn appends(service: &Service) -> Arc<AtomicUsize> {
    let count: Arc<AtomicUsize> = Arc::default();
    let counted = count.clone();
    service.lies.tell::<AppendRequest>(move |request, _| {
        let messages = request.entries.iter().filter(|entry| entry.kind() == EntryKind::Message).count();
        counted.fetch_add(messages, Ordering::Relaxed);
    });
    count
}

fn off() -> Settings {
    Settings { receipts: false, typing: false }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_delivered_and_then_read() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    ana.send("Bo", "one").await;
    reaches(&ana, &bo.account(), (true, false)).await;
    assert!(bo.engine.unshown(9).unwrap().len() == 1, "told before anybody has seen it");
    bo.expect(&ana, "one").await;
    reaches(&ana, &bo.account(), (true, true)).await;
    // All before it too, letters among them; and nothing of his own.
    let history = ana.engine.history("Bo").unwrap();
    assert!(history.iter().all(|message| (message.delivered, message.read) == (message.mine, message.mine)));
    assert!(ana.take_new().is_none() && ana.chat(&bo.account()).unwrap().unshown == 0, "a receipt is no message");
    assert_eq!(ana.texts(&bo.account()), ["hello", "hello yourself", "one"]);
}

#[tokio::test(start_paused = true)]
async fn a_receipt_is_answered_by_none() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    reaches(&bo, &ana.account(), (true, true)).await;
    tokio::time::sleep(A_WHILE).await;
    let count = appends(&service);
    ana.send("Bo", "one").await;
    bo.expect(&ana, "one").await;
    reaches(&ana, &bo.account(), (true, true)).await;
    tokio::time::sleep(2 * A_WHILE).await;
    let appended = count.load(Ordering::Relaxed);
    assert!((2..=3).contains(&appended), "a message, that it has come, and that it was read: {appended}");
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(count.load(Ordering::Relaxed), appended);
}

#[tokio::test(start_paused = true)]
async fn who_answers_at_once_says_it_along_with_that() {
    let service = Service::start();
    let slow = Pace { note: Delay::ms(600_000, 600_000), ..pace() };
    let ana = Home::with_pace(&service, "Ana", slow.clone()).await;
    let bo = Home::with_pace(&service, "Bo", slow).await;
    befriend(&ana, &bo).await;
    ana.send("Bo", "one").await;
    bo.expect(&ana, "one").await;
    let count = appends(&service);
    bo.send("Ana", "two").await;
    ana.expect(&bo, "two").await;
    assert_eq!(last(&ana.engine, &bo.account()), (true, true));
    assert_eq!(count.load(Ordering::Relaxed), 1);
    // What waits for its time waits through a restart.
    let bo = bo.reopen().await;
    ana.send("Bo", "three").await;
    bo.expect(&ana, "three").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(last(&ana.engine, &bo.account()), (false, false));
}

#[tokio::test(start_paused = true)]
async fn strangers_and_the_blocked_learn_nothing() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    let eve = Home::with_pace(&service, "Eve", pace()).await;
    reaches(&ana, &bo.account(), (true, true)).await;
    tokio::time::sleep(A_WHILE).await;
    let count = appends(&service);
    eve.send(&ana.link(), "hello").await;
    ana.expect(&eve, "hello").await;
    ana.sync().await.unwrap();
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(count.load(Ordering::Relaxed), 0, "whoever has not been accepted");

    ana.engine.block("Bo").unwrap();
    bo.send("Ana", "are you there?").await;
    ana.sync().await.unwrap();
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(last(&bo.engine, &ana.account()), (false, false));
    ana.engine.accept(&bo.account()).unwrap();
    ana.expect(&bo, "are you there?").await;
    reaches(&bo, &ana.account(), (true, true)).await;
}

#[tokio::test(start_paused = true)]
async fn who_tells_none_is_shown_none() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    assert!(bo.engine.settings().unwrap().receipts, "by default");
    reaches(&bo, &ana.account(), (true, true)).await;
    bo.engine.set_settings(off()).unwrap();
    assert_eq!(last(&bo.engine, &ana.account()), (false, false));
    ana.send("Bo", "one").await;
    bo.expect(&ana, "one").await;
    bo.send("Ana", "two").await;
    ana.expect(&bo, "two").await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!((last(&ana.engine, &bo.account()), last(&bo.engine, &ana.account())), ((false, false), (false, false)));
    // Changed again, it is told of what comes after.
    bo.engine.set_settings(Settings { receipts: true, typing: false }).unwrap();
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(last(&ana.engine, &bo.account()), (false, false));
    ana.send("Bo", "three").await;
    bo.expect(&ana, "three").await;
    reaches(&ana, &bo.account(), (true, true)).await;
}

#[tokio::test(start_paused = true)]
async fn of_several_devices_one_tells() {
    let service = Service::start();
    let slow = Pace { note: Delay::ms(200, 3_000), ..pace() };
    let ana = Home::with_pace(&service, "Ana", pace()).await;
    let bo = Home::with_pace(&service, "Bo", slow.clone()).await;
    befriend(&ana, &bo).await;
    let phone = linked(Setup { pace: slow, ..setup(&service) }, &bo).await;
    has(&phone, &ana.account(), 2).await;
    phone.until("in step", |engine| engine.chats().unwrap().iter().all(|chat| chat.trouble.is_none())).await;
    let told = |home: &Home| last(&home.engine, &bo.account());
    ana.send("Bo", "one").await;
    reaches(&ana, &bo.account(), (true, false)).await;
    has(&phone, &ana.account(), 3).await;
    // Whoever sees it first tells that too.
    while let Some(message) = phone.take_new() {
        assert!(message.body.is_some());
    }
    reaches(&ana, &bo.account(), (true, true)).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let count = appends(&service);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!((count.load(Ordering::Relaxed), told(&ana)), (0, (true, true)), "the other does not say it again");
    // What one turns off is off on all.
    phone.engine.set_settings(off()).unwrap();
    bo.until("off", |engine| !engine.settings().unwrap().receipts).await;
}

#[tokio::test(start_paused = true)]
async fn they_are_told_through_kills() {
    let service = Service::start();
    let (mut ana, mut bo) = acquainted(&service).await;
    for round in 0..5 {
        ana.send("Bo", &format!("{round}")).await;
        bo.expect(&ana, &format!("{round}")).await;
        tokio::time::sleep(Duration::from_millis(70 * round)).await;
        bo = bo.reopen().await;
        ana = ana.reopen().await;
        reaches(&ana, &bo.account(), (true, true)).await;
    }
    assert_eq!(ana.texts(&bo.account()).len(), 7);
}

fn note(peer: &Peer, delivered: &[u8], read: &[u8]) -> Bytes {
    let receipt = Receipt { delivered: Bytes::copy_from_slice(delivered), read: Bytes::copy_from_slice(read) };
    encoded(&Content { receipt: Some(receipt), kind: Some(content::Kind::Note(Note {})), ..peer.text("") })
}

#[tokio::test(start_paused = true)]
async fn marks_that_make_no_sense_move_nothing() {
    let service = Service::start();
    let ana = Home::with_pace(&service, "Ana", pace()).await;
    let eve = Peer::new(&service, "Eve").await;
    let account = eve.account().to_hex();
    let mut talk = Talk::open_with(&eve, &ana).await;
    let id =
        |sent: undertone_client::Sent| undertone_wire::MessageId::from_hex(&sent.id).ok().unwrap().as_bytes().to_vec();
    let first = id(ana.send(&account, "one").await);
    let second = id(ana.send(&account, "two").await);
    talk.read().await;
    for (delivered, read) in
        [(&eve.random::<16>()[..], &eve.random::<16>()[..]), (&eve.noise(7), &eve.noise(700)), (&[], &[])]
    {
        talk.say_content(&note(&eve, delivered, read)).await;
    }
    // Of a message of his own.
    let own = eve.text("mine");
    talk.say_content(&encoded(&own)).await;
    ana.expect_from(&account, "mine").await;
    talk.say_content(&note(&eve, &own.id, &own.id)).await;
    talk.goes_on(&ana, "and now").await;
    let shown = |n: usize| {
        let history = ana.engine.history(&account).unwrap();
        let ours: Vec<_> = history.into_iter().filter(|message| message.mine).collect();
        (ours[n].delivered, ours[n].read)
    };
    assert_eq!((shown(0), shown(1)), ((false, false), (false, false)));
    // Forward, and never back.
    talk.say_content(&note(&eve, &second, &first)).await;
    ana.until("told", |_| shown(0) == (true, true) && shown(1) == (true, false)).await;
    talk.say_content(&note(&eve, &first, &first)).await;
    talk.goes_on(&ana, "once more").await;
    assert_eq!((shown(0), shown(1)), ((true, true), (true, false)));
    assert!(ana.take_new().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_device_of_a_former_release_is_told_nothing() {
    let service = Service::start();
    let ana = Home::with_pace(&service, "Ana", pace()).await;
    // Her device list says nothing of what she understands.
    let eve = Peer::new(&service, "Eve").await;
    let mut talk = Talk::open_with(&eve, &ana).await;
    talk.say("hello again").await;
    ana.next().await;
    tokio::time::sleep(A_WHILE).await;
    let count = appends(&service);
    tokio::time::timeout(PATIENCE, ana.sync()).await.unwrap().unwrap();
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(count.load(Ordering::Relaxed), 0);
    assert_eq!(talk.read().await, Vec::<String>::new());
}
