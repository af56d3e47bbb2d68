//! What a chat owes: the commit that brings its leaves in line with the newest device lists.
//!
//! Nobody is told to add or to remove a device. Whoever knows of a newer list, or hears a device ask, sees by the same
//! comparison what the chat lacks; the service's order lets one of them be first, and then nothing is owed any more.

use undertone_credentials::{DeviceList, KeyPackage};
use undertone_e2ee::{Member, Plan, Suite};
use undertone_wire::{AccountId, ladder, limits::GENERATION_DAYS};

use crate::{
    Result,
    db::{chats::Chat, contacts, members},
    own::Own,
    rules::{
        begin::Fetched,
        lists::{self, newer},
    },
    state::Tx,
};

/// What a commit is to do.
#[derive(Default)]
pub(crate) struct Owed {
    adds: Vec<(DeviceList, KeyPackage)>,
    removes: Vec<Member>,
    lists: Vec<DeviceList>,
    generation: bool,
    restart: bool,
}

impl Owed {
    /// Compares a chat's leaves with the newest lists that we know, and with who asks.
    pub(crate) fn find(tx: &Tx<'_>, own: &Own, chat: &Chat, leaves: &[Member], suite: Suite) -> Result<Self> {
        let mut owed = Self::default();
        let judged = owed.judge(tx, own, chat)?;
        owed.remove(tx, chat, leaves, &judged);

        owed.restart = suite < own.suite && judged.iter().all(|list| reads(list, own.suite));

        for (device, card) in members::cards(tx.db)? {
            let member = Member { account: own.account, device };
            if !leaves.contains(&member) {
                owed.add(tx, &judged, member, &card, suite);
            }
        }
        for asking in members::asks(tx.db, chat.id)? {
            let member = Member { account: asking.account, device: asking.device };
            if !owed.add(tx, &judged, member, &asking.key_package, suite) {
                members::set_answered(tx.db, chat.id, asking.account, asking.device)?;
            } else if leaves.contains(&member) {
                owed.removes.push(member);
            }
        }
        Ok(owed)
    }

    /// The same for a group: those belong whom its record names, and no others. Who comes in by this commit brings his first
    /// list; whoever else has no leaf comes in by himself.
    pub(crate) fn of_group(
        tx: &Tx<'_>,
        own: &Own,
        chat: &Chat,
        leaves: &[Member],
        belongs: &[AccountId],
        comers: &[Fetched],
        suite: Suite,
    ) -> Result<Self> {
        let mut owed = Self::default();
        let mut judged = owed.judge(tx, own, chat)?;
        judged.retain(|list| belongs.contains(&list.account()));
        owed.lists.retain(|list| belongs.contains(&list.account()));
        for comer in comers.iter().filter(|comer| belongs.contains(&comer.list.account())) {
            if list_of(&judged, comer.list.account()).is_none() {
                owed.lists.push(comer.list.clone());
                judged.push(comer.list.clone());
            }
            for package in &comer.key_packages {
                let member = Member { account: comer.list.account(), device: package.device() };
                if !leaves.contains(&member) {
                    owed.add_package(tx, &judged, member, Some(package.clone()), suite);
                }
            }
        }
        owed.remove(tx, chat, leaves, &judged);
        Ok(owed)
    }

    /// Leaves without a place go, and a generation begins with that.
    fn remove(&mut self, tx: &Tx<'_>, chat: &Chat, leaves: &[Member], judged: &[DeviceList]) {
        let place =
            |member: &Member| list_of(judged, member.account).is_some_and(|list| list.device(member.device).is_some());
        self.removes.extend(leaves.iter().filter(|leaf| !place(leaf)));
        self.generation = !self.removes.is_empty() || generation_is_due(tx, chat);
    }

