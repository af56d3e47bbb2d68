//! The store fails, callers go away: nobody is told anything false, and what was appended is found.

use std::{sync::Arc, time::Duration};

use undertone_store::StoreError;
use undertone_wire::{
    account::AccountHandler,
    channel::{ChannelHandler, FollowRequest, ReadRequest},
};

use crate::{
    people::{Channels, Keys, Listener, NOW, Person, World, code, message, outcome},
    stores::Trouble,
};

type Session = undertone_service::ChannelSession<Channels>;

async fn follow(session: &Session, keys: &Keys) -> Arc<Listener> {
    let listener = Arc::new(Listener::default());
    session
        .follow(NOW, FollowRequest { channels: vec![keys.channel.into()], known: Vec::new() }, listener.pushes())
        .await
        .unwrap();
    listener
}

/// Appends, and goes away as soon as the store has written it.
async fn append_and_go(world: &World, session: &Session, keys: &Keys, number: u8) {
    world.channel_store.trouble(Trouble::Held);
    let append = session.append(NOW, keys.append(vec![message(number)]));
    assert!(tokio::time::timeout(Duration::ZERO, append).await.is_err());
    world.channel_store.release();
}

#[tokio::test]
async fn each_failure_is_told_as_what_it_is() {
    let world = World::open();
    let keys = world.channel(1).await;
    let session = world.opened(&[&keys]).await;
    let (circuit, account) = world.account_circuit();
    let ana = Person::new(1);
    let cases = [
        (StoreError::NotApplied, "UNAVAILABLE", 1_000),
        (StoreError::Unknown, "UNKNOWN", 0),
        (StoreError::Unusable("full disk"), "UNAVAILABLE", 300_000),
    ];
    for (error, expected, retry_after_ms) in cases {
        world.channel_store.trouble(Trouble::Before(error));
        let fault = session.append(NOW, keys.append(vec![message(1)])).await.err().unwrap();
        assert_eq!((fault.code().as_str_name(), fault.retry_after_ms), (expected, retry_after_ms));
        world.account_store.trouble(Trouble::Before(error));
        let fault = account.register(NOW, ana.registration(&circuit)).await.err().unwrap();
        assert_eq!((fault.code().as_str_name(), fault.retry_after_ms), (expected, retry_after_ms));
    }
    assert_eq!(outcome(session.append(NOW, keys.append(vec![message(1)])).await), "1 of 1");
    assert_eq!(code(account.register(NOW, ana.registration(&circuit)).await), "OK");
}

#[tokio::test]
async fn an_append_of_unknown_outcome_is_found_by_its_retry() {
    let world = World::open();
    let keys = world.channel(1).await;
    let session = world.opened(&[&keys]).await;
    let listener = follow(&session, &keys).await;
    world.channel_store.trouble(Trouble::After(StoreError::Unknown));
    assert_eq!(outcome(session.append(NOW, keys.append(vec![message(1)])).await), "UNKNOWN");
    assert_eq!(outcome(session.append(NOW, keys.append(vec![message(1)])).await), "1 of 1");
    // The followers are told of the head, upon which they read.
    let heard = listener.heard();
    assert!(heard.len() == 1 && heard[0].entries.is_empty() && heard[0].head.as_ref().unwrap().seq == 1);
}

#[tokio::test]
async fn an_append_of_unknown_outcome_is_found_by_whoever_opens_or_reads() {
    let world = World::open();
    let keys = world.channel(1).await;
    let session = world.opened(&[&keys]).await;
    world.channel_store.trouble(Trouble::After(StoreError::Unknown));
    assert_eq!(outcome(session.append(NOW, keys.append(vec![message(1)])).await), "UNKNOWN");
    let page = session.read(NOW, ReadRequest { channel: keys.channel.into(), after: 0, limit: 9 }).await.unwrap();
    assert!(page.entries.len() == 1 && page.head.unwrap().seq == 1);
}

#[tokio::test]
async fn an_append_whose_caller_went_away_is_published_by_the_next() {
    let world = World::open();
    let keys = world.channel(1).await;
    let (ana, bo) = (world.opened(&[&keys]).await, world.opened(&[&keys]).await);
    let listener = follow(&bo, &keys).await;
    append_and_go(&world, &ana, &keys, 1).await;
    assert!(listener.heard().is_empty());
    assert_eq!(outcome(bo.append(NOW, keys.append(vec![message(2)])).await), "2 of 2");
    assert_eq!(listener.heard_seqs(), [1, 2]);
    // And who had gone comes back with the same bytes.
    assert_eq!(outcome(ana.append(NOW, keys.append(vec![message(1)])).await), "1 of 2");
    assert!(listener.heard().is_empty());
}

#[tokio::test]
async fn an_append_whose_caller_went_away_is_published_by_a_reader() {
    let world = World::open();
    let keys = world.channel(1).await;
    let (ana, bo) = (world.opened(&[&keys]).await, world.opened(&[&keys]).await);
    let listener = follow(&bo, &keys).await;
    append_and_go(&world, &ana, &keys, 1).await;
    drop(ana);
    // Sweeping up does not sweep it away.
    world.channels.expire(NOW).await.unwrap();
    let page = bo.read(NOW, ReadRequest { channel: keys.channel.into(), after: 0, limit: 9 }).await.unwrap();
    assert!(page.head.unwrap().seq == 1 && listener.heard_seqs() == [1]);
}

#[tokio::test]
async fn a_reader_is_never_ahead_of_his_head() {
    let world = World::open();
    let keys = Arc::new(world.channel(1).await);
    let (ana, bo) = (world.opened(&[&keys]).await, world.opened(&[&keys]).await);
    world.channel_store.trouble(Trouble::Held);
    let append = {
        let keys = keys.clone();
        tokio::spawn(async move { outcome(ana.append(NOW, keys.append(vec![message(1)])).await) })
    };
    tokio::task::yield_now().await;
    // The store holds the entry, but its writer has not heard so. The reader waits for him.
    let read = {
        let keys = keys.clone();
        tokio::spawn(async move {
            let request = ReadRequest { channel: keys.channel.into(), after: 0, limit: 9 };
            let page = bo.read(NOW, request).await.unwrap();
            (page.entries.len(), page.head.unwrap().seq)
        })
    };
    tokio::task::yield_now().await;
    world.channel_store.release();
    assert_eq!(append.await.unwrap(), "1 of 1");
    assert_eq!(read.await.unwrap(), (1, 1));
}
