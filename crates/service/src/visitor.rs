//! One visitor circuit: nobody, who does one thing.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use undertone_store::{Accounts, Channels};
use undertone_wire::{
    Now,
    circuit::{Code, Fault},
    visitor::{
        CreateChannelReply, CreateChannelRequest, DeliverReply, DeliverRequest, FetchContactReply, FetchContactRequest,
        FetchProfileReply, FetchProfileRequest, VisitorHandler,
    },
};

use crate::{AccountPlane, ChannelPlane};

/// Answers one visitor circuit. This is the one place that reaches both planes, and it never reaches both for the same
/// circuit: two acts on one would tie what they touch together.
pub struct VisitorSession<A, C> {
    accounts: Arc<AccountPlane<A>>,
    channels: Arc<ChannelPlane<C>>,
    used: AtomicBool,
}

impl<A: Accounts, C: Channels> VisitorSession<A, C> {
    /// A session over both planes.
    pub fn new(accounts: Arc<AccountPlane<A>>, channels: Arc<ChannelPlane<C>>) -> Self {
        Self { accounts, channels, used: AtomicBool::new(false) }
    }

    fn use_up(&self) -> Result<(), Fault> {
        if self.used.swap(true, Ordering::Relaxed) {
            return Err(Code::Forbidden.into());
        }
        Ok(())
    }
}

impl<A: Accounts, C: Channels> VisitorHandler for VisitorSession<A, C> {
    async fn fetch_contact(&self, now: Now, request: FetchContactRequest) -> Result<FetchContactReply, Fault> {
        self.use_up()?;
        self.accounts.fetch_contact(now, request).await
    }

    async fn deliver(&self, now: Now, request: DeliverRequest) -> Result<DeliverReply, Fault> {
        self.use_up()?;
        self.accounts.deliver(now, request).await
    }

    async fn create_channel(&self, now: Now, request: CreateChannelRequest) -> Result<CreateChannelReply, Fault> {
        self.use_up()?;
        self.channels.create(now, request).await
    }

    async fn fetch_profile(&self, _: Now, request: FetchProfileRequest) -> Result<FetchProfileReply, Fault> {
        self.use_up()?;
        self.accounts.fetch_profile(request).await
    }
}
