//! Frozen transcripts of our suite: what this release says, byte for byte, and what it goes on from.
//!
//! `tests/vectors/chat.txt` holds Bo's store after he made a key package, and what Ana then sent: all of it must open
//! in every later release. With the same chance, this release must also say the same again; a later one may change
//! what it says, on purpose, with a file of its own beside this one.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::{
    Invitation, create_key_package,
    testing::{self, vector},
};

const FILE: &str = "chat.txt";
const STORE: &str = "store ";

/// What Ana and Bo make, from their seeds alone.
fn transcript() -> BTreeMap<String, Vec<u8>> {
    let (ana, bo) = (Person::new(1), Person::new(2));
    let both = lists(&[&ana, &bo]);
    let mls = bo.act(|me| create_key_package(me, false)).unwrap();
    let package = bo.sign_key_package(mls.clone(), false);
    let mut values: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (key, value) in bo.memory.rows.borrow().iter() {
        values.insert(format!("{STORE}{}", data_encoding::HEXLOWER.encode(key)), value.clone());
    }
    let invitation = ana.act(|me| Ok(Chat::create(me, CHANNEL, &[(&bo.list, &package)])?.1)).unwrap().unwrap();
    let message = ana.encrypt("hello");
    let commit = ana.self_update();
    ana.merge_pending();
    let after = ana.encrypt("hello again");

    bo.join(&invitation, &both).unwrap();
    bo.read(&message, &both);
    bo.follow(&commit, &both);
    let reply = bo.self_update();
    let mut put = |name: &str, bytes: Bytes| values.insert(name.into(), bytes.into());
    put("key package", mls);
    put("welcome", invitation.welcome);
    put("tree", invitation.tree);
    put("message", message);
    put("commit", commit);
    put("message after", after);
    put("commit of bo", reply);
    put("authenticator", ana.authenticator());
    values
}

#[test]
fn the_same_chance_says_the_same() {
    let now = transcript();
    let values: Vec<(&str, &[u8])> = now.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    testing::freeze(
        FILE,
        "MLS 0x004E: Bo's store once he has made `key package`; Ana's `welcome`, `tree`, entries; the epoch after `commit`.",
        &values,
    );
    let then = vector(FILE);
    for (name, value) in &then {
        // The store is read by later releases, not by others; its encoding need not be the only one.
        assert!(name.starts_with(STORE) || now[name] == *value, "{name} has changed");
    }
    assert!(now.keys().all(|name| name.starts_with(STORE) || then.contains_key(name)));
}

#[test]
fn the_recorded_chat_goes_on() {
    let recorded = vector(FILE);
    let (ana, bo) = (Person::new(1), Person::new(2));
    let both = lists(&[&ana, &bo]);
    for (name, value) in &recorded {
        if let Some(key) = name.strip_prefix(STORE) {
            let key = data_encoding::HEXLOWER.decode(key.as_bytes()).unwrap();
            bo.memory.rows.borrow_mut().insert(key, value.clone());
        }
    }
    let bytes = |name: &str| Bytes::from(recorded[name].clone());
    bo.join(&Invitation { welcome: bytes("welcome"), tree: bytes("tree") }, &both).unwrap();
    assert!(bo.read(&bytes("message"), &both) == ("hello".into(), ana.account(), 1));
    bo.follow(&bytes("commit"), &both);
    assert!(bo.authenticator() == bytes("authenticator"));
    assert!(bo.read(&bytes("message after"), &both) == ("hello again".into(), ana.account(), 1));
    bo.self_update();
}
