//! Changes as the log has them, one after the other: what the service has let somebody do is history, and never refused.

use undertone_credentials::{
    CredentialError,
    group::{Change, Record},
    verify_change,
};
use undertone_wire::{AccountId, channel::Entry, content::Seen};

use super::{Group, wishes};
use crate::{
    ClientError, Result,
    db::{
        chats::{self, Chat, State},
        contacts, groups as rows, members, outbox,
    },
    own::Own,
    rules::{entrance, heads, letters},
    state::Tx,
};

/// The change that an entry tells of.
///
/// # Errors
/// [`ClientError::UpdateNeeded`] for what a later release has written; [`ClientError::BadHead`] where the service has not
/// signed it.
pub(crate) fn change(own: &Own, group: &Group, entry: &Entry) -> Result<Change> {
    verify_change(heads::head_key(own)?, group.stored.channel, entry).map_err(|error| match error {
        CredentialError::Newer => ClientError::UpdateNeeded,
        _ => ClientError::BadHead,
    })
}

/// The record after a change. One that does not follow is the service's fraud.
///
/// # Errors
/// [`ClientError::BadHead`].
pub(crate) fn after(group: &Group, record: Option<&Record>, change: &Change) -> Result<Record> {
    let next = match record {
        None => Record::create(change),
        Some(record) => record.apply(change),
    };
    let next = next.map_err(|_| ClientError::BadHead)?;
    let ours = next.group_public() == group.secret.public().as_bytes();
    if ours { Ok(next) } else { Err(ClientError::BadHead) }
}

impl Group {
    /// Takes a change in. Returns whom it has taken out: their lists judge no more.
    pub(crate) fn take(&mut self, tx: &Tx<'_>, change: &Change) -> Result<Vec<AccountId>> {
        let next = after(self, self.record.as_ref(), change)?;
        let mut gone = Vec::new();
        for entry in change.names() {
            let Some(account) = self.account(tx.db, entry)? else { continue };
            if !next.standing(entry).is_member() {
                members::remove(tx.db, self.stored.chat, account)?;
                gone.push(account);
            }
        }
        rows::set_record(tx.db, self.stored.chat, &next.encode())?;
        rows::put_revision(tx.db, self.stored.chat, next.revision(), &next.hash())?;
        self.record = Some(next);
        Ok(gone)
    }

    /// A new epoch begins here.
    pub(crate) fn begin_epoch(&mut self, tx: &Tx<'_>) -> Result<()> {
        let Some(record) = &self.record else { return Ok(()) };
        self.stored.epoch_revision = record.revision();
        Ok(rows::set_epoch(tx.db, self.stored.chat, record.revision())?)
    }

    /// Whether the committer of an entry had the record that we have, of a revision of this epoch. All members come to the
    /// same, whenever they came in: an epoch begins for everybody with the same revision.
    pub(crate) fn agrees(&self, tx: &Tx<'_>, seen: &Seen) -> Result<bool> {
        let known = rows::revision(tx.db, self.stored.chat, seen.revision)?;
        Ok(known.is_some_and(|hash| hash[..] == seen.record_hash[..]))
    }

    /// What a committer calls himself.
    pub(crate) fn hear_name(&self, tx: &Tx<'_>, own: &Own, account: AccountId, seen: &Seen) -> Result<()> {
        if account != own.account && !seen.name.is_empty() {
            contacts::put(tx.db, account, &letters::name(&seen.name))?;
        }
        Ok(())
    }
}

/// We are out of a group, or never came in: what was said stays, and all keys go. What we still wanted of it is not done; and whom
/// we have let in before is told all the same.
pub(crate) fn leave_behind(tx: &mut Tx<'_>, own: &Own, chat: &Chat) -> Result<()> {
    if let Some(channel) = &chat.channel {
        entrance::forget(tx, own, channel)?;
    }
    wishes::give_up(tx, chat)?;
    outbox::clear(tx.db, chat.id)?;
    crate::db::large::forget_all(tx.db, chat.id)?;
    rows::forget_way(tx.db, chat.id)?;
    rows::set_entering(tx.db, chat.id, false)?;
    chats::clear_channel(tx.db, chat.id)?;
    Ok(chats::set_state(tx.db, chat.id, State::Out)?)
}
