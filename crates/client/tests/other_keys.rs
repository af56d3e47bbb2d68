//! Stories of a service that gives other keys: to everybody, to some, or not any more what it has signed before.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use bytes::Bytes;
use support::{Home, Service, Setup, acquainted, befriend, database, has, linked, they_talk};
use undertone_client::Kind;
use undertone_credentials::{HeadKey, IssuingKey, sign_parameters, verify_parameters_seen};
use undertone_wire::{
    Message as _, Week,
    circuit::{Parameters, SignedParameters, TokenKey},
    content::ParametersSeen,
    objects::Purpose,
};

const OTHER_KEYS: &str = "the service gave different keys to different people; there is proof";

#[tokio::test(start_paused = true)]
async fn other_keys_are_not_accepted() {
    let mut service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    let (key, other) = (service.head_key(), HeadKey::from_seed(&[9; 32]));
    let list = service.parameters(u64::from(u32::MAX));
    let by_another = sign_parameters(&other, &list);
    let unsigned = SignedParameters { signature: by_another.signature.clone(), ..sign_parameters(&key, &list) };
    let broken = TokenKey { purpose: 1, week: 1, key: Bytes::from_static(&[0; 32]) };
    let keyless = sign_parameters(&key, &Parameters { token_keys: vec![broken], ..list.clone() });
    let uncountable = sign_parameters(&key, &Parameters { revision: u64::MAX, ..list.clone() });
    let lists = [
        (by_another, true),
        (unsigned, false),
        (keyless, false),
        (uncountable, false),
        (SignedParameters::default(), false),
    ];
    for (shown, is_key) in lists {
        service.go_away().await;
        service.listen_showing(move |_| shown.clone());
        assert_eq!(ana.sync().await.err().unwrap().kind(), Kind::Refused);
        assert_eq!(ana.try_send("Bo", "lost?").await.err().unwrap().kind(), Kind::Refused);
        assert_eq!(ana.history(&bo.account()), bo.history(&ana.account()), "what is refused is not kept");

        if !is_key {
            let folder = support::folder();
            let fresh = support::open_at(&folder, &service);
            assert_eq!(fresh.register(&service.link(), None, "Cy").await.err().unwrap().kind(), Kind::Refused);
            service.go_away().await;
            service.listen();
            assert!(fresh.register(&service.link(), None, "Cy").await.is_ok(), "nothing of it was kept");
        }
        service.go_away().await;
        service.listen();
        they_talk(&ana, &bo).await;
    }
}

/// Two lists of one number, each for some.
#[tokio::test(start_paused = true)]
async fn who_is_given_other_keys_hears_it_from_his_contacts() {
    let mut service = Service::start();
    let mut door = service.door();
    let ana = Home::new(&door, "Ana").await;
    let bo = Home::new(&service, "Bo").await;
    let zoe = Home::new(&service, "Zoe").await;
    befriend(&ana, &bo).await;
    befriend(&ana, &zoe).await;
    let revision = u64::from(u32::MAX);
    let key = service.head_key();
    let list = service.parameters(revision);
    let mut other = list.clone();
    for token_key in &mut other.token_keys {
        let week = Week(token_key.week);
        token_key.key = IssuingKey::from_seed(&[6; 32]).public(Purpose::Inbox, week).as_bytes().to_vec().into();
    }
    let (list, other) = (sign_parameters(&key, &list), sign_parameters(&key, &other));
    service.go_away().await;
    door.go_away().await;
    service.listen_showing(move |_| list.clone());
    door.listen_showing(move |_| other.clone());
    for home in [&ana, &bo, &zoe] {
        home.sync().await.unwrap();
    }
    bo.send("Ana", "what do you see?").await;
    assert_eq!(ana.trouble(&bo.account()).await, OTHER_KEYS);
    ana.expect(&bo, "what do you see?").await;
    assert_eq!(ana.try_send("Bo", "?").await.err().unwrap().kind(), Kind::Failed);
    // Whom he has not heard yet, he tells.
    ana.send("Zoe", "and you?").await;
    zoe.expect(&ana, "and you?").await;
    assert_eq!(zoe.trouble(&ana.account()).await, OTHER_KEYS);
    let ana = ana.reopen().await;
    assert_eq!(ana.chat(&bo.account()).unwrap().trouble, Some(OTHER_KEYS), "this stays");

    let folder = ana.close().await;
    let query = "SELECT other_keys FROM chats WHERE other_keys IS NOT NULL LIMIT 1";
    let proof: Vec<u8> = database(&folder).query_row(query, (), |row| row.get(0)).unwrap();
    let mut rest = Bytes::from(proof);
    let lists = [(); 2].map(|()| ParametersSeen::decode_length_delimited(&mut rest).unwrap());
    for seen in &lists {
        let hash = seen.hash[..].try_into().unwrap();
        assert!(verify_parameters_seen(&key.public(), seen.revision, hash, &seen.signature).is_ok());
    }
    assert!(lists[0].revision == lists[1].revision && lists[0].hash != lists[1].hash);
}

