//! Groups: every action, by real processes, and what is refused.

use serde_json::{Value, json};

use crate::support::{Home, Service};

/// Times that a home is looked at until something has come to it.
const TRIES: u32 = 400;
const TITLE: &str = "Sailors";

/// Asks a home again and again, until the group is as it should be there.
fn until(home: &Home, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    for _ in 0..TRIES {
        home.run(&["receive"]).must();
        let groups = home.run(&["group", "list"]).must();
        if let Some(group) = groups.into_iter().next() {
            if holds(&group) {
                return group;
            }
            last = group;
        }
    }
    panic!("{what}: {last:#}");
}

fn group(home: &Home, arguments: &[&str]) -> Value {
    let (first, rest) = arguments.split_first().unwrap();
    let changed = home.run(&[&["group", first, TITLE], rest].concat()).one();
    assert_eq!(changed["queued"], json!(false));
    changed
}

fn refused(home: &Home, arguments: &[&str], says: &str) {
    let (first, rest) = arguments.split_first().unwrap();
    home.run(&[&["group", first, TITLE], rest].concat()).fails(4, says);
}

fn role_in(group: &Value, home: &Home) -> Value {
    let account = home.account();
    let member = group["members"].as_array().unwrap().iter().find(|member| member["account"] == json!(account));
    member.map_or(Value::Null, |member| member["role"].clone())
}

/// All of these show the same record, in which this one has this role.
fn all_see(homes: &[&Home], whom: &Home, role: Value) {
    let hashes = homes.iter().map(|home| {
        until(home, "a role", |group| group["state"] == json!("open") && role_in(group, whom) == role)["record_hash"].clone()
    });
    let hashes: Vec<_> = hashes.collect();
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
}

fn says(from: &Home, text: &str, to: &[&Home]) {
    from.send(TITLE, text);
    for home in to {
        assert_eq!(home.receive_some(1), [text]);
    }
}

