//! Records in any state, made from their bytes.

use bytes::Bytes;
use undertone_credentials::group::{Action, Change, Follows, Pseudonym, Record};
use undertone_wire::{Message as _, group};

/// Somebody, by his number.
pub const fn entry(number: u8) -> Pseudonym {
    Pseudonym::new([number; 64])
}

pub fn bytes(number: u8) -> Bytes {
    vec![number; 64].into()
}

/// A record of what it says, its lists put in order.
pub fn record(mut says: group::Record) -> Option<Record> {
    says.version = 1;
    says.group_public = vec![7; 32].into();
    says.revision = says.revision.max(1);
    says.members.sort_by(|one, other| one.entry.cmp(&other.entry));
    says.invited.sort_by(|one, other| one.entry.cmp(&other.entry));
    for list in [&mut says.requesting, &mut says.banned, &mut says.left] {
        list.sort();
    }
    says.rules.get_or_insert_default();
    says.link.get_or_insert_default();
    Record::decode(&says.encode_to_vec()).ok()
}

/// What a record says, by its bytes alone.
pub fn says(record: &Record) -> group::Record {
    group::Record::decode(record.encode()).unwrap()
}

pub fn change(record: &Record, actor: Pseudonym, actions: Vec<Action>, follows: Follows) -> Change {
    Change { revision: record.revision() + 1, actor, actions, follows }
}
