//! Subscriptions: what is pushed, what is missed, and how they end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod common;

use std::{sync::atomic::Ordering, time::Duration};

use common::{House, append, until};
use tokio::time::timeout;
use undertone_circuit::{CallError, Ending, Event, Subscription};
use undertone_wire::{
    channel::{Channel, FollowRequest, LogPush},
    circuit::Code,
    limits,
};

fn follow() -> FollowRequest {
    FollowRequest { channels: vec![vec![1; 16].into()], known: Vec::new() }
}

/// The sequence number that came, or none for a gap.
async fn next(subscription: &mut Subscription<LogPush>) -> Option<u64> {
    match subscription.next().await.unwrap() {
        Event::Item(push) => Some(push.head.unwrap().seq),
        Event::Lagged => None,
    }
}

#[tokio::test]
async fn pushes_come_in_order() {
    let house = House::open();
    let circuit = house.connect::<Channel>().await.unwrap();
    let mut first = circuit.subscribe(follow()).await.unwrap();
    let mut second = circuit.subscribe(follow()).await.unwrap();
    for seq in 1..=30 {
        assert!(house.desk.push(seq));
    }
    for seq in 1..=30 {
        assert!(next(&mut first).await == Some(seq) && next(&mut second).await == Some(seq));
    }
}

#[tokio::test]
async fn a_refused_subscription_is_an_error() {
    let house = House::open();
    let circuit = house.connect::<Channel>().await.unwrap();
    let refused = circuit.subscribe(FollowRequest::default()).await.err();
    assert_eq!(refused, Some(CallError::Refused(Code::NotFound.into())));
}

#[tokio::test]
async fn a_dropped_subscription_is_forgotten() {
    let house = House::open();
    let circuit = house.connect::<Channel>().await.unwrap();
    let subscription = circuit.subscribe(follow()).await.unwrap();
    assert!(house.desk.push(1));
    drop(subscription);
    until(|| !house.desk.push(2)).await;
}

#[tokio::test]
async fn a_subscription_keeps_its_circuit_and_ends_with_it() {
    let mut house = House::open();
    let circuit = house.connect::<Channel>().await.unwrap();
    let mut subscription = circuit.subscribe(follow()).await.unwrap();
    drop(circuit);
    assert!(house.desk.push(1));
    assert_eq!(next(&mut subscription).await, Some(1));
    house.drain.send(true).unwrap();
    assert!(subscription.next().await.is_none());
    assert_eq!(house.ending().await, Ending::Drained);
    assert!(!house.desk.push(2), "nobody listens");
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_lags_is_told_and_goes_on() {
    let house = House::open();
    let circuit = house.connect::<Channel>().await.unwrap();
    let mut lagging = circuit.subscribe(follow()).await.unwrap();
    let total = 10 * limits::PUSHES_QUEUED_MAX as u64;
    for seq in 1..=total {
        assert!(house.desk.push(seq), "a push never waits");
        tokio::task::yield_now().await;
    }
    // Whoever does not read holds up neither the service nor his own requests.
    house.desk.gate.add_permits(1);
    assert!(circuit.call(append(1)).await.is_ok());

    let (mut last, mut gaps, mut items) = (0, 0, 0);
    while let Ok(event) = timeout(Duration::from_millis(200), next(&mut lagging)).await {
        match event {
            Some(seq) => {
                assert!(seq == last + 1 || gaps > 0, "nothing is missing without a word");
                last = seq;
                items += 1;
            }
            None => gaps += 1,
        }
    }
    assert!(gaps >= 1 && (limits::PUSHES_QUEUED_MAX..10 * limits::PUSHES_QUEUED_MAX).contains(&items));
    assert!(house.desk.push(total + 1));
    assert_eq!(next(&mut lagging).await, Some(total + 1), "afterwards all is well");
    assert_eq!(house.desk.begun.load(Ordering::SeqCst), 1);
}
