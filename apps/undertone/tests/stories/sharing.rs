//! Several processes on one home.

use std::collections::HashSet;

use serde_json::Value;

use crate::{
    offline::in_contact,
    support::{Service, body},
};

#[test]
fn a_send_beside_a_listener_goes_through_it() {
    let service = Service::open();
    let (ana, bo) = in_contact(&service);
    let (ana_ears, bo_ears) = (ana.listen(), bo.listen());
    for number in 0..10 {
        let question = ana.send("Bo", &format!("question {number}"));
        assert_eq!(bo_ears.next()["id"], question["id"]);
        let answer = bo.send("Ana", &format!("answer {number}"));
        assert_eq!(ana_ears.next()["id"], answer["id"]);
    }
    assert!(ana.run(&["receive"]).must().is_empty(), "the listener has shown everything");
    assert_eq!(ana.history("Bo").len(), bo.history("Ana").len());
    ana.run(&["send", "nobody", "hm"]).fails(5, "nobody here is called");
    assert!(ana_ears.stop().is_empty() && bo_ears.stop().is_empty());
    assert!(ana.receive().is_empty() && bo.receive().is_empty());
}

#[test]
fn each_message_is_shown_to_one_of_several_listeners() {
    let service = Service::open();
    let (ana, bo) = in_contact(&service);
    let ears = [bo.listen(), bo.listen(), bo.listen()];
    let lines: Vec<_> = (0..30).map(|number| format!("message {number}")).collect();
    let sent = ana.run_with(&["send", "Bo", "--lines"], lines.join("\n").as_bytes()).must();
    assert_eq!(sent.len(), lines.len());
    // What is not shown when they stop, nobody has seen: it is still new.
    let mut shown: Vec<Value> = ears.into_iter().flat_map(|ears| ears.stop()).collect();
    while shown.len() < lines.len() {
        shown.extend(bo.run(&["receive", "--wait", "60"]).must());
    }
    let ids: HashSet<_> = shown.iter().map(|message| message["id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), shown.len()), (lines.len(), lines.len()));
    assert!(bo.receive().is_empty());
}

#[test]
fn a_guest_takes_over_when_the_host_is_gone() {
    let service = Service::open();
    let (ana, bo) = in_contact(&service);
    let host = bo.listen();
    ana.send("Bo", "to the host");
    assert_eq!(body(&host.next()), "to the host");
    let guest = bo.listen();
    // The guest has to be one before the host goes: a command of its own home passes through the same host after it.
    bo.run(&["chats"]).must();
    host.kill();
    ana.send("Bo", "to whoever is there");
    assert_eq!(body(&guest.next()), "to whoever is there");
    bo.send("Ana", "I am");
    assert_eq!(ana.receive_some(1), ["I am"]);
    assert!(guest.stop().is_empty());
}

#[test]
fn many_senders_on_one_home() {
    let service = Service::open();
    let (ana, bo) = in_contact(&service);
    std::thread::scope(|scope| {
        for sender in 0..4 {
            let ana = &ana;
            scope.spawn(move || {
                for number in 0..3 {
                    ana.send("Bo", &format!("{sender}.{number}"));
                }
            });
        }
    });
    let got = bo.receive_some(12);
    for sender in 0..4 {
        let own: Vec<_> = got.iter().filter(|text| text.starts_with(&format!("{sender}."))).collect();
        assert_eq!(own, [&format!("{sender}.0"), &format!("{sender}.1"), &format!("{sender}.2")]);
    }
}
