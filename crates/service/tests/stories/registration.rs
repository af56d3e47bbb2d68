//! How accounts come into being.

use bytes::Bytes;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use undertone_credentials::{Device, DeviceKey};
use undertone_service::{InviteCode, Registration};
use undertone_wire::{
    account::{AccountHandler, PutKeyPackagesRequest, ReadInboxRequest, RegisterRequest},
    limits::KEY_PACKAGES_MAX,
};

use crate::people::{NOW, Person, TODAY, World, code};

async fn register(world: &World, person: &Person, change: impl FnOnce(&mut RegisterRequest)) -> &'static str {
    let (circuit, session) = world.account_circuit();
    let mut request = person.registration(&circuit);
    change(&mut request);
    code(session.register(NOW, request).await)
}

fn invited(code: &InviteCode) -> impl FnOnce(&mut RegisterRequest) {
    let text = Bytes::copy_from_slice(code.to_text().as_bytes());
    |request| request.invite = text
}

#[tokio::test]
async fn where_registration_is_open_everyone_registers_once() {
    let world = World::open();
    let (ana, session) = world.registered(1).await;
    // The circuit speaks for her from here on.
    assert_eq!(code(session.read_inbox(NOW, ReadInboxRequest { after: 0, limit: 9 }).await), "OK");
    // She did not hear the answer and asks again, from a new circuit.
    assert_eq!(register(&world, &ana, |_| ()).await, "OK");
    assert_eq!(world.accounts.counts().await.unwrap().accounts, 1);
    // An invite that nobody needs does no harm.
    assert_eq!(register(&world, &Person::new(2), |request| request.invite = Bytes::from_static(b"x")).await, "OK");
}

#[tokio::test]
async fn an_invite_is_for_so_many_accounts_and_so_long() {
    let world = World::new(Registration::Invite);
    let rng = &mut ChaCha20Rng::from_seed([1; 32]);
    let (good, old, foreign) = (InviteCode::generate(rng), InviteCode::generate(rng), InviteCode::generate(rng));
    world.accounts.invite(&good, 2, TODAY + 1).await.unwrap();
    world.accounts.invite(&old, 2, undertone_wire::Day(TODAY.0 - 1)).await.unwrap();

    let people: Vec<_> = (1..=3).map(Person::new).collect();
    assert_eq!(register(&world, &people[0], |_| ()).await, "INVITE");
    assert_eq!(register(&world, &people[0], invited(&foreign)).await, "INVITE");
    assert_eq!(register(&world, &people[0], invited(&old)).await, "INVITE");
    assert_eq!(register(&world, &people[0], |request| request.invite = vec![b'a'; 65].into()).await, "INVITE");

    assert_eq!(register(&world, &people[0], invited(&good)).await, "OK");
    assert_eq!(register(&world, &people[0], invited(&good)).await, "OK");
    assert_eq!(register(&world, &people[1], invited(&good)).await, "OK");
    assert_eq!(register(&world, &people[2], invited(&good)).await, "INVITE");
    assert_eq!(world.accounts.counts().await.unwrap().accounts, 2);
}

#[tokio::test]
async fn nothing_is_registered_that_does_not_check() {
    let world = World::open();
    let (ana, bo) = (Person::new(1), Person::new(2));
    let foreign = bo.registration(&world.account_circuit().0);
    type Change = Box<dyn FnOnce(&mut RegisterRequest)>;
    let cases: Vec<(&str, Change)> = vec![
        ("UNAUTHENTICATED", Box::new(|r| r.recovery_signature = Bytes::new())),
        ("UNAUTHENTICATED", Box::new(|r| std::mem::swap(&mut r.recovery_signature, &mut r.identity_signature))),
        ("UNAUTHENTICATED", Box::new(|r| r.device_signature = r.identity_signature.clone())),
        ("UNAUTHENTICATED", Box::new(|r| r.device_list = Person::new(3).list.encoded().clone())),
        ("MALFORMED", Box::new(|r| r.device_list = Bytes::new())),
        ("MALFORMED", Box::new(|r| r.device_list = vec![0; 9_000].into())),
        ("MALFORMED", Box::new(|r| r.inbox_key = Bytes::new())),
        ("FORBIDDEN", Box::new(|r| r.inbox_key = foreign.inbox_key)),
        ("FORBIDDEN", Box::new(|r| r.key_packages = foreign.key_packages)),
        ("MALFORMED", Box::new(|r| r.key_packages.as_mut().unwrap().one_time.push(Bytes::from_static(b"x")))),
    ];
    for (expected, change) in cases {
        assert_eq!(register(&world, &ana, change).await, expected);
    }
    assert_eq!(world.account_store.changes(), 0);
}

#[tokio::test]
async fn what_was_signed_for_another_circuit_registers_nobody() {
    let world = World::open();
    let ana = Person::new(1);
    let elsewhere = ana.registration(&world.account_circuit().0);
    let (_, session) = world.account_circuit();
    assert_eq!(code(session.register(NOW, elsewhere).await), "UNAUTHENTICATED");
}

#[tokio::test]
async fn an_account_begins_with_one_device() {
    let world = World::open();
    let mut ana = Person::new(1);
    let second = Device { number: 2, key: DeviceKey::from_seed(&[9; 32]).public(), features: vec![] };
    ana.list = ana.next_list(vec![ana.list.devices()[0].clone(), second]);
    assert_eq!(register(&world, &ana, |_| ()).await, "MALFORMED");
}

#[tokio::test]
async fn an_account_that_exists_is_not_registered_anew() {
    let world = World::open();
    let (mut ana, _) = world.registered(1).await;
    ana.list = ana.next_list(ana.list.devices().to_vec());
    assert_eq!(register(&world, &ana, |_| ()).await, "CONFLICT");
}

#[tokio::test]
async fn key_packages_have_their_places_and_their_number() {
    let world = World::open();
    let ana = Person::new(1);
    let packages = |one_time, last_resort| {
        |request: &mut RegisterRequest| {
            request.key_packages = Some(PutKeyPackagesRequest { one_time, last_resort, replace: false })
        }
    };
    let (once, last) = (ana.key_package(1, false), ana.key_package(2, true));
    let many: Vec<_> = (0..=KEY_PACKAGES_MAX as u8).map(|content| ana.key_package(content, false)).collect();
    assert_eq!(register(&world, &ana, packages(vec![last.clone()], Bytes::new())).await, "MALFORMED");
    assert_eq!(register(&world, &ana, packages(vec![], once.clone())).await, "MALFORMED");
    assert_eq!(register(&world, &ana, packages(many, Bytes::new())).await, "MALFORMED");
    assert_eq!(register(&world, &ana, packages(vec![once], last)).await, "OK");
}

#[tokio::test]
async fn a_circuit_registers_for_one_only() {
    let world = World::open();
    let (circuit, session) = world.account_circuit();
    session.register(NOW, Person::new(1).registration(&circuit)).await.unwrap();
    assert_eq!(code(session.register(NOW, Person::new(1).registration(&circuit)).await), "OK");
    assert_eq!(code(session.register(NOW, Person::new(2).registration(&circuit)).await), "FORBIDDEN");
    assert_eq!(world.accounts.counts().await.unwrap().accounts, 1);
}
