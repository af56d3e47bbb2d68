//! Registration: an account comes into being with its first device, its inbox key and key packages, all at once.

use undertone_credentials::{AuthenticatedDevice, DeviceList, RegisterSignatures, verify_register};
use undertone_store::{Accounts, Creation, InviteHash, NewAccount};
use undertone_wire::{
    HandshakeHash, Now,
    account::RegisterRequest,
    circuit::{Code, Fault},
};

use super::{AccountPlane, InviteCode, objects};
use crate::fault;

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Who has an invite.
    Invite,
    /// Everyone. An invite that somebody brings is not looked at.
    Open,
}

/// An invite as typed, hyphens and spaces included.
const INVITE_TEXT_BYTES_MAX: usize = 64;

impl<A: Accounts> AccountPlane<A> {
    /// Checks a request whose three keys must be present on this circuit. Nothing is stored yet.
    pub(super) fn check_registration(
        &self,
        now: Now,
        circuit: &HandshakeHash,
        request: RegisterRequest,
    ) -> Result<(AuthenticatedDevice, NewAccount), Fault> {
        let invite = self.invite_of(&request)?;
        let list = DeviceList::verify(&request.device_list).map_err(fault::proof)?;
        let signatures = RegisterSignatures {
            recovery: request.recovery_signature,
            identity: request.identity_signature,
            device: request.device_signature,
        };
        let device = verify_register(circuit, &list, &signatures).map_err(fault::proof)?;
        let inbox_key = objects::inbox_key(&list, &request.inbox_key, now.day())?;
        let key_packages = request.key_packages.unwrap_or_default();
        let new = NewAccount {
            account: list.account(),
            recovery_key: *list.recovery().as_bytes(),
            list: objects::list(&list),
            inbox_week: inbox_key.week(),
            inbox_key: request.inbox_key,
            device: device.device(),
            key_packages: objects::key_packages(&list, device.device(), key_packages)?,
            invite,
        };
        Ok((device, new))
    }

    /// Makes an account. The same again succeeds again, and uses up no second invite.
    pub(super) async fn create(&self, new: NewAccount, now: Now) -> Result<(), Fault> {
        match self.store.create(new, now.day()).await.map_err(fault::store)? {
            Creation::Created => Ok(()),
            Creation::Taken => Err(Code::Conflict.into()),
            Creation::InviteRefused => Err(Code::Invite.into()),
        }
    }

    fn invite_of(&self, request: &RegisterRequest) -> Result<Option<InviteHash>, Fault> {
        match self.registration {
            Registration::Open => Ok(None),
            Registration::Invite => {
                let text = Some(&request.invite[..]).filter(|text| text.len() <= INVITE_TEXT_BYTES_MAX);
                let text = text.and_then(|text| std::str::from_utf8(text).ok());
                Ok(Some(text.and_then(InviteCode::parse).ok_or(Code::Invite)?.hash()))
            }
        }
    }
}
