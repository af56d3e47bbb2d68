//! What former releases left on disk (fixtures/README.md), opened by this one.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::support::{Home, Service, root};

const RELEASES: [&str; 1] = ["0.1"];

/// What one of them left.
struct Recorded(PathBuf);

impl Recorded {
    fn all() -> impl Iterator<Item = Self> {
        RELEASES.iter().map(|release| Self(root().join("apps/undertone/tests/fixtures").join(release)))
    }

    fn home(&self, person: &str) -> Home {
        let home = Home::new();
        copy(&self.0.join(person), &home.path());
        // The home's lock tells that this folder is one.
        fs::write(home.file("lock"), "").unwrap();
        home
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// What a command printed then.
    fn said(&self, name: &str) -> Vec<Value> {
        self.text(&format!("says/{name}.jsonl")).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn account(&self, person: &str) -> String {
        self.said(&format!("{person}-whoami"))[0]["account"].as_str().unwrap().to_owned()
    }
}

/// As it was left: closed to others, which git does not keep.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let copy = to.join(entry.file_name());
        fs::copy(entry.path(), &copy).unwrap();
        fs::set_permissions(copy, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// That a line says all that it said then; it may say more.
#[track_caller]
fn assert_says(now: &[Value], then: &[Value]) {
    assert_eq!(now.len(), then.len());
    for (now, then) in now.iter().zip(then) {
        for (field, value) in then.as_object().unwrap() {
            assert_eq!(&now[field], value, "{field} of {then}");
        }
    }
}

#[test]
fn homes_say_what_they_said() {
    for recorded in Recorded::all() {
        for (person, chats) in [("ana", &["self", "bo"][..]), ("bo", &["ana", "cy"]), ("cy", &["ana"])] {
            let home = recorded.home(person);
            for _ in ["brought up", "opened again"] {
                let says = |what: &str, arguments: &[&str]| {
                    assert_says(&home.run(arguments).must(), &recorded.said(&format!("{person}-{what}")));
                };
                says("whoami", &["whoami"]);
                says("chats", &["chats"]);
                says("requests", &["request", "list"]);
                for with in chats {
                    let who = if *with == "self" { person } else { with };
                    says(with, &["history", &recorded.account(who)]);
                }
            }
        }
    }
}

#[test]
fn a_service_is_the_one_it_was() {
    for recorded in Recorded::all() {
        let service = Service::of(|data| copy(&recorded.0.join("service"), data));
        let pin = |link: &str| link.trim().split('#').nth(1).unwrap().to_owned();
        assert_eq!(pin(service.link()), pin(&recorded.text("link")));
        let view = service.admin(&["view"]);
        for person in ["ana", "bo", "cy"] {
            let account = recorded.account(person);
            assert!(view.iter().any(|row| row["account"] == account.as_str()), "{person}");
        }
        // And goes on as one.
        let (dan, eve) = (Home::of("Dan", &service), Home::of("Eve", &service));
        dan.send(&eve.link(), "so this is where you are");
        assert_eq!(eve.receive_some(1), ["so this is where you are"]);
        eve.run(&["request", "accept", "Dan"]).must();
        eve.send("Dan", "yes");
        assert_eq!(dan.receive_some(1), ["yes"]);
        assert_eq!(service.admin(&["stats"])[0]["accounts"], 6);
    }
}
