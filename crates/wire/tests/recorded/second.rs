//! What release 0.2 has added.

use undertone_wire::{
    account::{
        Blinded, Evaluated, IssueTokensReply, IssueTokensRequest, PublishRequest, PutProfileRequest, PutVaultRequest,
        ReadProfileReply, ReadVaultReply,
    },
    channel::{ResumeRequest, SendTransientRequest},
    circuit::{Code, Fault, HelloReply, Parameters, SignedParameters, TokenKey, frame::Kind as Frame},
    content::{
        self, Asked, Card, Content, Note, ParametersSeen, Profile, ProfileKey, Receipt, Settings, SignedProfile,
        Standing, Sync, Transient, content::Kind, standing, sync,
    },
    objects::{Report, Token},
    visitor::{CreateChannelRequest, DeliverRequest, FetchContactRequest, FetchProfileReply, FetchProfileRequest},
};

use crate::{Recorded, of};

pub fn planes(recorded: &mut Recorded) {
    let token_key = TokenKey { purpose: 2, week: 2_968, key: of(1, 32), ..TokenKey::default() };
    let parameters = Parameters {
        version: 1,
        head_key: of(7, 32),
        revision: 1_795_341_522,
        token_keys: vec![token_key],
        ..Parameters::default()
    };
    recorded.message("circuit.parameters", &parameters);
    let signed = SignedParameters { body: of(1, 9), signature: of(2, 64), ..SignedParameters::default() };
    let reply = HelloReply { protocol: 1, features: vec![3], signed_parameters: Some(signed), ..HelloReply::default() };
    recorded.frame("circuit.hello_reply.signed", 0, Frame::HelloReply(reply));
    let fault = Fault { code: Code::Token.into(), tokens: 4, ..Fault::default() };
    recorded.frame("circuit.fault.token", 3, Frame::Fault(fault));

    let token = Token { week: 2_968, nonce: of(1, 32), authenticator: of(2, 64), ..Token::default() };
    let tokens = vec![token; 2];
    let deliver = DeliverRequest {
        account: of(1, 16),
        idempotency_id: of(2, 16),
        sealed: of(3, 9),
        expiry_day: 20_804,
        tokens: tokens.clone(),
        ..DeliverRequest::default()
    };
    recorded.message("visitor.deliver.paid", &deliver);
    let fetch = FetchContactRequest { account: of(1, 16), tokens: tokens.clone(), ..FetchContactRequest::default() };
    recorded.message("visitor.fetch_contact.paid", &fetch);
    let create = CreateChannelRequest {
        channel: of(1, 16),
        read_key: of(2, 32),
        write_key: of(3, 32),
        tokens,
        ..CreateChannelRequest::default()
    };
    recorded.message("visitor.create_channel.paid", &create);
    let fetch = FetchProfileRequest { account: of(1, 16), access: of(2, 32), ..FetchProfileRequest::default() };
    recorded.message("visitor.fetch_profile", &fetch);
    let reply = FetchProfileReply { revision: 2, sealed: of(3, 9), ..FetchProfileReply::default() };
    recorded.message("visitor.fetch_profile.reply", &reply);

    let blinded = Blinded { purpose: 1, elements: vec![of(1, 32), of(2, 32)], ..Blinded::default() };
    let issue = IssueTokensRequest { week: 2_968, blinded: vec![blinded], ..IssueTokensRequest::default() };
    recorded.message("account.issue_tokens", &issue);
    let evaluated = Evaluated { elements: vec![of(3, 32), of(4, 32)], proof: of(5, 64), ..Evaluated::default() };
    let reply = IssueTokensReply { evaluated: vec![evaluated], ..IssueTokensReply::default() };
    recorded.message("account.issue_tokens.reply", &reply);
    let put =
        PutProfileRequest { revision: 3, sealed: of(1, 9), access_hash: of(2, 32), ..PutProfileRequest::default() };
    recorded.message("account.put_profile", &put);
    let reply = ReadProfileReply { revision: 3, sealed: of(1, 9), ..ReadProfileReply::default() };
    recorded.message("account.read_profile.reply", &reply);
    let put = PutVaultRequest { revision: 4, sealed: of(1, 9), ..PutVaultRequest::default() };
    recorded.message("account.put_vault", &put);
    let reply = ReadVaultReply { revision: 4, sealed: of(1, 9), ..ReadVaultReply::default() };
    recorded.message("account.read_vault.reply", &reply);
    recorded.message("account.publish", &PublishRequest { after: 300, ..PublishRequest::default() });

    let resume = ResumeRequest { tickets: vec![of(1, 50), of(2, 50)], ..ResumeRequest::default() };
    recorded.message("channel.resume", &resume);
    let transient = SendTransientRequest { channel: of(1, 16), body: of(2, 256), ..SendTransientRequest::default() };
    recorded.message("channel.send_transient", &transient);
}

pub fn content(recorded: &mut Recorded) {
    let profile_key = ProfileKey { key: of(3, 32), revision: 1_795_341_522, ..ProfileKey::default() };
    let riding = Content {
        id: of(1, 16),
        sent_at_ms: 1_795_341_522_000,
        receipt: Some(Receipt { delivered: of(1, 16), read: of(2, 16), ..Receipt::default() }),
        profile_key: Some(profile_key.clone()),
        parameters: Some(ParametersSeen {
            revision: 9,
            hash: of(4, 32),
            signature: of(5, 64),
            ..ParametersSeen::default()
        }),
        kind: Some(Kind::Note(Note::default())),
        ..Content::default()
    };
    recorded.message("content.note", &riding);
    let standing = Standing {
        peer: of(1, 16),
        name: "Bo".into(),
        state: standing::State::Open.into(),
        device_list: of(2, 9),
        profile_key: Some(profile_key),
        ..Standing::default()
    };
    let read = content::Read { peer: of(1, 16), message: of(2, 16), ..content::Read::default() };
    let settings = Settings { receipts_off: true, typing: true, ..Settings::default() };
    let asked = Asked { peer: of(1, 16), device: 2, history: true, ..Asked::default() };
    for (name, kind) in [
        ("standing", sync::Kind::Standing(standing)),
        ("read", sync::Kind::Read(read)),
        ("settings", sync::Kind::Settings(settings)),
        ("asked", sync::Kind::Asked(asked)),
        ("card", sync::Kind::Card(Card { key_package: of(3, 9), ..Card::default() })),
    ] {
        recorded.message(&format!("content.sync.{name}"), &Sync { kind: Some(kind), ..Sync::default() });
    }
    let transient = Transient { account: of(1, 16), typing: true, ..Transient::default() };
    recorded.message("content.transient", &transient);
    let profile = Profile {
        version: 1,
        revision: 1_795_341_522,
        name: "Ana".into(),
        about: "I keep bees".into(),
        avatar: of(6, 9),
        ..Profile::default()
    };
    recorded.message("content.profile", &profile);
    let signed = SignedProfile { body: of(1, 9), signature: of(2, 64), ..SignedProfile::default() };
    recorded.message("content.profile.signed", &signed);
    let report = Report {
        version: 1,
        recipient: of(1, 16),
        device_list: of(2, 9),
        device: 2,
        letter: of(3, 9),
        signature: of(4, 64),
        ..Report::default()
    };
    recorded.message("objects.report", &report);
}
