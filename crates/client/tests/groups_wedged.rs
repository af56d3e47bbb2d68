//! Groups whose newest commit leads nowhere: a member's program writes what nobody can use, and leaves no way in. They go on
//! all the same, and nobody says a word for it.

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
    atomic::{AtomicU32, Ordering},
};

use rand::{Rng as _, rngs::StdRng};
use support::{
    Home, Service, Setup, database,
    groups::{TITLE, act, agree, create, says, three, titled, view},
    linked,
};
use undertone_client::{ClientError, Engine, GroupAct, GroupRole, GroupView, Rungs};
use undertone_credentials::{ReadKey, WriteKey};
use undertone_store::{Append, AppendOutcome, Channels as _, GenerationKeys, NewEntry};
use undertone_wire::{
    ChannelId, IdempotencyId,
    channel::{ChangeGroupRequest, EntryKind, ReadHeadSlotRequest},
    circuit::Kind,
    rpc::Method as _,
};

/// Ana's group with Bo and Cy in which everybody has said something, and its channel.
async fn group(service: &Service) -> ([Home; 3], ChannelId) {
    let homes = three(service).await;
    let [ana, bo, cy] = &homes;
    create(ana, &titled(&[bo, cy])).await;
    agree(&[ana, bo, cy], 3).await;
    says(cy, "I am here", &[ana, bo]).await;
    says(bo, "I too", &[ana, cy]).await;
    says(ana, "all are", &[bo, cy]).await;
    agree(&[ana, bo, cy], 3).await;
    let appended = service.store().appended();
    let channel = appended.iter().find(|append| append.record.is_some()).unwrap().channel;
    (homes, channel)
}

/// What a member's program may write: a commit of noise, without a head slot; `locks`: for keys that nobody has.
async fn noise(service: &mut Service, channel: ChannelId, locks: bool) {
    let mut rng = rand::make_rng::<StdRng>();
    let (mut body, mut id) = ([0; 1024], [0; 16]);
    rng.fill_bytes(&mut body);
    rng.fill_bytes(&mut id);
    let keys = GenerationKeys {
        read: *ReadKey::generate(&mut rng).public().as_bytes(),
        write: *WriteKey::generate(&mut rng).public().as_bytes(),
    };
    let stored = service.store().channel(channel).await.unwrap().unwrap();
    let entry = NewEntry {
        kind: EntryKind::Commit,
        position: stored.position,
        expiry_day: support::today() + 90,
        countersignature: None,
        body: body.to_vec().into(),
        installs: locks.then_some(keys),
        slot_hash: None,
        id: IdempotencyId::new(id),
    };
    let append = Append {
        channel,
        generation: stored.generation,
        entries: vec![entry],
        record: None,
        slot: None,
        bytes_max: u64::MAX,
    };
    service.go_away().await;
    let appended = service.store().append(append).await.unwrap();
    assert!(matches!(appended, AppendOutcome::Appended { fresh: true, .. }));
    service.restart().await;
}

/// Counts how often somebody looks for a way in, and changes of the group.
fn count(service: &Service) -> (Arc<AtomicU32>, Arc<AtomicU32>) {
    let counts = <(Arc<AtomicU32>, Arc<AtomicU32>)>::default();
    let (looks, changes) = counts.clone();
    service.lies.watch(move |kind, method, _| match (kind, method) {
        (Kind::Channel, ReadHeadSlotRequest::NUMBER) => drop(looks.fetch_add(1, Ordering::Relaxed)),
        (Kind::Channel, ChangeGroupRequest::NUMBER) => drop(changes.fetch_add(1, Ordering::Relaxed)),
        _ => {}
    });
    counts
}

/// Waits until all are in the group that a restart has begun, the so-manieth.
async fn all_come(homes: &[&Home], incarnation: u32) {
    for home in homes {
        let is_in = |view: GroupView| view.incarnation == incarnation && view.trouble.is_none();
        home.until("in again", |engine| engine.group(TITLE).is_ok_and(is_in)).await;
    }
    agree(homes, view(homes[0]).members.len()).await;
}

