//! Restarts: another MLS group in the chat's place, of a newer suite, or because the former is beyond repair.
//!
//! The new group is made as at the beginning, with every device that belongs to the chat, and all join it by the entry
//! itself. A generation begins with it, so that whoever was in the former group and has no place is locked out. What
//! makes an entry such a beginning is a device's signature over all of it and its place in the log.

use bytes::Bytes;
use openmls::prelude::{MlsGroup, OpenMlsProvider as _, RatchetTreeIn};
use undertone_credentials::{CredentialError, Restart, sign_restart, verify_restart};
use undertone_wire::{
    ChannelId, Message as _, Position,
    channel::EntryKind,
    content::{self, EntryContent, Seen},
};

use super::{
    Arriving, Change, Chat, Committed, Invitation, Plan, Received,
    change::{check_installs, generation, tls},
    group_id,
    join::{Opened, parse_tree, parse_welcome},
    verify,
};
use crate::{E2eeError, Flaw, GENERATION_SECRET_LEN, Generation, Head, Lists, Me, Member, Suite, labels};

/// Where a restart stands, and what it begins.
#[derive(Clone, Copy)]
pub struct RestartAt {
    /// The channel.
    pub channel: ChannelId,
    /// The new group's number: one more than that of the group whose place it takes.
    pub group: u32,
    /// The position that its entry is made for.
    pub position: Position,
}

impl Chat {
    /// Begins the next group of a channel: an `EntryContent` that holds the invitation to it. The group stands beside
    /// the former one until the entry is received, or the group is [deleted](Self::delete).
    ///
    /// The plan adds every other device that has a place; it removes nobody, and a generation begins always. `lists` are
    /// the newest of the chat's accounts that the log has brought so far.
    ///
    /// # Errors
    /// [`E2eeError::Exists`]; [`E2eeError::Unsupported`] when a device cannot do what the chat needs; the flaw that all
    /// others would find; [`E2eeError::Storage`].
    pub fn restart(
        me: &Me<'_>,
        at: &RestartAt,
        suite: Suite,
        plan: &Plan<'_>,
        lists: &Lists<'_>,
        seen: &Seen,
    ) -> Result<Committed, E2eeError> {
        let (chat, invitation) = Self::begin(me, at.channel, at.group, suite, &plan.adds)?;
        let Invitation { welcome, tree } = match invitation {
            Some(invitation) => invitation,
            None => Invitation { welcome: Default::default(), tree: tls(&chat.group.export_ratchet_tree())? },
        };
        let device_lists: Vec<_> = plan.lists.iter().map(|list| list.encoded().clone()).collect();
        let signature = sign_restart(me.signer.0, &at.signed(&welcome, &tree, &device_lists, seen));
        let restart = content::Restart {
            welcome,
            tree,
            sender: Some(me.member.leaf()),
            seen: Some(seen.clone()),
            signature: signature.to_vec().into(),
        };
        let content = EntryContent { device_lists, restart: Some(restart), ..EntryContent::default() }.encode_to_vec();
        let generation = chat.begun(me)?;
        let entry = Arriving { kind: EntryKind::Restart, installs: &generation.installs(), content: &content };
        // What we make passes the same door as what we are given.
        Self::receive_restart(me, at, &entry, lists)?;
        Ok(Committed { entry: content.into(), generation: Some(generation), invitation: None })
    }

