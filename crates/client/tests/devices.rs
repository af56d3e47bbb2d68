//! Several devices of one person: linked, removed, lost and recovered. What one says all hear, and all have one history.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use support::{
    Home, PATIENCE, Peer, Service, Setup, Talk, acquainted, befriend, database, encoded, folder, has, linked,
    registered, they_talk, two_in_step,
};
use tokio::{sync::Notify, time::timeout};
use undertone_client::{Engine, Kind, Pace};
use undertone_wire::{
    AccountId,
    account::{PutInboxKeyRequest, ReadInboxRequest},
    channel::OpenRequest,
    circuit::Code,
    content::{Ask, Letter},
    visitor::{DeliverRequest, FetchContactRequest},
};

#[tokio::test]
async fn a_linked_device_has_every_chat_and_its_history() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    let (to_ana, to_bo) = (ana.account(), bo.account());
    ana.send(&to_ana, "a note").await;
    let phone = linked(Setup::at(&service), &ana).await;
    has(&phone, &to_bo, 2).await;
    has(&phone, &to_ana, 1).await;
    assert_eq!(phone.history(&to_bo), ana.history(&to_bo));
    assert_eq!(phone.chat(&to_bo).unwrap().name, "Bo");

    phone.send(&to_bo, "from my phone").await;
    bo.expect_from(&to_ana, "from my phone").await;
    has(&ana, &to_bo, 3).await;
    bo.send(&to_ana, "I see").await;
    has(&ana, &to_bo, 4).await;
    has(&phone, &to_bo, 4).await;
    assert_eq!(phone.history(&to_bo), ana.history(&to_bo));
    assert_eq!(phone.history(&to_bo), bo.history(&to_ana));
    phone.send(&to_ana, "a second note").await;
    has(&ana, &to_ana, 2).await;
    assert_eq!(phone.history(&to_ana), ana.history(&to_ana));
}

/// A letter may be lost to one device: expired, sealed to a key that it never had, taken by a service that cheats.
#[tokio::test]
async fn a_device_that_never_had_the_letter_comes_into_the_chat() {
    let service = Service::start();
    let (bo, ana) = (Home::new(&service, "Bo").await, Home::new(&service, "Ana").await);
    let door = service.door();
    let phone = linked(Setup::at(&door), &bo).await;
    has(&phone, &bo.account(), 0).await;
    door.lies.tell(|_: &ReadInboxRequest, reply| reply.entries.clear());
    befriend(&ana, &bo).await;
    let to_ana = ana.account();
    phone.until("let in", |engine| engine.history(&to_ana).is_ok_and(|history| history.len() == 2)).await;
    they_talk(&phone, &ana).await;
    assert_eq!(phone.history(&to_ana), bo.history(&to_ana));
}

/// With the delays that protect people, and without anybody in a hurry.
#[tokio::test(start_paused = true)]
async fn at_the_normal_pace_a_linked_device_has_its_chats_within_minutes() {
    const MINUTES: u64 = 5;
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    let to_bo = bo.account();
    let setup = Setup { pace: Pace::normal(), ..Setup::at(&service) };
    let ana = Home::open(ana.close().await, setup.clone());
    let phone = linked(setup, &ana).await;
    let mut changes = phone.engine.changes();
    let comes_in = async {
        let is_in = || phone.chat(&to_bo).is_some_and(|chat| chat.trouble.is_none());
        while !is_in() || phone.history(&to_bo).len() < 2 {
            changes.changed().await.unwrap();
        }
    };
    timeout(Duration::from_secs(60 * MINUTES), comes_in).await.expect("it is not let in");
    assert_eq!(phone.history(&to_bo), ana.history(&to_bo));
}

