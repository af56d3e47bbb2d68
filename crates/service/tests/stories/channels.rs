//! What members do in a channel.

use undertone_credentials::verify_head;
use undertone_wire::{
    Day, Now,
    chain::{Chain, Digest},
    channel::{ChannelHandler, EntryKind, ReadReply, ReadRequest, append_reply},
    limits::{COMMIT_BURST, MESSAGE_DAYS_MAX, PAGE_BYTES_MAX},
};

use crate::people::{Channels, Keys, NOW, TODAY, World, code, entry, message, outcome};

type Session = undertone_service::ChannelSession<Channels>;

async fn read(session: &Session, keys: &Keys, after: u64, limit: u32) -> ReadReply {
    let request = ReadRequest { channel: keys.channel.into(), after, limit };
    session.read(NOW, request).await.unwrap()
}

fn commit(epoch: u64, number: u8) -> undertone_wire::channel::NewEntry {
    entry(EntryKind::Commit, epoch, number)
}

#[tokio::test]
async fn what_is_appended_is_read_and_the_chain_holds() {
    let world = World::open();
    let keys = world.channel(1).await;
    let session = world.opened(&[&keys]).await;
    assert_eq!(outcome(session.append(NOW, keys.append(vec![message(1), message(2)])).await), "1 of 2");
    assert_eq!(outcome(session.append(NOW, keys.append(vec![commit(0, 3)])).await), "3 of 3");

    let page = read(&session, &keys, 0, 10).await;
    let chain =
        page.entries.iter().fold(Chain::start(keys.channel), |chain, entry| chain.then(&Digest::of(entry).unwrap()));
    let head = page.head.unwrap();
    let signed = verify_head(&world.head_key, &head).ok().unwrap();
    assert!(signed.chain() == &chain && signed.seq() == 3 && head.epoch == 1);
    assert_eq!(page.entries.iter().map(|entry| entry.body[0]).collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test]
async fn the_position_decides() {
    let world = World::open();
    let keys = world.channel(1).await;
    let (ana, bo) = (world.opened(&[&keys]).await, world.opened(&[&keys]).await);
    // Two commits race, and only one comes first.
    assert_eq!(outcome(ana.append(NOW, keys.append(vec![commit(0, 1)])).await), "1 of 1");
    assert_eq!(outcome(bo.append(NOW, keys.append(vec![commit(0, 2)])).await), "stale at 0.1");
    assert_eq!(outcome(bo.append(NOW, keys.append(vec![message(3)])).await), "stale at 0.1");
    // A batch is taken whole or not at all.
    let late = entry(EntryKind::Message, 1, 5);
    assert_eq!(outcome(bo.append(NOW, keys.append(vec![commit(1, 4), late])).await), "stale at 0.1");
    assert!(read(&bo, &keys, 0, 10).await.entries.len() == 1);
    let after = entry(EntryKind::Message, 2, 5);
    assert_eq!(outcome(bo.append(NOW, keys.append(vec![commit(1, 4), after])).await), "2 of 3");
}

#[tokio::test]
async fn the_same_bytes_are_appended_once() {
    let world = World::open();
    let keys = world.channel(1).await;
    let session = world.opened(&[&keys]).await;
    assert_eq!(outcome(session.append(NOW, keys.append(vec![message(1)])).await), "1 of 1");
    assert_eq!(outcome(session.append(NOW, keys.append(vec![commit(0, 2)])).await), "2 of 2");
    // Looked up before the position is compared.
    assert_eq!(outcome(session.append(NOW, keys.append(vec![message(1)])).await), "1 of 2");
    let mut other = message(3);
    other.idempotency_id = message(1).idempotency_id;
    assert_eq!(outcome(session.append(NOW, keys.append(vec![other])).await), "conflict");
}

#[tokio::test]
async fn a_stale_head_can_be_acted_upon() {
    let world = World::open();
    let keys = world.channel(1).await;
    let session = world.opened(&[&keys]).await;
    session.append(NOW, keys.append(vec![commit(0, 1)])).await.unwrap();
    let reply = session.append(NOW, keys.append(vec![message(2)])).await.unwrap();
    let Some(append_reply::Result::Stale(head)) = reply.result else { unreachable!() };
    assert!(verify_head(&world.head_key, &head).is_ok() && head.seq == 1);
}

#[tokio::test]
async fn commits_come_in_bursts_and_then_one_a_second() {
    let world = World::open();
    let keys = world.channel(1).await;
    let session = world.opened(&[&keys]).await;
    for number in 0..COMMIT_BURST as u8 {
        let request = keys.append(vec![commit(number.into(), number)]);
        assert_eq!(code(session.append(NOW, request).await), "OK");
    }
    let epoch = u64::from(COMMIT_BURST);
    let refused = session.append(NOW.plus_ms(300), keys.append(vec![commit(epoch, 200)])).await.err().unwrap();
    assert!(refused.code().as_str_name() == "EXHAUSTED" && refused.retry_after_ms == 700);
    // Others circuits share the channel's allowance; messages need none.
    let other = world.opened(&[&keys]).await;
    assert_eq!(code(other.append(NOW, keys.append(vec![commit(epoch, 200)])).await), "EXHAUSTED");
    assert_eq!(code(other.append(NOW, keys.append(vec![entry(EntryKind::Message, epoch, 201)])).await), "OK");
    assert_eq!(code(other.append(NOW.plus_ms(1_000), keys.append(vec![commit(epoch, 200)])).await), "OK");
    // What was refused as stale has cost nothing.
    let later = NOW.plus_ms(2_000);
    assert_eq!(outcome(other.append(later, keys.append(vec![commit(epoch, 202)])).await), "stale at 0.33");
    assert_eq!(code(other.append(later, keys.append(vec![commit(epoch + 1, 203)])).await), "OK");
}

#[tokio::test]
async fn pages_are_bounded() {
    let world = World::open();
    let keys = world.channel(1).await;
    let session = world.opened(&[&keys]).await;
    for number in 1..=4 {
        let mut large = message(number);
        large.body = vec![number; 64 << 10].into();
        session.append(NOW, keys.append(vec![large])).await.unwrap();
    }
    let page = read(&session, &keys, 0, u32::MAX).await;
    assert!(page.entries.iter().map(|entry| entry.body.len()).sum::<usize>() <= PAGE_BYTES_MAX);
    assert!(page.entries.len() == 3 && page.head.unwrap().seq == 4);
    assert_eq!(read(&session, &keys, 3, 10).await.entries.len(), 1);
    assert_eq!(read(&session, &keys, 2, 1).await.entries.len(), 1);
    let beyond = read(&session, &keys, u64::MAX, 10).await;
    assert!(beyond.entries.is_empty() && beyond.head.unwrap().seq == 4);
}

#[tokio::test]
async fn an_expired_body_leaves_its_digest() {
    let world = World::open();
    let keys = world.channel(1).await;
    let session = world.opened(&[&keys]).await;
    session.append(NOW, keys.append(vec![message(1)])).await.unwrap();
    let day_ms = 86_400_000;
    let later = Now(NOW.0 + u64::from(MESSAGE_DAYS_MAX + 1) * day_ms);
    world.channels.expire(later).await.unwrap();
    let request = ReadRequest { channel: keys.channel.into(), after: 0, limit: 10 };
    let page = session.read(later, request).await.unwrap();
    let entry = &page.entries[0];
    assert!(entry.body.is_empty() && entry.digest.len() == 32 && Day(entry.expiry_day) == TODAY + 30);
    let chain = Chain::start(keys.channel).then(&Digest::of(entry).unwrap());
    assert!(verify_head(&world.head_key, &page.head.unwrap()).is_ok_and(|head| head.chain() == &chain));
    let counts = world.channels.counts().await.unwrap();
    assert!(counts.entries == 1 && counts.bodies == 0);
}

#[tokio::test]
async fn heads_survive_a_restart() {
    let mut world = World::open();
    let keys = world.channel(1).await;
    world.opened(&[&keys]).await.append(NOW, keys.append(vec![message(1)])).await.unwrap();
    world.restart();
    assert!(world.channels.parameters().head_key[..] == world.head_key.as_bytes()[..]);
    let page = read(&world.opened(&[&keys]).await, &keys, 0, 10).await;
    assert!(page.entries.len() == 1 && page.head.unwrap().seq == 1);
}
