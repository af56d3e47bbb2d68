//! What groups need besides their logs: channels to be made in, ways in, and circuits of their own on which we show who we are.
//!
//! A group's channel is on a circuit that carries nothing else, from its first opening on: what is shown there belongs to one
//! group, and ties it to nothing.

use std::sync::Arc;

use bytes::Bytes;
use undertone_circuit::CallError;
use undertone_wire::{
    ChannelId, Day,
    channel::{
        AppendReply, ChangeGroupRequest, Channel, Head, PresentRequest, ReadHeadSlotReply, ReadHeadSlotRequest,
        ReadRecordRequest, ReadRequest, Refusal, ReserveCommitRequest, append_reply, change_group_reply,
    },
    circuit::Code,
    large::Large,
    limits,
    presented::Presented,
    rpc::Call,
};

use super::{
    Driver,
    channels::{Closed, TRIES_MAX, generation, is_certain},
};
use crate::{
    ClientError, Kind, Result,
    db::{
        chats::{self, Chat, State},
        groups as rows, large, stock,
    },
    own::Own,
    rules::{
        credentials::Presenter,
        groups::{self, Group, entrance::Opened, outside, replay, restart, sending, wishes},
        log::Taken,
        outbox::{self, Batch},
    },
};

/// Pages that are read by who comes in: from the newest head slot on, which every commit renews.
const PAGES_MAX: u32 = 1_024;

impl Driver {
    /// Fetches what changes wait for; makes groups, and comes into those that we have a place in.
    pub(super) async fn groups(&mut self, own: &Arc<Own>) -> Result<()> {
        self.fetch_for_wishes(own).await?;
        for chat in self.shared.read(|db| Ok(large::wanted(db)?))?.into_iter().map(|(chat, _)| chat) {
            let fetched = self.fetch_large(own, chat).await;
            self.contain(chat, fetched)?;
        }
        self.shared.write_quietly(|tx| groups::invitations::go_on(tx, own))?;
        for chat in self.shared.read(|db| Ok(chats::all(db)?))?.into_iter().filter(|chat| chat.is_group) {
            let now_ms = self.shared.now().0;
            if restart::due_ms(&chat, &self.shared.pace.ask, now_ms).is_some_and(|due| due > now_ms) {
                continue;
            }
            let outcome = match chat.state {
                State::New => self.make_group(own, &chat).await,
                State::Open if restart::is_lost(&chat) => self.come_back(own, &chat).await,
                State::Open if self.is_active(&chat) => self.look_at_head(own, &chat).await,
                State::Request | State::Invited if !chat.is_read() || chat.channel.is_none() => {
                    self.act_from_outside(own, &chat).await
                }
                _ => continue,
            };
            let outcome = match outcome {
                Err(ClientError::NotInGroup) => {
                    self.shared.write(|tx| replay::leave_behind(tx, own, &chat))?;
                    Err(ClientError::NotInGroup)
                }
                outcome => outcome,
            };
            match &outcome {
                Ok(()) if chat.asked > 0 => {
                    self.shared.write_quietly(|tx| Ok(chats::forget_asked(tx.db, chat.id)?))?;
                }
                Err(error) if is_in_vain(error) => {
                    self.shared.write_quietly(|tx| Ok(chats::set_asked(tx.db, chat.id, tx.now.0)?))?;
                }
                _ => {}
            }
            self.contain(chat.id, outcome)?;
        }
        Ok(())
    }

    async fn fetch_for_wishes(&mut self, own: &Own) -> Result<()> {
        for (chat, n, account) in self.shared.read(|db| Ok(rows::to_fetch(db)?))? {
            let fetched = match self.fetch_reply(own, account).await {
                Ok(reply) => self.shared.write(|tx| wishes::keep_fetched(tx, own, n, account, &reply)),
                Err(error) => Err(error),
            };
            self.contain(chat, fetched)?;
        }
        Ok(())
    }

    /// Gives a group its channel: one that no circuit has ever opened.
    async fn make_group(&mut self, own: &Arc<Own>, chat: &Chat) -> Result<()> {
        let unopened = |driver: &Self| {
            let ready = driver.shared.read(|db| Ok(stock::ready(db)?))?;
            let closed = |channel: &ChannelId| !driver.lines.is_open(driver.lines.index(*channel), *channel);
            Ok::<_, ClientError>(ready.into_iter().map(|spare| spare.channel).find(closed))
        };
        let channel = match unopened(self)? {
            Some(channel) => channel,
            None => {
                self.make_channel(own).await?;
                unopened(self)?.ok_or(ClientError::Busy)?
            }
        };
        self.lines.set_alone(channel);
        // The first circuit may have brought the service's parameters.
        let own = &self.shared.own()?;
        self.shared.write(|tx| outside::begin(tx, own, chat.id, channel))
    }