#[tokio::test]
async fn a_chat_begun_on_one_device_is_on_the_others() {
    let service = Service::start();
    let ana = Home::new(&service, "Ana").await;
    let phone = linked(Setup::at(&service), &ana).await;
    let bo = Home::new(&service, "Bo").await;
    let tablet = linked(Setup::at(&service), &bo).await;
    let (to_ana, to_bo) = (ana.account(), bo.account());
    phone.until("step", |engine| engine.chats().unwrap().iter().all(|chat| chat.trouble.is_none())).await;
    befriend(&ana, &bo).await;
    for (home, who) in [(&phone, &to_bo), (&tablet, &to_ana)] {
        has(home, who, 2).await;
    }
    tablet.send(&to_ana, "from the tablet").await;
    for (home, who) in [(&ana, &to_bo), (&phone, &to_bo), (&bo, &to_ana)] {
        has(home, who, 3).await;
        assert_eq!(home.history(who), tablet.history(&to_ana));
    }
}

#[tokio::test]
async fn a_removed_device_hears_and_says_nothing_more() {
    let service = Service::start();
    let folder = folder();
    let setup = Setup::at(&service);
    let engine = setup.open(&folder).unwrap();
    let words = engine.register(&service.link(), None, "Ana").await.unwrap().words;
    drop(engine);
    let ana = Home::open(folder, setup);
    let bo = Home::new(&service, "Bo").await;
    befriend(&ana, &bo).await;
    let (to_ana, to_bo) = (ana.account(), bo.account());
    let phone = linked(Setup::at(&service), &ana).await;
    let tablet = linked(Setup::at(&service), &ana).await;
    has(&phone, &to_bo, 2).await;
    has(&tablet, &to_bo, 2).await;

    let wrong = ana.engine.remove_device(2, &words.replace(' ', "  x ")).await.unwrap_err();
    assert_eq!(wrong.kind(), Kind::Usage);
    ana.engine.remove_device(2, &words).await.unwrap();
    ana.send(&to_bo, "only us now").await;
    bo.expect_from(&to_ana, "only us now").await;
    bo.send(&to_ana, "good").await;
    for home in [&ana, &tablet] {
        has(home, &to_bo, 4).await;
    }
    tablet.send(&to_bo, "I am still here").await;
    bo.expect_from(&to_ana, "I am still here").await;
    assert_eq!(ana.engine.devices().unwrap().iter().map(|device| device.number).collect::<Vec<_>>(), [1, 3]);

    let error = phone.sync().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Refused, "{error}");
    assert!(phone.try_send(&to_bo, "let me in").await.is_err());
    assert_eq!(phone.texts(&to_bo), ["hello", "hello yourself"]);
}

#[tokio::test]
async fn who_has_lost_everything_comes_back_by_his_words() {
    let service = Service::start();
    let folder = folder();
    let setup = Setup::at(&service);
    let engine = setup.open(&folder).unwrap();
    let words = engine.register(&service.link(), None, "Ana").await.unwrap().words;
    drop(engine);
    let ana = Home::open(folder, setup.clone());
    let bo = Home::new(&service, "Bo").await;
    befriend(&ana, &bo).await;
    let (to_ana, to_bo) = (ana.account(), bo.account());
    ana.sync().await.unwrap();
    ana.sync().await.unwrap();
    drop(ana.close().await);

    let folder = support::folder();
    let engine = setup.open(&folder).unwrap();
    let me = engine.recover(&service.link(), &words, "Ana").await.unwrap();
    assert_eq!((me.account.as_str(), me.name.as_str()), (to_ana.as_str(), "Ana"));
    drop(engine);
    let ana = Home::open(folder, setup);
    assert_eq!(ana.chat(&to_bo).unwrap().name, "Bo");
    ana.until("back", |engine| engine.chats().unwrap().iter().all(|chat| chat.trouble.is_none())).await;
    ana.send(&to_bo, "it is me").await;
    bo.expect_from(&to_ana, "it is me").await;
    bo.send(&to_ana, "welcome back").await;
    ana.expect_from(&to_bo, "welcome back").await;
}

async fn recovered(service: &Service, words: &str) -> Home {
    let (folder, setup) = (folder(), Setup::at(service));
    let engine = setup.open(&folder).unwrap();
    engine.recover(&service.link(), words, "unnamed").await.unwrap();
    drop(engine);
    Home::open(folder, setup)
}

/// Ana invites Bo, and all that she has kept by then is that she did.
async fn invited(ana: &Home, bo: &Home) {
    ana.send(&bo.link(), "hello").await;
    ana.sync().await.unwrap();
    ana.sync().await.unwrap();
}

