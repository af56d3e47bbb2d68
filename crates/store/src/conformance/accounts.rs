//! Accounts, device lists, inbox keys, invites.

use bytes::Bytes;
use undertone_wire::{AccountId, Day, Week};

use super::{Engine, TODAY, at_once};
use crate::{
    AccountCounts, Accounts, Creation, Delivery, Invite, InviteHash, ListVersion, ListedDevice, NewAccount,
    NewKeyPackages, NewList, StoredAccount,
};

pub(super) const ALICE: AccountId = AccountId::new([1; 16]);
pub(super) const BOB: AccountId = AccountId::new([2; 16]);

pub(super) const FIRST: ListVersion = ListVersion { identity_number: 0, counter: 1 };
const INVITE: InviteHash = InviteHash([7; 32]);

/// The list after `counter` others, with these devices, whose keys follow from their numbers.
pub(super) fn list(identity_number: u32, counter: u64, encoded: &'static [u8], devices: &[u32]) -> NewList {
    NewList {
        version: ListVersion { identity_number, counter },
        encoded: Bytes::from_static(encoded),
        devices: devices.iter().map(|number| ListedDevice { number: *number, key: [*number as u8; 32] }).collect(),
    }
}

pub(super) fn registration(account: AccountId) -> NewAccount {
    NewAccount {
        account,
        recovery_key: [account.as_bytes()[0]; 32],
        list: list(0, 1, b"list", &[1]),
        inbox_week: TODAY.week(),
        inbox_key: Bytes::from_static(b"inbox key"),
        device: 1,
        key_packages: NewKeyPackages::default(),
        invite: None,
    }
}

fn invited(account: AccountId) -> NewAccount {
    NewAccount { invite: Some(INVITE), ..registration(account) }
}

pub(super) async fn register<A: Accounts>(accounts: &Engine<A>, account: AccountId) {
    assert_eq!(accounts.create(registration(account), TODAY).await.unwrap(), Creation::Created);
}

pub(super) async fn stored<A: Accounts>(accounts: &Engine<A>, account: AccountId) -> StoredAccount {
    accounts.account(account).await.unwrap().unwrap()
}

async fn invite<A: Accounts>(accounts: &Engine<A>, uses: u32, expiry_day: Day) {
    accounts.add_invite(Invite { hash: INVITE, uses, expiry_day }).await.unwrap();
}

pub async fn an_account_is_created_once<A: Accounts>(accounts: Engine<A>) {
    assert!(accounts.account(ALICE).await.unwrap().is_none());
    register(&accounts, ALICE).await;
    let expected = StoredAccount {
        list_version: FIRST,
        device_list: Bytes::from_static(b"list"),
        inbox_week: TODAY.week(),
        created: TODAY,
        last_seen: TODAY,
        inbox_seq: 0,
    };
    assert!(stored(&accounts, ALICE).await == expected);
    assert_eq!(accounts.create(registration(ALICE), TODAY + 1).await.unwrap(), Creation::Created);
    let other = NewAccount { list: list(0, 1, b"other", &[1]), ..registration(ALICE) };
    assert_eq!(accounts.create(other, TODAY).await.unwrap(), Creation::Taken);
    assert!(stored(&accounts, ALICE).await == expected);
}

pub async fn an_invite_makes_as_many_accounts_as_it_says<A: Accounts>(accounts: Engine<A>) {
    invite(&accounts, 2, TODAY).await;
    assert_eq!(accounts.create(invited(ALICE), TODAY).await.unwrap(), Creation::Created);
    assert_eq!(accounts.create(invited(ALICE), TODAY).await.unwrap(), Creation::Created, "a retry uses none up");
    let other = NewAccount { list: list(0, 1, b"other", &[1]), ..invited(ALICE) };
    assert_eq!(accounts.create(other, TODAY).await.unwrap(), Creation::Taken, "nor does a refusal");
    assert_eq!(accounts.create(invited(BOB), TODAY).await.unwrap(), Creation::Created);
    let third = AccountId::new([3; 16]);
    assert_eq!(accounts.create(invited(third), TODAY).await.unwrap(), Creation::InviteRefused);
    assert_eq!(accounts.create(invited(BOB), TODAY).await.unwrap(), Creation::Created, "a retry needs none");
}

