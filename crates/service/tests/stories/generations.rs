//! A generation ends: who has only its keys reads up to there, and does nothing more.

use std::sync::Arc;

use bytes::Bytes;
use undertone_credentials::{open_read, verify_head};
use undertone_store::StoreError;
use undertone_wire::{
    chain::{Chain, Digest},
    channel::{
        ChannelHandler, EntryKind, FollowRequest, NewEntry, OpenRequest, Opened, Opening, ReadReply, ReadRequest,
        opened,
    },
};

use crate::{
    people::{Channels, Keys, Listener, NOW, World, code, entry, head, installing, message, outcome},
    stores::Trouble,
};

type Session = undertone_service::ChannelSession<Channels>;

/// A channel with a message, the commit that began its second generation, and a message under that.
async fn rotated(world: &World) -> (Keys, Keys) {
    let old = world.channel(1).await;
    let new = old.next(2);
    let session = world.opened(&[&old]).await;
    session.append(NOW, old.append(vec![message(1), installing(&new, 0, 2)])).await.unwrap();
    let session = world.opened(&[&new]).await;
    assert_eq!(outcome(session.append(NOW, new.append(vec![entry(EntryKind::Message, 1, 3)])).await), "3 of 3");
    (old, new)
}

async fn open(session: &Session, opening: Opening) -> Opened {
    session.open(NOW, OpenRequest { openings: vec![opening] }).await.unwrap().opened.remove(0)
}

fn is_refused(opened: Opened) -> bool {
    matches!(opened.result, Some(opened::Result::Refused(_)))
}

async fn read(session: &Session, keys: &Keys, after: u64) -> ReadReply {
    session.read(NOW, ReadRequest { channel: keys.channel.into(), after, limit: 10 }).await.unwrap()
}

async fn follow(session: &Session, keys: &Keys) -> Result<Arc<Listener>, &'static str> {
    let listener = Arc::new(Listener::default());
    let request = FollowRequest { channels: vec![keys.channel.into()], known: Vec::new() };
    match session.follow(NOW, request, listener.pushes()).await {
        Ok(()) => Ok(listener),
        refused => Err(code(refused)),
    }
}

fn seqs(page: &ReadReply) -> Vec<u64> {
    page.entries.iter().map(|entry| entry.seq).collect()
}

#[tokio::test]
async fn new_keys_open_what_old_ones_only_read() {
    let world = World::open();
    let (old, new) = rotated(&world).await;
    let (circuit, session) = world.channel_circuit();
    let opened = open(&session, old.opening(&circuit, false)).await;
    assert!(opened.until == 2 && opened.ticket.is_empty());
    let end = head(opened.result).unwrap();
    assert!((end.seq, end.incarnation, end.epoch, end.generation) == (2, 0, 1, 1));

    let page = read(&session, &old, 0).await;
    assert_eq!(seqs(&page), [1, 2]);
    assert!(page.entries[1].installs == new.installs() && page.entries[0].installs.is_empty());
    let chain =
        page.entries.iter().fold(Chain::start(old.channel), |chain, entry| chain.then(&Digest::of(entry).unwrap()));
    assert!(verify_head(&world.head_key, &end).is_ok_and(|end| end.chain() == &chain && end.seq() == 2));
    assert!(page.head == Some(end.clone()));
    let beyond = read(&session, &old, 2).await;
    assert!(beyond.entries.is_empty() && beyond.head == Some(end));

    let opened = open(&session, new.opening(&circuit, true)).await;
    assert!(opened.until == 0 && head(opened.result).unwrap().seq == 3);
    assert_eq!(seqs(&read(&session, &new, 0).await), [1, 2, 3]);
}

#[tokio::test]
async fn an_old_generation_neither_writes_nor_follows() {
    let world = World::open();
    let (old, _) = rotated(&world).await;
    let (circuit, session) = world.channel_circuit();
    // Who comes with both keys could not know.
    assert_eq!(open(&session, old.opening(&circuit, true)).await.until, 2);
    for late in [message(9), entry(EntryKind::Message, 1, 9), entry(EntryKind::Commit, 1, 9)] {
        assert_eq!(code(session.append(NOW, old.append(vec![late])).await), "UNAUTHENTICATED");
    }
    assert_eq!(follow(&session, &old).await.err(), Some("UNAUTHENTICATED"));
    assert_eq!(read(&session, &old, 0).await.head.unwrap().seq, 2);
}

