//! Listings, who waits for them, what is told of them; and lookups.

use undertone_wire::{
    AccountId, Day,
    limits::{LISTING_WAIT_DAYS, LISTINGS_MAX, LOOKUPS_A_DAY, LOOKUPS_ONCE},
};

use super::{
    Engine, TODAY,
    accounts::{ALICE, BOB, register},
    at_once,
};
use crate::{Accounts, Listed, ListedElement, Listing, ListingChange, Lookups};

const CAROL: AccountId = AccountId::new([3; 16]);
const KEY: u32 = 1;

fn element(number: u8) -> ListedElement {
    ListedElement([number; 32])
}

async fn people<A: Accounts>(accounts: &Engine<A>) {
    for account in [ALICE, BOB, CAROL] {
        register(accounts, account).await;
    }
}

async fn list<A: Accounts>(accounts: &Engine<A>, number: u8, account: AccountId, today: Day) -> Listed {
    accounts.list(Listing { element: element(number), account }, KEY, None, today).await.unwrap()
}

async fn under<A: Accounts>(accounts: &Engine<A>, number: u8) -> Option<AccountId> {
    accounts.listed(element(number)).await.unwrap().map(|(account, recovery_key)| {
        assert_eq!(recovery_key, [account.as_bytes()[0]; 32]);
        account
    })
}

pub async fn an_account_is_listed_and_not_any_more<A: Accounts>(accounts: Engine<A>) {
    people(&accounts).await;
    assert!(under(&accounts, 1).await.is_none());
    for _ in 0..2 {
        assert_eq!(list(&accounts, 1, ALICE, TODAY).await, Listed::Listed);
    }
    assert_eq!(list(&accounts, 2, BOB, TODAY).await, Listed::Listed);
    assert!(under(&accounts, 1).await == Some(ALICE));
    assert_eq!(accounts.listings_count().await.unwrap(), 2);
    // Others take nothing away.
    accounts.unlist(Listing { element: element(1), account: BOB }).await.unwrap();
    assert!(under(&accounts, 1).await == Some(ALICE));
    for _ in 0..2 {
        accounts.unlist(Listing { element: element(1), account: ALICE }).await.unwrap();
        assert!(under(&accounts, 1).await.is_none());
    }
    assert_eq!(list(&accounts, 1, AccountId::new([9; 16]), TODAY).await, Listed::NotFound);
}

pub async fn who_is_listed_has_time_to_stay<A: Accounts>(accounts: Engine<A>) {
    people(&accounts).await;
    assert_eq!(list(&accounts, 1, ALICE, TODAY).await, Listed::Listed);
    let due = TODAY + LISTING_WAIT_DAYS;
    assert_eq!(list(&accounts, 1, BOB, TODAY).await, Listed::Waits(due));
    assert!(accounts.is_claimed(ALICE).await.unwrap() && !accounts.is_claimed(BOB).await.unwrap());
    // Neither patience nor a crowd makes it shorter.
    assert_eq!(list(&accounts, 1, BOB, TODAY + (LISTING_WAIT_DAYS - 1)).await, Listed::Waits(due));
    assert_eq!(list(&accounts, 1, CAROL, TODAY + 1).await, Listed::Waits(TODAY + 3 * LISTING_WAIT_DAYS));
    assert!(under(&accounts, 1).await == Some(ALICE));
    // She keeps it, and the waiting begins anew.
    assert_eq!(list(&accounts, 1, ALICE, TODAY + 2).await, Listed::Listed);
    assert!(!accounts.is_claimed(ALICE).await.unwrap());
    assert_eq!(list(&accounts, 1, BOB, due).await, Listed::Waits(due + LISTING_WAIT_DAYS));
    // She does not.
    assert_eq!(list(&accounts, 1, BOB, due + LISTING_WAIT_DAYS).await, Listed::Listed);
    assert!(under(&accounts, 1).await == Some(BOB) && !accounts.is_claimed(BOB).await.unwrap());
}

pub async fn who_waits_and_does_not_come_has_not_waited<A: Accounts>(accounts: Engine<A>) {
    people(&accounts).await;
    list(&accounts, 1, ALICE, TODAY).await;
    list(&accounts, 1, BOB, TODAY).await;
    let late = TODAY + (2 * LISTING_WAIT_DAYS + 1);
    assert_eq!(list(&accounts, 1, BOB, late).await, Listed::Waits(late + LISTING_WAIT_DAYS));
}

