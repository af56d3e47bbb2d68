//! Stories of what pays for the acts of nobody: it is fetched ahead, survives whatever dies, says nothing of who pays, and
//! where there is none things wait.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use std::time::Duration;

use support::{Home, Service, Setup, Watch, acquainted, befriend, database, linked};
use tempfile::TempDir;
use undertone_client::{Delay, Kind, Pace};
use undertone_credentials::IssuingKey;
use undertone_wire::{
    Week,
    account::{IssueTokensReply, IssueTokensRequest},
    circuit::{Code, Fault},
    limits::TOKEN_BATCH,
    objects::Purpose,
    rpc::Method as _,
    visitor::{CreateChannelRequest, DeliverRequest, FetchContactRequest},
};

/// Tokens of each purpose that a closed home has free.
fn free(folder: &TempDir) -> Vec<usize> {
    let db = database(folder);
    let count = |(purpose, _): (Purpose, usize)| {
        let query = "SELECT count(*) FROM tokens WHERE purpose = ?1 AND act IS NULL";
        db.query_row(query, [purpose as i32], |row| row.get(0)).unwrap()
    };
    TOKEN_BATCH.map(count).to_vec()
}

/// Whatever a closed home has to pay with is gone, and nothing more comes for a while.
fn rob(folder: &TempDir) {
    database(folder).execute_batch("DELETE FROM tokens; DELETE FROM stock; UPDATE me SET tokens_from_ms = 0").unwrap();
}

/// No batches for a minute.
fn issue_none(service: &Service) {
    let fault = Fault { code: Code::Exhausted.into(), retry_after_ms: 60_000, ..Fault::default() };
    service.lies.deny::<IssueTokensRequest>(move |_| Some(fault));
}

async fn robbed(home: Home) -> Home {
    let setup = home.setup.clone();
    let folder = home.close().await;
    rob(&folder);
    Home::open(folder, setup)
}

