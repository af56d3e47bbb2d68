//! Tokens for lookups in the directory: some at once, and one more each day.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use undertone_store::{Accounts, Lookups};
use undertone_wire::{
    AccountId, Message as _, Now, Week,
    account::{Blinded, Evaluated, IssueLookupsReply, IssueLookupsRequest},
    circuit::{Code, Fault},
    limits::{LOOKUP, LOOKUPS_ONCE},
};

use super::AccountPlane;
use crate::{
    fault,
    issuer::{asked_weeks, number},
    request::ensure,
};

const DAY_MS: u64 = 86_400_000;

impl<A: Accounts> AccountPlane<A> {
    /// Evaluates as many as the account may still have, out of a batch that is always of the same size.
    pub(super) async fn issue_lookups(
        &self,
        now: Now,
        account: AccountId,
        request: IssueLookupsRequest,
    ) -> Result<IssueLookupsReply, Fault> {
        let week = Week(request.week);
        ensure(asked_weeks(now.day()).contains(&week) && request.blinded.len() == LOOKUP.len())?;
        for ((purpose, each), Blinded { purpose: of, elements }) in LOOKUP.iter().zip(&request.blinded) {
            ensure(*of == number(*purpose) && elements.len() == each * LOOKUPS_ONCE as usize)?;
            ensure(elements.iter().all(|element| element.len() == 32))?;
        }
        let hash = Sha256::digest(request.encode_to_vec()).into();
        let granted = match self.store.issue_lookups(account, hash, now.day()).await.map_err(fault::store)? {
            Lookups::Granted(granted) => granted as usize,
            Lookups::Suspended => return Err(Code::Forbidden.into()),
            Lookups::Over => return Err(Fault::from(Code::Exhausted).retry_after_ms(until_tomorrow_ms(now))),
        };
        let batches = LOOKUP.iter().zip(&request.blinded);
        let evaluated = batches.map(|((purpose, each), blinded)| {
            let elements = blinded.elements.get(..each * granted).ok_or(Code::Malformed)?;
            let issued = self.issuer.issue(*purpose, week, elements).map_err(fault::object)?;
            let elements = issued.evaluated.iter().map(|element| Bytes::copy_from_slice(element)).collect();
            Ok(Evaluated { elements, proof: Bytes::copy_from_slice(&issued.proof) })
        });
        Ok(IssueLookupsReply { evaluated: evaluated.collect::<Result<_, Fault>>()? })
    }
}

fn until_tomorrow_ms(now: Now) -> u32 {
    u32::try_from(DAY_MS - now.0 % DAY_MS).unwrap_or(u32::MAX)
}
