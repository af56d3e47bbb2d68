//! A person's devices, as the faces ask for them.

use undertone_credentials::{Device, RecoveryWords};
use undertone_wire::account::{Account, DeleteAccountRequest};

use crate::{
    ClientError, Engine, Result,
    db::me,
    rules::{devices, lists, registration},
    view::DeviceView,
};

/// Times that a device is taken off the list while others take off some.
const REMOVE_TRIES: u32 = 3;

impl Engine {
    /// The devices on our list.
    ///
    /// # Errors
    /// Before registration.
    pub fn devices(&self) -> Result<Vec<DeviceView>> {
        let own = self.shared.own()?;
        let view = |device: &Device| DeviceView { number: device.number, this: device.number == own.device };
        Ok(own.list.devices().iter().map(view).collect())
    }

    /// Takes a device off the list: from the next pass on it reads and writes nothing more, at the service and in every
    /// chat. It is kept here at once, and done as soon as the service is reached; unless another device takes one off just
    /// then, which is known once it is reached.
    ///
    /// # Errors
    /// When the words are not ours, or there is no such other device; nothing is done then. When the service was not
    /// reached.
    pub async fn remove_device(&self, number: u32, words: &str) -> Result<()> {
        let words = RecoveryWords::parse(words).map_err(ClientError::Words)?;
        for _ in 0..REMOVE_TRIES {
            let own = self.shared.reload_own()?;
            self.shared.write(|tx| devices::remove(tx, &own, number, &words))?;
            self.shared.reload_own()?;
            let synced = self.sync().await;
            if self.shared.reload_own()?.list.device(number).is_none() {
                // What else went wrong on the way is no reason to say that it is not done.
                return if self.shared.read(lists::is_put)? { Ok(()) } else { synced };
            }
            synced?;
        }
        Err(ClientError::StaleIdentity)
    }

    /// Deletes the account at the service, with all that it keeps of it. What is here stays readable, and can do nothing
    /// more.
    ///
    /// # Errors
    /// When the service was not reached; then it may or may not be deleted.
    pub async fn delete_account(&self) -> Result<()> {
        let own = self.shared.own()?;
        let circuit = self.shared.connect::<Account>(&own.link).await?;
        let hash = circuit.handshake_hash();
        let authentication = self.shared.write_quietly(|tx| registration::authentication(tx, &own, &hash))?;
        circuit.call(authentication).await?;
        circuit.call(DeleteAccountRequest {}).await?;
        self.shared.write(|tx| Ok(me::set_standing(tx.db, me::Standing::Removed)?))
    }
}
