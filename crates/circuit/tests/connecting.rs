//! How a client comes to a circuit, and why it may not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod common;

use std::io;

use common::{House, NOW, append, read, rng};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::Instant,
};
use undertone_circuit::{
    Circuit, ConnectError, DialError, Dialer as _, Ending, ServiceKeys, TcpDialer, Tunnel, memory,
};
use undertone_wire::{
    account::{Account, AuthenticateRequest},
    channel::{Channel, OpenRequest, Opening},
    link::Pin,
    visitor::{FetchContactRequest, Visitor},
};

#[tokio::test]
async fn each_kind_of_circuit_carries_its_requests() {
    let mut house = House::open();

    let account = house.connect::<Account>().await.unwrap();
    let reply = account.call(AuthenticateRequest { device: 3, ..Default::default() }).await.unwrap();
    assert_eq!(reply.key_packages_left, 3);
    drop(account);
    assert_eq!(house.ending().await, Ending::Finished);

    let visitor = house.connect::<Visitor>().await.unwrap();
    let reply = visitor
        .visit(FetchContactRequest { account: vec![5; 16].into(), ..FetchContactRequest::default() })
        .await
        .unwrap();
    assert!(reply.inbox_key == vec![5; 16]);
    assert_eq!(house.ending().await, Ending::Finished);

    let channel = house.connect::<Channel>().await.unwrap();
    let reply = channel.call(OpenRequest { openings: vec![Opening::default(); 512] }).await.unwrap();
    assert_eq!(reply.opened.len(), 512);
    let copy = channel.clone();
    drop(channel);
    let page = copy.call(read(190 << 10)).await.unwrap();
    assert_eq!(page.entries[0].body.len(), 190 << 10);
    drop(copy);
    assert_eq!(house.ending().await, Ending::Finished);
}

#[tokio::test]
async fn the_service_says_the_same_to_all() {
    let house = House::open();
    let channel = house.connect::<Channel>().await.unwrap();
    assert!(channel.parameters().head_key == vec![7; 32]);
    assert!(channel.signed_parameters().body == vec![8; 99] && channel.signed_parameters().signature == vec![9; 64]);
    let hello = channel.hello();
    assert_eq!((hello.protocol, hello.protocol_floor_next, hello.floor_day), (1, 1, 21_000));
    assert!(channel.service_keys() == house.keys.public());

    let other = house.connect::<Account>().await.unwrap();
    assert!(other.parameters() == channel.parameters());
    assert!(other.signed_parameters() == channel.signed_parameters());
    assert!(other.handshake_hash() == channel.handshake_hash(), "both drew the same randomness");
    let third = Circuit::<Account>::connect(&house.dialer, &house.keys.pin(), None, &mut rng(77)).await.unwrap();
    assert!(third.handshake_hash() != channel.handshake_hash());
}

#[tokio::test]
async fn over_tcp() {
    let mut house = House::open();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dialer = TcpDialer::new(listener.local_addr().unwrap().to_string());
    let host = house.host();
    tokio::spawn(async move {
        let (tunnel, _) = listener.accept().await.unwrap();
        host.welcome(tunnel).await;
    });
    let pin = house.keys.pin();
    let connecting = async move { Circuit::<Channel>::connect(&dialer, &pin, None, &mut rng(1)).await };
    let circuit = tokio::spawn(connecting).await.unwrap().unwrap();
    house.desk.gate.add_permits(100);
    let calls: Vec<_> = (0..100)
        .map(|number| {
            let circuit = circuit.clone();
            tokio::spawn(async move { circuit.call(append(number)).await.is_ok() })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap());
    }
    assert_eq!(circuit.call(read(150_000)).await.unwrap().entries[0].body.len(), 150_000);
    drop(circuit);
    assert_eq!(house.ending().await, Ending::Finished);
    assert_eq!(NOW.day().to_string(), "2026-11-22");
}

