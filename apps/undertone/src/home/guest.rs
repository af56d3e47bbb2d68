//! A process beside the host of a home: it has its commands done over there, and prints what comes.

use std::{io, time::Duration};

use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::{
    folder::Folder,
    protocol::{self, FromGuest, FromHost, Lines, VERSION},
    socket,
};
use crate::{
    command::Command,
    failure::{Failure, Kind},
    output,
};

/// A host answers at once, unless it is stopped or stuck.
const HELLO: Duration = Duration::from_secs(5);

/// A guest at a host.
pub struct Guest {
    lines: Lines<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

/// How a command at the host ended.
pub enum Ended {
    /// The host did it.
    Done(Result<(), Failure>),
    /// The host went away before that.
    HostGone {
        /// It had begun: perhaps something was done.
        begun: bool,
        /// So many lines came before, those that were skipped among them.
        printed: u64,
    },
}

impl Guest {
    /// Comes in; none if there is nobody to answer.
    pub async fn enter(folder: &Folder) -> Result<Option<Self>, Failure> {
        match tokio::time::timeout(HELLO, Self::hello(folder)).await {
            Ok(Ok(Some((guest, VERSION)))) => Ok(Some(guest)),
            Ok(Ok(Some(_))) => {
                let message = "another release of this program has this home open; end it, or use the same release";
                Err(Failure::new(Kind::Failed, message))
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidFilename => {
                Err(Failure::new(Kind::Usage, error.to_string()))
            }
            _ => Ok(None),
        }
    }

    async fn hello(folder: &Folder) -> io::Result<Option<(Self, u32)>> {
        let (reader, mut writer) = socket::connect(folder).await?.into_split();
        let mut lines = Lines::new(reader);
        protocol::write(&mut writer, &FromGuest::Hello(VERSION)).await?;
        Ok(match lines.next().await? {
            Some(FromHost::Hello(version)) => Some((Self { lines, writer }, version)),
            _ => None,
        })
    }

    /// Has a command done. Its first lines are not printed, as many as are to be skipped.
    pub async fn run(&mut self, json: bool, command: &Command, skip: u64) -> Ended {
        let (mut begun, mut printed) = (false, 0);
        let request = FromGuest::Run { json, command: command.clone() };
        if protocol::write(&mut self.writer, &request).await.is_err() {
            return Ended::HostGone { begun, printed };
        }
        match self.listen(skip, &mut begun, &mut printed).await {
            Ok(result) => Ended::Done(result),
            Err(_) => Ended::HostGone { begun, printed },
        }
    }

    /// Prints what comes, up to the end of the command.
    async fn listen(&mut self, skip: u64, begun: &mut bool, printed: &mut u64) -> io::Result<Result<(), Failure>> {
        while let Some(said) = self.lines.next().await? {
            match said {
                FromHost::Begun => *begun = true,
                FromHost::Print(line) => {
                    *printed += 1;
                    if *printed > skip
                        && let Err(failure) = output::print(&line)
                    {
                        return Ok(Err(failure));
                    }
                    protocol::write(&mut self.writer, &FromGuest::Printed).await?;
                }
                FromHost::Note(text) => output::note(&text),
                FromHost::Ask(question) => match question.ask().await {
                    Ok(answer) => protocol::write(&mut self.writer, &FromGuest::Answer(answer)).await?,
                    Err(failure) => return Ok(Err(failure)),
                },
                FromHost::Done(failure) => return Ok(failure.map_or(Ok(()), Err)),
                FromHost::Hello(_) => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
