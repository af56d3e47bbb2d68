//! Blind tokens: what pays for the acts of nobody. A stock of them is kept, so that an act never follows its payment.
//!
//! A token pays for one request, by its bytes: it is bound to that before it is sent, and once it was sent it never pays
//! for another. So a retry brings the same tokens, and no two acts ever show the same one.
//!
//! What week it is, the service says in its parameters: tokens are good by its clock, not by ours.

use rusqlite::Connection;
use undertone_credentials::{CredentialError, Token as Fresh, VerifiedParameters, Wish};
use undertone_wire::{
    Now, Week,
    account::{Blinded, Evaluated, IssueTokensReply, IssueTokensRequest},
    limits::{RESERVE_TOKENS, TOKEN_BATCH, TOKEN_WEEKS},
    objects::{Purpose, Token},
};

use crate::{ClientError, Result, db::tokens, rules::parameters, state::Tx};

/// Batches that are kept at most. Of a batch a day those of two weeks are good; what lies beyond is forgotten, and never
/// shows by a batch that is not asked for.
const BATCHES_KEPT: usize = 32;
/// Nothing is put off for longer: by then there is another week.
const PUT_OFF_MS_MAX: u64 = 8 * 24 * 3_600_000;

/// What pays for an act: those tokens that were bound to it, and as many more as it lacks. None where the service takes
/// none.
///
/// # Errors
/// [`ClientError::NoTokens`] when there are not enough.
pub(crate) fn take(tx: &Tx<'_>, purpose: Purpose, act: &[u8; 32], price: usize) -> Result<Vec<Token>> {
    let Some((_, week)) = parameters::issuing(tx)? else { return Ok(Vec::new()) };
    tokens::forget_before(tx.db, Week(week.0.saturating_sub(TOKEN_WEEKS)))?;
    let bound = tokens::of_act(tx.db, act)?.len();
    tokens::bind(tx.db, purpose, act, price.saturating_sub(bound))?;
    let taken = tokens::of_act(tx.db, act)?;
    if taken.len() < price { Err(ClientError::NoTokens) } else { Ok(taken) }
}

/// As [`take`], for an act that is being sent now.
pub(crate) fn send(tx: &Tx<'_>, purpose: Purpose, act: &[u8; 32], price: usize) -> Result<Vec<Token>> {
    let taken = take(tx, purpose, act, price)?;
    tokens::set_sent(tx.db, act)?;
    Ok(taken)
}

/// Whether a batch is to be asked for: because it is time to, or because less is left of something than an act may cost.
/// `longest_ms`: what is due later than that from now, a clock that was wrong has put there.
pub(crate) fn is_due(tx: &Tx<'_>, longest_ms: u64) -> Result<bool> {
    let (due_ms, from_ms) = tokens::due_ms(tx.db)?;
    let comes = |moment: u64, longest: u64| moment > tx.now.0 && moment - tx.now.0 <= longest;
    if !comes(due_ms, longest_ms.max(PUT_OFF_MS_MAX)) {
        return Ok(true);
    }
    Ok(is_short(tx)? && !comes(from_ms, PUT_OFF_MS_MAX))
}

