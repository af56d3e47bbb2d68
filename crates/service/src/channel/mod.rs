//! The channel plane: logs that are opened by keys. It has no word for who holds them.
//!
//! The log in the store is the truth. In memory each channel in use has a [hub](hub): its signed head, and the circuits
//! that follow it. What is appended through a hub is pushed from there without asking the store again.

mod allowance;
mod hub;
mod hubs;
mod new_entries;
mod opening;
mod rights;
mod session;
mod ticket;

use std::sync::Arc;

use bytes::Bytes;
use undertone_credentials::{HeadKey, PublicKey};
use undertone_store::{ChannelCounts, Channels, NewChannel, StoreError};
use undertone_wire::{
    ChannelId, HandshakeHash, Now,
    circuit::{Code, Fault, Parameters},
    limits::UNUSED_CHANNEL_DAYS,
    visitor::{CreateChannelReply, CreateChannelRequest},
};

use self::{
    hub::{Backing, Hub},
    hubs::Hubs,
};
use crate::{fault, request::parse};

pub use session::ChannelSession;
pub use ticket::TicketKey;

/// Version of the public parameters, counted up whenever one of them changes.
const PARAMETERS_VERSION: u32 = 1;

/// The channel plane over its store.
pub struct ChannelPlane<C> {
    backing: Arc<Backing<C>>,
    hubs: Hubs<C>,
    tickets: TicketKey,
}

impl<C: Channels> ChannelPlane<C> {
    /// The plane, with the key that signs heads, and the one of tickets. There may be only one plane over a store at a
    /// time: hubs hear only of what is appended through them.
    pub fn new(store: C, head_key: HeadKey, tickets: TicketKey) -> Self {
        Self { backing: Arc::new(Backing { store, head_key }), hubs: Hubs::new(), tickets }
    }

    /// What answers one channel circuit.
    pub fn session(self: &Arc<Self>, circuit: HandshakeHash) -> ChannelSession<C> {
        ChannelSession::new(self.clone(), circuit)
    }

    /// What HelloReply says to everyone alike.
    pub fn parameters(&self) -> Parameters {
        let head_key = self.backing.head_key.public();
        Parameters { version: PARAMETERS_VERSION, head_key: Bytes::copy_from_slice(head_key.as_bytes()) }
    }

    /// Forgets what has expired; to be called every hour or so.
    ///
    /// # Errors
    /// The store's; the next call makes up for it.
    pub async fn expire(&self, now: Now) -> Result<(), StoreError> {
        self.backing.store.expire(now.day(), UNUSED_CHANNEL_DAYS).await?;
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

    /// Makes an empty channel. The same bytes again succeed again.
    pub(crate) async fn create(&self, now: Now, request: CreateChannelRequest) -> Result<CreateChannelReply, Fault> {
        let channel = parse(&request.channel)?;
        let (read_key, write_key) = (parse::<PublicKey>(&request.read_key)?, parse::<PublicKey>(&request.write_key)?);
        let new = NewChannel { channel, read_key: *read_key.as_bytes(), write_key: *write_key.as_bytes() };
        if !self.backing.store.create(new, now.day()).await.map_err(fault::store)? {
            return Err(Code::Conflict.into());
        }
        let hub = self.hub(channel).await?.ok_or(Code::NotFound)?;
        Ok(CreateChannelReply { head: Some(hub.head().await?) })
    }

    async fn hub(&self, channel: ChannelId) -> Result<Option<Arc<Hub<C>>>, Fault> {
        self.hubs.find(channel, &self.backing).await.map_err(fault::store)
    }
}