async fn accepted(bo: &Home, ana: &Home) {
    bo.until("asked", |engine| engine.requests().unwrap().len() == 1).await;
    bo.engine.accept(&ana.account()).unwrap();
    bo.send(&ana.account(), "hello yourself").await;
}

#[tokio::test(start_paused = true)]
async fn what_was_said_to_who_lost_everything_is_said_again() {
    let service = Service::start();
    let (ana, words) = registered(&service, "Ana").await;
    let bo = Home::new(&service, "Bo").await;
    let (to_ana, to_bo) = (ana.account(), bo.account());
    invited(&ana, &bo).await;
    let mut ana = ana;
    ana.offline().await;
    accepted(&bo, &ana).await;
    bo.send(&to_ana, "nobody is there to hear it").await;
    drop(ana);

    let ana = recovered(&service, &words).await;
    ana.send(&to_bo, "it is me").await;
    ana.until("what Bo has said", |_| ana.texts(&to_bo).len() == 3).await;
    bo.until("the same", |_| bo.texts(&to_ana).len() == 4).await;
    assert_eq!(ana.texts(&to_bo), ["hello yourself", "nobody is there to hear it", "it is me"]);
    assert_eq!(bo.texts(&to_ana)[1..], ana.texts(&to_bo));
}

#[tokio::test(start_paused = true)]
async fn two_who_have_both_lost_everything_go_on() {
    let service = Service::start();
    let ((ana, anas_words), (bo, bos_words)) = (registered(&service, "Ana").await, registered(&service, "Bo").await);
    let (to_ana, to_bo) = (ana.account(), bo.account());
    invited(&ana, &bo).await;
    let mut ana = ana;
    ana.offline().await;
    accepted(&bo, &ana).await;
    bo.sync().await.unwrap();
    bo.sync().await.unwrap();
    drop((ana, bo.close().await));

    let (ana, bo) = (recovered(&service, &anas_words).await, recovered(&service, &bos_words).await);
    // Ana has never known that he accepted; Bo asks her for the way back, and she has none.
    let open =
        |home: &Home, who: &str| home.chat(who).is_some_and(|chat| chat.trouble.is_none() && chat.state == "open");
    bo.until("open", |_| open(&bo, &to_ana)).await;
    bo.send(&to_ana, "still there?").await;
    ana.expect_from(&to_bo, "still there?").await;
    ana.send(&to_bo, "again").await;
    bo.expect_from(&to_ana, "again").await;
}

#[tokio::test(start_paused = true)]
async fn who_is_invited_with_a_device_that_he_has_removed_comes_all_the_same() {
    let service = Service::start();
    let (mut ana, words) = registered(&service, "Ana").await;
    let mut phone = linked(Setup::at(&service), &ana).await;
    phone.until("in step", |engine| engine.chats().unwrap().iter().all(|chat| chat.trouble.is_none())).await;
    phone.offline().await;
    ana.offline().await;
    let bo = Home::new(&service, "Bo").await;
    bo.send(&ana.link(), "hello, you two").await;
    bo.sync().await.unwrap();

    let engine = ana.engine.clone();
    let (removed, ()) = tokio::join!(engine.remove_device(2, &words), async { ana.online() });
    removed.unwrap();
    ana.until("asked", |engine| engine.requests().unwrap().len() == 1).await;
    ana.engine.accept(&bo.account()).unwrap();
    ana.expect_from(&bo.account(), "hello, you two").await;
    ana.send(&bo.account(), "I am alone").await;
    bo.expect_from(&ana.account(), "I am alone").await;
    bo.send(&ana.account(), "so am I").await;
    ana.expect_from(&bo.account(), "so am I").await;
}

