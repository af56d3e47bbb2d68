//! Entries of a channel's log, one after the other, each exactly once.
//!
//! A page is one transaction: what it brought, the ratchets it consumed and the cursor stand or fall together. Inside,
//! each entry is an attempt of its own, so that a bad one leaves nothing behind and the next is read all the same.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use undertone_credentials::DeviceList;
use undertone_e2ee::{
    Arriving, Change, Chat as Mls, E2eeError, Generation, Lists, Member, Place as WrapPlace, Received, RestartAt,
};
use undertone_wire::Message as _;
use undertone_wire::{
    Day, MessageId, Position,
    chain::{Chain, Digest},
    channel::{Entry, EntryKind, Head},
    content::{Content, Letter, Seen, Sync, content},
    limits,
};
use zeroize::Zeroizing;

use crate::{
    ClientError, Result,
    db::{
        chats::{self, Channel, Chat, State, Trouble},
        contacts, groups as rows, me, members,
        messages::{self, NewMessage, Place, Shown},
        outbox::{self, Item},
    },
    own::Own,
    rules::{
        asks, compose, entrance,
        groups::{self, Group},
        heads, letters, lists, mls, receipts, riders, sync,
    },
    state::Tx,
};

/// What became of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// We stand at the head that came with it.
    UpToDate,
    /// There is more between us and the head, or the page does not begin where we stand: read on from the cursor.
    Behind,
    /// What the next entry stands for is to be fetched.
    Waits,
    /// The chat does not go on.
    Stopped,
}

/// Takes a page of entries in, and the head that came with it. Entries that we have are passed over.
///
/// # Errors
/// [`ClientError::BadHead`] when the head is not signed, or not what the entries lead to, or an entry breaks the rules that
/// the service keeps. Then nothing of the page is taken.
pub(crate) fn take(tx: &mut Tx<'_>, own: &Own, chat: i64, entries: &[Entry], head: &Head) -> Result<Taken> {
    let chat = chats::load(tx.db, chat)?;
    heads::check(own, &chat, head)?;
    let mut reader = Reader::new(tx, chat)?;
    for entry in entries {
        if entry.seq > head.seq {
            return Err(ClientError::BadHead);
        }
        if entry.seq <= reader.seq() {
            continue;
        }
        if entry.seq != reader.seq() + 1 {
            break;
        }
        if !reader.is_entering() && !groups::large::is_here(tx, &reader.chat, entry)? {
            reader.keep(tx, own)?;
            return Ok(Taken::Waits);
        }
        if !reader.entry(tx, own, entry)? {
            let id = reader.chat.id;
            let out = chats::load(tx.db, id)?.channel.is_none();
            let done = if out { groups::invitations::come_again(tx, own, id) } else { reader.keep(tx, own) };
            return done.map(|()| Taken::Stopped);
        }
    }
    reader.keep(tx, own)?;
    let chat = chats::load(tx.db, reader.chat.id)?;
    if chat.channel.is_none() {
        return Ok(Taken::Stopped);
    }
    if !heads::note(tx, &chat, head)? {
        return Ok(Taken::Stopped);
    }
    Ok(if reader.seq() < head.seq { Taken::Behind } else { Taken::UpToDate })
}

/// Reads one chat forward.
struct Reader {
    chat: Chat,
    generation: Generation,
    /// The device lists of the log up to where we stand.
    lists: Vec<DeviceList>,
    /// Messages of others that had expired before we came.
    missed: bool,
    /// What it is besides, if it is a group.
    group: Option<Group>,
    /// Its last change on this page, and where that stands.
    last_change: Option<(u64, Bytes)>,
    /// The last day that the entries of this page show to have come.
    day: Day,
}

/// What an entry means.
enum Outcome {
    /// Taken in.
    Done,
    /// Everybody skips it.
    Skipped,
    /// The last that counts in this channel.
    Closed,
    /// The last that is for us: we are out of the group.
    Out,
    /// We cannot go on.
    Stop(Trouble),
}

impl Reader {
    fn new(tx: &Tx<'_>, chat: Chat) -> Result<Self> {
        let generation = Generation::from_secret(*chat.channel()?.generation_secret);
        let lists = lists::of_log(tx, chat.id)?;
        let group = if chat.is_group { Some(Group::load(tx.db, chat.id)?) } else { None };
        Ok(Self { chat, generation, lists, missed: false, group, last_change: None, day: Day(0) })
    }

