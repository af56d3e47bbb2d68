//! Groups in a world: what people do in them, and how each device stands to them.

mod ending;

use std::collections::BTreeSet;

use anyhow::bail;
use rand::{RngExt as _, seq::IndexedRandom as _};
use undertone_client::{
    ClientError, GroupAct, GroupMember, GroupRole, GroupRules, GroupText, GroupView, LinkMode, NewGroup,
};

use super::{
    chronicle::{Author, Place},
    home::{Fate, is_disk},
    life::World,
};

/// Groups of one world.
const GROUPS_MAX: usize = 2;

/// A group of a world. Its title begins with its number.
#[derive(Default)]
pub struct Group {
    /// Its id, hexadecimal, once somebody is in it.
    id: Option<String>,
    /// People who may have been out of it since they came, each with the deed that may have done it.
    shaken: BTreeSet<(usize, u64)>,
}

impl Group {
    /// Whether somebody may have been out of it.
    fn has_shaken(&self, person: usize) -> bool {
        self.shaken.iter().any(|(shaken, _)| *shaken == person)
    }
}

/// Whether a device follows a group, as far as it shows.
fn is_in(view: &GroupView) -> bool {
    view.state == "open" && view.role.is_some() && view.trouble.is_none()
}

/// Whether somebody may say something in it.
fn may_post(view: &GroupView) -> bool {
    !view.closed
        && match view.role {
            Some(GroupRole::Owner | GroupRole::Admin) => true,
            Some(GroupRole::Member) => view.rules.members_post,
            Some(GroupRole::Reader) | None => false,
        }
}

impl World {
    /// Somebody does something about a group.
    pub(super) async fn group_act(&mut self, by: Author) -> anyhow::Result<()> {
        if self.device(by)?.home.engine().is_none() {
            return Ok(());
        }
        let (act, views) = (self.rng.random_range(0..25), self.views(by)?);
        let Some((number, view)) = views.choose(&mut self.rng).filter(|_| act > 0) else {
            return self.make_group(by);
        };
        match act {
            1..=10 => {
                for _ in 0..self.rng.random_range(1..4) {
                    self.write_in(by, *number, view).await?;
                }
                Ok(())
            }
            11 | 12 => self.pass_link_on(by, *number, view),
            _ if view.state == "invited" => {
                let declines = self.rng.random_bool(0.2);
                self.answer(by, *number, view, declines)
            }
            _ => self.change(by, *number, view),
        }
    }

    /// In most worlds somebody has a group with others before anything fails.
    pub(super) async fn begin_with_a_group(&mut self) -> anyhow::Result<()> {
        if self.rng.random_bool(0.2) {
            return Ok(());
        }
        self.make_group((0, 0))?;
        self.settle(|world| world.together()).await
    }

    fn make_group(&mut self, by: Author) -> anyhow::Result<()> {
        let number = self.groups.len();
        if number >= GROUPS_MAX {
            return Ok(());
        }
        let people = 0..self.people.len();
        let others = people.filter(|person| *person != by.0 && self.rng.random_bool(0.6)).collect::<Vec<_>>();
        let members = others.iter().map(|other| Ok(self.person(*other)?.account.clone()));
        let members = members.collect::<anyhow::Result<_>>()?;
        let rules = self.draw_rules();
        let new = NewGroup { title: number.to_string(), description: String::new(), members, rules };
        self.groups.push(Group::default());
        let name = self.name(by);
        let deed = self.deed(format_args!("{name} makes group {number} with {others:?}"));
        self.device(by)?.home.act(deed, |engine| async move { engine.group_create(&new).await });
        Ok(())
    }

    fn draw_rules(&mut self) -> GroupRules {
        let rng = &mut self.rng;
        let (members_add, members_edit) = (rng.random_bool(0.5), rng.random_bool(0.5));
        GroupRules { members_add, members_edit, members_post: rng.random_bool(0.8) }
    }

    /// Writes one message into a group, if one may.
    async fn write_in(&mut self, by: Author, number: usize, view: &GroupView) -> anyhow::Result<Option<Fate>> {
        if self.device(by)?.home.engine().is_none() {
            return Ok(None);
        }
        let filler = self.rng.random_range(0..90);
        let (line, text) = self.chronicle.begin(by, Place::Group(number), filler);
        let fate = self.device(by)?.home.write(line, &view.group, &text).await?;
        self.chronicle.note([(line, fate)]);
        let by = self.name(by);
        self.trace.note(format_args!("{by} writes message {line} in group {number}: {fate}"));
        Ok(Some(fate))
    }