/// Whether less is left of something than an act may cost.
pub(crate) fn is_short(tx: &Tx<'_>) -> Result<bool> {
    let Some((list, week)) = parameters::issuing(tx)? else { return Ok(false) };
    for (purpose, _) in offered(&list, week) {
        if tokens::free(tx.db, purpose)? < RESERVE_TOKENS {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether no batch can be had for a while, however few are left.
pub(crate) fn are_put_off(db: &Connection, now: Now) -> Result<bool> {
    let (_, from_ms) = tokens::due_ms(db)?;
    Ok(from_ms > now.0)
}

/// What a batch consists of. A service of before blobs issues no tokens for them.
fn offered(list: &VerifiedParameters, week: Week) -> Vec<(Purpose, usize)> {
    TOKEN_BATCH.into_iter().filter(|(purpose, _)| list.token_key(*purpose, week).is_some()).collect()
}

/// What is asked of the service for one more batch: always of everything, and as much. The same again until the answer has
/// come, which costs nothing then. None where the service issues no tokens.
pub(crate) fn request(tx: &mut Tx<'_>) -> Result<Option<(IssueTokensRequest, Vec<Wish>)>> {
    let Some((list, week)) = parameters::issuing(tx)? else { return Ok(None) };
    let wishes = asked(tx, week, &offered(&list, week))?;
    Ok(Some((IssueTokensRequest { week: week.0, blinded: blinded(&wishes) }, wishes)))
}

/// So many tokens of each purpose: those that were asked for in this week, or fresh ones.
pub(super) fn asked(tx: &mut Tx<'_>, week: Week, batch: &[(Purpose, usize)]) -> Result<Vec<Wish>> {
    match wishes(tx, week, batch)? {
        Some(wishes) => Ok(wishes),
        None => fresh(tx, week, batch),
    }
}

/// What the service gets of it.
pub(super) fn blinded(wishes: &[Wish]) -> Vec<Blinded> {
    let blinded = wishes.iter().map(|wish| Blinded {
        purpose: wish.purpose() as u32,
        elements: wish.blinded().iter().map(|element| element.to_vec().into()).collect(),
    });
    blinded.collect()
}

/// Takes in what the service has issued, and sets when the next batch is asked for.
///
/// # Errors
/// [`ClientError::Marked`] when some of it was not issued under the key that everybody is shown; then nothing of it is
/// taken.
pub(crate) fn issued(tx: &Tx<'_>, wishes: &[Wish], reply: &IssueTokensReply, next_ms: u64) -> Result<()> {
    let (list, _) = parameters::issuing(tx)?.ok_or(ClientError::Bug("tokens without keys for them"))?;
    if reply.evaluated.len() != wishes.len() {
        return Err(ClientError::Refused("its answer makes no sense"));
    }
    for (wish, evaluated) in wishes.iter().zip(&reply.evaluated) {
        let fresh = finish(&list, wish, evaluated)?;
        for token in &fresh {
            tokens::add(tx.db, wish.purpose(), token)?;
        }
        tokens::forget_beyond(tx.db, wish.purpose(), fresh.len() * BATCHES_KEPT)?;
    }
    tokens::forget_wishes(tx.db, &TOKEN_BATCH)?;
    tokens::set_marked(tx.db, false)?;
    Ok(tokens::set_due(tx.db, next_ms, 0)?)
}

/// Asks for nothing before a moment, however few are left.
pub(crate) fn put_off(tx: &Tx<'_>, wait_ms: u64) -> Result<()> {
    let from_ms = tx.now.plus_ms(wait_ms.min(PUT_OFF_MS_MAX)).0;
    Ok(tokens::set_due(tx.db, from_ms, from_ms)?)
}

/// The service has come to another week: what it would not give in the one before, or could not make anything of, since it was
/// asked for when that had just ended, it may give now.
pub(super) fn not_put_off(tx: &Tx<'_>) -> Result<()> {
    if are_put_off(tx.db, tx.now)? { Ok(tokens::set_due(tx.db, tx.now.0, 0)?) } else { Ok(()) }
}

/// The tokens of one purpose out of an answer.
pub(super) fn finish(list: &VerifiedParameters, wish: &Wish, evaluated: &Evaluated) -> Result<Vec<Fresh>> {
    let key = list.token_key(wish.purpose(), wish.week()).ok_or(ClientError::Marked)?;
    wish.finish(key, &evaluated.elements, &evaluated.proof).map_err(|error| match error {
        CredentialError::Batch => ClientError::Refused("its answer makes no sense"),
        _ => ClientError::Marked,
    })
}

/// What was asked for in a week, if it did not come.
/// What was asked for in this week, if it was as much: another release may have asked for more or less.
fn wishes(tx: &Tx<'_>, week: Week, batch: &[(Purpose, usize)]) -> Result<Option<Vec<Wish>>> {
    let mut wishes = Vec::new();
    for (purpose, count) in batch {
        let wish = tokens::wish(tx.db, *purpose, week)?;
        wishes.extend(wish.filter(|wish| wish.blinded().len() == *count));
    }
    Ok((wishes.len() == batch.len()).then_some(wishes))
}

fn fresh(tx: &mut Tx<'_>, week: Week, batch: &[(Purpose, usize)]) -> Result<Vec<Wish>> {
    tokens::forget_wishes(tx.db, batch)?;
    let mut wishes = Vec::new();
    for (purpose, count) in batch {
        let wish = Wish::new(*purpose, week, *count, &mut tx.rng).map_err(|_| ClientError::Bug("an empty batch"))?;
        tokens::put_wish(tx.db, &wish)?;
        wishes.push(wish);
    }
    Ok(wishes)
}
