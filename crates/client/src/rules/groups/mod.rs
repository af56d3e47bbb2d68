//! Groups: chats of many, whose members are those in the group's record.
//!
//! All that holds for a chat of two holds here, with one thing said otherwise: whose devices belong is not "ours and the
//! other's" but "those of the record's members, where the log stands". So the log judges leaves by the device lists of these,
//! and a group owes what a chat owes: the commit by which its leaves are again those of the lists. Two things are added. The
//! record changes by [changes](sending), which service and members judge alike; and who has a place and no leaf comes in
//! [by himself](entrance), so nobody has to ask anybody for the way back.

pub(crate) mod attributes;
pub(crate) mod entrance;
pub(crate) mod heads;
pub(crate) mod invitations;
pub(crate) mod large;
pub(crate) mod outside;
pub(crate) mod replay;
pub(crate) mod restart;
pub(crate) mod sending;
mod told;
pub(crate) mod wishes;

use rusqlite::Connection;
use sha2::{Digest as _, Sha256};
use undertone_credentials::{
    GroupMasterKey, GroupSecret,
    group::{Allowed, AttributeKind, Place, Pseudonym, Record, Role, Standing, table::Act},
};
use undertone_wire::{AccountId, ChannelId, content::Named, context::Context};

pub(crate) use self::{
    invitations::invited,
    told::{hear, known, tell},
};
use crate::{
    ClientError, Result,
    db::{
        DbError,
        chats::{self, Chat, State},
        contacts,
        groups::{self as rows, Stored},
    },
    own::Own,
    rules::letters,
    state::Tx,
};

