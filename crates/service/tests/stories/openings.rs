//! Who may reach a channel.

use bytes::Bytes;
use undertone_credentials::{open_read, open_write, verify_head};
use undertone_wire::{
    channel::{ChannelHandler, FollowRequest, LogPush, OpenRequest, Opening, ReadRequest, opened},
    circuit::Code,
    limits::OPENINGS_MAX,
    rpc::Pushes,
};

use crate::people::{Channels, Keys, Listener, NOW, World, code, head, message};

type Session = undertone_service::ChannelSession<Channels>;

async fn open(session: &Session, opening: Opening) -> &'static str {
    let mut reply = session.open(NOW, OpenRequest { openings: vec![opening] }).await.unwrap();
    match reply.opened.pop().unwrap().result.unwrap() {
        opened::Result::Head(_) => "OK",
        opened::Result::Refused(code) => Code::try_from(code as i32).unwrap_or_default().as_str_name(),
    }
}

fn read(keys: &Keys) -> ReadRequest {
    ReadRequest { channel: keys.channel.into(), after: 0, limit: 10 }
}

fn follow(keys: &[&Keys]) -> FollowRequest {
    FollowRequest { channels: keys.iter().map(|keys| keys.channel.into()).collect(), known: Vec::new() }
}

fn pushes() -> Pushes<LogPush> {
    std::sync::Arc::new(Listener::default()).pushes()
}

#[tokio::test]
async fn keys_open_a_channel_and_its_head_is_signed() {
    let world = World::open();
    let keys = [world.channel(1).await, world.channel(2).await];
    let (circuit, session) = world.channel_circuit();
    let openings = keys.iter().map(|keys| keys.opening(&circuit, true)).collect();
    let reply = session.open(NOW, OpenRequest { openings }).await.unwrap();
    assert_eq!(reply.opened.len(), 2);
    for (keys, opened) in keys.iter().zip(reply.opened) {
        let head = verify_head(&world.head_key, &head(opened.result).unwrap()).ok().unwrap();
        assert!(head.channel() == keys.channel && head.seq() == 0);
    }
}

#[tokio::test]
async fn a_stranger_learns_nothing() {
    let world = World::open();
    let (keys, other) = (world.channel(1).await, world.channel(2).await);
    let (circuit, session) = world.channel_circuit();
    let (elsewhere, _) = world.channel_circuit();
    let good = keys.opening(&circuit, true);
    let signature = |bytes: [u8; 64]| Bytes::copy_from_slice(&bytes);
    let cases = [
        // No such channel, by someone who has keys for it.
        Keys::new(3).opening(&circuit, true),
        // Another generation, rightly signed.
        Opening {
            generation: 1,
            read_signature: signature(open_read(&circuit, keys.channel, 1, &keys.read)),
            write_signature: signature(open_write(&circuit, keys.channel, 1, &keys.write)),
            ..good.clone()
        },
        // Another channel's, another circuit's, another role's signatures.
        Opening { channel: keys.channel.into(), ..other.opening(&circuit, true) },
        keys.opening(&elsewhere, true),
        Opening { read_signature: good.write_signature.clone(), ..good.clone() },
        Opening { write_signature: good.read_signature.clone(), ..good.clone() },
        Opening { read_signature: signature([0; 64]), ..good.clone() },
    ];
    for opening in cases {
        assert_eq!(open(&session, opening).await, "NOT_FOUND");
    }
    assert_eq!(code(session.read(NOW, read(&keys)).await), "UNAUTHENTICATED");
    assert_eq!(open(&session, good).await, "OK");
}

#[tokio::test]
async fn openings_have_their_form() {
    let world = World::open();
    let keys = world.channel(1).await;
    let (circuit, session) = world.channel_circuit();
    let good = keys.opening(&circuit, true);
    let cases = [
        Opening { channel: Bytes::new(), ..good.clone() },
        Opening { read_signature: Bytes::new(), ..good.clone() },
        Opening { read_signature: Bytes::from_static(&[1; 63]), ..good.clone() },
        Opening { write_signature: Bytes::from_static(&[1; 65]), ..good.clone() },
    ];
    for opening in cases {
        assert_eq!(code(session.open(NOW, OpenRequest { openings: vec![opening] }).await), "MALFORMED");
    }
    let too_many = OpenRequest { openings: vec![good; OPENINGS_MAX + 1] };
    assert_eq!(code(session.open(NOW, too_many).await), "MALFORMED");
    assert_eq!(code(session.open(NOW, OpenRequest::default()).await), "OK");
}

