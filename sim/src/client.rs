//! A client of the bare protocol: circuits, openings and entries whose bodies mean nothing.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use rand_core::CryptoRng;
use undertone_circuit::{Circuit, Dialer, Event, ServicePublicKeys, Subscription, TcpDialer};
use undertone_credentials::{IssuingKey, ReadKey, Wish, WriteKey, open_read, open_write};
use undertone_store::NewChannel;
use undertone_wire::{
    ChannelId, Day, HandshakeHash, IdempotencyId, Now,
    channel::{
        self, AppendRequest, Channel, Entry, EntryKind, FollowRequest, LogPush, NewEntry, OpenReply, OpenRequest,
        Opening, ReadRequest, ResumeRequest, append_reply, opened,
    },
    limits::{MESSAGE_DAYS_MAX, PAGE_ENTRIES_MAX},
    link::Pin,
    objects::{Purpose, Token},
    rpc::Service as Kind,
    visitor::{CreateChannelRequest, Visitor},
};

use crate::{meter::Meter, program::Process};

/// A service as its clients know it after their first circuit: they need not ask for its keys again.
pub struct Service {
    dialer: Arc<dyn Dialer>,
    pin: Pin,
    keys: ServicePublicKeys,
    /// Its own: what is measured here is paid for without accounts.
    issuing: IssuingKey,
    /// By so much is its clock before ours.
    days_ahead: u32,
}

impl Service {
    /// Connects once, to learn the keys.
    pub async fn meet(
        dialer: Arc<dyn Dialer>,
        pin: Pin,
        issuing: IssuingKey,
        rng: &mut (impl CryptoRng + Send),
    ) -> anyhow::Result<Self> {
        let circuit = Circuit::<Channel>::connect(&*dialer, &pin, None, rng).await?;
        Ok(Self { keys: circuit.service_keys().clone(), dialer, pin, issuing, days_ahead: 0 })
    }

    /// The same, over TCP.
    pub async fn at(process: &Process, rng: &mut (impl CryptoRng + Send)) -> anyhow::Result<Self> {
        let link = process.link();
        let dialer = Arc::new(TcpDialer::new(&link.endpoint));
        let service = Self::meet(dialer, link.pin, process.issuing()?, rng).await?;
        Ok(Self { days_ahead: process.days_ahead(), ..service })
    }

    /// The same service, with a meter on what goes to and from it.
    pub fn metered(self, meter: &Arc<Meter>) -> Self {
        Self { dialer: meter.over(self.dialer), ..self }
    }

    /// What an account would be issued.
    fn token(&self, purpose: Purpose, rng: &mut (impl CryptoRng + Send)) -> anyhow::Result<Token> {
        let wish = Wish::new(purpose, self.today().week(), 1, rng)?;
        let key = self.issuing.key(purpose, wish.week());
        let issued = key.issue(&wish.blinded(), rng)?;
        let tokens = wish.finish(&key.public(), &issued.evaluated, &issued.proof)?;
        Ok(tokens.first().context("no token")?.into())
    }

    /// Makes a channel, on a circuit of its own.
    pub async fn visit(&self, request: CreateChannelRequest, rng: &mut (impl CryptoRng + Send)) -> anyhow::Result<()> {
        self.connect::<Visitor>(rng).await?.visit(request).await.context("no channel")?;
        Ok(())
    }

    fn today(&self) -> Day {
        today() + self.days_ahead
    }

    async fn connect<S: Kind>(&self, rng: &mut (impl CryptoRng + Send)) -> anyhow::Result<Circuit<S>> {
        Circuit::connect(&*self.dialer, &self.pin, Some(&self.keys), rng).await.context("no circuit")
    }
}

/// Whoever has these has the channel.
pub struct Keys {
    channel: ChannelId,
    read: ReadKey,
    write: WriteKey,
}

