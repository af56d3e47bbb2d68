//! Coming back by oneself: an external commit (RFC 9420, section 12.4.3.2) on a chat's head.

use bytes::Bytes;
use openmls::{
    messages::group_info::VerifiableGroupInfo,
    prelude::{
        ExternalCommitBuilderError, LeafNodeParameters, MlsGroup, MlsMessageBodyIn, MlsMessageIn, OpenMlsProvider as _,
        OpenMlsSignaturePublicKey, SignatureScheme, Verifiable as _, tls_codec::Deserialize as _,
    },
};
use undertone_credentials::DeviceList;
use undertone_wire::{
    ChannelId, Message as _,
    content::{GroupPlace, Seen},
};

use super::{
    Chat, Committed, Plan,
    change::{FORK_TAG_LEN, tls},
    entry, group_id,
    join::parse_tree,
    verify,
};
use crate::{E2eeError, Flaw, Generation, Head, KeyValueError, Lists, Me, Member, Suite, config, labels};

/// The end of a GroupInfo, which depends on who made it: signer (4), length of the signature (2), signature (64).
const SIGNED_LEN: usize = 4 + 2 + 64;

impl Chat {
    /// As [`Self::commit`], with the head that goes into the head slot together with the entry. `current` is the
    /// generation that goes on, if none begins.
    ///
    /// # Errors
    /// As for [`Self::commit`].
    pub fn commit_with_head(
        &mut self,
        me: &Me<'_>,
        plan: &Plan<'_>,
        current: &Generation,
        lists: &Lists<'_>,
        seen: &Seen,
    ) -> Result<(Committed, Head), E2eeError> {
        let (committed, group_info) = self.build(me, plan, lists, seen, true)?;
        let pending = self.group.pending_commit().ok_or(E2eeError::Internal)?;
        let generation = committed.generation.as_ref().unwrap_or(current);
        let head = Head {
            group_info: tls(&group_info.ok_or(E2eeError::Internal)?)?,
            tree: tls(&self.tree_after(me, pending)?)?,
            generation: Generation::from_secret(*generation.secret()),
            place: GroupPlace::default(),
        };
        Ok((committed, head))
    }

    /// The head of the epoch in which this chat stands, in its generation: what goes into the head slot with the entry by
    /// which this device [came in](Self::rejoin).
    ///
    /// # Errors
    /// [`E2eeError::Private`] once this device was removed.
    pub fn head(&self, me: &Me<'_>, generation: &Generation) -> Result<Head, E2eeError> {
        self.check_member()?;
        let exported = self.group.export_group_info(me.provider.crypto(), &me.signer, false);
        Ok(Head {
            group_info: tls(&exported.map_err(|_| E2eeError::Internal)?)?,
            tree: tls(&self.group.export_ratchet_tree())?,
            generation: Generation::from_secret(*generation.secret()),
            place: GroupPlace::default(),
        })
    }

    /// Checks the head that came with a commit, once that is merged: it leads into this epoch and this generation, and
    /// the committer has signed it. Whoever finds it wrong commits next, with a right one.
    ///
    /// # Errors
    /// [`Flaw::Head`].
    pub fn check_head(
        &self,
        me: &Me<'_>,
        head: &Head,
        committer: Member,
        generation: &Generation,
    ) -> Result<(), E2eeError> {
        let crypto = me.provider.crypto();
        // Ours says the same, but for who signed it.
        let ours = self.group.export_group_info(crypto, &me.signer, false).map_err(|_| E2eeError::Internal)?;
        let ours = tls(&ours)?;
        let said = |group_info: &[u8]| group_info.split_last_chunk::<SIGNED_LEN>().map(|(said, _)| said.to_vec());
        let same = said(&ours) == said(&head.group_info)
            && head.tree == tls(&self.group.export_ratchet_tree())?
            && head.generation.secret() == generation.secret();
        if !same {
            return Err(Flaw::Head.into());
        }
        let leaf = self.group.members().find(|leaf| Member::of(&leaf.credential) == Ok(committer));
        let leaf = leaf.ok_or(Flaw::Head)?;
        let key = OpenMlsSignaturePublicKey::new(leaf.signature_key.into(), SignatureScheme::ED25519);
        let key = key.map_err(|_| E2eeError::Internal)?;
        parse_group_info(&head.group_info)?.verify(crypto, &key).map(drop).map_err(|_| Flaw::Head.into())
    }

