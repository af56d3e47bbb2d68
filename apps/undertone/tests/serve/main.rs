//! The service as a process, and its operator: what they print, how they end, and what they survive.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod admin;
mod hostile;
mod lifetime;
mod process;
