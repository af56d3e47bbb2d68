//! Without a service, and with one that comes and goes.

use serde_json::json;

use crate::support::{Home, Service, body};

/// Ana and Bo in contact.
pub fn in_contact(service: &Service) -> (Home, Home) {
    let (ana, bo) = (Home::of("Ana", service), Home::of("Bo", service));
    ana.send(&bo.link(), "hello");
    assert_eq!(bo.receive_some(1), ["hello"]);
    bo.run(&["request", "accept", "Ana"]).must();
    bo.send("Ana", "yes");
    assert_eq!(ana.receive_some(1), ["yes"]);
    (ana, bo)
}

#[test]
fn what_is_written_offline_goes_with_the_next_command() {
    let mut service = Service::open();
    let (ana, bo) = in_contact(&service);
    service.kill();
    for text in ["one", "two"] {
        let queued = ana.run(&["send", "Bo", text]);
        queued.fails(3, "kept");
        assert_eq!((&queued.lines[0]["seq"], &queued.lines[0]["queued"]), (&json!(null), &json!(true)));
    }
    ana.run(&["receive"]).fails(3, "cannot be reached");
    let waiting = ana.history("Bo");
    assert_eq!(waiting.iter().filter(|entry| entry.get("queued").is_some()).count(), 2);
    service.restart();
    ana.send("Bo", "three");
    assert_eq!(bo.receive_some(3), ["one", "two", "three"]);
    assert!(ana.history("Bo").iter().all(|entry| entry.get("queued").is_none()));
}

#[test]
fn any_next_command_sends_what_waits() {
    let mut service = Service::open();
    let (ana, bo) = in_contact(&service);
    for next in [&["chats"][..], &["history", "Bo"], &["whoami"], &["request", "list"], &["receive"]] {
        service.kill();
        ana.run(&["send", "Bo", next[0]]).fails(3, "kept");
        // Without a service nothing keeps it from what can be done here.
        if next[0] != "receive" {
            ana.run(next).must();
        }
        service.restart();
        ana.run(next).must();
        assert_eq!(bo.receive(), [next[0]]);
    }
}

#[test]
fn a_first_contact_may_be_written_offline() {
    let mut service = Service::open();
    let (ana, bo) = (Home::of("Ana", &service), Home::of("Bo", &service));
    let link = bo.link();
    service.stop();
    ana.run(&["send", &link, "hello"]).fails(3, "kept");
    service.restart();
    ana.run(&["receive"]).must();
    assert_eq!(bo.receive_some(1), ["hello"]);
}

#[test]
fn what_is_here_is_shown_without_a_service() {
    let mut service = Service::open();
    let (ana, bo) = in_contact(&service);
    ana.send("Bo", "last words");
    // A short command of Bo's fetches it, and shows nothing.
    bo.send("Ana", "hm");
    service.kill();
    let here = bo.run(&["receive"]);
    here.fails(3, "cannot be reached");
    assert!(here.lines.iter().map(body).all(|text| text == "last words"));
    service.restart();
    let later = bo.receive();
    assert_eq!(here.lines.len() + later.len(), 1);
}

#[test]
fn a_listener_survives_its_service() {
    let mut service = Service::open();
    let (ana, bo) = in_contact(&service);
    let ears = bo.listen();
    ana.send("Bo", "before");
    assert_eq!(body(&ears.next()), "before");
    service.kill();
    ears.is_told("cannot be reached");
    ana.run(&["send", "Bo", "between"]).fails(3, "kept");
    service.restart();
    ears.is_told("is back");
    ana.send("Bo", "after");
    assert_eq!([body(&ears.next()), body(&ears.next())], ["between", "after"]);
    assert!(ears.stop().is_empty());
}

#[test]
fn waiting_for_nothing_is_no_failure() {
    let mut service = Service::open();
    let ana = Home::of("Ana", &service);
    assert!(ana.run(&["receive", "--wait", "1"]).must().is_empty());
    service.kill();
    ana.run(&["receive", "--wait", "1"]).fails(3, "cannot be reached");
}
