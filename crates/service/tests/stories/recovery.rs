//! The recovery words bring an account back, and an account goes for good.

use bytes::Bytes;
use undertone_credentials::{Device, DeviceKey, IdentityKey, InboxKey};
use undertone_wire::{
    account::{
        AccountHandler, ClearInboxRequest, DeleteAccountRequest, PutDeviceListRequest, PutInboxKeyRequest,
        PutKeyPackagesRequest, PutVaultRequest, ReadInboxRequest, ReadVaultRequest, RecoverRequest,
    },
    visitor::{DeliverRequest, FetchContactRequest, VisitorHandler},
};

use crate::people::{Accounts, LETTER_DAY, NOW, Person, TODAY, World, code};

type Session = undertone_service::AccountSession<Accounts>;

const DELETE: DeleteAccountRequest = DeleteAccountRequest {};

fn letter(person: &Person, number: u8) -> DeliverRequest {
    DeliverRequest {
        account: person.account().into(),
        idempotency_id: vec![number; 16].into(),
        sealed: vec![number; 16 << 10].into(),
        expiry_day: LETTER_DAY,
        ..DeliverRequest::default()
    }
}

async fn put_list(session: &Session, person: &Person) -> &'static str {
    let device_list = person.list.encoded().clone();
    code(session.put_device_list(NOW, PutDeviceListRequest { device_list }).await)
}

async fn inbox(session: &Session) -> Vec<u64> {
    let page = session.read_inbox(NOW, ReadInboxRequest { after: 0, limit: 9 }).await.unwrap();
    page.entries.iter().map(|entry| entry.seq).collect()
}

/// The same person with a new identity and one new device, as the words alone make it.
fn recovered(ana: &Person) -> Person {
    let mut new = Person {
        identity: IdentityKey::from_seed(&[50; 32]),
        device: DeviceKey::from_seed(&[51; 32]),
        ..Person::new(1)
    };
    let devices = vec![Device { number: 2, key: new.device.public(), features: vec![] }];
    new.list = ana.list.next_identity(&ana.recovery, &new.identity, devices).unwrap_or_else(|_| unreachable!());
    new
}

#[tokio::test]
async fn on_an_empty_machine_the_words_are_enough() {
    let world = World::open();
    let (ana, old) = world.registered(1).await;
    let vault = PutVaultRequest { revision: 1, sealed: vec![7; 8 << 10].into() };
    old.put_vault(NOW, vault.clone()).await.unwrap();
    world.visitor().deliver(NOW, letter(&ana, 1)).await.unwrap();

    let (circuit, session) = world.account_circuit();
    let reply = session.recover(NOW, ana.recovery(&circuit)).await.unwrap();
    assert!(reply.device_list == *ana.list.encoded() && reply.vault == vault.sealed && reply.vault_revision == 1);
    assert_eq!(code(session.recover(NOW, ana.recovery(&circuit)).await), "OK", "its answer was lost");
    assert_eq!(code(session.read_vault(NOW, ReadVaultRequest {}).await), "UNAUTHENTICATED");

    let new = recovered(&ana);
    assert_eq!(put_list(&session, &new).await, "OK");
    assert_eq!(put_list(&session, &new).await, "OK");
    let reply = session.authenticate(NOW, new.authentication_of(&circuit, 2, &new.device)).await.unwrap();
    assert_eq!((reply.key_packages_left, reply.inbox_key_week, reply.inbox_seq), (0, 0, 1));
    assert_eq!(inbox(&session).await, [1]);

    // The old device is out, and its keys are good for nothing.
    assert_eq!(code(old.read_vault(NOW, ReadVaultRequest {}).await), "UNAUTHENTICATED");
    assert_eq!(code(old.put_vault(NOW, PutVaultRequest { revision: 2, ..vault }).await), "UNAUTHENTICATED");
    assert_eq!(code(old.delete_account(NOW, DELETE).await), "UNAUTHENTICATED");
    assert_eq!(put_list(&old, &new).await, "UNAUTHENTICATED");
    let (circuit, old) = world.account_circuit();
    assert_eq!(code(old.authenticate(NOW, ana.authentication(&circuit)).await), "UNAUTHENTICATED");
}

#[tokio::test]
async fn without_a_vault_the_account_comes_back_all_the_same() {
    let world = World::open();
    let (ana, _) = world.registered(1).await;
    let (circuit, session) = world.account_circuit();
    let reply = session.recover(NOW, ana.recovery(&circuit)).await.unwrap();
    assert!(reply.device_list == *ana.list.encoded() && reply.vault.is_empty() && reply.vault_revision == 0);
}

