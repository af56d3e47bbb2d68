//! What a process does with an open home: one command in, lines out.
//!
//! Whether the command came from our own command line or from another process by socket makes no difference here; only
//! the [`Sink`] does.

mod contacts;
mod context;
mod devices;
pub mod groups;
mod people;
mod receive;
mod showing;

use serde::{Deserialize, Serialize};
use undertone_client::ClientError;
use undertone_wire::{MessageId, limits::TEXT_BYTES_MAX};

pub use context::Context;
pub use people::Said;

use crate::{
    failure::{Failure, Kind},
    output::{Answer, Line},
    question::{self, Question},
};

/// A command on a home.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Who we are.
    Whoami,
    /// What the service keeps of us.
    Published,
    /// What somebody says of himself.
    Profile {
        /// Who; none: ourselves.
        who: Option<String>,
    },
    /// Says something else of ourselves.
    SetProfile(Said),
    /// Shows what is told without words, and changes what is not left out.
    Settings {
        /// Receipts.
        receipts: Option<bool>,
        /// That we write.
        typing: Option<bool>,
    },
    /// Prints the letters of a stranger.
    Report {
        /// Whose.
        who: String,
    },
    /// Tells somebody that we write.
    Typing {
        /// Whom.
        who: String,
        /// Or do not any more.
        over: bool,
    },
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
        /// Its id, 16 random bytes in hexadecimal: by this it is known when it is asked for again.
        id: String,
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
    /// Asks something of a group.
    Group(groups::Group),
    /// Makes a link for a new device.
    Link,
    /// Answers the link of an old device.
    Join {
        /// The link; `-` asks for it.
        link: String,
    },
    /// Lists devices.
    Devices,
    /// Removes a device.
    Remove {
        /// Its number.
        number: u32,
    },
    /// Brings an account back.
    Recover {
        /// Link of its service.
        service: String,
        /// What its person calls himself, where nothing else says it.
        name: String,
    },
    /// Looks an address book up.
    Discover {
        /// What somebody is called, and one of his identifiers, in its one spelling.
        contacts: Vec<(String, String)>,
        /// Without asking.
        sure: bool,
    },
    /// Lists the address book.
    Contacts,
    /// Forgets somebody of it.
    ForgetContacts {
        /// Whom; none: everybody.
        contact: Option<String>,
    },
    /// Has a code sent to an identifier, or lists us under a username.
    AddListing {
        /// In its one spelling.
        identifier: String,
        /// By the recovery words of whoever is listed there.
        words: bool,
    },
    /// Lists us under an identifier.
    ConfirmListing {
        /// In its one spelling.
        identifier: String,
        /// The code that was sent to it.
        code: String,
        /// By the recovery words of whoever is listed there.
        words: bool,
    },
    /// Takes us from under an identifier.
    RemoveListing {
        /// In its one spelling.
        identifier: String,
    },
    /// Under what we are listed.
    Listings,
    /// Deletes the account.
    DeleteAccount {
        /// Without asking.
        sure: bool,
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
    /// Whether it may take its time. Then a host that leaves does not wait for its end: somebody else begins it again.
    pub const fn lasts(&self) -> bool {
        matches!(
            self,
            Self::Receive(_)
                | Self::Send { .. }
                | Self::Group(_)
                | Self::Link
                | Self::Join { .. }
                | Self::Discover { .. }
        )
    }

    /// Whether it makes a home where there is none.
    pub const fn makes_home(&self) -> bool {
        matches!(self, Self::Join { .. } | Self::Recover { .. })
    }

    /// What to do after it was cut off, by a kill of the process that did it, behind so many lines.
    pub const fn after_cut(&self, printed: u64) -> AfterCut {
        match self {
            // A message that was printed is marked, so it does not come again.
            Self::Receive(_) => AfterCut::Again { skip: 0 },
            // It is known by its id, so it is not sent again, and has the same line.
            Self::Send { .. } => AfterCut::Again { skip: printed },
            // What was found out is kept, and printed in the same order.
            Self::Discover { .. } => AfterCut::Again { skip: printed },
            // Nobody has answered the link that was shown: there is another.
            Self::Link if printed <= 1 => AfterCut::Again { skip: 0 },
            Self::Accept { .. }
            | Self::Block { .. }
            | Self::SetProfile(_)
            | Self::Settings { .. }
            | Self::Typing { .. }
            | Self::ForgetContacts { .. }
            | Self::AddListing { .. }
            | Self::ConfirmListing { .. }
            | Self::RemoveListing { .. }
            | Self::Remove { .. }
            | Self::Recover { .. }
            | Self::DeleteAccount { .. }
                if printed > 0 =>
            {
                AfterCut::Done
            }
            Self::Group(asked) if printed > 0 && asked.changes() => AfterCut::Done,
            _ if printed == 0 => AfterCut::Again { skip: 0 },
            _ => AfterCut::Lost,
        }
    }
}

/// What becomes of a command that was cut off.
pub enum AfterCut {
    /// Begin it again, and do not print the first lines again.
    Again {
        /// So many.
        skip: u64,
    },
    /// Everything was done.
    Done,
    /// The rest of its lines cannot be told from the first.
    Lost,
}

/// Where the lines of a command go.
pub trait Sink: Send {
    /// Prints a line. When this succeeds, the line has left us for good: it was written and flushed.
    fn print(&mut self, line: &Line) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Whether the lines are for a program.
    fn is_for_program(&self) -> bool;

