//! The account plane.

use proptest::{collection::vec, prelude::*};
use undertone_store::{
    AccountCounts, Accounts, Contact, Creation, Delivery, InboxPage, Invite, InviteHash, Issuing, ListVersion,
    ListedDevice, NewAccount, NewKeyPackages, NewList, Profile, Spending, SpentToken, StoredAccount, Value, ValuesPage,
    Vault, Visit, memory::MemoryAccounts, sqlite::SqliteAccounts,
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
    Create { account: u8, recovery_key: u8, list: u8, packages: Vec<u8>, invite: Option<u8>, today: u32 },
    Look { account: u8 },
    Find { recovery_key: u8 },
    Seen { account: u8, device: u32, visit: Option<(Option<u8>, u8)>, today: u32 },
    PutDeviceList { account: u8, stale: bool, identity_number: u32, counter: u64, list: u8 },
    PutInboxKey { account: u8, identity_number: u32, week: u32, key: u8 },
    PutKeyPackages { account: u8, device: u32, one_time: Vec<u8>, last_resort: Option<u8>, replace: bool, max: u32 },
    KeyPackagesLeft { account: u8, device: u32 },
    TakeContact { account: u8, reserve: u32 },
    Deliver { account: u8, id: u8, sealed: u8, expiry_day: u32, max: u64 },
    ReadInbox { account: u8, after: u64, limit: u32, bytes_max: usize },
    ClearInbox { account: u8, device: u32, up_to: u64 },
    LookIntoVault { account: u8 },
    PutVault { account: u8, revision: u64, sealed: u8 },
    LookAtProfile { account: u8 },
    PutProfile { account: u8, revision: u64, sealed: Option<u8> },
    Issue { account: u8, week: u32, request: u8, max: u32 },
    Suspend { account: u8, suspended: bool },
    CountIssued { week: u32 },
    Publish { account: u8, known: u32, limit: u32, bytes_max: usize },
    Spend { tokens: Vec<(u32, u8)>, request: u8 },
    CountSpent { week: u32 },
    ForgetSpent { oldest: u32 },
    Delete { account: u8 },
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
    let device = || 1u32..4;
    let visit = proptest::option::of((proptest::option::of(0u8..3), 0u8..3));
    prop_oneof![
        6 => (account(), 0u8..3, 0u8..2, packages(), invite, day()).prop_map(
            |(account, recovery_key, list, packages, invite, today)| {
                Create { account, recovery_key, list, packages, invite, today }
            }
        ),
        1 => (0u8..3).prop_map(|recovery_key| Find { recovery_key }),
        1 => account().prop_map(|account| Look { account }),
        3 => (account(), device(), visit, day())
            .prop_map(|(account, device, visit, today)| Seen { account, device, visit, today }),
        4 => (account(), proptest::bool::weighted(0.2), 0u32..2, 0u64..4, 0u8..3).prop_map(
            |(account, stale, identity_number, counter, list)| {
                PutDeviceList { account, stale, identity_number, counter, list }
            }
        ),
        1 => (account(), 0u32..2, 0u32..3, 0u8..3).prop_map(|(account, identity_number, week, key)| {
            PutInboxKey { account, identity_number, week, key }
        }),
        3 => (account(), device(), packages(), proptest::option::of(0u8..3), any::<bool>(), 0u32..6).prop_map(
            |(account, device, one_time, last_resort, replace, max)| {
                PutKeyPackages { account, device, one_time, last_resort, replace, max }
            }
        ),
        1 => (account(), device()).prop_map(|(account, device)| KeyPackagesLeft { account, device }),
        4 => (account(), 0u32..3).prop_map(|(account, reserve)| TakeContact { account, reserve }),
        6 => (account(), 0u8..8, 0u8..2, day(), 0u64..5)
            .prop_map(|(account, id, sealed, expiry_day, max)| Deliver { account, id, sealed, expiry_day, max }),
        3 => (account(), 0u64..6, 0u32..4, 0usize..400)
            .prop_map(|(account, after, limit, bytes_max)| ReadInbox { account, after, limit, bytes_max }),
        3 => (account(), device(), 0u64..6)
            .prop_map(|(account, device, up_to)| ClearInbox { account, device, up_to }),
        1 => account().prop_map(|account| LookIntoVault { account }),
        2 => (account(), 0u64..4, 0u8..2)
            .prop_map(|(account, revision, sealed)| PutVault { account, revision, sealed }),
        1 => account().prop_map(|account| LookAtProfile { account }),
        2 => (account(), 0u64..4, proptest::option::of(0u8..2))
            .prop_map(|(account, revision, sealed)| PutProfile { account, revision, sealed }),
        3 => (account(), 0u32..3, 0u8..4, 0u32..4)
            .prop_map(|(account, week, request, max)| Issue { account, week, request, max }),
        1 => (account(), any::<bool>()).prop_map(|(account, suspended)| Suspend { account, suspended }),
        1 => (0u32..3).prop_map(|week| CountIssued { week }),
        4 => (account(), prop_oneof![Just(0), 0u32..60], 0u32..80, 0usize..900)
            .prop_map(|(account, known, limit, bytes_max)| Publish { account, known, limit, bytes_max }),
        4 => (vec((0u32..3, 0u8..6), 0..4), 0u8..3).prop_map(|(tokens, request)| Spend { tokens, request }),
        1 => (0u32..3).prop_map(|week| CountSpent { week }),
        1 => (0u32..3).prop_map(|oldest| ForgetSpent { oldest }),
        1 => account().prop_map(|account| Delete { account }),
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
    Found(Option<AccountId>),
    Vault(Vault),
    Contact(Option<Contact>),
    Delivery(Delivery),
    Page(InboxPage),
    Counts(AccountCounts),
    Profile(Profile),
    Issuing(Issuing),
    Spending(Spending),
    Count(u64),
    Values(ValuesPage),
    Nothing,
}

async fn ask(accounts: &impl Accounts, op: Op) -> Answer {
    let id = |account| AccountId::new([account; 16]);
    let invite_hash = |invite| InviteHash([invite; 32]);
    let all = |packages: Vec<u8>| packages.into_iter().map(bytes).collect();
    match op {
        Op::Create { account, recovery_key, list, packages, invite, today } => {
            let new = NewAccount {
                account: id(account),
                recovery_key: [recovery_key; 32],
                list: new_list(0, 1, list),
                inbox_week: Week(1),
                inbox_key: bytes(list),
                device: 1,
                key_packages: NewKeyPackages { one_time: all(packages), ..NewKeyPackages::default() },
                invite: invite.map(invite_hash),
            };
            Answer::Creation(accounts.create(new, Day(today)).await.unwrap())
        }
        Op::Look { account } => Answer::Account(accounts.account(id(account)).await.unwrap()),
        Op::Find { recovery_key } => Answer::Found(accounts.recoverable([recovery_key; 32]).await.unwrap()),
        Op::Seen { account, device, visit, today } => {
            let said = |said| [said; 16];
            let visit = visit.map(|(last, next)| Visit { last: last.map(said), next: said(next) });
            Answer::Taken(accounts.seen(id(account), device, visit, Day(today)).await.unwrap())
        }
        Op::PutDeviceList { account, stale, identity_number, counter, list } => {
            let list = new_list(identity_number, counter, list);
            let held = accounts.account(id(account)).await.unwrap().filter(|_| !stale);
            let held = held.map_or(list.version, |stored| stored.list_version);
            Answer::Taken(accounts.put_device_list(id(account), held, list).await.unwrap())
        }
        Op::PutInboxKey { account, identity_number, week, key } => {
            let put = accounts.put_inbox_key(id(account), identity_number, Week(week), bytes(key)).await;
            Answer::Taken(put.unwrap())
        }
        Op::PutKeyPackages { account, device, one_time, last_resort, replace, max } => {
            let new = NewKeyPackages { one_time: all(one_time), last_resort: last_resort.map(bytes), replace };
            Answer::Left(accounts.put_key_packages(id(account), device, new, max).await.unwrap())
        }
        Op::KeyPackagesLeft { account, device } => {
            Answer::Left(accounts.key_packages_left(id(account), device).await.unwrap())
        }
        Op::TakeContact { account, reserve } => {
            Answer::Contact(accounts.take_contact(id(account), reserve).await.unwrap())
        }
        Op::Deliver { account, id: letter, sealed, expiry_day, max } => {
            let letter = IdempotencyId::new([letter; 16]);
            let delivery = accounts.deliver(id(account), letter, bytes(sealed), Day(expiry_day), max).await;
            Answer::Delivery(delivery.unwrap())
        }
        Op::ReadInbox { account, after, limit, bytes_max } => {
            Answer::Page(accounts.read_inbox(id(account), after, limit, bytes_max).await.unwrap())
        }
        Op::ClearInbox { account, device, up_to } => {
            accounts.clear_inbox(id(account), device, up_to).await.unwrap();
            Answer::Nothing
        }
        Op::LookIntoVault { account } => Answer::Vault(accounts.vault(id(account)).await.unwrap()),
        Op::PutVault { account, revision, sealed } => {
            let vault = Vault { revision, sealed: bytes(sealed) };
            Answer::Taken(accounts.put_vault(id(account), vault).await.unwrap())
        }
        Op::LookAtProfile { account } => Answer::Profile(accounts.profile(id(account)).await.unwrap()),
        Op::PutProfile { account, revision, sealed } => {
            let access_hash = sealed.map(|sealed| [sealed; 32]);
            let profile = Profile { revision, access_hash, sealed: sealed.map(bytes).unwrap_or_default() };
            Answer::Taken(accounts.put_profile(id(account), profile).await.unwrap())
        }
        Op::Issue { account, week, request, max } => {
            Answer::Issuing(accounts.issue(id(account), Week(week), [request; 32], max).await.unwrap())
        }
        Op::Suspend { account, suspended } => Answer::Taken(accounts.suspend(id(account), suspended).await.unwrap()),
        Op::CountIssued { week } => Answer::Count(accounts.issued(Week(week)).await.unwrap()),
        Op::Publish { account, known, limit, bytes_max } => {
            let mut page = accounts.values(id(account), known, limit, bytes_max).await.unwrap();
            for value in &mut page.values {
                if value.column == "body_key" || value.column == "key" && value.table.starts_with("bodies_") {
                    value.value = Value::Null;
                }
            }
            Answer::Values(page)
        }
        Op::Spend { tokens, request } => {
            let tokens = tokens.into_iter();
            let tokens = tokens.map(|(week, token)| SpentToken { week: Week(week), nullifier: [token; 32] }).collect();
            Answer::Spending(accounts.spend(tokens, [request; 32]).await.unwrap())
        }
        Op::CountSpent { week } => Answer::Count(accounts.spent(Week(week)).await.unwrap()),
        Op::ForgetSpent { oldest } => {
            accounts.forget_spent(Week(oldest)).await.unwrap();
            Answer::Nothing
        }
        Op::Delete { account } => {
            accounts.delete(id(account)).await.unwrap();
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

/// A list whose devices and their keys follow from its content.
fn new_list(identity_number: u32, counter: u64, list: u8) -> NewList {
    let devices = match list {
        0 => vec![(1, 1)],
        1 => vec![(1, 1), (2, 2)],
        _ => vec![(3, 3), (2, 9)],
    };
    NewList {
        version: ListVersion { identity_number, counter },
        encoded: bytes(list),
        devices: devices.into_iter().map(|(number, key)| ListedDevice { number, key: [key; 32] }).collect(),
    }
}