#[tokio::test]
async fn nobody_else_recovers() {
    let world = World::open();
    let (ana, _) = world.registered(1).await;
    let (bo, _) = world.registered(2).await;
    let (circuit, session) = world.account_circuit();
    let (elsewhere, _) = world.account_circuit();
    let good = ana.recovery(&circuit);
    let cases = [
        ("UNAUTHENTICATED", ana.recovery(&elsewhere)),
        ("UNAUTHENTICATED", RecoverRequest { signature: bo.recovery(&circuit).signature, ..good.clone() }),
        ("UNAUTHENTICATED", RecoverRequest { signature: Bytes::new(), ..good.clone() }),
        ("UNAUTHENTICATED", RecoverRequest { recovery_key: bo.recovery(&circuit).recovery_key, ..good.clone() }),
        ("MALFORMED", RecoverRequest { recovery_key: Bytes::new(), ..good.clone() }),
        ("MALFORMED", RecoverRequest { recovery_key: Bytes::from_static(&[0; 32]), ..good.clone() }),
        // Words that are right, of nobody here.
        ("NOT_FOUND", Person::new(3).recovery(&circuit)),
    ];
    for (expected, request) in cases {
        assert_eq!(code(session.recover(NOW, request).await), expected);
        assert_eq!(put_list(&session, &recovered(&ana)).await, "UNAUTHENTICATED");
    }
    assert_eq!(code(session.recover(NOW, good).await), "OK");
    assert_eq!(code(session.recover(NOW, bo.recovery(&circuit)).await), "FORBIDDEN");
    assert_eq!(code(session.authenticate(NOW, bo.authentication(&circuit)).await), "FORBIDDEN");
    assert_eq!(put_list(&session, &bo).await, "FORBIDDEN");
}

#[tokio::test]
async fn the_words_speak_for_lists_alone() {
    let world = World::open();
    let (ana, _) = world.registered(1).await;
    let (circuit, session) = world.account_circuit();
    session.recover(NOW, ana.recovery(&circuit)).await.unwrap();
    let inbox_key = PutInboxKeyRequest { inbox_key: ana.inbox_key(TODAY) };
    assert_eq!(code(session.put_inbox_key(NOW, inbox_key).await), "UNAUTHENTICATED");
    assert_eq!(code(session.clear_inbox(NOW, ClearInboxRequest { up_to: 9 }).await), "UNAUTHENTICATED");
    assert_eq!(code(session.delete_account(NOW, DELETE).await), "UNAUTHENTICATED");
    // A list that is not newer changes nothing.
    let mut other = recovered(&ana);
    assert_eq!(put_list(&session, &other).await, "OK");
    other.list = ana.next_list(ana.list.devices().to_vec());
    assert_eq!(put_list(&session, &other).await, "CONFLICT");
}

#[tokio::test]
async fn a_new_identity_takes_over_the_inbox() {
    let world = World::open();
    let (ana, _) = world.registered(1).await;
    let (circuit, session) = world.account_circuit();
    session.recover(NOW, ana.recovery(&circuit)).await.unwrap();
    let new = recovered(&ana);
    put_list(&session, &new).await;
    session.authenticate(NOW, new.authentication_of(&circuit, 2, &new.device)).await.unwrap();
    let put = async |inbox_key| code(session.put_inbox_key(NOW, PutInboxKeyRequest { inbox_key }).await);
    assert_eq!(put(ana.inbox_key(TODAY)).await, "FORBIDDEN", "signed by the former identity");
    assert_eq!(put(new.inbox_key(TODAY)).await, "OK", "of the same week");
    let contact = world
        .visitor()
        .fetch_contact(NOW, FetchContactRequest { account: ana.account().into(), ..FetchContactRequest::default() })
        .await;
    let contact = contact.unwrap();
    assert!(InboxKey::verify(&new.list, &contact.inbox_key).is_ok() && contact.key_packages.is_empty());
}

