//! Stories of absence and loss: a device that was away for weeks, months or a year, one whose home was copied, a chat
//! whose channel was locked. Each comes back by the shortest way, and says what it could not get.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use std::path::Path;

use support::{Home, Service, Setup, befriend, database, folder, has, linked};
use undertone_client::{Engine, Pace, Rungs};
use undertone_wire::ladder;

fn setup(service: &Service) -> Setup {
    Setup { clock: service.clock.clone(), ..Setup::at(service) }
}

async fn acquainted(service: &Service) -> (Home, Home) {
    let ana = Home::with(service, "Ana", setup(service)).await;
    let bo = Home::with(service, "Bo", setup(service)).await;
    befriend(&ana, &bo).await;
    (ana, bo)
}

#[tokio::test(start_paused = true)]
async fn who_was_away_for_two_months_goes_on_and_says_what_he_has_missed() {
    let service = Service::start();
    let (mut ana, bo) = acquainted(&service).await;
    ana.offline().await;
    bo.send(&ana.account(), "you will not read this").await;
    bo.send(&ana.account(), "nor this").await;
    service.clock.set_off(60);
    bo.send(&ana.account(), "but this").await;
    let ana = ana.reopen().await;
    ana.expect(&bo, "but this").await;
    assert_eq!(ana.chat(&bo.account()).unwrap().missed, 2);
    ana.send(&bo.account(), "I was at sea").await;
    bo.expect(&ana, "I was at sea").await;
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_meanwhile_comes_from_another_device() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    let mut phone = linked(setup(&service), &ana).await;
    has(&phone, &bo.account(), 2).await;
    phone.offline().await;
    bo.send(&ana.account(), "while the phone was off").await;
    ana.expect(&bo, "while the phone was off").await;
    let cy = Home::with(&service, "Cy", setup(&service)).await;
    befriend(&cy, &ana).await;
    ana.send(&ana.account(), "a note").await;
    service.clock.set_off(60);
    bo.send(&ana.account(), "it is on again").await;
    let phone = phone.reopen().await;
    has(&phone, &bo.account(), 4).await;
    has(&phone, &cy.account(), 2).await;
    has(&phone, &ana.account(), 1).await;
    for who in [&bo, &cy, &ana] {
        assert_eq!(phone.history(&who.account()), ana.history(&who.account()));
    }
    phone.send(&cy.account(), "from the phone").await;
    has(&ana, &cy.account(), 3).await;
}

#[tokio::test(start_paused = true)]
async fn who_was_away_for_a_year_is_let_in_again() {
    let service = Service::start();
    let (mut ana, bo) = acquainted(&service).await;
    ana.offline().await;
    for month in 1..=12 {
        service.clock.set_off(month * 31);
        bo.send(&ana.account(), &format!("month {month}")).await;
    }
    let ana = ana.reopen().await;
    ana.send(&bo.account(), "here I am").await;
    bo.expect(&ana, "here I am").await;
    bo.send(&ana.account(), "there you are").await;
    // The service has nothing of that year any more; Bo has, and says it again.
    for month in 1..=12 {
        ana.expect(&bo, &format!("month {month}")).await;
    }
    ana.expect(&bo, "there you are").await;
    assert_eq!(ana.chat(&bo.account()).unwrap().missed, 0);
    assert_eq!(ana.history(&bo.account()), bo.history(&ana.account()));
}

#[tokio::test(start_paused = true)]
async fn what_expired_before_the_way_was_lost_is_counted() {
    let service = Service::start();
    let (mut ana, bo) = acquainted(&service).await;
    ana.offline().await;
    for text in ["one", "two", "three"] {
        bo.send(&ana.account(), text).await;
    }
    service.clock.set_off(31);
    bo.send(&ana.account(), "a month later").await;
    // Not even the commit of that month is left: what was said before it she could have read.
    service.clock.set_off(200);
    let ana = ana.reopen().await;
    ana.send(&bo.account(), "here I am").await;
    bo.expect(&ana, "here I am").await;
    ana.expect(&bo, "a month later").await;
    assert_eq!(ana.chat(&bo.account()).unwrap().missed, 3);
}

#[tokio::test(start_paused = true)]
async fn who_is_told_all_has_missed_nothing() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    let mut phone = linked(setup(&service), &ana).await;
    has(&phone, &bo.account(), 2).await;
    phone.offline().await;
    // So long that not even the commits are left, and nobody has ever written a note.
    for month in 1..=4 {
        service.clock.set_off(month * 31);
        bo.send(&ana.account(), &format!("month {month}")).await;
        ana.expect(&bo, &format!("month {month}")).await;
    }
    let tablet = linked(setup(&service), &ana).await;
    has(&tablet, &bo.account(), 6).await;
    let phone = phone.reopen().await;
    has(&phone, &bo.account(), 6).await;
    assert_eq!(phone.history(&bo.account()), ana.history(&bo.account()));
    let told = |engine: &Engine| engine.chats().unwrap().iter().all(|chat| chat.missed == 0 && chat.trouble.is_none());
    phone.until("nothing missed", told).await;
}