    /// By which lists entries are judged here: those of all who belong.
    fn judging(&self, tx: &Tx<'_>) -> Result<Lists<'_>> {
        let lists = Lists::from_iter(&self.lists);
        let Some(group) = &self.group else { return Ok(lists) };
        Ok(lists.and_newcomers(group.members(tx.db)?.into_iter().map(|(account, _)| account)))
    }

    /// Whether the commit by which we come into a group is under way: before it stands, nothing is for us.
    fn is_entering(&self) -> bool {
        self.group.as_ref().is_some_and(|group| group.stored.entering)
    }

    fn seq(&self) -> u64 {
        self.chat.channel.as_ref().map_or(0, |channel| channel.seq)
    }

    /// Notes where we stand, and has our other devices asked for what we have missed.
    fn keep(&self, tx: &mut Tx<'_>, own: &Own) -> Result<()> {
        let channel = self.chat.channel()?;
        chats::advance(tx.db, self.chat.id, channel)?;
        me::note_day(tx.db, self.day)?;
        if self.missed {
            sync::ask_history(tx, own, &self.chat)?;
        }
        Ok(())
    }

    /// Takes the next entry in. False: it stays where it is, and so do we.
    fn entry(&mut self, tx: &mut Tx<'_>, own: &Own, entry: &Entry) -> Result<bool> {
        let digest = Digest::of(entry).map_err(|_| ClientError::BadHead)?;
        let position = Position { incarnation: entry.incarnation, epoch: entry.epoch };
        let channel = self.chat.channel()?;
        let chain = channel.chain.then(&digest);
        if position != channel.position {
            // The service takes no entry for another position; one that shows such an entry does not keep its rules.
            return Err(ClientError::BadHead);
        }
        let outcome = match (entry.kind(), &self.group) {
            (EntryKind::Change, Some(_)) => self.change_of_group(tx, own, entry)?,
            (EntryKind::Commit | EntryKind::Restart, Some(_)) if self.is_entering() => self.entrance(tx, own, entry)?,
            (EntryKind::Message, Some(_)) if self.is_entering() => Outcome::Skipped,
            // Nobody is in the group that it begins: all come in by its head slot.
            (EntryKind::Restart, Some(_)) => Outcome::Stop(Trouble::Lost),
            _ if entry.body.is_empty() => self.expired(tx, entry)?,
            _ => match groups::large::body(tx, &self.chat, entry)? {
                Some(body) => self.body(tx, own, entry, (position, &body))?,
                // As one that has expired.
                None => self.expired(tx, entry)?,
            },
        };
        let outcome = match outcome {
            // The service opens the channel to the keys of this entry alone, and it is not what it should be.
            Outcome::Skipped if !entry.installs.is_empty() => Outcome::Stop(Trouble::Locked),
            Outcome::Skipped if entry.kind() == EntryKind::Commit => {
                groups::heads::passed_over(tx, self.group.as_ref())?;
                Outcome::Skipped
            }
            outcome => outcome,
        };
        if let Outcome::Stop(trouble) = outcome {
            chats::set_trouble(tx.db, self.chat.id, trouble)?;
            return Ok(false);
        }
        let moves = matches!(entry.kind(), EntryKind::Commit | EntryKind::Restart);
        if moves && !matches!(outcome, Outcome::Out) {
            self.position_moved(tx, own)?;
        }
        self.step(tx, entry, chain)?;
        groups::large::was_read(tx, &self.chat, entry)?;
        if matches!(outcome, Outcome::Out) {
            chats::advance(tx.db, self.chat.id, self.chat.channel()?)?;
            groups::invitations::leave(tx, own, &self.chat)?;
            return Ok(false);
        }
        if matches!(outcome, Outcome::Closed) {
            chats::set_trouble(tx.db, self.chat.id, Trouble::Moved)?;
            // The way on is with us already, or about to come.
            chats::set_asked(tx.db, self.chat.id, tx.now.0)?;
            return Ok(false);
        }
        Ok(true)
    }

    fn expired(&mut self, tx: &Tx<'_>, entry: &Entry) -> Result<Outcome> {
        if entry.kind() != EntryKind::Message {
            return Ok(Outcome::Stop(Trouble::Expired));
        }
        chats::add_missed(tx.db, self.chat.id, 1)?;
        self.missed = true;
        Ok(Outcome::Skipped)
    }

    /// Whatever the commit was: nothing of ours for the old position can land any more.
    fn position_moved(&mut self, tx: &mut Tx<'_>, own: &Own) -> Result<()> {
        discard(tx, own, &self.chat)?;
        if let Some(group) = &mut self.group {
            group.begin_epoch(tx)?;
        }
        chats::set_doubled(tx.db, self.chat.id, false)?;
        self.chat.doubled = false;
        Ok(())
    }

    fn step(&mut self, tx: &Tx<'_>, entry: &Entry, chain: Chain) -> Result<()> {
        if let Some(channel) = &mut self.chat.channel {
            channel.seq = entry.seq;
            channel.chain = chain;
            channel.position = channel.position.after(entry.kind());
        }
        chats::put_chain(tx.db, self.chat.id, entry.seq, &chain)?;
        self.day = self.day.max(earliest_day(entry));
        Ok(())
    }

    fn body(&mut self, tx: &mut Tx<'_>, own: &Own, entry: &Entry, stands: (Position, &[u8])) -> Result<Outcome> {
        let hash: [u8; 32] = Sha256::digest(&entry.body).into();
        // An entry that we wrote: the outbox knows it by its bytes.
        let item = outbox::by_body(tx.db, self.chat.id, &hash)?.filter(|item| is_as_sent(item, entry));
        if let Some(item) = item.as_ref().filter(|item| item.kind == EntryKind::Message) {
            self.our_message(tx, own, entry, item)?;
            return Ok(Outcome::Done);
        }
        match tx.attempt(|tx| self.judge(tx, own, entry, stands, item.as_ref()))? {
            Ok(outcome) => Ok(outcome),
            Err(ClientError::E2ee(E2eeError::Invalid(flaw))) => {
                tracing::info!(%flaw, "an entry that nobody can use was passed over");
                Ok(Outcome::Skipped)
            }
            Err(ClientError::E2ee(E2eeError::Private | E2eeError::KeyGone)) => Ok(Outcome::Stop(Trouble::Lost)),
            Err(ClientError::E2ee(E2eeError::Unsupported)) => Ok(Outcome::Stop(Trouble::Newer)),
            Err(error) => Err(error),
        }
    }

    /// The record of a group changes: history, whatever we think of it.
    fn change_of_group(&mut self, tx: &mut Tx<'_>, own: &Own, entry: &Entry) -> Result<Outcome> {
        let Some(group) = &mut self.group else { return Ok(Outcome::Skipped) };
        let change = match groups::replay::change(own, group, entry) {
            Err(ClientError::UpdateNeeded) => return Ok(Outcome::Stop(Trouble::Newer)),
            change => change?,
        };
        let hash: [u8; 32] = Sha256::digest(&entry.body).into();
        let ours = outbox::by_body(tx.db, self.chat.id, &hash)?.filter(|item| is_as_sent(item, entry));
        if ours.is_none() && outbox::changes_under_way(tx.db, self.chat.id)? {
            // What we were about to change was of another revision.
            discard(tx, own, &self.chat)?;
            if group.stored.entering {
                groups::entrance::give_up(tx, own, &self.chat)?;
                return Ok(Outcome::Stop(Trouble::Lost));
            }
        }
        self.last_change = Some((entry.seq, entry.body.clone()));
        let gone = group.take(tx, &change)?;
        self.lists.retain(|list| !gone.contains(&list.account()));
        let (closed, is_in) = (group.record()?.is_closed(), group.standing(tx.db, own.account)?.is_member());
        let comes = group.stored.entering;
        if let Some(item) = &ours {
            if let Some(next) = groups::wishes::follows(tx, self.chat.id, item)? {
                rows::pass_on(tx.db, item.n, next)?;
            }
            outbox::remove(tx.db, item.n)?;
            groups::invitations::after_change(tx, own, &self.chat, &change)?;
        }
        chats::set_owes(tx.db, self.chat.id, true)?;
        if closed && is_in {
            outbox::clear(tx.db, self.chat.id)?;
        }
        Ok(if is_in || comes { Outcome::Done } else { Outcome::Out })
    }

    /// A commit where ours is to stand, by which we come into a group.
    fn entrance(&mut self, tx: &mut Tx<'_>, own: &Own, entry: &Entry) -> Result<Outcome> {
        let hash: [u8; 32] = Sha256::digest(&entry.body).into();
        let Some(item) = outbox::by_body(tx.db, self.chat.id, &hash)?.filter(|item| is_as_sent(item, entry)) else {
            groups::entrance::give_up(tx, own, &self.chat)?;
            return Ok(Outcome::Stop(Trouble::Lost));
        };
        outbox::remove(tx.db, item.n)?;
        groups::entrance::came_in(tx, own, &self.chat)?;
        self.chat.state = State::Open;
        self.lists = lists::of_log(tx, self.chat.id)?;
        if let Some(group) = &mut self.group {
            group.stored.entering = false;
        }
        chats::set_updated(tx.db, self.chat.id, tx.now.0)?;
        Ok(Outcome::Done)
    }

    fn our_message(&mut self, tx: &mut Tx<'_>, own: &Own, entry: &Entry, item: &Item) -> Result<()> {
        if self.chat.doubled {
            // Another home may have used the same key before: who reads that one cannot read this one.
            return Ok(outbox::drop_attempt(tx.db, item.n)?);
        }
        let content = Content::decode(&item.content[..]).map_err(|_| ClientError::Bug("our own message"))?;
        let part = self.chat.channel()?.part;
        messages::set_place(tx.db, self.chat.id, &content.id, part, Place::Log(entry.seq))?;
        outbox::remove(tx.db, item.n)?;
        riders::told(tx, own, self.chat.id, &content)?;
        if !riders::is_note(&content) {
            chats::set_peer_spoke(tx.db, self.chat.id, false)?;
        }
        // What another device said before it, and we took in meanwhile, no longer holds.
        match content.kind {
            Some(content::Kind::Sync(Sync { kind: Some(sync::Kind::Standing(standing)) })) => {
                sync::take_standing(tx, own, &standing).map(drop)
            }
            Some(content::Kind::Sync(Sync { kind: Some(sync::Kind::Settings(settings)) })) => {
                receipts::hear_settings(tx, own, &settings)
            }
            _ => Ok(()),
        }
    }

    /// What a commit has changed.
    fn changed(&mut self, tx: &mut Tx<'_>, own: &Own, entry: &Entry, change: Change) -> Result<()> {
        for list in change.lists {
            members::put(tx.db, self.chat.id, list.account(), list.encoded())?;
            if self.group.is_some() && list.account() != own.account {
                contacts::put(tx.db, list.account(), "")?;
            }
            lists::learn(tx, own, &list)?;
            self.lists.retain(|known| known.account() != list.account());
            self.lists.push(list);
        }
        entrance::were_added(tx, &mut self.chat, &change.added, entry.seq)?;
        if let (Some(generation), Some(channel)) = (change.generation, &mut self.chat.channel) {
            channel.generation += 1;
            channel.generation_secret = Zeroizing::new(*generation.secret());
            channel.generation_day = Day(entry.expiry_day.saturating_sub(limits::COMMIT_DAYS)).min(tx.now.day());
            self.generation = generation;
        }
        if entry.kind() == EntryKind::Restart
            && let Some(channel) = &mut self.chat.channel
        {
            entrance::forget(tx, own, channel)?;
            channel.group += 1;
            chats::set_restart(tx.db, self.chat.id, false)?;
        }
        chats::set_owes(tx.db, self.chat.id, true)?;
        Ok(())
    }

    /// Gives the devices that our commit has added the way in, from the place after it.
    fn let_in(&mut self, tx: &mut Tx<'_>, own: &Own, entry: &Entry, added: &[Member], item: &Item) -> Result<()> {
        let Some((welcome, tree)) = &item.begins.invitation else { return Ok(()) };
        // What the place after this entry is, `step` will say; here it is said to others.
        let channel = self.chat.channel()?;
        let digest = Digest::of(entry).map_err(|_| ClientError::BadHead)?;
        let (chain, position) = (channel.chain.then(&digest), channel.position.after(entry.kind()));
        let there = Chat {
            channel: Some(Channel { seq: entry.seq, chain, position, seen: None, ..channel.clone() }),
            ..self.chat.clone()
        };
        if self.group.is_some() {
            let change = self.last_change.as_ref().filter(|(seq, _)| seq + 1 == entry.seq).map(|(_, change)| change);
            return groups::invitations::let_in(tx, own, &there, added, &item.begins, change);
        }
        let (welcome, tree) = (Bytes::copy_from_slice(welcome), Bytes::copy_from_slice(tree));
        let invitation = entrance::invitation(tx, own, &there, welcome, tree)?;
        let ours = |member: &&Member| member.account == own.account;
        let by_letter = |member: &Member| member.account != own.account || self.chat.peer == own.account;
        let by_letter: Vec<_> = added.iter().copied().filter(by_letter).collect();
        let letter = Letter { channel: channel.id.into(), invitation: Some(invitation.clone()), ..Letter::default() };
        asks::answer(tx, &self.chat, &by_letter, &letter)?;
        if self.chat.peer != own.account && added.iter().any(|member| ours(&member)) {
            sync::tell_joined(tx, own, &there, Some(&invitation))?;
        }
        // What was said while nobody may have listened.
        for member in added.iter().filter(|member| !ours(member)) {
            if let Some(asking) = members::asked(tx.db, self.chat.id, member.account, member.device)? {
                entrance::say_again(tx, own, &self.chat, asking.knows_of(channel.id), entry.seq)?;
            }
        }
        for member in added.iter().filter(ours) {
            members::put_history(tx.db, self.chat.id, member.device, 0)?;
        }
        Ok(())
    }

    /// An entry of another device, or a commit of ours. Whatever it wrote is taken back by the caller when it fails.
    fn judge(
        &mut self,
        tx: &mut Tx<'_>,
        own: &Own,
        entry: &Entry,
        (position, body): (Position, &[u8]),
        ours: Option<&Item>,
    ) -> Result<Outcome> {
        let channel = self.chat.channel()?;
        let place = WrapPlace { channel: channel.id, kind: entry.kind(), position, expiry_day: Day(entry.expiry_day) };
        let content = self.generation.unwrap(&place, body)?;
        let lists = self.judging(tx)?;
        let arriving = Arriving { kind: entry.kind(), installs: &entry.installs, content: &content };
        let received = if entry.kind() == EntryKind::Restart {
            let at = RestartAt { channel: channel.id, group: channel.group + 1, position };
            let store = tx.mls();
            Mls::receive_restart(&own.me(&store, tx.rng), &at, &arriving, &lists)?
        } else {
            mls::with(tx, own, channel, |me, mls| mls.receive(me, &arriving, &lists))?
        };
        match received {
            Received::Message { sender, content, seen } => {
                self.hold_against(tx, own, entry, &seen)?;
                self.meet(tx, own, sender)?;
                if let Some(group) = &self.group
                    && !group.may_post(tx.db, sender.account)?
                {
                    return Err(flaw());
                }
                self.message(tx, entry, sender, &content, own)?;
                Ok(Outcome::Done)
            }
            Received::Commit { sender, seen, change } => {
                self.hold_against(tx, own, entry, &seen)?;
                self.meet(tx, own, sender)?;
                if let Some(group) = &self.group {
                    if !group.agrees(tx, &seen)? {
                        return Err(flaw());
                    }
                    group.hear_name(tx, own, sender.account, &seen)?;
                    groups::heads::came(tx, group, entry, sender, ours.is_some())?;
                    chats::set_updated(tx.db, self.chat.id, tx.now.0)?;
                }
                let (gone, added) = (change.gone, change.added.clone());
                let comes_itself = entry.kind() == EntryKind::Commit && added.contains(&sender);
                if comes_itself && sender.account == own.account {
                    // What stands before this entry, it cannot read; it has it from us, who have read it all.
                    members::put_history(tx.db, self.chat.id, sender.device, 0)?;
                }
                if gone && added.contains(&Member { account: own.account, device: own.device }) {
                    // We were added again in the same step, because we had asked: the way in is on its way.
                    chats::set_asked(tx.db, self.chat.id, tx.now.0)?;
                    chats::set_tried(tx.db, self.chat.id, self.chat.channel()?.id, entry.seq)?;
                }
                self.changed(tx, own, entry, change)?;
                if let Some(item) = ours {
                    outbox::remove(tx.db, item.n)?;
                    if self.group.is_some() {
                        rows::set_renewed(tx.db, self.chat.id, tx.now.0)?;
                    }
                    chats::set_updated(tx.db, self.chat.id, tx.now.0)?;
                    chats::set_peer_spoke(tx.db, self.chat.id, false)?;
                    self.let_in(tx, own, entry, &added, item)?;
                }
                Ok(match (gone, seen.closes) {
                    (true, _) => Outcome::Stop(Trouble::Lost),
                    (false, true) => Outcome::Closed,
                    (false, false) => Outcome::Done,
                })
            }
            // Bytes of ours that our outbox does not know: another home writes as this device. Nothing authenticates them
            // beyond the chat, so all that follows is that we say again what we say in this epoch, and begin a new one.
            _ => {
                chats::set_doubled(tx.db, self.chat.id, true)?;
                self.chat.doubled = true;
                Ok(Outcome::Done)
            }
        }
    }

    /// What its sender says that he saw of the log: something before this entry, and signed.
    fn hold_against(&self, tx: &Tx<'_>, own: &Own, entry: &Entry, seen: &Seen) -> Result<()> {
        if seen.seq >= entry.seq || heads::hold_against(tx, own, &self.chat, seen)? == heads::View::Unsigned {
            return Err(flaw());
        }
        Ok(())
    }

    /// Somebody has said something.
    fn meet(&mut self, tx: &Tx<'_>, own: &Own, sender: Member) -> Result<()> {
        if !self.chat.met && sender.account != own.account {
            chats::set_met(tx.db, self.chat.id, true)?;
            self.chat.met = true;
        }
        Ok(())
    }

    fn message(&mut self, tx: &mut Tx<'_>, entry: &Entry, sender: Member, encoded: &[u8], own: &Own) -> Result<()> {
        let content = Content::decode(encoded).map_err(|_| flaw())?;
        let id = MessageId::try_from(&content.id[..]).map_err(|_| flaw())?;
        let mine = sender.account == own.account;
        if self.chat.state == State::Invited && !mine && self.group.is_none() {
            chats::set_state(tx.db, self.chat.id, State::Open)?;
            self.chat.state = State::Open;
            members::set_answered(tx.db, self.chat.id, sender.account, sender.device)?;
            sync::tell_standing(tx, own, self.chat.peer)?;
        }
        if mine {
            riders::heard_of_ours(tx, own, &self.chat, &content)?;
        } else {
            riders::heard(tx, own, &self.chat, &content)?;
        }
        match content.kind {
            Some(content::Kind::Accepted(accepted)) if !mine && self.group.is_none() => {
                return Ok(contacts::put(tx.db, sender.account, &letters::name(&accepted.name))?);
            }
            Some(content::Kind::Accepted(_) | content::Kind::Note(_)) => return Ok(()),
            Some(content::Kind::Sync(sync)) if self.chat.peer == own.account => {
                return sync::hear(tx, own, sender.device, sync);
            }
            Some(content::Kind::Sync(_)) => return Err(flaw()),
            Some(content::Kind::Text(_)) | None => {}
        }
        let (part, place) = compose::stands(&content, self.chat.channel()?.part, Place::Log(entry.seq));
        if content.said.is_some() && !messages::has(tx.db, self.chat.id, id)? {
            chats::found(tx.db, self.chat.id)?;
        }
        messages::insert(
            tx.db,
            &NewMessage {
                chat: self.chat.id,
                sender: sender.account,
                part,
                place,
                content: &content,
                encoded,
                shown: if mine { Shown::Yes } else { Shown::No },
                acked: true,
            },
        )?;
        chats::set_peer_spoke(tx.db, self.chat.id, !mine)?;
        Ok(())
    }
}

/// The first day on which the service takes what expires then.
fn earliest_day(entry: &Entry) -> Day {
    let days = if entry.kind() == EntryKind::Message { limits::MESSAGE_DAYS_MAX } else { limits::COMMIT_DAYS };
    Day(entry.expiry_day.saturating_sub(days + limits::CLOCK_SKEW_DAYS))
}

/// Whether an entry with our bytes is the one that we made. The service may put the bytes into another, which nobody could
/// read.
fn is_as_sent(item: &outbox::Item, entry: &Entry) -> bool {
    item.kind == entry.kind() && item.attempt.as_ref().is_some_and(|attempt| attempt.expiry_day.0 == entry.expiry_day)
}

/// Drops all ciphertext of a chat that is certainly in no log: messages are encrypted anew, a commit is given up.
pub(crate) fn discard(tx: &mut Tx<'_>, own: &Own, chat: &Chat) -> Result<()> {
    outbox::drop_attempts(tx.db, chat.id)?;
    let channel = chat.channel()?;
    mls::with_any(tx, own, channel, |me, mls| if mls.has_pending() { mls.discard_pending(me) } else { Ok(()) })?;
    // A restart of ours that did not come to stand.
    let store = tx.mls();
    let me = own.me(&store, tx.rng);
    if let Some(next) = Mls::load(&me, channel.id, channel.group + 1)? {
        next.delete(&me)?;
    }
    Ok(())
}

fn flaw() -> ClientError {
    ClientError::E2ee(E2eeError::Invalid(undertone_e2ee::Flaw::AuthenticatedData))
}
