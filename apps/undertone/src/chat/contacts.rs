//! `contacts` and `listing`: from what was typed to what a home is asked, with the file read here.

use std::{fs::File, io::Read as _, path::Path};

use crate::{
    cli,
    command::Command,
    contacts::{self, AddressBook, Entry, Region, read_identifier, shown},
    failure::{Failure, Kind},
    output,
};

/// An address book with the images of all people in it.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Identifiers at once. What is beyond would take an account months to look up.
const ENTRIES_MAX: usize = 20_000;
/// What somebody is called, in characters.
const CONTACT_CHARS_MAX: usize = 64;

/// About the address book.
pub fn command(face: cli::Contacts) -> Result<Command, Failure> {
    Ok(match face {
        cli::Contacts::Discover { file, region, yes } => discover(&file, region, yes)?,
        cli::Contacts::List => Command::Contacts,
        cli::Contacts::Forget { contact, .. } => Command::ForgetContacts { contact },
    })
}

/// About ourselves.
pub fn listing(face: cli::Listing) -> Result<Command, Failure> {
    Ok(match face {
        cli::Listing::Add { own, words } => Command::AddListing { identifier: spelled(&own)?, words },
        cli::Listing::Confirm { own, code, words } => {
            Command::ConfirmListing { identifier: spelled(&own)?, code, words }
        }
        cli::Listing::Remove { own } => Command::RemoveListing { identifier: spelled(&own)? },
        cli::Listing::Show => Command::Listings,
    })
}

fn spelled(own: &cli::Own) -> Result<String, Failure> {
    let identifier = read_identifier(&own.identifier, own.region);
    identifier.map(|identifier| shown(&identifier)).map_err(|error| Failure::new(Kind::Usage, error.to_string()))
}

fn discover(file: &Path, region: Option<Region>, sure: bool) -> Result<Command, Failure> {
    let AddressBook { entries, skipped } = contacts::read(&read(file)?, region);
    for skipped in &skipped {
        output::note(&format!("line {} is skipped: \"{}\": {}", skipped.line, skipped.text, skipped.reason));
    }
    if entries.is_empty() {
        return Err(Failure::new(Kind::Usage, "there is nothing in this file that could be looked up"));
    }
    if entries.len() > ENTRIES_MAX {
        let message = format!("this file has {} identifiers; look up at most {ENTRIES_MAX} at once", entries.len());
        return Err(Failure::new(Kind::Usage, message));
    }
    let short = |Entry { contact, identifier }: Entry| {
        (contact.chars().take(CONTACT_CHARS_MAX).collect::<String>(), shown(&identifier))
    };
    Ok(Command::Discover { contacts: entries.into_iter().map(short).collect(), sure })
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| Failure::io("the address book cannot be read", &error))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Failure::new(Kind::Usage, "this file is larger than any address book; is it one?"));
    }
    Ok(bytes)
}
