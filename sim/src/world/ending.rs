//! How a world ends: the faults do, and then everything comes right by itself.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, ensure};
use tokio::time::{Instant, sleep, timeout};

use super::{
    chronicle::{Author, Pair},
    life::World,
    service::Hand,
};

/// What must come to pass once nothing is in its way does so within this time, in pauses between two steps.
const PATIENCE_PAUSES: u64 = 3_000;

/// Everybody has heard of a device that was removed within this time, in pauses between two steps.
const HEARD_PAUSES: u64 = 400;

impl World {
    /// Nothing is in anybody's way any more: every chat goes on, and everybody has everything.
    ///
    /// # Errors
    /// What does not hold.
    pub(super) async fn end(&mut self) -> anyhow::Result<()> {
        self.mend().await?;
        self.settle(Self::together).await?;
        // Removed devices are out once everybody has heard of it, and what was wanted of groups is done, or cannot be.
        if self.homes() != self.authors() || !self.groups.is_empty() {
            sleep(Duration::from_millis(self.pause_ms_max * HEARD_PAUSES)).await;
            self.settle(Self::together).await?;
        }
        let last = self.chronicle.len();
        let known = self.known_to_present()?;
        for by in self.authors() {
            for to in 0..self.people.len() {
                let pair = (by.0.min(to), by.0.max(to));
                let strangers = self.sort.groups && self.chronicle.expected(pair).is_empty();
                if !strangers && !self.stopped(pair)? {
                    let written = self.write(by, to).await?;
                    ensure!(written, "{} cannot write to {}", self.name(by), self.person(to)?.name);
                }
            }
        }
        self.all_speak_in_groups().await?;
        // What is shown is judged at once, and once.
        let mut judged = Ok(());
        let all_is_there = |world: &mut Self| {
            world.together()?;
            world.settled(last)?;
            judged = world.everybody_looks();
            // What came by the log waits for letters that its sender wrote before, be it one that he believes he took back.
            if judged.is_ok() { world.all_was_shown() } else { Ok(()) }
        };
        self.settle(all_is_there).await?;
        judged?;
        self.others_are_out_of_groups(last)?;
        self.removed_are_out(last, &known)
    }

    /// Whose present devices have a chat with whom: to others nobody can have told who was removed.
    fn known_to_present(&mut self) -> anyhow::Result<BTreeSet<(usize, usize)>> {
        let mut known = BTreeSet::new();
        for of in self.authors() {
            for to in 0..self.people.len() {
                let account = self.person(to)?.account.clone();
                if self.device(of)?.state(&account) != "none" {
                    known.insert((of.0, to));
                }
            }
        }
        Ok(known)
    }

    fn everybody_looks(&mut self) -> anyhow::Result<()> {
        self.authors().into_iter().try_for_each(|of| self.show(of))
    }

    /// Everybody is with those who want him.
    pub(super) fn together(&mut self) -> anyhow::Result<()> {
        self.accept_all()?;
        self.all_come()?;
        self.met()?;
        self.groups_agree()
    }

    pub(super) async fn mend(&mut self) -> anyhow::Result<()> {
        self.trace.note("the faults end");
        self.weather.set_storm(false);
        self.weather.strike();
        self.service.mood.set_busy(false);
        self.service.kill().await;
        self.rejoin();
        for of in self.homes() {
            // Whoever was lied to is told so until he starts again.
            if self.deceitful {
                self.kill(of).await;
            }
            let device = self.device(of)?;
            device.home.disk.clear();
            device.home.watch.set_off(0);
            let door = device.home.door;
            if let Some(Hand { cheat, spoiler }) = self.service.hand(door) {
                cheat.end();
                spoiler.end();
            }
        }
        self.service.start().await;
        self.everybody_starts()
    }

