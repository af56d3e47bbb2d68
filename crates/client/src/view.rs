//! What the faces show: plain values, made from the database for one question.

use bytes::Bytes;
use rusqlite::Connection;
use undertone_wire::{
    AccountId,
    content::{Content, content},
};
use zeroize::Zeroizing;

use crate::{
    ClientError, Result,
    db::{
        chats::{self, State, Trouble},
        contacts, listings, me,
        messages::{self, Place, StoredMessage},
        parameters, profiles, receipts, tokens,
    },
    rules::groups::Group,
};

/// Who we are.
#[derive(Clone)]
pub struct Whoami {
    /// Account id, hexadecimal.
    pub account: String,
    /// What a friend passes to `send`.
    pub link: String,
    /// What we call ourselves.
    pub name: String,
    /// Number of this device.
    pub device: u32,
    /// Link of the service.
    pub service: String,
    /// What the service does that it should not, in words for people, if it does.
    pub trouble: Option<&'static str>,
    /// Somebody else wants an identifier under which we are listed.
    pub listing_claimed: bool,
}

/// A fresh account.
pub struct Registered {
    /// The recovery words: shown once, kept nowhere.
    pub words: Zeroizing<String>,
    /// Who we are now.
    pub me: Whoami,
}

/// What became of a message.
#[derive(Clone)]
pub struct Sent {
    /// Message id, hexadecimal.
    pub id: String,
    /// The chat: the other's account id, hexadecimal.
    pub chat: String,
    /// Place in the log; none for what travels by letter, or is queued.
    pub seq: Option<u64>,
    /// The service does not have it yet; it is kept, and sent later.
    pub queued: bool,
    /// What keeps it here.
    pub waits: Option<ClientError>,
}

/// A message of a chat.
#[derive(Clone)]
pub struct Message {
    pub(crate) n: i64,
    /// Message id, hexadecimal.
    pub id: String,
    /// The chat: the other's account id, hexadecimal.
    pub chat: String,
    /// Its sender's account id, hexadecimal.
    pub from: String,
    /// What its sender calls himself; empty while unknown.
    pub from_name: String,
    /// Whether we wrote it.
    pub mine: bool,
    /// The text; none for what only a newer version understands.
    pub body: Option<String>,
    /// Milliseconds since 1970-01-01, by the sender's clock.
    pub sent_at_ms: u64,
    /// Place in the log; none for what came by letter, or is queued.
    pub seq: Option<u64>,
    /// Ours, and not at the service yet.
    pub queued: bool,
    /// Of a stranger whose request waits.
    pub request: bool,
    /// Ours, and a device of the other has it.
    pub delivered: bool,
    /// Ours, and the other has seen it.
    pub read: bool,
}

/// What to say of ourselves from now on.
#[derive(Clone, Default)]
pub struct ProfileChange {
    /// Nothing of what was said before.
    pub clear: bool,
    /// What we call ourselves.
    pub name: Option<String>,
    /// What we say about ourselves.
    pub about: Option<String>,
    /// An image, as it is; empty for none.
    pub avatar: Option<Vec<u8>>,
}

/// What somebody says of himself.
#[derive(Clone)]
pub struct Profile {
    /// Account id, hexadecimal.
    pub account: String,
    /// What he calls himself; empty while unknown.
    pub name: String,
    /// What he says about himself.
    pub about: String,
    /// His image; empty for none.
    pub avatar: Vec<u8>,
    /// It is known to be out of date, and fetched when the pace allows; ours: the service does not have it yet.
    pub pending: bool,
}

/// What we tell without saying anything. Who tells none is shown none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// That a message has arrived, and that it was read.
    pub receipts: bool,
    /// That we write just now.
    pub typing: bool,
}

/// That somebody writes just now, or does not any more.
#[derive(Clone)]
pub struct Typing {
    /// The chat: the other's account id, hexadecimal.
    pub chat: String,
    /// What the other calls himself.
    pub name: String,
    /// Whether he does. It holds for [`Self::SECONDS`], unless it is said again, or that it is over.
    pub typing: bool,
}

impl Typing {
    /// So long it holds that somebody writes.
    pub const SECONDS: u64 = 10;
}

