//! Stories of two and three devices. After every step the chat is dropped, loaded and compared ([`Person::chat`]).

mod hostile;
mod own;
mod story;
mod vectors;

use undertone_wire::{Message as _, channel::EntryKind, content::EntryContent};

use crate::{
    Chat, E2eeError, Flaw, Received,
    testing::{CHANNEL, Person, lists, pair, seen},
};

/// An entry with its parts changed.
fn changed(entry: &[u8], change: impl FnOnce(&mut EntryContent)) -> Vec<u8> {
    let mut content = EntryContent::decode(entry).unwrap();
    change(&mut content);
    content.encode_to_vec()
}
