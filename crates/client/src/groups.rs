//! Groups, as the faces ask for them.

use tokio::time::Instant;
use undertone_credentials::{
    GroupMasterKey,
    group::{Action, AttributeKind, Link as RecordLink, Place, Pseudonym, Role, Who},
};
use undertone_wire::{
    AccountId,
    channel::Refusal,
    link::{GroupLink, Link},
};
use zeroize::Zeroizing;

use crate::{
    ClientError, Engine, Kind, Result,
    db::{
        chats::{self, Chat, State},
        contacts, groups as rows, me,
        outbox::{self, Fate},
    },
    engine::SEND_WAIT,
    rules::groups::{self, Group, sending, wishes},
    view,
};

/// What somebody may do in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupRole {
    /// Made the group, or was handed it.
    Owner,
    /// Lets others in and out, and sets rules.
    Admin,
    /// Says something; adds and edits as the rules allow.
    Member,
    /// Reads, and says nothing.
    Reader,
}

/// What a group leaves to its members; the rest is its admins'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupRules {
    /// To add and to invite.
    pub members_add: bool,
    /// To set title, description and the like.
    pub members_edit: bool,
    /// To say something. Where they may not, the group is one of announcements.
    pub members_post: bool,
}

impl Default for GroupRules {
    /// Admins let people in and out; all others may do.
    fn default() -> Self {
        Self { members_add: false, members_edit: false, members_post: true }
    }
}

/// How one comes in without an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkMode {
    /// Not at all.
    Off,
    /// Whoever has the link joins.
    Join,
    /// Whoever has it may ask, and an admin approves.
    Ask,
}

/// What a group says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupText {
    /// What it is called.
    Title,
    /// What it is for.
    Description,
    /// A message that all shall see.
    Pinned,
}

impl From<GroupText> for AttributeKind {
    fn from(text: GroupText) -> Self {
        match text {
            GroupText::Title => Self::Title,
            GroupText::Description => Self::Description,
            GroupText::Pinned => Self::Pinned,
        }
    }
}

/// A group to be made.
#[derive(Clone, Default)]
pub struct NewGroup {
    /// What it is called.
    pub title: String,
    /// What it is for; may be empty.
    pub description: String,
    /// Who is added at once: names, links or account ids.
    pub members: Vec<String>,
    /// What it leaves to its members.
    pub rules: GroupRules,
}

/// Something to be done to a group. WHO is a name, a link or an account id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupAct {
    /// Makes people members, devices and all.
    Add(Vec<String>, GroupRole),
    /// Lets people come in when they wish.
    Invite(Vec<String>, GroupRole),
    /// Takes an invitation back.
    Revoke(String),
    /// Lets somebody in who asks.
    Approve(String, GroupRole),
    /// Lets somebody ask no longer.
    Deny(String),
    /// Takes a member out.
    Remove(String),
    /// Goes.
    Leave,
    /// Takes somebody out, and lets him in no more.
    Ban(String),
    /// Lets him in again, if somebody does.
    Unban(String),
    /// Gives a member another role.
    SetRole(String, GroupRole),
    /// Says something of the group; nothing any more, if it is empty.
    Set(GroupText, String),
    /// Sets all rules.
    SetRules(GroupRules),
    /// Opens, closes or resets the link.
    SetLink(LinkMode),
    /// Makes somebody the owner.
    HandOver(String),
    /// Ends the group.
    Close,
}

/// What became of an act.
#[derive(Clone)]
pub struct GroupChanged {
    /// The group's id, hexadecimal.
    pub group: String,
    /// It waits for the service; it is kept, and done later if it still can be.
    pub queued: bool,
    /// What keeps it.
    pub waits: Option<ClientError>,
}

/// Somebody whom a group's record names.
#[derive(Clone)]
pub struct GroupMember {
    /// His account id, hexadecimal; none where the entry encrypts nobody.
    pub account: Option<String>,
    /// What he calls himself; empty while unknown.
    pub name: String,
    /// What he may do, or will: none for who only asks, or is banned.
    pub role: Option<GroupRole>,
    /// Whether it is us.
    pub me: bool,
}

