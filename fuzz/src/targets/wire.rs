//! What `undertone-wire` reads.

use std::str;

use bytes::{Bytes, BytesMut};
use undertone_wire::{
    ChannelId, Message, account,
    chain::{Chain, Digest},
    channel,
    circuit::{self, frame::Kind},
    content,
    frame::{decode, encode, padded_hello},
    limits,
    link::{DeviceLink, Link, Pin, Scheme},
    objects, padding, visitor,
};

use crate::Target;

pub const FRAMES: Target = Target { name: "frames", run: frames, seeds: some_frames, cost: 1 };
pub const MESSAGES: Target = Target { name: "messages", run: messages, seeds: some_messages, cost: 1 };
pub const LINKS: Target = Target { name: "links", run: links, seeds: some_links, cost: 1 };
pub const PADDING: Target = Target { name: "padding", run: paddings, seeds: some_paddings, cost: 1 };

/// A stream of frames, in two pieces.
fn frames(data: &[u8]) {
    let mut buffer = BytesMut::new();
    let (first, second) = data.split_at(data.len() / 2);
    for piece in [first, second] {
        buffer.extend_from_slice(piece);
        while let Ok(Some(frame)) = decode(&mut buffer, limits::FRAME_BYTES_MAX) {
            let Some(kind) = frame.kind.clone() else { continue };
            let again = decode(&mut BytesMut::from(&encode(frame.id, kind)[..]), usize::MAX);
            assert!(again == Ok(Some(frame)), "a frame reads otherwise when it is written again");
        }
    }
}

fn some_frames() -> Option<Vec<Vec<u8>>> {
    let hello = padded_hello(circuit::Hello { kind: 3, protocol_min: 1, protocol_max: 1, ..Default::default() });
    let token_key = circuit::TokenKey { purpose: 2, week: 2_968, key: Bytes::from_static(&[6; 32]) };
    let parameters = circuit::Parameters {
        version: 1,
        head_key: Bytes::from_static(&[7; 32]),
        revision: 1,
        token_keys: vec![token_key],
        ..Default::default()
    };
    let kinds = [
        Kind::Hello(hello),
        Kind::HelloReply(circuit::HelloReply { protocol: 1, parameters: Some(parameters), ..Default::default() }),
        Kind::Request(circuit::Request { method: 1, body: Bytes::from_static(&[8; 40]), deadline_ms: 9 }),
        Kind::Reply(Bytes::from_static(&[1; 50])),
        Kind::Fault(circuit::Fault { code: 8, retry_after_ms: 700, tokens: 4 }),
        Kind::Push(Bytes::new()),
        Kind::Cancel(true),
        Kind::Ping(3),
        Kind::GoAway(circuit::GoAway { reason: 1 }),
    ];
    let frames: Vec<_> = (0..).zip(kinds).map(|(id, kind)| encode(id, kind).to_vec()).collect();
    let stream = frames.concat();
    Some(frames.into_iter().chain([stream]).collect())
}

/// The messages that come from outside, in or under whatever seal. The first byte of an input chooses one.
const MESSAGE_KINDS: &[fn(&[u8])] = &[
    message::<account::RegisterRequest>,
    message::<account::AuthenticateRequest>,
    message::<account::PutKeyPackagesRequest>,
    message::<account::ReadInboxReply>,
    message::<account::PutVaultRequest>,
    message::<account::RecoverReply>,
    message::<visitor::FetchContactReply>,
    message::<visitor::DeliverRequest>,
    message::<visitor::CreateChannelRequest>,
    message::<channel::OpenRequest>,
    message::<channel::OpenReply>,
    message::<channel::AppendRequest>,
    message::<channel::AppendReply>,
    entries,
    message::<channel::LogPush>,
    message::<objects::SignedDeviceList>,
    message::<objects::DeviceList>,
    message::<objects::SignedKeyPackage>,
    message::<objects::KeyPackage>,
    message::<content::EntryContent>,
    message::<content::Content>,
    message::<content::Seen>,
    message::<content::SealedContent>,
    message::<content::Letter>,
    message::<content::Sync>,
    message::<content::Vault>,
    message::<content::Linking>,
    message::<content::Handover>,
    message::<circuit::Parameters>,
    message::<account::IssueTokensRequest>,
    message::<account::IssueTokensReply>,
    message::<content::Profile>,
    message::<content::Transient>,
];

