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

/// Two who have not met, each with words; the chat that the first begins is the one that goes on.
async fn two_strangers(service: &Service) -> [(Home, String); 2] {
    let both = [registered(service, "Ana").await, registered(service, "Bo").await];
    let [ana, bo] = &both;
    let in_order = ana.0.account() < bo.0.account();
    let [ana, bo] = both;
    if in_order { [ana, bo] } else { [bo, ana] }
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
    they_talk(&ana, &bo).await;
    assert_same_history(&ana, &bo);
}
