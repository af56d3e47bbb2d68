//! One world: made from its seed, lived step by step, and held to what must be true of it.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use serde::{Deserialize, Serialize};
use tokio::{task::yield_now, time::sleep};
use undertone_client::{Delay, Pace, Registered};

use super::{
    Sort,
    chronicle::{Author, Chronicle, Pair},
    ground::Ground,
    groups::Group,
    home::Home,
    panics,
    person::{Device, NAMES, Person},
    service::Service,
    time::{DAY_MS, Time},
    trace::Trace,
    weather::Weather,
};

/// Steps of a life, at most.
const STEPS_MAX: u32 = 70;
/// The same where there are groups.
const STEPS_GROUPS_MAX: u32 = 140;
/// Turns that others get between two steps, at most.
const TURNS_MAX: u32 = 60;
/// So much longer they are at most where there are groups.
const GROUP_PAUSES: u64 = 6;
/// One of so many honest worlds has members who are not.
const SPOILT: u64 = 5;
const SPOILT_GROUPS: u64 = 2;

/// What one seed came to.
#[derive(Clone, Serialize, Deserialize)]
pub struct Life {
    /// Steps that were taken.
    pub steps: u32,
    /// Messages that were written.
    pub messages: usize,
    /// Connections that were tried.
    pub connections: u64,
    /// The same whenever this seed is lived again.
    pub mark: u64,
}

/// A world of one seed.
pub struct World {
    pub(super) rng: ChaCha20Rng,
    pub(super) time: Arc<Time>,
    pub(super) weather: Arc<Weather>,
    pub(super) service: Service,
    pub(super) sort: Sort,
    pub(super) people: Vec<Person>,
    pub(super) groups: Vec<Group>,
    /// What was done in groups so far.
    pub(super) deeds: u64,
    pub(super) chronicle: Chronicle,
    pub(super) trace: Trace,
    ground: Arc<Ground>,
    pace: Pace,
    /// Milliseconds between two steps, at most. What must come to pass does so within some thousand times as much.
    pub(super) pause_ms_max: u64,
    pub(super) slept_ms: i64,
    /// Whether its service cheats now and then.
    pub(super) deceitful: bool,
    /// People to whom the service has lied: what concerns them may come to a stop, and nothing worse.
    pub(super) deceived: BTreeSet<usize>,
    /// Whether people have several devices.
    several: bool,
    /// Whether some write what they should not.
    spoilt: bool,
}