#[tokio::test]
async fn the_read_key_reads_and_the_write_key_writes() {
    let world = World::open();
    let keys = world.channel(1).await;
    let (circuit, session) = world.channel_circuit();
    assert_eq!(open(&session, keys.opening(&circuit, false)).await, "OK");
    assert_eq!(code(session.read(NOW, read(&keys)).await), "OK");
    assert_eq!(code(session.append(NOW, keys.append(vec![message(1)])).await), "FORBIDDEN");
    assert_eq!(open(&session, keys.opening(&circuit, true)).await, "OK");
    assert_eq!(code(session.append(NOW, keys.append(vec![message(1)])).await), "OK");
    // What was proven stays proven.
    assert_eq!(open(&session, keys.opening(&circuit, false)).await, "OK");
    assert_eq!(code(session.append(NOW, keys.append(vec![message(2)])).await), "OK");
}

#[tokio::test]
async fn an_opening_holds_on_its_own_circuit_only() {
    let world = World::open();
    let keys = world.channel(1).await;
    let _opened = world.opened(&[&keys]).await;
    let (_, session) = world.channel_circuit();
    assert_eq!(code(session.read(NOW, read(&keys)).await), "UNAUTHENTICATED");
    assert_eq!(code(session.append(NOW, keys.append(vec![message(1)])).await), "UNAUTHENTICATED");
    assert_eq!(code(session.follow(NOW, follow(&[&keys]), pushes()).await), "UNAUTHENTICATED");
}

#[tokio::test]
async fn to_follow_each_channel_must_be_open() {
    let world = World::open();
    let (mine, other) = (world.channel(1).await, world.channel(2).await);
    let session = world.opened(&[&mine]).await;
    assert_eq!(code(session.follow(NOW, follow(&[&mine, &other]), pushes()).await), "UNAUTHENTICATED");
    assert_eq!(code(session.follow(NOW, follow(&[&mine]), pushes()).await), "OK");
    let short = FollowRequest { channels: vec![Bytes::new()], known: Vec::new() };
    assert_eq!(code(session.follow(NOW, short, pushes()).await), "MALFORMED");
    let many = FollowRequest { channels: vec![mine.channel.into(); OPENINGS_MAX + 1], known: Vec::new() };
    assert_eq!(code(session.follow(NOW, many, pushes()).await), "MALFORMED");
}

#[tokio::test]
async fn one_circuit_holds_only_so_many_channels() {
    let world = World::open();
    let keys: Vec<Keys> = (0..=2 * OPENINGS_MAX as u16)
        .map(|number| {
            let mut keys = Keys::new(1);
            let mut id = [0; 16];
            id[..2].copy_from_slice(&number.to_be_bytes());
            keys.channel = undertone_wire::ChannelId::new(id);
            keys
        })
        .collect();
    let (circuit, session) = world.channel_circuit();
    let mut refused = Vec::new();
    for batch in keys.chunks(OPENINGS_MAX) {
        for keys in batch {
            use undertone_wire::visitor::VisitorHandler;
            world.visitor().create_channel(NOW, keys.creation()).await.unwrap();
        }
        let openings = batch.iter().map(|keys| keys.opening(&circuit, false)).collect();
        let reply = session.open(NOW, OpenRequest { openings }).await.unwrap();
        refused.extend(reply.opened.into_iter().filter_map(|opened| match opened.result {
            Some(opened::Result::Refused(code)) => Some(code),
            _ => None,
        }));
    }
    assert_eq!(refused, [i32::from(Code::Exhausted) as u32]);
    // What is open already can be opened again.
    assert_eq!(open(&session, keys[0].opening(&circuit, true)).await, "OK");
}
