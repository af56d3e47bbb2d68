//! What people do in a world, and what is done to them.

use anyhow::{Context as _, bail, ensure};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

use super::{
    chronicle::{Author, Judgement, Place},
    home::is_disk,
    life::World,
    person::Person,
    time::DAY_MS,
};

/// Days that all sleep in one life, at most: so few that nothing expires that somebody has not read.
const SLEEP_DAYS_MAX: i64 = 12;
/// Bytes that a file may have on a full disk, at most.
const FULL_BYTES_MAX: u64 = 400_000;

impl World {
    pub(super) async fn somebody_writes(&mut self, by: Author) -> anyhow::Result<()> {
        let people = self.people.len();
        let to = match self.sort.groups {
            // Many talk in groups, and each with few besides.
            true => (by.0 + self.rng.random_range(0..2)) % people,
            false => self.rng.random_range(0..people),
        };
        for _ in 0..self.rng.random_range(1..4) {
            self.write(by, to).await?;
        }
        Ok(())
    }

    /// Writes one message, if one may.
    pub(super) async fn write(&mut self, by: Author, to: usize) -> anyhow::Result<bool> {
        let Person { account, link, .. } = self.person(to)?;
        let (account, link) = (account.clone(), link.clone());
        let device = self.device(by)?;
        let state = device.state(&account);
        if device.home.engine().is_none() || state == "request" {
            return Ok(false);
        }
        let to_whom = if state == "none" { link } else { account };
        let filler =
            if self.rng.random_bool(0.1) { self.rng.random_range(0..5_000) } else { self.rng.random_range(0..90) };
        let pair = (by.0.min(to), by.0.max(to));
        let (number, text) = self.chronicle.begin(by, pair.into(), filler);
        let fate = self.device(by)?.home.write(number, &to_whom, &text).await?;
        self.chronicle.note([(number, fate)]);
        let (by, to) = (self.name(by), self.person(to)?.name);
        self.trace.note(format_args!("{by} writes message {number} to {to}: {fate}"));
        Ok(true)
    }

    pub(super) fn show(&mut self, of: Author) -> anyhow::Result<()> {
        let accounts: Vec<_> = self.people.iter().map(|person| person.account.clone()).collect();
        let only = self.person(of.0)?.devices.len() == 1;
        let judgement = if only && !self.deceitful { Judgement::Honest } else { Judgement::Partial };
        let name = self.name(of);
        let Self { people, chronicle, trace, .. } = self;
        let device = people.get_mut(of.0).and_then(|person| person.devices.get_mut(of.1)).context("no such device")?;
        chronicle.note(device.home.fates());
        for message in device.home.show()? {
            let line = message.body.as_deref().and_then(|text| chronicle.line(text));
            trace.note(format_args!("{name} is shown message {:?}", line.map(|(number, _)| number)));
            let by = line.and_then(|(_, line)| accounts.get(line.by.0));
            ensure!(by.is_none_or(|by| *by == message.from), "{name} is shown a message as somebody else's");
            let judgement = match line {
                // Who comes into a group hears what is said from then on.
                Some((_, line)) if matches!(line.place, Place::Group(_)) => Judgement::Partial,
                _ => judgement,
            };
            chronicle.judge(&mut device.shown, &message, judgement).with_context(|| name.clone())?;
        }
        Ok(())
    }

    pub(super) async fn kill(&mut self, of: Author) {
        let name = self.name(of);
        self.trace.note(format_args!("{name} is killed"));
        if let Ok(device) = self.device(of) {
            let fates = device.home.kill().await;
            self.chronicle.note(fates);
        }
    }

    pub(super) fn everybody_starts(&mut self) -> anyhow::Result<()> {
        for of in self.homes() {
            let device = self.device(of)?;
            if device.home.engine().is_none() {
                let started = device.home.start();
                let name = self.name(of);
                self.trace.note(format_args!("{name} starts: {}", started.is_ok()));
                if let Err(error) = started.as_ref()
                    && !is_disk(error)
                {
                    bail!("{name} does not start: {error}");
                }
            }
        }
        Ok(())
    }

