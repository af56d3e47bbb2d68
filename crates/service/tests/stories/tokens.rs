//! Blind tokens: issued to accounts, spent by nobody in particular.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use undertone_credentials::{HeadKey, IssuingKey, KeyPackage, VerifiedParameters, Wish};
use undertone_service::{AccountPlane, ChannelPlane, Registration, TicketKey, VisitorSession};
use undertone_store::{
    Accounts as _, StoreError,
    memory::MemoryChannels,
    sqlite::{SqliteAccounts, SqliteChannels},
};
use undertone_wire::{
    HandshakeHash, Now, Week,
    account::{AccountHandler, Blinded, ClearInboxRequest, IssueTokensReply, IssueTokensRequest, ReadInboxRequest},
    channel::{ChannelHandler, FollowRequest, OpenRequest, ReadRequest, ResumeRequest, SendTransientRequest},
    circuit::{Code, Fault},
    limits::{
        INBOX_ENTRIES_MAX, INBOX_RESERVE, KEY_PACKAGES_MAX, KEY_PACKAGES_RESERVE, RESERVE_TOKENS, TOKEN_BATCH,
        TOKEN_BATCHES_A_WEEK,
    },
    objects::{Purpose, Token},
    visitor::{DeliverRequest, FetchContactRequest, VisitorHandler},
};

use crate::{
    people::{Accounts, ISSUING, Keys, LETTER_DAY, Listener, NOW, Person, TODAY, World, code, issuer, message, tokens},
    stores::Trouble,
};

type Session = undertone_service::AccountSession<Accounts>;

const WEEK: Week = NOW.day().week();
const WEEK_MS: u64 = 7 * 86_400_000;
/// Tokens of one batch.
const BATCH: u64 = 8 + 16 + 16 + 16;

/// A request for one whole batch, and what reads its answer.
pub fn whole_batch(seed: u8) -> (IssueTokensRequest, Vec<Wish>) {
    batch_of(seed, WEEK)
}

fn batch_of(seed: u8, week: Week) -> (IssueTokensRequest, Vec<Wish>) {
    let rng = &mut ChaCha20Rng::from_seed([seed; 32]);
    let wishes = TOKEN_BATCH.map(|(purpose, count)| Wish::new(purpose, week, count, rng).unwrap());
    let blinded = wishes.iter().map(|wish| Blinded {
        purpose: i32::from(wish.purpose()).unsigned_abs(),
        elements: wish.blinded().iter().map(|element| Bytes::copy_from_slice(element)).collect(),
    });
    (IssueTokensRequest { week: week.0, blinded: blinded.collect() }, wishes.into())
}

fn finish(wishes: &[Wish], reply: &IssueTokensReply) -> Vec<Vec<Token>> {
    let issuing = IssuingKey::from_seed(&ISSUING);
    let finish = |(wish, evaluated): (&Wish, &undertone_wire::account::Evaluated)| {
        let key = issuing.public(wish.purpose(), wish.week());
        let tokens = wish.finish(&key, &evaluated.elements, &evaluated.proof).unwrap();
        tokens.iter().map(Token::from).collect()
    };
    wishes.iter().zip(&reply.evaluated).map(finish).collect()
}

fn good(purpose: Purpose, count: usize, seed: u64) -> Vec<Token> {
    tokens(ISSUING, purpose, WEEK, count, seed)
}

/// What a fault says that it costs; none where it is another.
fn price<T>(result: Result<T, Fault>) -> Option<u32> {
    result.err().filter(|fault| fault.code() == Code::Token).map(|fault| fault.tokens)
}

