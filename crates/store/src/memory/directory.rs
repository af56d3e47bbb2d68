//! The directory in memory, beside the accounts.

use std::collections::{BTreeMap, BTreeSet};

use undertone_wire::{AccountId, Day, limits::LISTING_WAIT_DAYS};

use super::{
    accounts::{MemoryAccounts, State},
    lock,
};
use crate::{
    Directory, ListedElement, Listing, ListingChange, Lookups, StoreError,
    directory::{Claim, Claiming, Listed},
};

/// What the accounts' state has of it.
#[derive(Default)]
pub(super) struct Listings {
    /// With the number of the key that made it.
    pub(super) listings: BTreeMap<ListedElement, (AccountId, u32)>,
    /// How many of them each account has.
    counts: BTreeMap<AccountId, u32>,
    /// Who waits, since when.
    pub(super) claims: BTreeMap<ListedElement, (AccountId, Day)>,
    untold: BTreeSet<ListedElement>,
    told: BTreeMap<Day, BTreeSet<ListedElement>>,
    pub(super) lookups: BTreeMap<AccountId, Had>,
    /// Highest number of a key that was taken; 0 if none was.
    key: u32,
}

/// Lookups that an account had, and its last request.
pub(super) struct Had {
    pub(super) issued: u32,
    pub(super) request: [u8; 32],
    pub(super) granted: u32,
}

impl Listings {
    fn put(&mut self, element: ListedElement, account: AccountId, key: u32) {
        self.take(&element);
        self.listings.insert(element, (account, key));
        *self.counts.entry(account).or_default() += 1;
    }

    fn take(&mut self, element: &ListedElement) -> Option<AccountId> {
        let (account, _) = self.listings.remove(element)?;
        match self.counts.get_mut(&account) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.counts.remove(&account)),
        }
        Some(account)
    }

    /// Forgets an account; of its listings stays, until it is told, that they are gone.
    pub(super) fn forget(&mut self, account: AccountId) {
        let gone: Vec<_> =
            self.listings.iter().filter(|(_, (of, _))| *of == account).map(|(element, _)| *element).collect();
        for element in gone {
            self.take(&element);
            self.untold.insert(element);
        }
        self.claims.retain(|_, (of, _)| *of != account);
        self.lookups.remove(&account);
    }
}

impl Directory for MemoryAccounts {
    async fn list(
        &self,
        Listing { element, account }: Listing,
        key: u32,
        over: Option<AccountId>,
        today: Day,
    ) -> Result<Listed, StoreError> {
        let State { accounts, directory, .. } = &mut *lock(&self.0);
        if !accounts.contains_key(&account) {
            return Ok(Listed::NotFound);
        }
        let found = Claiming {
            held_by: directory.listings.get(&element).map(|(account, _)| *account),
            claimed: directory.claims.get(&element).copied(),
            has: directory.counts.get(&account).copied().unwrap_or_default(),
        };
        match found.judge(account, over, today) {
            Claim::Answer(answer) => Ok(answer),
            Claim::Wait(since) => {
                directory.claims.insert(element, (account, since));
                Ok(Listed::Waits(since + LISTING_WAIT_DAYS))
            }
            Claim::List => {
                directory.claims.remove(&element);
                if found.held_by != Some(account) {
                    directory.put(element, account, key);
                    directory.untold.insert(element);
                }
                Ok(Listed::Listed)
            }
        }
    }

    async fn unlist(&self, Listing { element, account }: Listing) -> Result<(), StoreError> {
        let directory = &mut lock(&self.0).directory;
        if directory.listings.get(&element).is_some_and(|(of, _)| *of == account) {
            directory.take(&element);
            directory.untold.insert(element);
        }
        Ok(())
    }

    async fn listed(&self, element: ListedElement) -> Result<Option<(AccountId, [u8; 32])>, StoreError> {
        let State { accounts, directory, .. } = &*lock(&self.0);
        let account = directory.listings.get(&element).map(|(account, _)| *account);
        Ok(account.and_then(|account| Some((account, accounts.get(&account)?.recovery_key))))
    }

