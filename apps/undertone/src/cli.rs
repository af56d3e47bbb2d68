//! What can be asked on the command line, in the words that `--help` prints.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::{admin, command::groups, contacts::Region, demo, serve};

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 network, 4 refused, 5 not found.

WHO is a name from `chats`, a link that somebody gave you, or an account id.";

/// A century.
const DAYS_AHEAD_MAX: i64 = 36_525;

/// A private messenger whose service keeps nothing worth taking
#[derive(Parser)]
#[command(name = "undertone", version, after_help = EXIT_CODES, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub options: Options,
    #[command(subcommand)]
    pub face: Face,
}

/// What holds for every command.
#[derive(Args)]
pub struct Options {
    /// Folder of your account on this machine [default: the user's data folder]
    #[arg(long, global = true, env = "UNDERTONE_HOME", value_name = "DIR", hide_env_values = true)]
    pub home: Option<PathBuf>,
    /// normal keeps the delays that protect you from observers; eager drops them
    #[arg(long, global = true, env = "UNDERTONE_PACE", value_enum, default_value_t = Pace::Normal)]
    pub pace: Pace,
    /// Print one JSON object a line
    #[arg(long, global = true)]
    pub json: bool,
    /// Set the clock of this process so many days ahead: for tests, on a service whose clock is ahead too
    #[arg(long, global = true, env = "UNDERTONE_CLOCK_AHEAD", value_name = "DAYS", default_value_t = 0, hide_short_help = true, value_parser = clap::value_parser!(u32).range(..=DAYS_AHEAD_MAX))]
    pub clock_ahead: u32,
    /// Log to standard error (UNDERTONE_LOG chooses what)
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// Whether protective delays are kept.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Pace {
    Normal,
    Eager,
}

#[derive(Subcommand)]
pub enum Face {
    /// Watch two people talk through a service of their own, all on this machine
    Demo(demo::Args),
    /// Run a service
    Serve(serve::Args),
    /// Operate a service
    Admin(admin::Args),
    /// Make an account at a service
    Register(Register),
    #[command(flatten)]
    Chat(Chat),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Write the manual pages into a folder
    Man {
        /// The folder; it is made if need be
        dir: PathBuf,
    },
}

#[derive(Args)]
pub struct Register {
    /// Link of the service
    #[arg(long, value_name = "LINK")]
    pub service: String,
    /// Invite from the service's operator
    #[arg(long, value_name = "CODE")]
    pub invite: Option<String>,
    /// What you call yourself; only people you write to see it
    #[arg(long)]
    pub name: String,
}

/// What is done with an account.
#[derive(Subcommand)]
pub enum Chat {
    /// Show who you are, and the link that a friend needs to write to you
    Whoami {
        /// Print every value that the service keeps of your account, and what it is
        #[arg(long)]
        published: bool,
    },
    /// Show what somebody says of himself, or say something of yourself; only people you talk to can read it
    Profile(Profile),
    /// Show or change what is told without words, and shown in return; on all your devices
    Settings {
        #[command(subcommand)]
        setting: Option<Setting>,
    },
    /// Use your account on several devices
    #[command(subcommand)]
    Device(Device),
    /// Bring your account back, in a new home; the recovery words are read from standard input
    Recover {
        /// Link of the service
        #[arg(long, value_name = "LINK")]
        service: String,
        /// What you call yourself, where nothing is left that says it
        #[arg(long, default_value = "unnamed")]
        name: String,
    },
    /// Delete your account and all that the service keeps of it
    DeleteAccount {
        /// Do not ask for the account's name
        #[arg(long)]
        yes: bool,
    },
    /// See and answer the requests of people you do not know yet
    #[command(subcommand)]
    Request(Request),
    /// See who of your address book is here; the service does not learn who is in it
    #[command(subcommand)]
    Contacts(Contacts),
    /// Choose by which phone numbers, mail addresses and usernames others find you
    #[command(subcommand)]
    Listing(Listing),
    /// Print the letters of a stranger, which prove who wrote them, for the service's operator
    Report {
        /// A name or account id from `request list`, or of somebody you have blocked
        who: String,
    },
    /// Tell somebody that you are writing, if they are there just now
    Typing {
        /// A name from `chats`, a link, or an account id
        who: String,
        /// That you are not any more
        #[arg(long)]
        over: bool,
    },
    /// Send a message
    Send {
        /// A name from `chats`, a link, or an account id
        who: String,
        /// The message
        #[arg(required_unless_present = "lines", conflicts_with = "lines", allow_hyphen_values = true)]
        text: Option<String>,
        /// Send each line of standard input as one message
        #[arg(long)]
        lines: bool,
    },
    /// Print the messages that are new
    Receive {
        /// Wait at most so many seconds for the first
        #[arg(long, value_name = "SECONDS", conflicts_with = "follow")]
        wait: Option<u32>,
        /// Go on until interrupted
        #[arg(long)]
        follow: bool,
    },
    /// Talk in groups; GROUP is a title or an id from `group list`
    #[command(subcommand)]
    Group(Group),
    /// List your chats
    Chats,
    /// Print a whole chat
    History {
        /// A name from `chats`, a link, or an account id
        who: String,
    },
}

