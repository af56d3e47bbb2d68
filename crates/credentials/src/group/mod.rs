//! Groups: who may do what in them, judged by somebody who knows nobody.
//!
//! A group is a channel with a [`Record`] beside its log: roles and rules of people who are named by a [`Pseudonym`]
//! alone: their account id, encrypted for those who have the group's master key. A record changes only by
//! [`Change`]s, each an entry of the log, and follows from them by one function, [`Record::apply`]: the service refuses with
//! it what nobody may do, and members replay with it what was done. It decrypts nothing; what an entry encrypts, and whether
//! it does, is for those to check who can.
//!
//! That a change is its actor's own is shown to the service by a presentation, and told to members by the service's
//! countersignature ([`verify_change`](crate::verify_change)). Who may do what is one [table], which
//! `docs/protocol.md` has too.

mod action;
mod apply;
mod change;
mod link;
mod pseudonym;
mod record;
mod rules;
pub mod table;

pub use action::Action;
pub use apply::{Allowed, Refused};
pub use change::{Change, Follows};
pub use link::Link;
pub use pseudonym::Pseudonym;
pub use record::{Place, Record};
pub use rules::{AttributeKind, Role, Rules, Standing, Who};
