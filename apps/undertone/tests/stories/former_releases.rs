//! What former releases left on disk (fixtures/README.md), opened by this one.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::support::{Home, Service, root};

const RELEASES: [&str; 4] = ["0.1", "0.2", "0.3", "0.4"];

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

    /// Who has a home, in order.
    fn people(&self) -> Vec<String> {
        let mut people: Vec<_> = self.what_was_said().into_iter().map(|(person, _)| person).collect();
        people.dedup();
        people
    }

    /// Of each home's commands, whose it was and which.
    fn what_was_said(&self) -> Vec<(String, String)> {
        let files = fs::read_dir(self.0.join("says")).unwrap().map(|file| file.unwrap().file_name());
        let names = files.map(|name| name.into_string().unwrap().strip_suffix(".jsonl").unwrap().to_owned());
        let mut said: Vec<_> = names
            .map(|name| name.split_once('-').map(|(person, what)| (person.to_owned(), what.to_owned())).unwrap())
            .collect();
        said.sort();
        said
    }

    /// The command that said it.
    fn command(&self, person: &str, what: &str) -> Vec<String> {
        match what {
            "whoami" | "chats" | "profile" | "settings" => vec![what.to_owned()],
            "requests" => ["request", "list"].map(str::to_owned).into(),
            "devices" => ["device", "list"].map(str::to_owned).into(),
            "groups" => ["group", "list"].map(str::to_owned).into(),
            "bees" => ["group", "show", "Bees"].map(str::to_owned).into(),
            "talk" => ["history", "Bees"].map(str::to_owned).into(),
            "listed" => ["listing", "show"].map(str::to_owned).into(),
            "contacts" => ["contacts", "list"].map(str::to_owned).into(),
            with => vec!["history".to_owned(), self.account(if with == "self" { person } else { with })],
        }
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
        let said = recorded.what_was_said();
        for person in recorded.people() {
            let home = recorded.home(&person);
            for _ in ["brought up", "opened again"] {
                for (_, what) in said.iter().filter(|(of, _)| *of == person) {
                    let command = recorded.command(&person, what);
                    let command: Vec<_> = command.iter().map(String::as_str).collect();
                    assert_says(&home.run(&command).must(), &recorded.said(&format!("{person}-{what}")));
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
        for person in recorded.people() {
            let account = recorded.account(&person);
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
