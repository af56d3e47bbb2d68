//! The directory: listed by whoever has an identifier, looked up by nobody in particular.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    pin::Pin,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use undertone_credentials::{
    HeadKey, IssuingKey, Wish, give_listing, verify_directory,
    voprf::{Blinded, Element, Proof, SecretScalar, Voprf},
};
use undertone_discovery::{Change, Delta, DiscoverySecret, Header, Question, find_in_table};
use undertone_service::{AccountSession, CodeSender, Codes, DirectoryPlane, DirectorySession, Issuer};
use undertone_store::{Directory as _, ListedElement, Listing};
use undertone_wire::{
    AccountId, Identifier, Message as _, Now,
    account::{
        AccountHandler, DeleteAccountRequest, IssueLookupsReply, IssueLookupsRequest, PutListingRequest,
        RemoveListingRequest, SendCodeRequest,
    },
    circuit::Fault,
    directory::{
        BeginQueryRequest, DirectoryHandler, EvaluateRequest, FetchAnswerPartRequest, FetchPartRequest, Head,
        PutQueryPartRequest, ReadDirectoryRequest,
    },
    limits::{
        EVALUATIONS, EVALUATIONS_A_TOKEN, LISTING_WAIT_DAYS, LISTINGS_MAX, LOOKUP, LOOKUP_PART_BYTES, LOOKUPS_A_DAY,
        LOOKUPS_ONCE,
    },
    objects::{Purpose, Token},
    paid::Paid as _,
};

use crate::people::{Accounts, ISSUING, NOW, TODAY, World, code, tokens};

const DAY_MS: u64 = 86_400_000;
const MINUTE_MS: u64 = 60_000;

/// Codes that were sent, by identifier.
#[derive(Clone, Default)]
pub struct Post(Arc<Mutex<BTreeMap<String, String>>>);

impl CodeSender for Post {
    fn send<'a>(&'a self, to: &'a Identifier, code: &'a str) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        self.0.lock().unwrap().insert(to.text().to_owned(), code.to_owned());
        Box::pin(std::future::ready(!to.text().starts_with("+999")))
    }
}

impl Post {
    pub fn codes(self) -> Codes {
        Codes::new(Box::new(self), ChaCha20Rng::from_seed([6; 32]))
    }
}

/// A service with a directory.
struct Town {
    world: World,
    post: Post,
    directory: Arc<DirectoryPlane<Accounts>>,
    rng: ChaCha20Rng,
}

impl Town {
    fn new() -> Self {
        let post = Post::default();
        let world = World::open().with_codes(post.clone().codes());
        let directory = plane(&world);
        Self { world, post, directory, rng: ChaCha20Rng::from_seed([7; 32]) }
    }

    async fn publish(&mut self, now: Now) {
        self.directory.publish(now, &mut self.rng).await.unwrap();
    }

    async fn refresh(&mut self, now: Now) {
        self.directory.publish_anew(now, &mut self.rng).await.unwrap();
    }

    async fn list(&self, session: &AccountSession<Accounts>, what: &Identifier, now: Now) -> Result<u32, Fault> {
        let code = if matches!(what, Identifier::Username(_)) {
            String::new()
        } else {
            session.send_code(now, SendCodeRequest { identifier: Some(what.into()) }).await?;
            self.post.0.lock().unwrap()[what.text()].clone()
        };
        let listed = session.put_listing(now, put(what, &code)).await?;
        Ok(listed.waits_until_day)
    }
}

fn plane(world: &World) -> Arc<DirectoryPlane<Accounts>> {
    let head_key = HeadKey::from_seed(&[99; 32]);
    let workers = Box::new(|work: Box<dyn FnOnce() + Send>| drop(tokio::task::spawn_blocking(work)));
    Arc::new(DirectoryPlane::new(world.accounts.clone(), head_key, NonZeroUsize::MIN, workers))
}

pub fn put(what: &Identifier, code: &str) -> PutListingRequest {
    PutListingRequest { identifier: Some(what.into()), code: code.to_owned(), ..PutListingRequest::default() }
}

pub fn phone(number: u32) -> Identifier {
    Identifier::phone(&format!("+4179{number:07}")).ok().unwrap()
}

