//! Several devices of people in groups: each comes in by itself, and all have one history.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use std::sync::atomic::{AtomicU32, Ordering};

use support::{
    Home, Service, Setup, befriend, folder,
    groups::{TITLE, act, agree, create, says, three, titled, view},
    has, linked, registered, they_talk,
};
use tokio::task::yield_now;
use undertone_client::{ClientError, GroupAct, GroupRole, GroupText};
use undertone_wire::{
    channel::{OpenRequest, PresentRequest},
    circuit::Code,
    visitor::DeliverRequest,
};

#[tokio::test]
async fn a_device_that_comes_later_is_in_every_group() {
    let service = Service::start();
    let [ana, bo, cy] = three(&service).await;
    create(&ana, &titled(&[&bo, &cy])).await;
    agree(&[&ana, &bo, &cy], 3).await;
    says(&bo, "before the phone", &[&ana, &cy]).await;
    let phone = linked(Setup::at(&service), &bo).await;
    agree(&[&ana, &bo, &cy, &phone], 3).await;
    let id = view(&bo).group;
    has(&phone, &id, 1).await;
    says(&phone, "from my phone", &[&ana, &cy]).await;
    says(&ana, "I see", &[&cy]).await;
    for home in [&bo, &cy, &phone] {
        has(home, &id, 3).await;
        assert_eq!(home.history(TITLE), ana.history(TITLE));
    }
}

#[tokio::test]
async fn a_group_that_one_device_makes_is_the_others_too() {
    let service = Service::start();
    let [ana, bo, _] = three(&service).await;
    let phone = linked(Setup::at(&service), &ana).await;
    has(&phone, &bo.account(), ana.history(&bo.account()).len()).await;
    create(&phone, &titled(&[&bo])).await;
    ana.until("knows", |engine| engine.group(TITLE).is_ok()).await;
    agree(&[&phone, &ana, &bo], 2).await;
    says(&ana, "mine too", &[&bo]).await;
}

/// Each device comes in by itself, when it can: what was said until then, it has from another.
#[tokio::test]
async fn what_is_said_before_a_device_comes_in_is_not_lost_to_it() {
    let service = Service::start();
    let [ana, bo, cy] = three(&service).await;
    let mut phone = linked(Setup::at(&service), &bo).await;
    has(&phone, &ana.account(), bo.texts(&ana.account()).len()).await;
    they_talk(&phone, &ana).await;
    phone.offline().await;
    create(&ana, &titled(&[&cy])).await;
    act(&ana, GroupAct::Invite(vec![bo.account()], GroupRole::Member)).await;
    bo.until("invited", |engine| engine.group(TITLE).is_ok_and(|view| view.state == "invited")).await;
    bo.engine.group_accept(TITLE).await.unwrap();
    agree(&[&ana, &bo, &cy], 3).await;
    while bo.take_new().is_some() {}
    says(&ana, "while it is off", &[&bo, &cy]).await;
    phone.online();
    has(&phone, &view(&bo).group, 1).await;
    says(&phone, "I have it", &[&ana, &cy]).await;
    has(&bo, &view(&bo).group, 2).await;
    assert_eq!(phone.history(TITLE), bo.history(TITLE));
}

/// Letters and logs come by different ways: that somebody is let in again may be heard before that he was put out.
#[tokio::test]
async fn who_hears_first_that_he_is_in_again_and_then_that_he_was_out_is_in() {
    let service = Service::start();
    let [ana, mut bo, cy] = three(&service).await;
    create(&ana, &titled(&[&bo, &cy])).await;
    agree(&[&ana, &bo, &cy], 3).await;
    bo.offline().await;
    act(&ana, GroupAct::Remove("Bo".into())).await;
    act(&ana, GroupAct::Add(vec![bo.account()], GroupRole::Member)).await;
    agree(&[&ana, &cy], 3).await;
    let door = service.door();
    door.lies.deny::<OpenRequest>(|_| Some(Code::Unavailable.into()));
    let bo = bo.reopen_at(&door).await;
    // Of what channels hold he reads nothing yet.
    bo.sync().await.unwrap_err();
    assert_eq!(view(&bo).revision, 1, "he has not read that he was put out");
    door.lies.stop();
    agree(&[&ana, &bo, &cy], 3).await;
    says(&bo, "out, was I?", &[&ana, &cy]).await;
}

