//! Own commits: made, kept pending until their place in the log is certain, then merged or discarded.

use bytes::Bytes;
use openmls::prelude::{CreateCommitError, MlsMessageOut, OpenMlsProvider as _};
use undertone_credentials::{DeviceList, KeyPackage};
use undertone_wire::{Message, content::Seen};

use super::{
    Chat, Invitation,
    change::{Parts, begun, fork_tag, tls},
    entry,
    verify::Committer,
};
use crate::{E2eeError, Flaw, Generation, Lists, Me, Member, key_package};

/// What a commit does besides renewing its committer's keys; by default, nothing.
#[derive(Default)]
pub struct Plan<'a> {
    /// Devices to be added: each by its account's newest list, and a key package that was verified against it and whose
    /// age the caller has judged. One that is to be removed as well is added again.
    pub adds: Vec<(&'a DeviceList, &'a KeyPackage)>,
    /// Devices to be removed: those without a place, those of one's own, and those that are added again.
    pub removes: Vec<Member>,
    /// Device lists that the log does not have yet, of accounts of this chat and of [newcomers](Lists::and_newcomers).
    pub lists: Vec<&'a DeviceList>,
    /// Whether a generation begins. Whatever removes somebody for good must begin one.
    pub generation: bool,
}

/// A commit, or a restart, that waits for its place in the log.
pub struct Committed {
    /// An `EntryContent`.
    pub entry: Bytes,
    /// The generation that begins after it: the entry installs its keys ([`Generation::installs`]).
    pub generation: Option<Generation>,
    /// For the devices that it adds.
    pub invitation: Option<Invitation>,
}

impl Chat {
    /// Renews this device's keys and does what the plan says: an `EntryContent` that holds a commit with a path
    /// (PublicMessage), the fork tag of the epoch that it begins, and device lists. The commit stays pending, through
    /// loads too, until it is received, [`Self::discard_pending`], or another's commit is received.
    ///
    /// `lists` are the newest of the chat's accounts that the log has brought so far.
    ///
    /// # Errors
    /// [`E2eeError::Pending`]; [`E2eeError::Private`] once this device was removed; [`E2eeError::Unsupported`] when a
    /// device cannot do what this chat needs; the flaw that all others would find; [`E2eeError::Storage`].
    pub fn commit(
        &mut self,
        me: &Me<'_>,
        plan: &Plan<'_>,
        lists: &Lists<'_>,
        seen: &Seen,
    ) -> Result<Committed, E2eeError> {
        Ok(self.build(me, plan, lists, seen, false)?.0)
    }

    /// Makes a commit, and the GroupInfo of the epoch that it begins if that is asked for.
    pub(super) fn build(
        &mut self,
        me: &Me<'_>,
        plan: &Plan<'_>,
        lists: &Lists<'_>,
        seen: &Seen,
        group_info: bool,
    ) -> Result<(Committed, Option<MlsMessageOut>), E2eeError> {
        self.check_member()?;
        if self.has_pending() {
            return Err(E2eeError::Pending);
        }
        let suite = self.suite();
        let added = plan.adds.iter().map(|(list, package)| key_package::check(&me.provider, suite, list, package));
        let added = added.collect::<Result<Vec<_>, _>>()?;
        let removed = plan.removes.iter().map(|member| self.leaf_of(*member)).collect::<Result<Vec<_>, _>>()?;

        self.group.set_aad(seen.encode_to_vec());
        let (message, welcome, group_info) = self
            .group
            .commit_builder()
            .force_self_update(true)
            .propose_adds(added)
            .propose_removals(removed)
            .load_psks(me.provider.storage())
            .map_err(|error| me.blame(classify(&error)))?
            .create_group_info(group_info)
            .build(me.provider.rand(), me.provider.crypto(), &me.signer, |_| true)
            .map_err(|error| me.blame(classify(&error)))?
            .stage_commit(&me.provider)
            .map_err(|_| me.blame(E2eeError::Internal))?
            .into_messages();

        let crypto = me.provider.crypto();
        let pending = self.group.pending_commit().ok_or(E2eeError::Internal)?;
        let fork_tag = fork_tag(crypto, pending)?;
        let generation = if plan.generation { Some(begun(crypto, pending)?) } else { None };
        let installs = generation.as_ref().map(Generation::installs);
        let device_lists: Vec<Bytes> = plan.lists.iter().map(|list| list.encoded().clone()).collect();
        let parts = Parts {
            fork_tag: &fork_tag,
            device_lists: &device_lists,
            installs: installs.as_ref().map_or(&[], |installs| installs),
        };
        self.judge(me, pending, Committer::Member(self.group.own_leaf_index()), &parts, lists)?;

        let invitation = match welcome {
            None => None,
            Some(welcome) => Some(Invitation { welcome: tls(&welcome)?, tree: tls(&self.tree_after(me, pending)?)? }),
        };
        Ok((Committed { entry: entry(&message, fork_tag, device_lists)?, generation, invitation }, group_info))
    }

    /// Whether a commit of one's own is pending.
    pub fn has_pending(&self) -> bool {
        self.group.pending_commit().is_some()
    }

    /// The pending commit will never stand in the log, because another entry certainly stands in its place. Discarding
    /// one that does stand there leaves this device behind ([`E2eeError::Private`]).
    ///
    /// # Errors
    /// [`E2eeError::Storage`].
    pub fn discard_pending(&mut self, me: &Me<'_>) -> Result<(), E2eeError> {
        self.group.clear_pending_commit(me.provider.storage()).map_err(|_| E2eeError::Storage)
    }
}

fn classify(error: &CreateCommitError) -> E2eeError {
    match error {
        CreateCommitError::ProposalValidationError(_) | CreateCommitError::CannotRemoveSelf => Flaw::Commit.into(),
        _ => E2eeError::Internal,
    }
}
