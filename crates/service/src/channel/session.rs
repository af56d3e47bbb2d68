//! One channel circuit: it can reach the channels whose keys it has proven, and no others.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use undertone_store::{AppendOutcome, Channels};
use undertone_wire::{
    ChannelId, HandshakeHash, Now,
    channel::{
        AppendReply, AppendRequest, Appended, ChannelHandler, FollowRequest, LogPush, OpenReply, OpenRequest, Opened,
        ReadReply, ReadRequest, append_reply, opened,
    },
    circuit::{Code, Fault},
    limits::OPENINGS_MAX,
    rpc::Pushes,
};

use super::{
    ChannelPlane,
    hub::Hub,
    new_entries::NewEntries,
    opening::{Claim, Rights},
};
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
}

impl<C: Channels> ChannelSession<C> {
    pub(super) fn new(plane: Arc<ChannelPlane<C>>, circuit: HandshakeHash) -> Self {
        Self { plane, circuit, channels: Mutex::default() }
    }

    async fn open_one(&self, claim: &Claim) -> Result<opened::Result, Fault> {
        let hub = self.plane.hub(claim.channel).await?;
        let stored = hub.as_ref().map(|hub| hub.stored());
        let decoy = self.plane.backing.head_key.public();
        let rights = claim.verify(&self.circuit, stored.as_ref(), &decoy);
        let (Some(hub), Some(rights)) = (hub, rights) else {
            return Ok(refused(Code::NotFound));
        };
        let head = hub.head().await?;
        let mut channels = self.channels();
        if channels.len() >= CIRCUIT_CHANNELS_MAX && !channels.contains_key(&claim.channel) {
            return Ok(refused(Code::Exhausted));
        }
        // What was proven stays proven: to open for reading takes no right to write away.
        let write = rights.write.or(channels.get(&claim.channel).and_then(|before| before.rights.write));
        channels.insert(claim.channel, Open { hub, rights: Rights { write, ..rights } });
        Ok(opened::Result::Head(head))
    }

    /// A channel that was opened here, under its current generation.
    fn opened(&self, channel: &ChannelId) -> Result<(Arc<Hub<C>>, Rights), Fault> {
        let (hub, rights) = match self.channels().get(channel) {
            Some(open) => (open.hub.clone(), open.rights),
            None => return Err(Code::Unauthenticated.into()),
        };
        if rights.read.generation() != hub.stored().generation {
            return Err(Code::Unauthenticated.into());
        }
        Ok((hub, rights))
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
    async fn open(&self, _: Now, request: OpenRequest) -> Result<OpenReply, Fault> {
        ensure(request.openings.len() <= OPENINGS_MAX)?;
        let claims = request.openings.into_iter().map(Claim::check).collect::<Result<Vec<_>, _>>()?;
        let mut opened = Vec::with_capacity(claims.len());
        for turn in claims.chunks(OPENINGS_A_TURN) {
            for claim in turn {
                opened.push(Opened { result: Some(self.open_one(claim).await?) });
            }
            let_others_run().await;
        }
        Ok(OpenReply { opened })
    }

    async fn append(&self, now: Now, request: AppendRequest) -> Result<AppendReply, Fault> {
        let channel = parse(&request.channel)?;
        let entries = NewEntries::check(request.entries, now.day())?;
        let (hub, rights) = self.opened(&channel)?;
        if rights.write.is_none() {
            return Err(Code::Forbidden.into());
        }
        let result = match hub.append(now, entries).await? {
            AppendOutcome::Appended { first_seq, .. } => {
                append_reply::Result::Appended(Appended { first_seq, head: Some(hub.head().await?) })
            }
            AppendOutcome::Stale(_) => append_reply::Result::Stale(hub.head().await?),
            AppendOutcome::Conflict => append_reply::Result::Conflict(true),
            AppendOutcome::NotFound => return Err(self.gone(&channel, &hub)),
            AppendOutcome::Full => return Err(fault::full()),
        };
        Ok(AppendReply { result: Some(result) })
    }

    async fn read(&self, now: Now, request: ReadRequest) -> Result<ReadReply, Fault> {
        let channel = parse(&request.channel)?;
        let (hub, _) = self.opened(&channel)?;
        hub.read(request.after, request.limit, now.day()).await?.ok_or_else(|| self.gone(&channel, &hub))
    }

    async fn follow(&self, _: Now, request: FollowRequest, pushes: Pushes<LogPush>) -> Result<(), Fault> {
        ensure(request.channels.len() <= OPENINGS_MAX)?;
        let channels = request.channels.iter().map(|bytes| parse(bytes)).collect::<Result<Vec<ChannelId>, _>>()?;
        let hubs = channels.iter().map(|channel| self.opened(channel)).collect::<Result<Vec<_>, _>>()?;
        let pushes = Arc::new(pushes);
        for (hub, _) in hubs {
            hub.follow(self.circuit, pushes.clone());
        }
        Ok(())
    }
}

impl<C: Channels> Drop for ChannelSession<C> {
    fn drop(&mut self) {
        for open in self.channels().values() {
            open.hub.unfollow(&self.circuit);
        }
    }
}

fn refused(code: Code) -> opened::Result {
    opened::Result::Refused(i32::from(code).unsigned_abs())
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
