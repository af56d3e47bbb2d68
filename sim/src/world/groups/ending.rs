//! What must be true of groups in the end: everybody who is in one sees the same of it, has what was said while he was, and
//! nobody else does.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use undertone_client::{GroupRole, GroupView};

use super::{World, is_in, may_post};
use crate::world::{
    chronicle::{Author, Place},
    home::Fate,
};

/// What all members of a group have to agree on.
type Seen = (u64, String, u64, u32, Vec<(Option<String>, Option<GroupRole>)>);

fn seen(view: &GroupView) -> Seen {
    let members = view.members.iter().map(|member| (member.account.clone(), member.role));
    (view.revision, view.record_hash.clone(), view.epoch, view.incarnation, members.collect())
}

impl World {
    /// Whoever is invited comes.
    pub(in crate::world) fn all_come(&mut self) -> anyhow::Result<()> {
        for of in self.authors() {
            for (number, view) in self.views(of)? {
                if view.state == "invited" && !self.device(of)?.home.is_busy() {
                    self.answer(of, number, &view, false)?;
                }
            }
        }
        Ok(())
    }

    /// Everybody who is in a group sees the same of it, and nobody else thinks that he is.
    pub(in crate::world) fn groups_agree(&mut self) -> anyhow::Result<()> {
        for number in 0..self.groups.len() {
            let views = self.views_of(number)?;
            if self.group_stopped(number, &views)? {
                continue;
            }
            let far = |view: &&GroupView| (view.incarnation, view.epoch, view.revision);
            let newest = views.values().filter(|view| is_in(view)).max_by_key(far);
            let members: BTreeSet<_> =
                newest.iter().flat_map(|view| &view.members).filter_map(|member| self.person_of(member)).collect();
            for of in self.authors() {
                let (name, view) = (self.name(of), views.get(&of));
                let Some(newest) = newest.filter(|_| members.contains(&of.0)) else {
                    let state = view.map(|view| view.state);
                    ensure!(!matches!(state, Some("open" | "new")), "{name} is not in group {number}, but {state:?}");
                    continue;
                };
                let view = view.with_context(|| format!("{name} does not know group {number}"))?;
                // What a service that lies has said to be done, when he went, the others may never hear of.
                if view.state == "out" && self.deceived.contains(&of.0) {
                    continue;
                }
                ensure!(
                    is_in(view) && seen(view) == seen(newest),
                    "{name} sees group {number} {} at revision {}, epoch {} ({:?}) instead of {}, {}",
                    view.state,
                    view.revision,
                    view.epoch,
                    view.trouble,
                    newest.revision,
                    newest.epoch,
                );
            }
        }
        Ok(())
    }

    /// A group as those devices see it that know it.
    fn views_of(&mut self, number: usize) -> anyhow::Result<BTreeMap<Author, GroupView>> {
        let mut all = BTreeMap::new();
        for of in self.authors() {
            let views = self.views(of)?;
            all.extend(views.into_iter().filter(|(of, _)| *of == number).map(|(_, view)| (of, view)));
        }
        Ok(all)
    }

