//! Reports: what a stranger wrote can be shown to others, who need to believe nobody.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use support::{Home, Peer, Service, Talk, befriend};
use undertone_client::Kind;
use undertone_credentials::{DeviceList, verify_letter};
use undertone_wire::{
    AccountId, Message as _,
    content::{Content, Letter, content},
    objects::Report,
};

/// Who wrote a reported letter, to whom, and what; if it proves that.
fn proven(report: &[u8]) -> Option<(String, String, Vec<String>)> {
    let report = Report::decode(report).ok()?;
    let sender = DeviceList::verify(&report.device_list).ok()?;
    let recipient = AccountId::try_from(&report.recipient[..]).ok()?;
    verify_letter(&sender, report.device, recipient, &report.letter, &report.signature).ok()?;
    let letter = Letter::decode(report.letter).ok()?;
    let text = |content: &bytes::Bytes| match Content::decode(content.clone()).ok()?.kind? {
        content::Kind::Text(text) => Some(text.body),
        _ => None,
    };
    Some((sender.account().to_hex(), recipient.to_hex(), letter.contents.iter().filter_map(text).collect()))
}

#[tokio::test]
async fn what_a_stranger_wrote_can_be_proven() {
    let service = Service::start();
    let (ana, eve) = (Home::new(&service, "Ana").await, Home::new(&service, "Eve").await);
    assert_eq!(ana.engine.reports("Eve").err().map(|error| error.kind()), Some(Kind::NotFound));
    eve.send(&ana.link(), "an insult").await;
    ana.expect(&eve, "an insult").await;
    eve.send(&ana.account(), "and another").await;
    ana.expect(&eve, "and another").await;
    let recipient = ana.account();
    let said = |reports: Vec<Vec<u8>>| -> Vec<String> {
        let proven: Vec<_> = reports.iter().map(|report| proven(report).unwrap()).collect();
        assert!(proven.iter().all(|(from, to, _)| *from == eve.account() && *to == recipient));
        proven.into_iter().flat_map(|(_, _, said)| said).collect()
    };
    let reports = ana.engine.reports("Eve").unwrap();
    assert_eq!(said(reports.clone()), ["an insult", "and another"]);
    // Not as one to somebody else, not by somebody else, not with other words.
    let mut changed = Report::decode(&reports[0][..]).unwrap();
    changed.recipient = vec![7; 16].into();
    assert!(proven(&changed.encode_to_vec()).is_none());
    let mut changed = Report::decode(&reports[0][..]).unwrap();
    changed.letter = Letter { part: 1, ..Letter::decode(changed.letter).unwrap() }.encode_to_vec().into();
    assert!(proven(&changed.encode_to_vec()).is_none());

    ana.engine.block("Eve").unwrap();
    let ana = ana.reopen().await;
    assert_eq!(said(ana.engine.reports(&eve.account()).unwrap()), ["an insult", "and another"]);
    ana.engine.accept(&eve.account()).unwrap();
    let refused = ana.engine.reports(&eve.account()).err().unwrap();
    assert!(refused.kind() == Kind::NotFound && refused.to_string().contains("accepted"), "{refused}");
}

#[tokio::test]
async fn friends_leave_nothing_to_be_shown() {
    let service = Service::start();
    let (ana, bo) = (Home::new(&service, "Ana").await, Home::new(&service, "Bo").await);
    befriend(&ana, &bo).await;
    ana.engine.block("Bo").unwrap();
    assert!(ana.engine.reports("Bo").is_err() && bo.engine.reports("Ana").is_err());
}

/// Who is blocked cannot write over what he was blocked for.
#[tokio::test]
async fn what_is_kept_is_bounded_and_not_pushed_out() {
    let service = Service::start();
    let ana = Home::new(&service, "Ana").await;
    let eve = Peer::new(&service, "Eve").await;
    let talk = Talk::begin(&eve, eve.contact(AccountId::from_hex(&ana.account()).ok().unwrap()).await).await;
    talk.write(&talk.letter(&[eve.text("an insult")])).await;
    ana.sync().await.unwrap();
    ana.engine.block(&eve.account().to_hex()).unwrap();
    for n in 0..20 {
        let contents = vec![support::encoded(&eve.text(&format!("sorry {n}")))];
        let letter = Letter { channel: talk.channel.into(), contents, first_index: 1, ..Letter::default() };
        talk.write(&letter).await;
    }
    ana.sync().await.unwrap();
    let reports = ana.engine.reports(&eve.account().to_hex()).unwrap();
    assert_eq!(reports.len(), 8);
    assert_eq!(proven(&reports[0]).unwrap().2, ["an insult"]);
    assert!(ana.take_new().is_some_and(|first| first.body.as_deref() == Some("an insult")));
    assert!(ana.take_new().is_none(), "nothing of who is blocked is shown");
}