#[tokio::test]
async fn whoever_sees_a_commit_of_noise_makes_a_way_in() {
    let mut service = Service::start();
    let ([ana, bo, cy], channel) = group(&service).await;
    let dee = Home::new(&service, "Dee").await;
    support::befriend(&ana, &dee).await;
    act(&ana, GroupAct::Invite(vec![dee.account()], GroupRole::Member)).await;
    dee.until("invited", |engine| engine.group(TITLE).is_ok_and(|view| view.state == "invited")).await;
    noise(&mut service, channel, false).await;
    dee.engine.group_accept(TITLE).await.unwrap();
    agree(&[&ana, &bo, &cy, &dee], 4).await;
    says(&dee, "here I am", &[&ana, &bo, &cy]).await;
    assert_eq!(view(&ana).incarnation, 0, "it went on as it was");
}

#[tokio::test]
async fn a_group_that_is_locked_begins_anew() {
    let mut service = Service::start();
    let ([ana, bo, cy], channel) = group(&service).await;
    act(&ana, GroupAct::SetRole(bo.account(), GroupRole::Admin)).await;
    agree(&[&ana, &bo, &cy], 3).await;
    noise(&mut service, channel, true).await;
    // One of the two who may does it, and only once.
    all_come(&[&ana, &bo, &cy], 1).await;
    for (from, others) in [(&cy, [&ana, &bo]), (&bo, [&ana, &cy]), (&ana, [&bo, &cy])] {
        says(from, "again", &others).await;
    }
    for home in [&ana, &bo, &cy] {
        assert_eq!(home.texts(TITLE), ["I am here", "I too", "all are", "again", "again", "again"]);
    }
    act(&ana, GroupAct::Remove("Cy".into())).await;
    agree(&[&ana, &bo], 2).await;
    noise(&mut service, channel, true).await;
    all_come(&[&ana, &bo], 2).await;
    says(&bo, "and once more", &[&ana]).await;
    cy.until("out", |engine| engine.group(TITLE).is_ok_and(|view| view.state == "out")).await;
}

#[tokio::test]
async fn who_may_not_waits_for_who_may_and_keeps_nobody_busy() {
    let mut service = Service::start();
    let ([mut ana, bo, cy], channel) = group(&service).await;
    ana.offline().await;
    noise(&mut service, channel, true).await;
    let (looks, changes) = count(&service);
    let many = |looks: &AtomicU32| looks.load(Ordering::Relaxed) >= 6;
    // However often they are woken: they have tried three times each in the end, and try again ever more rarely.
    while !many(&looks) {
        bo.sync().await.unwrap();
        cy.sync().await.unwrap();
    }
    assert!(looks.load(Ordering::Relaxed) <= 10, "{looks:?}");
    assert_eq!(changes.load(Ordering::Relaxed), 0);
    ana.online();
    all_come(&[&ana, &bo, &cy], 1).await;
    says(&cy, "we are", &[&ana]).await;
}

/// Whoever was in it all the time has read what was said there, and comes over.
#[tokio::test]
async fn who_was_in_the_former_group_loses_nothing_of_it() {
    let mut service = Service::start();
    let ([mut ana, mut bo, mut cy], channel) = group(&service).await;
    bo.offline().await;
    cy.offline().await;
    assert!(!ana.send(TITLE, "while you are away").await.queued);
    ana.offline().await;
    let (setup, folder) = (ana.setup.clone(), ana.close().await);
    let db = database(&folder);
    db.execute("UPDATE chats SET trouble = 1 WHERE id IN (SELECT chat FROM groups)", ()).unwrap();
    drop(db);
    noise(&mut service, channel, false).await;
    let ana = Home::open(folder, setup);
    all_come(&[&ana], 1).await;
    let (bo, cy) = (bo.reopen().await, cy.reopen().await);
    all_come(&[&ana, &bo, &cy], 1).await;
    for home in [&bo, &cy] {
        assert_eq!(home.next().await.body.as_deref(), Some("while you are away"));
        assert_eq!(home.history(TITLE), ana.history(TITLE));
    }
    says(&cy, "so here we are", &[&ana, &bo]).await;
}

