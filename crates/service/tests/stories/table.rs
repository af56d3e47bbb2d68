//! Every method in every state of its circuit.

use std::sync::Arc;

use bytes::Bytes;
use undertone_credentials::{Device, DeviceKey};
use undertone_wire::{
    HandshakeHash, Now,
    account::{
        Account, AccountHandler, ClearInboxRequest, DeleteAccountRequest, IssueCredentialsRequest, PublishRequest,
        PutDeviceListRequest, PutInboxKeyRequest, PutKeyPackagesRequest, PutVaultRequest, ReadInboxRequest,
        ReadProfileRequest, ReadVaultRequest, RemoveListingRequest, SendCodeRequest,
    },
    channel::{Channel, ChannelHandler, FollowRequest, OpenRequest, ReadRequest, ResumeRequest, SendTransientRequest},
    circuit::Fault,
    rpc::{Answer, Dispatch, Method, OpenPushes, Service},
    visitor::{DeliverRequest, FetchContactRequest, FetchProfileRequest, Visitor},
};

use crate::{
    directory::{Post, lookups, phone, put, username},
    people::{Keys, LETTER_DAY, Listener, NOW, Person, TODAY, World, code, installing, message},
    profiles::profile,
    tokens::whole_batch,
};

async fn ask<M: Method>(session: &impl Dispatch<M::Service>, request: M) -> &'static str {
    code(dispatch(session, NOW, M::NUMBER, request.encode_to_vec().into()).await)
}

pub async fn dispatch<S: Service>(
    session: &impl Dispatch<S>,
    now: Now,
    method: u32,
    body: Bytes,
) -> Result<Answer, Fault> {
    session.dispatch(now, method, body, OpenPushes::new(Arc::new(Listener::default()), 1)).await
}

#[tokio::test]
async fn account_circuits() {
    const METHODS: usize = Account::METHODS.len();
    const NOBODY: &str = "UNAUTHENTICATED";
    // Register, Authenticate, PutDeviceList, PutInboxKey, PutKeyPackages, ReadInbox, ClearInbox, ReadVault, PutVault,
    // Recover, DeleteAccount, IssueTokens, ReadProfile, PutProfile, Publish, IssueCredentials, IssueLookups, SendCode,
    // PutListing, RemoveListing.
    let table: [(&str, [&str; METHODS]); 6] = [
        (
            "silent",
            [
                "OK", "OK", NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, "OK", NOBODY, NOBODY, NOBODY,
                NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY,
            ],
        ),
        ("authenticated", ["OK"; METHODS]),
        (
            "recovering",
            [
                "OK", "OK", "OK", NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, "OK", NOBODY, NOBODY, NOBODY, NOBODY,
                NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY,
            ],
        ),
        (
            "another's",
            [
                "FORBIDDEN",
                "FORBIDDEN",
                "FORBIDDEN",
                "FORBIDDEN",
                "FORBIDDEN",
                "OK",
                "OK",
                "OK",
                "OK",
                "FORBIDDEN",
                "OK",
                "OK",
                "OK",
                "OK",
                "OK",
                "OK",
                "OK",
                "OK",
                "OK",
                "OK",
            ],
        ),
        (
            "removed",
            [
                "CONFLICT", NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, "OK", NOBODY, NOBODY,
                NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY,
            ],
        ),
        (
            "deleted",
            [
                "OK",
                NOBODY,
                NOBODY,
                NOBODY,
                NOBODY,
                NOBODY,
                NOBODY,
                NOBODY,
                NOBODY,
                "NOT_FOUND",
                "OK",
                NOBODY,
                NOBODY,
                NOBODY,
                NOBODY,
                NOBODY,
                NOBODY,
                NOBODY,
                NOBODY,
                NOBODY,
            ],
        ),
    ];
    for (state, expected) in table {
        for (index, expected) in expected.into_iter().enumerate() {
            let world = World::open().with_codes(Post::default().codes());
            let (ana, _) = world.registered(1).await;
            let (circuit, session) = world.account_circuit();
            match state {
                "authenticated" => drop(session.authenticate(NOW, ana.authentication(&circuit)).await.unwrap()),
                "recovering" => drop(session.recover(NOW, ana.recovery(&circuit)).await.unwrap()),
                "another's" => {
                    let (bo, _) = world.registered(2).await;
                    session.authenticate(NOW, bo.authentication(&circuit)).await.unwrap();
                }
                "removed" => {
                    session.authenticate(NOW, ana.authentication(&circuit)).await.unwrap();
                    let other = Device { number: 2, key: DeviceKey::from_seed(&[9; 32]).public(), features: vec![] };
                    let device_list = ana.next_list(vec![other]).encoded().clone();
                    session.put_device_list(NOW, PutDeviceListRequest { device_list }).await.unwrap();
                }
                "deleted" => {
                    session.authenticate(NOW, ana.authentication(&circuit)).await.unwrap();
                    session.delete_account(NOW, DeleteAccountRequest {}).await.unwrap();
                }
                _ => {}
            }
            let got = ask_account(&session, &ana, &circuit, index).await;
            assert_eq!(got, expected, "{} on a circuit that is {state}", Account::METHODS[index]);
        }
    }
}

