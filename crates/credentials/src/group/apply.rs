//! How a change makes the next record of the one before: the rules that service and members share.

use std::collections::BTreeMap;

use super::{
    Action, Change, Follows, Link, Place, Pseudonym, Record, Role, Standing, Who,
    table::{Act, May, line},
};

/// Why a change is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It was made for another revision.
    #[error("the group has changed meanwhile")]
    Revision,
    /// Whoever makes it may not.
    #[error("the rules of the group do not allow that")]
    NotAllowed,
    /// It is done to somebody to whom it cannot be done.
    #[error("that cannot be done to somebody who stands so")]
    Target,
    /// Somebody has left: before anything else, a commit has to remove his devices.
    #[error("somebody has left, and has to be settled first")]
    Owed,
    /// A list would become longer than it may.
    #[error("the group holds as many as it may")]
    Full,
    /// The group has ended.
    #[error("the group is closed")]
    Closed,
    /// Something else follows than must.
    #[error("something else follows the change than must")]
    Follows,
    /// The group would be without an owner, or have several.
    #[error("a group has one owner")]
    Owner,
    /// A group is made once, by the first action of its first change.
    #[error("a group is made once, by its first change")]
    Create,
}

impl Record {
    /// The first record of a group, by its first change.
    ///
    /// # Errors
    /// Why it is none.
    pub fn create(change: &Change) -> Result<Self, Refused> {
        let (Some((Action::Create { group_public, rules }, rest)), 1) = (change.actions.split_first(), change.revision)
        else {
            return Err(Refused::Create);
        };
        let record = Self {
            group_public: *group_public,
            revision: change.revision,
            places: BTreeMap::from([(change.actor, Place::Member(Role::Owner))]),
            rules: *rules,
            link: Link::Off,
            attributes: BTreeMap::new(),
            closed: false,
        };
        record.after(change, rest)
    }

    /// The record after a change. It is judged by its actions in order, each by what those before it have made of the
    /// record; if one of them is refused, all are. That the actor made it is for others to see to, and, if it
    /// [`is_by_link`](Change::is_by_link), that he has shown the link's secret.
    ///
    /// # Errors
    /// Why it is none.
    pub fn apply(&self, change: &Change) -> Result<Self, Refused> {
        if self.revision.checked_add(1) != Some(change.revision) {
            return Err(Refused::Revision);
        }
        let next = Self { revision: change.revision, ..self.clone() };
        next.after(change, &change.actions)
    }

    /// Whether somebody of a standing may do something that changes nothing of the record.
    pub fn allows(&self, actor: Standing, act: Act) -> Allowed {
        let reads = matches!(act, Act::ReadRecord | Act::ReadHeadSlot);
        let waits = self.is_owed() && act != Act::Reserve;
        let may = line(act, None).map_or(May::No, |row| row.of(actor));
        if (reads || !(self.closed || waits)) && self.holds(may, None) {
            let by_link = matches!(may, May::Join | May::Ask | May::Link);
            if by_link { Allowed::WithLink } else { Allowed::Yes }
        } else {
            Allowed::No
        }
    }

    fn after(mut self, change: &Change, actions: &[Action]) -> Result<Self, Refused> {
        let mut needed = Vec::with_capacity(actions.len());
        for action in actions {
            needed.push(self.act(&change.actor, action)?);
        }
        self.check()?;
        let is_member = self.standing(&change.actor).is_member();
        if follows(change.follows, &needed, is_member) { Ok(self) } else { Err(Refused::Follows) }
    }

    /// Does one thing, and says what must follow.
    fn act(&mut self, actor: &Pseudonym, action: &Action) -> Result<Follows, Refused> {
        if self.closed {
            return Err(Refused::Closed);
        }
        if self.is_owed() && !matches!(action, Action::Leave | Action::Settle) {
            return Err(Refused::Owed);
        }
        let follows = self.judge(actor, action)?;
        match action {
            Action::Create { .. } => return Err(Refused::Create),
            Action::Add(whom, role) | Action::SetRole(whom, role) => self.put(whom, Place::Member(*role)),
            Action::Invite(whom, role) | Action::Approve(whom, role) => {
                self.put(whom, Place::Invited { role: *role, by: *actor });
            }
            Action::Accept => {
                let Some(Place::Invited { role, .. }) = self.place(actor) else {
                    return Err(Refused::NotAllowed);
                };
                self.put(actor, Place::Member(*role));
            }
            Action::Join => self.put(actor, Place::Member(Role::Member)),
            Action::Request => self.put(actor, Place::Requesting),
            Action::Decline => self.clear(actor),
            Action::Revoke(whom) | Action::Deny(whom) | Action::Remove(whom) | Action::Unban(whom) => self.clear(whom),
            Action::Leave => {
                self.put(actor, Place::Left);
                let is_empty = self.members().next().is_none();
                self.closed = is_empty;
            }
            Action::Settle => {
                if !self.is_owed() {
                    return Err(Refused::Target);
                }
                self.places.retain(|_, place| *place != Place::Left);
            }
            Action::Ban(whom) => self.put(whom, Place::Banned),
            Action::SetAttribute(kind, sealed) if sealed.is_empty() => drop(self.attributes.remove(kind)),
            Action::SetAttribute(kind, sealed) => drop(self.attributes.insert(*kind, sealed.clone())),
            Action::SetRules(rules) => self.rules = *rules,
            Action::SetLink(link) => self.link = *link,
            Action::HandOver(whom) => {
                self.put(actor, Place::Member(Role::Admin));
                self.put(whom, Place::Member(Role::Owner));
            }
            Action::Restart => {}
            Action::Close => self.closed = true,
        }
        Ok(follows)
    }

