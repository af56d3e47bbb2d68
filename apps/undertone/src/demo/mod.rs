//! Two people and a service on one machine, as real processes of this very program.
//!
//! ```text
//!   undertone serve (killed and restarted)  <──circuits──  undertone receive --follow (Ana, Bo: hosts of their homes)
//!                                                            ^ sockets
//!                                                          undertone send, request, history (their guests)
//! ```
//!
//! Everything is in one fresh folder, and nothing of it is left: neither a process nor a file.

mod folder;
mod person;
mod process;
mod stage;
mod story;
mod views;

use std::pin::pin;

use crate::{
    cli::Options,
    demo::{folder::Folder, stage::Stage},
    failure::Failure,
    output, signals,
};

/// The demo's arguments.
#[derive(clap::Args)]
pub struct Args {
    /// End after the last step, with exit code 0 if all went well and 1 if not
    #[arg(long)]
    check: bool,
}

/// Plays the story, shows both views of it, and goes on until interrupted.
pub async fn run(args: Args, options: &Options) -> Result<(), Failure> {
    let folder = Folder::create()?;
    let mut stage = Stage::new(folder.path(), options.json)?;
    let outcome = play(&mut stage, &args).await;
    stage.end().await;
    outcome
}

async fn play(stage: &mut Stage, args: &Args) -> Result<(), Failure> {
    let mut over = pin!(signals::ended_or_hung_up());
    let told = async {
        story::tell(stage).await?;
        if stage.json() {
            Ok(())
        } else {
            output::print(&views::side_by_side(stage).await?).map_err(anyhow::Error::from)
        }
    };
    tokio::select! {
        told = told => told?,
        () = &mut over => return Err(Failure::interrupted()),
    }
    if args.check {
        return Ok(stage.must_be_whole()?);
    }
    if !stage.json() {
        output::print(&views::by_hand(stage))?;
    }
    tokio::select! {
        result = stage.go_on() => Ok(result?),
        () = &mut over => Ok(()),
    }
}