fn letter(person: &Person, number: u32, tokens: Vec<Token>) -> DeliverRequest {
    let mut id = vec![0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    DeliverRequest {
        account: person.account().into(),
        idempotency_id: id.into(),
        sealed: vec![7; 16 << 10].into(),
        expiry_day: LETTER_DAY,
        tokens,
    }
}

fn contact(person: &Person, tokens: Vec<Token>) -> FetchContactRequest {
    FetchContactRequest { account: person.account().into(), tokens }
}

#[tokio::test]
async fn a_batch_is_issued_and_pays() {
    let world = World::open();
    let (ana, session) = world.registered(1).await;
    let (request, wishes) = whole_batch(1);
    let reply = session.issue_tokens(NOW, request).await.unwrap();
    let [channels, inboxes, contacts, ..] = &finish(&wishes, &reply)[..] else { panic!("too few purposes") };
    assert_eq!((channels.len(), inboxes.len(), contacts.len()), (8, 16, 16));

    let creation = |tokens: &[Token]| undertone_wire::visitor::CreateChannelRequest {
        tokens: tokens.to_vec(),
        ..Keys::new(1).creation()
    };
    assert_eq!(price(world.bare_visitor().create_channel(NOW, creation(&[])).await), Some(1));
    assert_eq!(code(world.bare_visitor().create_channel(NOW, creation(&channels[..1])).await), "OK");
    assert_eq!(price(world.bare_visitor().deliver(NOW, letter(&ana, 1, vec![])).await), Some(1));
    assert_eq!(code(world.bare_visitor().deliver(NOW, letter(&ana, 1, inboxes[..1].to_vec())).await), "OK");
    assert_eq!(price(world.bare_visitor().fetch_contact(NOW, contact(&ana, vec![])).await), Some(1));
    assert_eq!(code(world.bare_visitor().fetch_contact(NOW, contact(&ana, contacts[..1].to_vec())).await), "OK");
    assert_eq!(world.accounts.tokens_issued(WEEK).await.unwrap(), BATCH);
    assert_eq!(world.accounts.tokens_spent(WEEK).await.unwrap() + world.channels.tokens_spent(WEEK).await.unwrap(), 3);
}

#[tokio::test]
async fn a_batch_has_one_form() {
    let world = World::open();
    let (_, session) = world.registered(1).await;
    let changes = world.account_store.changes();
    let ask = async |change: fn(&mut IssueTokensRequest)| {
        let (mut request, _) = whole_batch(1);
        change(&mut request);
        code(session.issue_tokens(NOW, request).await)
    };
    assert_eq!(ask(|request| request.blinded.truncate(2)).await, "MALFORMED");
    assert_eq!(ask(|request| request.blinded.swap(0, 1)).await, "MALFORMED");
    assert_eq!(ask(|request| request.blinded[1] = request.blinded[0].clone()).await, "MALFORMED");
    assert_eq!(ask(|request| request.blinded[0].purpose = 9).await, "MALFORMED");
    assert_eq!(ask(|request| drop(request.blinded[0].elements.pop())).await, "MALFORMED");
    assert_eq!(ask(|request| request.blinded[2].elements.push(vec![1; 32].into())).await, "MALFORMED");
    assert_eq!(ask(|request| request.blinded[2].elements[3] = vec![1; 33].into()).await, "MALFORMED");
    assert_eq!(ask(|request| request.week += 1).await, "MALFORMED");
    assert_eq!(ask(|request| request.week -= 1).await, "MALFORMED");
    assert_eq!(ask(|request| request.week = u32::MAX).await, "MALFORMED");
    assert_eq!(world.account_store.changes(), changes, "nothing was counted");
    // No elements: not canonical, and the identity.
    assert_eq!(ask(|request| request.blinded[2].elements[3] = vec![255; 32].into()).await, "MALFORMED");
    assert_eq!(ask(|request| request.blinded[2].elements[3] = vec![0; 32].into()).await, "MALFORMED");
    assert_eq!(ask(|_| ()).await, "OK");
    assert_eq!(ask(|request| request.blinded.truncate(3)).await, "OK", "release 0.2 knows no blobs");
}

#[tokio::test]
async fn around_its_beginning_a_week_is_whichever_a_clock_says() {
    let world = World::open();
    let (_, session) = world.registered(1).await;
    let begins = Now((u64::from(WEEK.0) + 1) * WEEK_MS);
    for (now, weeks) in [(begins.0 - 1, [0, 1]), (begins.0, [0, 1]), (begins.0 + WEEK_MS - 1, [1, 2])] {
        for week in weeks {
            let (request, _) = batch_of(1, Week(WEEK.0 + week));
            assert_eq!(code(session.issue_tokens(Now(now), request).await), "OK");
        }
    }
}

#[tokio::test]
async fn a_budget_is_by_account_and_week() {
    let world = World::with_issuer(Registration::Open, issuer().with_budget(3));
    let (_, ana) = world.registered(1).await;
    let (_, bo) = world.registered(2).await;
    let ask =
        async |session: &Session, now, seed| code(session.issue_tokens(now, batch_of(seed, now.day().week()).0).await);
    for seed in 1..=3 {
        assert_eq!(ask(&ana, NOW, seed).await, "OK");
    }
    let refused = ana.issue_tokens(NOW, whole_batch(4).0).await.err().unwrap();
    assert_eq!(refused.code().as_str_name(), "EXHAUSTED");
    let next_week = NOW.plus_ms(u64::from(refused.retry_after_ms));
    assert_eq!(next_week.0 % WEEK_MS, 0);
    assert_eq!(ask(&ana, NOW, 2).await, "OK", "the same again costs nothing");
    assert_eq!(ask(&bo, NOW, 4).await, "OK");
    assert_eq!(ask(&ana, next_week, 4).await, "OK");
    world.accounts.expire(next_week.plus_ms(2 * 86_400_000)).await.unwrap();
    assert_eq!(world.accounts.tokens_issued(WEEK).await.unwrap(), 0, "last week's batches are forgotten");
    assert_eq!(world.accounts.tokens_issued(Week(WEEK.0 + 1)).await.unwrap(), BATCH);
}

#[tokio::test]
async fn the_usual_budget_holds() {
    let world = World::open();
    let (_, session) = world.registered(1).await;
    for seed in 0..TOKEN_BATCHES_A_WEEK as u8 {
        // Counted, and then not computed: the last of them is no element.
        let mut request = whole_batch(1).0;
        request.blinded[0].elements[0] = vec![255 - seed; 32].into();
        assert_eq!(code(session.issue_tokens(NOW, request).await), "MALFORMED");
    }
    assert_eq!(code(session.issue_tokens(NOW, whole_batch(1).0).await), "EXHAUSTED");
}

#[tokio::test]
async fn the_same_elements_give_the_same_tokens() {
    let world = World::open();
    let (_, session) = world.registered(1).await;
    let (request, wishes) = whole_batch(1);
    let mut other = request.clone();
    // Another batch, in which all elements but one are those of the first.
    other.blinded[0].elements[0] = whole_batch(2).0.blinded[0].elements[0].clone();
    let first = session.issue_tokens(NOW, request.clone()).await.unwrap();
    let again = session.issue_tokens(NOW, request).await.unwrap();
    let other = session.issue_tokens(NOW, other).await.unwrap();
    let elements = |reply: &IssueTokensReply| reply.evaluated.iter().map(|e| e.elements.clone()).collect::<Vec<_>>();
    assert!(elements(&first) == elements(&again) && elements(&first)[1..] == elements(&other)[1..]);
    let nonces = |reply| finish(&wishes, reply).concat().into_iter().map(|token| token.nonce).collect::<Vec<_>>();
    assert!(nonces(&first) == nonces(&again), "so nobody has more of them to spend");
}

#[tokio::test]
async fn who_is_suspended_is_issued_none_and_goes_on() {
    let world = World::open();
    let (ana, session) = world.registered(1).await;
    assert!(world.accounts.suspend(ana.account(), true).await.unwrap());
    assert!(!world.accounts.suspend(Person::new(2).account(), true).await.unwrap());
    assert_eq!(code(session.issue_tokens(NOW, whole_batch(1).0).await), "FORBIDDEN");
    let inbox = undertone_wire::account::ReadInboxRequest { after: 0, limit: 1 };
    assert_eq!(code(session.read_inbox(NOW, inbox).await), "OK");
    assert_eq!(code(world.visitor().deliver(NOW, letter(&ana, 1, vec![])).await), "OK");
    world.accounts.suspend(ana.account(), false).await.unwrap();
    assert_eq!(code(session.issue_tokens(NOW, whole_batch(1).0).await), "OK");
}

#[tokio::test]
async fn what_is_no_token_of_this_purpose_and_week_pays_nothing() {
    let world = World::open();
    let (ana, _) = world.registered(1).await;
    let inbox = |week: u32| tokens(ISSUING, Purpose::Inbox, Week(week), 1, 1);
    let forged = |change: fn(&mut Token)| {
        let mut tokens = good(Purpose::Inbox, 1, 1);
        change(&mut tokens[0]);
        tokens
    };
    let changes = world.account_store.changes();
    for (what, tokens) in [
        ("another purpose", good(Purpose::Contact, 1, 1)),
        ("no purpose of ours", good(Purpose::Channel, 1, 1)),
        ("another key", tokens([1; 32], Purpose::Inbox, WEEK, 1, 1)),
        ("two weeks ago", inbox(WEEK.0 - 2)),
        ("next week", inbox(WEEK.0 + 1)),
        ("a made up one", vec![Token { week: WEEK.0, nonce: vec![1; 32].into(), authenticator: vec![2; 64].into() }]),
        ("an empty one", vec![Token::default()]),
        ("another nonce", forged(|token| token.nonce = vec![1; 32].into())),
        ("a shorter nonce", forged(|token| token.nonce.truncate(31))),
        ("a longer authenticator", forged(|token| token.authenticator = vec![1; 65].into())),
        ("last week's, under this one's key", forged(|token| token.week -= 1)),
        ("a good one with a bad one", [good(Purpose::Inbox, 1, 1), inbox(WEEK.0 - 2)].concat()),
        ("the same twice", [good(Purpose::Inbox, 1, 1), good(Purpose::Inbox, 1, 1)].concat()),
    ] {
        assert_eq!(price(world.bare_visitor().deliver(NOW, letter(&ana, 1, tokens)).await), Some(1), "{what}");
    }
    assert_eq!(code(world.bare_visitor().deliver(NOW, letter(&ana, 1, good(Purpose::Inbox, 5, 1))).await), "MALFORMED");
    assert_eq!(world.account_store.changes(), changes, "and nothing was spent");
    assert_eq!(code(world.bare_visitor().deliver(NOW, letter(&ana, 1, inbox(WEEK.0 - 1))).await), "OK");
    assert_eq!(code(world.bare_visitor().deliver(NOW, letter(&ana, 2, good(Purpose::Inbox, 1, 1))).await), "OK");
}

#[tokio::test]
async fn a_token_pays_for_one_request_however_often_that_comes() {
    let world = World::open();
    let (ana, _) = world.registered(1).await;
    let (bo, _) = world.registered(2).await;
    let token = good(Purpose::Inbox, 1, 1);
    let deliver = async |person: &Person, number, tokens: &[Token]| {
        world.bare_visitor().deliver(NOW, letter(person, number, tokens.to_vec())).await
    };
    for _ in 0..3 {
        assert_eq!(code(deliver(&ana, 1, &token).await), "OK");
    }
    assert_eq!(price(deliver(&ana, 2, &token).await), Some(1));
    assert_eq!(price(deliver(&bo, 1, &token).await), Some(1));
    let fresh = good(Purpose::Inbox, 1, 2);
    assert_eq!(price(deliver(&bo, 1, &[token.clone(), fresh.clone()].concat()).await), Some(1));
    assert_eq!(code(deliver(&bo, 1, &fresh).await), "OK", "what came with a spent one was not spent");
    assert_eq!(world.accounts.counts().await.unwrap().inbox_entries, 2);

    // Malformed requests cost nothing.
    let third = good(Purpose::Inbox, 1, 3);
    let malformed = DeliverRequest { sealed: vec![1; 99].into(), ..letter(&ana, 3, third.clone()) };
    assert_eq!(code(world.bare_visitor().deliver(NOW, malformed).await), "MALFORMED");
    assert_eq!(code(deliver(&ana, 3, &third).await), "OK");
}

#[tokio::test]
async fn what_was_paid_and_not_done_is_done_when_it_comes_again() {
    let world = World::open();
    let (ana, _) = world.registered(1).await;
    for (number, trouble, expected) in [
        (1, Trouble::Before(StoreError::NotApplied), "UNAVAILABLE"),
        (2, Trouble::After(StoreError::Unknown), "UNKNOWN"),
    ] {
        let request = letter(&ana, number, good(Purpose::Inbox, 1, u64::from(number)));
        world.account_store.trouble(trouble);
        assert_eq!(code(world.bare_visitor().deliver(NOW, request.clone()).await), expected);
        assert_eq!(code(world.bare_visitor().deliver(NOW, request).await), "OK");
    }
    assert_eq!(world.accounts.counts().await.unwrap().inbox_entries, 2);
    assert_eq!(world.accounts.tokens_spent(WEEK).await.unwrap(), 2);
}

/// Letters that nobody had to pay for.
async fn fill(world: &World, person: &Person, numbers: Range<u64>) {
    for number in numbers {
        let DeliverRequest { idempotency_id, sealed, .. } = letter(person, number as u32, vec![]);
        let id = idempotency_id[..].try_into().unwrap();
        let store = &world.account_store;
        store.deliver(person.account(), id, sealed, TODAY + 30, u64::MAX).await.unwrap();
    }
}

#[tokio::test]
async fn the_last_places_of_an_inbox_cost_more() {
    let world = World::open();
    let (ana, _) = world.registered(1).await;
    let deliver = async |number: u32, tokens| world.bare_visitor().deliver(NOW, letter(&ana, number, tokens)).await;
    fill(&world, &ana, 0..INBOX_RESERVE).await;
    let tokens = good(Purpose::Inbox, 16, 9);
    assert_eq!(price(deliver(9_000, tokens[..1].to_vec()).await), Some(RESERVE_TOKENS as u32));
    assert_eq!(price(deliver(9_000, tokens[..3].to_vec()).await), Some(RESERVE_TOKENS as u32));
    assert_eq!(code(deliver(9_000, tokens[..4].to_vec()).await), "OK", "those that were there are among them");
    assert_eq!(code(deliver(9_000, tokens[..1].to_vec()).await), "OK", "a letter that stands needs no more");
    assert_eq!(code(deliver(9_001, tokens[4..8].to_vec()).await), "OK");
    fill(&world, &ana, INBOX_RESERVE + 2..INBOX_ENTRIES_MAX).await;
    assert_eq!(code(deliver(9_002, tokens[8..12].to_vec()).await), "EXHAUSTED");
    assert_eq!(price(deliver(9_003, tokens[12..13].to_vec()).await), Some(RESERVE_TOKENS as u32));
}

#[tokio::test]
async fn the_last_key_packages_cost_more_and_a_retry_takes_none() {
    let world = World::open();
    let (ana, session) = world.registered(1).await;
    let packages = (3..KEY_PACKAGES_RESERVE as u8 + 2).map(|content| ana.key_package(content, false)).collect();
    let put = undertone_wire::account::PutKeyPackagesRequest { one_time: packages, ..Default::default() };
    let left = session.put_key_packages(NOW, put).await.unwrap().key_packages_left;
    assert_eq!(left, KEY_PACKAGES_RESERVE + 1);
    let tokens = good(Purpose::Contact, 16, 1);
    let last_resort = async |tokens: &[Token]| {
        let contact = world.bare_visitor().fetch_contact(NOW, contact(&ana, tokens.to_vec())).await.unwrap();
        KeyPackage::verify(&ana.list, &contact.key_packages[0]).unwrap().last_resort()
    };
    assert!(!last_resort(&tokens[..1]).await);
    assert!(last_resort(&tokens[..1]).await, "again, with the same token");
    assert!(last_resort(&tokens[1..2]).await, "the rest is kept back");
    assert!(!last_resort(&tokens[2..6]).await, "for those who pay more");
    assert!(last_resort(&tokens[2..6]).await);
    let counts = world.accounts.counts().await.unwrap();
    assert_eq!(counts.key_packages, u64::from(KEY_PACKAGES_RESERVE) - 1);
}

/// What one account can have of one purpose at most: all that it is issued in the two weeks in which tokens are good.
fn hoard(purpose: Purpose) -> Vec<Token> {
    let [(_, batch)] = TOKEN_BATCH.iter().filter(|(of, _)| *of == purpose).collect::<Vec<_>>()[..] else {
        unreachable!()
    };
    good(purpose, TOKEN_BATCHES_A_WEEK as usize * 2 * batch, 5)
}

/// One stranger, with all the tokens that one account can have, and as many more acts with those that are spent.
#[tokio::test]
async fn ten_thousand_letters_do_not_keep_others_out() {
    let world = World::open();
    let (ana, session) = world.registered(1).await;
    let hoard = hoard(Purpose::Inbox);
    let deliver = async |number, tokens: &[Token]| {
        code(world.bare_visitor().deliver(NOW, letter(&ana, number, tokens.to_vec())).await) == "OK"
    };
    let (mut delivered, mut spent, mut acts) = (0, 0, 0);
    while spent < hoard.len() {
        let price = if delivered < INBOX_RESERVE { 1 } else { RESERVE_TOKENS };
        let Some(tokens) = hoard.get(spent..spent + price) else { break };
        acts += 1;
        spent += price;
        delivered += u64::from(deliver(acts, tokens).await);
    }
    assert!(delivered > INBOX_RESERVE && delivered < INBOX_ENTRIES_MAX, "{delivered}");
    while acts < 10_000 {
        let place = acts as usize % hoard.len();
        acts += 1;
        assert!(!deliver(acts, &hoard[place..=place]).await);
    }
    // Others still write to her, and she reads it.
    assert!(deliver(20_000, &good(Purpose::Inbox, RESERVE_TOKENS, 6)).await);
    let inbox = session.read_inbox(NOW, ReadInboxRequest { after: delivered, limit: 9 }).await.unwrap();
    assert_eq!(inbox.entries.len(), 1);
    session.clear_inbox(NOW, ClearInboxRequest { up_to: delivered + 1 }).await.unwrap();
    assert!(deliver(20_001, &good(Purpose::Inbox, 1, 7)).await, "and once she has read it, there is room");
}

/// The same for her key packages.
#[tokio::test]
async fn ten_thousand_fetches_leave_keys_to_others() {
    let world = World::open();
    let (ana, session) = world.registered(1).await;
    let one_time = (3..KEY_PACKAGES_MAX as u8 + 1).map(|content| ana.key_package(content, false)).collect();
    let put = undertone_wire::account::PutKeyPackagesRequest { one_time, ..Default::default() };
    let left = session.put_key_packages(NOW, put).await.unwrap().key_packages_left;
    let hoard = hoard(Purpose::Contact);
    let mut taken = 0;
    for act in 0..10_000 {
        let place = act % hoard.len();
        let fetched = world.bare_visitor().fetch_contact(NOW, contact(&ana, hoard[place..=place].to_vec())).await;
        let package = &fetched.unwrap().key_packages[0];
        taken += u32::from(!KeyPackage::verify(&ana.list, package).unwrap().last_resort());
    }
    assert_eq!(taken, left - KEY_PACKAGES_RESERVE, "he has had the cheap ones, and then that of last resort");
    let tokens = good(Purpose::Contact, RESERVE_TOKENS, 6);
    let fetched = world.bare_visitor().fetch_contact(NOW, contact(&ana, tokens)).await.unwrap();
    assert!(!KeyPackage::verify(&ana.list, &fetched.key_packages[0]).unwrap().last_resort());
}

#[tokio::test]
async fn parameters_are_signed_and_have_the_keys_of_three_weeks() {
    let world = World::open();
    let parameters = VerifiedParameters::verify(&world.channels.signed_parameters(NOW, 4)).unwrap();
    assert!(*parameters.head_key() == world.head_key && parameters.revision() == 4);
    let issuing = IssuingKey::from_seed(&ISSUING);
    for (purpose, _) in TOKEN_BATCH {
        for week in WEEK.0 - 1..=WEEK.0 + 1 {
            assert!(parameters.token_key(purpose, Week(week)) == Some(&issuing.public(purpose, Week(week))));
        }
        assert!(parameters.token_key(purpose, Week(WEEK.0 + 2)).is_none());
    }
}

#[tokio::test]
async fn what_is_spent_stays_spent_in_the_files() {
    let dir = tempfile::TempDir::new().unwrap();
    let open = || {
        let issuer = Arc::new(issuer());
        let accounts = SqliteAccounts::open(&dir.path().join("accounts.db")).unwrap();
        let channels = SqliteChannels::open(&dir.path().join("channels.db")).unwrap();
        let tickets = TicketKey::generate(&mut ChaCha20Rng::from_seed([1; 32]));
        let accounts = Arc::new(AccountPlane::new(accounts, Registration::Open, issuer.clone()));
        let channels = Arc::new(ChannelPlane::new(channels, HeadKey::from_seed(&[1; 32]), tickets, issuer));
        (accounts, channels)
    };
    let ana = Person::new(1);
    let (to_ana, for_channel) = (good(Purpose::Inbox, 1, 1), good(Purpose::Channel, 1, 1));
    let create = |seed| {
        let tokens = for_channel.clone();
        undertone_wire::visitor::CreateChannelRequest { tokens, ..Keys::new(seed).creation() }
    };
    for start in 0..2 {
        let (accounts, channels) = open();
        if start == 0 {
            let circuit = HandshakeHash::new([1; 32]);
            accounts.session(circuit).register(NOW, ana.registration(&circuit)).await.unwrap();
        }
        let visitor = || VisitorSession::new(accounts.clone(), channels.clone());
        assert_eq!(code(visitor().deliver(NOW, letter(&ana, 1, to_ana.clone())).await), "OK");
        assert_eq!(price(visitor().deliver(NOW, letter(&ana, 2, to_ana.clone())).await), Some(1));
        assert_eq!(code(visitor().create_channel(NOW, create(1)).await), "OK");
        assert_eq!(price(visitor().create_channel(NOW, create(2)).await), Some(1));
        assert_eq!(accounts.counts().await.unwrap().inbox_entries, 1);
    }
    // It is forgotten once its week and the one after it are over, and then it is worth nothing.
    let (accounts, channels) = open();
    let spent = async || (accounts.tokens_spent(WEEK).await.unwrap(), channels.tokens_spent(WEEK).await.unwrap());
    for (weeks, expected) in [(1, (1, 1)), (3, (0, 0))] {
        let later = NOW.plus_ms(weeks * WEEK_MS);
        accounts.expire(later).await.unwrap();
        channels.expire(later).await.unwrap();
        assert_eq!(spent().await, expected);
    }
    let late = VisitorSession::new(accounts.clone(), channels.clone());
    let request = DeliverRequest { expiry_day: LETTER_DAY + 14, ..letter(&ana, 3, to_ana) };
    assert_eq!(price(late.deliver(NOW.plus_ms(3 * WEEK_MS), request).await), Some(1));
}

/// All that the channel plane does, with no account plane anywhere.
#[tokio::test]
async fn channels_need_no_accounts() {
    let tickets = TicketKey::generate(&mut ChaCha20Rng::from_seed([1; 32]));
    let issuer = Arc::new(issuer());
    let plane = ChannelPlane::new(MemoryChannels::default(), HeadKey::from_seed(&[1; 32]), tickets, issuer);
    let plane = Arc::new(plane);
    let keys = Keys::new(1);
    let tokens = good(Purpose::Channel, 1, 1);
    let creation = undertone_wire::visitor::CreateChannelRequest { tokens, ..keys.creation() };
    assert_eq!(code(plane.create(NOW, creation).await), "OK");

    let [first, second, third] = [1, 2, 3].map(|number| HandshakeHash::new([number; 32]));
    let [writer, reader, later] = [first, second, third].map(|circuit| plane.session(circuit));
    let openings = vec![keys.opening(&first, true)];
    let opened = writer.open(NOW, OpenRequest { openings }).await.unwrap();
    let openings = vec![keys.opening(&second, true)];
    reader.open(NOW, OpenRequest { openings }).await.unwrap();
    let listener = Arc::new(Listener::default());
    let channel: Bytes = keys.channel.into();
    let follow = FollowRequest { channels: vec![channel.clone()], known: Vec::new() };
    reader.follow(NOW, follow, listener.pushes()).await.unwrap();
    writer.append(NOW, keys.append(vec![message(1)])).await.unwrap();
    let transient = SendTransientRequest { channel: channel.clone(), body: vec![1; 256].into() };
    writer.send_transient(NOW, transient).await.unwrap();
    assert_eq!(listener.heard().len(), 2);
    let page = reader.read(NOW, ReadRequest { channel, after: 0, limit: 9 }).await.unwrap();
    assert_eq!(page.entries.len(), 1);
    let tickets = opened.opened.into_iter().map(|opened| opened.ticket).collect();
    let resumed = later.resume(NOW, ResumeRequest { tickets, known: Vec::new() }).await.unwrap();
    assert!(crate::people::head(resumed.opened[0].result.clone()).is_some());
    assert_eq!(code(later.append(NOW, keys.append(vec![message(2)])).await), "OK");
    plane.expire(NOW).await.unwrap();
    assert_eq!(plane.counts().await.unwrap().entries, 2);
}
