//! Profiles: who talks to somebody knows what he says of himself, and nobody else; whatever the service gives.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use rand::rngs::StdRng;
use support::{Home, PATIENCE, Peer, Service, Setup, acquainted, befriend, folder, has, linked};
use undertone_client::{ClientError, Kind, ProfileChange};
use undertone_e2ee::{ProfileKey, seal_profile};
use undertone_wire::{
    account::PutProfileRequest,
    content,
    visitor::{FetchProfileReply, FetchProfileRequest, Visitor},
};

fn name(name: &str) -> ProfileChange {
    ProfileChange { name: Some(name.to_owned()), ..ProfileChange::default() }
}

fn about(about: &str) -> ProfileChange {
    ProfileChange { about: Some(about.to_owned()), ..ProfileChange::default() }
}

/// Waits until a home knows what another says about himself.
async fn knows(home: &Home, who: &str, about: &str) {
    let holds = |engine: &undertone_client::Engine| {
        engine.profile_of(who).is_ok_and(|profile| profile.about == about && !profile.pending)
    };
    home.until(&format!("knows {about:?}"), holds).await;
}

/// Waits until the service has a home's profile.
async fn has_put(home: &Home) {
    home.until("put", |engine| !engine.profile().unwrap().pending).await;
}

#[tokio::test(start_paused = true)]
async fn who_talks_to_somebody_knows_what_he_says_of_himself() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    let avatar = vec![7; 20_000];
    let change = ProfileChange { avatar: Some(avatar.clone()), about: Some("at sea".into()), ..name("Ana Maria") };
    let ours = ana.engine.set_profile(&change).unwrap();
    assert_eq!((&*ours.name, &*ours.about, ours.pending), ("Ana Maria", "at sea", true));
    // Nothing was said for a while: then it is told all the same.
    knows(&bo, &ana.account(), "at sea").await;
    let known = bo.engine.profile_of("Ana Maria").unwrap();
    assert!(known.account == ana.account() && known.name == "Ana Maria" && known.avatar == avatar);
    assert_eq!(bo.chat(&ana.account()).unwrap().name, "Ana Maria");
    assert!(ana.engine.profile_of("Bo").unwrap().about.is_empty());

    ana.engine.set_profile(&about("ashore")).unwrap();
    knows(&bo, &ana.account(), "ashore").await;
    assert!(bo.engine.profile_of("Ana Maria").unwrap().avatar == avatar, "what was not changed stays");
    let cleared = ana.engine.set_profile(&ProfileChange { clear: true, ..ProfileChange::default() }).unwrap();
    assert_eq!((&*cleared.name, &*cleared.about), ("Ana Maria", ""));
    knows(&bo, &ana.account(), "").await;
    let known = bo.engine.profile_of(&ana.account()).unwrap();
    assert!(known.avatar.is_empty());
    assert_eq!(known.name, "Ana", "as she wrote it herself");
}

#[tokio::test(start_paused = true)]
async fn a_stranger_is_told_nothing_and_a_friend_with_the_first_message() {
    let service = Service::start();
    let (ana, bo) = (Home::new(&service, "Ana").await, Home::new(&service, "Bo").await);
    ana.engine.set_profile(&about("at sea")).unwrap();
    bo.engine.set_profile(&about("at home")).unwrap();
    has_put(&ana).await;
    has_put(&bo).await;
    ana.send(&bo.link(), "hello").await;
    bo.expect(&ana, "hello").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let known = bo.engine.profile_of(&ana.account()).unwrap();
    assert!(known.about.is_empty() && !known.pending, "nobody has accepted");

    bo.engine.accept(&ana.account()).unwrap();
    knows(&ana, &bo.account(), "at home").await;
    let known = bo.engine.profile_of(&ana.account()).unwrap();
    assert!(known.about.is_empty() && !known.pending, "she has said nothing yet");
    ana.send("Bo", "so you are there").await;
    knows(&bo, &ana.account(), "at sea").await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_said_is_refused() {
    let service = Service::start();
    let ana = Home::new(&service, "Ana").await;
    for change in [name(""), name("a\nb"), name(&"n".repeat(129))] {
        assert!(matches!(ana.engine.set_profile(&change).err(), Some(ClientError::BadName)));
    }
    let long = ProfileChange { avatar: Some(vec![1; 60_001]), ..ProfileChange::default() };
    for change in [about(&"a".repeat(513)), long] {
        assert_eq!(ana.engine.set_profile(&change).err().map(|error| error.kind()), Some(Kind::Usage));
    }
    assert!(!ana.engine.set_profile(&ProfileChange::default()).unwrap().pending, "nothing was changed");
    assert_eq!(ana.engine.profile_of("nobody").err().map(|error| error.kind()), Some(Kind::NotFound));
}

#[tokio::test(start_paused = true)]
async fn all_devices_keep_one_profile() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    ana.engine.set_profile(&about("at sea")).unwrap();
    let phone = linked(Setup::at(&service), &ana).await;
    has(&phone, &bo.account(), 2).await;
    let says = |home: &'static str| format!("{home} says so too");
    phone.until(&says("phone"), |engine| engine.profile().unwrap().about == "at sea").await;
    // Both change it at once: one of them is the later, for everybody.
    ana.engine.set_profile(&about("from the desk")).unwrap();
    phone.engine.set_profile(&about("from the phone")).unwrap();
    let same = || {
        let both = [&ana, &phone].map(|home| home.engine.profile().unwrap());
        both.iter().all(|profile| !profile.pending) && both[0].about == both[1].about
    };
    ana.until("one profile", |_| same()).await;
    let last = ana.engine.profile().unwrap().about;
    knows(&bo, &ana.account(), &last).await;
    phone.engine.set_profile(&name("Anna")).unwrap();
    ana.until("name", |engine| engine.whoami().unwrap().name == "Anna").await;
    bo.until("name", |engine| engine.chats().unwrap().iter().any(|chat| chat.name == "Anna")).await;
}