    async fn is_claimed(&self, account: AccountId) -> Result<bool, StoreError> {
        let directory = &lock(&self.0).directory;
        let mut listings = directory.listings.iter().filter(|(_, (of, _))| *of == account);
        Ok(listings.any(|(element, _)| directory.claims.contains_key(element)))
    }

    async fn listings(&self, after: Option<ListedElement>, limit: u32) -> Result<Vec<Listing>, StoreError> {
        let directory = &lock(&self.0).directory;
        let listings = directory.listings.iter().filter(|(element, _)| after.is_none_or(|after| **element > after));
        let listings = listings.map(|(element, (account, _))| Listing { element: *element, account: *account });
        Ok(listings.take(limit as usize).collect())
    }

    async fn tell(&self, day: Day) -> Result<(), StoreError> {
        let Listings { told, untold, .. } = &mut lock(&self.0).directory;
        told.entry(day).or_insert_with(|| std::mem::take(untold));
        Ok(())
    }

    async fn told_days(&self) -> Result<Vec<Day>, StoreError> {
        Ok(lock(&self.0).directory.told.keys().copied().collect())
    }

    async fn told(&self, day: Day) -> Result<Vec<ListingChange>, StoreError> {
        let directory = &lock(&self.0).directory;
        let told = directory.told.get(&day).into_iter().flatten();
        let now = |element| directory.listings.get(element).map(|(account, _)| *account);
        Ok(told.map(|element| ListingChange { element: *element, account: now(element) }).collect())
    }

    async fn forget_told(&self, before: Day) -> Result<(), StoreError> {
        lock(&self.0).directory.told.retain(|day, _| *day >= before);
        Ok(())
    }

    async fn directory_key(&self) -> Result<u32, StoreError> {
        Ok(lock(&self.0).directory.key.max(1))
    }

    async fn take_directory_key(&self, number: u32) -> Result<(), StoreError> {
        let directory = &mut lock(&self.0).directory;
        directory.key = directory.key.max(number);
        Ok(())
    }

    async fn made_by_others(&self, key: u32, limit: u32) -> Result<Vec<(ListedElement, u32)>, StoreError> {
        let directory = &lock(&self.0).directory;
        let others = directory.listings.iter().filter(|(_, (_, made_by))| *made_by != key);
        Ok(others.map(|(element, (_, made_by))| (*element, *made_by)).take(limit as usize).collect())
    }

    async fn rekey(&self, key: u32, replaced: Vec<(ListedElement, ListedElement)>) -> Result<(), StoreError> {
        let directory = &mut lock(&self.0).directory;
        for (old, new) in replaced {
            if let Some(account) = directory.take(&old) {
                directory.put(new, account, key);
            }
            if let Some(claim) = directory.claims.remove(&old) {
                directory.claims.insert(new, claim);
            }
        }
        directory.untold.clear();
        directory.told.values_mut().for_each(BTreeSet::clear);
        directory.lookups.clear();
        Ok(())
    }

    async fn issue_lookups(&self, account: AccountId, request: [u8; 32], today: Day) -> Result<Lookups, StoreError> {
        let State { accounts, directory, .. } = &mut *lock(&self.0);
        let Some(kept) = accounts.get(&account) else {
            return Ok(Lookups::Over);
        };
        if kept.suspended {
            return Ok(Lookups::Suspended);
        }
        let issued = match directory.lookups.get(&account) {
            Some(had) if had.request == request => return Ok(Lookups::Granted(had.granted)),
            Some(had) => had.issued,
            None => 0,
        };
        let lookups = Lookups::of(kept.stored.created, issued, today);
        if let Lookups::Granted(granted) = lookups {
            let issued = issued.saturating_add(granted);
            directory.lookups.insert(account, Had { issued, request, granted });
        }
        Ok(lookups)
    }

    async fn listings_count(&self) -> Result<u64, StoreError> {
        Ok(lock(&self.0).directory.listings.len() as u64)
    }
}
