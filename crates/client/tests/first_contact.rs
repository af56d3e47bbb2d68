//! Stories of people who meet.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use rand::rngs::StdRng;
use support::{Home, PATIENCE, Peer, Service, Talk, acquainted, assert_same_history, encoded, nobody};
use tokio::{sync::Notify, time::timeout};
use undertone_client::{Engine, Kind};
use undertone_e2ee::{Generation, write_letter};
use undertone_wire::{
    Message as _,
    channel::{AppendRequest, EntryKind},
    circuit::Code,
    content::{Content, Invitation, Letter},
};

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
    write_at_once(&mut ana, &mut bo).await;
    let at_bo = bo.expect(&ana, "hello").await;
    let at_ana = ana.expect(&bo, "hello").await;
    assert!(!at_ana.request || !at_bo.request, "both wanted to talk");
    until_open(&ana, &bo).await;
    ana.send("Bo", "in one chat").await;
    bo.expect(&ana, "in one chat").await;
    bo.send("Ana", "indeed").await;
    ana.expect(&bo, "indeed").await;
    assert_same_history(&ana, &bo);
}

/// Whose channel does not go on is kept from closing it for a while, and writes meanwhile: by letter.
#[tokio::test(start_paused = true)]
async fn what_closes_a_channel_goes_into_no_letter() {
    let service = Service::start();
    let doors = [service.door(), service.door()];
    let (one, other) = (Home::new(&doors[0], "One").await, Home::new(&doors[1], "Other").await);
    let ones_goes_on = one.account() < other.account();
    let (mut ana, mut bo, door) = if ones_goes_on { (one, other, &doors[1]) } else { (other, one, &doors[0]) };
    let closing = Arc::new(Notify::new());
    let tried = closing.clone();
    door.lies.deny::<AppendRequest>(move |_| {
        tried.notify_one();
        Some(Code::Unavailable.into())
    });
    write_at_once(&mut ana, &mut bo).await;
    ana.expect(&bo, "hello").await;
    bo.expect(&ana, "hello").await;
    closing.notified().await;
    bo.send(&ana.account(), "still by letter").await;
    ana.expect(&bo, "still by letter").await;
    door.lies.stop();
    until_open(&ana, &bo).await;
    bo.send(&ana.account(), "by the log").await;
    ana.expect(&bo, "by the log").await;
    assert_same_history(&ana, &bo);
}

/// Each writes to the other before either can have read.
async fn write_at_once(one: &mut Home, other: &mut Home) {
    one.offline().await;
    other.offline().await;
    let sends = [(&*one, other.link()), (&*other, one.link())].map(|(home, link)| {
        let engine = home.engine.clone();
        tokio::spawn(async move { engine.send(&link, "hello").await.unwrap() })
    });
    one.until("written", |engine| !engine.chats().unwrap().is_empty()).await;
    other.until("written", |engine| !engine.chats().unwrap().is_empty()).await;
    one.online();
    other.online();
    for sent in sends {
        assert!(!sent.await.unwrap().queued);
    }
}

