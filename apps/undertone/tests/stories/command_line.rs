//! The command line itself: help, manual, completions, schemas, and the document about them.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use crate::{
    offline::in_contact,
    support::{Home, Schema, Service, must_fit, program, root},
};

fn names(folder: &std::path::Path, end: &str) -> BTreeSet<String> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    files.filter_map(|name| name.strip_suffix(end).map(str::to_owned)).collect()
}

#[test]
fn every_command_and_every_schema_is_documented() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man/man1");
    assert!(program().arg("man").arg(&pages).status().unwrap().success());
    let document = fs::read_to_string(root().join("docs/cli.md")).unwrap();
    // A page's name has hyphens alone.
    let document = document
        .replace("admin --data DIR", "admin")
        .replace("delete-account", "delete account")
        .replace("hand-over", "hand over")
        .replace("invite-link", "invite link")
        .replace("check-report", "check report");
    let pages = names(&pages, ".1");
    assert!(pages.contains("undertone-request-accept") && pages.contains("undertone-serve"));
    let missing = |page: &&String| {
        !document.contains(&format!("undertone {}", page.replacen("undertone-", "", 1).replace('-', " ")))
    };
    let without = |page: &&String| !["undertone", "undertone-help"].contains(&page.as_str()) && !page.contains("-help");
    let groups = [
        "undertone-admin",
        "undertone-contacts",
        "undertone-device",
        "undertone-group",
        "undertone-listing",
        "undertone-request",
    ]
    .map(str::to_owned);
    assert_eq!(
        pages.iter().filter(without).filter(|page| !groups.contains(page)).filter(missing).collect::<Vec<_>>(),
        [""; 0]
    );
    let schemas = names(&root().join("docs/schema"), ".json");
    let missing = |schema: &&String| !document.contains(&format!("(schema/{schema}.json)"));
    assert_eq!(schemas.iter().filter(missing).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn what_the_operator_reads_is_documented() {
    let mut service = Service::open();
    let (ana, bo) = in_contact(&service);
    ana.send(&bo.account(), "one more");
    let stranger = Home::of("Cy", &service);
    stranger.send(&bo.link(), "hello");
    for running in [true, false] {
        must_fit("invite", &service.admin(&["invite", "--uses", "2"])[0]);
        let stats = &service.admin(&["stats"])[0];
        must_fit("stats", stats);
        assert_eq!((&stats["accounts"], stats["circuits"].is_object()), (&json!(3), running));
        let view = service.admin(&["view"]);
        for object in &view {
            must_fit(object["plane"].as_str().unwrap(), object);
        }
        assert!(view.iter().any(|object| object["inbox"].as_array().is_some_and(|inbox| inbox.len() == 1)));
        assert!(view.iter().any(|object| object["entries"].as_array().is_some_and(|entries| !entries.is_empty())));
        if running {
            service.stop();
        }
    }
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = program().args(["completions", shell]).output().unwrap();
        assert!(output.status.success() && String::from_utf8(output.stdout).unwrap().contains("whoami"));
    }
}

#[test]
fn wrong_usage_is_2_and_says_so_in_json_too() {
    let home = Home::new();
    for arguments in [&["send", "bo"][..], &["receive", "--wait", "soon"], &["send", "bo", "hi", "--lines"]] {
        home.run(arguments).fails(2, "");
    }
    for arguments in [&[][..], &["request"], &["no-such-command"], &["--pace", "hasty", "whoami"]] {
        let output = program().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(!output.stderr.is_empty() && output.stdout.is_empty());
    }
    for arguments in [["--help"], ["--version"]] {
        assert!(program().args(arguments).output().unwrap().status.success());
    }
}

#[test]
fn eager_says_what_it_drops() {
    let home = tempfile::tempdir().unwrap();
    let run = |pace| {
        let output =
            program().arg("--home").arg(home.path()).arg("whoami").env("UNDERTONE_PACE", pace).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(run("eager").contains("delays that protect you"));
    assert!(!run("normal").contains("delays that protect you"));
}

#[test]
fn schemas_refuse_what_does_not_fit() {
    let good = json!({"id": "0".repeat(32), "chat": "0".repeat(32), "seq": 1});
    let schema = Schema::load("sent");
    assert!(schema.objections(&good).is_empty());
    let with = |field: &str, value: Value| {
        let mut line = good.clone();
        line[field] = value;
        schema.objections(&line).len()
    };
    assert_eq!(with("seq", json!(null)) + with("queued", json!(true)), 0);
    for (field, value) in
        [("seq", json!("1")), ("seq", json!(0)), ("queued", json!(false)), ("id", json!("short")), ("more", json!(1))]
    {
        assert_eq!(with(field, value), 1);
    }
    assert_eq!(schema.objections(&json!({})).len(), 3);
    assert!(!schema.objections(&json!([])).is_empty());
    let moment = |text: &str| json!({"account": "0".repeat(32), "name": "", "body": null, "sent_at": text});
    assert!(Schema::load("request").objections(&moment("2026-11-22T09:58:42.045Z")).is_empty());
    assert!(!Schema::load("request").objections(&moment("2026-11-22 09:58:42.045Z")).is_empty());
}
