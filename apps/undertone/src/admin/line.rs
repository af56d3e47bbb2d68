//! What the operator is shown: the objects of `--json`, and the same as text for people.

use serde::{Deserialize, Serialize};

use crate::{
    output::{block, one_line},
    serve::OpenCircuits,
};

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
    /// `publish`.
    Value(PublishedValue),
    /// `suspend`.
    Suspended(Suspended),
    /// `directory`.
    Directory(Directory),
    /// `check-report`.
    Report(Report),
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
    /// Attachments, and whatever else is too large for an entry.
    pub blobs: u64,
    /// Bytes that those may have.
    pub blob_bytes: u64,
    /// Tokens of this week that were issued to accounts.
    pub tokens_issued: u64,
    /// Tokens of this week that were spent, by nobody in particular.
    pub tokens_spent: u64,
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

/// What the directory is made of.
#[derive(Serialize, Deserialize)]
pub struct Directory {
    /// Identifiers under which accounts are listed.
    pub listings: u64,
    /// Number of its key.
    pub key: u32,
    /// Number of the key that is taken at the next start.
    pub next_key: u32,
    /// What is looked up in; null while nothing is published, or no service runs.
    pub base: Option<Base>,
}

/// A base.
#[derive(Serialize, Deserialize)]
pub struct Base {
    /// The day on which it was made.
    pub made: String,
    /// Listings in it, padded.
    pub entries: u64,
    /// What everybody downloads once.
    pub download_bytes: u64,
    /// A query; 0 where the download has it all.
    pub query_bytes: u64,
    /// Its answer.
    pub answer_bytes: u64,
}

/// One value that the service keeps of an account.
#[derive(Serialize, Deserialize)]
pub struct PublishedValue {
    /// Where it stands.
    pub table: String,
    /// Likewise.
    pub column: String,
    /// Null where nothing stands.
    pub value: Option<Datum>,
    /// What it is.
    pub meaning: String,
}

/// A number, or bytes in hexadecimal.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub enum Datum {
    /// A count, a day, a number.
    Number(u64),
    /// A key, a hash, ciphertext.
    Hex(String),
}

/// Whether tokens are issued to an account.
#[derive(Serialize, Deserialize)]
pub struct Suspended {
    /// Its id.
    pub account: String,
    /// No more, or again.
    pub suspended: bool,
}

/// A letter that was reported, and is what it says.
#[derive(Serialize, Deserialize)]
pub struct Report {
    /// Who wrote it.
    pub from: String,
    /// On which of his devices.
    pub device: u32,
    /// To whom.
    pub to: String,
    /// What he calls himself in it, if he does.
    pub name: Option<String>,
    /// What he says in it.
    pub messages: Vec<Said>,
}

/// A message of a letter.
#[derive(Serialize, Deserialize)]
pub struct Said {
    /// When, by the sender's clock.
    pub sent_at: String,
    /// Null: this release does not understand it.
    pub body: Option<String>,
}

