//! Profiles: what a person says of himself to those whom he talks to, and to nobody else.
//!
//! The service keeps it sealed, and gives it to whoever shows what only its key gives. The key goes along with messages of
//! chats that are open. Who is blocked, or whose device is removed, has a key that nothing new is sealed under.
//!
//! Our devices keep one profile: each tells the others by Shared, puts it by compare-and-set, and where two have changed
//! it, the later goes over the earlier. Revisions rise with the clock, so that what a recovered account says is newer
//! than all it has said.

use bytes::Bytes;
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};
use undertone_credentials::Profile;
use undertone_e2ee::{E2eeError, ProfileKey, open_profile, seal_profile};
use undertone_wire::{
    AccountId,
    account::{PutProfileRequest, ReadProfileReply, ReadProfileRequest},
    content::{self, Shared},
    limits,
    visitor::{FetchProfileReply, FetchProfileRequest},
};

use crate::{
    ClientError, Result,
    db::{
        DbError,
        chats::{Chat, State as ChatState},
        me,
        profiles::{self, Ours, Said, State},
    },
    own::Own,
    rules::{letters, lists, sync},
    state::Tx,
    view::ProfileChange,
};

/// Times that what the service has may be sealed under a key that we do not have yet. Another device of ours may have
/// made it, and be about to tell; or nobody has it any more.
const MISSES_MAX: u32 = 3;

/// What is to be done at our account.
pub(crate) enum Step {
    Put {
        request: PutProfileRequest,
        /// Of what is in it.
        revision: u64,
    },
    Read(ReadProfileRequest),
}

/// What came of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// It is known what to do next.
    GoOn,
    /// The next visit is to look again.
    Later,
}

/// Says something else of ourselves.
///
/// # Errors
/// When a part is longer than it may be, or the name none that can be.
pub(crate) fn set(tx: &mut Tx<'_>, own: &Own, change: &ProfileChange) -> Result<()> {
    let before = profiles::ours(tx.db)?;
    let mut said = before.as_ref().filter(|_| !change.clear).map(|ours| ours.said.clone()).unwrap_or_default();
    if let Some(name) = &change.name {
        if name.trim().is_empty() || letters::name(name) != *name {
            return Err(ClientError::BadName);
        }
        me::set_name(tx.db, name)?;
        said.name.clone_from(name);
    }
    if let Some(about) = &change.about {
        too_long(about.len(), limits::ABOUT_BYTES_MAX)?;
        said.about.clone_from(about);
    }
    if let Some(avatar) = &change.avatar {
        too_long(avatar.len(), limits::AVATAR_BYTES_MAX)?;
        said.avatar.clone_from(avatar);
    }
    let ours = match before {
        Some(ours) if ours.said == said => return Ok(()),
        None if said.is_empty() => return Ok(()),
        Some(ours) => Ours { revision: next(tx, ours.revision), said, state: State::Changed, ..ours },
        None => first(tx, said),
    };
    changed(tx, &ours)?;
    tell_ours(tx, own)
}

fn too_long(length: usize, max: usize) -> Result<()> {
    if length > max { Err(ClientError::ProfileTooLong { length, max }) } else { Ok(()) }
}

fn first(tx: &mut Tx<'_>, said: Said) -> Ours {
    let revision = next(tx, 0);
    let key = ProfileKey::generate(&mut tx.rng);
    Ours { key, former_key: None, revision, said, state: State::Changed, put: 0, misses: 0 }
}

/// Later than all that we know of.
fn next(tx: &Tx<'_>, revision: u64) -> u64 {
    revision.saturating_add(1).max(tx.now.0 / 1_000)
}

fn changed(tx: &Tx<'_>, ours: &Ours) -> Result<()> {
    profiles::set_ours(tx.db, ours)?;
    Ok(profiles::tell_all(tx.db, ChatState::Open as i64)?)
}

fn tell_ours(tx: &mut Tx<'_>, own: &Own) -> Result<()> {
    let shared = sync::shared(tx)?;
    sync::tell(tx, own, sync::Kind::Shared(shared))
}

/// Seals our profile under a fresh key from now on: somebody who has the key is not to open what follows. The caller tells
/// our other devices.
pub(crate) fn rotate(tx: &mut Tx<'_>) -> Result<()> {
    let Some(ours) = profiles::ours(tx.db)? else { return Ok(()) };
    let ours = rotated(tx, ours);
    changed(tx, &ours)
}

fn rotated(tx: &mut Tx<'_>, ours: Ours) -> Ours {
    let former_key = ours.former_key.clone().or_else(|| Some(ours.key.clone()));
    let key = ProfileKey::generate(&mut tx.rng);
    Ours { key, former_key, revision: next(tx, ours.revision), state: State::Changed, misses: 0, ..ours }
}

