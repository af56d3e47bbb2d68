//! What is sealed: letters, vaults, and what goes between two devices that are linked.

use bytes::Bytes;
use undertone_credentials::{DeviceKey, InboxKey};
use undertone_e2ee::{
    Hello, LinkChallenge, LinkSecret, ProfileKey, open, open_profile, open_vault, read_letter, seal, seal_profile,
    seal_vault, vault_identity_number, write_letter,
};
use undertone_wire::{
    Message as _,
    content::{Invitation, Letter, Profile, SealedContent, Vault},
};

use crate::{Target, people::Person};

pub const LETTERS: Target = Target { name: "letters", run: letters, seeds: some_letters, cost: 4 };
pub const SEALS: Target = Target { name: "seals", run: seals, seeds: some_seals, cost: 32 };
pub const VAULTS: Target = Target { name: "vaults", run: vaults, seeds: some_vaults, cost: 1024 };
pub const PROFILES: Target = Target { name: "profiles", run: profiles, seeds: some_profiles, cost: 64 };
pub const HELLOS: Target = Target { name: "hellos", run: hellos, seeds: some_hellos, cost: 128 };

const VAULT_KEY: [u8; 32] = [7; 32];
const PROFILE_KEY: [u8; 32] = [6; 32];
const CHALLENGE: [u8; 32] = [8; 32];

thread_local! {
    static PEOPLE: Option<(Person, Person)> = Some((Person::new(1)?, Person::new(2)?));
}

fn with_people(act: impl Fn(&Person, &Person)) {
    PEOPLE.with(|people| people.iter().for_each(|(ana, bo)| act(ana, bo)));
}

/// What was in Bo's inbox once its seal is open; and a letter, which Ana writes to him.
fn letters(data: &[u8]) {
    with_people(|ana, bo| {
        let _ = read_letter(bo.account(), data);
        if let Ok(letter) = Letter::decode(data) {
            let written = write_letter(&ana.list, 1, &ana.device, bo.account(), &letter);
            let read = read_letter(bo.account(), &written);
            assert!(read.is_ok_and(|read| *read.letter() == letter), "a letter reads otherwise");
        }
    });
}

fn some_letters() -> Option<Vec<Vec<u8>>> {
    let (ana, bo) = (Person::new(1)?, Person::new(2)?);
    let invitation =
        Invitation { welcome: vec![1; 90].into(), tree: vec![2; 90].into(), name: "Ana".into(), ..Default::default() };
    let letter = Letter {
        channel: vec![1; 16].into(),
        invitation: Some(invitation),
        contents: vec![Bytes::from_static(b"hello")],
        first_index: 3,
        ..Default::default()
    };
    let written = write_letter(&ana.list, 1, &ana.device, bo.account(), &letter).to_vec();
    let content = SealedContent::decode(&written[..]).ok()?;
    Some(vec![written, letter.encode_to_vec(), content.letter.to_vec()])
}

/// What is in Bo's inbox.
fn seals(data: &[u8]) {
    with_people(|_, bo| {
        let _ = open(std::slice::from_ref(&bo.inbox), bo.account(), data);
    });
}

fn some_seals() -> Option<Vec<Vec<u8>>> {
    let bo = Person::new(2)?;
    let key = InboxKey::sign(&bo.identity, bo.account(), bo.week(), &bo.inbox.public());
    let key = InboxKey::verify(&bo.list, &key).ok()?;
    Some(vec![seal(bo.account(), &key, b"a letter", &mut bo.rng()).ok()?.to_vec()])
}

/// A vault from the service; and what is in one.
fn vaults(data: &[u8]) {
    with_people(|ana, _| {
        let _ = vault_identity_number(data);
        let opened = open_vault(&VAULT_KEY, ana.account(), data);
        let _ = opened.map(|opened| Vault::decode(&opened[..]).is_ok());
        if let Ok(sealed) = seal_vault(&VAULT_KEY, ana.account(), 3, data, &mut ana.rng()) {
            let opened = open_vault(&VAULT_KEY, ana.account(), &sealed);
            assert!(opened.is_ok_and(|opened| opened[..] == *data) && vault_identity_number(&sealed) == Ok(3));
        }
    });
}

fn some_vaults() -> Option<Vec<Vec<u8>>> {
    let ana = Person::new(1)?;
    let sealed = seal_vault(&VAULT_KEY, ana.account(), 1, b"contacts and chats", &mut ana.rng()).ok()?;
    Some(vec![sealed.to_vec(), b"contacts and chats".to_vec()])
}

/// A profile from the service; and what is in one, signed by Ana.
fn profiles(data: &[u8]) {
    with_people(|ana, _| {
        let (key, lists) = (ProfileKey::from_bytes(PROFILE_KEY), std::slice::from_ref(&ana.list));
        let _ = open_profile(&key, lists, data);
        let Ok(profile) = Profile::decode(data) else { return };
        if let Ok(sealed) = seal_profile(&key, &ana.identity, ana.account(), &profile, &mut ana.rng()) {
            let opened = open_profile(&key, lists, &sealed);
            assert!(opened.is_ok_and(|opened| opened.name() == profile.name && opened.revision() == profile.revision));
        }
    });
}

fn some_profiles() -> Option<Vec<Vec<u8>>> {
    let ana = Person::new(1)?;
    let profile = Profile { revision: 3, name: "Ana".into(), about: "at sea".into(), ..Default::default() };
    let key = ProfileKey::from_bytes(PROFILE_KEY);
    let sealed = seal_profile(&key, &ana.identity, ana.account(), &profile, &mut ana.rng()).ok()?;
    Some(vec![sealed.to_vec(), profile.encode_to_vec()])
}

/// What a device says that wants to be linked, and what is handed over to it.
fn hellos(data: &[u8]) {
    with_people(|ana, _| {
        let rng = &mut ana.rng();
        let secret = LinkSecret::generate(rng);
        let own = secret.hello(&ana.device.public(), &[1], rng);
        let _ = secret.open(&own, &CHALLENGE, data);
        if let Ok(hello) = Hello::parse(Bytes::copy_from_slice(data)) {
            assert!(hello.encoded() == data && hello.code(&CHALLENGE).len() == "123 456".len());
            let _ = LinkChallenge::generate(rng).seal(&hello, b"all that devices share", rng);
        }
    });
}

fn some_hellos() -> Option<Vec<Vec<u8>>> {
    let ana = Person::new(1)?;
    let rng = &mut ana.rng();
    let device = DeviceKey::generate(rng);
    let secret = LinkSecret::generate(rng);
    let hello = secret.hello(&device.public(), &[1, 300], rng);
    let challenge = LinkChallenge::generate(rng);
    let sealed = challenge.seal(&hello, b"all that devices share", rng).ok()?;
    Some(vec![hello.encoded().to_vec(), sealed.to_vec()])
}