/// Nor does what a device hears of its person's others come in the order of the group's log.
#[tokio::test]
async fn who_hears_first_that_another_device_is_in_again_and_then_that_he_was_out_is_in() {
    let service = Service::start();
    let [ana, bo, cy] = three(&service).await;
    create(&ana, &titled(&[&bo, &cy])).await;
    agree(&[&ana, &bo, &cy], 3).await;
    let mut phone = linked(Setup::at(&service), &bo).await;
    agree(&[&ana, &bo, &cy, &phone], 3).await;
    phone.offline().await;
    act(&ana, GroupAct::Remove("Bo".into())).await;
    bo.until("out", |engine| engine.group(TITLE).is_ok_and(|view| view.state == "out")).await;
    act(&ana, GroupAct::Invite(vec![bo.account()], GroupRole::Member)).await;
    bo.until("invited", |engine| engine.group(TITLE).is_ok_and(|view| view.state == "invited")).await;
    bo.engine.group_accept(TITLE).await.unwrap();
    agree(&[&ana, &bo, &cy], 3).await;
    assert!(!bo.send(&bo.account(), "in again").await.queued);

    let appended = service.store().appended();
    let channel = appended.iter().find(|append| append.record.is_some()).unwrap().channel;
    let door = service.door();
    door.lies.deny(move |request: &OpenRequest| {
        let denies = request.openings.iter().any(|opening| opening.channel[..] == channel.as_bytes()[..]);
        denies.then(|| Code::Unavailable.into())
    });
    let phone = phone.reopen_at(&door).await;
    has(&phone, &bo.account(), 1).await;
    assert!(view(&phone).revision < view(&bo).revision, "it has not read that Bo was put out");
    door.lies.stop();
    agree(&[&ana, &bo, &cy, &phone], 3).await;
    says(&phone, "back in step", &[&ana, &cy]).await;
}

/// Who is put out has wanted something that is not done any more, and is told so.
#[tokio::test]
async fn what_somebody_wants_who_is_put_out_is_not_done_and_he_is_told() {
    let service = Service::start();
    let [ana, mut bo, cy] = three(&service).await;
    create(&ana, &titled(&[&bo, &cy])).await;
    agree(&[&ana, &bo, &cy], 3).await;
    bo.offline().await;
    act(&ana, GroupAct::Remove("Bo".into())).await;
    let wants = GroupAct::Set(GroupText::Description, "mine".into());
    let engine = bo.engine.clone();
    let wanting = tokio::spawn(async move { engine.group_act(TITLE, &wants).await });
    // So far that it is kept.
    yield_now().await;
    bo.online();
    assert!(matches!(wanting.await.unwrap(), Err(ClientError::NotInGroup)));
}

/// Whom somebody has added is in the group, whatever becomes of the other before he could tell him.
#[tokio::test]
async fn who_was_added_hears_of_it_from_somebody_who_is_out_by_then() {
    let service = Service::start();
    let [ana, bo, cy] = three(&service).await;
    let dee = Home::new(&service, "Dee").await;
    befriend(&bo, &dee).await;
    create(&ana, &titled(&[&bo, &cy])).await;
    agree(&[&ana, &bo, &cy], 3).await;
    act(&ana, GroupAct::SetRole(bo.account(), GroupRole::Admin)).await;
    let door = service.door();
    door.lies.deny(|_: &DeliverRequest| Some(Code::Unavailable.into()));
    let bo = bo.reopen_at(&door).await;
    agree(&[&ana, &bo, &cy], 3).await;
    bo.engine.group_act(TITLE, &GroupAct::Add(vec![dee.account()], GroupRole::Member)).await.unwrap();
    agree(&[&ana, &bo, &cy], 4).await;
    act(&ana, GroupAct::Remove("Bo".into())).await;
    bo.until("out", |engine| engine.group(TITLE).is_ok_and(|view| view.state == "out")).await;
    door.lies.stop();
    agree(&[&ana, &cy, &dee], 3).await;
    says(&dee, "who let me in?", &[&ana, &cy]).await;
}

