//! Spent tokens in memory, of any store.

use std::collections::BTreeMap;

use undertone_wire::Week;

use super::{MemoryAccounts, MemoryBlobs, MemoryChannels, lock};
use crate::{Spending, SpentToken, StoreError, Tokens};

/// What each token was spent on.
#[derive(Clone, Default)]
pub(super) struct Spent(BTreeMap<SpentToken, [u8; 32]>);

impl Spent {
    fn spend(&mut self, tokens: Vec<SpentToken>, request: [u8; 32]) -> Spending {
        let spent_on: Vec<_> = tokens.iter().map(|token| self.0.get(token).copied()).collect();
        let spending = Spending::judge(&spent_on, &request);
        if spending == Spending::First {
            self.0.extend(tokens.into_iter().map(|token| (token, request)));
        }
        spending
    }

    fn of(&self, week: Week) -> u64 {
        self.0.keys().filter(|token| token.week == week).count() as u64
    }

    fn forget(&mut self, oldest: Week) {
        self.0.retain(|token, _| token.week >= oldest);
    }
}

macro_rules! tokens {
    ($($engine:ident)*) => {$(
        impl Tokens for $engine {
            async fn spend(&self, tokens: Vec<SpentToken>, request: [u8; 32]) -> Result<Spending, StoreError> {
                Ok(lock(&self.0).spent.spend(tokens, request))
            }

            async fn spent(&self, week: Week) -> Result<u64, StoreError> {
                Ok(lock(&self.0).spent.of(week))
            }

            async fn forget_spent(&self, oldest: Week) -> Result<(), StoreError> {
                lock(&self.0).spent.forget(oldest);
                Ok(())
            }
        }
    )*};
}

tokens!(MemoryAccounts MemoryChannels MemoryBlobs);
