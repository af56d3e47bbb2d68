//! A person's devices, as the faces ask for them.

use undertone_credentials::{Device, RecoveryWords};
use undertone_wire::account::{Account, DeleteAccountRequest};

use crate::{
    ClientError, Engine, Result,
    db::me,
    rules::{devices, registration},
    view::DeviceView,
};

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
    /// chat. It is kept here at once, and done as soon as the service is reached.
    ///
    /// # Errors
    /// When the words are not ours, or there is no such other device; nothing is done then. When the service was not
    /// reached.
    pub async fn remove_device(&self, number: u32, words: &str) -> Result<()> {
        // The list as it is by now: a device that was linked a moment ago must not be lost with another.
        let own = self.shared.reload_own()?;
        let words = RecoveryWords::parse(words).map_err(ClientError::Words)?;
        self.shared.write(|tx| devices::remove(tx, &own, number, &words))?;
        self.shared.reload_own()?;
        self.sync().await
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