pub async fn a_place_is_given_up<A: Accounts>(accounts: Engine<A>) {
    people(&accounts).await;
    list(&accounts, 1, ALICE, TODAY).await;
    list(&accounts, 1, CAROL, TODAY).await;
    let listing = Listing { element: element(1), account: BOB };
    let waits = accounts.list(listing, KEY, Some(CAROL), TODAY).await.unwrap();
    assert_eq!(waits, Listed::Waits(TODAY + 3 * LISTING_WAIT_DAYS), "by who does not have it");
    assert_eq!(accounts.list(listing, KEY, Some(ALICE), TODAY).await.unwrap(), Listed::Listed);
    assert!(under(&accounts, 1).await == Some(BOB) && !accounts.is_claimed(BOB).await.unwrap());
}

pub async fn listings_of_an_account_are_few<A: Accounts>(accounts: Engine<A>) {
    people(&accounts).await;
    list(&accounts, 200, BOB, TODAY).await;
    for number in 0..LISTINGS_MAX {
        assert_eq!(list(&accounts, number as u8, ALICE, TODAY).await, Listed::Listed);
    }
    assert_eq!(list(&accounts, 100, ALICE, TODAY).await, Listed::Full);
    assert_eq!(list(&accounts, 200, ALICE, TODAY).await, Listed::Full);
    assert_eq!(list(&accounts, 0, ALICE, TODAY).await, Listed::Listed, "what she has she keeps");
    accounts.unlist(Listing { element: element(0), account: ALICE }).await.unwrap();
    assert_eq!(list(&accounts, 100, ALICE, TODAY).await, Listed::Listed);
}

pub async fn listings_are_read_in_pages<A: Accounts>(accounts: Engine<A>) {
    people(&accounts).await;
    for number in 1..=5 {
        list(&accounts, number, if number % 2 == 0 { ALICE } else { BOB }, TODAY).await;
    }
    let mut read = Vec::new();
    loop {
        let page = accounts.listings(read.last().map(|listing: &Listing| listing.element), 2).await.unwrap();
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        read.extend(page);
    }
    assert!(read.iter().map(|listing| listing.element.0[0]).eq(1..=5));
    assert!(read.iter().all(|listing| listing.account == if listing.element.0[0] % 2 == 0 { ALICE } else { BOB }));
}

/// Of a day's changes their order is not kept, and each is told once, as it is now.
pub async fn changes_are_told_by_the_day<A: Accounts>(accounts: Engine<A>) {
    people(&accounts).await;
    for number in [3, 1, 2] {
        list(&accounts, number, ALICE, TODAY).await;
    }
    assert!(accounts.told(TODAY).await.unwrap().is_empty());
    accounts.tell(TODAY).await.unwrap();
    let now = |number, account| ListingChange { element: element(number), account };
    let all = [now(1, Some(ALICE)), now(2, Some(ALICE)), now(3, Some(ALICE))];
    assert!(accounts.told(TODAY).await.unwrap() == all);
    list(&accounts, 1, ALICE, TODAY).await;
    accounts.unlist(Listing { element: element(2), account: ALICE }).await.unwrap();
    accounts.unlist(Listing { element: element(9), account: ALICE }).await.unwrap();
    accounts.tell(TODAY + 1).await.unwrap();
    assert!(accounts.told(TODAY + 1).await.unwrap() == [now(2, None)]);
    // What a day was told of it stays, and what came later waits for another.
    accounts.delete(ALICE).await.unwrap();
    accounts.tell(TODAY + 1).await.unwrap();
    assert!(accounts.told(TODAY + 1).await.unwrap() == [now(2, None)]);
    accounts.tell(TODAY + 2).await.unwrap();
    accounts.tell(TODAY + 3).await.unwrap();
    assert!(accounts.told(TODAY + 2).await.unwrap() == [now(1, None), now(3, None)]);
    assert_eq!(accounts.told_days().await.unwrap(), [TODAY, TODAY + 1, TODAY + 2, TODAY + 3]);
    accounts.forget_told(TODAY + 2).await.unwrap();
    assert!(accounts.told(TODAY).await.unwrap().is_empty() && accounts.told(TODAY + 2).await.unwrap().len() == 2);
    assert_eq!(
        accounts.told_days().await.unwrap(),
        [TODAY + 2, TODAY + 3],
        "also those of which there was nothing to tell"
    );
    assert_eq!(accounts.listings_count().await.unwrap(), 0);
}

