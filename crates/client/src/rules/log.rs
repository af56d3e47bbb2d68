//! Entries of a channel's log, one after the other, each exactly once.
//!
//! A page is one transaction: what it brought, the ratchets it consumed and the cursor stand or fall together. Inside,
//! each entry is an attempt of its own, so that a bad one leaves nothing behind and the next is read all the same.

use sha2::{Digest as _, Sha256};
use undertone_e2ee::{Chat as Mls, E2eeError, Generation, Lists, Member, Place as WrapPlace, Received};
use undertone_wire::Message as _;
use undertone_wire::{
    Day, MessageId, Position,
    chain::{Chain, Digest},
    channel::{Entry, EntryKind, Head},
    content::{Content, Seen, content},
};

use crate::{
    ClientError, Result,
    db::{
        attempt,
        chats::{self, Chat, State, Trouble},
        contacts,
        messages::{self, Place},
        outbox,
    },
    own::Own,
    rules::{begin, heads, letters},
    state::{MlsStore, Tx},
};

/// What became of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// We stand at the head that came with it.
    UpToDate,
    /// There is more between us and the head, or the page does not begin where we stand: read on from the cursor.
    Behind,
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
        if !reader.entry(tx, own, entry)? {
            reader.keep(tx)?;
            return Ok(Taken::Stopped);
        }
    }
    reader.keep(tx)?;
    let chat = chats::load(tx.db, reader.chat.id)?;
    if !heads::note(tx, &chat, head)? {
        return Ok(Taken::Stopped);
    }
    Ok(if reader.seq() < head.seq { Taken::Behind } else { Taken::UpToDate })
}

/// Reads one chat forward.
struct Reader {
    chat: Chat,
    generation: Generation,
    lists: Vec<undertone_credentials::DeviceList>,
    /// The MLS state as it stands; none after an attempt that failed, and before the first.
    mls: Option<Mls>,
}

/// What an entry of somebody else means.
enum Outcome {
    /// Taken in.
    Done,
    /// Everybody skips it.
    Skipped,
    /// We cannot go on.
    Stop(Trouble),
}

impl Reader {
    fn new(tx: &Tx<'_>, chat: Chat) -> Result<Self> {
        let channel = chat.channel.as_ref().ok_or(ClientError::Bug("a log without a channel"))?;
        let generation = Generation::from_secret(*channel.generation_secret);
        let lists = begin::device_list(tx, chat.peer)?.into_iter().collect();
        Ok(Self { chat, generation, lists, mls: None })
    }

    fn seq(&self) -> u64 {
        self.chat.channel.as_ref().map_or(0, |channel| channel.seq)
    }

    fn keep(&self, tx: &Tx<'_>) -> Result<()> {
        if let Some(channel) = &self.chat.channel {
            chats::advance(tx.db, self.chat.id, channel)?;
        }
        Ok(())
    }

    /// Takes the next entry in. False: it stays where it is, and so do we.
    fn entry(&mut self, tx: &mut Tx<'_>, own: &Own, entry: &Entry) -> Result<bool> {
        let digest = Digest::of(entry).map_err(|_| ClientError::BadHead)?;
        let position = Position { incarnation: entry.incarnation, epoch: entry.epoch };
        let channel = self.chat.channel.as_ref().ok_or(ClientError::Bug("a log without a channel"))?;
        let chain = channel.chain.then(&digest);
        if position != channel.position {
            // The service takes no entry for another position; one that shows such an entry does not keep its rules.
            return Err(ClientError::BadHead);
        }
        let outcome = if entry.body.is_empty() {
            match entry.kind() {
                EntryKind::Commit => Outcome::Stop(Trouble::Expired),
                _ => Outcome::Skipped,
            }
        } else {
            self.body(tx, own, entry, position)?
        };
        if let Outcome::Stop(trouble) = outcome {
            chats::set_trouble(tx.db, self.chat.id, trouble)?;
            return Ok(false);
        }
        if entry.kind() == EntryKind::Commit {
            self.commit_passed(tx, own)?;
        }
        self.step(tx, entry, chain)?;
        Ok(true)
    }

    /// Whatever the commit was: the position has moved, so nothing of ours for the old one can land any more.
    fn commit_passed(&mut self, tx: &mut Tx<'_>, own: &Own) -> Result<()> {
        discard(tx, own, &self.chat)?;
        self.mls = None;
        Ok(())
    }

    fn step(&mut self, tx: &Tx<'_>, entry: &Entry, chain: Chain) -> Result<()> {
        if let Some(channel) = &mut self.chat.channel {
            channel.seq = entry.seq;
            channel.chain = chain;
            if entry.kind() == EntryKind::Commit {
                channel.position.epoch += 1;
            }
        }
        chats::put_chain(tx.db, self.chat.id, entry.seq, &chain)?;
        Ok(())
    }

    fn body(&mut self, tx: &mut Tx<'_>, own: &Own, entry: &Entry, position: Position) -> Result<Outcome> {
        let hash: [u8; 32] = Sha256::digest(&entry.body).into();
        let item = outbox::by_body(tx.db, self.chat.id, &hash)?;
        if let Some(item) = item.filter(|item| is_as_sent(item, entry)) {
            self.ours(tx, own, entry, &item)?;
            return Ok(Outcome::Done);
        }
        let db = tx.db;
        let mut mls = self.mls.take();
        let outcome = attempt(db, || self.others(tx, own, entry, position, &mut mls))?;
        match outcome {
            Ok(()) => {
                self.mls = mls;
                Ok(Outcome::Done)
            }
            Err(ClientError::E2ee(E2eeError::Invalid(flaw))) => {
                tracing::info!(%flaw, "an entry that nobody can use was passed over");
                Ok(Outcome::Skipped)
            }
            Err(ClientError::E2ee(E2eeError::Private)) => Ok(Outcome::Stop(Trouble::Lost)),
            Err(ClientError::E2ee(E2eeError::Unsupported)) => Ok(Outcome::Stop(Trouble::Newer)),
            Err(error) => Err(error),
        }
    }

