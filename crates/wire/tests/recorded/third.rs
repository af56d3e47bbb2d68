//! What release 0.3 has added.

use undertone_wire::{
    account::{IssueCredentialsReply, IssuedCredential},
    blob::{BeginBlobRequest, FetchPartReply, FetchPartRequest, PutPartRequest},
    channel::{AppendReply, ChangeGroupReply},
    channel::{
        ChangeGroupRequest, NewEntry, PresentRequest, ReadHeadSlotReply, ReadRecordReply, Refusal, StaleChange,
        append_reply, change_group_reply,
    },
    circuit::Parameters,
    group::{
        self, Action, Attribute, AttributeKind, Change, Follows, Invited, Link, LinkMode, Member, Record, Role, Rules,
        Who, action,
    },
    objects::Token,
};

use crate::{Recorded, of};

pub fn blobs(recorded: &mut Recorded) {
    let token = Token { week: 2_968, nonce: of(1, 32), authenticator: of(2, 64), ..Token::default() };
    let begin = BeginBlobRequest { blob: of(1, 16), bytes: 16_384, expiry_day: 20_800, tokens: vec![token] };
    recorded.message("blob.begin", &begin);
    recorded.message("blob.put", &PutPartRequest { blob: of(1, 16), part: 1, bytes: of(3, 8) });
    recorded.message("blob.fetch", &FetchPartRequest { blob: of(1, 16), part: 1 });
    recorded.message("blob.fetch.reply", &FetchPartReply { bytes: of(3, 8) });
}

pub fn groups(recorded: &mut Recorded) {
    recorded.message(
        "circuit.parameters.credential",
        &Parameters { version: 1, credential_key: of(4, 64), ..Parameters::default() },
    );
    let issued = IssuedCredential { day: 20_800, credential: of(5, 9) };
    recorded.message("account.credentials", &IssueCredentialsReply { credentials: vec![issued] });

    let member = Member { entry: of(1, 64), role: Role::Owner.into() };
    let rules = Rules { add: Who::Members.into(), edit: Who::Admins.into(), post: Who::Members.into() };
    let title = Attribute { kind: AttributeKind::Title.into(), sealed: of(7, 256) };
    let record = Record {
        version: 1,
        group_public: of(2, 32),
        revision: 3,
        members: vec![member.clone()],
        invited: vec![Invited { entry: of(2, 64), role: Role::Reader.into(), by: of(1, 64) }],
        requesting: vec![of(3, 64)],
        banned: vec![of(4, 64)],
        left: vec![of(5, 64)],
        rules: Some(rules),
        link: Some(Link { mode: LinkMode::Ask.into(), secret_hash: of(6, 32) }),
        attributes: vec![title.clone()],
        closed: true,
    };
    recorded.message("group.record", &record);
    let kinds = [
        action::Kind::Add(member.clone()),
        action::Kind::Revoke(of(2, 64)),
        action::Kind::Settle(group::Nothing {}),
        action::Kind::SetAttribute(title),
        action::Kind::SetRules(rules),
    ];
    let actions = kinds.map(|kind| Action { kind: Some(kind) }).into();
    let change = Change { version: 1, revision: 3, actor: of(1, 64), actions, follows: Follows::Generation.into() };
    recorded.message("group.change", &change);

    let entry = NewEntry { kind: 3, body: of(8, 9), ..NewEntry::default() };
    let commit = NewEntry { kind: 2, body: of(8, 9), slot_hash: of(3, 32), ..NewEntry::default() };
    let request = ChangeGroupRequest {
        channel: of(1, 16),
        change: Some(entry),
        commit: Some(commit),
        head_slot: of(4, 9),
        link_secret: of(5, 32),
        day: 20_800,
        presentation: of(6, 9),
    };
    recorded.message("channel.change_group", &request);
    let stale = change_group_reply::Result::Stale(StaleChange { head: None, revision: 4 });
    recorded.message("channel.change_group.stale", &ChangeGroupReply { result: Some(stale) });
    let refused = change_group_reply::Result::Refused(Refusal::Owed.into());
    recorded.message("channel.change_group.refused", &ChangeGroupReply { result: Some(refused) });
    let refused = append_reply::Result::Refused(Refusal::Closed.into());
    recorded.message("channel.append.refused", &AppendReply { result: Some(refused) });
    let present = PresentRequest { channel: of(1, 16), entry: of(1, 64), day: 20_800, presentation: of(6, 9) };
    recorded.message("channel.present", &present);
    recorded.message("channel.record", &ReadRecordReply { record: of(1, 9), head: None });
    let slot = ReadHeadSlotReply { incarnation: 1, epoch: 2, sealed: of(3, 9), head: None };
    recorded.message("channel.head_slot", &slot);
}
