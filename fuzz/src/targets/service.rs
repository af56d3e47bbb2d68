//! Requests to a service, of all kinds, over stores in memory.

use std::{num::NonZeroUsize, sync::Arc};

use bytes::Bytes;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use sha2::{Digest as _, Sha256};
use undertone_credentials::{
    HeadKey, InboxKey, IssuingKey, Wish, authenticate, open_read, open_write, recover, register,
};
use undertone_e2ee::{Generation, Place, Suite};
use undertone_service::{
    AccountPlane, ChannelPlane, DirectoryPlane, Issuer, Registration, TicketKey, VisitorSession, Work,
};
use undertone_store::memory::{MemoryAccounts, MemoryChannels};
use undertone_wire::{
    ChannelId, HandshakeHash, Identifier, Now, Position, account, channel,
    channel::EntryKind,
    circuit::Kind,
    directory, limits,
    objects::{Purpose, Token},
    rpc::{Dispatch, Method, OpenPushes, PushQueue, Service},
    visitor,
};

use crate::{
    Target,
    people::{Person, TODAY},
};

pub const REQUESTS: Target = Target { name: "requests", run: requests, seeds: some_requests, cost: 16 };

const CIRCUIT: HandshakeHash = HandshakeHash::new([6; 32]);
const CHANNEL: ChannelId = ChannelId::new([9; 16]);
const NOW: Now = Now(TODAY.0 as u64 * 86_400_000);
/// Requests of one input.
const REQUESTS_MAX: usize = 16;

/// A request: kind of circuit (1 byte), method (1), length of the body (4, big-endian), body. One session of each kind
/// of circuit is asked all of an input, in order.
fn requests(data: &[u8]) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { return };
    runtime.block_on(async {
        let issuer = Arc::new(Issuer::new(issuing(), ChaCha20Rng::from_seed([7; 32])));
        let accounts = Arc::new(AccountPlane::new(MemoryAccounts::default(), Registration::Open, issuer.clone()));
        let tickets = TicketKey::generate(&mut ChaCha20Rng::from_seed([3; 32]));
        let channels = ChannelPlane::new(MemoryChannels::default(), HeadKey::from_seed(&[4; 32]), tickets, issuer);
        let channels = Arc::new(channels);
        let visitor = VisitorSession::new(accounts.clone(), channels.clone());
        let (account, channel) = (accounts.session(CIRCUIT), channels.session(CIRCUIT));
        let head_key = HeadKey::from_seed(&[4; 32]);
        let directory =
            Arc::new(DirectoryPlane::new(accounts, head_key, NonZeroUsize::MIN, Box::new(|work: Work| work())));
        if directory.publish(NOW, &mut ChaCha20Rng::from_seed([2; 32])).await.is_err() {
            return;
        }
        let directory = directory.session();
        let mut rest = data;
        for _ in 0..REQUESTS_MAX {
            let Some(([kind, method, length @ ..], after)) = rest.split_first_chunk::<6>() else { return };
            let (body, after) = after.split_at(after.len().min(u32::from_be_bytes(*length) as usize));
            let (method, body) = (u32::from(*method), Bytes::copy_from_slice(body));
            match kind % 4 {
                0 => ask::<account::Account>(&account, method, body).await,
                1 => ask::<visitor::Visitor>(&visitor, method, body).await,
                2 => ask::<channel::Channel>(&channel, method, body).await,
                _ => ask::<directory::Directory>(&directory, method, body).await,
            }
            rest = after;
        }
    });
}

async fn ask<S: Service>(session: &impl Dispatch<S>, method: u32, body: Bytes) {
    let _ = session.dispatch(NOW, method, body, OpenPushes::new(Arc::new(Nobody), 1)).await;
}

/// Hears every push.
struct Nobody;

impl PushQueue for Nobody {
    fn push(&self, _: u32, _: Bytes) -> bool {
        true
    }
}

fn request<R: Method>(request: &R) -> Vec<u8> {
    let kind = match R::Service::KIND {
        Kind::Account => 0,
        Kind::Visitor => 1,
        Kind::Channel => 2,
        _ => 3,
    };
    let body = request.encode_to_vec();
    [&[kind, R::NUMBER as u8], &(body.len() as u32).to_be_bytes()[..], &body].concat()
}