/// A value that the service keeps of our account; nothing where it has neither number nor data.
#[derive(Clone)]
pub struct Kept {
    /// Where it stands.
    pub table: String,
    /// Likewise.
    pub column: String,
    /// A count, a day, a number.
    pub number: Option<u64>,
    /// A key, a hash, ciphertext.
    pub data: Option<Bytes>,
}

/// A device of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceView {
    /// Its number.
    pub number: u32,
    /// Whether it is this one.
    pub this: bool,
}

/// A request that waits.
#[derive(Clone)]
pub struct Request {
    /// Whose, hexadecimal.
    pub account: String,
    /// What he calls himself.
    pub name: String,
    /// The first message, if it is a text.
    pub body: Option<String>,
    /// When he says that he wrote it.
    pub sent_at_ms: u64,
}

/// A chat, in a list.
#[derive(Clone)]
pub struct ChatSummary {
    /// The other's account id, hexadecimal.
    pub chat: String,
    /// What the other calls himself, or the group is called; empty while unknown.
    pub name: String,
    /// Whether it is a group: `chat` is then its id, and `name` its title.
    pub group: bool,
    /// `new`, `invited`, `request`, `open`, `blocked`, or `self`; of a group as in [`GroupView`](crate::GroupView).
    pub state: &'static str,
    /// Messages that were not shown yet.
    pub unshown: u64,
    /// Why it does not go on, if it does not.
    pub trouble: Option<&'static str>,
    /// Messages that had expired before this device came to read them.
    pub missed: u64,
}

/// Whether a chat that does not go on is on its way to do so by itself: what is written meanwhile is kept, and sent then.
pub(crate) const fn mends_itself(trouble: Trouble) -> bool {
    matches!(trouble, Trouble::Lost | Trouble::Expired | Trouble::Locked | Trouble::Moved)
}

/// What keeps a chat from going on, in words for people.
pub(crate) fn trouble(trouble: Trouble) -> Option<&'static str> {
    match trouble {
        Trouble::None => None,
        Trouble::Lost => Some("its encryption can no longer be followed here"),
        Trouble::Forked => Some("the service showed different histories; there is proof"),
        Trouble::OtherKeys => Some("the service gave different keys to different people; there is proof"),
        Trouble::Newer => Some("the other uses a newer version; update this program"),
        Trouble::Inconsistent => Some("what the service shows of it is not what it signed; it may be cheating"),
        Trouble::Expired => Some("the service has no more what comes next in it"),
        Trouble::Locked => Some("somebody has locked its channel; it goes on in another one"),
        Trouble::Moved => Some("it goes on in another channel, to which this device is not let in yet"),
    }
}

/// What the service does that it should not, apart from what it does in single chats.
pub(crate) fn service_trouble(db: &Connection) -> Result<Option<&'static str>> {
    if tokens::is_marked(db)? {
        return Ok(Some("it gave tokens by which it could tell you apart; none of them is used"));
    }
    let Some(me) = me::load(db)? else { return Ok(None) };
    let differ = parameters::has_other_keys(db, me.account)?;
    Ok(differ.then_some("it gave different keys to different devices of yours; there is proof"))
}

pub(crate) fn whoami(db: &Connection, me: &me::Me, link: &undertone_wire::link::Link) -> Result<Whoami> {
    Ok(Whoami {
        account: me.account.to_hex(),
        link: undertone_wire::link::Link { account: Some(me.account), ..link.clone() }.to_text(),
        name: me.name.clone(),
        device: me.device,
        service: me.link.clone(),
        trouble: service_trouble(db)?,
        listing_claimed: listings::is_claimed(db)?,
    })
}

pub(crate) fn message(db: &Connection, own: &me::Me, stored: &StoredMessage) -> Result<Message> {
    let chat = chats::load(db, stored.chat)?;
    let mine = stored.sender == own.account;
    let (delivered, read) = covered(db, stored, mine)?;
    Ok(Message {
        n: stored.n,
        id: hex(&stored.content.id),
        chat: chat.peer.to_hex(),
        from: stored.sender.to_hex(),
        from_name: if mine { own.name.clone() } else { contacts::name(db, stored.sender)? },
        mine,
        body: text(&stored.content),
        sent_at_ms: stored.content.sent_at_ms,
        seq: match stored.place {
            Place::Log(seq) => Some(seq),
            Place::Pending | Place::Letter(_) => None,
        },
        queued: !stored.acked,
        request: chat.state == State::Request,
        delivered: delivered || read,
        read,
    })
}

