//! Who of the address book is here: what is to be evaluated and what asked, and what comes of the answers.
//!
//! An identifier is evaluated once for each directory key, which costs tokens. With the secret that this gives it is looked
//! up in a base, once; from then on the changes of each day tell the rest, for nothing. Nothing that is sent depends on who
//! is in the address book, but only on how many.

use sha2::{Digest as _, Sha256};
use undertone_credentials::{
    VerifiedParameters, verify_directory,
    voprf::{Blinded, Element, Proof, PublicKey, SecretScalar, Voprf},
};
use undertone_discovery::{Change, Delta, DiscoverySecret, Header};
use undertone_wire::{
    AccountId, Identifier, Message as _,
    directory::{self, EvaluateReply, EvaluateRequest, ReadDirectoryReply},
    limits::{EVALUATIONS, EVALUATIONS_A_TOKEN, LOOKUP_PART_BYTES},
    objects::Purpose,
    paid::Paid as _,
};

use super::{lookups, tokens};
use crate::{
    ClientError, Result,
    db::{
        directory::{self as book, Known},
        tokens as stock,
    },
    state::Tx,
};

/// Of this format of the head.
const VERSION: u32 = 1;
/// Days of changes that one head may list: more than any service keeps.
const DELTAS_MAX: usize = 64;
/// Changes of one day, in bytes: what has more of them is better asked anew.
const DELTA_BYTES_MAX: u32 = 8 << 20;
/// Random bytes that stand for no identifier.
const PADDING_LEN: usize = 24;

/// What the service says that there is to be looked up in: signed, and under the key that everybody is shown.
pub(crate) struct Head {
    /// SHA-256.
    pub(crate) hash: [u8; 32],
    pub(crate) base: Header,
    /// Oldest first.
    pub(crate) deltas: Vec<DeltaPart>,
}

/// The changes of a day, as they are downloaded.
pub(crate) struct DeltaPart {
    pub(crate) day: u32,
    pub(crate) hash: [u8; 32],
    pub(crate) bytes: usize,
}

impl Head {
    /// Checks what the service says.
    ///
    /// # Errors
    /// [`ClientError::Directory`] where it cannot be believed, [`ClientError::UpdateNeeded`] where it is of a later release.
    pub(crate) fn check(list: &VerifiedParameters, reply: &ReadDirectoryReply) -> Result<Self> {
        verify_directory(list.head_key(), &reply.head, &reply.signature)
            .map_err(|_| ClientError::Directory("the service did not sign it"))?;
        let senseless = || ClientError::Directory("what the service signed makes no sense");
        let head = directory::Head::decode(reply.head.clone()).map_err(|_| senseless())?;
        match head.version {
            VERSION => {}
            newer if newer > VERSION => return Err(ClientError::UpdateNeeded),
            _ => return Err(senseless()),
        }
        if list.directory_key().is_none_or(|key| head.key[..] != key.as_bytes()[..]) {
            return Err(ClientError::Directory("it is under another key than everybody is shown"));
        }
        let base = Header::from_bytes(&head.base).map_err(|error| match error {
            undertone_discovery::DiscoveryError::Newer => ClientError::UpdateNeeded,
            _ => senseless(),
        })?;
        let ordered = head.deltas.is_sorted_by(|one, next| one.day < next.day);
        if !ordered || head.deltas.len() > DELTAS_MAX {
            return Err(senseless());
        }
        let part = |delta: &directory::Delta| {
            let hash = delta.hash[..].try_into().ok().filter(|_| delta.bytes <= DELTA_BYTES_MAX);
            Some(DeltaPart { day: delta.day, hash: hash?, bytes: usize::try_from(delta.bytes).ok()? })
        };
        let deltas = head.deltas.iter().map(part).collect::<Option<_>>().ok_or_else(senseless)?;
        Ok(Self { hash: Sha256::digest(&reply.head).into(), base, deltas })
    }

    /// The day up to which it knows changes.
    fn newest(&self) -> u32 {
        self.deltas.last().map_or(0, |delta| delta.day).max(self.base.through())
    }

    /// Whether it lists all changes since a day.
    fn covers(&self, day: u32) -> bool {
        self.deltas.first().is_some_and(|oldest| oldest.day <= day.saturating_add(1))
    }
}

/// In how many parts so many bytes travel.
pub(crate) fn parts_of(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(LOOKUP_PART_BYTES)).unwrap_or(u32::MAX)
}

/// An input, and the blind that hides it.
type Hidden = (Vec<u8>, SecretScalar);

/// A batch of identifiers that is evaluated, hidden and padded.
pub(crate) struct Batch {
    inputs: Vec<Vec<u8>>,
    blinded: Blinded<Voprf>,
    pub(crate) request: EvaluateRequest,
}