/// What to show, or to say.
#[derive(Args)]
pub struct Profile {
    /// Whose profile to show: a name from `chats`, a link, or an account id
    #[arg(conflicts_with_all = ["name", "about", "avatar", "clear"])]
    pub who: Option<String>,
    /// What you call yourself
    #[arg(long)]
    pub name: Option<String>,
    /// What you say about yourself
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub about: Option<String>,
    /// An image of at most 60,000 bytes
    #[arg(long, value_name = "FILE")]
    pub avatar: Option<PathBuf>,
    /// Say nothing of what you said before
    #[arg(long)]
    pub clear: bool,
}

#[derive(Subcommand)]
pub enum Setting {
    /// That your friends' messages have arrived, and that you have read them
    Receipts {
        /// Whether it is told
        #[arg(value_enum)]
        state: OnOff,
    },
    /// That you are writing just now
    Typing {
        /// Whether it is told
        #[arg(value_enum)]
        state: OnOff,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnOff {
    On,
    Off,
}

#[derive(Subcommand)]
pub enum Device {
    /// Link a new device: without LINK on one that has the account, with it on the new one
    Link {
        /// What the other device shows; `-` reads it from standard input
        link: Option<String>,
    },
    /// List the devices of your account
    List,
    /// Remove another device; the recovery words are read from standard input
    Remove {
        /// Its number, as `device list` shows it
        #[arg(value_name = "N")]
        number: u32,
    },
}

#[derive(Subcommand)]
pub enum Group {
    /// Make a group
    Create {
        /// What it is called
        title: String,
        /// What it is for
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        description: String,
        /// Somebody to add at once; may be given several times
        #[arg(long = "member", value_name = "WHO")]
        members: Vec<String>,
        #[command(flatten)]
        rules: groups::Rules,
    },
    /// List your groups, and those that you are invited to
    List,
    /// Show a group: its members and their roles, its rules, the state of its record
    Show { group: String },
    /// Make people members
    Add {
        group: String,
        #[arg(required = true)]
        who: Vec<String>,
        /// What they may do
        #[arg(long, value_enum, default_value_t = groups::Role::Member)]
        role: groups::Role,
    },
    /// Let people come in when they wish
    Invite {
        group: String,
        #[arg(required = true)]
        who: Vec<String>,
        /// What they may do then
        #[arg(long, value_enum, default_value_t = groups::Role::Member)]
        role: groups::Role,
    },
    /// Take an invitation back
    Revoke { group: String, who: String },
    /// Come into a group that you were added or invited to
    Accept { group: String },
    /// Do not, or ask no longer to be let in
    Decline { group: String },
    /// Take a member out; he reads nothing of what is said from then on
    Remove { group: String, who: String },
    /// Go
    Leave { group: String },
    /// Give a member another role
    Role {
        group: String,
        who: String,
        #[arg(value_enum)]
        role: groups::Role,
    },
    /// Say what a group is called, what it is for, or what all shall see; an empty TEXT takes it back
    Set {
        group: String,
        #[arg(value_enum)]
        what: groups::Text,
        #[arg(allow_hyphen_values = true)]
        text: String,
    },
    /// Set who does what; what is left out stays as it is
    Rules {
        group: String,
        #[command(flatten)]
        rules: groups::Rules,
    },
    /// Show a group's link; with MODE, make a new one by which people join or ask, or none
    InviteLink {
        group: String,
        #[arg(value_enum)]
        mode: Option<groups::Mode>,
    },
    /// Join a group by its link, or ask to be let in
    Join {
        /// The link, in quotes
        link: String,
    },
    /// List who asks to be let in
    Requests { group: String },
    /// Let somebody in who asks
    Approve {
        group: String,
        who: String,
        /// What he may do then
        #[arg(long, value_enum, default_value_t = groups::Role::Member)]
        role: groups::Role,
    },
    /// Do not let somebody in who asks
    Deny { group: String, who: String },
    /// Take somebody out, or keep him out, for good
    Ban { group: String, who: String },
    /// Let somebody come back
    Unban { group: String, who: String },
    /// Make a member the owner, and yourself an admin
    HandOver { group: String, who: String },
    /// End a group: nothing is said or changed any more
    Close { group: String },
}

#[derive(Subcommand)]
pub enum Request {
    /// List the requests that wait
    List,
    /// Accept a request: from now on you are in contact
    Accept {
        /// A name or account id from `request list`
        who: String,
    },
    /// Block somebody: nothing of theirs is shown any more, and they are not told
    Block {
        /// A name or account id
        who: String,
    },
}

#[derive(Subcommand)]
pub enum Contacts {
    /// Look an address book up: a vCard or CSV file, or a list of one identifier a line
    Discover {
        /// The file
        file: PathBuf,
        /// Where numbers are from that do not say their country: two letters, such as CH
        #[arg(long, env = "UNDERTONE_REGION", value_name = "CC")]
        region: Option<Region>,
        /// Do not ask whether it may be told what is told
        #[arg(long)]
        yes: bool,
    },
    /// List the address book, as far as it was looked up
    List,
    /// Forget somebody of the address book, or everybody; to look him up again costs again
    Forget {
        /// What he is called there
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        contact: Option<String>,
        /// Everybody
        #[arg(long)]
        all: bool,
    },
}

#[derive(Subcommand)]
pub enum Listing {
    /// Be found by a phone number or mail address, to which a code is sent, or by a @username
    Add {
        #[command(flatten)]
        own: Own,
        /// Take the place of another account at once, by its recovery words, which are read from standard input
        #[arg(long)]
        words: bool,
    },
    /// Say the code that was sent
    Confirm {
        #[command(flatten)]
        own: Own,
        /// The code
        code: String,
        /// Take the place of another account at once, by its recovery words, which are read from standard input
        #[arg(long)]
        words: bool,
    },
    /// Be found by it no more
    Remove {
        #[command(flatten)]
        own: Own,
    },
    /// Show by what others find you, as far as it was listed from here
    Show,
}

/// An identifier of ours.
#[derive(Args)]
pub struct Own {
    /// A phone number, a mail address, or a @username
    pub identifier: String,
    /// Where the number is from, if it does not say its country: two letters, such as CH
    #[arg(long, env = "UNDERTONE_REGION", value_name = "CC")]
    pub region: Option<Region>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("undertone").chain(line.split(' ')))
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_stand_before_or_after_the_command() {
        for line in ["--home h --json --pace eager whoami", "whoami --home h --json --pace eager"] {
            let cli = parse(line).ok().unwrap();
            assert!(cli.options.json && cli.options.pace == Pace::Eager && cli.options.home == Some("h".into()));
        }
    }

    #[test]
    fn a_text_may_begin_with_a_hyphen() {
        for (line, expected) in [
            ("send bo -x", "-x"),
            ("send bo --- --json", "---"),
            ("send --json bo hi", "hi"),
            ("send bo --json hi", "hi"),
            ("send bo -- --json", "--json"),
        ] {
            let Ok(Cli { face: Face::Chat(Chat::Send { text, .. }), .. }) = parse(line) else { panic!("{line}") };
            assert_eq!(text.as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "send bo",
            "send bo hi --lines",
            "receive --wait 1 --follow",
            "receive --wait -1",
            "request",
            "bo",
            "device remove",
            "device remove x",
            "device link a b",
            "profile bo --name ana",
            "settings receipts maybe",
            "report",
            "typing",
            "recover",
            "whoami --clock-ahead 99999",
            "contacts",
            "contacts discover",
            "contacts discover file --region XX",
            "contacts forget",
            "contacts forget Ana --all",
            "listing confirm @ana",
        ] {
            assert_eq!(parse(line).err().unwrap().exit_code(), 2, "{line}");
        }
    }
}
