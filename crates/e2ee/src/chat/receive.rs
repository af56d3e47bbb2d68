//! Entries of the log, one after the other.
//!
//! Whether an entry is valid depends only on the log up to it, so that all members skip the same ones. The one thing
//! that may fail for a single reader is his own path secret; before he says so, he checks all that the others check.

use openmls::prelude::{
    LeafNodeIndex, MlsMessageIn, OpenMlsProvider as _, ProcessMessageError, ProcessedMessage, ProcessedMessageContent,
    ProtocolMessage, PublicGroup, PublicMessageIn, Sender, StageCommitError, ValidationError,
    tls_codec::Deserialize as _,
};
use openmls_traits::storage::StorageProvider as _;
use undertone_wire::{
    Message as _,
    channel::EntryKind,
    content::{EntryContent, Seen},
};

use super::{
    Chat,
    change::{Change, Parts},
    verify::{self, Committer},
};
use crate::{E2eeError, Flaw, KeyValueError, Lists, Me, Member};

/// An entry of the log, once its wrap is open.
#[derive(Clone, Copy)]
pub struct Arriving<'a> {
    /// What it is, in clear.
    pub kind: EntryKind,
    /// The keys that it installs, in clear; empty if none.
    pub installs: &'a [u8],
    /// `content.EntryContent`, encoded.
    pub content: &'a [u8],
}

/// What an entry brought.
#[non_exhaustive]
pub enum Received {
    /// A message of another member.
    Message {
        /// Who sent it.
        sender: Member,
        /// `content.Content`, encoded; yet to be judged.
        content: Vec<u8>,
        /// What he had seen of the log. The signature in it is yet to be checked.
        seen: Seen,
    },
    /// A commit, which has been merged: a new epoch has begun, and a pending commit of one's own is gone. It may be the
    /// own pending one itself. Or a restart, whose group was joined.
    Commit {
        /// Whose keys it renewed.
        sender: Member,
        /// What he had seen of the log. The signature in it is yet to be checked.
        seen: Seen,
        /// What it has changed.
        change: Change,
    },
    /// A message that says it is this device's own, which MLS cannot decrypt again. Nothing authenticates it: the outbox
    /// knows its own by their bytes.
    Own,
}

impl Chat {
    /// Receives the next entry: a message, or a commit, one's own pending one as well.
    ///
    /// `lists` are the newest of the chat's accounts that the log has brought up to here.
    ///
    /// # Errors
    /// [`E2eeError::Invalid`]: all skip the entry. [`E2eeError::Private`]: this device alone cannot follow.
    /// [`E2eeError::Unsupported`]: a later release made it; the chat stands still until the update.
    /// [`E2eeError::Storage`].
    pub fn receive(&mut self, me: &Me<'_>, entry: &Arriving<'_>, lists: &Lists<'_>) -> Result<Received, E2eeError> {
        self.check_member()?;
        let content = EntryContent::decode(entry.content).map_err(|_| Flaw::Malformed)?;
        if content.restart.is_some() {
            return Err(Flaw::Kind.into());
        }
        let message = MlsMessageIn::tls_deserialize_exact(&content.mls[..]).map_err(|_| Flaw::Malformed)?;
        let message = message.try_into_protocol_message().map_err(|_| Flaw::Kind)?;
        match (entry.kind, message) {
            (EntryKind::Message, ProtocolMessage::PrivateMessage(message)) => {
                self.receive_message(me, message.into(), lists)
            }
            (EntryKind::Commit, ProtocolMessage::PublicMessage(message)) => {
                let parts = Parts {
                    fork_tag: &content.fork_tag,
                    device_lists: &content.device_lists,
                    installs: entry.installs,
                };
                self.receive_commit(me, *message, &parts, lists)
            }
            (EntryKind::Change, _) => Err(E2eeError::Unsupported),
            _ => Err(Flaw::Kind.into()),
        }
    }

    fn receive_message(
        &mut self,
        me: &Me<'_>,
        message: ProtocolMessage,
        lists: &Lists<'_>,
    ) -> Result<Received, E2eeError> {
        let processed = self.group.process_message(&me.provider, message).map_err(|error| me.blame(flaw(&error)))?;
        let sender = processed.sender().clone();
        let seen = seen(&processed)?;
        match (processed.into_content(), sender) {
            (ProcessedMessageContent::ApplicationMessage(message), Sender::Member(leaf)) => {
                let sender = self.member_at(leaf, lists)?;
                Ok(Received::Message { sender, content: message.into_bytes(), seen })
            }
            (ProcessedMessageContent::OwnPrivateMessage, _) => Ok(Received::Own),
            _ => Err(Flaw::Kind.into()),
        }
    }

    fn receive_commit(
        &mut self,
        me: &Me<'_>,
        message: PublicMessageIn,
        parts: &Parts<'_>,
        lists: &Lists<'_>,
    ) -> Result<Received, E2eeError> {
        let committer = match message.sender() {
            Sender::Member(leaf) => Committer::Member(*leaf),
            Sender::NewMemberCommit => Committer::Outside,
            _ => return Err(Flaw::Kind.into()),
        };
        let processed = match self.group.process_message(&me.provider, message.clone()) {
            Ok(processed) => processed,
            Err(error) if may_be_private(&error) => {
                return Err(me.blame(self.unfollowed(me, message, committer, parts, lists)));
            }
            Err(error) => return Err(me.blame(flaw(&error))),
        };
        let seen = seen(&processed)?;
        let (sender, change) = match processed.into_content() {
            ProcessedMessageContent::StagedCommitMessage(commit) => {
                let judged = self.judge(me, &commit, committer, parts, lists)?;
                let former = (self.group.epoch(), self.group.own_leaf_index());
                self.group.merge_staged_commit(&me.provider, *commit).map_err(|_| me.blame(E2eeError::Internal))?;
                if judged.1.gone {
                    self.forget(me)?;
                    let (epoch, leaf) = former;
                    me.provider
                        .storage()
                        .delete_encryption_epoch_key_pairs(self.group.group_id(), &epoch, leaf.u32())
                        .map_err(|_| E2eeError::Storage)?;
                }
                judged
            }
            ProcessedMessageContent::OwnPendingCommit => {
                let pending = self.group.pending_commit().ok_or(E2eeError::Internal)?;
                let judged = self.judge(me, pending, committer, parts, lists)?;
                self.group.merge_pending_commit(&me.provider).map_err(|_| me.blame(E2eeError::Internal))?;
                judged
            }
            _ => return Err(Flaw::Kind.into()),
        };
        Ok(Received::Commit { sender, seen, change })
    }