#[tokio::test(start_paused = true)]
async fn what_was_written_to_somebody_who_has_not_accepted_is_known_to_a_new_device() {
    let service = Service::start();
    let (ana, bo) = (Home::new(&service, "Ana").await, Home::new(&service, "Bo").await);
    ana.send(&bo.link(), "hello").await;
    let second = linked(Setup::at(&service), &ana).await;
    second.until("told", |engine| engine.history(&bo.account()).is_ok_and(|history| history.len() == 1)).await;
    bo.expect(&ana, "hello").await;
    bo.engine.accept(&ana.account()).unwrap();
    for (device, text) in [(&ana, "from the first"), (&second, "from the second")] {
        device.send(&bo.account(), text).await;
        bo.expect(&ana, text).await;
    }
    has(&ana, &bo.account(), 3).await;
    has(&second, &bo.account(), 3).await;
    assert_eq!(ana.texts(&bo.account()), second.texts(&bo.account()));
}

/// A new device may read an inbox before it is told whom the others know.
#[tokio::test(start_paused = true)]
async fn what_a_device_is_written_by_somebody_of_whom_it_does_not_know_is_kept() {
    let service = Service::start();
    let ana = Home::new(&service, "Ana").await;
    let phone = linked(Setup::at(&service), &ana).await;
    let bo = Peer::new(&service, "Bo").await;
    let talk = Talk::begin(&bo, bo.contact(AccountId::from_hex(&ana.account()).unwrap()).await).await;
    talk.write(&Letter { invitation: None, ..talk.letter(&[bo.text("more")]) }).await;
    let bo = bo.account().to_hex();
    for device in [&ana, &phone] {
        device.until("kept", |engine| engine.history(&bo).is_ok_and(|history| history.len() == 1)).await;
        assert_eq!(device.state(&bo), "request");
    }
}

/// The one with whom Bo has talked is removed, and had not told the other of him.
#[tokio::test(start_paused = true)]
async fn who_was_known_to_a_removed_device_alone_is_let_in_by_another() {
    let service = Service::start();
    let (ana, words) = registered(&service, "Ana").await;
    let mut phone = linked(Setup::at(&service), &ana).await;
    phone.until("in step", |engine| engine.chats().unwrap().iter().all(|chat| chat.trouble.is_none())).await;
    phone.offline().await;
    ana.engine.remove_device(2, &words).await.unwrap();
    let bo = Peer::new(&service, "Bo").await;
    let talk = Talk::begin(&bo, bo.contact(AccountId::from_hex(&ana.account()).unwrap()).await).await;
    let ask = Ask { key_package: bo.noise(8), ..Ask::default() };
    talk.write(&Letter { invitation: None, ask: Some(ask), ..talk.letter(&[]) }).await;
    ana.until("asked", |engine| engine.requests().unwrap().len() == 1).await;
    ana.engine.accept(&bo.account().to_hex()).unwrap();
    ana.sync().await.unwrap();
    // It asks in turn, and who hears that goes on in a fresh channel.
    let asked_in_turn = async {
        while bo.letters().await.iter().all(|(_, letter)| letter.ask.is_none()) {
            ana.sync().await.unwrap();
        }
    };
    timeout(PATIENCE, asked_in_turn).await.unwrap();
}

fn numbers(home: &Home) -> Vec<u32> {
    home.engine.devices().unwrap().iter().map(|device| device.number).collect()
}

/// The phone is linked while the first device is away, and begins the chat with oneself without it.
#[tokio::test(start_paused = true)]
async fn who_is_let_into_the_chat_with_oneself_speaks_in_it() {
    let service = Service::start();
    let mut ana = Home::new(&service, "Ana").await;
    ana.sync().await.unwrap();
    ana.offline().await;
    let phone = linked(Setup::at(&service), &ana).await;
    let to_ana = ana.account();
    phone.until("begun", |engine| engine.chats().unwrap().iter().all(|chat| chat.trouble.is_none())).await;
    phone.sync().await.unwrap();
    // So she begins none of her own.
    service.lies.deny::<FetchContactRequest>(|_| Some(Code::Unavailable.into()));
    ana.online();
    ana.send(&to_ana, "a note").await;
    has(&phone, &to_ana, 1).await;
    phone.send(&to_ana, "another").await;
    has(&ana, &to_ana, 2).await;
}

