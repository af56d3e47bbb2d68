//! Live pushes: who follows hears everything, once, in order.

use std::sync::Arc;

use undertone_credentials::verify_head;
use undertone_wire::channel::{ChannelHandler, EntryKind, FollowRequest, ReadRequest};

use crate::people::{Channels, Keys, Listener, NOW, World, code, entry, message};

type Session = undertone_service::ChannelSession<Channels>;

async fn follow(session: &Session, keys: &[&Keys]) -> Arc<Listener> {
    let listener = Arc::new(Listener::default());
    let request = FollowRequest { channels: keys.iter().map(|keys| keys.channel.into()).collect(), known: Vec::new() };
    session.follow(NOW, request, listener.pushes()).await.unwrap();
    listener
}

#[tokio::test]
async fn followers_hear_what_readers_read() {
    let world = World::open();
    let keys = world.channel(1).await;
    let (ana, bo) = (world.opened(&[&keys]).await, world.opened(&[&keys]).await);
    ana.append(NOW, keys.append(vec![message(1)])).await.unwrap();
    let (at_ana, at_bo) = (follow(&ana, &[&keys]).await, follow(&bo, &[&keys]).await);
    ana.append(NOW, keys.append(vec![message(2), entry(EntryKind::Commit, 0, 3)])).await.unwrap();

    let request = ReadRequest { channel: keys.channel.into(), after: 1, limit: 10 };
    let page = bo.read(NOW, request).await.unwrap();
    for listener in [at_ana, at_bo] {
        let pushes = listener.heard();
        assert!(pushes.len() == 1 && pushes[0].entries == page.entries && pushes[0].head == page.head);
        assert!(verify_head(&world.head_key, pushes[0].head.as_ref().unwrap()).is_ok());
    }
}

#[tokio::test]
async fn who_knows_less_than_there_is_hears_so_at_once() {
    let world = World::open();
    let keys = [world.channel(1).await, world.channel(2).await, world.channel(3).await, world.channel(4).await];
    let session = world.opened(&keys.iter().collect::<Vec<_>>()).await;
    for keys in &keys[1..] {
        session.append(NOW, keys.append(vec![message(1), message(2)])).await.unwrap();
    }
    let channels: Vec<_> = keys.iter().map(|keys| keys.channel.into()).collect();
    let listener = Arc::new(Listener::default());
    // Nothing is there; all of it is known; some; nobody says.
    let request = FollowRequest { channels: channels.clone(), known: vec![1, 2, 1, 0] };
    session.follow(NOW, request, listener.pushes()).await.unwrap();
    let [push] = &listener.heard()[..] else { panic!("one push") };
    let head = push.head.as_ref().unwrap();
    assert!(push.channel == channels[2] && push.entries.is_empty() && head.seq == 2);
    assert!(verify_head(&world.head_key, head).is_ok());

    for known in [vec![0], vec![0; 5]] {
        let request = FollowRequest { channels: channels.clone(), known };
        assert_eq!(code(session.follow(NOW, request, listener.pushes()).await), "MALFORMED");
    }
}

#[tokio::test]
async fn one_subscription_covers_many_channels_and_no_others() {
    let world = World::open();
    let keys = [world.channel(1).await, world.channel(2).await, world.channel(3).await];
    let session = world.opened(&keys.iter().collect::<Vec<_>>()).await;
    let listener = follow(&session, &[&keys[0], &keys[1], &keys[0]]).await;
    for keys in &keys {
        session.append(NOW, keys.append(vec![message(1)])).await.unwrap();
    }
    let heard: Vec<_> = listener.heard().into_iter().map(|push| push.channel).collect();
    assert!(heard == [keys[0].channel.into(), keys[1].channel.into()] as [bytes::Bytes; 2]);
}

#[tokio::test]
async fn a_retry_is_not_pushed_again() {
    let world = World::open();
    let keys = world.channel(1).await;
    let session = world.opened(&[&keys]).await;
    let listener = follow(&session, &[&keys]).await;
    for _ in 0..3 {
        session.append(NOW, keys.append(vec![message(1)])).await.unwrap();
    }
    assert_eq!(listener.heard_seqs(), [1]);
}

#[tokio::test]
async fn to_follow_again_replaces() {
    let world = World::open();
    let keys = world.channel(1).await;
    let session = world.opened(&[&keys]).await;
    let (first, second) = (follow(&session, &[&keys]).await, follow(&session, &[&keys]).await);
    session.append(NOW, keys.append(vec![message(1)])).await.unwrap();
    assert!(first.heard_seqs().is_empty() && second.heard_seqs() == [1]);
}

#[tokio::test]
async fn who_listens_no_more_is_forgotten() {
    let world = World::open();
    let keys = world.channel(1).await;
    let (ana, bo) = (world.opened(&[&keys]).await, world.opened(&[&keys]).await);
    let (gone, closed) = (follow(&ana, &[&keys]).await, follow(&bo, &[&keys]).await);
    gone.go_away();
    drop(bo);
    ana.append(NOW, keys.append(vec![message(1)])).await.unwrap();
    assert!(gone.heard().is_empty() && closed.heard().is_empty());
    // Nothing holds on to the circuits' ends.
    assert!(Arc::strong_count(&gone) == 1 && Arc::strong_count(&closed) == 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_keep_the_order_of_many_writers() {
    let world = World::open();
    let keys = Arc::new(world.channel(1).await);
    let listener = follow(&world.opened(&[&keys]).await, &[]).await;
    assert!(listener.heard().is_empty());
    let reader = world.opened(&[&keys]).await;
    let listener = follow(&reader, &[&keys]).await;
    let mut writers = Vec::new();
    for writer in 0..8u8 {
        let (keys, session) = (keys.clone(), world.opened(&[&keys]).await);
        writers.push(tokio::spawn(async move {
            for number in 0..16u8 {
                session.append(NOW, keys.append(vec![message(writer * 16 + number)])).await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(listener.heard_seqs(), (1..=128).collect::<Vec<_>>());
}
