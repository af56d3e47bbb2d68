//! One channel circuit: it can reach the channels whose keys it has proven, and no others.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use bytes::Bytes;
use undertone_store::{AppendOutcome, Channels};
use undertone_wire::{
    ChannelId, HandshakeHash, Now,
    channel::{
        AppendReply, AppendRequest, Appended, ChannelHandler, FollowRequest, LogPush, OpenReply, OpenRequest, Opened,
        ReadReply, ReadRequest, ResumeRequest, SendTransientReply, SendTransientRequest, append_reply, opened,
    },
    circuit::{Code, Fault},
    limits::{OPENINGS_MAX, TRANSIENT_BURST},
    padding,
    rpc::Pushes,
};

use super::{ChannelPlane, allowance::Allowance, hub::Hub, new_entries::NewEntries, opening::Claim, rights::Rights};
use crate::{
    fault,
    request::{ensure, parse},
};

/// Channels open on one circuit: two full batches, so that one can be replaced by another.
const CIRCUIT_CHANNELS_MAX: usize = 2 * OPENINGS_MAX;
/// Openings are checked (about 0.15 ms each) in turns of so many, between which others get theirs.
const OPENINGS_A_TURN: usize = 16;

/// Answers one channel circuit.
pub struct ChannelSession<C: Channels> {
    plane: Arc<ChannelPlane<C>>,
    circuit: HandshakeHash,
    channels: Mutex<HashMap<ChannelId, Open<C>>>,
}

/// A channel that is open on this circuit.
struct Open<C> {
    hub: Arc<Hub<C>>,
    rights: Rights,
    /// Of what it may tell of the moment.
    transients: Allowance,
}

impl<C: Channels> ChannelSession<C> {
    pub(super) fn new(plane: Arc<ChannelPlane<C>>, circuit: HandshakeHash) -> Self {
        Self { plane, circuit, channels: Mutex::default() }
    }

    async fn open_one(&self, now: Now, claim: &Claim) -> Result<Opened, Fault> {
        let hub = self.plane.hub(claim.channel).await?;
        let keys = match &hub {
            Some(hub) => hub.keys(claim.generation()).await?,
            None => None,
        };
        let decoy = self.plane.backing.head_key.public();
        let rights = claim.verify(&self.circuit, keys.as_ref(), &decoy);
        let (Some(hub), Some(rights)) = (hub, rights) else {
            return Ok(refused(Code::NotFound));
        };
        let (head, until) = hub.head_under(rights.generation()).await?;
        let Some(rights) = self.admit(claim.channel, hub, rights) else {
            return Ok(refused(Code::Exhausted));
        };
        let ticket = if until == 0 { self.plane.tickets.give(now, claim.channel, rights) } else { Bytes::new() };
        Ok(Opened { result: Some(opened::Result::Head(head)), until, ticket })
    }

    async fn resume_one(&self, now: Now, ticket: &[u8]) -> Result<Opened, Fault> {
        let Some((channel, rights)) = self.plane.tickets.take(now, ticket) else {
            return Ok(refused(Code::NotFound));
        };
        let Some(hub) = self.plane.hub(channel).await? else {
            return Ok(refused(Code::NotFound));
        };
        let head = hub.head().await?;
        if head.generation != rights.generation() {
            return Ok(refused(Code::NotFound));
        }
        Ok(match self.admit(channel, hub, rights) {
            Some(_) => Opened { result: Some(opened::Result::Head(head)), ..Opened::default() },
            None => refused(Code::Exhausted),
        })
    }

    /// Lets this circuit reach a channel, and gives the rights that it has there now. None: it reaches too many already.
    fn admit(&self, channel: ChannelId, hub: Arc<Hub<C>>, rights: Rights) -> Option<Rights> {
        let mut channels = self.channels();
        let before = channels.get(&channel).map(|open| (open.rights, open.transients));
        if before.is_none() && channels.len() >= CIRCUIT_CHANNELS_MAX {
            return None;
        }
        let whole = Allowance::whole(TRANSIENT_BURST);
        let (rights, transients) = before.map_or((rights, whole), |(before, left)| (rights.and(before), left));
        channels.insert(channel, Open { hub, rights, transients });
        Some(rights)
    }

    /// A channel that was opened here, under whatever generation.
    fn opened(&self, channel: &ChannelId) -> Result<(Arc<Hub<C>>, Rights), Fault> {
        let channels = self.channels();
        let Open { hub, rights, .. } = channels.get(channel).ok_or(Code::Unauthenticated)?;
        Ok((hub.clone(), *rights))
    }

    /// A channel that was opened here to write.
    fn writable(&self, channel: &ChannelId) -> Result<(Arc<Hub<C>>, Rights), Fault> {
        let (hub, rights) = self.opened(channel)?;
        if !rights.write() {
            let current = rights.generation() == hub.generation();
            return Err(if current { Code::Forbidden } else { Code::Unauthenticated }.into());
        }
        Ok((hub, rights))
    }

