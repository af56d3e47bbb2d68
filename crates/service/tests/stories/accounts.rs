//! What a device may do once it has proven itself.

use bytes::Bytes;
use undertone_credentials::{Device, DeviceKey, DeviceList, IdentityKey};
use undertone_wire::{
    Day, Now,
    account::{
        AccountHandler, AuthenticateRequest, ClearInboxRequest, PutDeviceListRequest, PutInboxKeyRequest,
        PutKeyPackagesRequest, ReadInboxRequest,
    },
    limits::PAGE_ENTRIES_MAX,
    visitor::{DeliverRequest, VisitorHandler},
};

use crate::people::{LETTER_DAY, NOW, Person, TODAY, World, code};

const ALL: ReadInboxRequest = ReadInboxRequest { after: 0, limit: PAGE_ENTRIES_MAX };

#[tokio::test]
async fn a_device_comes_back_and_learns_what_is_left() {
    let world = World::open();
    let (ana, _) = world.registered(1).await;
    let (circuit, session) = world.account_circuit();
    let reply = session.authenticate(NOW, ana.authentication(&circuit)).await.unwrap();
    assert!(reply.key_packages_left == 2 && reply.inbox_key_week == TODAY.week().0 && reply.inbox_seq == 0);
    // Again, as after a lost answer.
    assert_eq!(code(session.authenticate(NOW, ana.authentication(&circuit)).await), "OK");
}

#[tokio::test]
async fn nobody_else_authenticates() {
    let world = World::open();
    let (ana, _) = world.registered(1).await;
    let (bo, _) = world.registered(2).await;
    let changes = world.account_store.changes();
    let (circuit, session) = world.account_circuit();
    let good = ana.authentication(&circuit);
    let cases = [
        ("UNAUTHENTICATED", AuthenticateRequest { signature: bo.authentication(&circuit).signature, ..good.clone() }),
        ("UNAUTHENTICATED", AuthenticateRequest { device: 2, ..good.clone() }),
        ("UNAUTHENTICATED", AuthenticateRequest { signature: Bytes::new(), ..good.clone() }),
        ("UNAUTHENTICATED", AuthenticateRequest { account: Person::new(3).account().into(), ..good.clone() }),
        ("UNAUTHENTICATED", ana.authentication(&world.account_circuit().0)),
        ("MALFORMED", AuthenticateRequest { account: Bytes::from_static(&[1; 15]), ..good.clone() }),
    ];
    for (expected, request) in cases {
        assert_eq!(code(session.authenticate(NOW, request).await), expected);
    }
    assert_eq!(code(session.read_inbox(NOW, ALL).await), "UNAUTHENTICATED");
    assert_eq!(world.account_store.changes(), changes);
    assert_eq!(code(session.authenticate(NOW, good).await), "OK");
    assert_eq!(code(session.authenticate(NOW, bo.authentication(&circuit)).await), "FORBIDDEN");
}

#[tokio::test]
async fn a_device_that_lost_its_place_is_nobody() {
    let world = World::open();
    let (ana, session) = world.registered(1).await;
    let other = Device { number: 2, key: DeviceKey::from_seed(&[9; 32]).public(), features: vec![] };
    let list = ana.next_list(vec![other]).encoded().clone();
    assert_eq!(code(session.put_device_list(NOW, PutDeviceListRequest { device_list: list }).await), "OK");
    assert_eq!(code(session.read_inbox(NOW, ALL).await), "UNAUTHENTICATED");
    let (circuit, session) = world.account_circuit();
    assert_eq!(code(session.authenticate(NOW, ana.authentication(&circuit)).await), "UNAUTHENTICATED");

    let world = World::open();
    let (ana, session) = world.registered(1).await;
    let list = ana.next_list(ana.list.devices().to_vec()).encoded().clone();
    assert_eq!(code(session.put_device_list(NOW, PutDeviceListRequest { device_list: list }).await), "OK");
    assert_eq!(code(session.read_inbox(NOW, ALL).await), "OK");
}

/// Two devices change the list at once.
#[tokio::test]
async fn nobody_is_left_out_by_who_does_not_know_of_him() {
    let world = World::open();
    let (ana, session) = world.registered(1).await;
    let put = async |list: &DeviceList| {
        code(session.put_device_list(NOW, PutDeviceListRequest { device_list: list.encoded().clone() }).await)
    };
    let device =
        |number, seed: u8| Device { number, key: DeviceKey::from_seed(&[seed; 32]).public(), features: vec![] };
    let (first, later) = (ana.list.devices()[0].clone(), IdentityKey::from_seed(&[9; 32]));
    let linked = ana.next_list(vec![first.clone(), device(2, 20)]);
    assert_eq!(put(&linked).await, "OK");
    let removes = |list: &DeviceList, devices| list.next_identity(&ana.recovery, &later, devices).ok().unwrap();
    for list in [
        removes(&ana.list, vec![first.clone()]),
        removes(&ana.list, vec![first.clone(), device(2, 21)]),
        removes(&linked, vec![first.clone(), device(2, 21)]),
    ] {
        assert_eq!(put(&list).await, "CONFLICT");
    }
    let removed = removes(&linked, vec![first.clone()]);
    assert_eq!([put(&removed).await, put(&removed).await], ["OK", "OK"]);
    let back = removed.next(&later, vec![first.clone(), device(2, 20)]).ok().unwrap();
    assert_eq!(put(&back).await, "CONFLICT", "nobody comes back under the number that he had");
    let again = removed.next(&later, vec![first, device(3, 20)]).ok().unwrap();
    assert_eq!(put(&again).await, "OK");
}