/// A group, as this device knows it.
#[derive(Clone)]
pub struct GroupView {
    /// Its id, hexadecimal.
    pub group: String,
    /// What it is called; empty while unknown.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// A message that all shall see.
    pub pinned: String,
    /// `new`, `invited`, `coming`, `open`, `out`.
    pub state: &'static str,
    /// How many changes have made its record.
    pub revision: u64,
    /// Hash of the record, hexadecimal: members who show the same have the same record.
    pub record_hash: String,
    /// Commits of this incarnation.
    pub epoch: u64,
    /// Incarnation of its encryption.
    pub incarnation: u32,
    /// Who is in it, in the record's order.
    pub members: Vec<GroupMember>,
    /// Who may come in.
    pub invited: Vec<GroupMember>,
    /// Who asks to.
    pub requesting: Vec<GroupMember>,
    /// Who is let in no more.
    pub banned: Vec<GroupMember>,
    /// What it leaves to its members.
    pub rules: GroupRules,
    /// How one comes in by a link.
    pub link_mode: LinkMode,
    /// What we are in it; none while we are not.
    pub role: Option<GroupRole>,
    /// Nothing changes any more, and nothing is said.
    pub closed: bool,
    /// Who has added or invited us, as long as that waits for our word: his account id and name.
    pub invited_by: Option<(String, String)>,
    /// Why it does not go on, if it does not.
    pub trouble: Option<&'static str>,
}

impl Engine {
    /// Makes a group, with us as its owner.
    ///
    /// # Errors
    /// When somebody who is to be added is unknown, or the service does not take it.
    pub async fn group_create(&self, new: &NewGroup) -> Result<GroupChanged> {
        let own = self.shared.own()?;
        let chat = self.shared.write(|tx| {
            let key = Zeroizing::new(tx.random());
            // Which channel it comes to, the driver knows; until then it has a number of its own.
            let channel = undertone_wire::ChannelId::new(tx.random());
            let chat = chats::insert(tx.db, groups::group_id(channel), State::New)?;
            rows::insert(tx.db, chat, channel, &GroupMasterKey::from_bytes(&key).to_bytes())?;
            let chat = chats::load(tx.db, chat)?;
            let actions = wishes::first(tx, &own, &chat, new)?;
            Ok((chat.id, wishes::want(tx, &own, &chat, actions)?))
        })?;
        self.outcome(chat).await
    }

    /// Does something to a group. It is kept before anything else happens; then this waits until it is done, or it is known
    /// why it is not.
    ///
    /// # Errors
    /// Why it is not done; nothing is kept then.
    pub async fn group_act(&self, group: &str, act: &GroupAct) -> Result<GroupChanged> {
        let own = self.shared.own()?;
        let wish = self.shared.write(|tx| {
            let chat = groups::existing(tx, group)?;
            if !matches!(chat.state, State::Open | State::New) {
                return Err(if chat.state == State::Request {
                    ClientError::GroupWaits
                } else {
                    ClientError::NotInGroup
                });
            }
            let actions = wishes::of(tx, &own, &chat, act)?;
            Ok((chat.id, wishes::want(tx, &own, &chat, actions)?))
        })?;
        self.outcome(wish).await
    }

    /// Takes up what somebody has added or invited us to.
    ///
    /// # Errors
    /// When nothing waits for our word, or it cannot be done any more.
    pub async fn group_accept(&self, group: &str) -> Result<GroupChanged> {
        let own = self.shared.own()?;
        let (chat, wish) = self.shared.write(|tx| {
            let chat = groups::existing(tx, group)?;
            Ok((chat.id, wishes::accept(tx, &own, &chat)?))
        })?;
        match wish {
            Some(n) => self.outcome((chat, n)).await,
            None => {
                self.shared.ask(false);
                self.changed(chat, false, None)
            }
        }
    }

    /// Does not take it up; or asks no longer to be let in.
    ///
    /// # Errors
    /// When nothing waits.
    pub async fn group_decline(&self, group: &str) -> Result<GroupChanged> {
        let own = self.shared.own()?;
        let wish = self.shared.write(|tx| {
            let chat = groups::existing(tx, group)?;
            Ok((chat.id, wishes::decline(tx, &own, &chat)?))
        })?;
        self.outcome(wish).await
    }

    /// Joins a group by its link, or asks to: as the group has it.
    ///
    /// # Errors
    /// When the link is none, or lets nobody in any more.
    pub async fn group_join(&self, link: &str) -> Result<GroupChanged> {
        let own = self.shared.own()?;
        let link = GroupLink::parse(link)?;
        if link.service.pin != own.link.pin {
            return Err(ClientError::OtherService);
        }
        let chat = self.shared.write(|tx| {
            let id = groups::group_id(link.channel);
            let chat = match chats::with(tx.db, id)? {
                // Whose entrance is under way is about to be.
                Some(chat) if chat.state == State::Open || Group::load(tx.db, chat.id)?.stored.entering => {
                    return Err(ClientError::InGroup);
                }
                Some(chat) => chat.id,
                None => {
                    let chat = chats::insert(tx.db, id, State::Invited)?;
                    rows::insert(tx.db, chat, link.channel, &link.master_key)?;
                    chat
                }
            };
            rows::set_link_secret(tx.db, chat, Some(&link.secret))?;
            outbox::forget_changes(tx.db, chat)?;
            chats::set_state(tx.db, chat, State::Invited)?;
            // Whether it is to join or to ask, the record says, which the driver reads.
            let chat = chats::load(tx.db, chat)?;
            Ok((chat.id, wishes::want(tx, &own, &chat, vec![Action::Join])?))
        })?;
        self.outcome(chat).await
    }

