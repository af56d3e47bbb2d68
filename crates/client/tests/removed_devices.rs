//! Somebody invites others and removes a device of his, in whatever order they hear of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use support::{Home, Service, assert_same_history, registered, second_of, they_talk};
use undertone_client::Engine;
use undertone_wire::{AccountId, circuit::Code, visitor::DeliverRequest};

/// Two who have not met, each with words; the chat that the first begins is the one that goes on.
async fn two_strangers(service: &Service) -> [(Home, String); 2] {
    let both = [registered(service, "Ana").await, registered(service, "Bo").await];
    let [ana, bo] = &both;
    let in_order = ana.0.account() < bo.0.account();
    let [ana, bo] = both;
    if in_order { [ana, bo] } else { [bo, ana] }
}

/// Both come to the same channel, where they have all that was said.
async fn go_on(ana: &Home, bo: &Home) {
    for (one, other) in [(ana, bo), (bo, ana)] {
        one.until("open", |_| one.state(&other.account()) == "open").await;
    }
    they_talk(ana, bo).await;
    assert_same_history(ana, bo);
}

/// Bo hears of the removal when he writes himself, and reads only then what was written to him before.
#[tokio::test(start_paused = true)]
async fn who_has_removed_a_device_since_he_invited_somebody_is_heard() {
    let service = Service::start();
    let [(ana, words), (mut bo, _)] = two_strangers(&service).await;
    let mut phone = second_of(&service, &ana).await;
    phone.offline().await;
    bo.offline().await;
    ana.send(&bo.link(), "hello").await;
    ana.sync().await.unwrap();
    ana.engine.remove_device(2, &words).await.unwrap();

    let (engine, to_ana) = (bo.engine.clone(), ana.link());
    let (sent, ()) = tokio::join!(engine.send(&to_ana, "and hello"), async { bo.online() });
    sent.unwrap();
    bo.expect(&ana, "hello").await;
    ana.expect(&bo, "and hello").await;
    go_on(&ana, &bo).await;
}

/// What the phone has written cannot be delivered, and the other device alone knows of it.
#[tokio::test(start_paused = true)]
async fn what_a_removed_device_has_written_to_somebody_new_another_writes_again() {
    let service = Service::start();
    let door = service.door();
    let [(ana, words), (bo, _)] = two_strangers(&service).await;
    let to_bo = AccountId::from_hex(&bo.account()).unwrap();
    door.lies.deny(move |request: &DeliverRequest| {
        (request.account[..] == to_bo.as_bytes()[..]).then(|| Code::Exhausted.into())
    });
    let mut phone = second_of(&door, &ana).await;
    for text in ["hello", "from the phone"] {
        phone.send(&bo.link(), text).await;
    }
    let told = |engine: &Engine| engine.history(&bo.account()).is_ok_and(|history| history.len() == 2);
    ana.until("told", told).await;
    phone.offline().await;
    ana.engine.remove_device(2, &words).await.unwrap();
    ana.send(&bo.account(), "from the other one").await;

    for text in ["hello", "from the phone", "from the other one"] {
        bo.expect(&ana, text).await;
    }
    bo.engine.accept(&ana.account()).unwrap();
    go_on(&ana, &bo).await;
}
