//! Issuing tokens to an account, out of its budget, and credentials.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use undertone_store::{Accounts, Issuing, StoreError};
use undertone_wire::{
    AccountId, Message as _, Now, Week,
    account::{Blinded, Evaluated, IssueCredentialsReply, IssueTokensReply, IssueTokensRequest, IssuedCredential},
    circuit::{Code, Fault},
    limits::TOKEN_BATCH,
};

use super::AccountPlane;
use crate::{
    fault,
    issuer::{asked_weeks, number},
    request::ensure,
};

const WEEK_MS: u64 = 7 * 86_400_000;
/// The first so many of a batch are what release 0.2 asks for.
const PURPOSES_OF_0_2: usize = 3;

impl<A: Accounts> AccountPlane<A> {
    /// Evaluates one whole batch. It is counted before anything is computed; what is no element uses it up all the same.
    pub(super) async fn issue(
        &self,
        now: Now,
        account: AccountId,
        request: IssueTokensRequest,
    ) -> Result<IssueTokensReply, Fault> {
        let week = Week(request.week);
        ensure(asked_weeks(now.day()).contains(&week))?;
        ensure([TOKEN_BATCH.len(), PURPOSES_OF_0_2].contains(&request.blinded.len()))?;
        for ((purpose, count), Blinded { purpose: of, elements }) in TOKEN_BATCH.iter().zip(&request.blinded) {
            ensure(*of == number(*purpose) && elements.len() == *count)?;
            ensure(elements.iter().all(|element| element.len() == 32))?;
        }
        let hash = Sha256::digest(request.encode_to_vec()).into();
        match self.store.issue(account, week, hash, self.issuer.batches_a_week()).await.map_err(fault::store)? {
            Issuing::Granted => {}
            Issuing::Suspended => return Err(Code::Forbidden.into()),
            Issuing::Over => return Err(Fault::from(Code::Exhausted).retry_after_ms(until_next_week_ms(now))),
        }
        let batches = TOKEN_BATCH.iter().zip(&request.blinded);
        let evaluated = batches.map(|((purpose, _), blinded)| {
            let issued = self.issuer.issue(*purpose, week, &blinded.elements).map_err(fault::object)?;
            let elements = issued.evaluated.iter().map(|element| Bytes::copy_from_slice(element)).collect();
            Ok(Evaluated { elements, proof: Bytes::copy_from_slice(&issued.proof) })
        });
        Ok(IssueTokensReply { evaluated: evaluated.collect::<Result<_, Fault>>()? })
    }

    /// Credentials for today and tomorrow. Asking counts nothing, and nothing is kept of it.
    pub(super) async fn issue_credentials(&self, now: Now, account: AccountId) -> Result<IssueCredentialsReply, Fault> {
        if self.store.is_suspended(account).await.map_err(fault::store)? {
            return Err(Code::Forbidden.into());
        }
        let days = [now.day(), now.day() + 1];
        let credentials = days.map(|day| {
            let credential = self.issuer.issue_credential(account, day);
            IssuedCredential { day: day.0, credential }
        });
        Ok(IssueCredentialsReply { credentials: credentials.into() })
    }

    /// Tokens of a week that were issued to accounts.
    ///
    /// # Errors
    /// The store's.
    pub async fn tokens_issued(&self, week: Week) -> Result<u64, StoreError> {
        let batch: usize = TOKEN_BATCH.iter().map(|(_, count)| count).sum();
        Ok(self.store.issued(week).await? * batch as u64)
    }

    /// Tokens of a week that were spent on this plane.
    ///
    /// # Errors
    /// The store's.
    pub async fn tokens_spent(&self, week: Week) -> Result<u64, StoreError> {
        self.store.spent(week).await
    }

    /// Has an account issued no more tokens and credentials, or again. False: there is no such account.
    ///
    /// # Errors
    /// The store's.
    pub async fn suspend(&self, account: AccountId, suspended: bool) -> Result<bool, StoreError> {
        self.store.suspend(account, suspended).await
    }
}

fn until_next_week_ms(now: Now) -> u32 {
    u32::try_from(WEEK_MS - now.0 % WEEK_MS).unwrap_or(u32::MAX)
}
