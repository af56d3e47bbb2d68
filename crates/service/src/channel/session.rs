//! One channel circuit: it can reach the channels whose keys it has proven, and no others.

use std::{
    collections::HashMap,
    future::poll_fn,
    iter::repeat,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use bytes::Bytes;
use undertone_credentials::group::Pseudonym;
use undertone_store::{AppendOutcome, Channels};
use undertone_wire::{
    ChannelId, HandshakeHash, Now,
    channel::{
        AppendReply, AppendRequest, Appended, ChangeGroupReply, ChangeGroupRequest, ChannelHandler, FollowRequest,
        Head, LogPush, OpenReply, OpenRequest, Opened, PresentReply, PresentRequest, ReadHeadSlotReply,
        ReadHeadSlotRequest, ReadRecordReply, ReadRecordRequest, ReadReply, ReadRequest, ReserveCommitReply,
        ReserveCommitRequest, ResumeRequest, SendTransientReply, SendTransientRequest, append_reply, opened,
    },
    circuit::{Code, Fault},
    limits::{OPENINGS_MAX, TRANSIENT_BURST},
    padding,
    rpc::Pushes,
};

use super::{
    ChannelPlane,
    allowance::Allowance,
    hub::Hub,
    new_entries::NewEntries,
    opening::Claim,
    rights::Rights,
    speaker::{Denial, Speaker},
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
    pub(super) plane: Arc<ChannelPlane<C>>,
    pub(super) circuit: HandshakeHash,
    channels: Mutex<HashMap<ChannelId, Open<C>>>,
}

/// A channel that is open on this circuit.
struct Open<C> {
    hub: Arc<Hub<C>>,
    /// By keys.
    rights: Option<Rights>,
    /// Boxed, since a circuit has hundreds of channels open, and most of them have none.
    more: Option<Box<More>>,
}

/// What a circuit has of few channels.
struct More {
    /// Whom it has shown itself to be, in groups.
    whom: Option<Pseudonym>,
    /// Of what it may tell of the moment.
    transients: Allowance,
}

impl<C> Open<C> {
    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_with(|| Box::new(More { whom: None, transients: Allowance::whole(TRANSIENT_BURST) }))
    }
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
        if until > 0 {
            return Ok(Opened { result: Some(opened::Result::Head(head)), until, ticket: Bytes::new() });
        }
        let ticket = self.plane.tickets.give(now, claim.channel, rights);
        Ok(Opened { result: unless_known(head, claim.known()), until, ticket })
    }

    async fn resume_one(&self, now: Now, ticket: &[u8], known: u64) -> Result<Opened, Fault> {
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
            Some(_) => Opened { result: unless_known(head, known), ..Opened::default() },
            None => refused(Code::Exhausted),
        })
    }

    /// Lets this circuit reach a channel, and gives the rights that it has there now. None: it reaches too many already.
    fn admit(&self, channel: ChannelId, hub: Arc<Hub<C>>, rights: Rights) -> Option<Rights> {
        self.enter(channel, hub, |open| {
            let rights = open.rights.map_or(rights, |before| rights.and(before));
            open.rights = Some(rights);
            rights
        })
    }

    /// Lets this circuit speak as somebody in a channel, from now on.
    pub(super) fn speak_as(&self, channel: ChannelId, hub: &Arc<Hub<C>>, whom: Pseudonym) -> Result<(), Fault> {
        self.enter(channel, hub.clone(), |open| open.more().whom = Some(whom)).ok_or_else(|| Code::Exhausted.into())
    }

    /// Changes what this circuit has of a channel. None: it reaches too many already.
    fn enter<T>(&self, channel: ChannelId, hub: Arc<Hub<C>>, change: impl FnOnce(&mut Open<C>) -> T) -> Option<T> {
        let mut channels = self.channels();
        if !channels.contains_key(&channel) && channels.len() >= CIRCUIT_CHANNELS_MAX {
            return None;
        }
        let open = channels.entry(channel).or_insert(Open { hub: hub.clone(), rights: None, more: None });
        open.hub = hub;
        Some(change(open))
    }

    /// As whom this circuit speaks in a channel.
    pub(super) fn speaker(&self, channel: &ChannelId) -> Speaker {
        let channels = self.channels();
        let (rights, whom) = channels.get(channel).map_or((None, None), |open| {
            let whom = open.more.as_ref().and_then(|more| more.whom);
            (open.rights, whom)
        });
        Speaker { circuit: self.circuit, rights, whom }
    }

    /// A channel that was opened here by keys, under whatever generation.
    fn opened(&self, channel: &ChannelId) -> Result<(Arc<Hub<C>>, Rights), Fault> {
        let channels = self.channels();
        let Open { hub, rights, .. } = channels.get(channel).ok_or(Code::Unauthenticated)?;
        Ok((hub.clone(), rights.ok_or(Code::Unauthenticated)?))
    }

    /// A channel that was opened here, by keys or by showing whom one is.
    fn entered(&self, channel: &ChannelId) -> Result<Arc<Hub<C>>, Fault> {
        let channels = self.channels();
        let Open { hub, .. } = channels.get(channel).ok_or(Code::Unauthenticated)?;
        Ok(hub.clone())
    }

    fn use_transient(&self, channel: &ChannelId, now: Now) -> Result<(), Fault> {
        let mut channels = self.channels();
        let More { transients, .. } = channels.get_mut(channel).ok_or(Code::Unauthenticated)?.more();
        match transients.wait_ms(now, 1) {
            0 => transients.spend(now, 1),
            ms => return Err(Fault::from(Code::Exhausted).retry_after_ms(u32::try_from(ms).unwrap_or(u32::MAX))),
        }
        Ok(())
    }

    /// The channel is gone from the store.
    pub(super) fn gone(&self, channel: &ChannelId, hub: &Arc<Hub<C>>) -> Fault {
        hub.leave(&self.circuit);
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
        let entries = NewEntries::check(request.entries, request.head_slot, now.day())?;
        let hub = self.entered(&channel)?;
        self.plane.check_large(now, &entries).await?;
        let by = self.speaker(&channel);
        let result = match hub.append(now, &by, entries).await? {
            Ok(AppendOutcome::Appended { first_seq, .. }) => {
                append_reply::Result::Appended(Appended { first_seq, head: Some(hub.head_for(&by).await?) })
            }
            Ok(AppendOutcome::Stale(_)) => append_reply::Result::Stale(hub.head_for(&by).await?),
            Ok(AppendOutcome::Conflict) => append_reply::Result::Conflict(true),
            Ok(AppendOutcome::NotFound) => return Err(self.gone(&channel, &hub)),
            Ok(AppendOutcome::Full) => return Err(fault::full()),
            Err(Denial::Refused(refusal)) => append_reply::Result::Refused(refusal.into()),
            Err(Denial::Fault(code)) => return Err(code.into()),
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
        let known = known(request.known, request.channels.len())?;
        let channels = request.channels.iter().map(|bytes| parse(bytes)).collect::<Result<Vec<ChannelId>, _>>()?;
        let hubs = channels.iter().map(|channel| self.opened(channel)).collect::<Result<Vec<_>, _>>()?;
        // All or none, but for a generation that ends in this moment.
        ensure_current(hubs.iter().all(|(hub, rights)| rights.generation() == hub.generation()))?;
        let pushes = Arc::new(pushes);
        for ((hub, rights), known) in hubs.into_iter().zip(known) {
            ensure_current(hub.follow(self.circuit, rights.generation(), pushes.clone()))?;
            if known > 0 {
                hub.push_newer(known, &pushes).await?;
            }
        }
        Ok(())
    }

    async fn resume(&self, now: Now, request: ResumeRequest) -> Result<OpenReply, Fault> {
        ensure(request.tickets.len() <= OPENINGS_MAX)?;
        let known = known(request.known, request.tickets.len())?;
        let mut opened = Vec::with_capacity(request.tickets.len());
        for (ticket, known) in request.tickets.into_iter().zip(known) {
            opened.push(self.resume_one(now, &ticket, known).await?);
        }
        Ok(OpenReply { opened })
    }

    async fn change_group(&self, now: Now, request: ChangeGroupRequest) -> Result<ChangeGroupReply, Fault> {
        self.make_change(now, request).await
    }

    async fn present(&self, now: Now, request: PresentRequest) -> Result<PresentReply, Fault> {
        self.show(now, request).await
    }

    async fn read_record(&self, _: Now, request: ReadRecordRequest) -> Result<ReadRecordReply, Fault> {
        self.record(request).await
    }

    async fn read_head_slot(&self, _: Now, request: ReadHeadSlotRequest) -> Result<ReadHeadSlotReply, Fault> {
        self.head_slot(request).await
    }

    async fn reserve_commit(&self, now: Now, request: ReserveCommitRequest) -> Result<ReserveCommitReply, Fault> {
        self.reserve(now, request).await
    }

    async fn send_transient(&self, now: Now, request: SendTransientRequest) -> Result<SendTransientReply, Fault> {
        let SendTransientRequest { channel, body } = request;
        let channel = parse(&channel)?;
        ensure(padding::TRANSIENT.contains(&body.len()))?;
        let hub = self.entered(&channel)?;
        self.use_transient(&channel, now)?;
        hub.tell(&self.speaker(&channel), body)?;
        Ok(SendTransientReply {})
    }
}

impl<C: Channels> Drop for ChannelSession<C> {
    fn drop(&mut self) {
        for open in self.channels().values() {
            open.hub.leave(&self.circuit);
        }
    }
}

/// What is known of so many channels: nothing, if nothing is said.
fn known(said: Vec<u64>, count: usize) -> Result<impl Iterator<Item = u64>, Fault> {
    ensure(said.is_empty() || said.len() == count)?;
    Ok(said.into_iter().chain(repeat(0)).take(count))
}

/// A head, for whoever does not have the entry that it is at.
fn unless_known(head: Head, known: u64) -> Option<opened::Result> {
    (known == 0 || head.seq != known).then_some(opened::Result::Head(head))
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