async fn ask_account(
    session: &impl Dispatch<Account>,
    ana: &Person,
    circuit: &HandshakeHash,
    index: usize,
) -> &'static str {
    let next = ana.next_list(ana.list.devices().to_vec()).encoded().clone();
    let packages =
        PutKeyPackagesRequest { one_time: vec![ana.key_package(5, false)], ..PutKeyPackagesRequest::default() };
    match index {
        0 => ask(session, ana.registration(circuit)).await,
        1 => ask(session, ana.authentication(circuit)).await,
        2 => ask(session, PutDeviceListRequest { device_list: next }).await,
        3 => ask(session, PutInboxKeyRequest { inbox_key: ana.inbox_key(TODAY) }).await,
        4 => ask(session, packages).await,
        5 => ask(session, ReadInboxRequest { after: 0, limit: 9 }).await,
        6 => ask(session, ClearInboxRequest { up_to: 1 }).await,
        7 => ask(session, ReadVaultRequest {}).await,
        8 => ask(session, PutVaultRequest { revision: 1, sealed: vec![1; 8 << 10].into() }).await,
        9 => ask(session, ana.recovery(circuit)).await,
        10 => ask(session, DeleteAccountRequest {}).await,
        11 => ask(session, whole_batch(3).0).await,
        12 => ask(session, ReadProfileRequest {}).await,
        13 => ask(session, profile(1, 7)).await,
        14 => ask(session, PublishRequest::default()).await,
        15 => ask(session, IssueCredentialsRequest {}).await,
        16 => ask(session, lookups(4).0).await,
        17 => ask(session, SendCodeRequest { identifier: Some((&phone(1)).into()) }).await,
        18 => ask(session, put(&username("ana"), "")).await,
        _ => ask(session, RemoveListingRequest { identifier: Some((&username("ana")).into()) }).await,
    }
}

#[tokio::test]
async fn channel_circuits() {
    const METHODS: usize = Channel::METHODS.len();
    // Open, Append, Read, Follow, Resume, SendTransient; those of groups have their own stories, and here there is none.
    const OF_GROUPS: [&str; 5] = ["ChangeGroup", "Present", "ReadRecord", "ReadHeadSlot", "ReserveCommit"];
    assert_eq!(Channel::METHODS[6..], OF_GROUPS);
    let table: [(&str, [&str; METHODS - OF_GROUPS.len()]); 4] = [
        ("closed", ["OK", "UNAUTHENTICATED", "UNAUTHENTICATED", "UNAUTHENTICATED", "OK", "UNAUTHENTICATED"]),
        ("open to read", ["OK", "FORBIDDEN", "OK", "OK", "OK", "FORBIDDEN"]),
        ("open to write", ["OK", "OK", "OK", "OK", "OK", "OK"]),
        (
            "open under a generation that is over",
            ["OK", "UNAUTHENTICATED", "OK", "UNAUTHENTICATED", "OK", "UNAUTHENTICATED"],
        ),
    ];
    for (state, expected) in table {
        for (index, expected) in expected.into_iter().enumerate() {
            let world = World::open();
            let keys = world.channel(1).await;
            let (circuit, session) = world.channel_circuit();
            if state != "closed" {
                let opening = keys.opening(&circuit, state != "open to read");
                session.open(NOW, OpenRequest { openings: vec![opening] }).await.unwrap();
            }
            if state.ends_with("over") {
                session.append(NOW, keys.append(vec![installing(&keys.next(2), 0, 9)])).await.unwrap();
            }
            let channel: Bytes = keys.channel.into();
            let got = match index {
                0 => ask(&session, OpenRequest { openings: vec![keys.opening(&circuit, true)] }).await,
                1 => ask(&session, keys.append(vec![message(1)])).await,
                2 => ask(&session, ReadRequest { channel, after: 0, limit: 9 }).await,
                3 => ask(&session, FollowRequest { channels: vec![channel], known: Vec::new() }).await,
                4 => {
                    ask(&session, ResumeRequest { tickets: vec![Bytes::from_static(b"none")], known: Vec::new() }).await
                }
                _ => ask(&session, SendTransientRequest { channel, body: vec![1; 256].into() }).await,
            };
            assert_eq!(got, expected, "{} where the channel is {state}", Channel::METHODS[index]);
        }
    }
}

#[tokio::test]
async fn visitor_circuits() {
    for index in 0..Visitor::METHODS.len() {
        let world = World::open();
        let (ana, session) = world.registered(1).await;
        session.put_profile(NOW, profile(1, 7)).await.unwrap();
        let visitor = world.visitor();
        for expected in ["OK", "FORBIDDEN"] {
            let got = match index {
                0 => {
                    ask(
                        &visitor,
                        FetchContactRequest { account: ana.account().into(), ..FetchContactRequest::default() },
                    )
                    .await
                }
                1 => ask(&visitor, letter(&ana)).await,
                2 => ask(&visitor, Keys::new(1).creation()).await,
                _ => {
                    ask(&visitor, FetchProfileRequest { account: ana.account().into(), access: vec![7; 32].into() })
                        .await
                }
            };
            assert_eq!(got, expected, "{}", Visitor::METHODS[index]);
        }
    }
}

fn letter(person: &Person) -> DeliverRequest {
    DeliverRequest {
        account: person.account().into(),
        idempotency_id: vec![1; 16].into(),
        sealed: vec![1; 16 << 10].into(),
        expiry_day: LETTER_DAY,
        ..DeliverRequest::default()
    }
}
