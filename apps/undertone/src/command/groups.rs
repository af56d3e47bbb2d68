//! Groups.

use serde::{Deserialize, Serialize};
use undertone_client::{GroupAct, GroupChanged, GroupRole, GroupRules, GroupText, LinkMode, NewGroup};

use super::{Context, Sink, print_all, waits_for};
use crate::{failure::Failure, output::Line};

/// What is asked of a group. WHO is a name, a link or an account id, GROUP a title or an id.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Makes one.
    Create {
        /// What it is called.
        title: String,
        /// What it is for.
        description: String,
        /// Who is added at once.
        members: Vec<String>,
        /// What members may do.
        rules: Rules,
    },
    /// Shows all.
    List,
    /// Shows one.
    Show {
        /// Which.
        group: String,
    },
    /// Shows who asks to be let in.
    Requests {
        /// Where.
        group: String,
    },
    /// Does something to one.
    Do {
        /// Which.
        group: String,
        /// What.
        act: Act,
    },
    /// Sets some rules, and leaves the others.
    Rules {
        /// Where.
        group: String,
        /// Those that are said.
        rules: Rules,
    },
    /// Shows its link, after setting how one comes in by it.
    Link {
        /// Of which.
        group: String,
        /// How; none: as it is.
        mode: Option<Mode>,
    },
    /// Takes up an invitation.
    Accept {
        /// To which.
        group: String,
    },
    /// Does not, or asks no longer.
    Decline {
        /// Which.
        group: String,
    },
    /// Comes in by a link, or asks to.
    Join {
        /// The link.
        link: String,
    },
}

/// What is done to a group.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Makes people members.
    Add(Vec<String>, Role),
    /// Lets people come in when they wish.
    Invite(Vec<String>, Role),
    /// Takes an invitation back.
    Revoke(String),
    /// Lets somebody in who asks.
    Approve(String, Role),
    /// Does not.
    Deny(String),
    /// Takes a member out.
    Remove(String),
    /// Goes.
    Leave,
    /// Takes somebody out for good.
    Ban(String),
    /// Or not for good.
    Unban(String),
    /// Gives a member another role.
    Role(String, Role),
    /// Says something of it.
    Set(Text, String),
    /// Makes somebody the owner.
    HandOver(String),
    /// Ends it.
    Close,
}

/// What somebody may do, and can be given.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Lets others in and out, and sets rules
    Admin,
    /// Says something
    Member,
    /// Reads, and says nothing
    Reader,
}

/// What a group says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Text {
    /// What it is called
    Title,
    /// What it is for
    Description,
    /// A message that all shall see
    Pinned,
}

/// How one comes in by a link.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Not at all
    Off,
    /// Whoever has it joins
    Join,
    /// Whoever has it may ask
    Ask,
}

/// To whom something is left.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// All members
    Members,
    /// Owner and admins
    Admins,
}

/// Rules that were said.
#[derive(Clone, Copy, Default, Serialize, Deserialize, clap::Args)]
#[group(skip)]
pub struct Rules {
    /// Who adds and invites people
    #[arg(long, value_enum)]
    pub add: Option<Who>,
    /// Who sets title, description and the pinned message
    #[arg(long, value_enum)]
    pub edit: Option<Who>,
    /// Who says something; where only admins do, the group is one of announcements
    #[arg(long, value_enum)]
    pub post: Option<Who>,
}

impl Rules {
    /// These, and for the rest those that were.
    fn over(self, rules: GroupRules) -> GroupRules {
        let said = |who: Option<Who>, was| who.map_or(was, |who| who == Who::Members);
        GroupRules {
            members_add: said(self.add, rules.members_add),
            members_edit: said(self.edit, rules.members_edit),
            members_post: said(self.post, rules.members_post),
        }
    }
}

impl From<Role> for GroupRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Admin => Self::Admin,
            Role::Member => Self::Member,
            Role::Reader => Self::Reader,
        }
    }
}

