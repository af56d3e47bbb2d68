//! What was typed of a group.

use crate::{
    cli,
    command::groups::{Act, Group},
};

/// As a home is asked for it.
pub fn asked(typed: cli::Group) -> Group {
    let act = |group, act| Group::Do { group, act };
    match typed {
        cli::Group::Create { title, description, members, rules } => {
            Group::Create { title, description, members, rules }
        }
        cli::Group::List => Group::List,
        cli::Group::Show { group } => Group::Show { group },
        cli::Group::Add { group, who, role } => act(group, Act::Add(who, role)),
        cli::Group::Invite { group, who, role } => act(group, Act::Invite(who, role)),
        cli::Group::Revoke { group, who } => act(group, Act::Revoke(who)),
        cli::Group::Accept { group } => Group::Accept { group },
        cli::Group::Decline { group } => Group::Decline { group },
        cli::Group::Remove { group, who } => act(group, Act::Remove(who)),
        cli::Group::Leave { group } => act(group, Act::Leave),
        cli::Group::Role { group, who, role } => act(group, Act::Role(who, role)),
        cli::Group::Set { group, what, text } => act(group, Act::Set(what, text)),
        cli::Group::Rules { group, rules } => Group::Rules { group, rules },
        cli::Group::InviteLink { group, mode } => Group::Link { group, mode },
        cli::Group::Join { link } => Group::Join { link },
        cli::Group::Requests { group } => Group::Requests { group },
        cli::Group::Approve { group, who, role } => act(group, Act::Approve(who, role)),
        cli::Group::Deny { group, who } => act(group, Act::Deny(who)),
        cli::Group::Ban { group, who } => act(group, Act::Ban(who)),
        cli::Group::Unban { group, who } => act(group, Act::Unban(who)),
        cli::Group::HandOver { group, who } => act(group, Act::HandOver(who)),
        cli::Group::Close { group } => act(group, Act::Close),
    }
}