    /// The newest list of each account; those that the log lacks are owed.
    fn judge(&mut self, tx: &Tx<'_>, own: &Own, chat: &Chat) -> Result<Vec<DeviceList>> {
        let mut judged = Vec::new();
        for in_log in lists::of_log(tx, chat.id)? {
            let known = if in_log.account() == own.account {
                Some(own.list.clone())
            } else {
                contacts::device_list(tx.db, in_log.account())?.and_then(|bytes| tx.verified.list(&bytes).ok())
            };
            match known.filter(|known| newer(known, &in_log)) {
                Some(known) => {
                    self.lists.push(known.clone());
                    judged.push(known);
                }
                None => judged.push(in_log),
            }
        }
        Ok(judged)
    }

    /// False: this device cannot be added so.
    fn add(&mut self, tx: &Tx<'_>, judged: &[DeviceList], member: Member, key_package: &[u8], suite: Suite) -> bool {
        let list = list_of(judged, member.account);
        let package = list.and_then(|list| KeyPackage::verify(list, key_package).ok());
        self.add_package(tx, judged, member, package, suite)
    }

    fn add_package(
        &mut self,
        tx: &Tx<'_>,
        judged: &[DeviceList],
        member: Member,
        package: Option<KeyPackage>,
        suite: Suite,
    ) -> bool {
        let Some(list) = list_of(judged, member.account) else { return false };
        let fits = |package: &KeyPackage| {
            let current = package.is_current(tx.now.day()) && Suite::of_package(package) == Some(suite);
            package.device() == member.device && current
        };
        let package = package.filter(fits);
        let known =
            self.adds.iter().any(|(list, known)| list.account() == member.account && known.device() == member.device);
        match package {
            Some(package) if !known => self.adds.push((list.clone(), package)),
            Some(_) => {}
            None => return false,
        }
        true
    }

    /// Whether there is anything to commit.
    pub(crate) fn is_empty(&self) -> bool {
        self.can_wait() && !self.generation
    }

    /// Everybody's devices understand a better suite than the chat has: it moves up.
    pub(crate) fn restart(&self) -> bool {
        self.restart
    }

    /// Whether it takes somebody out, or is to begin a generation for another reason.
    pub(crate) fn begins(&self) -> bool {
        self.generation
    }

    /// Has a generation begun with it.
    pub(crate) fn begin(&mut self) {
        self.generation = true;
    }

    /// Whether it adds a device of somebody.
    pub(crate) fn adds(&self, account: AccountId) -> bool {
        self.adds.iter().any(|(list, _)| list.account() == account)
    }

    /// Whether it removes anybody.
    pub(crate) fn removes(&self) -> bool {
        !self.removes.is_empty()
    }

    /// Lists that the log does not have yet.
    pub(crate) fn lists(&self) -> &[DeviceList] {
        &self.lists
    }

    /// Only the generation is due: that can wait until somebody has something to say.
    pub(crate) fn can_wait(&self) -> bool {
        self.adds.is_empty() && self.removes.is_empty() && self.lists.is_empty()
    }

    /// As `e2ee` takes it.
    pub(crate) fn plan(&self) -> Plan<'_> {
        Plan {
            adds: self.adds.iter().map(|(list, package)| (list, package)).collect(),
            removes: self.removes.clone(),
            lists: self.lists.iter().collect(),
            generation: self.generation,
        }
    }
}

/// Whether all devices of a list say that they read a suite.
fn reads(list: &DeviceList, suite: Suite) -> bool {
    suite == Suite::Classical || list.devices().iter().all(|device| device.features.contains(&ladder::READS_SUITE))
}

fn list_of(lists: &[DeviceList], account: AccountId) -> Option<&DeviceList> {
    lists.iter().find(|list| list.account() == account)
}

/// A generation is followed by another each month, whoever stays: a stolen read key reads no longer than that.
fn generation_is_due(tx: &Tx<'_>, chat: &Chat) -> bool {
    let began = chat.channel.as_ref().map_or(0, |channel| channel.generation_day.0);
    tx.now.day().0.saturating_sub(began) >= GENERATION_DAYS
}
