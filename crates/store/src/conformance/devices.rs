//! What is kept for each listed device: visits, and how far it has read the inbox.

use bytes::Bytes;
use undertone_wire::{AccountId, IdempotencyId};

use super::{
    Engine, TODAY,
    accounts::{ALICE, BOB, FIRST, list, register, stored},
    at_once,
};
use crate::{Accounts, Delivery, ListVersion, ListedDevice, NewKeyPackages, NewList, Visit};

async fn put_list<A: Accounts>(accounts: &Engine<A>, counter: u64, devices: &[u32]) {
    let held = stored(accounts, ALICE).await.list_version;
    assert!(accounts.put_device_list(ALICE, held, list(0, counter, b"next", devices)).await.unwrap());
}

async fn visits<A: Accounts>(accounts: &Engine<A>, device: u32, last: Option<u8>, next: u8) -> bool {
    let visit = Visit { last: last.map(|last| [last; 16]), next: [next; 16] };
    accounts.seen(ALICE, device, Some(visit), TODAY).await.unwrap()
}

async fn letters<A: Accounts>(accounts: &Engine<A>) -> Vec<u64> {
    let page = accounts.read_inbox(ALICE, 0, u32::MAX, usize::MAX).await.unwrap();
    page.entries.iter().map(|entry| entry.seq).collect()
}

async fn three_letters<A: Accounts>(accounts: &Engine<A>) {
    for id in 1..=3 {
        let delivered = accounts.deliver(ALICE, IdempotencyId::new([id; 16]), Bytes::from_static(b"letter"), TODAY, 9);
        assert_eq!(delivered.await.unwrap(), Delivery::Delivered);
    }
}

pub async fn a_device_says_what_it_said_the_last_time<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    put_list(&accounts, 2, &[1, 2]).await;
    assert!(visits(&accounts, 1, Some(9), 1).await, "nothing was held");
    assert!(visits(&accounts, 1, None, 1).await, "a retry");
    assert!(visits(&accounts, 1, Some(1), 2).await);
    for (last, next) in [(Some(1), 3), (None, 3), (Some(9), 1)] {
        assert!(!visits(&accounts, 1, last, next).await, "a copy");
    }
    assert!(visits(&accounts, 1, Some(1), 2).await, "which has changed nothing");
    assert!(visits(&accounts, 2, None, 7).await, "each device has its own");
    assert!(accounts.seen(ALICE, 1, None, TODAY).await.unwrap(), "who says nothing changes nothing");
    assert!(visits(&accounts, 1, Some(2), 3).await);
    for (account, device) in [(ALICE, 3), (BOB, 1)] {
        let visit = Visit { last: None, next: [1; 16] };
        assert!(accounts.seen(account, device, Some(visit), TODAY).await.unwrap());
        let other = Visit { last: None, next: [2; 16] };
        assert!(accounts.seen(account, device, Some(other), TODAY).await.unwrap(), "of nobody nothing is held");
    }
}

pub async fn a_copy_is_not_seen<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    assert!(visits(&accounts, 1, None, 1).await);
    let copy = Visit { last: None, next: [2; 16] };
    assert!(!accounts.seen(ALICE, 1, Some(copy), TODAY + 1).await.unwrap());
    assert_eq!(stored(&accounts, ALICE).await.last_seen, TODAY);
}

pub async fn of_many_copies_one_comes_first<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    assert!(visits(&accounts, 1, None, 100).await);
    let came = at_once(32, |next| {
        let accounts = accounts.clone();
        async move { visits(&accounts, 1, Some(100), next).await }
    });
    assert_eq!(came.await.into_iter().filter(|came| *came).count(), 1);
}

