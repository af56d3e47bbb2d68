//! Who a chat's members may be: the newest device lists of its accounts.

use openmls::prelude::{Credential, CredentialType};
use undertone_credentials::DeviceList;
use undertone_wire::{AccountId, Message, content};

use crate::{Flaw, labels::CREDENTIAL};

/// A device in a chat.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// Whose it is.
    pub account: AccountId,
    /// Its number on that account's list.
    pub device: u32,
}

/// The newest verified device list of each account of a chat, one's own included, as the log up to here has them.
///
/// An account without a list here has no place in the chat; so the caller names exactly those who belong.
#[derive(Clone)]
pub struct Lists<'a>(Vec<&'a DeviceList>);

impl<'a> FromIterator<&'a DeviceList> for Lists<'a> {
    fn from_iter<I: IntoIterator<Item = &'a DeviceList>>(lists: I) -> Self {
        Self(lists.into_iter().collect())
    }
}

impl Lists<'_> {
    /// Whose leaf this is, if its signature key is that of the device which its credential names.
    pub(crate) fn member(&self, credential: &Credential, signature_key: &[u8]) -> Result<Member, Flaw> {
        let member = Member::of(credential)?;
        let list = self.0.iter().find(|list| list.account() == member.account).ok_or(Flaw::Leaf)?;
        let device = list.device(member.device).ok_or(Flaw::Leaf)?;
        if device.key.as_bytes() == signature_key { Ok(member) } else { Err(Flaw::Leaf) }
    }
}

impl Member {
    /// The MLS credential that names it.
    pub(crate) fn credential(self) -> Credential {
        let leaf = content::Leaf { account: self.account.into(), device: self.device };
        Credential::new(CredentialType::Other(CREDENTIAL), leaf.encode_to_vec())
    }

    /// The device that a credential names, in the one encoding that a name has.
    pub(crate) fn of(credential: &Credential) -> Result<Self, Flaw> {
        let leaf = content::Leaf::decode(credential.serialized_content()).map_err(|_| Flaw::Leaf)?;
        let account = AccountId::try_from(&leaf.account[..]).map_err(|_| Flaw::Leaf)?;
        let member = Self { account, device: leaf.device };
        if member.credential() == *credential { Ok(member) } else { Err(Flaw::Leaf) }
    }
}
