//! The operator, with and without a running service.

use std::path::Path;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};
use undertone_wire::channel::Channel;

use crate::process::{Data, Service, admin, channel, soon};

#[tokio::test]
async fn an_operator_is_answered_with_and_without_a_service() {
    let data = Data::new();
    let service = Service::start(&data).await;
    assert!(service.create_channel(&channel([0xc0; 16])).await.is_none());
    let circuit = soon(service.connect::<Channel>()).await.unwrap();
    answers(&data.path, json!({"account": 0, "visitor": 0, "channel": 1, "blob": 0, "directory": 0})).await;
    drop(circuit);
    service.terminate().await;
    answers(&data.path, Value::Null).await;
    Service::start(&data).await.terminate().await;
}

async fn answers(data: &Path, circuits: Value) {
    let invite = admin(data, &["invite", "--uses", "3", "--days", "2", "--json"]).await.json();
    assert_eq!(invite.as_object().unwrap().len(), 3);
    assert_eq!((&invite["uses"], invite["expires"].as_str().unwrap().len()), (&json!(3), "2026-11-22".len()));
    assert_eq!(invite["invite"].as_str().unwrap().split('-').count(), 4);
    let text = admin(data, &["invite"]).await;
    assert!(text.code == Some(0) && text.stdout.contains("--invite"), "{}", text.stderr);

    let stats = admin(data, &["--json", "stats"]).await.json();
    let expected = json!({"accounts": 0, "key_packages": 0, "inbox_entries": 0, "channels": 1, "entries": 0,
        "bodies": 0, "blobs": 0, "blob_bytes": 0, "tokens_issued": 0, "tokens_spent": 1, "circuits": &circuits});
    assert_eq!(stats, expected);
    assert!(admin(data, &["stats"]).await.stdout.starts_with("accounts"));

    // Where no service runs, nothing is published, nor can be.
    let directory = admin(data, &["directory", "--refresh", "--json"]).await.json();
    assert_eq!((&directory["listings"], &directory["key"], &directory["next_key"]), (&json!(0), &json!(1), &json!(1)));
    assert_eq!(directory["base"].is_null(), circuits.is_null());
    assert!(admin(data, &["directory"]).await.stdout.starts_with("0 listings, under key 1\n"));

    let view = admin(data, &["view", "--limit", "10", "--json"]).await.jsons();
    let channel = json!({"plane": "channel", "channel": "c0".repeat(16), "generation": 0, "incarnation": 0, "epoch": 0,
        "entries": []});
    assert_eq!(view, [channel]);
    assert!(admin(data, &["view"]).await.stdout.starts_with("channel c0c0"));
}

/// An operator who types an id that nobody has, and one who has been handed nonsense.
#[tokio::test]
async fn of_nobody_there_is_nothing_to_publish() {
    let data = Data::new();
    let service = Service::start(&data).await;
    let nobody = "0b".repeat(16);
    let ask = async || {
        for arguments in [&["publish", &nobody][..], &["suspend", &nobody], &["suspend", &nobody, "--undo"]] {
            let refused = admin(&data.path, arguments).await;
            assert!(refused.code == Some(1) && refused.stderr.contains("no account"), "{}", refused.stderr);
        }
    };
    ask().await;
    service.terminate().await;
    ask().await;
    let file = data.path.join("service.keys");
    let refused = admin(&data.path, &["check-report", file.to_str().unwrap()]).await;
    assert_eq!(refused.code, Some(1), "no text: {}", refused.stderr);
    let file = data.path.with_extension("report");
    std::fs::write(&file, "AAAA\n").unwrap();
    let refused = admin(&data.path, &["check-report", file.to_str().unwrap()]).await;
    assert!(refused.code == Some(4) && refused.stderr.contains("proves nothing"), "{}", refused.stderr);
    std::fs::remove_file(&file).unwrap();
}

/// A key that was stolen says nothing any more, once the service has started again.
#[tokio::test]
async fn another_directory_key_is_taken_at_the_next_start() {
    let data = Data::new();
    let service = Service::start(&data).await;
    let keys = |directory: &Value| (directory["key"].clone(), directory["next_key"].clone());
    let directory = async |more: &[&str]| admin(&data.path, &[&["--json", "directory"], more].concat()).await.json();
    assert_eq!(keys(&directory(&["--new-key"]).await), (json!(1), json!(2)));
    let text = admin(&data.path, &["directory"]).await.stdout;
    assert!(text.contains("key 2 is taken when the service is started"), "{text}");
    service.terminate().await;
    let service = Service::start(&data).await;
    assert_eq!(keys(&directory(&[]).await), (json!(2), json!(2)));
    service.terminate().await;
}

#[tokio::test]
async fn operators_wait_for_each_other() {
    let data = Data::new();
    Service::start(&data).await.terminate().await;
    let invite = || admin(&data.path, &["invite", "--json"]);
    let (one, two, three) = tokio::join!(invite(), invite(), invite());
    let codes = [one, two, three].map(|outcome| outcome.json()["invite"].clone());
    assert!(codes[0] != codes[1] && codes[1] != codes[2]);
}

#[tokio::test]
async fn what_cannot_be_asked_is_said() {
    let data = Data::new();
    let nowhere = admin(&data.path, &["stats"]).await;
    assert_eq!(nowhere.code, Some(1));
    assert!(nowhere.stderr.contains("undertone serve") && !data.path.exists(), "{}", nowhere.stderr);
    for arguments in [
        &[][..],
        &["publish"],
        &["publish", "bo"],
        &["suspend"],
        &["check-report"],
        &["invite", "--uses", "0"],
        &["invite", "--days", "366"],
        &["view", "--limit", "-1"],
    ] {
        assert_eq!(admin(&data.path, arguments).await.code, Some(2), "{arguments:?}");
    }
}

#[tokio::test]
async fn the_operators_socket_survives_nonsense() {
    let data = Data::new();
    let service = Service::start(&data).await;
    let say = async |bytes: &[u8]| {
        let mut stream = UnixStream::connect(data.path.join("admin.sock")).await.unwrap();
        // The service may have heard enough before all is written.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    };
    for (nonsense, why) in [
        (&b"\n"[..], "no question"),
        (b"stats\n", "no question"),
        (b"\xff\xfe\n", "no question"),
        (b"{\"version\":1,\"ask\":\"publish\"}\n", "does not know"),
        (b"{\"version\":9,\"ask\":\"stats\"}\n", "version 9"),
        (b"{\"version\":1,\"ask\":{\"invite\":{\"uses\":0,\"days\":1}}}\n", "from 1 to"),
    ] {
        let answer = soon(say(nonsense)).await;
        assert!(answer.starts_with("{\"failed\":") && answer.contains(why), "{answer}");
    }
    assert!(soon(say(&vec![b' '; 1 << 20])).await.contains("at most 4096 bytes"));
    for cut_off in [&b""[..], b"{\"version\":1"] {
        assert_eq!(soon(say(cut_off)).await, "");
    }
    // More who are silent than are attended to at once: they are sent away after a while.
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(UnixStream::connect(data.path.join("admin.sock")).await.unwrap());
    }
    assert_eq!(admin(&data.path, &["stats", "--json"]).await.code, Some(0));
    service.terminate().await;
}