pub fn username(name: &str) -> Identifier {
    Identifier::username(name).ok().unwrap()
}

fn paid(purpose: Purpose, count: usize, seed: u64) -> Vec<Token> {
    tokens(ISSUING, purpose, TODAY.week(), count, seed)
}

/// Somebody who looks people up.
struct Reader {
    session: DirectorySession<Accounts>,
    head: Head,
    hash: Bytes,
    header: Header,
}

impl Reader {
    async fn new(town: &Town) -> Self {
        let session = town.directory.session();
        let reply = session.read_directory(NOW, ReadDirectoryRequest {}).await.unwrap();
        assert_eq!(verify_directory(&town.world.head_key, &reply.head, &reply.signature), Ok(()));
        let head = Head::decode(&reply.head[..]).unwrap();
        let header = Header::from_bytes(&head.base).unwrap();
        let hash = Bytes::copy_from_slice(&<sha2::Sha256 as sha2::Digest>::digest(&reply.head));
        Self { session, head, hash, header }
    }

    async fn secrets(&self, whom: &[Identifier], seed: u64) -> Vec<DiscoverySecret> {
        let rng = &mut ChaCha20Rng::seed_from_u64(seed);
        let size = *EVALUATIONS.iter().find(|size| **size >= whom.len()).unwrap();
        let padding = (0..size - whom.len()).map(|number| vec![0, number as u8, (number >> 8) as u8]);
        let inputs: Vec<_> = whom.iter().map(Identifier::bytes).chain(padding).collect();
        let blinded =
            Blinded::<Voprf>::new(inputs.into_iter().map(|input| (input, SecretScalar::random(rng)))).unwrap();
        let elements = blinded.elements().iter().map(|element| Bytes::copy_from_slice(element.as_bytes())).collect();
        let tokens = paid(Purpose::Evaluation, size.div_ceil(EVALUATIONS_A_TOKEN), seed);
        let reply = self.session.evaluate(NOW, EvaluateRequest { elements, tokens }).await.unwrap();
        let evaluated: Vec<_> = reply.elements.iter().map(|bytes| Element::try_from(&bytes[..]).unwrap()).collect();
        let key = undertone_credentials::voprf::PublicKey::try_from(&self.head.key[..]).unwrap();
        let proof = Proof::try_from(&reply.proof[..]).unwrap();
        let elements = blinded.unblind(&key, &evaluated, &proof).unwrap();
        elements.iter().take(whom.len()).map(DiscoverySecret::from).collect()
    }

    async fn whole(&self, hash: &[u8], bytes: usize) -> Vec<u8> {
        let mut whole = Vec::new();
        for part in 0.. {
            if whole.len() == bytes {
                break;
            }
            let request = FetchPartRequest { hash: Bytes::copy_from_slice(hash), part };
            whole.extend_from_slice(&self.session.fetch_part(NOW, request).await.unwrap().bytes);
        }
        whole
    }

    async fn download(&self) -> Vec<u8> {
        self.whole(self.header.download_hash(), self.header.download_len()).await
    }

    async fn find(&self, whom: &[Identifier], seed: u64) -> Vec<Option<AccountId>> {
        let secrets = self.secrets(whom, seed).await;
        find_in_table(&self.header, &self.download().await, &secrets).unwrap()
    }

