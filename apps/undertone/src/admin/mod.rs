//! The operator: invites, numbers, and all that the service knows.
//!
//! A running service is asked through `DIR/admin.sock`, which its owner alone can open. Where none runs, the files are
//! opened here, under the same lock that a service holds; the answers come from the same [`Desk`].

mod desk;
mod line;
mod protocol;
mod server;

use std::{io, path::PathBuf, time::Duration};

use tokio::{
    io::BufReader,
    net::UnixStream,
    time::{Instant, sleep},
};
use undertone_service::Registration;

pub use self::{
    desk::Desk,
    server::{listen, serve},
};
use self::{
    line::Line,
    protocol::{Ask, REPLY_BYTES_MAX, Reply, Request, read_line, write_line},
};
use crate::{
    failure::{Failure, Kind},
    output,
    serve::{DataFolder, Keys, Planes},
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
}

/// Does what the operator asks for.
pub async fn run(args: Args, json: bool) -> Result<(), Failure> {
    let folder = DataFolder::new(args.data);
    folder.must_be_service()?;
    let ask = match args.action {
        Action::Invite { uses, days } => Ask::Invite { uses, days },
        Action::Stats => Ask::Stats,
        Action::View { limit } => Ask::View { limit },
    };
    let print = |line: &Line| output::print(&if json { line.to_json() } else { line.to_text() });
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(stream) = UnixStream::connect(folder.socket()).await {
            return ask_service(stream, ask, print).await;
        }
        if let Some(lock) = folder.lock()? {
            let lines = answer_ourselves(lock.folder(), &ask).await?;
            return lines.iter().try_for_each(print);
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
    ask: Ask,
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
    let keys = Keys::load(&folder.keys())?;
    // Nobody registers here; what stands in the files does not depend on it.
    let planes = Planes::open(folder, Registration::Invite, keys.head).await?;
    let answer = Desk::new(planes.clone(), None).answer(ask).await;
    planes.close().await;
    answer.map_err(anyhow::Error::msg)
}
