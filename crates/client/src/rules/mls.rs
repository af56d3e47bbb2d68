//! The MLS group of a channel, for one operation on it.
//!
//! Where all goes well it stays in memory for the next who asks: to read a large one takes longer than what is done with it.

use undertone_e2ee::{Chat as Mls, E2eeError, Me, Member, Suite};

use crate::{Result, db::chats::Channel, own::Own, state::Tx};

/// Does something with the group of a channel.
///
/// # Errors
/// [`E2eeError::Private`] where we have none; those of `act`.
pub(crate) fn with<T>(
    tx: &mut Tx<'_>,
    own: &Own,
    channel: &Channel,
    act: impl FnOnce(&Me<'_>, &mut Mls) -> Result<T, E2eeError>,
) -> Result<T> {
    Ok(with_any(tx, own, channel, act)?.ok_or(E2eeError::Private)?)
}

/// The same where there may be none.
pub(crate) fn with_any<T>(
    tx: &mut Tx<'_>,
    own: &Own,
    channel: &Channel,
    act: impl FnOnce(&Me<'_>, &mut Mls) -> Result<T, E2eeError>,
) -> Result<Option<T>> {
    let store = tx.mls();
    let me = own.me(&store, tx.rng);
    let Some(mut mls) = Mls::load(&me, channel.id, channel.group)? else { return Ok(None) };
    let done = act(&me, &mut mls)?;
    mls.keep(&me);
    Ok(Some(done))
}

/// Whose leaves are in it, and its suite.
pub(crate) fn leaves(tx: &mut Tx<'_>, own: &Own, channel: &Channel) -> Result<(Vec<Member>, Suite)> {
    with(tx, own, channel, |_, mls| Ok((mls.members(), mls.suite())))
}
