//! What is measured: each act is done once, in a town where nothing else happens.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use serde::Serialize;
use tokio::time::sleep;

use super::{
    Args,
    cost::{Cost, Stopwatch},
    say,
    town::{By, Device, Town, counted_until, quiet},
};
use crate::world::devices::linked;

/// How long devices are away, in days, the longest first. All come back on the same day.
const AWAY_DAYS: [u32; 3] = [365, 30, 1];
/// Until the month before they come back people write once a week: whatever they wrote has expired when it is over.
const EVERY_DAYS: u32 = 7;
/// Messages by which one message, and one self-update, is measured.
const MESSAGES: u32 = 20;
/// Longer than the least time between two self-updates of a chat.
const UPDATES_APART: Duration = Duration::from_secs(11 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// A device that was away.
#[derive(Serialize)]
pub struct Comeback {
    /// For so many days.
    pub days: u32,
    /// Messages that were written meanwhile, in all chats.
    pub written: u32,
    /// Until it has the last message of every chat, and can write in every one.
    pub cost: Cost,
    /// Messages that it lacks then, of all that its person has.
    pub lacks: usize,
    /// And an hour later.
    pub lacks_later: usize,
}

/// All acts.
#[derive(Serialize)]
pub struct Acts {
    /// The shortest absence first.
    pub comebacks: Vec<Comeback>,
    /// Linking, for the new device: until it can write in every chat.
    pub link: Cost,
    /// What went over the line of the old one meanwhile.
    pub link_by: Cost,
    /// Removing a device, for the one that removes it: until nothing more comes of it.
    pub removal: Cost,
    /// A message after another of one's own.
    pub message: Cost,
    /// A message after one of the other's, long enough after the last that it brings a self-update.
    pub message_with_update: Cost,
    /// Coming back with nothing but the words: until the new device can write in every chat.
    pub recovery: Cost,
}

/// Does everything. Homes of devices that are measured stand in `beside`.
pub async fn acts(args: &Args, beside: &Path) -> anyhow::Result<Acts> {
    let comebacks = comebacks(args, beside).await?;

    say("people meet");
    let mut town = Town::new(args.chats, args.seed, beside, false).await?;
    let (mut other, gone) = town.link().await?;
    other.stop().await;
    town.meet().await?;
    say("a link");
    let mut tablet = town.make_device()?;
    let [link, link_by] = link(&town, &tablet).await?;
    say("a removal");
    town.stop_friends().await;
    town.phone.stop().await;
    let removal = removal(&town, &tablet, gone).await?;
    say("messages");
    let [message, message_with_update] = messages(&mut town, &tablet).await?;
    say("a recovery");
    tablet.stop().await;
    town.start_friends().await?;
    let recovery = recovery(&mut town).await?;
    Ok(Acts { comebacks, link, link_by, removal, message, message_with_update, recovery })
}

async fn comebacks(args: &Args, beside: &Path) -> anyhow::Result<Vec<Comeback>> {
    say("people meet");
    let mut town = Town::new(args.chats, args.seed, beside, false).await?;
    let mut away = Vec::new();
    for _ in AWAY_DAYS {
        away.push(town.link().await?.0);
    }
    town.meet().await?;

    say("a year goes by");
    let mut written = Vec::new();
    for (place, days) in AWAY_DAYS.into_iter().enumerate() {
        away.get_mut(place).context("a device for each absence")?.stop().await;
        written.push(town.written());
        let next = AWAY_DAYS.get(place + 1).copied().unwrap_or_default();
        town.live(days - next, if place == 0 { EVERY_DAYS } else { 1 }).await?;
    }
    let mut comebacks = Vec::new();
    for ((days, device), before) in AWAY_DAYS.into_iter().zip(&mut away).zip(written).rev() {
        say(&format!("back after {days} days"));
        comebacks.push(comeback(&town, device, days, town.written() - before).await?);
        device.stop().await;
    }
    Ok(comebacks)
}

async fn comeback(town: &Town, device: &mut Device, days: u32, written: u32) -> anyhow::Result<Comeback> {
    let mut watch = Stopwatch::start(device)?;
    device.home.start()?;
    device.engine()?.sync().await?;
    counted_until(&mut watch, "a device to come back", || town.is_in_all(device)).await?;
    let cost = watch.read(device)?;
    let lacks = || anyhow::Ok(town.messages(&town.phone)?.saturating_sub(town.messages(device)?));
    let at_once = lacks()?;
    sleep(HOUR).await;
    Ok(Comeback { days, written, cost, lacks: at_once, lacks_later: lacks()? })
}

async fn link(town: &Town, tablet: &Device) -> anyhow::Result<[Cost; 2]> {
    let mut watch = Stopwatch::start(tablet)?;
    let by = Stopwatch::start(&town.phone)?;
    linked(town.phone.engine()?, tablet.engine()?).await?;
    counted_until(&mut watch, "a device to be let in", || town.is_in_all(tablet)).await?;
    Ok([watch.read(tablet)?, by.read(&town.phone)?])
}

async fn removal(town: &Town, by: &Device, number: u32) -> anyhow::Result<Cost> {
    let watch = Stopwatch::start(by)?;
    town.remove(by, number).await?;
    quiet(&watch, by).await
}

/// Of a message alone, and of one with a self-update.
async fn messages(town: &mut Town, by: &Device) -> anyhow::Result<[Cost; 2]> {
    let friend = town.friends.first_mut().context("no friends")?;
    friend.device.home.start()?;
    friend.device.engine()?.sync().await?;
    town.write(0, By::Device(by)).await?;
    let watch = Stopwatch::start(by)?;
    for _ in 0..MESSAGES {
        town.write(0, By::Device(by)).await?;
    }
    let alone = watch.read(by)?.each(MESSAGES);

    let mut with_update: Option<Cost> = None;
    for _ in 0..MESSAGES {
        town.write(0, By::Friend).await?;
        sleep(UPDATES_APART).await;
        let watch = Stopwatch::start(by)?;
        town.write(0, By::Device(by)).await?;
        let cost = watch.read(by)?;
        with_update = Some(with_update.map_or(cost, |sum| sum.and(cost)));
    }
    Ok([alone, with_update.context("nothing was written")?.each(MESSAGES)])
}

async fn recovery(town: &mut Town) -> anyhow::Result<Cost> {
    let device = town.make_device()?;
    let mut watch = Stopwatch::start(&device)?;
    town.recover(&device).await?;
    counted_until(&mut watch, "the way back into every chat", || town.is_in_all(&device)).await?;
    let cost = watch.read(&device)?;
    // And it really can.
    for place in 0..town.friends.len() {
        town.write(place, By::Device(&device)).await?;
    }
    Ok(cost)
}
