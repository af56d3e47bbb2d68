//! Objects that people sign, and keys in all their forms.

use bytes::Bytes;
use undertone_circuit::{ServiceKeys, ServicePublicKeys};
use undertone_credentials::{DeviceList, INBOX_KEY_LEN, InboxKey, KeyPackage, PublicKey, RecoveryWords};
use undertone_e2ee::{Chat, InboxSecret, Suite, seal};
use undertone_service::InviteCode;
use undertone_wire::{AccountId, ChannelId, Message as _, context::Context, objects};

use crate::{
    Target,
    people::{Person, sign},
};

pub const DEVICE_LISTS: Target = Target { name: "device-lists", run: device_lists, seeds: some_device_lists, cost: 8 };
pub const INBOX_KEYS: Target = Target { name: "inbox-keys", run: inbox_keys, seeds: some_inbox_keys, cost: 32 };
pub const KEY_PACKAGES: Target = Target { name: "key-packages", run: key_packages, seeds: some_key_packages, cost: 64 };
pub const KEYS: Target = Target { name: "keys", run: keys, seeds: some_keys, cost: 8 };

thread_local! {
    static PEOPLE: Option<(Person, Person)> = Some((Person::new(1)?, Person::new(2)?));
}

fn with_people(act: impl Fn(&Person, &Person)) {
    PEOPLE.with(|people| people.iter().for_each(|(ana, bo)| act(ana, bo)));
}

/// As it comes, and as the body of one that Ana's identity key has signed.
fn device_lists(data: &[u8]) {
    with_people(|ana, _| {
        let signature = sign(&ana.identity.seed(), Context::DEVICE_LIST, &[data]);
        let signed = objects::SignedDeviceList { body: Bytes::copy_from_slice(data), signature }.encode_to_vec();
        for bytes in [data, &signed] {
            if let Ok(list) = DeviceList::verify(bytes) {
                assert!(list.encoded() == bytes && !list.devices().is_empty());
                assert!(list.devices().iter().all(|device| list.device(device.number).is_some()));
            }
        }
    });
}

fn some_device_lists() -> Option<Vec<Vec<u8>>> {
    let ana = Person::new(1)?;
    let second = ana.list.next(&ana.identity, ana.list.devices().to_vec()).ok()?;
    let third = second.next_identity(&ana.recovery, &Person::new(3)?.identity, second.devices().to_vec()).ok()?;
    let lists = [ana.list.encoded(), second.encoded(), third.encoded()];
    let bodies = lists.iter().filter_map(|list| objects::SignedDeviceList::decode(&list[..]).ok());
    Some(bodies.map(|list| list.body.to_vec()).chain(lists.map(|list| list.to_vec())).collect())
}

/// As it comes, as a body that Ana has signed, and as the key in one: what it cannot seal with, it refuses.
fn inbox_keys(data: &[u8]) {
    with_people(|ana, _| {
        let account = ana.account();
        let signature = sign(&ana.identity.seed(), Context::INBOX_KEY, &[account.as_bytes(), data]);
        let signed = objects::SignedInboxKey { body: Bytes::copy_from_slice(data), signature }.encode_to_vec();
        let key =
            data.first_chunk::<INBOX_KEY_LEN>().map(|key| InboxKey::sign(&ana.identity, account, ana.week(), key));
        for bytes in [data, &signed].into_iter().chain(key.as_deref()) {
            if let Ok(key) = InboxKey::verify(&ana.list, bytes) {
                let _ = seal(account, &key, b"a letter", &mut ana.rng());
            }
        }
    });
}

fn some_inbox_keys() -> Option<Vec<Vec<u8>>> {
    let ana = Person::new(1)?;
    let signed = InboxKey::sign(&ana.identity, ana.account(), ana.week(), &ana.inbox.public());
    let body = objects::SignedInboxKey::decode(&signed[..]).ok()?.body;
    Some(vec![signed.to_vec(), body.to_vec(), ana.inbox.public().to_vec()])
}

/// As it comes, and as the MLS key package in one that Bo's device has signed, by which Ana begins a chat with him.
fn key_packages(data: &[u8]) {
    with_people(|ana, bo| {
        let signed = [false, true].map(|last| bo.sign_key_package(Bytes::copy_from_slice(data), last));
        for bytes in [data].into_iter().chain(signed.iter().map(|bytes| &bytes[..])) {
            let Ok(package) = KeyPackage::verify(&bo.list, bytes) else { continue };
            for suite in [Suite::PostQuantum, Suite::Classical] {
                let peers = [(&bo.list, &package)];
                let _ = ana.attempt(|me| Chat::create(me, ChannelId::new([1; 16]), suite, &peers).map(drop));
            }
        }
    });
}

fn some_key_packages() -> Option<Vec<Vec<u8>>> {
    let bo = Person::new(2)?;
    let mut seeds = Vec::new();
    for (suite, last_resort) in [(Suite::PostQuantum, false), (Suite::PostQuantum, true), (Suite::Classical, false)] {
        let package = bo.key_package(suite, last_resort)?;
        seeds.extend([package.mls().to_vec(), package.encoded().to_vec()]);
    }
    Some(seeds)
}

/// Keys and ids from a file, a wire, or somebody's keyboard.
fn keys(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(words) = RecoveryWords::parse(&text) {
        assert!(RecoveryWords::parse(&words.to_text()).is_ok());
    }
    if let Some(code) = InviteCode::parse(&text) {
        assert!(InviteCode::parse(&code.to_text()).is_some());
    }
    let _ = AccountId::from_hex(&text);
    let _ = PublicKey::try_from(data);
    let _ = InboxSecret::from_bytes(data);
    let _ = ServicePublicKeys::from_bytes(data);
    if let Ok(keys) = ServiceKeys::from_bytes(data) {
        assert!(keys.to_bytes()[..] == *data, "a service's keys have two forms");
    }
}

fn some_keys() -> Option<Vec<Vec<u8>>> {
    let ana = Person::new(1)?;
    let service = ServiceKeys::generate(&mut ana.rng());
    Some(vec![
        RecoveryWords::generate(&mut ana.rng()).to_text().as_bytes().to_vec(),
        InviteCode::generate(&mut ana.rng()).to_text().as_bytes().to_vec(),
        ana.account().to_hex().into_bytes(),
        ana.device.public().as_bytes().to_vec(),
        ana.inbox.to_bytes().to_vec(),
        service.to_bytes().to_vec(),
        service.public().to_bytes(),
    ])
}
