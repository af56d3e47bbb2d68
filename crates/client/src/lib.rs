//! The engine behind every face.
//!
//! A home is a folder with an encrypted database. Faces (the command line, the app, bots) ask the [`Engine`]; it
//! answers from the database and leaves the network to its driver.
//!
//! ```text
//!   faces -> Engine -> rules (one transaction each) -> db
//!                 \-> driver (passes) -> circuits
//!                         \-> rules -> db
//! ```
//!
//! - `db`: tables, one module each. - `rules`: what is done with what is asked or sent; no I/O, no clock.
//! - `driver`: circuits, and when what goes on which. - `pace`: every delay.
//!
//! What a kill -9 may interrupt is a transaction, and nothing else: what is to be sent is in the database before it is
//! sent, as the very bytes; what was received is in it before the cursor moves. Where the machine itself loses its power, what
//! a log has brought may be lost as well, cursor and all: it is read there again.
//!
//! Something that changed in one chat is seen to in that chat; a pass, which looks at all that may be due, is for everything else.

mod blobs;
mod db;
mod devices;
mod discover;
mod driver;
mod engine;
mod error;
mod groups;
mod link;
mod listing;
mod own;
mod pace;
mod paying;
mod people;
mod published;
mod rules;
mod rungs;
mod shared;
mod state;
mod verified;
mod view;

pub use db::DbError;
pub use discover::{Contact, LookupPlan, LookupStep};
pub use engine::{Config, Engine};
pub use error::{ClientError, Kind};
pub use groups::{
    GroupAct, GroupChanged, GroupMember, GroupRole, GroupRules, GroupText, GroupView, LinkMode, NewGroup,
};
pub use link::{LinkOffer, LinkRequest};
pub use listing::{Listing, ListingState};
pub use pace::{Clock, Delay, Pace, SystemClock};
pub use rungs::Rungs;
pub use shared::DialerFor;
pub use view::{
    ChatSummary, DeviceView, Kept, Message, Profile, ProfileChange, Registered, Request, Sent, Settings, Typing, Whoami,
};

/// Result of this crate.
pub type Result<T, E = ClientError> = std::result::Result<T, E>;
