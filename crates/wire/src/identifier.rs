//! What others may know somebody by: a phone number, a mail address, a username. Each has one spelling, so that whoever
//! looks it up and whoever is listed under it mean the same.

use crate::{account, limits::IDENTIFIER_BYTES_MAX};

/// An identifier in its one spelling. It has no `Debug` and no `Display`: it says who somebody is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identifier {
    /// E.164: `+` and 7 to 15 digits, the first of them not 0.
    Phone(String),
    /// `local@domain` in lower case. Hosts may tell cases of the local part apart; none is known to, and people do not.
    Email(String),
    /// 3 to 32 of `a-z`, `0-9`, `.`, `_` and `-`, the first of them a letter.
    Username(String),
}

/// Why something is no identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// Not E.164.
    #[error("a phone number is written with its country: + and 7 to 15 digits")]
    Phone,
    /// No mail address.
    #[error("a mail address has the form name@example.org")]
    Email,
    /// No username.
    #[error("a username has 3 to 32 of a-z, 0-9, dot, underscore and hyphen, and begins with a letter")]
    Username,
    /// Of a kind that this release does not know.
    #[error("this kind of identifier needs a newer version")]
    Kind,
}

impl Identifier {
    /// A phone number in E.164. Spaces, hyphens and the like are for the caller to take out, who knows the region.
    ///
    /// # Errors
    /// [`IdentifierError::Phone`].
    pub fn phone(text: &str) -> Result<Self, IdentifierError> {
        let digits = text.strip_prefix('+').ok_or(IdentifierError::Phone)?;
        let kept = (7..=15).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_digit())
            && !digits.starts_with('0');
        if kept { Ok(Self::Phone(text.to_owned())) } else { Err(IdentifierError::Phone) }
    }

    /// A mail address. Its form alone is checked: whether it exists, the code that is sent there tells.
    ///
    /// # Errors
    /// [`IdentifierError::Email`].
    pub fn email(text: &str) -> Result<Self, IdentifierError> {
        let text = text.trim().to_lowercase();
        let kept = text.len() <= IDENTIFIER_BYTES_MAX
            && text.chars().all(|char| !char.is_whitespace() && !char.is_control() && !"<>\",;".contains(char))
            && text.rsplit_once('@').is_some_and(|(local, domain)| is_mailbox(local) && is_domain(domain));
        if kept { Ok(Self::Email(text)) } else { Err(IdentifierError::Email) }
    }

    /// A username. Upper case and a leading `@` mean the same without.
    ///
    /// # Errors
    /// [`IdentifierError::Username`].
    pub fn username(text: &str) -> Result<Self, IdentifierError> {
        let text = text.trim();
        let text = text.strip_prefix('@').unwrap_or(text).to_ascii_lowercase();
        let kept = (3..=32).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte));
        if kept { Ok(Self::Username(text)) } else { Err(IdentifierError::Username) }
    }

    /// Its one spelling.
    pub fn text(&self) -> &str {
        match self {
            Self::Phone(text) | Self::Email(text) | Self::Username(text) => text,
        }
    }

    /// What is evaluated: its kind, as numbered in the schema, and its text. No two identifiers have the same bytes.
    pub fn bytes(&self) -> Vec<u8> {
        [&[self.kind() as u8], self.text().as_bytes()].concat()
    }

    /// From these bytes.
    ///
    /// # Errors
    /// [`IdentifierError`], also for another than the one spelling.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, IdentifierError> {
        let (kind, text) = bytes.split_first().ok_or(IdentifierError::Kind)?;
        let text = std::str::from_utf8(text).map_err(|_| IdentifierError::Kind)?;
        Self::try_from(&account::Identifier { kind: i32::from(*kind), text: text.to_owned() })
    }

    fn kind(&self) -> account::identifier::Kind {
        match self {
            Self::Phone(_) => account::identifier::Kind::Phone,
            Self::Email(_) => account::identifier::Kind::Email,
            Self::Username(_) => account::identifier::Kind::Username,
        }
    }
}

