//! Inboxes.

use std::collections::BTreeSet;

use bytes::Bytes;
use undertone_wire::{AccountId, Day, IdempotencyId};

use super::{
    Engine, TODAY,
    accounts::{ALICE, BOB, register, stored},
    at_once,
};
use crate::{Accounts, Delivery, InboxPage};

const PLENTY: u64 = 1_000;

async fn deliver_on<A: Accounts>(accounts: &Engine<A>, account: AccountId, id: u8, day: Day, max: u64) -> Delivery {
    let sealed = Bytes::from(vec![id; 100]);
    accounts.deliver(account, IdempotencyId::new([id; 16]), sealed, day, max).await.unwrap()
}

async fn deliver<A: Accounts>(accounts: &Engine<A>, id: u8) -> Delivery {
    deliver_on(accounts, ALICE, id, TODAY + 30, PLENTY).await
}

/// Numbers and first bytes of all entries.
async fn inbox<A: Accounts>(accounts: &Engine<A>) -> Vec<(u64, u8)> {
    let InboxPage { entries, more } = accounts.read_inbox(ALICE, 0, u32::MAX, usize::MAX).await.unwrap();
    assert!(!more);
    entries.iter().map(|entry| (entry.seq, entry.sealed[0])).collect()
}

pub async fn letters_come_in_order_and_in_pages<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    assert_eq!(inbox(&accounts).await, []);
    for id in [50, 40, 30, 20, 10] {
        assert_eq!(deliver(&accounts, id).await, Delivery::Delivered);
    }
    assert_eq!(inbox(&accounts).await, [(1, 50), (2, 40), (3, 30), (4, 20), (5, 10)]);
    assert_eq!(stored(&accounts, ALICE).await.inbox_seq, 5);
    let page = async |after, limit, bytes_max| {
        let InboxPage { entries, more } = accounts.read_inbox(ALICE, after, limit, bytes_max).await.unwrap();
        (entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), more)
    };
    assert_eq!(page(0, 2, usize::MAX).await, (vec![1, 2], true));
    assert_eq!(page(2, 3, usize::MAX).await, (vec![3, 4, 5], false));
    assert_eq!(page(0, 10, 299).await, (vec![1, 2], true));
    assert_eq!(page(3, 10, 0).await, (vec![4], true), "the first always comes");
    assert_eq!(page(4, 10, 0).await, (vec![5], false));
    assert_eq!(page(0, 0, usize::MAX).await, (vec![], true));
    for after in [5, 6, u64::MAX] {
        assert_eq!(page(after, 10, usize::MAX).await, (vec![], false));
    }
}

pub async fn a_letter_again_is_delivered_once<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    deliver(&accounts, 1).await;
    assert_eq!(deliver_on(&accounts, ALICE, 1, TODAY + 30, 1).await, Delivery::Delivered, "even if the inbox is full");
    assert_eq!(inbox(&accounts).await, [(1, 1)]);
    accounts.clear_inbox(ALICE, 1, 1).await.unwrap();
    assert_eq!(deliver(&accounts, 1).await, Delivery::Delivered, "even if it was read and cleared");
    assert_eq!(inbox(&accounts).await, []);
    assert_eq!(stored(&accounts, ALICE).await.inbox_seq, 1);
}

pub async fn an_id_is_used_with_the_same_bytes_only<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    register(&accounts, BOB).await;
    deliver(&accounts, 1).await;
    let other = Bytes::from(vec![9; 100]);
    let id = IdempotencyId::new([1; 16]);
    let deliver = async |account, day| accounts.deliver(account, id, other.clone(), day, PLENTY).await.unwrap();
    assert_eq!(deliver(ALICE, TODAY + 30).await, Delivery::Conflict);
    assert_eq!(inbox(&accounts).await, [(1, 1)]);
    assert_eq!(deliver(BOB, TODAY + 30).await, Delivery::Delivered, "another inbox");
    assert_eq!(deliver(ALICE, TODAY + 29).await, Delivery::Delivered, "another expiry day");
    assert_eq!(inbox(&accounts).await, [(1, 1), (2, 9)]);
}

