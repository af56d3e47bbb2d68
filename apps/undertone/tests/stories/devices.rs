//! Several devices, as their people see them: linked, listed, removed, and an account that comes back or goes.

use serde_json::{Value, json};

use crate::{
    offline::in_contact,
    support::{Dialogue, Done, Home, Service, body},
};

/// Times that a home is looked at until something has come to it.
const TRIES: u32 = 1_000;

/// Two devices up to the question whether they show the same code.
fn meet(old: &Home, new: &Home) -> (Dialogue, Dialogue) {
    let old = old.begin(&["device", "link"]);
    let link = old.next("link")["link"].as_str().unwrap().to_owned();
    let mut new = new.begin(&["device", "link", "-"]);
    new.answer(&link);
    assert_eq!(old.next("code"), new.next("code"));
    (old, new)
}

/// Links a new home. Returns what both said last.
pub fn link(old: &Home, new: &Home) -> (Value, Value) {
    let (mut old, mut new) = meet(old, new);
    old.answer("yes");
    new.answer("yes");
    (old.end().one(), new.end().one())
}

/// A home with an account, and its words.
pub fn with_words(name: &str, service: &Service) -> (Home, String) {
    let home = Home::new();
    let words = home.register(name, service).one()["words"].as_str().unwrap().to_owned();
    (home, words)
}

/// Recovers an account into a home.
pub fn recover(home: &Home, service: &Service, words: &str) -> Done {
    home.run_with(&["recover", "--service", service.link()], words.as_bytes())
}

#[test]
fn a_device_is_linked_by_two_people_who_say_yes() {
    let service = Service::open();
    let (ana, new) = (Home::of("Ana", &service), Home::new());
    let (linked, me) = link(&ana, &new);
    assert_eq!(linked, json!({"linked": 2}));
    assert_eq!((&me["name"], &me["device"]), (&json!("Ana"), &json!(2)));
    assert_eq!(new.account(), ana.account());
    for (home, this) in [(&ana, 1), (&new, 2)] {
        let devices = home.run(&["device", "list"]).must();
        let expected: Vec<_> = (1..=2).map(|device| json!({"device": device, "this": device == this})).collect();
        assert_eq!(devices, expected);
    }
}

#[test]
fn a_new_device_gets_every_chat() {
    let service = Service::open();
    let (ana, bo) = in_contact(&service);
    let new = Home::new();
    let ears = (ana.listen(), bo.listen());
    link(&ana, &new);
    let there = new.listen();
    let texts = |home: &Home| home.history("Bo").iter().map(body).collect::<Vec<_>>();
    // What was said before it came is told by the other device, at the time when it comes into the chat.
    assert!((0..TRIES).any(|_| new.run(&["history", "Bo"]).lines.len() == 2));
    new.send("Bo", "from the new one");
    assert_eq!(body(&ears.1.next()), "from the new one");
    bo.send("Ana", "heard");
    // What one device has shown may be nothing new on the other; both have it.
    assert!((0..TRIES).any(|_| texts(&new).last().is_some_and(|last| last == "heard") && texts(&new) == texts(&ana)));
    drop((ears, there));
}

#[test]
fn a_link_passes_through_whoever_has_the_home_open() {
    let service = Service::open();
    let (ana, new) = (Home::of("Ana", &service), Home::new());
    let ears = ana.listen();
    // A command of the same home comes through the host, and so does the next.
    ana.run(&["chats"]).must();
    assert_eq!(link(&ana, &new).0, json!({"linked": 2}));
    assert!(ears.stop().is_empty());
}

#[test]
fn a_no_leaves_nothing() {
    let service = Service::open();
    let (ana, new) = (Home::of("Ana", &service), Home::new());
    for answers in [["no", "yes"], ["yes", "no"], ["", "yes"]] {
        let (mut old, mut there) = meet(&ana, &new);
        old.answer(answers[0]);
        there.answer(answers[1]);
        let says = |answer: &str| if answer == "yes" { "ended on the other device" } else { "not confirmed" };
        old.end().fails(4, says(answers[0]));
        there.end().fails(4, says(answers[1]));
    }
    new.run(&["whoami"]).fails(1, "no account yet");
    assert_eq!(ana.run(&["device", "list"]).must().len(), 1);
    assert_eq!(link(&ana, &new).0, json!({"linked": 2}));
}

