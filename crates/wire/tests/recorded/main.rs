//! Bytes as each release wrote them, and what they mean: they mean it for good, and are still written so.
//!
//! `VERSION.txt` has one line for each: its name, and its bytes in hexadecimal. A release records what it has
//! added: a value below without its bytes fails with the line to record. Lines are never changed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_update,
    reason = "a test that cannot go on has failed, and messages get further fields with later releases"
)]

mod circuit;
mod fourth;
mod inside;
mod planes;
mod second;
mod third;

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use data_encoding::HEXLOWER;
use undertone_wire::{
    AccountId, Message,
    circuit::frame,
    frame::{decode, encode},
    limits,
    link::{Link, Pin, Scheme},
};

/// What was recorded, and what is missing.
struct Recorded {
    lines: BTreeMap<&'static str, Vec<u8>>,
    missing: Vec<String>,
}

impl Recorded {
    fn all() -> Self {
        let lines =
            [include_str!("0.1.txt"), include_str!("0.2.txt"), include_str!("0.3.txt"), include_str!("0.4.txt")]
                .into_iter()
                .flat_map(str::lines)
                .map(|line| {
                    let (name, bytes) = line.split_once(' ').unwrap();
                    (name, HEXLOWER.decode(bytes.as_bytes()).unwrap())
                });
        Self { lines: lines.collect(), missing: Vec::new() }
    }

    /// The bytes of that name, if these are they.
    fn take(&mut self, name: &str, written: &[u8]) -> Option<Vec<u8>> {
        let recorded = self.lines.remove(name);
        match &recorded {
            None => self.missing.push(format!("{name} {}", HEXLOWER.encode(written))),
            Some(recorded) => assert!(recorded == written, "{name} is written in another way"),
        }
        recorded
    }

    /// That a message's bytes still are that message.
    fn message<M: Message + Default + PartialEq>(&mut self, name: &str, value: &M) {
        if let Some(bytes) = self.take(name, &value.encode_to_vec()) {
            assert!(M::decode(&bytes[..]).unwrap() == *value, "{name} is read in another way");
        }
    }

    fn frame(&mut self, name: &str, id: u32, kind: frame::Kind) {
        if let Some(bytes) = self.take(name, &encode(id, kind.clone())) {
            let mut buffer = BytesMut::from(&bytes[..]);
            let frame = decode(&mut buffer, limits::FRAME_BYTES_MAX).unwrap().unwrap();
            assert!(frame.id == id && frame.kind == Some(kind) && buffer.is_empty(), "{name} is read in another way");
        }
    }

    fn link(&mut self, name: &str, link: &Link) {
        if let Some(bytes) = self.take(name, link.to_text().as_bytes()) {
            let text = String::from_utf8(bytes).unwrap();
            assert!(Link::parse(&text).unwrap() == *link, "{name} is read in another way");
        }
    }

    fn done(self) {
        assert!(self.missing.is_empty(), "to be recorded:\n{}", self.missing.join("\n"));
        let rest: Vec<_> = self.lines.into_keys().collect();
        assert!(rest.is_empty(), "recorded, and never read: {rest:?}");
    }
}

/// So many bytes, each of them `value`.
fn of(value: u8, length: usize) -> Bytes {
    vec![value; length].into()
}

#[test]
fn bytes_mean_what_they_meant() {
    let mut recorded = Recorded::all();
    circuit::frames(&mut recorded);
    planes::account(&mut recorded);
    planes::visitor(&mut recorded);
    planes::channel(&mut recorded);
    inside::objects(&mut recorded);
    inside::content(&mut recorded);
    second::planes(&mut recorded);
    second::content(&mut recorded);
    third::blobs(&mut recorded);
    third::groups(&mut recorded);
    fourth::planes(&mut recorded);
    fourth::directory(&mut recorded);
    fourth::content(&mut recorded);
    fourth::link(&mut recorded);
    let pin = Pin::new([1; 32]);
    let service = Link { scheme: Scheme::Tcp, endpoint: "chat.example:4433".into(), pin, account: None };
    recorded.link("link.service", &service);
    let person = Link { account: Some(AccountId::new([2; 16])), ..service };
    recorded.link("link.person", &person);
    let web = Link { scheme: Scheme::Https, endpoint: "[2001:db8::1]:443".into(), ..person };
    recorded.link("link.web", &web);
    recorded.done();
}
