//! One struct for each kind of line. docs/schema has a JSON schema for each, and docs/cli.md says when it is printed.

use serde::{Serialize, Serializer};
use undertone_client as client;
use zeroize::Zeroizing;

use crate::admin::PublishedValue;

use super::{
    contacts::{Contact, Forgotten, Listing},
    devices::{Code, Deleted, Device, Link, Linked, Removed},
    groups,
    neutral::{block, one_line},
    people::{Profile, Report, Settings, Told, Typing},
    time::{rfc3339, short},
};

/// A line, before it is decided whom it is for.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Line {
    /// `register`.
    Registered(Registered),
    /// `whoami`.
    Whoami(Whoami),
    /// `whoami --published`.
    Published(PublishedValue),
    /// `profile`.
    Profile(Profile),
    /// `settings`.
    Settings(Settings),
    /// `report`.
    Report(Report),
    /// `typing`.
    Told(Told),
    /// `receive --follow`.
    Typing(Typing),
    /// `send`.
    Sent(Sent),
    /// `receive`.
    Received(Received),
    /// `history`.
    Entry(Entry),
    /// `request list`.
    Request(Request),
    /// `request accept`, `request block`.
    Answered(Answered),
    /// `chats`.
    Chat(Chat),
    /// `device link`, on the old device.
    Link(Link),
    /// `device link`, on both.
    Code(Code),
    /// `device link`, on the old device.
    Linked(Linked),
    /// `device list`.
    Device(Device),
    /// `device remove`.
    Removed(Removed),
    /// What changes a group.
    GroupChanged(groups::Changed),
    /// `group show`, `group list`.
    Group(Box<groups::Group>),
    /// `group requests`.
    GroupRequest(groups::Asks),
    /// `group invite-link`.
    GroupLink(groups::Link),
    /// `delete-account`.
    Deleted(Deleted),
    /// `contacts`.
    Contact(Contact),
    /// `contacts forget`.
    Forgotten(Forgotten),
    /// `listing`.
    Listing(Listing),
    /// `demo`.
    Step(Step),
}

/// A fresh account.
#[derive(Serialize)]
pub struct Registered {
    #[serde(flatten)]
    me: Whoami,
    #[serde(serialize_with = "text")]
    words: Zeroizing<String>,
}

/// Who we are.
#[derive(Serialize)]
pub struct Whoami {
    account: String,
    link: String,
    name: String,
    device: u32,
    service: String,
    trouble: Option<&'static str>,
    #[serde(skip_serializing_if = "is_not")]
    listing_claimed: bool,
}

/// What became of a message.
#[derive(Serialize)]
pub struct Sent {
    id: String,
    chat: String,
    seq: Option<u64>,
    #[serde(skip_serializing_if = "is_not")]
    queued: bool,
}

/// A new message.
#[derive(Serialize)]
pub struct Received {
    #[serde(flatten)]
    message: Message,
    #[serde(skip_serializing_if = "is_not")]
    request: bool,
}

/// A message at its place in a chat.
#[derive(Serialize)]
pub struct Entry {
    #[serde(flatten)]
    message: Message,
    seq: Option<u64>,
    #[serde(skip_serializing_if = "is_not")]
    queued: bool,
    #[serde(skip_serializing_if = "is_not")]
    delivered: bool,
    #[serde(skip_serializing_if = "is_not")]
    read: bool,
}

/// What every message says.
#[derive(Serialize)]
struct Message {
    id: String,
    chat: String,
    from: String,
    body: Option<String>,
    #[serde(serialize_with = "moment")]
    sent_at: u64,
    /// It needs a newer version to be shown.
    #[serde(skip_serializing_if = "is_not")]
    unsupported: bool,
    /// For people only: to programs a person is an account.
    #[serde(skip)]
    from_name: String,
}

/// A request that waits.
#[derive(Serialize)]
pub struct Request {
    account: String,
    name: String,
    body: Option<String>,
    #[serde(serialize_with = "moment")]
    sent_at: u64,
}

/// How a request was answered.
#[derive(Serialize)]
pub struct Answered {
    account: String,
    answer: Answer,
}

/// An answer to a request.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// In contact from now on.
    Accepted,
    /// Not heard any more.
    Blocked,
}

/// A chat.
#[derive(Serialize)]
pub struct Chat {
    chat: String,
    name: String,
    state: &'static str,
    unshown: u64,
    trouble: Option<&'static str>,
    missed: u64,
}

/// A step of the demo that was done.
#[derive(Serialize)]
pub struct Step {
    step: u32,
    done: &'static str,
}

impl Line {
    /// For `send`.
    pub fn sent(sent: client::Sent) -> Self {
        Self::Sent(Sent { id: sent.id, chat: sent.chat, seq: sent.seq, queued: sent.queued })
    }