impl Keys {
    /// Of a channel that is not there yet.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut channel = [0; ChannelId::LEN];
        rng.fill_bytes(&mut channel);
        Self { channel: ChannelId::new(channel), read: ReadKey::generate(rng), write: WriteKey::generate(rng) }
    }

    /// As a store keeps it.
    pub fn new_channel(&self) -> NewChannel {
        let (read_key, write_key) = (*self.read.public().as_bytes(), *self.write.public().as_bytes());
        NewChannel { channel: self.channel, read_key, write_key }
    }

    /// What makes the channel, paid for.
    pub fn creation(
        &self,
        service: &Service,
        rng: &mut (impl CryptoRng + Send),
    ) -> anyhow::Result<CreateChannelRequest> {
        Ok(CreateChannelRequest {
            channel: self.channel.into(),
            read_key: Bytes::copy_from_slice(self.read.public().as_bytes()),
            write_key: Bytes::copy_from_slice(self.write.public().as_bytes()),
            tokens: vec![service.token(Purpose::Channel, rng)?],
        })
    }

    /// Makes a new channel, as a visitor.
    pub async fn create(service: &Service, rng: &mut (impl CryptoRng + Send)) -> anyhow::Result<Self> {
        let keys = Self::generate(rng);
        service.visit(keys.creation(service, rng)?, rng).await?;
        Ok(keys)
    }

    /// Opens the channel to read and to write, on a circuit of its own.
    pub async fn open(&self, service: &Service, rng: &mut (impl CryptoRng + Send)) -> anyhow::Result<Opened> {
        let circuit = service.connect::<Channel>(rng).await?;
        let openings = vec![self.opening(&circuit.handshake_hash())];
        let reply = circuit.call(OpenRequest { openings }).await?;
        match reply.opened.first().and_then(|opened| opened.result.as_ref()) {
            Some(opened::Result::Head(head)) => {
                let expiry_day = service.today() + MESSAGE_DAYS_MAX;
                Ok(Opened { circuit, channel: self.channel, seq: head.seq, expiry_day })
            }
            _ => bail!("the service does not open a channel"),
        }
    }

    fn opening(&self, circuit: &HandshakeHash) -> Opening {
        Opening {
            channel: self.channel.into(),
            generation: 0,
            read_signature: Bytes::copy_from_slice(&open_read(circuit, self.channel, 0, &self.read)),
            write_signature: Bytes::copy_from_slice(&open_write(circuit, self.channel, 0, &self.write)),
            known: 0,
        }
    }
}

/// Many channels on one circuit.
pub struct Line {
    circuit: Circuit<Channel>,
    /// What opens them again, each with where its log ended.
    pub tickets: Vec<(Bytes, u64)>,
    pushes: Option<Subscription<LogPush>>,
}

impl Line {
    /// Opens channels to read and to write, by signatures.
    pub async fn open(service: &Service, keys: &[&Keys], rng: &mut (impl CryptoRng + Send)) -> anyhow::Result<Self> {
        let circuit = service.connect::<Channel>(rng).await?;
        let hash = circuit.handshake_hash();
        let openings = keys.iter().map(|keys| keys.opening(&hash)).collect();
        let tickets = all_opened(circuit.call(OpenRequest { openings }).await?, keys.len())?;
        Ok(Self { circuit, tickets, pushes: None })
    }

    /// The same by tickets, and follows them, as who has all that stands there.
    ///
    /// # Errors
    /// When anything has changed in them.
    pub async fn resume(
        service: &Service,
        tickets: &[(Bytes, u64)],
        keys: &[&Keys],
        rng: &mut (impl CryptoRng + Send),
    ) -> anyhow::Result<Self> {
        let circuit = service.connect::<Channel>(rng).await?;
        let (given, known): (Vec<Bytes>, Vec<u64>) = tickets.iter().cloned().unzip();
        let reply = circuit.call(ResumeRequest { tickets: given, known: known.clone() }).await?;
        if reply.opened.len() != tickets.len() || reply.opened.iter().any(|opened| opened.result.is_some()) {
            bail!("the service does not open all channels as they were");
        }
        let channels = keys.iter().map(|keys| keys.channel.into()).collect();
        let pushes = Some(circuit.subscribe(FollowRequest { channels, known }).await?);
        Ok(Self { circuit, tickets: tickets.to_vec(), pushes })
    }

    /// Opens more channels, by signatures.
    pub async fn open_more(&self, keys: &[&Keys]) -> anyhow::Result<()> {
        let hash = self.circuit.handshake_hash();
        let openings = keys.iter().map(|keys| keys.opening(&hash)).collect();
        all_opened(self.circuit.call(OpenRequest { openings }).await?, keys.len()).map(drop)
    }

