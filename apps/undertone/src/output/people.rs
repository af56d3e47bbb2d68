//! Lines about people: what they say of themselves, what is told without words, and what strangers wrote.

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use serde::Serialize;
use undertone_client as client;

use super::{line::Line, neutral::one_line};
use crate::admin::{Datum, PublishedValue};

/// What somebody says of himself.
#[derive(Serialize)]
pub struct Profile {
    account: String,
    name: String,
    about: String,
    /// In base64; null for none.
    avatar: Option<String>,
    pending: bool,
    /// For people.
    #[serde(skip)]
    avatar_bytes: usize,
}

/// What is told without words.
#[derive(Serialize)]
pub struct Settings {
    receipts: bool,
    typing: bool,
}

/// That somebody writes just now.
#[derive(Serialize)]
pub struct Typing {
    chat: String,
    typing: bool,
    seconds: u64,
}

/// That somebody was told so.
#[derive(Serialize)]
pub struct Told {
    chat: String,
    typing: bool,
}

/// A letter of a stranger.
#[derive(Serialize)]
pub struct Report {
    report: String,
}

impl Line {
    /// For `report`.
    pub fn report(report: &[u8]) -> Self {
        Self::Report(Report { report: BASE64URL_NOPAD.encode(report) })
    }

    /// For `typing`.
    pub fn told(chat: String, typing: bool) -> Self {
        Self::Told(Told { chat, typing })
    }
}

impl From<client::Profile> for Line {
    fn from(profile: client::Profile) -> Self {
        let client::Profile { account, name, about, avatar, pending } = profile;
        let avatar_bytes = avatar.len();
        let avatar = (avatar_bytes > 0).then(|| BASE64.encode(&avatar));
        Self::Profile(Profile { account, name, about, avatar, pending, avatar_bytes })
    }
}

impl From<client::Settings> for Line {
    fn from(client::Settings { receipts, typing }: client::Settings) -> Self {
        Self::Settings(Settings { receipts, typing })
    }
}

impl From<client::Typing> for Line {
    fn from(client::Typing { chat, typing, .. }: client::Typing) -> Self {
        Self::Typing(Typing { chat, typing, seconds: client::Typing::SECONDS })
    }
}

impl From<client::Kept> for Line {
    fn from(kept: client::Kept) -> Self {
        let client::Kept { table, column, number, data } = kept;
        let meaning = undertone_store::meaning(&table, &column).unwrap_or("this release does not know it").to_owned();
        let value = number.map(Datum::Number).or_else(|| data.map(|data| Datum::Hex(HEXLOWER.encode(&data))));
        Self::Published(PublishedValue { table, column, value, meaning })
    }
}

impl Profile {
    pub(super) fn to_text(&self) -> String {
        let Self { account, name, about, pending, avatar_bytes, .. } = self;
        let mut text = format!("{}\n    account  {account}", one_line(name));
        if !about.is_empty() {
            text += &format!("\n    about    {}", one_line(about));
        }
        if *avatar_bytes > 0 {
            text += &format!("\n    avatar   {avatar_bytes} bytes");
        }
        if *pending {
            text += "\n    (not up to date yet)";
        }
        text
    }
}

impl Settings {
    pub(super) fn to_text(&self) -> String {
        let state = |on| if on { "on" } else { "off" };
        format!("receipts  {}\ntyping    {}", state(self.receipts), state(self.typing))
    }
}

impl Typing {
    pub(super) fn to_text(&self) -> String {
        format!("{} {}", self.chat, if self.typing { "is writing" } else { "has stopped writing" })
    }
}

impl Told {
    pub(super) fn to_text(&self) -> String {
        let state = if self.typing { "that you are writing" } else { "that you are not writing any more" };
        format!("told {state}, if they are there")
    }
}

impl Report {
    pub(super) fn to_text(&self) -> String {
        self.report.clone()
    }
}
