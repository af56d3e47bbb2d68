//! Changes on their way into the log, and what goes before and with them.
//!
//! A wish is kept as its actions alone. Only when its turn has come it is made into a change of the record as that is now,
//! with what must follow; when others were faster, the same actions are made into another. So nothing of a change outlives the
//! moment that it was made for, and no two clients need to agree on anything but the log.

use sha2::{Digest as _, Sha256};
use undertone_credentials::{
    DeviceList,
    group::{Action, Change, Follows, Record, Refused},
};
use undertone_e2ee::{E2eeError, Generation, Lists};
use undertone_wire::{
    AccountId, Day, IdempotencyId,
    channel::{EntryKind, Refusal},
    content::Seen,
    ladder, limits,
};

use super::{Group, entrance, invitations, large::Beside, wishes};
use crate::{
    ClientError, Result,
    db::{
        chats::{self, Channel, Chat, State},
        outbox::{self, Attempt, Item},
    },
    own::Own,
    rules::{
        begin::Fetched,
        heads, lists, mls,
        outbox::{Batch, UnderWay, is_note, messages, under_way_with},
        owed::Owed,
    },
    state::Tx,
};

/// Our own leaf is renewed so often, with something that we say.
const RENEWAL_MS: u64 = 7 * 24 * 3_600_000;

/// Why a change was not made, where it is not the record that stands against it: of somebody whom it adds no device can be
/// added now.
pub(crate) const NO_KEYS: i32 = 100;
/// A device of somebody whom it adds, or invites, is of a release that knows of no groups.
pub(crate) const TOO_OLD: i32 = 101;
/// The group would have more devices than a head slot can lead to.
pub(crate) const TOO_LARGE: i32 = 103;
/// We have no place in the group any more.
pub(crate) const OUT: i32 = 102;

/// What of a group goes out next: what is under way already; or else the first change that somebody wants, what the group
/// owes, and what is to be said.
pub(crate) fn next(tx: &mut Tx<'_>, own: &Own, chat: &Chat, self_update_ms: u64) -> Result<Option<Batch>> {
    let Some(channel) = chat.channel.as_ref().filter(|_| chat.is_read()) else { return Ok(None) };
    let group = Group::load(tx.db, chat.id)?;
    let batch = |items: Vec<UnderWay>| {
        let begins = items.iter().any(|item| !item.installs.is_empty());
        let by_key = group.record.as_ref().is_some_and(Record::posts_by_key) && !group.stored.entering;
        let change = items.first().is_some_and(|item| item.kind == EntryKind::Change);
        Some(Batch { chat: chat.id, items, channel: channel.id, shows: !change && (begins || !by_key) })
    };
    let mut items = outbox::first(tx.db, chat.id, limits::APPEND_ENTRIES_MAX)?;
    let under_way: Vec<_> = items.iter().filter_map(UnderWay::of).collect();
    if !under_way.is_empty() {
        return Ok(batch(under_way));
    }
    if group.stored.entering || chat.state != State::Open {
        return Ok(None);
    }
    for item in items.iter().filter(|item| item.kind == EntryKind::Change) {
        let Some(fetched) = wishes::fetched(tx, item.n)? else { continue };
        let actions = wishes::actions(item)?;
        let made = tx.attempt(|tx| change(tx, own, chat, channel, &group, actions, &fetched, Some(item)))?;
        let made = match made {
            // What it takes does not fit an entry, or what leads in does not fit a slot.
            Err(ClientError::E2ee(E2eeError::TooLong)) => Err(TOO_LARGE),
            made => made?,
        };
        match made {
            Ok(made) => return Ok(batch(made)),
            Err(why) => {
                // Those who are in by the wishes before it come by themselves.
                invite_left(tx, own, chat, &group, &fetched, &Owed::default())?;
                outbox::set_refused(tx.db, item.n, why)?;
            }
        }
    }
    items.retain(|item| item.kind == EntryKind::Message);
    let Some(record) = group.record.as_ref().filter(|record| !record.is_closed()) else { return Ok(None) };
    if record.is_owed() {
        let settled = change(tx, own, chat, channel, &group, vec![Action::Settle], &[], None)?;
        return Ok(settled.ok().and_then(batch));
    }
    let says = items.iter().any(|item| !is_note(item)) && group.may_post(tx.db, own.account)?;
    if let Some(commit) = owed(tx, own, chat, channel, &group, record, says)? {
        return Ok(batch(vec![commit]));
    }
    if !says {
        return Ok(None);
    }
    if chat.doubled || renewal_is_due(tx, chat, &group, self_update_ms) {
        let commit = commit(tx, own, chat, channel, &group, record, &Owed::default())?;
        return Ok(batch(vec![commit]));
    }
    let seen = Seen { revision: record.revision(), ..heads::seen(chat)? };
    let messages = messages(tx, own, chat, channel, &items, &seen)?;
    Ok(if messages.is_empty() { None } else { batch(messages) })
}