    /// Comes into a chat by its head, as a device that has a place: an `EntryContent` that holds an external commit and
    /// `brought`, lists that the log does not have yet. A former leaf of this device goes with it. The caller knows the
    /// entry by its bytes when the log has it, and does not receive it.
    ///
    /// It takes at once, and what this device had of the chat is deleted: when another entry stands in its place, the
    /// chat is to be [deleted](Self::delete), and the next head will do.
    ///
    /// # Errors
    /// [`Flaw::Head`] and all others that a joiner finds; [`E2eeError::Unsupported`]; [`E2eeError::Storage`].
    pub fn rejoin(
        me: &Me<'_>,
        (channel, group): (ChannelId, u32),
        head: &Head,
        brought: &[&DeviceList],
        lists: &Lists<'_>,
        seen: &Seen,
    ) -> Result<Committed, E2eeError> {
        let group_info = parse_group_info(&head.group_info)?;
        let id = group_id(channel, group);
        if group_info.group_id() != &id {
            return Err(Flaw::Epoch.into());
        }
        verify::context(group_info.group_context().extensions(), channel, 0)?;
        let suite = Suite::of(group_info.ciphersuite())?;
        let tree = parse_tree(suite, &head.tree)?;
        let brought: Vec<Bytes> = brought.iter().map(|list| list.encoded().clone()).collect();
        let newer = lists.newer(&brought)?;
        let lists = lists.with(&newer);

        let storage = me.provider.storage();
        if let Some(mut old) = MlsGroup::load(storage, &id).map_err(|_| E2eeError::Storage)? {
            old.delete(storage).map_err(|_| E2eeError::Storage)?;
        }
        let internal = || me.blame(E2eeError::Internal);
        let (group, bundle) = MlsGroup::external_commit_builder()
            .with_ratchet_tree(tree)
            .with_config(config::join())
            .with_aad(seen.encode_to_vec())
            .skip_lifetime_validation()
            .build_group(&me.provider, group_info, me.credential())
            .map_err(|error| me.blame(classify(&error)))?
            .leaf_node_parameters(LeafNodeParameters::builder().with_capabilities(config::capabilities(suite)).build())
            .load_psks(storage)
            .map_err(|_| internal())?
            .build(me.provider.rand(), me.provider.crypto(), &me.signer, |_| true)
            .map_err(|_| internal())?
            .finalize(&me.provider)
            .map_err(|_| internal())?;
        if !verify::staying(group.members(), &lists)?.contains(&me.member) {
            return Err(Flaw::Leaf.into());
        }
        let fork_tag = group.export_secret(me.provider.crypto(), labels::FORK_TAG, &[], FORK_TAG_LEN);
        let fork_tag = fork_tag.map_err(|_| E2eeError::Internal)?.into();
        Ok(Committed { entry: entry(bundle.commit(), fork_tag, brought)?, generation: None, invitation: None })
    }
}

fn parse_group_info(bytes: &[u8]) -> Result<VerifiableGroupInfo, Flaw> {
    let message = MlsMessageIn::tls_deserialize_exact(bytes).map_err(|_| Flaw::Head)?;
    match message.extract() {
        MlsMessageBodyIn::GroupInfo(group_info) => Ok(group_info),
        _ => Err(Flaw::Head),
    }
}

fn classify(error: &ExternalCommitBuilderError<KeyValueError>) -> E2eeError {
    match error {
        ExternalCommitBuilderError::StorageError(_) => E2eeError::Storage,
        ExternalCommitBuilderError::LibraryError(_) => E2eeError::Internal,
        ExternalCommitBuilderError::UnsupportedCiphersuite(_) => E2eeError::Unsupported,
        _ => Flaw::Head.into(),
    }
}
