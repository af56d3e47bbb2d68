//! What becomes of requests: answered, refused, cancelled, late, lost.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod common;

use std::{sync::atomic::Ordering, time::Duration};

use common::{House, append, read, until};
use tokio::time::{Instant, timeout};
use undertone_circuit::{CallError, Ending};
use undertone_wire::{
    channel::{Channel, append_reply},
    circuit::Code,
    limits,
};

#[tokio::test]
async fn answers_find_their_requests() {
    let house = House::open();
    let circuit = house.connect::<Channel>().await.unwrap();
    let many = limits::IN_FLIGHT_MAX;
    let calls: Vec<_> = (0..many as u64)
        .map(|number| {
            let circuit = circuit.clone();
            tokio::spawn(async move { circuit.call(append(number)).await.unwrap().result })
        })
        .collect();
    until(|| house.desk.running.load(Ordering::SeqCst) == many).await;
    house.desk.gate.add_permits(many);
    for (number, call) in (0..).zip(calls) {
        let Some(append_reply::Result::Appended(appended)) = call.await.unwrap() else { panic!() };
        assert_eq!(appended.first_seq, number);
    }
}

#[tokio::test]
async fn a_refusal_says_why_and_until_when() {
    let house = House::open();
    let circuit = house.connect::<Channel>().await.unwrap();
    let Err(CallError::Refused(fault)) = circuit.call(read(0)).await else { panic!() };
    assert!(fault.code() == Code::Exhausted && fault.retry_after_ms == 7);
    assert!(circuit.call(read(1)).await.is_ok(), "the circuit goes on");
}

#[tokio::test]
async fn so_many_at_once_and_no_more() {
    let house = House::open();
    let circuit = house.connect::<Channel>().await.unwrap();
    let calls: Vec<_> = (0..300)
        .map(|number| {
            let circuit = circuit.clone();
            tokio::spawn(async move { circuit.call(append(number)).await })
        })
        .collect();
    until(|| house.desk.running.load(Ordering::SeqCst) == limits::IN_FLIGHT_MAX).await;
    house.desk.gate.add_permits(300);
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
    assert_eq!(house.desk.running_max.load(Ordering::SeqCst), limits::IN_FLIGHT_MAX);
}

