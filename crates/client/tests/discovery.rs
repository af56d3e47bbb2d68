//! Stories of who is here: listed by whoever has an identifier, looked up by people whom the service does not learn to know,
//! at a service that may lie.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use support::{Home, Service, Setup, database};
use tokio::sync::watch;
use undertone_client::{ClientError, Kind, ListingState, LookupStep, Pace};
use undertone_credentials::{HeadKey, sign_directory};
use undertone_wire::{
    Identifier, Message as _,
    account::{Account, IssueLookupsRequest},
    circuit::{self, Code, Fault},
    directory::{
        BeginQueryRequest, Directory, EvaluateReply, EvaluateRequest, FetchAnswerPartReply, FetchAnswerPartRequest,
        FetchPartReply, FetchPartRequest, Head, PutQueryPartRequest, ReadDirectoryReply, ReadDirectoryRequest,
    },
    limits::EVALUATIONS,
    rpc::{Method as _, Service as _},
};

/// Too many for a table.
const CROWD: u32 = 45_000;

fn phone(number: u32) -> Identifier {
    Identifier::phone(&format!("+4179{number:07}")).ok().unwrap()
}

fn username(name: &str) -> Identifier {
    Identifier::username(name).ok().unwrap()
}

/// An address book of so many numbers, from one on.
fn numbers(first: u32, count: u32) -> Vec<(String, Identifier)> {
    (first..first + count).map(|number| (format!("person {number}"), phone(number))).collect()
}

fn book<const N: usize>(lines: [(&str, Identifier); N]) -> Vec<(String, Identifier)> {
    lines.map(|(contact, identifier)| (contact.to_owned(), identifier)).to_vec()
}

async fn look_up(home: &Home, contacts: &[(String, Identifier)]) -> Result<(), ClientError> {
    let step = watch::Sender::new(LookupStep::default());
    tokio::time::timeout(support::PATIENCE, home.engine.look_up(contacts, &step)).await.expect("the lookup hangs")
}

/// (contact, account, whether it was asked) of a home's address book.
fn found(home: &Home) -> Vec<(String, Option<String>, bool)> {
    let contacts = home.engine.address_book().unwrap();
    contacts.into_iter().map(|contact| (contact.contact, contact.account, contact.asked)).collect()
}

fn here(contact: &str, home: &Home) -> (String, Option<String>, bool) {
    (contact.to_owned(), Some(home.account()), true)
}

fn nobody(contact: &str) -> (String, Option<String>, bool) {
    (contact.to_owned(), None, true)
}

fn unasked(contact: &str) -> (String, Option<String>, bool) {
    (contact.to_owned(), None, false)
}

/// Lists a home under an identifier.
async fn list(service: &Service, home: &Home, identifier: &Identifier) -> ListingState {
    let code = match identifier {
        Identifier::Username(_) => String::new(),
        _ => {
            home.engine.send_code(identifier).await.unwrap();
            service.code(identifier)
        }
    };
    home.engine.list(identifier, &code, None).await.unwrap()
}

/// What a service is asked on directory circuits, and for lookups: method and length, in order.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<(circuit::Kind, u32, usize)>>>);

impl Recorder {
    fn over(service: &Service) -> Self {
        let recorder = Self::default();
        let seen = recorder.clone();
        service.lies.watch(move |kind, method, body| {
            let lookups = (kind, method) == (Account::KIND, IssueLookupsRequest::NUMBER);
            if kind == Directory::KIND || lookups {
                seen.0.lock().unwrap().push((kind, method, body.len()));
            }
        });
        recorder
    }

    fn take(&self) -> Vec<(circuit::Kind, u32, usize)> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// How often one was asked since.
    fn count(&self, method: u32) -> usize {
        let seen = self.0.lock().unwrap();
        seen.iter().filter(|(kind, number, _)| *kind == Directory::KIND && *number == method).count()
    }
}

