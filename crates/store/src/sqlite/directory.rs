//! The directory in SQLite, in the file of the account plane.

use rusqlite::{Connection, OptionalExtension as _, Row};
use undertone_wire::{AccountId, Day};

use super::{accounts::SqliteAccounts, blob, blob_or_null, issued};
use crate::{
    Directory, ListedElement, Listing, ListingChange, Lookups, StoreError,
    directory::{Claim, Claiming, Listed},
};

/// Day 0 of a change: nobody was told yet.
pub(super) const SCHEMA: &str = "
    CREATE TABLE listings (
        element BLOB PRIMARY KEY,
        account BLOB NOT NULL,
        key INTEGER NOT NULL
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX listings_account ON listings (account);
    CREATE INDEX listings_key ON listings (key);
    CREATE TABLE claims (
        element BLOB PRIMARY KEY,
        account BLOB NOT NULL,
        day INTEGER NOT NULL
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX claims_account ON claims (account);
    CREATE TABLE listing_changes (
        day INTEGER NOT NULL,
        element BLOB NOT NULL,
        PRIMARY KEY (day, element)
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE listing_days (day INTEGER PRIMARY KEY) WITHOUT ROWID, STRICT;
    CREATE TABLE directory_keys (number INTEGER PRIMARY KEY) WITHOUT ROWID, STRICT;
    CREATE TABLE lookups (
        account BLOB PRIMARY KEY,
        issued INTEGER NOT NULL,
        request BLOB NOT NULL,
        granted INTEGER NOT NULL
    ) WITHOUT ROWID, STRICT;";

impl Directory for SqliteAccounts {
    async fn list(
        &self,
        listing: Listing,
        key: u32,
        over: Option<AccountId>,
        today: Day,
    ) -> Result<Listed, StoreError> {
        self.engine.change(move |db| list(db, listing, key, over, today)).await
    }

    async fn unlist(&self, listing: Listing) -> Result<(), StoreError> {
        let unlist = move |db: &Connection| {
            let sql = "DELETE FROM listings WHERE element = ?1 AND account = ?2";
            let gone = db.prepare_cached(sql)?.execute((listing.element.0, listing.account.as_bytes()))?;
            if gone > 0 { changed(db, listing.element) } else { Ok(()) }
        };
        self.engine.change(unlist).await
    }

    async fn listed(&self, element: ListedElement) -> Result<Option<(AccountId, [u8; 32])>, StoreError> {
        let listed = move |db: &Connection| {
            db.prepare_cached(
                "SELECT account, recovery_key FROM listings JOIN recoveries USING (account) WHERE element = ?1",
            )?
            .query_row([element.0], |row| Ok((blob(row, 0)?, row.get(1)?)))
            .optional()
        };
        self.engine.read(listed).await
    }

    async fn is_claimed(&self, account: AccountId) -> Result<bool, StoreError> {
        let claimed = move |db: &Connection| {
            let sql = "SELECT 1 FROM listings JOIN claims USING (element) WHERE listings.account = ?1";
            db.prepare_cached(sql)?.exists([account.as_bytes()])
        };
        self.engine.read(claimed).await
    }

    async fn listings(&self, after: Option<ListedElement>, limit: u32) -> Result<Vec<Listing>, StoreError> {
        let listings = move |db: &Connection| {
            let after = after.map(|ListedElement(element)| element.to_vec()).unwrap_or_default();
            db.prepare_cached("SELECT element, account FROM listings WHERE element > ?1 ORDER BY element LIMIT ?2")?
                .query_map((after, limit), |row| Ok(Listing { element: element(row, 0)?, account: blob(row, 1)? }))?
                .collect()
        };
        self.engine.read(listings).await
    }

    async fn tell(&self, day: Day) -> Result<(), StoreError> {
        let tell = move |db: &Connection| {
            if db.prepare_cached("INSERT OR IGNORE INTO listing_days (day) VALUES (?1)")?.execute([day.0])? == 0 {
                return Ok(());
            }
            db.prepare_cached(
                "INSERT OR IGNORE INTO listing_changes (day, element) SELECT ?1, element FROM listing_changes WHERE day = 0",
            )?
            .execute([day.0])?;
            super::execute(db, "DELETE FROM listing_changes WHERE day = 0")
        };
        self.engine.change(tell).await
    }

    async fn told_days(&self) -> Result<Vec<Day>, StoreError> {
        let days = |db: &Connection| {
            let mut days = db.prepare_cached("SELECT day FROM listing_days ORDER BY day")?;
            days.query_map([], |row| row.get(0).map(Day))?.collect()
        };
        self.engine.read(days).await
    }

    async fn told(&self, day: Day) -> Result<Vec<ListingChange>, StoreError> {
        let told = move |db: &Connection| {
            db.prepare_cached(
                "SELECT element, account FROM listing_changes LEFT JOIN listings USING (element)
                WHERE day = ?1 ORDER BY element",
            )?
            .query_map([day.0], |row| Ok(ListingChange { element: element(row, 0)?, account: blob_or_null(row, 1)? }))?
            .collect()
        };
        self.engine.read(told).await
    }

    async fn forget_told(&self, before: Day) -> Result<(), StoreError> {
        let forget = move |db: &Connection| {
            db.prepare_cached("DELETE FROM listing_changes WHERE day > 0 AND day < ?1")?.execute([before.0])?;
            db.prepare_cached("DELETE FROM listing_days WHERE day < ?1")?.execute([before.0]).map(drop)
        };
        self.engine.change(forget).await
    }

    async fn directory_key(&self) -> Result<u32, StoreError> {
        let newest =
            |db: &Connection| db.query_row("SELECT coalesce(max(number), 1) FROM directory_keys", [], |row| row.get(0));
        self.engine.read(newest).await
    }

    async fn take_directory_key(&self, number: u32) -> Result<(), StoreError> {
        let take = move |db: &Connection| {
            db.prepare_cached("INSERT OR IGNORE INTO directory_keys (number) VALUES (?1)")?.execute([number]).map(drop)
        };
        self.engine.change(take).await
    }

    async fn made_by_others(&self, key: u32, limit: u32) -> Result<Vec<(ListedElement, u32)>, StoreError> {
        let others = move |db: &Connection| {
            db.prepare_cached("SELECT element, key FROM listings WHERE key < ?1 OR key > ?1 LIMIT ?2")?
                .query_map((key, limit), |row| Ok((element(row, 0)?, row.get(1)?)))?
                .collect()
        };
        self.engine.read(others).await
    }

    async fn rekey(&self, key: u32, replaced: Vec<(ListedElement, ListedElement)>) -> Result<(), StoreError> {
        let rekey = move |db: &Connection| {
            for (ListedElement(old), ListedElement(new)) in &replaced {
                db.prepare_cached("UPDATE listings SET element = ?2, key = ?3 WHERE element = ?1")?
                    .execute((old, new, key))?;
                db.prepare_cached("UPDATE claims SET element = ?2 WHERE element = ?1")?.execute((old, new))?;
            }
            super::execute(db, "DELETE FROM listing_changes")?;
            super::execute(db, "DELETE FROM lookups")
        };
        self.engine.change(rekey).await
    }

    async fn issue_lookups(&self, account: AccountId, request: [u8; 32], today: Day) -> Result<Lookups, StoreError> {
        self.engine.change(move |db| issue_lookups(db, account, &request, today)).await
    }

    async fn listings_count(&self) -> Result<u64, StoreError> {
        let count = |db: &Connection| db.query_row("SELECT count(*) FROM listings", [], |row| row.get::<_, i64>(0));
        self.engine.read(count).await.map(i64::cast_unsigned)
    }
}

fn list(
    db: &Connection,
    Listing { element, account }: Listing,
    key: u32,
    over: Option<AccountId>,
    today: Day,
) -> rusqlite::Result<Listed> {
    if !db.prepare_cached("SELECT 1 FROM accounts WHERE account = ?1")?.exists([account.as_bytes()])? {
        return Ok(Listed::NotFound);
    }
    let found = Claiming {
        held_by: db
            .prepare_cached("SELECT account FROM listings WHERE element = ?1")?
            .query_row([element.0], |row| blob(row, 0))
            .optional()?,
        claimed: db
            .prepare_cached("SELECT account, day FROM claims WHERE element = ?1")?
            .query_row([element.0], |row| Ok((blob(row, 0)?, Day(row.get(1)?))))
            .optional()?,
        has: db
            .prepare_cached("SELECT count(*) FROM listings WHERE account = ?1")?
            .query_row([account.as_bytes()], |row| row.get(0))?,
    };
    match found.judge(account, over, today) {
        Claim::Answer(answer) => Ok(answer),
        Claim::Wait(since) => {
            db.prepare_cached("INSERT OR REPLACE INTO claims (element, account, day) VALUES (?1, ?2, ?3)")?
                .execute((element.0, account.as_bytes(), since.0))?;
            Ok(Listed::Waits(since + undertone_wire::limits::LISTING_WAIT_DAYS))
        }
        Claim::List => {
            db.prepare_cached("DELETE FROM claims WHERE element = ?1")?.execute([element.0])?;
            if found.held_by != Some(account) {
                db.prepare_cached("INSERT OR REPLACE INTO listings (element, account, key) VALUES (?1, ?2, ?3)")?
                    .execute((element.0, account.as_bytes(), key))?;
                changed(db, element)?;
            }
            Ok(Listed::Listed)
        }
    }
}

/// Forgets an account; of its listings stays, until it is told, that they are gone.
pub(super) fn forget(db: &Connection, account: AccountId) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO listing_changes (day, element) SELECT 0, element FROM listings WHERE account = ?1",
    )?
    .execute([account.as_bytes()])?;
    for table in ["listings", "claims", "lookups"] {
        db.prepare_cached(&format!("DELETE FROM {table} WHERE account = ?1"))?.execute([account.as_bytes()])?;
    }
    Ok(())
}

fn changed(db: &Connection, element: ListedElement) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO listing_changes (day, element) VALUES (0, ?1)";
    db.prepare_cached(sql)?.execute([element.0]).map(drop)
}

