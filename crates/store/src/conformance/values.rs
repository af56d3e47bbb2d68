//! All that is kept of an account.

use bytes::Bytes;
use undertone_wire::{AccountId, IdempotencyId, Week};

use super::{
    Engine, TODAY,
    accounts::{ALICE, BOB, register, registration},
};
use crate::{
    Accounts, COLUMNS, Creation, Delivery, ListedElement, Listing, NewAccount, NewKeyPackages, Profile, SpentToken,
    StoredValue, Value, Vault, Visit, meaning,
};

/// An account of which there is something of everything, beside another.
async fn lively<A: Accounts>(accounts: &Engine<A>) {
    let one_time = vec![Bytes::from_static(b"1"), Bytes::from_static(b"2")];
    let key_packages = NewKeyPackages { one_time, last_resort: Some(Bytes::from_static(b"last")), replace: false };
    let new = NewAccount { key_packages, ..registration(ALICE) };
    assert_eq!(accounts.create(new, TODAY).await.unwrap(), Creation::Created);
    register(accounts, BOB).await;
    accounts.take_contact(ALICE, 0).await.unwrap();
    for (number, account) in [(3, ALICE), (4, ALICE), (5, BOB)] {
        let (id, sealed) = (IdempotencyId::new([number; 16]), vec![number; 9].into());
        assert_eq!(accounts.deliver(account, id, sealed, TODAY, 9).await.unwrap(), Delivery::Delivered);
    }
    accounts.clear_inbox(ALICE, 1, 1).await.unwrap();
    accounts.seen(ALICE, 1, Some(Visit { last: None, next: [5; 16] }), TODAY).await.unwrap();
    for account in [ALICE, BOB] {
        let vault = Vault { revision: 1, sealed: Bytes::from_static(b"vault") };
        assert!(accounts.put_vault(account, vault).await.unwrap());
        let profile = Profile { revision: 1, access_hash: Some([6; 32]), sealed: Bytes::from_static(b"profile") };
        assert!(accounts.put_profile(account, profile).await.unwrap());
        accounts.issue(account, Week(7), [8; 32], 1).await.unwrap();
        accounts.issue_lookups(account, [8; 32], TODAY).await.unwrap();
        accounts.suspend(account, true).await.unwrap();
    }
    // Each has a listing of his own, and waits for the other's.
    for (account, of) in [(ALICE, ALICE), (BOB, BOB), (ALICE, BOB), (BOB, ALICE)] {
        let listing = Listing { element: ListedElement([of.as_bytes()[0]; 32]), account };
        accounts.list(listing, 4, None, TODAY).await.unwrap();
    }
    accounts.spend(vec![SpentToken { week: Week(7), nullifier: [1; 32] }], [2; 32]).await.unwrap();
}

/// Random keys of bodies are left out.
fn text(values: &[StoredValue]) -> Vec<String> {
    let kept = values
        .iter()
        .filter(|value| value.column != "body_key" && !(value.table.starts_with("bodies_") && value.column == "key"));
    kept.map(|StoredValue { table, column, value }| match value {
        Value::Null => format!("{table}.{column} -"),
        Value::Number(number) => format!("{table}.{column} {number}"),
        Value::Data(data) if data[..] == *ALICE.as_bytes() => format!("{table}.{column} alice"),
        Value::Data(data) if data.is_ascii() && data.len() < 9 => {
            format!("{table}.{column} {}", String::from_utf8_lossy(data))
        }
        Value::Data(data) => format!("{table}.{column} {} bytes", data.len()),
    })
    .collect()
}

async fn values<A: Accounts>(accounts: &Engine<A>, account: AccountId) -> Vec<StoredValue> {
    let page = accounts.values(account, 0, u32::MAX, usize::MAX).await.unwrap();
    assert!(!page.more);
    page.values
}

