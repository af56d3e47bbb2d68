//! What a commit changes: judged the same for others' commits and one's own, before either is merged.

use bytes::Bytes;
use openmls::{
    prelude::{OpenMlsProvider as _, StagedCommit, tls_codec::Serialize},
    treesync::RatchetTree,
};
use undertone_credentials::DeviceList;
use zeroize::Zeroizing;

use super::{
    Chat,
    verify::{self, Committer},
};
use crate::{E2eeError, Flaw, GENERATION_SECRET_LEN, Generation, Lists, Me, Member, labels, provider::Crypto};

/// Bytes of a fork tag.
pub const FORK_TAG_LEN: usize = 32;

/// What a commit, or a restart, has changed.
#[derive(Default)]
pub struct Change {
    /// Device lists that it brought and that are newer than those known: from here on they judge.
    pub lists: Vec<DeviceList>,
    /// Devices that it added; by a restart, all that are in the chat.
    pub added: Vec<Member>,
    /// Devices that it removed. One that lost its way, and was added again at once, is among both.
    pub removed: Vec<Member>,
    /// The generation that begins after it, if one does. A device that is `gone` is not told.
    pub generation: Option<Generation>,
    /// Whether this device was removed, even if it was added again: nothing is left of the chat here, and the way back
    /// is an invitation.
    pub gone: bool,
}

/// What of an entry goes with its commit.
pub struct Parts<'a> {
    pub fork_tag: &'a [u8],
    pub device_lists: &'a [Bytes],
    pub installs: &'a [u8],
}

impl Chat {
    /// Who made a commit, and what it changes, if everything about it is right.
    pub(super) fn judge(
        &self,
        me: &Me<'_>,
        commit: &StagedCommit,
        committer: Committer,
        parts: &Parts<'_>,
        lists: &Lists<'_>,
    ) -> Result<(Member, Change), E2eeError> {
        let newer = lists.newer(parts.device_lists)?;
        let begins = !parts.installs.is_empty();
        let judged = verify::commit(&self.group, commit, committer, self.channel, &lists.with(&newer), begins)?;
        // Whoever it removes knows nothing of what follows, and need not.
        let gone = commit.self_removed();
        let mut generation = None;
        if !gone {
            let crypto = me.provider.crypto();
            verify::tree_keys(self.suite(), &self.tree_after(me, commit)?.into())?;
            if fork_tag(crypto, commit)? != parts.fork_tag {
                return Err(Flaw::Fork.into());
            }
            if begins {
                generation = Some(check_installs(begun(crypto, commit)?, parts.installs)?);
            }
        }
        let change = Change { lists: newer, added: judged.added, removed: judged.removed, generation, gone };
        Ok((judged.sender, change))
    }

    /// The ratchet tree that a commit leaves behind.
    pub(super) fn tree_after(&self, me: &Me<'_>, commit: &StagedCommit) -> Result<RatchetTree, E2eeError> {
        let tree = commit.export_ratchet_tree(me.provider.crypto(), self.group.export_ratchet_tree());
        tree.ok().flatten().ok_or(E2eeError::Internal)
    }
}

/// The tag by which members see that they begin the same epoch.
pub fn fork_tag(crypto: &Crypto<'_>, commit: &StagedCommit) -> Result<Bytes, E2eeError> {
    commit.export_secret(crypto, labels::FORK_TAG, &[], FORK_TAG_LEN).map(Bytes::from).map_err(|_| E2eeError::Internal)
}

/// The generation that a commit begins, if it is to begin one.
pub fn begun(crypto: &Crypto<'_>, commit: &StagedCommit) -> Result<Generation, E2eeError> {
    let exported = commit.export_secret(crypto, labels::GENERATION, &[], GENERATION_SECRET_LEN);
    generation(exported.map_err(|_| E2eeError::Internal)?)
}

/// The generation of a secret that MLS has exported.
pub fn generation(exported: Vec<u8>) -> Result<Generation, E2eeError> {
    let exported = Zeroizing::new(exported);
    <[u8; GENERATION_SECRET_LEN]>::try_from(&exported[..]).map(Generation::from_secret).map_err(|_| E2eeError::Internal)
}

/// A generation, if what its entry installs is it.
pub fn check_installs(generation: Generation, installs: &[u8]) -> Result<Generation, Flaw> {
    if generation.installs() == installs { Ok(generation) } else { Err(Flaw::Generation) }
}

/// MLS encodes.
pub fn tls(value: &impl Serialize) -> Result<Bytes, E2eeError> {
    value.tls_serialize_detached().map(Bytes::from).map_err(|_| E2eeError::Internal)
}
