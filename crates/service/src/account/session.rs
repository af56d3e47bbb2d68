//! One account circuit: silent until it has proven whom it speaks for.

use std::sync::Arc;

use undertone_credentials::{AuthenticatedDevice, DeviceList, verify_authenticate, verify_recover};
use undertone_store::{Accounts, Profile, Vault, Visit};
use undertone_wire::{
    HandshakeHash, Now,
    account::{
        AccountHandler, AuthenticateReply, AuthenticateRequest, ClearInboxReply, ClearInboxRequest, DeleteAccountReply,
        DeleteAccountRequest, IssueCredentialsReply, IssueCredentialsRequest, IssueLookupsReply, IssueLookupsRequest,
        IssueTokensReply, IssueTokensRequest, PublishReply, PublishRequest, PutDeviceListReply, PutDeviceListRequest,
        PutInboxKeyReply, PutInboxKeyRequest, PutKeyPackagesReply, PutKeyPackagesRequest, PutListingReply,
        PutListingRequest, PutProfileReply, PutProfileRequest, PutVaultReply, PutVaultRequest, ReadInboxReply,
        ReadInboxRequest, ReadProfileReply, ReadProfileRequest, ReadVaultReply, ReadVaultRequest, RecoverReply,
        RecoverRequest, RegisterReply, RegisterRequest, RemoveListingReply, RemoveListingRequest, SendCodeReply,
        SendCodeRequest,
    },
    circuit::{Code, Fault},
    limits::{KEY_PACKAGES_MAX, PAGE_BYTES_MAX, PAGE_ENTRIES_MAX},
    padding,
};

use super::{AccountPlane, objects, profile, speaker::Speaker};
use crate::{
    fault,
    request::{ensure, parse},
};

/// Answers one account circuit.
pub struct AccountSession<A> {
    plane: Arc<AccountPlane<A>>,
    circuit: HandshakeHash,
    speaker: Speaker,
}

impl<A: Accounts> AccountSession<A> {
    pub(super) fn new(plane: Arc<AccountPlane<A>>, circuit: HandshakeHash) -> Self {
        Self { plane, circuit, speaker: Speaker::default() }
    }

    /// The device that this circuit speaks for, and its account's list, on which it must still have its place.
    async fn current(&self) -> Result<(&AuthenticatedDevice, DeviceList), Fault> {
        let device = self.speaker.device()?;
        match self.plane.account(device.account()).await? {
            Some((_, list)) if device.is_on(&list) => Ok((device, list)),
            _ => Err(Code::Unauthenticated.into()),
        }
    }
}

impl<A: Accounts> AccountHandler for AccountSession<A> {
    async fn register(&self, now: Now, request: RegisterRequest) -> Result<RegisterReply, Fault> {
        let (device, new) = self.plane.check_registration(now, &self.circuit, request)?;
        self.speaker.ensure_free_for(&device)?;
        self.plane.create(new, now).await?;
        self.speaker.speak_for(device)?;
        Ok(RegisterReply {})
    }

    async fn authenticate(&self, now: Now, request: AuthenticateRequest) -> Result<AuthenticateReply, Fault> {
        let account = parse(&request.account)?;
        let visit = visit(&request)?;
        let (stored, list) = self.plane.account(account).await?.ok_or(Code::Unauthenticated)?;
        let device =
            verify_authenticate(&self.circuit, &list, request.device, &request.signature).map_err(fault::proof)?;
        self.speaker.ensure_free_for(&device)?;
        let store = &self.plane.store;
        if !store.seen(account, request.device, visit, now.day()).await.map_err(fault::store)? {
            return Err(Code::Conflict.into());
        }
        self.speaker.speak_for(device)?;
        Ok(AuthenticateReply {
            key_packages_left: store.key_packages_left(account, request.device).await.map_err(fault::store)?,
            inbox_key_week: stored.inbox_week.0,
            inbox_seq: stored.inbox_seq,
            listing_claimed: store.is_claimed(account).await.map_err(fault::store)?,
        })
    }

    async fn recover(&self, _: Now, request: RecoverRequest) -> Result<RecoverReply, Fault> {
        let proof = verify_recover(&self.circuit, &request.recovery_key, &request.signature).map_err(fault::proof)?;
        let store = &self.plane.store;
        let account = store.recoverable(*proof.key().as_bytes()).await.map_err(fault::store)?.ok_or(Code::NotFound)?;
        let (stored, list) = self.plane.account(account).await?.ok_or(Code::NotFound)?;
        if !proof.is_of(&list) {
            return Err(fault::unusable());
        }
        let Vault { revision, sealed } = store.vault(account).await.map_err(fault::store)?;
        self.speaker.recover(account, proof)?;
        Ok(RecoverReply { device_list: stored.device_list, vault_revision: revision, vault: sealed })
    }

    async fn put_device_list(&self, _: Now, request: PutDeviceListRequest) -> Result<PutDeviceListReply, Fault> {
        let held = match self.speaker.recovering() {
            Some(account) => self.plane.account(account).await?.ok_or(Code::Conflict)?.1,
            None => self.current().await?.1,
        };
        let list = DeviceList::verify(&request.device_list).map_err(fault::object)?;
        if list.account() != held.account() {
            return Err(Code::Forbidden.into());
        }
        // Two devices may change it at once: neither undoes what the other has done.
        let again = list.encoded() == held.encoded();
        if !again && !list.follows(&held) {
            return Err(Code::Conflict.into());
        }
        let (account, version) = (held.account(), objects::list_version(&held));
        if !self.plane.store.put_device_list(account, version, objects::list(&list)).await.map_err(fault::store)? {
            return Err(Code::Conflict.into());
        }
        Ok(PutDeviceListReply {})
    }