pub async fn a_full_inbox_takes_no_more_until_it_is_cleared<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    register(&accounts, BOB).await;
    let deliver = async |id| deliver_on(&accounts, ALICE, id, TODAY + 30, 2).await;
    assert_eq!(deliver(1).await, Delivery::Delivered);
    assert_eq!(deliver(2).await, Delivery::Delivered);
    assert_eq!(deliver(3).await, Delivery::Full);
    assert_eq!(deliver_on(&accounts, BOB, 3, TODAY, 2).await, Delivery::Delivered, "each inbox has its own limit");
    assert_eq!(inbox(&accounts).await, [(1, 1), (2, 2)]);
    accounts.clear_inbox(ALICE, 1, 1).await.unwrap();
    assert_eq!(deliver(3).await, Delivery::Delivered);
    assert_eq!(deliver(4).await, Delivery::Full);
    assert_eq!(inbox(&accounts).await, [(2, 2), (3, 3)]);
}

pub async fn what_is_cleared_is_gone_and_its_numbers_too<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    for (id, day) in [(1, TODAY), (2, TODAY + 1), (3, TODAY)] {
        deliver_on(&accounts, ALICE, id, day, PLENTY).await;
    }
    accounts.clear_inbox(ALICE, 1, 2).await.unwrap();
    accounts.clear_inbox(ALICE, 1, 0).await.unwrap();
    assert_eq!(inbox(&accounts).await, [(3, 3)]);
    accounts.clear_inbox(ALICE, 1, u64::MAX).await.unwrap();
    assert_eq!(inbox(&accounts).await, []);
    deliver(&accounts, 4).await;
    accounts.clear_inbox(ALICE, 1, 0).await.unwrap();
    assert_eq!(inbox(&accounts).await, [(4, 4)], "nobody has read what was still to come");
}

pub async fn letters_expire_with_their_day<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    for (id, day) in [(1, TODAY), (2, Day(0)), (3, TODAY + 1), (4, TODAY)] {
        assert_eq!(deliver_on(&accounts, ALICE, id, day, 4).await, Delivery::Delivered);
    }
    accounts.clear_inbox(ALICE, 1, 1).await.unwrap();
    accounts.expire(TODAY).await.unwrap();
    assert_eq!(inbox(&accounts).await, [(2, 2), (3, 3), (4, 4)], "the last day still counts");
    accounts.expire(TODAY + 1).await.unwrap();
    assert_eq!(inbox(&accounts).await, [(2, 2), (3, 3)]);
    assert_eq!(deliver_on(&accounts, ALICE, 5, TODAY + 2, 3).await, Delivery::Delivered, "there is room again");
    accounts.expire(Day(u32::MAX)).await.unwrap();
    assert_eq!(inbox(&accounts).await, [(2, 2)]);
    assert_eq!(stored(&accounts, ALICE).await.inbox_seq, 5);
}

pub async fn concurrent_letters_get_numbers_without_a_gap<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    let delivered = at_once(64, |id| {
        let accounts = accounts.clone();
        async move { deliver_on(&accounts, ALICE, id, TODAY, 48).await }
    });
    let delivered = delivered.await.into_iter().filter(|delivery| *delivery == Delivery::Delivered).count();
    assert_eq!(delivered, 48);
    let (numbers, letters): (Vec<_>, BTreeSet<_>) = inbox(&accounts).await.into_iter().unzip();
    assert!(numbers.into_iter().eq(1..=48));
    assert_eq!(letters.len(), 48);
}

pub async fn nobody_has_no_inbox<A: Accounts>(accounts: Engine<A>) {
    assert_eq!(deliver(&accounts, 1).await, Delivery::NotFound);
    assert_eq!(inbox(&accounts).await, []);
    accounts.clear_inbox(ALICE, 1, 1).await.unwrap();
    assert!(accounts.account(ALICE).await.unwrap().is_none());
}
