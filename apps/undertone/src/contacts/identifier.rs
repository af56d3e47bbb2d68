//! One field of an address book: a phone number, a mail address, or a username with its `@`.

use undertone_wire::{Identifier, IdentifierError};

use super::phone::{self, Region};

/// Why something cannot be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Of the form of none.
    #[error("this is no phone number, no mail address and no @username")]
    Nothing,
    /// A number that could be anywhere.
    #[error("this number does not say its country; say with --region where such numbers are from")]
    NoRegion,
    /// A number that nobody can have.
    #[error("there are no such phone numbers")]
    NoSuchNumber,
    /// It has no spelling.
    #[error(transparent)]
    Spelling(#[from] IdentifierError),
}

/// Reads one, however it is written.
///
/// # Errors
/// Why it is none.
pub fn read(text: &str, region: Option<Region>) -> Result<Identifier, Unusable> {
    let text = without_scheme(text.trim_matches(is_around));
    if text.starts_with('@') {
        return Ok(Identifier::username(text)?);
    }
    if text.contains('@') {
        return Ok(Identifier::email(text)?);
    }
    phone::read(text, region)
}

/// As people write it, so that its kind is seen.
pub fn shown(identifier: &Identifier) -> String {
    match identifier {
        Identifier::Phone(text) | Identifier::Email(text) => text.clone(),
        Identifier::Username(text) => format!("@{text}"),
    }
}

/// What may stand around an identifier and is no part of it.
fn is_around(c: char) -> bool {
    c.is_whitespace() || phone::is_mark(c) || "<>\"'".contains(c)
}

/// Links to numbers and addresses are read as what they lead to.
fn without_scheme(text: &str) -> &str {
    let schemes = ["tel:", "mailto:", "sms:", "callto:"];
    let scheme =
        schemes.iter().find(|scheme| text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme)));
    scheme.and_then(|scheme| text.get(scheme.len()..)).map_or(text, str::trim_start)
}
