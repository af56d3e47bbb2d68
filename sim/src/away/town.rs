//! Somebody with several devices, her friends, and the service, on simulated time: a world in which nothing fails.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use undertone_client::{Engine, Pace, Registered};
use zeroize::Zeroizing;

use super::cost::{Cost, Stopwatch};
use crate::{
    meter::Meter,
    world::{
        devices::linked,
        home::Home,
        service::Service,
        time::{DAY_MS, Time},
    },
};

/// What comes to pass at all does so within this time, with every delay that the pace has.
const PATIENCE: Duration = Duration::from_secs(6 * 3600);
/// Nothing more is to come when nothing has come for so long.
const QUIET_S: u32 = 30;
/// The length of every text.
pub const TEXT_BYTES: usize = 64;

/// A device.
pub struct Device {
    /// Its home, and its process.
    pub home: Home,
    /// What goes over its line.
    pub meter: Arc<Meter>,
    /// Where its home stands, if that is a disk.
    disk: Option<TempDir>,
}

impl Device {
    /// Its engine.
    ///
    /// # Errors
    /// When its process does not run.
    pub fn engine(&self) -> anyhow::Result<&Engine> {
        self.home.engine().context("a device that was to run does not")
    }

    /// Ends its process.
    pub async fn stop(&mut self) {
        self.home.kill().await;
    }

    /// The length of all files of its home.
    pub fn disk_bytes(&self) -> anyhow::Result<u64> {
        length(self.disk.as_ref().context("a home in memory")?.path())
    }
}

/// A friend.
pub struct Friend {
    /// Account id, hexadecimal.
    pub account: String,
    /// The one that he has.
    pub device: Device,
    /// The last text of the chat with her.
    last: String,
}

/// She, her friends and their service.
pub struct Town {
    time: Arc<Time>,
    service: Service,
    rng: ChaCha20Rng,
    /// Where homes on disks stand.
    beside: PathBuf,
    account: String,
    link: String,
    words: Zeroizing<String>,
    rounds: usize,
    written: u32,
    /// Her phone, which is always at hand.
    pub phone: Device,
    /// Her friends.
    pub friends: Vec<Friend>,
}

/// Who writes.
pub enum By<'a> {
    /// The friend.
    Friend,
    /// She, on her phone.
    Phone,
    /// She, on another device.
    Device(&'a Device),
}

