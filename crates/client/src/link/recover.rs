//! The recovery words: a home that has nothing becomes a device of their account.

use bytes::Bytes;
use undertone_circuit::{CallError, Circuit};
use undertone_credentials::{RecoveryKey, RecoveryWords, recover as prove};
use undertone_wire::{
    account::{Account, PutDeviceListRequest, RecoverReply, RecoverRequest},
    circuit::Code,
    link::Link,
};

use super::PUT_TRIES;
use crate::{
    ClientError, Result,
    db::me,
    own::Own,
    rules::{devices, parameters, registration},
    shared::Shared,
};

/// Until the service has the new device on its list, the home has no account: what was begun is begun anew.
pub(super) async fn recover(shared: &Shared, service: &str, words: &str, name: &str) -> Result<()> {
    let link = Link::parse(service)?;
    if link.account.is_some() {
        return Err(ClientError::WrongLink { found: "person", expected: "service" });
    }
    if shared.own().is_ok() {
        return Err(ClientError::AlreadyRegistered);
    }
    let words = RecoveryWords::parse(words).map_err(ClientError::Words)?;
    let key = words.recovery_key();
    let (mut circuit, reply) = show(shared, &link, &key).await?;
    let device_list = shared.write_quietly(|tx| {
        devices::recovered(tx, &link, &words, &reply, name)?;
        let own = Own::load(tx)?.ok_or(ClientError::Bug("our own row"))?;
        Ok(own.list.encoded().clone())
    })?;
    let mut tries = 1;
    while let Err(error) = put(&circuit, &device_list).await {
        if !matches!(error, ClientError::Offline(_)) || tries == PUT_TRIES {
            shared.write_quietly(|tx| tx.forget_unregistered())?;
            return Err(error);
        }
        tries += 1;
        circuit = show(shared, &link, &key).await?.0;
    }
    shared.write(|tx| {
        me::set_device_list(tx.db, &device_list, true)?;
        Ok(me::set_registered(tx.db)?)
    })?;
    let own = shared.reload_own()?;
    first_tokens(shared, &own, &circuit).await;
    shared.ask(true);
    Ok(())
}

/// Fetches what the new device pays with, on the circuit that it has just got onto the list by. Where that fails, the driver
/// does it.
async fn first_tokens(shared: &Shared, own: &Own, circuit: &Circuit<Account>) {
    let begun = async {
        let hash = circuit.handshake_hash();
        let request = shared.write_quietly(|tx| {
            parameters::shown(tx, circuit.signed_parameters())?;
            registration::authentication(tx, own, &hash)
        })?;
        circuit.call(request).await?;
        shared.write_quietly(|tx| Ok(me::set_visited(tx.db)?))
    };
    match begun.await {
        Ok(()) => shared.fetch_first_tokens(circuit).await,
        Err(error) => tracing::debug!(%error, "no tokens yet"),
    }
}

/// A circuit on which the words were shown, by their key, and what the service gives for it.
async fn show(shared: &Shared, link: &Link, key: &RecoveryKey) -> Result<(Circuit<Account>, RecoverReply)> {
    let circuit = shared.connect::<Account>(link).await?;
    let request = RecoverRequest {
        recovery_key: Bytes::copy_from_slice(key.public().as_bytes()),
        signature: Bytes::copy_from_slice(&prove(&circuit.handshake_hash(), key)),
    };
    match circuit.call(request).await {
        Ok(reply) => Ok((circuit, reply)),
        Err(CallError::Refused(fault)) if fault.code() == Code::NotFound => Err(ClientError::NoSuchWords),
        Err(error) => Err(error.into()),
    }
}

async fn put(circuit: &Circuit<Account>, device_list: &Bytes) -> Result<()> {
    circuit.call(PutDeviceListRequest { device_list: device_list.clone() }).await?;
    Ok(())
}
