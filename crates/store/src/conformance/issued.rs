//! Batches of tokens, and who is issued none.

use undertone_wire::{AccountId, Week};

use super::{
    Engine, TODAY,
    accounts::{ALICE, BOB, register},
    at_once,
};
use crate::{Accounts, Issuing};

const WEEK: Week = TODAY.week();

async fn issue<A: Accounts>(accounts: &Engine<A>, account: AccountId, week: Week, request: u8) -> Issuing {
    accounts.issue(account, week, [request; 32], 3).await.unwrap()
}

pub async fn as_many_batches_are_issued_as_a_week_has<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    register(&accounts, BOB).await;
    for request in 1..=3 {
        assert_eq!(issue(&accounts, ALICE, WEEK, request).await, Issuing::Granted);
    }
    assert_eq!(issue(&accounts, ALICE, WEEK, 4).await, Issuing::Over);
    assert_eq!(issue(&accounts, BOB, WEEK, 4).await, Issuing::Granted, "each account has its own");
    assert_eq!(issue(&accounts, ALICE, Week(WEEK.0 + 1), 4).await, Issuing::Granted, "and each week");
    assert_eq!(accounts.issued(WEEK).await.unwrap(), 4);
}

pub async fn the_same_batch_counts_once<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    for _ in 0..9 {
        assert_eq!(issue(&accounts, ALICE, WEEK, 1).await, Issuing::Granted);
    }
    for request in 2..=3 {
        assert_eq!(issue(&accounts, ALICE, WEEK, request).await, Issuing::Granted);
    }
    assert_eq!(issue(&accounts, ALICE, WEEK, 1).await, Issuing::Granted, "when there are no more, too");
    assert_eq!(accounts.issued(WEEK).await.unwrap(), 3);
}

pub async fn who_is_suspended_is_issued_none<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    assert_eq!(issue(&accounts, ALICE, WEEK, 1).await, Issuing::Granted);
    for _ in 0..2 {
        assert!(accounts.suspend(ALICE, true).await.unwrap());
        assert!(accounts.is_suspended(ALICE).await.unwrap());
        assert_eq!(issue(&accounts, ALICE, WEEK, 1).await, Issuing::Suspended);
        assert_eq!(issue(&accounts, ALICE, WEEK, 2).await, Issuing::Suspended);
    }
    assert!(accounts.take_contact(ALICE, 0).await.unwrap().is_some(), "nothing else is taken away");
    for _ in 0..2 {
        assert!(accounts.suspend(ALICE, false).await.unwrap());
        assert!(!accounts.is_suspended(ALICE).await.unwrap());
        assert_eq!(issue(&accounts, ALICE, WEEK, 2).await, Issuing::Granted);
    }
    assert!(accounts.suspend(ALICE, true).await.unwrap());
    accounts.delete(ALICE).await.unwrap();
    register(&accounts, ALICE).await;
    assert_eq!(issue(&accounts, ALICE, WEEK, 3).await, Issuing::Granted);
    assert_eq!(accounts.issued(WEEK).await.unwrap(), 1);
}

pub async fn old_weeks_are_forgotten<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    let next = Week(WEEK.0 + 1);
    for week in [WEEK, next] {
        assert_eq!(issue(&accounts, ALICE, week, 1).await, Issuing::Granted);
    }
    let begins = undertone_wire::Day(next.0 * 7);
    accounts.expire(begins).await.unwrap();
    assert_eq!(accounts.issued(WEEK).await.unwrap(), 1, "somebody's clock may still say so");
    accounts.expire(begins + 1).await.unwrap();
    assert_eq!((accounts.issued(WEEK).await.unwrap(), accounts.issued(next).await.unwrap()), (0, 1));
}

pub async fn nobody_is_issued_none<A: Accounts>(accounts: Engine<A>) {
    assert!(!accounts.is_suspended(ALICE).await.unwrap());
    assert_eq!(issue(&accounts, ALICE, WEEK, 1).await, Issuing::Over);
    assert!(!accounts.suspend(ALICE, true).await.unwrap());
    register(&accounts, ALICE).await;
    assert_eq!(issue(&accounts, ALICE, WEEK, 1).await, Issuing::Granted);
}

pub async fn a_budget_holds_under_concurrency<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    let issued = at_once(32, |request| {
        let accounts = accounts.clone();
        async move { issue(&accounts, ALICE, WEEK, request).await }
    });
    assert_eq!(issued.await.into_iter().filter(|issuing| *issuing == Issuing::Granted).count(), 3);
}