    /// What is wanted of a group by who has no leaf in it: to come in, to ask for that, to want nothing of it.
    async fn act_from_outside(&mut self, own: &Arc<Own>, chat: &Chat) -> Result<()> {
        let Some(wish) = self.shared.write_quietly(|tx| outside::wish(tx, chat.id))? else { return Ok(()) };
        match wish {
            outside::Wish::ComeIn => self.come_in(own, chat, false).await,
            outside::Wish::ByLink => {
                let group = self.shared.read(|db| Group::load(db, chat.id))?;
                let secret = link_secret(&group);
                let index = self.group_line(own, group.stored.channel).await?;
                let request = ReadRecordRequest { channel: group.stored.channel.into(), link_secret: secret };
                let reply = match self.ask(index, group.stored.channel, request).await {
                    Err(CallError::Refused(fault))
                        if matches!(fault.code(), Code::Unauthenticated | Code::NotFound) =>
                    {
                        return self.shared.write(|tx| outside::refuse(tx, chat.id, Refusal::Link.into()));
                    }
                    reply => reply?,
                };
                match self.shared.write(|tx| outside::by_link(tx, own, chat.id, &reply.record))? {
                    outside::Wish::ComeIn => self.come_in(own, chat, false).await,
                    outside::Wish::ByLink => self.come_in(own, chat, true).await,
                    outside::Wish::Change { by_link } => self.change_from_outside(own, chat, by_link).await,
                }
            }
            outside::Wish::Change { by_link } => self.change_from_outside(own, chat, by_link).await,
        }
    }

    /// A change of somebody who has no leaf, made of the record that the service shows.
    async fn change_from_outside(&mut self, own: &Arc<Own>, chat: &Chat, by_link: bool) -> Result<()> {
        let group = self.shared.read(|db| Group::load(db, chat.id))?;
        let channel = group.stored.channel;
        let index = self.group_line(own, channel).await?;
        if !by_link {
            self.show(own, index, &group).await?;
        }
        let secret = if by_link { link_secret(&group) } else { Bytes::new() };
        for _ in 0..TRIES_MAX {
            let request = ReadRecordRequest { channel: channel.into(), link_secret: secret.clone() };
            let reply = self.ask(index, channel, request).await?;
            let head = reply.head.unwrap_or_default();
            let Some(change) = self.shared.write(|tx| outside::change(tx, own, chat.id, &reply.record, &head))? else {
                return Ok(());
            };
            let request = ChangeGroupRequest { link_secret: secret.clone(), ..change };
            let reply = self.ask_shown(index, &group, request).await?;
            match reply.result {
                Some(change_group_reply::Result::Appended(_)) => {
                    return self.shared.write(|tx| outside::made(tx, own, chat.id));
                }
                Some(change_group_reply::Result::Refused(why)) => {
                    return self.shared.write(|tx| outside::refuse(tx, chat.id, why));
                }
                _ => self.shared.write_quietly(|tx| outside::again(tx, chat.id))?,
            }
        }
        Err(ClientError::Busy)
    }

    /// Comes into a group that we have lost. Where no way leads in, again and again, we make one, if we may.
    async fn come_back(&mut self, own: &Arc<Own>, chat: &Chat) -> Result<()> {
        let came = self.come_in(own, chat, false).await;
        let in_vain = matches!(came, Err(ClientError::NoWayIn)) && chat.asked.saturating_add(1) >= restart::TRIES;
        if in_vain && self.begin_anew(own, chat).await? {
            return self.come_in(own, chat, false).await;
        }
        came
    }

