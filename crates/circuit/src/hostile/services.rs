//! Hostile services, and an honest client.

use super::*;

/// A service that does what it likes, and an honest client's circuit to it.
async fn impostor() -> (Link, Circuit<Channel>) {
    let (dialer, mut listener) = memory(64 << 10);
    let far = tokio::spawn(async move {
        let mut tunnel = listener.accept().await.unwrap();
        let Ok(Preamble::Handshake1(message)) = preamble::read(&mut tunnel).await else { panic!() };
        let (established, message) = respond(&KEYS, &message, &mut rng(2)).unwrap();
        preamble::write(&mut tunnel, &Preamble::Handshake2(message)).await.unwrap();
        let mut link = Link::new(Box::new(tunnel), established.session);
        assert!(matches!(link.receive().await.unwrap().unwrap().kind, Some(frame::Kind::Hello(_))));
        let parameters = Some(Parameters::default());
        link.queue(
            0,
            frame::Kind::HelloReply(HelloReply {
                protocol: 1,
                parameters,
                signed_parameters: Some(SignedParameters::default()),
                ..HelloReply::default()
            }),
        );
        link.flush().await.unwrap();
        link.open();
        link
    });
    let circuit = Circuit::connect(&dialer, &KEYS.pin(), Some(KEYS.public()), &mut rng(1)).await.unwrap();
    (far.await.unwrap(), circuit)
}

#[tokio::test]
async fn a_client_leaves_a_service_that_breaks_the_protocol() {
    for bytes in [
        vec![255; 100],
        vec![0, 0, 0, 1, 0x22],
        encode(0, frame::Kind::Hello(hello(Kind::Channel))).to_vec(),
        encode(1, request(ECHO)).to_vec(),
        encode(1, frame::Kind::Cancel(true)).to_vec(),
    ] {
        let (mut link, circuit) = impostor().await;
        link.queue_bytes(&bytes);
        assert_eq!(farewell(&mut link).await, Some(Ending::Protocol));
        assert_eq!(circuit.closed().await, Ending::Protocol);
        assert_eq!(circuit.call(OpenRequest::default()).await.err(), Some(CallError::NotSent));
    }
}

#[tokio::test]
async fn a_client_takes_only_answers_to_its_questions() {
    let (mut link, circuit) = impostor().await;
    for kind in
        [frame::Kind::Reply(Bytes::new()), frame::Kind::Push(Bytes::new()), frame::Kind::Fault(Fault::default())]
    {
        link.queue(900, kind);
    }
    link.queue_bytes(&[0, 0, 0, 5, 0x08, 0x03, 0xA0, 0x38, 0x01]);
    link.flush().await.unwrap();
    let (answer, id) = tokio::join!(circuit.call(OpenRequest::default()), async {
        let id = link.receive().await.unwrap().unwrap().id;
        link.queue(id, frame::Kind::Push(Bytes::from_static(b"not asked for")));
        link.queue(id, frame::Kind::Reply(Bytes::from_static(b"\xff\xff")));
        link.flush().await.unwrap();
        id
    });
    assert_eq!((answer.err(), id), (Some(CallError::Malformed), 1));
    let (answer, ()) = tokio::join!(circuit.subscribe(FollowRequest::default()), async {
        let id = link.receive().await.unwrap().unwrap().id;
        link.queue(id, frame::Kind::Push(Bytes::from_static(b"\xff\xff")));
        link.queue(id, frame::Kind::Reply(Bytes::new()));
        link.queue(id, frame::Kind::Reply(Bytes::new()));
        link.queue(id, frame::Kind::Fault(Code::Unavailable.into()));
        link.flush().await.unwrap();
    });
    let mut subscription = answer.ok().unwrap();
    assert!(subscription.next().await == Some(Event::Lagged), "a push that does not parse is a gap");
    assert!(subscription.next().await.is_none(), "a fault ends it");
}

#[tokio::test(start_paused = true)]
async fn a_client_is_not_filled_by_a_service_that_does_not_read() {
    let (mut link, circuit) = impostor().await;
    for number in 0..100_000 {
        link.queue(0, frame::Kind::Ping(number));
    }
    let flushed = tokio::time::timeout(Duration::from_secs(5), async {
        while !link.is_flushed() {
            assert!(matches!(link.step(false).await, Ok(Step::Flushed)));
        }
    });
    assert!(flushed.await.is_ok(), "it reads them all, and passes over what it cannot answer");
    assert_eq!(circuit.closed().await, Ending::TimedOut);
}

#[tokio::test]
async fn a_go_away_is_surfaced() {
    for (reason, ending) in [
        (Leaving::Drain, Ending::Drained),
        (Leaving::Timeout, Ending::TimedOut),
        (Leaving::Protocol, Ending::Protocol),
        (Leaving::Unspecified, Ending::Finished),
    ] {
        let (mut link, circuit) = impostor().await;
        link.queue(0, frame::Kind::GoAway(GoAway { reason: reason.into() }));
        link.flush().await.unwrap();
        assert_eq!(circuit.closed().await, ending);
        assert_eq!(circuit.call(OpenRequest::default()).await.err(), Some(CallError::NotSent));
    }
}

#[tokio::test]
async fn a_service_that_goes_away_at_hello_refuses() {
    for (kind, error) in [
        (frame::Kind::GoAway(GoAway { reason: Leaving::Drain.into() }), ConnectError::Refused),
        (frame::Kind::Fault(Code::Unavailable.into()), ConnectError::Refused),
        (frame::Kind::Fault(Code::Unsupported.into()), ConnectError::UpdateNeeded),
        (frame::Kind::Ping(1), ConnectError::Protocol),
        (frame::Kind::HelloReply(HelloReply { protocol: 2, ..HelloReply::default() }), ConnectError::Protocol),
        (frame::Kind::HelloReply(HelloReply { protocol: 1, ..HelloReply::default() }), ConnectError::Protocol),
        // Of release 0.1, which signed no parameters.
        (
            frame::Kind::HelloReply(HelloReply {
                protocol: 1,
                parameters: Some(Parameters::default()),
                ..HelloReply::default()
            }),
            ConnectError::UpdateNeeded,
        ),
    ] {
        let (dialer, mut listener) = memory(64 << 10);
        let far = tokio::spawn(async move {
            let mut tunnel = listener.accept().await.unwrap();
            let Ok(Preamble::Handshake1(message)) = preamble::read(&mut tunnel).await else { panic!() };
            let (established, message) = respond(&KEYS, &message, &mut rng(2)).unwrap();
            preamble::write(&mut tunnel, &Preamble::Handshake2(message)).await.unwrap();
            let mut link = Link::new(Box::new(tunnel), established.session);
            link.queue(0, kind);
            let _ = link.flush().await;
            link
        });
        let connected = Circuit::<Channel>::connect(&dialer, &KEYS.pin(), Some(KEYS.public()), &mut rng(1)).await;
        assert_eq!(connected.err(), Some(error));
        let _ = far.await;
    }
}