/// What a group is called by among its members. It is computed, so that nobody can give a group the id of a person.
pub(crate) fn group_id(channel: ChannelId) -> AccountId {
    let hash: [u8; 32] = Sha256::digest(Context::GROUP_ID.bytes(&[channel.as_bytes()])).into();
    let [id @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = hash;
    AccountId::new(id)
}

/// A group as this home knows it.
pub(crate) struct Group {
    pub(crate) stored: Stored,
    pub(crate) secret: GroupSecret,
    /// Where we stand in the log; from outside, as the service has shown it. None before there is one.
    pub(crate) record: Option<Record>,
}

impl Group {
    /// # Errors
    /// When this chat is none.
    pub(crate) fn load(db: &Connection, chat: i64) -> Result<Self> {
        let stored = rows::load(db, chat)?.ok_or(ClientError::Bug("a chat that is no group"))?;
        let record = stored.record.as_deref().map(Record::decode).transpose().map_err(|_| DbError::Damaged)?;
        let secret = GroupMasterKey::from_bytes(&stored.master_key).secret();
        Ok(Self { stored, secret, record })
    }

    /// # Errors
    /// Before there is one.
    pub(crate) fn record(&self) -> Result<&Record> {
        self.record.as_ref().ok_or(ClientError::Bug("a group without a record"))
    }

    /// What somebody is called by in the record.
    pub(crate) fn entry(&self, db: &Connection, account: AccountId) -> Result<Pseudonym> {
        if let Some(entry) = rows::entry(db, self.stored.chat, account)? {
            return Ok(entry);
        }
        let entry = Pseudonym::from(&self.secret.encrypt(&account));
        rows::put_account(db, self.stored.chat, &entry, Some(account))?;
        Ok(entry)
    }

    /// Whom an entry encrypts; nobody, where it is void.
    pub(crate) fn account(&self, db: &Connection, entry: &Pseudonym) -> Result<Option<AccountId>> {
        if let Some(known) = rows::account(db, self.stored.chat, entry)? {
            return Ok(known);
        }
        let account = entry.entry().ok().and_then(|entry| self.secret.decrypt(&entry).ok());
        rows::put_account(db, self.stored.chat, entry, account)?;
        Ok(account)
    }

    /// How somebody stands.
    pub(crate) fn standing(&self, db: &Connection, account: AccountId) -> Result<Standing> {
        let Some(record) = &self.record else { return Ok(Standing::Nobody) };
        Ok(record.standing(&self.entry(db, account)?))
    }

    /// Whose devices belong: members, as far as their entries are somebody's.
    pub(crate) fn members(&self, db: &Connection) -> Result<Vec<(AccountId, Role)>> {
        self.record.as_ref().map_or(Ok(Vec::new()), |record| self.members_of(db, record))
    }

    /// The same of another record of this group.
    pub(crate) fn members_of(&self, db: &Connection, record: &Record) -> Result<Vec<(AccountId, Role)>> {
        let mut members = Vec::new();
        for (entry, role) in record.members() {
            members.extend(self.account(db, entry)?.map(|account| (account, role)));
        }
        Ok(members)
    }

    /// Whether somebody may say something.
    pub(crate) fn may_post(&self, db: &Connection, account: AccountId) -> Result<bool> {
        let Some(record) = &self.record else { return Ok(false) };
        Ok(record.allows(record.standing(&self.entry(db, account)?), Act::Post) == Allowed::Yes)
    }

    /// Somebody's place.
    pub(crate) fn place(&self, db: &Connection, account: AccountId) -> Result<Option<Place>> {
        let Some(record) = &self.record else { return Ok(None) };
        Ok(record.place(&self.entry(db, account)?).copied())
    }

    /// What it says of itself, if that can be read.
    pub(crate) fn attribute(&self, kind: AttributeKind) -> Option<String> {
        let sealed = self.record.as_ref()?.attribute(kind)?;
        attributes::open(&self.secret, kind, sealed)
    }

    /// What it is called; empty while that is not known.
    pub(crate) fn title(&self) -> String {
        self.attribute(AttributeKind::Title).map(|title| letters::name(&title)).unwrap_or_default()
    }

    /// What these people call themselves, as far as we know.
    pub(crate) fn names(tx: &Tx<'_>, own: &Own, accounts: &[AccountId]) -> Result<Vec<Named>> {
        let mut names = Vec::new();
        for account in accounts {
            let name = if *account == own.account { own.name.clone() } else { contacts::name(tx.db, *account)? };
            if !name.is_empty() {
                names.push(Named { account: (*account).into(), name });
            }
        }
        Ok(names)
    }
}

/// Takes note of what people call themselves of whom we know no name.
pub(crate) fn take_names(tx: &Tx<'_>, own: &Own, names: &[Named]) -> Result<()> {
    for Named { account, name } in names {
        let Ok(account) = AccountId::try_from(&account[..]) else { continue };
        if account != own.account && contacts::name(tx.db, account)?.is_empty() {
            contacts::put(tx.db, account, &letters::name(name))?;
        }
    }
    Ok(())
}

/// The group of this title or id.
///
/// # Errors
/// When several have this title.
pub(crate) fn named(tx: &Tx<'_>, who: &str) -> Result<Option<AccountId>> {
    let mut titled = Vec::new();
    for stored in rows::all(tx.db)? {
        let id = group_id(stored.channel);
        if id.to_hex() == who {
            return Ok(Some(id));
        }
        if Group::load(tx.db, stored.chat)?.title() == who {
            titled.push((chats::load(tx.db, stored.chat)?.state != State::Out, id));
        }
    }
    // Those that we are in come before those that we were in.
    if titled.iter().any(|(here, _)| *here) {
        titled.retain(|(here, _)| *here);
    }
    match titled[..] {
        [] => Ok(None),
        [(_, id)] => Ok(Some(id)),
        _ => Err(ClientError::AmbiguousName(who.to_owned())),
    }
}

/// A group's chat, by its title or id.
///
/// # Errors
/// When there is none.
pub(crate) fn existing(tx: &Tx<'_>, who: &str) -> Result<Chat> {
    let id = named(tx, who)?.ok_or_else(|| ClientError::UnknownGroup(who.to_owned()))?;
    chats::with(tx.db, id)?.ok_or_else(|| ClientError::UnknownGroup(who.to_owned()))
}

/// Whether we may say something in a group.
///
/// # Errors
/// Why not.
pub(crate) fn check_post(tx: &Tx<'_>, own: &Own, chat: &Chat) -> Result<()> {
    match chat.state {
        State::Request => return Err(ClientError::GroupWaits),
        State::Out => return Err(ClientError::NotInGroup),
        State::New | State::Invited | State::Open | State::Blocked => {}
    }
    let group = Group::load(tx.db, chat.id)?;
    let Some(record) = &group.record else { return Ok(()) };
    if record.is_closed() {
        return Err(ClientError::GroupClosed);
    }
    // What is owed is settled before.
    let standing = group.standing(tx.db, own.account)?;
    let may = match standing {
        Standing::Owner | Standing::Admin => true,
        Standing::Member => record.rules().post == undertone_credentials::group::Who::Members,
        Standing::Reader => false,
        // We are about to come in.
        _ => chat.state != State::Open,
    };
    if may { Ok(()) } else { Err(ClientError::OnlyReads) }
}
