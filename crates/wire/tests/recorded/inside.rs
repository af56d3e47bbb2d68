use undertone_wire::{
    Message as _,
    content::{
        Accepted, Content, Context, EntryContent, Invitation, Leaf, Letter, SealedContent, Seen, Text, content::Kind,
    },
    objects::{Device, DeviceList, InboxKey, KeyPackage, SignedDeviceList, SignedInboxKey, SignedKeyPackage},
};

use crate::{Recorded, of};

pub fn objects(recorded: &mut Recorded) {
    let device = |number: u32| Device { number, key: of(4, 32), features: vec![1, number + 300], ..Device::default() };
    let list = DeviceList {
        version: 1,
        recovery_key: of(1, 32),
        first_identity_key: of(2, 32),
        identity_number: 3,
        identity_key: of(3, 32),
        identity_certificate: of(5, 64),
        counter: 4,
        devices: vec![device(1), device(2)],
        ..DeviceList::default()
    };
    recorded.message("objects.device_list", &list);
    let body = list.encode_to_vec().into();
    let signed = SignedDeviceList { body, signature: of(6, 64), ..SignedDeviceList::default() };
    recorded.message("objects.device_list.signed", &signed);
    let key = InboxKey { version: 1, week: 2_968, key: of(7, 1_216), ..InboxKey::default() };
    recorded.message("objects.inbox_key", &key);
    let signed = SignedInboxKey { body: of(8, 9), signature: of(9, 64), ..SignedInboxKey::default() };
    recorded.message("objects.inbox_key.signed", &signed);
    let package = KeyPackage {
        version: 1,
        device: 2,
        expiry_day: 20_869,
        last_resort: true,
        mls: of(10, 11),
        ..KeyPackage::default()
    };
    recorded.message("objects.key_package", &package);
    let signed = SignedKeyPackage { body: of(12, 13), signature: of(14, 64), ..SignedKeyPackage::default() };
    recorded.message("objects.key_package.signed", &signed);
}

pub fn content(recorded: &mut Recorded) {
    let entry = EntryContent {
        mls: of(1, 5),
        fork_tag: of(2, 32),
        device_lists: vec![of(3, 6), of(4, 7)],
        ..EntryContent::default()
    };
    recorded.message("content.entry", &entry);
    let seen = Seen { seq: 7, chain: of(1, 32), signature: of(2, 64), revision: 3, ..Seen::default() };
    recorded.message("content.seen", &seen);
    recorded.message("content.leaf", &Leaf { account: of(1, 16), device: 2, ..Leaf::default() });
    recorded.message("content.context", &Context { channel: of(1, 16), floor: 1, ..Context::default() });
    let text = Kind::Text(Text { body: "a text, äöü, \u{1f600}".into(), ..Text::default() });
    let accepted = Kind::Accepted(Accepted { name: "Bo".into(), ..Accepted::default() });
    let said = |kind| Content {
        id: of(1, 16),
        sent_at_ms: 1_795_341_522_000,
        letters: 2,
        kind: Some(kind),
        ..Content::default()
    };
    recorded.message("content.text", &said(text.clone()));
    recorded.message("content.accepted", &said(accepted));
    let sealed = SealedContent {
        version: 1,
        device_list: of(1, 6),
        device: 2,
        letter: of(3, 7),
        signature: of(4, 64),
        ..SealedContent::default()
    };
    recorded.message("content.sealed", &sealed);
    let invitation = Invitation {
        welcome: of(1, 8),
        tree: of(2, 9),
        incarnation: 3,
        epoch: 4,
        generation: 5,
        generation_secret: of(6, 32),
        name: "Ana".into(),
        ..Invitation::default()
    };
    let letter = Letter {
        channel: of(1, 16),
        invitation: Some(invitation),
        contents: vec![said(text).encode_to_vec().into()],
        first_index: 2,
        ..Letter::default()
    };
    recorded.message("content.letter", &letter);
}
