//! Hostile clients, and the service.

use super::*;

#[tokio::test]
async fn malformed_frames_end_a_circuit() {
    let hello = encode(0, frame::Kind::Hello(hello(Kind::Channel)));
    let too_long = u32::try_from(limits::FRAME_BYTES_MAX + 1).unwrap().to_be_bytes().to_vec();
    for bytes in [
        too_long,
        vec![255; 100],
        // A frame of one byte that begins a field and does not end it.
        vec![0, 0, 0, 1, 0x22],
        hello.to_vec(),
        encode(0, request(ECHO)).to_vec(),
        encode(0, frame::Kind::HelloReply(HelloReply::default())).to_vec(),
        encode(9, frame::Kind::Reply(Bytes::new())).to_vec(),
        encode(9, frame::Kind::Push(Bytes::new())).to_vec(),
        encode(9, frame::Kind::Fault(Code::Unknown.into())).to_vec(),
        [encode(7, request(NEVER)), encode(7, request(ECHO))].concat(),
        [encode(7, request(FOLLOW)), encode(7, request(ECHO))].concat(),
    ] {
        let (mut link, served, _) = guest(Kind::Channel).await;
        link.queue_bytes(&bytes);
        assert_eq!(farewell(&mut link).await, Some(Ending::Protocol));
        assert_eq!(served.await.unwrap(), Ok(Ending::Protocol));
    }
}

#[tokio::test]
async fn what_is_unknown_or_too_late_is_passed_over() {
    let (mut link, served, _) = guest(Kind::Channel).await;
    // Field 900, of a later release; a frame of nothing at all; a cancellation of nothing; a pong to no ping.
    link.queue_bytes(&[0, 0, 0, 5, 0x08, 0x03, 0xA0, 0x38, 0x01]);
    link.queue_bytes(&[0, 0, 0, 0]);
    link.queue(5, frame::Kind::Cancel(true));
    link.queue(0, frame::Kind::Pong(5));
    link.queue(5, request(77));
    link.queue(6, request(ECHO));
    link.queue(0, frame::Kind::Ping(9));
    let answers: [_; 3] = [link.receive().await, link.receive().await, link.receive().await];
    let expected = [
        (0, frame::Kind::Pong(9)),
        (5, frame::Kind::Fault(Code::Unsupported.into())),
        (6, frame::Kind::Reply(Bytes::from_static(b"body"))),
    ];
    for (id, kind) in expected {
        assert!(answers.iter().any(|answer| *answer == Ok(Some(Frame { id, kind: Some(kind.clone()) }))));
    }
    drop(link);
    assert_eq!(served.await.unwrap(), Ok(Ending::Finished));
}

#[tokio::test]
async fn what_is_not_sealed_by_this_session_ends_it() {
    for bytes in [
        // Shorter than a tag; a message of zeros; one longer than any.
        [&[0, 15][..], &[0; 15]].concat(),
        [&[0, 40][..], &[0; 40]].concat(),
        vec![255; 70_000],
    ] {
        let (mut near, far) = duplex(128 << 10);
        let served = serve(far, Arc::default());
        let _ = session(&mut near).await;
        near.write_all(&bytes).await.unwrap();
        assert_eq!(served.await.unwrap(), Err(AcceptError::Malformed));
    }
}

