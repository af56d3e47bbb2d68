//! Listing an account in the directory. An identifier is looked at, turned into its element, and forgotten.

use undertone_credentials::verify_give_listing;
use undertone_store::{Accounts, Listed, ListedElement, Listing};
use undertone_wire::{
    AccountId, HandshakeHash, Identifier, Now, account,
    account::{PutListingReply, PutListingRequest},
    circuit::{Code, Fault},
};

use super::{AccountPlane, Codes};
use crate::fault;

/// A million listings are made anew in a minute.
const REKEYING_RETRY_MS: u32 = 10_000;

impl<A: Accounts> AccountPlane<A> {
    /// Has a code sent.
    pub(super) async fn send_code(
        &self,
        now: Now,
        account: AccountId,
        said: Option<account::Identifier>,
    ) -> Result<(), Fault> {
        match identifier(said)? {
            // Whoever comes first has it: there is nobody to send anything to.
            Identifier::Username(_) => Err(Code::Malformed.into()),
            identifier => self.codes()?.send(now, account, identifier).await,
        }
    }

    /// Lists an account, if it has the identifier.
    pub(super) async fn put_listing(
        &self,
        now: Now,
        circuit: &HandshakeHash,
        account: AccountId,
        request: PutListingRequest,
    ) -> Result<PutListingReply, Fault> {
        let identifier = identifier(request.identifier)?;
        if !matches!(identifier, Identifier::Username(_)) {
            self.codes()?.check(now, account, &identifier, &request.code)?;
        }
        let element = self.element(&identifier)?;
        let over = match &request.recovery_signature[..] {
            [] => None,
            signature => {
                let listed = self.store.listed(element).await.map_err(fault::store)?;
                let (holder, recovery_key) = listed.ok_or(Code::NotFound)?;
                verify_give_listing(circuit, &recovery_key, account, &identifier, signature).map_err(fault::proof)?;
                Some(holder)
            }
        };
        self.ensure_of_one_key().await?;
        let listing = Listing { element, account };
        match self.store.list(listing, self.issuer.directory_number(), over, now.day()).await.map_err(fault::store)? {
            Listed::Listed => Ok(PutListingReply { waits_until_day: 0 }),
            Listed::Waits(day) => Ok(PutListingReply { waits_until_day: day.0 }),
            Listed::Full => Err(Code::Exhausted.into()),
            Listed::NotFound => Err(Code::Unauthenticated.into()),
        }
    }

    /// Takes an account from the directory.
    pub(super) async fn remove_listing(
        &self,
        account: AccountId,
        said: Option<account::Identifier>,
    ) -> Result<(), Fault> {
        let element = self.element(&identifier(said)?)?;
        self.ensure_of_one_key().await?;
        self.store.unlist(Listing { element, account }).await.map_err(fault::store)
    }

    /// While elements are made anew by another key, nobody can tell who is listed under an identifier.
    async fn ensure_of_one_key(&self) -> Result<(), Fault> {
        let others = self.store.made_by_others(self.issuer.directory_number(), 1).await.map_err(fault::store)?;
        if others.is_empty() { Ok(()) } else { Err(Fault::from(Code::Unavailable).retry_after_ms(REKEYING_RETRY_MS)) }
    }

    fn codes(&self) -> Result<&Codes, Fault> {
        self.codes.as_ref().ok_or_else(|| Code::Forbidden.into())
    }

    fn element(&self, identifier: &Identifier) -> Result<ListedElement, Fault> {
        self.issuer.directory_element(identifier).map(ListedElement).map_err(fault::object)
    }
}

fn identifier(said: Option<account::Identifier>) -> Result<Identifier, Fault> {
    Identifier::try_from(&said.unwrap_or_default()).map_err(|_| Code::Malformed.into())
}
