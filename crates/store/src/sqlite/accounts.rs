//! The account plane in SQLite.

use std::path::Path;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _};
use undertone_wire::{AccountId, Day, IdempotencyId, Week, limits::CLOCK_SKEW_DAYS};

use super::{
    devices, directory,
    engine::Engine,
    inbox, issued, key_packages,
    open::{OpenError, Plane},
    partition::{self, Partition},
    profile, recovery, tokens, values, vault,
};
use crate::{
    AccountCounts, Accounts, Contact, Creation, Delivery, InboxPage, Invite, InviteHash, Issuing, ListVersion,
    NewAccount, NewKeyPackages, NewList, Profile, StoreError, StoredAccount, ValuesPage, Vault, Visit,
    published::Publishing,
};

static PLANE: Plane = Plane {
    name: "accounts",
    // "UnAc"
    application_id: 0x556e_4163,
    schema: &[
        ACCOUNTS,
        devices::SCHEMA,
        recovery::SCHEMA,
        vault::SCHEMA,
        profile::SCHEMA,
        issued::SCHEMA,
        tokens::SCHEMA,
        directory::SCHEMA,
        partition::SCHEMA,
    ],
    upgrades: &[
        |db| {
            for tables in [devices::SCHEMA, recovery::SCHEMA, vault::SCHEMA] {
                db.execute_batch(tables)?;
            }
            devices::fill(db)
        },
        |db| {
            for tables in [profile::SCHEMA, issued::SCHEMA, tokens::SCHEMA] {
                db.execute_batch(tables)?;
            }
            Ok(())
        },
        |db| Ok(db.execute_batch(directory::SCHEMA)?),
    ],
};