/// The new list is put, and the service goes away before it has the key that letters are sealed to.
#[tokio::test(start_paused = true)]
async fn who_was_linked_before_letters_can_be_sealed_is_let_in_all_the_same() {
    let service = Service::start();
    let (mut ana, words) = registered(&service, "Ana").await;
    ana.sync().await.unwrap();
    ana.offline().await;
    let mut phone = linked(Setup::at(&service), &ana).await;
    phone.offline().await;
    service.lies.deny::<PutInboxKeyRequest>(|_| Some(Code::Unavailable.into()));
    ana.online();
    ana.engine.remove_device(2, &words).await.unwrap();
    let tablet = linked(Setup::at(&service), &ana).await;
    service.lies.stop();
    let to_ana = ana.account();
    ana.send(&to_ana, "a note").await;
    has(&tablet, &to_ana, 1).await;
    let bo = Home::new(&service, "Bo").await;
    befriend(&bo, &ana).await;
    has(&tablet, &bo.account(), 2).await;
}

/// The phone links a tablet, and is removed by a device that does not know of it.
#[tokio::test(start_paused = true)]
async fn who_was_linked_by_a_device_that_is_removed_stays() {
    let service = Service::start();
    let (mut ana, phone, words) = two_in_step(&service).await;
    let bo = Home::new(&service, "Bo").await;
    befriend(&ana, &bo).await;
    let (to_ana, to_bo) = (ana.account(), bo.account());
    has(&phone, &to_bo, 2).await;
    ana.offline().await;
    let tablet = linked(Setup::at(&service), &phone).await;

    let engine = ana.engine.clone();
    let (removed, ()) = tokio::join!(engine.remove_device(2, &words), async { ana.online() });
    removed.unwrap();
    assert_eq!(numbers(&ana), [1, 3]);
    has(&tablet, &to_bo, 2).await;
    bo.send(&to_ana, "who is there?").await;
    for home in [&ana, &tablet] {
        has(home, &to_bo, 3).await;
    }
    tablet.send(&to_bo, "two of us").await;
    bo.expect_from(&to_ana, "two of us").await;
    has(&ana, &to_bo, 4).await;
    assert_eq!(numbers(&tablet), [1, 3]);
    let error = phone.sync().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Refused, "{error}");
    assert_eq!(phone.texts(&to_bo), ["hello", "hello yourself"]);
}

#[tokio::test(start_paused = true)]
async fn what_two_devices_remove_at_once_both_is_gone() {
    let service = Service::start();
    let (mut ana, phone, words) = two_in_step(&service).await;
    let tablet = linked(Setup::at(&service), &ana).await;
    let watch = linked(Setup::at(&service), &phone).await;
    for home in [&ana, &phone] {
        home.until("all known", |_| numbers(home).len() == 4).await;
    }
    ana.offline().await;
    phone.engine.remove_device(3, &words).await.unwrap();
    let engine = ana.engine.clone();
    let (removed, ()) = tokio::join!(engine.remove_device(4, &words), async { ana.online() });
    removed.unwrap();
    for home in [&ana, &phone] {
        home.until("both are gone", |_| numbers(home) == [1, 2]).await;
    }
    for home in [&tablet, &watch] {
        assert_eq!(home.sync().await.unwrap_err().kind(), Kind::Refused);
    }
    ana.send(&ana.account(), "only we two").await;
    has(&phone, &ana.account(), 1).await;
}

/// Each begins the chat before it can tell the other of it, and only one of the two beginnings goes on.
#[tokio::test(start_paused = true)]
async fn who_is_written_to_by_two_devices_lets_both_in() {
    let service = Service::start();
    let door = service.door();
    let bo = Home::new(&door, "Bo").await;
    let to_bo = bo.account();
    let account = AccountId::from_hex(&to_bo).unwrap();
    door.lies.deny(move |request: &DeliverRequest| {
        (request.account[..] == account.as_bytes()[..]).then(|| Code::Exhausted.into())
    });
    let phone = linked(Setup::at(&door), &bo).await;
    let ana = Home::new(&service, "Ana").await;
    for device in [&bo, &phone] {
        device.send(&ana.link(), "hello").await;
    }
    ana.until("both", |engine| engine.history(&to_bo).is_ok_and(|history| history.len() == 2)).await;
    ana.engine.accept(&to_bo).unwrap();
    ana.send(&to_bo, "you two").await;
    for device in [&bo, &phone] {
        device.until("let in", |_| device.texts(&ana.account()).contains(&"you two".to_owned())).await;
        device.send(&ana.account(), "heard").await;
    }
    ana.until("both answers", |_| ana.texts(&to_bo).len() == 5).await;
}