    /// Puts another MLS group in the place of one that nobody can follow. False: it is not for us to do, or others were faster.
    async fn begin_anew(&mut self, own: &Own, chat: &Chat) -> Result<bool> {
        let group = self.shared.read(|db| Group::load(db, chat.id))?;
        let channel = group.stored.channel;
        let index = self.group_line(own, channel).await?;
        self.show(own, index, &group).await?;
        // One at a time: who holds the next commit is at it.
        match self.ask(index, channel, ReserveCommitRequest { channel: channel.into() }).await {
            Err(CallError::Refused(fault)) if matches!(fault.code(), Code::Forbidden | Code::Exhausted) => {
                return Ok(false);
            }
            reply => drop(reply?),
        }
        let request = ReadRecordRequest { channel: channel.into(), link_secret: Bytes::new() };
        let reply = self.ask(index, channel, request).await?;
        let head = reply.head.unwrap_or_default();
        let restart = self.shared.write(|tx| restart::restart(tx, own, chat.id, &reply.record, &head))?;
        let Some((batch, request)) = restart.and_then(|batch| batch.change().map(|request| (batch, request))) else {
            return Ok(false);
        };
        tracing::info!("a group that nobody can follow begins anew");
        self.put_large(own, &batch).await?;
        let reply = self.ask_shown(index, &group, request).await?;
        Ok(matches!(reply.result, Some(change_group_reply::Result::Appended(_))))
    }

    /// Comes into a group by its head slot. What it takes is under way then, and goes with the rest of what is to be sent.
    async fn come_in(&mut self, own: &Arc<Own>, chat: &Chat, by_link: bool) -> Result<()> {
        let group = self.shared.read(|db| Group::load(db, chat.id))?;
        let channel = group.stored.channel;
        let index = self.group_line(own, channel).await?;
        if !by_link {
            self.show(own, index, &group).await?;
        }
        let link_secret = if by_link { link_secret(&group) } else { Bytes::new() };
        let reply = match self.ask(index, channel, ReadHeadSlotRequest { channel: channel.into(), link_secret }).await {
            Err(CallError::Refused(fault)) if by_link && fault.code() == Code::Unauthenticated => {
                return self.shared.write(|tx| outside::refuse(tx, chat.id, Refusal::Link.into()));
            }
            reply => reply?,
        };
        let sealed = self.head_slot(own, &reply).await?.ok_or(ClientError::NoWayIn)?;
        let opened = Opened::open(&group, &reply, &sealed)?;
        let (number, secret) = opened.generation();
        self.lines.close(index, channel);
        self.open(index, &[Closed { chat: None, generation: (channel, number), secret, known: 0 }]).await?;
        if !self.lines.is_open(index, channel) {
            return Err(ClientError::NoWayIn);
        }
        let (mut entries, mut head, mut after) = (Vec::new(), Head::default(), opened.after());
        for _ in 0..PAGES_MAX {
            let request = ReadRequest { channel: channel.into(), after, limit: limits::PAGE_ENTRIES_MAX };
            let page = self.ask(index, channel, request).await?;
            head = page.head.unwrap_or_default();
            entries.extend(page.entries);
            let last = entries.last().map_or(after, |entry| entry.seq);
            if last >= head.seq || last == after {
                break;
            }
            after = last;
        }
        let stands = |head: &Head| (head.incarnation, head.epoch);
        if reply.head.as_ref().is_some_and(|before| stands(before) != stands(&head)) {
            // Others have committed meanwhile, and left another.
            return Err(ClientError::Busy);
        }
        let own = &self.shared.own()?;
        self.shared.write(|tx| groups::entrance::come_in(tx, own, chat, &opened, &entries, &head))?;
        self.lines.set_behind(index, channel, false);
        Ok(())
    }

    /// Looks whether the newest commit has left a head slot by which others come in.
    async fn look_at_head(&mut self, own: &Own, chat: &Chat) -> Result<()> {
        let stored = self.shared.read(|db| Ok(rows::load(db, chat.id)?))?;
        let Some(channel) = stored.filter(|stored| stored.head.is_some()).map(|stored| stored.channel) else {
            return Ok(());
        };
        let index = self.lines.index(channel);
        if !generation(chat).is_some_and(|of| self.lines.is_open_under(index, of)) {
            return Ok(());
        }
        let request = ReadHeadSlotRequest { channel: channel.into(), ..ReadHeadSlotRequest::default() };
        let reply = self.ask(index, channel, request).await?;
        let sealed = self.head_slot(own, &reply).await?;
        self.shared.write_quietly(|tx| groups::heads::look(tx, own, chat.id, &reply, sealed.as_deref()))
    }

    /// A head slot, or what the service has in its place stands for. None: that is not there.
    async fn head_slot(&mut self, own: &Own, reply: &ReadHeadSlotReply) -> Result<Option<Bytes>> {
        let Some(large) = Large::parse(&reply.sealed) else { return Ok(Some(reply.sealed.clone())) };
        if let Some((of, slot)) = &self.last_slot
            && *of == large
        {
            return Ok(Some(slot.clone()));
        }
        self.apart().await;
        let fetched = self.shared.fetch_blob(&own.link, &large).await?.map(Bytes::from);
        self.last_slot = fetched.clone().map(|slot| (large, slot));
        Ok(fetched)
    }

