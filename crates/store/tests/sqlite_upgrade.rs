//! Files of former releases are brought up to date, with all that is in them.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, fs, path::Path};

use bytes::Bytes;
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use undertone_store::{
    Accounts, Append, AppendOutcome, Channels, Delivery, Directory as _, GenerationKeys, Issuing, Listed,
    ListedElement, Listing, Lookups, NewEntry, NewKeyPackages, Profile, Spending, SpentToken, StoredRecord,
    Tokens as _, Visit,
    sqlite::{OpenError, SqliteAccounts, SqliteChannels},
};
use undertone_wire::{
    AccountId, ChannelId, Day, IdempotencyId, Message as _, Position, Week,
    chain::{Chain, Digest},
    channel::{Entry, EntryKind},
    objects,
};

const TODAY: Day = Day(20_800);
const CHANNEL: ChannelId = ChannelId::new([1; 16]);
const ANA: AccountId = AccountId::new([2; 16]);
const BO: AccountId = AccountId::new([3; 16]);
const ID: IdempotencyId = IdempotencyId::new([9; 16]);

/// Version 1 of the account file, word for word.
const ACCOUNTS_1: &str = "
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
    ) WITHOUT ROWID, STRICT;
    PRAGMA application_id = 0x556e4163;";

/// Version 1 of the channel file, word for word.
const CHANNELS_1: &str = "
    CREATE TABLE channels (
        channel BLOB PRIMARY KEY,
        seq INTEGER NOT NULL,
        chain BLOB NOT NULL,
        incarnation INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        read_key BLOB NOT NULL,
        write_key BLOB NOT NULL,
        bytes INTEGER NOT NULL,
        unused_since INTEGER
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX channels_unused ON channels (unused_since) WHERE unused_since IS NOT NULL;
    CREATE TABLE entries (
        channel BLOB NOT NULL,
        seq INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        incarnation INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        expiry_day INTEGER NOT NULL,
        digest BLOB NOT NULL,
        body_key INTEGER NOT NULL,
        PRIMARY KEY (channel, seq)
    ) WITHOUT ROWID, STRICT;
    PRAGMA application_id = 0x556e4368;";

/// What both had, with the partition of one day.
const BOTH_1: &str = "
    CREATE TABLE partitions (day INTEGER PRIMARY KEY) WITHOUT ROWID, STRICT;
    INSERT INTO partitions (day) VALUES (20800);
    CREATE TABLE ids_20800 (
        log BLOB NOT NULL, id BLOB NOT NULL, seq INTEGER NOT NULL, digest BLOB NOT NULL, bytes INTEGER NOT NULL,
        PRIMARY KEY (log, id)
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE bodies_20800 (key INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
    PRAGMA user_version = 1;";

fn version_1(path: &Path, tables: &str) -> Connection {
    let db = Connection::open(path).unwrap();
    db.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
    db.execute_batch(tables).unwrap();
    db.execute_batch(BOTH_1).unwrap();
    db
}

fn device_list(recovery_key: u8) -> Vec<u8> {
    let device =
        |number: u8| objects::Device { number: number.into(), key: vec![number; 32].into(), features: vec![7] };
    let body = objects::DeviceList {
        recovery_key: vec![recovery_key; 32].into(),
        devices: vec![device(1), device(4)],
        ..objects::DeviceList::default()
    };
    objects::SignedDeviceList { body: body.encode_to_vec().into(), signature: Bytes::new() }.encode_to_vec()
}

/// With two accounts of the same recovery key, of which BO's is the older.
fn account_file(path: &Path) {
    let db = version_1(path, ACCOUNTS_1);
    let sealed = Sha256::digest(b"letter").to_vec();
    for (account, created) in [(ANA, 20_790), (BO, 20_780)] {
        let insert = "INSERT INTO accounts VALUES (?1, ?2, 20800, 0, 1, 2971, 3, ?3, x'0102')";
        db.execute(insert, (account.as_bytes(), created, device_list(8))).unwrap();
    }
    db.execute("INSERT INTO key_packages VALUES (?1, 1, 1, x'00', x'aa')", [ANA.as_bytes()]).unwrap();
    db.execute("INSERT INTO last_resorts VALUES (?1, 4, x'bb')", [ANA.as_bytes()]).unwrap();
    db.execute("INSERT INTO inbox VALUES (?1, 3, 20800, 77)", [ANA.as_bytes()]).unwrap();
    db.execute("INSERT INTO ids_20800 VALUES (?1, ?2, 3, ?3, 6)", (ANA.as_bytes(), ID.as_bytes(), sealed)).unwrap();
    db.execute("INSERT INTO bodies_20800 VALUES (77, ?1)", [&b"letter"[..]]).unwrap();
}

fn message() -> Entry {
    Entry { seq: 1, kind: 1, expiry_day: TODAY.0, body: vec![5; 256].into(), ..Entry::default() }
}

fn channel_file(path: &Path) -> Chain {
    let db = version_1(path, CHANNELS_1);
    let digest = Digest::of(&message()).unwrap();
    let chain = Chain::start(CHANNEL).then(&digest);
    let (log, digest) = (CHANNEL.as_bytes(), digest.as_bytes());
    let insert = "INSERT INTO channels VALUES (?1, 1, ?2, 0, 0, 0, ?3, ?3, 256, NULL)";
    db.execute(insert, (log, chain.as_bytes(), [6; 32])).unwrap();
    db.execute("INSERT INTO entries VALUES (?1, 1, 1, 0, 0, 20800, ?2, 77)", (log, digest)).unwrap();
    db.execute("INSERT INTO ids_20800 VALUES (?1, ?2, 1, ?3, 256)", (log, ID.as_bytes(), digest)).unwrap();
    db.execute("INSERT INTO bodies_20800 VALUES (77, ?1)", [&[5; 256][..]]).unwrap();
    chain
}

#[tokio::test]
async fn accounts_keep_all_they_had_and_get_the_rest_from_their_lists() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("accounts.db");
    account_file(&path);
    let accounts = SqliteAccounts::open(&path).unwrap();
    let ana = accounts.account(ANA).await.unwrap().unwrap();
    assert_eq!((ana.created, ana.last_seen, ana.inbox_week, ana.inbox_seq), (Day(20_790), TODAY, Week(2_971), 3));
    assert!(ana.device_list == device_list(8));
    assert!(accounts.recoverable([8; 32]).await.unwrap() == Some(BO), "the first to have had it");

    let again = accounts.deliver(ANA, ID, Bytes::from_static(b"letter"), TODAY, 9).await.unwrap();
    assert_eq!(again, Delivery::Delivered);
    assert_eq!(accounts.read_inbox(ANA, 0, 9, 999).await.unwrap().entries.len(), 1);
    accounts.clear_inbox(ANA, 1, 3).await.unwrap();
    assert_eq!(accounts.read_inbox(ANA, 0, 9, 999).await.unwrap().entries.len(), 1, "there is another device");
    accounts.clear_inbox(ANA, 4, 3).await.unwrap();
    assert!(accounts.read_inbox(ANA, 0, 9, 999).await.unwrap().entries.is_empty());

    let one_time =
        NewKeyPackages { one_time: vec![Bytes::from_static(b"new")], last_resort: None, ..NewKeyPackages::default() };
    assert_eq!(accounts.put_key_packages(ANA, 1, one_time, 9).await.unwrap(), 2);
    let contact = accounts.take_contact(ANA, 0).await.unwrap().unwrap();
    assert!(contact.key_packages == [Bytes::from_static(&[0xaa]), Bytes::from_static(&[0xbb])]);
    for (next, came) in [(1, true), (2, false)] {
        let visit = Visit { last: None, next: [next; 16] };
        assert_eq!(accounts.seen(ANA, 4, Some(visit), TODAY).await.unwrap(), came);
    }
}

#[tokio::test]
async fn logs_go_on_into_further_generations() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("channels.db");
    let chain = channel_file(&path);
    let channels = SqliteChannels::open(&path).unwrap();
    let read = async || channels.read_after(CHANNEL, 0, 9, 9_999, TODAY).await.unwrap().unwrap();
    assert!(read().await == [message()]);
    let new = |kind, id, installs| NewEntry {
        kind,
        position: Position::default(),
        expiry_day: TODAY,
        body: vec![5; 256].into(),
        installs,
        countersignature: None,
        slot_hash: None,
        id,
    };
    let append = async |entry| {
        channels
            .append(Append {
                channel: CHANNEL,
                generation: 0,
                entries: vec![entry],
                record: None,
                slot: None,
                bytes_max: 9_999,
            })
            .await
            .unwrap()
    };
    let again = append(new(EntryKind::Message, ID, None)).await;
    assert!(
        matches!(again, AppendOutcome::Appended { first_seq: 1, channel, fresh: false, .. } if channel.chain == chain)
    );
    let keys = GenerationKeys { read: [7; 32], write: [8; 32] };
    let rotated = append(new(EntryKind::Commit, IdempotencyId::new([8; 16]), Some(keys))).await;
    assert!(matches!(rotated, AppendOutcome::Appended { first_seq: 2, fresh: true, ended: Some(_), .. }));
    assert!(read().await[1].installs == keys.to_bytes());
    assert!(channels.ended_generation(CHANNEL, 0).await.unwrap().is_some_and(|ended| ended.read_key == [6; 32]));
}

/// (table, column, type) of a file.
fn columns(path: &Path) -> BTreeSet<(String, String, String)> {
    let db = Connection::open(path).unwrap();
    let sql = "SELECT m.name, c.name, c.type || c.\"notnull\" || c.pk FROM sqlite_schema m, pragma_table_info(m.name) c
        WHERE m.type IN ('table', 'index') AND m.name NOT LIKE '%_20800'";
    let mut select = db.prepare(sql).unwrap();
    select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Takes away what entries of version 3 did not have.
fn without_groups(db: &Connection) {
    for column in ["countersignature", "slot_hash"] {
        db.execute_batch(&format!("ALTER TABLE entries DROP COLUMN {column}")).unwrap();
    }
}

#[tokio::test]
async fn channels_of_version_3_take_groups() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("channels.db");
    channel_file(&path);
    drop(SqliteChannels::open(&path).unwrap());
    let db = Connection::open(&path).unwrap();
    db.execute_batch("DROP TABLE records; DROP TABLE head_slots; PRAGMA user_version = 3").unwrap();
    without_groups(&db);
    drop(db);

    let channels = SqliteChannels::open(&path).unwrap();
    assert!(channels.read_after(CHANNEL, 0, 9, 9_999, TODAY).await.unwrap().unwrap() == [message()]);
    assert!(channels.channel(CHANNEL).await.unwrap().is_some_and(|channel| channel.revision == 0));
    let entry = NewEntry {
        kind: EntryKind::Change,
        position: Position::default(),
        expiry_day: Day(0),
        body: vec![5; 256].into(),
        installs: None,
        countersignature: Some([6; 64]),
        slot_hash: None,
        id: IdempotencyId::new([8; 16]),
    };
    let record = StoredRecord { revision: 1, encoded: Bytes::from_static(b"record") };
    let append = Append {
        channel: CHANNEL,
        generation: 0,
        entries: vec![entry],
        record: Some(record.clone()),
        slot: None,
        bytes_max: 9_999,
    };
    assert!(matches!(channels.append(append).await.unwrap(), AppendOutcome::Appended { fresh: true, .. }));
    assert!(channels.record(CHANNEL).await.unwrap() == Some(record));
}

/// Takes out what came with version 4 of the account file.
fn without_directory(path: &Path) {
    let db = Connection::open(path).unwrap();
    db.execute_batch("DROP TABLE listings; DROP TABLE claims; DROP TABLE listing_changes; DROP TABLE lookups").unwrap();
    db.execute_batch("DROP TABLE listing_days; DROP TABLE directory_keys").unwrap();
}

#[tokio::test]
async fn accounts_of_version_3_are_listed() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("accounts.db");
    account_file(&path);
    drop(SqliteAccounts::open(&path).unwrap());
    without_directory(&path);
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 3").unwrap();

    let accounts = SqliteAccounts::open(&path).unwrap();
    let listing = Listing { element: ListedElement([1; 32]), account: ANA };
    assert_eq!(accounts.list(listing, 1, None, TODAY).await.unwrap(), Listed::Listed);
    assert!(accounts.listings(None, 9).await.unwrap() == [listing]);
    assert!(matches!(accounts.issue_lookups(BO, [1; 32], TODAY).await.unwrap(), Lookups::Granted(_)));
}

