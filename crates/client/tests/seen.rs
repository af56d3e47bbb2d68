//! What somebody says that he saw of a log, heard by a device that has not seen as much of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use support::{Home, Peer, Service, Setup, Talk, encoded, has, linked};
use undertone_wire::{AccountId, channel::EntryKind};

/// Whoever was away saw nothing of what let a device in. The service has not lied: the device just never had that part.
#[tokio::test]
async fn what_was_seen_before_a_device_came_is_no_proof_against_the_service() {
    let service = Service::start();
    let ana = Home::new(&service, "Ana").await;
    let eve = Peer::new(&service, "Eve").await;
    let account = eve.account().to_hex();
    let mut talk = Talk::open_with(&eve, &ana).await;
    let early = talk.seen();
    talk.goes_on(&ana, "while she has one device").await;
    let phone = linked(Setup::at(&service), &ana).await;
    has(&phone, &account, 3).await;

    let before = talk.position();
    talk.with = eve.contact(AccountId::from_hex(&ana.account()).unwrap()).await;
    talk.read().await;
    assert!(early.seq > 0 && talk.position() != before, "the phone was let in behind it");
    loop {
        let content = talk.encrypted(&encoded(&eve.text("back again")), &early);
        let body = talk.wrap(EntryKind::Message, &content);
        if talk.try_append(EntryKind::Message, body).await {
            break;
        }
    }
    for home in [&ana, &phone] {
        home.until("heard", |engine| {
            let history = engine.history(&account).unwrap();
            history.iter().any(|message| message.body.as_deref() == Some("back again"))
        })
        .await;
        assert!(home.chat(&account).unwrap().trouble.is_none());
    }
}