pub async fn a_letter_goes_when_all_devices_have_read_it<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    put_list(&accounts, 2, &[1, 2]).await;
    three_letters(&accounts).await;
    accounts.clear_inbox(ALICE, 1, 3).await.unwrap();
    assert_eq!(letters(&accounts).await, [1, 2, 3]);
    accounts.clear_inbox(ALICE, 2, 1).await.unwrap();
    assert_eq!(letters(&accounts).await, [2, 3]);
    accounts.clear_inbox(ALICE, 7, 3).await.unwrap();
    accounts.clear_inbox(ALICE, 2, 0).await.unwrap();
    assert_eq!(letters(&accounts).await, [2, 3]);
    accounts.clear_inbox(ALICE, 2, 2).await.unwrap();
    assert_eq!(letters(&accounts).await, [3]);
}

pub async fn a_new_device_has_read_nothing<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    three_letters(&accounts).await;
    accounts.clear_inbox(ALICE, 1, 1).await.unwrap();
    put_list(&accounts, 2, &[1, 2]).await;
    accounts.clear_inbox(ALICE, 1, 3).await.unwrap();
    assert_eq!(letters(&accounts).await, [2, 3]);
    accounts.clear_inbox(ALICE, 2, 3).await.unwrap();
    assert_eq!(letters(&accounts).await, [0; 0]);
}

pub async fn with_a_device_goes_what_is_kept_for_it<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    put_list(&accounts, 2, &[1, 2]).await;
    three_letters(&accounts).await;
    let package = |name: &'static str| Bytes::from_static(name.as_bytes());
    for (device, one_time, last_resort) in [(1, "a", "b"), (2, "c", "d")] {
        let new = NewKeyPackages {
            one_time: vec![package(one_time)],
            last_resort: Some(package(last_resort)),
            replace: false,
        };
        assert_eq!(accounts.put_key_packages(ALICE, device, new, 9).await.unwrap(), 1);
        assert!(visits(&accounts, device, None, 1).await);
    }
    accounts.clear_inbox(ALICE, 2, 1).await.unwrap();
    accounts.clear_inbox(ALICE, 1, 2).await.unwrap();
    assert_eq!(letters(&accounts).await, [2, 3]);

    put_list(&accounts, 3, &[1, 3]).await;
    assert_eq!(accounts.key_packages_left(ALICE, 2).await.unwrap(), 0);
    for expected in [["a"], ["b"]] {
        assert!(accounts.take_contact(ALICE, 0).await.unwrap().unwrap().key_packages == expected.map(package));
    }
    assert!(!visits(&accounts, 1, None, 9).await, "who stays keeps what is his");
    put_list(&accounts, 4, &[1]).await;
    assert_eq!(letters(&accounts).await, [3], "only those who are left must have read");
    put_list(&accounts, 5, &[1, 2]).await;
    assert!(visits(&accounts, 2, None, 9).await, "the number comes back as another device");
}

pub async fn the_same_number_with_another_key_is_another_device<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    assert!(visits(&accounts, 1, None, 1).await);
    accounts
        .put_key_packages(
            ALICE,
            1,
            NewKeyPackages { one_time: vec![Bytes::from_static(b"a")], ..NewKeyPackages::default() },
            9,
        )
        .await
        .unwrap();
    let other = ListedDevice { number: 1, key: [99; 32] };
    let list = NewList { devices: vec![other], ..list(0, 2, b"next", &[]) };
    assert!(accounts.put_device_list(ALICE, FIRST, list).await.unwrap());
    assert_eq!(accounts.key_packages_left(ALICE, 1).await.unwrap(), 0);
    assert!(visits(&accounts, 1, None, 2).await);
}

pub async fn a_list_again_or_refused_changes_no_device<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    put_list(&accounts, 2, &[1, 2]).await;
    assert!(visits(&accounts, 2, None, 1).await);
    put_list(&accounts, 2, &[1, 2]).await;
    let held = ListVersion { identity_number: 0, counter: 2 };
    assert!(!accounts.put_device_list(ALICE, held, list(0, 1, b"list", &[1])).await.unwrap());
    assert!(!accounts.put_device_list(ALICE, FIRST, list(0, 3, b"list", &[1])).await.unwrap());
    assert!(!visits(&accounts, 2, None, 2).await);
    let nobody = AccountId::new([9; 16]);
    assert!(!accounts.put_device_list(nobody, FIRST, list(0, 9, b"list", &[1])).await.unwrap());
}
