//! A service full of people who do not exist: each has an account and is listed under a phone number. They can be found, and
//! not written to, since nobody reads their inboxes. The same seed makes the same people.

use std::{
    fmt::{self, Display, Write as _},
    fs,
    num::NonZeroUsize,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{available_parallelism, scope},
    time::Instant,
};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use serde::Serialize;
use tokio::{runtime::Handle, task::JoinSet};
use undertone_client::{Clock as _, SystemClock};
use undertone_credentials::{Device, DeviceKey, DeviceList, DirectoryKey, IdentityKey, RecoveryKey};
use undertone_store::{
    Accounts as _, Directory as _, ListVersion, Listed, ListedDevice, ListedElement, Listing, NewAccount,
    NewKeyPackages, NewList, sqlite::SqliteAccounts,
};
use undertone_wire::{Day, Identifier};

use crate::program::Program;

/// Transactions that wait for one sync of the disk together.
const TOGETHER: usize = 512;
/// Mobile numbers of one German network: as many as there are, so that each is a valid one.
const NUMBERS: u64 = 100_000_000;
/// Scatters people over the numbers: it has no factor in common with [`NUMBERS`].
const STEP: u64 = 48_271;

/// Who is made up.
#[derive(clap::Args)]
pub struct Args {
    /// How many people
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20_000_000))]
    accounts: u32,
    /// Of all that is random
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Data folder of the service; it is made if need be
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Write an address book (CSV, numbers as people write them): half of it is there, half is not; and beside it, as
    /// FILE.expected, who has to be found
    #[arg(long, value_name = "FILE")]
    address_book: Option<PathBuf>,
    /// Contacts in it
    #[arg(long, value_name = "M", default_value_t = 1_000)]
    contacts: u32,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What was made.
#[derive(Serialize)]
pub struct Report {
    accounts: u32,
    seconds: f64,
    database_bytes: u64,
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accounts, seconds, database_bytes } = self;
        write!(f, "{accounts} accounts in {seconds:.1} s, {:.1} MB", *database_bytes as f64 / 1e6)
    }
}

/// A made-up person.
struct Person {
    new: NewAccount,
    listing: Listing,
}

/// Fills a service that does not run.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    let begun = Instant::now();
    // Once, so that there are keys.
    let service = Program::find()?.serve(&args.data).await?;
    let issuing = service.issuing()?;
    service.end().await?;
    let file = args.data.join("accounts.db");
    let store = Arc::new(SqliteAccounts::open(&file).context("the service's accounts cannot be opened")?);
    let key = store.directory_key().await?.try_into().context("keys count from 1")?;
    let key = issuing.directory_key(key);
    let today = today();
    tokio::task::block_in_place(|| {
        scope(|threads| {
            let (people, made) = sync_channel(2 * TOGETHER);
            let workers = available_parallelism().map_or(1, NonZeroUsize::get) as u32;
            for worker in 0..workers {
                let (people, key) = (people.clone(), &key);
                threads.spawn(move || make(args, key, (worker, workers), today, &people));
            }
            drop(people);
            Handle::current().block_on(keep(&store, &made, key.number(), today))
        })
    })?;
    if let Some(path) = &args.address_book {
        let (book, expected) = address_book(args);
        fs::write(path, book).context("the address book cannot be written")?;
        fs::write(path.with_added_extension("expected"), expected).context("what is expected cannot be written")?;
    }
    drop(store);
    let database_bytes = file.metadata()?.len();
    Ok(Report { accounts: args.accounts, seconds: begun.elapsed().as_secs_f64(), database_bytes })
}

/// Every so many people, from one of the first on.
fn make(args: &Args, key: &DirectoryKey, (first, step): (u32, u32), today: Day, people: &SyncSender<Person>) {
    for number in (first..args.accounts).step_by(step as usize) {
        let Some(person) = person(args.seed, number, key, today) else { return };
        if people.send(person).is_err() {
            return;
        }
    }
}

/// None: not for what is made here.
fn person(seed: u64, number: u32, key: &DirectoryKey, today: Day) -> Option<Person> {
    let (list, recovery_key) = device_list(seed, number)?;
    let device = ListedDevice { number: 1, key: *list.device(1)?.key.as_bytes() };
    let new = NewAccount {
        account: list.account(),
        recovery_key,
        list: NewList {
            version: ListVersion { identity_number: 0, counter: 0 },
            encoded: list.encoded().clone(),
            devices: vec![device],
        },
        inbox_week: today.week(),
        inbox_key: Bytes::new(),
        device: 1,
        key_packages: NewKeyPackages::default(),
        invite: None,
    };
    let element = ListedElement(key.element(&phone(seed, number.into())).ok()?);
    Some(Person { listing: Listing { element, account: list.account() }, new })
}

