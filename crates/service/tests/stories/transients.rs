//! What is told of the moment: heard by those who listen, kept by nobody.

use std::sync::Arc;
use undertone_wire::{
    Now,
    channel::{ChannelHandler, FollowRequest, OpenRequest, ReadRequest, SendTransientRequest},
    limits::TRANSIENT_BURST,
};

use crate::people::{Channels, Keys, Listener, NOW, World, code, installing};

type Session = undertone_service::ChannelSession<Channels>;

fn transient(keys: &Keys, content: u8) -> SendTransientRequest {
    SendTransientRequest { channel: keys.channel.into(), body: vec![content; 256].into() }
}

async fn follow(session: &Session, keys: &Keys) -> Arc<Listener> {
    let listener = Arc::new(Listener::default());
    let request = FollowRequest { channels: vec![keys.channel.into()], known: Vec::new() };
    session.follow(NOW, request, listener.pushes()).await.unwrap();
    listener
}

#[tokio::test]
async fn others_who_follow_hear_it_and_nothing_is_kept() {
    let world = World::open();
    let keys = world.channel(1).await;
    let (ana, bo) = (world.opened(&[&keys]).await, world.opened(&[&keys]).await);
    let (at_ana, at_bo) = (follow(&ana, &keys).await, follow(&bo, &keys).await);
    let changes = world.channel_store.changes();
    assert_eq!(code(ana.send_transient(NOW, transient(&keys, 7)).await), "OK");
    let heard = at_bo.heard();
    assert!(heard.len() == 1 && heard[0].transient == vec![7; 256] && heard[0].channel == transient(&keys, 7).channel);
    assert!(heard[0].entries.is_empty() && heard[0].head.is_none());
    assert!(at_ana.heard().is_empty(), "who says it knows it");
    let page = bo.read(NOW, ReadRequest { channel: keys.channel.into(), after: 0, limit: 9 }).await.unwrap();
    assert!(page.entries.is_empty() && world.channel_store.changes() == changes);
}

#[tokio::test]
async fn only_who_may_write_may_tell_and_not_without_end() {
    let world = World::open();
    let keys = world.channel(1).await;
    let (circuit, reader) = world.channel_circuit();
    assert_eq!(code(reader.send_transient(NOW, transient(&keys, 1)).await), "UNAUTHENTICATED");
    let openings = vec![keys.opening(&circuit, false)];
    reader.open(NOW, OpenRequest { openings }).await.unwrap();
    assert_eq!(code(reader.send_transient(NOW, transient(&keys, 1)).await), "FORBIDDEN");

    let writer = world.opened(&[&keys]).await;
    for length in [0, 255, 257, 512] {
        let request = SendTransientRequest { body: vec![1; length].into(), ..transient(&keys, 1) };
        assert_eq!(code(writer.send_transient(NOW, request).await), "MALFORMED");
    }
    for _ in 0..TRANSIENT_BURST {
        assert_eq!(code(writer.send_transient(NOW, transient(&keys, 1)).await), "OK");
    }
    let refused = writer.send_transient(NOW, transient(&keys, 1)).await.err().unwrap();
    assert!(refused.code().as_str_name() == "EXHAUSTED" && refused.retry_after_ms == 1_000);
    let later = Now(NOW.0 + 1_000);
    assert_eq!(code(writer.send_transient(later, transient(&keys, 1)).await), "OK");
    assert_eq!(code(writer.send_transient(later, transient(&keys, 1)).await), "EXHAUSTED");
    let other = world.opened(&[&keys]).await;
    assert_eq!(
        code(other.send_transient(later, transient(&keys, 1)).await),
        "OK",
        "each circuit has its own allowance"
    );
}

#[tokio::test]
async fn to_open_again_gives_no_new_allowance() {
    let world = World::open();
    let keys = world.channel(1).await;
    let (circuit, session) = world.channel_circuit();
    let open = async || {
        let openings = vec![keys.opening(&circuit, true)];
        session.open(NOW, OpenRequest { openings }).await.unwrap();
    };
    open().await;
    for _ in 0..TRANSIENT_BURST {
        assert_eq!(code(session.send_transient(NOW, transient(&keys, 1)).await), "OK");
    }
    open().await;
    assert_eq!(code(session.send_transient(NOW, transient(&keys, 1)).await), "EXHAUSTED");
}

#[tokio::test]
async fn a_generation_that_is_over_tells_nothing_more() {
    let world = World::open();
    let keys = world.channel(1).await;
    let (ana, bo) = (world.opened(&[&keys]).await, world.opened(&[&keys]).await);
    let at_bo = follow(&bo, &keys).await;
    ana.append(NOW, keys.append(vec![installing(&keys.next(2), 0, 9)])).await.unwrap();
    at_bo.heard();
    assert_eq!(code(ana.send_transient(NOW, transient(&keys, 1)).await), "UNAUTHENTICATED");
    assert!(at_bo.heard().is_empty());
}