#[test]
fn every_action_is_done_and_everybody_sees_the_same() {
    let service = Service::open();
    let [ana, bo, cy, di] = ["Ana", "Bo", "Cy", "Di"].map(|name| Home::of(name, &service));
    let created = ana.run(&["group", "create", TITLE, "--description", "at sea", "--member", &bo.link()]).one();
    assert_eq!(created["queued"], json!(false));

    // Bo does not know Ana: he is asked.
    let waiting = until(&bo, "added", |group| group["invited_by"] == json!(ana.account()));
    assert_eq!((&waiting["title"], &waiting["group"]), (&json!(TITLE), &created["group"]));
    bo.run(&["group", "accept", TITLE]).one();
    all_see(&[&ana, &bo], &bo, json!("member"));
    says(&ana, "welcome", &[&bo]);
    says(&bo, "thank you", &[&ana]);

    // Invited, and not; invited, and in.
    refused(&bo, &["invite", &cy.link()], "your role");
    group(&ana, &["invite", &cy.link()]);
    until(&cy, "invited", |group| group["invited_by"] == json!(ana.account()));
    group(&ana, &["revoke", &cy.account()]);
    cy.run(&["group", "accept", TITLE]).fails(4, "");
    group(&ana, &["invite", &cy.account(), "--role", "reader"]);
    until(&cy, "invited again", |group| group["invited_by"] == json!(ana.account()));
    cy.run(&["group", "decline", TITLE]).one();
    until(&ana, "declined", |group| group["invited"] == json!([]));
    group(&ana, &["add", &cy.account(), "--role", "reader"]);
    until(&cy, "added", |group| !group["invited_by"].is_null() || group["state"] == json!("open"));
    let _ = cy.run(&["group", "accept", TITLE]);
    all_see(&[&ana, &bo, &cy], &cy, json!("reader"));

    // Who reads, reads.
    says(&ana, "for readers too", &[&bo, &cy]);
    cy.run(&["send", TITLE, "may I?"]).fails(4, "");
    group(&ana, &["role", &cy.account(), "member"]);
    all_see(&[&ana, &bo, &cy], &cy, json!("member"));
    says(&cy, "I may", &[&ana, &bo]);

    // What it says of itself, and who may say so.
    refused(&bo, &["set", "pinned", "mine"], "");
    group(&ana, &["rules", "--edit", "members", "--add", "members"]);
    until(&bo, "rules", |group| group["rules"]["edit"] == json!("members"));
    group(&bo, &["set", "pinned", "the boat leaks"]);
    for home in [&ana, &cy] {
        let seen = until(home, "pinned", |group| group["pinned"] == json!("the boat leaks"));
        assert_eq!((&seen["description"], &seen["rules"]["add"]), (&json!("at sea"), &json!("members")));
    }

    // Announcements: admins alone say something.
    group(&ana, &["rules", "--post", "admins"]);
    until(&bo, "announcements", |group| group["rules"]["post"] == json!("admins"));
    bo.run(&["send", TITLE, "but"]).fails(4, "");
    says(&ana, "hear, hear", &[&bo, &cy]);
    group(&ana, &["rules", "--post", "members"]);
    until(&bo, "no more announcements", |group| group["rules"]["post"] == json!("members"));

    // By a link: who may ask, asks; one is let in, the other is not.
    let link = ana.run(&["group", "invite-link", TITLE, "ask"]).one();
    let link = link["link"].as_str().unwrap().to_owned();
    di.run(&["group", "join", &link]).one();
    let asks = until(&ana, "asked", |group| group["requesting"] != json!([]));
    assert_eq!(asks["requesting"][0]["account"], json!(di.account()));
    assert_eq!(ana.run(&["group", "requests", TITLE]).one()["account"], json!(di.account()));
    group(&ana, &["deny", &di.account()]);
    let joined = ana.run(&["group", "invite-link", TITLE, "join"]).one();
    assert_ne!(joined["link"], json!(link));
    di.run(&["group", "join", &link]).fails(4, "");
    di.run(&["group", "join", joined["link"].as_str().unwrap()]).one();
    all_see(&[&ana, &bo, &cy, &di], &di, json!("member"));
    says(&di, "aboard", &[&ana, &bo, &cy]);
    assert_eq!(ana.run(&["group", "invite-link", TITLE, "off"]).one()["link"], Value::Null);

    // Out, for now and for good.
    refused(&bo, &["remove", &di.account()], "");
    group(&ana, &["remove", &di.account()]);
    says(&ana, "without Di", &[&bo, &cy]);
    until(&di, "out", |group| group["state"] == json!("out"));
    di.run(&["send", TITLE, "hello?"]).fails(4, "");
    assert!(di.receive().is_empty());
    group(&ana, &["ban", &di.account()]);
    refused(&ana, &["add", &di.account()], "");
    group(&ana, &["unban", &di.account()]);

    // Another hand at the wheel; the former one goes.
    refused(&ana, &["leave"], "");
    group(&ana, &["hand-over", &bo.account()]);
    all_see(&[&ana, &bo, &cy], &bo, json!("owner"));
    group(&ana, &["leave"]);
    all_see(&[&bo, &cy], &ana, Value::Null);
    says(&bo, "farewell, Ana", &[&cy]);
    until(&ana, "gone", |group| group["state"] == json!("out"));
    group(&bo, &["close"]);
    until(&cy, "closed", |group| group["closed"] == json!(true));
    cy.run(&["send", TITLE, "anybody?"]).fails(4, "");

    // Of what was said while all were there, all have the same.
    let texts = |home: &Home| -> Vec<Value> {
        home.history(TITLE).into_iter().map(|entry| json!([entry["from"], entry["body"], entry["seq"]])).collect()
    };
    let (bo, cy) = (texts(&bo), texts(&cy));
    assert!(bo.ends_with(&cy) && cy.len() > 5, "{cy:?}");
}

#[test]
fn what_makes_no_sense_is_said() {
    let service = Service::open();
    let ana = Home::of("Ana", &service);
    ana.run(&["group", "show", "nothing"]).fails(5, "");
    ana.run(&["group", "create", "x", "--member", "nobody"]).fails(5, "");
    ana.run(&["group", "join", "https://example.org/#x"]).fails(2, "");
    ana.run(&["group", "add", "x"]).fails(2, "");
    ana.run(&["group", "role", "x", "bo", "owner"]).fails(2, "");
    assert_eq!(ana.run(&["group", "list"]).must(), [Value::Null; 0]);
}