/// Wide columns stand last, so that the others are read without their pages. A null package was handed out.
const ACCOUNTS: &str = "
    CREATE TABLE accounts (
        account BLOB PRIMARY KEY,
        created INTEGER NOT NULL,
        last_seen INTEGER NOT NULL,
        identity_number INTEGER NOT NULL,
        list_counter INTEGER NOT NULL,
        inbox_week INTEGER NOT NULL,
        inbox_seq INTEGER NOT NULL,
        device_list BLOB NOT NULL,
        inbox_key BLOB NOT NULL
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE key_packages (
        account BLOB NOT NULL,
        device INTEGER NOT NULL,
        number INTEGER NOT NULL,
        hash BLOB NOT NULL,
        package BLOB,
        PRIMARY KEY (account, device, number)
    ) WITHOUT ROWID, STRICT;
    CREATE UNIQUE INDEX key_packages_hash ON key_packages (account, device, hash);
    CREATE TABLE last_resorts (
        account BLOB NOT NULL,
        device INTEGER NOT NULL,
        package BLOB NOT NULL,
        PRIMARY KEY (account, device)
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE inbox (
        account BLOB NOT NULL,
        seq INTEGER NOT NULL,
        expiry_day INTEGER NOT NULL,
        body_key INTEGER NOT NULL,
        PRIMARY KEY (account, seq)
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE invites (
        hash BLOB PRIMARY KEY,
        uses INTEGER NOT NULL,
        expiry_day INTEGER NOT NULL
    ) WITHOUT ROWID, STRICT;";

/// Accounts with their key packages and inboxes, and invites, in one SQLite file.
pub struct SqliteAccounts {
    pub(super) engine: Engine,
}

impl SqliteAccounts {
    /// Opens the file, or creates it. Blocks.
    ///
    /// # Errors
    /// Why the file cannot be used, for the operator.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Ok(Self { engine: Engine::open(path, &PLANE)? })
    }
}

impl Accounts for SqliteAccounts {
    async fn create(&self, new: NewAccount, today: Day) -> Result<Creation, StoreError> {
        self.engine.change(move |db| create(db, &new, today)).await
    }

    async fn account(&self, account: AccountId) -> Result<Option<StoredAccount>, StoreError> {
        self.engine.read(move |db| load(db, account)).await
    }

    async fn recoverable(&self, recovery_key: [u8; 32]) -> Result<Option<AccountId>, StoreError> {
        self.engine.read(move |db| recovery::find(db, &recovery_key)).await
    }

    async fn seen(
        &self,
        account: AccountId,
        device: u32,
        visit: Option<Visit>,
        today: Day,
    ) -> Result<bool, StoreError> {
        let seen = move |db: &Connection| {
            if let Some(visit) = &visit
                && !devices::visit(db, account, device, visit)?
            {
                return Ok(false);
            }
            db.prepare_cached("UPDATE accounts SET last_seen = ?2 WHERE account = ?1 AND last_seen < ?2")?
                .execute((account.as_bytes(), today.0))?;
            Ok(true)
        };
        self.engine.change(seen).await
    }

    async fn put_device_list(&self, account: AccountId, held: ListVersion, list: NewList) -> Result<bool, StoreError> {
        self.engine.change(move |db| put_device_list(db, account, held, &list)).await
    }

    async fn put_inbox_key(
        &self,
        account: AccountId,
        identity_number: u32,
        week: Week,
        inbox_key: Bytes,
    ) -> Result<bool, StoreError> {
        let put = move |db: &Connection| {
            db.prepare_cached(
                "UPDATE accounts SET inbox_week = ?3, inbox_key = ?4
                WHERE account = ?1 AND identity_number = ?2 AND inbox_week <= ?3",
            )?
            .execute((account.as_bytes(), identity_number, week.0, &inbox_key[..]))
        };
        Ok(self.engine.change(put).await? == 1)
    }

    async fn put_key_packages(
        &self,
        account: AccountId,
        device: u32,
        new: NewKeyPackages,
        one_time_max: u32,
    ) -> Result<u32, StoreError> {
        let put = move |db: &Connection| match devices::is_listed(db, account, device)? {
            true => key_packages::put(db, account, device, &new, one_time_max),
            false => Ok(0),
        };
        self.engine.change(put).await
    }

    async fn key_packages_left(&self, account: AccountId, device: u32) -> Result<u32, StoreError> {
        self.engine.read(move |db| key_packages::left(db, account, device)).await
    }

    async fn take_contact(&self, account: AccountId, reserve: u32) -> Result<Option<Contact>, StoreError> {
        self.engine.change(move |db| take_contact(db, account, reserve)).await
    }

    async fn deliver(
        &self,
        account: AccountId,
        id: IdempotencyId,
        sealed: Bytes,
        expiry_day: Day,
        entries_max: u64,
    ) -> Result<Delivery, StoreError> {
        let letter = inbox::Letter::new(id, sealed, expiry_day);
        self.engine.change(move |db| inbox::deliver(db, account, &letter, entries_max)).await
    }

    async fn read_inbox(
        &self,
        account: AccountId,
        after: u64,
        limit: u32,
        bytes_max: usize,
    ) -> Result<InboxPage, StoreError> {
        self.engine.read(move |db| inbox::read(db, account, after, limit, bytes_max)).await
    }

    async fn clear_inbox(&self, account: AccountId, device: u32, up_to: u64) -> Result<(), StoreError> {
        let clear = move |db: &Connection| {
            devices::read_up_to(db, account, device, up_to)?;
            inbox::clear(db, account)
        };
        self.engine.change(clear).await
    }

    async fn vault(&self, account: AccountId) -> Result<Vault, StoreError> {
        self.engine.read(move |db| vault::load(db, account)).await
    }

    async fn put_vault(&self, account: AccountId, vault: Vault) -> Result<bool, StoreError> {
        self.engine.change(move |db| Ok(load(db, account)?.is_some() && vault::put(db, account, &vault)?)).await
    }

    async fn profile(&self, account: AccountId) -> Result<Profile, StoreError> {
        self.engine.read(move |db| profile::load(db, account)).await
    }

    async fn put_profile(&self, account: AccountId, profile: Profile) -> Result<bool, StoreError> {
        self.engine.change(move |db| Ok(load(db, account)?.is_some() && profile::put(db, account, &profile)?)).await
    }

    async fn issue(
        &self,
        account: AccountId,
        week: Week,
        request: [u8; 32],
        batches_max: u32,
    ) -> Result<Issuing, StoreError> {
        let issue = move |db: &Connection| match load(db, account)? {
            Some(_) => issued::issue(db, account, week, &request, batches_max),
            None => Ok(Issuing::Over),
        };
        self.engine.change(issue).await
    }

    async fn is_suspended(&self, account: AccountId) -> Result<bool, StoreError> {
        self.engine.read(move |db| issued::is_suspended(db, account)).await
    }

    async fn suspend(&self, account: AccountId, suspended: bool) -> Result<bool, StoreError> {
        let suspend = move |db: &Connection| {
            let exists = load(db, account)?.is_some();
            if exists {
                issued::suspend(db, account, suspended)?;
            }
            Ok(exists)
        };
        self.engine.change(suspend).await
    }

    async fn issued(&self, week: Week) -> Result<u64, StoreError> {
        self.engine.read(move |db| issued::count(db, week)).await
    }

    async fn values(
        &self,
        account: AccountId,
        known: u32,
        limit: u32,
        bytes_max: usize,
    ) -> Result<ValuesPage, StoreError> {
        let read = move |db: &Connection| {
            let mut publishing = Publishing::new(known, limit, bytes_max);
            values::publish(db, account, &mut publishing)?;
            Ok(publishing.finish())
        };
        self.engine.read(read).await
    }

    async fn delete(&self, account: AccountId) -> Result<(), StoreError> {
        self.engine.change(move |db| delete(db, account)).await
    }

    async fn add_invite(&self, invite: Invite) -> Result<(), StoreError> {
        let Invite { hash: InviteHash(hash), uses, expiry_day } = invite;
        let add = move |db: &Connection| {
            db.prepare_cached("INSERT OR IGNORE INTO invites (hash, uses, expiry_day) VALUES (?1, ?2, ?3)")?
                .execute((hash, uses, expiry_day.0))
                .map(drop)
        };
        self.engine.change(add).await
    }

    async fn expire(&self, today: Day) -> Result<(), StoreError> {
        // In steps, between which others get their turn.
        for day in self.engine.read(move |db| partition::expired(db, today)).await? {
            while !self.engine.change(move |db| inbox::shrink_partition(db, day)).await? {}
        }
        let rest = move |db: &Connection| {
            issued::forget(db, Day(today.0.saturating_sub(CLOCK_SKEW_DAYS)).week())?;
            db.execute("DELETE FROM invites WHERE expiry_day < ?1", [today.0]).map(drop)
        };
        self.engine.change(rest).await
    }

    async fn counts(&self) -> Result<AccountCounts, StoreError> {
        self.engine.read(counts).await
    }
}

fn create(db: &Connection, new: &NewAccount, today: Day) -> rusqlite::Result<Creation> {
    if let Some(account) = load(db, new.account)? {
        return Ok(if account.device_list == new.list.encoded { Creation::Created } else { Creation::Taken });
    }
    if recovery::find(db, &new.recovery_key)?.is_some() {
        return Ok(Creation::Taken);
    }
    if let Some(InviteHash(hash)) = new.invite {
        let used = db
            .prepare_cached("UPDATE invites SET uses = uses - 1 WHERE hash = ?1 AND uses > 0 AND expiry_day >= ?2")?
            .execute((hash, today.0))?;
        if used == 0 {
            return Ok(Creation::InviteRefused);
        }
    }
    let ListVersion { identity_number, counter } = new.list.version;
    db.prepare_cached(
        "INSERT INTO accounts
            (account, created, last_seen, identity_number, list_counter, inbox_week, inbox_seq, device_list, inbox_key)
        VALUES (?1, ?2, ?2, ?3, ?4, ?5, 0, ?6, ?7)",
    )?
    .execute((
        new.account.as_bytes(),
        today.0,
        identity_number,
        counter.cast_signed(),
        new.inbox_week.0,
        &new.list.encoded[..],
        &new.inbox_key[..],
    ))?;
    recovery::insert(db, &new.recovery_key, new.account)?;
    devices::replace(db, new.account, &new.list.devices)?;
    key_packages::put(db, new.account, new.device, &new.key_packages, u32::MAX)?;
    Ok(Creation::Created)
}

fn load(db: &Connection, account: AccountId) -> rusqlite::Result<Option<StoredAccount>> {
    db.prepare_cached(
        "SELECT created, last_seen, identity_number, list_counter, inbox_week, inbox_seq, device_list
        FROM accounts WHERE account = ?1",
    )?
    .query_row([account.as_bytes()], |row| {
        Ok(StoredAccount {
            created: Day(row.get(0)?),
            last_seen: Day(row.get(1)?),
            // A counter comes from outside and may have all 64 bits: it is compared here, never by SQLite.
            list_version: ListVersion { identity_number: row.get(2)?, counter: row.get::<_, i64>(3)?.cast_unsigned() },
            inbox_week: Week(row.get(4)?),
            inbox_seq: row.get::<_, i64>(5)?.cast_unsigned(),
            device_list: row.get::<_, Vec<u8>>(6)?.into(),
        })
    })
    .optional()
}

fn put_device_list(db: &Connection, account: AccountId, held: ListVersion, list: &NewList) -> rusqlite::Result<bool> {
    let Some(stored) = load(db, account)? else {
        return Ok(false);
    };
    let NewList { version, encoded, devices } = list;
    if held != stored.list_version || *version <= held {
        return Ok(*version == stored.list_version && *encoded == stored.device_list);
    }
    let week = if version.identity_number > stored.list_version.identity_number { Week(0) } else { stored.inbox_week };
    db.prepare_cached(
        "UPDATE accounts SET identity_number = ?2, list_counter = ?3, inbox_week = ?4, device_list = ?5
        WHERE account = ?1",
    )?
    .execute((
        account.as_bytes(),
        version.identity_number,
        version.counter.cast_signed(),
        week.0,
        &encoded[..],
    ))?;
    devices::replace(db, account, devices)?;
    inbox::clear(db, account)?;
    Ok(true)
}

/// Tables and, in the partitions of all days, the letters with their idempotency ids.
fn delete(db: &Connection, account: AccountId) -> rusqlite::Result<()> {
    inbox::forget(db, account, u64::MAX)?;
    directory::forget(db, account)?;
    for partition in Partition::all(db)? {
        partition.forget_log(account.as_bytes())?;
    }
    for table in [
        "accounts",
        "key_packages",
        "last_resorts",
        "devices",
        "recoveries",
        "vaults",
        "profiles",
        "suspended",
        "issued",
    ] {
        db.prepare_cached(&format!("DELETE FROM {table} WHERE account = ?1"))?.execute([account.as_bytes()])?;
    }
    Ok(())
}

fn take_contact(db: &Connection, account: AccountId, reserve: u32) -> rusqlite::Result<Option<Contact>> {
    let stored = db
        .prepare_cached("SELECT device_list, inbox_key FROM accounts WHERE account = ?1")?
        .query_row([account.as_bytes()], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)))
        .optional()?;
    let Some((device_list, inbox_key)) = stored else {
        return Ok(None);
    };
    let key_packages = key_packages::take(db, account, reserve)?;
    Ok(Some(Contact { device_list: device_list.into(), inbox_key: inbox_key.into(), key_packages }))
}

fn counts(db: &Connection) -> rusqlite::Result<AccountCounts> {
    let count = |sql| db.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned);
    Ok(AccountCounts {
        accounts: count("SELECT count(*) FROM accounts")?,
        key_packages: count("SELECT count(*) FROM key_packages WHERE package IS NOT NULL")?,
        inbox_entries: count("SELECT count(*) FROM inbox")?,
    })
}
