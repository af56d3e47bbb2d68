//! What people say of themselves, how far their messages came, and what a stranger wrote.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use crate::{
    offline::in_contact,
    support::{Home, Service, body, must_fit, program},
};

/// Times that a home is looked at until something has come to it.
const TRIES: u32 = 1_000;

/// Asks a home again and again, until its answer is as it should be.
fn until(home: &Home, arguments: &[&str], holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    for _ in 0..TRIES {
        home.run(&["receive"]).must();
        let lines = home.run(arguments).must();
        if holds(&lines) {
            return lines;
        }
    }
    panic!("{arguments:?} never says what it should");
}

#[test]
fn a_profile_reaches_friends_and_the_service_knows_its_size() {
    let service = Service::open();
    let (ana, bo) = in_contact(&service);
    let image = ana.path().join("image");
    fs::write(&image, [7; 3_000]).unwrap();
    let (name, about) = ("Ana Maria", "ashore \u{1b}[31m");
    let said = ana.run(&["profile", "--name", name, "--about", about, "--avatar", image.to_str().unwrap()]).one();
    assert_eq!((&said["name"], &said["about"], &said["pending"]), (&json!(name), &json!(about), &json!(true)));
    until(&ana, &["profile"], |lines| lines[0]["pending"] == json!(false));
    ana.send("Bo", "look");
    let known = until(&bo, &["profile", &ana.account()], |lines| lines[0]["about"] == json!(about));
    assert_eq!((&known[0]["name"], &known[0]["avatar"]), (&json!(name), &said["avatar"]));
    assert_eq!(bo.run(&["chats"]).must()[0]["name"], json!(name));
    let shown = program().arg("--home").arg(bo.path()).args(["profile", name]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("ashore ␛[31m") && shown.contains("3000 bytes"), "{shown}");

    let kept = ana.run(&["whoami", "--published"]).must();
    let sizes: Vec<usize> = kept.iter().filter_map(|kept| kept["value"].as_str()).map(|hex| hex.len() / 2).collect();
    assert!(sizes.contains(&16_384), "one bucket: {sizes:?}");
    for said in [name.as_bytes(), b"ashore"] {
        let said: String = said.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(kept.iter().all(|kept| kept["value"].as_str().is_none_or(|hex| !hex.contains(&said))));
    }

    ana.run(&["profile", "--name", ""]).fails(2, "1 to 128 bytes");
    ana.run(&["profile", "--avatar", "/nowhere"]).fails(1, "the image cannot be read");
    fs::write(&image, [7; 60_001]).unwrap();
    ana.run(&["profile", "--avatar", image.to_str().unwrap()]).fails(2, "60000 bytes");
    ana.run(&["profile", "Zoe"]).fails(5, "nobody here");
}

/// The operator prints what its owner gets, and it is the same kind of things however many chats somebody has.
#[test]
fn an_account_can_be_published_and_tells_nothing_of_its_chats() {
    let service = Service::open();
    let (ana, _bo) = in_contact(&service);
    let fields = || {
        let (own, operators) =
            (ana.run(&["whoami", "--published"]).must(), service.admin(&["publish", &ana.account()]));
        let fields = |lines: &[Value]| -> BTreeSet<String> {
            assert!(lines.iter().all(|line| line["meaning"].as_str().is_some_and(|meaning| !meaning.is_empty())));
            lines.iter().map(|line| format!("{} {}", line["table"], line["column"])).collect()
        };
        assert_eq!(fields(&own), fields(&operators));
        fields(&own)
    };
    let before = fields();
    for name in ["Cy", "Di", "Ed"] {
        let other = Home::of(name, &service);
        ana.send(&other.link(), "hello");
        assert_eq!(other.receive_some(1), ["hello"]);
        other.run(&["request", "accept", "Ana"]).one();
        other.send("Ana", "hello back");
        assert_eq!(ana.receive_some(1), ["hello back"]);
    }
    assert_eq!(fields(), before);

    // Who is suspended keeps his chats: nothing ties them to him.
    service.admin(&["suspend", &ana.account()]);
    ana.send("Cy", "still here");
    let suspended = fields();
    assert!(suspended.difference(&before).all(|field| field.contains("suspended")) && suspended.len() > before.len());
    service.admin(&["suspend", &ana.account(), "--undo"]);
    assert_eq!(fields(), before);
}

