//! What can be done to a group's record.

use bytes::Bytes;
use undertone_wire::{
    group::{self, action::Kind},
    padding,
};

use super::{AttributeKind, Link, Pseudonym, Role, Rules};
use crate::CredentialError;

/// One thing done. Who may do it, and what must follow, stands in the [table](super::table).
#[derive(Clone, PartialEq, Eq)]
pub enum Action {
    /// Makes the group, with the actor as its owner. Always the first action of the first change, and only there.
    Create {
        /// Public parameters of its master key.
        group_public: [u8; 32],
        /// To begin with.
        rules: Rules,
    },
    /// Makes somebody a member, devices and all: the commit that follows adds them.
    Add(Pseudonym, Role),
    /// Lets somebody come in when he wishes.
    Invite(Pseudonym, Role),
    /// Comes in upon an invitation.
    Accept,
    /// Takes up no invitation, or asks no longer.
    Decline,
    /// Takes an invitation back.
    Revoke(Pseudonym),
    /// Asks to be let in, with the link.
    Request,
    /// Comes in, with the link.
    Join,
    /// Invites whoever asks.
    Approve(Pseudonym, Role),
    /// Lets whoever asks ask no longer.
    Deny(Pseudonym),
    /// Takes a member out: the commit that follows removes his devices.
    Remove(Pseudonym),
    /// Goes. His devices stay in MLS until somebody settles that.
    Leave,
    /// The commit that follows removes the devices of those who have left.
    Settle,
    /// Takes somebody out, if he is in, and lets him in no more.
    Ban(Pseudonym),
    /// Lets him in again, if somebody does.
    Unban(Pseudonym),
    /// Gives a member another role.
    SetRole(Pseudonym, Role),
    /// Sets what the group says of itself; empty: nothing any more.
    SetAttribute(AttributeKind, Bytes),
    /// Sets all rules.
    SetRules(Rules),
    /// Opens, closes or resets the link.
    SetLink(Link),
    /// Makes somebody the owner, and the former one an admin.
    HandOver(Pseudonym),
    /// The restart that follows replaces the MLS group.
    Restart,
    /// Ends the group: nothing changes any more, and nothing is said.
    Close,
}

impl Action {
    /// To whom it is done. None: to nobody, or to the actor.
    pub fn whom(&self) -> Option<&Pseudonym> {
        match self {
            Self::Add(whom, _)
            | Self::Invite(whom, _)
            | Self::Revoke(whom)
            | Self::Approve(whom, _)
            | Self::Deny(whom)
            | Self::Remove(whom)
            | Self::Ban(whom)
            | Self::Unban(whom)
            | Self::SetRole(whom, _)
            | Self::HandOver(whom) => Some(whom),
            Self::Create { .. }
            | Self::Accept
            | Self::Decline
            | Self::Request
            | Self::Join
            | Self::Leave
            | Self::Settle
            | Self::SetAttribute(..)
            | Self::SetRules(_)
            | Self::SetLink(_)
            | Self::Restart
            | Self::Close => None,
        }
    }