    async fn put_inbox_key(&self, now: Now, request: PutInboxKeyRequest) -> Result<PutInboxKeyReply, Fault> {
        let (device, list) = self.current().await?;
        let key = objects::inbox_key(&list, &request.inbox_key, now.day())?;
        let identity_number = list.order().identity_number;
        let store = &self.plane.store;
        let put = store.put_inbox_key(device.account(), identity_number, key.week(), request.inbox_key).await;
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
        let cleared = self.plane.store.clear_inbox(device.account(), device.device(), request.up_to).await;
        cleared.map_err(fault::store)?;
        Ok(ClearInboxReply {})
    }

    async fn read_vault(&self, _: Now, _: ReadVaultRequest) -> Result<ReadVaultReply, Fault> {
        let (device, _) = self.current().await?;
        let Vault { revision, sealed } = self.plane.store.vault(device.account()).await.map_err(fault::store)?;
        Ok(ReadVaultReply { revision, sealed })
    }

    async fn put_vault(&self, _: Now, request: PutVaultRequest) -> Result<PutVaultReply, Fault> {
        let (device, _) = self.current().await?;
        let PutVaultRequest { revision, sealed } = request;
        ensure(padding::VAULT.contains(&sealed.len()))?;
        let put = self.plane.store.put_vault(device.account(), Vault { revision, sealed }).await;
        if !put.map_err(fault::store)? {
            return Err(Code::Conflict.into());
        }
        Ok(PutVaultReply {})
    }

    async fn delete_account(&self, _: Now, _: DeleteAccountRequest) -> Result<DeleteAccountReply, Fault> {
        let device = self.speaker.device()?;
        match self.plane.account(device.account()).await? {
            Some((_, list)) if !device.is_on(&list) => return Err(Code::Unauthenticated.into()),
            Some(_) => self.plane.store.delete(device.account()).await.map_err(fault::store)?,
            // It was deleted, and its answer got lost.
            None => {}
        }
        Ok(DeleteAccountReply {})
    }

    async fn issue_tokens(&self, now: Now, request: IssueTokensRequest) -> Result<IssueTokensReply, Fault> {
        let (device, _) = self.current().await?;
        self.plane.issue(now, device.account(), request).await
    }

    async fn read_profile(&self, _: Now, _: ReadProfileRequest) -> Result<ReadProfileReply, Fault> {
        let (device, _) = self.current().await?;
        let Profile { revision, sealed, .. } =
            self.plane.store.profile(device.account()).await.map_err(fault::store)?;
        Ok(ReadProfileReply { revision, sealed })
    }

    async fn put_profile(&self, _: Now, request: PutProfileRequest) -> Result<PutProfileReply, Fault> {
        let (device, _) = self.current().await?;
        let profile = profile::checked(request)?;
        if !self.plane.store.put_profile(device.account(), profile).await.map_err(fault::store)? {
            return Err(Code::Conflict.into());
        }
        Ok(PutProfileReply {})
    }

    async fn issue_credentials(&self, now: Now, _: IssueCredentialsRequest) -> Result<IssueCredentialsReply, Fault> {
        let (device, _) = self.current().await?;
        self.plane.issue_credentials(now, device.account()).await
    }

    async fn issue_lookups(&self, now: Now, request: IssueLookupsRequest) -> Result<IssueLookupsReply, Fault> {
        let (device, _) = self.current().await?;
        self.plane.issue_lookups(now, device.account(), request).await
    }

    async fn send_code(&self, now: Now, request: SendCodeRequest) -> Result<SendCodeReply, Fault> {
        let (device, _) = self.current().await?;
        self.plane.send_code(now, device.account(), request.identifier).await?;
        Ok(SendCodeReply {})
    }

    async fn put_listing(&self, now: Now, request: PutListingRequest) -> Result<PutListingReply, Fault> {
        let (device, _) = self.current().await?;
        self.plane.put_listing(now, &self.circuit, device.account(), request).await
    }

    async fn remove_listing(&self, _: Now, request: RemoveListingRequest) -> Result<RemoveListingReply, Fault> {
        let (device, _) = self.current().await?;
        self.plane.remove_listing(device.account(), request.identifier).await?;
        Ok(RemoveListingReply {})
    }

    async fn publish(&self, _: Now, request: PublishRequest) -> Result<PublishReply, Fault> {
        let (device, _) = self.current().await?;
        self.plane.publish(device.account(), request.after).await
    }
}

/// What a device says of its visits, if it does.
fn visit(request: &AuthenticateRequest) -> Result<Option<Visit>, Fault> {
    let AuthenticateRequest { last_visit, visit, .. } = request;
    let said = |bytes: &[u8]| if bytes.is_empty() { Ok(None) } else { parse(bytes).map(Some) };
    let last = said(last_visit)?;
    Ok(said(visit)?.map(|next| Visit { last, next }))
}
