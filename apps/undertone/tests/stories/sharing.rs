//! Several processes on one home.

use std::collections::HashSet;

use serde_json::Value;

use crate::{
    offline::in_contact,
    support::{Listener, Service, body},
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
fn what_is_sent_through_a_host_that_is_killed_is_sent_once() {
    every_line_is_sent_once(Listener::kill);
}

#[test]
fn what_is_sent_through_a_host_that_leaves_is_sent_once() {
    every_line_is_sent_once(|host| assert!(host.stop().is_empty()));
}

fn every_line_is_sent_once(end: impl FnOnce(Listener)) {
    let service = Service::open();
    let (ana, bo) = in_contact(&service);
    let lines: Vec<_> = (0..200).map(|number| number.to_string()).collect();
    let sent = std::thread::scope(|scope| {
        let host = ana.listen();
        ana.send("Bo", "the host is there");
        let sender = scope.spawn(|| ana.run_with(&["send", "Bo", "--lines"], lines.join("\n").as_bytes()).must());
        let ears = bo.listen();
        assert_eq!(body(&ears.next()), "the host is there");
        let mut got: Vec<_> = (0..20).map(|_| body(&ears.next())).collect();
        end(host);
        got.extend((20..lines.len()).map(|_| body(&ears.next())));
        assert_eq!(got, lines);
        assert!(ears.stop().is_empty());
        sender.join().unwrap()
    });
    let ids: HashSet<_> = sent.iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), lines.len());
    assert_eq!(ana.history("Bo").len(), 3 + lines.len());
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
