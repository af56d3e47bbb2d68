//! What a person wants of a group, kept until it was done or cannot be.

use undertone_credentials::group::{Action, AttributeKind, Change, Follows, Link, Role, Rules, Standing, Who};
use undertone_wire::{AccountId, Message as _, channel::EntryKind, limits, visitor::FetchContactReply};
use zeroize::Zeroizing;

use super::{Group, attributes, invitations, sending};
use crate::{
    ClientError, Result,
    db::{
        chats::{self, Chat, State},
        contacts, groups as rows,
        outbox::{self, Item},
    },
    groups::{GroupAct, GroupRole, GroupRules, LinkMode, NewGroup},
    own::Own,
    rules::{begin::Fetched, compose, letters},
    state::Tx,
};

/// Actions of one wish: a change has room for so many, and for what is owed before.
const ACTIONS_MAX: usize = limits::GROUP_ACTIONS_MAX - 1;

/// Puts actions among what waits, in as many wishes as they take. Returns the last one's number.
pub(crate) fn want(tx: &Tx<'_>, own: &Own, chat: &Chat, actions: Vec<Action>) -> Result<i64> {
    let group = Group::load(tx.db, chat.id)?;
    let whole = if actions.len() <= ACTIONS_MAX { actions.len() } else { ACTIONS_MAX };
    let (first, rest) = actions.split_at_checked(whole).ok_or(ClientError::TooMuchAtOnce)?;
    let mut n = want_one(tx, own, chat, &group, first.to_vec())?;
    for some in rest.chunks(ACTIONS_MAX) {
        n = want_one(tx, own, chat, &group, some.to_vec())?;
    }
    Ok(n)
}

fn want_one(tx: &Tx<'_>, own: &Own, chat: &Chat, group: &Group, actions: Vec<Action>) -> Result<i64> {
    let mut others = Vec::new();
    for action in &actions {
        if let Action::Add(whom, _) | Action::Invite(whom, _) = action {
            others.extend(group.account(tx.db, whom)?);
        }
    }
    let actor = group.entry(tx.db, own.account)?;
    let wish = Change { revision: 1, actor, actions, follows: Follows::Nothing };
    let wish = wish.encode().map_err(|_| ClientError::TooMuchAtOnce)?;
    let n = outbox::push(tx.db, chat.id, EntryKind::Change, &wish)?;
    for account in others {
        rows::want_fetched(tx.db, n, account)?;
    }
    Ok(n)
}

/// The wish that follows one, if it adds people too. Then the commit of that one adds those of both: a tree to which many are
/// added at once costs each of them less than all the commits that would be between.
pub(crate) fn follows(tx: &Tx<'_>, chat: i64, item: &Item) -> Result<Option<i64>> {
    if !adds(item)? {
        return Ok(None);
    }
    let mut items = outbox::first(tx.db, chat, usize::from(u16::MAX))?;
    items.retain(|next| next.kind == EntryKind::Change && next.n > item.n);
    match items.iter().min_by_key(|next| next.n) {
        Some(next) if adds(next)? => Ok(Some(next.n)),
        _ => Ok(None),
    }
}

/// Whether a wish adds people. What a group owes is nobody's wish.
fn adds(item: &Item) -> Result<bool> {
    if item.content.is_empty() {
        return Ok(false);
    }
    Ok(actions(item)?.iter().any(|action| matches!(action, Action::Add(..))))
}

/// What is wanted.
pub(super) fn actions(item: &Item) -> Result<Vec<Action>> {
    Ok(Change::decode(&item.content).map_err(|_| ClientError::Bug("our own change"))?.actions)
}

/// The keys of those whom a wish adds or invites; none where some of them are yet to be fetched.
pub(super) fn fetched(tx: &Tx<'_>, n: i64) -> Result<Option<Vec<Fetched>>> {
    let mut all = Vec::new();
    for (account, reply) in rows::fetched(tx.db, n)? {
        let Some(reply) = reply else { return Ok(None) };
        let reply = FetchContactReply::decode(&reply[..]).map_err(|_| crate::db::DbError::Damaged)?;
        all.push(Fetched::check(account, &reply)?);
    }
    Ok(Some(all))
}

/// Keeps what was fetched for a wish, if the person has signed it.
pub(crate) fn keep_fetched(
    tx: &Tx<'_>,
    own: &Own,
    n: i64,
    account: AccountId,
    reply: &FetchContactReply,
) -> Result<()> {
    let fetched = Fetched::check(account, reply)?;
    contacts::put(tx.db, account, "")?;
    fetched.keep(tx, own)?;
    Ok(rows::put_fetched(tx.db, n, account, &reply.encode_to_vec())?)
}

