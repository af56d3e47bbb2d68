//! Lines about groups.

use serde::Serialize;
use undertone_client::{self as client, GroupRole, LinkMode};
use zeroize::Zeroizing;

use super::{
    line::{Line, person, text},
    neutral::one_line,
};

/// What became of something that was asked of a group.
#[derive(Serialize)]
pub struct Changed {
    group: String,
    queued: bool,
}

/// A group, as this device knows it.
#[derive(Serialize)]
pub struct Group {
    group: String,
    title: String,
    description: String,
    pinned: String,
    state: &'static str,
    role: Option<&'static str>,
    revision: u64,
    record_hash: String,
    incarnation: u32,
    epoch: u64,
    members: Vec<Member>,
    invited: Vec<Member>,
    requesting: Vec<Member>,
    banned: Vec<Member>,
    rules: Rules,
    link: &'static str,
    closed: bool,
    invited_by: Option<String>,
    trouble: Option<&'static str>,
    /// For people.
    #[serde(skip)]
    inviter: String,
}

/// Somebody whom a record names.
#[derive(Serialize)]
pub struct Member {
    account: Option<String>,
    name: String,
    role: Option<&'static str>,
    #[serde(skip)]
    me: bool,
}

/// What is left to members.
#[derive(Serialize)]
pub struct Rules {
    add: &'static str,
    edit: &'static str,
    post: &'static str,
}

/// Somebody who asks to be let in.
#[derive(Serialize)]
pub struct Asks {
    group: String,
    account: Option<String>,
    name: String,
}

/// A group's link.
#[derive(Serialize)]
pub struct Link {
    group: String,
    mode: &'static str,
    #[serde(serialize_with = "secret")]
    link: Option<Zeroizing<String>>,
}

impl Line {
    /// For `group requests`.
    pub fn group_request(group: &str, who: client::GroupMember) -> Self {
        Self::GroupRequest(Asks { group: group.to_owned(), account: who.account, name: who.name })
    }

    /// For `group invite-link`.
    pub fn group_link(view: client::GroupView, link: Option<Zeroizing<String>>) -> Self {
        Self::GroupLink(Link { group: view.group, mode: mode(view.link_mode), link })
    }
}

impl From<client::GroupChanged> for Line {
    fn from(changed: client::GroupChanged) -> Self {
        Self::GroupChanged(Changed { group: changed.group, queued: changed.queued })
    }
}

impl From<client::GroupView> for Line {
    fn from(view: client::GroupView) -> Self {
        let members = |all: Vec<client::GroupMember>| all.into_iter().map(Member::from).collect();
        let who = |members| if members { "members" } else { "admins" };
        let (invited_by, inviter) = view.invited_by.map_or((None, String::new()), |(account, name)| {
            let inviter = person(&name, &account);
            (Some(account), inviter)
        });
        Self::Group(Box::new(Group {
            group: view.group,
            title: view.title,
            description: view.description,
            pinned: view.pinned,
            state: view.state,
            role: view.role.map(role),
            revision: view.revision,
            record_hash: view.record_hash,
            incarnation: view.incarnation,
            epoch: view.epoch,
            members: members(view.members),
            invited: members(view.invited),
            requesting: members(view.requesting),
            banned: members(view.banned),
            rules: Rules {
                add: who(view.rules.members_add),
                edit: who(view.rules.members_edit),
                post: who(view.rules.members_post),
            },
            link: mode(view.link_mode),
            closed: view.closed,
            invited_by,
            trouble: view.trouble,
            inviter,
        }))
    }
}

impl From<client::GroupMember> for Member {
    fn from(who: client::GroupMember) -> Self {
        Self { account: who.account, name: who.name, role: who.role.map(role), me: who.me }
    }
}

impl Changed {
    pub(super) fn to_text(&self) -> String {
        if self.queued { "kept, to be done later".to_owned() } else { "done".to_owned() }
    }
}

impl Group {
    pub(super) fn to_text(&self) -> String {
        let Self { group, title, description, pinned, state, role, revision, closed, link, .. } = self;
        let mut text = format!("{}\n    group    {group}  ({state}", person(title, group));
        if let Some(role) = role {
            text += &format!(
                ", you are {}",
                if *role == "admin" || *role == "owner" { format!("its {role}") } else { format!("a {role}") }
            );
        }
        text += if *closed { ", closed)" } else { ")" };
        for (what, said) in [("about", description), ("pinned", pinned)] {
            if !said.is_empty() {
                text += &format!("\n    {what:<7}  {}", one_line(said));
            }
        }
        if let Some(account) = &self.invited_by {
            text += &format!(
                "\n    {} has invited you ({account}): `undertone group accept {group}`, or `group decline {group}`",
                self.inviter
            );
        }
        let Rules { add, edit, post } = &self.rules;
        if *revision > 0 {
            text += &format!("\n    record   revision {revision}, {}", short(&self.record_hash));
            text += &format!("\n    rules    {add} add, {edit} edit, {post} post; link: {link}");
        }
        let lists = [
            ("member", &self.members),
            ("invited", &self.invited),
            ("asks", &self.requesting),
            ("banned", &self.banned),
        ];
        for (what, list) in lists {
            for who in list {
                text += &format!("\n    {what:<7}  {}", who.to_text());
            }
        }
        if let Some(trouble) = self.trouble {
            text += &format!("\n    {trouble}");
        }
        text
    }
}

impl Member {
    fn to_text(&self) -> String {
        let Some(account) = &self.account else { return "nobody: this entry is void".to_owned() };
        let you = if self.me { " (you)" } else { "" };
        let role = self.role.map(|role| format!(", {role}")).unwrap_or_default();
        format!("{}{you}{role}  {account}", person(&self.name, account))
    }
}

impl Asks {
    pub(super) fn to_text(&self) -> String {
        let Self { group, account, name } = self;
        let Some(account) = account else { return "nobody: this entry is void".to_owned() };
        format!(
            "{}  {account}\n    `undertone group approve {group} {account}`, or `group deny {group} {account}`",
            person(name, account)
        )
    }
}

impl Link {
    pub(super) fn to_text(&self) -> String {
        match &self.link {
            Some(link) => link.to_string(),
            None => "off: nobody comes in by a link".to_owned(),
        }
    }
}

/// The beginning of a hash, as people compare it.
fn short(hash: &str) -> String {
    hash.chars().take(16).collect()
}

const fn role(role: GroupRole) -> &'static str {
    match role {
        GroupRole::Owner => "owner",
        GroupRole::Admin => "admin",
        GroupRole::Member => "member",
        GroupRole::Reader => "reader",
    }
}

const fn mode(mode: LinkMode) -> &'static str {
    match mode {
        LinkMode::Off => "off",
        LinkMode::Join => "join",
        LinkMode::Ask => "ask",
    }
}

#[expect(clippy::ref_option, reason = "serde passes a reference")]
fn secret<S: serde::Serializer>(link: &Option<Zeroizing<String>>, serializer: S) -> Result<S::Ok, S::Error> {
    match link {
        Some(link) => text(link, serializer),
        None => serializer.serialize_none(),
    }
}