    /// What to say of a commit that this device's secrets cannot follow: a flaw, if the others find one.
    fn unfollowed(
        &self,
        me: &Me<'_>,
        message: PublicMessageIn,
        committer: Committer,
        parts: &Parts<'_>,
        lists: &Lists<'_>,
    ) -> E2eeError {
        let judge = || {
            let public = PublicGroup::load(me.provider.storage(), self.group.group_id())
                .map_err(|_| E2eeError::Storage)?
                .ok_or(E2eeError::Storage)?;
            let processed = public.process_message(me.provider.crypto(), message).map_err(|_| Flaw::Commit)?;
            seen(&processed)?;
            match processed.into_content() {
                ProcessedMessageContent::StagedCommitMessage(commit) => {
                    let newer = lists.newer(parts.device_lists)?;
                    let (lists, begins) = (lists.with(&newer), !parts.installs.is_empty());
                    verify::commit(&self.group, &commit, committer, self.channel, &lists, begins)
                }
                _ => Err(Flaw::Kind.into()),
            }
        };
        judge().err().unwrap_or(E2eeError::Private)
    }

    fn member_at(&self, leaf: LeafNodeIndex, lists: &Lists<'_>) -> Result<Member, Flaw> {
        let leaf = self.group.members().find(|member| member.index == leaf).ok_or(Flaw::Leaf)?;
        lists.member(&leaf.credential, &leaf.signature_key)
    }
}

fn seen(processed: &ProcessedMessage) -> Result<Seen, Flaw> {
    Seen::decode(processed.aad()).map_err(|_| Flaw::AuthenticatedData)
}

/// Whether a commit may have failed at this reader's own secrets alone.
fn may_be_private(error: &ProcessMessageError<KeyValueError>) -> bool {
    matches!(
        error,
        ProcessMessageError::LibraryError(_)
            | ProcessMessageError::InvalidCommit(
                StageCommitError::LibraryError(_)
                    // From our leaf, but not the commit that is pending here: we have lost, or gone back, some state.
                    | StageCommitError::OwnCommitMismatch
                    | StageCommitError::OwnKeyNotFound
                    | StageCommitError::MissingDecryptionKey
                    | StageCommitError::UpdatePathError(_)
            )
    )
}

fn flaw(error: &ProcessMessageError<KeyValueError>) -> Flaw {
    match error {
        ProcessMessageError::ValidationError(error) => match error {
            ValidationError::WrongGroupId | ValidationError::WrongEpoch | ValidationError::NoPastEpochData => {
                Flaw::Epoch
            }
            ValidationError::InvalidMembershipTag => Flaw::Fork,
            ValidationError::UnableToDecrypt(_) => Flaw::Ciphertext,
            ValidationError::InvalidSignature | ValidationError::InvalidLeafNodeSignature => Flaw::Signature,
            ValidationError::UnknownMember => Flaw::Leaf,
            _ => Flaw::Malformed,
        },
        ProcessMessageError::InvalidCommit(StageCommitError::ConfirmationTagMismatch) => Flaw::Fork,
        ProcessMessageError::InvalidCommit(_) => Flaw::Commit,
        _ => Flaw::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use openmls::{framing::errors::MessageDecryptionError, prelude::ProposalValidationError};

    use super::*;

    /// Some of it takes a member whose MLS is another than ours.
    #[test]
    fn what_mls_finds_wrong_is_said_in_our_words() {
        let invalid = |error: ValidationError| flaw(&ProcessMessageError::ValidationError(error));
        for epoch in [ValidationError::WrongGroupId, ValidationError::WrongEpoch, ValidationError::NoPastEpochData] {
            assert_eq!(invalid(epoch), Flaw::Epoch);
        }
        for signature in [ValidationError::InvalidSignature, ValidationError::InvalidLeafNodeSignature] {
            assert_eq!(invalid(signature), Flaw::Signature);
        }
        assert_eq!(invalid(ValidationError::InvalidMembershipTag), Flaw::Fork);
        let ciphertext = ValidationError::UnableToDecrypt(MessageDecryptionError::AeadError);
        assert_eq!(invalid(ciphertext), Flaw::Ciphertext);
        assert_eq!(invalid(ValidationError::UnknownMember), Flaw::Leaf);
        assert_eq!(invalid(ValidationError::WrongWireFormat), Flaw::Malformed);

        let commit = |error: StageCommitError| flaw(&ProcessMessageError::InvalidCommit(error));
        assert_eq!(commit(StageCommitError::ConfirmationTagMismatch), Flaw::Fork);
        assert_eq!(commit(StageCommitError::AttemptedSelfRemoval), Flaw::Commit);
        assert_eq!(commit(ProposalValidationError::UnknownMemberRemoval.into()), Flaw::Commit);
    }
}
