//! Tokens for lookups in the directory. They are asked for only when somebody is looked up, always as many as an account can
//! have at once; the service grants of them what is left to this account.

use undertone_credentials::Wish;
use undertone_wire::{
    Week,
    account::{IssueLookupsReply, IssueLookupsRequest},
    limits::{LOOKUP, LOOKUPS_ONCE, TOKEN_WEEKS},
    objects::Purpose,
};

use super::{parameters, tokens};
use crate::{ClientError, Result, db::tokens as stock, state::Tx};

/// Nothing is put off for longer than until tomorrow, whatever the service says.
const PUT_OFF_MS_MAX: u64 = 24 * 3_600_000;

/// What is asked for: so many of each.
fn batch() -> [(Purpose, usize); LOOKUP.len()] {
    LOOKUP.map(|(purpose, each)| (purpose, each * LOOKUPS_ONCE as usize))
}

/// What is asked of the service. The same again until the answer has come, which costs nothing then.
///
/// # Errors
/// [`ClientError::NoDirectory`] where there is nothing to be looked up in.
pub(crate) fn request(tx: &mut Tx<'_>) -> Result<(IssueLookupsRequest, Vec<Wish>)> {
    let (list, week) = parameters::issuing(tx)?.ok_or(ClientError::NoDirectory)?;
    let is_offered = batch().iter().all(|(purpose, _)| list.token_key(*purpose, week).is_some());
    if !is_offered || list.directory_key().is_none() {
        return Err(ClientError::NoDirectory);
    }
    let wishes = tokens::asked(tx, week, &batch())?;
    Ok((IssueLookupsRequest { week: week.0, blinded: tokens::blinded(&wishes) }, wishes))
}

/// Takes in what was granted.
///
/// # Errors
/// [`ClientError::Marked`] when some of it was not issued under the key that everybody is shown; then nothing of it is
/// taken.
pub(crate) fn issued(tx: &Tx<'_>, wishes: &[Wish], reply: &IssueLookupsReply) -> Result<()> {
    let senseless = || ClientError::Refused("its answer makes no sense");
    let (list, _) = parameters::issuing(tx)?.ok_or(ClientError::NoDirectory)?;
    if reply.evaluated.len() != wishes.len() {
        return Err(senseless());
    }
    for (wish, evaluated) in wishes.iter().zip(&reply.evaluated) {
        let granted = wish.first(evaluated.elements.len()).map_err(|_| senseless())?;
        for token in tokens::finish(&list, &granted, evaluated)? {
            stock::add(tx.db, wish.purpose(), &token)?;
        }
    }
    stock::forget_wishes(tx.db, &batch())?;
    Ok(stock::set_lookups_from(tx.db, 0)?)
}

/// There are none for a while.
pub(crate) fn put_off(tx: &Tx<'_>, wait_ms: u64) -> Result<()> {
    Ok(stock::set_lookups_from(tx.db, tx.now.plus_ms(wait_ms.min(PUT_OFF_MS_MAX)).0)?)
}

/// Whether there are none now. What lies further ahead than that, a clock that was wrong has put there.
pub(crate) fn are_put_off(tx: &Tx<'_>) -> Result<bool> {
    let from_ms = stock::lookups_from_ms(tx.db)?;
    Ok(from_ms > tx.now.0 && from_ms - tx.now.0 <= PUT_OFF_MS_MAX)
}

/// How many tokens of a purpose are left that are still good.
pub(crate) fn left(tx: &Tx<'_>, purpose: Purpose) -> Result<usize> {
    if let Some((_, week)) = parameters::issuing(tx)? {
        stock::forget_before(tx.db, Week(week.0.saturating_sub(TOKEN_WEEKS)))?;
    }
    Ok(stock::free(tx.db, purpose)?)
}
