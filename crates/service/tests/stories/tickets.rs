//! A channel that was opened by signatures is opened again by a ticket.

use bytes::Bytes;
use undertone_wire::{
    Now,
    channel::{ChannelHandler, EntryKind, OpenReply, OpenRequest, Opened, Opening, ReadRequest, ResumeRequest, opened},
    circuit::Code,
    limits::OPENINGS_MAX,
};

use crate::people::{Channels, Keys, NOW, World, code, entry, head, installing, message, outcome};

type Session = undertone_service::ChannelSession<Channels>;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// What somebody who opens a channel is given.
async fn ticket(world: &World, keys: &Keys, to_write: bool) -> Bytes {
    let (circuit, session) = world.channel_circuit();
    let openings = vec![keys.opening(&circuit, to_write)];
    session.open(NOW, OpenRequest { openings }).await.unwrap().opened.remove(0).ticket
}

async fn resume(session: &Session, now: Now, ticket: Bytes) -> Result<Opened, &'static str> {
    let opened =
        session.resume(now, ResumeRequest { tickets: vec![ticket], known: Vec::new() }).await.unwrap().opened.remove(0);
    match opened.result {
        Some(opened::Result::Refused(code)) => Err(Code::try_from(code as i32).unwrap_or_default().as_str_name()),
        _ => Ok(opened),
    }
}

fn read(keys: &Keys) -> ReadRequest {
    ReadRequest { channel: keys.channel.into(), after: 0, limit: 10 }
}