    /// Fetches what entries of a group, or a way into it, stand for.
    pub(super) async fn fetch_large(&mut self, own: &Own, chat: i64) -> Result<()> {
        let mut wanted = self.shared.read(|db| Ok(large::wanted(db)?))?;
        wanted.retain(|(of, _)| *of == chat);
        for (_, large) in wanted {
            self.apart().await;
            let fetched = self.shared.fetch_blob(&own.link, &large).await;
            self.touched();
            let fetched = fetched?;
            if fetched.is_none() {
                tracing::info!("what a group's log refers to is not there");
            }
            self.shared.write(|tx| groups::large::fetched(tx, chat, &large, fetched))?;
        }
        Ok(())
    }

    /// Puts what a batch refers to, before it is sent.
    async fn put_large(&mut self, own: &Own, batch: &Batch) -> Result<()> {
        for (large, until) in batch.large() {
            if self.put.contains(large.hash()) {
                continue;
            }
            let kept = self.shared.read(|db| Ok(large::load(db, batch.chat(), &large)?))?;
            let (_, bytes) = kept.ok_or(ClientError::Bug("something large that is not there"))?;
            self.apart().await;
            let put = self.shared.put_blob(&own.link, &large, &bytes, until).await;
            self.touched();
            self.unpaid |= matches!(put, Err(ClientError::NoTokens));
            put?;
            self.put.insert(*large.hash());
        }
        Ok(())
    }

    /// The circuit that carries a group's channel, and nothing else.
    async fn group_line(&mut self, own: &Own, channel: ChannelId) -> Result<usize> {
        let index = self.lines.set_alone(channel);
        if !self.lines.has(index) {
            self.apart().await;
            let circuit = self.shared.connect::<Channel>(&own.link).await?;
            self.lines.put(index, circuit);
        }
        Ok(index)
    }

    /// Has a group's circuit speak for us.
    async fn show(&mut self, own: &Own, index: usize, group: &Group) -> Result<()> {
        if self.lines.speaks(index) {
            return Ok(());
        }
        let channel = group.stored.channel;
        let entry = self.shared.write_quietly(|tx| group.entry(tx.db, own.account))?;
        let request = PresentRequest {
            channel: channel.into(),
            entry: Bytes::copy_from_slice(entry.as_bytes()),
            ..PresentRequest::default()
        };
        let request = self.shown(index, group, request)?;
        match self.ask(index, channel, request).await {
            // Only this is said of us; all else, of a clock that is wrong, or of a service that has lost its log.
            Err(CallError::Refused(fault)) if fault.code() == Code::Forbidden => Err(ClientError::NotInGroup),
            reply => {
                reply?;
                self.lines.set_speaks(index, true);
                Ok(())
            }
        }
    }

    /// A request that shows who we are in a group.
    async fn ask_shown<R>(&mut self, index: usize, group: &Group, request: R) -> Result<R::Reply>
    where
        R: Dated + Call<Service = Channel>,
    {
        let request = self.shown(index, group, request)?;
        Ok(self.ask(index, group.stored.channel, request).await?)
    }

    /// The same, as it is asked.
    fn shown<R: Dated>(&mut self, index: usize, group: &Group, request: R) -> Result<R> {
        let circuit = self.lines.circuit(index)?;
        let request = self.shared.write_quietly(|tx| {
            let presenter = Presenter::of_today(tx)?;
            let request = request.of_day(presenter.day());
            Ok(presenter.show(&group.secret, &circuit.handshake_hash(), request, &mut tx.rng))
        });
        if matches!(request, Err(ClientError::NoCredential)) {
            // The next visit brings one.
            self.inbox_due = tokio::time::Instant::now();
        }
        request
    }

