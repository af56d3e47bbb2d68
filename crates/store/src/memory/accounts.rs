//! The account plane in memory.

use std::{
    collections::{BTreeMap, VecDeque, btree_map::Entry},
    sync::Mutex,
};

use bytes::Bytes;
use undertone_wire::{AccountId, Day, IdempotencyId, Week, account::InboxEntry};

use super::lock;
use crate::{
    AccountCounts, Accounts, Contact, Creation, Delivery, HANDED_OUT_KEPT, InboxPage, Invite, InviteHash, ListVersion,
    NewAccount, NewKeyPackages, StoreError, StoredAccount, entry::expired, page::Page,
};

/// Accounts with their key packages and inboxes, and invites, in memory.
#[derive(Default)]
pub struct MemoryAccounts(Mutex<State>);

#[derive(Default)]
struct State {
    accounts: BTreeMap<AccountId, Account>,
    invites: BTreeMap<InviteHash, Invite>,
}

struct Account {
    stored: StoredAccount,
    inbox_key: Bytes,
    devices: BTreeMap<u32, Packages>,
    inbox: Vec<Letter>,
}

/// Key packages of one device.
#[derive(Default)]
struct Packages {
    waiting: VecDeque<Bytes>,
    handed_out: VecDeque<Bytes>,
    last_resort: Option<Bytes>,
}

struct Letter {
    seq: u64,
    id: IdempotencyId,
    expiry_day: Day,
    sealed: Bytes,
    /// Kept for its idempotency id alone.
    cleared: bool,
}

impl Accounts for MemoryAccounts {
    async fn create(&self, new: NewAccount, today: Day) -> Result<Creation, StoreError> {
        let State { accounts, invites } = &mut *lock(&self.0);
        let place = match accounts.entry(new.account) {
            Entry::Occupied(account) if account.get().stored.device_list == new.device_list => {
                return Ok(Creation::Created);
            }
            Entry::Occupied(_) => return Ok(Creation::Taken),
            Entry::Vacant(place) => place,
        };
        if let Some(hash) = new.invite {
            match invites.get_mut(&hash) {
                Some(invite) if invite.uses > 0 && invite.expiry_day >= today => invite.uses -= 1,
                _ => return Ok(Creation::InviteRefused),
            }
        }
        let mut packages = Packages::default();
        packages.put(new.key_packages, u32::MAX);
        place.insert(Account {
            stored: StoredAccount {
                list_version: new.list_version,
                device_list: new.device_list,
                inbox_week: new.inbox_week,
                created: today,
                last_seen: today,
                inbox_seq: 0,
            },
            inbox_key: new.inbox_key,
            devices: BTreeMap::from([(new.device, packages)]),
            inbox: Vec::new(),
        });
        Ok(Creation::Created)
    }

    async fn account(&self, account: AccountId) -> Result<Option<StoredAccount>, StoreError> {
        Ok(lock(&self.0).accounts.get(&account).map(|account| account.stored.clone()))
    }

    async fn seen(&self, account: AccountId, today: Day) -> Result<(), StoreError> {
        if let Some(account) = lock(&self.0).accounts.get_mut(&account) {
            account.stored.last_seen = account.stored.last_seen.max(today);
        }
        Ok(())
    }

    async fn put_device_list(
        &self,
        account: AccountId,
        version: ListVersion,
        device_list: Bytes,
    ) -> Result<bool, StoreError> {
        let mut state = lock(&self.0);
        let Some(Account { stored, .. }) = state.accounts.get_mut(&account) else {
            return Ok(false);
        };
        if version > stored.list_version {
            (stored.list_version, stored.device_list) = (version, device_list);
            return Ok(true);
        }
        Ok(version == stored.list_version && device_list == stored.device_list)
    }

    async fn put_inbox_key(&self, account: AccountId, week: Week, inbox_key: Bytes) -> Result<bool, StoreError> {
        let mut state = lock(&self.0);
        let account = state.accounts.get_mut(&account).filter(|account| week >= account.stored.inbox_week);
        Ok(account.map(|account| (account.stored.inbox_week, account.inbox_key) = (week, inbox_key)).is_some())
    }

    async fn put_key_packages(
        &self,
        account: AccountId,
        device: u32,
        new: NewKeyPackages,
        one_time_max: u32,
    ) -> Result<u32, StoreError> {
        let mut state = lock(&self.0);
        let Some(account) = state.accounts.get_mut(&account) else {
            return Ok(0);
        };
        let packages = account.devices.entry(device).or_default();
        packages.put(new, one_time_max);
        Ok(packages.left())
    }