/// The phone asks Bo, as if it had stood in another channel, and the other device has told it of none.
#[tokio::test(start_paused = true)]
async fn who_is_let_in_by_the_other_has_from_his_own_devices_what_they_have_said() {
    let service = Service::start();
    let (ana, phone, _) = two_in_step(&service).await;
    let bo = Home::new(&service, "Bo").await;
    befriend(&ana, &bo).await;
    let to_bo = bo.account();
    has(&phone, &to_bo, 2).await;
    let (setup, folder) = (phone.setup.clone(), phone.close().await);
    let elsewhere = format!(
        "UPDATE chats SET channel = x'{}', trouble = 1, asked = 1 WHERE hex(peer) = upper('{to_bo}')",
        "ff".repeat(16)
    );
    database(&folder).execute_batch(&elsewhere).unwrap();
    ana.send(&to_bo, "while the phone was elsewhere").await;
    let phone = Home::open(folder, setup);
    has(&phone, &to_bo, 3).await;
    assert_eq!(phone.history(&to_bo), ana.history(&to_bo));
}

/// The letter that leads the tablet in cannot be delivered, or paid for.
#[tokio::test(start_paused = true)]
async fn who_cannot_deliver_a_letter_talks_with_those_who_are_there() {
    let service = Service::start();
    let door = service.door();
    let (ana, mut phone, _) = two_in_step(&door).await;
    phone.offline().await;
    let tried = Arc::new(Notify::new());
    let trying = tried.clone();
    door.lies.deny(move |_: &DeliverRequest| {
        trying.notify_one();
        Some(Code::Exhausted.into())
    });
    let _tablet = linked(Setup::at(&service), &ana).await;
    timeout(PATIENCE, tried.notified()).await.unwrap();
    ana.send(&ana.account(), "a note").await;
    phone.online();
    has(&phone, &ana.account(), 1).await;
}

/// It reads its inbox before it hears of the key that was made when another device was removed.
#[tokio::test(start_paused = true)]
async fn what_is_sealed_to_a_key_that_is_yet_to_be_told_waits_for_it() {
    let service = Service::start();
    let door = service.door();
    let (ana, words) = registered(&service, "Ana").await;
    let mut phone = linked(Setup::at(&door), &ana).await;
    let _tablet = linked(Setup::at(&service), &ana).await;
    for home in [&ana, &phone] {
        let in_step = |engine: &Engine| engine.chats().unwrap().iter().all(|chat| chat.trouble.is_none());
        home.until("all known", |engine| numbers(home).len() == 3 && in_step(engine)).await;
    }
    phone.offline().await;
    ana.engine.remove_device(3, &words).await.unwrap();
    let bo = Peer::new(&service, "Bo").await;
    let to_ana = bo.contact(AccountId::from_hex(&ana.account()).unwrap()).await;
    let contents = vec![encoded(&bo.text("hello"))];
    let letter = Letter { channel: Bytes::from_static(&[7; 16]), contents, ..Letter::default() };
    bo.seal_and_deliver(&to_ana, &bo.written(to_ana.list.account(), &letter)).await;

    door.lies.deny::<OpenRequest>(|_| Some(Code::Unavailable.into()));
    let read = Arc::new(Notify::new());
    let reading = read.clone();
    door.lies.tell(move |_: &ReadInboxRequest, _| reading.notify_one());
    phone.online();
    timeout(PATIENCE, read.notified()).await.unwrap();
    let _ = phone.sync().await;
    let to_bo = bo.account().to_hex();
    assert!(phone.chat(&to_bo).is_none(), "it cannot open that yet");
    door.lies.stop();
    for home in [&ana, &phone] {
        home.until("hello", |_| home.chat(&to_bo).is_some() && home.texts(&to_bo) == ["hello"]).await;
    }
}
