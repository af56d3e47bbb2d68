//! The process that owns a home: it does its own commands, and those of guests.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
};

use super::{
    folder::Folder,
    lock::HomeLock,
    protocol::{self, FromGuest, FromHost, Lines, VERSION},
    socket,
};
use crate::{
    command::{Context, Sink, execute},
    failure::{Failure, Kind},
    output::Line,
    question::{Answer, Question},
};

/// Guests at once; more are sent away and come back.
const GUESTS_MAX: usize = 64;
/// A guest says hello at once.
const HELLO: Duration = Duration::from_secs(5);
/// How long a host that leaves lets its guests' commands finish.
const LEAVE: Duration = Duration::from_secs(20);

/// An owned home.
pub struct Host {
    context: Arc<Context>,
    guests: JoinHandle<()>,
    leaving: watch::Sender<bool>,
    folder: Folder,
    lock: Option<HomeLock>,
}

impl Host {
    /// Opens the socket.
    pub fn open(folder: Folder, lock: HomeLock, context: Context) -> Result<Self, Failure> {
        let listener =
            socket::listen(&folder).map_err(|error| Failure::io("the socket of this home cannot be opened", &error))?;
        let context = Arc::new(context);
        let leaving = watch::Sender::new(false);
        let guests = tokio::spawn(serve_guests(listener, folder.clone(), context.clone(), leaving.subscribe()));
        Ok(Self { context, guests, leaving, folder, lock: Some(lock) })
    }

    /// The open home.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Closes the home: no new commands of guests, some time for those under way, and then the database.
    pub async fn close(mut self) {
        self.leaving.send_replace(true);
        if tokio::time::timeout(LEAVE, &mut self.guests).await.is_err() {
            self.guests.abort();
            let _ = (&mut self.guests).await;
        }
        self.context.stop().await;
        // The engine first: whoever gets the lock opens the database.
        let lock = self.lock.take();
        drop(self);
        drop(lock);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.guests.abort();
        // A socket that stays is taken away by the next host.
        let _ = socket::remove(&self.folder);
        // Not closed in order: a task may still use the engine, so the lock goes with the process.
        std::mem::forget(self.lock.take());
    }
}

async fn serve_guests(
    listener: UnixListener,
    folder: Folder,
    context: Arc<Context>,
    mut leaving: watch::Receiver<bool>,
) {
    let mut guests = JoinSet::new();
    loop {
        tokio::select! {
            () = raised(&mut leaving) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if guests.len() < GUESTS_MAX => {
                    let guest = attend(stream, context.clone(), leaving.clone());
                    guests.spawn(async move {
                        if let Err(error) = guest.await {
                            tracing::debug!(kind = ?error.kind(), "a guest of this home was sent away");
                        }
                    });
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(kind = ?error.kind(), "this home takes no guests any more");
                    break;
                }
            },
            Some(_) = guests.join_next() => {}
        }
    }
    let _ = socket::remove(&folder);
    drop(listener);
    while guests.join_next().await.is_some() {}
}

/// Ends once the host leaves.
async fn raised(leaving: &mut watch::Receiver<bool>) {
    let _ = leaving.wait_for(|leaving| *leaving).await;
}

/// Does a guest's commands, one after another, until he goes or the host leaves.
async fn attend(stream: UnixStream, context: Arc<Context>, mut leaving: watch::Receiver<bool>) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = Lines::new(reader);
    let Some(FromGuest::Hello(version)) = tokio::time::timeout(HELLO, lines.next()).await?? else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    protocol::write(&mut writer, &FromHost::Hello(VERSION)).await?;
    if version != VERSION {
        return Ok(());
    }
    loop {
        let said = tokio::select! {
            said = lines.next() => said,
            () = raised(&mut leaving) => return Ok(()),
        };
        let (json, command) = match said {
            Ok(None) => return Ok(()),
            Ok(Some(FromGuest::Run { json, command })) => (json, command),
            Ok(Some(_)) => return refuse(&mut writer).await,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return refuse(&mut writer).await,
            Err(error) => return Err(error),
        };
        protocol::write(&mut writer, &FromHost::Begun).await?;
        let (answers, answered) = mpsc::channel(1);
        let (printing, is_printing) = watch::channel(false);
        let lasts = command.lasts();
        let until = lasts.then(|| leaving.clone());
        let mut sink = Remote { writer: &mut writer, answered, printing, until, cut_off: false, json };
        let outcome = tokio::select! {
            outcome = execute(&context, &command, &mut sink) => outcome,
            gone = listen(&mut lines, answers, is_printing.clone()) => return gone,
            () = between_lines(&mut leaving, is_printing), if lasts => return Ok(()),
        };
        if sink.cut_off {
            return Ok(());
        }
        protocol::write(&mut writer, &FromHost::Done(outcome.err())).await?;
    }
}