/// Whoever was added by another renews his leaf soon, and later each week: nothing of a tree stays as it was. But of all
/// members not more than one at a time.
fn renewal_is_due(tx: &Tx<'_>, chat: &Chat, group: &Group, self_update_ms: u64) -> bool {
    // Either way: a clock that was ahead must not put it off for long.
    let quiet = tx.now.0.abs_diff(chat.updated_ms) >= self_update_ms;
    quiet && tx.now.0.abs_diff(group.stored.renewed_ms) >= RENEWAL_MS
}

/// The commit that a group owes, if it owes one. `says`: whether there is something to say anyhow.
fn owed(
    tx: &mut Tx<'_>,
    own: &Own,
    chat: &Chat,
    channel: &Channel,
    group: &Group,
    record: &Record,
    says: bool,
) -> Result<Option<UnderWay>> {
    if !chat.owes && !says {
        return Ok(None);
    }
    let owed = compare(tx, own, chat, channel, &belonging(tx, group, record)?, &[])?;
    if !group.stored.head_wrong && (owed.is_empty() || (owed.can_wait() && !says)) {
        chats::set_owes(tx.db, chat.id, false)?;
        return Ok(None);
    }
    commit(tx, own, chat, channel, group, record, &owed).map(Some)
}

/// A group's leaves, held against the lists of those who belong.
fn compare(
    tx: &mut Tx<'_>,
    own: &Own,
    chat: &Chat,
    channel: &Channel,
    belongs: &[AccountId],
    comers: &[Fetched],
) -> Result<Owed> {
    let (leaves, suite) = mls::leaves(tx, own, channel)?;
    Owed::of_group(tx, own, chat, &leaves, belongs, comers, suite)
}

fn belonging(tx: &Tx<'_>, group: &Group, record: &Record) -> Result<Vec<AccountId>> {
    Ok(group.members_of(tx.db, record)?.into_iter().map(|(account, _)| account).collect())
}

/// Makes actions into a change of the record as it is now, with what must follow it at least. Inside an error: why they cannot
/// be done.
#[allow(clippy::too_many_arguments, reason = "all of one moment")]
fn change(
    tx: &mut Tx<'_>,
    own: &Own,
    chat: &Chat,
    channel: &Channel,
    group: &Group,
    mut actions: Vec<Action>,
    fetched: &[Fetched],
    wish: Option<&Item>,
) -> Result<Result<Vec<UnderWay>, i32>> {
    let record = group.record.as_ref();
    let leaves_only = actions.iter().all(|action| matches!(action, Action::Leave | Action::Settle));
    if record.is_some_and(Record::is_owed) && !leaves_only {
        actions.insert(0, Action::Settle);
    }
    if let Err(why) = wishes::check_fetched(&actions, fetched) {
        return Ok(Err(why));
    }
    let actor = group.entry(tx.db, own.account)?;
    let (mut change, next) =
        match follow(record, |follows, revision| Change { revision, actor, actions: actions.clone(), follows }) {
            Ok(made) => made,
            Err(refused) => return Ok(Err(number(refused))),
        };
    let mut made = Vec::new();
    let defers = match wish {
        Some(item) => wishes::follows(tx, chat.id, item)?.is_some(),
        None => false,
    };
    if change.follows != Follows::Nothing {
        let comers = if defers { &[] } else { fetched };
        let mut owed = compare(tx, own, chat, channel, &belonging(tx, group, &next)?, comers)?;
        if change.follows == Follows::Generation {
            owed.begin();
        }
        if owed.removes() || owed.begins() {
            change.follows = Follows::Generation;
        }
        for action in &change.actions {
            if let Action::Add(whom, _) = action
                && !defers
                && !group.account(tx.db, whom)?.is_some_and(|account| owed.adds(account))
            {
                return Ok(Err(NO_KEYS));
            }
        }
        if !defers {
            invite_left(tx, own, chat, group, fetched, &owed)?;
        }
        // What follows it is no part of the record, so that this one is the same.
        made.push(commit(tx, own, chat, channel, group, &next, &owed)?);
    }
    let Ok(body) = change.encode() else { return Ok(Err(Refusal::Full.into())) };
    let attempt = Attempt {
        id: IdempotencyId::new(tx.random()),
        body_hash: Sha256::digest(&body).into(),
        body: body.to_vec(),
        position: channel.position,
        expiry_day: Day(0),
    };
    let n = match wish {
        Some(item) => item.n,
        None => outbox::push_before(tx.db, chat.id, EntryKind::Change)?,
    };
    outbox::set_attempt(tx.db, n, &attempt)?;
    made.insert(0, UnderWay { kind: EntryKind::Change, attempt, installs: Vec::new(), slot: Vec::new() });
    Ok(Ok(made))
}