    /// The group's link, if there is one and we have set it, or came by it.
    ///
    /// # Errors
    /// When there is no such group, or we do not know its link.
    pub fn group_link(&self, group: &str) -> Result<Zeroizing<String>> {
        let own = self.shared.own()?;
        self.shared.write_quietly(|tx| {
            let chat = groups::existing(tx, group)?;
            let group = Group::load(tx.db, chat.id)?;
            let known = group.stored.link_secret.as_ref();
            let secret =
                known.filter(|secret| group.record.as_ref().is_some_and(|it| it.link().is_opened_by(&***secret)));
            let secret = **secret.ok_or(ClientError::NoGroupLink)?;
            let service = Link { account: None, ..own.link.clone() };
            let link =
                GroupLink { service, channel: group.stored.channel, master_key: *group.stored.master_key, secret };
            Ok(link.to_text())
        })
    }

    /// A group, as this device knows it.
    ///
    /// # Errors
    /// When there is none.
    pub fn group(&self, group: &str) -> Result<GroupView> {
        self.shared.own()?;
        self.shared.write_quietly(|tx| {
            let chat = groups::existing(tx, group)?;
            let me = me::load(tx.db)?.ok_or(ClientError::NotRegistered)?;
            group_view(tx.db, &me, &chat)
        })
    }

    /// All groups.
    ///
    /// # Errors
    /// When the database fails.
    pub fn groups(&self) -> Result<Vec<GroupView>> {
        self.shared.own()?;
        self.shared.write_quietly(|tx| {
            let me = me::load(tx.db)?.ok_or(ClientError::NotRegistered)?;
            let groups = chats::all(tx.db)?.into_iter().filter(|chat| chat.is_group);
            groups.map(|chat| group_view(tx.db, &me, &chat)).collect()
        })
    }

    /// Waits until a wish is done, or it is known what keeps it.
    async fn outcome(&self, (chat, n): (i64, i64)) -> Result<GroupChanged> {
        let asked = self.shared.ask(false);
        let mut changes = self.shared.changes.subscribe();
        let mut reports = self.shared.report.subscribe();
        let deadline = Instant::now() + SEND_WAIT;
        loop {
            match self.shared.read(|db| Ok(outbox::fate(db, n)?))? {
                Fate::Gone => return self.changed(chat, false, None),
                Fate::Refused(why) => {
                    self.shared.write(|tx| {
                        outbox::remove(tx.db, n)?;
                        forget_if_never(tx.db, chat)
                    })?;
                    return Err(refusal(why));
                }
                Fate::Waits => {}
            }
            let report = reports.borrow_and_update().clone();
            if let Some(error) = self.obstacle(chat, asked, report)? {
                let passes = error.kind() == Kind::Network || matches!(error, ClientError::Mending(_));
                if !passes && self.take_wish_back(chat, n)? {
                    return Err(error);
                }
                return self.changed(chat, true, Some(error));
            }
            let more = tokio::select! {
                biased;
                changed = changes.changed() => changed.is_ok(),
                changed = reports.changed() => changed.is_ok(),
                () = tokio::time::sleep_until(deadline) => false,
            };
            if !more {
                return self.changed(chat, true, None);
            }
        }
    }

    fn changed(&self, chat: i64, queued: bool, waits: Option<ClientError>) -> Result<GroupChanged> {
        let chat = self.shared.read(|db| Ok(chats::load(db, chat)?))?;
        Ok(GroupChanged { group: chat.peer.to_hex(), queued, waits })
    }

    /// Forgets a wish that the service does not take. False: it is on its way.
    fn take_wish_back(&self, chat: i64, n: i64) -> Result<bool> {
        self.shared.write(|tx| {
            let items = outbox::first(tx.db, chat, usize::from(u16::MAX))?;
            let waits = items.iter().any(|item| item.n == n && item.attempt.is_none());
            if waits {
                outbox::remove(tx.db, n)?;
                forget_if_never(tx.db, chat)?;
            }
            Ok(waits)
        })
    }
}

