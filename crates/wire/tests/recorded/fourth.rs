//! What release 0.4 has added.

use undertone_wire::{
    ChannelId,
    account::{
        AuthenticateReply, Blinded, Evaluated, Identifier, IssueLookupsReply, IssueLookupsRequest, PutListingReply,
        PutListingRequest, RemoveListingRequest, SendCodeRequest, identifier,
    },
    circuit::{Kind as Circuit, Parameters},
    content::{GroupKnown, GroupPlace, GroupWay, HeadSlot, Invitation, Letter, Named, Seen, Sync, group_known, sync},
    directory::{
        BeginQueryRequest, Delta, EvaluateReply, EvaluateRequest, FetchAnswerPartReply, FetchAnswerPartRequest,
        FetchPartReply, FetchPartRequest, Head, PutQueryPartRequest, ReadDirectoryReply,
    },
    link::{GroupLink, Link, Pin, Scheme},
    objects::{Purpose, Token},
};

use crate::{Recorded, of};

pub fn planes(recorded: &mut Recorded) {
    assert_eq!([Circuit::Directory as i32, Purpose::Evaluation as i32, Purpose::Query as i32], [5, 5, 6]);
    recorded.message(
        "circuit.parameters.directory",
        &Parameters { version: 1, directory_key: of(4, 32), ..Parameters::default() },
    );
    let reply = AuthenticateReply { listing_claimed: true, ..AuthenticateReply::default() };
    recorded.message("account.authenticate.claimed", &reply);
    let blinded = Blinded { purpose: 5, elements: vec![of(1, 32), of(2, 32)], ..Blinded::default() };
    let request = IssueLookupsRequest { week: 2_968, blinded: vec![blinded], ..IssueLookupsRequest::default() };
    recorded.message("account.issue_lookups", &request);
    let evaluated = Evaluated { elements: vec![of(3, 32)], proof: of(5, 64), ..Evaluated::default() };
    let reply = IssueLookupsReply { evaluated: vec![evaluated], ..IssueLookupsReply::default() };
    recorded.message("account.issue_lookups.reply", &reply);
    for (kind, text) in [
        (identifier::Kind::Phone, "+41791234567"),
        (identifier::Kind::Email, "ana@example.org"),
        (identifier::Kind::Username, "ana"),
    ] {
        let identifier = Some(Identifier { kind: kind.into(), text: text.into(), ..Identifier::default() });
        let request = SendCodeRequest { identifier, ..SendCodeRequest::default() };
        recorded.message(&format!("account.send_code.{}", kind.as_str_name().to_lowercase()), &request);
    }
    let ana = Identifier { kind: identifier::Kind::Username.into(), text: "ana".into(), ..Identifier::default() };
    let put = PutListingRequest {
        identifier: Some(ana.clone()),
        code: "123456".into(),
        recovery_signature: of(2, 64),
        ..PutListingRequest::default()
    };
    recorded.message("account.put_listing", &put);
    let reply = PutListingReply { waits_until_day: 20_807, ..PutListingReply::default() };
    recorded.message("account.put_listing.reply", &reply);
    let remove = RemoveListingRequest { identifier: Some(ana), ..RemoveListingRequest::default() };
    recorded.message("account.remove_listing", &remove);
}

pub fn directory(recorded: &mut Recorded) {
    let delta = Delta { day: 20_800, bytes: 512, hash: of(1, 32), ..Delta::default() };
    let head = Head { version: 1, key: of(2, 32), base: of(3, 9), deltas: vec![delta], ..Head::default() };
    recorded.message("directory.head", &head);
    let reply = ReadDirectoryReply { head: of(1, 9), signature: of(2, 64), ..ReadDirectoryReply::default() };
    recorded.message("directory.read", &reply);
    let token = Token { week: 2_968, nonce: of(1, 32), authenticator: of(2, 64), ..Token::default() };
    let tokens = vec![token];
    let evaluate = EvaluateRequest { elements: vec![of(1, 32)], tokens: tokens.clone(), ..EvaluateRequest::default() };
    recorded.message("directory.evaluate", &evaluate);
    let reply = EvaluateReply { elements: vec![of(3, 32)], proof: of(4, 64), ..EvaluateReply::default() };
    recorded.message("directory.evaluate.reply", &reply);
    let begin = BeginQueryRequest { head_hash: of(1, 32), tokens, ..BeginQueryRequest::default() };
    recorded.message("directory.begin_query", &begin);
    let put = PutQueryPartRequest { part: 1, bytes: of(3, 8), ..PutQueryPartRequest::default() };
    recorded.message("directory.put_query", &put);
    let fetch = FetchAnswerPartRequest { part: 1, ..FetchAnswerPartRequest::default() };
    recorded.message("directory.fetch_answer", &fetch);
    let reply = FetchAnswerPartReply { bytes: of(3, 8), ..FetchAnswerPartReply::default() };
    recorded.message("directory.fetch_answer.reply", &reply);
    let fetch = FetchPartRequest { hash: of(1, 32), part: 1, ..FetchPartRequest::default() };
    recorded.message("directory.fetch", &fetch);
    recorded.message("directory.fetch.reply", &FetchPartReply { bytes: of(3, 8), ..FetchPartReply::default() });
}

pub fn content(recorded: &mut Recorded) {
    let seen = Seen { revision: 3, record_hash: of(1, 32), name: "Ana".into(), ..Seen::default() };
    recorded.message("content.seen.group", &seen);
    let names = vec![Named { account: of(1, 16), name: "Ana".into(), ..Named::default() }];
    let group = GroupWay {
        master_key: of(1, 32),
        invitation: Some(Invitation::default()),
        record: of(2, 9),
        names: names.clone(),
        ..GroupWay::default()
    };
    recorded.message("content.letter.group", &Letter { group: Some(group), ..Letter::default() });
    let known = GroupKnown {
        channel: of(1, 16),
        master_key: of(2, 32),
        state: group_known::State::Out.into(),
        link_secret: of(3, 32),
        head: Some(seen.clone()),
        ..GroupKnown::default()
    };
    recorded.message("content.sync.group", &Sync { kind: Some(sync::Kind::Group(known)), ..Sync::default() });
    let place = GroupPlace {
        seen: Some(seen),
        record: of(1, 9),
        device_lists: vec![of(2, 9)],
        generation: 4,
        group: 5,
        names,
        ..GroupPlace::default()
    };
    let slot = HeadSlot {
        group_info: of(1, 9),
        tree: of(2, 9),
        generation_secret: of(3, 32),
        place: Some(place),
        ..HeadSlot::default()
    };
    recorded.message("content.head_slot.group", &slot);
}

pub fn link(recorded: &mut Recorded) {
    let service =
        Link { scheme: Scheme::Tcp, endpoint: "chat.example:4433".into(), pin: Pin::new([1; 32]), account: None };
    let link = GroupLink { service, channel: ChannelId::new([2; 16]), master_key: [3; 32], secret: [4; 32] };
    if let Some(bytes) = recorded.take("link.group", link.to_text().as_bytes()) {
        let read = GroupLink::parse(std::str::from_utf8(&bytes).unwrap()).unwrap();
        assert!(read.service == link.service && read.channel == link.channel, "link.group is read in another way");
        assert!(read.master_key == link.master_key && read.secret == link.secret, "link.group is read in another way");
    }
}