    /// An entry that we wrote: the outbox knows it by its bytes.
    fn ours(&mut self, tx: &mut Tx<'_>, own: &Own, entry: &Entry, item: &outbox::Item) -> Result<()> {
        match item.kind {
            EntryKind::Commit => {
                let mls = self.mls(tx, own)?;
                let store = MlsStore(tx.db);
                mls.merge_pending(&own.me(&store, tx.rng))?;
                chats::set_updated(tx.db, self.chat.id, tx.now.0)?;
            }
            _ => {
                let content = Content::decode(&item.content[..]).map_err(|_| ClientError::Bug("our own message"))?;
                messages::set_place(tx.db, self.chat.id, &content.id, Place::Log(entry.seq))?;
            }
        }
        outbox::remove(tx.db, item.n)?;
        chats::set_peer_spoke(tx.db, self.chat.id, false)?;
        Ok(())
    }

    /// An entry of another device. Whatever it wrote is taken back by the caller when it fails.
    fn others(
        &mut self,
        tx: &mut Tx<'_>,
        own: &Own,
        entry: &Entry,
        position: Position,
        mls: &mut Option<Mls>,
    ) -> Result<()> {
        let channel = self.chat.channel.as_ref().ok_or(ClientError::Bug("a log without a channel"))?;
        let place = WrapPlace { channel: channel.id, kind: entry.kind(), position, expiry_day: Day(entry.expiry_day) };
        let content = self.generation.unwrap(&place, &entry.body)?;
        let received = {
            let store = MlsStore(tx.db);
            let me = own.me(&store, tx.rng);
            let lists = Lists::from_iter(self.lists.iter().chain([&own.list]));
            let mls = match mls {
                Some(mls) => mls,
                None => mls.insert(Mls::load(&me, channel.id)?.ok_or(E2eeError::Private)?),
            };
            mls.receive(&me, entry.kind(), &content, &lists)?
        };
        match received {
            Received::Message { sender, content, seen } => {
                self.hold_against(tx, own, entry, &seen)?;
                self.message(tx, entry, sender, &content, own)
            }
            Received::Commit { seen, .. } => self.hold_against(tx, own, entry, &seen),
            // Bytes of ours that our outbox does not know: sent before this home lost its memory, or copied by another.
            _ => Err(flaw()),
        }
    }

    /// What its sender says that he saw of the log: something before this entry, and signed.
    fn hold_against(&self, tx: &Tx<'_>, own: &Own, entry: &Entry, seen: &Seen) -> Result<()> {
        if seen.seq >= entry.seq || heads::hold_against(tx, own, &self.chat, seen)? == heads::View::Unsigned {
            return Err(flaw());
        }
        Ok(())
    }

    fn message(&mut self, tx: &Tx<'_>, entry: &Entry, sender: Member, encoded: &[u8], own: &Own) -> Result<()> {
        let content = Content::decode(encoded).map_err(|_| flaw())?;
        MessageId::try_from(&content.id[..]).map_err(|_| flaw())?;
        let mine = sender.account == own.account;
        if self.chat.state == State::Invited && !mine {
            chats::set_state(tx.db, self.chat.id, State::Open)?;
            self.chat.state = State::Open;
        }
        if let Some(content::Kind::Accepted(accepted)) = &content.kind {
            contacts::put(tx.db, sender.account, &letters::name(&accepted.name))?;
            return Ok(());
        }
        messages::insert(tx.db, self.chat.id, sender.account, Place::Log(entry.seq), &content, encoded, mine)?;
        chats::set_peer_spoke(tx.db, self.chat.id, !mine)?;
        Ok(())
    }

    fn mls(&mut self, tx: &mut Tx<'_>, own: &Own) -> Result<&mut Mls> {
        let channel = self.chat.channel.as_ref().ok_or(ClientError::Bug("a log without a channel"))?;
        match &mut self.mls {
            Some(mls) => Ok(mls),
            none => {
                let store = MlsStore(tx.db);
                let mls = Mls::load(&own.me(&store, tx.rng), channel.id)?.ok_or(E2eeError::Private)?;
                Ok(none.insert(mls))
            }
        }
    }
}

/// Whether an entry with our bytes is the one that we made. The service may put the bytes into another, which nobody could
/// read.
fn is_as_sent(item: &outbox::Item, entry: &Entry) -> bool {
    item.kind == entry.kind() && item.attempt.as_ref().is_some_and(|attempt| attempt.expiry_day.0 == entry.expiry_day)
}

/// Drops all ciphertext of a chat that is certainly in no log: messages are encrypted anew, a commit is given up.
pub(crate) fn discard(tx: &mut Tx<'_>, own: &Own, chat: &Chat) -> Result<()> {
    outbox::drop_attempts(tx.db, chat.id)?;
    let channel = chat.channel.as_ref().ok_or(ClientError::Bug("a log without a channel"))?;
    let store = MlsStore(tx.db);
    let me = own.me(&store, tx.rng);
    if let Some(mut mls) = Mls::load(&me, channel.id)?
        && mls.has_pending()
    {
        mls.discard_pending(&me)?;
    }
    Ok(())
}

fn flaw() -> ClientError {
    ClientError::E2ee(E2eeError::Invalid(undertone_e2ee::Flaw::AuthenticatedData))
}
