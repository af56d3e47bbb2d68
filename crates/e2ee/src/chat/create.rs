//! Beginning a chat.

use bytes::Bytes;
use openmls::prelude::{KeyPackage as MlsKeyPackage, MlsGroup, NewGroupError, OpenMlsProvider as _};
use undertone_credentials::{DeviceList, KeyPackage};
use undertone_wire::ChannelId;

use super::{Chat, change::tls, group_id};
use crate::{E2eeError, Me, Suite, config, key_package};

/// What the invited need to join, besides the channel and its generation's secret.
pub struct Invitation {
    /// MLSMessage with a Welcome, encrypted to the key packages that were used.
    pub welcome: Bytes,
    /// MLS ratchet tree: who is in the chat. The Welcome authenticates it, nothing hides it.
    pub tree: Bytes,
}

impl Chat {
    /// Begins a chat in a channel, with the given devices as its other members: each by its account's newest list and
    /// a key package that was verified against it and whose age the caller has judged. Without any there is nobody to
    /// invite.
    ///
    /// # Errors
    /// [`E2eeError::Exists`]; [`E2eeError::Unsupported`] when a device cannot do what a chat of ours needs; a flaw of a
    /// key package; [`E2eeError::Storage`].
    pub fn create(
        me: &Me<'_>,
        channel: ChannelId,
        suite: Suite,
        peers: &[(&DeviceList, &KeyPackage)],
    ) -> Result<(Self, Option<Invitation>), E2eeError> {
        Self::begin(me, channel, 0, suite, peers)
    }

    pub(super) fn begin(
        me: &Me<'_>,
        channel: ChannelId,
        group: u32,
        suite: Suite,
        peers: &[(&DeviceList, &KeyPackage)],
    ) -> Result<(Self, Option<Invitation>), E2eeError> {
        let packages = peers
            .iter()
            .map(|(list, package)| key_package::check(&me.provider, suite, list, package))
            .collect::<Result<Vec<_>, _>>()?;
        let mut group = MlsGroup::new_with_group_id(
            &me.provider,
            &me.signer,
            &config::create(channel, suite)?,
            group_id(channel, group),
            me.credential(),
        )
        .map_err(|error| {
            me.blame(match error {
                NewGroupError::GroupAlreadyExists => E2eeError::Exists,
                _ => E2eeError::Internal,
            })
        })?;
        let invitation = if packages.is_empty() { None } else { Some(add(me, &mut group, packages)?) };
        Ok((Self { channel, group }, invitation))
    }
}

/// Adds the first members. Nobody else is there who could commit first, so the commit is merged at once.
pub(super) fn add(me: &Me<'_>, group: &mut MlsGroup, packages: Vec<MlsKeyPackage>) -> Result<Invitation, E2eeError> {
    let internal = || me.blame(E2eeError::Internal);
    let (_, welcome, _) = group
        .commit_builder()
        .force_self_update(true)
        .propose_adds(packages)
        .load_psks(me.provider.storage())
        .map_err(|_| internal())?
        .build(me.provider.rand(), me.provider.crypto(), &me.signer, |_| true)
        .map_err(|_| internal())?
        .stage_commit(&me.provider)
        .map_err(|_| internal())?
        .into_messages();
    group.merge_pending_commit(&me.provider).map_err(|_| internal())?;
    let welcome = welcome.ok_or(E2eeError::Internal)?;
    Ok(Invitation { welcome: tls(&welcome)?, tree: tls(&group.export_ratchet_tree())? })
}