pub async fn elements_are_made_anew_by_another_key<A: Accounts>(accounts: Engine<A>) {
    people(&accounts).await;
    for (number, account) in [(1, ALICE), (2, BOB)] {
        list(&accounts, number, account, TODAY).await;
    }
    list(&accounts, 2, CAROL, TODAY).await;
    accounts.tell(TODAY).await.unwrap();
    list(&accounts, 3, BOB, TODAY).await;
    assert_eq!(accounts.directory_key().await.unwrap(), 1);
    for number in [KEY + 1, KEY, KEY + 1] {
        accounts.take_directory_key(number).await.unwrap();
    }
    assert_eq!(accounts.directory_key().await.unwrap(), KEY + 1);
    assert_eq!(accounts.made_by_others(KEY, 9).await.unwrap().len(), 0);
    assert_eq!(accounts.made_by_others(KEY + 1, 2).await.unwrap().len(), 2);
    assert!(matches!(accounts.issue_lookups(ALICE, [1; 32], TODAY).await.unwrap(), Lookups::Granted(_)));
    assert_eq!(accounts.issue_lookups(ALICE, [2; 32], TODAY).await.unwrap(), Lookups::Over);
    let replaced: Vec<_> = (1..=3).map(|number| (element(number), element(100 + number))).collect();
    for _ in 0..2 {
        accounts.rekey(KEY + 1, replaced.clone()).await.unwrap();
    }
    assert_eq!(accounts.made_by_others(KEY + 1, 9).await.unwrap().len(), 0);
    assert!(under(&accounts, 1).await.is_none() && under(&accounts, 101).await == Some(ALICE));
    assert!(accounts.is_claimed(BOB).await.unwrap());
    assert_eq!(accounts.issue_lookups(ALICE, [3; 32], TODAY).await.unwrap(), Lookups::Granted(LOOKUPS_ONCE));
    accounts.tell(TODAY + 1).await.unwrap();
    assert!(accounts.told(TODAY).await.unwrap().is_empty() && accounts.told(TODAY + 1).await.unwrap().is_empty());
    assert_eq!(list(&accounts, 102, CAROL, TODAY + LISTING_WAIT_DAYS).await, Listed::Listed);
}

async fn lookups<A: Accounts>(accounts: &Engine<A>, request: u8, today: Day) -> Lookups {
    accounts.issue_lookups(ALICE, [request; 32], today).await.unwrap()
}

pub async fn lookups_are_some_at_once_and_some_a_day<A: Accounts>(accounts: Engine<A>) {
    people(&accounts).await;
    for _ in 0..3 {
        assert_eq!(lookups(&accounts, 1, TODAY).await, Lookups::Granted(LOOKUPS_ONCE), "the same request counts once");
    }
    assert_eq!(lookups(&accounts, 2, TODAY).await, Lookups::Over);
    assert_eq!(lookups(&accounts, 2, TODAY + 3).await, Lookups::Granted(3 * LOOKUPS_A_DAY));
    assert_eq!(lookups(&accounts, 1, TODAY + 3).await, Lookups::Over, "an older one is as good as another");
    let bob = accounts.issue_lookups(BOB, [1; 32], TODAY).await.unwrap();
    assert_eq!(bob, Lookups::Granted(LOOKUPS_ONCE), "each account has its own");
    let nobody = accounts.issue_lookups(AccountId::new([9; 16]), [1; 32], TODAY).await.unwrap();
    assert_eq!(nobody, Lookups::Over);
    accounts.suspend(ALICE, true).await.unwrap();
    assert_eq!(lookups(&accounts, 3, TODAY + 9).await, Lookups::Suspended);
}

pub async fn of_many_who_come_first_one_does<A: Accounts>(accounts: Engine<A>) {
    for number in 1..=8 {
        register(&accounts, AccountId::new([number; 16])).await;
    }
    let accounts = &accounts;
    let wishes = at_once(8, |number| {
        let (accounts, account) = (accounts.clone(), AccountId::new([number + 1; 16]));
        async move { accounts.list(Listing { element: element(1), account }, KEY, None, TODAY).await.unwrap() }
    });
    let listed = wishes.await.into_iter().filter(|listed| *listed == Listed::Listed).count();
    assert_eq!(listed, 1);
}
