//! What the operator is shown: the objects of `--json`, and the same as text for people.

use serde::{Deserialize, Serialize};

use crate::serve::OpenCircuits;

/// One line of an answer.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// `invite`.
    Invite(Invite),
    /// `stats`.
    Stats(Stats),
    /// `view`.
    View(View),
}

/// A fresh invite.
#[derive(Serialize, Deserialize)]
pub struct Invite {
    /// The code. The service keeps only its hash: it is shown this once.
    pub invite: String,
    /// How many accounts can be made with it.
    pub uses: u32,
    /// The last day on which it holds.
    pub expires: String,
}

/// Numbers of both planes.
#[derive(Serialize, Deserialize)]
pub struct Stats {
    /// Accounts.
    pub accounts: u64,
    /// One-time key packages that wait.
    pub key_packages: u64,
    /// Letters that wait.
    pub inbox_entries: u64,
    /// Channels.
    pub channels: u64,
    /// Entries ever appended to those.
    pub entries: u64,
    /// Entries whose bodies are still kept.
    pub bodies: u64,
    /// Open ones; null when no service runs.
    pub circuits: Option<OpenCircuits>,
}

/// Something that the service knows, by its plane.
#[derive(Serialize, Deserialize)]
#[serde(tag = "plane", rename_all = "snake_case")]
pub enum View {
    /// Account plane.
    Account(Account),
    /// Channel plane.
    Channel(Channel),
}

/// An account.
#[derive(Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub account: String,
    /// The day it was created.
    pub created: String,
    /// The day it was last seen.
    pub last_seen: String,
    /// Listed devices.
    pub devices: u64,
    /// One-time key packages that wait.
    pub key_packages: u64,
    /// Padded size of its vault; 0 while there is none.
    pub vault_bytes: u64,
    /// Letters that wait, oldest first.
    pub inbox: Vec<Letter>,
}

/// A sealed letter.
#[derive(Serialize, Deserialize)]
pub struct Letter {
    /// Its padded size.
    pub bytes: u64,
    /// The last day on which it is kept.
    pub expires: Option<String>,
}

/// A channel.
#[derive(Serialize, Deserialize)]
pub struct Channel {
    /// Its id.
    pub channel: String,
    /// How often its keys were replaced.
    pub generation: u32,
    /// How often its MLS group was replaced.
    pub incarnation: u32,
    /// Commits since then.
    pub epoch: u64,
    /// The newest entries, oldest first.
    pub entries: Vec<Entry>,
}

/// An entry of a channel's log.
#[derive(Serialize, Deserialize)]
pub struct Entry {
    /// Its number.
    pub seq: u64,
    /// What it is.
    pub kind: String,
    /// Its padded size; null once its body is forgotten.
    pub bytes: Option<u64>,
    /// The last day on which its body is kept; null: for good.
    pub expires: Option<String>,
}

impl Line {
    /// One object, as documented.
    pub fn to_json(&self) -> String {
        let json = match self {
            Self::Invite(invite) => serde_json::to_string(invite),
            Self::Stats(stats) => serde_json::to_string(stats),
            Self::View(view) => serde_json::to_string(view),
        };
        // These structs have neither maps nor fallible parts, so there is always a text.
        json.unwrap_or_default()
    }

    /// For people.
    pub fn to_text(&self) -> String {
        match self {
            Self::Invite(invite) => invite.to_text(),
            Self::Stats(stats) => stats.to_text(),
            Self::View(View::Account(account)) => account.to_text(),
            Self::View(View::Channel(channel)) => channel.to_text(),
        }
    }
}

impl Invite {
    fn to_text(&self) -> String {
        let Self { invite, uses, expires } = self;
        let accounts = if *uses == 1 { "one account".to_owned() } else { format!("{uses} accounts") };
        format!(
            "{invite}\n\n\
             With this code {accounts} can be made here, until {expires}. It is not shown again. Whoever has it runs\n\n    \
             undertone register --service LINK --invite {invite} --name NAME\n\n\
             where LINK is what `undertone serve` printed after `ready`."
        )
    }
}

impl Stats {
    fn to_text(&self) -> String {
        let Self { accounts, key_packages, inbox_entries, channels, entries, bodies, circuits } = self;
        let circuits = match circuits {
            Some(OpenCircuits { account, visitor, channel }) => {
                format!("{account} of accounts, {visitor} of visitors, {channel} of channels")
            }
            None => "none, no service runs".to_owned(),
        };
        format!(
            "accounts  {accounts}  ({key_packages} key packages and {inbox_entries} letters wait)\n\
             channels  {channels}  ({entries} entries, {bodies} of them still with their bodies)\n\
             circuits  {circuits}"
        )
    }
}

