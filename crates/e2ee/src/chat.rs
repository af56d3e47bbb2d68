//! A chat: one MLS group (RFC 9420) in one channel, until a restart puts another in its place.
//!
//! Members are devices; each leaf is signed with the device's key and names it. Every commit carries a path, so that it
//! heals a stolen state; there are no standalone proposals. The service, which orders the log, is trusted with nothing.
//!
//! One transaction of the caller holds an operation and all it brings: process, verify, merge, store. **After any
//! error the caller rolls back, drops the `Chat` and loads it again**: the object in memory may have moved further than
//! the store. Bytes leave the device only after the commit of the transaction that made them.

mod change;
mod commit;
mod create;
mod join;
mod receive;
mod rejoin;
mod restart;
mod transient;
mod verify;
mod welcomes;

use bytes::Bytes;
use openmls::prelude::{GroupId, LeafNodeIndex, MlsGroup, MlsMessageOut, OpenMlsProvider as _};
use undertone_wire::{
    ChannelId, Message,
    content::{EntryContent, Seen},
};

use self::change::tls;
pub use self::{
    change::Change,
    commit::{Committed, Plan},
    create::Invitation,
    receive::{Arriving, Received},
    restart::RestartAt,
    transient::TransientKey,
    welcomes::Welcomes,
};
use crate::{E2eeError, Flaw, Me, Member, Suite};

/// A chat as this device knows it.
pub struct Chat {
    channel: ChannelId,
    group: MlsGroup,
}

impl Chat {
    /// The chat of a channel, as the store has it; none if there is none. `group` counts the restarts that were valid.
    ///
    /// # Errors
    /// [`E2eeError::Storage`].
    pub fn load(me: &Me<'_>, channel: ChannelId, group: u32) -> Result<Option<Self>, E2eeError> {
        let (storage, id) = (me.provider.storage(), group_id(channel, group));
        let group = match storage.take_loaded(&id) {
            Some(group) => Some(group),
            None => MlsGroup::load(storage, &id).map_err(|_| E2eeError::Storage)?,
        };
        Ok(group.map(|group| Self { channel, group }))
    }

    /// Leaves it in memory for whoever [loads](Self::load) it next, if the store has a place for that ([`Loaded`](crate::Loaded)).
    /// Not after an error, and not where this chat was loaded a second time since and changed by that.
    pub fn keep(self, me: &Me<'_>) {
        if self.group.is_active() {
            me.provider.storage().keep_loaded(self.group);
        }
    }

    /// Forgets all secrets of this chat: its messages that have not been read yet never will be.
    ///
    /// # Errors
    /// [`E2eeError::Storage`].
    pub fn delete(mut self, me: &Me<'_>) -> Result<(), E2eeError> {
        self.forget(me)
    }

    /// The channel that it is in.
    pub fn channel(&self) -> ChannelId {
        self.channel
    }

    /// Its ciphersuite.
    pub fn suite(&self) -> Suite {
        // No group of another comes into the store.
        Suite::of(self.group.ciphersuite()).unwrap_or(Suite::PostQuantum)
    }

    /// The devices in it, this one included.
    pub fn members(&self) -> Vec<Member> {
        // Every leaf was checked before it came in, so that each names a device.
        self.group.members().filter_map(|leaf| Member::of(&leaf.credential).ok()).collect()
    }

    /// What all members of one epoch share and no other epoch or fork has (RFC 9420, section 8.7).
    pub fn epoch_authenticator(&self) -> Bytes {
        Bytes::copy_from_slice(self.group.epoch_authenticator().as_slice())
    }

    /// Encrypts a message (`content.Content`, encoded) for the position where this chat stands: an `EntryContent` that
    /// holds a PrivateMessage. Possible while a commit of one's own is pending, for the epoch before it.
    ///
    /// `seen` is told to all readers, inside the wrap.
    ///
    /// # Errors
    /// [`E2eeError::Private`] once this device was removed, [`E2eeError::Storage`].
    pub fn encrypt(&mut self, me: &Me<'_>, content: &[u8], seen: &Seen) -> Result<Bytes, E2eeError> {
        self.check_member()?;
        self.group.set_aad(seen.encode_to_vec());
        let message =
            self.group.create_message(&me.provider, &me.signer, content).map_err(|_| me.blame(E2eeError::Internal))?;
        entry(&message, Bytes::new(), Vec::new())
    }

    /// Who was removed has no secrets of the epoch that followed.
    pub(crate) fn check_member(&self) -> Result<(), E2eeError> {
        if self.group.is_active() { Ok(()) } else { Err(E2eeError::Private) }
    }

    fn leaf_of(&self, member: Member) -> Result<LeafNodeIndex, Flaw> {
        let leaf = self.group.members().find(|leaf| Member::of(&leaf.credential) == Ok(member));
        leaf.map(|leaf| leaf.index).ok_or(Flaw::Leaf)
    }

    fn forget(&mut self, me: &Me<'_>) -> Result<(), E2eeError> {
        self.group.delete(me.provider.storage()).map_err(|_| E2eeError::Storage)
    }
}

/// The MLS group id of a channel's chat after so many restarts.
fn group_id(channel: ChannelId, group: u32) -> GroupId {
    match group {
        0 => GroupId::from_slice(channel.as_bytes()),
        group => GroupId::from_slice(&[&channel.as_bytes()[..], &group.to_be_bytes()].concat()),
    }
}

fn entry(message: &MlsMessageOut, fork_tag: Bytes, device_lists: Vec<Bytes>) -> Result<Bytes, E2eeError> {
    Ok(EntryContent { mls: tls(message)?, fork_tag, device_lists, restart: None }.encode_to_vec().into())
}

#[cfg(test)]
mod tests;