    /// Receives a restart, and joins the group that it begins. The former group, if this device has it, is for the
    /// caller to delete.
    ///
    /// `lists` are the newest of the chat's accounts that the log has brought up to here.
    ///
    /// # Errors
    /// As for [`Self::receive`].
    pub fn receive_restart(
        me: &Me<'_>,
        at: &RestartAt,
        entry: &Arriving<'_>,
        lists: &Lists<'_>,
    ) -> Result<Received, E2eeError> {
        let content = EntryContent::decode(entry.content).map_err(|_| Flaw::Malformed)?;
        let restart = content.restart.ok_or(Flaw::Kind)?;
        if entry.kind != EntryKind::Restart || !content.mls.is_empty() || !content.fork_tag.is_empty() {
            return Err(Flaw::Kind.into());
        }
        let seen = restart.seen.ok_or(Flaw::AuthenticatedData)?;
        let sender = Member::of_leaf(&restart.sender.ok_or(Flaw::Leaf)?)?;
        let newer = lists.newer(&content.device_lists)?;
        let lists = lists.with(&newer);
        verify_restart(
            lists.of(sender.account).ok_or(Flaw::Leaf)?,
            sender.device,
            &at.signed(&restart.welcome, &restart.tree, &content.device_lists, &seen),
            &restart.signature,
        )
        .map_err(|error| if error == CredentialError::NoDevice { Flaw::Leaf } else { Flaw::Signature })?;

        let former = Former::load(me, at)?;
        let chat = if sender == me.member {
            let chat = Self::load(me, at.channel, at.group)?.ok_or(E2eeError::Private)?;
            former.check(chat.suite(), &restart.tree, &lists)?;
            chat
        } else {
            let welcome = parse_welcome(&restart.welcome)?;
            let tree = former.check(Suite::of(welcome.ciphersuite())?, &restart.tree, &lists)?;
            // Until here it was all the same for everybody; the Welcome may fail for this device alone.
            let opened = Opened::open(me, welcome, tree).map_err(private)?;
            opened.check(at.channel, at.group, former.floor, &lists)?;
            let by = opened.0.welcome_sender().map_err(|_| Flaw::Leaf)?;
            if Member::of(by.credential()) != Ok(sender) {
                return Err(Flaw::Leaf.into());
            }
            opened.join(me, at.channel, at.group)?
        };
        let generation = Some(check_installs(chat.begun(me)?, entry.installs)?);
        let added = lists.members().collect();
        Ok(Received::Commit { sender, seen, change: Change { lists: newer, added, generation, ..Change::default() } })
    }

    /// The head of a group that nobody is in yet: what goes into the head slot with the restart that puts it in the place of
    /// one that nobody can follow any more. Everybody comes in [by it](Self::rejoin), this device too: of the group itself
    /// nothing is kept.
    ///
    /// # Errors
    /// [`E2eeError::Storage`].
    pub fn door(me: &Me<'_>, channel: ChannelId, group: u32, suite: Suite) -> Result<Head, E2eeError> {
        if let Some(mut former) = Self::load(me, channel, group)? {
            former.forget(me)?;
        }
        let (mut chat, _) = Self::begin(me, channel, group, suite, &[])?;
        let generation = chat.begun(me)?;
        let head = chat.head(me, &generation)?;
        chat.forget(me)?;
        Ok(head)
    }

    /// The generation that begins with this group.
    fn begun(&self, me: &Me<'_>) -> Result<Generation, E2eeError> {
        let exported = self.group.export_secret(me.provider.crypto(), labels::GENERATION, &[], GENERATION_SECRET_LEN);
        generation(exported.map_err(|_| E2eeError::Internal)?)
    }
}

impl RestartAt {
    fn signed<'a>(&self, welcome: &'a [u8], tree: &'a [u8], device_lists: &'a [Bytes], seen: &'a Seen) -> Restart<'a> {
        Restart { channel: self.channel, position: self.position, welcome, tree, device_lists, seen }
    }
}

/// What the former group, where this device has it, demands of the next.
struct Former {
    suite: Option<Suite>,
    floor: u32,
}

impl Former {
    fn load(me: &Me<'_>, at: &RestartAt) -> Result<Self, E2eeError> {
        let number = at.group.checked_sub(1).ok_or(Flaw::Kind)?;
        let id = group_id(at.channel, number);
        match MlsGroup::load(me.provider.storage(), &id).map_err(|_| E2eeError::Storage)? {
            None => Ok(Self { suite: None, floor: 0 }),
            Some(group) => Ok(Self {
                suite: Some(Suite::of(group.ciphersuite())?),
                floor: verify::context(group.extensions(), at.channel, 0)?,
            }),
        }
    }

    /// The tree of the next group, if everybody is in it and its suite is no lower.
    fn check(&self, suite: Suite, tree: &[u8], lists: &Lists<'_>) -> Result<RatchetTreeIn, Flaw> {
        if self.suite.is_some_and(|former| suite < former) {
            return Err(Flaw::Context);
        }
        let tree = parse_tree(suite, tree)?;
        verify::everybody(&tree, lists)?;
        Ok(tree)
    }
}

/// A Welcome that does not open may open for others.
fn private(error: E2eeError) -> E2eeError {
    match error {
        E2eeError::KeyGone | E2eeError::Invalid(Flaw::Ciphertext) => E2eeError::Private,
        error => error,
    }
}