    /// Asks a base that is no table.
    async fn ask(&self, secrets: &[DiscoverySecret], seed: u64) -> Vec<Option<AccountId>> {
        let (question, query) = Question::new(&self.header, secrets, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap();
        let tokens = paid(Purpose::Query, 1, seed);
        self.session.begin_query(NOW, BeginQueryRequest { head_hash: self.hash.clone(), tokens }).await.unwrap();
        for (part, bytes) in (0..).zip(query.chunks(LOOKUP_PART_BYTES)) {
            let bytes = Bytes::copy_from_slice(bytes);
            self.session.put_query_part(NOW, PutQueryPartRequest { part, bytes }).await.unwrap();
        }
        let whole = self.header.rows() as usize * self.header.row_len();
        let mut answer = Vec::new();
        for part in 0.. {
            if answer.len() == whole {
                break;
            }
            answer.extend_from_slice(
                &self.session.fetch_answer_part(NOW, FetchAnswerPartRequest { part }).await.unwrap().bytes,
            );
        }
        question.finish(&self.download().await, &answer).unwrap()
    }
}

#[tokio::test]
async fn who_is_listed_is_found_and_nobody_else() {
    let mut town = Town::new();
    let (ana, ana_s) = town.world.registered(1).await;
    let (bo, bo_s) = town.world.registered(2).await;
    assert_eq!(code(town.directory.session().read_directory(NOW, ReadDirectoryRequest {}).await), "UNAVAILABLE");
    assert_eq!(town.list(&ana_s, &phone(1), NOW).await, Ok(0));
    assert_eq!(town.list(&ana_s, &username("ana"), NOW).await, Ok(0));
    assert_eq!(town.list(&bo_s, &phone(2), NOW).await, Ok(0));
    town.publish(NOW).await;

    let reader = Reader::new(&town).await;
    let whom = [phone(3), phone(2), username("ana"), username("bob"), phone(1)];
    let found = reader.find(&whom, 1).await;
    assert!(found == [None, Some(bo.account()), Some(ana.account()), None, Some(ana.account())]);
}

/// Changes are told by the day, so that nothing says when within one they were made; an operator may be in more of a hurry.
#[tokio::test]
async fn what_changes_is_told_the_next_day() {
    let mut town = Town::new();
    let (ana, ana_s) = town.world.registered(1).await;
    let (bo, bo_s) = town.world.registered(2).await;
    town.list(&ana_s, &phone(1), NOW).await.unwrap();
    town.publish(NOW).await;
    let secrets = Reader::new(&town).await.secrets(&[phone(1), phone(2)], 1).await;

    town.list(&bo_s, &phone(2), NOW).await.unwrap();
    ana_s.delete_account(NOW, DeleteAccountRequest {}).await.unwrap();
    for later in [0, MINUTE_MS, 60 * MINUTE_MS] {
        town.publish(NOW.plus_ms(later)).await;
        assert_eq!(Reader::new(&town).await.head.deltas.len(), 1, "nothing within the day");
    }
    town.publish(NOW.plus_ms(DAY_MS)).await;
    let reader = Reader::new(&town).await;
    let [today, tomorrow] = &reader.head.deltas[..] else { panic!("two days were told") };
    assert_eq!((today.day, tomorrow.day), (TODAY.0, TODAY.0 + 1));
    assert_eq!(today.bytes, tomorrow.bytes, "few changes are as many as none");
    let delta = Delta::from_bytes(&reader.whole(&tomorrow.hash, tomorrow.bytes as usize).await).unwrap();
    assert!(delta.find(&secrets[0]) == Some(Change::Removed));
    assert!(delta.find(&secrets[1]) == Some(Change::Added(bo.account())));
    // The base is that of the week, and still has her.
    assert_eq!(reader.header.through(), TODAY.0);
    let found = find_in_table(&reader.header, &reader.download().await, &secrets).unwrap();
    assert!(found == [Some(ana.account()), None]);
    // A new one has not, and is no other by number.
    town.refresh(NOW.plus_ms(DAY_MS)).await;
    let refreshed = Reader::new(&town).await;
    let found = find_in_table(&refreshed.header, &refreshed.download().await, &secrets).unwrap();
    assert!(found == [None, Some(bo.account())] && refreshed.header.number() > reader.header.number());
    // So has that of another week.
    town.publish(NOW.plus_ms(8 * DAY_MS)).await;
    assert!(Reader::new(&town).await.header.number() > refreshed.header.number());
}

#[tokio::test]
async fn an_identifier_is_shown_to_be_one_s_own() {
    let town = Town::new();
    let (_, ana) = town.world.registered(1).await;
    let (_, bo) = town.world.registered(2).await;
    let send = |what: &Identifier| SendCodeRequest { identifier: Some(what.into()) };
    assert_eq!(code(ana.put_listing(NOW, put(&phone(1), "123456")).await), "NOT_FOUND");
    ana.send_code(NOW, send(&phone(1))).await.unwrap();
    let sent = town.post.0.lock().unwrap()[phone(1).text()].clone();
    assert!(sent.len() == 6 && sent.bytes().all(|digit| digit.is_ascii_digit()));
    // It is for her and for this number, for ten minutes.
    assert_eq!(code(bo.put_listing(NOW, put(&phone(1), &sent)).await), "NOT_FOUND");
    assert_eq!(code(ana.put_listing(NOW, put(&phone(2), &sent)).await), "NOT_FOUND");
    assert_eq!(code(ana.put_listing(NOW.plus_ms(11 * MINUTE_MS), put(&phone(1), &sent)).await), "NOT_FOUND");
    let wrong = if sent == "000000" { "000001" } else { "000000" };
    assert_eq!(code(ana.put_listing(NOW, put(&phone(1), wrong)).await), "FORBIDDEN");
    for _ in 0..2 {
        assert_eq!(code(ana.put_listing(NOW, put(&phone(1), &sent)).await), "OK", "an answer may get lost");
    }
    // Who guesses has five tries.
    bo.send_code(NOW, send(&phone(2))).await.unwrap();
    let sent = town.post.0.lock().unwrap()[phone(2).text()].clone();
    let wrong = if sent == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        assert_eq!(code(bo.put_listing(NOW, put(&phone(2), wrong)).await), "FORBIDDEN");
    }
    assert_eq!(code(bo.put_listing(NOW, put(&phone(2), &sent)).await), "NOT_FOUND");
    // What is no identifier, or not in its one spelling.
    for (kind, text) in [(1, "0791234567"), (2, "ana"), (2, "Ana@example.org"), (3, "a"), (0, "ana"), (9, "ana")] {
        let identifier = Some(undertone_wire::account::Identifier { kind, text: text.to_owned() });
        assert_eq!(code(ana.send_code(NOW, SendCodeRequest { identifier: identifier.clone() }).await), "MALFORMED");
        let request = PutListingRequest { identifier, ..PutListingRequest::default() };
        assert_eq!(code(ana.put_listing(NOW, request).await), "MALFORMED");
    }
    assert_eq!(code(ana.send_code(NOW, send(&username("ana"))).await), "MALFORMED", "there is nowhere to send it");
}