/// Tells those of the group of whom it has no device, and gets none by this commit, so that they come in by themselves.
fn invite_left(tx: &mut Tx<'_>, own: &Own, chat: &Chat, group: &Group, fetched: &[Fetched], owed: &Owed) -> Result<()> {
    let mut left = Vec::new();
    for account in fetched.iter().map(|comer| comer.list.account()).filter(|account| !owed.adds(*account)) {
        if group.standing(tx.db, account)?.is_member() {
            left.push(account);
        }
    }
    invitations::invite(tx, own, chat, &left)
}

/// The change with the least that may follow it, and the record that comes of it. A group's first change comes with a commit,
/// so that there is a head slot from the beginning.
fn follow(record: Option<&Record>, change: impl Fn(Follows, u64) -> Change) -> Result<(Change, Record), Refused> {
    let revision = record.map_or(1, |record| record.revision().saturating_add(1));
    let least = if record.is_some() { Follows::Nothing } else { Follows::Commit };
    let mut refused = Refused::Follows;
    for follows in [Follows::Nothing, Follows::Commit, Follows::Generation].into_iter().filter(|one| *one >= least) {
        let change = change(follows, revision);
        match record.map_or_else(|| Record::create(&change), |record| record.apply(&change)) {
            Ok(next) => return Ok((change, next)),
            Err(Refused::Follows) => {}
            Err(other) => {
                refused = other;
                break;
            }
        }
    }
    Err(refused)
}

/// As the service would say it.
pub(crate) fn number(refused: Refused) -> i32 {
    let refusal = match refused {
        Refused::NotAllowed => Refusal::NotAllowed,
        Refused::Owed => Refusal::Owed,
        Refused::Full => Refusal::Full,
        Refused::Closed => Refusal::Closed,
        Refused::Follows => Refusal::Follows,
        Refused::Owner => Refusal::Owner,
        _ => Refusal::Target,
    };
    refusal.into()
}

/// A commit for the record that stands before it, with the head slot by which others come in.
fn commit(
    tx: &mut Tx<'_>,
    own: &Own,
    chat: &Chat,
    channel: &Channel,
    group: &Group,
    record: &Record,
    owed: &Owed,
) -> Result<UnderWay> {
    let belongs = belonging(tx, group, record)?;
    let mut in_log = lists::of_log(tx, chat.id)?;
    in_log.retain(|list| belongs.contains(&list.account()));
    let seen = entrance::seen_by(own, chat, record)?;
    let generation = Generation::from_secret(*channel.generation_secret);
    let judging = Lists::from_iter(&in_log).and_newcomers(belongs.iter().copied());
    let plan = owed.plan();
    let (committed, mut head) =
        mls::with(tx, own, channel, |me, mls| mls.commit_with_head(me, &plan, &generation, &judging, &seen))?;
    let mut lists: Vec<DeviceList> = in_log;
    for newer in owed.lists() {
        lists.retain(|list| list.account() != newer.account());
        lists.push(newer.clone());
    }
    let generation = channel.generation + u32::from(committed.generation.is_some());
    head.place = entrance::place(tx, own, channel, group, &lists, generation)?;
    let beside = match Beside::of(tx, group, channel, &head, &lists) {
        // Nobody comes in by it; whoever is in goes on.
        Err(ClientError::E2ee(E2eeError::TooLong)) if committed.invitation.is_none() => Beside::without_slot(&lists),
        beside => beside?,
    };
    under_way_with(tx, chat, channel, EntryKind::Commit, committed, beside)
}

/// The record stands against what was under way: a change that somebody wanted is not made, and he is told why; all else is
/// made anew, if it is to be.
pub(crate) fn refused(tx: &mut Tx<'_>, own: &Own, chat: i64, why: i32) -> Result<()> {
    let items = outbox::first(tx.db, chat, 1)?;
    given_up(tx, own, chat)?;
    match items.first() {
        Some(item) if item.kind == EntryKind::Change && !item.content.is_empty() => {
            outbox::set_refused(tx.db, item.n, why)
        }
        _ => Ok(()),
    }?;
    Ok(())
}

/// What is under way certainly stands nowhere: it is made anew, if it is still to be.
pub(crate) fn given_up(tx: &mut Tx<'_>, own: &Own, chat: i64) -> Result<()> {
    let loaded = chats::load(tx.db, chat)?;
    if Group::load(tx.db, chat)?.stored.entering {
        return entrance::give_up(tx, own, &loaded);
    }
    if loaded.channel.is_some() { crate::rules::outbox::refused(tx, own, chat) } else { Ok(()) }
}

/// Whether all devices of a list know of groups.
pub(super) fn knows_groups(list: &DeviceList) -> bool {
    list.devices().iter().all(|device| device.features.contains(&ladder::GROUPS))
}