    /// Whether a group may stand still, and does: somebody was lied to, and somebody says so.
    fn group_stopped(&mut self, _: usize, views: &BTreeMap<Author, GroupView>) -> anyhow::Result<bool> {
        if self.deceived.is_empty() {
            return Ok(false);
        }
        if views.values().any(|view| view.trouble.is_some()) {
            return Ok(true);
        }
        // In the chat with oneself devices tell each other of groups, too.
        let selves = self.deceived.iter().copied().collect::<Vec<_>>();
        for person in selves {
            if self.stopped((person, person))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Everybody says something where he may, and only there.
    pub(in crate::world) async fn all_speak_in_groups(&mut self) -> anyhow::Result<()> {
        for number in 0..self.groups.len() {
            let views = self.views_of(number)?;
            if self.group_stopped(number, &views)? {
                continue;
            }
            for (of, view) in views.iter().filter(|(_, view)| is_in(view)) {
                let (name, fate) = (self.name(*of), self.write_in(*of, number, view).await?);
                let taken = matches!(fate, Some(Fate::Kept | Fate::Acknowledged));
                ensure!(taken == may_post(view), "{name} writes in group {number}, as {:?}: {taken}", view.role);
            }
        }
        Ok(())
    }

    /// Everybody in a group has what was said while he was, in the same order; what was said from `last` on, in any case.
    pub(in crate::world) fn groups_settled(&mut self, last: usize) -> anyhow::Result<()> {
        self.groups_agree()?;
        for number in 0..self.groups.len() {
            let views = self.views_of(number)?;
            if self.group_stopped(number, &views)? {
                continue;
            }
            let mut orders: Vec<(String, Vec<usize>)> = Vec::new();
            for (of, view) in views.iter().filter(|(_, view)| is_in(view)) {
                let name = self.name(*of);
                let order = self.order_in(number, *of, view)?;
                let has: BTreeSet<_> = order.iter().copied().collect();
                ensure!(has.len() == order.len(), "{name} has a message twice");
                let expected = self.expected_in(number, *of, last, &views)?;
                let missing: Vec<_> = expected.difference(&has).collect();
                ensure!(missing.is_empty(), "{name} lacks messages {missing:?} of group {number}");
                orders.push((name, order));
            }
            for ((one, first), (other, second)) in orders.iter().zip(orders.iter().skip(1)) {
                let both = |order: &[usize], than: &[usize]| -> Vec<usize> {
                    order.iter().copied().filter(|number| than.contains(number)).collect()
                };
                let (here, there) = (both(first, second), both(second, first));
                ensure!(here == there, "another order: {one} has {here:?}, and {other} {there:?}");
            }
        }
        Ok(())
    }

    /// The numbers of the messages of a group, as a device has them. Who may say nothing any more keeps what he could not say,
    /// and so does who was put out, also when he is in again.
    fn order_in(&mut self, number: usize, of: Author, view: &GroupView) -> anyhow::Result<Vec<usize>> {
        let name = self.name(of);
        let was_out = self.groups.get(number).is_some_and(|group| group.has_shaken(of.0));
        let history = self.device(of)?.history(&view.group).with_context(|| format!("{name} has no such group"))?;
        let mut order = Vec::new();
        for (text, queued) in history {
            let (number, _) = self.chronicle.line(&text).context("a text in a history that nobody wrote")?;
            ensure!(!queued || was_out || !may_post(view), "message {number} of {name} waits");
            if !queued {
                order.push(number);
            }
        }
        Ok(order)
    }

    /// The messages of a group that a device must have: those of its stay whose writers were in it as well.
    fn expected_in(
        &mut self,
        number: usize,
        of: Author,
        last: usize,
        views: &BTreeMap<Author, GroupView>,
    ) -> anyhow::Result<BTreeSet<usize>> {
        let group = self.groups.get(number).context("no such group")?;
        let stay = |of: Author| {
            let device = self.people.get(of.0).and_then(|person| person.devices.get(of.1));
            let since = device.and_then(|device| device.stays.get(&number)).copied();
            since.map(|since| if group.has_shaken(of.0) { since.max(last) } else { since })
        };
        let came = stay(of).with_context(|| format!("{} is not in group {number}", self.name(of)))?;
        let counts = |(line, said): &(usize, &crate::world::chronicle::Line)| {
            let there = stay(said.by).is_some_and(|since| since <= *line);
            let speaks = views.get(&said.by).is_some_and(may_post);
            match said.fate {
                Fate::Acknowledged => there,
                Fate::Kept => there && speaks,
                Fate::Refused | Fate::Unknown => false,
            }
        };
        let said = self.chronicle.said(Place::Group(number)).filter(counts);
        Ok(said.map(|(line, _)| line).filter(|line| *line >= came).collect())
    }

    /// Who is in no group, or on no list any more, has nothing of what was said in it after the faults ended.
    pub(in crate::world) fn others_are_out_of_groups(&mut self, last: usize) -> anyhow::Result<()> {
        for number in 0..self.groups.len() {
            let views = self.views_of(number)?;
            if self.group_stopped(number, &views)? {
                continue;
            }
            for of in self.homes() {
                let gone = self.device(of)?.removed || self.device(of)?.lost;
                let inside = !gone && views.get(&of).is_some_and(is_in);
                let Some(id) = self.groups.get(number).and_then(|group| group.id.clone()).filter(|_| !inside) else {
                    continue;
                };
                let texts = self.device(of)?.history(&id).unwrap_or_default();
                let numbers = texts.iter().filter(|(_, queued)| !queued);
                let numbers = numbers.filter_map(|(text, _)| self.chronicle.line(text)).map(|(number, _)| number);
                let late: Vec<_> = numbers.filter(|number| *number >= last).collect();
                ensure!(late.is_empty(), "{} is not in group {number}, and has messages {late:?}", self.name(of));
            }
        }
        Ok(())
    }
}
