//! A whole world in one process: the service's rules over memory stores, clients with real databases, real circuits
//! through memory tunnels.

#![allow(dead_code, unused_imports, reason = "each story uses its part")]

mod clock;
pub mod groups;
mod home;
mod lies;
mod peer;
mod service;
mod store;
mod talk;
mod watch;

pub use clock::StoryClock;
pub use home::{Home, PATIENCE, Setup, database, folder};
pub use lies::Lies;
pub use peer::{Contact, Peer, Published, encoded, today, token};
pub use service::{Service, issuing_key, revision};
pub use store::Ledger;
pub use talk::Talk;
use tempfile::TempDir;
use undertone_client::Engine;
use undertone_wire::AccountId;
pub use watch::{Act, Watch};

/// Two people who talk: what the one sees of the chat is what the other sees.
pub fn assert_same_history(one: &Home, other: &Home) {
    assert_eq!(one.history(&other.account()), other.history(&one.account()));
}

/// Two people with an open chat, in which each has written once.
pub async fn acquainted(service: &Service) -> (Home, Home) {
    let (ana, bo) = (Home::new(service, "Ana").await, Home::new(service, "Bo").await);
    befriend(&ana, &bo).await;
    (ana, bo)
}

/// The one writes, the other accepts and answers.
pub async fn befriend(one: &Home, other: &Home) {
    one.send(&other.link(), "hello").await;
    other.expect(one, "hello").await;
    other.engine.accept(&one.account()).unwrap();
    other.send(&one.account(), "hello yourself").await;
    one.expect(other, "hello yourself").await;
}

/// A fresh home whose every way leads to this service.
pub fn open_at(folder: &TempDir, service: &Service) -> Engine {
    Setup::at(service).open(folder).unwrap()
}

/// An account id that nobody has.
pub fn nobody() -> String {
    AccountId::new([7; 16]).to_hex()
}

/// A further device of somebody.
pub async fn linked(setup: Setup, old: &Home) -> Home {
    let folder = folder();
    let engine = setup.open(&folder).unwrap();
    let mut offer = old.engine.link_offer().await.unwrap();
    let mut request = engine.link(&offer.text()).await.unwrap();
    let (shown, asked) = tokio::join!(offer.code(), request.code());
    assert_eq!(shown.unwrap(), asked.unwrap());
    let (number, me) = tokio::join!(offer.confirm(), request.confirm());
    assert_eq!(number.unwrap(), me.unwrap().device);
    drop(engine);
    Home::open(folder, setup)
}

/// Waits until a device has a chat that goes on, with so many messages.
pub async fn has(home: &Home, who: &str, messages: usize) {
    let holds = |engine: &Engine| {
        let sound = engine.chats().unwrap().iter().any(|chat| chat.chat == who && chat.trouble.is_none());
        sound && engine.history(who).unwrap().iter().filter(|message| !message.queued).count() == messages
    };
    home.until(&format!("{messages} messages"), holds).await;
}

/// They talk, and what they say comes through at once.
pub async fn they_talk(one: &Home, other: &Home) {
    for (from, to, text) in [(one, other, "and you?"), (other, one, "well")] {
        assert!(from.send(&to.account(), text).await.seq.is_some());
        to.expect(from, text).await;
    }
}

/// A home, and the words that bring it back.
pub async fn registered(service: &Service, name: &str) -> (Home, String) {
    let (folder, setup) = (folder(), Setup::at(service));
    let engine = setup.open(&folder).unwrap();
    let words = engine.register(&service.link(), None, name).await.unwrap().words.to_string();
    drop(engine);
    (Home::open(folder, setup), words)
}

/// Two devices of one person, in step with each other, and the words.
pub async fn two_in_step(service: &Service) -> (Home, Home, String) {
    let (home, words) = registered(service, "Ana").await;
    let phone = second_of(service, &home).await;
    (home, phone, words)
}

/// A further device of somebody, in step with the first.
pub async fn second_of(service: &Service, home: &Home) -> Home {
    let phone = linked(Setup::at(service), home).await;
    let is_in = |engine: &Engine| engine.chats().unwrap().iter().all(|chat| chat.trouble.is_none());
    phone.until("in step", is_in).await;
    phone
}
