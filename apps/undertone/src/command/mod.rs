//! What a process does with an open home: one command in, lines out.
//!
//! Whether the command came from our own command line or from another process by socket makes no difference here; only
//! the [`Sink`] does.

mod context;
mod receive;
mod showing;

use serde::{Deserialize, Serialize};
use undertone_client::ClientError;

pub use context::Context;

use crate::{
    failure::{Failure, Kind},
    output::{Answer, Line},
};

/// A command on a home.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Who we are.
    Whoami,
    /// Requests that wait.
    Requests,
    /// Accepts a request.
    Accept {
        /// Whose.
        who: String,
    },
    /// Blocks somebody.
    Block {
        /// Whom.
        who: String,
    },
    /// Sends one message.
    Send {
        /// To whom.
        who: String,
        /// What.
        text: String,
    },
    /// Prints new messages.
    Receive(Until),
    /// Lists chats.
    Chats,
    /// Prints a chat.
    History {
        /// With whom.
        who: String,
    },
}

/// When `receive` has done enough.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// All that the service has is here.
    Synced,
    /// Something came, or so many seconds have passed.
    First {
        /// So many.
        seconds: u32,
    },
    /// Somebody ends it.
    Ended,
}

impl Command {
    /// Whether it goes on for as long as it likes. Other commands are bounded by the engine's own deadlines.
    pub const fn lasts(&self) -> bool {
        matches!(self, Self::Receive(Until::First { .. } | Until::Ended))
    }

    /// Whether it may be begun again after it was cut off behind so many lines, with nothing done or shown twice.
    pub const fn may_begin_again(&self, printed: u64) -> bool {
        match self {
            // A second answer to a request is the first one again; a message that was printed is marked.
            Self::Receive(_) | Self::Accept { .. } | Self::Block { .. } => true,
            Self::Whoami | Self::Requests | Self::Chats | Self::History { .. } => printed == 0,
            Self::Send { .. } => false,
        }
    }
}

/// Where the lines of a command go.
pub trait Sink: Send {
    /// Prints a line. When this succeeds, the line has left us for good: it was written and flushed.
    fn print(&mut self, line: &Line) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Tells a person something that is no result.
    fn note(&mut self, text: &str) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Does a command. Dropping the future cancels it; what is durable by then stays so.
pub async fn execute(context: &Context, command: &Command, sink: &mut impl Sink) -> Result<(), Failure> {
    let engine = context.engine();
    match command {
        Command::Whoami => sink.print(&engine.whoami()?.into()).await,
        Command::Requests => print_all(engine.requests()?.into_iter().map(Line::from), sink).await,
        Command::Accept { who } => {
            let account = engine.accept(who)?;
            sink.print(&Line::answered(account, Answer::Accepted)).await?;
            context.deliver().await;
            Ok(())
        }
        Command::Block { who } => sink.print(&Line::answered(engine.block(who)?, Answer::Blocked)).await,
        Command::Send { who, text } => send(context, who, text, sink).await,
        Command::Receive(until) => receive::receive(context, *until, sink).await,
        Command::Chats => print_all(engine.chats()?.into_iter().map(Line::from), sink).await,
        Command::History { who } => print_all(engine.history(who)?.iter().map(Line::entry), sink).await,
    }
}

async fn send(context: &Context, who: &str, text: &str, sink: &mut impl Sink) -> Result<(), Failure> {
    context.drive();
    let sent = context.engine().send(who, text).await?;
    let queued = sent.queued;
    sink.print(&Line::sent(sent)).await?;
    if queued {
        let message =
            "the service cannot be reached; the message is kept, and goes with the next command or `receive --follow`";
        return Err(Failure::new(Kind::Network, message));
    }
    Ok(())
}

async fn print_all(lines: impl Iterator<Item = Line> + Send, sink: &mut impl Sink) -> Result<(), Failure> {
    for line in lines {
        sink.print(&line).await?;
    }
    Ok(())
}

/// A text that is too long to be sent, before it goes anywhere.
///
/// # Errors
/// The same as the engine's.
pub fn check_length(text: &str) -> Result<(), Failure> {
    if text.len() > undertone_wire::limits::TEXT_BYTES_MAX {
        return Err(ClientError::TextTooLong(text.len()).into());
    }
    Ok(())
}