#[tokio::test]
async fn codes_are_few() {
    let town = Town::new();
    let send = |what: &Identifier| SendCodeRequest { identifier: Some(what.into()) };
    let (_, ana) = town.world.registered(1).await;
    for number in 0..5 {
        ana.send_code(NOW, send(&phone(number))).await.unwrap();
    }
    assert_eq!(code(ana.send_code(NOW, send(&phone(9))).await), "EXHAUSTED");
    // However many accounts somebody has, one phone does not ring all day.
    for seed in 2..6 {
        let (_, other) = town.world.registered(seed).await;
        other.send_code(NOW, send(&phone(0))).await.unwrap();
    }
    let (_, another) = town.world.registered(7).await;
    assert_eq!(code(another.send_code(NOW, send(&phone(0))).await), "EXHAUSTED");
    another.send_code(NOW, send(&phone(9))).await.unwrap();
    ana.send_code(NOW.plus_ms(DAY_MS), send(&phone(0))).await.unwrap();
    // A gateway that fails is not the asker's fault, and no code of it waits.
    let nowhere = Identifier::phone("+99912345678").ok().unwrap();
    assert_eq!(code(another.send_code(NOW, send(&nowhere)).await), "UNAVAILABLE");
    assert_eq!(code(another.put_listing(NOW, put(&nowhere, "123456")).await), "NOT_FOUND");
}

#[tokio::test]
async fn a_service_without_a_gateway_lists_usernames_alone() {
    let world = World::open();
    let (_, ana) = world.registered(1).await;
    assert_eq!(code(ana.send_code(NOW, SendCodeRequest { identifier: Some((&phone(1)).into()) }).await), "FORBIDDEN");
    assert_eq!(code(ana.put_listing(NOW, put(&phone(1), "")).await), "FORBIDDEN");
    assert_eq!(code(ana.put_listing(NOW, put(&username("ana"), "")).await), "OK");
    // So many, and no more.
    for number in 1..LISTINGS_MAX {
        assert_eq!(code(ana.put_listing(NOW, put(&username(&format!("ana{number}")), "")).await), "OK");
    }
    assert_eq!(code(ana.put_listing(NOW, put(&username("another"), "")).await), "EXHAUSTED");
    ana.remove_listing(NOW, RemoveListingRequest { identifier: Some((&username("ana")).into()) }).await.unwrap();
    assert_eq!(code(ana.put_listing(NOW, put(&username("another"), "")).await), "OK");
}

