//! Profiles.

use bytes::Bytes;

use super::{
    Engine,
    accounts::{ALICE, BOB, register},
    at_once,
};
use crate::{Accounts, Profile};

fn profile(revision: u64, content: u8) -> Profile {
    Profile { revision, access_hash: Some([content; 32]), sealed: vec![content; 9].into() }
}

async fn put<A: Accounts>(accounts: &Engine<A>, profile: Profile) -> bool {
    accounts.put_profile(ALICE, profile).await.unwrap()
}

pub async fn a_profile_is_replaced_by_the_next_revision<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    register(&accounts, BOB).await;
    assert!(accounts.profile(ALICE).await.unwrap() == Profile::default());
    for (revision, content, taken) in [
        (2, 1, false),
        (0, 1, false),
        (1, 1, true),
        (1, 1, true),
        (1, 2, false),
        (u64::MAX, 2, false),
        (2, 2, true),
        (1, 1, false),
    ] {
        assert_eq!(put(&accounts, profile(revision, content)).await, taken);
    }
    assert!(accounts.profile(ALICE).await.unwrap() == profile(2, 2));
    let other_access = Profile { access_hash: Some([9; 32]), ..profile(2, 2) };
    assert!(!put(&accounts, other_access).await, "the same seal with another access is another profile");
    assert!(accounts.profile(BOB).await.unwrap() == Profile::default(), "each account has its own");
}

pub async fn a_profile_can_be_taken_away<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    let none = |revision| Profile { revision, access_hash: None, sealed: Bytes::new() };
    assert!(put(&accounts, profile(1, 1)).await);
    assert!(put(&accounts, none(2)).await && put(&accounts, none(2)).await);
    assert!(accounts.profile(ALICE).await.unwrap() == none(2));
    assert!(!put(&accounts, profile(1, 1)).await, "its revisions go on");
    assert!(put(&accounts, profile(3, 3)).await);
    accounts.delete(ALICE).await.unwrap();
    assert!(accounts.profile(ALICE).await.unwrap() == Profile::default());
}

pub async fn nobody_has_no_profile<A: Accounts>(accounts: Engine<A>) {
    assert!(!put(&accounts, profile(1, 1)).await);
    register(&accounts, ALICE).await;
    assert!(accounts.profile(ALICE).await.unwrap() == Profile::default());
}

pub async fn one_of_many_profiles_wins<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    let put = at_once(32, |content| {
        let accounts = accounts.clone();
        async move { accounts.put_profile(ALICE, profile(1, content)).await.unwrap() }
    });
    assert_eq!(put.await.into_iter().filter(|put| *put).count(), 1);
    assert_eq!(accounts.profile(ALICE).await.unwrap().revision, 1);
}
