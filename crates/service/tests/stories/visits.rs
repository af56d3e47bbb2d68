//! A home that was copied is two devices that say different things.

use bytes::Bytes;
use undertone_credentials::{Device, DeviceKey};
use undertone_wire::account::{AccountHandler, AuthenticateRequest, PutDeviceListRequest, ReadInboxRequest};

use crate::people::{NOW, Person, World, code};

/// Comes on a circuit of its own.
async fn visit(world: &World, person: &Person, last: &[u8], next: &[u8]) -> &'static str {
    let (circuit, session) = world.account_circuit();
    let request = AuthenticateRequest {
        last_visit: Bytes::copy_from_slice(last),
        visit: Bytes::copy_from_slice(next),
        ..person.authentication(&circuit)
    };
    let came = code(session.authenticate(NOW, request).await);
    let read = code(session.read_inbox(NOW, ReadInboxRequest { after: 0, limit: 9 }).await);
    assert_eq!(read, if came == "OK" { "OK" } else { "UNAUTHENTICATED" });
    came
}

#[tokio::test]
async fn a_copy_is_told_and_the_other_goes_on() {
    let world = World::open();
    let (ana, _) = world.registered(1).await;
    let [a, b, c, d] = [1u8, 2, 3, 4].map(|byte| [byte; 16]);
    assert_eq!(visit(&world, &ana, &[], &a).await, "OK");
    assert_eq!(visit(&world, &ana, &a, &b).await, "OK");
    assert_eq!(visit(&world, &ana, &a, &b).await, "OK", "its answer was lost");
    // Here the home is copied. One of the two comes first.
    assert_eq!(visit(&world, &ana, &b, &c).await, "OK");
    assert_eq!(visit(&world, &ana, &b, &d).await, "CONFLICT");
    assert_eq!(visit(&world, &ana, &b, &d).await, "CONFLICT");
    assert_eq!(visit(&world, &ana, &c, &a).await, "OK");
    // Put back from a backup of long ago, or without memory of it.
    assert_eq!(visit(&world, &ana, &[], &d).await, "CONFLICT");
    assert_eq!(visit(&world, &ana, &[], &[]).await, "OK", "who says nothing is asked nothing");
}

#[tokio::test]
async fn what_is_said_has_its_length() {
    let world = World::open();
    let (ana, _) = world.registered(1).await;
    for (last, next) in [(&[1; 15][..], &[1; 16][..]), (&[1; 16], &[1; 17]), (&[], &[1; 1]), (&[1; 1], &[])] {
        assert_eq!(visit(&world, &ana, last, next).await, "MALFORMED");
    }
}

#[tokio::test]
async fn nobody_else_changes_what_is_held() {
    let world = World::open();
    let (ana, _) = world.registered(1).await;
    assert_eq!(visit(&world, &ana, &[], &[1; 16]).await, "OK");
    let changes = world.account_store.changes();
    let (circuit, session) = world.account_circuit();
    let forged = AuthenticateRequest {
        last_visit: Bytes::from_static(&[1; 16]),
        visit: Bytes::from_static(&[9; 16]),
        ..ana.authentication_of(&circuit, 1, &Person::new(2).device)
    };
    assert_eq!(code(session.authenticate(NOW, forged).await), "UNAUTHENTICATED");
    assert_eq!(world.account_store.changes(), changes);
    assert_eq!(visit(&world, &ana, &[1; 16], &[2; 16]).await, "OK");
}

#[tokio::test]
async fn a_new_device_has_said_nothing_yet() {
    let world = World::open();
    let (mut ana, session) = world.registered(1).await;
    assert_eq!(visit(&world, &ana, &[], &[1; 16]).await, "OK");
    let key = DeviceKey::from_seed(&[9; 32]);
    let second = Device { number: 2, key: key.public(), features: vec![] };
    ana.list = ana.next_list(vec![ana.list.devices()[0].clone(), second]);
    let device_list = ana.list.encoded().clone();
    session.put_device_list(NOW, PutDeviceListRequest { device_list }).await.unwrap();
    let (circuit, session) = world.account_circuit();
    let request = AuthenticateRequest { visit: vec![7; 16].into(), ..ana.authentication_of(&circuit, 2, &key) };
    assert_eq!(code(session.authenticate(NOW, request).await), "OK");
    assert_eq!(visit(&world, &ana, &[1; 16], &[2; 16]).await, "OK", "each has its own");
}
