//! Blind tokens: the account plane issues them to accounts, and both planes take them from nobody in particular.
//!
//! Issuing and taking have nothing in common but the key: what is issued is blinded, so neither the tokens that come nor
//! the requests that they pay for tell to whom they went.

use std::{
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use rand_core::CryptoRng;
use undertone_credentials::{
    CredentialError, CredentialKey, DirectoryKey, GroupPublic, Issued, IssuingKey, group::Pseudonym,
    voprf::SecretScalar,
};
use undertone_store::{ListedElement, Spending, SpentToken, Tokens};
use undertone_wire::{
    AccountId, Day, HandshakeHash, Identifier, Now, Week,
    circuit::{Code, Fault, TokenKey},
    limits::{CLOCK_SKEW_DAYS, LOOKUP, RESERVE_TOKENS, TOKEN_BATCH, TOKEN_BATCHES_A_WEEK, TOKEN_WEEKS, TOKENS_MAX},
    objects::Purpose,
    paid::Paid,
    presented::Presented,
};

use crate::{fault, request::ensure};

/// Whoever issues tokens, and judges them. Both planes have the same one.
pub struct Issuer {
    key: IssuingKey,
    /// For groups; it follows from the same seed.
    credentials: CredentialKey,
    /// Likewise, for identifiers.
    directory: DirectoryKey,
    /// For proofs.
    rng: Mutex<Box<dyn CryptoRng + Send>>,
    batches_a_week: u32,
}

impl Issuer {
    /// An issuer with the usual budget.
    pub fn new(key: IssuingKey, rng: impl CryptoRng + Send + 'static) -> Self {
        let (credentials, directory) = (key.credential_key(), key.directory_key(NonZeroU32::MIN));
        Self { key, credentials, directory, rng: Mutex::new(Box::new(rng)), batches_a_week: TOKEN_BATCHES_A_WEEK }
    }

    /// With another budget: batches that one account may have in a week.
    #[must_use]
    pub fn with_budget(self, batches_a_week: u32) -> Self {
        Self { batches_a_week, ..self }
    }

    /// With the directory key of another number than the first.
    #[must_use]
    pub fn with_directory_key(self, number: NonZeroU32) -> Self {
        Self { directory: self.key.directory_key(number), ..self }
    }

    /// Batches that one account may have in a week.
    pub(crate) fn batches_a_week(&self) -> u32 {
        self.batches_a_week
    }

    /// What everybody must know: the keys of tokens that are good in this week, and those of the next one, so that no
    /// clock that is a little ahead finds none.
    pub(crate) fn public_keys(&self, week: Week) -> Vec<TokenKey> {
        let weeks = week.0.saturating_sub(TOKEN_WEEKS)..=week.0.saturating_add(1);
        let purposes = || TOKEN_BATCH.iter().chain(&LOOKUP).map(|(purpose, _)| *purpose);
        let keys = weeks.flat_map(|week| purposes().map(move |purpose| (purpose, Week(week))));
        keys.map(|(purpose, week)| TokenKey {
            purpose: number(purpose),
            week: week.0,
            key: Bytes::copy_from_slice(self.key.public(purpose, week).as_bytes()),
        })
        .collect()
    }

    /// What everybody must know of credentials: the key that all are issued under.
    pub(crate) fn credential_public(&self) -> Bytes {
        Bytes::copy_from_slice(self.credentials.public().as_bytes())
    }

    /// What everybody must know of the directory: the key that identifiers are evaluated under.
    pub(crate) fn directory_public(&self) -> Bytes {
        Bytes::copy_from_slice(&self.directory.public())
    }

    /// Number of that key.
    pub(crate) fn directory_number(&self) -> u32 {
        self.directory.number()
    }

    /// What an identifier is listed under.
    pub(crate) fn directory_element(&self, identifier: &Identifier) -> Result<[u8; 32], CredentialError> {
        self.directory.element(identifier)
    }

    /// What the identifiers are listed under that the directory key of another number has made these elements of.
    pub(crate) fn directory_elements(
        &self,
        made_by: u32,
        old: &[ListedElement],
    ) -> Result<Vec<ListedElement>, CredentialError> {
        let number = NonZeroU32::new(made_by).ok_or(CredentialError::Malformed)?;
        let old: Vec<_> = old.iter().map(|element| element.0).collect();
        let made = self.directory.remake(&self.key.directory_key(number), &old)?;
        Ok(made.into_iter().map(ListedElement).collect())
    }

    /// Evaluates blinded identifiers.
    pub(crate) fn evaluate(&self, blinded: &[Bytes]) -> Result<Issued, CredentialError> {
        // What is evaluated takes long: nobody else waits for it.
        let random = SecretScalar::random(&mut *self.rng.lock().unwrap_or_else(PoisonError::into_inner));
        self.directory.evaluate(blinded, &random)
    }

    /// A credential of one account and day. Nobody is told of it again: what is presented of it tells neither.
    pub(crate) fn issue_credential(&self, account: AccountId, day: Day) -> Bytes {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        self.credentials.issue(account, day, &mut *rng).into()
    }

    /// Judges what somebody presents on a circuit, for this day and request, as the one whom an entry names in a group.
    pub(crate) fn verify<R: Presented>(
        &self,
        circuit: &HandshakeHash,
        group_public: &[u8; 32],
        whom: &Pseudonym,
        day: Day,
        request: &R,
    ) -> Result<(), Fault> {
        let binding = request.bound_to(circuit);
        let entry = whom.entry().map_err(|_| Code::Malformed)?;
        let group = GroupPublic::try_from(&group_public[..]).map_err(|_| Code::Malformed)?;
        let verified = self.credentials.verify(&group, &entry, day, &binding, request.presentation());
        verified.map_err(|_| Code::Unauthenticated.into())
    }

    /// Evaluates blinded elements.
    pub(crate) fn issue(&self, purpose: Purpose, week: Week, blinded: &[Bytes]) -> Result<Issued, CredentialError> {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        self.key.key(purpose, week).issue(blinded, &mut *rng)
    }

    /// Takes the tokens that came with a request, and spends them on it. It costs its price at least; what more is worth is
    /// for the act to say, see [`Payment`]. The form of the request is to be checked before: what is malformed costs nothing.
    pub(crate) async fn take<R: Paid>(&self, now: Now, store: &impl Tokens, request: &R) -> Result<Payment, Fault> {
        let tokens = request.tokens();
        let price = request.price();
        ensure(tokens.len() <= price.max(TOKENS_MAX))?;
        if tokens.len() < price {
            return Err(fault::price(price));
        }
        let week = now.day().week();
        let verified =
            tokens.iter().map(|token| self.key.verify(R::PURPOSE, token, week)).collect::<Result<Vec<_>, _>>();
        let mut spent: Vec<_> = verified
            .map_err(|_| fault::price(price))?
            .iter()
            .map(|token| SpentToken { week: token.week(), nullifier: *token.as_bytes() })
            .collect();
        spent.sort_unstable();
        spent.dedup();
        if spent.len() < tokens.len() {
            return Err(fault::price(price));
        }
        let spending = store.spend(spent, request.spent_on()).await.map_err(fault::store)?;
        let reserve = tokens.len() >= RESERVE_TOKENS;
        match spending {
            Spending::First => Ok(Payment { reserve, again: false }),
            Spending::Again => Ok(Payment { reserve, again: true }),
            Spending::Otherwise => Err(fault::price(price)),
        }
    }
}

/// What a request was paid with.
#[derive(Clone, Copy)]
pub(crate) struct Payment {
    /// Enough for what is kept back where there is little left.
    pub(crate) reserve: bool,
    /// All of it was paid for this very request before.
    pub(crate) again: bool,
}

/// Weeks for which tokens are asked: the current one, clocks being what they are.
pub(crate) fn asked_weeks(today: Day) -> std::ops::RangeInclusive<Week> {
    Day(today.0.saturating_sub(CLOCK_SKEW_DAYS)).week()..=(today + CLOCK_SKEW_DAYS).week()
}

/// The oldest week of which a token may still be spent, however the clock is set.
pub(crate) fn oldest_week(today: Day) -> Week {
    Week(Day(today.0.saturating_sub(CLOCK_SKEW_DAYS)).week().0.saturating_sub(TOKEN_WEEKS))
}

/// As it stands in messages.
pub(crate) fn number(purpose: Purpose) -> u32 {
    i32::from(purpose).unsigned_abs()
}