fn some_requests() -> Option<Vec<Vec<u8>>> {
    let ana = Person::new(1)?;
    let of_account = account_requests(&ana)?;
    let of_channel = channel_requests(&ana)?;
    let of_directory = directory_requests(&ana)?;
    let all = [&of_account[..], &of_channel].concat();
    let single = of_account.iter().chain(&of_channel).chain(&of_directory).cloned();
    let behind_first =
        of_account.iter().skip(1).flat_map(|request| of_account.first().map(|first| [&first[..], request].concat()));
    let chains = [of_account.concat(), of_channel.concat(), of_directory.concat(), all.concat()];
    Some(single.chain(behind_first).chain(chains).collect())
}

fn account_requests(ana: &Person) -> Option<Vec<Vec<u8>>> {
    let account = ana.account();
    let signatures = register(&CIRCUIT, &ana.list, 1, (&ana.recovery, &ana.identity, &ana.device));
    let package = || ana.key_package(Suite::PostQuantum, false).map(|package| package.encoded().clone());
    let inbox_key = InboxKey::sign(&ana.identity, account, ana.week(), &ana.inbox.public());
    let key_packages = account::PutKeyPackagesRequest {
        one_time: vec![package()?, package()?],
        last_resort: Bytes::new(),
        replace: false,
    };
    let register = account::RegisterRequest {
        device_list: ana.list.encoded().clone(),
        recovery_signature: signatures.recovery,
        identity_signature: signatures.identity,
        device_signature: signatures.device,
        invite: Bytes::new(),
        inbox_key: inbox_key.clone(),
        key_packages: Some(key_packages.clone()),
    };
    let authenticate = account::AuthenticateRequest {
        account: account.into(),
        device: 1,
        signature: authenticate(&CIRCUIT, account, 1, &ana.device).to_vec().into(),
        ..Default::default()
    };
    let second = ana.list.next(&ana.identity, ana.list.devices().to_vec()).ok()?;
    let deliver = visitor::DeliverRequest {
        account: account.into(),
        idempotency_id: vec![1; 16].into(),
        sealed: vec![2; 16 << 10].into(),
        expiry_day: (TODAY + limits::MESSAGE_DAYS_MAX).0,
        ..Default::default()
    };
    let recover = account::RecoverRequest {
        recovery_key: ana.recovery.public().as_bytes().to_vec().into(),
        signature: recover(&CIRCUIT, &ana.recovery).to_vec().into(),
    };
    Some(vec![
        request(&register),
        request(&authenticate),
        request(&account::PutDeviceListRequest { device_list: second.encoded().clone() }),
        request(&account::PutInboxKeyRequest { inbox_key }),
        request(&key_packages),
        request(&visitor::FetchContactRequest { account: account.into(), ..Default::default() }),
        request(&deliver),
        request(&account::ReadInboxRequest { after: 0, limit: 10 }),
        request(&account::ClearInboxRequest { up_to: 1 }),
        request(&account::PutVaultRequest { revision: 1, sealed: vec![3; 8 << 10].into() }),
        request(&account::ReadVaultRequest {}),
        request(&recover),
        request(&account::PutProfileRequest {
            revision: 1,
            sealed: vec![3; 1 << 10].into(),
            access_hash: sha256(&[7; 32]),
        }),
        request(&visitor::FetchProfileRequest { account: account.into(), access: vec![7; 32].into() }),
        request(&account::ReadProfileRequest {}),
        request(&batch(ana)?),
        request(&visitor::DeliverRequest {
            idempotency_id: vec![2; 16].into(),
            tokens: token(Purpose::Inbox)?,
            ..deliver
        }),
        request(&visitor::FetchContactRequest { account: account.into(), tokens: token(Purpose::Contact)? }),
        request(&account::PublishRequest { after: 0 }),
        request(&lookups(ana)?),
        request(&account::PutListingRequest { identifier: identifier(), ..Default::default() }),
        request(&account::RemoveListingRequest { identifier: identifier() }),
        request(&account::DeleteAccountRequest {}),
    ])
}

fn identifier() -> Option<account::Identifier> {
    Identifier::username("ana").ok().as_ref().map(account::Identifier::from)
}

/// Tokens for lookups, as many as are always asked for.
fn lookups(ana: &Person) -> Option<account::IssueLookupsRequest> {
    let blinded =
        limits::LOOKUP.iter().map(|(purpose, each)| blinded(ana, *purpose, each * limits::LOOKUPS_ONCE as usize));
    Some(account::IssueLookupsRequest { week: TODAY.week().0, blinded: blinded.collect::<Option<_>>()? })
}

