//! Who may do what in a group, and what always holds of its record.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests are tests")]

mod answers;
mod invariants;
mod records;
mod table;