    /// For `receive`.
    pub fn received(message: &client::Message) -> Self {
        Self::Received(Received { message: message.into(), request: message.request })
    }

    /// For `history`.
    pub fn entry(message: &client::Message) -> Self {
        let client::Message { seq, queued, delivered, read, .. } = *message;
        Self::Entry(Entry { message: message.into(), seq, queued, delivered, read })
    }

    /// For `request accept` and `request block`.
    pub fn answered(account: String, answer: Answer) -> Self {
        Self::Answered(Answered { account, answer })
    }

    /// For `demo`.
    pub fn step(step: u32, done: &'static str) -> Self {
        Self::Step(Step { step, done })
    }

    /// As it is printed.
    pub fn render(&self, json: bool) -> String {
        if json { self.to_json() } else { self.to_text() }
    }

    fn to_json(&self) -> String {
        // These structs have neither maps nor fallible parts, so there is always a text.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn to_text(&self) -> String {
        match self {
            Self::Registered(Registered { me, words }) => registered(me, words),
            Self::Whoami(me) => whoami(me),
            Self::Published(value) => value.to_text(),
            Self::Profile(profile) => profile.to_text(),
            Self::Settings(settings) => settings.to_text(),
            Self::Report(report) => report.to_text(),
            Self::Told(told) => told.to_text(),
            Self::Typing(typing) => typing.to_text(),
            Self::Sent(Sent { queued: true, .. }) => "kept, to be sent later".to_owned(),
            Self::Sent(_) => "sent".to_owned(),
            Self::Received(Received { message, request: false }) => message.to_text(),
            Self::Received(Received { message, request: true }) => {
                format!("{}\n    {}", message.to_text(), how_to_answer(&message.from))
            }
            Self::Entry(entry) => format!("{}{}", entry.message.to_text(), entry.how_far()),
            Self::Request(request) => format!(
                "{} {}: {}\n    {}",
                short(request.sent_at),
                person(&request.name, &request.account),
                body(request.body.as_deref()),
                how_to_answer(&request.account),
            ),
            Self::Answered(Answered { answer: Answer::Accepted, .. }) => "accepted: you are in contact now".to_owned(),
            Self::Answered(Answered { answer: Answer::Blocked, .. }) => {
                "blocked: nothing of theirs is shown any more".to_owned()
            }
            Self::Chat(chat) => {
                let new = if chat.unshown == 0 { String::new() } else { format!(", {} new", chat.unshown) };
                let trouble = chat.trouble.map(|trouble| format!("\n    {trouble}")).unwrap_or_default();
                let missed = match chat.missed {
                    0 => String::new(),
                    missed => {
                        format!("\n    {missed} of its messages had expired before this device came to read them")
                    }
                };
                format!("{}  {}  ({}{new}){trouble}{missed}", chat.chat, person(&chat.name, &chat.chat), chat.state)
            }
            Self::Link(link) => link.to_text(),
            Self::Code(code) => code.to_text(),
            Self::Linked(linked) => linked.to_text(),
            Self::Device(device) => device.to_text(),
            Self::Removed(removed) => removed.to_text(),
            Self::GroupChanged(changed) => changed.to_text(),
            Self::Group(group) => group.to_text(),
            Self::GroupRequest(asks) => asks.to_text(),
            Self::GroupLink(link) => link.to_text(),
            Self::Deleted(deleted) => deleted.to_text(),
            Self::Contact(contact) => contact.to_text(),
            Self::Forgotten(forgotten) => forgotten.to_text(),
            Self::Listing(listing) => listing.to_text(),
            Self::Step(Step { done, .. }) => format!("✓ {done}"),
        }
    }
}

impl Entry {
    /// How far it has come, if that is known.
    const fn how_far(&self) -> &'static str {
        match self {
            Self { queued: true, .. } => "    (not sent yet)",
            Self { read: true, .. } => "    (read)",
            Self { delivered: true, .. } => "    (delivered)",
            _ => "",
        }
    }
}

impl Message {
    fn to_text(&self) -> String {
        format!("{} {}: {}", short(self.sent_at), person(&self.from_name, &self.from), body(self.body.as_deref()))
    }
}

impl From<&client::Message> for Message {
    fn from(message: &client::Message) -> Self {
        Self {
            id: message.id.clone(),
            chat: message.chat.clone(),
            from: message.from.clone(),
            body: message.body.clone(),
            sent_at: message.sent_at_ms,
            unsupported: message.body.is_none(),
            from_name: message.from_name.clone(),
        }
    }
}

impl From<client::Registered> for Line {
    fn from(registered: client::Registered) -> Self {
        Self::Registered(Registered { me: registered.me.into(), words: registered.words })
    }
}

