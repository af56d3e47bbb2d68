//! What a SQLite engine makes of the file it is given, and what it leaves of its own.

#![allow(clippy::unwrap_used)]

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use rusqlite::Connection;
use tempfile::TempDir;
use undertone_store::{
    Accounts, Append, AppendOutcome, Channels, Creation, Delivery, ListVersion, ListedDevice, NewAccount, NewChannel,
    NewEntry, NewKeyPackages, NewList, StoreError, Vault,
    sqlite::{EntryRow, LetterRow, OpenError, SqliteAccounts, SqliteChannels},
};
use undertone_wire::{AccountId, ChannelId, Day, IdempotencyId, Position, Week, channel::EntryKind};

const CHANNEL: ChannelId = ChannelId::new([1; 16]);
const ACCOUNT: AccountId = AccountId::new([2; 16]);
const TODAY: Day = Day(20_800);

fn append(id: u8, expiry_day: Day, size: usize) -> Append {
    let entry = NewEntry {
        kind: EntryKind::Message,
        position: Position::default(),
        expiry_day,
        body: vec![id; size].into(),
        installs: None,
        countersignature: None,
        slot_hash: None,
        id: IdempotencyId::new([id; 16]),
    };
    Append { channel: CHANNEL, generation: 0, entries: vec![entry], record: None, slot: None, bytes_max: u64::MAX }
}

/// A channel file with some messages in it.
async fn channel_file(dir: &TempDir) -> PathBuf {
    let path = dir.path().join("channels.db");
    let channels = SqliteChannels::open(&path).unwrap();
    assert!(
        channels.create(NewChannel { channel: CHANNEL, read_key: [0; 32], write_key: [0; 32] }, TODAY).await.unwrap()
    );
    for id in 0..20 {
        assert!(matches!(
            channels.append(append(id, TODAY, 4_096)).await.unwrap(),
            AppendOutcome::Appended { fresh: true, .. }
        ));
    }
    path
}

fn refusal(path: &Path) -> OpenError {
    SqliteChannels::open(path).err().unwrap()
}

#[tokio::test]
async fn the_other_planes_file_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = channel_file(&dir).await;
    assert_eq!(SqliteAccounts::open(&path).err(), Some(OpenError::WrongFile { plane: "accounts" }));
    assert!(SqliteChannels::open(&path).is_ok());
}

#[test]
fn a_foreign_database_is_refused_and_left_as_it_was() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("foreign.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE notes (text)").unwrap();
    let before = fs::read(&path).unwrap();
    assert_eq!(refusal(&path), OpenError::WrongFile { plane: "channels" });
    assert!(fs::read(&path).unwrap() == before);
}

#[tokio::test]
async fn a_newer_file_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = channel_file(&dir).await;
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 5).unwrap();
    assert_eq!(refusal(&path), OpenError::Newer { found: 5, known: 4 });
}

#[tokio::test]
async fn a_truncated_file_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = channel_file(&dir).await;
    let whole = fs::metadata(&path).unwrap().len();
    for length in [whole - 4_096, whole / 2, 4_096, 1_000, 99, 2] {
        File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
        assert_eq!(SqliteChannels::open(&path).err(), Some(OpenError::Damaged), "{length} of {whole} bytes");
    }
}

#[test]
fn garbage_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("garbage.db");
    for garbage in [&b"hello"[..], &[0; 10_000], &[0xff; 4_096], b"SQLite format 3\0 but nothing of it is true"] {
        fs::write(&path, garbage).unwrap();
        assert_eq!(refusal(&path), OpenError::Damaged);
    }
}

#[test]
fn a_file_that_cannot_be_is_refused() {
    let dir = TempDir::new().unwrap();
    assert_eq!(refusal(&dir.path().join("missing/channels.db")), OpenError::CannotOpen);
    assert_eq!(refusal(dir.path()), OpenError::CannotOpen);
}

#[tokio::test]
async fn a_lock_of_somebody_else_is_told_and_outlived() {
    let dir = TempDir::new().unwrap();
    let path = channel_file(&dir).await;
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(refusal(&path), OpenError::Locked);
    other.execute_batch("ROLLBACK").unwrap();

    let channels = SqliteChannels::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(channels.append(append(99, TODAY, 256)).await == Err(StoreError::NotApplied));
    assert_eq!(channels.channel(CHANNEL).await.unwrap().unwrap().seq, 20, "reads go on");
    other.execute_batch("ROLLBACK").unwrap();
    assert!(channels.append(append(99, TODAY, 256)).await.is_ok());
}