fn issue_lookups(db: &Connection, account: AccountId, request: &[u8; 32], today: Day) -> rusqlite::Result<Lookups> {
    if issued::is_suspended(db, account)? {
        return Ok(Lookups::Suspended);
    }
    let created = db
        .prepare_cached("SELECT created FROM accounts WHERE account = ?1")?
        .query_row([account.as_bytes()], |row| row.get(0).map(Day))
        .optional()?;
    let Some(created) = created else {
        return Ok(Lookups::Over);
    };
    let had: Option<(u32, [u8; 32], u32)> = db
        .prepare_cached("SELECT issued, request, granted FROM lookups WHERE account = ?1")?
        .query_row([account.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let issued = match had {
        Some((_, last, granted)) if last == *request => return Ok(Lookups::Granted(granted)),
        Some((issued, ..)) => issued,
        None => 0,
    };
    let lookups = Lookups::of(created, issued, today);
    if let Lookups::Granted(granted) = lookups {
        db.prepare_cached(
            "INSERT OR REPLACE INTO lookups (account, issued, request, granted) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((account.as_bytes(), issued.saturating_add(granted), request, granted))?;
    }
    Ok(lookups)
}

fn element(row: &Row<'_>, column: usize) -> rusqlite::Result<ListedElement> {
    row.get(column).map(ListedElement)
}
