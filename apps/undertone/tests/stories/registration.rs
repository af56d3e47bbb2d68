//! Who gets an account, and at which service.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::support::{Home, Service};

fn register(home: &Home, link: &str, invite: Option<&str>) -> crate::support::Done {
    let mut arguments = vec!["register", "--service", link, "--name", "Ana"];
    arguments.extend(invite.into_iter().flat_map(|invite| ["--invite", invite]));
    home.run(&arguments)
}

#[test]
fn an_account_is_made_once() {
    let service = Service::open();
    let ana = Home::new();
    let registered = ana.register("Ana", &service).one();
    assert_eq!(registered["words"].as_str().unwrap().split(' ').count(), 24);
    assert_eq!(registered["service"], json!(service.link()));
    let me = ana.run(&["whoami"]).one();
    for field in ["account", "link", "name", "device", "service"] {
        assert_eq!(me[field], registered[field]);
    }
    assert!(me["link"].as_str().unwrap().len() > service.link().len());
    for file in std::fs::read_dir(ana.path()).unwrap().map(Result::unwrap) {
        assert_eq!(
            file.metadata().unwrap().permissions().mode() & 0o077,
            0,
            "{:?} is open to others",
            file.file_name()
        );
    }
    ana.register("Ana", &service).fails(1, "an account already");
    assert_eq!(ana.run(&["whoami"]).one(), me);
}

#[test]
fn an_invite_is_good_for_one_account() {
    let service = Service::by_invite();
    let invite_of = |service: &Service| service.admin(&["invite"])[0]["invite"].as_str().unwrap().to_owned();
    let (invite, foreign) = (invite_of(&service), invite_of(&Service::by_invite()));
    let ana = Home::new();
    for wrong in [None, Some("nonsense"), Some(&foreign)] {
        register(&ana, service.link(), wrong).fails(4, "invite");
    }
    register(&ana, service.link(), Some(&invite)).must();
    register(&Home::new(), service.link(), Some(&invite)).fails(4, "invite");
}

#[test]
fn a_link_reaches_only_its_service() {
    let (service, other) = (Service::open(), Service::open());
    let cut = service.link().get(..service.link().len() - 2).unwrap();
    let ana = Home::new();
    for wrong in ["", "ana", "undertone:", "undertone:127.0.0.1:1", "http://x#y", cut] {
        register(&ana, wrong, None).fails(2, "");
    }
    register(&ana, "https://127.0.0.1/#AQ", None).fails(2, "");

    let (place, _) = service.link().split_once('#').unwrap();
    let (_, other_pin) = other.link().split_once('#').unwrap();
    register(&ana, &format!("{place}#{other_pin}"), None).fails(4, "not the service");
    let (_, pin) = service.link().split_once('#').unwrap();
    register(&ana, &format!("undertone:127.0.0.1:1#{pin}"), None).fails(3, "cannot be reached");
    ana.run(&["whoami"]).fails(1, "no account yet");
    register(&ana, service.link(), None).must();
}

#[test]
fn names_are_bounded_and_anything_else() {
    let service = Service::open();
    let ana = Home::new();
    for wrong in ["", "a\nb", "\u{1b}[31m", &"x".repeat(129)] {
        ana.register(wrong, &service).fails(2, "a name has");
    }
    let name = "Žofie 👩\u{200d}👧 שלום";
    assert_eq!(ana.register(name, &service).one()["name"], json!(name));
}

#[test]
fn a_service_is_ready_in_one_command() {
    let mut service = Service::open();
    assert!(service.link().starts_with("undertone:127.0.0.1:"));
    Home::of("Ana", &service);
    service.stop();
    service.restart();
    Home::of("Bo", &service);
}
