//! What a chat demands beyond MLS: which leaves, which context, which commits. All of it is public: who follows the log
//! comes to the same result, whatever his own secrets are.

use std::collections::BTreeSet;

use openmls::prelude::{
    CredentialType, Extension, ExtensionType, Extensions, GroupContext, LeafNodeIndex, Member as Leaf, MlsGroup,
    ParentNode, Proposal, ProposalOrRefType, RatchetTreeIn, StagedCommit,
    tls_codec::{Deserialize as _, Serialize as _, VLBytes},
};
use undertone_wire::{ChannelId, Message, content, ladder};

use crate::{
    E2eeError, Flaw, Lists, Member, Suite, key_package,
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

/// Whose leaves these are: each that of another device on its account's list.
pub fn members(leaves: impl Iterator<Item = Leaf>, lists: &Lists<'_>) -> Result<BTreeSet<Member>, Flaw> {
    distinct(leaves.map(|leaf| lists.member(&leaf.credential, &leaf.signature_key)))
}

/// The same where nobody can be removed: devices that have lost their place on the list of somebody who belongs are still
/// there, until the next member commits.
pub fn staying(leaves: impl Iterator<Item = Leaf>, lists: &Lists<'_>) -> Result<BTreeSet<Member>, Flaw> {
    let has_lost_it = |leaf: &Leaf| {
        let list = Member::of(&leaf.credential).ok().and_then(|member| Some((member, lists.of(member.account)?)));
        list.is_some_and(|(member, list)| list.device(member.device).is_none())
    };
    members(leaves.filter(|leaf| !has_lost_it(leaf)), lists)
}

/// Checks that every device that has a place has a leaf in a tree, and nobody else.
pub fn everybody(tree: &RatchetTreeIn, lists: &Lists<'_>) -> Result<(), Flaw> {
    let leaves = tree.leaves().map(|leaf| lists.member(leaf.credential(), leaf.signature_key().as_slice()));
    if distinct(leaves)? == lists.members().collect() { Ok(()) } else { Err(Flaw::Leaf) }
}

fn distinct(mut members: impl Iterator<Item = Result<Member, Flaw>>) -> Result<BTreeSet<Member>, Flaw> {
    members.try_fold(BTreeSet::new(), |mut all, member| if all.insert(member?) { Ok(all) } else { Err(Flaw::Leaf) })
}

/// Checks that the next who commits can encrypt to every node of a tree.
pub fn tree_keys(suite: Suite, tree: &RatchetTreeIn) -> Result<(), Flaw> {
    // A parent's key is the first of its fields, and not to be had otherwise.
    let parent_key = |parent: &ParentNode| {
        let parent = parent.tls_serialize_detached()?;
        VLBytes::tls_deserialize(&mut &parent[..])
    };
    let sound = tree.leaves().all(|leaf| is_encryption_key(suite, leaf.encryption_key()))
        && tree.parents().all(|parent| parent_key(parent).is_ok_and(|key| is_encryption_key(suite, &key)));
    if sound { Ok(()) } else { Err(Flaw::Commit) }
}

/// From where a commit comes.
#[derive(Clone, Copy)]
pub enum Committer {
    /// The leaf that made it.
    Member(LeafNodeIndex),
    /// A device that comes in by it.
    Outside,
}

/// A commit that has kept the rules.
pub struct Judged {
    pub sender: Member,
    pub added: Vec<Member>,
    pub removed: Vec<Member>,
}

/// Checks what a commit does to a chat: it renews its committer's keys, who stays who he is; it adds and removes
/// devices, and does nothing else. Every leaf has its place on `lists`, the newest once the commit stands, and each
/// device at most one. Removed is only who has no place, is of the committer's own account, or is added again; and whoever
/// is not added again is locked out by a generation that begins. A commit from outside adds its committer's device, in the
/// place of that device's former leaf if there is one, and nothing besides; leaves of devices that have lost their place wait
/// for the next member's.
pub fn commit(
    group: &MlsGroup,
    commit: &StagedCommit,
    committer: Committer,
    channel: ChannelId,
    lists: &Lists<'_>,
    begins_generation: bool,
) -> Result<Judged, E2eeError> {
    let floor = context(group.extensions(), channel, 0)?;
    context(commit.group_context().extensions(), channel, floor)?;
    if !commit.queued_proposals().all(|proposal| {
        proposal.proposal_or_ref_type() == ProposalOrRefType::Proposal
            && match committer {
                Committer::Member(_) => matches!(proposal.proposal(), Proposal::Add(_) | Proposal::Remove(_)),
                Committer::Outside => matches!(proposal.proposal(), Proposal::ExternalInit(_) | Proposal::Remove(_)),
            }
    }) {
        return Err(E2eeError::Unsupported);
    }
    let suite = Suite::of(group.ciphersuite())?;
    let path = commit.update_path_leaf_node().ok_or(Flaw::Commit)?;
    if !is_encryption_key(suite, path.encryption_key()) {
        return Err(Flaw::Commit.into());
    }
    let sender = lists.member(path.credential(), path.signature_key().as_slice())?;

    let leaves_removed: BTreeSet<LeafNodeIndex> =
        commit.remove_proposals().map(|proposal| proposal.remove_proposal().removed()).collect();
    let (old, others): (Vec<Leaf>, Vec<Leaf>) =
        group.members().partition(|leaf| matches!(committer, Committer::Member(committer) if leaf.index == committer));
    match (committer, &old[..]) {
        (Committer::Member(_), [old]) if Member::of(&old.credential)? == sender => {}
        (Committer::Outside, []) => {}
        _ => return Err(Flaw::Leaf.into()),
    }
    let (removed, stayed): (Vec<Leaf>, Vec<Leaf>) =
        others.into_iter().partition(|leaf| leaves_removed.contains(&leaf.index));
    let mut after = match committer {
        Committer::Member(_) => members(stayed.into_iter(), lists)?,
        Committer::Outside => staying(stayed.into_iter(), lists)?,
    };
    let added: Vec<Member> = commit
        .add_proposals()
        // MLS has refused who cannot do what the context requires; here nothing is left to a later release.
        .map(|proposal| key_package::judge(suite, proposal.add_proposal().key_package(), lists).map_err(|_| Flaw::Leaf))
        .collect::<Result<_, _>>()?;
    if !added.iter().chain([&sender]).all(|member| after.insert(*member)) {
        return Err(Flaw::Leaf.into());
    }
    let added = if matches!(committer, Committer::Outside) { vec![sender] } else { added };

    let removed = removed
        .into_iter()
        .map(|leaf| {
            let member = Member::of(&leaf.credential)?;
            let allowed = match committer {
                Committer::Outside => member == sender,
                Committer::Member(_) => {
                    let owed = lists.member(&leaf.credential, &leaf.signature_key).is_err();
                    owed || member.account == sender.account || added.contains(&member)
                }
            };
            if allowed { Ok(member) } else { Err(Flaw::Leaf) }
        })
        .collect::<Result<Vec<_>, _>>()?;
    let right = match committer {
        Committer::Outside => !begins_generation,
        Committer::Member(_) => begins_generation || removed.iter().all(|member| added.contains(member)),
    };
    if right { Ok(Judged { sender, added, removed }) } else { Err(Flaw::Generation.into()) }
}
