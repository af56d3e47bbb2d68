//! Devices that come and go: linked late, removed, and brought back by the words when none is left.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, bail, ensure};
use rand::RngExt as _;
use tokio::time::timeout;
use undertone_client::Engine;

use super::{chronicle::Author, life::World, person::Device};

/// Devices of one person at once, and ever.
const DEVICES_MAX: usize = 3;
const DEVICES_EVER_MAX: usize = 5;
/// A linking takes no longer; some are cut short, somewhere in the middle.
const LINK_MS_MAX: u64 = 60_000;
const CUT_MS_MAX: u64 = 60;
/// A removal waits so long for the service, and is done later if it does not come.
const REMOVE_MAX: Duration = Duration::from_secs(5);

impl World {
    /// Somebody takes one more device; or it comes to nothing, as one of the two is gone too soon, or the service is.
    pub(super) async fn link(&mut self, person: usize) -> anyhow::Result<()> {
        let present: Vec<_> = self.person(person)?.present().collect();
        let ever = self.person(person)?.devices.len();
        let old = present.get(self.rng.random_range(0..present.len())).copied().unwrap_or_default();
        let old = (person, old);
        let Some(old_engine) = self.device(old)?.home.engine().cloned() else { return Ok(()) };
        if present.len() >= DEVICES_MAX || ever >= DEVICES_EVER_MAX {
            return Ok(());
        }
        let mut home = self.make_home().await?;
        let new_engine = home.engine().context("no engine")?.clone();
        let ms = if self.rng.random_bool(0.2) { self.rng.random_range(0..CUT_MS_MAX) } else { LINK_MS_MAX };
        let disk = self.device(old)?.home.disk.clone();
        let linking = super::disk::On::new(&disk, async move {
            let linked = linked(&old_engine, &new_engine).await;
            (linked, new_engine.whoami().is_ok())
        });
        let linked = timeout(Duration::from_millis(ms), linking).await;
        let came = home.with(|engine| engine.whoami().is_ok()) == Some(true);
        let how = match &linked {
            Ok((Ok(()), _)) => "to the end".to_owned(),
            Ok((Err(error), _)) => format!("{error}"),
            Err(_) => "cut short".to_owned(),
        };
        let name = self.name(old);
        self.trace.note(format_args!("{name} links device {ever}: {how}; it came: {came}"));
        if came {
            let devices = &mut self.people.get_mut(person).context("no such person")?.devices;
            // Nobody has more to give than he has.
            let recovered = present.iter().all(|device| devices.get(*device).is_some_and(|device| device.recovered));
            devices.push(Device { recovered, ..Device::new(home)? });
        } else {
            home.kill().await;
        }
        Ok(())
    }

    /// Somebody takes one of his devices off the list, by another.
    pub(super) async fn remove(&mut self, person: usize) -> anyhow::Result<()> {
        let present: Vec<_> = self.person(person)?.present().collect();
        let others = self.person(person)?.devices.iter().enumerate().filter(|(_, device)| !device.removed);
        let others: Vec<_> = others.map(|(other, _)| other).filter(|other| Some(other) != present.first()).collect();
        let (Some(by), false) = (present.first(), others.is_empty()) else { return Ok(()) };
        let (by, gone) =
            ((person, *by), others.get(self.rng.random_range(0..others.len())).copied().unwrap_or_default());
        let gone = (person, gone);
        let words = self.person(person)?.words.clone();
        let number = self.device(gone)?.number;
        let Some(engine) = self.device(by)?.home.engine().cloned() else { return Ok(()) };
        let disk = self.device(by)?.home.disk.clone();
        // It may never have heard of a device that another has linked.
        let knew = self.lists(by, number)?;
        let removing = super::disk::On::new(&disk, async move { engine.remove_device(number, &words).await });
        let removed = timeout(REMOVE_MAX, removing).await;
        // What was kept is done sooner or later, whatever was in its way just now.
        let kept = knew && !self.lists(by, number)?;
        let removed = matches!(removed, Ok(Ok(()))) || kept;
        let (by, name) = (self.name(by), self.name(gone));
        self.trace.note(format_args!("{by} removes {name}: {removed}"));
        if removed {
            self.device(gone)?.removed = true;
            let known = self.known_to_all(person)?;
            self.chronicle.part(gone, &known);
            self.chronicle.leave(gone);
        }
        Ok(())
    }

    /// Whether a device of somebody is on his list, as another knows it.
    fn lists(&mut self, by: Author, number: u32) -> anyhow::Result<bool> {
        let listed = self.device(by)?.home.with(|engine| engine.devices()).transpose()?.unwrap_or_default();
        Ok(listed.iter().any(|device| device.number == number))
    }

    /// The messages that all present devices of a person have.
    fn known_to_all(&mut self, person: usize) -> anyhow::Result<BTreeSet<usize>> {
        let mut known: Option<BTreeSet<usize>> = None;
        let accounts: Vec<_> = self.people.iter().map(|person| person.account.clone()).collect();
        for device in self.person(person)?.present().collect::<Vec<_>>() {
            let mut has = BTreeSet::new();
            for account in &accounts {
                let texts = self.device((person, device))?.history(account).unwrap_or_default();
                has.extend(texts.iter().filter_map(|(text, _)| self.chronicle.line(text)).map(|(number, _)| number));
            }
            known = Some(known.map_or(has.clone(), |known| known.intersection(&has).copied().collect()));
        }
        Ok(known.unwrap_or_default())
    }

    /// Somebody loses all his devices, at a quiet moment, and begins anew with his words.
    pub(super) async fn lose_all(&mut self, person: usize) -> anyhow::Result<()> {
        let fresh = self.person(person)?.devices.len() < DEVICES_EVER_MAX;
        if !fresh || self.deceitful || self.rng.random_bool(0.5) {
            return Ok(());
        }
        self.mend().await?;
        self.settle(Self::together).await?;
        let next = self.chronicle.len();
        // Somebody may be invited as late as this.
        let settled = move |world: &mut Self| world.together().and_then(|()| world.settled(next));
        self.settle(settled).await?;
        for device in self.person(person)?.present().collect::<Vec<_>>() {
            if let Some(engine) = self.device((person, device))?.home.engine().cloned() {
                engine.sync().await?;
            }
            self.show((person, device))?;
            self.kill((person, device)).await;
            self.device((person, device))?.lost = true;
            self.chronicle.leave((person, device));
        }
        let home = self.make_home().await?;
        let (service, words) = (self.service.link(), self.person(person)?.words.clone());
        let engine = home.engine().context("no engine")?;
        engine.recover(&service, &words, "Again").await.context("the words bring nothing back")?;
        let devices = &mut self.people.get_mut(person).context("no such person")?.devices;
        devices.push(Device { recovered: true, ..Device::new(home)? });
        let name = self.person(person)?.name;
        self.trace.note(format_args!("{name} has lost all devices and begins anew"));
        self.weather.set_storm(true);
        Ok(())
    }
}

/// The two devices and their person, who compares the codes and says yes twice.
pub async fn linked(old: &Engine, new: &Engine) -> anyhow::Result<()> {
    let mut offer = old.link_offer().await?;
    let text = offer.text();
    let (code, other) = tokio::join!(offer.code(), async {
        let mut request = new.link(&text).await?;
        request.code().await.map(|code| (request, code))
    });
    let (code, (request, other)) = (code?, other?);
    ensure!(code == other, "two codes");
    let (number, me) = tokio::join!(offer.confirm(), request.confirm());
    if number? != me?.device {
        bail!("two numbers");
    }
    Ok(())
}