    /// Takes up what somebody was invited to, or does not.
    fn answer(&mut self, by: Author, number: usize, view: &GroupView, declines: bool) -> anyhow::Result<()> {
        let (group, name) = (view.group.clone(), self.name(by));
        let what = if declines { "declines" } else { "accepts" };
        let deed = self.deed(format_args!("{name} {what} group {number}"));
        if declines {
            self.shake(number, by.0, deed);
        }
        self.device(by)?.home.act(deed, move |engine| async move {
            if declines { engine.group_decline(&group).await } else { engine.group_accept(&group).await }
        });
        Ok(())
    }

    /// Gives somebody the link of a group, who goes where it leads.
    fn pass_link_on(&mut self, by: Author, number: usize, view: &GroupView) -> anyhow::Result<()> {
        let all = self.authors();
        let to = all.choose(&mut self.rng).copied().unwrap_or(by);
        let Some(Ok(link)) = self.device(by)?.home.with(|engine| engine.group_link(&view.group)) else { return Ok(()) };
        let (name, other) = (self.name(by), self.name(to));
        let deed = self.deed(format_args!("{name} gives {other} the link of group {number}"));
        self.device(to)?.home.act(deed, move |engine| async move { engine.group_join(&link).await });
        Ok(())
    }

    /// Wants something of a group, whether he may have it or not.
    fn change(&mut self, by: Author, number: usize, view: &GroupView) -> anyhow::Result<()> {
        let (act, whom) = self.draw_act(number, view)?;
        let name = self.name(by);
        let told = match (&act, whom) {
            (act, Some(whom)) => format!("{}: {}", act_name(act), self.person(whom)?.name),
            (act, None) => act_name(act).to_owned(),
        };
        let deed = self.deed(format_args!("{name} wants of group {number}: {told}"));
        match act {
            GroupAct::Remove(_) | GroupAct::Ban(_) => self.shake(number, whom.unwrap_or_default(), deed),
            GroupAct::Leave => self.shake(number, by.0, deed),
            _ => {}
        }
        let group = view.group.clone();
        self.device(by)?.home.act(deed, |engine| async move { engine.group_act(&group, &act).await });
        Ok(())
    }

    /// Something that somebody may want, and of whom.
    fn draw_act(&mut self, number: usize, view: &GroupView) -> anyhow::Result<(GroupAct, Option<usize>)> {
        let whom = self.rng.random_range(0..self.people.len());
        let who = self.person(whom)?.account.clone();
        let roles = [GroupRole::Member, GroupRole::Member, GroupRole::Admin, GroupRole::Reader];
        let role = roles.choose(&mut self.rng).copied().unwrap_or(GroupRole::Member);
        let word = self.rng.random_range(0..1_000u32).to_string();
        let asks = view.requesting.choose(&mut self.rng).and_then(|member| member.account.clone());
        let act = match self.rng.random_range(0..32) {
            0..=3 => GroupAct::Add(vec![who], role),
            4..=6 => GroupAct::Invite(vec![who], role),
            7 => GroupAct::Revoke(who),
            8..=10 => return Ok((GroupAct::Approve(asks.unwrap_or(who), role), None)),
            11 => return Ok((GroupAct::Deny(asks.unwrap_or(who)), None)),
            12..=14 => GroupAct::Remove(who),
            15 => return Ok((GroupAct::Leave, None)),
            16 => GroupAct::Ban(who),
            17 | 18 => GroupAct::Unban(who),
            19..=21 => GroupAct::SetRole(who, role),
            22 => return Ok((GroupAct::Set(GroupText::Title, format!("{number} {word}")), None)),
            23 => return Ok((GroupAct::Set(GroupText::Description, word), None)),
            24 => return Ok((GroupAct::Set(GroupText::Pinned, word), None)),
            25 => return Ok((GroupAct::SetRules(self.draw_rules()), None)),
            26 => return Ok((GroupAct::SetLink(LinkMode::Join), None)),
            27 | 28 => return Ok((GroupAct::SetLink(LinkMode::Ask), None)),
            29 => return Ok((GroupAct::SetLink(LinkMode::Off), None)),
            30 => GroupAct::HandOver(who),
            _ if self.rng.random_bool(0.2) => return Ok((GroupAct::Close, None)),
            _ => GroupAct::Add(vec![who], GroupRole::Member),
        };
        Ok((act, Some(whom)))
    }

    /// Notes that something is done, under a number of its own.
    fn deed(&mut self, what: std::fmt::Arguments<'_>) -> u64 {
        self.deeds += 1;
        self.trace.note(format_args!("{what} (deed {})", self.deeds));
        self.deeds
    }

