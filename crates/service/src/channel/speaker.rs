//! Whom a circuit speaks as in a channel, and what that lets it append.

use undertone_credentials::group::{Allowed, Pseudonym, Record, Standing, table::Act};
use undertone_store::{NewEntry, StoredChannel};
use undertone_wire::{
    HandshakeHash,
    channel::{EntryKind, Refusal},
    circuit::{Code, Fault},
};

use super::rights::Rights;

/// A circuit, as far as one channel knows it.
#[derive(Clone, Copy)]
pub struct Speaker {
    pub circuit: HandshakeHash,
    /// By keys.
    pub rights: Option<Rights>,
    /// By a presentation, in groups.
    pub whom: Option<Pseudonym>,
}

/// Why something is not taken.
pub enum Denial {
    /// As no circuit in its place would be let.
    Fault(Code),
    /// The group's record stands against it.
    Refused(Refusal),
}

impl Speaker {
    /// Whether it has opened the current generation to read.
    pub fn reads(&self, channel: &StoredChannel) -> bool {
        self.rights.is_some_and(|rights| rights.generation() == channel.generation)
    }

    /// Whether it has opened the current generation to write.
    pub fn writes(&self, channel: &StoredChannel) -> bool {
        self.reads(channel) && self.rights.is_some_and(|rights| rights.write())
    }

    /// Whether it ever might append something here.
    pub fn might_write(&self) -> bool {
        self.whom.is_some() || self.rights.is_some_and(|rights| rights.write())
    }

    /// What whom it speaks for may do by himself.
    pub fn allows(&self, record: &Record, act: Act) -> bool {
        self.whom.is_some_and(|whom| record.allows(record.standing(&whom), act) == Allowed::Yes)
    }

    /// Whether it may read something of a group: by the read key, by whom it speaks for, or by the link.
    pub fn may_read(&self, channel: &StoredChannel, record: &Record, act: Act, link_secret: &[u8]) -> bool {
        let by_link = || record.allows(Standing::Nobody, act) == Allowed::WithLink;
        self.reads(channel) || self.allows(record, act) || (by_link() && record.link().is_opened_by(link_secret))
    }

    /// Whether it may append these entries to a channel that stands so.
    pub fn may_append(
        &self,
        channel: &StoredChannel,
        record: Option<&Record>,
        entries: &[NewEntry],
    ) -> Result<(), Denial> {
        match record {
            None if self.writes(channel) => Ok(()),
            None => Err(self.stranger(channel)),
            Some(record) if record.is_closed() => Err(Denial::Refused(Refusal::Closed)),
            Some(record) if record.is_owed() => Err(Denial::Refused(Refusal::Owed)),
            Some(record) if entries.iter().all(|entry| self.may_say(channel, record, entry)) => Ok(()),
            Some(_) => Err(self.stranger(channel)),
        }
    }

    /// Whether it may tell something of the moment.
    pub fn may_tell(&self, channel: &StoredChannel, record: Option<&Record>) -> Result<(), Denial> {
        let may = match record {
            None => self.writes(channel),
            Some(record) => self.may(channel, record, Act::Post),
        };
        if may { Ok(()) } else { Err(self.stranger(channel)) }
    }

    /// One entry that is no part of a change. A restart always is; and who begins a generation says who he is, since the
    /// keys that he installs may lock all others out.
    fn may_say(&self, channel: &StoredChannel, record: &Record, entry: &NewEntry) -> bool {
        match entry.kind {
            EntryKind::Message => self.may(channel, record, Act::Post),
            EntryKind::Commit if entry.installs.is_some() => self.allows(record, Act::Begin),
            EntryKind::Commit => self.may(channel, record, Act::Commit),
            _ => false,
        }
    }

    /// By whom it speaks for; or by the write key, where all who have that may post.
    fn may(&self, channel: &StoredChannel, record: &Record, act: Act) -> bool {
        let by_key = self.writes(channel) && record.posts_by_key() && !record.is_closed() && !record.is_owed();
        by_key || self.allows(record, act)
    }

    fn stranger(&self, channel: &StoredChannel) -> Denial {
        let known = self.reads(channel) || self.whom.is_some();
        Denial::Fault(if known { Code::Forbidden } else { Code::Unauthenticated })
    }
}

impl From<Denial> for Fault {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Fault(code) => code.into(),
            Denial::Refused(_) => Code::Forbidden.into(),
        }
    }
}