pub async fn a_registration_without_a_good_invite_leaves_nothing<A: Accounts>(accounts: Engine<A>) {
    assert_eq!(accounts.create(invited(ALICE), TODAY).await.unwrap(), Creation::InviteRefused);
    assert!(accounts.account(ALICE).await.unwrap().is_none());
    invite(&accounts, 0, TODAY).await;
    assert_eq!(accounts.create(invited(ALICE), TODAY).await.unwrap(), Creation::InviteRefused);
    assert!(accounts.take_contact(ALICE, 0).await.unwrap().is_none());
    register(&accounts, ALICE).await;
}

pub async fn an_invite_is_used_once_under_concurrency<A: Accounts>(accounts: Engine<A>) {
    invite(&accounts, 1, TODAY).await;
    let outcomes = at_once(32, |number| {
        let accounts = accounts.clone();
        async move { accounts.create(invited(AccountId::new([number; 16])), TODAY).await.unwrap() }
    });
    let created = outcomes.await.into_iter().filter(|outcome| *outcome == Creation::Created).count();
    assert_eq!(created, 1);
    assert_eq!(accounts.counts().await.unwrap().accounts, 1);
}

pub async fn an_invite_added_again_changes_nothing<A: Accounts>(accounts: Engine<A>) {
    invite(&accounts, 1, TODAY).await;
    assert_eq!(accounts.create(invited(ALICE), TODAY).await.unwrap(), Creation::Created);
    invite(&accounts, 1, TODAY).await;
    assert_eq!(accounts.create(invited(BOB), TODAY).await.unwrap(), Creation::InviteRefused);
}

pub async fn invites_expire<A: Accounts>(accounts: Engine<A>) {
    invite(&accounts, 3, TODAY).await;
    assert_eq!(accounts.create(invited(ALICE), TODAY + 1).await.unwrap(), Creation::InviteRefused);
    accounts.expire(TODAY).await.unwrap();
    assert_eq!(accounts.create(invited(ALICE), TODAY).await.unwrap(), Creation::Created, "its last day still counts");
    accounts.expire(TODAY + 1).await.unwrap();
    assert_eq!(accounts.create(invited(BOB), TODAY).await.unwrap(), Creation::InviteRefused);
    invite(&accounts, 1, TODAY + 1).await;
    assert_eq!(accounts.create(invited(BOB), TODAY).await.unwrap(), Creation::Created, "it was forgotten");
}

pub async fn the_day_last_seen_moves_forward_only<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    for (today, last_seen) in [(TODAY, TODAY), (TODAY + 3, TODAY + 3), (TODAY + 2, TODAY + 3)] {
        assert!(accounts.seen(ALICE, 1, None, today).await.unwrap());
        let account = stored(&accounts, ALICE).await;
        assert_eq!((account.created, account.last_seen), (TODAY, last_seen));
    }
    assert!(accounts.seen(BOB, 1, None, TODAY).await.unwrap());
    assert!(accounts.account(BOB).await.unwrap().is_none());
}

pub async fn device_lists_only_move_up<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    let steps: [(u32, u64, &'static [u8], bool); 9] = [
        (0, 1, b"list", true),
        (0, 1, b"another of that version", false),
        (0, 3, b"newer", true),
        (0, 2, b"between", false),
        (0, 3, b"newer", true),
        (1, 1, b"next identity", true),
        (0, 9, b"former identity", false),
        (1, 0, b"older", false),
        (1, 1, b"newer", false),
    ];
    for (step, (identity_number, counter, encoded, taken)) in steps.into_iter().enumerate() {
        let list = list(identity_number, counter, encoded, &[1]);
        let held = stored(&accounts, ALICE).await.list_version;
        assert_eq!(accounts.put_device_list(ALICE, held, list.clone()).await.unwrap(), taken, "step {step}");
        let now = stored(&accounts, ALICE).await;
        assert_eq!(now.list_version == list.version && now.device_list == list.encoded, taken, "step {step}");
    }
    let contact = accounts.take_contact(ALICE, 0).await.unwrap().unwrap();
    assert!(contact.device_list == Bytes::from_static(b"next identity"));
    assert!(!accounts.put_device_list(BOB, FIRST, list(0, 1, b"list", &[1])).await.unwrap());
}

/// Who has made a list after another must not write over a third.
pub async fn device_lists_follow_the_one_that_is_held<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    let second = list(0, 2, b"second", &[1, 2]);
    assert!(accounts.put_device_list(ALICE, FIRST, second.clone()).await.unwrap());
    for third in [list(0, 3, b"third", &[1]), list(1, 0, b"third", &[1])] {
        for held in [FIRST, third.version] {
            assert!(!accounts.put_device_list(ALICE, held, third.clone()).await.unwrap());
        }
    }
    assert!(accounts.put_device_list(ALICE, FIRST, second.clone()).await.unwrap(), "the same again, as it was asked");
    assert!(stored(&accounts, ALICE).await.device_list == second.encoded);
    assert!(accounts.put_device_list(ALICE, second.version, list(1, 0, b"third", &[1])).await.unwrap());
}

