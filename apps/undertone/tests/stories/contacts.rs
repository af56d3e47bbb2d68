//! Who of an address book is here, on the command line.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Home, Service};

/// Has a file looked up.
fn looked_up(home: &Home, file: &str, more: &[&str]) -> Vec<Value> {
    let path = home.path().join("book");
    fs::write(&path, file).unwrap();
    let arguments = [&["contacts", "discover", path.to_str().unwrap(), "--yes"], more].concat();
    home.run(&arguments).must()
}

#[test]
fn whoever_is_listed_is_found_and_written_to() {
    let service = Service::open();
    let (ana, bo) = (Home::of("Ana", &service), Home::of("Bo", &service));
    assert_eq!(ana.run(&["listing", "add", "@Ana.1"]).one(), json!({"identifier": "@ana.1", "state": "listed"}));
    assert_eq!(ana.run(&["listing", "show"]).one()["state"], json!("listed"));
    service.admin(&["directory", "--refresh"]);

    let found = looked_up(&bo, "Ana A. @ana.1\nZoe: @zoe\nCy 079 123 45 67\nhello\n", &["--region", "CH"]);
    assert_eq!(
        found,
        [
            json!({"contact": "Ana A.", "identifier": "@ana.1", "account": ana.account()}),
            json!({"contact": "Zoe", "identifier": "@zoe", "account": null}),
            json!({"contact": "Cy", "identifier": "+41791234567", "account": null}),
        ]
    );
    assert_eq!(bo.run(&["contacts", "list"]).must(), found);
    bo.send("Ana A.", "found you");
    assert_eq!(ana.receive_some(1), ["found you"]);

    // What cannot be looked up is said, with its place.
    let path = bo.path().join("book");
    fs::write(&path, "@ana.1\n\nhello there\n079 1\n").unwrap();
    let done = bo.run(&["contacts", "discover", path.to_str().unwrap(), "--yes"]);
    assert!(done.errors.contains("line 3 is skipped: \"hello there\"") && done.errors.contains("line 4 is skipped"));
    // Nobody is looked up without a yes.
    let asked = bo.run(&["contacts", "discover", path.to_str().unwrap()]);
    assert!(asked.errors.contains("the service learns") && asked.errors.contains("nobody else learns"));
    asked.fails(4, "nobody was looked up");
    fs::write(&path, "hello\n").unwrap();
    bo.run(&["contacts", "discover", path.to_str().unwrap(), "--yes"]).fails(2, "nothing in this file");
    bo.run(&["contacts", "discover", "/nowhere", "--yes"]).fails(1, "cannot be read");

    assert_eq!(bo.run(&["contacts", "forget", "Zoe"]).one(), json!({"forgotten": 1}));
    bo.run(&["contacts", "forget", "Zoe"]).fails(5, "nobody here is called");
    assert_eq!(ana.run(&["listing", "remove", "@ana.1"]).one()["state"], json!("removed"));
    assert!(ana.run(&["listing", "show"]).must().is_empty());
}

#[test]
fn what_is_somebody_elses_waits() {
    let service = Service::open();
    let (ana, bo) = (Home::of("Ana", &service), Home::of("Bo", &service));
    ana.run(&["listing", "add", "@ana"]).one();
    let waits = bo.run(&["listing", "add", "@ana"]).one();
    assert_eq!(waits["state"], json!("waits"));
    ana.run(&["receive"]).must();
    assert_eq!(ana.run(&["whoami"]).one()["listing_claimed"], json!(true));
    ana.run(&["listing", "add", "079 123 45 67"]).fails(2, "--region");
    ana.run(&["listing", "add", "+41 79 123 45 67"]).fails(4, "sends no codes");
    ana.run(&["listing", "confirm", "@ana", "1"]).one();
}