/// What a crash leaves is the file and the write-ahead log, as they are at that moment.
#[tokio::test]
async fn a_file_that_was_never_closed_is_opened_with_all_that_was_answered() {
    let (dir, crashed) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let path = channel_file(&dir).await;
    let channels = SqliteChannels::open(&path).unwrap();
    channels.append(append(99, TODAY, 256)).await.unwrap();
    for file in ["channels.db", "channels.db-wal"] {
        fs::copy(dir.path().join(file), crashed.path().join(file)).unwrap();
    }
    let reopened = SqliteChannels::open(&crashed.path().join("channels.db")).unwrap();
    assert!(channels.channel(CHANNEL).await.unwrap() == reopened.channel(CHANNEL).await.unwrap());
    let again = reopened.append(append(99, TODAY, 256)).await.unwrap();
    assert!(matches!(again, AppendOutcome::Appended { first_seq: 21, fresh: false, .. }));
}

#[tokio::test]
async fn a_closed_file_needs_no_log_beside_it() {
    let dir = TempDir::new().unwrap();
    let path = channel_file(&dir).await;
    let files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files, [path]);
}

/// Pages of what has expired are used again: the file does not grow with the days.
#[tokio::test]
async fn expiry_makes_room_in_the_file() {
    let dir = TempDir::new().unwrap();
    let path = channel_file(&dir).await;
    let mut lengths = Vec::new();
    for day in 1..=4 {
        let channels = SqliteChannels::open(&path).unwrap();
        for id in 0..20 {
            channels.append(append(id, TODAY + day, 64 << 10)).await.unwrap();
        }
        channels.expire(TODAY + day, 7).await.unwrap();
        drop(channels);
        lengths.push(fs::metadata(&path).unwrap().len());
    }
    assert!(lengths[3] <= lengths[1] + (64 << 10), "{lengths:?}");
}

#[tokio::test]
async fn an_operator_sees_days_counts_and_sizes() {
    let dir = TempDir::new().unwrap();
    let channels = SqliteChannels::open(&channel_file(&dir).await).unwrap();
    channels.append(append(99, TODAY + 1, 256)).await.unwrap();
    channels.expire(TODAY + 1, 7).await.unwrap();
    let rows = channels.inspect(2).await.unwrap();
    let [row] = &rows[..] else { panic!("one channel") };
    assert!(row.channel == CHANNEL);
    assert_eq!((row.seq, row.position, row.generation), (21, Position::default(), 0));
    let kind = EntryKind::Message.into();
    let newest = [
        EntryRow { seq: 20, kind, expiry_day: TODAY, bytes: None },
        EntryRow { seq: 21, kind, expiry_day: TODAY + 1, bytes: Some(256) },
    ];
    assert_eq!(row.entries, newest);

    let accounts = SqliteAccounts::open(&dir.path().join("accounts.db")).unwrap();
    let new = NewAccount {
        account: ACCOUNT,
        recovery_key: [0; 32],
        list: NewList {
            version: ListVersion { identity_number: 0, counter: 0 },
            encoded: Bytes::from_static(b"list"),
            devices: vec![ListedDevice { number: 1, key: [0; 32] }],
        },
        inbox_week: Week(0),
        inbox_key: Bytes::from_static(b"key"),
        device: 1,
        key_packages: NewKeyPackages {
            one_time: vec![Bytes::from_static(b"package")],
            last_resort: None,
            ..NewKeyPackages::default()
        },
        invite: None,
    };
    assert_eq!(accounts.create(new, TODAY).await.unwrap(), Creation::Created);
    let sealed = Bytes::from(vec![0; 16 << 10]);
    let delivery = accounts.deliver(ACCOUNT, IdempotencyId::new([0; 16]), sealed, TODAY + 30, 10).await.unwrap();
    assert_eq!(delivery, Delivery::Delivered);
    assert!(accounts.seen(ACCOUNT, 1, None, TODAY + 1).await.unwrap());
    let vault = Vault { revision: 1, sealed: Bytes::from(vec![0; 8 << 10]) };
    assert!(accounts.put_vault(ACCOUNT, vault).await.unwrap());
    let rows = accounts.inspect(10).await.unwrap();
    let [row] = &rows[..] else { panic!("one account") };
    assert!(row.account == ACCOUNT);
    assert_eq!((row.created, row.last_seen), (TODAY, TODAY + 1));
    assert_eq!((row.devices, row.key_packages, row.vault_bytes), (1, 1, 8 << 10));
    assert_eq!(row.inbox, [LetterRow { seq: 1, bytes: 16 << 10, expiry_day: TODAY + 30 }]);
    assert!(accounts.inspect(0).await.unwrap().is_empty());
}