#[tokio::test]
async fn a_ticket_opens_what_was_open_with_the_same_rights() {
    let world = World::open();
    let (keys, other) = (world.channel(1).await, world.channel(2).await);
    let (to_read, to_write) = (ticket(&world, &keys, false).await, ticket(&world, &other, true).await);
    world.opened(&[&keys]).await.append(NOW, keys.append(vec![message(1)])).await.unwrap();

    let (_, session) = world.channel_circuit();
    let tickets = vec![to_write, Bytes::from_static(b"no ticket"), to_read];
    let reply = session.resume(NOW, ResumeRequest { tickets, known: Vec::new() }).await.unwrap();
    let [first, second, third] = &reply.opened[..] else { unreachable!() };
    assert!(matches!(second.result, Some(opened::Result::Refused(code)) if code == i32::from(Code::NotFound) as u32));
    assert!(head(first.result.clone()).is_some_and(|head| head.channel == Bytes::from(other.channel)));
    assert!(head(third.result.clone()).is_some_and(|head| head.seq == 1 && head.channel == Bytes::from(keys.channel)));
    assert!(first.ticket.is_empty() && first.until == 0);

    assert_eq!(code(session.append(NOW, keys.append(vec![message(2)])).await), "FORBIDDEN");
    assert_eq!(outcome(session.append(NOW, other.append(vec![message(2)])).await), "1 of 1");
    assert_eq!(session.read(NOW, read(&keys)).await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn no_head_comes_to_who_has_the_newest_entry() {
    let world = World::open();
    let keys = [world.channel(1).await, world.channel(2).await, world.channel(3).await];
    let (circuit, session) = world.channel_circuit();
    let opening = |keys: &Keys, known| Opening { known, ..keys.opening(&circuit, true) };
    let heads = |reply: OpenReply| reply.opened.into_iter().map(|opened| opened.result.is_some()).collect::<Vec<_>>();
    let seqs = |reply: &OpenReply| {
        reply.opened.iter().map(|opened| head(opened.result.clone()).map(|head| head.seq)).collect::<Vec<_>>()
    };
    // In an empty log nothing is known.
    let reply = session.open(NOW, OpenRequest { openings: vec![opening(&keys[0], 0)] }).await.unwrap();
    assert_eq!(seqs(&reply), [Some(0)]);
    let session = world.opened(&keys.iter().collect::<Vec<_>>()).await;
    for keys in &keys {
        session.append(NOW, keys.append(vec![message(1), message(2)])).await.unwrap();
    }
    let (circuit, session) = world.channel_circuit();
    let openings = keys.iter().zip([2, 1, 3]).map(|(keys, known)| Opening { known, ..keys.opening(&circuit, true) });
    let reply = session.open(NOW, OpenRequest { openings: openings.collect() }).await.unwrap();
    assert_eq!(seqs(&reply), [None, Some(2), Some(2)], "less is known; more than there is");
    let tickets: Vec<_> = reply.opened.iter().map(|opened| opened.ticket.clone()).collect();
    assert!(tickets.iter().all(|ticket| !ticket.is_empty()));

    let (_, session) = world.channel_circuit();
    for (known, shown) in [(vec![2, 0, 7], [false, true, true]), (vec![], [true; 3])] {
        let request = ResumeRequest { tickets: tickets.clone(), known };
        assert_eq!(heads(session.resume(NOW, request).await.unwrap()), shown);
    }
    let request = ResumeRequest { tickets, known: vec![2] };
    assert_eq!(code(session.resume(NOW, request).await), "MALFORMED");
    assert_eq!(session.read(NOW, read(&keys[0])).await.unwrap().entries.len(), 2, "and it is open");
}

/// Whoever reads what an older generation left has to know where it ended.
#[tokio::test]
async fn a_head_comes_with_a_generation_that_is_over() {
    let world = World::open();
    let old = world.channel(1).await;
    let new = old.next(2);
    world.opened(&[&old]).await.append(NOW, old.append(vec![installing(&new, 0, 1)])).await.unwrap();
    let (circuit, session) = world.channel_circuit();
    let openings = vec![Opening { known: 1, ..old.opening(&circuit, false) }];
    let opened = session.open(NOW, OpenRequest { openings }).await.unwrap().opened.remove(0);
    assert!(opened.until == 1 && head(opened.result).is_some_and(|head| head.seq == 1));
}

#[tokio::test]
async fn a_ticket_holds_for_a_day_and_is_not_prolonged() {
    let world = World::open();
    let keys = world.channel(1).await;
    let ticket = ticket(&world, &keys, true).await;
    let at = async |ms| resume(&world.channel_circuit().1, NOW.plus_ms(ms), ticket.clone()).await;
    assert!(at(0).await.is_ok_and(|opened| opened.ticket.is_empty()));
    assert!(at(DAY_MS - 1).await.is_ok());
    assert_eq!(at(DAY_MS).await.err(), Some("NOT_FOUND"));
}

#[tokio::test]
async fn a_ticket_ends_with_its_generation() {
    let world = World::open();
    let old = world.channel(1).await;
    let new = old.next(2);
    let before = ticket(&world, &old, true).await;
    world.opened(&[&old]).await.append(NOW, old.append(vec![installing(&new, 0, 1)])).await.unwrap();
    let (_, session) = world.channel_circuit();
    assert_eq!(resume(&session, NOW, before).await.err(), Some("NOT_FOUND"));
    assert_eq!(code(session.read(NOW, read(&old)).await), "UNAUTHENTICATED");
    assert!(ticket(&world, &old, true).await.is_empty(), "and for what is over there is none");
    assert!(resume(&session, NOW, ticket(&world, &new, true).await).await.is_ok());
    assert_eq!(outcome(session.append(NOW, new.append(vec![entry(EntryKind::Message, 1, 2)])).await), "2 of 2");
}

#[tokio::test]
async fn a_ticket_ends_with_the_process() {
    let mut world = World::open();
    let keys = world.channel(1).await;
    let ticket = ticket(&world, &keys, true).await;
    world.restart();
    assert_eq!(resume(&world.channel_circuit().1, NOW, ticket).await.err(), Some("NOT_FOUND"));
}

#[tokio::test]
async fn a_ticket_for_a_channel_that_is_gone_opens_nothing() {
    let world = World::open();
    let keys = world.channel(1).await;
    let ticket = ticket(&world, &keys, true).await;
    world.channels.expire(Now(NOW.0 + 100 * DAY_MS)).await.unwrap();
    assert_eq!(resume(&world.channel_circuit().1, NOW, ticket).await.err(), Some("NOT_FOUND"));
}

#[tokio::test]
async fn a_ticket_carries_all_that_the_circuit_may_do() {
    let world = World::open();
    let keys = world.channel(1).await;
    let (circuit, session) = world.channel_circuit();
    let mut given = Vec::new();
    for to_write in [true, false] {
        let openings = vec![keys.opening(&circuit, to_write)];
        given.push(session.open(NOW, OpenRequest { openings }).await.unwrap().opened.remove(0).ticket);
    }
    for ticket in given {
        let (_, session) = world.channel_circuit();
        assert!(resume(&session, NOW, ticket).await.is_ok());
        assert_eq!(code(session.append(NOW, keys.append(vec![message(1)])).await), "OK");
    }
    // A ticket takes nothing away either.
    let to_read = ticket(&world, &keys, false).await;
    assert!(resume(&session, NOW, to_read).await.is_ok());
    assert_eq!(code(session.append(NOW, keys.append(vec![message(2)])).await), "OK");
}

#[tokio::test]
async fn only_so_many_tickets_come_at_once() {
    let world = World::open();
    let (_, session) = world.channel_circuit();
    let resume = async |count| {
        session.resume(NOW, ResumeRequest { tickets: vec![Bytes::new(); count], known: Vec::new() }).await
    };
    assert_eq!(code(resume(OPENINGS_MAX).await), "OK");
    assert_eq!(code(resume(OPENINGS_MAX + 1).await), "MALFORMED");
}