impl Town {
    /// She and so many friends, who do not know each other yet. Homes on disks stand in `beside`; that of her phone, and of
    /// her friends, are `on_disk` or in memory.
    pub async fn new(friends_count: u32, seed: u64, beside: &Path, on_disk: bool) -> anyhow::Result<Self> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let time = Time::new(DAY_MS / 2);
        let mut service = Service::new(&time, ChaCha20Rng::from_rng(&mut rng));
        service.start().await;
        let phone = device(&mut service, &time, &mut rng, on_disk.then_some(beside))?;
        let Registered { words, me } = phone.engine()?.register(&service.link(), None, "She").await?;
        let mut friends = Vec::new();
        for number in 0..friends_count {
            let device = device(&mut service, &time, &mut rng, on_disk.then_some(beside))?;
            let name = format!("Friend {number}");
            let account = device.engine()?.register(&service.link(), None, &name).await?.me.account;
            friends.push(Friend { account, device, last: String::new() });
        }
        let (beside, account, link) = (beside.to_owned(), me.account, me.link);
        Ok(Self { time, service, rng, beside, account, link, words, rounds: 0, written: 0, phone, friends })
    }

    /// A device of nobody, with its home on a disk.
    pub fn make_device(&mut self) -> anyhow::Result<Device> {
        device(&mut self.service, &self.time, &mut self.rng, Some(&self.beside))
    }

    /// One more device of hers. Its number is returned with it.
    pub async fn link(&mut self) -> anyhow::Result<(Device, u32)> {
        let device = self.make_device()?;
        linked(self.phone.engine()?, device.engine()?).await?;
        let number = device.engine()?.whoami()?.device;
        Ok((device, number))
    }

    /// She has lost everything but her words.
    pub async fn recover(&self, device: &Device) -> anyhow::Result<()> {
        device.engine()?.recover(&self.service.link(), &self.words, "She").await?;
        Ok(())
    }

    /// She takes a device off her list.
    pub async fn remove(&self, by: &Device, number: u32) -> anyhow::Result<()> {
        Ok(by.engine()?.remove_device(number, &self.words).await?)
    }

    /// All friends write to her, and she answers.
    pub async fn meet(&mut self) -> anyhow::Result<()> {
        for friend in &self.friends {
            friend.device.engine()?.send(&self.link, "hello").await?;
        }
        let engine = self.phone.engine()?.clone();
        engine.sync().await?;
        let all = self.friends.len();
        until("friends to be heard", || Ok(engine.requests()?.len() == all)).await?;
        for friend in &self.friends {
            engine.accept(&friend.account)?;
        }
        until("friends to be met", || self.is_in_all(&self.phone)).await?;
        for _ in 0..2 {
            self.write_all().await?;
        }
        Ok(())
    }

    /// Whether a device can read and write in all chats.
    pub fn is_in_all(&self, device: &Device) -> anyhow::Result<bool> {
        let chats = device.engine()?.chats()?;
        let goes_on = |friend: &Friend| {
            chats.iter().any(|chat| chat.chat == friend.account && chat.state == "open" && chat.trouble.is_none())
        };
        Ok(self.friends.iter().all(goes_on))
    }

    /// Whether a friend has the last message of his chat with her.
    pub fn has_heard(&self, place: usize) -> anyhow::Result<bool> {
        let friend = self.friends.get(place).context("no such friend")?;
        let history = friend.device.engine()?.history(&self.account)?;
        Ok(history.last().and_then(|message| message.body.as_ref()) == Some(&friend.last))
    }

    /// How many messages a device has, of all chats.
    pub fn messages(&self, device: &Device) -> anyhow::Result<usize> {
        let mut messages = 0;
        for friend in &self.friends {
            messages += device.engine()?.history(&friend.account)?.len();
        }
        Ok(messages)
    }

    /// In every chat one message is written: in half of them by her, in the other half to her, and the next time the other
    /// way round.
    async fn write_all(&mut self) -> anyhow::Result<()> {
        self.rounds += 1;
        for place in 0..self.friends.len() {
            let by_friend = (place + self.rounds).is_multiple_of(2);
            self.write(place, if by_friend { By::Friend } else { By::Phone }).await?;
        }
        // What was pushed is taken in.
        sleep(Duration::from_secs(5)).await;
        self.phone.home.show()?;
        Ok(())
    }

    /// One message is written, in the chat with one friend.
    pub async fn write(&mut self, place: usize, by: By<'_>) -> anyhow::Result<()> {
        self.written += 1;
        let text = format!("{:0TEXT_BYTES$}", self.written);
        let friend = self.friends.get_mut(place).context("no such friend")?;
        let sent = match by {
            By::Friend => friend.device.engine()?.send(&self.account, &text).await?,
            By::Phone => self.phone.engine()?.send(&friend.account, &text).await?,
            By::Device(device) => device.engine()?.send(&friend.account, &text).await?,
        };
        if sent.queued {
            bail!("a message waits, and nothing is in its way");
        }
        friend.last = text;
        Ok(())
    }

    /// How many messages were written so far.
    pub fn written(&self) -> u32 {
        self.written
    }

    /// Days go by. On every `every`th of them people write, and their devices look into their inboxes.
    pub async fn live(&mut self, days: u32, every: u32) -> anyhow::Result<()> {
        for day in 1..=days {
            self.time.sleep(DAY_MS);
            if day.is_multiple_of(every) {
                self.phone.engine()?.sync().await?;
                for friend in &self.friends {
                    friend.device.engine()?.sync().await?;
                }
                self.write_all().await?;
            }
        }
        Ok(())
    }

    /// Ends their processes.
    pub async fn stop_friends(&mut self) {
        for friend in &mut self.friends {
            friend.device.stop().await;
        }
    }

    /// They start, and read what they have missed.
    pub async fn start_friends(&mut self) -> anyhow::Result<()> {
        for friend in &mut self.friends {
            friend.device.home.start()?;
            friend.device.engine()?.sync().await?;
        }
        Ok(())
    }
}

fn device(
    service: &mut Service,
    time: &Arc<Time>,
    rng: &mut ChaCha20Rng,
    beside: Option<&Path>,
) -> anyhow::Result<Device> {
    let meter = Arc::new(Meter::default());
    let (door, way) = service.make_door();
    let disk = beside.map(|beside| TempDir::with_prefix_in("sim-", beside)).transpose()?;
    let memory = Path::new("/dev/shm");
    let folder = disk.as_ref().map(TempDir::path).or_else(|| memory.is_dir().then_some(memory));
    let rng = ChaCha20Rng::from_rng(rng);
    let folder = folder.map_or_else(tempfile::tempdir, tempfile::tempdir_in)?;
    let mut home = Home::new(folder, time, Pace::normal(), (door, meter.over(way)), rng);
    home.start()?;
    Ok(Device { home, meter, disk })
}

/// Waits until something holds.
async fn until(what: &str, holds: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    wait(what, None, holds).await
}

/// The same while something is counted: looking is not.
pub async fn counted_until(
    watch: &mut Stopwatch,
    what: &str,
    holds: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    wait(what, Some(watch), holds).await
}

async fn wait(
    what: &str,
    mut watch: Option<&mut Stopwatch>,
    mut holds: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let held = match &mut watch {
            Some(watch) => watch.aside(&mut holds),
            None => holds(),
        };
        if held? {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            bail!("waited in vain for {what}");
        }
        // Seldom looked at when it takes long: to a twentieth of the time.
        sleep((begun.elapsed() / 20).max(Duration::from_secs(1))).await;
    }
}

/// Waits until a device has had nothing to note for a while, and returns what was counted when it last had.
pub async fn quiet(watch: &Stopwatch, device: &Device) -> anyhow::Result<Cost> {
    let changes = device.engine()?.changes();
    let (mut seen, mut silent_s, mut cost) = (*changes.borrow(), 0, watch.read(device)?);
    while silent_s < QUIET_S {
        sleep(Duration::from_secs(1)).await;
        let now = *changes.borrow();
        silent_s += 1;
        if now != seen {
            (seen, silent_s, cost) = (now, 0, watch.read(device)?);
        }
    }
    Ok(cost)
}

/// The length of all files in a folder.
pub fn length(path: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { length(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}
