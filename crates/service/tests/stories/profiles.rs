//! Profiles: whoever was told how may fetch them, and nobody else learns that they are there.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use undertone_wire::{
    account::{AccountHandler, DeleteAccountRequest, PutProfileRequest, ReadProfileRequest},
    visitor::{FetchProfileReply, FetchProfileRequest, VisitorHandler},
};

use crate::people::{Accounts, NOW, Person, World, code};

type Session = undertone_service::AccountSession<Accounts>;

/// Of the smallest size; it is fetched with 32 of these bytes.
pub fn profile(revision: u64, access: u8) -> PutProfileRequest {
    let access_hash = Bytes::copy_from_slice(&Sha256::digest([access; 32]));
    PutProfileRequest { revision, sealed: vec![access; 1 << 10].into(), access_hash }
}

async fn fetch(world: &World, person: &Person, access: u8) -> Result<FetchProfileReply, &'static str> {
    let request = FetchProfileRequest { account: person.account().into(), access: vec![access; 32].into() };
    world.visitor().fetch_profile(NOW, request).await.map_err(|fault| code(Err::<(), _>(fault)))
}

async fn put(session: &Session, request: PutProfileRequest) -> &'static str {
    code(session.put_profile(NOW, request).await)
}

#[tokio::test]
async fn a_profile_is_for_those_who_were_told() {
    let world = World::open();
    let (ana, session) = world.registered(1).await;
    let (bo, _) = world.registered(2).await;
    assert_eq!(fetch(&world, &ana, 7).await.err(), Some("NOT_FOUND"), "there is none");
    assert_eq!(put(&session, profile(1, 7)).await, "OK");
    let fetched = fetch(&world, &ana, 7).await.unwrap();
    assert!(fetched.revision == 1 && fetched.sealed == vec![7; 1 << 10]);
    assert_eq!(fetch(&world, &ana, 8).await.err(), Some("NOT_FOUND"));
    assert_eq!(fetch(&world, &bo, 7).await.err(), Some("NOT_FOUND"));
    assert_eq!(fetch(&world, &Person::new(3), 7).await.err(), Some("NOT_FOUND"), "nor is there such an account");

    // Somebody was blocked: what he was told is worth nothing any more.
    assert_eq!(put(&session, profile(2, 8)).await, "OK");
    assert_eq!(fetch(&world, &ana, 7).await.err(), Some("NOT_FOUND"));
    assert!(fetch(&world, &ana, 8).await.unwrap().revision == 2);
    assert_eq!(put(&session, PutProfileRequest { revision: 3, ..PutProfileRequest::default() }).await, "OK");
    assert_eq!(fetch(&world, &ana, 8).await.err(), Some("NOT_FOUND"));
    let read = session.read_profile(NOW, ReadProfileRequest {}).await.unwrap();
    assert!(read.revision == 3 && read.sealed.is_empty());
    assert_eq!(put(&session, profile(4, 9)).await, "OK");
    session.delete_account(NOW, DeleteAccountRequest {}).await.unwrap();
    assert_eq!(fetch(&world, &ana, 9).await.err(), Some("NOT_FOUND"));
}

#[tokio::test]
async fn a_profile_does_not_go_back_and_is_nobody_elses() {
    let world = World::open();
    let (ana, session) = world.registered(1).await;
    let (_, other) = world.registered(2).await;
    for (revision, access, expected) in [
        (2, 1, "CONFLICT"),
        (0, 1, "CONFLICT"),
        (1, 1, "OK"),
        (1, 1, "OK"),
        (1, 2, "CONFLICT"),
        (2, 2, "OK"),
        (1, 1, "CONFLICT"),
    ] {
        assert_eq!(put(&session, profile(revision, access)).await, expected, "revision {revision}");
    }
    // Another account's circuit replaces its own alone.
    assert_eq!(put(&other, profile(3, 3)).await, "CONFLICT");
    assert_eq!(put(&other, profile(1, 3)).await, "OK");
    assert!(fetch(&world, &ana, 2).await.unwrap().revision == 2);
    assert_eq!(fetch(&world, &ana, 3).await.err(), Some("NOT_FOUND"));
}

#[tokio::test]
async fn a_profile_has_one_of_the_sizes() {
    let world = World::open();
    let (ana, session) = world.registered(1).await;
    let sized = |length: usize| PutProfileRequest { sealed: vec![1; length].into(), ..profile(1, 1) };
    for length in [1, 1_023, 1_025, 32 << 10, (64 << 10) + 1, 0] {
        assert_eq!(put(&session, sized(length)).await, "MALFORMED", "{length}");
    }
    let no_hash = PutProfileRequest { access_hash: Bytes::new(), ..profile(1, 1) };
    assert_eq!(put(&session, no_hash).await, "MALFORMED");
    assert_eq!(put(&session, sized(64 << 10)).await, "OK");
    let short = FetchProfileRequest { account: ana.account().into(), access: Bytes::from_static(&[1; 31]) };
    assert_eq!(code(world.visitor().fetch_profile(NOW, short).await), "MALFORMED");
}
