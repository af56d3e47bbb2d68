//! Under which identifiers others find us.

use bytes::Bytes;
use undertone_circuit::CallError;
use undertone_credentials::{RecoveryWords, give_listing};
use undertone_wire::{
    Day, Identifier,
    account::{PutListingRequest, RemoveListingRequest, SendCodeRequest},
    circuit::Code,
};

use crate::{
    ClientError, Engine, Result,
    db::listings::{self, State},
};

/// An identifier of ours.
#[derive(Clone)]
pub struct Listing {
    /// Which.
    pub identifier: Identifier,
    /// How far it is with it.
    pub state: ListingState,
}

/// How far it is with a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListingState {
    /// A code was sent to it, and is to be confirmed.
    Sent,
    /// Somebody else is listed there. From this day on, and for seven days, the same wish is granted unless he keeps it.
    Waits(Day),
    /// Others find us by it, from the next day on.
    Listed,
}

impl Engine {
    /// Has a code sent to an identifier, to show that it is ours. Usernames need none.
    ///
    /// # Errors
    /// When the service does not send one.
    pub async fn send_code(&self, identifier: &Identifier) -> Result<()> {
        let own = self.shared.own()?;
        let circuit = self.shared.authenticated(&own).await?;
        match circuit.call(SendCodeRequest { identifier: Some(identifier.into()) }).await {
            Ok(_) => self.shared.write(|tx| Ok(listings::sent(tx.db, identifier)?)),
            Err(CallError::Refused(fault)) => Err(match fault.code() {
                Code::Forbidden => ClientError::NoCodes,
                Code::Exhausted => ClientError::TooManyCodes,
                Code::Unavailable => ClientError::Offline("the code could not be sent; try again later"),
                code => ClientError::refused(code),
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// Lists us under an identifier, by the code that was sent to it; under a username without one. With the recovery words
    /// of the account that is listed there, it takes that one's place at once.
    ///
    /// # Errors
    /// When the code is not the one that was sent, or the words are not those of that account.
    pub async fn list(&self, identifier: &Identifier, code: &str, words: Option<&str>) -> Result<ListingState> {
        let own = self.shared.own()?;
        let key = words.map(|words| RecoveryWords::parse(words).map_err(ClientError::Words)).transpose()?;
        let key = key.map(|words| words.recovery_key());
        let circuit = self.shared.authenticated(&own).await?;
        let give = |key| give_listing(&circuit.handshake_hash(), key, own.account, identifier);
        let recovery_signature = key.as_ref().map(|key| Bytes::copy_from_slice(&give(key))).unwrap_or_default();
        let request =
            PutListingRequest { identifier: Some(identifier.into()), code: code.to_owned(), recovery_signature };
        let (state, day) = match circuit.call(request).await {
            Ok(reply) if reply.waits_until_day == 0 => (State::Listed, Day(0)),
            Ok(reply) => (State::Waits, Day(reply.waits_until_day)),
            Err(CallError::Refused(fault)) => {
                return Err(match fault.code() {
                    Code::NotFound if key.is_none() => ClientError::NoCodeSent,
                    Code::NotFound => ClientError::NoCodeOrListing,
                    Code::Forbidden => ClientError::WrongCode,
                    Code::Unauthenticated if key.is_some() => ClientError::WrongWords,
                    Code::Exhausted => ClientError::TooManyListings,
                    code => ClientError::refused(code),
                });
            }
            Err(error) => return Err(error.into()),
        };
        self.shared.write(|tx| {
            if state == State::Listed {
                // If it was this one that somebody else wants, he does not any more. The next visit says if it was not.
                listings::set_claimed(tx.db, false)?;
            }
            Ok(listings::put(tx.db, identifier, state, day)?)
        })?;
        Ok(ListingState::of(state, day))
    }

    /// Takes us from under an identifier.
    ///
    /// # Errors
    /// When the service was not reached.
    pub async fn unlist(&self, identifier: &Identifier) -> Result<()> {
        let own = self.shared.own()?;
        let circuit = self.shared.authenticated(&own).await?;
        circuit.call(RemoveListingRequest { identifier: Some(identifier.into()) }).await.map_err(no_directory)?;
        self.shared.write(|tx| Ok(listings::forget(tx.db, identifier)?))
    }

    /// Under what this home has listed us. Other devices know of theirs, and the service has forgotten.
    ///
    /// # Errors
    /// When the database fails.
    pub fn listings(&self) -> Result<Vec<Listing>> {
        self.shared.own()?;
        let all = self.shared.read(|db| Ok(listings::all(db)?))?;
        let listing = |listing: listings::Listing| Listing {
            identifier: listing.identifier,
            state: ListingState::of(listing.state, listing.day),
        };
        Ok(all.into_iter().map(listing).collect())
    }
}

impl ListingState {
    fn of(state: State, day: Day) -> Self {
        match state {
            State::Sent => Self::Sent,
            State::Waits => Self::Waits(day),
            State::Listed => Self::Listed,
        }
    }
}

fn no_directory(error: CallError) -> ClientError {
    match error {
        CallError::Refused(fault) if fault.code() == Code::Unsupported => ClientError::NoDirectory,
        error => error.into(),
    }
}
