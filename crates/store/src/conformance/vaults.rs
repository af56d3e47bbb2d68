//! Vaults, recovery, deletion.

use bytes::Bytes;
use undertone_wire::IdempotencyId;

use super::{
    Engine, TODAY,
    accounts::{ALICE, BOB, FIRST, list, register, registration},
    at_once,
};
use crate::{AccountCounts, Accounts, Creation, Delivery, NewAccount, NewKeyPackages, Vault, Visit};

fn vault(revision: u64, content: &'static [u8]) -> Vault {
    Vault { revision, sealed: Bytes::from_static(content) }
}

async fn put<A: Accounts>(accounts: &Engine<A>, revision: u64, content: &'static [u8]) -> bool {
    accounts.put_vault(ALICE, vault(revision, content)).await.unwrap()
}

pub async fn a_vault_is_replaced_by_the_next_revision<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    register(&accounts, BOB).await;
    assert!(accounts.vault(ALICE).await.unwrap() == Vault::default());
    for (revision, content, taken) in [
        (2, &b"too early"[..], false),
        (0, b"too late", false),
        (1, b"first", true),
        (1, b"first", true),
        (1, b"another", false),
        (3, b"too early", false),
        (u64::MAX, b"too early", false),
        (2, b"second", true),
        (1, b"first", false),
    ] {
        assert_eq!(put(&accounts, revision, content).await, taken);
    }
    assert!(accounts.vault(ALICE).await.unwrap() == vault(2, b"second"));
    assert!(accounts.vault(BOB).await.unwrap() == Vault::default(), "each account has its own");
}

pub async fn nobody_has_no_vault<A: Accounts>(accounts: Engine<A>) {
    assert!(!put(&accounts, 1, b"first").await);
    assert!(accounts.vault(ALICE).await.unwrap() == Vault::default());
    register(&accounts, ALICE).await;
    assert!(accounts.vault(ALICE).await.unwrap() == Vault::default());
}

pub async fn one_of_many_vaults_wins<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    assert!(put(&accounts, 1, b"first").await);
    let put = at_once(32, |number| {
        let accounts = accounts.clone();
        async move { accounts.put_vault(ALICE, Vault { revision: 2, sealed: vec![number; 9].into() }).await.unwrap() }
    });
    assert_eq!(put.await.into_iter().filter(|put| *put).count(), 1);
    assert_eq!(accounts.vault(ALICE).await.unwrap().revision, 2);
}

pub async fn an_account_is_found_by_its_recovery_key<A: Accounts>(accounts: Engine<A>) {
    assert!(accounts.recoverable([1; 32]).await.unwrap().is_none());
    register(&accounts, ALICE).await;
    register(&accounts, BOB).await;
    assert!(accounts.recoverable([1; 32]).await.unwrap() == Some(ALICE));
    assert!(accounts.recoverable([2; 32]).await.unwrap() == Some(BOB));
    assert!(accounts.recoverable([3; 32]).await.unwrap().is_none());
}

pub async fn a_recovery_key_has_one_account<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    let second = NewAccount { recovery_key: [1; 32], ..registration(BOB) };
    assert_eq!(accounts.create(second.clone(), TODAY).await.unwrap(), Creation::Taken);
    assert!(accounts.account(BOB).await.unwrap().is_none());
    accounts.delete(ALICE).await.unwrap();
    assert_eq!(accounts.create(second, TODAY).await.unwrap(), Creation::Created);
    assert!(accounts.recoverable([1; 32]).await.unwrap() == Some(BOB));
}

pub async fn what_is_deleted_leaves_nothing<A: Accounts>(accounts: Engine<A>) {
    let one_time = vec![Bytes::from_static(b"1"), Bytes::from_static(b"2")];
    let key_packages = NewKeyPackages { one_time, last_resort: Some(Bytes::from_static(b"last")), replace: false };
    let new = NewAccount { key_packages, ..registration(ALICE) };
    let id = |id| IdempotencyId::new([id; 16]);
    let deliver = async |account, number, content: &'static [u8]| {
        accounts.deliver(account, id(number), Bytes::from_static(content), TODAY, 9).await.unwrap()
    };
    assert_eq!(accounts.create(new.clone(), TODAY).await.unwrap(), Creation::Created);
    register(&accounts, BOB).await;
    assert_eq!(deliver(ALICE, 1, b"read").await, Delivery::Delivered);
    accounts.clear_inbox(ALICE, 1, 1).await.unwrap();
    assert_eq!(deliver(ALICE, 2, b"unread").await, Delivery::Delivered);
    assert_eq!(deliver(BOB, 2, b"another's").await, Delivery::Delivered);
    assert!(put(&accounts, 1, b"vault").await);
    assert!(accounts.seen(ALICE, 1, Some(Visit { last: None, next: [1; 16] }), TODAY).await.unwrap());
    accounts.take_contact(ALICE, 0).await.unwrap();

    for _ in 0..2 {
        accounts.delete(ALICE).await.unwrap();
        assert!(accounts.account(ALICE).await.unwrap().is_none());
        assert!(accounts.recoverable([1; 32]).await.unwrap().is_none());
        assert!(accounts.take_contact(ALICE, 0).await.unwrap().is_none());
        assert!(accounts.vault(ALICE).await.unwrap() == Vault::default());
        assert_eq!(deliver(ALICE, 2, b"unread").await, Delivery::NotFound);
        assert!(!accounts.put_device_list(ALICE, FIRST, list(9, 9, b"list", &[1])).await.unwrap());
        let counts = AccountCounts { accounts: 1, key_packages: 0, inbox_entries: 1 };
        assert_eq!(accounts.counts().await.unwrap(), counts, "others lose nothing");
    }

    // Somebody who comes with the same id finds nothing of it, not even used ids.
    assert_eq!(accounts.create(new, TODAY).await.unwrap(), Creation::Created);
    assert_eq!(accounts.key_packages_left(ALICE, 1).await.unwrap(), 2);
    assert!(accounts.read_inbox(ALICE, 0, 9, 999).await.unwrap().entries.is_empty());
    assert_eq!(deliver(ALICE, 1, b"other").await, Delivery::Delivered);
    assert_eq!(accounts.read_inbox(ALICE, 0, 9, 999).await.unwrap().entries[0].seq, 1);
    assert!(accounts.seen(ALICE, 1, Some(Visit { last: None, next: [2; 16] }), TODAY).await.unwrap());
    assert!(accounts.vault(ALICE).await.unwrap() == Vault::default());
    accounts.expire(TODAY + 1).await.unwrap();
}
