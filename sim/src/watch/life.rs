//! A watched world is lived: real engines talk through the service that records, on simulated time.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use tempfile::TempDir;
use tokio::{
    runtime::Builder,
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep_until},
};
use undertone_client::{Config, Engine, Pace, Rungs};
use undertone_wire::AccountId;

use super::{
    cast::{self, HOUR, MINUTE, Person, SECOND, Scale, Tie, exponential},
    record::Record,
    service::Service,
    stored,
    truth::Truth,
};
use crate::world::time::Time;

/// Messages of one conversation, at most, and at least.
const CONVERSATION: std::ops::RangeInclusive<usize> = 3..=14;
/// Characters of a message: most are short.
const SHORT_CHARS: std::ops::Range<usize> = 5..160;
const LONG_CHARS: std::ops::Range<usize> = 160..3_000;

/// What came of a world: the record, and apart from it who was who.
pub struct Lived {
    /// What the service has.
    pub record: Record,
    /// What it does not have.
    pub truth: Truth,
    /// Messages that people have written.
    pub messages: usize,
}

/// Lives a world on this thread.
///
/// # Errors
/// When somebody cannot get an account or loses a message.
pub fn live(seed: u64, scale: &Scale, pace: &Pace) -> anyhow::Result<Lived> {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build()?;
    let (mut record, truth, messages) = runtime.block_on(async {
        let mut life = Life::new(seed, scale, pace);
        life.live().await?;
        life.end().await
    })?;
    drop(runtime);
    record.stored = stored::Stored::of(seed, &record)?;
    Ok(Lived { record, truth, messages })
}

/// One step of the world, due at its time.
#[derive(Clone, Copy)]
enum Act {
    Join(usize),
    Connect(usize),
    Disconnect(usize),
    /// Somebody looks whether strangers have written, until a time.
    Look(usize, u64),
    /// The first message of a tie.
    Begin(usize),
    /// Two begin to talk.
    Talk(usize),
    /// In a tie one of the two says something, and so many messages are to come.
    Say(usize, usize, usize),
    /// The service does its hourly work.
    Expire,
}

struct Life {
    rng: ChaCha20Rng,
    began: Instant,
    time: Arc<Time>,
    service: Service,
    pace: Pace,
    scale: Scale,
    people: Vec<Person>,
    homes: Vec<Option<Home>>,
    ties: Vec<Tie>,
    /// Ordered by time, and by when they were planned.
    acts: BTreeMap<(u64, u64), Act>,
    planned: u64,
    sends: JoinSet<bool>,
    messages: usize,
    folders: Option<PathBuf>,
}

/// Somebody's device.
struct Home {
    engine: Engine,
    driver: Option<JoinHandle<()>>,
    account: AccountId,
    link: String,
    _folder: TempDir,
}