    /// Waits until something holds.
    pub(super) async fn settle(
        &mut self,
        mut holds: impl FnMut(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_millis(self.pause_ms_max * PATIENCE_PAUSES);
        let mut wait_ms = 5;
        loop {
            self.check()?;
            let Err(reason) = holds(self) else { return Ok(()) };
            if Instant::now() >= deadline {
                self.tell_standings()?;
                return Err(reason.context("it does not come right"));
            }
            let mut changes =
                self.people.iter().flat_map(|person| &person.devices).filter_map(|device| device.home.engine());
            let mut any = changes.next().map(|engine| engine.changes());
            drop(changes);
            if let Some(any) = any.as_mut() {
                let _ = timeout(Duration::from_millis(wait_ms), any.changed()).await;
            }
            sleep(Duration::from_millis(wait_ms)).await;
            wait_ms = (wait_ms * 2).min(self.pause_ms_max * 20);
        }
    }

    /// How everybody stands with everybody, for whoever reads the steps.
    fn tell_standings(&mut self) -> anyhow::Result<()> {
        for of in self.homes() {
            let listed = self.device(of)?.home.with(|engine| engine.devices().map_or(0, |devices| devices.len()));
            let (name, removed) = (self.name(of), self.device(of)?.removed);
            self.trace.note(format_args!("{name}: {listed:?} devices on its list; removed: {removed}"));
            for to in 0..self.people.len() {
                let (account, with) = (self.person(to)?.account.clone(), self.person(to)?.name);
                let device = self.device(of)?;
                let (state, trouble) = (device.state(&account), device.trouble(&account));
                let history = device.history(&account).unwrap_or_default();
                let number =
                    |text: &str| self.chronicle.line(text).map_or("?".to_owned(), |(number, _)| number.to_string());
                let waits = |queued| if queued { " waits" } else { "" };
                let has: Vec<_> = history.iter().map(|(text, queued)| number(text) + waits(*queued)).collect();
                self.trace.note(format_args!("{name} with {with}: {state}, {trouble:?}: {}", has.join(", ")));
            }
        }
        Ok(())
    }

    /// Whether a chat may stand still, and does: somebody was lied to, and says so.
    pub(super) fn stopped(&mut self, pair: Pair) -> anyhow::Result<bool> {
        let troubles = self.troubles(pair)?;
        let deceived = |person| self.deceived.contains(&person);
        let lied_to = deceived(pair.0) || deceived(pair.1);
        for (name, trouble) in &troubles {
            ensure!(lied_to, "{name} says of an honest chat: {trouble}");
        }
        // In the chat with oneself devices tell each other of all others.
        let selves = ((pair.0, pair.0), (pair.1, pair.1));
        let alone = pair.0 == pair.1;
        Ok(!troubles.is_empty() || !alone && lied_to && (self.stopped(selves.0)? || self.stopped(selves.1)?))
    }

    pub(super) fn troubles(&mut self, pair: Pair) -> anyhow::Result<Vec<(String, &'static str)>> {
        let mut troubles = Vec::new();
        for (of, account) in self.members(pair)? {
            let trouble = self.device(of)?.trouble(&account);
            troubles.extend(trouble.map(|trouble| (self.name(of), trouble)));
        }
        Ok(troubles)
    }

    /// The devices of a chat, each with whom it knows the chat by.
    pub(super) fn members(&self, pair: Pair) -> anyhow::Result<Vec<(Author, String)>> {
        let mut members = Vec::new();
        for of in self.authors() {
            let with = if of.0 == pair.0 { pair.1 } else { pair.0 };
            if of.0 == pair.0 || of.0 == pair.1 {
                members.push((of, self.person(with)?.account.clone()));
            }
        }
        Ok(members)
    }

    /// Nobody waits to be met: everybody who was written to may answer.
    pub(super) fn met(&mut self) -> anyhow::Result<()> {
        for pair in self.pairs() {
            if self.stopped(pair)? || self.chronicle.expected(pair).is_empty() {
                continue;
            }
            for (of, account) in self.members(pair)? {
                let state = self.device(of)?.state(&account);
                ensure!(!["none", "request"].contains(&state), "{} has not met: {state}", self.name(of));
            }
        }
        Ok(())
    }

    pub(super) fn settled(&mut self, last: usize) -> anyhow::Result<()> {
        for pair in self.pairs() {
            if !self.stopped(pair)? {
                self.chat_settled(pair, last)?;
            }
        }
        self.groups_settled(last)
    }

    /// All devices of a chat have all of it, in the same order, and nothing waits. One that came when no other was left has
    /// what was written from `last` on.
    fn chat_settled(&mut self, pair: Pair, last: usize) -> anyhow::Result<()> {
        let expected = self.chronicle.expected(pair);
        let mut orders: Vec<(String, Vec<usize>)> = Vec::new();
        for (of, account) in self.members(pair)? {
            let name = self.name(of);
            if expected.is_empty() && self.device(of)?.state(&account) == "none" {
                continue;
            }
            let order = self.order(of, &account)?;
            let from = if self.device(of)?.recovered { last } else { 0 };
            let has: BTreeSet<_> = order.iter().copied().collect();
            ensure!(has.len() == order.len(), "{name} has a message twice");
            let untold = |number: usize| {
                let by = self.chronicle.author(number).map(|by| by.0);
                by == Some(of.0) && self.chronicle.is_untold(number)
            };
            let missing: Vec<_> =
                expected.range(from..).filter(|number| !has.contains(number) && !untold(**number)).collect();
            ensure!(missing.is_empty(), "{name} lacks messages {missing:?}");
            orders.push((name, order));
        }
        for ((one, first), (other, second)) in orders.iter().zip(orders.iter().skip(1)) {
            let both = |order: &[usize], than: &[usize]| -> Vec<usize> {
                order.iter().copied().filter(|number| than.contains(number)).collect()
            };
            let (here, there) = (both(first, second), both(second, first));
            ensure!(here == there, "another order: {one} has {here:?}, and {other} {there:?}");
        }
        Ok(())
    }

    /// The numbers of the messages of a chat, as a device has them.
    fn order(&mut self, of: Author, account: &str) -> anyhow::Result<Vec<usize>> {
        let name = self.name(of);
        let history = self.device(of)?.history(account).with_context(|| format!("{name} has no such chat"))?;
        let mut order = Vec::new();
        for (text, queued) in history {
            let (number, _) = self.chronicle.line(&text).context("a text in a history that nobody wrote")?;
            ensure!(!queued, "message {number} of {name} waits");
            order.push(number);
        }
        Ok(order)
    }

    /// Everybody was shown, on one of his devices, what others wrote to him.
    fn all_was_shown(&mut self) -> anyhow::Result<()> {
        for pair in self.pairs() {
            if pair.0 == pair.1 || self.stopped(pair)? {
                continue;
            }
            for number in self.chronicle.expected(pair) {
                let by = self.chronicle.author(number).context("a message of nobody")?.0;
                let to = self.person(if by == pair.0 { pair.1 } else { pair.0 })?;
                let lost = to.devices.iter().any(|device| device.recovered);
                let shown = to.devices.iter().any(|device| device.shown.has(number));
                ensure!(shown || lost, "{} was never shown message {number}", to.name);
            }
        }
        Ok(())
    }

    /// Devices that were removed have nothing of what was written after the faults ended.
    fn removed_are_out(&mut self, last: usize, known: &BTreeSet<(usize, usize)>) -> anyhow::Result<()> {
        for of in self.homes() {
            if !self.device(of)?.removed {
                continue;
            }
            for with in (0..self.people.len()).filter(|with| known.contains(&(of.0, *with))) {
                let account = self.person(with)?.account.clone();
                let texts = self.device(of)?.history(&account).unwrap_or_default();
                let numbers = texts.iter().filter_map(|(text, _)| self.chronicle.line(text));
                let late: Vec<_> = numbers.map(|(number, _)| number).filter(|number| *number >= last).collect();
                if !late.is_empty() {
                    self.tell_standings()?;
                }
                ensure!(late.is_empty(), "{} was removed, and has messages {late:?}", self.name(of));
            }
        }
        Ok(())
    }
}
