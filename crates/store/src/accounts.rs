//! The account plane: accounts, device lists, key packages, inboxes, invites.

use bytes::Bytes;
use undertone_wire::{AccountId, Day, IdempotencyId, Week, account::InboxEntry, limits::KEY_PACKAGES_MAX};

use crate::{Directory, StoreError, Tokens, ValuesPage};

/// Order of device lists: (identity number, counter).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListVersion {
    /// Counts identity keys.
    pub identity_number: u32,
    /// Counts lists of one identity key.
    pub counter: u64,
}

/// A device on a list. The same number with another key is another device.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ListedDevice {
    /// Its number.
    pub number: u32,
    /// Ed25519.
    pub key: [u8; 32],
}

/// A device list with what the store must know of it.
#[derive(Clone)]
pub struct NewList {
    /// Its place among the lists of its account.
    pub version: ListVersion,
    /// SignedDeviceList.
    pub encoded: Bytes,
    /// The devices on it, numbers all different.
    pub devices: Vec<ListedDevice>,
}

/// What a device says of itself each time it comes, so that a copy of it is noticed. 16 random bytes each.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Visit {
    /// What it said the last time; none if it does not know.
    pub last: Option<[u8; 16]>,
    /// What it will say the next time.
    pub next: [u8; 16],
}

impl Visit {
    /// Whether the device of which this is held may be the one that comes. It may have been here already, without having
    /// heard so.
    pub(crate) fn follows(&self, held: Option<[u8; 16]>) -> bool {
        held.is_none() || held == self.last || held == Some(self.next)
    }
}

/// SHA-256 of an invite code; codes themselves are not kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct InviteHash(pub [u8; 32]);

/// An invite that an operator gives out.
#[derive(Clone, Copy)]
pub struct Invite {
    /// By this it is found.
    pub hash: InviteHash,
    /// How many accounts may still be made with it.
    pub uses: u32,
    /// The last day on which it holds.
    pub expiry_day: Day,
}

/// An account as it is registered.
#[derive(Clone)]
pub struct NewAccount {
    /// Its id.
    pub account: AccountId,
    /// Ed25519; no two accounts have the same.
    pub recovery_key: [u8; 32],
    /// Its first list.
    pub list: NewList,
    /// Week of `inbox_key`.
    pub inbox_week: Week,
    /// SignedInboxKey.
    pub inbox_key: Bytes,
    /// Number of the device that registers.
    pub device: u32,
    /// That device's key packages.
    pub key_packages: NewKeyPackages,
    /// The invite to use up; none where registration is open.
    pub invite: Option<InviteHash>,
}

/// Key packages of one device.
#[derive(Clone, Default)]
pub struct NewKeyPackages {
    /// Handed out once each, in this order.
    pub one_time: Vec<Bytes>,
    /// Handed out when none of those is left; none leaves the former one.
    pub last_resort: Option<Bytes>,
    /// Whether those that wait, and are not among these, are forgotten.
    pub replace: bool,
}

/// How a registration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// The account exists now. Also for a retry with the same device list, which uses no invite up.
    Created,
    /// The account exists with another device list, or another account with this recovery key.
    Taken,
    /// The invite is unknown, used up or expired.
    InviteRefused,
}

/// What is kept of an account.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredAccount {
    /// Version of `device_list`.
    pub list_version: ListVersion,
    /// SignedDeviceList.
    pub device_list: Bytes,
    /// Week of the newest inbox key; 0 if it is signed by a former identity key.
    pub inbox_week: Week,
    /// The day it was created.
    pub created: Day,
    /// The day it last authenticated.
    pub last_seen: Day,
    /// Number of the newest inbox entry; 0 if there never was one.
    pub inbox_seq: u64,
}

/// What a stranger gets, to write to an account.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// SignedDeviceList.
    pub device_list: Bytes,
    /// SignedInboxKey, the newest.
    pub inbox_key: Bytes,
    /// SignedKeyPackage, one of each device that has any, by device number.
    pub key_packages: Vec<Bytes>,
}

