//! The record of a group.

use std::collections::BTreeMap;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use undertone_wire::{
    Message as _,
    context::Context,
    group,
    limits::{GROUP_BANNED_MAX, GROUP_INVITED_MAX, GROUP_MEMBERS_MAX, GROUP_REQUESTING_MAX, PAGE_BYTES_MAX},
    padding,
};

use super::{
    AttributeKind, Link, Pseudonym, Refused, Role, Rules, Standing,
    action::{bytes, entry, member},
};
use crate::{CredentialError, signed};

/// Where somebody stands in a record. Everybody has one place at most.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Is in the group.
    Member(Role),
    /// May come in, and will have this role.
    Invited {
        /// That he will have.
        role: Role,
        /// Who invited him, or approved what he asked for.
        by: Pseudonym,
    },
    /// Asks to be let in.
    Requesting,
    /// Is not let in any more.
    Banned,
    /// Has left, and no commit has removed his devices yet.
    Left,
}

/// A group as it stands. Only a change makes another of it, see [`Self::apply`].
///
/// Always: everybody has one place at most, by the map; there is one owner, or nobody is left and the group is closed; and
/// no list is longer than `wire::limits` says.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    pub(super) group_public: [u8; 32],
    pub(super) revision: u64,
    pub(super) places: BTreeMap<Pseudonym, Place>,
    pub(super) rules: Rules,
    pub(super) link: Link,
    pub(super) attributes: BTreeMap<AttributeKind, Bytes>,
    pub(super) closed: bool,
}

impl Record {
    /// Public parameters of its master key.
    pub fn group_public(&self) -> &[u8; 32] {
        &self.group_public
    }

    /// How many changes have made it.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// All who have a place, in the order of their entries.
    pub fn places(&self) -> impl Iterator<Item = (&Pseudonym, &Place)> {
        self.places.iter()
    }

    /// Somebody's place. None: he has none.
    pub fn place(&self, whom: &Pseudonym) -> Option<&Place> {
        self.places.get(whom)
    }

    /// Who is in the group, and in which role, in the order of their entries.
    pub fn members(&self) -> impl Iterator<Item = (&Pseudonym, Role)> {
        self.places.iter().filter_map(|(entry, place)| match place {
            Place::Member(role) => Some((entry, *role)),
            _ => None,
        })
    }

    /// How somebody stands to the group.
    pub fn standing(&self, whom: &Pseudonym) -> Standing {
        match self.places.get(whom) {
            Some(Place::Member(Role::Owner)) => Standing::Owner,
            Some(Place::Member(Role::Admin)) => Standing::Admin,
            Some(Place::Member(Role::Member)) => Standing::Member,
            Some(Place::Member(Role::Reader)) => Standing::Reader,
            Some(Place::Invited { .. }) => Standing::Invited,
            Some(Place::Requesting) => Standing::Requesting,
            Some(Place::Banned) => Standing::Banned,
            Some(Place::Left) | None => Standing::Nobody,
        }
    }

    /// What it leaves to members.
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// How one comes in without an invitation.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// What it says of itself, as it was sealed. None: nothing.
    pub fn attribute(&self, kind: AttributeKind) -> Option<&Bytes> {
        self.attributes.get(&kind)
    }

    /// Whether it has ended.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether somebody has left whose devices no commit has removed yet. Until one has, nothing else is done; but where
    /// the group has ended, nobody is left to do it.
    pub fn is_owed(&self) -> bool {
        !self.closed && self.places.values().any(|place| *place == Place::Left)
    }

    /// Whether every member may post, so that the channel's write key, which all of them have, tells enough. In other groups
    /// whoever posts has to present himself.
    pub fn posts_by_key(&self) -> bool {
        self.rules.post == super::Who::Members && self.members().all(|(_, role)| role != Role::Reader)
    }

