//! The operator: invites, numbers, and all that the service knows.
//!
//! A running service is asked through `DIR/admin.sock`, which its owner alone can open. Where none runs, the files are
//! opened here, under the same lock that a service holds; the answers come from the same [`Desk`].

mod desk;
mod line;
mod protocol;
mod report;
mod server;

use std::{cell::Cell, io, path::PathBuf, time::Duration};

use rand::rngs::StdRng;
use tokio::{
    io::BufReader,
    net::UnixStream,
    time::{Instant, sleep},
};
use undertone_service::{Issuer, Registration};
use undertone_wire::AccountId;

pub use self::{
    desk::Desk,
    line::{Datum, PublishedValue},
    server::{listen, serve},
};
use self::{
    line::Line,
    protocol::{Ask, REPLY_BYTES_MAX, Reply, Request, read_line, write_line},
};
use crate::{
    failure::{Failure, Kind},
    output,
    serve::{DataFolder, Keys, Planes, Rules},
};

/// A service that starts or goes away holds the lock and does not answer: it takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(50);

/// The operator's arguments.
#[derive(clap::Args)]
pub struct Args {
    /// The service's data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Make an invite: a code with which somebody can register
    Invite {
        /// How many accounts can be made with it
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(protocol::USES_MAX)))]
        uses: u32,
        /// For how many days it holds
        #[arg(long, value_name = "D", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=i64::from(protocol::DAYS_MAX)))]
        days: u32,
    },
    /// Count what the service keeps, and the circuits that are open
    Stats,
    /// Print what the service knows: every account and channel, bodies as their sizes
    View {
        /// At most so many accounts and channels, and of each so many entries
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=i64::from(protocol::LIMIT_MAX)))]
        limit: u32,
    },
    /// Print every value that the service keeps of an account, and what it means
    Publish {
        /// The account's id
        #[arg(value_parser = account)]
        account: AccountId,
    },
    /// Have an account issued no more tokens: it reaches no more strangers, and keeps its chats
    Suspend {
        /// The account's id
        #[arg(value_parser = account)]
        account: AccountId,
        /// Have it issued tokens again
        #[arg(long)]
        undo: bool,
    },
    /// Show what the directory is made of
    Directory {
        /// Make a new base first: whoever is listed now is found at once, and not from the next week on
        #[arg(long)]
        refresh: bool,
        /// Take another key at the next start, should the one in use be stolen: all address books are evaluated anew
        #[arg(long)]
        new_key: bool,
    },
    /// Check letters that their recipient has reported, and print who wrote them and what they say
    CheckReport {
        /// The file; `-` reads standard input
        file: PathBuf,
    },
}

fn account(text: &str) -> Result<AccountId, String> {
    AccountId::from_hex(text).map_err(|_| "an account id has 32 characters from 0 to 9 and from a to f".to_owned())
}

/// Does what the operator asks for.
pub async fn run(args: Args, json: bool) -> Result<(), Failure> {
    let folder = DataFolder::new(args.data);
    let print = |line: &Line| output::print(&if json { line.to_json() } else { line.to_text() });
    if let Action::CheckReport { file } = &args.action {
        return report::check(file)?.into_iter().map(Line::Report).try_for_each(|line| print(&line));
    }
    folder.must_be_service()?;
    let question = match args.action {
        Action::Invite { uses, days } => Ask::Invite { uses, days },
        Action::Stats => Ask::Stats,
        Action::View { limit } => Ask::View { limit },
        Action::Suspend { account, undo } => Ask::Suspend { account: account.to_hex(), suspended: !undo },
        Action::Directory { refresh, new_key } => Ask::Directory { refresh, new_key },
        Action::Publish { account } => return publish(&folder, account, print).await,
        Action::CheckReport { .. } => return Ok(()),
    };
    ask(&folder, &question, print).await
}

/// Asks for page after page, until there is no more.
async fn publish(
    folder: &DataFolder,
    account: AccountId,
    print: impl Fn(&Line) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut known = 0;
    loop {
        let printed = Cell::new(0);
        let counting = |line: &Line| {
            printed.set(printed.get() + 1);
            print(line)
        };
        ask(folder, &Ask::Publish { account: account.to_hex(), known }, counting).await?;
        if printed.get() == 0 {
            return Ok(());
        }
        known += printed.get();
    }
}

/// Asks whoever owns the folder, or, where nobody does, its files.
async fn ask(folder: &DataFolder, ask: &Ask, print: impl Fn(&Line) -> Result<(), Failure>) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(stream) = UnixStream::connect(folder.socket()).await {
            return ask_service(stream, ask, print).await;
        }
        if let Some(lock) = folder.lock()? {
            let lines = answer_ourselves(lock.folder(), ask).await?;
            return lines.iter().try_for_each(&print);
        }
        if Instant::now() >= deadline {
            let message = "another process holds the data folder and does not answer: is a service stuck there?";
            return Err(Failure::new(Kind::Failed, message));
        }
        sleep(AGAIN).await;
    }
}

/// Asks the running service.
async fn ask_service(
    stream: UnixStream,
    ask: &Ask,
    print: impl Fn(&Line) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let lost = |_: io::Error| {
        let message = "the service went away before it had answered: ask again (what was asked may have been done)";
        Failure::new(Kind::Failed, message)
    };
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    write_line(&mut writer, &Request::new(ask)).await.map_err(lost)?;
    loop {
        let line = read_line(&mut reader, REPLY_BYTES_MAX).await.map_err(lost)?;
        let line = line.ok_or_else(|| lost(io::ErrorKind::UnexpectedEof.into()))?;
        match serde_json::from_slice(&line) {
            Ok(Reply::Line(line)) => print(&line)?,
            Ok(Reply::Done) => return Ok(()),
            Ok(Reply::Failed(message)) => return Err(Failure::new(Kind::Failed, message)),
            Err(_) => {
                let message = "the service's answer is not understood: ask with the release that runs there";
                return Err(Failure::new(Kind::Failed, message));
            }
        }
    }
}

/// Answers in the service's place, from its files.
async fn answer_ourselves(folder: &DataFolder, ask: &Ask) -> anyhow::Result<Vec<Line>> {
    let keys = Keys::load(folder, &mut rand::rng())?;
    let issuer = Issuer::new(keys.issuing, rand::make_rng::<StdRng>());
    // Nobody registers here, no token is issued and no blob begun; what stands in the files does not depend on it.
    let rules = Rules { registration: Registration::Invite, codes: None, blob_bytes: 0 };
    let planes = Planes::open(folder, rules, keys.head, issuer).await?;
    let answer = Desk::new(planes.clone(), None).answer(ask).await;
    planes.close().await;
    answer.map_err(anyhow::Error::msg)
}