    /// # Errors
    /// [`CredentialError::Malformed`]; [`CredentialError::Newer`] for what this release does not know.
    pub(super) fn from_wire(action: group::Action) -> Result<Self, CredentialError> {
        Ok(match action.kind.ok_or(CredentialError::Newer)? {
            Kind::Create(group::Create { group_public, rules }) => {
                let group_public = group_public[..].try_into().map_err(|_| CredentialError::Malformed)?;
                Self::Create { group_public, rules: Rules::from_wire(rules)? }
            }
            Kind::Add(whom) => in_role(&whom, Self::Add)?,
            Kind::Invite(whom) => in_role(&whom, Self::Invite)?,
            Kind::Accept(_) => Self::Accept,
            Kind::Decline(_) => Self::Decline,
            Kind::Revoke(whom) => Self::Revoke(entry(&whom)?),
            Kind::Request(_) => Self::Request,
            Kind::Join(_) => Self::Join,
            Kind::Approve(whom) => in_role(&whom, Self::Approve)?,
            Kind::Deny(whom) => Self::Deny(entry(&whom)?),
            Kind::Remove(whom) => Self::Remove(entry(&whom)?),
            Kind::Leave(_) => Self::Leave,
            Kind::Settle(_) => Self::Settle,
            Kind::Ban(whom) => Self::Ban(entry(&whom)?),
            Kind::Unban(whom) => Self::Unban(entry(&whom)?),
            Kind::SetRole(whom) => in_role(&whom, Self::SetRole)?,
            Kind::SetAttribute(group::Attribute { kind, sealed }) => {
                if !sealed.is_empty() && !padding::ATTRIBUTE.contains(&sealed.len()) {
                    return Err(CredentialError::Malformed);
                }
                Self::SetAttribute(AttributeKind::from_wire(kind)?, sealed)
            }
            Kind::SetRules(rules) => Self::SetRules(Rules::from_wire(Some(rules))?),
            Kind::SetLink(link) => Self::SetLink(Link::from_wire(Some(link))?),
            Kind::HandOver(whom) => Self::HandOver(entry(&whom)?),
            Kind::Restart(_) => Self::Restart,
            Kind::Close(_) => Self::Close,
        })
    }

    pub(super) fn to_wire(&self) -> group::Action {
        const NOTHING: group::Nothing = group::Nothing {};
        let kind = match self {
            Self::Create { group_public, rules } => Kind::Create(group::Create {
                group_public: Bytes::copy_from_slice(group_public),
                rules: Some(rules.to_wire()),
            }),
            Self::Add(whom, role) => Kind::Add(member(whom, *role)),
            Self::Invite(whom, role) => Kind::Invite(member(whom, *role)),
            Self::Accept => Kind::Accept(NOTHING),
            Self::Decline => Kind::Decline(NOTHING),
            Self::Revoke(whom) => Kind::Revoke(bytes(whom)),
            Self::Request => Kind::Request(NOTHING),
            Self::Join => Kind::Join(NOTHING),
            Self::Approve(whom, role) => Kind::Approve(member(whom, *role)),
            Self::Deny(whom) => Kind::Deny(bytes(whom)),
            Self::Remove(whom) => Kind::Remove(bytes(whom)),
            Self::Leave => Kind::Leave(NOTHING),
            Self::Settle => Kind::Settle(NOTHING),
            Self::Ban(whom) => Kind::Ban(bytes(whom)),
            Self::Unban(whom) => Kind::Unban(bytes(whom)),
            Self::SetRole(whom, role) => Kind::SetRole(member(whom, *role)),
            Self::SetAttribute(kind, sealed) => {
                Kind::SetAttribute(group::Attribute { kind: kind.to_wire(), sealed: sealed.clone() })
            }
            Self::SetRules(rules) => Kind::SetRules(rules.to_wire()),
            Self::SetLink(link) => Kind::SetLink(link.to_wire()),
            Self::HandOver(whom) => Kind::HandOver(bytes(whom)),
            Self::Restart => Kind::Restart(NOTHING),
            Self::Close => Kind::Close(NOTHING),
        };
        group::Action { kind: Some(kind) }
    }
}

/// A member entry from a field.
pub(super) fn entry(bytes: &Bytes) -> Result<Pseudonym, CredentialError> {
    Pseudonym::try_from(&bytes[..]).map_err(|_| CredentialError::Malformed)
}

/// A member entry as a field.
pub(super) fn bytes(entry: &Pseudonym) -> Bytes {
    Bytes::copy_from_slice(entry.as_bytes())
}

/// There is just one owner, and nobody is made that but by being handed the group.
fn in_role(member: &group::Member, action: fn(Pseudonym, Role) -> Action) -> Result<Action, CredentialError> {
    match Role::from_wire(member.role)? {
        Role::Owner => Err(CredentialError::Malformed),
        role => Ok(action(entry(&member.entry)?, role)),
    }
}

pub(super) fn member(entry: &Pseudonym, role: Role) -> group::Member {
    group::Member { entry: bytes(entry), role: role.to_wire() }
}
