//! Groups whose service does what it may not, or one of whose members has a program that does: nobody else believes it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use support::{
    Home, Service, database,
    groups::{TITLE, act, agree, create, says, seen, three, titled, try_act, view},
};
use undertone_client::{ClientError, GroupAct, GroupRole};
use undertone_credentials::group::{Action, Change, Follows, Pseudonym, Record, Role};
use undertone_store::{Append, Channels as _, NewEntry, StoredRecord};
use undertone_wire::{ChannelId, Day, IdempotencyId, Message as _, channel::EntryKind, group};

/// Ana's group with Bo and Cy, its channel, and what each of them is called by in its record.
async fn group(service: &Service) -> ([Home; 3], ChannelId, [Pseudonym; 3]) {
    let [ana, bo, cy] = three(service).await;
    create(&ana, &titled(&[&bo, &cy])).await;
    agree(&[&ana, &bo, &cy], 3).await;
    let appended = service.store().appended();
    let channel = appended.iter().find(|append| append.record.is_some()).unwrap().channel;
    // As views have them in the record's order.
    let record = record(service, channel).await;
    let members: Vec<_> = view(&ana).members.into_iter().map(|member| member.account.unwrap()).collect();
    let entry = |home: &Home| {
        let place = members.iter().position(|account| *account == home.account()).unwrap();
        *record.members().nth(place).unwrap().0
    };
    let entries = [entry(&ana), entry(&bo), entry(&cy)];
    ([ana, bo, cy], channel, entries)
}

async fn record(service: &Service, channel: ChannelId) -> Record {
    Record::decode(&service.store().record(channel).await.unwrap().unwrap().encoded).unwrap()
}

/// What the service writes into a log, whatever its rules are, and signs as if it had followed them.
async fn forge(service: &mut Service, channel: ChannelId, actor: Pseudonym, action: Action) {
    let before = record(service, channel).await;
    let revision = before.revision() + 1;
    let change = Change { revision, actor, actions: vec![action], follows: Follows::Nothing };
    let body = change.encode().unwrap();
    let stored = service.store().channel(channel).await.unwrap().unwrap();
    let mut after = group::Record::decode(before.encode()).unwrap();
    after.revision = revision;
    let entry = NewEntry {
        kind: EntryKind::Change,
        position: stored.position,
        expiry_day: Day(0),
        countersignature: Some(service.head_key().sign_change(channel, revision, &body)),
        body,
        installs: None,
        slot_hash: None,
        id: IdempotencyId::new([9; 16]),
    };
    let append = Append {
        channel,
        generation: stored.generation,
        entries: vec![entry],
        record: Some(StoredRecord { revision, encoded: after.encode_to_vec().into() }),
        slot: None,
        bytes_max: u64::MAX,
    };
    service.go_away().await;
    service.store().append(append).await.unwrap();
    service.restart().await;
}

#[tokio::test]
async fn what_a_reader_says_is_heard_by_nobody_whatever_the_service_lets_him() {
    let service = Service::start();
    let ([mut ana, mut bo, cy], channel, _) = group(&service).await;
    // Nobody's leaf is to be renewed any more.
    says(&cy, "I am here", &[&ana, &bo]).await;
    says(&ana, "I too", &[&bo, &cy]).await;
    agree(&[&ana, &bo, &cy], 3).await;
    ana.offline().await;
    bo.offline().await;
    let mut twin = service.twin(service.store().copy().await);
    // He says it while he may; and the service puts it behind what makes a reader of him.
    assert!(!cy.send(TITLE, "a reader's word").await.queued);
    let said = service.store().appended().into_iter().rev().find(|append| append.channel == channel).unwrap();
    let cy_account = cy.account();
    cy.close().await;

    let (ana, bo) = (ana.reopen_at(&twin).await, bo.reopen_at(&twin).await);
    act(&ana, GroupAct::SetRole(cy_account.clone(), GroupRole::Reader)).await;
    twin.go_away().await;
    let taken = twin.store().append(said).await.unwrap();
    assert!(matches!(taken, undertone_store::AppendOutcome::Appended { fresh: true, .. }), "it stands in the log");
    twin.restart().await;
    says(&ana, "hear me", &[&bo]).await;
    for home in [&ana, &bo] {
        assert_eq!(home.texts(TITLE), ["I am here", "I too", "hear me"]);
        assert!(view(home).trouble.is_none());
    }
}

#[tokio::test]
async fn what_the_record_does_not_allow_is_no_change_whoever_signs_it() {
    let forgeries = |[ana, bo, cy]: [Pseudonym; 3]| {
        [
            // As an owner may do it; but nothing follows by which it would be so.
            (ana, Action::Remove(bo)),
            (cy, Action::SetRole(cy, Role::Admin)),
            (bo, Action::HandOver(cy)),
        ]
    };
    for number in 0..3 {
        let mut service = Service::start();
        let ([ana, bo, _cy], channel, entries) = group(&service).await;
        let before = seen(&view(&ana));
        let (actor, action) = forgeries(entries)[number].clone();
        forge(&mut service, channel, actor, action).await;
        for home in [&ana, &bo] {
            // Each says that it does not go on, and as what it was before.
            home.trouble(&view(home).group).await;
            assert!(seen(&view(home)) == before, "nothing has changed");
        }
    }
}

#[tokio::test]
async fn a_member_whose_own_record_says_otherwise_persuades_nobody() {
    let service = Service::start();
    let ([ana, bo, cy], _, [_, _, entry]) = group(&service).await;
    act(&ana, GroupAct::SetRole(cy.account(), GroupRole::Reader)).await;
    agree(&[&ana, &bo, &cy], 3).await;
    let (setup, folder) = (cy.setup.clone(), cy.close().await);
    // Cy's program believes that he is an admin.
    let db = database(&folder);
    let stored: Vec<u8> = db.query_row("SELECT record FROM groups", (), |row| row.get(0)).unwrap();
    let mut twisted = group::Record::decode(&stored[..]).unwrap();
    let own = twisted.members.iter_mut().find(|member| member.entry == entry.as_bytes()[..]).unwrap();
    own.role = group::Role::Admin.into();
    db.execute("UPDATE groups SET record = ?1", [twisted.encode_to_vec()]).unwrap();
    drop(db);
    let cy = Home::open(folder, setup);
    assert_eq!(view(&cy).role, Some(GroupRole::Admin));

    let removal = try_act(&cy, GroupAct::Remove(bo.account())).await;
    assert!(matches!(removal, Err(ClientError::NotAllowed)), "the service has the record");
    let sent = cy.try_send(TITLE, "a reader's word").await;
    assert!(sent.is_err() || sent.is_ok_and(|sent| sent.queued), "the service takes nothing of his");
    says(&ana, "all is well", &[&bo]).await;
    says(&bo, "indeed", &[&ana]).await;
    agree(&[&ana, &bo], 3).await;
    assert_eq!(ana.texts(TITLE), ["all is well", "indeed"]);
}
