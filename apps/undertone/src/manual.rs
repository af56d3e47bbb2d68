//! Completions and manual pages, generated from the command line's definition.

use std::{fs, io, path::Path};

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::{cli::Cli, failure::Failure, output};

/// Prints the completions for a shell.
pub fn completions(shell: Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "undertone", &mut text);
    output::raw(&text)
}

/// Writes one page per command into `folder`.
pub fn pages(folder: &Path) -> Result<(), Failure> {
    let written =
        |error: io::Error| Failure::io(&format!("the pages cannot be written to {}", folder.display()), &error);
    fs::create_dir_all(folder).map_err(written)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(written)
}
