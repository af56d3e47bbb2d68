//! The commands of people: from what was typed to what a home is asked.

mod contacts;
mod group;
mod profile;
mod register;
mod stdin;

use rustix::fs::Mode;
use undertone_client::Pace;
use undertone_wire::MessageId;

use register::reachable;
pub use register::register;

use crate::{
    cli::{self, Options},
    command::{Command, Until, check_length},
    failure::{Failure, Kind},
    home::{Folder, Opening, Session},
    output, signals,
};

/// Does what was asked, in the home that was named.
pub async fn run(options: &Options, chat: cli::Chat) -> Result<(), Failure> {
    let follow = matches!(chat, cli::Chat::Receive { follow: true, .. });
    let mut session = Session::new(opening(options)?);
    let result = tokio::select! {
        result = ask(&mut session, chat) => result,
        // To follow until interrupted is what was asked.
        () = signals::ended() => if follow { Ok(()) } else { Err(Failure::interrupted()) },
    };
    tokio::select! {
        () = session.close() => {}
        () = signals::ended() => {}
    }
    result
}

/// How the home of these options is opened.
fn opening(options: &Options) -> Result<Opening, Failure> {
    // Whatever is created from here on, database and socket too, is closed to other users.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let pace = match options.pace {
        cli::Pace::Normal => Pace::normal(),
        cli::Pace::Eager => {
            output::note("pace eager: the delays that protect you from observers are off");
            Pace::eager()
        }
    };
    Ok(Opening { folder: Folder::find(options.home.as_deref())?, pace, json: options.json })
}

async fn ask(session: &mut Session, chat: cli::Chat) -> Result<(), Failure> {
    let command = match chat {
        cli::Chat::Whoami { published: false } => Command::Whoami,
        cli::Chat::Whoami { published: true } => Command::Published,
        cli::Chat::Profile(profile) => profile::command(profile)?,
        cli::Chat::Settings { setting: None } => Command::Settings { receipts: None, typing: None },
        cli::Chat::Settings { setting: Some(cli::Setting::Receipts { state }) } => {
            Command::Settings { receipts: Some(state == cli::OnOff::On), typing: None }
        }
        cli::Chat::Settings { setting: Some(cli::Setting::Typing { state }) } => {
            Command::Settings { receipts: None, typing: Some(state == cli::OnOff::On) }
        }
        cli::Chat::Report { who } => Command::Report { who },
        cli::Chat::Typing { who, over } => Command::Typing { who, over },
        cli::Chat::Device(cli::Device::Link { link: None }) => Command::Link,
        cli::Chat::Device(cli::Device::Link { link: Some(link) }) => Command::Join { link },
        cli::Chat::Device(cli::Device::List) => Command::Devices,
        cli::Chat::Device(cli::Device::Remove { number }) => Command::Remove { number },
        cli::Chat::Recover { service, name } => {
            reachable(&service)?;
            Command::Recover { service, name }
        }
        cli::Chat::DeleteAccount { yes } => Command::DeleteAccount { sure: yes },
        cli::Chat::Contacts(face) => contacts::command(face)?,
        cli::Chat::Listing(face) => contacts::listing(face)?,
        cli::Chat::Request(cli::Request::List) => Command::Requests,
        cli::Chat::Request(cli::Request::Accept { who }) => Command::Accept { who },
        cli::Chat::Request(cli::Request::Block { who }) => Command::Block { who },
        cli::Chat::Send { who, text: Some(text), .. } => send(who, text)?,
        cli::Chat::Send { who, text: None, .. } => return send_lines(session, &who).await,
        cli::Chat::Receive { follow: true, .. } => Command::Receive(Until::Ended),
        cli::Chat::Receive { wait: Some(seconds), .. } => Command::Receive(Until::First { seconds }),
        cli::Chat::Receive { wait: None, .. } => Command::Receive(Until::Synced),
        cli::Chat::Group(asked) => Command::Group(group::asked(asked)),
        cli::Chat::Chats => Command::Chats,
        cli::Chat::History { who } => Command::History { who },
    };
    session.run(&command).await
}

/// Sends each line of standard input. One that waits for the service does not keep the next from being taken; any other
/// failure ends it, so that nothing is sent behind a gap.
async fn send_lines(session: &mut Session, who: &str) -> Result<(), Failure> {
    let mut result = Ok(());
    let mut lines = stdin::lines();
    while let Some(line) = lines.recv().await {
        let text = line?;
        match session.run(&send(who.to_owned(), text)?).await {
            Err(failure) if failure.kind() == Kind::Network => result = Err(failure),
            other => other?,
        }
    }
    result
}

fn send(who: String, text: String) -> Result<Command, Failure> {
    check_length(&text)?;
    Ok(Command::Send { id: MessageId::new(rand::random()).to_hex(), who, text })
}
