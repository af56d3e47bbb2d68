//! Key packages.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{
    Engine, TODAY,
    accounts::{ALICE, BOB, FIRST, list, register, registration},
    at_once,
};
use crate::{Accounts, Creation, HANDED_OUT_KEPT, NewAccount, NewKeyPackages};

const MAX: u32 = 100;

fn package(name: impl ToString) -> Bytes {
    name.to_string().into()
}

fn one_time<N: ToString>(names: impl IntoIterator<Item = N>) -> NewKeyPackages {
    NewKeyPackages { one_time: names.into_iter().map(package).collect(), ..NewKeyPackages::default() }
}

fn last_resort(name: &str) -> NewKeyPackages {
    NewKeyPackages { last_resort: Some(package(name)), ..NewKeyPackages::default() }
}

async fn put<A: Accounts>(accounts: &Engine<A>, device: u32, new: NewKeyPackages) -> u32 {
    accounts.put_key_packages(ALICE, device, new, MAX).await.unwrap()
}

async fn take<A: Accounts>(accounts: &Engine<A>) -> Vec<Bytes> {
    accounts.take_contact(ALICE, 0).await.unwrap().unwrap().key_packages
}

pub async fn one_of_each_device_in_order_then_the_last_resort<A: Accounts>(accounts: Engine<A>) {
    let waiting = vec![package("b"), package("a")];
    let key_packages = NewKeyPackages { one_time: waiting, last_resort: Some(package("z")), replace: false };
    let new = NewAccount { list: list(0, 1, b"list", &[7, 9, 3]), device: 7, key_packages, ..registration(ALICE) };
    assert_eq!(accounts.create(new, TODAY).await.unwrap(), Creation::Created);
    assert_eq!(put(&accounts, 3, one_time(["c"])).await, 1);
    assert_eq!(put(&accounts, 7, one_time(["d"])).await, 3);
    assert_eq!(put(&accounts, 9, NewKeyPackages::default()).await, 0);
    assert!(take(&accounts).await == ["c", "b"].map(package));
    assert!(take(&accounts).await == ["a"].map(package), "device 3 has none left");
    assert!(take(&accounts).await == ["d"].map(package));
    assert!(take(&accounts).await == ["z"].map(package));
    assert!(take(&accounts).await == ["z"].map(package));
    assert_eq!(accounts.key_packages_left(ALICE, 7).await.unwrap(), 0);
}

pub async fn a_last_resort_stays_until_it_is_replaced<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    assert!(take(&accounts).await.is_empty());
    put(&accounts, 1, last_resort("first")).await;
    put(&accounts, 1, NewKeyPackages::default()).await;
    assert!(take(&accounts).await == ["first"].map(package));
    put(&accounts, 1, last_resort("second")).await;
    assert!(take(&accounts).await == ["second"].map(package));
}

pub async fn what_is_beyond_the_limit_is_left_out<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    let put = async |new, max| accounts.put_key_packages(ALICE, 1, new, max).await.unwrap();
    assert_eq!(put(one_time(1..=5), 3).await, 3);
    assert_eq!(put(one_time(6..=7), 3).await, 3);
    assert_eq!(put(one_time(8..=9), 0).await, 3);
    assert_eq!(accounts.key_packages_left(ALICE, 1).await.unwrap(), 3);
    for name in 1..=3 {
        assert!(take(&accounts).await == [package(name)]);
    }
    assert_eq!(put(one_time(4..=5), 3).await, 2, "what was left out comes again");
    assert_eq!(accounts.put_key_packages(BOB, 1, one_time(1..=5), 3).await.unwrap(), 0);
    assert_eq!(accounts.key_packages_left(BOB, 1).await.unwrap(), 0);
    assert!(accounts.take_contact(BOB, 0).await.unwrap().is_none());
}

pub async fn the_same_bytes_are_kept_once<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    assert!(accounts.put_device_list(ALICE, FIRST, list(0, 2, b"two", &[1, 2])).await.unwrap());
    assert_eq!(put(&accounts, 1, one_time([1, 2, 1])).await, 2);
    assert_eq!(put(&accounts, 1, one_time([1, 2, 3])).await, 3);
    assert_eq!(put(&accounts, 2, one_time([1])).await, 1, "another device's are its own");
    assert_eq!(put(&accounts, 3, one_time([1])).await, 0, "who is not listed has none");
}

pub async fn what_was_handed_out_is_not_taken_again<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    put(&accounts, 1, one_time(1..=3)).await;
    assert!(take(&accounts).await == [package(1)]);
    assert!(take(&accounts).await == [package(2)]);
    assert_eq!(put(&accounts, 1, one_time(1..=3)).await, 1);
    assert!(take(&accounts).await == [package(3)]);
    assert_eq!(put(&accounts, 1, one_time(1..=3)).await, 0);
    assert!(take(&accounts).await.is_empty());
}

pub async fn what_waits_is_replaced<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    put(&accounts, 1, one_time(["a", "b"])).await;
    put(&accounts, 2, one_time(["other"])).await;
    let replacing = || NewKeyPackages { replace: true, ..one_time(["b", "c"]) };
    assert_eq!(put(&accounts, 1, replacing()).await, 2);
    assert_eq!(put(&accounts, 1, replacing()).await, 2, "the same again changes nothing");
    assert!(take(&accounts).await.contains(&package("b")));
    assert_eq!(put(&accounts, 1, replacing()).await, 1, "what was handed out is not taken again");
    assert!(take(&accounts).await.contains(&package("c")));
}

pub async fn as_many_are_remembered_as_promised<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    let batch = HANDED_OUT_KEPT as u32;
    assert_eq!(put(&accounts, 1, one_time(1..=batch)).await, batch);
    for name in 1..=batch {
        assert!(take(&accounts).await == [package(name)]);
    }
    assert_eq!(put(&accounts, 1, one_time(1..=batch)).await, 0);
    assert_eq!(put(&accounts, 1, one_time([batch + 1])).await, 1);
    take(&accounts).await;
    assert_eq!(put(&accounts, 1, one_time(1..=batch)).await, 1, "the oldest is no longer known");
}

pub async fn a_reserve_is_kept_back<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    put(&accounts, 1, NewKeyPackages { last_resort: Some(package("last")), ..one_time(1..=3) }).await;
    put(&accounts, 2, one_time([9])).await;
    let take = async |reserve| accounts.take_contact(ALICE, reserve).await.unwrap().unwrap().key_packages;
    assert!(take(3).await == [package("last")]);
    assert!(take(2).await == [package(1)]);
    assert!(take(2).await == [package("last")]);
    assert!(take(u32::MAX).await == [package("last")]);
    assert_eq!(accounts.key_packages_left(ALICE, 1).await.unwrap(), 2);
    assert!(take(0).await == [package(2)]);
}

pub async fn one_is_handed_out_once_under_concurrency<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    put(&accounts, 1, NewKeyPackages { last_resort: Some(package("last")), ..one_time(0..32) }).await;
    let taken = at_once(48, |_| {
        let accounts = accounts.clone();
        async move { take(&accounts).await }
    });
    let taken: Vec<_> = taken.await.into_iter().flatten().collect();
    assert_eq!(taken.len(), 48);
    let distinct: BTreeSet<_> = taken.iter().collect();
    assert_eq!(distinct.len(), 33);
    assert_eq!(taken.iter().filter(|taken| **taken == package("last")).count(), 16);
}