#[test]
fn links_that_do_not_do_say_why() {
    let service = Service::open();
    let (ana, new) = (Home::of("Ana", &service), Home::new());
    let old = ana.begin(&["device", "link"]);
    let text = old.next("link")["link"].as_str().unwrap().to_owned();
    let half = text.get(..text.len() - 20).unwrap();
    for (wrong, says) in [
        (half, "copy the whole link"),
        (text.split('#').next().unwrap(), "missing"),
        (service.link(), "no link for a new device"),
        (&ana.link(), "no link for a new device"),
        ("nonsense", "a link begins with"),
    ] {
        new.run(&["device", "link", wrong]).fails(2, says);
    }
    new.run(&["register", "--service", &text, "--name", "Ana"]).fails(2, "only `device link LINK`");
    ana.run(&["send", &text, "hello"]).fails(2, "only `device link LINK`");
    ana.run(&["device", "link", &text]).fails(1, "an account already");

    let mut there = new.begin(&["device", "link", &text]);
    let mut old = old;
    old.next("code");
    there.next("code");
    old.answer("yes");
    there.answer("yes");
    assert_eq!(old.end().one(), json!({"linked": 2}));
    there.end().one();
    Home::new().run(&["device", "link", &text]).fails(4, "used already");
}

#[test]
fn the_words_remove_a_device() {
    let service = Service::open();
    let ((ana, words), new) = (with_words("Ana", &service), Home::new());
    link(&ana, &new);
    let remove =
        |home: &Home, number: &str, words: &str| home.run_with(&["device", "remove", number], words.as_bytes());
    remove(&ana, "7", &words).fails(5, "no device 7");
    remove(&ana, "1", &words).fails(2, "the device that you are using");
    let others = with_words("Bo", &service).1;
    remove(&ana, "2", &others).fails(4, "of another account");
    remove(&ana, "2", &words.replacen(words.split(' ').next().unwrap(), "undertone", 1)).fails(2, "word 1 ");
    remove(&ana, "2", "").fails(2, "24 recovery words");
    assert_eq!(remove(&ana, "2", &words.replace(' ', "\n")).one(), json!({"removed": 2}));
    assert_eq!(ana.run(&["device", "list"]).must().len(), 1);
    assert_ne!(new.run(&["receive"]).code, 0);
}

#[test]
fn the_words_bring_an_account_back() {
    let service = Service::open();
    let (ana, words) = with_words("Ana", &service);
    let account = ana.account();
    drop(ana);
    let new = Home::new();
    let words_of: Vec<_> = words.split(' ').collect();
    let swapped = [&words_of[1..2], &words_of[..1], &words_of[2..]].concat().join(" ");
    recover(&new, &service, &words_of[1..].join(" ")).fails(2, "there are 23");
    recover(&new, &service, &words.replacen(words_of[4], "undertone", 1)).fails(2, "word 5 ");
    if swapped != words {
        recover(&new, &service, &swapped).fails(2, "do not belong together");
    }
    recover(&new, &Service::open(), &words).fails(5, "no account of these words");
    recover(&new, &service, "").fails(2, "24 recovery words");
    new.run(&["whoami"]).fails(1, "no account yet");
    let me = recover(&new, &service, &words).one();
    assert_eq!(me["account"], json!(account));
    recover(&new, &service, &words).fails(1, "an account already");
    assert_eq!(new.account(), account);
}

#[test]
fn an_account_goes_when_its_name_is_typed() {
    let service = Service::open();
    let (ana, bo) = in_contact(&service);
    ana.run_with(&["delete-account"], b"ana\n").fails(4, "nothing was deleted");
    ana.run(&["delete-account"]).fails(4, "nothing was deleted");
    assert_eq!(service.admin(&["stats"])[0]["accounts"], json!(2));
    let account = ana.account();
    assert_eq!(ana.run_with(&["delete-account"], b"Ana\n").one(), json!({"deleted": account}));
    assert_eq!(service.admin(&["stats"])[0]["accounts"], json!(1));
    bo.run(&["delete-account", "--yes"]).one();
    assert_eq!(service.admin(&["stats"])[0]["accounts"], json!(0));
    assert!(!ana.history("Bo").is_empty(), "what is here stays readable");
}

#[test]
fn a_clock_may_be_ahead_and_says_so() {
    let service = Service::open();
    let ana = Home::of("Ana", &service);
    let done = ana.run(&["--clock-ahead", "20", "chats"]);
    assert!(done.errors.contains("20 days ahead"), "{}", done.errors);
    let ana = ana.with("UNDERTONE_CLOCK_AHEAD", "1");
    assert!(ana.run(&["chats"]).errors.contains("1 days ahead"));
    let now = ana.send(&ana.account(), "tomorrow");
    assert!(now["id"].is_string());
    let sent_at = |entry: &Value| entry["sent_at"].as_str().unwrap().to_owned();
    let tomorrow = sent_at(&ana.history(&ana.account())[0]);
    let ana = ana.with("UNDERTONE_CLOCK_AHEAD", "0");
    ana.send(&ana.account(), "today");
    let today = ana.history(&ana.account()).iter().map(sent_at).min().unwrap();
    assert!(today.get(..10) < tomorrow.get(..10));
}