/// That the service cannot use what a device shows, or has lost its log, says nothing of who is in a group.
#[tokio::test]
async fn who_is_not_told_that_he_has_no_place_keeps_it() {
    let service = Service::start();
    let [ana, bo, cy] = three(&service).await;
    create(&ana, &titled(&[&bo, &cy])).await;
    agree(&[&ana, &bo, &cy], 3).await;
    for code in [Code::NotFound, Code::Malformed] {
        let (door, left) = (service.door(), AtomicU32::new(2));
        door.lies.deny(move |_: &PresentRequest| {
            let denies = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            denies.is_ok().then(|| code.into())
        });
        let phone = linked(Setup::at(&door), &bo).await;
        agree(&[&ana, &bo, &cy, &phone], 3).await;
        says(&phone, "in, at the third try", &[&ana, &cy]).await;
    }
}

#[tokio::test]
async fn who_is_added_comes_with_all_devices() {
    let service = Service::start();
    let [ana, bo, cy] = three(&service).await;
    let phone = linked(Setup::at(&service), &bo).await;
    phone.until("step", |engine| engine.chats().unwrap().iter().all(|chat| chat.trouble.is_none())).await;
    bo.until("step", |engine| engine.devices().unwrap().len() == 2).await;
    create(&ana, &titled(&[&bo])).await;
    agree(&[&ana, &bo, &phone], 2).await;
    says(&ana, "both of you", &[]).await;
    let id = view(&bo).group;
    has(&bo, &id, 1).await;
    has(&phone, &id, 1).await;
    act(&ana, GroupAct::Invite(vec![cy.account()], GroupRole::Member)).await;
    cy.until("invited", |engine| engine.group(TITLE).is_ok_and(|view| view.state == "invited")).await;
    cy.engine.group_accept(TITLE).await.unwrap();
    agree(&[&ana, &bo, &phone, &cy], 3).await;
    act(&ana, GroupAct::Remove("Bo".into())).await;
    for home in [&bo, &phone] {
        home.until("out", |engine| engine.group(TITLE).unwrap().state == "out").await;
    }
    says(&cy, "they are gone", &[&ana]).await;
}

#[tokio::test]
async fn a_removed_device_is_out_of_its_groups() {
    let service = Service::start();
    let (bo, words) = registered(&service, "Bo").await;
    let ana = Home::new(&service, "Ana").await;
    befriend(&ana, &bo).await;
    create(&ana, &titled(&[&bo])).await;
    let phone = linked(Setup::at(&service), &bo).await;
    agree(&[&ana, &bo, &phone], 2).await;
    says(&phone, "here", &[&ana]).await;
    let epoch = view(&ana).epoch;
    bo.engine.remove_device(2, &words).await.unwrap();
    ana.until("the device is out", |engine| engine.group(TITLE).unwrap().epoch > epoch).await;
    bo.take_new();
    says(&ana, "without the phone", &[&bo]).await;
    says(&bo, "good", &[&ana]).await;
    assert!(phone.sync().await.is_err());
    assert_eq!(phone.texts(TITLE), ["here"]);
}

#[tokio::test]
async fn words_bring_groups_back() {
    let service = Service::start();
    let (bo, words) = registered(&service, "Bo").await;
    let ana = Home::new(&service, "Ana").await;
    befriend(&ana, &bo).await;
    create(&ana, &titled(&[&bo])).await;
    agree(&[&ana, &bo], 2).await;
    bo.sync().await.unwrap();
    bo.sync().await.unwrap();
    drop(bo.close().await);
    let (folder, setup) = (folder(), Setup::at(&service));
    let engine = setup.open(&folder).unwrap();
    engine.recover(&service.link(), &words, "Bo").await.unwrap();
    drop(engine);
    let bo = Home::open(folder, setup);
    agree(&[&ana, &bo], 2).await;
    says(&bo, "it is me", &[&ana]).await;
    says(&ana, "welcome back", &[&bo]).await;
}