#[tokio::test]
async fn a_circuit_cut_off_in_a_frame_is_lost() {
    let whole = encode(1, request(ECHO));
    for cut in [1, 3, 4, whole.len() - 1] {
        let (mut link, served, desk) = guest(Kind::Channel).await;
        link.queue_bytes(&whole.slice(..cut));
        link.flush().await.unwrap();
        drop(link);
        assert_eq!(served.await.unwrap(), Ok(Ending::Lost));
        assert_eq!(desk.begun.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn hello_comes_first_and_is_short() {
    let long = Hello { padding: vec![0; limits::HELLO_FRAME_BYTES_MAX].into(), ..hello(Kind::Channel) };
    for (id, kind) in [(0, frame::Kind::Hello(long)), (1, request(ECHO)), (1, frame::Kind::Hello(hello(Kind::Channel)))]
    {
        let (mut link, served, desk) = stranger().await;
        link.queue(id, kind);
        assert_eq!(farewell(&mut link).await, Some(Ending::Protocol));
        assert_eq!(served.await.unwrap(), Err(AcceptError::Malformed));
        assert_eq!(desk.begun.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn other_versions_and_kinds_are_told_to_update() {
    let later = Hello { protocol_min: 2, protocol_max: 9, ..hello(Kind::Channel) };
    let earlier = Hello { protocol_min: 0, protocol_max: 0, ..hello(Kind::Channel) };
    let cannot_pay =
        [Kind::Visitor, Kind::Blob, Kind::Directory].map(|kind| Hello { features: vec![1, 2], ..hello(kind) });
    let of_no_kind = [hello(Kind::Unspecified), Hello { kind: 6, ..hello(Kind::Channel) }];
    for hello in [later, earlier].into_iter().chain(of_no_kind).chain(cannot_pay) {
        let (mut link, served, _) = stranger().await;
        link.queue(0, frame::Kind::Hello(hello));
        let told = Frame { id: 0, kind: Some(frame::Kind::Fault(Code::Unsupported.into())) };
        assert!(link.receive().await == Ok(Some(told)));
        assert!(link.receive().await == Ok(None));
        assert_eq!(served.await.unwrap(), Err(AcceptError::Unsupported));
    }
    // Both ranges open to the future: today's version is spoken.
    let (mut link, _served, _) = stranger().await;
    link.queue(0, frame::Kind::Hello(Hello { protocol_max: 9, features: vec![899, 900], ..hello(Kind::Channel) }));
    let Ok(Some(Frame { kind: Some(frame::Kind::HelloReply(reply)), .. })) = link.receive().await else { panic!() };
    assert!(reply.protocol == 1 && reply.features.is_empty());
}

#[tokio::test]
async fn another_tunnel_version_is_told_which_there_are() {
    let (mut near, far) = duplex(64 << 10);
    let served = serve(far, Arc::default());
    near.write_all(&[0, 6, 7, 3, 1, 2, 3, 4]).await.unwrap();
    assert!(preamble::read(&mut near).await == Ok(Preamble::Unsupported(vec![1])));
    assert_eq!(served.await.unwrap(), Err(AcceptError::Unsupported));
}

#[tokio::test]
async fn who_asks_a_leaving_service_is_told_that_nothing_was_done() {
    let (mut near, far) = duplex(64 << 10);
    let (desk, drain) = (Arc::<Desk>::default(), watch::Sender::new(false));
    let served = tokio::spawn({
        let (desk, drain) = (desk.clone(), drain.subscribe());
        async move {
            let accepted = accept(far, &KEYS, &ServerHello::default(), &mut rng(2)).await;
            let Ok(Accepted::Channel(circuit)) = accepted else { panic!() };
            circuit.serve(desk, || Now(0), drain).await
        }
    });
    let session = session(&mut near).await;
    let mut link = Link::new(Box::new(near), session);
    link.queue(0, frame::Kind::Hello(hello(Kind::Channel)));
    link.queue(1, request(NEVER));
    assert!(link.receive().await.unwrap().is_some());
    while desk.begun.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    drain.send(true).unwrap();
    let left = link.receive().await.unwrap().unwrap();
    assert!(matches!(left.kind, Some(frame::Kind::GoAway(go_away)) if go_away.reason() == Leaving::Drain));
    link.queue(2, request(ECHO));
    let refused = Frame { id: 2, kind: Some(frame::Kind::Fault(Code::Unavailable.into())) };
    assert!(link.receive().await == Ok(Some(refused)));
    drop(link);
    assert_eq!(served.await.unwrap(), Ending::Drained);
    assert_eq!(desk.begun.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_visitor_asks_once() {
    let (mut link, served, desk) = guest(Kind::Visitor).await;
    link.queue(1, request(NEVER));
    link.queue(2, request(ECHO));
    assert_eq!(farewell(&mut link).await, Some(Ending::Protocol));
    assert_eq!(served.await.unwrap(), Ok(Ending::Protocol));
    assert_eq!(desk.begun.load(Ordering::SeqCst), 1, "the second is not even begun");

    let (mut link, served, _) = guest(Kind::Visitor).await;
    link.queue(1, request(ECHO));
    assert!(link.receive().await.unwrap().is_some());
    assert!(link.receive().await == Ok(None), "the service closes it");
    assert_eq!(served.await.unwrap(), Ok(Ending::Finished));
}

#[tokio::test(start_paused = true)]
async fn a_replayed_client_gets_nothing_done() {
    // All that an honest client sent, recorded on the way.
    let (initiated, message) = initiate(KEYS.public(), &mut rng(1)).unwrap();
    let (mut near, far) = duplex(64 << 10);
    let first = serve(far, Arc::default());
    preamble::write(&mut near, &Preamble::Handshake1(message.clone())).await.unwrap();
    let Ok(Preamble::Handshake2(answer)) = preamble::read(&mut near).await else { panic!() };
    let session = initiated.finish(&answer).unwrap().session;
    let (tap, mut recorded) = duplex(64 << 10);
    let mut link = Link::new(Box::new(tap), session);
    link.queue(0, frame::Kind::Hello(hello(Kind::Channel)));
    link.queue(1, request(ECHO));
    link.flush().await.unwrap();
    drop(link);
    let mut sealed = Vec::new();
    recorded.read_to_end(&mut sealed).await.unwrap();
    drop((near, first));

    let desk = Arc::<Desk>::default();
    for replay in [&[][..], &sealed] {
        let (mut near, far) = duplex(64 << 10);
        // Fresh randomness on the service's side, as ever.
        let served = {
            let desk = desk.clone();
            tokio::spawn(async move {
                let accepted = accept(far, &KEYS, &ServerHello::default(), &mut rng(3)).await;
                drop(desk);
                accepted.err()
            })
        };
        preamble::write(&mut near, &Preamble::Handshake1(message.clone())).await.unwrap();
        near.write_all(replay).await.unwrap();
        let expected = if replay.is_empty() { AcceptError::TimedOut } else { AcceptError::Malformed };
        assert_eq!(served.await.unwrap(), Some(expected));
    }
    assert_eq!(desk.begun.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_too_much_waits_and_what_is_late_makes_room() {
    let (mut link, _served, desk) = guest(Kind::Channel).await;
    let start = Instant::now();
    let late = Request { method: NEVER, deadline_ms: 100, ..Request::default() };
    for id in 1..=200 {
        link.queue(id, frame::Kind::Request(late.clone()));
    }
    link.queue(201, request(ECHO));
    link.flush().await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(desk.begun.load(Ordering::SeqCst), limits::IN_FLIGHT_MAX);
    assert!(link.receive().await.unwrap().unwrap().id == 201, "the late ones need no answer");
    assert!((1_200..=1_210).contains(&start.elapsed().as_millis()), "twelve times so many were dropped");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_not_waited_for() {
    let (mut link, served, desk) = guest(Kind::Channel).await;
    let start = Instant::now();
    for id in 1..=1_000 {
        link.queue(id, request(LONG));
        let _ = tokio::time::timeout(Duration::from_millis(1), link.step(false)).await;
    }
    assert_eq!(served.await.unwrap(), Ok(Ending::TimedOut));
    assert!(start.elapsed() < Duration::from_secs(70));
    // One answer fills the room of the link, and then no more is read.
    assert!(desk.begun.load(Ordering::SeqCst) <= 4);
}

#[tokio::test(start_paused = true)]
async fn pushes_do_not_pile_up_for_who_does_not_read() {
    let (mut link, served, desk) = guest(Kind::Channel).await;
    link.queue(1, request(FOLLOW));
    assert!(link.receive().await == Ok(Some(Frame { id: 1, kind: Some(frame::Kind::Reply(Bytes::new())) })));
    let push = Encoded::new(&LogPush { channel: vec![1; 30_000].into(), ..LogPush::default() });
    for _ in 0..1_000 {
        assert!(desk.followers.lock().unwrap()[0].send(&push));
        tokio::task::yield_now().await;
    }
    // Then it reads after all: what there was room for, and a word on what there was not.
    let (mut kept, mut markers) = (0, 0);
    while let Ok(Ok(Some(frame))) = tokio::time::timeout(Duration::from_secs(1), link.receive()).await {
        match frame.kind {
            Some(frame::Kind::Push(body)) if body.is_empty() => markers += 1,
            Some(frame::Kind::Push(_)) => kept += 1,
            _ => panic!("no other frame"),
        }
    }
    assert!(markers == 1 && (limits::PUSHES_QUEUED_MAX..limits::PUSHES_QUEUED_MAX + 10).contains(&kept));
    drop(link);
    assert_eq!(served.await.unwrap(), Ok(Ending::Finished));
    assert!(!desk.followers.lock().unwrap()[0].send(&push), "nobody listens any more");
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_asked_and_then_left() {
    let (mut link, served, _) = guest(Kind::Account).await;
    let start = Instant::now();
    let asked = link.receive().await.unwrap().unwrap();
    assert!(matches!(asked.kind, Some(frame::Kind::Ping(_))));
    assert_eq!(start.elapsed().as_secs(), 75);
    assert_eq!(farewell(&mut link).await, Some(Ending::TimedOut));
    assert_eq!(served.await.unwrap(), Ok(Ending::TimedOut));
    assert_eq!(start.elapsed().as_secs(), 120);
}

#[tokio::test]
async fn subscriptions_have_a_limit() {
    let (mut link, _served, _) = guest(Kind::Channel).await;
    let mut refused = 0;
    for id in 1..=600 {
        link.queue(id, request(FOLLOW));
        let answer = link.receive().await.unwrap().unwrap();
        refused += usize::from(answer.kind == Some(frame::Kind::Fault(Code::Exhausted.into())));
    }
    assert_eq!(refused, 600 - limits::OPENINGS_MAX - limits::IN_FLIGHT_MAX);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_bytes_in_a_session_end_it_or_are_answered(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        framed: bool,
        greeted: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (mut link, served, _) = if greeted { guest(Kind::Channel).await } else { stranger().await };
            if framed {
                link.queue_bytes(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
            }
            link.queue_bytes(&bytes);
            let _ = link.flush().await;
            drop(link);
            // Ends, and did not panic.
            let _ = served.await.unwrap();
        });
    }

    #[test]
    fn any_bytes_on_a_tunnel_end_it(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (mut near, far) = duplex(64 << 10);
            let served = serve(far, Arc::default());
            near.write_all(&bytes).await.unwrap();
            drop(near);
            assert!(served.await.unwrap().is_err());
        });
    }
}

#[tokio::test]
async fn every_message_counts_once_and_in_its_order() {
    // Recorded messages of a session, repeated, left out, or swapped on the way.
    let record = |numbers: Vec<usize>| async move {
        let (mut near, far) = duplex(64 << 10);
        let served = serve(far, Arc::default());
        let session = session(&mut near).await;
        let (tap, mut recorded) = duplex(64 << 10);
        let mut link = Link::new(Box::new(tap), session);
        let mut messages = Vec::new();
        for kind in [frame::Kind::Hello(hello(Kind::Channel)), frame::Kind::Ping(1), frame::Kind::Ping(2)] {
            link.queue(0, kind);
            link.flush().await.unwrap();
            let mut message = vec![0; 2_000];
            let read = recorded.read(&mut message).await.unwrap();
            messages.push(message[..read].to_vec());
        }
        for number in numbers {
            near.write_all(&messages[number]).await.unwrap();
        }
        near.shutdown().await.unwrap();
        served.await.unwrap()
    };
    assert_eq!(record(vec![0, 1, 2]).await, Ok(Ending::Finished));
    for wrong in [vec![0, 1, 1], vec![0, 2, 1], vec![0, 2], vec![1]] {
        // Depending on how much is read at once, before or after Hello was answered.
        assert!(matches!(record(wrong).await, Ok(Ending::Protocol) | Err(AcceptError::Malformed)));
    }
}