/// What an account's devices have sealed for whoever has the recovery words.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Vault {
    /// Counts from 1; 0 while there is none.
    pub revision: u64,
    /// Empty while there is none.
    pub sealed: Bytes,
}

/// What an account tells of itself to those whom it has given the key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Counts from 1; 0 while there never was one.
    pub revision: u64,
    /// SHA-256 of what somebody has to show to fetch it; none when there is no profile.
    pub access_hash: Option<[u8; 32]>,
    /// Empty when there is no profile, or none any more.
    pub sealed: Bytes,
}

/// How it ended that an account asked for tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issuing {
    /// It may have them. Also for the same request again, which counts once.
    Granted,
    /// It has had as many batches as it may in this week, or there is no such account.
    Over,
    /// Its operator has suspended it.
    Suspended,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It stands in the inbox. Also for a retry with the same bytes, even after the entry was read and cleared.
    Delivered,
    /// No such account.
    NotFound,
    /// The idempotency id was used with other bytes for the same expiry day.
    Conflict,
    /// The inbox holds as many unread entries as it may.
    Full,
}

/// Part of an inbox.
#[derive(Clone, Default, PartialEq)]
pub struct InboxPage {
    /// In order of `seq`.
    pub entries: Vec<InboxEntry>,
    /// Whether there is more after them.
    pub more: bool,
}

/// Numbers an operator may see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountCounts {
    /// Accounts.
    pub accounts: u64,
    /// One-time key packages that wait.
    pub key_packages: u64,
    /// Inbox entries that wait.
    pub inbox_entries: u64,
}

/// A device's key packages that were handed out are remembered, by their hash, up to so many: as many as it may have
/// waiting, so that a whole batch put again after an unknown outcome hands none out twice.
pub const HANDED_OUT_KEPT: usize = KEY_PACKAGES_MAX as usize;

/// Storage of the account plane. Partition key: the account id (of `add_invite`: the invite's hash).
///
/// An inbox entry's body and idempotency id stand in the partition of its expiry day, which is forgotten as a whole; day 0
/// means never. The caller bounds expiry days. What names an account that does not exist changes nothing.
pub trait Accounts: Tokens + Directory {
    /// Creates an account and uses up its invite, both or neither.
    fn create(&self, new: NewAccount, today: Day) -> impl Future<Output = Result<Creation, StoreError>> + Send;

    /// Looks an account up.
    fn account(&self, account: AccountId) -> impl Future<Output = Result<Option<StoredAccount>, StoreError>> + Send;

    /// Finds the account of a recovery key.
    fn recoverable(&self, recovery_key: [u8; 32])
    -> impl Future<Output = Result<Option<AccountId>, StoreError>> + Send;

