//! A chat that somebody without an engine has begun, entry by entry.

use bytes::Bytes;
use rand::rngs::StdRng;
use undertone_circuit::Circuit;
use undertone_credentials::{open_read, open_write};
use undertone_e2ee::{Arriving, Chat, E2eeError, Generation, Lists, Me, Place, Plan, Received, Suite};
use undertone_wire::{
    ChannelId, Day, Message as _, Position,
    channel::{
        AppendReply, AppendRequest, Channel, Entry, EntryKind, Head, NewEntry, OpenRequest, Opening, ReadRequest,
        append_reply,
    },
    content::{Ask, Content, Invitation, Letter, Seen, content},
    limits,
    visitor::CreateChannelRequest,
};

use super::{
    Home,
    peer::{Contact, Peer, encoded, today},
};

pub struct Talk<'a> {
    pub peer: &'a Peer,
    pub with: Contact,
    pub channel: ChannelId,
    pub generation: Generation,
    pub invitation: Invitation,
    circuit: Option<Circuit<Channel>>,
    pub head: Head,
    seq: u64,
}

impl<'a> Talk<'a> {
    /// A channel, and an invitation that nobody has yet.
    pub async fn begin(peer: &'a Peer, with: Contact) -> Self {
        let channel = ChannelId::new(peer.random());
        Self::begin_in(peer, with, channel).await
    }

    /// The same in a channel of that name, which may be another's.
    pub async fn begin_in(peer: &'a Peer, with: Contact, channel: ChannelId) -> Self {
        let generation = Generation::generate(&mut rand::make_rng::<StdRng>());
        let request = CreateChannelRequest {
            channel: channel.into(),
            read_key: generation.read_key().public().as_bytes().to_vec().into(),
            write_key: generation.write_key().public().as_bytes().to_vec().into(),
            ..CreateChannelRequest::default()
        };
        let head = peer.pay(request).await.ok().and_then(|reply| reply.head).unwrap_or_default();
        let peers: Vec<_> = with.key_packages.iter().map(|package| (&with.list, package)).collect();
        let made = peer.act(|me| Ok(Chat::create(me, channel, Suite::PostQuantum, &peers)?.1)).unwrap().unwrap();
        let invitation = Invitation {
            welcome: made.welcome,
            tree: made.tree,
            generation_secret: generation.secret().to_vec().into(),
            name: peer.name.clone(),
            ..Invitation::default()
        };
        Self { peer, with, channel, generation, invitation, circuit: None, head, seq: 0 }
    }

    /// A chat that is open: invited, accepted, and read up to there.
    pub async fn open_with(peer: &'a Peer, home: &Home) -> Self {
        let account = undertone_wire::AccountId::from_hex(&home.account()).unwrap();
        let mut talk = Self::begin(peer, peer.contact(account).await).await;
        talk.write(&talk.letter(&[peer.text("hello")])).await;
        home.sync().await.unwrap();
        home.expect_from(&peer.account().to_hex(), "hello").await;
        home.engine.accept(&peer.account().to_hex()).unwrap();
        home.sync().await.unwrap();
        talk.read().await;
        talk
    }

    /// A chat that the other has begun: joined, and not a word said.
    pub async fn answer(peer: &'a Peer) -> Self {
        let mut talk = Self::join(peer).await;
        talk.read().await;
        talk
    }

    /// The same, and not a word heard.
    pub async fn join(peer: &'a Peer) -> Self {
        let (sender, letter) = peer.letters().await.pop().unwrap();
        let invitation = letter.invitation.unwrap();
        let channel = ChannelId::try_from(&letter.channel[..]).unwrap();
        let lists = Lists::from_iter([&peer.list, &sender]);
        peer.act(|me| Chat::join(me, channel, 0, &invitation.welcome, &invitation.tree, &lists).map(drop)).unwrap();
        let generation = Generation::from_secret(invitation.generation_secret[..].try_into().unwrap());
        let with = peer.contact(sender.account()).await;
        Self { peer, with, channel, generation, invitation, circuit: None, head: Head::default(), seq: 0 }
    }

    /// A letter with the invitation.
    pub fn letter(&self, contents: &[Content]) -> Letter {
        Letter {
            channel: self.channel.into(),
            invitation: Some(self.invitation.clone()),
            contents: contents.iter().map(encoded).collect(),
            ..Letter::default()
        }
    }

    /// A letter that asks to be let in again, by whoever has read as far.
    pub fn asking(&self) -> Letter {
        let (key_package, (week, seal_key)) = (self.peer.published().key_packages.remove(0), self.peer.seal_key());
        let (channel, seq) = (Bytes::from(self.channel), self.head.seq);
        let ask = Ask { key_package, seal_key, week, channel: channel.clone(), seq, asked: 1, ..Ask::default() };
        Letter { channel, ask: Some(ask), ..Letter::default() }
    }

    pub async fn write(&self, letter: &Letter) {
        let written = self.peer.written(self.with.list.account(), letter);
        self.peer.seal_and_deliver(&self.with, &written).await;
    }

    pub fn position(&self) -> Position {
        Position { incarnation: self.head.incarnation, epoch: self.head.epoch }
    }

    /// What he says that he saw.
    pub fn seen(&self) -> Seen {
        Seen {
            seq: self.head.seq,
            chain: self.head.chain.clone(),
            signature: self.head.signature.clone(),
            ..Seen::default()
        }
    }

    /// Reads up to the head, and returns what the other wrote.
    pub async fn read(&mut self) -> Vec<String> {
        let mut heard = Vec::new();
        loop {
            let request =
                ReadRequest { channel: self.channel.into(), after: self.seq, limit: limits::PAGE_ENTRIES_MAX };
            let reply = self.circuit().await.call(request).await.unwrap();
            self.head = reply.head.unwrap();
            for entry in &reply.entries {
                heard.extend(self.entry(entry));
                self.seq = entry.seq;
            }
            if self.seq >= self.head.seq {
                return heard;
            }
        }
    }

