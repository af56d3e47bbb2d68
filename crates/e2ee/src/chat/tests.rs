//! Stories of two and three devices. After every step the chat is dropped, loaded and compared ([`Person::chat`]).

mod devices;
mod groups;
mod hostile;
mod intruders;
mod loaded;
mod own;
mod rejoins;
mod restarts;
mod story;
mod vectors;
mod welcomes;

use undertone_wire::{Message as _, Position, channel::EntryKind, content::EntryContent};

use crate::{
    Arriving, Chat, Committed, E2eeError, Flaw, Generation, Lists, Plan, Received, RestartAt, Suite,
    testing::{CHANNEL, Person, lists, pair, pair_of, seen},
};

/// An entry with its parts changed.
fn changed(entry: &[u8], change: impl FnOnce(&mut EntryContent)) -> Vec<u8> {
    let mut content = EntryContent::decode(entry).unwrap();
    change(&mut content);
    content.encode_to_vec()
}

/// Whether two generations are the same.
fn same(one: Option<&Generation>, other: Option<&Generation>) -> bool {
    one.is_some() && one.map(Generation::secret) == other.map(Generation::secret)
}

/// Ana, and Bo with a second device that he has added, in a chat that she began.
fn trio() -> (Person, Person, Person) {
    let (ana, bo1) = pair();
    let bo2 = bo1.next_device();
    let package = bo2.key_package(false);
    let plan = Plan { adds: vec![(&bo2.list, &package)], lists: vec![&bo2.list], ..Plan::default() };
    let before = lists(&[&ana, &bo1]);
    let committed = bo1.commit(&plan, &before).unwrap();
    for person in [&ana, &bo1] {
        let change = person.merge(&committed, &before);
        assert!(change.added == [bo2.member()] && change.removed.is_empty() && change.generation.is_none());
        assert!(change.lists.len() == 1 && change.lists[0].encoded() == bo2.list.encoded());
    }
    bo2.join(committed.invitation.as_ref().unwrap(), &lists(&[&ana, &bo2])).unwrap();
    (ana, bo1, bo2)
}

/// All of them are in the same epoch, and read what any of them writes.
fn all_talk(people: &[&Person], lists: &Lists<'_>) {
    for writer in people {
        let message = writer.encrypt("to all");
        for reader in people.iter().filter(|reader| !std::ptr::eq(**reader, *writer)) {
            assert!(reader.authenticator() == writer.authenticator());
            assert!(reader.read(&message, lists) == ("to all".into(), writer.account(), writer.number));
        }
    }
}
