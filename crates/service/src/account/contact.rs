//! What a stranger may do to an account: fetch what he needs to write to it, and leave one sealed letter. Both cost
//! tokens; where little is left, more of them.

use undertone_store::{Accounts, Delivery};
use undertone_wire::{
    Day, Now,
    circuit::{Code, Fault},
    limits::{
        INBOX_ENTRIES_MAX, INBOX_RESERVE, KEY_PACKAGES_RESERVE, LETTER_DAYS_MIN, LETTER_DAYS_STEP, MESSAGE_DAYS_MAX,
        RESERVE_TOKENS,
    },
    padding,
    visitor::{DeliverReply, DeliverRequest, FetchContactReply, FetchContactRequest},
};

use super::AccountPlane;
use crate::{
    fault,
    issuer::Payment,
    request::{ensure, expiry_day, parse},
};

impl<A: Accounts> AccountPlane<A> {
    /// Takes one key package of each device. For tokens that paid for the same before there are those of last resort: what
    /// is paid once shall not use up one after another.
    pub(crate) async fn fetch_contact(
        &self,
        now: Now,
        request: FetchContactRequest,
    ) -> Result<FetchContactReply, Fault> {
        let account = parse(&request.account)?;
        let reserve = match self.issuer.take(now, &self.store, &request).await? {
            Payment { again: true, .. } => u32::MAX,
            Payment { reserve: true, .. } => 0,
            Payment { .. } => KEY_PACKAGES_RESERVE,
        };
        let contact = self.store.take_contact(account, reserve).await.map_err(fault::store)?.ok_or(Code::NotFound)?;
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
        // Any other day would tell when the letter came, and from whose program.
        ensure(expiry_day.0.is_multiple_of(LETTER_DAYS_STEP))?;
        let expiry_day = kept_until(expiry_day, now.day());
        ensure(padding::INBOX.contains(&request.sealed.len()))?;
        let Payment { reserve, .. } = self.issuer.take(now, &self.store, &request).await?;
        let entries_max = if reserve { INBOX_ENTRIES_MAX } else { INBOX_RESERVE };
        let delivery = self.store.deliver(account, id, request.sealed, expiry_day, entries_max).await;
        match delivery.map_err(fault::store)? {
            Delivery::Delivered => Ok(DeliverReply {}),
            Delivery::NotFound => Err(Code::NotFound.into()),
            Delivery::Conflict => Err(Code::Conflict.into()),
            Delivery::Full if reserve => Err(fault::full()),
            // What was paid stays paid for this letter: it may come again with more.
            Delivery::Full => Err(fault::price(RESERVE_TOKENS)),
        }
    }
}

/// A letter that has waited with its writer, or was dated by a clock that is behind, is kept as long as one of today.
fn kept_until(stated: Day, today: Day) -> Day {
    if stated >= today + LETTER_DAYS_MIN {
        return stated;
    }
    let latest = today + MESSAGE_DAYS_MAX;
    Day(latest.0 - latest.0 % LETTER_DAYS_STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_there_for_a_fortnight_at_least() {
        for today in (20_779..20_779 + 2 * LETTER_DAYS_STEP).map(Day) {
            let stated = (today.0 - 1..=today.0 + MESSAGE_DAYS_MAX).map(Day);
            for stated in stated.filter(|day| day.0.is_multiple_of(LETTER_DAYS_STEP)) {
                let kept = kept_until(stated, today);
                assert!(kept.0.is_multiple_of(LETTER_DAYS_STEP));
                assert!((today + LETTER_DAYS_MIN..=today + MESSAGE_DAYS_MAX).contains(&kept));
                assert!(kept == stated || stated < today + LETTER_DAYS_MIN, "an honest day stays");
            }
        }
    }
}
