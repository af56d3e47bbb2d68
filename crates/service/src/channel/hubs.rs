//! The channels in memory: those that are open on some circuit, and for a while those that were.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use undertone_store::Channels;
use undertone_wire::{ChannelId, circuit::Fault};

use super::hub::{self, Backing, Hub};
use crate::fault;

/// Channels that nobody has open are kept until there are so many in all (about 1 KB each), so that those who reconnect
/// find them here.
const HUBS_KEPT: usize = 16_384;

/// All hubs, by channel. There is never more than one of a channel.
pub struct Hubs<C> {
    inner: Mutex<Inner<C>>,
}

struct Inner<C> {
    hubs: HashMap<ChannelId, Arc<Hub<C>>>,
    /// Number of hubs at which those not open are dropped next. It grows with what is open, so that a sweep is paid for
    /// by as many insertions.
    sweep_at: usize,
    /// Counts sweeps.
    sweeps: u64,
}

impl<C: Channels> Hubs<C> {
    pub fn new() -> Self {
        Self { inner: Mutex::new(Inner { hubs: HashMap::new(), sweep_at: HUBS_KEPT, sweeps: 0 }) }
    }

    /// A channel's hub. None: no such channel, and nothing is kept of the question.
    pub async fn find(&self, channel: ChannelId, backing: &Arc<Backing<C>>) -> Result<Option<Arc<Hub<C>>>, Fault> {
        loop {
            let sweeps = {
                let inner = self.inner();
                if let Some(hub) = inner.hubs.get(&channel) {
                    return Ok(Some(hub.clone()));
                }
                inner.sweeps
            };
            let Some(stored) = backing.store.channel(channel).await.map_err(fault::store)? else {
                return Ok(None);
            };
            let record = hub::record(backing, &stored, channel).await?;
            let mut inner = self.inner();
            if inner.sweeps != sweeps || record.as_ref().is_some_and(|record| record.revision() != stored.revision) {
                // Meanwhile another's hub may have come, moved the log on and gone: what was read may be old.
                continue;
            }
            if inner.hubs.len() >= inner.sweep_at {
                inner.sweep();
            }
            let hub = inner.hubs.entry(channel);
            return Ok(Some(
                hub.or_insert_with(|| Arc::new(Hub::new(backing.clone(), channel, stored, record))).clone(),
            ));
        }
    }

    /// Drops the hubs of channels that nobody has open.
    pub fn sweep(&self) {
        self.inner().sweep();
    }

    /// Drops the hub of a channel that is gone.
    pub fn forget(&self, channel: &ChannelId, gone: &Arc<Hub<C>>) {
        let mut inner = self.inner();
        if inner.hubs.get(channel).is_some_and(|hub| Arc::ptr_eq(hub, gone)) {
            inner.hubs.remove(channel);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner<C>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Channels> Inner<C> {
    fn sweep(&mut self) {
        // With one count left nobody but this map can reach the hub, and nobody can come to while the map is locked.
        self.hubs.retain(|_, hub| Arc::strong_count(hub) > 1 || !hub.is_settled());
        self.sweep_at = HUBS_KEPT.max(2 * self.hubs.len());
        self.sweeps += 1;
    }
}

#[cfg(test)]
mod tests {
    use undertone_credentials::HeadKey;
    use undertone_store::{NewChannel, memory::MemoryChannels};
    use undertone_wire::Day;

    use super::*;

    fn id(number: usize) -> ChannelId {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&(number as u64).to_be_bytes());
        ChannelId::new(id)
    }

    async fn find(
        hubs: &Hubs<MemoryChannels>,
        backing: &Arc<Backing<MemoryChannels>>,
        at: usize,
    ) -> Arc<Hub<MemoryChannels>> {
        let new = NewChannel { channel: id(at), read_key: [1; 32], write_key: [2; 32] };
        backing.store.create(new, Day(0)).await.unwrap();
        hubs.find(id(at), backing).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn what_nobody_has_open_makes_room() {
        let backing = Arc::new(Backing { store: MemoryChannels::default(), head_key: HeadKey::from_seed(&[1; 32]) });
        let hubs = Hubs::new();
        let held = find(&hubs, &backing, 0).await;
        for at in 1..=HUBS_KEPT {
            find(&hubs, &backing, at).await;
        }
        assert_eq!(hubs.inner().hubs.len(), 2);
        // What is open is found again as it was, what is not is made anew, what never was is not.
        assert!(Arc::ptr_eq(&held, &find(&hubs, &backing, 0).await));
        find(&hubs, &backing, 1).await;
        assert_eq!(hubs.inner().hubs.len(), 3);
        assert!(hubs.find(id(HUBS_KEPT + 1), &backing).await.unwrap().is_none());
    }
}
