//! From a stranger's link to a talk.

use serde_json::{Value, json};

use crate::support::{Home, Service, body};

/// What both sides have to agree upon.
fn told(history: &[Value]) -> Vec<[Value; 5]> {
    history.iter().map(|entry| ["id", "from", "body", "sent_at", "seq"].map(|field| entry[field].clone())).collect()
}

#[test]
fn from_first_contact_to_reply() {
    let service = Service::open();
    let (ana, bo) = (Home::of("Ana", &service), Home::of("Bo", &service));
    let (ana_id, bo_id) = (ana.account(), bo.account());

    let sent = ana.send(&bo.link(), "Hello Bo");
    assert_eq!((&sent["chat"], &sent["seq"], sent.get("queued")), (&json!(bo_id), &json!(null), None));
    let more = ana.send(&bo_id, "It is Ana");
    let requests = bo.run(&["receive"]).must();
    assert_eq!(requests.iter().map(body).collect::<Vec<_>>(), ["Hello Bo", "It is Ana"]);
    for (request, sent) in requests.iter().zip([&sent, &more]) {
        assert_eq!((&request["id"], &request["request"]), (&sent["id"], &json!(true)));
        assert_eq!((&request["from"], &request["chat"]), (&json!(ana_id), &json!(ana_id)));
    }
    assert!(bo.receive().is_empty());

    let waiting = bo.run(&["request", "list"]).one();
    assert_eq!(
        (&waiting["account"], &waiting["name"], &waiting["body"]),
        (&json!(ana_id), &json!("Ana"), &json!("Hello Bo"))
    );
    bo.run(&["send", &ana_id, "too soon"]).fails(4, "answer this request first");
    assert_eq!(bo.run(&["request", "accept", "Ana"]).one(), json!({"account": ana_id, "answer": "accepted"}));
    assert!(bo.run(&["request", "list"]).must().is_empty());
    bo.run(&["request", "accept", "Ana"]).fails(5, "no request");

    let reply = bo.send("Ana", "Hello Ana");
    assert!(reply["seq"].as_u64().is_some());
    let heard = ana.run(&["receive", "--wait", "60"]).one();
    assert_eq!((&heard["id"], heard.get("request")), (&reply["id"], None));
    ana.send("Bo", "How are you?");
    assert_eq!(bo.receive_some(1), ["How are you?"]);

    let (ana_history, bo_history) = (ana.history("Bo"), bo.history("Ana"));
    assert_eq!(
        ana_history.iter().map(body).collect::<Vec<_>>(),
        ["Hello Bo", "It is Ana", "Hello Ana", "How are you?"]
    );
    assert_eq!(told(&ana_history), told(&bo_history));
    assert_eq!(ana_history.iter().map(|entry| entry["seq"].is_null()).collect::<Vec<_>>(), [true, true, false, false]);
    for home in [&ana, &bo] {
        let chat = home.run(&["chats"]).one();
        assert_eq!((&chat["state"], &chat["unshown"], &chat["trouble"]), (&json!("open"), &json!(0), &json!(null)));
    }
}

#[test]
fn the_blocked_are_not_heard_and_not_told() {
    let service = Service::open();
    let (ana, bo) = (Home::of("Ana", &service), Home::of("Bo", &service));
    ana.send(&bo.link(), "Hello");
    assert_eq!(bo.receive(), ["Hello"]);
    assert_eq!(bo.run(&["request", "block", "Ana"]).one()["answer"], json!("blocked"));
    ana.send(&bo.link(), "Are you there?");
    assert!(bo.receive().is_empty());
    assert!(bo.run(&["request", "list"]).must().is_empty());
    bo.run(&["send", "Ana", "hm"]).fails(4, "blocked");
}

#[test]
fn a_note_to_self() {
    let service = Service::open();
    let ana = Home::of("Ana", &service);
    ana.send("Ana", "buy bread");
    assert_eq!(ana.history(&ana.account()).iter().map(body).collect::<Vec<_>>(), ["buy bread"]);
    assert!(ana.receive().is_empty(), "what we write ourselves is no news");
    assert_eq!(ana.run(&["chats"]).one()["state"], json!("self"));
}

#[test]
fn nobody_there() {
    let service = Service::open();
    let (ana, bo) = (Home::of("Ana", &service), Home::of("Bo", &service));
    ana.run(&["send", "Bo", "who?"]).fails(5, "nobody here is called");
    ana.run(&["history", "Bo"]).fails(5, "nobody here is called");
    ana.run(&["request", "accept", &bo.account()]).fails(5, "");
    ana.run(&["send", &"00".repeat(16), "who?"]).fails(5, "no such account");
    ana.run(&["send", service.link(), "who?"]).fails(2, "link of a service");
    let elsewhere = Service::open();
    let other = Home::of("Cy", &elsewhere);
    ana.run(&["send", &other.link(), "hi"]).fails(4, "another service");
    assert!(ana.run(&["chats"]).must().is_empty());
}