/// What brings an account back by its words may find the door of a group that nobody else is there to mend.
#[tokio::test]
async fn a_new_device_of_the_owner_begins_a_group_anew_whose_log_it_has_never_read() {
    let mut service = Service::start();
    let ([mut ana, mut bo, mut cy], channel) = group(&service).await;
    bo.offline().await;
    cy.offline().await;
    let mut phone = linked(Setup::at(&service), &ana).await;
    phone.until("knows", |engine| engine.group(TITLE).is_ok()).await;
    phone.offline().await;
    ana.offline().await;
    // As if it had never come in.
    let (setup, folder) = (phone.setup.clone(), phone.close().await);
    let db = database(&folder);
    let forget = "UPDATE chats SET trouble = 1, channel = NULL, generation_secret = NULL, seq = 0, chain = NULL
                  WHERE id IN (SELECT chat FROM groups)";
    db.execute(forget, ()).unwrap();
    for table in ["revisions", "pseudonyms"] {
        db.execute(&format!("DELETE FROM {table}"), ()).unwrap();
    }
    db.execute("UPDATE groups SET record = NULL, epoch_revision = 0, entering = 0", ()).unwrap();
    drop(db);
    noise(&mut service, channel, true).await;
    let phone = Home::open(folder, setup);
    all_come(&[&phone], 1).await;
    let (ana, bo, cy) = (ana.reopen().await, bo.reopen().await, cy.reopen().await);
    all_come(&[&phone, &ana, &bo, &cy], 1).await;
    says(&bo, "hello phone", &[&ana, &cy]).await;
    let heard = |engine: &Engine| {
        let history = engine.history(TITLE).unwrap();
        history.iter().any(|message| message.body.as_deref() == Some("hello phone"))
    };
    phone.until("heard", heard).await;
}

/// While it is owed that somebody who has left is taken out, the service takes no entrance.
#[tokio::test]
async fn what_is_owed_for_who_has_left_keeps_nobody_out_for_good() {
    let service = Service::start();
    let ([mut ana, bo, mut cy], _) = group(&service).await;
    ana.offline().await;
    cy.offline().await;
    act(&bo, GroupAct::Leave).await;
    let mut lost = Vec::new();
    for home in [ana, cy] {
        let (setup, folder) = (home.setup.clone(), home.close().await);
        let db = database(&folder);
        db.execute("UPDATE chats SET trouble = 1 WHERE id IN (SELECT chat FROM groups)", ()).unwrap();
        drop(db);
        lost.push(Home::open(folder, setup));
    }
    let [ana, cy] = &lost[..] else { unreachable!() };
    all_come(&[ana, cy], 1).await;
    agree(&[ana, cy], 2).await;
    says(cy, "we two", &[ana]).await;
}

/// Into a group that is closed nobody comes any more. Who was lost when that was done knows of it, and lets the service be.
#[tokio::test]
async fn who_was_lost_when_a_group_was_closed_knows_that_it_is() {
    let service = Service::start();
    let ([ana, bo, mut cy], _) = group(&service).await;
    cy.offline().await;
    act(&ana, GroupAct::Close).await;
    bo.until("closed", |engine| engine.group(TITLE).unwrap().closed).await;
    let (setup, folder) = (cy.setup.clone(), cy.close().await);
    let db = database(&folder);
    db.execute("UPDATE chats SET trouble = 1 WHERE id IN (SELECT chat FROM groups)", ()).unwrap();
    drop(db);
    let cy = Home::open(folder, setup);
    let (looks, _) = count(&service);
    cy.until("closed", |engine| engine.group(TITLE).is_ok_and(|view| view.closed && view.trouble.is_none())).await;
    for _ in 0..3 {
        cy.sync().await.unwrap();
    }
    assert_eq!(looks.load(Ordering::Relaxed), 1);
    assert_eq!(cy.history(TITLE), bo.history(TITLE));
    assert!(matches!(cy.try_send(TITLE, "anybody?").await, Err(ClientError::GroupClosed)));
}

#[tokio::test]
async fn a_large_group_begins_anew_by_a_large_head_slot() {
    let mut service = Service::start();
    let setup = || Setup { rungs: Rungs { inline_bytes: 8 << 10, ..Rungs::of_this_release() }, ..Setup::at(&service) };
    let (ana, bo) = (Home::with(&service, "Ana", setup()).await, Home::with(&service, "Bo", setup()).await);
    support::befriend(&ana, &bo).await;
    create(&ana, &titled(&[&bo])).await;
    agree(&[&ana, &bo], 2).await;
    let appended = service.store().appended();
    let channel = appended.iter().find(|append| append.record.is_some()).unwrap().channel;
    noise(&mut service, channel, true).await;
    all_come(&[&ana, &bo], 1).await;
    says(&bo, "as large as ever", &[&ana]).await;
}