/// Whether the other has told that he has a message of ours, and that he has seen it.
fn covered(db: &Connection, stored: &StoredMessage, mine: bool) -> Result<(bool, bool)> {
    match undertone_wire::MessageId::try_from(&stored.content.id[..]) {
        Ok(id) if mine && me::settings(db)?.receipts => Ok(receipts::covers(db, stored.chat, id)?),
        _ => Ok((false, false)),
    }
}

pub(crate) fn our_profile(db: &Connection, own: &me::Me) -> Result<Profile> {
    let ours = profiles::ours(db)?;
    let pending = ours.as_ref().is_some_and(|ours| ours.state != profiles::State::InStep);
    let said = ours.map(|ours| ours.said).unwrap_or_default();
    Ok(Profile {
        account: own.account.to_hex(),
        name: own.name.clone(),
        about: said.about,
        avatar: said.avatar,
        pending,
    })
}

pub(crate) fn profile_of(db: &Connection, account: AccountId) -> Result<Profile> {
    let theirs = profiles::theirs(db, account)?;
    let pending = theirs.as_ref().is_some_and(|theirs| theirs.wanted);
    let said = theirs.map(|theirs| theirs.said).unwrap_or_default();
    let name = contacts::name(db, account)?;
    Ok(Profile { account: account.to_hex(), name, about: said.about, avatar: said.avatar, pending })
}

pub(crate) fn request(db: &Connection, chat: &chats::Chat) -> Result<Request> {
    let first = messages::first_from(db, chat.id, chat.peer)?;
    Ok(Request {
        account: chat.peer.to_hex(),
        name: contacts::name(db, chat.peer)?,
        body: first.as_ref().and_then(|first| text(&first.content)),
        sent_at_ms: first.map_or(0, |first| first.content.sent_at_ms),
    })
}

/// How far we have come in a group.
pub(crate) const fn group_state(state: State) -> &'static str {
    match state {
        State::New => "new",
        State::Request => "invited",
        State::Invited => "coming",
        State::Open => "open",
        State::Blocked | State::Out => "out",
    }
}

/// What keeps a group from going on. Until the commit by which we come in again stands, nothing of it is for us.
pub(crate) fn group_trouble(chat: &chats::Chat, group: &Group) -> Option<&'static str> {
    let comes = chat.state == State::Open && chat.trouble == Trouble::None && group.stored.entering;
    trouble(if comes { Trouble::Lost } else { chat.trouble })
}

pub(crate) fn summary(db: &Connection, own: AccountId, chat: &chats::Chat) -> Result<ChatSummary> {
    if chat.is_group {
        let group = Group::load(db, chat.id)?;
        return Ok(ChatSummary {
            chat: chat.peer.to_hex(),
            name: group.title(),
            group: true,
            state: group_state(chat.state),
            unshown: messages::unshown_in(db, chat.id)?,
            trouble: group_trouble(chat, &group),
            missed: chat.missed,
        });
    }
    Ok(ChatSummary {
        chat: chat.peer.to_hex(),
        group: false,
        name: if chat.peer == own { "note to self".to_owned() } else { contacts::name(db, chat.peer)? },
        state: match chat.state {
            _ if chat.peer == own => "self",
            State::New => "new",
            State::Invited => "invited",
            State::Request => "request",
            State::Open => "open",
            State::Blocked => "blocked",
            State::Out => "out",
        },
        unshown: messages::unshown_in(db, chat.id)?,
        trouble: trouble(chat.trouble),
        missed: chat.missed,
    })
}

fn text(content: &Content) -> Option<String> {
    match &content.kind {
        Some(content::Kind::Text(text)) => Some(text.body.clone()),
        _ => None,
    }
}

fn hex(id: &[u8]) -> String {
    undertone_wire::MessageId::try_from(id).map(|id| id.to_hex()).unwrap_or_default()
}