pub async fn all_that_is_kept_is_published<A: Accounts>(accounts: Engine<A>) {
    lively(&accounts).await;
    let published = values(&accounts, ALICE).await;
    let expected = [
        "accounts.account alice",
        "accounts.created 20800",
        "accounts.last_seen 20800",
        "accounts.identity_number 0",
        "accounts.list_counter 1",
        "accounts.inbox_week 2971",
        "accounts.inbox_seq 2",
        "accounts.device_list list",
        "accounts.inbox_key 9 bytes",
        "recoveries.recovery_key 32 bytes",
        "recoveries.account alice",
        "devices.account alice",
        "devices.device 1",
        "devices.key 32 bytes",
        "devices.read_up_to 1",
        "devices.visit 16 bytes",
        "key_packages.account alice",
        "key_packages.device 1",
        "key_packages.number 1",
        "key_packages.hash 32 bytes",
        "key_packages.package -",
        "key_packages.account alice",
        "key_packages.device 1",
        "key_packages.number 2",
        "key_packages.hash 32 bytes",
        "key_packages.package 2",
        "last_resorts.account alice",
        "last_resorts.device 1",
        "last_resorts.package last",
        "vaults.account alice",
        "vaults.revision 1",
        "vaults.sealed vault",
        "profiles.account alice",
        "profiles.revision 1",
        "profiles.access_hash 32 bytes",
        "profiles.sealed profile",
        "suspended.account alice",
        "issued.account alice",
        "issued.week 7",
        "issued.request 32 bytes",
        "listings.element 32 bytes",
        "listings.account alice",
        "listings.key 4",
        "claims.element 32 bytes",
        "claims.account alice",
        "claims.day 20800",
        "lookups.account alice",
        "lookups.issued 50",
        "lookups.request 32 bytes",
        "lookups.granted 50",
        "inbox.account alice",
        "inbox.seq 2",
        "inbox.expiry_day 20800",
        "ids_20800.log alice",
        "ids_20800.id 16 bytes",
        "ids_20800.seq 1",
        "ids_20800.digest 32 bytes",
        "ids_20800.bytes 9",
        "ids_20800.log alice",
        "ids_20800.id 16 bytes",
        "ids_20800.seq 2",
        "ids_20800.digest 32 bytes",
        "ids_20800.bytes 9",
        "bodies_20800.body 9 bytes",
    ];
    assert_eq!(text(&published), expected);
    // Whatever can stand in the file of somebody stands here, and nothing whose meaning is not told.
    assert!(published.iter().all(|value| meaning(&value.table, &value.column).is_some()));
    for columns in COLUMNS.iter().filter(|columns| !["channels", "blobs"].contains(&columns.file)) {
        let table = columns.table.replace("DAY", "20800");
        let of_nobody = ["invites", "listing_changes", "listing_days", "directory_keys", "partitions", "spent"]
            .contains(&columns.table);
        for column in columns.columns {
            assert_ne!(published.iter().any(|value| value.table == table && value.column == *column), of_nobody);
        }
    }
}

pub async fn pages_have_no_gap<A: Accounts>(accounts: Engine<A>) {
    lively(&accounts).await;
    let whole = values(&accounts, ALICE).await;
    for (limit, bytes_max) in [(1, 0), (7, 1_000), (100, 20), (100, 0)] {
        let mut read = Vec::new();
        loop {
            let page = accounts.values(ALICE, read.len() as u32, limit, bytes_max).await.unwrap();
            assert!(page.values.len() <= limit as usize && (!page.more || !page.values.is_empty()));
            read.extend(page.values);
            if !page.more {
                break;
            }
        }
        assert!(read == whole, "in pages of {limit} and {bytes_max}");
    }
    assert!(accounts.values(ALICE, u32::MAX, 9, 999).await.unwrap().values.is_empty());
}

pub async fn nobody_has_nothing_to_publish<A: Accounts>(accounts: Engine<A>) {
    lively(&accounts).await;
    accounts.delete(ALICE).await.unwrap();
    assert!(values(&accounts, ALICE).await.is_empty());
    assert!(!values(&accounts, BOB).await.is_empty());
}
