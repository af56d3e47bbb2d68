//! Own commits: made, kept pending until their place in the log is certain, then merged or discarded.

use bytes::Bytes;
use openmls::prelude::{OpenMlsProvider as _, StagedCommit};
use undertone_wire::{Message, content::Seen};

use super::{Chat, entry};
use crate::{E2eeError, Me, labels, provider::Crypto};

/// Bytes of a fork tag.
const FORK_TAG_LEN: usize = 32;

impl Chat {
    /// Renews this device's keys: an `EntryContent` that holds a commit with a path (PublicMessage) and the fork tag of
    /// the epoch that it begins. The commit stays pending, through loads too, until [`Self::merge_pending`],
    /// [`Self::discard_pending`], or another's commit is received.
    ///
    /// # Errors
    /// [`E2eeError::Pending`], [`E2eeError::Storage`].
    pub fn self_update(&mut self, me: &Me<'_>, seen: &Seen) -> Result<Bytes, E2eeError> {
        if self.has_pending() {
            return Err(E2eeError::Pending);
        }
        let internal = || me.blame(E2eeError::Internal);
        self.group.set_aad(seen.encode_to_vec());
        let bundle = self
            .group
            .commit_builder()
            .force_self_update(true)
            .load_psks(me.provider.storage())
            .map_err(|_| internal())?
            .build(me.provider.rand(), me.provider.crypto(), &me.signer, |_| false)
            .map_err(|_| internal())?
            .stage_commit(&me.provider)
            .map_err(|_| internal())?;
        let pending = self.group.pending_commit().ok_or(E2eeError::Internal)?;
        entry(bundle.commit(), fork_tag(me.provider.crypto(), pending)?)
    }

    /// Whether a commit of one's own is pending.
    pub fn has_pending(&self) -> bool {
        self.group.pending_commit().is_some()
    }

    /// The pending commit stands in the log: its epoch begins. Without a pending commit, nothing happens.
    ///
    /// # Errors
    /// [`E2eeError::Storage`].
    pub fn merge_pending(&mut self, me: &Me<'_>) -> Result<(), E2eeError> {
        self.group.merge_pending_commit(&me.provider).map_err(|_| me.blame(E2eeError::Internal))
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

/// The tag by which members see that they begin the same epoch.
pub fn fork_tag(crypto: &Crypto<'_>, commit: &StagedCommit) -> Result<Bytes, E2eeError> {
    commit.export_secret(crypto, labels::FORK_TAG, &[], FORK_TAG_LEN).map(Bytes::from).map_err(|_| E2eeError::Internal)
}
