//! Tracing to standard error, and only when asked for. No event of ours names anybody; those of libraries are left out,
//! since nobody has promised that of them.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{
    EnvFilter, Layer as _, filter::filter_fn, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::failure::{Failure, Kind};

const VARIABLE: &str = "UNDERTONE_LOG";
const VERBOSE: &str = "debug";

/// Starts it: with `verbose`, or with what `UNDERTONE_LOG` asks for.
pub fn begin(verbose: bool) -> Result<(), Failure> {
    let wanted = match std::env::var(VARIABLE) {
        Ok(text) if !text.is_empty() => text,
        _ if verbose => VERBOSE.to_owned(),
        _ => return Ok(()),
    };
    let filter = EnvFilter::try_new(&wanted)
        .map_err(|_| Failure::new(Kind::Usage, format!("{VARIABLE} is not understood; try {VARIABLE}=debug")))?;
    let ours = filter_fn(|event| event.target().starts_with("undertone"));
    let layer = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    tracing_subscriber::registry().with(layer.with_filter(filter).with_filter(ours)).init();
    Ok(())
}
