//! What the service's files hold at the end. The record is played once more to the same rules over SQLite files, circuit by
//! circuit; then the files are read as a thief reads them, without the service's code.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::Path,
    sync::Arc,
};

use anyhow::Context as _;
use bytes::Bytes;
use rusqlite::{Connection, OpenFlags};
use tokio::runtime::Builder;
use undertone_service::{AccountSession, ChannelSession, VisitorSession};
use undertone_store::sqlite::{SqliteAccounts, SqliteChannels};
use undertone_wire::{
    AccountId, ChannelId, HandshakeHash, Now,
    circuit::Kind,
    rpc::{Dispatch, OpenPushes, PushQueue},
};

use super::{record::Record, service::Planes};
use crate::world::time::BEGIN_MS;

const ACCOUNTS: &str = "accounts.db";
const CHANNELS: &str = "channels.db";
/// Between two times that expired days are dropped.
const EXPIRE_EVERY_MS: u64 = 3_600_000;

/// What of the files can tell anything: all but ciphertext, keys and hashes, which are random to whoever has no key.
#[derive(Clone, Default)]
pub struct Stored {
    /// Account by account.
    pub accounts: BTreeMap<AccountId, AccountRows>,
    /// Channel by channel.
    pub channels: BTreeMap<ChannelId, ChannelRows>,
    /// Tokens that were spent, in both planes, each with its week.
    pub spent: Vec<(Nonce, u32)>,
}

/// What a token leaves when it is spent.
pub type Nonce = [u8; 32];

/// All rows of an account.
#[derive(Clone, Default)]
pub struct AccountRows {
    /// Numbers that stand in its rows: days, counts, weeks, sizes. The same ones for each account.
    pub numbers: Vec<f64>,
    /// The day of each letter's partition.
    pub letter_days: Vec<u32>,
    /// The weeks of the batches of tokens that it was issued.
    pub issued_weeks: Vec<u32>,
}

/// All rows of a channel.
#[derive(Clone, Default)]
pub struct ChannelRows {
    /// Numbers that stand in its row.
    pub numbers: Vec<f64>,
    /// Of each entry: kind, and the day on which it expires.
    pub entries: Vec<(i64, u32)>,
    /// Sizes of bodies.
    pub bytes: Vec<u64>,
}

impl Stored {
    /// Plays a record to a service of that seed, and reads its files.
    ///
    /// # Errors
    /// When the files cannot be made or read.
    pub fn of(seed: u64, record: &Record) -> anyhow::Result<Self> {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(play(seed, record, folder.path()))?;
        drop(runtime);
        let of_accounts = open(&folder.path().join(ACCOUNTS))?;
        let of_channels = open(&folder.path().join(CHANNELS))?;
        let mut spent = spent(&of_accounts)?;
        spent.extend(self::spent(&of_channels)?);
        Ok(Self { accounts: accounts(&of_accounts)?, channels: channels(&of_channels)?, spent })
    }
}

/// Nobody listens to pushes any more.
struct Nobody;

impl PushQueue for Nobody {
    fn push(&self, _: u32, _: Bytes) -> bool {
        false
    }
}

enum Session {
    Account(Box<AccountSession<SqliteAccounts>>),
    Visitor(VisitorSession<SqliteAccounts, SqliteChannels>),
    Channel(ChannelSession<SqliteChannels>),
}

async fn play(seed: u64, record: &Record, folder: &Path) -> anyhow::Result<()> {
    let accounts = SqliteAccounts::open(&folder.join(ACCOUNTS))?;
    let planes = Planes::new(seed, accounts, SqliteChannels::open(&folder.join(CHANNELS))?);
    let mut sessions: BTreeMap<usize, Session> = BTreeMap::new();
    let mut expired_at = 0;
    for frame in &record.frames {
        let now = Now(BEGIN_MS + frame.at);
        if frame.at >= expired_at + EXPIRE_EVERY_MS {
            expired_at = frame.at;
            planes.accounts.expire(now).await?;
            planes.channels.expire(now).await?;
            sessions.retain(|circuit, _| record.circuits.get(*circuit).is_some_and(|circuit| circuit.until > frame.at));
        }
        let session = match sessions.entry(frame.circuit) {
            Entry::Occupied(session) => session.into_mut(),
            Entry::Vacant(place) => {
                let circuit = record.circuits.get(frame.circuit).context("a frame without its circuit")?;
                let hash = HandshakeHash::new(circuit.hash);
                place.insert(match circuit.kind {
                    Kind::Account => Session::Account(Box::new(planes.accounts.session(hash))),
                    Kind::Visitor => {
                        Session::Visitor(VisitorSession::new(planes.accounts.clone(), planes.channels.clone()))
                    }
                    _ => Session::Channel(planes.channels.session(hash)),
                })
            }
        };
        let (body, pushes) = (frame.body.clone(), OpenPushes::new(Arc::new(Nobody), 1));
        // What was refused is refused again.
        let _ = match session {
            Session::Account(session) => session.dispatch(now, frame.method, body, pushes).await,
            Session::Visitor(session) => session.dispatch(now, frame.method, body, pushes).await,
            Session::Channel(session) => session.dispatch(now, frame.method, body, pushes).await,
        };
    }
    Ok(())
}

