//! The account plane in memory.

use std::{
    collections::{BTreeMap, VecDeque, btree_map::Entry},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use undertone_wire::{AccountId, Day, IdempotencyId, Week, account::InboxEntry};

use super::lock;
use crate::{
    AccountCounts, Accounts, Contact, Creation, Delivery, HANDED_OUT_KEPT, InboxPage, Invite, InviteHash, ListedDevice,
    NewAccount, NewKeyPackages, NewList, StoreError, StoredAccount, Vault, Visit, entry::expired, page::Page,
};

/// Accounts with their key packages and inboxes, and invites, in memory. Clones are the same accounts.
#[derive(Clone, Default)]
pub struct MemoryAccounts(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    accounts: BTreeMap<AccountId, Account>,
    invites: BTreeMap<InviteHash, Invite>,
}

struct Account {
    stored: StoredAccount,
    recovery_key: [u8; 32],
    inbox_key: Bytes,
    devices: BTreeMap<u32, Device>,
    inbox: Vec<Letter>,
    vault: Vault,
}

/// A listed device.
struct Device {
    key: [u8; 32],
    packages: Packages,
    /// It has read the inbox up to and with this entry.
    read_up_to: u64,
    visit: Option<[u8; 16]>,
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
        let recoverable = accounts.values().any(|account| account.recovery_key == new.recovery_key);
        let place = match accounts.entry(new.account) {
            Entry::Occupied(account) if account.get().stored.device_list == new.list.encoded => {
                return Ok(Creation::Created);
            }
            Entry::Vacant(place) if !recoverable => place,
            _ => return Ok(Creation::Taken),
        };
        if let Some(hash) = new.invite {
            match invites.get_mut(&hash) {
                Some(invite) if invite.uses > 0 && invite.expiry_day >= today => invite.uses -= 1,
                _ => return Ok(Creation::InviteRefused),
            }
        }
        let mut devices: BTreeMap<_, _> = new.list.devices.into_iter().map(Device::listed).collect();
        if let Some(device) = devices.get_mut(&new.device) {
            device.packages.put(new.key_packages, u32::MAX);
        }
        place.insert(Account {
            stored: StoredAccount {
                list_version: new.list.version,
                device_list: new.list.encoded,
                inbox_week: new.inbox_week,
                created: today,
                last_seen: today,
                inbox_seq: 0,
            },
            recovery_key: new.recovery_key,
            inbox_key: new.inbox_key,
            devices,
            inbox: Vec::new(),
            vault: Vault::default(),
        });
        Ok(Creation::Created)
    }

    async fn account(&self, account: AccountId) -> Result<Option<StoredAccount>, StoreError> {
        Ok(lock(&self.0).accounts.get(&account).map(|account| account.stored.clone()))
    }

    async fn recoverable(&self, recovery_key: [u8; 32]) -> Result<Option<AccountId>, StoreError> {
        let state = lock(&self.0);
        let mut accounts = state.accounts.iter();
        Ok(accounts.find(|(_, account)| account.recovery_key == recovery_key).map(|(id, _)| *id))
    }

    async fn seen(
        &self,
        account: AccountId,
        device: u32,
        visit: Option<Visit>,
        today: Day,
    ) -> Result<bool, StoreError> {
        let mut state = lock(&self.0);
        let Some(account) = state.accounts.get_mut(&account) else {
            return Ok(true);
        };
        if let (Some(device), Some(visit)) = (account.devices.get_mut(&device), visit) {
            if !visit.follows(device.visit) {
                return Ok(false);
            }
            device.visit = Some(visit.next);
        }
        account.stored.last_seen = account.stored.last_seen.max(today);
        Ok(true)
    }

    async fn put_device_list(&self, account: AccountId, list: NewList) -> Result<bool, StoreError> {
        let mut state = lock(&self.0);
        let Some(account) = state.accounts.get_mut(&account) else {
            return Ok(false);
        };
        let stored = &mut account.stored;
        if list.version <= stored.list_version {
            return Ok(list.version == stored.list_version && list.encoded == stored.device_list);
        }
        if list.version.identity_number > stored.list_version.identity_number {
            stored.inbox_week = Week(0);
        }
        (stored.list_version, stored.device_list) = (list.version, list.encoded);
        account.devices.retain(|number, device| {
            list.devices.iter().any(|listed| listed.number == *number && listed.key == device.key)
        });
        for listed in list.devices {
            let (number, device) = Device::listed(listed);
            account.devices.entry(number).or_insert(device);
        }
        account.clear_inbox();
        Ok(true)
    }

    async fn put_inbox_key(
        &self,
        account: AccountId,
        identity_number: u32,
        week: Week,
        inbox_key: Bytes,
    ) -> Result<bool, StoreError> {
        let mut state = lock(&self.0);
        let account = state.accounts.get_mut(&account).filter(|Account { stored, .. }| {
            identity_number == stored.list_version.identity_number && week >= stored.inbox_week
        });
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
        let Some(device) = state.accounts.get_mut(&account).and_then(|account| account.devices.get_mut(&device)) else {
            return Ok(0);
        };
        device.packages.put(new, one_time_max);
        Ok(device.packages.left())
    }

    async fn key_packages_left(&self, account: AccountId, device: u32) -> Result<u32, StoreError> {
        let state = lock(&self.0);
        let device = state.accounts.get(&account).and_then(|account| account.devices.get(&device));
        Ok(device.map_or(0, |device| device.packages.left()))
    }

    async fn take_contact(&self, account: AccountId) -> Result<Option<Contact>, StoreError> {
        Ok(lock(&self.0).accounts.get_mut(&account).map(|account| Contact {
            device_list: account.stored.device_list.clone(),
            inbox_key: account.inbox_key.clone(),
            key_packages: account.devices.values_mut().filter_map(|device| device.packages.take()).collect(),
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

    async fn clear_inbox(&self, account: AccountId, device: u32, up_to: u64) -> Result<(), StoreError> {
        let mut state = lock(&self.0);
        let Some(account) = state.accounts.get_mut(&account) else {
            return Ok(());
        };
        if let Some(device) = account.devices.get_mut(&device) {
            // What is still to come was not read, whatever he says.
            device.read_up_to = device.read_up_to.max(up_to.min(account.stored.inbox_seq));
        }
        account.clear_inbox();
        Ok(())
    }

    async fn vault(&self, account: AccountId) -> Result<Vault, StoreError> {
        Ok(lock(&self.0).accounts.get(&account).map(|account| account.vault.clone()).unwrap_or_default())
    }

    async fn put_vault(&self, account: AccountId, vault: Vault) -> Result<bool, StoreError> {
        let mut state = lock(&self.0);
        let Some(account) = state.accounts.get_mut(&account) else {
            return Ok(false);
        };
        if vault.revision == account.vault.revision + 1 {
            account.vault = vault;
            return Ok(true);
        }
        Ok(vault == account.vault)
    }

    async fn delete(&self, account: AccountId) -> Result<(), StoreError> {
        lock(&self.0).accounts.remove(&account);
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
        let devices = accounts.values().flat_map(|account| account.devices.values());
        Ok(AccountCounts {
            accounts: accounts.len() as u64,
            key_packages: devices.map(|device| u64::from(device.packages.left())).sum(),
            inbox_entries: accounts.values().map(|account| account.waiting().count() as u64).sum(),
        })
    }
}

impl Account {
    fn waiting(&self) -> impl Iterator<Item = &Letter> {
        self.inbox.iter().filter(|letter| !letter.cleared)
    }

    /// Forgets what all devices have read.
    fn clear_inbox(&mut self) {
        let read_up_to = self.devices.values().map(|device| device.read_up_to).min().unwrap_or(0);
        self.inbox.iter_mut().filter(|letter| letter.seq <= read_up_to).for_each(|letter| letter.cleared = true);
    }
}

impl Device {
    fn listed(device: ListedDevice) -> (u32, Self) {
        let ListedDevice { number, key } = device;
        (number, Self { key, packages: Packages::default(), read_up_to: 0, visit: None })
    }
}

impl Packages {
    fn left(&self) -> u32 {
        self.waiting.len() as u32
    }

    fn put(&mut self, new: NewKeyPackages, one_time_max: u32) {
        if new.replace {
            self.waiting.retain(|package| new.one_time.contains(package));
        }
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
