//! What a service could know of groups: everything that it is asked and all that it keeps is searched for what must not be there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use support::{Home, Service, befriend};
use undertone_client::{GroupAct, GroupRole, GroupText, LinkMode, NewGroup};
use undertone_credentials::group::{Action, Change, Pseudonym};
use undertone_store::Channels as _;
use undertone_wire::{
    AccountId, ChannelId, channel::EntryKind, circuit::Kind, rpc::Method as _, visitor::CreateChannelRequest,
};

const NAMES: [&str; 3] = ["Anastasia-of-the-story", "Bogdan-of-the-story", "Cyprian-of-the-story"];
const TITLES: [&str; 2] = ["Keepers of the lighthouse", "Those who meet at the harbour"];
const WORDS: [&str; 2] = ["what is said among the keepers", "what is written under the title"];

type Asked = (u64, Kind, u32, Vec<u8>);

#[tokio::test]
async fn the_service_knows_nobody_in_a_group_and_no_group_of_anybody() {
    let service = Service::start();
    let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let seen = asked.clone();
    service.lies.watch_circuits(move |circuit, kind, method, body| {
        seen.lock().unwrap().push((circuit, kind, method, body.to_vec()));
    });
    let mut homes = Vec::new();
    for name in NAMES {
        homes.push(Home::new(&service, name).await);
    }
    let [ana, bo, cy] = &homes[..] else { panic!("three") };
    befriend(ana, bo).await;
    befriend(ana, cy).await;
    for title in TITLES {
        let members = vec![bo.account(), cy.account()];
        let new = NewGroup { title: title.into(), members, description: WORDS[1].into(), ..NewGroup::default() };
        assert!(!ana.engine.group_create(&new).await.unwrap().queued);
        for home in [bo, cy] {
            home.until("in", |engine| engine.group(title).is_ok_and(|view| view.state == "open")).await;
        }
        bo.send(title, WORDS[0]).await;
        for act in [
            GroupAct::Set(GroupText::Pinned, WORDS[1].into()),
            GroupAct::SetRole(cy.account(), GroupRole::Reader),
            GroupAct::SetLink(LinkMode::Join),
        ] {
            ana.engine.group_act(title, &act).await.unwrap();
        }
        ana.send(title, WORDS[0]).await;
        cy.engine.group_act(title, &GroupAct::Leave).await.unwrap();
        bo.send(title, WORDS[0]).await;
    }
    for home in &homes {
        home.sync().await.unwrap();
    }

    let secrets: Vec<&[u8]> = NAMES.iter().chain(&TITLES).chain(&WORDS).map(|words| words.as_bytes()).collect();
    let accounts: Vec<AccountId> = homes.iter().map(|home| AccountId::from_hex(&home.account()).unwrap()).collect();
    let (channels, groups, named) = kept(&service, &secrets, &accounts).await;
    assert_eq!((groups.len(), named.len()), (2, 2));
    assert!(named[0].is_disjoint(&named[1]), "nobody is called the same in two groups");
    assert!(named.iter().all(|names| names.len() == 3));

    let asked = asked.lock().unwrap();
    let mut on: BTreeMap<u64, BTreeSet<ChannelId>> = BTreeMap::new();
    for (circuit, kind, method, body) in asked.iter() {
        assert!(!secrets.iter().any(|secret| holds(body, secret)), "words in clear");
        let of_group = groups.iter().any(|group| holds(body, group.as_bytes()));
        let entry = named.iter().flatten().any(|entry| holds(body, entry.as_bytes()));
        match kind {
            Kind::Channel => {
                assert!(
                    !accounts.iter().any(|account| holds(body, account.as_bytes())),
                    "an account on the channel plane"
                );
                on.entry(*circuit)
                    .or_default()
                    .extend(channels.iter().filter(|channel| holds(body, channel.as_bytes())));
            }
            Kind::Visitor => {
                assert!((!of_group || *method == CreateChannelRequest::NUMBER) && !entry, "a group in a letter")
            }
            _ => assert!(!of_group && !entry, "a group on the account plane"),
        }
    }
    let with_groups = || on.values().filter(|channels| channels.iter().any(|channel| groups.contains(channel)));
    assert!(with_groups().count() >= 6, "the search finds what is there");
    assert!(
        with_groups().all(|channels| channels.len() == 1),
        "a group shares no circuit, not even with another of the same people"
    );
}

/// All channels that are kept, those that are groups, and whom the changes of each name.
async fn kept(
    service: &Service,
    secrets: &[&[u8]],
    accounts: &[AccountId],
) -> (BTreeSet<ChannelId>, BTreeSet<ChannelId>, Vec<BTreeSet<Pseudonym>>) {
    let mut channels = BTreeSet::new();
    let mut groups: BTreeMap<ChannelId, BTreeSet<Pseudonym>> = BTreeMap::new();
    let mut publics = BTreeSet::new();
    for append in service.store().appended() {
        channels.insert(append.channel);
        for entry in &append.entries {
            let found = secrets.iter().any(|secret| holds(&entry.body, secret));
            assert!(!found && !accounts.iter().any(|account| holds(&entry.body, account.as_bytes())));
            if entry.kind == EntryKind::Change {
                let change = Change::decode(&entry.body).ok().unwrap();
                groups.entry(append.channel).or_default().extend(change.names().copied());
                publics.extend(change.actions.iter().filter_map(|action| match action {
                    Action::Create { group_public, .. } => Some(*group_public),
                    _ => None,
                }));
            }
        }
    }
    assert_eq!(publics.len(), groups.len(), "each has a key of its own");
    for group in groups.keys() {
        let record = service.store().record(*group).await.unwrap().unwrap().encoded;
        let found = secrets.iter().any(|secret| holds(&record, secret));
        assert!(!found && !accounts.iter().any(|account| holds(&record, account.as_bytes())));
        let slot = service.store().head_slot(*group).await.unwrap().unwrap().sealed;
        assert!(!accounts.iter().any(|account| holds(&slot, account.as_bytes())));
    }
    (channels, groups.keys().copied().collect(), groups.into_values().collect())
}

fn holds(bytes: &[u8], secret: &[u8]) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret)
}