/// Makes a new file one of version 2: that had all but these tables.
fn version_2(path: &Path, newer: &[&str]) {
    let db = Connection::open(path).unwrap();
    for table in newer {
        db.execute_batch(&format!("DROP TABLE {table}")).unwrap();
        if *table == "records" {
            without_groups(&db);
        }
    }
    db.execute_batch("PRAGMA user_version = 2").unwrap();
}

#[tokio::test]
async fn files_of_version_2_keep_all_they_had_and_take_tokens() {
    let dir = TempDir::new().unwrap();
    let (accounts, channels) = (dir.path().join("accounts.db"), dir.path().join("channels.db"));
    account_file(&accounts);
    channel_file(&channels);
    drop((SqliteAccounts::open(&accounts).unwrap(), SqliteChannels::open(&channels).unwrap()));
    version_2(&accounts, &["profiles", "issued", "suspended", "spent"]);
    without_directory(&accounts);
    version_2(&channels, &["spent", "records", "head_slots"]);

    let (accounts, channels) = (SqliteAccounts::open(&accounts).unwrap(), SqliteChannels::open(&channels).unwrap());
    assert!(accounts.recoverable([8; 32]).await.unwrap() == Some(BO));
    assert_eq!(accounts.read_inbox(ANA, 0, 9, 999).await.unwrap().entries.len(), 1);
    assert_eq!(accounts.issue(ANA, Week(1), [1; 32], 1).await.unwrap(), Issuing::Granted);
    let profile = Profile { revision: 1, access_hash: Some([1; 32]), sealed: Bytes::from_static(b"me") };
    assert!(accounts.put_profile(ANA, profile).await.unwrap());
    assert!(channels.read_after(CHANNEL, 0, 9, 9_999, TODAY).await.unwrap().unwrap() == [message()]);
    let token = SpentToken { week: Week(1), nullifier: [1; 32] };
    assert_eq!(accounts.spend(vec![token], [1; 32]).await.unwrap(), Spending::First);
    assert_eq!(channels.spend(vec![token], [1; 32]).await.unwrap(), Spending::First, "each plane has its own");
}

