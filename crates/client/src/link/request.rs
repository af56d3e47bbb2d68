//! The new device's end: it answers the link, and takes the account over.

use std::{sync::Arc, time::Duration};

use undertone_credentials::DeviceKey;
use undertone_e2ee::{Hello, LinkSecret};
use undertone_wire::{
    Message as _,
    content::{Handover, linking::Kind},
    link::DeviceLink,
};

use super::meeting::Meeting;
use crate::{ClientError, Result, Whoami, db::me, rules::devices, shared::Shared, view};

/// The old device answers by itself, so it answers soon.
const ANSWER: Duration = Duration::from_secs(30);

/// A new device that waits to be taken in. Dropped, it never was one.
pub struct LinkRequest {
    shared: Arc<Shared>,
    meeting: Meeting,
    device_key: DeviceKey,
    secret: LinkSecret,
    hello: Hello,
}

impl LinkRequest {
    pub(super) async fn make(shared: Arc<Shared>, text: &str) -> Result<Self> {
        let link = DeviceLink::parse(text)?;
        if shared.own().is_ok() {
            return Err(ClientError::AlreadyRegistered);
        }
        let (device_key, secret, hello) = shared.write_quietly(|tx| {
            let (device_key, secret) = (DeviceKey::generate(&mut tx.rng), LinkSecret::generate(&mut tx.rng));
            let hello = secret.hello(&device_key.public(), &tx.rungs.features, &mut tx.rng);
            Ok((device_key, secret, hello))
        })?;
        let mut meeting = Meeting::open(shared.clone(), link).await?;
        if meeting.talk().commitment.is_some() {
            meeting.cancel().await;
            return Err(ClientError::LinkUsed);
        }
        let commitment = hello.commitment();
        meeting.say(Kind::Commitment(commitment.to_vec().into())).await?;
        Ok(Self { shared, meeting, device_key, secret, hello })
    }

    /// Waits for the old device's answer; then this is the code that both show.
    ///
    /// # Errors
    /// When the old device does not answer, or more than one speaks.
    pub async fn code(&mut self) -> Result<String> {
        let challenge = self.meeting.until(Some(ANSWER), |talk| talk.challenge.clone()).await?;
        if self.meeting.talk().hello.is_none() {
            self.meeting.say(Kind::Hello(self.hello.encoded().clone())).await?;
        }
        let ours = |hello: &Hello| hello.encoded() == self.hello.encoded();
        if self.meeting.talk().hello.as_ref().is_some_and(ours) {
            Ok(self.hello.code(&challenge))
        } else {
            Err(ClientError::LinkUsed)
        }
    }

    /// The person has seen the same code on both: waits until that is said on the old device too, and takes the account
    /// over.
    ///
    /// # Errors
    /// When the old device's person says no, or nothing.
    pub async fn confirm(mut self) -> Result<Whoami> {
        let challenge = self.meeting.talk().challenge.clone();
        let challenge = challenge.ok_or(ClientError::Bug("a link confirmed without its code"))?;
        self.meeting.say(Kind::Accepted(true)).await?;
        let sealed = self.meeting.until(None, |talk| talk.handover.clone()).await?;
        let handover = self.secret.open(&self.hello, &challenge, &sealed).map_err(|_| ClientError::LinkForged)?;
        let handover = Handover::decode(&handover[..]).map_err(|_| ClientError::LinkForged)?;
        let service = &self.meeting.link().service;
        self.shared.write(|tx| devices::take_over(tx, service, &self.device_key, &handover))?;
        let own = self.shared.reload_own()?;
        self.shared.set_linking();
        self.shared.read(|db| view::whoami(db, &me::load(db)?.ok_or(ClientError::NotRegistered)?, &own.link))
    }

    /// Ends it, and tells the old device.
    pub async fn cancel(mut self) {
        self.meeting.cancel().await;
    }
}