#[tokio::test]
async fn letters_wait_for_all_devices() {
    let world = World::open();
    let (mut ana, laptop) = world.registered(1).await;
    let key = DeviceKey::from_seed(&[9; 32]);
    let both = vec![ana.list.devices()[0].clone(), Device { number: 2, key: key.public(), features: vec![] }];
    ana.list = ana.next_list(both);
    put_list(&laptop, &ana).await;
    let (circuit, phone) = world.account_circuit();
    phone.authenticate(NOW, ana.authentication_of(&circuit, 2, &key)).await.unwrap();
    for number in 1..=2 {
        world.visitor().deliver(NOW, letter(&ana, number)).await.unwrap();
    }
    laptop.clear_inbox(NOW, ClearInboxRequest { up_to: 2 }).await.unwrap();
    assert_eq!((inbox(&laptop).await, inbox(&phone).await), (vec![1, 2], vec![1, 2]));
    phone.clear_inbox(NOW, ClearInboxRequest { up_to: 1 }).await.unwrap();
    assert_eq!(inbox(&laptop).await, [2]);
    // Who is removed holds nothing up.
    ana.list = ana.next_list(vec![ana.list.devices()[0].clone()]);
    assert_eq!(put_list(&laptop, &ana).await, "OK");
    assert!(inbox(&laptop).await.is_empty());
    let packages =
        PutKeyPackagesRequest { one_time: vec![ana.key_package(9, false)], ..PutKeyPackagesRequest::default() };
    assert_eq!(code(phone.put_key_packages(NOW, packages).await), "UNAUTHENTICATED");
    assert_eq!(code(phone.read_inbox(NOW, ReadInboxRequest { after: 0, limit: 9 }).await), "UNAUTHENTICATED");
}

#[tokio::test]
async fn what_is_deleted_is_gone() {
    let world = World::open();
    let (ana, session) = world.registered(1).await;
    let (_, bo) = world.registered(2).await;
    let (circuit, recovering) = world.account_circuit();
    recovering.recover(NOW, ana.recovery(&circuit)).await.unwrap();
    world.visitor().deliver(NOW, letter(&ana, 1)).await.unwrap();
    session.put_vault(NOW, PutVaultRequest { revision: 1, sealed: vec![7; 8 << 10].into() }).await.unwrap();

    assert_eq!(code(session.delete_account(NOW, DELETE).await), "OK");
    assert_eq!(code(session.delete_account(NOW, DELETE).await), "OK", "its answer was lost");
    let (circuit, stranger) = world.account_circuit();
    assert_eq!(code(stranger.authenticate(NOW, ana.authentication(&circuit)).await), "UNAUTHENTICATED");
    assert_eq!(code(stranger.delete_account(NOW, DELETE).await), "UNAUTHENTICATED");
    assert_eq!(code(stranger.recover(NOW, ana.recovery(&circuit)).await), "NOT_FOUND");
    assert_eq!(put_list(&recovering, &recovered(&ana)).await, "CONFLICT");
    assert_eq!(code(session.read_vault(NOW, ReadVaultRequest {}).await), "UNAUTHENTICATED");
    assert_eq!(code(world.visitor().deliver(NOW, letter(&ana, 1)).await), "NOT_FOUND");
    let fetch = FetchContactRequest { account: ana.account().into(), ..FetchContactRequest::default() };
    assert_eq!(code(world.visitor().fetch_contact(NOW, fetch).await), "NOT_FOUND");
    let counts = world.accounts.counts().await.unwrap();
    assert_eq!((counts.accounts, counts.inbox_entries), (1, 0));
    assert_eq!(code(bo.read_vault(NOW, ReadVaultRequest {}).await), "OK", "others lose nothing");

    // Whoever has the words may begin anew; nobody else may.
    let (circuit, again) = world.account_circuit();
    assert_eq!(code(again.register(NOW, ana.registration(&circuit)).await), "OK");
    assert!(inbox(&again).await.is_empty());
    assert_eq!(code(session.delete_account(NOW, DELETE).await), "OK", "the same device again");
    assert_eq!(code(again.read_vault(NOW, ReadVaultRequest {}).await), "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_recovery_key_makes_one_account() {
    let world = World::open();
    let (ana, _) = world.registered(1).await;
    let mut second = Person { identity: IdentityKey::from_seed(&[9; 32]), ..Person::new(1) };
    second.list =
        undertone_credentials::DeviceList::first(&ana.recovery.public(), &second.identity, ana.list.devices().to_vec())
            .unwrap_or_else(|_| unreachable!());
    assert!(second.account() != ana.account());
    let (circuit, session) = world.account_circuit();
    assert_eq!(code(session.register(NOW, second.registration(&circuit)).await), "CONFLICT");
    assert_eq!(world.accounts.counts().await.unwrap().accounts, 1);
}