impl Life {
    fn new(seed: u64, scale: &Scale, pace: &Pace) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let time = Time::new(0);
        let service = Service::new(seed, &time, ChaCha20Rng::from_rng(&mut rng));
        let people = cast::people(scale, &mut rng);
        let ties = cast::ties(scale, &people, &mut rng);
        // In memory where the system has such a place: nobody's disk loses its power here.
        let memory = Path::new("/dev/shm");
        let mut life = Self {
            rng,
            began: Instant::now(),
            time,
            service,
            pace: pace.clone(),
            scale: *scale,
            homes: people.iter().map(|_| None).collect(),
            people,
            ties,
            acts: BTreeMap::new(),
            planned: 0,
            sends: JoinSet::new(),
            messages: 0,
            folders: memory.is_dir().then(|| memory.to_owned()),
        };
        life.plan_all();
        life
    }

    fn plan_all(&mut self) {
        let mut plans = vec![(HOUR, Act::Expire)];
        for (number, person) in self.people.iter().enumerate() {
            plans.push((person.joins, Act::Join(number)));
            for stretch in &person.connected {
                plans.push((stretch.from + 1, Act::Connect(number)));
                plans.push((stretch.until, Act::Disconnect(number)));
            }
            let looks = person.present.iter().map(|stretch| (stretch.from + MINUTE, Act::Look(number, stretch.until)));
            plans.extend(looks);
        }
        plans.extend(self.ties.iter().enumerate().map(|(number, tie)| (tie.begins, Act::Begin(number))));
        plans.into_iter().for_each(|(at, act)| self.plan(at, act));
    }

    fn plan(&mut self, at: u64, act: Act) {
        self.planned += 1;
        self.acts.insert((at, self.planned), act);
    }

    async fn live(&mut self) -> anyhow::Result<()> {
        let end = self.scale.days * cast::DAY;
        while let Some(((at, _), act)) = self.acts.pop_first() {
            if at >= end {
                break;
            }
            sleep_until(self.began + Duration::from_millis(at)).await;
            self.act(at, act).await?;
            while let Some(sent) = self.sends.try_join_next() {
                ensure!(sent?, "somebody could not send");
            }
        }
        Ok(())
    }

    async fn act(&mut self, at: u64, act: Act) -> anyhow::Result<()> {
        match act {
            Act::Join(person) => self.join(person).await?,
            Act::Connect(person) => {
                if let Some(Some(home)) = self.homes.get_mut(person) {
                    let engine = home.engine.clone();
                    home.driver = Some(tokio::spawn(async move { engine.run().await }));
                }
            }
            Act::Disconnect(person) => {
                if let Some(driver) =
                    self.homes.get_mut(person).and_then(Option::as_mut).and_then(|home| home.driver.take())
                {
                    driver.abort();
                    let _ = driver.await;
                }
            }
            Act::Look(person, until) => self.look(at, person, until)?,
            Act::Begin(tie) => self.begin(at, tie),
            Act::Talk(tie) => self.talk(at, tie),
            Act::Say(tie, by, left) => self.say(at, tie, by, left),
            Act::Expire => {
                self.service.expire().await?;
                self.plan(at + HOUR, Act::Expire);
            }
        }
        Ok(())
    }

    async fn join(&mut self, person: usize) -> anyhow::Result<()> {
        let folder = self.folders.as_deref().map_or_else(tempfile::tempdir, tempfile::tempdir_in)?;
        let way = self.service.way_from(u32::try_from(person)?);
        let config = Config {
            folder: folder.path().to_owned(),
            passphrase: None,
            pace: self.pace.clone(),
            clock: self.time.clone(),
            dialer_for: Arc::new(move |_| way.clone()),
            rng: Box::new(ChaCha20Rng::from_rng(&mut self.rng)),
            rungs: Rungs::of_this_release(),
        };
        let engine = Engine::open(config)?;
        let me = engine.register(&self.service.link(), None, &format!("Person {person}")).await?.me;
        let account = AccountId::from_hex(&me.account)?;
        let home = Home { engine, driver: None, account, link: me.link, _folder: folder };
        *self.homes.get_mut(person).context("no such person")? = Some(home);
        Ok(())
    }

    /// Takes a while to answer strangers, and does it in his own time.
    fn look(&mut self, at: u64, person: usize, until: u64) -> anyhow::Result<()> {
        let Some(Some(home)) = self.homes.get(person) else { return Ok(()) };
        let mut accepted = Vec::new();
        for request in home.engine.requests()? {
            if self.rng.random_bool(0.6) {
                home.engine.accept(&request.account)?;
                accepted.push(AccountId::from_hex(&request.account)?);
            }
        }
        for account in accepted {
            let other = self.homes.iter().position(|home| home.as_ref().is_some_and(|home| home.account == account));
            let tie = self.ties.iter().position(|tie| tie.other == person && Some(tie.one) == other);
            if let Some(tie) = tie {
                let later = at + self.rng.random_range(10 * SECOND..5 * MINUTE);
                self.plan(later, Act::Talk(tie));
            }
        }
        let later = at + self.rng.random_range(MINUTE..6 * MINUTE);
        if later < until {
            self.plan(later, Act::Look(person, until));
        }
        Ok(())
    }

    fn begin(&mut self, at: u64, number: usize) {
        let Some(tie) = self.ties.get(number).copied() else { return };
        match self.now_or_later(at, tie.one) {
            Ok(()) if self.write(tie.one, tie.other, true) => self.spend(number, 1),
            Ok(()) => self.plan(at + HOUR, Act::Begin(number)),
            Err(later) => self.plan(later, Act::Begin(number)),
        }
    }

    fn talk(&mut self, at: u64, number: usize) {
        let Some(tie) = self.ties.get(number).copied().filter(|tie| tie.messages > 0) else { return };
        let messages = self.rng.random_range(CONVERSATION).min(tie.messages);
        self.spend(number, messages);
        let by = if self.rng.random_bool(0.5) { tie.one } else { tie.other };
        self.say(at, number, by, messages);
    }

    /// One of the two says one or two things, and who speaks next is open.
    fn say(&mut self, at: u64, number: usize, by: usize, left: usize) {
        let Some(tie) = self.ties.get(number).copied() else { return };
        let to = if by == tie.one { tie.other } else { tie.one };
        if let Err(later) = self.now_or_later(at, by) {
            return self.plan(later, Act::Say(number, by, left));
        }
        self.write(by, to, false);
        match left.saturating_sub(1) {
            0 => {
                // What is left to say is spread over what is left of the time.
                let end = self.scale.days * cast::DAY;
                let conversations = (tie.messages / 8 + 1) as f64;
                let gap = end.saturating_sub(at) as f64 / conversations * exponential(&mut self.rng);
                self.plan(at + gap as u64, Act::Talk(number));
            }
            left => {
                let by = if self.rng.random_bool(0.7) { to } else { by };
                let pause = self.rng.random_range(4 * SECOND..90 * SECOND);
                self.plan(at + pause, Act::Say(number, by, left));
            }
        }
    }

    /// Err: he is there only later, and takes a moment then.
    fn now_or_later(&mut self, at: u64, person: usize) -> Result<(), u64> {
        let next = self.people.get(person).and_then(|person| person.next_present(at));
        match next {
            Some(next) if next == at => Ok(()),
            Some(next) => Err(next + self.rng.random_range(20 * SECOND..6 * MINUTE)),
            None => Err(u64::MAX),
        }
    }

    fn spend(&mut self, tie: usize, messages: usize) {
        if let Some(tie) = self.ties.get_mut(tie) {
            tie.messages = tie.messages.saturating_sub(messages);
        }
    }

    /// False: one of them is not there yet.
    fn write(&mut self, by: usize, to: usize, first: bool) -> bool {
        let (Some(Some(home)), Some(Some(other))) = (self.homes.get(by), self.homes.get(to)) else { return false };
        let who = if first { other.link.clone() } else { other.account.to_hex() };
        let chars = if self.rng.random_bool(0.9) { SHORT_CHARS } else { LONG_CHARS };
        let (engine, text) = (home.engine.clone(), "x".repeat(self.rng.random_range(chars)));
        self.sends.spawn(async move { engine.send(&who, &text).await.is_ok() });
        self.messages += 1;
        true
    }

    async fn end(mut self) -> anyhow::Result<(Record, Truth, usize)> {
        for home in self.homes.iter_mut().flatten() {
            if let Some(driver) = home.driver.take() {
                driver.abort();
                let _ = driver.await;
            }
        }
        self.sends.shutdown().await;
        let accounts: Vec<_> = self.homes.iter().map(|home| home.as_ref().map(|home| home.account)).collect();
        let record = self.service.end().await;
        let truth = Truth::of(&record, &accounts);
        Ok((record, truth, self.messages))
    }
}
