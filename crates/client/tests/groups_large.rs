//! Groups whose commits and head slots are too large for a log. In these stories little is large already.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use support::{
    Home, Service, Setup, befriend,
    groups::{TITLE, act, agree, create, says, seen, titled, try_act, view},
};
use undertone_client::{ClientError, GroupAct, GroupRole, LinkMode, Rungs};
use undertone_wire::{
    Message as _,
    blob::{FetchPartReply, FetchPartRequest, PutPartRequest},
    channel::{AppendRequest, ChangeGroupRequest},
    circuit::Kind,
    ladder,
    large::Large,
    rpc::Method as _,
};

/// The least that may be: a blob has 16 KiB. A commit that adds somebody needs more, and so does every head slot.
const LARGE_FROM: usize = 8 << 10;

fn setup(service: &Service) -> Setup {
    Setup { rungs: Rungs { inline_bytes: LARGE_FROM, ..Rungs::of_this_release() }, ..Setup::at(service) }
}

async fn home(service: &Service, name: &str) -> Home {
    Home::with(service, name, setup(service)).await
}

async fn three(service: &Service) -> [Home; 3] {
    let [ana, bo, cy] = [home(service, "Ana").await, home(service, "Bo").await, home(service, "Cy").await];
    befriend(&ana, &bo).await;
    befriend(&ana, &cy).await;
    [ana, bo, cy]
}