fn device_list(seed: u64, number: u32) -> Option<(DeviceList, [u8; 32])> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    rng.set_stream(number.into());
    let (recovery, identity) = (RecoveryKey::generate(&mut rng), IdentityKey::generate(&mut rng));
    let device = Device { number: 1, key: DeviceKey::generate(&mut rng).public(), features: Vec::new() };
    let list = DeviceList::first(&recovery.public(), &identity, vec![device]).ok()?;
    Some((list, *recovery.public().as_bytes()))
}

fn phone(seed: u64, number: u64) -> Identifier {
    let digits = (number * STEP + seed) % NUMBERS;
    Identifier::Phone(format!("+49151{digits:08}"))
}

async fn keep(store: &Arc<SqliteAccounts>, made: &Receiver<Person>, key: u32, today: Day) -> anyhow::Result<()> {
    loop {
        // The engine joins what waits, so all of these are handed over before any is waited for.
        let mut keeping: JoinSet<_> = made
            .iter()
            .take(TOGETHER)
            .map(|Person { new, listing }| {
                let store = store.clone();
                async move {
                    store.create(new, today).await?;
                    store.list(listing, key, None, today).await
                }
            })
            .collect();
        if keeping.is_empty() {
            return Ok(());
        }
        while let Some(kept) = keeping.join_next().await {
            if kept?? != Listed::Listed {
                bail!("a made-up number is somebody else's: fill an empty folder");
            }
        }
    }
}

/// Every second contact is there. Who is, and who is not, alternates, and so do the ways in which numbers are written.
fn address_book(args: &Args) -> (String, String) {
    let (mut book, mut expected) = ("Name,Phone\n".to_owned(), String::new());
    for contact in 0..args.contacts {
        let there = contact % 2 == 0;
        let among = u64::from(contact) * 7_919 % u64::from(args.accounts);
        let number = if there { among } else { u64::from(args.accounts) + u64::from(contact) };
        let account = if there { device_list(args.seed, among as u32).map(|(list, _)| list.account()) } else { None };
        let account = account.map_or("null".to_owned(), |account| format!("{:?}", account.to_hex()));
        let phone = phone(args.seed, number);
        let _ = writeln!(book, "Contact {contact},\"{}\"", as_people_write(phone.text(), contact));
        let _ = writeln!(expected, "{{\"identifier\":{:?},\"account\":{account}}}", phone.text());
    }
    (book, expected)
}

/// A number `+49151...` in one of the ways in which address books have them, in a book whose region is Germany.
fn as_people_write(number: &str, way: u32) -> String {
    let digits = number.strip_prefix("+49").unwrap_or(number);
    let (net, rest) = digits.split_at_checked(3).unwrap_or((digits, ""));
    let (first, second) = rest.split_at_checked(4).unwrap_or((rest, ""));
    match way % 7 {
        0 => number.to_owned(),
        1 => format!("0{net}/{rest}"),
        2 => format!("0049 {net} {rest}"),
        3 => format!("+49 (0){net} {first}-{second}"),
        4 => format!("(0{net}) {first} {second}"),
        5 => format!("0{net}.{first}.{second}"),
        _ => format!("+49-{net}-{first} {second}"),
    }
}

/// The machine's: what is made up belongs to a service that runs by it.
fn today() -> Day {
    SystemClock.now().day()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_people_and_no_two_share_a_number() {
        let numbers: BTreeSet<_> = (0..10_000).map(|number| phone(7, number).text().to_owned()).collect();
        assert_eq!(numbers.len(), 10_000);
        assert!(numbers.iter().all(|number| Identifier::phone(number).is_ok()));
        let account = |seed, number| device_list(seed, number).unwrap().0.account();
        assert!(account(1, 5) == account(1, 5) && account(1, 5) != account(1, 6) && account(1, 5) != account(2, 5));
    }

    #[test]
    fn people_write_numbers_in_many_ways() {
        let ways: Vec<_> = (0..7).map(|way| as_people_write("+4915112345678", way)).collect();
        let expected = [
            "+4915112345678",
            "0151/12345678",
            "0049 151 12345678",
            "+49 (0)151 1234-5678",
            "(0151) 1234 5678",
            "0151.1234.5678",
            "+49-151-1234 5678",
        ];
        assert_eq!(ways, expected);
    }
}