/// A group that was never made, or that we never came into, is none.
fn forget_if_never(db: &rusqlite::Connection, chat: i64) -> Result<()> {
    let group = rows::load(db, chat)?;
    let never = chats::load(db, chat)?.state == State::New
        || group.is_some_and(|group| group.record.is_none() && group.way.is_none());
    if never { Ok(chats::remove(db, chat)?) } else { Ok(()) }
}

/// Why a change was not made, in words.
fn refusal(why: i32) -> ClientError {
    match (why, Refusal::try_from(why).unwrap_or_default()) {
        (sending::NO_KEYS, _) => ClientError::Refused("this person's devices have published no keys for a long time"),
        (sending::TOO_LARGE, _) => ClientError::GroupTooLarge,
        (sending::OUT, _) => ClientError::NotInGroup,
        (sending::TOO_OLD, _) => ClientError::TooOldForGroups,
        (_, Refusal::NotAllowed) => ClientError::NotAllowed,
        (_, Refusal::Full) => ClientError::GroupFull,
        (_, Refusal::Closed) => ClientError::GroupClosed,
        (_, Refusal::Owner) => ClientError::OneOwner,
        (_, Refusal::Link) => ClientError::GroupLinkOver,
        _ => ClientError::WrongTarget,
    }
}

fn group_view(db: &rusqlite::Connection, me: &me::Me, chat: &Chat) -> Result<GroupView> {
    let group = Group::load(db, chat.id)?;
    let mut view = GroupView {
        group: chat.peer.to_hex(),
        title: group.title(),
        description: group.attribute(AttributeKind::Description).unwrap_or_default(),
        pinned: group.attribute(AttributeKind::Pinned).unwrap_or_default(),
        state: if group.record.is_none() && chat.state == State::Open { "new" } else { view::group_state(chat.state) },
        revision: 0,
        record_hash: String::new(),
        epoch: chat.channel.as_ref().map_or(0, |channel| channel.position.epoch),
        incarnation: chat.channel.as_ref().map_or(0, |channel| channel.position.incarnation),
        members: Vec::new(),
        invited: Vec::new(),
        requesting: Vec::new(),
        banned: Vec::new(),
        rules: GroupRules::default(),
        link_mode: LinkMode::Off,
        role: wishes::role_of(group.standing(db, me.account)?),
        closed: false,
        invited_by: None,
        trouble: view::group_trouble(chat, &group),
    };
    if let Some(inviter) = group.stored.inviter.filter(|_| chat.state == State::Request) {
        view.invited_by = Some((inviter.to_hex(), contacts::name(db, inviter)?));
    }
    let Some(record) = &group.record else { return Ok(view) };
    view.revision = record.revision();
    view.record_hash = hex(&record.hash());
    view.closed = record.is_closed();
    view.link_mode = match record.link() {
        RecordLink::Off => LinkMode::Off,
        RecordLink::Join(_) => LinkMode::Join,
        RecordLink::Ask(_) => LinkMode::Ask,
    };
    let rules = record.rules();
    let members = |who: Who| who == Who::Members;
    view.rules = GroupRules {
        members_add: members(rules.add),
        members_edit: members(rules.edit),
        members_post: members(rules.post),
    };
    for (entry, place) in record.places() {
        let (list, role) = match place {
            Place::Member(role) => (&mut view.members, Some(*role)),
            Place::Invited { role, .. } => (&mut view.invited, Some(*role)),
            Place::Requesting => (&mut view.requesting, None),
            Place::Banned => (&mut view.banned, None),
            Place::Left => continue,
        };
        list.push(named(db, me, &group, entry, role)?);
    }
    Ok(view)
}

fn named(
    db: &rusqlite::Connection,
    me: &me::Me,
    group: &Group,
    entry: &Pseudonym,
    role: Option<Role>,
) -> Result<GroupMember> {
    let account = group.account(db, entry)?;
    let name =
        |account: AccountId| if account == me.account { Ok(me.name.clone()) } else { contacts::name(db, account) };
    Ok(GroupMember {
        account: account.map(|account| account.to_hex()),
        name: account.map(name).transpose()?.unwrap_or_default(),
        role: role.map(|role| match role {
            Role::Owner => GroupRole::Owner,
            Role::Admin => GroupRole::Admin,
            Role::Member => GroupRole::Member,
            Role::Reader => GroupRole::Reader,
        }),
        me: account == Some(me.account),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