/// What a guest says while his command runs.
enum Answered {
    Printed,
    Asked(Answer),
}

/// Hears a guest while his command runs: he may only say that a line is printed, answer a question, or go away. Then
/// what he had printed is still noted.
async fn listen(
    lines: &mut Lines<OwnedReadHalf>,
    answers: mpsc::Sender<Answered>,
    mut is_printing: watch::Receiver<bool>,
) -> io::Result<()> {
    while let Some(said) = lines.next().await? {
        let answer = match said {
            FromGuest::Printed => Answered::Printed,
            FromGuest::Answer(answer) => Answered::Asked(answer),
            FromGuest::Hello(_) | FromGuest::Run { .. } => return Err(io::ErrorKind::InvalidData.into()),
        };
        if answers.try_send(answer).is_err() {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    drop(answers);
    lowered(&mut is_printing).await;
    Ok(())
}

/// Ends once the host leaves, but never between the printing of a line and what is done upon it.
async fn between_lines(leaving: &mut watch::Receiver<bool>, mut is_printing: watch::Receiver<bool>) {
    raised(leaving).await;
    lowered(&mut is_printing).await;
}

async fn lowered(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|flag| !*flag).await;
}

async fn refuse(writer: &mut OwnedWriteHalf) -> io::Result<()> {
    let failure = Failure::new(Kind::Usage, "the process that has this home open did not understand the command");
    protocol::write(writer, &FromHost::Done(Some(failure))).await
}

/// A guest's standard output, from afar.
struct Remote<'a> {
    writer: &'a mut OwnedWriteHalf,
    answered: mpsc::Receiver<Answered>,
    /// Whether a line is on its way, or printed and not acknowledged yet.
    printing: watch::Sender<bool>,
    /// No line is begun once this is raised.
    until: Option<watch::Receiver<bool>>,
    /// A line was not begun: the command is to be done by somebody else.
    cut_off: bool,
    json: bool,
}

impl Sink for Remote<'_> {
    async fn print(&mut self, line: &Line) -> Result<(), Failure> {
        if self.until.as_ref().is_some_and(|until| *until.borrow()) {
            self.cut_off = true;
            return Err(gone());
        }
        self.printing.send_replace(true);
        let printed = match self.say(&FromHost::Print(line.render(self.json))).await {
            Ok(()) => match self.answered.recv().await {
                Some(Answered::Printed) => Ok(()),
                // No sender any more, or one who answers what nobody asked: the guest is gone.
                Some(Answered::Asked(_)) | None => Err(gone()),
            },
            Err(failure) => Err(failure),
        };
        // Our caller goes on in the same step: whoever waits for this finds done what he does upon a printed line.
        self.printing.send_replace(false);
        printed
    }

    fn is_for_program(&self) -> bool {
        self.json
    }

    async fn note(&mut self, text: &str) -> Result<(), Failure> {
        self.say(&FromHost::Note(text.to_owned())).await
    }

    async fn ask(&mut self, question: Question) -> Result<Answer, Failure> {
        self.say(&FromHost::Ask(question)).await?;
        match self.answered.recv().await {
            Some(Answered::Asked(answer)) => Ok(answer),
            Some(Answered::Printed) | None => Err(gone()),
        }
    }
}

impl Remote<'_> {
    async fn say(&mut self, message: &FromHost) -> Result<(), Failure> {
        protocol::write(self.writer, message).await.map_err(|_| gone())
    }
}

/// Nobody hears of this failure.
fn gone() -> Failure {
    Failure::new(Kind::Failed, "the process that asked for this is gone, or this one is going")
}
