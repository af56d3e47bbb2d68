//! What is printed: one line per thing, as JSON for programs or as text for people.

mod contacts;
mod devices;
mod groups;
mod line;
mod neutral;
mod people;
mod time;

use std::io::{self, Write as _};

pub use line::{Answer, Line};
pub use neutral::{block, one_line};
pub use time::rfc3339;

use crate::failure::Failure;

/// Prints one line and flushes it: when this returns, the line has left the process.
pub fn print(text: &str) -> Result<(), Failure> {
    raw(format!("{text}\n").as_bytes())
}

/// Prints bytes as they are.
pub fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::io("standard output takes no more, so nothing further was done", &error))
}

/// Tells a person something that is no result.
pub fn note(text: &str) {
    // Where standard error is closed, nobody wants to be told.
    let _ = writeln!(io::stderr(), "note: {}", one_line(text));
}
