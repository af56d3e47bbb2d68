//! Lines about who is here, and by what others find us.

use serde::Serialize;
use undertone_client::{self as client, ListingState};
use undertone_wire::{Day, Identifier};

use super::{line::Line, neutral::one_line, time::rfc3339};
use crate::contacts::shown;

const DAY_MS: u64 = 86_400_000;

/// Somebody of the address book.
#[derive(Serialize)]
pub struct Contact {
    contact: String,
    identifier: String,
    account: Option<String>,
    /// It could not be looked up yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pending: bool,
}

/// Lines of the address book that are there no more.
#[derive(Serialize)]
pub struct Forgotten {
    forgotten: usize,
}

/// An identifier of ours.
#[derive(Serialize)]
pub struct Listing {
    identifier: String,
    state: &'static str,
    /// From this day on the same wish is granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
}

impl Line {
    /// For `contacts forget`.
    pub fn forgotten(forgotten: usize) -> Self {
        Self::Forgotten(Forgotten { forgotten })
    }

    /// For `listing`.
    pub fn listing(identifier: &Identifier, state: ListingState) -> Self {
        let (state, from) = match state {
            ListingState::Sent => ("sent", None),
            ListingState::Waits(day) => ("waits", Some(date(day))),
            ListingState::Listed => ("listed", None),
        };
        Self::Listing(Listing { identifier: shown(identifier), state, from })
    }

    /// For `listing remove`.
    pub fn unlisted(identifier: &Identifier) -> Self {
        Self::Listing(Listing { identifier: shown(identifier), state: "removed", from: None })
    }
}

impl From<client::Contact> for Line {
    fn from(found: client::Contact) -> Self {
        let client::Contact { contact, identifier, account, asked } = found;
        let pending = !asked && account.is_none();
        Self::Contact(Contact { contact, identifier: shown(&identifier), account, pending })
    }
}

impl From<client::Listing> for Line {
    fn from(listing: client::Listing) -> Self {
        Self::listing(&listing.identifier, listing.state)
    }
}

impl Contact {
    pub(super) fn to_text(&self) -> String {
        let Self { contact, identifier, account, pending } = self;
        let who =
            if contact == identifier { one_line(contact) } else { format!("{} ({identifier})", one_line(contact)) };
        match account {
            Some(account) => format!("{who}  is here: {account}"),
            None if *pending => format!("{who}  was not looked up yet"),
            None => format!("{who}  is not here"),
        }
    }
}

impl Forgotten {
    pub(super) fn to_text(&self) -> String {
        format!("forgotten: {} lines of the address book", self.forgotten)
    }
}

impl Listing {
    pub(super) fn to_text(&self) -> String {
        let Self { identifier, state, from } = self;
        match *state {
            "sent" => format!("{identifier}: a code was sent there; `undertone listing confirm {identifier} CODE`"),
            "waits" => format!(
                "{identifier}: somebody else is listed there, and has a week to keep it. Ask for the same again on {} or \
                 in the week after",
                from.as_deref().unwrap_or_default()
            ),
            "removed" => format!("{identifier}: nobody finds you there any more, from tomorrow on"),
            _ => format!("{identifier}: others find you there, from tomorrow on"),
        }
    }
}

fn date(Day(day): Day) -> String {
    rfc3339(u64::from(day) * DAY_MS).chars().take("0000-00-00".len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_are_told_in_words() {
        let Some(ana) = Identifier::username("ana").ok() else { panic!("a username") };
        let waits = Line::listing(&ana, ListingState::Waits(Day(20_780)));
        assert_eq!(waits.render(true), r#"{"identifier":"@ana","state":"waits","from":"2026-11-23"}"#);
        assert!(waits.render(false).contains("on 2026-11-23"));
        assert_eq!(Line::listing(&ana, ListingState::Listed).render(true), r#"{"identifier":"@ana","state":"listed"}"#);
    }

    #[test]
    fn contacts_have_an_account_or_none() {
        let found = |account: Option<&str>, asked| {
            let Some(identifier) = Identifier::phone("+41791234567").ok() else { panic!("a number") };
            let account = account.map(str::to_owned);
            Line::from(client::Contact { contact: "Ana\x1b".to_owned(), identifier, account, asked })
        };
        assert_eq!(
            found(Some("0b"), true).render(true),
            r#"{"contact":"Ana\u001b","identifier":"+41791234567","account":"0b"}"#
        );
        assert!(found(None, true).render(true).ends_with(r#""account":null}"#));
        assert!(found(None, false).render(true).ends_with(r#""pending":true}"#));
        assert_eq!(found(None, true).render(false), "Ana␛ (+41791234567)  is not here");
    }
}