/// A home, and the words that bring it back.
async fn with_words(service: &Service, name: &str) -> (Home, String) {
    let (folder, setup) = (folder(), Setup::at(service));
    let engine = setup.open(&folder).unwrap();
    let words = engine.register(&service.link(), None, name).await.unwrap().words.to_string();
    drop(engine);
    (Home::open(folder, setup), words)
}

#[tokio::test(start_paused = true)]
async fn a_removed_device_opens_nothing_that_is_said_after() {
    let service = Service::start();
    let (ana, words) = with_words(&service, "Ana").await;
    ana.engine.set_profile(&about("one")).unwrap();
    let phone = linked(Setup::at(&service), &ana).await;
    phone.until("one", |engine| engine.profile().unwrap().about == "one").await;
    let folder = phone.close().await;
    let key: Vec<u8> = support::database(&folder).query_row("SELECT key FROM profile", (), |row| row.get(0)).unwrap();
    let key = ProfileKey::try_from(&key[..]).ok().unwrap();
    ana.engine.remove_device(2, &words).await.unwrap();
    ana.engine.set_profile(&about("two")).unwrap();
    has_put(&ana).await;
    let eve = Peer::new(&service, "Eve").await;
    let account = undertone_wire::AccountId::from_hex(&ana.account()).ok().unwrap();
    let access = Bytes::copy_from_slice(&*key.access());
    let visitor = eve.connect::<Visitor>().await;
    assert!(visitor.visit(FetchProfileRequest { account: account.into(), access }).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn it_comes_back_with_the_recovery_words() {
    let service = Service::start();
    let (ana, words) = with_words(&service, "Ana").await;
    let setup = ana.setup.clone();
    let bo = Home::new(&service, "Bo").await;
    befriend(&ana, &bo).await;
    bo.engine.set_profile(&about("at home")).unwrap();
    ana.engine.set_profile(&about("at sea")).unwrap();
    knows(&ana, &bo.account(), "at home").await;
    knows(&bo, &ana.account(), "at sea").await;
    ana.sync().await.unwrap();
    let lost = ana.close().await;

    let folder = support::folder();
    let engine = setup.open(&folder).unwrap();
    engine.recover(&service.link(), &words, "unnamed").await.unwrap();
    drop(engine);
    let ana = Home::open(folder, setup);
    ana.until("her own", |engine| engine.profile().unwrap().about == "at sea").await;
    knows(&ana, &bo.account(), "at home").await;
    drop(lost);
}

/// What was fetched, answered by a service that does not tell the truth.
struct Fetched(Arc<Mutex<Vec<FetchProfileReply>>>);

impl Fetched {
    fn by(service: &Service, lie: impl Fn(u32, &mut FetchProfileReply) + Send + Sync + 'static) -> Self {
        let seen: Arc<Mutex<Vec<FetchProfileReply>>> = Arc::default();
        let (keep, count) = (seen.clone(), Mutex::new(0));
        service.lies.tell::<FetchProfileRequest>(move |_, reply| {
            keep.lock().unwrap().push(reply.clone());
            let mut count = count.lock().unwrap();
            *count += 1;
            lie(*count, reply);
        });
        Self(seen)
    }

    async fn times(&self, times: usize) -> Vec<FetchProfileReply> {
        let wait = async {
            while self.0.lock().unwrap().len() < times {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("it is fetched again");
        self.0.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_a_swapped_or_a_garbled_one_is_never_shown() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    let cy = Home::new(&service, "Cy").await;
    befriend(&cy, &bo).await;
    ana.engine.set_profile(&about("one")).unwrap();
    cy.engine.set_profile(&about("Cy's")).unwrap();
    let fetched = Fetched::by(&service, |_, _| {});
    knows(&bo, &ana.account(), "one").await;
    knows(&bo, &cy.account(), "Cy's").await;
    let former = fetched.times(2).await;

    let lies: [fn(&[FetchProfileReply], &mut FetchProfileReply); 5] = [
        |former, reply| *reply = former[0].clone(),
        |former, reply| *reply = former[1].clone(),
        |_, reply| reply.sealed = Bytes::new(),
        |_, reply| {
            let mut sealed = reply.sealed.to_vec();
            sealed[100] ^= 1;
            reply.sealed = sealed.into();
        },
        |_, reply| reply.sealed = Bytes::from_static(&[2; 1_024]),
    ];
    let mut was = "one".to_owned();
    for (n, lie) in lies.into_iter().enumerate() {
        let former = former.clone();
        let says = format!("after {n}");
        let lied = Fetched::by(&service, move |_, reply| lie(&former, reply));
        ana.engine.set_profile(&about(&says)).unwrap();
        lied.times(2).await;
        let known = bo.engine.profile_of(&ana.account()).unwrap();
        assert_eq!((known.about, known.pending), (was, true), "what is known stays, and is known to be old");
        assert!(bo.chat(&ana.account()).unwrap().trouble.is_none());
        service.lies.stop();
        knows(&bo, &ana.account(), &says).await;
        was = says;
    }
}

/// Who has the key can open the profile, and cannot make one; not even with the help of the service.
#[tokio::test(start_paused = true)]
async fn a_friend_cannot_speak_for_somebody() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    ana.engine.set_profile(&about("one")).unwrap();
    knows(&bo, &ana.account(), "one").await;
    let eve = Peer::new(&service, "Eve").await;
    let key = profile_key(bo).await;
    let (account, key, bo) = (undertone_wire::AccountId::from_hex(&ana.account()).ok().unwrap(), key.0, key.1);
    let forged =
        content::Profile { revision: u64::from(u32::MAX), about: "forged".into(), ..content::Profile::default() };
    let sealed = seal_profile(&key, &eve.identity, account, &forged, &mut rand::make_rng::<StdRng>()).unwrap();
    let lied = Fetched::by(&service, move |_, reply| reply.sealed = sealed.clone());
    ana.engine.set_profile(&about("two")).unwrap();
    lied.times(2).await;
    assert_eq!(bo.engine.profile_of(&ana.account()).unwrap().about, "one");
    service.lies.stop();
    knows(&bo, &ana.account(), "two").await;
}

/// The key that a home holds of its only friend's profile.
async fn profile_key(home: Home) -> (ProfileKey, Home) {
    let setup = home.setup.clone();
    let folder = home.close().await;
    let database = support::database(&folder);
    let key: Vec<u8> = database.query_row("SELECT key FROM profiles", (), |row| row.get(0)).unwrap();
    drop(database);
    (ProfileKey::try_from(&key[..]).ok().unwrap(), Home::open(folder, setup))
}

#[tokio::test(start_paused = true)]
async fn who_is_blocked_opens_nothing_that_is_said_after() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    let cy = Home::new(&service, "Cy").await;
    befriend(&ana, &cy).await;
    ana.engine.set_profile(&about("one")).unwrap();
    knows(&bo, &ana.account(), "one").await;
    knows(&cy, &ana.account(), "one").await;
    let (key, bo) = profile_key(bo).await;

    let put: Arc<Mutex<Vec<PutProfileRequest>>> = Arc::default();
    let keep = put.clone();
    service.lies.tell::<PutProfileRequest>(move |request, _| keep.lock().unwrap().push(request.clone()));
    ana.engine.block("Bo").unwrap();
    ana.engine.set_profile(&about("two")).unwrap();
    knows(&cy, &ana.account(), "two").await;
    let eve = Peer::new(&service, "Eve").await;
    let account = undertone_wire::AccountId::from_hex(&ana.account()).ok().unwrap();
    let access = Bytes::copy_from_slice(&*key.access());
    let visitor = eve.connect::<Visitor>().await;
    let refused = visitor.visit(FetchProfileRequest { account: account.into(), access }).await;
    assert!(refused.is_err(), "the former key does not even fetch it");
    let list = eve.contact(account).await.list;
    let sealed = put.lock().unwrap().clone();
    assert!(!sealed.is_empty());
    assert!(
        sealed.iter().all(|put| undertone_e2ee::open_profile(&key, std::slice::from_ref(&list), &put.sealed).is_err())
    );
    assert_eq!(bo.engine.profile_of(&ana.account()).unwrap().about, "one");
}

#[tokio::test(start_paused = true)]
async fn a_kill_at_any_moment_leaves_it_to_be_told() {
    let service = Service::start();
    let (mut ana, mut bo) = acquainted(&service).await;
    for round in 0..6 {
        let says = format!("round {round}");
        ana.engine.set_profile(&about(&says)).unwrap();
        tokio::time::sleep(Duration::from_millis(150 * round)).await;
        ana = ana.reopen().await;
        bo = bo.reopen().await;
        knows(&bo, &ana.account(), &says).await;
        assert_eq!(ana.engine.profile().unwrap().about, says);
    }
}
