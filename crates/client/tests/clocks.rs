//! Stories of clocks that are wrong. A day does not matter; what is further off is said, and made good once it is right.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use std::sync::Arc;

use support::{
    Home, PATIENCE, Peer, Service, Setup, StoryClock, assert_same_history, befriend, database, folder, has, linked,
    they_talk,
};
use tokio::time::timeout;
use undertone_client::{Kind, Pace};
use undertone_e2ee::InboxSecret;
use undertone_wire::AccountId;

/// Somebody whose clock can be set.
async fn with_clock(service: &Service, name: &str) -> (Home, Arc<StoryClock>) {
    let clock = Arc::new(StoryClock::new());
    let home = Home::with(service, name, Setup { clock: clock.clone(), ..Setup::at(service) }).await;
    (home, clock)
}

#[tokio::test(start_paused = true)]
async fn a_day_does_not_matter() {
    let service = Service::start();
    for (name, days) in [("ahead", 1), ("behind", -1)] {
        let clock = Arc::new(StoryClock::new());
        clock.set_off(days);
        let setup = || Setup { clock: clock.clone(), ..Setup::at(&service) };
        let (one, other) = (Home::with(&service, name, setup()).await, Home::new(&service, "Bo").await);
        befriend(&one, &other).await;
        they_talk(&one, &other).await;
        // The other way round.
        let stranger = Home::new(&service, "Zoe").await;
        befriend(&stranger, &one).await;
        they_talk(&stranger, &one).await;
        assert!(one.send(name, "to myself").await.seq.is_some());
        assert_same_history(&one, &other);
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_put_right_holds_nothing_up() {
    let service = Service::start();
    let slow = Pace { after_acceptance: undertone_client::Delay::ms(1_000, 2_000), ..Pace::eager() };
    let clock = Arc::new(StoryClock::new());
    let setup = Setup { clock: clock.clone(), pace: slow, ..Setup::at(&service) };
    let mut ana = Home::with(&service, "Ana", setup).await;
    for (name, days) in [("Bo", 1), ("Cy", 0), ("Di", -1), ("Ed", 1), ("Flo", 0)] {
        clock.set_off(days);
        let other = Home::new(&service, name).await;
        other.send(&ana.link(), "hello").await;
        // Read in time, though the clock says that it was read tomorrow.
        ana.expect(&other, "hello").await;
        ana.engine.accept(name).unwrap();
        clock.set_off(days - 1);
        // Opened in time, though the clock says that this is a day ahead.
        ana.send(name, "welcome").await;
        other.expect(&ana, "welcome").await;
        they_talk(&other, &ana).await;
        ana = ana.reopen().await;
        they_talk(&ana, &other).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_far_off_is_said_and_nothing_is_lost() {
    let mut service = Service::start();
    let (ana, clock) = with_clock(&service, "Ana").await;
    let bo = Home::new(&service, "Bo").await;
    befriend(&ana, &bo).await;
    for days in [2, 1_000] {
        clock.set_off(days);
        service.go_away().await;
        assert!(ana.send("Bo", "written while nobody was there").await.queued);
        service.listen();
        let error = ana.try_send("Bo", "?").await.err().unwrap();
        assert_eq!(error.kind(), Kind::Refused);
        assert!(error.to_string().contains("clock"), "{error}");
        // Of others she hears all the same.
        bo.send("Ana", "are you there?").await;
        ana.expect(&bo, "are you there?").await;

        clock.set_off(0);
        bo.expect(&ana, "written while nobody was there").await;
        they_talk(&ana, &bo).await;
    }
    ana.until("acknowledged", |engine| engine.history("Bo").unwrap().iter().all(|message| !message.queued)).await;
    assert_same_history(&ana, &bo);
}

/// What the service has taken says which day it is at least: nothing is dated to go before that.
#[tokio::test(start_paused = true)]
async fn a_clock_far_behind_dates_nothing() {
    let service = Service::start();
    let (ana, clock) = with_clock(&service, "Ana").await;
    let bo = Home::new(&service, "Bo").await;
    befriend(&ana, &bo).await;
    for days in [-30, -40, -10_000] {
        clock.set_off(days);
        they_talk(&ana, &bo).await;
    }
    let stranger = Home::new(&service, "Zoe").await;
    clock.set_off(-40);
    assert!(!ana.send(&stranger.link(), "hello").await.queued);
    stranger.expect(&ana, "hello").await;
    assert_same_history(&ana, &bo);
}

#[tokio::test(start_paused = true)]
async fn a_letter_with_a_wrong_date_gets_a_right_one() {
    let service = Service::start();
    let (ana, clock) = with_clock(&service, "Ana").await;
    for (name, days) in [("Bo", 20), ("Cy", 50), ("Di", -40)] {
        let other = Home::new(&service, name).await;
        clock.set_off(days);
        let sent = ana.send(&other.link(), "hello").await;
        let why = sent.waits.unwrap();
        assert!(sent.queued && why.to_string().contains("clock"), "{why}");
        clock.set_off(0);
        other.expect(&ana, "hello").await;
        ana.until("acknowledged", |engine| {
            engine.history(&other.account()).unwrap().iter().all(|message| !message.queued)
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_is_made_with_a_right_clock() {
    let service = Service::start();
    let (folder, clock) = (folder(), Arc::new(StoryClock::new()));
    let engine = Setup { clock: clock.clone(), ..Setup::at(&service) }.open(&folder).unwrap();
    for days in [30, -30] {
        clock.set_off(days);
        let error = engine.register(&service.link(), None, "Ana").await.err().unwrap();
        assert!(error.kind() == Kind::Refused && error.to_string().contains("clock"), "{error}");
    }
    clock.set_off(0);
    assert!(engine.register(&service.link(), None, "Ana").await.is_ok());
}

/// Keys of old weeks are forgotten, but not because a clock says that this is a later year.
#[tokio::test(start_paused = true)]
async fn letters_can_be_opened_after_a_leap_in_time() {
    let service = Service::start();
    let (mut ana, clock) = with_clock(&service, "Ana").await;
    let bo = Home::new(&service, "Bo").await;
    ana.offline().await;
    bo.send(&ana.link(), "sealed to this week").await;
    clock.set_off(400);
    ana.online();
    let error = ana.sync().await.err().unwrap();
    assert!(error.to_string().contains("clock"), "{error}");
    clock.set_off(0);
    ana.expect(&bo, "sealed to this week").await;
}

/// Somebody was away for weeks, and is written to by keys as old as that.
#[tokio::test(start_paused = true)]
async fn who_was_away_for_long_reads_what_was_written_meanwhile() {
    let service = Service::start();
    for days in [20, 60] {
        service.clock.set_off(0);
        let (ana, anas) = with_clock(&service, "Ana").await;
        let (mut bo, bos) = with_clock(&service, "Bo").await;
        bo.offline().await;
        for clock in [&service.clock, &anas, &bos] {
            clock.set_off(days);
        }
        assert!(!ana.send(&bo.link(), "welcome back").await.queued);
        assert!(!ana.send(&bo.account(), "are you there?").await.queued);
        bo.online();
        bo.expect(&ana, "welcome back").await;
        bo.expect(&ana, "are you there?").await;
        bo.engine.accept("Ana").unwrap();
        they_talk(&bo, &ana).await;
    }
}

/// Ana, with words and a clock, and a phone in step with her.
async fn with_phone(service: &Service) -> (Home, String, Arc<StoryClock>, Home) {
    let (folder, clock) = (folder(), Arc::new(StoryClock::new()));
    let setup = Setup { clock: clock.clone(), ..Setup::at(service) };
    let engine = setup.open(&folder).unwrap();
    let words = engine.register(&service.link(), None, "Ana").await.unwrap().words.to_string();
    drop(engine);
    let ana = Home::open(folder, setup);
    let phone = linked(Setup::at(service), &ana).await;
    phone.until("in step", |engine| engine.chats().unwrap().iter().all(|chat| chat.trouble.is_none())).await;
    (ana, words, clock, phone)
}

/// The service takes no key of a week to come, so that it is given one of this week later.
#[tokio::test(start_paused = true)]
async fn a_device_removed_by_a_clock_far_off_opens_no_letters() {
    let service = Service::start();
    let (ana, words, clock, phone) = with_phone(&service).await;
    let folder = phone.close().await;
    let phone = database(&folder);
    let mut secrets = phone.prepare("SELECT secret FROM inbox_secrets WHERE ours = 0").unwrap();
    let secrets: Vec<Vec<u8>> = secrets.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(!secrets.is_empty());
    clock.set_off(28);
    let _ = timeout(PATIENCE, ana.engine.remove_device(2, &words)).await.unwrap();
    clock.set_off(0);
    ana.sync().await.unwrap();
    ana.sync().await.unwrap();
    let key = Peer::new(&service, "Bo").await.contact(AccountId::from_hex(&ana.account()).unwrap()).await.inbox_key;
    for secret in secrets {
        assert!(InboxSecret::from_bytes(&secret).unwrap().public()[..] != key.key()[..]);
    }
}

/// The tablet comes when the service has no key of this identity yet, and has been told of none of this week.
#[tokio::test(start_paused = true)]
async fn who_was_linked_by_a_clock_far_off_is_let_in_once_it_is_right() {
    let service = Service::start();
    let (ana, words, clock, _phone) = with_phone(&service).await;
    let (setup, folder) = (ana.setup.clone(), ana.close().await);
    database(&folder).execute_batch("DELETE FROM inbox_secrets").unwrap();
    clock.set_off(28);
    let ana = Home::open(folder, setup);
    let _ = timeout(PATIENCE, ana.engine.remove_device(2, &words)).await.unwrap();
    let tablet = linked(Setup::at(&service), &ana).await;
    let _ = tablet.sync().await;
    clock.set_off(0);
    let to_ana = ana.account();
    ana.send(&to_ana, "a note").await;
    has(&tablet, &to_ana, 1).await;
}