    /// Notes that a listed device was here on this day, and what it will say the next time (true). False, and nothing is
    /// noted: another one was here meanwhile, since what is held is neither what this one said the last time nor, as in a
    /// retry, what it will say the next. A device of which nothing is held may say anything. Writes only what is new.
    fn seen(
        &self,
        account: AccountId,
        device: u32,
        visit: Option<Visit>,
        today: Day,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Replaces the device list of version `held` if the new version is higher (true), or it is the same list again (true).
    /// False: a list of another version stands, or there is no such account.
    ///
    /// With a device that is not listed any more goes all that is kept for it: key packages, how far it has read, its
    /// visits. With a former identity key goes the week of the inbox key that it signed.
    fn put_device_list(
        &self,
        account: AccountId,
        held: ListVersion,
        list: NewList,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Replaces the inbox key if the account's list has this identity number, and the week is not older than the one held
    /// (true). False: it is not so, or there is no such account.
    fn put_inbox_key(
        &self,
        account: AccountId,
        identity_number: u32,
        week: Week,
        inbox_key: Bytes,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Adds key packages of a listed device, up to `one_time_max` in all (what is beyond is left out). The same bytes are kept
    /// once, and those among the last [`HANDED_OUT_KEPT`] handed out are not taken again. Returns how many one-time
    /// ones are left.
    fn put_key_packages(
        &self,
        account: AccountId,
        device: u32,
        new: NewKeyPackages,
        one_time_max: u32,
    ) -> impl Future<Output = Result<u32, StoreError>> + Send;

    /// How many one-time key packages a device has left.
    fn key_packages_left(
        &self,
        account: AccountId,
        device: u32,
    ) -> impl Future<Output = Result<u32, StoreError>> + Send;

    /// What a stranger needs. One-time key packages among it are gone afterwards: no two calls get the same one. A device
    /// that has no more than `reserve` of them keeps those, and its last resort is given.
    fn take_contact(
        &self,
        account: AccountId,
        reserve: u32,
    ) -> impl Future<Output = Result<Option<Contact>, StoreError>> + Send;

    /// Appends a sealed entry to an inbox that holds fewer than `entries_max`. The idempotency id, in the scope of
    /// (account, expiry day), is looked up before that limit.
    fn deliver(
        &self,
        account: AccountId,
        id: IdempotencyId,
        sealed: Bytes,
        expiry_day: Day,
        entries_max: u64,
    ) -> impl Future<Output = Result<Delivery, StoreError>> + Send;

    /// Entries after `after`, at most `limit` and (but for the first) `bytes_max` bytes of them.
    fn read_inbox(
        &self,
        account: AccountId,
        after: u64,
        limit: u32,
        bytes_max: usize,
    ) -> impl Future<Output = Result<InboxPage, StoreError>> + Send;

    /// Notes that a listed device has read all entries up to and with `up_to`, and forgets those that all listed devices
    /// have read. Their numbers are never used again.
    fn clear_inbox(
        &self,
        account: AccountId,
        device: u32,
        up_to: u64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The vault; an empty one for an account that has none.
    fn vault(&self, account: AccountId) -> impl Future<Output = Result<Vault, StoreError>> + Send;

    /// Replaces the vault if the new one's revision follows the one held (true), or it is the same vault again (true).
    /// False: it does not, or there is no such account.
    fn put_vault(&self, account: AccountId, vault: Vault) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// The profile; an empty one for an account that never had any.
    fn profile(&self, account: AccountId) -> impl Future<Output = Result<Profile, StoreError>> + Send;

    /// Replaces the profile, by the rule of [`Self::put_vault`]. An empty one takes it away, and is counted too.
    fn put_profile(
        &self,
        account: AccountId,
        profile: Profile,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Counts a batch of tokens for a week, unless it would be more than `batches_max` of them. Batches are known again by
    /// the hash of their request.
    fn issue(
        &self,
        account: AccountId,
        week: Week,
        request: [u8; 32],
        batches_max: u32,
    ) -> impl Future<Output = Result<Issuing, StoreError>> + Send;

    /// Has an account issued no more tokens, or again. False: there is no such account.
    ///
    /// Nothing else changes: the account goes on reading its inbox, and its chats, which nothing here ties to it. What
    /// tokens pay for, reaching strangers and making channels, ends when those that it has are spent or expired.
    fn suspend(&self, account: AccountId, suspended: bool) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Whether its operator has suspended it. False also for one that is not there.
    fn is_suspended(&self, account: AccountId) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Batches of tokens that were issued for a week, to all accounts.
    fn issued(&self, week: Week) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// All that is kept of an account, after `known` values: at most `limit` of them and, but for the first, `bytes_max`
    /// bytes. Every engine gives the same, but for the random keys of bodies.
    fn values(
        &self,
        account: AccountId,
        known: u32,
        limit: u32,
        bytes_max: usize,
    ) -> impl Future<Output = Result<ValuesPage, StoreError>> + Send;

    /// Deletes an account and all that is kept of it, its letters with their idempotency ids and its listings included.
    fn delete(&self, account: AccountId) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Keeps an invite. The same hash again changes nothing, even after the invite was used up.
    fn add_invite(&self, invite: Invite) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Forgets what has expired before `today`: inbox entries by their day's partition, invites, and which batches of
    /// tokens were issued in weeks for which none are asked any more.
    fn expire(&self, today: Day) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Counts.
    fn counts(&self) -> impl Future<Output = Result<AccountCounts, StoreError>> + Send;
}