#[test]
fn an_upgraded_file_has_what_a_new_one_has() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name);
    account_file(&path("old accounts"));
    channel_file(&path("old channels"));
    for _ in 0..2 {
        SqliteAccounts::open(&path("old accounts")).unwrap();
        SqliteChannels::open(&path("old channels")).unwrap();
    }
    SqliteAccounts::open(&path("new accounts")).unwrap();
    SqliteChannels::open(&path("new channels")).unwrap();
    assert_eq!(columns(&path("old accounts")), columns(&path("new accounts")));
    assert_eq!(columns(&path("old channels")), columns(&path("new channels")));
}

#[test]
fn what_cannot_be_upgraded_stays_as_it_was() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("accounts.db");
    account_file(&path);
    let set = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    set("UPDATE accounts SET device_list = x'0102' WHERE created = 20790");
    let before = fs::read(&path).unwrap();
    assert_eq!(SqliteAccounts::open(&path).err(), Some(OpenError::Damaged));
    assert!(fs::read(&path).unwrap() == before);
    assert!(columns(&path).iter().all(|(table, _, _)| table != "devices"));
    for version in [0, -1] {
        set(&format!("PRAGMA user_version = {version}"));
        assert_eq!(SqliteAccounts::open(&path).err(), Some(OpenError::Damaged));
    }
}