/// Rotates where somebody is blocked who may have the key, and tells our other devices.
pub(crate) fn blocked(tx: &mut Tx<'_>, own: &Own, chat: &Chat) -> Result<()> {
    if chat.state != ChatState::Open || profiles::ours(tx.db)?.is_none() {
        return Ok(());
    }
    rotate(tx)?;
    tell_ours(tx, own)
}

/// As it is told to our other devices, and kept in the vault.
pub(crate) fn shared_key(tx: &Tx<'_>) -> Result<Option<content::ProfileKey>> {
    let key = |ours: Ours| content::ProfileKey { key: bytes(&ours.key), revision: ours.revision };
    Ok(profiles::ours(tx.db)?.map(key))
}

fn bytes(key: &ProfileKey) -> Bytes {
    Bytes::copy_from_slice(key.as_bytes())
}

/// Another device of ours tells of our profile.
pub(crate) fn hear_ours(tx: &Tx<'_>, shared: &Shared) -> Result<()> {
    let Some((key, revision)) = shared.profile_key.as_ref().and_then(told_key) else { return Ok(()) };
    let Some(ours) = profiles::ours(tx.db)? else {
        let said = Said::default();
        let told = Ours { key, former_key: None, revision, said, state: State::Told, put: 0, misses: 0 };
        return Ok(profiles::set_ours(tx.db, &told)?);
    };
    if revision < ours.revision || (revision == ours.revision && key == ours.key) {
        return Ok(());
    }
    let ours = match (ours.state, &ours.former_key) {
        // What was changed here goes over it. A fresh key of ours is known to nobody else; an old one gives way.
        (State::Changed, Some(_)) => Ours { revision: next(tx, revision), ..ours },
        (State::Changed, None) => Ours { key, revision: next(tx, revision), ..ours },
        _ => Ours { key, former_key: None, revision, state: State::Told, misses: 0, ..ours },
    };
    Ok(profiles::set_ours(tx.db, &ours)?)
}

/// A key and a revision that can be: no clock comes further.
fn told_key(told: &content::ProfileKey) -> Option<(ProfileKey, u64)> {
    let revision = i64::try_from(told.revision).ok()?.unsigned_abs();
    Some((ProfileKey::try_from(&told.key[..]).ok()?, revision))
}

/// What is to be done at our account, if anything is.
pub(crate) fn next_step(tx: &mut Tx<'_>, own: &Own) -> Result<Option<Step>> {
    let Some(ours) = profiles::ours(tx.db)?.filter(|_| own.may_sign()) else { return Ok(None) };
    match ours.state {
        State::InStep => Ok(None),
        State::Told | State::Awaited => Ok(Some(Step::Read(ReadProfileRequest {}))),
        State::Changed => {
            let Ours { revision, said, .. } = &ours;
            let profile = content::Profile {
                revision: *revision,
                name: said.name.clone(),
                about: said.about.clone(),
                avatar: said.avatar.clone().into(),
                ..content::Profile::default()
            };
            let sealed = seal_profile(&ours.key, &own.identity_key, own.account, &profile, &mut tx.rng)?;
            let access_hash = Bytes::copy_from_slice(&Sha256::digest(*ours.key.access()));
            let request = PutProfileRequest { revision: ours.put.saturating_add(1), sealed, access_hash };
            Ok(Some(Step::Put { request, revision: *revision }))
        }
    }
}

/// The service has our profile of this revision, and counts it as `put`.
pub(crate) fn put(tx: &mut Tx<'_>, own: &Own, revision: u64, put: u64) -> Result<()> {
    let Some(ours) = profiles::ours(tx.db)? else { return Ok(()) };
    // Changed again meanwhile, it is put again.
    let state = if ours.revision == revision { State::InStep } else { ours.state };
    let former_key = ours.former_key.clone().filter(|_| state != State::InStep);
    profiles::set_ours(tx.db, &Ours { state, former_key, put, misses: 0, ..ours })?;
    // It may have become newer than we have told.
    tell_ours(tx, own)
}

