//! Credentials by which we show ourselves in groups: fetched daily, needed or not, so that their fetching tells nothing.

use rand_core::CryptoRng;
use undertone_credentials::{Credential, CredentialPublic, GroupSecret};
use undertone_wire::{Day, HandshakeHash, account::IssueCredentialsReply, presented::Presented};

use crate::{ClientError, Result, db::credentials, own::Own, rules::parameters, state::Tx};

/// Whether some are to be fetched: there is none for tomorrow yet, or none for today.
pub(crate) fn are_due(tx: &Tx<'_>) -> Result<bool> {
    let today = tx.now.day();
    for day in [today, today + 1] {
        if credentials::of(tx.db, day)?.is_none() {
            return Ok(key(tx)?.is_some());
        }
    }
    Ok(false)
}

/// Keeps what was issued, if it was made with the key that everybody is shown.
///
/// # Errors
/// [`ClientError::Marked`] when it was not; nothing of it is kept.
pub(crate) fn issued(tx: &Tx<'_>, own: &Own, reply: &IssueCredentialsReply) -> Result<()> {
    let Some(key) = key(tx)? else { return Ok(()) };
    let today = tx.now.day();
    for issued in &reply.credentials {
        let day = Day(issued.day);
        if !(today..=today + 1).contains(&day) {
            continue;
        }
        let credential =
            Credential::receive(&key, own.account, day, &issued.credential).map_err(|_| ClientError::Marked)?;
        credentials::put(tx.db, day, &credential.to_bytes(), today)?;
    }
    Ok(())
}

fn key(tx: &Tx<'_>) -> Result<Option<CredentialPublic>> {
    Ok(parameters::issuing(tx)?.and_then(|(list, _)| list.credential_key().copied()))
}

/// By which requests are shown to be ours, today.
pub(crate) struct Presenter {
    credential: Credential,
    key: CredentialPublic,
}

impl Presenter {
    /// # Errors
    /// [`ClientError::NoCredential`] before there is one for today.
    pub(crate) fn of_today(tx: &Tx<'_>) -> Result<Self> {
        let kept = credentials::of(tx.db, tx.now.day())?.ok_or(ClientError::NoCredential)?;
        let credential = Credential::from_bytes(&kept).map_err(|_| ClientError::NoCredential)?;
        Ok(Self { credential, key: key(tx)?.ok_or(ClientError::NoCredential)? })
    }

    /// Its day.
    pub(crate) fn day(&self) -> Day {
        self.credential.day()
    }

    /// Shows that a request is ours, on this circuit.
    pub(crate) fn show<R: Presented>(
        &self,
        group: &GroupSecret,
        circuit: &HandshakeHash,
        mut request: R,
        rng: &mut impl CryptoRng,
    ) -> R {
        let binding = request.bound_to(circuit);
        *request.presentation_mut() = self.credential.present(&self.key, group, &binding, rng).into();
        request
    }
}
