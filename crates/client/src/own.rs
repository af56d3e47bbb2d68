//! Our own keys, in memory while the home is open.

use std::sync::Arc;

use undertone_credentials::{DeviceKey, DeviceList, IdentityKey, PublicKey};
use undertone_e2ee::{KeyValue, Me};
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
            list: DeviceList::verify(&row.device_list).map_err(damaged)?,
            head_key: row.head_key.map(|key| PublicKey::try_from(&key).map_err(damaged)).transpose()?,
        })))
    }

    /// As MLS knows us, for one operation in `tx`.
    pub(crate) fn me<'a>(&self, store: &'a dyn KeyValue, rng: &'a mut (dyn rand_core::CryptoRng + Send)) -> Me<'a> {
        Me::new(store, rng, self.account, self.device, &self.device_key)
    }
}