    /// Follows them all.
    pub async fn follow(&mut self, keys: &[&Keys]) -> anyhow::Result<()> {
        let channels = keys.iter().map(|keys| keys.channel.into()).collect();
        self.pushes = Some(self.circuit.subscribe(FollowRequest { channels, known: Vec::new() }).await?);
        Ok(())
    }

    /// Takes what it follows, until the circuit ends.
    pub async fn listen(mut self) {
        if let Some(pushes) = &mut self.pushes {
            while pushes.next().await.is_some() {}
        }
    }
}

fn all_opened(reply: OpenReply, count: usize) -> anyhow::Result<Vec<(Bytes, u64)>> {
    let ticket = |opened: channel::Opened| match opened.result {
        Some(opened::Result::Head(head)) => Some((opened.ticket, head.seq)),
        _ => None,
    };
    let tickets: Option<Vec<_>> = reply.opened.into_iter().map(ticket).collect();
    tickets.filter(|tickets| tickets.len() == count).context("the service does not open all channels")
}

/// A channel on a circuit that may read and write it.
#[derive(Clone)]
pub struct Opened {
    circuit: Circuit<Channel>,
    channel: ChannelId,
    seq: u64,
    /// Of what it appends.
    expiry_day: Day,
}

impl Opened {
    /// The newest entry when the channel was opened.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Appends a message, and returns once it is durable: with its sequence number.
    pub async fn append(&self, body: Bytes, id: IdempotencyId) -> anyhow::Result<u64> {
        let entry = NewEntry {
            kind: EntryKind::Message.into(),
            expiry_day: self.expiry_day.0,
            body,
            idempotency_id: id.into(),
            ..NewEntry::default()
        };
        let reply = self
            .circuit
            .call(AppendRequest { channel: self.channel.into(), entries: vec![entry], ..AppendRequest::default() })
            .await?;
        match reply.result {
            Some(append_reply::Result::Appended(appended)) => Ok(appended.first_seq),
            _ => bail!("the service refuses a message at its own position"),
        }
    }

    /// A page of what came after an entry.
    pub async fn read(&self, after: u64) -> anyhow::Result<Vec<Entry>> {
        let request = ReadRequest { channel: self.channel.into(), after, limit: PAGE_ENTRIES_MAX };
        Ok(self.circuit.call(request).await?.entries)
    }

    /// Follows the channel from where it stood when it was opened.
    pub async fn follow(&self) -> anyhow::Result<Follower> {
        let pushes =
            self.circuit.subscribe(FollowRequest { channels: vec![self.channel.into()], known: Vec::new() }).await?;
        Ok(Follower { opened: self.clone(), pushes, seen: self.seq })
    }
}

/// A reader that misses nothing: it is pushed what is new, and reads where pushes are missing.
pub struct Follower {
    opened: Opened,
    pushes: Subscription<LogPush>,
    seen: u64,
}

impl Follower {
    /// The newest entry that was returned.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// The next entries, in order and without a gap. None, if a push brought nothing new.
    pub async fn next(&mut self) -> anyhow::Result<Vec<Entry>> {
        let entries = match self.pushes.next().await.context("the service ended a circuit")? {
            Event::Item(push) => push.entries,
            Event::Lagged => Vec::new(),
        };
        let new: Vec<_> = entries.into_iter().filter(|entry| entry.seq > self.seen).collect();
        let gapless = new.first().is_some_and(|first| first.seq == self.seen + 1);
        let new = if gapless { new } else { self.opened.read(self.seen).await? };
        for entry in &new {
            if entry.seq != self.seen + 1 {
                bail!("the service left out an entry");
            }
            self.seen = entry.seq;
        }
        Ok(new)
    }
}

/// Fresh for each body.
pub fn idempotency_id(rng: &mut impl CryptoRng) -> IdempotencyId {
    let mut id = [0; IdempotencyId::LEN];
    rng.fill_bytes(&mut id);
    IdempotencyId::new(id)
}

/// Today, by this machine.
pub fn today() -> Day {
    // A clock before 1970 is refused by the service, in words.
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)).day()
}
