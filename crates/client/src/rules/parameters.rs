//! What the service shows to all alike: held against what it showed before, and against what it showed others.

use std::sync::Arc;

use bytes::Bytes;
use undertone_credentials::{CredentialError, VerifiedParameters, verify_parameters_seen};
use undertone_wire::{AccountId, Message as _, Week, circuit::SignedParameters, content::ParametersSeen};

use crate::{
    ClientError, Result,
    db::{
        DbError,
        chats::{self, Chat, Trouble},
        me,
        parameters::{self, Shown},
    },
    own::Own,
    rules::{heads, tokens},
    state::Tx,
};

/// Takes in what a circuit showed. True: it is the first that this home sees of its service.
///
/// # Errors
/// When the service did not sign it, or goes back on what it has shown. Nothing is to be said on such a circuit.
pub(crate) fn shown(tx: &Tx<'_>, signed: &SignedParameters) -> Result<bool> {
    let list = tx.verified.parameters(signed).map_err(|error| match error {
        CredentialError::Newer => ClientError::UpdateNeeded,
        _ => ClientError::Refused("it shows keys that it did not sign"),
    })?;
    // A home that is about to be filled has nothing to hold them against yet.
    let Some(me) = me::load(tx.db)? else { return Ok(false) };
    if i64::try_from(list.revision()).is_err() {
        return Err(ClientError::Refused("it counts further than it can"));
    }
    if !me::pin_head_key(tx.db, list.head_key().as_bytes())? {
        return Err(ClientError::ParametersChanged);
    }
    let new = Shown {
        revision: list.revision(),
        hash: *list.hash(),
        signature: list.signature().to_vec(),
        body: signed.body.to_vec(),
    };
    let newest = parameters::newest(tx.db)?.map(|newest| newest.revision);
    match parameters::of_revision(tx.db, new.revision)? {
        Some(known) if known.hash != new.hash => return Err(ClientError::ParametersChanged),
        Some(_) if newest == Some(new.revision) => {}
        // It was signed before another that we have seen meanwhile.
        Some(_) => return Err(ClientError::Offline("it is behind what it showed before; try again")),
        None if newest.is_some_and(|newest| newest > new.revision) => return Err(ClientError::ParametersChanged),
        None => {
            let before = issuing(tx)?.map(|(_, week)| week);
            parameters::put(tx.db, &new)?;
            if before != list.week() {
                tokens::not_put_off(tx)?;
            }
            for (chat, seen) in parameters::heard(tx.db)? {
                compare(tx, me.account, chat, &seen)?;
            }
        }
    }
    Ok(me.head_key.is_none())
}

/// The list that holds, and the week in which tokens are issued by it. None where the service issues none.
pub(crate) fn issuing(tx: &Tx<'_>) -> Result<Option<(Arc<VerifiedParameters>, Week)>> {
    let Some(Shown { body, signature, .. }) = parameters::newest(tx.db)? else { return Ok(None) };
    let list = tx.verified.parameters(&SignedParameters { body: body.into(), signature: signature.into() });
    let list = list.map_err(|_| DbError::Damaged)?;
    Ok(list.week().map(|week| (list, week)))
}

/// What we were shown, to be told along with a message of ours; none where the chat knows it.
pub(crate) fn rider(tx: &Tx<'_>, chat: &Chat) -> Result<Option<ParametersSeen>> {
    let told = parameters::told(tx.db, chat.id)?;
    Ok(parameters::newest(tx.db)?.filter(|newest| newest.revision > told).as_ref().map(seen))
}

/// It stands in the log of a chat.
pub(crate) fn told(tx: &Tx<'_>, chat: i64, seen: &ParametersSeen) -> Result<()> {
    Ok(parameters::set_told(tx.db, chat, seen.revision)?)
}

/// The other of a chat, or another device of ours in the chat with ourselves, tells what he was shown: if the service has
/// signed that, it is held against what we were shown, now or once we are.
pub(crate) fn heard(tx: &Tx<'_>, own: &Own, chat: &Chat, seen: &ParametersSeen) -> Result<()> {
    let Ok(hash) = <&[u8; 32]>::try_from(&seen.hash[..]) else { return Ok(()) };
    let countable = i64::try_from(seen.revision).is_ok();
    if !countable || verify_parameters_seen(heads::head_key(own)?, seen.revision, hash, &seen.signature).is_err() {
        return Ok(());
    }
    parameters::set_heard(tx.db, chat.id, seen)?;
    compare(tx, own.account, chat.id, seen)
}

/// Both are signed. If they differ, that is the service's work alone.
fn compare(tx: &Tx<'_>, account: AccountId, chat: i64, theirs: &ParametersSeen) -> Result<()> {
    let Some(ours) = parameters::of_revision(tx.db, theirs.revision)? else { return Ok(()) };
    if ours.hash[..] == theirs.hash[..] {
        return Ok(());
    }
    let mut proof = seen(&ours).encode_length_delimited_to_vec();
    proof.extend(theirs.encode_length_delimited_to_vec());
    let first = parameters::set_other_keys(tx.db, chat, &proof)?;
    let chat = chats::load(tx.db, chat)?;
    if chat.peer == account {
        // Our devices still need each other. The one from which we have it is to know as well.
        if first {
            parameters::set_untold(tx.db, chat.id)?;
        }
        return Ok(());
    }
    if chat.trouble.is_proven() {
        return Ok(());
    }
    Ok(chats::set_trouble(tx.db, chat.id, Trouble::OtherKeys)?)
}

fn seen(shown: &Shown) -> ParametersSeen {
    ParametersSeen {
        revision: shown.revision,
        hash: Bytes::copy_from_slice(&shown.hash),
        signature: Bytes::copy_from_slice(&shown.signature),
    }
}