    fn entry(&self, entry: &Entry) -> Option<String> {
        let place = Place {
            channel: self.channel,
            kind: entry.kind(),
            position: Position { incarnation: entry.incarnation, epoch: entry.epoch },
            expiry_day: Day(entry.expiry_day),
        };
        let content = self.generation.unwrap(&place, &entry.body).ok()?;
        let lists = Lists::from_iter([&self.peer.list, &self.with.list]);
        let received = self.peer.act(|me| {
            let mut chat = Chat::load(me, self.channel, 0)?.ok_or(E2eeError::Private)?;
            let arriving = Arriving { kind: entry.kind(), installs: &entry.installs, content: &content };
            chat.receive(me, &arriving, &lists)
        });
        let Ok(Received::Message { content, .. }) = received else { return None };
        match Content::decode(&content[..]).unwrap().kind {
            Some(content::Kind::Text(text)) => Some(text.body),
            _ => None,
        }
    }

    /// Wraps something for where the log stands.
    pub fn wrap(&self, kind: EntryKind, content: &[u8]) -> Bytes {
        let place = Place { channel: self.channel, kind, position: self.position(), expiry_day: expiry_day(kind) };
        self.generation.wrap(&place, content, &mut rand::make_rng::<StdRng>()).unwrap()
    }

    /// A message, as it goes under the wrap.
    pub fn encrypted(&self, content: &[u8], seen: &Seen) -> Bytes {
        self.act(|me, chat| chat.encrypt(me, content, seen))
    }

    /// A commit, as it goes under the wrap. It waits for its place.
    pub fn committed(&self, seen: &Seen) -> Bytes {
        let lists = Lists::from_iter([&self.peer.list, &self.with.list]);
        self.act(|me, chat| Ok(chat.commit(me, &Plan::default(), &lists, seen)?.entry))
    }

    /// Takes a commit of his own back.
    pub fn discard(&self) {
        self.act(|me, chat| chat.discard_pending(me));
    }

    fn act<T>(&self, act: impl FnOnce(&Me<'_>, &mut Chat) -> Result<T, E2eeError>) -> T {
        self.peer.act(|me| act(me, &mut Chat::load(me, self.channel, 0)?.unwrap())).unwrap()
    }

    /// Appends a body where the log stands.
    pub async fn append(&mut self, kind: EntryKind, body: Bytes) {
        assert!(self.try_append(kind, body).await, "the service took it");
    }

    /// The same; false: somebody else was faster, and the log was read up to him.
    pub async fn try_append(&mut self, kind: EntryKind, body: Bytes) -> bool {
        let appended = self.append_installing(kind, body, Bytes::new()).await;
        self.read().await;
        appended
    }

    /// Appends a body with keys that the service is to install. The log may not be his to read any more.
    pub async fn append_installing(&mut self, kind: EntryKind, body: Bytes, installs: Bytes) -> bool {
        let Position { incarnation, epoch } = self.position();
        let entry = NewEntry {
            kind: kind.into(),
            incarnation,
            epoch,
            expiry_day: expiry_day(kind).0,
            body,
            idempotency_id: self.peer.random::<16>().to_vec().into(),
            installs,
            ..NewEntry::default()
        };
        let request = AppendRequest { channel: self.channel.into(), entries: vec![entry], ..AppendRequest::default() };
        let reply: AppendReply = self.circuit().await.call(request).await.unwrap();
        matches!(reply.result, Some(append_reply::Result::Appended(_)))
    }

    /// Sends a message as it should be.
    pub async fn say(&mut self, body: &str) {
        self.say_content(&encoded(&self.peer.text(body))).await;
    }

    /// Sends something that is encrypted as it should be.
    pub async fn say_content(&mut self, content: &[u8]) {
        loop {
            let body = self.wrap(EntryKind::Message, &self.encrypted(content, &self.seen()));
            if self.try_append(EntryKind::Message, body).await {
                return;
            }
        }
    }

    /// They talk, and nothing else: he says something that arrives, and hears what is answered.
    pub async fn goes_on(&mut self, home: &Home, what: &str) {
        let account = self.peer.account().to_hex();
        self.say(what).await;
        let message = home.next().await;
        assert_eq!(message.body.as_deref(), Some(what), "after: {what}");
        assert!(message.from == account);
        let sent = home.send(&account, "I hear").await;
        assert!(sent.seq.is_some(), "{what}");
        assert_eq!(self.read().await, ["I hear"], "{what}");
        assert!(home.chat(&account).unwrap().trouble.is_none(), "{what}");
    }

    async fn circuit(&mut self) -> Circuit<Channel> {
        if let Some(circuit) = &self.circuit {
            return circuit.clone();
        }
        let circuit = self.peer.connect::<Channel>().await;
        let hash = circuit.handshake_hash();
        let read = open_read(&hash, self.channel, 0, &self.generation.read_key());
        let write = open_write(&hash, self.channel, 0, &self.generation.write_key());
        let opening = Opening {
            channel: self.channel.into(),
            generation: 0,
            read_signature: Bytes::copy_from_slice(&read),
            write_signature: Bytes::copy_from_slice(&write),
            known: 0,
        };
        circuit.call(OpenRequest { openings: vec![opening] }).await.unwrap();
        self.circuit.insert(circuit).clone()
    }
}

fn expiry_day(kind: EntryKind) -> Day {
    today() + if kind == EntryKind::Commit { limits::COMMIT_DAYS } else { limits::MESSAGE_DAYS_MAX }
}