impl World {
    /// Everybody has an account, and nobody knows anybody. Homes stand on `ground`.
    ///
    /// # Errors
    /// When an account cannot be made.
    pub async fn new(seed: u64, sort: Sort, ground: &Arc<Ground>, printed: bool) -> anyhow::Result<Self> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let time = Time::new(rng.random_range(0..DAY_MS));
        let weather = Weather::new(ChaCha20Rng::from_rng(&mut rng));
        let service = Service::new(&time, ChaCha20Rng::from_rng(&mut rng));
        let (pace, pause_ms_max) = pace(&mut rng);
        let deceitful = rng.random_bool(0.3);
        let several = rng.random_bool(0.5) && !sort.alone;
        let people = match sort.groups {
            true if several => rng.random_range(2..=3),
            true => rng.random_range(2..=NAMES.len()),
            false if rng.random_bool(0.6) => 2,
            false => 3,
        };
        let mut world = Self {
            rng,
            trace: Trace::new(printed),
            time,
            weather,
            service,
            sort,
            people: Vec::new(),
            groups: Vec::new(),
            deeds: 0,
            chronicle: Chronicle::default(),
            ground: ground.clone(),
            pace,
            pause_ms_max,
            slept_ms: 0,
            deceitful,
            deceived: BTreeSet::new(),
            several,
            // Not drawn: what is drawn for all other worlds is to stay the same.
            spoilt: !deceitful && !sort.alone && seed.is_multiple_of(if sort.groups { SPOILT_GROUPS } else { SPOILT }),
        };
        world.service.start().await;
        for name in NAMES.into_iter().take(people) {
            let person = world.register(name).await?;
            world.people.push(person);
        }
        Ok(world)
    }

    async fn register(&mut self, name: &'static str) -> anyhow::Result<Person> {
        let home = self.make_home().await?;
        let engine = home.engine().context("no engine")?;
        let Registered { words, me } = engine.register(&self.service.link(), None, name).await?;
        self.trace.note(format_args!("{name} has an account"));
        Ok(Person { name, account: me.account, link: me.link, words, devices: vec![Device::new(home)?] })
    }

    /// A home without an account, that runs.
    pub(super) async fn make_home(&mut self) -> anyhow::Result<Home> {
        let (door, way) = self.service.make_door();
        let rng = ChaCha20Rng::from_rng(&mut self.rng);
        let way = (door, self.weather.over(way));
        let mut home = Home::new(self.ground.home()?, &self.time, self.pace.clone(), way, rng);
        home.start()?;
        Ok(home)
    }

    /// Lives to its end.
    ///
    /// # Errors
    /// What was not as it must be.
    pub async fn live(mut self) -> anyhow::Result<Life> {
        if self.sort.groups {
            self.begin_with_a_group().await?;
        }
        self.weather.set_storm(true);
        let steps_max = if self.sort.groups { STEPS_GROUPS_MAX } else { STEPS_MAX };
        let steps = self.rng.random_range(steps_max / 3..=steps_max);
        for _ in 0..steps {
            self.step().await?;
            self.check()?;
            self.pass_time().await;
        }
        self.end().await?;
        let (messages, connections) = (self.chronicle.len(), self.weather.connections());
        self.trace.note(format_args!("{messages} messages, {connections} connections"));
        Ok(Life { steps, messages, connections, mark: self.trace.mark() })
    }

    async fn step(&mut self) -> anyhow::Result<()> {
        let (person, device) = self.anybody();
        let acts = if self.sort.groups { 65 } else { 25 };
        match self.rng.random_range(0..acts) {
            0..=8 => self.somebody_writes((person, device)).await?,
            9..=11 => self.show((person, device))?,
            12 => self.kill((person, device)).await,
            13 => {
                self.trace.note("the service is killed");
                self.service.kill().await;
            }
            14 => {
                self.trace.note("the service goes away");
                self.service.go_away();
            }
            15 => {
                self.trace.note("all connections break");
                self.weather.strike();
            }
            16 => {
                let busy = self.rng.random_bool(0.5);
                self.trace.note(format_args!("the service is {}", if busy { "busy" } else { "idle" }));
                self.service.mood.set_busy(busy);
            }
            17 => self.fill_disk((person, device)),
            18 => self.set_watch((person, device)),
            19 => self.sleep(),
            20 if self.deceitful => self.cheat(person, device).await,
            20 | 21 if self.spoilt => self.spoil((person, device)),
            21 if self.deceitful => self.part().await,
            22 if self.several => self.link(person).await?,
            23 if self.several => self.remove(person).await?,
            24 if self.several => self.lose_all(person).await?,
            25.. => self.group_act((person, device)).await?,
            _ => {}
        }
        if self.rng.random_bool(0.5) {
            self.accept_all()?;
        }
        if self.rng.random_bool(0.4) {
            self.everybody_starts()?;
        }
        if !self.service.is_there() || self.rng.random_bool(0.1) {
            self.trace.note("the service starts");
            self.service.start().await;
        }
        Ok(())
    }

    async fn pass_time(&mut self) {
        if self.rng.random_bool(0.5) {
            // Many need longer to agree on something.
            let longer = if self.sort.groups { GROUP_PAUSES } else { 1 };
            let ms = self.rng.random_range(0..self.pause_ms_max * longer);
            sleep(Duration::from_millis(ms)).await;
        }
        for _ in 0..self.rng.random_range(0..TURNS_MAX) {
            yield_now().await;
        }
    }

    /// One of all devices that are there.
    fn anybody(&mut self) -> Author {
        let authors = self.authors();
        let at = self.rng.random_range(0..authors.len().max(1));
        authors.get(at).copied().unwrap_or_default()
    }

    pub(super) fn device(&mut self, (person, device): Author) -> anyhow::Result<&mut Device> {
        self.people.get_mut(person).and_then(|person| person.devices.get_mut(device)).context("no such device")
    }

    pub(super) fn person(&self, person: usize) -> anyhow::Result<&Person> {
        self.people.get(person).context("no such person")
    }

    pub(super) fn name(&self, (person, device): Author) -> String {
        self.people.get(person).map_or_else(String::new, |person| format!("{}/{device}", person.name))
    }

    /// Everybody's devices, but for those that were removed.
    pub(super) fn authors(&self) -> Vec<Author> {
        let people = self.people.iter().enumerate();
        people.flat_map(|(number, person)| person.present().map(move |device| (number, device))).collect()
    }

    /// Those too that were removed: they still run.
    pub(super) fn homes(&self) -> Vec<Author> {
        let mut homes = Vec::new();
        for (number, person) in self.people.iter().enumerate() {
            let devices = person.devices.iter().enumerate().filter(|(_, device)| !device.lost);
            homes.extend(devices.map(|(device, _)| (number, device)));
        }
        homes
    }

    /// All chats that there can be, notes to oneself among them.
    pub(super) fn pairs(&self) -> Vec<Pair> {
        (0..self.people.len()).flat_map(|one| (0..=one).map(move |other| (other, one))).collect()
    }

    /// What holds at any moment.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        ensure!(panics::COUNT.load(Ordering::Relaxed) == 0, "something has panicked");
        for of in self.homes() {
            let device = self.device(of)?;
            ensure!(device.home.is_well(), "a driver ended by itself");
            let fates = device.home.fates();
            self.chronicle.note(fates);
        }
        self.look_at_groups()?;
        let connections = self.weather.connections();
        let acknowledged = self.chronicle.acknowledged();
        self.trace.note(format_args!("{connections} connections, {acknowledged} acknowledged"));
        Ok(())
    }
}

/// How much time people leave between what they do, and how long pauses are.
fn pace(rng: &mut ChaCha20Rng) -> (Pace, u64) {
    if rng.random_bool(0.15) {
        // Who asks for his way back waits a day at most, and a world has not so long.
        return (Pace { ask: Delay::ms(60_000, 600_000), ..Pace::normal() }, 10_000);
    }
    let retry = Delay::ms(2, 50);
    let self_update_ms = if rng.random_bool(0.5) { rng.random_range(1..200) } else { rng.random_range(200..20_000) };
    let (inbox, ask) = (Delay::ms(200, 2_000), Delay::ms(500, 5_000));
    // A world lives some of its days at most: batches of tokens that nobody needs would be much of its work.
    let tokens = Delay::ms(2 * DAY_MS.unsigned_abs(), 8 * DAY_MS.unsigned_abs());
    let channel_circuits = rng.random_range(1..3);
    (Pace { retry, inbox, ask, tokens, self_update_ms, channel_circuits, ..Pace::eager() }, 50)
}