#[tokio::test]
async fn device_lists_only_go_up() {
    let world = World::open();
    let (ana, session) = world.registered(1).await;
    let put = async |device_list: &Bytes| {
        code(session.put_device_list(NOW, PutDeviceListRequest { device_list: device_list.clone() }).await)
    };
    let devices = ana.list.devices().to_vec();
    let second = ana.next_list(devices.clone());
    let identity = IdentityKey::from_seed(&[9; 32]);
    let third = second.next_identity(&ana.recovery, &identity, devices).ok().unwrap();
    assert_eq!(put(second.encoded()).await, "OK");
    assert_eq!(put(second.encoded()).await, "OK");
    assert_eq!(put(ana.list.encoded()).await, "CONFLICT");
    assert_eq!(put(third.encoded()).await, "OK");
    assert_eq!(put(second.encoded()).await, "CONFLICT");
    assert_eq!(put(Person::new(2).list.encoded()).await, "FORBIDDEN");
    assert_eq!(put(&Bytes::from_static(b"no list")).await, "MALFORMED");
    let mut forged = third.encoded().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(put(&forged.into()).await, "FORBIDDEN");
}

#[tokio::test]
async fn an_inbox_key_is_for_this_week() {
    let world = World::open();
    let (ana, session) = world.registered(1).await;
    let put = async |now: Now, day: Day| {
        code(session.put_inbox_key(now, PutInboxKeyRequest { inbox_key: ana.inbox_key(day) }).await)
    };
    let week_ms = 7 * 86_400_000;
    assert_eq!(put(NOW, TODAY).await, "OK");
    assert_eq!(put(NOW, TODAY + 14).await, "MALFORMED");
    assert_eq!(put(NOW, Day(TODAY.0 - 14)).await, "MALFORMED");
    assert_eq!(put(NOW.plus_ms(week_ms), TODAY + 7).await, "OK");
    assert_eq!(put(NOW, TODAY).await, "CONFLICT");
    let foreign = Person::new(2).inbox_key(TODAY);
    assert_eq!(code(session.put_inbox_key(NOW, PutInboxKeyRequest { inbox_key: foreign }).await), "FORBIDDEN");
}

#[tokio::test]
async fn key_packages_are_refilled() {
    let world = World::open();
    let (ana, session) = world.registered(1).await;
    let put = async |one_time, last_resort| {
        session.put_key_packages(NOW, PutKeyPackagesRequest { one_time, last_resort, replace: false }).await
    };
    assert_eq!(put(vec![ana.key_package(3, false)], Bytes::new()).await.unwrap().key_packages_left, 3);
    assert_eq!(put(vec![ana.key_package(3, false)], Bytes::new()).await.unwrap().key_packages_left, 3);
    assert_eq!(put(vec![], ana.key_package(9, true)).await.unwrap().key_packages_left, 3);
    assert_eq!(code(put(vec![ana.key_package(9, true)], Bytes::new()).await), "MALFORMED");
    assert_eq!(code(put(vec![Person::new(2).key_package(9, false)], Bytes::new()).await), "FORBIDDEN");
}

#[tokio::test]
async fn an_inbox_is_read_and_cleared_by_its_owner() {
    let world = World::open();
    let (ana, session) = world.registered(1).await;
    for number in 1..=3 {
        let letter = DeliverRequest {
            account: ana.account().into(),
            idempotency_id: vec![number; 16].into(),
            sealed: vec![number; 16 << 10].into(),
            expiry_day: LETTER_DAY,
            ..DeliverRequest::default()
        };
        world.visitor().deliver(NOW, letter).await.unwrap();
    }
    let seqs = async |after, limit| {
        let page = session.read_inbox(NOW, ReadInboxRequest { after, limit }).await.unwrap();
        (page.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), page.more)
    };
    assert_eq!(seqs(0, u32::MAX).await, (vec![1, 2, 3], false));
    assert_eq!(seqs(1, 1).await, (vec![2], true));
    session.clear_inbox(NOW, ClearInboxRequest { up_to: 2 }).await.unwrap();
    assert_eq!(seqs(0, 9).await, (vec![3], false));
    // Nobody else's inbox has changed, and nobody else's is there to be read.
    let (_, bo) = world.registered(2).await;
    assert!(bo.read_inbox(NOW, ALL).await.unwrap().entries.is_empty());
}