    /// By which members know that they have the same record: SHA-256 over its one encoding.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(Context::GROUP_RECORD.bytes(&[&self.encode()])).into()
    }

    /// A record from its bytes: a service's own, or what it shows to somebody who cannot replay the changes yet.
    ///
    /// # Errors
    /// [`CredentialError::Malformed`], also for another encoding than the one; [`CredentialError::Newer`].
    pub fn decode(encoded: &[u8]) -> Result<Self, CredentialError> {
        let record: group::Record = signed::decode(encoded, PAGE_BYTES_MAX)?;
        signed::check_version(record.version)?;
        let mut places = BTreeMap::new();
        for group::Member { entry: whom, role } in &record.members {
            places.insert(entry(whom)?, Place::Member(Role::from_wire(*role)?));
        }
        for group::Invited { entry: whom, role, by } in &record.invited {
            places.insert(entry(whom)?, Place::Invited { role: Role::from_wire(*role)?, by: entry(by)? });
        }
        let lists =
            [(&record.requesting, Place::Requesting), (&record.banned, Place::Banned), (&record.left, Place::Left)];
        for (list, place) in lists {
            for whom in list {
                places.insert(entry(whom)?, place);
            }
        }
        let mut attributes = BTreeMap::new();
        for group::Attribute { kind, sealed } in record.attributes {
            if !padding::ATTRIBUTE.contains(&sealed.len()) {
                return Err(CredentialError::Malformed);
            }
            attributes.insert(AttributeKind::from_wire(kind)?, sealed);
        }
        let decoded = Self {
            group_public: record.group_public[..].try_into().map_err(|_| CredentialError::Malformed)?,
            revision: record.revision,
            places,
            rules: Rules::from_wire(record.rules)?,
            link: Link::from_wire(record.link)?,
            attributes,
            closed: record.closed,
        };
        // Who stands twice stands once now; what stands in another order, or is not known here, stands otherwise now.
        if decoded.check().is_err() || decoded.revision == 0 || decoded.encode() != encoded {
            return Err(CredentialError::Malformed);
        }
        Ok(decoded)
    }

    /// Its one encoding: `undertone.group.Record`, with what this release knows.
    pub fn encode(&self) -> Bytes {
        let mut record = group::Record {
            version: undertone_wire::ladder::OBJECTS,
            group_public: Bytes::copy_from_slice(&self.group_public),
            revision: self.revision,
            rules: Some(self.rules.to_wire()),
            link: Some(self.link.to_wire()),
            closed: self.closed,
            ..group::Record::default()
        };
        for (whom, place) in &self.places {
            match place {
                Place::Member(role) => record.members.push(member(whom, *role)),
                Place::Invited { role, by } => {
                    let (entry, by) = (bytes(whom), bytes(by));
                    record.invited.push(group::Invited { entry, role: role.to_wire(), by });
                }
                Place::Requesting => record.requesting.push(bytes(whom)),
                Place::Banned => record.banned.push(bytes(whom)),
                Place::Left => record.left.push(bytes(whom)),
            }
        }
        record.attributes = self
            .attributes
            .iter()
            .map(|(kind, sealed)| group::Attribute { kind: kind.to_wire(), sealed: sealed.clone() })
            .collect();
        record.encode_to_vec().into()
    }

    /// What always holds.
    pub(super) fn check(&self) -> Result<(), Refused> {
        let (mut members, mut invited, mut requesting, mut banned, mut owners) = (0, 0, 0, 0, 0);
        for place in self.places.values() {
            match place {
                Place::Member(role) => {
                    members += 1;
                    owners += usize::from(*role == Role::Owner);
                }
                Place::Left => members += 1,
                Place::Invited { role: Role::Owner, .. } => return Err(Refused::Owner),
                Place::Invited { .. } => invited += 1,
                Place::Requesting => requesting += 1,
                Place::Banned => banned += 1,
            }
        }
        if owners != 1 && !(self.closed && self.members().next().is_none()) {
            return Err(Refused::Owner);
        }
        let full = members > GROUP_MEMBERS_MAX
            || invited > GROUP_INVITED_MAX
            || requesting > GROUP_REQUESTING_MAX
            || banned > GROUP_BANNED_MAX;
        if full { Err(Refused::Full) } else { Ok(()) }
    }
}