    fn shake(&mut self, number: usize, person: usize, deed: u64) {
        if let Some(group) = self.groups.get_mut(number) {
            group.shaken.insert((person, deed));
        }
    }

    /// The groups that a device knows, by their numbers; none while it does not run.
    fn views(&mut self, of: Author) -> anyhow::Result<Vec<(usize, GroupView)>> {
        let views = match self.device(of)?.home.with(|engine| engine.groups()) {
            Some(Ok(views)) => views,
            Some(Err(error)) if !is_disk(&error) => bail!("groups cannot be shown: {error}"),
            Some(Err(_)) | None => Vec::new(),
        };
        let known = |view: &GroupView| self.groups.iter().position(|group| group.id.as_ref() == Some(&view.group));
        let titled = |view: &GroupView| view.title.split(' ').next().and_then(|number| number.parse().ok());
        Ok(views.into_iter().filter_map(|view| Some((known(&view).or_else(|| titled(&view))?, view))).collect())
    }

    /// What became of what was done in groups, and who is in which.
    pub(super) fn look_at_groups(&mut self) -> anyhow::Result<()> {
        if self.groups.is_empty() {
            return Ok(());
        }
        for of in self.homes() {
            for (deed, done) in self.device(of)?.home.deeds() {
                self.hear(deed, done.map(|changed| changed.queued))?;
            }
        }
        let next = self.chronicle.len();
        for of in self.authors() {
            if self.device(of)?.home.engine().is_none() {
                continue;
            }
            let views = self.views(of)?;
            let here: BTreeSet<_> = views.iter().filter(|(_, view)| is_in(view)).map(|(number, _)| *number).collect();
            for (number, view) in views.into_iter().filter(|(_, view)| view.revision > 0) {
                if let Some(group) = self.groups.get_mut(number) {
                    group.id.get_or_insert(view.group);
                }
            }
            let (name, device) = (self.name(of), self.device(of)?);
            let gone: Vec<_> = device.stays.keys().filter(|number| !here.contains(number)).copied().collect();
            device.stays.retain(|number, _| here.contains(number));
            let came: Vec<_> = here.into_iter().filter(|number| !device.stays.contains_key(number)).collect();
            device.stays.extend(came.iter().map(|number| (*number, next)));
            if !gone.is_empty() || !came.is_empty() {
                self.trace.note(format_args!("{name} is out of groups {gone:?}, and in {came:?}"));
            }
        }
        Ok(())
    }

    fn hear(&mut self, deed: u64, done: Result<bool, ClientError>) -> anyhow::Result<()> {
        let told = match &done {
            Ok(true) => "waits".to_owned(),
            Ok(false) => "is done".to_owned(),
            Err(error) => error.to_string(),
        };
        self.trace.note(format_args!("deed {deed}: {told}"));
        if let Err(error) = done {
            if matches!(error, ClientError::Bug(_) | ClientError::E2ee(_)) {
                bail!("deed {deed}: {error}");
            }
            self.groups.iter_mut().for_each(|group| group.shaken.retain(|(_, shook)| *shook != deed));
        }
        Ok(())
    }

    /// Whose entry it is.
    fn person_of(&self, member: &GroupMember) -> Option<usize> {
        self.people.iter().position(|person| Some(&person.account) == member.account.as_ref())
    }
}

fn act_name(act: &GroupAct) -> &'static str {
    match act {
        GroupAct::Add(..) => "add",
        GroupAct::Invite(..) => "invite",
        GroupAct::Revoke(_) => "revoke",
        GroupAct::Approve(..) => "approve",
        GroupAct::Deny(_) => "deny",
        GroupAct::Remove(_) => "remove",
        GroupAct::Leave => "leave",
        GroupAct::Ban(_) => "ban",
        GroupAct::Unban(_) => "unban",
        GroupAct::SetRole(_, GroupRole::Reader) => "make a reader",
        GroupAct::SetRole(_, GroupRole::Admin) => "make an admin",
        GroupAct::SetRole(..) => "make a member",
        GroupAct::Set(..) => "set a text",
        GroupAct::SetRules(rules) if rules.members_post => "set rules",
        GroupAct::SetRules(_) => "set rules: announcements",
        GroupAct::SetLink(LinkMode::Off) => "no link",
        GroupAct::SetLink(LinkMode::Join) => "a link to join",
        GroupAct::SetLink(LinkMode::Ask) => "a link to ask",
        GroupAct::HandOver(_) => "hand over",
        GroupAct::Close => "close",
    }
}