#[tokio::test]
async fn who_is_listed_has_a_week_to_keep_it() {
    let mut town = Town::new();
    let (ana, ana_s) = town.world.registered(1).await;
    let (bo, bo_s) = town.world.registered(2).await;
    assert_eq!(town.list(&ana_s, &phone(1), NOW).await, Ok(0));
    assert_eq!(town.list(&bo_s, &phone(1), NOW).await, Ok(TODAY.0 + LISTING_WAIT_DAYS));
    // She is told, whenever she comes.
    for (person, told) in [(&ana, true), (&bo, false)] {
        let (circuit, session) = town.world.account_circuit();
        assert_eq!(session.authenticate(NOW, person.authentication(&circuit)).await.unwrap().listing_claimed, told);
    }
    town.publish(NOW).await;
    assert!(Reader::new(&town).await.find(&[phone(1)], 1).await == [Some(ana.account())]);
    let later = NOW.plus_ms(u64::from(LISTING_WAIT_DAYS) * DAY_MS);
    assert_eq!(town.list(&bo_s, &phone(1), later).await, Ok(0));
    town.refresh(later).await;
    assert!(Reader::new(&town).await.find(&[phone(1)], 2).await == [Some(bo.account())]);
}

#[tokio::test]
async fn whoever_has_the_words_needs_not_wait() {
    let town = Town::new();
    let (ana, ana_s) = town.world.registered(1).await;
    let (bo, _) = town.world.registered(2).await;
    town.list(&ana_s, &username("ana"), NOW).await.unwrap();
    let (circuit, session) = town.world.account_circuit();
    session.authenticate(NOW, bo.authentication(&circuit)).await.unwrap();
    let take = |key, what: &Identifier| {
        let recovery_signature = Bytes::copy_from_slice(&give_listing(&circuit, key, bo.account(), what));
        PutListingRequest { recovery_signature, ..put(what, "") }
    };
    assert_eq!(code(session.put_listing(NOW, take(&bo.recovery, &username("ana"))).await), "UNAUTHENTICATED");
    assert_eq!(code(session.put_listing(NOW, take(&ana.recovery, &username("nobody"))).await), "NOT_FOUND");
    assert_eq!(session.put_listing(NOW, take(&ana.recovery, &username("ana"))).await.unwrap().waits_until_day, 0);
}

/// A request for lookups, and what reads its answer.
pub fn lookups(seed: u8) -> (IssueLookupsRequest, Vec<Wish>) {
    let rng = &mut ChaCha20Rng::from_seed([seed; 32]);
    let wish = |(purpose, each): &(Purpose, usize)| {
        Wish::new(*purpose, TODAY.week(), each * LOOKUPS_ONCE as usize, rng).unwrap()
    };
    let wishes: Vec<_> = LOOKUP.iter().map(wish).collect();
    let blinded = wishes.iter().map(|wish| undertone_wire::account::Blinded {
        purpose: i32::from(wish.purpose()).unsigned_abs(),
        elements: wish.blinded().iter().map(|element| Bytes::copy_from_slice(element)).collect(),
    });
    (IssueLookupsRequest { week: TODAY.week().0, blinded: blinded.collect() }, wishes)
}

fn granted(reply: Result<IssueLookupsReply, Fault>) -> usize {
    let reply = reply.unwrap();
    for ((_, each), evaluated) in LOOKUP.iter().zip(&reply.evaluated) {
        assert_eq!(evaluated.elements.len() / each, reply.evaluated[0].elements.len());
    }
    reply.evaluated[0].elements.len()
}

