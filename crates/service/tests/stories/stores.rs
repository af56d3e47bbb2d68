//! The memory engines, with failures on demand and a count of what changed.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use tokio::sync::Semaphore;
use undertone_store::{
    AccountCounts, Accounts, Append, AppendOutcome, ChannelCounts, Channels, Contact, Creation, Delivery, Directory,
    EndedGeneration, HeadSlot, InboxPage, Invite, Issuing, ListVersion, Listed, ListedElement, Listing, ListingChange,
    Lookups, NewAccount, NewChannel, NewKeyPackages, NewList, Profile, Spending, SpentToken, StoreError, StoredAccount,
    StoredChannel, StoredRecord, Tokens, ValuesPage, Vault, Visit,
    memory::{MemoryAccounts, MemoryChannels},
};
use undertone_wire::{AccountId, ChannelId, Day, IdempotencyId, Week, channel::Entry};

/// What the next change meets.
#[derive(Clone, Copy)]
pub enum Trouble {
    /// It fails before anything is written.
    Before(StoreError),
    /// It is written, and then nobody is told.
    After(StoreError),
    /// It is written, and the answer waits for a permit.
    Held,
}

/// An engine and what shall befall it. All clones are the same one.
#[derive(Default)]
pub struct Scripted<E>(Arc<Script<E>>);

#[derive(Default)]
pub struct Script<E> {
    engine: E,
    trouble: Mutex<Option<Trouble>>,
    permits: Permits,
    changes: AtomicUsize,
    crowd: Mutex<Vec<Listing>>,
}

struct Permits(Semaphore);

impl Default for Permits {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

impl<E> Clone for Scripted<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E> Scripted<E> {
    pub fn trouble(&self, trouble: Trouble) {
        *self.0.trouble.lock().unwrap() = Some(trouble);
    }

    pub fn release(&self) {
        self.0.permits.0.add_permits(1);
    }

    /// How many changes the engine was asked for.
    pub fn changes(&self) -> usize {
        self.0.changes.load(Ordering::Relaxed)
    }

    async fn look<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        work.await
    }

    /// Besides those whom the engine knows, others are listed once.
    pub fn inhabit(&self, crowd: Vec<Listing>) {
        *self.0.crowd.lock().unwrap() = crowd;
    }

    async fn crowded(
        &self,
        work: impl Future<Output = Result<Vec<Listing>, StoreError>>,
    ) -> Result<Vec<Listing>, StoreError> {
        let page = work.await?;
        let mut crowd = self.0.crowd.lock().unwrap();
        let left = crowd.len().saturating_sub(9_999);
        Ok(if page.is_empty() { crowd.split_off(left) } else { page })
    }

    async fn change<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.0.changes.fetch_add(1, Ordering::Relaxed);
        let trouble = self.0.trouble.lock().unwrap().take();
        if let Some(Trouble::Before(error)) = trouble {
            return Err(error);
        }
        let done = work.await;
        match trouble {
            Some(Trouble::After(error)) => Err(error),
            Some(Trouble::Held) => {
                self.0.permits.0.acquire().await.unwrap().forget();
                done
            }
            _ => done,
        }
    }
}

macro_rules! scripted {
    ($domain:ident for $engine:ident { $($kind:ident fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)* }) => {
        impl $domain for Scripted<$engine> {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$result, StoreError> {
                self.$kind(self.0.engine.$name($($arg),*)).await
            })*
        }
    };
}