#[tokio::test]
async fn a_live_opening_ends_with_its_generation() {
    let world = World::open();
    let old = world.channel(1).await;
    let new = old.next(2);
    let (ana, bo) = (world.opened(&[&old]).await, world.opened(&[&old]).await);
    let listener = follow(&bo, &old).await.unwrap();
    ana.append(NOW, old.append(vec![message(1)])).await.unwrap();
    assert_eq!(outcome(ana.append(NOW, old.append(vec![message(2), installing(&new, 0, 3)])).await), "2 of 3");
    let ana = world.opened(&[&new]).await;
    ana.append(NOW, new.append(vec![entry(EntryKind::Message, 1, 4)])).await.unwrap();

    let heard = listener.heard();
    assert!(heard.len() == 2 && heard[1].entries.iter().map(|entry| entry.seq).eq([2, 3]));
    let end = heard[1].head.clone().unwrap();
    assert!((end.seq, end.epoch, end.generation) == (3, 1, 1) && verify_head(&world.head_key, &end).is_ok());
    assert_eq!(Arc::strong_count(&listener), 1, "nothing is ever pushed to it again");

    let page = read(&bo, &old, 1).await;
    assert!(seqs(&page) == [2, 3] && page.head == Some(end));
    assert_eq!(code(bo.append(NOW, old.append(vec![entry(EntryKind::Message, 1, 5)])).await), "UNAUTHENTICATED");
    assert_eq!(follow(&bo, &old).await.err(), Some("UNAUTHENTICATED"));
}

#[tokio::test]
async fn a_circuit_goes_on_with_the_new_keys() {
    let world = World::open();
    let old = world.channel(1).await;
    let new = old.next(2);
    let (circuit, session) = world.channel_circuit();
    open(&session, old.opening(&circuit, true)).await;
    assert_eq!(outcome(session.append(NOW, old.append(vec![installing(&new, 0, 1)])).await), "1 of 1");
    open(&session, new.opening(&circuit, false)).await;
    let listener = follow(&session, &new).await.unwrap();
    assert_eq!(
        code(session.append(NOW, new.append(vec![entry(EntryKind::Message, 1, 2)])).await),
        "FORBIDDEN",
        "the right to write was that of the old keys"
    );
    open(&session, new.opening(&circuit, true)).await;
    // To look back takes nothing away.
    assert_eq!(open(&session, old.opening(&circuit, true)).await.until, 1);
    assert_eq!(outcome(session.append(NOW, new.append(vec![entry(EntryKind::Message, 1, 2)])).await), "2 of 2");
    assert_eq!(listener.heard_seqs(), [2]);
}

#[tokio::test]
async fn what_a_stranger_tries_tells_him_nothing() {
    let world = World::open();
    let (old, new) = rotated(&world).await;
    let (circuit, session) = world.channel_circuit();
    let (elsewhere, _) = world.channel_circuit();
    let signed = |keys: &Keys, generation| {
        let read_signature = open_read(&circuit, keys.channel, generation, &keys.read);
        Opening { generation, read_signature: Bytes::copy_from_slice(&read_signature), ..keys.opening(&circuit, false) }
    };
    for opening in [
        // Keys of one generation for the other, and for one that never was.
        signed(&old, 1),
        signed(&new, 0),
        signed(&old, 2),
        signed(&new, u32::MAX),
        // Another circuit's, and another channel's.
        old.opening(&elsewhere, false),
        Opening { channel: Keys::new(7).channel.into(), ..old.opening(&circuit, false) },
        // The write key reads nothing.
        Opening { read_signature: old.opening(&circuit, true).write_signature, ..old.opening(&circuit, false) },
        // The new one's holder has no excuse for a wrong signature.
        Opening { write_signature: old.opening(&circuit, true).write_signature, ..new.opening(&circuit, true) },
    ] {
        assert!(is_refused(open(&session, opening).await));
    }
    let request = ReadRequest { channel: old.channel.into(), after: 0, limit: 9 };
    assert_eq!(code(session.read(NOW, request).await), "UNAUTHENTICATED");
}

#[tokio::test]
async fn keys_are_installed_by_commits_alone_and_at_the_end() {
    let world = World::open();
    let keys = world.channel(1).await;
    let session = world.opened(&[&keys]).await;
    let (good, next) = (installing(&keys.next(2), 0, 1), keys.next(2).installs());
    let batches = [
        vec![NewEntry { installs: next.slice(..63), ..good.clone() }],
        vec![NewEntry { installs: next.slice(..32), ..good.clone() }],
        vec![NewEntry { installs: Bytes::from_static(&[0; 64]), ..good.clone() }],
        vec![NewEntry { installs: next, ..message(1) }],
        vec![good.clone(), entry(EntryKind::Message, 1, 2)],
    ];
    for entries in batches {
        assert_eq!(code(session.append(NOW, keys.append(entries)).await), "MALFORMED");
    }
    assert!(read(&session, &keys, 0).await.entries.is_empty());
    assert_eq!(outcome(session.append(NOW, keys.append(vec![good])).await), "1 of 1");
}