/// 1,600 at once, and 96 a day.
#[tokio::test]
async fn the_1_601st_evaluation_is_refused() {
    let town = Town::new();
    let (_, ana) = town.world.registered(1).await;
    let (request, wishes) = lookups(1);
    let reply = ana.issue_lookups(NOW, request.clone()).await.unwrap();
    let key = IssuingKey::from_seed(&ISSUING).public(Purpose::Evaluation, TODAY.week());
    let evaluated = &reply.evaluated[0];
    let tokens = wishes[0].finish(&key, &evaluated.elements, &evaluated.proof).unwrap();
    assert_eq!(tokens.len() * EVALUATIONS_A_TOKEN, 1_600);
    assert_eq!(granted(ana.issue_lookups(NOW, request).await), LOOKUPS_ONCE as usize, "the same again costs nothing");
    assert_eq!(code(ana.issue_lookups(NOW, lookups(2).0).await), "EXHAUSTED");
    for days in 1..3 {
        let (now, asked) = (NOW.plus_ms(days * DAY_MS), lookups(2 + days as u8).0);
        assert_eq!(granted(ana.issue_lookups(now, asked).await), LOOKUPS_A_DAY as usize);
        assert_eq!(code(ana.issue_lookups(now, lookups(100).0).await), "EXHAUSTED");
    }

    // And they pay for as many, once.
    let elements = |count: usize| {
        let rng = &mut ChaCha20Rng::seed_from_u64(5);
        let inputs = (0..count).map(|number| (number.to_be_bytes().to_vec(), SecretScalar::random(rng)));
        let blinded = Blinded::<Voprf>::new(inputs).unwrap();
        blinded.elements().iter().map(|element| Bytes::copy_from_slice(element.as_bytes())).collect::<Vec<_>>()
    };
    let session = town.directory.session();
    let tokens: Vec<Token> = tokens.iter().map(Token::from).collect();
    let all = EvaluateRequest { elements: elements(1_600), tokens: tokens.clone() };
    assert_eq!(all.price(), tokens.len());
    let short = EvaluateRequest { tokens: tokens[1..].to_vec(), ..all.clone() };
    assert_eq!(code(session.evaluate(NOW, short).await), "TOKEN");
    for _ in 0..2 {
        assert_eq!(session.evaluate(NOW, all.clone()).await.unwrap().elements.len(), 1_600);
    }
    let more = EvaluateRequest { elements: elements(32), tokens: tokens[..1].to_vec() };
    assert_eq!(code(session.evaluate(NOW, more).await), "TOKEN");
    let odd = EvaluateRequest { elements: elements(33), tokens: paid(Purpose::Evaluation, 1, 9) };
    assert_eq!(code(session.evaluate(NOW, odd).await), "MALFORMED", "nobody shows how many he has");
    let other = EvaluateRequest { elements: elements(32), tokens: paid(Purpose::Query, 1, 9) };
    assert_eq!(code(session.evaluate(NOW, other).await), "TOKEN");
    let identity = EvaluateRequest { elements: vec![vec![0; 32].into(); 32], tokens: paid(Purpose::Evaluation, 1, 10) };
    assert_eq!(code(session.evaluate(NOW, identity).await), "MALFORMED");
}

/// Listings enough for a base that is asked instead of downloaded.
fn crowd(town: &Town) -> Vec<(DiscoverySecret, AccountId)> {
    let (mut crowd, mut known) = (Vec::new(), Vec::new());
    for number in 0..45_000_u32 {
        let mut element = [1; 32];
        element[..4].copy_from_slice(&number.to_be_bytes());
        let mut account = [2; 16];
        account[..4].copy_from_slice(&number.to_be_bytes());
        let account = AccountId::new(account);
        crowd.push(Listing { element: ListedElement(element), account });
        if number % 1_000 == 0 {
            known.push((DiscoverySecret::of_element(&element), account));
        }
    }
    town.world.account_store.inhabit(crowd);
    known
}

