//! The house's own rules, each a test: walls between crates, habits in the sources, and documents that speak the truth.
//!
//! A rule reads files and says what breaks it, with the place. It knows no exception that is not written beside it with
//! its reason; an exception that nothing needs any more breaks the rule too.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a rule that cannot read the house has failed")]

mod documents;
mod house;
mod manifests;
mod map;
mod sources;
mod walls;