impl From<Act> for GroupAct {
    fn from(act: Act) -> Self {
        match act {
            Act::Add(whom, role) => Self::Add(whom, role.into()),
            Act::Invite(whom, role) => Self::Invite(whom, role.into()),
            Act::Revoke(whom) => Self::Revoke(whom),
            Act::Approve(whom, role) => Self::Approve(whom, role.into()),
            Act::Deny(whom) => Self::Deny(whom),
            Act::Remove(whom) => Self::Remove(whom),
            Act::Leave => Self::Leave,
            Act::Ban(whom) => Self::Ban(whom),
            Act::Unban(whom) => Self::Unban(whom),
            Act::Role(whom, role) => Self::SetRole(whom, role.into()),
            Act::Set(Text::Title, text) => Self::Set(GroupText::Title, text),
            Act::Set(Text::Description, text) => Self::Set(GroupText::Description, text),
            Act::Set(Text::Pinned, text) => Self::Set(GroupText::Pinned, text),
            Act::HandOver(whom) => Self::HandOver(whom),
            Act::Close => Self::Close,
        }
    }
}

impl Group {
    /// Whether it changes something.
    pub const fn changes(&self) -> bool {
        !matches!(self, Self::List | Self::Show { .. } | Self::Requests { .. } | Self::Link { mode: None, .. })
    }
}

/// Does what is asked.
pub async fn execute(context: &Context, asked: &Group, sink: &mut impl Sink) -> Result<(), Failure> {
    let engine = context.engine();
    if asked.changes() {
        context.drive();
    }
    let changed = match asked {
        Group::List => return print_all(engine.groups()?.into_iter().map(Line::from), sink).await,
        Group::Show { group } => return sink.print(&engine.group(group)?.into()).await,
        Group::Requests { group } => {
            let view = engine.group(group)?;
            let lines = view.requesting.into_iter().map(|who| Line::group_request(&view.group, who));
            return print_all(lines, sink).await;
        }
        Group::Link { group, mode } => return link(context, group, *mode, sink).await,
        Group::Create { title, description, members, rules } => {
            let (title, description, members) = (title.clone(), description.clone(), members.clone());
            let rules = rules.over(GroupRules::default());
            engine.group_create(&NewGroup { title, description, members, rules }).await?
        }
        Group::Do { group, act } => engine.group_act(group, &act.clone().into()).await?,
        Group::Rules { group, rules } => {
            let rules = rules.over(engine.group(group)?.rules);
            engine.group_act(group, &GroupAct::SetRules(rules)).await?
        }
        Group::Accept { group } => engine.group_accept(group).await?,
        Group::Decline { group } => engine.group_decline(group).await?,
        Group::Join { link } => engine.group_join(link).await?,
    };
    print(context, changed, sink).await
}

async fn link(context: &Context, group: &str, mode: Option<Mode>, sink: &mut impl Sink) -> Result<(), Failure> {
    let engine = context.engine();
    if let Some(mode) = mode {
        let mode = match mode {
            Mode::Off => LinkMode::Off,
            Mode::Join => LinkMode::Join,
            Mode::Ask => LinkMode::Ask,
        };
        let changed = engine.group_act(group, &GroupAct::SetLink(mode)).await?;
        if changed.queued {
            return print(context, changed, sink).await;
        }
    }
    let view = engine.group(group)?;
    let link = if view.link_mode == LinkMode::Off { None } else { Some(engine.group_link(group)?) };
    sink.print(&Line::group_link(view, link)).await
}

async fn print(context: &Context, changed: GroupChanged, sink: &mut impl Sink) -> Result<(), Failure> {
    let waits = changed.queued.then(|| changed.waits.clone());
    sink.print(&changed.into()).await?;
    let Some(why) = waits else {
        context.tell().await;
        return Ok(());
    };
    Err(waits_for("it is kept, and done with the next command or `receive --follow`", why))
}