impl Account {
    fn to_text(&self) -> String {
        let Self { account, created, last_seen, devices, key_packages, vault_bytes, inbox } = self;
        let mut text = format!(
            "account {account}  created {created}, last seen {last_seen}, {devices} devices, {key_packages} key packages, \
             a vault of {vault_bytes} bytes"
        );
        for Letter { bytes, expires } in inbox {
            text += &format!("\n    letter   {bytes:>6} bytes  {}", until(expires.as_deref()));
        }
        text
    }
}

impl Channel {
    fn to_text(&self) -> String {
        let Self { channel, generation, incarnation, epoch, entries } = self;
        let mut text = format!("channel {channel}  generation {generation}, epoch {incarnation}.{epoch}");
        for Entry { seq, kind, bytes, expires } in entries {
            text += &match bytes {
                Some(bytes) => format!("\n    {seq:>6} {kind:<8} {bytes:>6} bytes  {}", until(expires.as_deref())),
                None => format!("\n    {seq:>6} {kind:<8} forgotten"),
            };
        }
        text
    }
}

fn until(expires: Option<&str>) -> String {
    expires.map_or_else(|| "for good".to_owned(), |day| format!("until {day}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines() -> Vec<Line> {
        let day = || "2026-12-22".to_owned();
        let entry = |seq, bytes| Entry { seq, kind: "message".into(), bytes, expires: Some(day()) };
        vec![
            Line::Invite(Invite { invite: "aaa-bbb".into(), uses: 1, expires: day() }),
            Line::Stats(Stats {
                accounts: 1,
                key_packages: 2,
                inbox_entries: 3,
                channels: 4,
                entries: 5,
                bodies: 6,
                circuits: Some(OpenCircuits { account: 7, visitor: 8, channel: 9 }),
            }),
            Line::View(View::Account(Account {
                account: "0b".into(),
                created: day(),
                last_seen: day(),
                devices: 2,
                key_packages: 1,
                vault_bytes: 8_192,
                inbox: vec![Letter { bytes: 16_384, expires: Some(day()) }],
            })),
            Line::View(View::Channel(Channel {
                channel: "0c".into(),
                generation: 1,
                incarnation: 0,
                epoch: 2,
                entries: vec![entry(1, None), entry(2, Some(256))],
            })),
        ]
    }

    #[test]
    fn the_objects_are_as_documented() {
        let expected = [
            json!({"invite": "aaa-bbb", "uses": 1, "expires": "2026-12-22"}),
            json!({"accounts": 1, "key_packages": 2, "inbox_entries": 3, "channels": 4, "entries": 5, "bodies": 6,
                "circuits": {"account": 7, "visitor": 8, "channel": 9}}),
            json!({"plane": "account", "account": "0b", "created": "2026-12-22", "last_seen": "2026-12-22",
                "devices": 2, "key_packages": 1, "vault_bytes": 8192, "inbox": [{"bytes": 16384, "expires": "2026-12-22"}]}),
            json!({"plane": "channel", "channel": "0c", "generation": 1, "incarnation": 0, "epoch": 2, "entries": [
                {"seq": 1, "kind": "message", "bytes": null, "expires": "2026-12-22"},
                {"seq": 2, "kind": "message", "bytes": 256, "expires": "2026-12-22"}]}),
        ];
        for (line, expected) in lines().iter().zip(expected) {
            assert_eq!(serde_json::from_str::<serde_json::Value>(&line.to_json()).unwrap(), expected);
        }
    }

    #[test]
    fn lines_cross_the_socket_whole() {
        for line in lines() {
            let crossed: Line = serde_json::from_slice(&serde_json::to_vec(&line).unwrap()).unwrap();
            assert_eq!(crossed.to_json(), line.to_json());
            assert_eq!(crossed.to_text(), line.to_text());
        }
    }

    #[test]
    fn people_are_told_how_to_use_an_invite() {
        let text = lines().first().unwrap().to_text();
        assert!(text.starts_with("aaa-bbb\n") && text.contains("register --service LINK --invite aaa-bbb --name NAME"));
    }
}
