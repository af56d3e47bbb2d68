//! Homes that something has happened to: a clear error, and not a byte lost.

use std::fs;

use crate::{
    offline::in_contact,
    support::{Home, Service},
};

#[test]
fn a_damaged_database_is_said_to_be_and_left_alone() {
    let service = Service::open();
    let (ana, _bo) = in_contact(&service);
    let database = ana.file("undertone.db");
    assert!(!ana.file("undertone.db-wal").exists(), "a command leaves one whole file");
    let whole = fs::read(&database).unwrap();
    let mut flipped = whole.clone();
    for byte in &mut flipped[..64] {
        *byte ^= 0x5a;
    }
    for damaged in [&whole[..whole.len() / 2], &whole[..1_000], &flipped, &vec![7; 20_000]] {
        fs::write(&database, damaged).unwrap();
        for arguments in [&["whoami"][..], &["send", "Bo", "hm"], &["receive"]] {
            ana.run(arguments).fails(1, "damaged");
        }
        assert!(fs::read(&database).unwrap() == damaged);
    }
    fs::write(&database, &whole).unwrap();
    assert_eq!(ana.history("Bo").len(), 2);
    ana.send("Bo", "whole again");
}

#[test]
fn a_key_of_a_newer_version_or_none_is_said_to_be() {
    let service = Service::open();
    let ana = Home::of("Ana", &service);
    let key = ana.file("key");
    let whole = fs::read(&key).unwrap();
    let mut newer = whole.clone();
    newer[0] = 9;
    fs::write(&key, newer).unwrap();
    ana.run(&["whoami"]).fails(1, "newer version");
    fs::write(&key, &whole[..10]).unwrap();
    ana.run(&["whoami"]).fails(1, "key file");
    fs::remove_file(&key).unwrap();
    ana.run(&["whoami"]).fails(1, "key file");
    assert!(!key.exists(), "a new key would hide that the old one is lost");
    fs::write(&key, whole).unwrap();
    ana.run(&["whoami"]).must();
}

#[test]
fn a_passphrase_opens_what_it_closed() {
    let service = Service::open();
    let ana = Home::new().with("UNDERTONE_PASSPHRASE", "correct horse");
    ana.register("Ana", &service).must();
    ana.run(&["whoami"]).must();
    let ana = ana.with("UNDERTONE_PASSPHRASE", "wrong horse");
    ana.run(&["whoami"]).fails(1, "UNDERTONE_PASSPHRASE");
    let ana = ana.with("UNDERTONE_PASSPHRASE", "");
    ana.run(&["whoami"]).fails(1, "UNDERTONE_PASSPHRASE");
    let ana = ana.with("UNDERTONE_PASSPHRASE", "correct horse");
    ana.run(&["whoami"]).must();
}

#[test]
fn a_folder_that_is_no_home_stays_as_it_is() {
    let service = Service::open();
    let home = Home::new();
    home.run(&["chats"]).fails(1, "no account yet");
    assert!(!home.path().exists());
    fs::create_dir(home.path()).unwrap();
    fs::write(home.file("letter.txt"), "mine").unwrap();
    home.register("Ana", &service).fails(2, "other things");
    home.run(&["whoami"]).fails(1, "no account yet");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
}
