//! The account plane in memory.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use undertone_wire::{AccountId, Day, IdempotencyId, Week, account::InboxEntry, limits::CLOCK_SKEW_DAYS};

use super::{directory::Listings, lock, packages::Packages, tokens::Spent, values};
use crate::{
    AccountCounts, Accounts, Contact, Creation, Delivery, InboxPage, Invite, InviteHash, Issuing, ListVersion,
    ListedDevice, NewAccount, NewKeyPackages, NewList, Profile, StoreError, StoredAccount, ValuesPage, Vault, Visit,
    entry::expired, page::Page, published::Publishing,
};

/// Accounts with their key packages and inboxes, and invites, in memory. Clones are the same accounts.
#[derive(Clone, Default)]
pub struct MemoryAccounts(pub(super) Arc<Mutex<State>>);

#[derive(Default)]
pub(super) struct State {
    pub(super) accounts: BTreeMap<AccountId, Account>,
    invites: BTreeMap<InviteHash, Invite>,
    pub(super) spent: Spent,
    pub(super) directory: Listings,
}

pub(super) struct Account {
    pub(super) stored: StoredAccount,
    pub(super) recovery_key: [u8; 32],
    pub(super) inbox_key: Bytes,
    pub(super) devices: BTreeMap<u32, Device>,
    pub(super) inbox: Vec<Letter>,
    pub(super) vault: Vault,
    pub(super) profile: Profile,
    pub(super) suspended: bool,
    /// Batches of tokens, by week and the hash of their request.
    pub(super) issued: BTreeSet<(Week, [u8; 32])>,
}

/// A listed device.
pub(super) struct Device {
    pub(super) key: [u8; 32],
    pub(super) packages: Packages,
    /// It has read the inbox up to and with this entry.
    pub(super) read_up_to: u64,
    pub(super) visit: Option<[u8; 16]>,
}

pub(super) struct Letter {
    pub(super) seq: u64,
    pub(super) id: IdempotencyId,
    pub(super) expiry_day: Day,
    pub(super) sealed: Bytes,
    /// Kept for its idempotency id alone.
    pub(super) cleared: bool,
}

impl Accounts for MemoryAccounts {
    async fn create(&self, new: NewAccount, today: Day) -> Result<Creation, StoreError> {
        let State { accounts, invites, .. } = &mut *lock(&self.0);
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
            profile: Profile::default(),
            suspended: false,
            issued: BTreeSet::new(),
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

    async fn put_device_list(&self, account: AccountId, held: ListVersion, list: NewList) -> Result<bool, StoreError> {
        let mut state = lock(&self.0);
        let Some(account) = state.accounts.get_mut(&account) else {
            return Ok(false);
        };
        let stored = &mut account.stored;
        if held != stored.list_version || list.version <= held {
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

    async fn take_contact(&self, account: AccountId, reserve: u32) -> Result<Option<Contact>, StoreError> {
        Ok(lock(&self.0).accounts.get_mut(&account).map(|account| Contact {
            device_list: account.stored.device_list.clone(),
            inbox_key: account.inbox_key.clone(),
            key_packages: account.devices.values_mut().filter_map(|device| device.packages.take(reserve)).collect(),
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

    async fn profile(&self, account: AccountId) -> Result<Profile, StoreError> {
        Ok(lock(&self.0).accounts.get(&account).map(|account| account.profile.clone()).unwrap_or_default())
    }

    async fn put_profile(&self, account: AccountId, profile: Profile) -> Result<bool, StoreError> {
        let mut state = lock(&self.0);
        let Some(account) = state.accounts.get_mut(&account) else {
            return Ok(false);
        };
        if Some(profile.revision) == account.profile.revision.checked_add(1) {
            account.profile = profile;
            return Ok(true);
        }
        Ok(profile == account.profile)
    }

    async fn issue(
        &self,
        account: AccountId,
        week: Week,
        request: [u8; 32],
        batches_max: u32,
    ) -> Result<Issuing, StoreError> {
        let mut state = lock(&self.0);
        let Some(account) = state.accounts.get_mut(&account) else {
            return Ok(Issuing::Over);
        };
        if account.suspended {
            return Ok(Issuing::Suspended);
        }
        let before = account.issued.iter().filter(|(of, _)| *of == week).count();
        if account.issued.contains(&(week, request)) {
            return Ok(Issuing::Granted);
        }
        if before >= batches_max as usize {
            return Ok(Issuing::Over);
        }
        account.issued.insert((week, request));
        Ok(Issuing::Granted)
    }

    async fn is_suspended(&self, account: AccountId) -> Result<bool, StoreError> {
        Ok(lock(&self.0).accounts.get(&account).is_some_and(|account| account.suspended))
    }

    async fn suspend(&self, account: AccountId, suspended: bool) -> Result<bool, StoreError> {
        let mut state = lock(&self.0);
        Ok(state.accounts.get_mut(&account).map(|account| account.suspended = suspended).is_some())
    }

    async fn issued(&self, week: Week) -> Result<u64, StoreError> {
        let state = lock(&self.0);
        let batches = state.accounts.values().flat_map(|account| &account.issued);
        Ok(batches.filter(|(of, _)| *of == week).count() as u64)
    }

    async fn values(
        &self,
        account: AccountId,
        known: u32,
        limit: u32,
        bytes_max: usize,
    ) -> Result<ValuesPage, StoreError> {
        let mut publishing = Publishing::new(known, limit, bytes_max);
        let State { accounts, directory, .. } = &*lock(&self.0);
        if let Some(kept) = accounts.get(&account) {
            values::publish(account, kept, directory, &mut publishing);
        }
        Ok(publishing.finish())
    }

    async fn delete(&self, account: AccountId) -> Result<(), StoreError> {
        let State { accounts, directory, .. } = &mut *lock(&self.0);
        accounts.remove(&account);
        directory.forget(account);
        Ok(())
    }

    async fn add_invite(&self, invite: Invite) -> Result<(), StoreError> {
        lock(&self.0).invites.entry(invite.hash).or_insert(invite);
        Ok(())
    }

    async fn expire(&self, today: Day) -> Result<(), StoreError> {
        let State { accounts, invites, .. } = &mut *lock(&self.0);
        invites.retain(|_, invite| invite.expiry_day >= today);
        for account in accounts.values_mut() {
            account.inbox.retain(|letter| !expired(letter.expiry_day, today));
            account.issued.retain(|(week, _)| *week >= (Day(today.0.saturating_sub(CLOCK_SKEW_DAYS))).week());
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
