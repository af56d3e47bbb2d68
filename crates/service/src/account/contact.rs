//! What a stranger may do to an account: fetch what he needs to write to it, and leave one sealed letter.

use undertone_store::{Accounts, Delivery};
use undertone_wire::{
    Now,
    circuit::{Code, Fault},
    limits::{INBOX_ENTRIES_MAX, MESSAGE_DAYS_MAX},
    padding,
    visitor::{DeliverReply, DeliverRequest, FetchContactReply, FetchContactRequest},
};

use super::AccountPlane;
use crate::{
    fault,
    request::{ensure, expiry_day, parse},
};

impl<A: Accounts> AccountPlane<A> {
    /// Takes one key package of each device.
    pub(crate) async fn fetch_contact(&self, request: FetchContactRequest) -> Result<FetchContactReply, Fault> {
        let account = parse(&request.account)?;
        let contact = self.store.take_contact(account).await.map_err(fault::store)?.ok_or(Code::NotFound)?;
        Ok(FetchContactReply {
            device_list: contact.device_list,
            inbox_key: contact.inbox_key,
            key_packages: contact.key_packages,
        })
    }

    /// Leaves one sealed letter. The same bytes again succeed again.
    pub(crate) async fn deliver(&self, now: Now, request: DeliverRequest) -> Result<DeliverReply, Fault> {
        let account = parse(&request.account)?;
        let id = parse(&request.idempotency_id)?;
        let expiry_day = expiry_day(request.expiry_day, now.day(), MESSAGE_DAYS_MAX)?;
        ensure(padding::INBOX.contains(&request.sealed.len()))?;
        let delivery = self.store.deliver(account, id, request.sealed, expiry_day, INBOX_ENTRIES_MAX).await;
        match delivery.map_err(fault::store)? {
            Delivery::Delivered => Ok(DeliverReply {}),
            Delivery::NotFound => Err(Code::NotFound.into()),
            Delivery::Conflict => Err(Code::Conflict.into()),
            Delivery::Full => Err(fault::full()),
        }
    }
}
