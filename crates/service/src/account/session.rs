//! One account circuit: silent until it has proven which device it speaks for.

use std::sync::{Arc, OnceLock};

use undertone_credentials::{AuthenticatedDevice, DeviceList, verify_authenticate};
use undertone_store::Accounts;
use undertone_wire::{
    HandshakeHash, Now,
    account::{
        AccountHandler, AuthenticateReply, AuthenticateRequest, ClearInboxReply, ClearInboxRequest, PutDeviceListReply,
        PutDeviceListRequest, PutInboxKeyReply, PutInboxKeyRequest, PutKeyPackagesReply, PutKeyPackagesRequest,
        ReadInboxReply, ReadInboxRequest, RegisterReply, RegisterRequest,
    },
    circuit::{Code, Fault},
    limits::{KEY_PACKAGES_MAX, PAGE_BYTES_MAX, PAGE_ENTRIES_MAX},
};

use super::{AccountPlane, objects};
use crate::{fault, request::parse};

/// Answers one account circuit.
pub struct AccountSession<A> {
    plane: Arc<AccountPlane<A>>,
    circuit: HandshakeHash,
    /// Set once: a circuit never changes whom it speaks for.
    device: OnceLock<AuthenticatedDevice>,
}

impl<A: Accounts> AccountSession<A> {
    pub(super) fn new(plane: Arc<AccountPlane<A>>, circuit: HandshakeHash) -> Self {
        Self { plane, circuit, device: OnceLock::new() }
    }

    /// The device that this circuit speaks for, and its account's list, on which it must still have its place.
    async fn current(&self) -> Result<(&AuthenticatedDevice, DeviceList), Fault> {
        let device = self.device.get().ok_or(Code::Unauthenticated)?;
        match self.plane.account(device.account()).await? {
            Some((_, list)) if device.is_on(&list) => Ok((device, list)),
            _ => Err(Code::Unauthenticated.into()),
        }
    }

    /// Fails when the circuit speaks for another device already.
    fn ensure_free_for(&self, device: &AuthenticatedDevice) -> Result<(), Fault> {
        match self.device.get() {
            Some(other) if other.account() != device.account() || other.device() != device.device() => {
                Err(Code::Forbidden.into())
            }
            _ => Ok(()),
        }
    }

    fn speak_for(&self, device: AuthenticatedDevice) -> Result<(), Fault> {
        match self.device.set(device) {
            Ok(()) => Ok(()),
            Err(device) => self.ensure_free_for(&device),
        }
    }
}

impl<A: Accounts> AccountHandler for AccountSession<A> {
    async fn register(&self, now: Now, request: RegisterRequest) -> Result<RegisterReply, Fault> {
        let (device, new) = self.plane.check_registration(now, &self.circuit, request)?;
        self.ensure_free_for(&device)?;
        self.plane.create(new, now).await?;
        self.speak_for(device)?;
        Ok(RegisterReply {})
    }

    async fn authenticate(&self, now: Now, request: AuthenticateRequest) -> Result<AuthenticateReply, Fault> {
        let account = parse(&request.account)?;
        let (stored, list) = self.plane.account(account).await?.ok_or(Code::Unauthenticated)?;
        let device =
            verify_authenticate(&self.circuit, &list, request.device, &request.signature).map_err(fault::proof)?;
        self.speak_for(device)?;
        let store = &self.plane.store;
        store.seen(account, now.day()).await.map_err(fault::store)?;
        Ok(AuthenticateReply {
            key_packages_left: store.key_packages_left(account, request.device).await.map_err(fault::store)?,
            inbox_key_week: stored.inbox_week.0,
            inbox_seq: stored.inbox_seq,
        })
    }

    async fn put_device_list(&self, _: Now, request: PutDeviceListRequest) -> Result<PutDeviceListReply, Fault> {
        let (device, _) = self.current().await?;
        let list = DeviceList::verify(&request.device_list).map_err(fault::object)?;
        if list.account() != device.account() {
            return Err(Code::Forbidden.into());
        }
        let version = objects::version(&list);
        let put = self.plane.store.put_device_list(device.account(), version, request.device_list).await;
        if !put.map_err(fault::store)? {
            return Err(Code::Conflict.into());
        }
        Ok(PutDeviceListReply {})
    }

    async fn put_inbox_key(&self, now: Now, request: PutInboxKeyRequest) -> Result<PutInboxKeyReply, Fault> {
        let (device, list) = self.current().await?;
        let key = objects::inbox_key(&list, &request.inbox_key, now.day())?;
        let put = self.plane.store.put_inbox_key(device.account(), key.week(), request.inbox_key).await;
        if !put.map_err(fault::store)? {
            return Err(Code::Conflict.into());
        }
        Ok(PutInboxKeyReply {})
    }

    async fn put_key_packages(&self, _: Now, request: PutKeyPackagesRequest) -> Result<PutKeyPackagesReply, Fault> {
        let (device, list) = self.current().await?;
        let new = objects::key_packages(&list, device.device(), request)?;
        let store = &self.plane.store;
        let left = store.put_key_packages(device.account(), device.device(), new, KEY_PACKAGES_MAX).await;
        Ok(PutKeyPackagesReply { key_packages_left: left.map_err(fault::store)? })
    }

    async fn read_inbox(&self, _: Now, request: ReadInboxRequest) -> Result<ReadInboxReply, Fault> {
        let (device, _) = self.current().await?;
        let limit = request.limit.min(PAGE_ENTRIES_MAX);
        let page = self.plane.store.read_inbox(device.account(), request.after, limit, PAGE_BYTES_MAX).await;
        let page = page.map_err(fault::store)?;
        Ok(ReadInboxReply { entries: page.entries, more: page.more })
    }

    async fn clear_inbox(&self, _: Now, request: ClearInboxRequest) -> Result<ClearInboxReply, Fault> {
        let (device, _) = self.current().await?;
        self.plane.store.clear_inbox(device.account(), request.up_to).await.map_err(fault::store)?;
        Ok(ClearInboxReply {})
    }
}