/// What the service has.
pub(crate) fn read(tx: &mut Tx<'_>, reply: &ReadProfileReply) -> Result<Read> {
    let Some(ours) = profiles::ours(tx.db)? else { return Ok(Read::Later) };
    let ours = Ours { put: reply.revision, ..ours };
    let lists = [lists::of_ourselves(tx)?];
    let keys = std::iter::once(&ours.key).chain(&ours.former_key);
    let opened = keys.map(|key| open_profile(key, &lists, &reply.sealed)).find_map(Result::ok);
    let fresh_here = ours.state == State::Changed && ours.former_key.is_some();
    let ours = match opened {
        Some(profile) if profile.revision() > ours.revision && ours.state == State::Changed => {
            Ours { revision: next(tx, profile.revision()), ..ours }
        }
        Some(profile) if profile.revision() == ours.revision && ours.state == State::Changed => {
            match said(&profile) == ours.said {
                true => in_step(tx, ours, &profile)?,
                false => Ours { revision: next(tx, ours.revision), ..ours },
            }
        }
        Some(profile) if profile.revision() >= ours.revision => in_step(tx, ours, &profile)?,
        // Sealed by an identity that was replaced, or under a key that we do not have: not ours to write over, yet.
        None if !(reply.sealed.is_empty() || fresh_here) => {
            let misses = ours.misses + 1;
            let lost = misses >= MISSES_MAX;
            let ours = if lost { rotated(tx, ours) } else { Ours { misses, ..ours } };
            profiles::set_ours(tx.db, &ours)?;
            return Ok(if lost { Read::GoOn } else { Read::Later });
        }
        // Older, or none.
        _ if ours.state == State::Told => {
            profiles::set_ours(tx.db, &Ours { state: State::Awaited, ..ours })?;
            return Ok(Read::Later);
        }
        _ => Ours { state: State::Changed, ..ours },
    };
    profiles::set_ours(tx.db, &ours)?;
    Ok(Read::GoOn)
}

fn in_step(tx: &Tx<'_>, ours: Ours, profile: &Profile) -> Result<Ours> {
    let said = said(profile);
    if !said.name.is_empty() {
        me::set_name(tx.db, &said.name)?;
    }
    Ok(Ours { revision: profile.revision(), said, former_key: None, state: State::InStep, misses: 0, ..ours })
}

fn said(profile: &Profile) -> Said {
    Said { name: letters::name(profile.name()), about: profile.about().to_owned(), avatar: profile.avatar().to_vec() }
}

/// The key of our profile, where the other of a chat is to be told it.
pub(crate) fn rider(tx: &Tx<'_>, chat: &Chat) -> Result<Option<content::ProfileKey>> {
    let Some(ours) = profiles::ours(tx.db)?.filter(|ours| ours.state == State::InStep) else { return Ok(None) };
    let told = profiles::told(tx.db, chat.id)?;
    let nothing = told <= 0 && ours.said.is_empty();
    let newer = u64::try_from(told).is_ok_and(|told| told >= ours.revision);
    Ok((!nothing && !newer).then(|| content::ProfileKey { key: bytes(&ours.key), revision: ours.revision }))
}

/// Whether it is to be told even where there is nothing to say.
pub(crate) fn wants_note(tx: &Tx<'_>, chat: &Chat) -> Result<bool> {
    Ok(profiles::told(tx.db, chat.id)? != 0 && rider(tx, chat)?.is_some())
}

/// The key of our profile was told in a chat.
pub(crate) fn told(tx: &Tx<'_>, chat: i64, key: &content::ProfileKey) -> Result<()> {
    Ok(profiles::set_told(tx.db, chat, key.revision)?)
}

/// Somebody tells the key of his profile: it is to be fetched.
pub(crate) fn heard(tx: &Tx<'_>, account: AccountId, key: &content::ProfileKey) -> Result<()> {
    let Some((key, least)) = told_key(key) else { return Ok(()) };
    let known = profiles::theirs(tx.db, account)?;
    let newer = known.is_none_or(|known| least > known.least && least > known.revision);
    if newer {
        profiles::put_key(tx.db, account, &key, least)?;
    }
    Ok(())
}

/// The key of somebody's profile, as it is told to our other devices, and kept in the vault.
pub(crate) fn key_of(tx: &Tx<'_>, account: AccountId) -> Result<Option<content::ProfileKey>> {
    let known = profiles::theirs(tx.db, account)?;
    Ok(known.map(|known| content::ProfileKey { key: bytes(&known.key), revision: known.least.max(known.revision) }))
}

/// A visitor's question for somebody's profile.
pub(crate) fn request(db: &Connection, account: AccountId) -> Result<FetchProfileRequest> {
    let known = profiles::theirs(db, account)?.ok_or(DbError::Damaged)?;
    Ok(FetchProfileRequest { account: account.into(), access: Bytes::copy_from_slice(&*known.key.access()) })
}

/// Keeps what came, if it is what he says of himself, and not older than what we know. True: it was kept.
pub(crate) fn fetched(tx: &Tx<'_>, account: AccountId, reply: &FetchProfileReply) -> Result<bool> {
    let known = profiles::theirs(tx.db, account)?.ok_or(DbError::Damaged)?;
    let mut of_account = Vec::from_iter(lists::of_contact(tx, account)?);
    if let Some(chat) = crate::db::chats::with(tx.db, account)? {
        of_account.extend(lists::of_log(tx, chat.id)?.into_iter().filter(|list| list.account() == account));
    }
    match open_profile(&known.key, &of_account, &reply.sealed) {
        Ok(profile) if profile.revision() >= known.least.max(known.revision) => {
            profiles::set_theirs(tx.db, account, profile.revision(), &said(&profile))?;
            Ok(true)
        }
        Ok(_) | Err(E2eeError::Invalid(_) | E2eeError::Unsupported) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
