//! What the service could know, and what logs hold: every byte is searched for what must not be there.

use std::{fs, path::Path};

use data_encoding::{BASE64, HEXLOWER, HEXUPPER};

use crate::support::{Home, Service};

const NAMES: [&str; 2] = ["Anastasia-of-the-story", "Bogdan-of-the-story"];
const TEXTS: [&str; 3] = ["the first words, by letter", "an answer in the channel", "a note that only I can read"];

/// First contact, acceptance, an answer, a note to self, a message while the service is away.
fn play(service: &mut Service, ana: &Home, bo: &Home) {
    ana.register(NAMES[0], service).must();
    bo.register(NAMES[1], service).must();
    ana.send(&bo.link(), TEXTS[0]);
    assert_eq!(bo.receive_some(1), [TEXTS[0]]);
    bo.run(&["request", "accept", NAMES[0]]).must();
    bo.send(NAMES[0], TEXTS[1]);
    assert_eq!(ana.receive_some(1), [TEXTS[1]]);
    ana.send(NAMES[0], TEXTS[2]);
    service.kill();
    ana.run(&["send", NAMES[1], TEXTS[1]]).fails(3, "kept");
    service.restart();
    assert!(ana.receive().is_empty());
    assert_eq!(bo.receive_some(1), [TEXTS[1]]);
}

#[test]
fn the_service_can_read_nothing() {
    let mut service = Service::open();
    let (ana, bo) = (Home::new(), Home::new());
    play(&mut service, &ana, &bo);
    let seen = service.admin(&["view"]);
    let of = |plane: &str, id: &str| -> Vec<Vec<u8>> {
        let rows = seen.iter().filter(|row| row["plane"] == plane);
        rows.map(|row| HEXLOWER.decode(row[id].as_str().unwrap().as_bytes()).unwrap()).collect()
    };
    let (accounts, channels) = (of("account", "account"), of("channel", "channel"));
    for home in [&ana, &bo] {
        let account = HEXLOWER.decode(home.account().as_bytes()).unwrap();
        assert!(accounts.contains(&account), "the search looks for what is there");
    }
    assert!(channels.len() >= 2, "a chat of two and a note to self");
    // What is in memory, or in the write-ahead log, shall be in the files too.
    service.stop();

    let words = TEXTS.iter().chain(&NAMES).map(|words| words.as_bytes().to_vec());
    let secrets: Vec<Vec<u8>> = words.collect();
    let mut held = (false, false);
    for (path, bytes) in files(&service.data()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for secret in &secrets {
            assert!(!holds(&bytes, secret), "{name} holds {:?}", String::from_utf8_lossy(secret));
        }
        for account in &accounts {
            let held_here = holds(&bytes, account);
            assert!(!held_here || name.starts_with("accounts"), "{name} holds an account id");
            held.0 |= held_here;
        }
        for channel in &channels {
            let held_here = holds(&bytes, channel);
            assert!(!held_here || name.starts_with("channels"), "{name} holds a channel id");
            held.1 |= held_here;
        }
    }
    assert_eq!(held, (true, true), "the search finds what is there");
}

#[test]
fn logs_hold_nothing_of_anybody() {
    let mut service = Service::logging();
    let home = || Home::new().with("UNDERTONE_LOG", "trace").keeping_errors();
    let (ana, bo) = (home(), home());
    play(&mut service, &ana, &bo);
    let wrong = "undertone:127.0.0.1:1#damaged";
    ana.run(&["send", "nobody", TEXTS[0]]).fails(5, "nobody");
    ana.run(&["send", wrong, TEXTS[0]]).fails(2, "copy the whole link");

    let mut identifiers: Vec<Vec<u8>> = Vec::new();
    for row in service.admin(&["view"]) {
        let id = row.get("account").or(row.get("channel")).unwrap();
        identifiers.push(HEXLOWER.decode(id.as_str().unwrap().as_bytes()).unwrap());
    }
    for entry in ana.history(NAMES[1]) {
        identifiers.push(HEXLOWER.decode(entry["id"].as_str().unwrap().as_bytes()).unwrap());
    }
    let link = service.link().to_owned();
    service.stop();
    let mut lines = service.log();
    let from_service = lines.len();
    lines.extend(ana.errors().into_iter().chain(bo.errors()));
    assert!(from_service > 0 && lines.len() > from_service, "there is a log of both to search");

    // The ends of a tunnel: hosts and ports, and the link with its pin.
    let place = link.strip_prefix("undertone:").and_then(|rest| rest.split('#').next()).unwrap();
    let pin = link.split('#').nth(1).unwrap();
    let texts = TEXTS.iter().chain(&NAMES).copied().chain([place, pin, "127.0.0.1"]);
    for text in texts {
        let found = lines.iter().find(|line| line.contains(text));
        assert!(found.is_none(), "{text:?} stands in the log: {found:?}");
    }
    for id in &identifiers {
        let decimal = format!("{id:?}");
        for line in &lines {
            assert!(!holds(line.as_bytes(), id) && !line.contains(&decimal), "an identifier stands in the log: {line}");
        }
    }
}

/// Whether bytes hold others: as they are, or written in hexadecimal or base64 at whatever offset.
fn holds(bytes: &[u8], secret: &[u8]) -> bool {
    let mut forms = vec![secret.to_vec(), HEXLOWER.encode(secret).into(), HEXUPPER.encode(secret).into()];
    for offset in 0..3 {
        // Of base64, what no neighbour touches: whole groups of three bytes from this offset on.
        let inner = &secret[offset..];
        let encoded = BASE64.encode(&inner[..inner.len() / 3 * 3]);
        forms.push(encoded.clone().into());
        forms.push(encoded.replace('+', "-").replace('/', "_").into());
    }
    forms.iter().any(|form| bytes.windows(form.len()).any(|window| window == form))
}

fn files(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            found.push((entry.path(), fs::read(entry.path()).unwrap()));
        }
    }
    assert!(found.len() >= 3, "keys and two databases");
    found
}

#[test]
fn the_search_itself_finds_every_form() {
    let secret = b"sixteen bytes id";
    for form in [
        secret.to_vec(),
        HEXLOWER.encode(secret).into(),
        BASE64.encode(secret).into(),
        BASE64.encode(&[b"x", &secret[..], b"yz"].concat()).into(),
        BASE64.encode(&[b"xy", &secret[..], b"z"].concat()).into(),
    ] {
        assert!(holds(&[b"before".to_vec(), form, b"after".to_vec()].concat(), secret));
    }
    assert!(!holds(b"sixteen bytes ix and more", secret));
}
