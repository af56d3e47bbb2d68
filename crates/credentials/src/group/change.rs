//! A change as it stands in the log.

use bytes::Bytes;
use undertone_wire::{
    Message as _, group,
    limits::GROUP_ACTIONS_MAX,
    padding::{self, pad, unpad},
};

use super::{
    Action, Pseudonym,
    action::{bytes, entry},
    rules::same_as_schema,
};
use crate::{CredentialError, signed};

/// What must stand in the log right behind a change, in the same append.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Follows {
    /// Anything.
    #[default]
    Nothing,
    /// A commit, which may begin no generation.
    Commit,
    /// An external commit, by which the actor comes in. It begins no generation.
    Entrance,
    /// A commit that begins a generation.
    Generation,
    /// A restart, which begins one too.
    Restart,
}

same_as_schema! {
    Follows { Nothing, Commit, Entrance, Generation, Restart }
}

/// Who does what to a group's record, at which revision.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    /// That the record has with it: one more than before; 1 with the change that makes the group.
    pub revision: u64,
    /// Whoever makes it.
    pub actor: Pseudonym,
    /// Done in order, each judged by what those before it have made of the record. Between 1 and [`GROUP_ACTIONS_MAX`].
    pub actions: Vec<Action>,
    /// What stands right behind it.
    pub follows: Follows,
}

impl Change {
    /// From the body of an entry.
    ///
    /// # Errors
    /// [`CredentialError::Malformed`]; [`CredentialError::Newer`] for what a later release has written.
    pub fn decode(body: &[u8]) -> Result<Self, CredentialError> {
        let content = unpad(body).map_err(|_| CredentialError::Malformed)?;
        let change: group::Change = signed::decode(content, content.len())?;
        signed::check_version(change.version)?;
        if !(1..=GROUP_ACTIONS_MAX).contains(&change.actions.len()) {
            return Err(CredentialError::Malformed);
        }
        Ok(Self {
            revision: change.revision,
            actor: entry(&change.actor)?,
            actions: change.actions.into_iter().map(Action::from_wire).collect::<Result<_, _>>()?,
            follows: Follows::from_wire(change.follows)?,
        })
    }

    /// As the body of an entry: padded to one bucket.
    ///
    /// # Errors
    /// [`CredentialError::Malformed`]: too much for one change.
    pub fn encode(&self) -> Result<Bytes, CredentialError> {
        let change = group::Change {
            version: undertone_wire::ladder::OBJECTS,
            revision: self.revision,
            actor: bytes(&self.actor),
            actions: self.actions.iter().map(Action::to_wire).collect(),
            follows: self.follows.to_wire(),
        };
        let padded = pad(&change.encode_to_vec(), 0, padding::ENTRY).map_err(|_| CredentialError::Malformed)?;
        Ok(Bytes::copy_from_slice(&padded))
    }

    /// Whether what stands behind it, as far as somebody can tell who reads nothing of it, may be what it says. He cannot
    /// tell an external commit from another one.
    pub fn follows_as(&self, seen: Follows) -> bool {
        let said = if self.follows == Follows::Entrance { Follows::Commit } else { self.follows };
        said == seen
    }

    /// Whom it is about: the actor, and all whom its actions name.
    pub fn names(&self) -> impl Iterator<Item = &Pseudonym> {
        std::iter::once(&self.actor).chain(self.actions.iter().filter_map(Action::whom))
    }

    /// Whether it is made by somebody who came with the link: then the service has to be shown its secret.
    pub fn is_by_link(&self) -> bool {
        self.actions.iter().any(|action| matches!(action, Action::Join | Action::Request))
    }
}