scripted!(Accounts for MemoryAccounts {
    change fn create(new: NewAccount, today: Day) -> Creation;
    look fn account(account: AccountId) -> Option<StoredAccount>;
    look fn recoverable(recovery_key: [u8; 32]) -> Option<AccountId>;
    change fn seen(account: AccountId, device: u32, visit: Option<Visit>, today: Day) -> bool;
    change fn put_device_list(account: AccountId, held: ListVersion, list: NewList) -> bool;
    change fn put_inbox_key(account: AccountId, identity_number: u32, week: Week, inbox_key: Bytes) -> bool;
    change fn put_key_packages(account: AccountId, device: u32, new: NewKeyPackages, one_time_max: u32) -> u32;
    look fn key_packages_left(account: AccountId, device: u32) -> u32;
    change fn take_contact(account: AccountId, reserve: u32) -> Option<Contact>;
    change fn deliver(
        account: AccountId, id: IdempotencyId, sealed: Bytes, expiry_day: Day, entries_max: u64
    ) -> Delivery;
    look fn read_inbox(account: AccountId, after: u64, limit: u32, bytes_max: usize) -> InboxPage;
    change fn clear_inbox(account: AccountId, device: u32, up_to: u64) -> ();
    look fn vault(account: AccountId) -> Vault;
    change fn put_vault(account: AccountId, vault: Vault) -> bool;
    look fn profile(account: AccountId) -> Profile;
    change fn put_profile(account: AccountId, profile: Profile) -> bool;
    change fn issue(account: AccountId, week: Week, request: [u8; 32], batches_max: u32) -> Issuing;
    change fn suspend(account: AccountId, suspended: bool) -> bool;
    look fn is_suspended(account: AccountId) -> bool;
    look fn issued(week: Week) -> u64;
    look fn values(account: AccountId, known: u32, limit: u32, bytes_max: usize) -> ValuesPage;
    change fn delete(account: AccountId) -> ();
    change fn add_invite(invite: Invite) -> ();
    change fn expire(today: Day) -> ();
    look fn counts() -> AccountCounts;
});

scripted!(Directory for MemoryAccounts {
    change fn list(listing: Listing, key: u32, over: Option<AccountId>, today: Day) -> Listed;
    change fn unlist(listing: Listing) -> ();
    look fn listed(element: ListedElement) -> Option<(AccountId, [u8; 32])>;
    look fn is_claimed(account: AccountId) -> bool;
    crowded fn listings(after: Option<ListedElement>, limit: u32) -> Vec<Listing>;
    change fn tell(day: Day) -> ();
    look fn told_days() -> Vec<Day>;
    look fn told(day: Day) -> Vec<ListingChange>;
    change fn forget_told(before: Day) -> ();
    look fn directory_key() -> u32;
    change fn take_directory_key(number: u32) -> ();
    look fn made_by_others(key: u32, limit: u32) -> Vec<(ListedElement, u32)>;
    change fn rekey(key: u32, replaced: Vec<(ListedElement, ListedElement)>) -> ();
    change fn issue_lookups(account: AccountId, request: [u8; 32], today: Day) -> Lookups;
    look fn listings_count() -> u64;
});

scripted!(Channels for MemoryChannels {
    change fn create(new: NewChannel, today: Day) -> bool;
    look fn channel(channel: ChannelId) -> Option<StoredChannel>;
    look fn ended_generation(channel: ChannelId, generation: u32) -> Option<EndedGeneration>;
    change fn append(append: Append) -> AppendOutcome;
    look fn read_after(channel: ChannelId, after: u64, limit: u32, bytes_max: usize, today: Day) -> Option<Vec<Entry>>;
    change fn expire(today: Day, unused_days: u32) -> ();
    look fn record(channel: ChannelId) -> Option<StoredRecord>;
    look fn head_slot(channel: ChannelId) -> Option<HeadSlot>;
    look fn counts() -> ChannelCounts;
});

scripted!(Tokens for MemoryAccounts {
    change fn spend(tokens: Vec<SpentToken>, request: [u8; 32]) -> Spending;
    look fn spent(week: Week) -> u64;
    change fn forget_spent(oldest: Week) -> ();
});

scripted!(Tokens for MemoryChannels {
    change fn spend(tokens: Vec<SpentToken>, request: [u8; 32]) -> Spending;
    look fn spent(week: Week) -> u64;
    change fn forget_spent(oldest: Week) -> ();
});
