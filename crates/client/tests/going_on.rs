//! Stories of a chat that goes on, whatever happens to its ends.

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
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use support::{Home, PATIENCE, Peer, Service, Talk, acquainted, assert_same_history, database};
use tokio::time::{sleep, timeout};
use undertone_client::{Delay, Kind, Pace};
use undertone_wire::{
    channel::{Channel, OpenRequest, ReadRequest, ResumeRequest},
    rpc::{Method as _, Service as _},
};

#[tokio::test(start_paused = true)]
async fn what_is_written_offline_arrives_later_in_order() {
    let mut service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    service.go_away().await;
    for n in 0..10 {
        assert!(ana.send("Bo", &format!("{n}")).await.queued);
    }
    let ana = ana.reopen().await;
    service.listen();
    for n in 0..10 {
        bo.expect(&ana, &format!("{n}")).await;
    }
    ana.until("nothing queued", |engine| engine.history("Bo").unwrap().iter().all(|message| !message.queued)).await;
    assert_same_history(&ana, &bo);
}

/// A phone with hundreds of chats comes back many times a day.
#[tokio::test(start_paused = true)]
async fn who_comes_back_reads_nothing_that_he_has() {
    let mut service = Service::start();
    let (ana, mut bo) = acquainted(&service).await;
    bo.sync().await.unwrap();
    let mut ana = ana;
    ana.offline().await;
    let reads = Arc::new(AtomicU32::new(0));
    let counted = reads.clone();
    service.lies.watch(move |kind, method, _| {
        if (kind, method) == (Channel::KIND, ReadRequest::NUMBER) {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    // By tickets, by signatures, in another process.
    service.go_away().await;
    service.listen();
    bo.sync().await.unwrap();
    service.restart().await;
    bo.sync().await.unwrap();
    bo = bo.reopen().await;
    bo.sync().await.unwrap();
    assert_eq!(reads.load(Ordering::Relaxed), 0);

    bo.offline().await;
    ana.online();
    assert!(!ana.send("Bo", "while you were away").await.queued);
    ana.offline().await;
    reads.store(0, Ordering::Relaxed);
    bo.online();
    bo.expect(&ana, "while you were away").await;
    assert_eq!(reads.load(Ordering::Relaxed), 1);
}

/// As if it were said between opening and following.
#[tokio::test(start_paused = true)]
async fn what_comes_before_a_chat_is_followed_is_not_missed() {
    let service = Service::start();
    let (ana, mut bo) = acquainted(&service).await;
    bo.offline().await;
    assert!(!ana.send("Bo", "in that moment").await.queued);
    service.lies.tell(|_: &OpenRequest, reply| reply.opened.iter_mut().for_each(|opened| opened.result = None));
    service.lies.tell(|_: &ResumeRequest, reply| reply.opened.iter_mut().for_each(|opened| opened.result = None));
    bo.online();
    bo.expect(&ana, "in that moment").await;
}

/// So many and so long that they go in several appends, and each as full as the service takes it.
/// Closes a home, and has it find its database as this statement leaves it.
async fn with_database(home: Home, statement: &str) -> Home {
    let setup = home.setup.clone();
    let folder = home.close().await;
    database(&folder).execute_batch(statement).unwrap();
    Home::open(folder, setup)
}

/// As if the service had shown Ana another history up to where she has read, and her secrets had failed there.
#[tokio::test(start_paused = true)]
async fn who_was_shown_another_history_hears_all_again() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    bo.send("Ana", "in a history that was not shown").await;
    ana.expect(&bo, "in a history that was not shown").await;
    let lost = "DELETE FROM messages WHERE n = (SELECT max(n) FROM messages);
                UPDATE chats SET chain = zeroblob(32), trouble = 1";
    let ana = with_database(ana, lost).await;
    ana.expect(&bo, "in a history that was not shown").await;
    assert_same_history(&ana, &bo);
}

/// Ana cannot read her channel, and goes on in another: where she stood, she has told nobody.
#[tokio::test(start_paused = true)]
async fn who_is_lost_and_goes_on_elsewhere_hears_what_was_said_meanwhile() {
    let service = Service::start();
    let (mut ana, bo) = acquainted(&service).await;
    ana.offline().await;
    bo.send("Ana", "while you were lost").await;
    // Of a channel that was locked by keys that are not the chat's.
    let ana = with_database(ana, "UPDATE chats SET trouble = 6").await;
    ana.expect(&bo, "while you were lost").await;
    ana.send("Bo", "here I am").await;
    bo.expect(&ana, "here I am").await;
    assert_same_history(&ana, &bo);
}

/// Bo asks for the way, is added again, and does not come: he may have found a better channel in the meantime.
#[tokio::test(start_paused = true)]
async fn what_was_said_to_who_was_added_and_has_not_come_is_said_again() {
    let service = Service::start();
    let ana = Home::new(&service, "Ana").await;
    let bo = Peer::new(&service, "Bo").await;
    let to_bo = bo.account().to_hex();
    let talk = Talk::open_with(&bo, &ana).await;
    talk.write(&talk.asking()).await;
    invited(&bo, 1).await;
    ana.send(&to_bo, "when you come").await;

    let _ana = with_database(ana, "UPDATE chats SET fresh = 1").await;
    invited(&bo, 2).await;
    let mut next = Talk::join(&bo).await;
    let said = async {
        let mut heard = next.read().await;
        while heard.is_empty() {
            sleep(Duration::from_millis(10)).await;
            heard = next.read().await;
        }
        heard
    };
    assert_eq!(timeout(PATIENCE, said).await.unwrap(), ["when you come"]);
}

/// So many letters have come.
async fn invited(peer: &Peer, letters: usize) {
    let come = async {
        while peer.letters().await.len() < letters {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, come).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_long_queue_of_any_lengths_arrives() {
    let mut service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    for length in [600, 1_000, 1_900, 3_900, 7_900, 60_000] {
        service.go_away().await;
        let texts: Vec<String> = (0..70).map(|n| format!("{n} {}", "x".repeat(length - 3))).collect();
        for text in &texts {
            assert!(ana.send("Bo", text).await.queued);
        }
        service.listen();
        for text in &texts {
            bo.expect(&ana, text).await;
        }
    }
    ana.until("acknowledged", |engine| engine.history("Bo").unwrap().iter().all(|message| !message.queued)).await;
    assert_same_history(&ana, &bo);
}

#[tokio::test(start_paused = true)]
async fn a_long_queue_for_a_stranger_goes_in_one_pass() {
    let mut service = Service::start();
    let slow = Pace { inbox: Delay::ms(3_600_000, 3_600_000), ..Pace::eager() };
    let ana = Home::with_pace(&service, "Ana", slow).await;
    let bo = Home::new(&service, "Bo").await;
    service.go_away().await;
    for n in 0..150 {
        assert!(ana.send(&bo.link(), &n.to_string()).await.queued);
    }
    service.listen();
    for n in 0..150 {
        bo.expect(&ana, &n.to_string()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn many_messages_both_ways_at_once_arrive_once_and_in_order() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    let write = |home: &Home, to: &'static str| {
        let engine = home.engine.clone();
        tokio::spawn(async move {
            for n in 0..100 {
                engine.send(to, &format!("{n}")).await.unwrap();
            }
        })
    };
    let (one, other) = (write(&ana, "Bo"), write(&bo, "Ana"));
    for n in 0..100 {
        bo.expect(&ana, &format!("{n}")).await;
    }
    for n in 0..100 {
        ana.expect(&bo, &format!("{n}")).await;
    }
    one.await.unwrap();
    other.await.unwrap();
    assert_same_history(&ana, &bo);
}

#[tokio::test(start_paused = true)]
async fn keys_are_renewed_when_the_speaker_changes() {
    let service = Service::start();
    let pace = Pace { self_update_ms: 0, ..Pace::eager() };
    let ana = Home::with_pace(&service, "Ana", pace.clone()).await;
    let bo = Home::with_pace(&service, "Bo", pace).await;
    ana.send(&bo.link(), "hello").await;
    bo.expect(&ana, "hello").await;
    bo.engine.accept("Ana").unwrap();
    let mut last = bo.send("Ana", "0").await.seq.unwrap();
    ana.expect(&bo, "0").await;
    for n in 1..6 {
        let (one, other, name) = if n % 2 == 1 { (&ana, &bo, "Bo") } else { (&bo, &ana, "Ana") };
        let seq = one.send(name, &format!("{n}")).await.seq.unwrap();
        assert_eq!(seq, last + 2, "a commit goes before each change of speaker");
        last = seq;
        other.expect(one, &format!("{n}")).await;
    }
    assert_same_history(&ana, &bo);
}

#[tokio::test(start_paused = true)]
async fn every_length_and_every_letter_arrives() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    let long = "ü".repeat(30_000);
    for text in ["x", " ", "\u{202e}\u{0}\u{1b}[31m", "👩‍👩‍👧‍👦 ہیلو שלום", &long] {
        ana.send("Bo", text).await;
        bo.expect(&ana, text).await;
    }
    let error = |text: String| {
        let engine = ana.engine.clone();
        async move { engine.send("Bo", &text).await.err().unwrap().kind() }
    };
    assert_eq!(error(String::new()).await, Kind::Usage);
    assert_eq!(error("x".repeat(60_001)).await, Kind::Usage);
}

#[tokio::test(start_paused = true)]
async fn a_long_first_message_arrives_too() {
    let service = Service::start();
    let (ana, bo) = (Home::new(&service, "Ana").await, Home::new(&service, "Bo").await);
    let long = "x".repeat(60_000);
    ana.send(&bo.link(), &long).await;
    bo.expect(&ana, &long).await;
    // So long that each needs a letter of its own.
    ana.send(&bo.account(), &long).await;
    bo.expect(&ana, &long).await;
}

#[tokio::test(start_paused = true)]
async fn the_channel_is_not_touched_before_its_time() {
    let service = Service::start();
    let slow = Pace { after_acceptance: Delay::ms(3_600_000, 3_600_000), ..Pace::eager() };
    let ana = Home::new(&service, "Ana").await;
    let bo = Home::with_pace(&service, "Bo", slow).await;
    ana.send(&bo.link(), "hello").await;
    bo.expect(&ana, "hello").await;
    bo.engine.accept("Ana").unwrap();
    bo.engine.sync().await.unwrap();
    ana.engine.sync().await.unwrap();
    assert_eq!(ana.state(&bo.account()), "invited", "nothing came back yet");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_service_gets_nothing() {
    let service = Service::start();
    let impostor = Service::start();
    let folder = support::folder();
    let ana = support::open_at(&folder, &impostor);
    let error = ana.register(&service.link(), None, "Ana").await.err().unwrap();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(ana.whoami().is_err(), "nothing is kept of what did not come to be");
}