/// How many identifiers are yet to be evaluated.
pub(crate) fn unevaluated(tx: &Tx<'_>, list: &VerifiedParameters) -> Result<usize> {
    let key = list.directory_key().ok_or(ClientError::NoDirectory)?;
    Ok(book::unevaluated(tx.db, key.as_bytes(), usize::MAX >> 1)?.len())
}

/// The inputs of the next batch, with their blinds: those of the one that is under way, or fresh ones. None: there is
/// nothing to be evaluated.
///
/// # Errors
/// [`ClientError::LookupsUsedUp`] where nothing is left that pays for it.
pub(crate) fn next_inputs(tx: &mut Tx<'_>, key: &PublicKey) -> Result<Option<Vec<Hidden>>> {
    let begun = book::evaluations(tx.db)?;
    if !begun.is_empty() {
        return Ok(Some(begun));
    }
    let mut inputs = book::unevaluated(tx.db, key.as_bytes(), EVALUATIONS.into_iter().max().unwrap_or_default())?;
    if inputs.is_empty() {
        return Ok(None);
    }
    let left = lookups::left(tx, Purpose::Evaluation)?;
    let size = size(inputs.len(), left).ok_or(ClientError::LookupsUsedUp)?;
    inputs.truncate(size);
    while inputs.len() < size {
        // It begins as no identifier does.
        inputs.push([&[0], &tx.random::<PADDING_LEN>()[..]].concat());
    }
    for input in &inputs {
        let blind = SecretScalar::random(&mut tx.rng);
        book::put_evaluation(tx.db, input, &blind)?;
    }
    Ok(Some(book::evaluations(tx.db)?))
}

/// How large a batch of so many is: the smallest that holds them, or else the largest that so many tokens pay for.
fn size(identifiers: usize, tokens: usize) -> Option<usize> {
    let paid = |size: &usize| size.div_ceil(EVALUATIONS_A_TOKEN) <= tokens;
    let paid: Vec<_> = EVALUATIONS.into_iter().filter(paid).collect();
    paid.iter().find(|size| **size >= identifiers).or(paid.last()).copied()
}

/// How many tokens the evaluation of so many takes.
pub(crate) fn price(identifiers: usize) -> usize {
    let largest = EVALUATIONS.into_iter().max().unwrap_or_default();
    let size = size(identifiers, usize::MAX).unwrap_or(largest);
    (identifiers.saturating_sub(size)).div_ceil(EVALUATIONS_A_TOKEN) + size.div_ceil(EVALUATIONS_A_TOKEN)
}

impl Batch {
    /// Hides the inputs. It takes a while.
    pub(crate) fn new(inputs: Vec<Hidden>) -> Result<Self> {
        let names = inputs.iter().map(|(input, _)| input.clone()).collect();
        let blinded = Blinded::new(inputs).map_err(|_| ClientError::Bug("a batch that cannot be hidden"))?;
        let elements = blinded.elements().iter().map(|element| element.as_bytes().to_vec().into()).collect();
        Ok(Self { inputs: names, blinded, request: EvaluateRequest { elements, tokens: Vec::new() } })
    }

    /// What pays for it, from now on for nothing else.
    ///
    /// # Errors
    /// [`ClientError::LookupsUsedUp`].
    pub(crate) fn pay(&mut self, tx: &Tx<'_>) -> Result<()> {
        let price = self.request.elements.len().div_ceil(EVALUATIONS_A_TOKEN);
        self.request.tokens = send(tx, Purpose::Evaluation, &self.request.spent_on(), price)?;
        Ok(())
    }

    /// The service takes none of what was to pay for it.
    pub(crate) fn unpaid(&self, tx: &Tx<'_>) -> Result<()> {
        Ok(stock::forget(tx.db, &self.request.spent_on())?)
    }

    /// Takes the secrets out of an answer. It takes a while.
    ///
    /// # Errors
    /// [`ClientError::Directory`] where they were not made by the key that everybody is shown.
    pub(crate) fn open(&self, key: &PublicKey, reply: &EvaluateReply) -> Result<Vec<DiscoverySecret>> {
        let opened = || {
            let evaluated = reply.elements.iter().map(|bytes| Element::try_from(&bytes[..]));
            let evaluated = evaluated.collect::<Result<Vec<_>, _>>()?;
            self.blinded.unblind(key, &evaluated, &Proof::try_from(&reply.proof[..])?)
        };
        let elements = opened()
            .map_err(|_| ClientError::Directory("identifiers were evaluated by another key than everybody is shown"))?;
        Ok(elements.iter().map(DiscoverySecret::from).collect())
    }

    /// Keeps them.
    pub(crate) fn keep(&self, tx: &Tx<'_>, key: &PublicKey, secrets: &[DiscoverySecret]) -> Result<()> {
        for (input, secret) in self.inputs.iter().zip(secrets) {
            book::set_evaluated(tx.db, input, key.as_bytes(), secret)?;
        }
        book::forget_evaluations(tx.db)?;
        Ok(stock::forget(tx.db, &self.request.spent_on())?)
    }

