//! Head slots, looked at by some of those who merge the commit that they come with: so that nobody has to wait at a door that
//! leads nowhere. Whoever finds one wrong commits next.

use rand::RngExt as _;
use undertone_credentials::group::Record;
use undertone_e2ee::{Generation, Member};
use undertone_wire::channel::{Entry, ReadHeadSlotReply};

use super::{Group, entrance::Opened, large};
use crate::{
    Result,
    db::{
        chats::{self, Chat},
        groups as rows, members,
    },
    own::Own,
    rules::{lists, mls},
    state::Tx,
};

/// So many members look at the head slot that comes with a commit, on the average: all of a small group, and enough of a large
/// one.
const LOOKERS: usize = 3;

/// A commit of somebody was merged; `ours` needs no looking at.
pub(crate) fn came(tx: &mut Tx<'_>, group: &Group, entry: &Entry, by: Member, ours: bool) -> Result<()> {
    let chat = group.stored.chat;
    // There are groups whose trees fit none.
    let none = !ours && entry.slot_hash.is_empty() && large::is_read(&lists::of_log(tx, chat)?);
    rows::set_head_wrong(tx.db, chat, none)?;
    let members = group.record()?.members().count().max(1);
    let looks = !ours && !entry.slot_hash.is_empty() && tx.rng.random_range(0..members) < LOOKERS;
    if looks {
        Ok(rows::look_at_head(tx.db, chat, entry.seq, by.account, by.device)?)
    } else {
        Ok(rows::set_looked(tx.db, chat)?)
    }
}

/// A commit was passed over: the position has moved on, and no head slot leads there. Whoever sees it commits next.
pub(crate) fn passed_over(tx: &Tx<'_>, group: Option<&Group>) -> Result<()> {
    let Some(group) = group else { return Ok(()) };
    rows::set_looked(tx.db, group.stored.chat)?;
    rows::set_head_wrong(tx.db, group.stored.chat, true)?;
    Ok(chats::set_owes(tx.db, group.stored.chat, true)?)
}

/// Looks at what the service has. A slot of another commit than the newest is none to look at.
pub(crate) fn look(
    tx: &mut Tx<'_>,
    own: &Own,
    chat: i64,
    reply: &ReadHeadSlotReply,
    sealed: Option<&[u8]>,
) -> Result<()> {
    let chat = chats::load(tx.db, chat)?;
    let group = Group::load(tx.db, chat.id)?;
    let (Some((seq, account, device)), Some(channel)) = (group.stored.head, &chat.channel) else { return Ok(()) };
    rows::set_looked(tx.db, chat.id)?;
    let there = (reply.incarnation, reply.epoch);
    if there != (channel.position.incarnation, channel.position.epoch) {
        return Ok(());
    }
    let right = match sealed.map(|sealed| Opened::open(&group, reply, sealed)) {
        // The service does not give what it stands for.
        None => false,
        Some(Err(_)) => false,
        Some(Ok(opened)) => is_right(tx, own, &chat, &opened, (seq, Member { account, device }))?,
    };
    if !right {
        tracing::info!("a head slot is not what it should be; a commit puts it right");
        rows::set_head_wrong(tx.db, chat.id, true)?;
        chats::set_owes(tx.db, chat.id, true)?;
    }
    Ok(())
}

fn is_right(tx: &mut Tx<'_>, own: &Own, chat: &Chat, opened: &Opened, (seq, by): (u64, Member)) -> Result<bool> {
    let channel = chat.channel()?;
    let place = &opened.slot.place;
    let seen = place.seen.clone().unwrap_or_default();
    let chain = chats::chain_at(tx.db, chat, seen.seq)?;
    // From before we came ourselves we cannot tell.
    let follows = seen.seq < seq && chain.is_none_or(|chain| seen.seq == 0 || chain.as_bytes()[..] == seen.chain[..]);
    let record = match Record::decode(&place.record) {
        Ok(record) => {
            let known = rows::revision(tx.db, chat.id, record.revision())?;
            known.is_none_or(|hash| hash == record.hash())
        }
        Err(_) => place.record.is_empty() && seen.seq == 0,
    };
    let numbers = (place.generation, place.group) == (channel.generation, channel.group);
    let (mut said, mut ours) = (place.device_lists.clone(), members::lists(tx.db, chat.id)?);
    said.sort();
    ours.sort();
    let generation = Generation::from_secret(*channel.generation_secret);
    let leads =
        mls::with_any(tx, own, channel, |me, mls| Ok(mls.check_head(me, &opened.slot, by, &generation).is_ok()))?;
    Ok(follows && record && numbers && said == ours && leads == Some(true))
}