    /// Whether the actor may do that to whom he does it, by the table; and what must follow.
    fn judge(&self, actor: &Pseudonym, action: &Action) -> Result<Follows, Refused> {
        let (act, role) = subject(action).ok_or(Refused::Create)?;
        let on = action.whom();
        let standing = self.standing(actor);
        let row = line(act, on.map(|on| self.standing(on))).ok_or(Refused::Target)?;
        let gives = role == Some(Role::Admin);
        let takes = on.is_some_and(|on| self.standing(on) == Standing::Admin) && act != Act::HandOver;
        let admins = line(Act::Admins, None).ok_or(Refused::Target)?;
        if role == Some(Role::Owner) {
            return Err(Refused::Owner);
        }
        let own = on.filter(|on| matches!(self.place(on), Some(Place::Invited { by, .. }) if by == actor));
        if !self.holds(row.of(standing), own) || ((gives || takes) && !self.holds(admins.of(standing), None)) {
            return Err(Refused::NotAllowed);
        }
        Ok(row.follows)
    }

    /// Whether a cell of the table holds; `own` is an invitation of the actor's to which something is done.
    fn holds(&self, may: May, own: Option<&Pseudonym>) -> bool {
        match may {
            May::No => false,
            May::Yes => true,
            May::Add => self.rules.add == Who::Members,
            May::Edit => self.rules.edit == Who::Members,
            May::Post => self.rules.post == Who::Members,
            May::Join => matches!(self.link, Link::Join(_)),
            May::Ask => matches!(self.link, Link::Ask(_)),
            May::Link => self.link != Link::Off,
            May::Own => own.is_some(),
            May::Last => self.members().count() == 1,
        }
    }

    fn put(&mut self, whom: &Pseudonym, place: Place) {
        self.places.insert(*whom, place);
    }

    fn clear(&mut self, whom: &Pseudonym) {
        self.places.remove(whom);
    }
}

/// Whether something is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// It is not.
    No,
    /// It is.
    Yes,
    /// It is to whoever shows the link's secret.
    WithLink,
}

/// Which line of the table an action is judged by, and which role it gives. None for the one action that makes a group,
/// which is in no line.
fn subject(action: &Action) -> Option<(Act, Option<Role>)> {
    Some(match action {
        Action::Create { .. } => return None,
        Action::Add(_, role) => (Act::Add, Some(*role)),
        Action::Invite(_, role) => (Act::Invite, Some(*role)),
        Action::Accept => (Act::Accept, None),
        Action::Decline => (Act::Decline, None),
        Action::Revoke(_) => (Act::Revoke, None),
        Action::Request => (Act::Request, None),
        Action::Join => (Act::Join, None),
        Action::Approve(_, role) => (Act::Approve, Some(*role)),
        Action::Deny(_) => (Act::Deny, None),
        Action::Remove(_) => (Act::Remove, None),
        Action::Leave => (Act::Leave, None),
        Action::Settle => (Act::Settle, None),
        Action::Ban(_) => (Act::Ban, None),
        Action::Unban(_) => (Act::Unban, None),
        Action::SetRole(_, role) => (Act::SetRole, Some(*role)),
        Action::SetAttribute(..) => (Act::SetAttribute, None),
        Action::SetRules(_) => (Act::SetRules, None),
        Action::SetLink(_) => (Act::SetLink, None),
        Action::HandOver(_) => (Act::HandOver, None),
        Action::Restart => (Act::Restart, None),
        Action::Close => (Act::Close, None),
    })
}

/// Whether what follows is what each of the actions needs, and nothing that somebody adds who is no member afterwards.
fn follows(given: Follows, needed: &[Follows], is_member: bool) -> bool {
    let enough = needed.iter().all(|needed| match needed {
        Follows::Nothing => true,
        Follows::Commit => matches!(given, Follows::Commit | Follows::Generation | Follows::Restart),
        Follows::Entrance => given == Follows::Entrance,
        Follows::Generation => matches!(given, Follows::Generation | Follows::Restart),
        Follows::Restart => given == Follows::Restart,
    });
    let asked_for = match given {
        Follows::Nothing => true,
        Follows::Commit | Follows::Generation => is_member,
        Follows::Entrance | Follows::Restart => needed.contains(&given),
    };
    enough && asked_for
}
