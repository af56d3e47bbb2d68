//! Answers to the operator, whether a service runs or not.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use rand::rngs::StdRng;
use undertone_service::{DirectoryState, InviteCode};
use undertone_store::{
    StoreError, StoredValue, Value, meaning,
    sqlite::{AccountRow, ChannelRow, EntryRow, LetterRow},
};
use undertone_wire::{AccountId, Day, channel::EntryKind};

use super::{
    line::{
        Account, Base, Channel, Datum, Directory, Entry, Invite, Letter, Line, PublishedValue, Stats, Suspended, View,
    },
    protocol::Ask,
};
use crate::{
    clock,
    serve::{Circuits, Planes},
};

/// Where the operator asks.
pub struct Desk {
    planes: Planes,
    circuits: Option<Arc<Circuits>>,
}

impl Desk {
    /// Over open planes, and the circuits of the service if one runs.
    pub fn new(planes: Planes, circuits: Option<Arc<Circuits>>) -> Self {
        Self { planes, circuits }
    }

    /// Answers. The error is for whoever asked.
    pub async fn answer(&self, ask: &Ask) -> Result<Vec<Line>, String> {
        let lines = match ask {
            Ask::Invite { uses, days } => self.invite(*uses, *days).await,
            Ask::Stats => self.stats().await,
            Ask::View { limit } => self.view(*limit).await,
            Ask::Publish { account, known } => return self.publish(&account_id(account)?, *known).await,
            Ask::Directory { refresh, new_key } => self.directory(*refresh, *new_key).await,
            Ask::Suspend { account, suspended } => return self.suspend(&account_id(account)?, *suspended).await,
        };
        lines.map_err(|error| error.to_string())
    }

    async fn invite(&self, uses: u32, days: u32) -> Result<Vec<Line>, StoreError> {
        let code = InviteCode::generate(&mut rand::make_rng::<StdRng>());
        let expiry_day = clock::now().day() + days;
        self.planes.accounts.invite(&code, uses, expiry_day).await?;
        Ok(vec![Line::Invite(Invite { invite: code.to_text().to_string(), uses, expires: expiry_day.to_string() })])
    }

    async fn stats(&self) -> Result<Vec<Line>, StoreError> {
        let accounts = self.planes.accounts.counts().await?;
        let channels = self.planes.channels.counts().await?;
        let blobs = self.planes.blobs.counts().await?;
        let week = clock::now().day().week();
        let spent = [
            self.planes.accounts.tokens_spent(week).await?,
            self.planes.channels.tokens_spent(week).await?,
            self.planes.blobs.tokens_spent(week).await?,
        ];
        Ok(vec![Line::Stats(Stats {
            accounts: accounts.accounts,
            key_packages: accounts.key_packages,
            inbox_entries: accounts.inbox_entries,
            channels: channels.channels,
            entries: channels.entries,
            bodies: channels.bodies,
            blobs: blobs.blobs,
            blob_bytes: blobs.bytes,
            tokens_issued: self.planes.accounts.tokens_issued(week).await?,
            tokens_spent: spent.iter().sum(),
            circuits: self.circuits.as_ref().map(|circuits| circuits.open()),
        })])
    }

    async fn publish(&self, account: &AccountId, known: u32) -> Result<Vec<Line>, String> {
        let page = self.planes.accounts.values(*account, known).await.map_err(|error| error.to_string())?;
        if known == 0 && page.values.is_empty() {
            return Err(UNKNOWN_ACCOUNT.to_owned());
        }
        Ok(page.values.into_iter().map(|stored| Line::Value(stored.into())).collect())
    }

    async fn suspend(&self, account: &AccountId, suspended: bool) -> Result<Vec<Line>, String> {
        match self.planes.accounts.suspend(*account, suspended).await {
            Ok(true) => Ok(vec![Line::Suspended(Suspended { account: account.to_hex(), suspended })]),
            Ok(false) => Err(UNKNOWN_ACCOUNT.to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn directory(&self, refresh: bool, new_key: bool) -> Result<Vec<Line>, StoreError> {
        let directory = &self.planes.directory;
        if new_key {
            directory.take_another_key().await?;
        }
        // Without a service there is none to refresh: it is made anew at each start.
        if refresh && self.circuits.is_some() {
            directory.publish_anew(clock::now(), &mut rand::make_rng::<StdRng>()).await?;
        }
        let DirectoryState { listings, key, next_key, base } = directory.state().await?;
        let base = base.map(|base| Base {
            made: base.made.to_string(),
            entries: base.entries,
            download_bytes: base.download_bytes,
            query_bytes: base.query_bytes,
            answer_bytes: base.answer_bytes,
        });
        Ok(vec![Line::Directory(Directory { listings, key, next_key, base })])
    }

    async fn view(&self, limit: u32) -> Result<Vec<Line>, StoreError> {
        let accounts = self.planes.accounts.store().inspect(limit).await?;
        let channels = self.planes.channels.store().inspect(limit).await?;
        let accounts = accounts.into_iter().map(|row| View::Account(row.into()));
        let channels = channels.into_iter().map(|row| View::Channel(row.into()));
        Ok(accounts.chain(channels).map(Line::View).collect())
    }
}

const UNKNOWN_ACCOUNT: &str = "there is no account with this id here";

fn account_id(hex: &str) -> Result<AccountId, String> {
    AccountId::from_hex(hex).map_err(|error| error.to_string())
}

impl From<StoredValue> for PublishedValue {
    fn from(stored: StoredValue) -> Self {
        let StoredValue { table, column, value } = stored;
        let meaning = meaning(&table, &column).unwrap_or_default().to_owned();
        let value = match value {
            Value::Null => None,
            Value::Number(number) => Some(Datum::Number(number)),
            Value::Data(data) => Some(Datum::Hex(HEXLOWER.encode(&data))),
        };
        Self { table, column, value, meaning }
    }
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        let AccountRow { account, created, last_seen, devices, key_packages, vault_bytes, inbox } = row;
        Self {
            account: account.to_hex(),
            created: created.to_string(),
            last_seen: last_seen.to_string(),
            devices,
            key_packages,
            vault_bytes,
            inbox: inbox.into_iter().map(Letter::from).collect(),
        }
    }
}

impl From<LetterRow> for Letter {
    fn from(row: LetterRow) -> Self {
        Self { bytes: row.bytes, expires: expires(row.expiry_day) }
    }
}

impl From<ChannelRow> for Channel {
    fn from(row: ChannelRow) -> Self {
        Self {
            channel: row.channel.to_hex(),
            generation: row.generation,
            incarnation: row.position.incarnation,
            epoch: row.position.epoch,
            entries: row.entries.into_iter().map(Entry::from).collect(),
        }
    }
}

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        let EntryRow { seq, kind, expiry_day, bytes } = row;
        // A name in the schema is in capitals; one that is missing there is of a later release.
        let kind = EntryKind::try_from(kind).map_or("newer", |kind| kind.as_str_name()).to_ascii_lowercase();
        Self { seq, kind, bytes, expires: expires(expiry_day) }
    }
}

/// Day 0 never comes.
fn expires(day: Day) -> Option<String> {
    (day != Day(0)).then(|| day.to_string())
}