#[tokio::test]
async fn known_keys_save_a_round_trip_and_wrong_ones_do_no_harm() {
    let house = House::open();
    let (dialer, mut listener) = memory(64 << 10);
    let first = house.connect::<Account>().await.unwrap();

    let keys = first.service_keys().clone();
    let host = house.host();
    let far = tokio::spawn(async move {
        let mut tunnel = listener.accept().await.unwrap();
        let mut header = [0; 4];
        tunnel.read_exact(&mut header).await.unwrap();
        drop((tunnel, host));
        header
    });
    let lost = Circuit::<Account>::connect(&dialer, &house.keys.pin(), Some(&keys), &mut rng(1)).await;
    assert!(matches!(lost, Err(ConnectError::Unreachable(_))));
    assert_eq!(far.await.unwrap(), [9, 18, 1, 3], "the first message is the handshake");

    assert!(Circuit::<Account>::connect(&house.dialer, &keys.pin(), Some(&keys), &mut rng(1)).await.is_ok());
    let others = ServiceKeys::generate(&mut rng(8));
    let connected = Circuit::<Account>::connect(&house.dialer, &keys.pin(), Some(others.public()), &mut rng(1)).await;
    assert!(connected.is_ok());
}

#[tokio::test]
async fn another_service_is_known_by_its_key() {
    let house = House::open();
    let wrong = Pin::new([1; 32]);
    let connected = Circuit::<Account>::connect(&house.dialer, &wrong, None, &mut rng(1)).await;
    assert_eq!(connected.err(), Some(ConnectError::WrongKey));

    // The right keys shown by who does not have them: he cannot go on.
    let others = ServiceKeys::generate(&mut rng(8));
    let connected = Circuit::<Account>::connect(&house.dialer, &others.pin(), Some(others.public()), &mut rng(1)).await;
    assert!(matches!(connected.err(), Some(ConnectError::Unreachable(io::ErrorKind::UnexpectedEof))));
}

/// What a client makes of a service that sends `bytes` once it has read something.
async fn answered(bytes: &'static [u8]) -> Option<ConnectError> {
    let (dialer, mut listener) = memory(64 << 10);
    tokio::spawn(async move {
        let mut tunnel = listener.accept().await.unwrap();
        let _ = tunnel.read_u8().await;
        tunnel.write_all(bytes).await.unwrap();
        hold(tunnel).await;
    });
    Circuit::<Account>::connect(&dialer, &Pin::new([1; 32]), None, &mut rng(1)).await.err()
}

async fn hold(tunnel: impl Tunnel) {
    std::future::pending::<()>().await;
    drop(tunnel);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_such_service_is_told_apart() {
    assert_eq!(answered(&[0, 3, 2, 5, 2]).await, Some(ConnectError::UpdateNeeded), "it speaks version 2 only");
    assert_eq!(answered(&[0, 4, 9, 5, 8, 9]).await, Some(ConnectError::UpdateNeeded));
    assert_eq!(answered(b"HTTP/1.1 400 Bad Request\r\n\r\n").await, Some(ConnectError::TimedOut));
    assert_eq!(answered(&[0, 2, 1, 1]).await, Some(ConnectError::Protocol), "a client's message");
    assert_eq!(answered(&[0, 0]).await, Some(ConnectError::Protocol));
    assert_eq!(answered(&[0, 9, 2, 2, 0, 0, 0, 0, 0, 0, 0]).await, Some(ConnectError::Protocol));
    let start = Instant::now();
    assert_eq!(answered(&[]).await, Some(ConnectError::TimedOut));
    assert_eq!(start.elapsed().as_secs(), 15);
}

#[tokio::test]
async fn who_does_not_listen_cannot_be_reached() {
    let (dialer, listener) = memory(1 << 10);
    drop(listener);
    assert!(matches!(dialer.dial().await.err(), Some(DialError(io::ErrorKind::ConnectionRefused))));
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let connected =
        Circuit::<Account>::connect(&TcpDialer::new(free.to_string()), &Pin::new([1; 32]), None, &mut rng(1)).await;
    let error = connected.err().unwrap();
    assert_eq!(error, ConnectError::Unreachable(io::ErrorKind::ConnectionRefused));
    assert!(!error.to_string().contains("127.0.0.1"), "an error names no address");
}