    /// Tells a person something that is no result.
    fn note(&mut self, text: &str) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Asks the person who sits there.
    fn ask(&mut self, question: Question) -> impl Future<Output = Result<question::Answer, Failure>> + Send;
}

/// Does a command. Dropping the future cancels it; what is durable by then stays so.
pub async fn execute(context: &Context, command: &Command, sink: &mut impl Sink) -> Result<(), Failure> {
    let engine = context.engine();
    match command {
        Command::Send { id, who, text } => return send(context, id, who, text, sink).await,
        Command::Receive(until) => return receive::receive(context, *until, sink).await,
        Command::Whoami => sink.print(&engine.whoami()?.into()).await?,
        Command::Published => print_all(engine.published().await?.into_iter().map(Line::from), sink).await?,
        Command::Profile { who } => people::profile(context, who.as_deref(), sink).await?,
        Command::SetProfile(said) => people::set_profile(context, said, sink).await?,
        Command::Settings { receipts, typing } => people::settings(context, *receipts, *typing, sink).await?,
        Command::Report { who } => {
            print_all(engine.reports(who)?.iter().map(|report| Line::report(report)), sink).await?
        }
        Command::Typing { who, over } => people::typing(context, who, !over, sink).await?,
        Command::Requests => print_all(engine.requests()?.into_iter().map(Line::from), sink).await?,
        Command::Accept { who } => sink.print(&Line::answered(engine.accept(who)?, Answer::Accepted)).await?,
        Command::Block { who } => sink.print(&Line::answered(engine.block(who)?, Answer::Blocked)).await?,
        Command::Chats => print_all(engine.chats()?.into_iter().map(Line::from), sink).await?,
        Command::History { who } => print_all(engine.history(who)?.iter().map(Line::entry), sink).await?,
        Command::Group(asked) => groups::execute(context, asked, sink).await?,
        Command::Link => devices::link(context, sink).await?,
        Command::Join { link } => devices::join(context, link, sink).await?,
        Command::Devices => print_all(engine.devices()?.into_iter().map(Line::from), sink).await?,
        Command::Remove { number } => devices::remove(context, *number, sink).await?,
        Command::Recover { service, name } => devices::recover(context, service, name, sink).await?,
        Command::Discover { contacts, sure } => contacts::discover(context, contacts, *sure, sink).await?,
        Command::Contacts => print_all(engine.address_book()?.into_iter().map(Line::from), sink).await?,
        Command::ForgetContacts { contact } => {
            sink.print(&Line::forgotten(engine.forget_contacts(contact.as_deref())?)).await?
        }
        Command::AddListing { identifier, words } => contacts::add(context, identifier, *words, sink).await?,
        Command::ConfirmListing { identifier, code, words } => {
            contacts::confirm(context, identifier, code, *words, sink).await?
        }
        Command::RemoveListing { identifier } => contacts::remove(context, identifier, sink).await?,
        Command::Listings => print_all(engine.listings()?.into_iter().map(Line::from), sink).await?,
        Command::DeleteAccount { sure } => devices::delete_account(context, *sure, sink).await?,
    }
    context.deliver().await;
    Ok(())
}

async fn send(context: &Context, id: &str, who: &str, text: &str, sink: &mut impl Sink) -> Result<(), Failure> {
    let id = MessageId::from_hex(id).map_err(|error| Failure::new(Kind::Usage, error.to_string()))?;
    context.drive();
    let sent = context.engine().send_as(id, who, text).await?;
    let waits = sent.queued.then(|| sent.waits.clone());
    sink.print(&Line::sent(sent)).await?;
    let Some(why) = waits else { return Ok(()) };
    Err(waits_for("the message is kept, and goes with the next command or `receive --follow`", why))
}

/// That something is kept and not done yet, and what keeps it.
fn waits_for(kept: &str, why: Option<ClientError>) -> Failure {
    let (kind, why) = match why {
        Some(error) => (error.kind(), error.to_string()),
        None => (Kind::Network, "the service takes its time".to_owned()),
    };
    Failure::new(kind, format!("{kept}: {why}"))
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
    if text.len() > TEXT_BYTES_MAX {
        return Err(ClientError::TextTooLong(text.len()).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_was_cut_off_is_done_once_and_shown_once() {
        let bo = || "bo".to_owned();
        let send = Command::Send { id: String::new(), who: bo(), text: bo() };
        for printed in [0, 1] {
            assert!(matches!(send.after_cut(printed), AfterCut::Again { skip } if skip == printed));
            let receive = Command::Receive(Until::Ended).after_cut(printed);
            assert!(matches!(receive, AfterCut::Again { skip: 0 }));
        }
        let accept = Command::Accept { who: bo() };
        assert!(matches!((accept.after_cut(0), accept.after_cut(1)), (AfterCut::Again { skip: 0 }, AfterCut::Done)));
        let link = |printed| Command::Link.after_cut(printed);
        assert!(matches!((link(1), link(2)), (AfterCut::Again { skip: 0 }, AfterCut::Lost)));
        let history = Command::History { who: bo() };
        assert!(matches!((history.after_cut(0), history.after_cut(1)), (AfterCut::Again { skip: 0 }, AfterCut::Lost)));
    }
}