fn is_mailbox(local: &str) -> bool {
    (1..=64).contains(&local.len()) && !local.contains('@')
}

fn is_domain(domain: &str) -> bool {
    domain.contains('.') && domain.split('.').all(|label| (1..=63).contains(&label.len()) && !label.contains('@'))
}

impl From<&Identifier> for account::Identifier {
    fn from(identifier: &Identifier) -> Self {
        Self { kind: identifier.kind().into(), text: identifier.text().to_owned() }
    }
}

impl TryFrom<&account::Identifier> for Identifier {
    type Error = IdentifierError;

    /// Takes the one spelling and no other.
    fn try_from(said: &account::Identifier) -> Result<Self, IdentifierError> {
        use account::identifier::Kind;
        let (read, refused): (fn(&str) -> _, _) = match said.kind() {
            Kind::Phone => (Self::phone, IdentifierError::Phone),
            Kind::Email => (Self::email, IdentifierError::Email),
            Kind::Username => (Self::username, IdentifierError::Username),
            Kind::Unspecified => return Err(IdentifierError::Kind),
        };
        let identifier = read(&said.text)?;
        if identifier.text() == said.text { Ok(identifier) } else { Err(refused) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_of_each() {
        let taken = |read: fn(&str) -> Result<Identifier, IdentifierError>, text: &str| {
            read(text).ok().map(|identifier| identifier.text().to_owned())
        };
        assert_eq!(taken(Identifier::phone, "+41791234567").as_deref(), Some("+41791234567"));
        for refused in ["41791234567", "+041791234567", "+41 79 123 45 67", "+123456", "+1234567890123456", "+", ""] {
            assert_eq!(taken(Identifier::phone, refused), None, "{refused}");
        }
        assert_eq!(taken(Identifier::email, " Ana@Example.ORG ").as_deref(), Some("ana@example.org"));
        for refused in
            ["ana", "ana@", "@example.org", "ana@example", "a b@example.org", "a@b@c.org", "a@b..org", "a,b@c.d"]
        {
            assert_eq!(taken(Identifier::email, refused), None, "{refused}");
        }
        assert_eq!(taken(Identifier::email, &format!("{}@example.org", "a".repeat(300))), None);
        assert_eq!(taken(Identifier::username, "@Ana.B-1").as_deref(), Some("ana.b-1"));
        for refused in ["an", "1ana", "ana b", "änä", "@@ana", "_ana", ""] {
            assert_eq!(taken(Identifier::username, refused), None, "{refused}");
        }
    }

    #[test]
    fn another_spelling_is_refused_on_the_wire() {
        let ana = Identifier::email("ana@example.org").ok().unwrap();
        let said = account::Identifier::from(&ana);
        assert!(Identifier::try_from(&said).is_ok_and(|again| again == ana));
        let shouted = account::Identifier { text: "ANA@example.org".to_owned(), ..said.clone() };
        assert_eq!(Identifier::try_from(&shouted).err(), Some(IdentifierError::Email));
        let unknown = account::Identifier { kind: 77, ..said };
        assert_eq!(Identifier::try_from(&unknown).err(), Some(IdentifierError::Kind));
    }

    #[test]
    fn kinds_never_mean_the_same() {
        let username = Identifier::username("abc").ok().unwrap();
        assert!(
            username.bytes() == b"\x03abc" && Identifier::phone("+4179123").ok().unwrap().bytes() == b"\x01+4179123"
        );
        assert!(Identifier::from_bytes(b"\x03abc").is_ok_and(|again| again == username));
        for refused in [&b""[..], b"\x03", b"\x03ABC", b"\x00abc", b"\x01abc", b"\x03a\xff\xff"] {
            assert!(Identifier::from_bytes(refused).is_err());
        }
    }
}
