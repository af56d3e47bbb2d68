//! Frozen transcripts of our suite: what this release says, byte for byte, and what it goes on from.
//!
//! `tests/vectors/chat.txt` holds Bo's store after he made a key package, and what Ana then sent; `devices.txt` a chat of
//! the classical suite that restarts in ours, and a device that comes and goes. All of it must open in every later release.
//! With the same chance, this release must also say the same again; a later one may change
//! what it says, on purpose, with a file of its own beside this one.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::{
    Invitation, create_key_package,
    testing::{self, vector},
};

const FILE: &str = "chat.txt";
const DEVICES: &str = "devices.txt";
const AT: RestartAt = RestartAt { channel: CHANNEL, group: 1, position: Position { incarnation: 0, epoch: 1 } };
const STORE: &str = "store ";

/// What Ana and Bo make, from their seeds alone.
fn transcript() -> BTreeMap<String, Vec<u8>> {
    let (ana, bo) = (Person::new(1), Person::new(2));
    let both = lists(&[&ana, &bo]);
    let mls = bo.act(|me| create_key_package(me, Suite::PostQuantum, false)).unwrap();
    let package = bo.sign_key_package(mls.clone(), false);
    let mut values: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    store(&mut values, &bo);
    let invitation =
        ana.act(|me| Ok(Chat::create(me, CHANNEL, Suite::PostQuantum, &[(&bo.list, &package)])?.1)).unwrap().unwrap();
    let message = ana.encrypt("hello");
    let commit = ana.self_update(&both);
    ana.follow(&commit, &both);
    let after = ana.encrypt("hello again");

    bo.join(&invitation, &both).unwrap();
    bo.read(&message, &both);
    bo.follow(&commit, &both);
    let reply = bo.self_update(&both);
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
    frozen(
        FILE,
        "MLS 0x004E: Bo's store once he has made `key package`; Ana's `welcome`, `tree`, entries; the epoch after `commit`.",
        &transcript(),
    );
    frozen(
        DEVICES,
        "MLS 0x0001: Bo's store in a chat that Ana began; her entries, in order: `message`, `commit`, `restart` in 0x004E \
         (it and `removal` with what they install), `addition` of Bo's second device (with its list), `removal` of it, \
         `message after`; the epochs after `restart` and `removal`.",
        &transcript_of_devices(),
    );
}

fn frozen(file: &str, about: &str, now: &BTreeMap<String, Vec<u8>>) {
    let values: Vec<(&str, &[u8])> = now.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    testing::freeze(file, about, &values);
    let then = vector(file);
    for (name, value) in &then {
        // The store is read by later releases, not by others; its encoding need not be the only one.
        assert!(name.starts_with(STORE) || now[name] == *value, "{name} has changed");
    }
    assert!(now.keys().all(|name| name.starts_with(STORE) || then.contains_key(name)));
}

/// A person whose store is the recorded one.
fn stored(person: Person, recorded: &BTreeMap<String, Vec<u8>>) -> Person {
    for (name, value) in recorded {
        if let Some(key) = name.strip_prefix(STORE) {
            let key = data_encoding::HEXLOWER.decode(key.as_bytes()).unwrap();
            person.memory.rows.borrow_mut().insert(key, value.clone());
        }
    }
    person
}

fn store(values: &mut BTreeMap<String, Vec<u8>>, person: &Person) {
    for (key, value) in person.memory.rows.borrow().iter() {
        values.insert(format!("{STORE}{}", data_encoding::HEXLOWER.encode(key)), value.clone());
    }
}

#[test]
fn the_recorded_chat_goes_on() {
    let recorded = vector(FILE);
    let (ana, bo) = (Person::new(1), stored(Person::new(2), &recorded));
    let both = lists(&[&ana, &bo]);
    let bytes = |name: &str| Bytes::from(recorded[name].clone());
    bo.join(&Invitation { welcome: bytes("welcome"), tree: bytes("tree") }, &both).unwrap();
    assert!(bo.read(&bytes("message"), &both) == ("hello".into(), ana.account(), 1));
    bo.follow(&bytes("commit"), &both);
    assert!(bo.authenticator() == bytes("authenticator"));
    assert!(bo.read(&bytes("message after"), &both) == ("hello again".into(), ana.account(), 1));
    bo.self_update(&both);
}