#[tokio::test]
async fn a_retry_finds_what_ended_its_generation() {
    let world = World::open();
    let old = world.channel(1).await;
    let new = old.next(2);
    let session = world.opened(&[&old]).await;
    let listener = follow(&session, &old).await.unwrap();
    world.channel_store.trouble(Trouble::After(StoreError::Unknown));
    let append = || old.append(vec![message(1), installing(&new, 0, 2)]);
    assert_eq!(outcome(session.append(NOW, append()).await), "UNKNOWN");
    assert_eq!(outcome(session.append(NOW, append()).await), "1 of 2");
    // Who followed is told of the end, upon which he reads.
    let heard = listener.heard();
    assert!(heard.len() == 1 && heard[0].entries.is_empty());
    assert!(heard[0].head.as_ref().is_some_and(|head| (head.seq, head.generation) == (2, 1)));
    assert_eq!(seqs(&read(&session, &old, 0).await), [1, 2]);

    world.opened(&[&new]).await.append(NOW, new.append(vec![entry(EntryKind::Message, 1, 3)])).await.unwrap();
    assert_eq!(outcome(session.append(NOW, append()).await), "1 of 2", "and sees nothing of what came after");
    let other = NewEntry { body: vec![9; 256].into(), ..message(1) };
    assert_eq!(outcome(session.append(NOW, old.append(vec![other])).await), "conflict");
}

#[tokio::test]
async fn who_went_away_opens_what_he_began() {
    let world = World::open();
    let old = world.channel(1).await;
    let new = old.next(2);
    let session = world.opened(&[&old]).await;
    world.channel_store.trouble(Trouble::Held);
    let append = session.append(NOW, old.append(vec![installing(&new, 0, 1)]));
    assert!(tokio::time::timeout(std::time::Duration::ZERO, append).await.is_err());
    world.channel_store.release();
    let (circuit, session) = world.channel_circuit();
    assert_eq!(open(&session, new.opening(&circuit, true)).await.until, 0);
    assert_eq!(seqs(&read(&session, &new, 0).await), [1]);
}

#[tokio::test]
async fn a_reader_never_sees_beyond_the_end_even_while_it_comes() {
    let world = World::open();
    let old = Arc::new(world.channel(1).await);
    let (ana, bo) = (world.opened(&[&old]).await, world.opened(&[&old]).await);
    world.channel_store.trouble(Trouble::Held);
    let append = {
        let old = old.clone();
        tokio::spawn(async move { outcome(ana.append(NOW, old.append(vec![installing(&old.next(2), 0, 1)])).await) })
    };
    tokio::task::yield_now().await;
    // The store holds the entry, but nobody has heard so.
    let read = {
        let old = old.clone();
        tokio::spawn(async move { read(&bo, &old, 0).await })
    };
    tokio::task::yield_now().await;
    world.channel_store.release();
    assert_eq!(append.await.unwrap(), "1 of 1");
    let page = read.await.unwrap();
    assert!(seqs(&page) == [1] && page.head.unwrap().generation == 1);
}

#[tokio::test]
async fn restarts_begin_incarnations_and_count_as_commits() {
    let world = World::open();
    let old = world.channel(1).await;
    let new = old.next(2);
    let session = world.opened(&[&old]).await;
    let restart = |incarnation, number| NewEntry { incarnation, ..entry(EntryKind::Restart, 0, number) };
    assert_eq!(outcome(session.append(NOW, old.append(vec![restart(0, 1)])).await), "1 of 1");
    assert_eq!(outcome(session.append(NOW, old.append(vec![restart(0, 2)])).await), "stale at 1.0");
    let installing = NewEntry { installs: new.installs(), ..restart(1, 2) };
    assert_eq!(outcome(session.append(NOW, old.append(vec![installing])).await), "2 of 2");
    let session = world.opened(&[&new]).await;
    for incarnation in 2..32 {
        assert_eq!(
            code(session.append(NOW, new.append(vec![restart(incarnation, 100 + incarnation as u8)])).await),
            "OK"
        );
    }
    assert_eq!(code(session.append(NOW, new.append(vec![restart(32, 99)])).await), "EXHAUSTED");
}

#[tokio::test]
async fn generations_survive_a_restart_of_the_service() {
    let mut world = World::open();
    let (old, new) = rotated(&world).await;
    world.restart();
    let (circuit, session) = world.channel_circuit();
    assert_eq!(open(&session, old.opening(&circuit, false)).await.until, 2);
    assert_eq!(seqs(&read(&session, &old, 0).await), [1, 2]);
    assert_eq!(read(&world.opened(&[&new]).await, &new, 0).await.head.unwrap().seq, 3);
}
