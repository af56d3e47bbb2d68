//! Address books: from a file as other programs write it to identifiers, each in its one spelling.
//!
//! ```text
//!   text    bytes -> characters
//!    |
//!   vcard, table, lines    characters -> fields: who, and what may be an identifier of his
//!    |
//!   identifier, phone      a field -> an identifier, or why it is none
//! ```
//!
//! The file is the person's own, but others may have written what is in it: whatever stands there, it is read or passed
//! over with a reason, and nothing more.

mod identifier;
mod lines;
mod phone;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod vcard;

use std::collections::HashSet;

use undertone_wire::Identifier;

pub use identifier::{Unusable, read as read_identifier, shown};
pub use phone::Region;

/// Somebody in an address book, under one of his identifiers.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// What he is called there.
    pub contact: String,
    /// How he may be found.
    pub identifier: Identifier,
}

/// What cannot be looked up.
pub struct Skipped {
    /// Where it begins, from 1.
    pub line: usize,
    /// What stands there.
    pub text: String,
    /// What is wrong with it.
    pub reason: Unusable,
}

/// An address book.
#[derive(Default)]
pub struct AddressBook {
    /// In the order of the file, none twice.
    pub entries: Vec<Entry>,
    /// In the order of the file.
    pub skipped: Vec<Skipped>,
}

/// What may be an identifier of somebody.
struct Field<'a> {
    line: usize,
    /// What he is called; empty where nothing says it.
    contact: String,
    text: std::borrow::Cow<'a, str>,
    /// It stands where an identifier is to be expected: if it is none, that is said.
    expected: bool,
}

/// Reads a vCard file (versions 2.1, 3 and 4), a table (CSV, with any header or none), or a list of one identifier a line.
/// Numbers without a country are those of `region`.
pub fn read(bytes: &[u8], region: Option<Region>) -> AddressBook {
    let text = text::decode(bytes);
    let fields = if vcard::is_one(&text) {
        vcard::fields(&text)
    } else if let Some(table) = table::parse(&text) {
        table::fields(&table, region)
    } else {
        lines::fields(&text, region)
    };
    collect(fields, region)
}

fn collect(fields: Vec<Field<'_>>, region: Option<Region>) -> AddressBook {
    let mut book = AddressBook::default();
    let mut seen = HashSet::new();
    for Field { line, contact, text, expected } in fields {
        match read_identifier(&text, region) {
            Ok(identifier) => {
                let contact = if contact.is_empty() { shown(&identifier) } else { contact };
                let entry = Entry { contact, identifier };
                if seen.insert(entry.clone()) {
                    book.entries.push(entry);
                }
            }
            Err(reason) if expected => {
                book.skipped.push(Skipped { line, text: text.trim().to_owned(), reason });
            }
            Err(_) => {}
        }
    }
    book
}
