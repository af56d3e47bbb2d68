//! Somebody with an account, and devices.

use std::collections::BTreeMap;

use anyhow::Context as _;
use zeroize::Zeroizing;

use super::{chronicle::Shown, home::Home};

/// One of the people of a world.
pub struct Person {
    /// What he calls himself.
    pub name: &'static str,
    /// Account id, hexadecimal.
    pub account: String,
    /// What a friend passes to `send`.
    pub link: String,
    /// The recovery words.
    pub words: Zeroizing<String>,
    /// His devices, the first first; those that were removed too.
    pub devices: Vec<Device>,
}

impl Person {
    /// The devices that were neither removed nor lost.
    pub fn present(&self) -> impl Iterator<Item = usize> {
        let devices = self.devices.iter().enumerate();
        devices.filter(|(_, device)| !device.removed && !device.lost).map(|(number, _)| number)
    }
}

/// A device, and what it has shown.
pub struct Device {
    /// The device itself.
    pub home: Home,
    /// Its number on the list.
    pub number: u32,
    /// What it has shown so far.
    pub shown: Shown,
    /// The groups that it is in: each with the first message that was written since it came.
    pub stays: BTreeMap<usize, usize>,
    /// Whether it is on its person's list no more.
    pub removed: bool,
    /// Whether it is at the bottom of the sea.
    pub lost: bool,
    /// Whether it came when no other device was left: then it has what came after it.
    pub recovered: bool,
}

/// Names of people, as many as a world may have.
pub const NAMES: [&str; 6] = ["Ana", "Bo", "Cy", "Di", "Ed", "Flo"];

impl Device {
    /// One with an account, that has shown nothing yet.
    ///
    /// # Errors
    /// When it has no account.
    pub fn new(home: Home) -> anyhow::Result<Self> {
        let number = home.engine().context("no engine")?.whoami()?.device;
        Ok(Self {
            home,
            number,
            shown: Shown::default(),
            stays: BTreeMap::new(),
            removed: false,
            lost: false,
            recovered: false,
        })
    }

    /// How it stands with somebody: the state of their chat, or `none`.
    pub fn state(&self, account: &str) -> &'static str {
        let chats = self.home.engine().and_then(|engine| engine.chats().ok()).unwrap_or_default();
        chats.iter().find(|chat| chat.chat == account).map_or("none", |chat| chat.state)
    }

    /// Why a chat does not go on there, if it does not.
    pub fn trouble(&self, account: &str) -> Option<&'static str> {
        let chats = self.home.engine().and_then(|engine| engine.chats().ok()).unwrap_or_default();
        chats.iter().find(|chat| chat.chat == account).and_then(|chat| chat.trouble)
    }

    /// The texts of a chat, in order, with whether each waits for the service still. None: there is no such chat, or no
    /// process.
    pub fn history(&self, account: &str) -> Option<Vec<(String, bool)>> {
        let history = self.home.engine()?.history(account).ok()?;
        Some(history.into_iter().map(|message| (message.body.unwrap_or_default(), message.queued)).collect())
    }
}
