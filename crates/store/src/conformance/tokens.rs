//! Spent tokens, of either plane.

use undertone_wire::Week;

use super::{Engine, at_once};
use crate::{Spending, SpentToken, Tokens};

fn token(week: u32, nullifier: u8) -> SpentToken {
    SpentToken { week: Week(week), nullifier: [nullifier; 32] }
}

async fn spend<T: Tokens>(store: &Engine<T>, tokens: &[(u32, u8)], request: u8) -> Spending {
    let tokens = tokens.iter().map(|(week, nullifier)| token(*week, *nullifier)).collect();
    store.spend(tokens, [request; 32]).await.unwrap()
}

pub async fn a_token_is_spent_on_one_request<T: Tokens>(store: Engine<T>) {
    assert_eq!(spend(&store, &[(7, 1)], 1).await, Spending::First);
    assert_eq!(spend(&store, &[(7, 1)], 1).await, Spending::Again);
    assert_eq!(spend(&store, &[(7, 1)], 2).await, Spending::Otherwise);
    assert_eq!(spend(&store, &[(7, 1)], 1).await, Spending::Again);
    assert_eq!(spend(&store, &[(7, 2)], 1).await, Spending::First, "a request may be paid for again");
    assert_eq!(store.spent(Week(7)).await.unwrap(), 2);
}

pub async fn tokens_are_spent_together_or_not_at_all<T: Tokens>(store: Engine<T>) {
    assert_eq!(spend(&store, &[(7, 1)], 1).await, Spending::First);
    assert_eq!(spend(&store, &[(7, 2), (7, 1), (7, 3)], 2).await, Spending::Otherwise);
    assert_eq!(store.spent(Week(7)).await.unwrap(), 1);
    assert_eq!(spend(&store, &[(7, 1), (7, 2), (6, 3)], 1).await, Spending::First, "two of them only now");
    assert_eq!(spend(&store, &[(6, 3), (7, 2)], 1).await, Spending::Again);
    assert_eq!(spend(&store, &[(7, 4), (7, 5)], 4).await, Spending::First);
    assert_eq!(spend(&store, &[(7, 4), (7, 1)], 4).await, Spending::Otherwise);
}

pub async fn weeks_are_apart<T: Tokens>(store: Engine<T>) {
    assert_eq!(spend(&store, &[(7, 1)], 1).await, Spending::First);
    assert_eq!(spend(&store, &[(8, 1)], 2).await, Spending::First);
    for (week, spent) in [(6, 0), (7, 1), (8, 1)] {
        assert_eq!(store.spent(Week(week)).await.unwrap(), spent);
    }
}

pub async fn spent_weeks_are_forgotten<T: Tokens>(store: Engine<T>) {
    for week in 5..=8 {
        assert_eq!(spend(&store, &[(week, 1)], 1).await, Spending::First);
    }
    for _ in 0..2 {
        store.forget_spent(Week(7)).await.unwrap();
        for (week, spent) in [(5, 0), (6, 0), (7, 1), (8, 1)] {
            assert_eq!(store.spent(Week(week)).await.unwrap(), spent);
        }
    }
    assert_eq!(spend(&store, &[(7, 1)], 2).await, Spending::Otherwise);
}

pub async fn of_many_requests_one_gets_the_token<T: Tokens>(store: Engine<T>) {
    let spent = at_once(32, |request| {
        let store = store.clone();
        async move { store.spend(vec![token(7, 1), token(7, 2)], [request; 32]).await.unwrap() }
    });
    let spent = spent.await;
    assert_eq!(spent.iter().filter(|spending| **spending == Spending::First).count(), 1);
    assert_eq!(spent.iter().filter(|spending| **spending == Spending::Otherwise).count(), 31);
}