/// We are out: nothing is done any more of what waits, and whoever wanted it is told; but not that he was to be out himself. What
/// is under way may have been done.
pub(super) fn give_up(tx: &Tx<'_>, chat: &Chat) -> Result<()> {
    for item in outbox::first(tx.db, chat.id, usize::from(u16::MAX))? {
        let waits = item.kind == EntryKind::Change && !item.content.is_empty() && item.attempt.is_none();
        if waits && !matches!(actions(&item)?[..], [Action::Leave | Action::Decline]) {
            outbox::set_refused(tx.db, item.n, sending::OUT)?;
        }
    }
    Ok(())
}

/// Whether all whom a wish brings in know of groups.
pub(super) fn check_fetched(_: &[Action], fetched: &[Fetched]) -> Result<(), i32> {
    if fetched.iter().all(|comer| sending::knows_groups(&comer.list)) { Ok(()) } else { Err(sending::TOO_OLD) }
}

/// What a new group begins with, besides being made.
pub(crate) fn first(tx: &mut Tx<'_>, own: &Own, chat: &Chat, new: &NewGroup) -> Result<Vec<Action>> {
    let group = Group::load(tx.db, chat.id)?;
    let mut actions = vec![Action::Create { group_public: *group.secret.public().as_bytes(), rules: rules(new.rules) }];
    if letters::name(&new.title) != new.title || new.title.is_empty() {
        return Err(ClientError::BadName);
    }
    actions.push(attributes::set(tx, &group.secret, AttributeKind::Title, new.title.as_bytes())?);
    if !new.description.is_empty() {
        let description = new.description.as_bytes();
        actions.push(attributes::set(tx, &group.secret, AttributeKind::Description, description)?);
    }
    for who in &new.members {
        let account = compose::whom(tx, own, who, compose::is_company)?;
        actions.push(Action::Add(group.entry(tx.db, account)?, Role::Member));
    }
    Ok(actions)
}

/// What a person wants, as actions.
///
/// # Errors
/// When it is of somebody who is not there, or cannot be wanted as one stands.
pub(crate) fn of(tx: &mut Tx<'_>, own: &Own, chat: &Chat, act: &GroupAct) -> Result<Vec<Action>> {
    let group = Group::load(tx.db, chat.id)?;
    if chat.state == State::Out {
        return Err(ClientError::NotInGroup);
    }
    let known = |tx: &Tx<'_>, who: &str| -> Result<_> {
        let account = member(tx, own, &group, who)?;
        group.entry(tx.db, account)
    };
    let anybody = |tx: &Tx<'_>, who: &str| -> Result<_> {
        let account = compose::whom(tx, own, who, compose::is_company)?;
        group.entry(tx.db, account)
    };
    Ok(match act {
        GroupAct::Add(who, as_role) => {
            let role = role(*as_role)?;
            who.iter().map(|who| Ok(Action::Add(anybody(tx, who)?, role))).collect::<Result<_>>()?
        }
        GroupAct::Invite(who, as_role) => {
            let role = role(*as_role)?;
            who.iter().map(|who| Ok(Action::Invite(anybody(tx, who)?, role))).collect::<Result<_>>()?
        }
        GroupAct::Revoke(who) => vec![Action::Revoke(known(tx, who)?)],
        GroupAct::Approve(who, as_role) => vec![Action::Approve(known(tx, who)?, role(*as_role)?)],
        GroupAct::Deny(who) => vec![Action::Deny(known(tx, who)?)],
        GroupAct::Remove(who) => vec![Action::Remove(known(tx, who)?)],
        GroupAct::Ban(who) => vec![Action::Ban(known(tx, who).or_else(|_| anybody(tx, who))?)],
        GroupAct::Unban(who) => vec![Action::Unban(known(tx, who)?)],
        GroupAct::SetRole(who, as_role) => vec![Action::SetRole(known(tx, who)?, role(*as_role)?)],
        GroupAct::HandOver(who) => vec![Action::HandOver(known(tx, who)?)],
        GroupAct::Leave => vec![Action::Leave],
        GroupAct::Close => vec![Action::Close],
        GroupAct::Set(kind, value) => {
            let kind = (*kind).into();
            if kind == AttributeKind::Title && (letters::name(value) != *value || value.is_empty()) {
                return Err(ClientError::BadName);
            }
            vec![attributes::set(tx, &group.secret, kind, value.as_bytes())?]
        }
        GroupAct::SetRules(rules_now) => vec![Action::SetRules(rules(*rules_now))],
        GroupAct::SetLink(mode) => vec![Action::SetLink(link(tx, own, chat, *mode)?)],
    })
}