async fn until_open(one: &Home, other: &Home) {
    for (home, other) in [(one, other.account()), (other, one.account())] {
        home.until("open", |engine| {
            engine.chats().unwrap().iter().any(|chat| chat.chat == other && chat.state == "open")
        })
        .await;
    }
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

/// He may never have read the invitation: whoever shows such a log may have written it himself.
#[tokio::test]
async fn who_cannot_read_the_channel_that_he_has_invited_to_invites_again() {
    let service = Service::start();
    let bo = Peer::new(&service, "Bo").await;
    let ana = Home::new(&service, "Ana").await;
    let to_bo = ana.send(&bo.link(), "hello").await.chat;
    let mut talk = Talk::answer(&bo).await;
    let body = talk.wrap(EntryKind::Commit, &bo.noise(400));
    let foreign = Generation::generate(&mut rand::make_rng::<StdRng>());
    assert!(talk.append_installing(EntryKind::Commit, body, foreign.installs().to_vec().into()).await);

    let invited_again = async {
        while bo.letters().await.len() < 2 {
            ana.sync().await.unwrap();
        }
    };
    timeout(PATIENCE, invited_again).await.unwrap();
    assert!(ana.chat(&to_bo).unwrap().trouble.is_none() && ana.state(&to_bo) == "invited");
    let sent = ana.send(&to_bo, "are you there?").await;
    assert!(!sent.queued && sent.seq.is_none());
    let (_, last) = bo.letters().await.pop().unwrap();
    assert!(last.part == 1 && last.channel != Bytes::from(talk.channel) && last.contents.len() == 1);
}

/// Whoever invites may not know of what the invited knows: of a device of his that was removed, for one.
#[tokio::test(start_paused = true)]
async fn what_comes_with_an_invitation_that_leads_nowhere_is_heard_from_a_contact() {
    let service = Service::start();
    let bo = Home::new(&service, "Bo").await;
    let ana = Peer::new(&service, "Ana").await;
    let mut talk = Talk::open_with(&ana, &bo).await;
    let next = Talk::begin(&ana, ana.contact(talk.with.list.account()).await).await;
    let mut letter = next.letter(&[ana.text("all the same")]);
    letter.part = 1;
    letter.invitation = letter.invitation.map(|way| Invitation { part: 1, generation_secret: Bytes::new(), ..way });
    next.write(&letter).await;
    bo.sync().await.unwrap();
    bo.expect_from(&ana.account().to_hex(), "all the same").await;
    talk.goes_on(&bo, "where we were").await;
}

/// Whoever holds a device that was removed holds its key, and the list that named it.
#[tokio::test(start_paused = true)]
async fn who_was_removed_writes_no_letters() {
    let service = Service::start();
    let bo = Home::new(&service, "Bo").await;
    let ana = Peer::new(&service, "Ana").await;
    let talk = Talk::open_with(&ana, &bo).await;
    let letter = |text| Letter {
        channel: Bytes::from(talk.channel),
        contents: vec![encoded(&ana.text(text))],
        part: 1,
        ..Letter::default()
    };
    let (list, device) = ana.replaced();
    let written = write_letter(&list, 2, &device, talk.with.list.account(), &letter("I have lost my phone"));
    ana.seal_and_deliver(&talk.with, &written).await;
    // It may have been written before.
    let early = Letter { first_index: 1, ..letter("soon without battery") };
    talk.write(&early).await;
    bo.sync().await.unwrap();
    let of_ana = ana.account().to_hex();
    bo.expect_from(&of_ana, "I have lost my phone").await;
    bo.expect_from(&of_ana, "soon without battery").await;
    // Now his inbox was read to its end since.
    bo.sync().await.unwrap();

    let before = bo.texts(&of_ana);
    talk.write(&Letter { first_index: 2, ..letter("send me your address") }).await;
    bo.sync().await.unwrap();
    assert_eq!(bo.texts(&of_ana), before);
    let later = Letter { first_index: 1, ..letter("it is me") };
    let written = write_letter(&list, 2, &device, talk.with.list.account(), &later);
    ana.seal_and_deliver(&talk.with, &written).await;
    bo.sync().await.unwrap();
    bo.expect_from(&of_ana, "it is me").await;
}

/// A device may tell its others what it has written, and be removed before the service had it: the letter never comes.
#[tokio::test(start_paused = true)]
async fn what_the_log_says_waits_for_letters_until_the_inbox_was_read() {
    let service = Service::start();
    let bo = Home::new(&service, "Bo").await;
    let ana = Peer::new(&service, "Ana").await;
    let mut talk = Talk::open_with(&ana, &bo).await;
    let of_ana = ana.account().to_hex();
    let has = |texts: usize| {
        let chat = of_ana.clone();
        move |engine: &Engine| engine.history(&chat).is_ok_and(|history| history.len() == texts)
    };
    let second = Content { letters: 2, ..ana.text("second") };
    talk.say_content(&second.encode_to_vec()).await;
    bo.until("it has come", has(2)).await;
    assert!(bo.take_new().is_none(), "shown before what was written before it");
    let first = Letter {
        channel: Bytes::from(talk.channel),
        contents: vec![encoded(&ana.text("first"))],
        first_index: 1,
        ..Letter::default()
    };
    talk.write(&first).await;
    bo.sync().await.unwrap();
    bo.expect_from(&of_ana, "first").await;
    bo.expect_from(&of_ana, "second").await;

    let third = Content { letters: 3, ..ana.text("third") };
    talk.say_content(&third.encode_to_vec()).await;
    bo.until("it has come", has(4)).await;
    assert!(bo.take_new().is_none(), "shown before a letter that may come");
    bo.sync().await.unwrap();
    bo.expect_from(&of_ana, "third").await;
}
