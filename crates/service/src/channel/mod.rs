//! The channel plane: logs that are opened by keys. It has no word for who holds them.
//!
//! The log in the store is the truth. In memory each channel in use has a [hub](hub): its signed head, and the circuits
//! that follow it. What is appended through a hub is pushed from there without asking the store again.

mod allowance;
mod followers;
mod groups;
mod hub;
mod hubs;
mod new_entries;
mod opening;
mod rights;
mod session;
mod speaker;
mod ticket;

use std::sync::Arc;

use bytes::Bytes;
use undertone_credentials::{HeadKey, PublicKey, sign_parameters};
use undertone_store::{ChannelCounts, Channels, NewChannel, StoreError};
use undertone_wire::{
    ChannelId, HandshakeHash, Now, Week,
    circuit::{Code, Fault, Parameters, SignedParameters},
    limits::UNUSED_CHANNEL_DAYS,
    visitor::{CreateChannelReply, CreateChannelRequest},
};

use self::{
    hub::{Backing, Hub},
    hubs::Hubs,
    new_entries::NewEntries,
};
use crate::{
    Issuer, LargeBodies, fault, issuer,
    request::{ensure, parse},
};

pub use session::ChannelSession;
pub use ticket::TicketKey;

/// Format of the public parameters.
const PARAMETERS_VERSION: u32 = 1;

/// The channel plane over its store.
pub struct ChannelPlane<C> {
    backing: Arc<Backing<C>>,
    hubs: Hubs<C>,
    tickets: TicketKey,
    issuer: Arc<Issuer>,
    large: Option<Arc<dyn LargeBodies>>,
}

impl<C: Channels> ChannelPlane<C> {
    /// The plane, with the key that signs heads, the one of tickets, and the issuer of tokens. There may be only one plane
    /// over a store at a time: hubs hear only of what is appended through them.
    pub fn new(store: C, head_key: HeadKey, tickets: TicketKey, issuer: Arc<Issuer>) -> Self {
        let backing = Arc::new(Backing { store, head_key });
        Self { backing, hubs: Hubs::new(), tickets, issuer, large: None }
    }

    /// With where groups may have commits and head slots that are too large for a log. Without it they have none.
    #[must_use]
    pub fn with_large(self, large: Arc<dyn LargeBodies>) -> Self {
        Self { large: Some(large), ..self }
    }

    /// What answers one channel circuit.
    pub fn session(self: &Arc<Self>, circuit: HandshakeHash) -> ChannelSession<C> {
        ChannelSession::new(self.clone(), circuit)
    }

    /// What HelloReply says to everyone alike, from this week on until the next. The revision is to be raised whenever
    /// something of it has changed.
    pub fn signed_parameters(&self, now: Now, revision: u64) -> SignedParameters {
        let token_keys = self.issuer.public_keys(now.day().week());
        let credential_key = self.issuer.credential_public();
        let directory_key = self.issuer.directory_public();
        let list = Parameters { revision, token_keys, credential_key, directory_key, ..Parameters::default() };
        sign_parameters(&self.backing.head_key, &list)
    }

    /// What clients of release 0.1 know of it.
    pub fn parameters(&self) -> Parameters {
        let head_key = self.backing.head_key.public();
        Parameters {
            version: PARAMETERS_VERSION,
            head_key: Bytes::copy_from_slice(head_key.as_bytes()),
            ..Parameters::default()
        }
    }

    /// Forgets what has expired; to be called every hour or so.
    ///
    /// # Errors
    /// The store's; the next call makes up for it.
    pub async fn expire(&self, now: Now) -> Result<(), StoreError> {
        self.backing.store.expire(now.day(), UNUSED_CHANNEL_DAYS).await?;
        self.backing.store.forget_spent(issuer::oldest_week(now.day())).await?;
        // Channels that are gone now shall not live on here.
        self.hubs.sweep();
        Ok(())
    }

    /// What the plane stands on, for what only one engine can tell. Changes go through the plane: its hubs hear of no
    /// others.
    pub fn store(&self) -> &C {
        &self.backing.store
    }

    /// Numbers for the operator.
    ///
    /// # Errors
    /// The store's.
    pub async fn counts(&self) -> Result<ChannelCounts, StoreError> {
        self.backing.store.counts().await
    }

    /// Tokens of a week that were spent on this plane.
    ///
    /// # Errors
    /// The store's.
    pub async fn tokens_spent(&self, week: Week) -> Result<u64, StoreError> {
        self.backing.store.spent(week).await
    }

    /// Makes an empty channel, for a token. The same bytes again succeed again.
    ///
    /// # Errors
    /// What a visitor is answered.
    pub async fn create(&self, now: Now, request: CreateChannelRequest) -> Result<CreateChannelReply, Fault> {
        let channel = parse(&request.channel)?;
        let (read_key, write_key) = (parse::<PublicKey>(&request.read_key)?, parse::<PublicKey>(&request.write_key)?);
        self.issuer.take(now, &self.backing.store, &request).await?;
        let new = NewChannel { channel, read_key: *read_key.as_bytes(), write_key: *write_key.as_bytes() };
        if !self.backing.store.create(new, now.day()).await.map_err(fault::store)? {
            return Err(Code::Conflict.into());
        }
        let hub = self.hub(channel).await?.ok_or(Code::NotFound)?;
        Ok(CreateChannelReply { head: Some(hub.head().await?) })
    }

    /// Nothing is taken into a log that refers to what is not there: whoever reads it would be stuck.
    async fn check_large(&self, now: Now, entries: &NewEntries) -> Result<(), Fault> {
        for (large, until) in entries.large() {
            let large_bodies = self.large.as_ref().ok_or(Code::Malformed)?;
            ensure(large_bodies.has(&large, until, now.day()).await?)?;
        }
        Ok(())
    }

    async fn hub(&self, channel: ChannelId) -> Result<Option<Arc<Hub<C>>>, Fault> {
        self.hubs.find(channel, &self.backing).await
    }
}