fn directory_requests(ana: &Person) -> Option<Vec<Vec<u8>>> {
    let [size, ..] = limits::EVALUATIONS;
    let elements = blinded(ana, Purpose::Evaluation, size)?.elements;
    let hash = || Bytes::from(vec![1; 32]);
    Some(vec![
        request(&directory::ReadDirectoryRequest {}),
        request(&directory::EvaluateRequest { elements, tokens: token(Purpose::Evaluation)? }),
        request(&directory::FetchPartRequest { hash: hash(), part: 0 }),
        request(&directory::BeginQueryRequest { head_hash: hash(), tokens: token(Purpose::Query)? }),
        request(&directory::PutQueryPartRequest { part: 0, bytes: hash() }),
        request(&directory::FetchAnswerPartRequest { part: 0 }),
    ])
}

fn sha256(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(&Sha256::digest(bytes))
}

/// A whole batch of elements.
fn batch(ana: &Person) -> Option<account::IssueTokensRequest> {
    let blinded = limits::TOKEN_BATCH.map(|(purpose, count)| blinded(ana, purpose, count)).into_iter();
    Some(account::IssueTokensRequest { week: TODAY.week().0, blinded: blinded.collect::<Option<_>>()? })
}

fn blinded(ana: &Person, purpose: Purpose, count: usize) -> Option<account::Blinded> {
    let wish = Wish::new(purpose, TODAY.week(), count, &mut ana.rng()).ok()?;
    let elements = wish.blinded().into_iter().map(|element| element.to_vec().into()).collect();
    Some(account::Blinded { purpose: i32::from(purpose).unsigned_abs(), elements })
}

/// One that is good.
fn token(purpose: Purpose) -> Option<Vec<Token>> {
    let rng = &mut ChaCha20Rng::from_seed([8; 32]);
    let (key, wish) = (issuing().key(purpose, TODAY.week()), Wish::new(purpose, TODAY.week(), 1, rng).ok()?);
    let issued = key.issue(&wish.blinded(), rng).ok()?;
    let tokens = wish.finish(&key.public(), &issued.evaluated, &issued.proof).ok()?;
    Some(tokens.iter().map(Token::from).collect())
}

fn issuing() -> IssuingKey {
    IssuingKey::from_seed(&[5; 32])
}

fn channel_requests(ana: &Person) -> Option<Vec<Vec<u8>>> {
    let generation = Generation::from_secret([5; 32]);
    let create = visitor::CreateChannelRequest {
        channel: CHANNEL.into(),
        read_key: generation.read_key().public().as_bytes().to_vec().into(),
        write_key: generation.write_key().public().as_bytes().to_vec().into(),
        ..Default::default()
    };
    let opening = channel::Opening {
        channel: CHANNEL.into(),
        generation: 0,
        read_signature: open_read(&CIRCUIT, CHANNEL, 0, &generation.read_key()).to_vec().into(),
        write_signature: open_write(&CIRCUIT, CHANNEL, 0, &generation.write_key()).to_vec().into(),
        known: 1,
    };
    let entry = |kind: EntryKind, id: u8, epoch, installs: &[u8]| {
        let days = if kind == EntryKind::Message { limits::MESSAGE_DAYS_MAX } else { limits::COMMIT_DAYS };
        let expiry_day = TODAY + days;
        let place = Place { channel: CHANNEL, kind, position: Position { incarnation: 0, epoch }, expiry_day };
        Some(channel::NewEntry {
            kind: kind.into(),
            incarnation: 0,
            epoch,
            expiry_day: expiry_day.0,
            body: generation.wrap(&place, b"hello", &mut ana.rng()).ok()?,
            idempotency_id: vec![id; 16].into(),
            installs: installs.to_vec().into(),
            ..channel::NewEntry::default()
        })
    };
    let next = Generation::from_secret([6; 32]);
    let entries = vec![
        entry(EntryKind::Message, 1, 0, &[])?,
        entry(EntryKind::Commit, 2, 0, &[])?,
        entry(EntryKind::Commit, 3, 1, &next.installs())?,
    ];
    let restart = vec![entry(EntryKind::Restart, 4, 2, &generation.installs())?];
    Some(vec![
        request(&create),
        request(&visitor::CreateChannelRequest { tokens: token(Purpose::Channel)?, ..create }),
        request(&channel::OpenRequest { openings: vec![opening] }),
        request(&channel::FollowRequest { channels: vec![CHANNEL.into()], known: vec![1] }),
        request(&channel::AppendRequest { channel: CHANNEL.into(), entries, ..Default::default() }),
        request(&channel::AppendRequest { channel: CHANNEL.into(), entries: restart, ..Default::default() }),
        request(&channel::ReadRequest { channel: CHANNEL.into(), after: 0, limit: 10 }),
        request(&channel::SendTransientRequest { channel: CHANNEL.into(), body: vec![1; 256].into() }),
    ])
}