fn open(path: &Path) -> anyhow::Result<Connection> {
    Ok(Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?)
}

/// Rows whose first column is an id and whose others are numbers.
fn rows(db: &Connection, sql: &str) -> anyhow::Result<Vec<([u8; 16], Vec<f64>)>> {
    let mut select = db.prepare(sql)?;
    let columns = select.column_count();
    let rows = select.query_map((), |row| {
        let numbers = (1..columns).map(|column| Ok(row.get::<_, Option<f64>>(column)?.unwrap_or(-1.0)));
        Ok((row.get(0)?, numbers.collect::<rusqlite::Result<_>>()?))
    });
    Ok(rows?.collect::<rusqlite::Result<_>>()?)
}

fn accounts(db: &Connection) -> anyhow::Result<BTreeMap<AccountId, AccountRows>> {
    let of_accounts = rows(
        db,
        "SELECT account, created, last_seen, inbox_week, inbox_seq, list_counter,
            (SELECT count(*) FROM key_packages WHERE key_packages.account = accounts.account AND package IS NOT NULL),
            (SELECT max(number) FROM key_packages WHERE key_packages.account = accounts.account),
            (SELECT max(read_up_to) FROM devices WHERE devices.account = accounts.account),
            (SELECT count(*) FROM inbox WHERE inbox.account = accounts.account),
            (SELECT revision FROM vaults WHERE vaults.account = accounts.account),
            (SELECT length(sealed) FROM vaults WHERE vaults.account = accounts.account),
            (SELECT revision FROM profiles WHERE profiles.account = accounts.account),
            (SELECT length(sealed) FROM profiles WHERE profiles.account = accounts.account),
            (SELECT count(*) FROM issued WHERE issued.account = accounts.account)
        FROM accounts",
    )?;
    let of_accounts = of_accounts
        .into_iter()
        .map(|(id, numbers)| (AccountId::new(id), AccountRows { numbers, ..AccountRows::default() }));
    let mut accounts: BTreeMap<_, _> = of_accounts.collect();
    for (id, week) in rows(db, "SELECT account, week FROM issued")? {
        accounts.entry(AccountId::new(id)).or_default().issued_weeks.extend(week.iter().map(|week| *week as u32));
    }
    for day in partitions(db)? {
        for (log, _) in rows(db, &format!("SELECT log, seq FROM ids_{day}"))? {
            accounts.entry(AccountId::new(log)).or_default().letter_days.push(day);
        }
    }
    Ok(accounts)
}

fn spent(db: &Connection) -> anyhow::Result<Vec<(Nonce, u32)>> {
    let mut select = db.prepare("SELECT nullifier, week FROM spent")?;
    let spent = select.query_map((), |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(spent?.collect::<rusqlite::Result<_>>()?)
}

fn channels(db: &Connection) -> anyhow::Result<BTreeMap<ChannelId, ChannelRows>> {
    let of_channels = rows(db, "SELECT channel, seq, epoch, generation, bytes, unused_since FROM channels")?;
    let of_channels = of_channels
        .into_iter()
        .map(|(id, numbers)| (ChannelId::new(id), ChannelRows { numbers, ..ChannelRows::default() }));
    let mut channels: BTreeMap<_, _> = of_channels.collect();
    for (id, entry) in rows(db, "SELECT channel, kind, expiry_day FROM entries ORDER BY channel, seq")? {
        if let [kind, day] = entry[..] {
            channels.entry(ChannelId::new(id)).or_default().entries.push((kind as i64, day as u32));
        }
    }
    for day in partitions(db)? {
        for (log, bytes) in rows(db, &format!("SELECT log, bytes FROM ids_{day}"))? {
            channels.entry(ChannelId::new(log)).or_default().bytes.extend(bytes.iter().map(|bytes| *bytes as u64));
        }
    }
    Ok(channels)
}

fn partitions(db: &Connection) -> anyhow::Result<Vec<u32>> {
    let mut select = db.prepare("SELECT day FROM partitions ORDER BY day")?;
    let days = select.query_map((), |row| row.get(0));
    Ok(days?.collect::<rusqlite::Result<_>>()?)
}
