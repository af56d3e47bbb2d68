//! Stories: real processes of the program, over loopback, each with folders of its own.
//!
//! A story starts what it needs, and waits for lines that the processes print, never for a time. Every line that any
//! process prints with `--json` is held against its schema in docs/schema.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a story that cannot go on has failed"
)]

mod support;

mod command_line;
mod contacts;
mod crowd;
mod damage;
mod demo;
mod devices;
mod first_contact;
mod fleet;
mod former_releases;
mod groups;
mod kills;
mod knowledge;
mod offline;
mod people;
mod registration;
mod sharing;
mod text;