impl From<client::Whoami> for Line {
    fn from(me: client::Whoami) -> Self {
        Self::Whoami(me.into())
    }
}

impl From<client::Whoami> for Whoami {
    fn from(me: client::Whoami) -> Self {
        let client::Whoami { account, link, name, device, service, trouble, listing_claimed } = me;
        Self { account, link, name, device, service, trouble, listing_claimed }
    }
}

impl From<client::Request> for Line {
    fn from(request: client::Request) -> Self {
        Self::Request(Request {
            account: request.account,
            name: request.name,
            body: request.body,
            sent_at: request.sent_at_ms,
        })
    }
}

impl From<client::ChatSummary> for Line {
    fn from(chat: client::ChatSummary) -> Self {
        Self::Chat(Chat {
            chat: chat.chat,
            name: chat.name,
            state: chat.state,
            unshown: chat.unshown,
            trouble: chat.trouble,
            missed: chat.missed,
        })
    }
}

fn registered(me: &Whoami, words: &str) -> String {
    let words: Vec<_> = words.split_whitespace().collect();
    let lines: Vec<_> = words.chunks(6).map(|line| format!("    {}", line.join(" "))).collect();
    format!(
        "You are registered as {}.\n\n\
         Your recovery words, which are shown only now and kept nowhere:\n\n{}\n\n\
         Write them on paper. They are the only way back into your account when all your devices are lost\n\
         (`undertone recover`), and whoever has them can take your account over.\n\n\
         Give this link to friends, so that they can write to you:\n\n    {}",
        one_line(&me.name),
        lines.join("\n"),
        me.link,
    )
}

fn whoami(me: &Whoami) -> String {
    let trouble = me.trouble.map(|trouble| format!("\n    the service may be cheating: {trouble}")).unwrap_or_default();
    let claimed = if me.listing_claimed {
        "\n    somebody else wants a number, address or username of yours: `listing show`, and `listing add` it again within \
         seven days to keep it"
    } else {
        ""
    };
    format!(
        "{}\n    account  {}\n    device   {}\n    service  {}\n    link for friends  {}{trouble}{claimed}",
        one_line(&me.name),
        me.account,
        me.device,
        me.service,
        me.link,
    )
}

/// A person's name, or the beginning of the account id while there is none.
pub(super) fn person(name: &str, account: &str) -> String {
    if name.is_empty() { account.chars().take(8).chain(['…']).collect() } else { one_line(name) }
}

fn body(body: Option<&str>) -> String {
    body.map_or_else(|| "(a newer version is needed to show this: update)".to_owned(), block)
}

/// Names people by account id: a name that a stranger chose does not belong into a command to copy.
fn how_to_answer(account: &str) -> String {
    format!("a request: `undertone request accept {account}`, or `request block`")
}

fn moment<S: Serializer>(ms: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*ms))
}

/// A secret that is to be shown.
pub(super) fn text<S: Serializer>(secret: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_not(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(body: Option<&str>) -> Message {
        Message {
            id: "1d".into(),
            chat: "0b".into(),
            from: "0b12345678".into(),
            body: body.map(str::to_owned),
            sent_at: 1_795_341_522_045,
            unsupported: body.is_none(),
            from_name: "Bo\x1b".into(),
        }
    }

    fn json(line: Line) -> serde_json::Value {
        serde_json::from_str(&line.render(true)).unwrap()
    }

    #[test]
    fn flags_are_there_only_when_so() {
        let fields = json!({"id": "1d", "chat": "0b", "from": "0b12345678", "body": "hi", "sent_at": "2026-11-22T09:58:42.045Z"});
        assert_eq!(json(Line::Received(Received { message: message(Some("hi")), request: false })), fields);
        let line = json(Line::Received(Received { message: message(Some("hi")), request: true }));
        assert_eq!(line["request"], json!(true));
        let line =
            json(Line::Entry(Entry { message: message(None), seq: None, queued: true, delivered: false, read: false }));
        assert_eq!(line["body"], json!(null));
        assert_eq!((&line["unsupported"], &line["seq"], &line["queued"]), (&json!(true), &json!(null), &json!(true)));
        let line = json(Line::Sent(Sent { id: "1".into(), chat: "2".into(), seq: Some(7), queued: false }));
        assert_eq!(line, json!({"id": "1", "chat": "2", "seq": 7}));
    }

    #[test]
    fn text_for_people_is_neutral() {
        let line = Line::Received(Received { message: message(Some("a\nb\x1b[0m")), request: true });
        let text = line.render(false);
        assert!(text.starts_with("2026-11-22 09:58:42Z Bo␛: a\n    b␛[0m\n    a request:"), "{text}");
        assert!(
            Line::Entry(Entry { message: message(None), seq: None, queued: false, delivered: false, read: false })
                .render(false)
                .contains("update")
        );
    }
}
