//! Stories of both planes, told against the memory engines.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

mod accounts;
mod blobs;
mod channels;
mod credentials;
mod directory;
mod failures;
mod following;
mod generations;
mod groups;
mod hostile;
mod openings;
mod people;
mod profiles;
mod published;
mod recovery;
mod registration;
mod stores;
mod table;
mod tickets;
mod tokens;
mod transients;
mod vaults;
mod visitors;
mod visits;