pub async fn counters_have_all_their_bits<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    for (counter, taken) in [(u64::MAX - 1, true), (u64::MAX, true), (u64::MAX - 1, false), (2, false)] {
        let list = list(u32::MAX, counter, b"list", &[1]);
        let held = stored(&accounts, ALICE).await.list_version;
        assert_eq!(accounts.put_device_list(ALICE, held, list).await.unwrap(), taken);
    }
    assert_eq!(stored(&accounts, ALICE).await.list_version.counter, u64::MAX);
}

pub async fn inbox_keys_do_not_go_back_a_week<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    let Week(week) = TODAY.week();
    let steps: [(u32, &'static [u8], bool); 4] =
        [(week, b"again", true), (week - 1, b"older", false), (week + 2, b"newer", true), (week + 1, b"old", false)];
    for (step, (week, key, taken)) in steps.into_iter().enumerate() {
        let key = Bytes::from_static(key);
        assert_eq!(accounts.put_inbox_key(ALICE, 0, Week(week), key.clone()).await.unwrap(), taken, "step {step}");
        assert_eq!(stored(&accounts, ALICE).await.inbox_week == Week(week), taken, "step {step}");
        let contact = accounts.take_contact(ALICE, 0).await.unwrap().unwrap();
        assert_eq!(contact.inbox_key == key, taken, "step {step}");
    }
    assert!(!accounts.put_inbox_key(BOB, 0, Week(week), Bytes::new()).await.unwrap());
}

pub async fn a_new_identity_makes_room_for_its_inbox_key<A: Accounts>(accounts: Engine<A>) {
    register(&accounts, ALICE).await;
    let Week(week) = TODAY.week();
    let put = async |identity_number, week, key| {
        accounts.put_inbox_key(ALICE, identity_number, Week(week), Bytes::from_static(key)).await.unwrap()
    };
    assert!(put(0, week + 1, b"first").await);
    assert!(!put(1, week + 1, b"of no identity yet").await);
    let second = list(0, 2, b"second", &[1]);
    assert!(accounts.put_device_list(ALICE, FIRST, second.clone()).await.unwrap());
    assert_eq!(stored(&accounts, ALICE).await.inbox_week, Week(week + 1));
    assert!(accounts.put_device_list(ALICE, second.version, list(1, 0, b"third", &[1])).await.unwrap());
    assert_eq!(stored(&accounts, ALICE).await.inbox_week, Week(0));
    assert!(!put(0, week + 1, b"of the former identity").await);
    assert!(accounts.take_contact(ALICE, 0).await.unwrap().unwrap().inbox_key == Bytes::from_static(b"first"));
    assert!(put(1, week, b"second").await);
    assert_eq!(stored(&accounts, ALICE).await.inbox_week, Week(week));
    assert!(accounts.take_contact(ALICE, 0).await.unwrap().unwrap().inbox_key == Bytes::from_static(b"second"));
}

pub async fn accounts_are_counted<A: Accounts>(accounts: Engine<A>) {
    assert_eq!(accounts.counts().await.unwrap(), AccountCounts::default());
    let one_time = vec![Bytes::from_static(b"1"), Bytes::from_static(b"2")];
    let key_packages = NewKeyPackages { one_time, last_resort: Some(Bytes::from_static(b"last")), replace: false };
    let new = NewAccount { key_packages, ..registration(ALICE) };
    assert_eq!(accounts.create(new, TODAY).await.unwrap(), Creation::Created);
    register(&accounts, BOB).await;
    let id = undertone_wire::IdempotencyId::new([1; 16]);
    let delivered = accounts.deliver(BOB, id, Bytes::from_static(b"sealed"), TODAY, 10).await.unwrap();
    assert_eq!(delivered, Delivery::Delivered);
    let counts = AccountCounts { accounts: 2, key_packages: 2, inbox_entries: 1 };
    assert_eq!(accounts.counts().await.unwrap(), counts);
    accounts.take_contact(ALICE, 0).await.unwrap();
    accounts.clear_inbox(BOB, 1, 1).await.unwrap();
    let counts = AccountCounts { accounts: 2, key_packages: 1, inbox_entries: 0 };
    assert_eq!(accounts.counts().await.unwrap(), counts);
}