/// What Ana and Bo's first device make, from their seeds alone.
fn transcript_of_devices() -> BTreeMap<String, Vec<u8>> {
    let mut values = BTreeMap::new();
    let (ana, bo) = pair_of(Suite::Classical);
    let (both, bo2) = (lists(&[&ana, &bo]), bo.next_device());
    let (package, package2) = (bo.key_package(true), bo2.key_package(true));
    store(&mut values, &bo);
    let mut put = |name: &str, bytes: &[u8]| values.insert(name.into(), bytes.into());
    put("message", &ana.encrypt("hello"));
    let commit = ana.self_update(&both);
    ana.follow(&commit, &both);
    put("commit", &commit);

    let plan = Plan { adds: vec![(&bo.list, &package)], ..Plan::default() };
    let restart = ana.restart(&AT, Suite::PostQuantum, &plan, &both).unwrap();
    ana.take_restart(&AT, &restart, &both).unwrap();
    put("restart", &restart.entry);
    put("restart installs", &restart.generation.as_ref().unwrap().installs());
    put("restart generation", restart.generation.as_ref().unwrap().secret());
    put("authenticator after restart", &ana.authenticator());

    let plan = Plan { adds: vec![(&bo2.list, &package2)], lists: vec![&bo2.list], ..Plan::default() };
    let addition = ana.commit(&plan, &both).unwrap();
    ana.merge(&addition, &both);
    put("addition", &addition.entry);
    let now = lists(&[&ana, &bo2]);
    let without = bo2.list_without(2);
    let plan = Plan { removes: vec![bo2.member()], lists: vec![&without], generation: true, ..Plan::default() };
    let removal = ana.commit(&plan, &now).unwrap();
    ana.merge(&removal, &now);
    put("removal", &removal.entry);
    put("removal installs", &removal.generation.as_ref().unwrap().installs());
    put("removal generation", removal.generation.as_ref().unwrap().secret());
    put("authenticator", &ana.authenticator());
    put("message after", &ana.encrypt("hello again"));
    values
}

#[test]
fn the_recorded_devices_come_and_go() {
    let recorded = vector(DEVICES);
    let (ana, bo) = (Person::new(1), stored(Person::new(2), &recorded));
    let both = lists(&[&ana, &bo]);
    let bytes = |name: &str| Bytes::from(recorded[name].clone());
    let committed = |name: &str| {
        let secret = recorded.get(&format!("{name} generation"));
        let generation = secret.map(|secret| Generation::from_secret(secret[..].try_into().unwrap()));
        if let Some(generation) = &generation {
            assert!(generation.installs()[..] == recorded[&format!("{name} installs")]);
        }
        Committed { entry: bytes(name), generation, invitation: None }
    };
    assert!(bo.read(&bytes("message"), &both) == ("hello".into(), ana.account(), 1));
    bo.follow(&bytes("commit"), &both);
    bo.take_restart(&AT, &committed("restart"), &both).unwrap();
    assert!(bo.authenticator() == bytes("authenticator after restart"));
    let change = bo.merge(&committed("addition"), &both);
    assert!(change.added.len() == 1 && change.lists.len() == 1);
    let with_two = Lists::from_iter([&ana.list, &change.lists[0]]);
    let change = bo.merge(&committed("removal"), &with_two);
    assert!(change.removed.len() == 1 && change.lists.len() == 1 && change.generation.is_some());
    assert!(bo.authenticator() == bytes("authenticator"));
    let now = Lists::from_iter([&ana.list, &change.lists[0]]);
    assert!(bo.read(&bytes("message after"), &now) == ("hello again".into(), ana.account(), 1));
    bo.self_update(&now);
}
