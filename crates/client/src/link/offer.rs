//! The old device's end: it makes the link, and hands the account over.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::timeout;
use undertone_circuit::Circuit;
use undertone_e2ee::{Generation, LinkChallenge};
use undertone_wire::{
    ChannelId, Message as _,
    account::{Account, PutDeviceListRequest},
    content::linking::Kind,
    link::{DeviceLink, Link},
    visitor::CreateChannelRequest,
};
use zeroize::Zeroizing;

use super::{PUT_TRIES, meeting::Meeting};
use crate::{
    ClientError, Result,
    db::me,
    own::Own,
    rules::{devices, lists},
    shared::Shared,
};

/// A visit to the account takes seconds.
const TOKENS_WAIT: Duration = Duration::from_secs(60);

/// A link that waits for a new device. Dropped, it is good for nothing any more.
pub struct LinkOffer {
    shared: Arc<Shared>,
    meeting: Meeting,
    challenge: LinkChallenge,
}

impl LinkOffer {
    pub(super) async fn make(shared: Arc<Shared>) -> Result<Self> {
        let own = shared.own()?;
        let (link, challenge) = shared.write_quietly(|tx| {
            let generation = Generation::generate(&mut tx.rng);
            let service = Link { account: None, ..own.link.clone() };
            let link = DeviceLink { service, channel: ChannelId::new(tx.random()), secret: *generation.secret() };
            Ok((link, LinkChallenge::generate(&mut tx.rng)))
        })?;
        let generation = Generation::from_secret(link.secret);
        let request = CreateChannelRequest {
            channel: link.channel.into(),
            read_key: generation.read_key().public().as_bytes().to_vec().into(),
            write_key: generation.write_key().public().as_bytes().to_vec().into(),
            tokens: Vec::new(),
        };
        make_channel(&shared, &own, request).await?;
        tokio::time::sleep(Duration::from_millis(shared.draw_ms(&shared.pace.between_circuits))).await;
        let meeting = Meeting::open(shared.clone(), link).await?;
        Ok(Self { shared, meeting, challenge })
    }

    /// The link to show to the new device, and to nobody else.
    pub fn text(&self) -> Zeroizing<String> {
        self.meeting.link().to_text()
    }

    /// Waits for the new device; then this is the code that both show.
    ///
    /// # Errors
    /// When nobody comes while the link is good, or more than one.
    pub async fn code(&mut self) -> Result<String> {
        self.meeting.until(None, |talk| talk.commitment.as_ref().map(drop)).await?;
        let challenge = self.challenge.public();
        if self.meeting.talk().challenge.is_none() {
            self.meeting.say(Kind::Challenge(challenge.to_vec().into())).await?;
        }
        self.meeting.until(None, |talk| talk.hello.as_ref().map(drop)).await?;
        let talk = self.meeting.talk();
        let ours = talk.challenge.as_deref() == Some(&challenge[..]);
        let hello = talk.hello.as_ref().filter(|_| ours).ok_or(ClientError::LinkUsed)?;
        Ok(hello.code(&challenge))
    }

    /// The person has seen the same code on both: waits until that is said on the new device too, and hands the account
    /// over. Returns the new device's number.
    ///
    /// # Errors
    /// When the new device's person says no, or nothing; nothing was linked then. A service that goes away at the last
    /// moment may leave a device on the list that never came to be.
    pub async fn confirm(mut self) -> Result<u32> {
        self.meeting.until(None, |talk| talk.accepted.then_some(())).await?;
        let own = self.shared.reload_own()?;
        let hello = self.meeting.talk().hello.as_ref().ok_or(ClientError::Bug("a link confirmed without its code"))?;
        // Whatever can fail before there is a new list, fails now.
        let circuit = self.shared.authenticated(&own).await?;
        let (device_list, sealed, device) = self.shared.write(|tx| {
            let (list, handover) = devices::offer(tx, &own, hello)?;
            lists::adopt(tx, &own, &list, false)?;
            let content = Zeroizing::new(handover.encode_to_vec());
            let sealed = self.challenge.seal(hello, &content, &mut tx.rng)?;
            Ok((list.encoded().clone(), sealed, handover.device))
        })?;
        self.shared.reload_own()?;
        put(&self.shared, &own, circuit, &device_list).await?;
        self.meeting.say(Kind::Handover(sealed)).await?;
        self.shared.set_linking();
        Ok(device)
    }

    /// Ends it, and tells the new device.
    pub async fn cancel(mut self) {
        self.meeting.cancel().await;
    }
}

/// Makes the channel. A device that has nothing to pay with waits for the driver's next visit to the account, which brings
/// more.
async fn make_channel(shared: &Shared, own: &Own, request: CreateChannelRequest) -> Result<()> {
    let paid = match shared.pay(&own.link, request.clone()).await {
        Err(ClientError::NoTokens) => {
            let asked = shared.ask(true);
            let mut reports = shared.report.subscribe();
            let visited = reports.wait_for(|report| report.asked.pass >= asked.pass);
            // If it did not come to that, the next try says what is missing.
            drop(timeout(TOKENS_WAIT, visited).await);
            shared.pay(&own.link, request).await?
        }
        paid => paid?,
    };
    Ok(paid.map(drop)?)
}

/// Puts our new device list. Where that fails, the driver does it later.
async fn put(shared: &Shared, own: &Own, mut circuit: Circuit<Account>, device_list: &Bytes) -> Result<()> {
    let mut tries = 1;
    while let Err(error) = circuit.call(PutDeviceListRequest { device_list: device_list.clone() }).await {
        let error = ClientError::from(error);
        if !matches!(error, ClientError::Offline(_)) || tries == PUT_TRIES {
            return Err(error);
        }
        tries += 1;
        circuit = shared.authenticated(own).await?;
    }
    shared.write_quietly(|tx| Ok(me::set_list_put(tx.db, device_list)?))
}