async fn who_is_listed_is_found(service: &Service) {
    let (ana, bo) = (Home::new(service, "Ana").await, Home::new(service, "Bo").await);
    assert_eq!(list(service, &ana, &phone(1)).await, ListingState::Listed);
    assert_eq!(list(service, &ana, &username("ana.1")).await, ListingState::Listed);
    service.publish().await;
    let contacts = book([
        ("Ana", phone(1)),
        ("Ana at work", phone(2)),
        ("A", username("ana.1")),
        ("Nobody", Identifier::email("nobody@example.org").ok().unwrap()),
    ]);
    look_up(&bo, &contacts).await.unwrap();
    assert_eq!(found(&bo), [here("Ana", &ana), nobody("Ana at work"), here("A", &ana), nobody("Nobody")]);
    // Whoever is found can be written to at once, by what the address book says.
    bo.send("Ana", "found you").await;
    ana.expect(&bo, "found you").await;
    assert_eq!(bo.chat(&ana.account()).unwrap().name, "Ana");
    for who in ["A", "@ana.1", "+41790000001"] {
        bo.send(who, who).await;
        ana.expect(&bo, who).await;
    }
    assert!(bo.try_send("Nobody", "there?").await.err().unwrap().kind() == Kind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn who_is_listed_is_found_in_a_table() {
    let service = Service::start();
    who_is_listed_is_found(&service).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_listed_is_found_in_a_crowd() {
    let service = Service::start();
    service.fill(CROWD).await;
    let recorder = Recorder::over(&service);
    who_is_listed_is_found(&service).await;
    assert_eq!(recorder.count(BeginQueryRequest::NUMBER), 1);
}

#[tokio::test(start_paused = true)]
async fn what_changes_is_heard_the_next_day_for_nothing() {
    let service = Service::start();
    service.fill(CROWD).await;
    let clock = service.clock.clone();
    let setup = Setup { clock: clock.clone(), ..Setup::at(&service) };
    let ana = Home::with(&service, "Ana", setup.clone()).await;
    let bo = Home::with(&service, "Bo", setup.clone()).await;
    let cy = Home::with(&service, "Cy", setup.clone()).await;
    list(&service, &ana, &phone(1)).await;
    service.publish().await;
    let contacts = book([("Ana", phone(1)), ("Cy", phone(2))]);
    look_up(&bo, &contacts).await.unwrap();
    assert_eq!(found(&bo), [here("Ana", &ana), nobody("Cy")]);

    list(&service, &cy, &phone(2)).await;
    ana.engine.unlist(&phone(1)).await.unwrap();
    let recorder = Recorder::over(&service);
    clock.set_off(1);
    service.publish_due().await;
    look_up(&bo, &contacts).await.unwrap();
    assert_eq!(found(&bo), [nobody("Ana"), here("Cy", &cy)]);
    look_up(&bo, &contacts).await.unwrap();
    for method in [EvaluateRequest::NUMBER, BeginQueryRequest::NUMBER] {
        assert_eq!(recorder.count(method), 0, "it costs nothing");
    }
    // Somebody new is asked for alone, and looks as any question.
    look_up(&bo, &book([("Di", phone(3))])).await.unwrap();
    assert_eq!((recorder.count(EvaluateRequest::NUMBER), recorder.count(BeginQueryRequest::NUMBER)), (1, 1));
    assert_eq!(found(&bo), [nobody("Ana"), here("Cy", &cy), nobody("Di")]);
}

/// The recording service cannot tell two address books apart: not by sizes, not by counts, not by order.
#[tokio::test(start_paused = true)]
async fn two_address_books_look_the_same() {
    for crowd in [0, CROWD] {
        let service = Service::start();
        service.fill(crowd).await;
        let ana = Home::new(&service, "Ana").await;
        list(&service, &ana, &phone(1)).await;
        service.publish().await;
        let recorder = Recorder::over(&service);
        let mut records = Vec::new();
        let mails = (0..30).map(|n| (format!("m {n}"), Identifier::email(&format!("m{n}@example.org")).ok().unwrap()));
        for contacts in [numbers(1, 32), numbers(500, 5), mails.collect()] {
            let home = Home::new(&service, "Bo").await;
            recorder.take();
            look_up(&home, &contacts).await.unwrap();
            records.push(recorder.take());
        }
        assert!(records[0] == records[1] && records[1] == records[2]);
        assert!(records[0].len() > 3);
    }
}

#[tokio::test(start_paused = true)]
async fn the_1_601st_is_refused_and_found_another_day() {
    let service = Service::start();
    let clock = service.clock.clone();
    let setup = Setup { clock: clock.clone(), ..Setup::at(&service) };
    let ana = Home::with(&service, "Ana", setup.clone()).await;
    let bo = Home::with(&service, "Bo", setup.clone()).await;
    let contacts = numbers(1, EVALUATIONS.into_iter().max().unwrap() as u32 + 1);
    for number in [1, 700] {
        list(&service, &ana, &phone(number)).await;
    }
    service.publish().await;
    let plan = bo.engine.lookup_plan(&contacts).unwrap();
    assert_eq!((plan.new, plan.shown), (1_601, 1_632));
    let error = look_up(&bo, &contacts).await.err().unwrap();
    assert!(matches!(error, ClientError::LookupsUsedUp) && error.kind() == Kind::Refused, "{error}");
    let asked = |home: &Home| found(home).iter().filter(|(_, _, asked)| *asked).count();
    let here = |home: &Home| found(home).iter().filter(|(_, account, _)| account.is_some()).count();
    assert_eq!((asked(&bo), here(&bo)), (1_600, 2));
    // Today there is nothing more to be had, however often it is asked for.
    let recorder = Recorder::over(&service);
    assert!(look_up(&bo, &contacts).await.is_err());
    assert_eq!((asked(&bo), recorder.count(EvaluateRequest::NUMBER)), (1_600, 0));
    clock.set_off(1);
    service.publish_due().await;
    look_up(&bo, &contacts).await.unwrap();
    assert_eq!((asked(&bo), here(&bo)), (1_601, 2));
    assert_eq!(bo.engine.lookup_plan(&contacts).unwrap().new, 0);
}

/// Lies that a service may tell about who is here.
type Lie = (&'static str, fn(&Service));

const LIES: [Lie; 8] = [
    ("did not sign", |service| {
        service.lies.tell(|_: &ReadDirectoryRequest, reply: &mut ReadDirectoryReply| {
            let mut head = Head::decode(&reply.head[..]).unwrap();
            head.deltas.clear();
            head.base = Default::default();
            reply.head = head.encode_to_vec().into();
        });
    }),
    ("another key than everybody", |service| {
        let key = service.head_key();
        service.lies.tell(move |_: &ReadDirectoryRequest, reply: &mut ReadDirectoryReply| {
            let head = Head::decode(&reply.head[..]).unwrap();
            let other = support::issuing_key().directory_key(7.try_into().unwrap());
            resign(&key, reply, Head { key: other.public().to_vec().into(), ..head });
        });
    }),
    ("makes no sense", |service| {
        let key = service.head_key();
        service.lies.tell(move |_: &ReadDirectoryRequest, reply: &mut ReadDirectoryReply| {
            let head = Head::decode(&reply.head[..]).unwrap();
            resign(&key, reply, Head { base: vec![1; 9].into(), ..head });
        });
    }),
    ("evaluated by another key", |service| {
        service.lies.tell(|request: &EvaluateRequest, reply: &mut EvaluateReply| {
            let other = support::issuing_key().directory_key(7.try_into().unwrap());
            let random = undertone_credentials::voprf::SecretScalar::random(&mut rand::rng());
            let issued = other.evaluate(&request.elements, &random).unwrap();
            reply.elements = issued.evaluated.iter().map(|element| element.to_vec().into()).collect();
            reply.proof = issued.proof.to_vec().into();
        });
    }),
    ("evaluated by another key", |service| {
        service.lies.tell(|_: &EvaluateRequest, reply: &mut EvaluateReply| reply.elements.truncate(1));
    }),
    ("another length", |service| {
        service.lies.tell(|_: &FetchPartRequest, reply: &mut FetchPartReply| reply.bytes = vec![0; 9].into());
    }),
    ("not what was signed", |service| {
        service.lies.tell(|_: &FetchPartRequest, reply: &mut FetchPartReply| {
            reply.bytes = vec![0; reply.bytes.len()].into();
        });
    }),
    ("answer", |service| {
        service.lies.tell(|request: &FetchAnswerPartRequest, reply: &mut FetchAnswerPartReply| {
            if request.part == 0 {
                reply.bytes = vec![9; reply.bytes.len()].into();
            }
        });
    }),
];

fn resign(key: &HeadKey, reply: &mut ReadDirectoryReply, head: Head) {
    reply.head = head.encode_to_vec().into();
    reply.signature = sign_directory(key, &reply.head).to_vec().into();
}

#[tokio::test(start_paused = true)]
async fn lies_are_seen_and_nothing_of_them_is_taken() {
    let service = Service::start();
    service.fill(CROWD).await;
    let ana = Home::new(&service, "Ana").await;
    list(&service, &ana, &phone(1)).await;
    service.publish().await;
    let contacts = book([("Ana", phone(1)), ("Bo", phone(2))]);
    for (says, lie) in LIES {
        let home = Home::new(&service, "Cy").await;
        lie(&service);
        let error = look_up(&home, &contacts).await.err().unwrap_or_else(|| panic!("{says}: believed"));
        assert!(matches!(error, ClientError::Directory(_)), "{says}: {error}");
        assert!(error.to_string().contains(says), "{says}: {error}");
        assert_eq!(error.kind(), Kind::Refused);
        assert_eq!(found(&home), [unasked("Ana"), unasked("Bo")], "{says}");
        service.lies.stop();
        look_up(&home, &contacts).await.unwrap_or_else(|error| panic!("{says}: {error}"));
        assert_eq!(found(&home), [here("Ana", &ana), nobody("Bo")], "{says}");
    }
}

/// Whatever answer is lost, and the process killed upon it: the next one ends it, and what was evaluated is paid once.
#[tokio::test(start_paused = true)]
async fn a_lookup_that_was_cut_off_goes_on() {
    let service = Service::start();
    service.fill(CROWD).await;
    let ana = Home::new(&service, "Ana").await;
    list(&service, &ana, &phone(1)).await;
    service.publish().await;
    let contacts = book([("Ana", phone(1)), ("Bo", phone(2))]);
    let cuts: [fn(&Service); 7] = [
        |service| service.lies.refuse::<IssueLookupsRequest>(Code::Unknown),
        |service| service.lies.refuse::<ReadDirectoryRequest>(Code::Unknown),
        |service| service.lies.refuse::<EvaluateRequest>(Code::Unknown),
        |service| service.lies.refuse::<FetchPartRequest>(Code::Unknown),
        |service| service.lies.refuse::<BeginQueryRequest>(Code::Unknown),
        |service| service.lies.refuse::<PutQueryPartRequest>(Code::Unknown),
        |service| service.lies.refuse::<FetchAnswerPartRequest>(Code::Unknown),
    ];
    for (at, cut) in cuts.into_iter().enumerate() {
        let home = Home::new(&service, "Cy").await;
        cut(&service);
        for _ in 0..2 {
            assert!(look_up(&home, &contacts).await.err().unwrap().kind() == Kind::Network, "cut {at}");
        }
        let home = home.reopen().await;
        assert_eq!(found(&home), [unasked("Ana"), unasked("Bo")]);
        service.lies.stop();
        // What has been said so far has been kept.
        look_up(&home, &[]).await.unwrap_or_else(|error| panic!("cut {at}: {error}"));
        assert_eq!(found(&home), [here("Ana", &ana), nobody("Bo")], "cut {at}");
        let folder = home.close().await;
        let count = |sql: &str| database(&folder).query_row(sql, (), |row| row.get::<_, u32>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM tokens WHERE purpose = 5"), 49, "cut {at}: one batch, one token");
        let queries = count("SELECT count(*) FROM tokens WHERE purpose = 6 AND act IS NULL");
        assert_eq!(queries, if at < 4 { 49 } else { 47 }, "cut {at}: a query that is cut off costs another token");
        assert_eq!(count("SELECT count(*) FROM evaluations"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_service_is_waited_for_and_a_new_head_begins_anew() {
    let service = Service::start();
    service.fill(CROWD).await;
    let (ana, bo) = (Home::new(&service, "Ana").await, Home::new(&service, "Bo").await);
    list(&service, &ana, &phone(1)).await;
    service.publish().await;
    let times = Arc::new(Mutex::new(0));
    service.lies.deny::<BeginQueryRequest>(move |_| {
        let mut times = times.lock().unwrap();
        *times += 1;
        match *times {
            1..=3 => Some(Fault { code: Code::Exhausted.into(), retry_after_ms: 3_000, ..Fault::default() }),
            4 => Some(Code::NotFound.into()),
            _ => None,
        }
    });
    look_up(&bo, &book([("Ana", phone(1))])).await.unwrap();
    assert_eq!(found(&bo), [here("Ana", &ana)]);
}

#[tokio::test(start_paused = true)]
async fn another_key_has_everybody_evaluated_anew() {
    let mut service = Service::start();
    let clock = service.clock.clone();
    let setup = Setup { clock, ..Setup::at(&service) };
    let ana = Home::with(&service, "Ana", setup.clone()).await;
    let bo = Home::with(&service, "Bo", setup).await;
    list(&service, &ana, &phone(1)).await;
    service.publish().await;
    let contacts = book([("Ana", phone(1)), ("Cy", phone(2))]);
    look_up(&bo, &contacts).await.unwrap();
    service.take_another_key().await;
    service.publish().await;
    let recorder = Recorder::over(&service);
    look_up(&bo, &contacts).await.unwrap();
    assert_eq!(recorder.count(EvaluateRequest::NUMBER), 1);
    assert_eq!(found(&bo), [here("Ana", &ana), nobody("Cy")]);
}

#[tokio::test(start_paused = true)]
async fn who_is_listed_has_a_week_to_keep_it() {
    let service = Service::start();
    let clock = service.clock.clone();
    let setup = Setup { clock: clock.clone(), ..Setup::at(&service) };
    let ana = Home::with(&service, "Ana", setup.clone()).await;
    let bo = Home::with(&service, "Bo", setup.clone()).await;
    let name = username("ana");
    list(&service, &ana, &name).await;
    let ListingState::Waits(day) = list(&service, &bo, &name).await else { panic!("it is taken") };
    assert!(bo.engine.listings().unwrap()[0].state == ListingState::Waits(day));
    ana.sync().await.unwrap();
    assert!(ana.engine.whoami().unwrap().listing_claimed && !bo.engine.whoami().unwrap().listing_claimed);
    list(&service, &ana, &name).await;
    ana.sync().await.unwrap();
    assert!(!ana.engine.whoami().unwrap().listing_claimed);
    clock.set_off(8);
    assert!(matches!(list(&service, &bo, &name).await, ListingState::Waits(_)), "it was kept");
    clock.set_off(16);
    assert_eq!(list(&service, &bo, &name).await, ListingState::Listed);
    bo.engine.unlist(&name).await.unwrap();
    assert!(bo.engine.listings().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_identifier_is_shown_to_be_ones_own() {
    let service = Service::start();
    let folder = support::folder();
    let engine = Setup::at(&service).open(&folder).unwrap();
    let words = engine.register(&service.link(), None, "Ana").await.unwrap().words;
    let bo = Home::new(&service, "Bo").await;
    let kind = |error: ClientError| error.kind();
    assert_eq!(engine.list(&phone(1), "123456", None).await.map_err(kind), Err(Kind::NotFound));
    engine.send_code(&phone(1)).await.unwrap();
    assert!(engine.listings().unwrap()[0].state == ListingState::Sent);
    let code = service.code(&phone(1));
    let wrong = format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000);
    assert_eq!(engine.list(&phone(1), &wrong, None).await.map_err(kind), Err(Kind::Refused));
    assert_eq!(engine.list(&phone(1), &code, None).await.ok(), Some(ListingState::Listed));

    // Whoever has the words of the account that is listed there needs not wait.
    bo.engine.send_code(&phone(1)).await.unwrap();
    let code = service.code(&phone(1));
    let others = Setup::at(&service).open(&support::folder()).unwrap();
    let other_words = others.register(&service.link(), None, "Cy").await.unwrap().words;
    let refused = bo.engine.list(&phone(1), &code, Some(&other_words)).await;
    assert!(matches!(refused, Err(ClientError::WrongWords)));
    assert_eq!(bo.engine.list(&phone(1), &code, Some(&words)).await.ok(), Some(ListingState::Listed));
    service.publish().await;
    let cy = Home::new(&service, "Cy").await;
    look_up(&cy, &book([("?", phone(1))])).await.unwrap();
    assert_eq!(found(&cy), [here("?", &bo)]);
}

#[tokio::test(start_paused = true)]
async fn an_address_book_is_forgotten() {
    let service = Service::start();
    let ana = Home::new(&service, "Ana").await;
    let bo = Home::new(&service, "Bo").await;
    list(&service, &ana, &phone(1)).await;
    service.publish().await;
    look_up(&bo, &book([("Ana", phone(1)), ("Ana", phone(2)), ("Cy", phone(3))])).await.unwrap();
    assert_eq!(bo.engine.forget_contacts(Some("Ana")).ok(), Some(2));
    assert!(bo.engine.forget_contacts(Some("Ana")).err().unwrap().kind() == Kind::NotFound);
    assert_eq!(found(&bo), [nobody("Cy")]);
    assert_eq!(bo.engine.forget_contacts(None).ok(), Some(1));
    assert!(found(&bo).is_empty());
    assert!(bo.try_send("Ana", "hello").await.err().unwrap().kind() == Kind::NotFound);
    let folder = bo.close().await;
    for table in ["identifiers", "address_book", "downloads", "evaluations"] {
        let count = format!("SELECT count(*) FROM {table}");
        assert_eq!(database(&folder).query_row(&count, (), |row| row.get::<_, u32>(0)).unwrap(), 0, "{table}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_of_before_has_no_directory() {
    let mut service = Service::start();
    let mut parameters = service.parameters(1);
    parameters.directory_key.clear();
    let signed = undertone_credentials::sign_parameters(&service.head_key(), &parameters);
    service.go_away().await;
    service.listen_showing(move |_| signed.clone());
    let bo = Home::new(&service, "Bo").await;
    let error = look_up(&bo, &book([("Ana", phone(1))])).await.err().unwrap();
    assert!(matches!(error, ClientError::NoDirectory), "{error}");
}

/// With delays that protect, what is looked up does not follow the visit that paid for it.
#[tokio::test(start_paused = true)]
async fn a_lookup_waits_behind_its_payment() {
    let service = Service::start();
    let bo = Home::with_pace(&service, "Bo", Pace { after_tokens: Pace::normal().after_tokens, ..Pace::eager() }).await;
    service.publish().await;
    let begun = tokio::time::Instant::now();
    look_up(&bo, &book([("Ana", phone(1))])).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(5));
    let again = tokio::time::Instant::now();
    look_up(&bo, &book([("Cy", phone(2))])).await.unwrap();
    assert!(again.elapsed() < Duration::from_secs(5), "it is paid already");
}
