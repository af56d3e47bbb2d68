//! The one binary: command line, processes and sockets around the engine and the service.
//!
//! ```text
//!   cli       what can be asked          demo      two people and a service, on one machine
//!    |                                   serve     the service
//!   chat      people's commands          admin     its operator
//!    |
//!   home      one process owns a home, others are its guests by socket
//!    |
//!   command   what is done with the engine: one command in, lines out
//!    |
//!   output    lines, as JSON and for people
//! ```

mod admin;
mod chat;
mod cli;
mod clock;
mod command;
mod contacts;
mod demo;
mod failure;
mod home;
mod log;
mod manual;
mod output;
mod question;
mod serve;
mod signals;

use std::{process::ExitCode, time::Duration};

use clap::Parser as _;

use crate::{
    cli::{Cli, Face},
    failure::{Failure, Kind},
};

/// A thread that waits for the system, in a resolver say, is not waited for any longer.
const SHUTDOWN: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::usage(&error),
    };
    let json = cli.options.json;
    match start(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}

fn start(cli: Cli) -> Result<(), Failure> {
    log::begin(cli.options.verbose)?;
    set_clock(cli.options.clock_ahead);
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::new(Kind::Failed, format!("this machine gives no threads or timers ({error})")))?;
    let result = runtime.block_on(run(cli));
    // Tasks end before the process does: at its end libraries take apart what a task might still use.
    runtime.shutdown_timeout(SHUTDOWN);
    result
}

fn set_clock(days_ahead: u32) {
    if days_ahead > 0 {
        output::note(&format!("this process's clock is {days_ahead} days ahead, which is for tests alone"));
        clock::set_ahead(days_ahead);
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { options, face } = cli;
    match face {
        Face::Demo(args) => demo::run(args, &options).await,
        Face::Serve(args) => Ok(serve::run(args).await?),
        Face::Admin(args) => admin::run(args, options.json).await,
        Face::Completions { shell } => manual::completions(shell),
        Face::Man { dir } => manual::pages(&dir),
        Face::Register(args) => chat::register(&options, &args).await,
        Face::Chat(face) => chat::run(&options, face).await,
    }
}
