//! The account plane: accounts, their devices, key packages, inboxes, vaults and profiles; and tokens for them.
//!
//! An account circuit speaks for one device, or for the recovery key, once it has proven so. What the plane keeps it could
//! publish: days, counts, opaque keys, sealed letters, vaults and profiles: [`AccountPlane::values`].

mod codes;
mod contact;
mod invite;
mod listings;
mod lookups;
mod objects;
mod profile;
mod publish;
mod registration;
mod session;
mod speaker;
mod tokens;

use std::sync::Arc;

use undertone_credentials::DeviceList;
use undertone_store::{AccountCounts, Accounts, Invite, StoreError, StoredAccount};
use undertone_wire::{AccountId, Day, HandshakeHash, Now, circuit::Fault};

use crate::{Issuer, fault, issuer};

pub use codes::{CodeSender, Codes};
pub use invite::InviteCode;
pub use registration::Registration;
pub use session::AccountSession;

/// The account plane over its store.
pub struct AccountPlane<A> {
    store: A,
    registration: Registration,
    issuer: Arc<Issuer>,
    codes: Option<Codes>,
}

impl<A: Accounts> AccountPlane<A> {
    /// The plane, with the rule by which new accounts are made, and the issuer of tokens.
    pub fn new(store: A, registration: Registration, issuer: Arc<Issuer>) -> Self {
        Self { store, registration, issuer, codes: None }
    }

    /// With codes by which identifiers are verified. Without, only what needs none is listed.
    #[must_use]
    pub fn with_codes(self, codes: Codes) -> Self {
        Self { codes: Some(codes), ..self }
    }

    /// What answers one account circuit.
    pub fn session(self: &Arc<Self>, circuit: HandshakeHash) -> AccountSession<A> {
        AccountSession::new(self.clone(), circuit)
    }

    /// Lets `uses` accounts be made with a code, until the end of `expiry_day`.
    ///
    /// # Errors
    /// The store's.
    pub async fn invite(&self, code: &InviteCode, uses: u32, expiry_day: Day) -> Result<(), StoreError> {
        self.store.add_invite(Invite { hash: code.hash(), uses, expiry_day }).await
    }

    /// Forgets what has expired; to be called every hour or so.
    ///
    /// # Errors
    /// The store's; the next call makes up for it.
    pub async fn expire(&self, now: Now) -> Result<(), StoreError> {
        self.store.expire(now.day()).await?;
        self.store.forget_spent(issuer::oldest_week(now.day())).await
    }

    /// What the plane stands on, for what only one engine can tell. Changes go through the plane.
    pub fn store(&self) -> &A {
        &self.store
    }

    /// The issuer of tokens.
    pub(crate) fn issuer(&self) -> &Arc<Issuer> {
        &self.issuer
    }

    /// Numbers for the operator.
    ///
    /// # Errors
    /// The store's.
    pub async fn counts(&self) -> Result<AccountCounts, StoreError> {
        self.store.counts().await
    }

    /// An account with its list, which was checked before it was stored and is checked again.
    async fn account(&self, account: AccountId) -> Result<Option<(StoredAccount, DeviceList)>, Fault> {
        let Some(stored) = self.store.account(account).await.map_err(fault::store)? else {
            return Ok(None);
        };
        match DeviceList::verify(&stored.device_list) {
            Ok(list) if list.account() == account => Ok(Some((stored, list))),
            _ => Err(fault::unusable()),
        }
    }
}
