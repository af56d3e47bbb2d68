//! The account plane.

use proptest::{collection::vec, prelude::*};
use undertone_store::{
    AccountCounts, Accounts, Contact, Creation, Delivery, InboxPage, Invite, InviteHash, ListVersion, NewAccount,
    NewKeyPackages, StoredAccount, memory::MemoryAccounts, sqlite::SqliteAccounts,
};
use undertone_wire::{AccountId, Day, IdempotencyId, Week};

use super::{CASES, Reopened, bytes, day, runtime};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn accounts_answer_alike(ops in vec(op(), 1..60)) {
        let memory = MemoryAccounts::default();
        let mut sqlite = Reopened::new(|path| SqliteAccounts::open(path).unwrap());
        runtime().block_on(async {
            for (step, op) in ops.into_iter().enumerate() {
                if matches!(op, Op::Reopen) {
                    sqlite.reopen();
                }
                let expected = ask(&memory, op.clone()).await;
                prop_assert!(ask(sqlite.engine(), op.clone()).await == expected, "step {step}: {op:?}");
            }
            Ok(())
        })?;
    }
}

#[derive(Clone, Debug)]
enum Op {
    Create { account: u8, list: u8, packages: Vec<u8>, invite: Option<u8>, today: u32 },
    Look { account: u8 },
    Seen { account: u8, today: u32 },
    PutDeviceList { account: u8, identity_number: u32, counter: u64, list: u8 },
    PutInboxKey { account: u8, week: u32, key: u8 },
    PutKeyPackages { account: u8, device: u32, one_time: Vec<u8>, last_resort: Option<u8>, max: u32 },
    KeyPackagesLeft { account: u8, device: u32 },
    TakeContact { account: u8 },
    Deliver { account: u8, id: u8, sealed: u8, expiry_day: u32, max: u64 },
    ReadInbox { account: u8, after: u64, limit: u32, bytes_max: usize },
    ClearInbox { account: u8, up_to: u64 },
    AddInvite { invite: u8, uses: u32, expiry_day: u32 },
    Expire { today: u32 },
    Count,
    Reopen,
}

fn op() -> impl Strategy<Value = Op> {
    use Op::*;
    let account = || 0u8..3;
    let packages = || vec(0u8..12, 0..4);
    let invite = proptest::option::of(0u8..3);
    prop_oneof![
        4 => (account(), 0u8..2, packages(), invite, day())
            .prop_map(|(account, list, packages, invite, today)| Create { account, list, packages, invite, today }),
        1 => account().prop_map(|account| Look { account }),
        1 => (account(), day()).prop_map(|(account, today)| Seen { account, today }),
        2 => (account(), 0u32..2, 0u64..4, 0u8..3).prop_map(|(account, identity_number, counter, list)| {
            PutDeviceList { account, identity_number, counter, list }
        }),
        1 => (account(), 0u32..3, 0u8..3).prop_map(|(account, week, key)| PutInboxKey { account, week, key }),
        3 => (account(), 0u32..3, packages(), proptest::option::of(0u8..3), 0u32..6).prop_map(
            |(account, device, one_time, last_resort, max)| {
                PutKeyPackages { account, device, one_time, last_resort, max }
            }
        ),
        1 => (account(), 0u32..3).prop_map(|(account, device)| KeyPackagesLeft { account, device }),
        4 => account().prop_map(|account| TakeContact { account }),
        6 => (account(), 0u8..8, 0u8..2, day(), 0u64..5)
            .prop_map(|(account, id, sealed, expiry_day, max)| Deliver { account, id, sealed, expiry_day, max }),
        3 => (account(), 0u64..6, 0u32..4, 0usize..400)
            .prop_map(|(account, after, limit, bytes_max)| ReadInbox { account, after, limit, bytes_max }),
        1 => (account(), 0u64..6).prop_map(|(account, up_to)| ClearInbox { account, up_to }),
        1 => (0u8..3, 0u32..3, day()).prop_map(|(invite, uses, expiry_day)| AddInvite { invite, uses, expiry_day }),
        1 => day().prop_map(|today| Expire { today }),
        1 => Just(Count),
        1 => Just(Reopen),
    ]
}

#[derive(PartialEq)]
enum Answer {
    Creation(Creation),
    Account(Option<StoredAccount>),
    Taken(bool),
    Left(u32),
    Contact(Option<Contact>),
    Delivery(Delivery),
    Page(InboxPage),
    Counts(AccountCounts),
    Nothing,
}

async fn ask(accounts: &impl Accounts, op: Op) -> Answer {
    let id = |account| AccountId::new([account; 16]);
    let invite_hash = |invite| InviteHash([invite; 32]);
    let all = |packages: Vec<u8>| packages.into_iter().map(bytes).collect();
    match op {
        Op::Create { account, list, packages, invite, today } => {
            let new = NewAccount {
                account: id(account),
                list_version: ListVersion { identity_number: 0, counter: 1 },
                device_list: bytes(list),
                inbox_week: Week(1),
                inbox_key: bytes(list),
                device: 1,
                key_packages: NewKeyPackages { one_time: all(packages), last_resort: None },
                invite: invite.map(invite_hash),
            };
            Answer::Creation(accounts.create(new, Day(today)).await.unwrap())
        }
        Op::Look { account } => Answer::Account(accounts.account(id(account)).await.unwrap()),
        Op::Seen { account, today } => {
            accounts.seen(id(account), Day(today)).await.unwrap();
            Answer::Nothing
        }
        Op::PutDeviceList { account, identity_number, counter, list } => {
            let version = ListVersion { identity_number, counter };
            Answer::Taken(accounts.put_device_list(id(account), version, bytes(list)).await.unwrap())
        }
        Op::PutInboxKey { account, week, key } => {
            Answer::Taken(accounts.put_inbox_key(id(account), Week(week), bytes(key)).await.unwrap())
        }
        Op::PutKeyPackages { account, device, one_time, last_resort, max } => {
            let new = NewKeyPackages { one_time: all(one_time), last_resort: last_resort.map(bytes) };
            Answer::Left(accounts.put_key_packages(id(account), device, new, max).await.unwrap())
        }
        Op::KeyPackagesLeft { account, device } => {
            Answer::Left(accounts.key_packages_left(id(account), device).await.unwrap())
        }
        Op::TakeContact { account } => Answer::Contact(accounts.take_contact(id(account)).await.unwrap()),
        Op::Deliver { account, id: letter, sealed, expiry_day, max } => {
            let letter = IdempotencyId::new([letter; 16]);
            let delivery = accounts.deliver(id(account), letter, bytes(sealed), Day(expiry_day), max).await;
            Answer::Delivery(delivery.unwrap())
        }
        Op::ReadInbox { account, after, limit, bytes_max } => {
            Answer::Page(accounts.read_inbox(id(account), after, limit, bytes_max).await.unwrap())
        }
        Op::ClearInbox { account, up_to } => {
            accounts.clear_inbox(id(account), up_to).await.unwrap();
            Answer::Nothing
        }
        Op::AddInvite { invite, uses, expiry_day } => {
            let invite = Invite { hash: invite_hash(invite), uses, expiry_day: Day(expiry_day) };
            accounts.add_invite(invite).await.unwrap();
            Answer::Nothing
        }
        Op::Expire { today } => {
            accounts.expire(Day(today)).await.unwrap();
            Answer::Nothing
        }
        Op::Count => Answer::Counts(accounts.counts().await.unwrap()),
        Op::Reopen => Answer::Nothing,
    }
}