#[tokio::test(start_paused = true)]
async fn a_generation_lasts_a_month() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    for month in 1..4 {
        service.clock.set_off(31 * month);
        bo.send(&ana.account(), "a new month").await;
        ana.expect(&bo, "a new month").await;
        ana.send(&bo.account(), "so it is").await;
        bo.expect(&ana, "so it is").await;
    }
    for home in [ana, bo] {
        let folder = home.close().await;
        let connection = database(&folder);
        let generation: u32 = connection.query_row("SELECT generation FROM chats", (), |row| row.get(0)).unwrap();
        assert_eq!(generation, 3);
    }
}

fn copy(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_home_and_its_copy_one_is_told_and_nothing_is_lost() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    ana.sync().await.unwrap();
    let (to_ana, to_bo) = (ana.account(), bo.account());
    let original = ana.close().await;
    let other = folder();
    copy(original.path(), other.path());
    let slow = Pace { inbox: undertone_client::Delay::ms(600_000, 600_000), ..Pace::eager() };
    let slow = Setup { pace: slow, ..setup(&service) };
    let (one, two) = (Home::open(original, slow.clone()), Home::open(other, slow));
    let mut acknowledged = vec![];
    for round in 0..4 {
        for (home, name) in [(&one, "one"), (&two, "two")] {
            let text = format!("{name} {round}");
            if !home.send(&to_bo, &text).await.queued {
                acknowledged.push(text);
            }
        }
    }
    let first = one.sync().await;
    let second = two.sync().await;
    assert!(first.is_ok() != second.is_ok(), "one of them is told: {first:?} {second:?}");
    let told = first.err().or(second.err()).unwrap();
    assert!(told.to_string().contains("copy"), "{told}");
    let all = |_: &Engine| acknowledged.iter().all(|text| bo.texts(&to_ana).contains(text));
    bo.until("all that was acknowledged", all).await;
}

/// What comes by a log is not waited for until it is on the disk.
#[tokio::test(start_paused = true)]
async fn what_a_loss_of_power_takes_back_is_read_again() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    let (to_ana, to_bo) = (ana.account(), bo.account());
    bo.sync().await.unwrap();
    let on_disk = folder();
    copy(bo.folder.path(), on_disk.path());
    let texts = ["one", "two", "three"];
    for text in texts {
        ana.send(&to_bo, text).await;
        bo.expect(&ana, text).await;
    }
    let setup = bo.setup.clone();
    bo.close().await;
    let bo = Home::open(on_disk, setup);
    for text in texts {
        bo.expect(&ana, text).await;
    }
    bo.send(&to_ana, "all of it").await;
    ana.expect(&bo, "all of it").await;
    assert_eq!(ana.history(&to_bo), bo.history(&to_ana));
}

#[tokio::test(start_paused = true)]
async fn a_fleet_moves_to_a_better_suite_by_update_alone() {
    let service = Service::start();
    let old = Rungs { features: vec![], suite: ladder::SUITE_CLASSICAL, ..Rungs::of_this_release() };
    let former = || Setup { rungs: old.clone(), ..setup(&service) };
    let ana = Home::with(&service, "Ana", former()).await;
    let bo = Home::with(&service, "Bo", former()).await;
    befriend(&ana, &bo).await;
    let (to_ana, to_bo) = (ana.account(), bo.account());
    let mut said = 2;
    // Member by member, and they talk all along.
    let ana = ana.reopen_with(setup(&service)).await;
    for home in [(&ana, &to_bo), (&bo, &to_ana)] {
        home.0.send(home.1, "one of us is new").await;
        said += 1;
    }
    ana.sync().await.unwrap();
    let bo = bo.reopen_with(setup(&service)).await;
    for round in 0..6 {
        ana.sync().await.unwrap();
        bo.sync().await.unwrap();
        ana.send(&to_bo, &format!("round {round}")).await;
        bo.send(&to_ana, &format!("round {round} too")).await;
        said += 2;
    }
    has(&ana, &to_bo, said).await;
    has(&bo, &to_ana, said).await;
    assert_eq!(ana.history(&to_bo), bo.history(&to_ana));
    for home in [ana, bo] {
        let folder = home.close().await;
        let connection = database(&folder);
        let restarts: u32 = connection.query_row("SELECT mls_group FROM chats", (), |row| row.get(0)).unwrap();
        assert_eq!(restarts, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_stranger_seals_in_a_new_week_all_devices_open() {
    let service = Service::start();
    let ana = Home::with(&service, "Ana", setup(&service)).await;
    let phone = linked(setup(&service), &ana).await;
    phone.until("in step", |engine| engine.chats().unwrap().iter().all(|chat| chat.trouble.is_none())).await;
    let cy = Home::with(&service, "Cy", setup(&service)).await;
    service.clock.set_off(7);
    // Before the week's key is made: what this letter brings back is for the phone alone to open.
    phone.send(&cy.link(), "hello").await;
    for _ in 0..4 {
        phone.sync().await.unwrap();
        ana.sync().await.unwrap();
    }
    let di = Home::with(&service, "Di", setup(&service)).await;
    di.send(&ana.link(), "are you all there?").await;
    for home in [&ana, &phone] {
        home.until("the request", |engine| engine.requests().unwrap().iter().any(|request| request.name == "Di")).await;
    }
}
