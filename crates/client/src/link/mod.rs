//! Linking: an account comes to one more device, handed over by an old one or brought back by the recovery words.
//!
//! The two devices meet in a channel that is made for it, whose keys are in a link that the old one shows:
//!
//! ```text
//!   new: commitment      SHA-256 of its hello
//!   old: challenge
//!   new: hello           its keys; from here on both show the same code, and their people compare it
//!   new: accepted        its person says yes
//!   old: handover        its person says yes too: the new device is listed, and gets what devices share
//! ```
//!
//! Each is said once and in this order ([`talk`]); whatever else stands there ends it, for then somebody else has the link
//! too. What keeps him from more is the code (`e2ee`). A link is good for ten minutes and for one use.
//!
//! - [`talk`]: what was said. - [`meeting`]: the channel. - [`offer`], [`request`]: the two ends. - [`recover`]: the words.

mod meeting;
mod offer;
mod recover;
mod request;
mod talk;

pub use self::{offer::LinkOffer, request::LinkRequest};
use crate::{Engine, Result, Whoami};

/// Times that a new device list is sent when its answer was lost.
const PUT_TRIES: u32 = 3;

impl Engine {
    /// Makes a link for a new device of this account.
    ///
    /// # Errors
    /// Before registration, or when the service cannot be reached.
    pub async fn link_offer(&self) -> Result<LinkOffer> {
        LinkOffer::make(self.shared.clone()).await
    }

    /// Answers, in an empty home, the link that another device shows.
    ///
    /// # Errors
    /// When there is an account here already; when the link is none, was used, or nobody answers at it.
    pub async fn link(&self, link: &str) -> Result<LinkRequest> {
        LinkRequest::make(self.shared.clone(), link).await
    }

    /// Brings an account back into an empty home, by its service and its recovery words. `name` is what the person calls
    /// himself where nothing is left that says it.
    ///
    /// # Errors
    /// When there is an account here already, the words are none, or the service knows no account of them.
    pub async fn recover(&self, service: &str, words: &str, name: &str) -> Result<Whoami> {
        recover::recover(&self.shared, service, words, name).await?;
        self.whoami()
    }
}