impl Line {
    /// One object, as documented.
    pub fn to_json(&self) -> String {
        let json = match self {
            Self::Invite(invite) => serde_json::to_string(invite),
            Self::Stats(stats) => serde_json::to_string(stats),
            Self::View(view) => serde_json::to_string(view),
            Self::Value(value) => serde_json::to_string(value),
            Self::Suspended(suspended) => serde_json::to_string(suspended),
            Self::Directory(directory) => serde_json::to_string(directory),
            Self::Report(report) => serde_json::to_string(report),
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
            Self::Value(value) => value.to_text(),
            Self::Suspended(suspended) => suspended.to_text(),
            Self::Directory(directory) => directory.to_text(),
            Self::Report(report) => report.to_text(),
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
        let Self { accounts, key_packages, inbox_entries, channels, entries, bodies, blobs, blob_bytes, .. } = self;
        let Self { tokens_issued, tokens_spent, circuits, .. } = self;
        let circuits = match circuits {
            Some(OpenCircuits { account, visitor, channel, blob, directory }) => format!(
                "{account} of accounts, {visitor} of visitors, {channel} of channels, {blob} of blobs, {directory} of the directory"
            ),
            None => "none, no service runs".to_owned(),
        };
        format!(
            "accounts  {accounts}  ({key_packages} key packages and {inbox_entries} letters wait)\n\
             channels  {channels}  ({entries} entries, {bodies} of them still with their bodies)\n\
             blobs     {blobs}  ({blob_bytes} bytes)\n\
             tokens    {tokens_issued} issued, {tokens_spent} spent, of this week\n\
             circuits  {circuits}"
        )
    }
}

impl Directory {
    fn to_text(&self) -> String {
        let Self { listings, key, next_key, base } = self;
        let mut text = format!("{listings} listings, under key {key}");
        if next_key != key {
            text += &format!("; key {next_key} is taken when the service is started the next time");
        }
        match base {
            Some(Base { made, entries, download_bytes, query_bytes, answer_bytes }) => {
                text += &format!(
                    "\nbase of {made} with room for {entries}: {download_bytes} bytes for everybody, {query_bytes} for a query, \
                     {answer_bytes} for its answer"
                );
            }
            None => text += "\nnothing is published: a service makes a base when it starts",
        }
        text
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

impl PublishedValue {
    /// For people.
    pub fn to_text(&self) -> String {
        let Self { table, column, value, meaning } = self;
        let value = match value {
            None => "nothing".to_owned(),
            Some(Datum::Number(number)) => number.to_string(),
            Some(Datum::Hex(hex)) => format!("{} bytes: {hex}", hex.len() / 2),
        };
        format!("{table}.{column}  {value}\n    {meaning}")
    }
}

impl Suspended {
    fn to_text(&self) -> String {
        let Self { account, suspended } = self;
        match suspended {
            true => format!("{account} is issued no more tokens; those that it has are good until they expire"),
            false => format!("{account} is issued tokens again"),
        }
    }
}

impl Report {
    fn to_text(&self) -> String {
        let Self { from, device, to, name, messages } = self;
        let mut text = format!("letter from {from} (device {device}) to {to}: the signature is right");
        if let Some(name) = name {
            text += &format!("\n    calls himself {}", one_line(name));
        }
        for Said { sent_at, body } in messages {
            text += &match body {
                Some(body) => format!("\n    {sent_at}  {}", block(body)),
                None => format!("\n    {sent_at}  (needs a later release)"),
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

    fn value(column: &str, value: Option<Datum>) -> Line {
        Line::Value(PublishedValue { table: "t".into(), column: column.into(), value, meaning: "m".into() })
    }

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
                blobs: 2,
                blob_bytes: 49_152,
                tokens_issued: 40,
                tokens_spent: 1,
                circuits: Some(OpenCircuits { account: 7, visitor: 8, channel: 9, blob: 1, directory: 2 }),
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
            value("inbox_seq", Some(Datum::Number(2))),
            value("account", Some(Datum::Hex("0b".into()))),
            value("visit", None),
            Line::Suspended(Suspended { account: "0b".into(), suspended: true }),
            Line::Directory(Directory {
                listings: 3,
                key: 1,
                next_key: 2,
                base: Some(Base {
                    made: day(),
                    entries: 1_024,
                    download_bytes: 22_528,
                    query_bytes: 0,
                    answer_bytes: 0,
                }),
            }),
            Line::Report(Report {
                from: "0b".into(),
                device: 1,
                to: "0d".into(),
                name: Some("bo".into()),
                messages: vec![Said { sent_at: "2026-11-22T09:58:42.045Z".into(), body: Some("hi".into()) }],
            }),
        ]
    }

    #[test]
    fn the_objects_are_as_documented() {
        let expected = [
            json!({"invite": "aaa-bbb", "uses": 1, "expires": "2026-12-22"}),
            json!({"accounts": 1, "key_packages": 2, "inbox_entries": 3, "channels": 4, "entries": 5, "bodies": 6,
                "blobs": 2, "blob_bytes": 49_152, "tokens_issued": 40, "tokens_spent": 1,
                "circuits": {"account": 7, "visitor": 8, "channel": 9, "blob": 1, "directory": 2}}),
            json!({"plane": "account", "account": "0b", "created": "2026-12-22", "last_seen": "2026-12-22",
                "devices": 2, "key_packages": 1, "vault_bytes": 8192, "inbox": [{"bytes": 16384, "expires": "2026-12-22"}]}),
            json!({"plane": "channel", "channel": "0c", "generation": 1, "incarnation": 0, "epoch": 2, "entries": [
                {"seq": 1, "kind": "message", "bytes": null, "expires": "2026-12-22"},
                {"seq": 2, "kind": "message", "bytes": 256, "expires": "2026-12-22"}]}),
            json!({"table": "t", "column": "inbox_seq", "value": 2, "meaning": "m"}),
            json!({"table": "t", "column": "account", "value": "0b", "meaning": "m"}),
            json!({"table": "t", "column": "visit", "value": null, "meaning": "m"}),
            json!({"account": "0b", "suspended": true}),
            json!({"listings": 3, "key": 1, "next_key": 2, "base": {"made": "2026-12-22", "entries": 1_024,
                "download_bytes": 22_528, "query_bytes": 0, "answer_bytes": 0}}),
            json!({"from": "0b", "device": 1, "to": "0d", "name": "bo",
                "messages": [{"sent_at": "2026-11-22T09:58:42.045Z", "body": "hi"}]}),
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