#[tokio::test(start_paused = true)]
async fn the_first_batch_comes_with_the_account() {
    let service = Service::start();
    let folder = support::folder();
    let engine = Setup::at(&service).open(&folder).unwrap();
    engine.register(&service.link(), None, "Ana").await.unwrap();
    drop(engine);
    assert_eq!(free(&folder), TOKEN_BATCH.map(|(_, count)| count));
    let ana = Home::open(folder, Setup::at(&service));
    let bo = Home::new(&service, "Bo").await;
    befriend(&ana, &bo).await;
    let setup = ana.setup.clone();
    let folder = ana.close().await;
    let left = free(&folder);
    drop(Home::open(folder, setup).close().await);
    let spent = |(left, (purpose, count)): (&usize, (Purpose, usize))| match purpose {
        // Nothing large was sent.
        Purpose::Blob => *left == count,
        _ => (1..count).contains(left),
    };
    assert!(left.iter().zip(TOKEN_BATCH).all(spent), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn no_two_acts_show_the_same_token() {
    let service = Service::start();
    let watch = Watch::over(&service);
    let (ana, bo) = acquainted(&service).await;
    let lose: [fn(&Service); 3] = [
        |service| service.lies.refuse::<DeliverRequest>(Code::Unknown),
        |service| service.lies.refuse::<CreateChannelRequest>(Code::Unknown),
        |service| service.lies.refuse::<FetchContactRequest>(Code::Unknown),
    ];
    for (name, lose) in ["Cy", "Di", "Ed"].into_iter().zip(lose) {
        // Each answer of one kind is lost for a while, so that the same is asked for again and again.
        let other = Home::new(&service, name).await;
        lose(&service);
        assert!(ana.send(&other.link(), "hello").await.queued);
        tokio::time::sleep(Duration::from_secs(3)).await;
        service.lies.stop();
        other.expect(&ana, "hello").await;
        let ana_too = other.engine.accept("Ana").unwrap();
        other.send(&ana_too, "hello yourself").await;
        ana.expect(&other, "hello yourself").await;
    }
    bo.send("Ana", "and I?").await;
    watch.no_token_says_more_than_one_thing();
    let acts = watch.acts();
    let again = |act: &support::Act| acts.iter().filter(|other| other.spent_on == act.spent_on).count();
    for method in [DeliverRequest::NUMBER, CreateChannelRequest::NUMBER, FetchContactRequest::NUMBER] {
        let repeated = acts.iter().filter(|act| act.method == method && again(act) > 1);
        assert!(repeated.count() > 0, "method {method} was tried again");
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_none_writes_in_open_chats_all_the_same() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    issue_none(&service);
    let ana = robbed(ana).await;
    ana.sync().await.unwrap();
    let watch = Watch::over(&service);
    for text in ["one", "two", "three"] {
        assert!(!ana.send("Bo", text).await.queued);
        bo.expect(&ana, text).await;
        bo.send("Ana", text).await;
        ana.expect(&bo, text).await;
    }
    assert!(watch.acts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_paid_for_waits_and_goes_on() {
    let service = Service::start();
    let bo = Home::new(&service, "Bo").await;
    let ana = robbed(Home::new(&service, "Ana").await).await;
    // A batch can be had, so there is nothing to say.
    let sent = ana.send(&bo.link(), "hello").await;
    assert!(!sent.queued && sent.waits.is_none());
    bo.expect(&ana, "hello").await;

    issue_none(&service);
    let ana = robbed(ana).await;
    ana.sync().await.unwrap();
    let cy = Home::new(&service, "Cy").await;
    service.lies.stop();
    let sent = ana.send(&cy.link(), "hello").await;
    let why = sent.waits.unwrap();
    assert!(sent.queued && why.kind() == Kind::Network, "{why}");
    assert!(why.to_string().contains("next week"), "{why}");
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(cy.take_new().is_none());
    cy.expect(&ana, "hello").await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_batch_is_asked_for_in_the_same_bytes() {
    let service = Service::with_budget(2);
    let watch = Watch::over(&service);
    service.lies.refuse::<IssueTokensRequest>(Code::Unknown);
    let ana = Home::new(&service, "Ana").await;
    let bo = Home::new(&service, "Bo").await;
    for _ in 0..4 {
        assert!(ana.sync().await.is_err(), "the service does not answer");
    }
    let ana = ana.reopen().await;
    service.lies.stop();
    befriend(&ana, &bo).await;
    let mut batches = watch.batches();
    assert!(batches.len() > 4);
    batches.dedup();
    batches.sort_by_key(|batch| batch.blinded[0].elements[0].clone());
    batches.dedup();
    assert_eq!(batches.len(), 2, "one of each of them");
    watch.no_token_says_more_than_one_thing();
}

#[tokio::test(start_paused = true)]
async fn every_batch_is_of_one_form() {
    let service = Service::start();
    let watch = Watch::over(&service);
    let often = Pace { tokens: Delay::ms(500, 1_000), ..Pace::eager() };
    let lively = Home::with_pace(&service, "Ana", often.clone()).await;
    let _idle = Home::with_pace(&service, "Bo", often).await;
    let cy = Home::new(&service, "Cy").await;
    befriend(&lively, &cy).await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    let batches = watch.batches();
    assert!(batches.len() >= 20, "whether it is needed or not");
    for batch in batches {
        let form: Vec<_> = batch.blinded.iter().map(|blinded| (blinded.purpose, blinded.elements.len())).collect();
        assert_eq!(form, TOKEN_BATCH.map(|(purpose, count)| (purpose as u32, count)));
    }
}

/// Issues one purpose under a key of its own.
fn mark(request: &IssueTokensRequest, reply: &mut IssueTokensReply) {
    let other = IssuingKey::from_seed(&[6; 32]).key(Purpose::Inbox, Week(request.week));
    let issued = other.issue(&request.blinded[1].elements, &mut rand::make_rng::<rand::rngs::StdRng>()).unwrap();
    reply.evaluated[1].elements = issued.evaluated.iter().map(|element| element.to_vec().into()).collect();
    reply.evaluated[1].proof = issued.proof.to_vec().into();
}

#[tokio::test(start_paused = true)]
async fn tokens_by_which_one_could_be_told_apart_are_not_taken() {
    let service = Service::start();
    let door = service.door();
    let bo = Home::new(&service, "Bo").await;
    let ana = Home::new(&door, "Ana").await;
    befriend(&ana, &bo).await;
    door.lies.tell::<IssueTokensRequest>(mark);
    let ana = robbed(ana).await;
    ana.until("the mark is seen", |engine| engine.service_trouble().unwrap().is_some()).await;
    assert!(ana.engine.whoami().unwrap().trouble == ana.engine.service_trouble().unwrap());
    // The account goes on.
    ana.send("Bo", "still here").await;
    bo.expect(&ana, "still here").await;
    ana.sync().await.unwrap();

    let (setup, folder) = (ana.setup.clone(), ana.close().await);
    assert_eq!(free(&folder), TOKEN_BATCH.map(|_| 0), "nothing of the whole batch");
    door.lies.stop();
    database(&folder).execute_batch("UPDATE me SET tokens_from_ms = 0, tokens_due_ms = 0").unwrap();
    let ana = Home::open(folder, setup);
    ana.until("it is over", |engine| engine.service_trouble().unwrap().is_none()).await;
    let cy = Home::new(&service, "Cy").await;
    befriend(&ana, &cy).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_good_is_replaced_and_what_costs_more_is_paid() {
    let service = Service::start();
    let (ana, bo) = (Home::new(&service, "Ana").await, Home::new(&service, "Bo").await);
    service.lies.deny::<DeliverRequest>(|request| {
        let price = Fault { code: Code::Token.into(), tokens: 4, ..Fault::default() };
        (request.tokens.len() < 4).then_some(price)
    });
    ana.send(&bo.link(), "at a higher price").await;
    bo.expect(&ana, "at a higher price").await;
    service.lies.stop();

    // Every second of those for keys is one for channels, and so worth nothing.
    let (setup, folder) = (ana.setup.clone(), ana.close().await);
    let spoil =
        "UPDATE tokens SET token = (SELECT max(token) FROM tokens WHERE purpose = 1) WHERE purpose = 3 AND n % 2 = 0";
    database(&folder).execute_batch(spoil).unwrap();
    let ana = Home::open(folder, setup);
    for name in ["Cy", "Di", "Ed", "Flo"] {
        let other = Home::new(&service, name).await;
        ana.send(&other.link(), "hello").await;
        other.expect(&ana, "hello").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_finds_no_token_good_takes_few_of_them() {
    let service = Service::start();
    let ana = Home::new(&service, "Ana").await;
    let bo = Home::new(&service, "Bo").await;
    let watch = Watch::over(&service);
    let price = Fault { code: Code::Token.into(), tokens: 1, ..Fault::default() };
    service.lies.deny::<FetchContactRequest>(move |_| Some(price));
    assert_eq!(ana.try_send(&bo.link(), "hello").await.err().unwrap().kind(), Kind::Refused);
    let fetches = watch.acts().into_iter().filter(|act| act.method == FetchContactRequest::NUMBER);
    assert!(fetches.count() <= 3);
    watch.no_token_says_more_than_one_thing();
    service.lies.stop();
    befriend(&ana, &bo).await;
}

#[tokio::test(start_paused = true)]
async fn weeks_turn() {
    let service = Service::with_budget(8);
    let clock = service.clock.clone();
    let setup = Setup { clock: clock.clone(), ..Setup::at(&service) };
    let ana = Home::with(&service, "Ana", setup.clone()).await;
    let watch = Watch::over(&service);
    for (week, name) in (0..).zip(["Bo", "Cy", "Di", "Ed"]) {
        clock.set_off(week * 7);
        let other = Home::with(&service, name, setup.clone()).await;
        befriend(&ana, &other).await;
    }
    let weeks: std::collections::BTreeSet<_> = watch.batches().iter().map(|batch| batch.week).collect();
    assert_eq!(weeks.len(), 4);
    watch.no_token_says_more_than_one_thing();
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_is_used_up_comes_back_with_the_week() {
    let service = Service::with_budget(1);
    let clock = service.clock.clone();
    let setup = Setup { clock: clock.clone(), ..Setup::at(&service) };
    let (ana, bo) = (Home::with(&service, "Ana", setup.clone()).await, Home::with(&service, "Bo", setup.clone()).await);
    let ana = robbed(ana).await;
    ana.sync().await.unwrap();
    let sent = ana.send(&bo.link(), "hello").await;
    assert!(sent.queued && sent.waits.unwrap().to_string().contains("next week"));
    clock.set_off(7);
    bo.expect(&ana, "hello").await;
}

/// The service makes nothing of what is asked for when the week has just ended, and that is no reason to wait for days.
#[tokio::test(start_paused = true)]
async fn what_was_asked_for_in_the_wrong_week_is_asked_for_in_the_next() {
    let service = Service::with_budget(8);
    let clock = service.clock.clone();
    let day_ms = 24 * 3_600_000;
    let pace = Pace { tokens: Delay::ms(10 * day_ms, 12 * day_ms), ..Pace::eager() };
    let setup = Setup { clock: clock.clone(), pace, ..Setup::at(&service) };
    let (ana, bo) = (Home::with(&service, "Ana", setup.clone()).await, Home::with(&service, "Bo", setup.clone()).await);
    service.lies.deny::<IssueTokensRequest>(|_| Some(Code::Malformed.into()));
    let ana = robbed(ana).await;
    ana.sync().await.unwrap();
    assert!(ana.send(&bo.link(), "hello").await.queued);
    service.lies.stop();
    clock.set_off(7);
    bo.expect(&ana, "hello").await;
}

#[tokio::test(start_paused = true)]
async fn each_device_has_its_own() {
    let service = Service::start();
    let watch = Watch::over(&service);
    let ana = Home::new(&service, "Ana").await;
    let phone = linked(Setup::at(&service), &ana).await;
    for (home, name) in [(&ana, "Bo"), (&phone, "Cy")] {
        let other = Home::new(&service, name).await;
        home.send(&other.link(), "hello").await;
        other.expect(home, "hello").await;
    }
    watch.no_token_says_more_than_one_thing();
    assert!(watch.batches().len() >= 4);
}

/// A link costs a channel: a device that has nothing left fetches a batch first, and says so if there is none.
#[tokio::test(start_paused = true)]
async fn a_link_waits_for_a_batch() {
    let service = Service::start();
    let ana = robbed(Home::new(&service, "Ana").await).await;
    let phone = linked(Setup::at(&service), &ana).await;
    assert_eq!(phone.account(), ana.account());

    issue_none(&service);
    let ana = robbed(ana).await;
    ana.sync().await.unwrap();
    let error = ana.engine.link_offer().await.err().unwrap();
    assert!(error.to_string().contains("used up"), "{error}");
}