fn messages(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    if let Some(read) = MESSAGE_KINDS.get(usize::from(*kind) % MESSAGE_KINDS.len()) {
        read(data);
    }
}

fn message<M: Message + Default + PartialEq>(data: &[u8]) {
    let Ok(message) = M::decode(data) else { return };
    let again = M::decode(&message.encode_to_vec()[..]);
    assert!(again.is_ok_and(|again| again == message), "a message reads otherwise when it is written again");
}

/// A page of a log, and its chain.
fn entries(data: &[u8]) {
    message::<channel::ReadReply>(data);
    let Ok(reply) = channel::ReadReply::decode(data) else { return };
    let mut chain = Chain::start(ChannelId::new([1; 16]));
    for entry in &reply.entries {
        if let Ok(digest) = Digest::of(entry) {
            chain = chain.then(&digest);
        }
    }
    if let Some(head) = reply.head {
        let _ = Chain::try_from(&head.chain[..]).is_ok_and(|said| said == chain);
    }
}

fn some_messages() -> Option<Vec<Vec<u8>>> {
    let entry = channel::Entry {
        seq: 1,
        kind: 2,
        epoch: 3,
        expiry_day: 20_800,
        body: vec![5; 256].into(),
        installs: vec![6; 64].into(),
        ..Default::default()
    };
    let head = channel::Head {
        channel: vec![1; 16].into(),
        seq: 2,
        chain: vec![2; 32].into(),
        signature: vec![3; 64].into(),
        ..Default::default()
    };
    let expired = channel::Entry { body: Bytes::new(), digest: vec![7; 32].into(), ..entry.clone() };
    let page = channel::ReadReply { entries: vec![entry, expired], head: Some(head) }.encode_to_vec();
    let nested = content::Content {
        id: vec![1; 16].into(),
        sent_at_ms: 1_795_341_522_000,
        letters: 1,
        kind: Some(content::content::Kind::Text(content::Text { body: "äöü \u{1f600}".into() })),
        receipt: Some(content::Receipt { delivered: vec![2; 16].into(), read: vec![1; 16].into() }),
        ..Default::default()
    };
    let letter = content::Letter {
        channel: vec![1; 16].into(),
        invitation: Some(content::Invitation { welcome: vec![2; 90].into(), name: "Ana".into(), ..Default::default() }),
        contents: vec![nested.encode_to_vec().into()],
        first_index: 1,
        ..Default::default()
    };
    let bodies = [page, nested.encode_to_vec(), letter.encode_to_vec()];
    let kinds = 0..u8::try_from(MESSAGE_KINDS.len()).ok()?;
    Some(kinds.flat_map(|kind| bodies.iter().map(move |body| [&[kind], &body[..]].concat())).collect())
}

fn links(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(link) = Link::parse(&text) {
        assert!(Link::parse(&link.to_text()).is_ok_and(|again| again == link), "a link reads otherwise");
    }
    if let Ok(link) = DeviceLink::parse(&text) {
        let again = DeviceLink::parse(&link.to_text());
        assert!(again.is_ok_and(|again| again.secret == link.secret && again.channel == link.channel));
    }
}

fn some_links() -> Option<Vec<Vec<u8>>> {
    let service =
        Link { scheme: Scheme::Tcp, endpoint: "chat.example:4433".into(), pin: Pin::new([1; 32]), account: None };
    let person = Link { account: undertone_wire::AccountId::try_from(&[2; 16][..]).ok(), ..service.clone() };
    let web = Link { scheme: Scheme::Https, endpoint: "[2001:db8::1]:443".into(), ..service.clone() };
    let device = DeviceLink { service: service.clone(), channel: ChannelId::new([3; 16]), secret: [4; 32] }.to_text();
    let texts =
        [service.to_text(), person.to_text(), web.to_text(), str::from_utf8(device.as_bytes()).ok()?.to_owned()];
    Some(texts.map(String::into_bytes).into())
}

fn paddings(data: &[u8]) {
    if let Ok(content) = padding::unpad(data) {
        let again = padding::pad(content, 0, &[data.len()]);
        assert!(again.is_ok_and(|again| again[..] == *data), "padding has two forms");
    }
}

fn some_paddings() -> Option<Vec<Vec<u8>>> {
    let padded = |length: usize| padding::pad(&vec![1; length], 0, padding::ENTRY).ok().map(|padded| padded.to_vec());
    [0, 1, 252, 253, 1_000].into_iter().map(padded).collect()
}
