//! Our own keys, in memory while the home is open.

use std::sync::Arc;

use undertone_credentials::{DeviceKey, DeviceList, IdentityKey, KeyPackage, PublicKey};
use undertone_e2ee::{KeyValue, Me, Suite};
use undertone_wire::{AccountId, link::Link};

use crate::{
    ClientError, Result,
    db::{DbError, me},
    state::Tx,
};

/// Who we are and what we sign with.
pub(crate) struct Own {
    pub(crate) account: AccountId,
    pub(crate) device: u32,
    pub(crate) name: String,
    pub(crate) link: Link,
    pub(crate) identity_key: IdentityKey,
    pub(crate) device_key: DeviceKey,
    pub(crate) list: DeviceList,
    /// The suite of what we make, and what this device is to announce.
    pub(crate) suite: Suite,
    pub(crate) features: Vec<u32>,
    /// The service's key for chain heads; none before the first circuit.
    pub(crate) head_key: Option<PublicKey>,
}

impl Own {
    /// From our row.
    pub(crate) fn load(tx: &Tx<'_>) -> Result<Option<Arc<Self>>> {
        let Some(row) = me::load(tx.db)? else { return Ok(None) };
        let damaged = |_| ClientError::Db(DbError::Damaged);
        Ok(Some(Arc::new(Self {
            account: row.account,
            device: row.device,
            name: row.name,
            link: Link::parse(&row.link)?,
            identity_key: IdentityKey::from_seed(&row.identity_seed),
            device_key: DeviceKey::from_seed(&row.device_seed),
            list: tx.verified.list(&row.device_list).map_err(damaged)?,
            suite: Suite::from_number(tx.rungs.suite).ok_or(ClientError::Bug("a suite that nobody knows"))?,
            features: tx.rungs.features.clone(),
            head_key: row.head_key.map(|key| PublicKey::try_from(&key).map_err(damaged)).transpose()?,
        })))
    }

    /// The suite of a new chat with these devices: ours, unless one of them can only do with less.
    pub(crate) fn suite_for(&self, packages: &[(DeviceList, KeyPackage)]) -> Suite {
        let suites = packages.iter().filter_map(|(_, package)| Suite::of_package(package));
        suites.fold(self.suite, Suite::min)
    }

    /// Whether this home holds the key that its list names: after a removal, not before another device has told it.
    pub(crate) fn may_sign(&self) -> bool {
        self.identity_key.public() == *self.list.identity()
    }

    /// As MLS knows us, for one operation in `tx`.
    pub(crate) fn me<'a>(&'a self, store: &'a dyn KeyValue, rng: &'a mut (dyn rand_core::CryptoRng + Send)) -> Me<'a> {
        Me::new(store, rng, self.account, self.device, &self.device_key)
    }
}