/// A person's devices compare as well, and go on with each other.
#[tokio::test(start_paused = true)]
async fn whose_devices_are_given_different_keys_hears_it_from_them() {
    let mut service = Service::start();
    let mut door = service.door();
    let (ana, bo) = acquainted(&service).await;
    let phone = linked(Setup::at(&door), &ana).await;
    has(&phone, &bo.account(), 2).await;
    ana.send("Ana", "on both").await;
    phone.until("in step", |_| phone.texts("Ana") == ["on both"]).await;

    let (key, list) = (service.head_key(), service.parameters(u64::from(u32::MAX)));
    let mut other = list.clone();
    other.token_keys.reverse();
    let (list, other) = (sign_parameters(&key, &list), sign_parameters(&key, &other));
    service.go_away().await;
    door.go_away().await;
    service.listen_showing(move |_| list.clone());
    door.listen_showing(move |_| other.clone());
    for home in [&ana, &phone] {
        home.sync().await.unwrap();
        assert!(home.engine.whoami().unwrap().trouble.is_none());
    }
    ana.send("Ana", "what do you see?").await;
    phone.until("told", |engine| engine.service_trouble().unwrap().is_some()).await;
    phone.send("Ana", "something else").await;
    ana.until("told back", |engine| engine.service_trouble().unwrap().is_some()).await;
    ana.send("Ana", "still in step").await;
    phone.until("still in step", |_| phone.texts("Ana").len() == 4).await;
    for home in [&ana, &phone] {
        assert!(home.chat(&ana.account()).unwrap().trouble.is_none());
        let trouble = home.engine.whoami().unwrap().trouble.unwrap();
        assert!(trouble.contains("different devices"), "{trouble}");
    }
}

/// What was signed once cannot be unsaid.
#[tokio::test(start_paused = true)]
async fn a_service_does_not_go_back_on_its_parameters() {
    let mut service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    let key = service.head_key();
    let newer = service.parameters(u64::from(u32::MAX));
    let same_number = Parameters { token_keys: Vec::new(), ..newer.clone() };
    let older = Parameters { revision: 1, ..newer.clone() };
    service.go_away().await;
    let signed = sign_parameters(&key, &newer);
    service.listen_showing(move |_| signed.clone());
    they_talk(&ana, &bo).await;
    for list in [same_number, older] {
        service.go_away().await;
        let signed = sign_parameters(&key, &list);
        service.listen_showing(move |_| signed.clone());
        assert_eq!(ana.sync().await.err().unwrap().kind(), Kind::Refused);
        assert_eq!(ana.try_send("Bo", "lost?").await.err().unwrap().kind(), Kind::Refused);
        service.go_away().await;
        let signed = sign_parameters(&key, &newer);
        service.listen_showing(move |_| signed.clone());
        they_talk(&ana, &bo).await;
    }
}