#[tokio::test]
async fn a_large_base_is_asked() {
    let mut town = Town::new();
    let (ana, session) = town.world.registered(1).await;
    town.list(&session, &phone(1), NOW).await.unwrap();
    let crowd = crowd(&town);
    town.publish(NOW).await;
    let reader = Reader::new(&town).await;
    assert!(reader.header.rows() > 0);
    let mut secrets = reader.secrets(&[phone(1), phone(2)], 1).await;
    secrets.extend(crowd.iter().map(|(secret, _)| secret.clone()));
    let found = reader.ask(&secrets, 2).await;
    let expected = [Some(ana.account()), None].into_iter().chain(crowd.iter().map(|(_, account)| Some(*account)));
    assert!(found.into_iter().eq(expected));

    // One circuit, one query; one token, one try; of this head alone.
    let begin = |seed| BeginQueryRequest { head_hash: reader.hash.clone(), tokens: paid(Purpose::Query, 1, seed) };
    assert_eq!(code(reader.session.begin_query(NOW, begin(3)).await), "FORBIDDEN");
    let other = town.directory.session();
    assert_eq!(code(other.begin_query(NOW, begin(2)).await), "TOKEN");
    assert_eq!(
        code(other.begin_query(NOW, BeginQueryRequest { head_hash: vec![1; 32].into(), ..begin(3) }).await),
        "NOT_FOUND"
    );
    assert_eq!(
        code(other.begin_query(NOW, BeginQueryRequest { head_hash: vec![1; 31].into(), ..begin(3) }).await),
        "MALFORMED"
    );
    let part = |part, bytes: usize| PutQueryPartRequest { part, bytes: vec![0; bytes].into() };
    assert_eq!(code(other.put_query_part(NOW, part(0, LOOKUP_PART_BYTES)).await), "FORBIDDEN");
    other.begin_query(NOW, begin(3)).await.unwrap();
    assert_eq!(code(other.fetch_answer_part(NOW, FetchAnswerPartRequest { part: 0 }).await), "CONFLICT");
    assert_eq!(code(other.put_query_part(NOW, part(1, LOOKUP_PART_BYTES)).await), "CONFLICT");
    assert_eq!(code(other.put_query_part(NOW, part(0, LOOKUP_PART_BYTES - 1)).await), "MALFORMED");
    assert_eq!(code(other.put_query_part(NOW, part(0, 0)).await), "MALFORMED");
    other.put_query_part(NOW, part(0, LOOKUP_PART_BYTES)).await.unwrap();
    assert_eq!(code(other.put_query_part(NOW, part(0, LOOKUP_PART_BYTES)).await), "CONFLICT");

    // There is room for a few. Who holds his place for long leaves it to the next.
    let mut held = Vec::new();
    let full = loop {
        let session = town.directory.session();
        let begun = session.begin_query(NOW, begin(100 + held.len() as u64)).await;
        match begun {
            Ok(_) => held.push(session),
            Err(fault) => break fault,
        }
    };
    assert_eq!(full.code().as_str_name(), "EXHAUSTED");
    assert!(held.len() > 8 && held.len() < 20);
    let late = town.directory.session();
    late.begin_query(NOW.plus_ms(3 * MINUTE_MS), begin(99)).await.unwrap();
    assert_eq!(code(reader.session.fetch_answer_part(NOW, FetchAnswerPartRequest { part: 0 }).await), "NOT_FOUND");
    drop(held);
    town.directory.session().begin_query(NOW, begin(98)).await.unwrap();
}

/// What is kept of listings under a key that was stolen says nothing under another.
#[tokio::test]
async fn another_key_finds_the_same_people() {
    let mut town = Town::new();
    let (ana, ana_s) = town.world.registered(1).await;
    town.list(&ana_s, &phone(1), NOW).await.unwrap();
    town.publish(NOW).await;
    let before = Reader::new(&town).await;
    town.directory.take_another_key().await.unwrap();
    let state = town.directory.state().await.unwrap();
    assert_eq!((state.listings, state.key, state.next_key), (1, 1, 2));

    // At the next start.
    let number = std::num::NonZeroU32::new(state.next_key).unwrap();
    let issuer = Issuer::new(IssuingKey::from_seed(&ISSUING), ChaCha20Rng::from_seed([9; 32]));
    town.world.restart_with(issuer.with_directory_key(number));
    town.directory = plane(&town.world);
    town.publish(NOW.plus_ms(MINUTE_MS)).await;
    let after = Reader::new(&town).await;
    assert!(after.head.key != before.head.key);
    assert!(after.find(&[phone(1), phone(2)], 1).await == [Some(ana.account()), None]);
    let old = IssuingKey::from_seed(&ISSUING).directory_key(std::num::NonZeroU32::MIN).element(&phone(1)).unwrap();
    assert!(town.world.account_store.listed(ListedElement(old)).await.unwrap().is_none());
}
