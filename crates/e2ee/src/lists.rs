//! Who a chat's members may be: the newest device lists of its accounts.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use openmls::prelude::{Credential, CredentialType};
use undertone_credentials::{CredentialError, DeviceList};
use undertone_wire::{AccountId, Message, content};

use crate::{E2eeError, Flaw, labels::CREDENTIAL};

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
/// An account that is not named here has no place in the chat; so the caller names exactly those who belong.
#[derive(Clone)]
pub struct Lists<'a> {
    lists: BTreeMap<AccountId, &'a DeviceList>,
    newcomers: BTreeSet<AccountId>,
}

impl<'a> FromIterator<&'a DeviceList> for Lists<'a> {
    fn from_iter<I: IntoIterator<Item = &'a DeviceList>>(lists: I) -> Self {
        Self { lists: lists.into_iter().map(|list| (list.account(), list)).collect(), newcomers: BTreeSet::new() }
    }
}

impl<'a> Lists<'a> {
    /// With accounts that belong too, and whose first list the next entry may bring.
    #[must_use]
    pub fn and_newcomers(mut self, accounts: impl IntoIterator<Item = AccountId>) -> Self {
        let lists = &self.lists;
        let unknown = accounts.into_iter().filter(|account| !lists.contains_key(account));
        self.newcomers.extend(unknown);
        self
    }
}

impl Lists<'_> {
    /// Those lists among the ones that an entry brings which are newer than these, or a newcomer's first.
    ///
    /// # Errors
    /// [`Flaw::List`]; [`E2eeError::Unsupported`] for a list of a later release.
    pub(crate) fn newer(&self, brought: &[Bytes]) -> Result<Vec<DeviceList>, E2eeError> {
        if brought.len() > self.lists.len() + self.newcomers.len() {
            return Err(Flaw::List.into());
        }
        let mut newer: BTreeMap<AccountId, DeviceList> = BTreeMap::new();
        for encoded in brought {
            let list = DeviceList::verify(encoded).map_err(|error| match error {
                CredentialError::Newer => E2eeError::Unsupported,
                _ => Flaw::List.into(),
            })?;
            let account = list.account();
            let is_newer = match newer.get(&account).or_else(|| self.of(account)) {
                Some(known) => list.order() > known.order(),
                None if self.newcomers.contains(&account) => true,
                None => return Err(Flaw::List.into()),
            };
            if is_newer {
                newer.insert(account, list);
            }
        }
        Ok(newer.into_values().collect())
    }

    /// These lists, and [newer](Self::newer) ones in the place of those that they follow.
    pub(crate) fn with<'a>(&'a self, newer: &'a [DeviceList]) -> Lists<'a> {
        // Of two lists of one account the later one stays.
        let lists: Lists<'a> = self.lists.values().copied().chain(newer).collect();
        lists.and_newcomers(self.newcomers.iter().copied())
    }

    /// The list of an account.
    pub(crate) fn of(&self, account: AccountId) -> Option<&DeviceList> {
        self.lists.get(&account).copied()
    }

    /// Every device that has a place.
    pub(crate) fn members(&self) -> impl Iterator<Item = Member> {
        self.lists.values().flat_map(|list| {
            list.devices().iter().map(|device| Member { account: list.account(), device: device.number })
        })
    }

    /// Whose leaf this is, if its signature key is that of the device which its credential names.
    pub(crate) fn member(&self, credential: &Credential, signature_key: &[u8]) -> Result<Member, Flaw> {
        let member = Member::of(credential)?;
        let device = self.of(member.account).ok_or(Flaw::Leaf)?.device(member.device).ok_or(Flaw::Leaf)?;
        if device.key.as_bytes() == signature_key { Ok(member) } else { Err(Flaw::Leaf) }
    }
}

impl Member {
    /// The MLS credential that names it.
    pub(crate) fn credential(self) -> Credential {
        Credential::new(CredentialType::Other(CREDENTIAL), self.leaf().encode_to_vec())
    }

    pub(crate) fn leaf(self) -> content::Leaf {
        content::Leaf { account: self.account.into(), device: self.device }
    }

    /// The device that a credential names, in the one encoding that a name has.
    pub(crate) fn of(credential: &Credential) -> Result<Self, Flaw> {
        let leaf = content::Leaf::decode(credential.serialized_content()).map_err(|_| Flaw::Leaf)?;
        let member = Self::of_leaf(&leaf)?;
        if member.credential() == *credential { Ok(member) } else { Err(Flaw::Leaf) }
    }

    pub(crate) fn of_leaf(leaf: &content::Leaf) -> Result<Self, Flaw> {
        let account = AccountId::try_from(&leaf.account[..]).map_err(|_| Flaw::Leaf)?;
        Ok(Self { account, device: leaf.device })
    }
}