#[test]
fn a_message_is_delivered_and_read() {
    let service = Service::open();
    let (ana, bo) = in_contact(&service);
    let settings = json!({"receipts": true, "typing": false});
    assert_eq!(ana.run(&["settings"]).one(), settings);
    ana.send("Bo", "one");
    assert_eq!(bo.receive_some(1), ["one"]);
    bo.send("Ana", "two");
    let history = until(&ana, &["history", "Bo"], |lines| lines.iter().any(|line| line["body"] == json!("two")));
    let one = history.iter().find(|line| line["body"] == json!("one")).unwrap();
    assert_eq!((&one["delivered"], &one["read"]), (&json!(true), &json!(true)));
    assert!(history.iter().filter(|line| line["from"] == json!(bo.account())).all(|line| line.get("read").is_none()));

    assert_eq!(bo.run(&["settings", "receipts", "off"]).one(), json!({"receipts": false, "typing": false}));
    ana.send("Bo", "three");
    assert_eq!(bo.receive_some(1), ["three"]);
    bo.send("Ana", "four");
    let history = until(&ana, &["history", "Bo"], |lines| lines.iter().any(|line| line["body"] == json!("four")));
    let three = history.iter().find(|line| line["body"] == json!("three")).unwrap();
    assert!(three.get("delivered").is_none() && three.get("read").is_none());
}

#[test]
fn who_listens_sees_that_somebody_writes() {
    let service = Service::open();
    let (ana, bo) = in_contact(&service);
    ana.run(&["typing", "Bo"]).fails(2, "settings typing on");
    for home in [&ana, &bo] {
        home.run(&["settings", "typing", "on"]).one();
    }
    let (ana_ears, bo_ears) = (ana.listen(), bo.listen());
    ana.send("Bo", "a moment");
    assert_eq!(body(&bo_ears.next()), "a moment");
    let told = ana.run(&["typing", "Bo"]).one();
    assert_eq!(told, json!({"chat": bo.account(), "typing": true}));
    let seen = bo_ears.next_as("typing");
    assert_eq!(seen, json!({"chat": ana.account(), "typing": true, "seconds": 10}));
    ana.run(&["typing", "Bo", "--over"]).one();
    assert_eq!(bo_ears.next_as("typing")["typing"], json!(false));
    drop((ana_ears, bo_ears));
}

#[test]
fn what_a_stranger_wrote_is_shown_to_the_operator() {
    let service = Service::open();
    let (ana, eve) = (Home::of("Ana", &service), Home::of("Eve", &service));
    eve.send(&ana.link(), "an insult");
    assert_eq!(ana.receive_some(1), ["an insult"]);
    let report = ana.run(&["report", "Eve"]).one()["report"].as_str().unwrap().to_owned();
    let text = program().arg("--home").arg(ana.path()).args(["report", "Eve"]).output().unwrap();
    assert_eq!(String::from_utf8(text.stdout).unwrap().trim(), report);
    let file = ana.path().join("letters");
    fs::write(&file, &report).unwrap();
    let checked = program()
        .args(["admin", "--data"])
        .arg(ana.path())
        .args(["check-report", "--json"])
        .arg(&file)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&checked.stderr).into_owned();
    let line: Value = serde_json::from_slice(&checked.stdout).unwrap_or_else(|_| panic!("{errors}"));
    assert_eq!((&line["from"], &line["to"]), (&json!(eve.account()), &json!(ana.account())));
    assert_eq!(line["messages"][0]["body"], json!("an insult"));
    must_fit("report", &json!({"report": report}));
    ana.run(&["request", "accept", "Eve"]).one();
    ana.run(&["report", "Eve"]).fails(5, "no letter of this person is kept");
}
