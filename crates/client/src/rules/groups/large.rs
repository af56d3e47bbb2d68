//! Commits and head slots that are too large for a log: they are put as blobs, and references stand for them.
//!
//! A reference stands in a log only as long as the service has seen that what it stands for is there. So a member cannot
//! refer to nothing; and whoever does not get what is there is as one for whom it has expired: he comes in anew by the newest
//! head slot. What a log means never depends on what somebody could fetch.

use std::borrow::Cow;

use undertone_credentials::DeviceList;
use undertone_e2ee::{E2eeError, Head, seal_head};
use undertone_wire::{
    channel::{Entry, EntryKind},
    ladder,
    large::Large,
};

use super::{Group, entrance};
use crate::{
    Result,
    db::{
        chats::{Channel, Chat},
        large::{self, State},
    },
    state::Tx,
};

/// What goes with a commit into the log, besides its keys.
#[derive(Default)]
pub(crate) struct Beside {
    /// The head slot as it stands; empty where there is none.
    pub(crate) slot: Vec<u8>,
    /// Whether the commit itself may be large.
    pub(crate) may_be_large: bool,
}

impl Beside {
    /// Nothing of a group of these lists.
    pub(crate) fn without_slot(lists: &[DeviceList]) -> Self {
        Self { slot: Vec::new(), may_be_large: is_read(lists) }
    }

    /// The head slot of a commit that is made where `channel` stands, in a group of these lists.
    ///
    /// # Errors
    /// As for [`standing`].
    pub(crate) fn of(
        tx: &mut Tx<'_>,
        group: &Group,
        channel: &Channel,
        head: &Head,
        lists: &[DeviceList],
    ) -> Result<Self> {
        let position = channel.position.after(EntryKind::Commit);
        let sealed = seal_head(&entrance::slot_key(group), channel.id, position, head, &mut tx.rng)?;
        let may_be_large = is_read(lists);
        Ok(Self { slot: standing(tx, group.stored.chat, sealed.to_vec(), may_be_large)?, may_be_large })
    }
}

/// What stands in a log for a commit or a head slot of ours: itself, or where it is too large a reference, if all of the
/// group's devices know what to do with one.
///
/// # Errors
/// [`E2eeError::TooLong`].
pub(crate) fn standing(tx: &Tx<'_>, chat: i64, sealed: Vec<u8>, may_be_large: bool) -> Result<Vec<u8>> {
    if sealed.len() <= tx.rungs.inline_bytes {
        return Ok(sealed);
    }
    let reference = Large::of(&sealed).filter(|_| may_be_large).ok_or(E2eeError::TooLong)?;
    large::put(tx.db, chat, &reference, State::Ours, &sealed)?;
    Ok(reference.to_bytes().to_vec())
}

/// Whether all devices of all lists read what is large.
pub(super) fn is_read(lists: &[DeviceList]) -> bool {
    let reads = |list: &DeviceList| list.devices().iter().all(|device| device.features.contains(&ladder::LARGE));
    lists.iter().all(reads)
}

/// Whether an entry of a group can be read now. If not, it is to be fetched.
pub(crate) fn is_here(tx: &Tx<'_>, chat: &Chat, entry: &Entry) -> Result<bool> {
    let Some(reference) = Large::parse(&entry.body).filter(|_| chat.is_group) else { return Ok(true) };
    want(tx, chat.id, &reference)
}

/// Whether what a reference stands for is known, or cannot be had. If neither, it is to be fetched.
pub(crate) fn want(tx: &Tx<'_>, chat: i64, reference: &Large) -> Result<bool> {
    match large::load(tx.db, chat, reference)? {
        Some((State::Wanted, _)) => Ok(false),
        Some(_) => Ok(true),
        None => {
            large::put(tx.db, chat, reference, State::Wanted, &[])?;
            Ok(false)
        }
    }
}

/// The body of an entry, or what its reference stands for. None: that cannot be had.
pub(crate) fn body<'a>(tx: &Tx<'_>, chat: &Chat, entry: &'a Entry) -> Result<Option<Cow<'a, [u8]>>> {
    let Some(reference) = Large::parse(&entry.body).filter(|_| chat.is_group) else {
        return Ok(Some(Cow::Borrowed(&entry.body)));
    };
    Ok(match large::load(tx.db, chat.id, &reference)? {
        Some((State::Ours | State::Here, bytes)) => Some(Cow::Owned(bytes)),
        _ => None,
    })
}

/// An entry was read.
pub(crate) fn was_read(tx: &Tx<'_>, chat: &Chat, entry: &Entry) -> Result<()> {
    let reference = Large::parse(&entry.body).filter(|_| chat.is_group);
    reference.map_or(Ok(()), |reference| Ok(large::forget(tx.db, chat.id, &reference)?))
}

/// What was to be fetched is there; none: it cannot be had.
pub(crate) fn fetched(tx: &Tx<'_>, chat: i64, reference: &Large, bytes: Option<Vec<u8>>) -> Result<()> {
    let state = if bytes.is_some() { State::Here } else { State::Gone };
    Ok(large::put(tx.db, chat, reference, state, &bytes.unwrap_or_default())?)
}
