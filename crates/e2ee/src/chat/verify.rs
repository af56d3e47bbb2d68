//! What a chat demands beyond MLS: which leaves, which context, which commits. All of it is public: who follows the log
//! comes to the same result, whatever his own secrets are.

use openmls::prelude::{
    CredentialType, Extension, ExtensionType, Extensions, GroupContext, LeafNodeIndex, Member as Leaf, MlsGroup,
    StagedCommit,
};
use undertone_wire::{ChannelId, Message, content, ladder};

use crate::{
    E2eeError, Flaw, Lists, Member,
    labels::{CONTEXT_EXTENSION, CREDENTIAL},
    provider::is_encryption_key,
};

/// Checks a group context: it is this channel's, its floor is at least `floor_min` and one that we reach, every leaf
/// must understand it, and there is nothing besides. Returns the floor.
pub fn context(extensions: &Extensions<GroupContext>, channel: ChannelId, floor_min: u32) -> Result<u32, E2eeError> {
    let ours = extensions.unknown(CONTEXT_EXTENSION).ok_or(Flaw::Context)?;
    let said = content::Context::decode(&ours.0[..]).map_err(|_| Flaw::Context)?;
    let required = extensions.required_capabilities().ok_or(Flaw::Context)?;
    let right = said.channel[..] == channel.as_bytes()[..]
        && said.floor >= floor_min
        && required.extension_types().contains(&ExtensionType::Unknown(CONTEXT_EXTENSION))
        && required.credential_types().contains(&CredentialType::Other(CREDENTIAL));
    if !right {
        return Err(Flaw::Context.into());
    }
    let known = |extension: &Extension| {
        matches!(extension, Extension::RequiredCapabilities(_) | Extension::Unknown(CONTEXT_EXTENSION, _))
    };
    if said.floor > ladder::PROTOCOL || !extensions.iter().all(known) {
        return Err(E2eeError::Unsupported);
    }
    Ok(said.floor)
}

/// Checks that every leaf is that of a device on its account's list.
pub fn members(mut leaves: impl Iterator<Item = Leaf>, lists: &Lists<'_>) -> Result<(), Flaw> {
    leaves.try_for_each(|leaf| lists.member(&leaf.credential, &leaf.signature_key).map(drop))
}

/// Checks what a commit does to a chat, and returns who made it: in this release it renews its committer's keys and
/// does nothing else, he stays who he is, and every leaf has its place on the newest lists.
pub fn commit(
    group: &MlsGroup,
    commit: &StagedCommit,
    committer: LeafNodeIndex,
    channel: ChannelId,
    lists: &Lists<'_>,
) -> Result<Member, E2eeError> {
    let floor = context(group.extensions(), channel, 0)?;
    context(commit.group_context().extensions(), channel, floor)?;
    if commit.queued_proposals().next().is_some() {
        return Err(E2eeError::Unsupported);
    }
    let path = commit.update_path_leaf_node().ok_or(Flaw::Commit)?;
    // The next who commits must be able to encrypt to it.
    if !is_encryption_key(path.encryption_key()) {
        return Err(Flaw::Commit.into());
    }
    let (old, others): (Vec<Leaf>, Vec<Leaf>) = group.members().partition(|leaf| leaf.index == committer);
    members(others.into_iter(), lists)?;
    let renewed = lists.member(path.credential(), path.signature_key().as_slice())?;
    match &old[..] {
        [old] if Member::of(&old.credential)? == renewed => Ok(renewed),
        _ => Err(Flaw::Leaf.into()),
    }
}
