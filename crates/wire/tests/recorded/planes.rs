use undertone_wire::{
    account::{
        AuthenticateReply, AuthenticateRequest, ClearInboxRequest, InboxEntry, PutDeviceListRequest,
        PutInboxKeyRequest, PutKeyPackagesReply, PutKeyPackagesRequest, ReadInboxReply, ReadInboxRequest,
        RegisterRequest,
    },
    channel::{
        AppendReply, AppendRequest, Appended, Entry, EntryKind, FollowRequest, Head, LogPush, NewEntry, OpenReply,
        OpenRequest, Opened, Opening, ReadReply, ReadRequest, append_reply, opened,
    },
    circuit::Code,
    visitor::{CreateChannelReply, CreateChannelRequest, DeliverRequest, FetchContactReply, FetchContactRequest},
};

use crate::{Recorded, of};

pub fn account(recorded: &mut Recorded) {
    let key_packages = PutKeyPackagesRequest {
        one_time: vec![of(1, 3), of(2, 4)],
        last_resort: of(3, 5),
        ..PutKeyPackagesRequest::default()
    };
    recorded.message("account.put_key_packages", &key_packages);
    let reply = PutKeyPackagesReply { key_packages_left: 20, ..PutKeyPackagesReply::default() };
    recorded.message("account.put_key_packages.reply", &reply);
    let register = RegisterRequest {
        device_list: of(1, 6),
        recovery_signature: of(2, 64),
        identity_signature: of(3, 64),
        device_signature: of(4, 64),
        invite: of(5, 10),
        inbox_key: of(6, 7),
        key_packages: Some(key_packages),
        ..RegisterRequest::default()
    };
    recorded.message("account.register", &register);
    let authenticate =
        AuthenticateRequest { account: of(1, 16), device: 2, signature: of(3, 64), ..AuthenticateRequest::default() };
    recorded.message("account.authenticate", &authenticate);
    let reply = AuthenticateReply {
        key_packages_left: 9,
        inbox_key_week: 2_968,
        inbox_seq: 1 << 40,
        ..AuthenticateReply::default()
    };
    recorded.message("account.authenticate.reply", &reply);
    let put = PutDeviceListRequest { device_list: of(1, 6), ..PutDeviceListRequest::default() };
    recorded.message("account.put_device_list", &put);
    let put = PutInboxKeyRequest { inbox_key: of(1, 6), ..PutInboxKeyRequest::default() };
    recorded.message("account.put_inbox_key", &put);
    let read = ReadInboxRequest { after: 300, limit: 200, ..ReadInboxRequest::default() };
    recorded.message("account.read_inbox", &read);
    let entry = |seq| InboxEntry { seq, sealed: of(4, 8), ..InboxEntry::default() };
    let reply = ReadInboxReply { entries: vec![entry(301), entry(302)], more: true, ..ReadInboxReply::default() };
    recorded.message("account.read_inbox.reply", &reply);
    recorded.message("account.clear_inbox", &ClearInboxRequest { up_to: 302, ..ClearInboxRequest::default() });
}

pub fn visitor(recorded: &mut Recorded) {
    let fetch = FetchContactRequest { account: of(1, 16), ..FetchContactRequest::default() };
    recorded.message("visitor.fetch_contact", &fetch);
    let reply = FetchContactReply {
        device_list: of(1, 5),
        inbox_key: of(2, 6),
        key_packages: vec![of(3, 7), of(4, 8)],
        ..FetchContactReply::default()
    };
    recorded.message("visitor.fetch_contact.reply", &reply);
    let deliver = DeliverRequest {
        account: of(1, 16),
        idempotency_id: of(2, 16),
        sealed: of(3, 9),
        expiry_day: 20_809,
        ..DeliverRequest::default()
    };
    recorded.message("visitor.deliver", &deliver);
    let create = CreateChannelRequest {
        channel: of(1, 16),
        read_key: of(2, 32),
        write_key: of(3, 32),
        ..CreateChannelRequest::default()
    };
    recorded.message("visitor.create_channel", &create);
    let reply = CreateChannelReply { head: Some(head()), ..CreateChannelReply::default() };
    recorded.message("visitor.create_channel.reply", &reply);
}

pub fn channel(recorded: &mut Recorded) {
    recorded.message("channel.head", &head());
    let opening = |generation| Opening {
        channel: of(1, 16),
        generation,
        read_signature: of(2, 64),
        write_signature: of(3, 64),
        ..Opening::default()
    };
    let open = OpenRequest { openings: vec![opening(0), opening(1)], ..OpenRequest::default() };
    recorded.message("channel.open", &open);
    let opened = |result| Opened { result: Some(result), ..Opened::default() };
    let refused = opened::Result::Refused(Code::NotFound as u32);
    let reply =
        OpenReply { opened: vec![opened(opened::Result::Head(head())), opened(refused)], ..OpenReply::default() };
    recorded.message("channel.open.reply", &reply);
    let new = |kind: EntryKind| NewEntry {
        kind: kind.into(),
        incarnation: 1,
        epoch: 2,
        expiry_day: 20_809,
        body: of(4, 256),
        idempotency_id: of(5, 16),
        ..NewEntry::default()
    };
    let append = AppendRequest {
        channel: of(1, 16),
        entries: vec![new(EntryKind::Message), new(EntryKind::Commit), new(EntryKind::Change)],
        ..AppendRequest::default()
    };
    recorded.message("channel.append", &append);
    let appended = Appended { first_seq: 8, head: Some(head()), ..Appended::default() };
    for (name, result) in [
        ("appended", append_reply::Result::Appended(appended)),
        ("stale", append_reply::Result::Stale(head())),
        ("conflict", append_reply::Result::Conflict(true)),
    ] {
        let reply = AppendReply { result: Some(result), ..AppendReply::default() };
        recorded.message(&format!("channel.append.reply.{name}"), &reply);
    }
    let read = ReadRequest { channel: of(1, 16), after: 7, limit: 200, ..ReadRequest::default() };
    recorded.message("channel.read", &read);
    let entry = Entry {
        seq: 8,
        kind: EntryKind::Commit.into(),
        incarnation: 1,
        epoch: 2,
        expiry_day: 20_869,
        body: of(4, 256),
        installs: of(6, 64),
        countersignature: of(7, 64),
        ..Entry::default()
    };
    let expired = Entry { body: of(0, 0), digest: of(8, 32), ..entry.clone() };
    let entries = vec![entry, expired];
    let reply = ReadReply { entries: entries.clone(), head: Some(head()), ..ReadReply::default() };
    recorded.message("channel.read.reply", &reply);
    let follow = FollowRequest { channels: vec![of(1, 16), of(2, 16)], ..FollowRequest::default() };
    recorded.message("channel.follow", &follow);
    let push = LogPush { channel: of(1, 16), entries, head: Some(head()), ..LogPush::default() };
    recorded.message("channel.follow.push", &push);
}

fn head() -> Head {
    Head {
        channel: of(1, 16),
        seq: 7,
        chain: of(2, 32),
        incarnation: 1,
        epoch: 2,
        generation: 3,
        signature: of(4, 64),
        ..Head::default()
    }
}