    fn use_transient(&self, channel: &ChannelId, now: Now) -> Result<(), Fault> {
        let mut channels = self.channels();
        let Open { transients, .. } = channels.get_mut(channel).ok_or(Code::Unauthenticated)?;
        match transients.wait_ms(now, 1) {
            0 => transients.spend(now, 1),
            ms => return Err(Fault::from(Code::Exhausted).retry_after_ms(u32::try_from(ms).unwrap_or(u32::MAX))),
        }
        Ok(())
    }

    /// The channel is gone from the store.
    fn gone(&self, channel: &ChannelId, hub: &Arc<Hub<C>>) -> Fault {
        hub.unfollow(&self.circuit);
        self.channels().remove(channel);
        self.plane.hubs.forget(channel, hub);
        Code::NotFound.into()
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<ChannelId, Open<C>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Channels> ChannelHandler for ChannelSession<C> {
    async fn open(&self, now: Now, request: OpenRequest) -> Result<OpenReply, Fault> {
        ensure(request.openings.len() <= OPENINGS_MAX)?;
        let claims = request.openings.into_iter().map(Claim::check).collect::<Result<Vec<_>, _>>()?;
        let mut opened = Vec::with_capacity(claims.len());
        for turn in claims.chunks(OPENINGS_A_TURN) {
            for claim in turn {
                opened.push(self.open_one(now, claim).await?);
            }
            let_others_run().await;
        }
        Ok(OpenReply { opened })
    }

    async fn append(&self, now: Now, request: AppendRequest) -> Result<AppendReply, Fault> {
        let channel = parse(&request.channel)?;
        let entries = NewEntries::check(request.entries, now.day())?;
        let (hub, rights) = self.writable(&channel)?;
        let result = match hub.append(now, rights.generation(), entries).await? {
            AppendOutcome::Appended { first_seq, .. } => {
                let (head, _) = hub.head_under(rights.generation()).await?;
                append_reply::Result::Appended(Appended { first_seq, head: Some(head) })
            }
            // What had been appended before its generation ended was found again. Nothing else is taken.
            AppendOutcome::Stale(channel) if channel.generation != rights.generation() => {
                return Err(Code::Unauthenticated.into());
            }
            AppendOutcome::Stale(_) => append_reply::Result::Stale(hub.head_under(rights.generation()).await?.0),
            AppendOutcome::Conflict => append_reply::Result::Conflict(true),
            AppendOutcome::NotFound => return Err(self.gone(&channel, &hub)),
            AppendOutcome::Full => return Err(fault::full()),
        };
        Ok(AppendReply { result: Some(result) })
    }

    async fn read(&self, now: Now, request: ReadRequest) -> Result<ReadReply, Fault> {
        let channel = parse(&request.channel)?;
        let (hub, rights) = self.opened(&channel)?;
        let page = hub.read(rights.generation(), request.after, request.limit, now.day()).await?;
        page.ok_or_else(|| self.gone(&channel, &hub))
    }

    async fn follow(&self, _: Now, request: FollowRequest, pushes: Pushes<LogPush>) -> Result<(), Fault> {
        ensure(request.channels.len() <= OPENINGS_MAX)?;
        let channels = request.channels.iter().map(|bytes| parse(bytes)).collect::<Result<Vec<ChannelId>, _>>()?;
        let hubs = channels.iter().map(|channel| self.opened(channel)).collect::<Result<Vec<_>, _>>()?;
        // All or none, but for a generation that ends in this moment.
        ensure_current(hubs.iter().all(|(hub, rights)| rights.generation() == hub.generation()))?;
        let pushes = Arc::new(pushes);
        for (hub, rights) in hubs {
            ensure_current(hub.follow(self.circuit, rights.generation(), pushes.clone()))?;
        }
        Ok(())
    }

    async fn resume(&self, now: Now, request: ResumeRequest) -> Result<OpenReply, Fault> {
        ensure(request.tickets.len() <= OPENINGS_MAX)?;
        let mut opened = Vec::with_capacity(request.tickets.len());
        for ticket in request.tickets {
            opened.push(self.resume_one(now, &ticket).await?);
        }
        Ok(OpenReply { opened })
    }

    async fn send_transient(&self, now: Now, request: SendTransientRequest) -> Result<SendTransientReply, Fault> {
        let SendTransientRequest { channel, body } = request;
        let channel = parse(&channel)?;
        ensure(padding::TRANSIENT.contains(&body.len()))?;
        let (hub, rights) = self.writable(&channel)?;
        self.use_transient(&channel, now)?;
        ensure_current(hub.tell(&self.circuit, rights.generation(), body))?;
        Ok(SendTransientReply {})
    }
}

impl<C: Channels> Drop for ChannelSession<C> {
    fn drop(&mut self) {
        for open in self.channels().values() {
            open.hub.unfollow(&self.circuit);
        }
    }
}

fn refused(code: Code) -> Opened {
    let result = Some(opened::Result::Refused(i32::from(code).unsigned_abs()));
    Opened { result, ..Opened::default() }
}

fn ensure_current(current: bool) -> Result<(), Fault> {
    if current { Ok(()) } else { Err(Code::Unauthenticated.into()) }
}

/// Lets the executor take up other tasks before this one goes on.
async fn let_others_run() {
    let mut waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
