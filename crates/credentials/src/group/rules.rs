//! Roles, rules, and what a group says of itself.

use undertone_wire::group;

use crate::CredentialError;

/// What a member may do. Each role may do what those below it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads, and says nothing.
    Reader,
    /// Says something; adds and edits as the rules allow.
    Member,
    /// Lets others in and out, and sets rules.
    Admin,
    /// Made the group, or was handed it. There is just one.
    Owner,
}

/// How somebody stands to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its owner.
    Owner,
    /// A member with this role.
    Admin,
    /// See `Admin`.
    Member,
    /// See `Admin`.
    Reader,
    /// May come in, and has not yet.
    Invited,
    /// Asks to be let in.
    Requesting,
    /// Is not let in any more.
    Banned,
    /// None of these; also who has left.
    Nobody,
}

impl Standing {
    /// All, in the order of the [table](super::table)'s columns.
    pub const ALL: [Self; 8] = [
        Self::Owner,
        Self::Admin,
        Self::Member,
        Self::Reader,
        Self::Invited,
        Self::Requesting,
        Self::Banned,
        Self::Nobody,
    ];

    /// Whether he is in the group.
    pub fn is_member(self) -> bool {
        matches!(self, Self::Owner | Self::Admin | Self::Member | Self::Reader)
    }
}

/// To whom a rule leaves something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Who {
    /// Admins and the owner.
    #[default]
    Admins,
    /// Members too, though not readers.
    Members,
}

/// What a group leaves to its members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// To add and to invite.
    pub add: Who,
    /// To set title, description, avatar, pinned message and timer.
    pub edit: Who,
    /// To say something. Where that is left to admins, the group is one of announcements.
    pub post: Who,
}

/// What a group says of itself, sealed for those who have its master key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttributeKind {
    /// What it is called.
    Title,
    /// What it is for.
    Description,
    /// Its image.
    Avatar,
    /// A message that all shall see.
    Pinned,
    /// How long messages stay.
    Timer,
}

macro_rules! same_as_schema {
    ($($name:ident { $($variant:ident),* })*) => {$(
        impl $name {
            /// # Errors
            /// [`CredentialError::Newer`] for a number that this release does not know.
            pub(super) fn from_wire(number: i32) -> Result<Self, CredentialError> {
                match group::$name::try_from(number) {
                    $(Ok(group::$name::$variant) => Ok(Self::$variant),)*
                    #[allow(unreachable_patterns, reason = "some have a number for nothing")]
                    Ok(_) => Err(CredentialError::Malformed),
                    Err(_) => Err(CredentialError::Newer),
                }
            }

            pub(super) fn to_wire(self) -> i32 {
                match self {
                    $(Self::$variant => group::$name::$variant.into(),)*
                }
            }
        }
    )*};
}
pub(super) use same_as_schema;

same_as_schema! {
    Role { Owner, Admin, Member, Reader }
    Who { Admins, Members }
    AttributeKind { Title, Description, Avatar, Pinned, Timer }
}

impl Rules {
    /// # Errors
    /// As for each of them.
    pub(super) fn from_wire(rules: Option<group::Rules>) -> Result<Self, CredentialError> {
        let group::Rules { add, edit, post } = rules.unwrap_or_default();
        Ok(Self { add: Who::from_wire(add)?, edit: Who::from_wire(edit)?, post: Who::from_wire(post)? })
    }

    pub(super) fn to_wire(self) -> group::Rules {
        group::Rules { add: self.add.to_wire(), edit: self.edit.to_wire(), post: self.post.to_wire() }
    }
}