    /// Sends what waits in a group, in order.
    pub(super) async fn flush_group(&mut self, own: &Own, index: usize, chat: i64) -> Result<()> {
        let self_update_ms = self.shared.pace.self_update_ms;
        let mut tries = 0;
        while tries < TRIES_MAX {
            let now = self.shared.read(|db| Ok(chats::load(db, chat)?))?;
            let before = generation(&now);
            if !before.is_some_and(|of| self.lines.is_open_under(index, of)) {
                return Ok(());
            }
            let Some(batch) = self.shared.write(|tx| outbox::next(tx, own, chat, self_update_ms))? else {
                return Ok(());
            };
            let sent = self.send_batch(own, index, chat, &batch).await?;
            if sent == Sent::Done {
                continue;
            }
            tries += 1;
            self.catch_up(own, index, chat).await?;
            let now = self.shared.read(|db| Ok(chats::load(db, chat)?))?;
            if now.channel.is_none() {
                return Ok(());
            }
            let enters = self.shared.read(|db| Group::load(db, chat))?.stored.entering;
            self.shared.write(|tx| match sent {
                Sent::Refused(why) => sending::refused(tx, own, chat, why),
                Sent::TooSoon if batch.is_commit() && batch.change().is_none() => {
                    outbox::postpone_update(tx, own, chat)
                }
                _ => sending::given_up(tx, own, chat),
            })?;
            if enters {
                // Nobody was faster: asked again at once, the service would say the same.
                return Err(ClientError::Busy);
            }
            if generation(&self.shared.read(|db| Ok(chats::load(db, chat)?))?) != before {
                return Ok(());
            }
            if sent == Sent::TooSoon && batch.change().is_some() {
                break;
            }
        }
        Err(ClientError::Busy)
    }

    async fn send_batch(&mut self, own: &Own, index: usize, chat: i64, batch: &Batch) -> Result<Sent> {
        let group = self.shared.read(|db| Group::load(db, chat))?;
        let refused = |why: i32| match Refusal::try_from(why).unwrap_or_default() {
            // What was owed, or what has ended it, is in the log.
            Refusal::Owed | Refusal::Closed | Refusal::Unspecified => Sent::Stale,
            _ => Sent::Refused(why),
        };
        self.put_large(own, batch).await?;
        if let Some(request) = batch.change() {
            let request = ChangeGroupRequest { link_secret: link_secret(&group), ..request };
            let reply = match self.ask_shown(index, &group, request).await {
                Err(ClientError::Refused(_)) => return Ok(Sent::TooSoon),
                reply => reply?,
            };
            return Ok(match reply.result {
                Some(change_group_reply::Result::Appended(_)) => {
                    self.lines.set_speaks(index, true);
                    let taken = self.catch_up(own, index, chat).await?;
                    if taken == Taken::UpToDate && self.shared.read(|db| batch.is_under_way(db))? {
                        return Err(ClientError::BadHead);
                    }
                    Sent::Done
                }
                Some(change_group_reply::Result::Refused(why)) => refused(why),
                _ => Sent::Stale,
            });
        }
        if batch.shows() {
            self.show(own, index, &group).await?;
        }
        Ok(match self.ask(index, batch.channel(), batch.request()).await {
            Ok(AppendReply { result: Some(append_reply::Result::Appended(appended)) }) => {
                self.appended(own, index, batch, &appended).await?;
                Sent::Done
            }
            Ok(AppendReply { result: Some(append_reply::Result::Refused(why)) }) => refused(why),
            Ok(_) => Sent::Stale,
            Err(CallError::Refused(fault)) if fault.code() == Code::Exhausted => Sent::TooSoon,
            Err(CallError::Refused(fault)) if fault.code() == Code::Forbidden => {
                self.lines.set_speaks(index, false);
                Sent::Stale
            }
            Err(CallError::Refused(fault)) if is_certain(fault.code()) => {
                self.shared.write(|tx| sending::given_up(tx, own, chat))?;
                return Err(ClientError::refused(fault.code()));
            }
            Err(error) => return Err(error.into()),
        })
    }
}

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Done,
    /// It was made for another place or revision.
    Stale,
    /// The record stands against it, and why.
    Refused(i32),
    /// Others have changed too much of late, or one of them holds the next commit.
    TooSoon,
}

/// Whether it is of no use to try it again soon.
fn is_in_vain(error: &ClientError) -> bool {
    let passes = error.kind() == Kind::Network && !matches!(error, ClientError::NoWayIn);
    error.is_of_one_chat() && !passes && !matches!(error, ClientError::NotInGroup)
}

fn link_secret(group: &Group) -> Bytes {
    group.stored.link_secret.as_ref().map(|secret| Bytes::copy_from_slice(&secret[..])).unwrap_or_default()
}

/// A request that names the day of the credential by which it is shown.
trait Dated: Presented {
    fn of_day(self, day: Day) -> Self;
}

impl Dated for ChangeGroupRequest {
    fn of_day(self, day: Day) -> Self {
        Self { day: day.0, ..self }
    }
}

impl Dated for PresentRequest {
    fn of_day(self, day: Day) -> Self {
        Self { day: day.0, ..self }
    }
}