/// Who is meant of those whom the record names: they come before others of the same name.
fn member(tx: &Tx<'_>, own: &Own, group: &Group, who: &str) -> Result<AccountId> {
    let mut named = Vec::new();
    let Some(record) = &group.record else { return compose::whom(tx, own, who, compose::is_company) };
    for (entry, _) in record.places() {
        let Some(account) = group.account(tx.db, entry)? else {
            // Nobody: by its first bytes, as it is shown.
            continue;
        };
        let name = if account == own.account { own.name.clone() } else { contacts::name(tx.db, account)? };
        if name == who || account.to_hex() == who {
            named.push(account);
        }
    }
    match named[..] {
        [account] => Ok(account),
        [] => compose::whom(tx, own, who, compose::is_company),
        _ => Err(ClientError::AmbiguousName(who.to_owned())),
    }
}

/// A new link: whoever has the one before comes in by it no more.
fn link(tx: &mut Tx<'_>, own: &Own, chat: &Chat, mode: LinkMode) -> Result<Link> {
    if mode == LinkMode::Off {
        return Ok(Link::Off);
    }
    let secret = Zeroizing::new(tx.random::<32>());
    rows::set_link_secret(tx.db, chat.id, Some(&secret))?;
    super::tell(tx, own, chat)?;
    let hash = Link::hash(&*secret);
    Ok(if mode == LinkMode::Join { Link::Join(hash) } else { Link::Ask(hash) })
}

/// Takes up what we were invited or added to. Returns the wish's number, where it needs one.
///
/// # Errors
/// When nothing waits for our word.
pub(crate) fn accept(tx: &mut Tx<'_>, own: &Own, chat: &Chat) -> Result<Option<i64>> {
    if !matches!(chat.state, State::Request) {
        return Err(ClientError::NoInvitation);
    }
    let group = Group::load(tx.db, chat.id)?;
    if invitations::is_added(tx, own, &group)? {
        let way = group.stored.way.as_ref().and_then(|way| undertone_wire::content::GroupWay::decode(&way[..]).ok());
        invitations::enter(tx, own, chat, &way.unwrap_or_default())?;
        return Ok(None);
    }
    chats::set_state(tx.db, chat.id, State::Invited)?;
    want(tx, own, chat, vec![Action::Accept]).map(Some)
}

/// Takes up nothing, or asks no longer.
///
/// # Errors
/// When nothing waits for our word.
pub(crate) fn decline(tx: &mut Tx<'_>, own: &Own, chat: &Chat) -> Result<i64> {
    if !matches!(chat.state, State::Request | State::Invited) {
        return Err(ClientError::NoInvitation);
    }
    let group = Group::load(tx.db, chat.id)?;
    if group.stored.entering {
        // What was accepted is under way, and may stand already: then he can leave.
        return Err(ClientError::NoInvitation);
    }
    outbox::clear(tx.db, chat.id)?;
    let action = if invitations::is_added(tx, own, &group)? { Action::Leave } else { Action::Decline };
    want(tx, own, chat, vec![action])
}

pub(crate) fn rules(rules: GroupRules) -> Rules {
    let who = |members: bool| if members { Who::Members } else { Who::Admins };
    Rules { add: who(rules.members_add), edit: who(rules.members_edit), post: who(rules.members_post) }
}

/// # Errors
/// [`ClientError::OneOwner`].
fn role(role: GroupRole) -> Result<Role> {
    match role {
        GroupRole::Owner => Err(ClientError::OneOwner),
        GroupRole::Admin => Ok(Role::Admin),
        GroupRole::Member => Ok(Role::Member),
        GroupRole::Reader => Ok(Role::Reader),
    }
}

/// How somebody stands, for a face.
pub(crate) fn role_of(standing: Standing) -> Option<GroupRole> {
    match standing {
        Standing::Owner => Some(GroupRole::Owner),
        Standing::Admin => Some(GroupRole::Admin),
        Standing::Member => Some(GroupRole::Member),
        Standing::Reader => Some(GroupRole::Reader),
        _ => None,
    }
}
