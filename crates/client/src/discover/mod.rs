//! Looking an address book up: what the faces ask, and what is known of it.

mod lookup;

use std::collections::BTreeSet;

use tokio::sync::watch;
use undertone_wire::{Identifier, limits::EVALUATIONS};

use self::lookup::Lookup;
use crate::{
    ClientError, Engine, Result,
    db::directory as book,
    rules::{discovery, parameters},
};

/// Somebody of the address book, under one of his identifiers.
#[derive(Clone)]
pub struct Contact {
    /// What he is called there.
    pub contact: String,
    /// How he may be found.
    pub identifier: Identifier,
    /// Account id, hexadecimal; none: nobody is listed there, or it was not asked yet.
    pub account: Option<String>,
    /// Whether it was.
    pub asked: bool,
}

/// What looking up would tell the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookupPlan {
    /// Identifiers that are looked up for the first time.
    pub new: usize,
    /// As how many they show.
    pub shown: usize,
}

/// How far a lookup is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LookupStep {
    /// It begins.
    #[default]
    Begun,
    /// Our account asks for lookups.
    Paying,
    /// So many seconds are waited, so that nothing follows the visit to our account at once.
    Waiting(u64),
    /// So many identifiers are evaluated, of so many.
    Evaluating(usize, usize),
    /// So many bytes are here of what everybody downloads, of so many.
    Downloading(usize, usize),
    /// So many bytes of questions and answers have gone over the line, of so many.
    Asking(usize, usize),
    /// The service has no room just now.
    Queued,
}

impl Engine {
    /// What it would tell the service to look these up, as far as this home can say.
    ///
    /// # Errors
    /// When the database fails.
    pub fn lookup_plan(&self, contacts: &[(String, Identifier)]) -> Result<LookupPlan> {
        self.shared.own()?;
        let new = self.shared.write_quietly(|tx| {
            let list = parameters::issuing(tx)?;
            let key = list.and_then(|(list, _)| list.directory_key().map(|key| *key.as_bytes())).unwrap_or_default();
            let mut new: BTreeSet<_> = book::unevaluated(tx.db, &key, usize::MAX >> 1)?.into_iter().collect();
            for (_, identifier) in contacts {
                if !book::is_evaluated(tx.db, identifier, &key)? {
                    new.insert(identifier.bytes());
                }
            }
            Ok(new.len())
        })?;
        let largest = EVALUATIONS.into_iter().max().unwrap_or_default();
        let rest = EVALUATIONS.into_iter().find(|size| *size >= new % largest).unwrap_or(largest);
        let shown = if new.is_multiple_of(largest) { new } else { new - new % largest + rest };
        Ok(LookupPlan { new, shown })
    }

    /// Writes these into the address book, and looks up who of it is here. What was found out stays so, whatever happens, and
    /// whatever was paid for is not paid for again. `step` is told how far it is.
    ///
    /// # Errors
    /// What the service does, [`ClientError::LookupsUsedUp`] when some of them have to wait.
    pub async fn look_up(&self, contacts: &[(String, Identifier)], step: &watch::Sender<LookupStep>) -> Result<()> {
        let own = self.shared.own()?;
        self.shared.write(|tx| discovery::remember(tx, contacts))?;
        let _alone = self.shared.looking_up.lock().await;
        Lookup::new(&self.shared, &own, step).run().await
    }

    /// The address book, as far as it was looked up.
    ///
    /// # Errors
    /// When the database fails.
    pub fn address_book(&self) -> Result<Vec<Contact>> {
        self.shared.own()?;
        let lines = self.shared.read(|db| Ok(book::lines(db)?))?;
        let contact = |book::Line { contact, identifier, account, asked }| Contact {
            contact,
            identifier,
            account: account.map(|account| account.to_hex()),
            asked,
        };
        Ok(lines.into_iter().map(contact).collect())
    }

    /// Forgets somebody of the address book, or everybody; chats stay. To look him up again costs again. How many lines that
    /// were.
    ///
    /// # Errors
    /// [`ClientError::UnknownName`] when nobody is called so there.
    pub fn forget_contacts(&self, contact: Option<&str>) -> Result<usize> {
        self.shared.own()?;
        let forgotten = self.shared.write(|tx| Ok(book::forget(tx.db, contact)?))?;
        match contact {
            Some(contact) if forgotten == 0 => Err(ClientError::UnknownName(contact.to_owned())),
            _ => Ok(forgotten),
        }
    }
}
