//! Runs the targets on mutated input: the same on any machine, for the same seed.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Instant, UNIX_EPOCH},
};

use clap::Parser;
use data_encoding::HEXLOWER_PERMISSIVE as HEX;
use undertone_fuzz::{Failure, Runs, TARGETS, Target, run, run_on, target};

/// Undertone's parsers of outside bytes under mutated input
#[derive(Parser)]
#[command(name = "undertone-fuzz", version)]
struct Args {
    /// One target; all without it
    #[arg(value_parser = named)]
    target: Option<&'static Target>,
    /// Inputs for the cheapest target; the others get fewer, so that each takes about as long
    #[arg(long, value_name = "N", default_value_t = 300_000)]
    runs: u64,
    /// From which all inputs follow; without it, another one each time
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Only this input, in hexadecimal
    #[arg(long, value_name = "HEX", value_parser = hex, requires = "target")]
    input: Option<Arc<Vec<u8>>>,
    /// Print each input before it is run
    #[arg(long)]
    verbose: bool,
    /// Run nothing: write the inputs to begin with into this folder
    #[arg(long, value_name = "DIR", requires = "target")]
    write_seeds: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(|| UNIX_EPOCH.elapsed().map_or(0, |time| time.as_secs()));
    let chosen = |target: &&Target| args.target.is_none_or(|only| only.name == target.name);
    for target in TARGETS.iter().filter(chosen) {
        if fuzz(target, seed, &args).is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn fuzz(target: &'static Target, seed: u64, args: &Args) -> io::Result<()> {
    if let Some(folder) = &args.write_seeds {
        return write_seeds(target, folder);
    }
    let (started, count) = (Instant::now(), (args.runs / target.cost).max(1));
    let verbose = args.verbose;
    let look = move |input: &[u8]| if verbose { say(&HEX.encode(input)) } else { Ok(()) };
    let outcome = match args.input.clone() {
        Some(input) => run_on(target, look, move || std::iter::once(input.to_vec())),
        None => run(target, Runs { seed, count }, look),
    };
    let Err(Failure { what, input }) = outcome else {
        return say(&format!("{:<14}{count:>9} runs, {:.1} s", target.name, started.elapsed().as_secs_f32()));
    };
    let (name, input) = (target.name, HEX.encode(&input));
    say(&format!("{name} {what} (--seed {seed}); again: cargo run -p undertone-fuzz -- {name} --input {input}"))?;
    Err(io::ErrorKind::InvalidData.into())
}

fn write_seeds(target: &Target, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (number, seed) in (target.seeds)().unwrap_or_default().iter().enumerate() {
        fs::write(folder.join(format!("{}-{number}", target.name)), seed)?;
    }
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

fn named(name: &str) -> Result<&'static Target, String> {
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    target(name).ok_or_else(|| format!("there are {}", names.join(", ")))
}

fn hex(text: &str) -> Result<Arc<Vec<u8>>, String> {
    HEX.decode(text.as_bytes()).map(Into::into).map_err(|error| error.to_string())
}