    pub(super) fn accept_all(&mut self) -> anyhow::Result<()> {
        for of in self.authors() {
            let device = self.device(of)?;
            let Some(requests) = device.home.with(|engine| engine.requests()).transpose()? else { continue };
            for request in requests {
                let accepted = device.home.with(|engine| engine.accept(&request.account));
                if let Some(Err(error)) = accepted
                    && !is_disk(&error)
                {
                    bail!("a request cannot be accepted: {error}");
                }
            }
        }
        Ok(())
    }

    pub(super) fn fill_disk(&mut self, of: Author) {
        let full = self.rng.random_bool(0.6);
        let file_bytes_max = self.rng.random_range(0..FULL_BYTES_MAX);
        let name = self.name(of);
        self.trace.note(format_args!("{name}: {}", if full { "disk full" } else { "disk has room" }));
        if let Ok(device) = self.device(of) {
            if full { device.home.disk.fill(file_bytes_max) } else { device.home.disk.clear() }
        }
    }

    pub(super) fn set_watch(&mut self, of: Author) {
        let most = if self.rng.random_bool(0.2) { 40 * DAY_MS } else { DAY_MS / 2 };
        let off_ms = if self.rng.random_bool(0.4) { 0 } else { self.rng.random_range(-most..most) };
        let name = self.name(of);
        self.trace.note(format_args!("{name}: clock off by {off_ms} ms"));
        if let Ok(device) = self.device(of) {
            device.home.watch.set_off(off_ms);
        }
    }

    pub(super) fn sleep(&mut self) {
        let ms = self.rng.random_range(0..4 * DAY_MS).min(SLEEP_DAYS_MAX * DAY_MS - self.slept_ms);
        self.slept_ms += ms;
        self.trace.note(format_args!("all sleep for {ms} ms"));
        self.time.sleep(ms);
    }

    pub(super) async fn cheat(&mut self, person: usize, device: usize) {
        let rng = ChaCha20Rng::from_rng(&mut self.rng);
        let door = self.device((person, device)).map(|device| device.home.door).unwrap_or_default();
        self.deceived.insert(person);
        let name = self.name((person, device));
        self.trace.note(format_args!("the service lies to {name}"));
        if let Some(hand) = self.service.hand(door) {
            hand.cheat.begin(rng);
        }
    }

    /// The program of one device begins to write what it should not.
    pub(super) fn spoil(&mut self, of: Author) {
        let rng = ChaCha20Rng::from_rng(&mut self.rng);
        let door = self.device(of).map(|device| device.home.door).unwrap_or_default();
        let name = self.name(of);
        self.trace.note(format_args!("{name} spoils"));
        if let Some(hand) = self.service.hand(door) {
            hand.spoiler.begin(rng);
        }
    }

    /// The service shows two histories, or one again.
    pub(super) async fn part(&mut self) {
        self.service.kill().await;
        let parted = self.service.channels().1.is_some();
        if parted {
            self.rejoin();
        } else {
            let person = self.rng.random_range(0..self.people.len());
            let devices = self.people.get(person).into_iter().flat_map(|person| &person.devices);
            let doors: Vec<_> = devices.map(|device| device.home.door).collect();
            self.deceived.insert(person);
            let name = self.name((person, 0));
            self.trace.note(format_args!("the service begins another history for {name}"));
            self.service.part(&doors);
        }
    }

    pub(super) fn rejoin(&mut self) {
        if self.service.channels().1.is_some() {
            let others = self.service.rejoin(&mut self.rng);
            self.trace.note(format_args!("the service shows one history again; the other: {others}"));
            if others {
                self.deceived.extend(0..self.people.len());
            }
        }
    }
}