#[tokio::test]
async fn a_dropped_call_is_dropped_at_the_service() {
    let house = House::open();
    let circuit = house.connect::<Channel>().await.unwrap();
    let call = tokio::spawn({
        let circuit = circuit.clone();
        async move { circuit.call(append(1)).await }
    });
    until(|| house.desk.running.load(Ordering::SeqCst) == 1).await;
    call.abort();
    until(|| house.desk.dropped.load(Ordering::SeqCst) == 1).await;
    assert!(circuit.call(read(1)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_no_answer() {
    let house = House::open();
    let circuit = house.connect::<Channel>().await.unwrap();
    let start = Instant::now();
    assert_eq!(circuit.call(append(1)).await.err(), Some(CallError::Unknown));
    assert_eq!(start.elapsed(), Duration::from_millis(limits::CALL_MS.into()));
    until(|| house.desk.dropped.load(Ordering::SeqCst) == 1).await;
    assert!(circuit.call(read(1)).await.is_ok(), "the circuit goes on");
}

#[tokio::test(start_paused = true)]
async fn what_had_no_turn_was_not_sent() {
    let house = House::open();
    let circuit = house.connect::<Channel>().await.unwrap();
    let calls: Vec<_> = (0..u64::try_from(limits::IN_FLIGHT_MAX).unwrap() + 1)
        .map(|number| {
            let circuit = circuit.clone();
            tokio::spawn(async move { circuit.call(append(number)).await.err() })
        })
        .collect();
    let mut errors = Vec::new();
    for call in calls {
        errors.push(call.await.unwrap().unwrap());
    }
    let not_sent = errors.iter().filter(|error| **error == CallError::NotSent).count();
    let unknown = errors.iter().filter(|error| **error == CallError::Unknown).count();
    assert_eq!((not_sent, unknown), (1, limits::IN_FLIGHT_MAX));
}

#[tokio::test]
async fn what_is_too_long_stays_here() {
    let house = House::open();
    let circuit = house.connect::<Channel>().await.unwrap();
    let mut request = append(1);
    request.entries[0].body = vec![0; limits::FRAME_BYTES_MAX].into();
    assert_eq!(circuit.call(request).await.err(), Some(CallError::TooLong));
    assert_eq!(circuit.call(read(300_000)).await.err(), Some(CallError::Refused(Code::Unknown.into())));
    assert!(circuit.call(read(1)).await.is_ok(), "the circuit goes on");
}

#[tokio::test]
async fn lost_in_the_middle_is_unknown_and_afterwards_is_not_sent() {
    let house = House::open();
    let (dialer, mut listener) = undertone_circuit::memory(64 << 10);
    let host = house.host();
    let serving = tokio::spawn(async move {
        let tunnel = listener.accept().await.unwrap();
        host.welcome(tunnel).await;
    });
    let pin = house.keys.pin();
    let circuit =
        undertone_circuit::Circuit::<Channel>::connect(&dialer, &pin, None, &mut common::rng(1)).await.unwrap();
    let call = tokio::spawn({
        let circuit = circuit.clone();
        async move { circuit.call(append(1)).await.err() }
    });
    until(|| house.desk.running.load(Ordering::SeqCst) == 1).await;
    serving.abort();
    assert_eq!(call.await.unwrap(), Some(CallError::Unknown));
    assert!(matches!(circuit.closed().await, Ending::Lost | Ending::Finished));
    assert_eq!(circuit.call(append(2)).await.err(), Some(CallError::NotSent));
    assert_eq!(house.desk.dropped.load(Ordering::SeqCst), 1, "the handler went with its circuit");
}

#[tokio::test]
async fn a_draining_service_finishes_what_runs() {
    let mut house = House::open();
    let circuit = house.connect::<Channel>().await.unwrap();
    let idle = house.connect::<Channel>().await.unwrap();
    let call = tokio::spawn({
        let circuit = circuit.clone();
        async move { circuit.call(append(1)).await.is_ok() }
    });
    until(|| house.desk.running.load(Ordering::SeqCst) == 1).await;
    house.drain.send(true).unwrap();
    assert_eq!(idle.closed().await, Ending::Drained);
    assert_eq!(house.ending().await, Ending::Drained, "the idle one at once");
    assert_eq!(circuit.closed().await, Ending::Drained);
    assert_eq!(circuit.call(append(2)).await.err(), Some(CallError::NotSent));
    assert!(!call.is_finished());
    house.desk.gate.add_permits(1);
    assert!(call.await.unwrap());
    assert_eq!(house.ending().await, Ending::Drained);
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_for_ever() {
    let mut house = House::open();
    let circuit = house.connect::<Channel>().await.unwrap();
    let call = tokio::spawn({
        let circuit = circuit.clone();
        async move { circuit.call(append(1)).await.err() }
    });
    until(|| house.desk.running.load(Ordering::SeqCst) == 1).await;
    let start = Instant::now();
    house.drain.send(true).unwrap();
    assert_eq!(house.ending().await, Ending::Drained);
    assert_eq!(start.elapsed(), Duration::from_millis(limits::DRAIN_MS));
    assert_eq!(call.await.unwrap(), Some(CallError::Unknown));
}

#[tokio::test(start_paused = true)]
async fn an_idle_circuit_lives_by_pings() {
    let house = House::open();
    let circuit = house.connect::<Channel>().await.unwrap();
    assert!(timeout(Duration::from_secs(3_600), circuit.closed()).await.is_err());
    assert!(circuit.call(read(1)).await.is_ok());
}
