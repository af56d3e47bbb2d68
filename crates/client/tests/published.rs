//! What the service keeps of somebody with two hundred chats: no more than of somebody with one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use std::collections::BTreeSet;

use support::{Home, Service, befriend, database};
use undertone_client::{Kept, ProfileChange};
use undertone_wire::{AccountId, limits, padding};

const CHATS: usize = 200;

/// All that is kept, once nothing is under way.
async fn published(home: &Home) -> Vec<Kept> {
    home.until("all is said", |engine| !engine.waits().unwrap()).await;
    home.sync().await.unwrap();
    home.engine.published().await.unwrap()
}

/// Where values stand. A day in the name of a table is a day.
fn fields(kept: &[Kept]) -> BTreeSet<(String, String)> {
    let field =
        |kept: &Kept| (kept.table.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned(), kept.column.clone());
    kept.iter().map(field).collect()
}

fn of<'a>(kept: &'a [Kept], table: &'a str, column: &'a str) -> impl Iterator<Item = &'a Kept> {
    kept.iter().filter(move |kept| kept.table.starts_with(table) && kept.column == column)
}

fn holds(kept: &Kept, bytes: &[u8]) -> bool {
    kept.data.as_ref().is_some_and(|data| data.windows(bytes.len()).any(|window| window == bytes))
}

#[tokio::test(start_paused = true)]
async fn two_hundred_chats_leave_the_fields_of_one() {
    let service = Service::start();
    let ana = Home::new(&service, "Ana of many words").await;
    ana.engine.set_profile(&ProfileChange { about: Some("I keep bees".into()), ..ProfileChange::default() }).unwrap();
    let link = ana.link();
    let first = Home::new(&service, "Person of old").await;
    befriend(&first, &ana).await;
    let before = published(&ana).await;

    // They all write while she is away, and she answers each.
    let (setup, folder) = (ana.setup.clone(), ana.close().await);
    let mut others = vec![first.account()];
    let mut last = None;
    for number in 1..CHATS {
        let other = Home::new(&service, &format!("Person {number}")).await;
        assert!(!other.send(&link, "hello").await.queued);
        others.push(other.account());
        last = Some((other.setup.clone(), other.close().await));
    }
    let ana = Home::open(folder, setup);
    ana.until("all have come", |engine| engine.requests().unwrap().len() == CHATS - 1).await;
    for other in &others[1..] {
        ana.engine.accept(other).unwrap();
    }
    let answers = others[1..].iter().map(|other| {
        let (engine, other) = (ana.engine.clone(), other.clone());
        tokio::spawn(async move { engine.send(&other, "hello yourself").await.unwrap().queued })
    });
    for answer in answers.collect::<Vec<_>>() {
        assert!(!answer.await.unwrap());
    }
    let (setup, folder) = last.unwrap();
    let last = Home::open(folder, setup);
    last.expect(&ana, "hello yourself").await;
    let after = published(&ana).await;
    assert_eq!(ana.engine.chats().unwrap().iter().filter(|chat| chat.state == "open").count(), CHATS);
    assert_eq!(fields(&before), fields(&after));

    // Two days, and no times: whatever else is a number is a week, or counts.
    let numbers = after.iter().filter_map(|kept| kept.number);
    assert!(numbers.max().unwrap() < 1 << 20, "too little for a time");
    for day in ["created", "last_seen"] {
        assert_eq!(of(&after, "accounts", day).count(), 1);
    }
    // Ciphertext has one of few sizes.
    let sizes = |table: &str, column: &str| -> BTreeSet<usize> {
        of(&after, table, column).filter_map(|kept| Some(kept.data.as_ref()?.len())).collect()
    };
    assert!(sizes("vaults", "sealed").iter().all(|size| padding::VAULT.contains(size)));
    assert!(sizes("profiles", "sealed").iter().all(|size| padding::PROFILE.contains(size)));
    assert!(sizes("bodies_", "body").iter().all(|size| padding::INBOX.contains(size)));
    assert!(of(&after, "key_packages", "number").count() <= limits::KEY_PACKAGES_MAX as usize);
    assert_eq!(of(&after, "inbox", "seq").count(), 0, "what was read is gone");

    // Nobody else is in it: no account, no channel, no name, no word.
    let folder = ana.close().await;
    let db = database(&folder);
    let mut select = db.prepare("SELECT channel FROM chats WHERE channel IS NOT NULL").unwrap();
    let channels: Vec<Vec<u8>> = select.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(channels.len() >= CHATS);
    let accounts = others.iter().map(|account| AccountId::from_hex(account).unwrap().as_bytes().to_vec());
    let said = ["Ana of many", "Person", "I keep bees", "hello"].map(|text| text.as_bytes().to_vec());
    for bytes in accounts.chain(channels).chain(said) {
        assert!(!after.iter().any(|kept| holds(kept, &bytes)));
    }
}
