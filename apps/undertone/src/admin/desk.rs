//! Answers to the operator, whether a service runs or not.

use std::sync::Arc;

use rand::rngs::StdRng;
use undertone_service::InviteCode;
use undertone_store::{
    StoreError,
    sqlite::{AccountRow, ChannelRow, EntryRow, LetterRow},
};
use undertone_wire::{Day, channel::EntryKind};

use super::{
    line::{Account, Channel, Entry, Invite, Letter, Line, Stats, View},
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
        Ok(vec![Line::Stats(Stats {
            accounts: accounts.accounts,
            key_packages: accounts.key_packages,
            inbox_entries: accounts.inbox_entries,
            channels: channels.channels,
            entries: channels.entries,
            bodies: channels.bodies,
            circuits: self.circuits.as_ref().map(|circuits| circuits.open()),
        })])
    }

    async fn view(&self, limit: u32) -> Result<Vec<Line>, StoreError> {
        let accounts = self.planes.accounts.store().inspect(limit).await?;
        let channels = self.planes.channels.store().inspect(limit).await?;
        let accounts = accounts.into_iter().map(|row| View::Account(row.into()));
        let channels = channels.into_iter().map(|row| View::Channel(row.into()));
        Ok(accounts.chain(channels).map(Line::View).collect())
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
