//! Stories of a peer who holds keys like everybody else and says with them what he likes: in letters, before he was
//! accepted, and in the channel, after. Whatever it is, those to whom he says it go on, with others and with him.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use bytes::Bytes;
use rand::rngs::StdRng;
use support::{Contact, Home, Peer, Published, Service, Talk, befriend, encoded, they_talk};
use undertone_client::{Kind, Pace};
use undertone_e2ee::Generation;
use undertone_wire::{
    AccountId, Message as _,
    channel::EntryKind,
    content::{Accepted, Content, Invitation, Letter, SealedContent, Seen, Text, content},
    padding,
};

/// Without self-updates, so that what the peer does to positions is all that is done to them.
fn calm() -> Pace {
    Pace { self_update_ms: u64::MAX, ..Pace::eager() }
}

/// Ana, who talks with Bo.
async fn two(service: &Service) -> (Home, Home) {
    let ana = Home::with_pace(service, "Ana", calm()).await;
    let bo = Home::with_pace(service, "Bo", calm()).await;
    befriend(&ana, &bo).await;
    (ana, bo)
}

fn id_of(home: &Home) -> AccountId {
    AccountId::from_hex(&home.account()).unwrap()
}

/// How many requests wait, once everything that is in the inbox was read.
async fn requests(home: &Home) -> usize {
    home.sync().await.unwrap();
    home.engine.requests().unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn what_is_no_letter_is_passed_over() {
    let service = Service::start();
    let (ana, bo) = two(&service).await;
    let eve = Peer::new(&service, "Eve").await;
    let zoe = Peer::new(&service, "Zoe").await;
    let anas = eve.contact(id_of(&ana)).await;
    for length in padding::INBOX {
        eve.deliver(id_of(&ana), eve.noise(*length)).await.unwrap();
        let looks_right = [&[1, 0, 0][..], &eve.noise(length - 3)].concat();
        eve.deliver(id_of(&ana), looks_right.into()).await.unwrap();
    }
    let talk = Talk::begin(&eve, anas).await;
    let anas = &talk.with;
    let letter = talk.letter(&[eve.text("never to be read")]);
    let written = eve.written(id_of(&ana), &letter);
    let changed = |change: fn(&mut SealedContent, &Peer)| {
        let mut sealed = SealedContent::decode(&written[..]).unwrap();
        change(&mut sealed, &zoe);
        sealed.encode_to_vec()
    };
    let opened: Vec<Vec<u8>> = vec![
        vec![],
        eve.noise(300).to_vec(),
        vec![0xff; 300],
        changed(|sealed, zoe| sealed.device_list = zoe.list.encoded().clone()),
        changed(|sealed, _| sealed.device_list.clear()),
        changed(|sealed, _| sealed.device = 2),
        changed(|sealed, _| sealed.version = 2),
        changed(|sealed, _| sealed.version = 0),
        changed(|sealed, _| sealed.letter = Bytes::from_static(b"\xff\xff\xff")),
        changed(|sealed, _| sealed.signature = Bytes::from_static(&[0; 64])),
        changed(|sealed, _| sealed.signature.clear()),
        // Meant for another.
        eve.written(zoe.account(), &letter).to_vec(),
        written[..written.len() / 2].to_vec(),
    ];
    for opened in &opened {
        eve.seal_and_deliver(anas, opened).await;
    }
    assert_eq!(requests(&ana).await, 0);
    assert!(ana.take_new().is_none());
    they_talk(&ana, &bo).await;
    // What is right among it is read all the same.
    talk.write(&letter).await;
    assert_eq!(requests(&ana).await, 1);
    ana.expect_from(&eve.account().to_hex(), "never to be read").await;
}

/// A place in a log that nobody has signed.
fn in_the_middle() -> Seen {
    Seen { seq: 7, chain: Bytes::from_static(&[7; 32]), ..Seen::default() }
}

#[tokio::test(start_paused = true)]
async fn an_invitation_that_leads_nowhere_is_passed_over() {
    type Change = fn(&mut Letter, &mut Invitation);
    let changes: &[(&str, Change)] = &[
        ("no welcome", |_, invitation| invitation.welcome.clear()),
        ("no tree", |_, invitation| invitation.tree.clear()),
        ("a welcome that is none", |_, invitation| invitation.welcome = Bytes::from_static(&[7; 999])),
        ("a tree that is none", |_, invitation| invitation.tree = Bytes::from_static(&[7; 999])),
        ("a welcome for a tree", |_, invitation| invitation.tree = invitation.welcome.clone()),
        ("no secret", |_, invitation| invitation.generation_secret.clear()),
        ("a short secret", |_, invitation| invitation.generation_secret.truncate(31)),
        ("a long secret", |_, invitation| invitation.generation_secret = Bytes::from_static(&[7; 33])),
        ("a later epoch", |_, invitation| invitation.epoch = 1),
        ("the last epoch", |_, invitation| invitation.epoch = u64::MAX),
        ("another incarnation", |_, invitation| invitation.incarnation = u32::MAX),
        ("another generation", |_, invitation| invitation.generation = 1),
        ("the last generation", |_, invitation| {
            (invitation.generation, invitation.head) = (u32::MAX, Some(in_the_middle()));
        }),
        ("the last group", |_, invitation| {
            (invitation.group, invitation.head) = (u32::MAX, Some(in_the_middle()));
        }),
        ("a head that counts too far", |_, invitation| {
            invitation.head = Some(Seen { seq: u64::MAX, ..in_the_middle() });
        }),
        ("no channel", |letter, _| letter.channel.clear()),
        ("half a channel", |letter, _| letter.channel.truncate(15)),
        ("another channel", |letter, _| letter.channel = Bytes::from_static(&[7; 16])),
        ("messages from far away", |letter, _| letter.first_index = u64::MAX),
        ("messages from a little less far", |letter, _| letter.first_index = i64::MAX as u64),
    ];
    let service = Service::start();
    let (ana, bo) = two(&service).await;
    let eve = Peer::new(&service, "Eve").await;
    let talk = Talk::begin(&eve, eve.contact(id_of(&ana)).await).await;
    for (what, change) in changes {
        let mut letter = talk.letter(&[eve.text(what), eve.text("and more")]);
        let mut invitation = talk.invitation.clone();
        change(&mut letter, &mut invitation);
        letter.invitation = Some(invitation);
        talk.write(&letter).await;
        assert_eq!(requests(&ana).await, 0, "{what}");
        assert!(ana.take_new().is_none(), "{what}");
    }
    // A letter from somebody of whom nobody knows.
    talk.write(&Letter { invitation: None, ..talk.letter(&[eve.text("it is me")]) }).await;
    // For somebody else.
    let bos = Talk::begin(&eve, eve.contact(id_of(&bo)).await).await;
    let letter = Letter { channel: bos.channel.into(), invitation: Some(bos.invitation.clone()), ..talk.letter(&[]) };
    talk.write(&letter).await;
    // In the channel of her chat with Bo, of which the service could have told.
    let taken = service.store().appended().last().unwrap().channel;
    let intruder = Talk::begin_in(&eve, eve.contact(id_of(&ana)).await, taken).await;
    intruder.write(&intruder.letter(&[eve.text("we are already talking")])).await;
    assert_eq!(requests(&ana).await, 0);
    they_talk(&ana, &bo).await;

    // The very invitation that came so often, as it should be.
    talk.write(&talk.letter(&[eve.text("at last")])).await;
    assert_eq!(requests(&ana).await, 1);
    ana.expect_from(&eve.account().to_hex(), "at last").await;
}

#[tokio::test(start_paused = true)]
async fn keys_that_do_not_open_the_channel_are_found_out() {
    let service = Service::start();
    let (ana, bo) = two(&service).await;
    let eve = Peer::new(&service, "Eve").await;
    let mut talk = Talk::begin(&eve, eve.contact(id_of(&ana)).await).await;
    talk.invitation.generation_secret = Bytes::from_static(&[9; 32]);
    talk.write(&talk.letter(&[eve.text("come in")])).await;
    assert_eq!(requests(&ana).await, 1);
    ana.expect_from(&eve.account().to_hex(), "come in").await;
    ana.engine.accept("Eve").unwrap();
    assert_eq!(ana.trouble(&eve.account().to_hex()).await, "the service has no more what comes next in it");
    they_talk(&ana, &bo).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_letter_says_is_judged_message_by_message() {
    let service = Service::start();
    let (ana, bo) = two(&service).await;
    let eve = Peer::new(&service, "\u{1b}[31mE\u{0}ve\n").await;
    let talk = Talk::begin(&eve, eve.contact(id_of(&ana)).await).await;
    let content = |change: fn(&mut Content)| {
        let mut content = eve.text("never to be read");
        change(&mut content);
        encoded(&content)
    };
    let unknown = [&encoded(&Content { kind: None, ..eve.text("") })[..], &[0xa2, 0x06, 1, 7]].concat();
    let twice = encoded(&eve.text("twice"));
    let mut contents = vec![
        Bytes::new(),
        Bytes::from_static(b"\xff\xff\xff\xff"),
        content(|content| content.id.clear()),
        content(|content| content.id.truncate(15)),
        content(|content| content.id = Bytes::from_static(&[1; 17])),
        content(|content| content.kind = Some(content::Kind::Accepted(Accepted { name: "Bo".to_owned() }))),
        encoded(&eve.text("first")),
        unknown.into(),
        content(|content| {
            content.kind = Some(content::Kind::Text(Text { body: "from the end of time".to_owned() }));
            content.sent_at_ms = u64::MAX;
        }),
    ];
    contents.extend(std::iter::repeat_n(twice, 50));
    talk.write(&Letter { contents, ..talk.letter(&[]) }).await;
    assert_eq!(requests(&ana).await, 1);
    let account = eve.account().to_hex();
    let first = ana.expect_from(&account, "first").await;
    assert_eq!(first.from_name, "[31mEve", "what a terminal obeys is no part of a name");
    assert_eq!(ana.next().await.body, None, "kept until an update understands it");
    ana.expect_from(&account, "from the end of time").await;
    ana.expect_from(&account, "twice").await;
    assert!(ana.take_new().is_none());

    // The same invitation and the same messages again, and under another name.
    let mut again = talk.invitation.clone();
    again.name = "x".repeat(10_000);
    talk.write(&Letter { invitation: Some(again), ..talk.letter(&[eve.text("again")]) }).await;
    let message = ana.expect_from(&account, "again").await;
    assert_eq!(message.from_name.len(), 128);
    they_talk(&ana, &bo).await;
}

#[tokio::test(start_paused = true)]
async fn a_stranger_may_call_himself_as_a_friend_does() {
    let service = Service::start();
    let (ana, bo) = two(&service).await;
    let mut strangers = Vec::new();
    for name in ["Bo", "Ana"] {
        strangers.push(Peer::new(&service, name).await);
    }
    for stranger in &strangers {
        let talk = Talk::begin(stranger, stranger.contact(id_of(&ana)).await).await;
        talk.write(&talk.letter(&[stranger.text("it is me")])).await;
    }
    assert_eq!(requests(&ana).await, 2);
    assert_eq!(ana.send("Bo", "for my friend").await.chat, bo.account());
    bo.expect(&ana, "for my friend").await;
    assert_eq!(ana.send("Ana", "for myself").await.chat, ana.account());
    assert_eq!(ana.engine.accept("Bo").unwrap(), strangers[0].account().to_hex(), "the one who waits for it");
    assert_eq!(ana.try_send("Bo", "to whom?").await.err().unwrap().kind(), Kind::NotFound, "now there are two");
}

#[tokio::test(start_paused = true)]
async fn who_publishes_keys_that_are_none_is_not_written_to() {
    let service = Service::start();
    let (ana, bo) = two(&service).await;
    let publish: &[fn(&Peer, &mut Published)] = &[
        |_, published| published.key_packages.clear(),
        |eve, published| published.key_packages = vec![eve.key_package(Bytes::from_static(b"no key package"))],
        |eve, published| {
            let week = support::today().week();
            published.inbox_key =
                undertone_credentials::InboxKey::sign(&eve.identity, eve.account(), week, &[0xff; 1_216]);
        },
    ];
    for change in publish {
        let eve = Peer::unregistered(&service, "Eve");
        let mut published = eve.published();
        change(&eve, &mut published);
        eve.register(published).await;
        assert!(ana.try_send(&eve.link(), "hello?").await.is_err());
        assert_eq!(ana.state(&eve.account().to_hex()), "none", "nothing is left of it");
        they_talk(&ana, &bo).await;
    }
}

#[tokio::test(start_paused = true)]
async fn nonsense_is_no_acceptance() {
    let service = Service::start();
    let (ana, bo) = two(&service).await;
    let eve = Peer::new(&service, "Eve").await;
    let account = eve.account().to_hex();
    ana.send(&eve.link(), "hello").await;
    let mut talk = Talk::answer(&eve).await;
    talk.append(EntryKind::Message, eve.noise(256)).await;
    talk.append(EntryKind::Commit, eve.noise(256)).await;
    talk.say_content(b"\xff\xff").await;
    let commit = talk.committed(&talk.seen());
    let body = talk.wrap(EntryKind::Commit, &commit);
    talk.append(EntryKind::Commit, body).await;
    ana.sync().await.unwrap();
    assert_eq!(ana.state(&account), "invited");
    assert!(ana.send(&account, "are you there?").await.seq.is_none(), "still by letter");
    assert_eq!(eve.letters().await.len(), 2);

    talk.goes_on(&ana, "now I am").await;
    assert_eq!(ana.state(&account), "open");
    they_talk(&ana, &bo).await;
}

/// Two who write to each other first, the one of whom does not keep to the rules.
#[tokio::test(start_paused = true)]
async fn an_invitation_that_crosses_ours_is_taken_if_it_is_right() {
    let service = Service::start();
    let (ana, bo) = two(&service).await;
    for smaller in [true, false] {
        let eve = loop {
            let eve = Peer::new(&service, "Eve").await;
            if (eve.account() < id_of(&ana)) == smaller {
                break eve;
            }
        };
        let account = eve.account().to_hex();
        ana.send(&eve.link(), "from Ana").await;
        let mut talk = Talk::begin(&eve, eve.contact(id_of(&ana)).await).await;
        let mut wrong = talk.letter(&[eve.text("never to be read")]);
        wrong.invitation.as_mut().unwrap().welcome.clear();
        if smaller {
            // The channel of the larger id is not looked at.
            talk.write(&wrong).await;
            ana.sync().await.unwrap();
            assert!(ana.take_new().is_none());
            assert_eq!(ana.state(&account), "invited");
        }
        talk.write(&talk.letter(&[eve.text("from Eve")])).await;
        ana.expect_from(&account, "from Eve").await;
        ana.sync().await.unwrap();
        if smaller {
            assert_eq!(ana.state(&account), "open");
            talk.read().await;
        } else {
            assert_eq!(ana.state(&account), "invited");
            talk = Talk::answer(&eve).await;
        }
        talk.goes_on(&ana, "in one chat").await;
        they_talk(&ana, &bo).await;
    }
}

#[tokio::test(start_paused = true)]
async fn entries_that_make_no_sense_are_passed_over() {
    let service = Service::start();
    let (ana, bo) = two(&service).await;
    let eve = Peer::new(&service, "Eve").await;
    let mut talk = Talk::open_with(&eve, &ana).await;
    talk.goes_on(&ana, "to begin with").await;
    for length in padding::ENTRY {
        talk.append(EntryKind::Message, eve.noise(*length)).await;
    }
    talk.goes_on(&ana, "noise").await;
    let honest = talk.encrypted(&encoded(&eve.text("never to be read")), &talk.seen());
    let wrapped: Vec<Bytes> = vec![
        Bytes::new(),
        eve.noise(200),
        Bytes::from_static(&[0xff; 200]),
        Bytes::from(vec![0; 60_000]),
        honest.slice(..honest.len() / 2),
        honest.slice(..honest.len() - 1),
        [&honest[..], &[0]].concat().into(),
    ];
    for content in &wrapped {
        let body = talk.wrap(EntryKind::Message, content);
        talk.append(EntryKind::Message, body).await;
    }
    talk.goes_on(&ana, "wrapped nonsense").await;
    // A message where a commit belongs moves the position all the same, and a commit as a message does not.
    let body = talk.wrap(EntryKind::Commit, &honest);
    talk.append(EntryKind::Commit, body).await;
    talk.goes_on(&ana, "a message as a commit").await;
    let commit = talk.committed(&talk.seen());
    let body = talk.wrap(EntryKind::Message, &commit);
    talk.append(EntryKind::Message, body).await;
    talk.discard();
    talk.goes_on(&ana, "a commit as a message").await;
    // The same twice, and an old one again.
    let encrypted = talk.encrypted(&encoded(&eve.text("said once")), &talk.seen());
    for _ in 0..2 {
        let body = talk.wrap(EntryKind::Message, &encrypted);
        talk.append(EntryKind::Message, body).await;
    }
    ana.expect_from(&eve.account().to_hex(), "said once").await;
    talk.goes_on(&ana, "the same bytes twice").await;
    they_talk(&ana, &bo).await;
}

#[tokio::test(start_paused = true)]
async fn nonsense_that_is_well_encrypted_is_passed_over() {
    let service = Service::start();
    let (ana, bo) = two(&service).await;
    let eve = Peer::new(&service, "Eve").await;
    let mut talk = Talk::open_with(&eve, &ana).await;
    let account = eve.account().to_hex();
    let text = |change: fn(&mut Content)| {
        let mut content = eve.text("never to be read");
        change(&mut content);
        encoded(&content)
    };
    let contents: Vec<Bytes> = vec![
        Bytes::new(),
        eve.noise(300),
        Bytes::from_static(&[0xff; 300]),
        text(|content| content.id.clear()),
        text(|content| content.id.truncate(15)),
        // Not UTF-8.
        [&encoded(&Content { kind: None, ..eve.text("") })[..], &[0x1a, 4, 0x0a, 2, 0xff, 0xfe]].concat().into(),
    ];
    for content in &contents {
        talk.say_content(content).await;
    }
    talk.goes_on(&ana, "contents that are none").await;

    // By its id a message is known: his own again, and one of hers.
    let mut once = eve.text("once");
    talk.say_content(&encoded(&once)).await;
    ana.expect_from(&account, "once").await;
    once.kind = Some(content::Kind::Text(Text { body: "changed".to_owned() }));
    talk.say_content(&encoded(&once)).await;
    let hers = ana.send(&account, "mine").await.id;
    assert_eq!(talk.read().await, ["mine"]);
    let id: Vec<u8> =
        (0..16).map(|at| u8::from_str_radix(hers.get(2 * at..2 * at + 2).unwrap(), 16).unwrap()).collect();
    talk.say_content(&encoded(&Content { id: id.into(), ..eve.text("in your name") })).await;
    talk.goes_on(&ana, "ids that were used").await;
    let texts = ana.texts(&account);
    assert!(texts.contains(&"once".to_owned()) && texts.contains(&"mine".to_owned()));
    assert!(!texts.contains(&"changed".to_owned()) && !texts.contains(&"in your name".to_owned()));

    // Of a kind that nobody knows yet, and of none.
    let unknown = [&encoded(&Content { kind: None, ..eve.text("") })[..], &[0xa2, 0x06, 1, 7]].concat();
    for content in [unknown.into(), encoded(&Content { kind: None, ..eve.text("") })] {
        talk.say_content(&content).await;
        let message = ana.next().await;
        assert!(message.body.is_none() && message.from == account);
    }
    talk.goes_on(&ana, "a kind to come").await;

    // Behind letters that never come, and under another name.
    talk.say_content(&encoded(&Content { letters: u64::MAX, ..eve.text("after many letters") })).await;
    let accepted = Some(content::Kind::Accepted(Accepted { name: "\u{7}".repeat(3) }));
    talk.say_content(&encoded(&Content { kind: accepted, ..eve.text("") })).await;
    talk.goes_on(&ana, "letters to come").await;
    they_talk(&ana, &bo).await;
}

#[tokio::test(start_paused = true)]
async fn what_he_claims_to_have_seen_has_to_be_signed() {
    let service = Service::start();
    let (ana, bo) = two(&service).await;
    let eve = Peer::new(&service, "Eve").await;
    let mut talk = Talk::open_with(&eve, &ana).await;
    let honest = talk.seen();
    let claims: Vec<Seen> = vec![
        Seen::default(),
        Seen { chain: Bytes::from_static(&[7; 32]), ..honest.clone() },
        Seen { chain: Bytes::from_static(&[7; 31]), ..honest.clone() },
        Seen { seq: 0, ..honest.clone() },
        Seen { seq: honest.seq + 1, ..honest.clone() },
        Seen { seq: honest.seq + 1_000, ..honest.clone() },
        Seen { seq: i64::MAX as u64, ..honest.clone() },
        Seen { seq: u64::MAX, ..honest.clone() },
        Seen { seq: u64::MAX, chain: Bytes::new(), signature: Bytes::new(), revision: u64::MAX, ..Seen::default() },
    ];
    for seen in &claims {
        let content = talk.encrypted(&encoded(&eve.text("never to be read")), seen);
        let body = talk.wrap(EntryKind::Message, &content);
        talk.append(EntryKind::Message, body).await;
    }
    talk.goes_on(&ana, "claims in messages").await;
    for seen in &claims {
        // Not to be followed by anybody: so he does not either.
        let content = talk.committed(seen);
        talk.discard();
        let body = talk.wrap(EntryKind::Commit, &content);
        talk.append(EntryKind::Commit, body).await;
    }
    talk.goes_on(&ana, "claims in commits").await;
    they_talk(&ana, &bo).await;
}

#[tokio::test(start_paused = true)]
async fn commits_move_the_position_whatever_they_are() {
    let service = Service::start();
    let (mut ana, bo) = two(&service).await;
    let eve = Peer::new(&service, "Eve").await;
    let mut talk = Talk::open_with(&eve, &ana).await;
    for length in [256, 8 << 10, 64 << 10] {
        let before = talk.position().epoch;
        talk.append(EntryKind::Commit, eve.noise(length)).await;
        assert_eq!(talk.position().epoch, before + 1);
        talk.goes_on(&ana, "a commit that is none").await;
    }
    let commit = talk.committed(&talk.seen());
    let body = talk.wrap(EntryKind::Commit, &commit);
    talk.append(EntryKind::Commit, body).await;
    talk.goes_on(&ana, "a commit as it should be").await;
    // The same again, in its new place.
    let body = talk.wrap(EntryKind::Commit, &commit);
    talk.append(EntryKind::Commit, body).await;
    talk.goes_on(&ana, "the same commit again").await;

    // While she writes, he moves the position, again and again.
    ana.offline().await;
    let account = eve.account().to_hex();
    let engine = ana.engine.clone();
    let writing = tokio::spawn(async move { engine.send(&account, "in between").await.unwrap() });
    for _ in 0..3 {
        talk.append(EntryKind::Commit, eve.noise(256)).await;
    }
    ana.online();
    for _ in 0..10 {
        talk.append(EntryKind::Commit, eve.noise(256)).await;
        tokio::task::yield_now().await;
    }
    assert!(writing.await.unwrap().seq.is_some());
    assert_eq!(talk.read().await, Vec::<String>::new(), "he heard it while he committed");
    talk.goes_on(&ana, "a race").await;
    they_talk(&ana, &bo).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_blocked_in_an_open_chat_is_not_heard_either() {
    let service = Service::start();
    let (ana, bo) = two(&service).await;
    ana.engine.block("Bo").unwrap();
    bo.send("Ana", "did I do something wrong?").await;
    ana.sync().await.unwrap();
    assert!(ana.take_new().is_none());
    assert_eq!(ana.history(&bo.account()).len(), 2);
    // What was said meanwhile is not lost, should she change her mind.
    ana.engine.accept("Bo").unwrap();
    ana.expect(&bo, "did I do something wrong?").await;
    they_talk(&ana, &bo).await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_letters_does_not_drown_a_chat() {
    let service = Service::start();
    let (ana, bo) = two(&service).await;
    let mut strangers = Vec::new();
    for n in 0..12 {
        strangers.push(Peer::new(&service, &format!("stranger {n}")).await);
    }
    for (n, stranger) in strangers.iter().enumerate() {
        let anas: Contact = stranger.contact(id_of(&ana)).await;
        let talk = Talk::begin(stranger, anas).await;
        for _ in 0..4 {
            stranger.seal_and_deliver(&talk.with, &stranger.noise(100)).await;
            stranger.deliver(id_of(&ana), stranger.noise(16 << 10)).await.unwrap();
        }
        for _ in 0..4 {
            talk.write(&talk.letter(&[stranger.text("buy"), stranger.text("now")])).await;
        }
        if n % 4 == 0 {
            ana.send("Bo", "still there?").await;
            bo.expect(&ana, "still there?").await;
        }
    }
    assert_eq!(requests(&ana).await, strangers.len());
    let mut buy = 0;
    while let Some(message) = ana.take_new() {
        assert!(message.request);
        buy += 1;
    }
    assert_eq!(buy, strangers.len() * 8);
    they_talk(&ana, &bo).await;
}

#[tokio::test]
async fn who_locks_a_channel_is_written_to_in_another() {
    let service = Service::start();
    let bo = Peer::new(&service, "Bo").await;
    let ana = Home::with_pace(&service, "Ana", calm()).await;
    let mut talk = Talk::open_with(&bo, &ana).await;
    let body = talk.wrap(EntryKind::Commit, &talk.committed(&talk.seen()));
    let foreign = Generation::generate(&mut rand::make_rng::<StdRng>());
    assert!(talk.append_installing(EntryKind::Commit, body, foreign.installs().to_vec().into()).await);

    let to_bo = bo.account().to_hex();
    ana.send(&to_bo, "you can't shut me up").await;
    ana.until("a channel that is open", |engine| !engine.history(&to_bo).unwrap().last().unwrap().queued).await;
    assert!(ana.chat(&to_bo).unwrap().trouble.is_none());
    let (_, letter) = bo.letters().await.pop().unwrap();
    let invitation = letter.invitation.unwrap();
    assert!(invitation.part == 1 && letter.channel != Bytes::from(talk.channel));
    // Who did it may come along, or not.
    let mut talk = Talk::answer(&bo).await;
    talk.goes_on(&ana, "I will behave").await;
}
