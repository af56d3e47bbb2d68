//! Stories of people who meet.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use support::{Home, Service, acquainted, assert_same_history, nobody};
use undertone_client::Kind;

#[tokio::test(start_paused = true)]
async fn a_stranger_writes_is_accepted_and_gets_an_answer() {
    let service = Service::start();
    let (ana, bo) = (Home::new(&service, "Ana").await, Home::new(&service, "Bo").await);

    let sent = ana.send(&bo.link(), "hello Bo").await;
    assert!(!sent.queued && sent.seq.is_none(), "the first message rides in the inbox");
    let first = bo.expect(&ana, "hello Bo").await;
    assert!(first.request && first.id == sent.id && first.from_name == "Ana");
    let requests = bo.engine.requests().unwrap();
    assert_eq!((requests.len(), requests[0].name.as_str()), (1, "Ana"));
    assert!(bo.engine.send("Ana", "too early").await.is_err(), "a request is answered before it is written to");

    // Till he has accepted, more goes the same way.
    assert!(ana.send(&bo.account(), "are you there?").await.seq.is_none());
    bo.expect(&ana, "are you there?").await;

    bo.engine.accept("Ana").unwrap();
    assert!(bo.send("Ana", "yes").await.seq.is_some());
    ana.expect(&bo, "yes").await;
    let (ana_sees, bo_sees) = (ana.state(&bo.account()), bo.state(&ana.account()));
    assert_eq!((ana_sees, bo_sees), ("open", "open"));
    assert!(ana.send("Bo", "good").await.seq.is_some(), "from now on by the channel, and his name is known");
    bo.expect(&ana, "good").await;
    assert_same_history(&ana, &bo);
    assert_eq!(ana.history(&bo.account()).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn two_who_write_to_each_other_first_meet_in_one_chat() {
    let service = Service::start();
    let (mut ana, mut bo) = (Home::new(&service, "Ana").await, Home::new(&service, "Bo").await);
    ana.offline().await;
    bo.offline().await;
    // Each writes before either can have read, so the drivers go online with both letters to come.
    let (ana_link, bo_link) = (ana.link(), bo.link());
    let ana_engine = ana.engine.clone();
    let bo_engine = bo.engine.clone();
    let from_ana = tokio::spawn(async move { ana_engine.send(&bo_link, "from Ana").await.unwrap() });
    let from_bo = tokio::spawn(async move { bo_engine.send(&ana_link, "from Bo").await.unwrap() });
    ana.until("written", |engine| !engine.chats().unwrap().is_empty()).await;
    bo.until("written", |engine| !engine.chats().unwrap().is_empty()).await;
    ana.online();
    bo.online();
    assert!(!from_ana.await.unwrap().queued && !from_bo.await.unwrap().queued);

    let at_bo = bo.expect(&ana, "from Ana").await;
    let at_ana = ana.expect(&bo, "from Bo").await;
    assert!(!at_ana.request || !at_bo.request, "both wanted to talk");
    for (home, other) in [(&ana, &bo), (&bo, &ana)] {
        let other = other.account();
        home.until("open", |engine| {
            engine.chats().unwrap().iter().any(|chat| chat.chat == other && chat.state == "open")
        })
        .await;
    }
    ana.send("Bo", "in one chat").await;
    bo.expect(&ana, "in one chat").await;
    bo.send("Ana", "indeed").await;
    ana.expect(&bo, "indeed").await;
    assert_same_history(&ana, &bo);
}

#[tokio::test(start_paused = true)]
async fn who_is_blocked_is_not_heard() {
    let service = Service::start();
    let (ana, bo) = (Home::new(&service, "Ana").await, Home::new(&service, "Bo").await);
    ana.send(&bo.link(), "buy this").await;
    bo.expect(&ana, "buy this").await;
    bo.engine.block("Ana").unwrap();
    // The sender is not told.
    assert!(!ana.send(&bo.account(), "and this").await.queued);
    bo.engine.sync().await.unwrap();
    assert!(bo.engine.unshown(10).unwrap().is_empty());
    assert_eq!(bo.state(&ana.account()), "blocked");
    assert_eq!(bo.engine.send("Ana", "?").await.err().unwrap().kind(), Kind::Refused);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_so() {
    let service = Service::start();
    let ana = Home::new(&service, "Ana").await;
    let error = |who: &str| {
        let (engine, who) = (ana.engine.clone(), who.to_owned());
        async move { engine.send(&who, "?").await.err().unwrap().kind() }
    };
    assert_eq!(error("Bo").await, Kind::NotFound);
    assert_eq!(error(&nobody()).await, Kind::NotFound);
    assert_eq!(error(&service.link()).await, Kind::Usage);
    assert_eq!(error("undertone:damaged").await, Kind::Usage);
    let other = Service::start();
    let stranger = Home::new(&other, "Zoe").await;
    assert_eq!(error(&stranger.link()).await, Kind::Refused);
    assert!(ana.engine.chats().unwrap().is_empty(), "nothing is left of what cannot be");
}

#[tokio::test(start_paused = true)]
async fn a_note_to_self_is_a_chat() {
    let service = Service::start();
    let ana = Home::new(&service, "Ana").await;
    assert_eq!(ana.send("Ana", "milk").await.seq, Some(1));
    assert_eq!(ana.send(&ana.account(), "bread").await.seq, Some(2));
    assert_eq!(ana.history(&ana.account()).len(), 2);
    assert_eq!(ana.state(&ana.account()), "self");
    assert!(ana.engine.unshown(10).unwrap().is_empty(), "one's own words are not news");
}

#[tokio::test(start_paused = true)]
async fn letters_that_were_under_way_are_shown_before_what_came_by_the_channel() {
    let service = Service::start();
    let (ana, mut bo) = acquainted(&service).await;
    bo.offline().await;
    for n in 0..5 {
        ana.send("Bo", &format!("{n}")).await;
    }
    bo.online();
    for n in 0..5 {
        bo.expect(&ana, &format!("{n}")).await;
    }
    assert_same_history(&ana, &bo);
}