    /// How many identifiers are in it.
    pub(crate) fn identifiers(&self) -> usize {
        self.inputs.iter().filter(|input| input.first().is_some_and(|kind| *kind != 0)).count()
    }
}

/// What pays for a lookup.
///
/// # Errors
/// [`ClientError::LookupsUsedUp`].
pub(crate) fn send(
    tx: &Tx<'_>,
    purpose: Purpose,
    act: &[u8; 32],
    price: usize,
) -> Result<Vec<undertone_wire::objects::Token>> {
    tokens::send(tx, purpose, act, price).map_err(|error| match error {
        ClientError::NoTokens => ClientError::LookupsUsedUp,
        error => error,
    })
}

/// Brings those up to date of whom everything is known up to a day since when the head lists all changes.
///
/// # Errors
/// [`ClientError::Directory`] where what was downloaded makes no sense.
pub(crate) fn catch_up(tx: &Tx<'_>, list: &VerifiedParameters, head: &Head) -> Result<()> {
    let key = list.directory_key().ok_or(ClientError::NoDirectory)?;
    let deltas = Deltas::load(tx, head)?;
    for known in book::known(tx.db, key.as_bytes())? {
        if let Some(day) = known.as_of.filter(|day| head.covers(*day)) {
            deltas.tell(tx, &known, day)?;
        }
    }
    Ok(())
}

/// Those of whom it is not known who they are as of now.
pub(crate) fn to_ask(tx: &Tx<'_>, list: &VerifiedParameters, head: &Head) -> Result<Vec<Known>> {
    let key = list.directory_key().ok_or(ClientError::NoDirectory)?;
    let mut known = book::known(tx.db, key.as_bytes())?;
    known.retain(|known| known.as_of.is_none_or(|day| !head.covers(day)));
    Ok(known)
}

/// Takes in who they are.
pub(crate) fn answered(tx: &Tx<'_>, head: &Head, asked: &[Known], found: &[Option<AccountId>]) -> Result<()> {
    let deltas = Deltas::load(tx, head)?;
    for (known, account) in asked.iter().zip(found) {
        book::set_found(tx.db, &known.identifier, *account, head.base.through())?;
        deltas.tell(tx, known, head.base.through())?;
    }
    Ok(())
}

/// Changes of days, oldest first.
struct Deltas {
    days: Vec<(u32, Delta)>,
    newest: u32,
}

impl Deltas {
    fn load(tx: &Tx<'_>, head: &Head) -> Result<Self> {
        let load = |part: &DeltaPart| {
            let delta = Delta::from_bytes(&book::whole(tx.db, &part.hash)?);
            let delta = delta.ok().filter(|delta| delta.number() == part.day);
            Ok((part.day, delta.ok_or(ClientError::Directory("its changes of a day make no sense"))?))
        };
        Ok(Self { days: head.deltas.iter().map(load).collect::<Result<_>>()?, newest: head.newest() })
    }

    /// What has changed for somebody after a day.
    fn tell(&self, tx: &Tx<'_>, known: &Known, day: u32) -> Result<()> {
        for (_, delta) in self.days.iter().filter(|(told, _)| *told > day) {
            match delta.find(&known.secret) {
                Some(Change::Added(account)) => book::set_found(tx.db, &known.identifier, Some(account), self.newest)?,
                Some(Change::Removed) => book::set_found(tx.db, &known.identifier, None, self.newest)?,
                None => {}
            }
        }
        Ok(book::set_as_of(tx.db, &known.identifier, self.newest.max(day))?)
    }
}

/// Writes an address book down.
///
/// # Errors
/// When the database fails.
pub(crate) fn remember(tx: &Tx<'_>, contacts: &[(String, Identifier)]) -> Result<()> {
    for (contact, identifier) in contacts {
        book::put(tx.db, contact, identifier)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_as_large_as_it_must_be_or_as_can_be_paid_for() {
        for (identifiers, tokens, expected) in [
            (1, 50, Some(32)),
            (32, 50, Some(32)),
            (33, 50, Some(256)),
            (257, 50, Some(1_600)),
            (1_600, 50, Some(1_600)),
            (257, 49, Some(256)),
            (257, 7, Some(32)),
            (33, 8, Some(256)),
            (1, 0, None),
        ] {
            assert_eq!(size(identifiers, tokens), expected, "{identifiers} for {tokens}");
        }
        assert_eq!([1, 33, 1_600, 1_601].map(price), [1, 8, 50, 51]);
    }

    #[test]
    fn parts_are_counted_to_the_last() {
        assert_eq!([0, 1, LOOKUP_PART_BYTES, LOOKUP_PART_BYTES + 1].map(parts_of), [0, 1, 1, 2]);
    }
}
