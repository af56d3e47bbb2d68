//! Whom an account circuit speaks for: one account from its first proof to its end, and of its devices one.

use std::sync::OnceLock;

use undertone_credentials::{AuthenticatedDevice, ProvenRecovery};
use undertone_wire::{
    AccountId,
    circuit::{Code, Fault},
};

/// Empty until something is proven. Each part is set once.
#[derive(Default)]
pub struct Speaker {
    account: OnceLock<AccountId>,
    device: OnceLock<AuthenticatedDevice>,
    recovery: OnceLock<ProvenRecovery>,
}

impl Speaker {
    /// The device that was proven.
    pub fn device(&self) -> Result<&AuthenticatedDevice, Fault> {
        self.device.get().ok_or_else(|| Code::Unauthenticated.into())
    }

    /// The account whose recovery key was proven.
    pub fn recovering(&self) -> Option<AccountId> {
        self.recovery.get().and(self.account.get().copied())
    }

    /// Fails when the circuit speaks for somebody else already.
    pub fn ensure_free_for(&self, device: &AuthenticatedDevice) -> Result<(), Fault> {
        let other_account = self.account.get().is_some_and(|account| *account != device.account());
        let other_device = self.device.get().is_some_and(|before| before.device() != device.device());
        if other_account || other_device { Err(Code::Forbidden.into()) } else { Ok(()) }
    }

    /// Speaks for a device from now on.
    pub fn speak_for(&self, device: AuthenticatedDevice) -> Result<(), Fault> {
        self.name(device.account())?;
        match self.device.set(device) {
            Ok(()) => Ok(()),
            Err(device) => self.ensure_free_for(&device),
        }
    }

    /// Speaks for a recovery key from now on, which is this account's.
    pub fn recover(&self, account: AccountId, proof: ProvenRecovery) -> Result<(), Fault> {
        self.name(account)?;
        // Whoever was first has proven the same key: an account has one.
        let _ = self.recovery.set(proof);
        Ok(())
    }

    fn name(&self, account: AccountId) -> Result<(), Fault> {
        if *self.account.get_or_init(|| account) == account { Ok(()) } else { Err(Code::Forbidden.into()) }
    }
}