    async fn key_packages_left(&self, account: AccountId, device: u32) -> Result<u32, StoreError> {
        let state = lock(&self.0);
        let packages = state.accounts.get(&account).and_then(|account| account.devices.get(&device));
        Ok(packages.map_or(0, Packages::left))
    }

    async fn take_contact(&self, account: AccountId) -> Result<Option<Contact>, StoreError> {
        Ok(lock(&self.0).accounts.get_mut(&account).map(|account| Contact {
            device_list: account.stored.device_list.clone(),
            inbox_key: account.inbox_key.clone(),
            key_packages: account.devices.values_mut().filter_map(Packages::take).collect(),
        }))
    }

    async fn deliver(
        &self,
        account: AccountId,
        id: IdempotencyId,
        sealed: Bytes,
        expiry_day: Day,
        entries_max: u64,
    ) -> Result<Delivery, StoreError> {
        let mut state = lock(&self.0);
        let Some(account) = state.accounts.get_mut(&account) else {
            return Ok(Delivery::NotFound);
        };
        if let Some(letter) = account.inbox.iter().find(|letter| letter.id == id && letter.expiry_day == expiry_day) {
            return Ok(if letter.sealed == sealed { Delivery::Delivered } else { Delivery::Conflict });
        }
        if account.waiting().count() as u64 >= entries_max {
            return Ok(Delivery::Full);
        }
        account.stored.inbox_seq += 1;
        account.inbox.push(Letter { seq: account.stored.inbox_seq, id, expiry_day, sealed, cleared: false });
        Ok(Delivery::Delivered)
    }

    async fn read_inbox(
        &self,
        account: AccountId,
        after: u64,
        limit: u32,
        bytes_max: usize,
    ) -> Result<InboxPage, StoreError> {
        let state = lock(&self.0);
        let Some(account) = state.accounts.get(&account) else {
            return Ok(InboxPage::default());
        };
        let mut page = Page::new(limit, bytes_max);
        let mut letters = account.waiting().filter(|letter| letter.seq > after).peekable();
        let mut entries = Vec::new();
        while let Some(letter) = letters.next_if(|letter| page.take(letter.sealed.len())) {
            entries.push(InboxEntry { seq: letter.seq, sealed: letter.sealed.clone() });
        }
        Ok(InboxPage { entries, more: letters.peek().is_some() })
    }

    async fn clear_inbox(&self, account: AccountId, up_to: u64) -> Result<(), StoreError> {
        if let Some(account) = lock(&self.0).accounts.get_mut(&account) {
            account.inbox.iter_mut().filter(|letter| letter.seq <= up_to).for_each(|letter| letter.cleared = true);
        }
        Ok(())
    }

    async fn add_invite(&self, invite: Invite) -> Result<(), StoreError> {
        lock(&self.0).invites.entry(invite.hash).or_insert(invite);
        Ok(())
    }

    async fn expire(&self, today: Day) -> Result<(), StoreError> {
        let State { accounts, invites } = &mut *lock(&self.0);
        invites.retain(|_, invite| invite.expiry_day >= today);
        for account in accounts.values_mut() {
            account.inbox.retain(|letter| !expired(letter.expiry_day, today));
        }
        Ok(())
    }

    async fn counts(&self) -> Result<AccountCounts, StoreError> {
        let State { accounts, .. } = &*lock(&self.0);
        let packages = accounts.values().flat_map(|account| account.devices.values());
        Ok(AccountCounts {
            accounts: accounts.len() as u64,
            key_packages: packages.map(|packages| packages.waiting.len() as u64).sum(),
            inbox_entries: accounts.values().map(|account| account.waiting().count() as u64).sum(),
        })
    }
}

impl Account {
    fn waiting(&self) -> impl Iterator<Item = &Letter> {
        self.inbox.iter().filter(|letter| !letter.cleared)
    }
}

impl Packages {
    fn left(&self) -> u32 {
        self.waiting.len() as u32
    }

    fn put(&mut self, new: NewKeyPackages, one_time_max: u32) {
        for package in new.one_time {
            let known = self.waiting.contains(&package) || self.handed_out.contains(&package);
            if !known && self.left() < one_time_max {
                self.waiting.push_back(package);
            }
        }
        self.last_resort = new.last_resort.or(self.last_resort.take());
    }

    fn take(&mut self) -> Option<Bytes> {
        let Some(package) = self.waiting.pop_front() else {
            return self.last_resort.clone();
        };
        self.handed_out.push_back(package.clone());
        if self.handed_out.len() > HANDED_OUT_KEPT {
            self.handed_out.pop_front();
        }
        Some(package)
    }
}