/// Counts the parts that are put and fetched.
fn count_parts(service: &Service) -> (Arc<AtomicU64>, Arc<AtomicU64>) {
    let counts = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (put, fetched) = counts.clone();
    service.lies.watch(move |kind, method, _| {
        if kind == Kind::Blob {
            let count = if method == PutPartRequest::NUMBER { &put } else { &fetched };
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    counts
}

#[tokio::test]
async fn all_that_is_done_in_a_group_is_done_in_a_large_one() {
    let service = Service::start();
    let (put, fetched) = count_parts(&service);
    let [ana, bo, cy] = three(&service).await;
    create(&ana, &titled(&[&bo])).await;
    agree(&[&ana, &bo], 2).await;
    says(&ana, "hello", &[&bo]).await;
    says(&bo, "hi", &[&ana]).await;
    act(&ana, GroupAct::Add(vec![cy.account()], GroupRole::Member)).await;
    agree(&[&ana, &bo, &cy], 3).await;
    assert!(put.load(Ordering::Relaxed) > 0 && fetched.load(Ordering::Relaxed) > 0);
    says(&cy, "here I am", &[&ana, &bo]).await;
    // By himself, over the head slot.
    let dee = home(&service, "Dee").await;
    act(&ana, GroupAct::SetLink(LinkMode::Join)).await;
    let link = ana.engine.group_link(TITLE).unwrap();
    dee.engine.group_join(&link).await.unwrap();
    agree(&[&ana, &bo, &cy, &dee], 4).await;
    says(&dee, "me too", &[&ana, &bo, &cy]).await;
    act(&ana, GroupAct::Remove(cy.account())).await;
    agree(&[&ana, &bo, &dee], 3).await;
    cy.until("is out", |engine| engine.group(TITLE).is_ok_and(|group| group.state == "out")).await;
    says(&bo, "without Cy", &[&ana, &dee]).await;
    assert!(cy.engine.history(TITLE).unwrap().iter().all(|message| message.body.as_deref() != Some("without Cy")));
}

#[tokio::test]
async fn whoever_was_away_reads_on() {
    let service = Service::start();
    let [ana, mut bo, cy] = three(&service).await;
    create(&ana, &titled(&[&bo])).await;
    agree(&[&ana, &bo], 2).await;
    bo.offline().await;
    act(&ana, GroupAct::Add(vec![cy.account()], GroupRole::Member)).await;
    agree(&[&ana, &cy], 2 + 1).await;
    says(&cy, "while you are away", &[&ana]).await;
    let bo = bo.reopen().await;
    agree(&[&ana, &bo, &cy], 3).await;
    assert_eq!(bo.next().await.body.as_deref(), Some("while you are away"));
    assert!(bo.engine.chats().unwrap().iter().all(|chat| chat.trouble.is_none()));
    says(&bo, "I have read it", &[&ana, &cy]).await;
}

/// A service that does not give what it has taken, or gives something else, keeps nobody out for longer than it does so for the
/// newest head slot.
#[tokio::test]
async fn what_cannot_be_fetched_is_as_if_it_had_expired() {
    for garbled in [false, true] {
        let service = Service::start();
        let [ana, mut bo, cy] = three(&service).await;
        create(&ana, &titled(&[&bo])).await;
        agree(&[&ana, &bo], 2).await;
        says(&bo, "in time", &[&ana]).await;
        bo.offline().await;
        act(&ana, GroupAct::Add(vec![cy.account()], GroupRole::Member)).await;
        agree(&[&ana, &cy], 3).await;
        says(&cy, "not for everybody", &[&ana]).await;

        // From here on nothing of before is to be had.
        let fetches = Arc::new(AtomicBool::new(false));
        let seen_by = fetches.clone();
        if garbled {
            service.lies.tell(move |_: &FetchPartRequest, reply: &mut FetchPartReply| {
                seen_by.store(true, Ordering::Relaxed);
                reply.bytes = vec![7; reply.bytes.len()].into();
            });
        } else {
            service.lies.deny(move |_: &FetchPartRequest| {
                seen_by.store(true, Ordering::Relaxed);
                Some(undertone_wire::circuit::Code::NotFound.into())
            });
        }
        let bo = bo.reopen().await;
        bo.until("is lost", |engine| engine.chats().unwrap().iter().any(|chat| chat.group && chat.trouble.is_some()))
            .await;
        assert!(fetches.load(Ordering::Relaxed));
        service.lies.stop();
        agree(&[&ana, &bo, &cy], 3).await;
        says(&bo, "again", &[&ana, &cy]).await;
        says(&ana, "there you are", &[&cy, &bo]).await;
        assert!(seen(&view(&ana)) == seen(&view(&bo)));
    }
}

/// Who was added, and does not get the head slot that came with that, comes in by the newest.
#[tokio::test]
async fn an_invitation_whose_head_slot_is_gone_still_leads_in() {
    let service = Service::start();
    let [ana, bo, mut cy] = three(&service).await;
    create(&ana, &titled(&[&bo])).await;
    agree(&[&ana, &bo], 2).await;
    cy.offline().await;
    let slot = Arc::new(std::sync::Mutex::new(None));
    let noted = slot.clone();
    service.lies.watch(move |kind, method, body| {
        if kind == Kind::Channel && method == ChangeGroupRequest::NUMBER {
            let request = ChangeGroupRequest::decode(body).unwrap();
            *noted.lock().unwrap() = Large::parse(&request.head_slot);
        }
    });
    act(&ana, GroupAct::Add(vec![cy.account()], GroupRole::Member)).await;
    let slot = slot.lock().unwrap().expect("a large head slot");
    says(&ana, "welcome", &[&bo]).await;
    service.lies.deny(move |request: &FetchPartRequest| {
        let is_it = request.blob[..] == slot.blob().as_bytes()[..];
        is_it.then(|| undertone_wire::circuit::Code::NotFound.into())
    });
    // Another commit, and another slot.
    let dee = home(&service, "Dee").await;
    befriend(&ana, &dee).await;
    act(&ana, GroupAct::Add(vec![dee.account()], GroupRole::Member)).await;
    let cy = cy.reopen().await;
    agree(&[&ana, &bo, &cy, &dee], 4).await;
    says(&cy, "by another door", &[&ana, &bo]).await;
}

/// Somebody refers to what is not there: the service takes nothing of it.
#[tokio::test]
async fn nothing_large_goes_before_what_it_refers_to() {
    let service = Service::start();
    let early = Arc::new(AtomicBool::new(false));
    let (put, seen_early) = (Arc::new(std::sync::Mutex::new(Vec::new())), early.clone());
    service.lies.watch(move |kind, method, body| {
        let mut named = Vec::new();
        match kind {
            Kind::Blob if method == PutPartRequest::NUMBER => {
                put.lock().unwrap().push(PutPartRequest::decode(body).unwrap().blob);
            }
            Kind::Channel if method == ChangeGroupRequest::NUMBER => {
                let request = ChangeGroupRequest::decode(body).unwrap();
                named.extend(request.commit.map(|commit| commit.body));
                named.push(request.head_slot);
            }
            Kind::Channel if method == AppendRequest::NUMBER => {
                let request = AppendRequest::decode(body).unwrap();
                named.extend(request.entries.into_iter().map(|entry| entry.body));
                named.push(request.head_slot);
            }
            _ => {}
        }
        let put = put.lock().unwrap();
        for large in named.iter().filter_map(|named| Large::parse(named)) {
            seen_early.fetch_or(!put.iter().any(|put| put[..] == large.blob().as_bytes()[..]), Ordering::Relaxed);
        }
    });
    let [ana, bo, _] = three(&service).await;
    create(&ana, &titled(&[&bo])).await;
    agree(&[&ana, &bo], 2).await;
    says(&bo, "hi", &[&ana]).await;
    assert!(!early.load(Ordering::Relaxed));
}

/// Of several wishes that add people the last one's commit brings all of them in.
#[tokio::test]
async fn many_are_added_by_one_commit() {
    let service = Service::start();
    let [mut ana, bo, cy] = three(&service).await;
    create(&ana, &titled(&[])).await;
    let epoch = view(&ana).epoch;
    ana.offline().await;
    let add = |home: &Home| {
        let (engine, who) = (ana.engine.clone(), home.account());
        tokio::spawn(async move { engine.group_act(TITLE, &GroupAct::Add(vec![who], GroupRole::Member)).await })
    };
    let wishes = [add(&bo), add(&cy)];
    // Both wait before anything is sent.
    tokio::task::yield_now().await;
    ana.online();
    for wish in wishes {
        wish.await.unwrap().unwrap();
    }
    agree(&[&ana, &bo, &cy], 3).await;
    assert_eq!(view(&bo).epoch, view(&cy).epoch);
    assert!(view(&ana).epoch >= epoch + 2);
    says(&cy, "together", &[&ana, &bo]).await;
    says(&bo, "at once", &[&ana, &cy]).await;
}

/// A device of a release before large groups keeps a group as small as it was.
#[tokio::test]
async fn a_group_with_an_older_device_does_not_become_large() {
    let service = Service::start();
    let older = |mut setup: Setup| {
        setup.rungs.features.retain(|feature| *feature != ladder::LARGE);
        setup
    };
    let [ana, _, cy] = three(&service).await;
    let old = Home::with(&service, "Old", older(setup(&service))).await;
    befriend(&ana, &old).await;
    create(&ana, &titled(&[&old])).await;
    agree(&[&ana, &old], 2).await;
    let refused = try_act(&ana, GroupAct::Add(vec![cy.account()], GroupRole::Member)).await;
    assert!(matches!(refused, Err(ClientError::GroupTooLarge)), "{:?}", refused.err());
    says(&old, "we stay two", &[&ana]).await;
    act(&ana, GroupAct::Remove(old.account())).await;
    act(&ana, GroupAct::Add(vec![cy.account()], GroupRole::Member)).await;
    agree(&[&ana, &cy], 2).await;
}
