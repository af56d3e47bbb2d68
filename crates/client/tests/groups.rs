//! Groups: whoever is in one sees the same of it, and whoever is out of it nothing more.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use support::{
    Home, Service,
    groups::{TITLE, act, agree, create, says, three, titled, try_act, view},
};
use tokio::task::yield_now;
use undertone_client::{ClientError, GroupAct, GroupRole, GroupRules, GroupText, Kind, LinkMode, NewGroup};

#[tokio::test]
async fn whom_its_owner_adds_is_in_the_group() {
    let service = Service::start();
    let [ana, bo, cy] = three(&service).await;
    create(&ana, &titled(&[&bo, &cy])).await;
    agree(&[&ana, &bo, &cy], 3).await;
    assert_eq!(view(&bo).role, Some(GroupRole::Member));
    says(&ana, "welcome", &[&bo, &cy]).await;
    says(&bo, "thank you", &[&ana, &cy]).await;
    says(&cy, "me too", &[&ana, &bo]).await;
    agree(&[&ana, &bo, &cy], 3).await;
    assert_eq!(ana.history(TITLE), bo.history(TITLE));
    assert_eq!(ana.history(TITLE), cy.history(TITLE));
    let names: Vec<_> = view(&bo).members.into_iter().map(|member| member.name).collect();
    assert!(["Ana", "Bo", "Cy"].iter().all(|name| names.contains(&(*name).to_owned())), "{names:?}");
}

#[tokio::test]
async fn who_is_invited_comes_in_when_he_wants() {
    let service = Service::start();
    let [ana, bo, cy] = three(&service).await;
    create(&ana, &titled(&[])).await;
    act(&ana, GroupAct::Invite(vec![bo.account(), cy.account()], GroupRole::Member)).await;
    for home in [&bo, &cy] {
        home.until("invited", |engine| engine.group(TITLE).is_ok_and(|view| view.state == "invited")).await;
        assert_eq!(view(home).invited_by.unwrap().1, "Ana");
    }
    assert_eq!(bo.try_send(TITLE, "too early").await.err().unwrap().kind(), Kind::Refused);
    says(&ana, "anybody there?", &[]).await;
    assert!(!bo.engine.group_accept(TITLE).await.unwrap().queued);
    agree(&[&ana, &bo], 2).await;
    says(&bo, "here I am", &[&ana]).await;
    says(&ana, "at last", &[&bo]).await;
    assert_eq!(bo.texts(TITLE), ["here I am", "at last"], "what was said before is not his to read");

    assert!(!cy.engine.group_decline(TITLE).await.unwrap().queued);
    assert_eq!(view(&cy).state, "out");
    ana.until("declined", |engine| engine.group(TITLE).unwrap().invited.is_empty()).await;
    agree(&[&ana, &bo], 2).await;

    act(&ana, GroupAct::Invite(vec![cy.account()], GroupRole::Member)).await;
    cy.until("invited", |engine| engine.group(TITLE).unwrap().state == "invited").await;
    act(&ana, GroupAct::Revoke("Cy".into())).await;
    assert_eq!(cy.engine.group_accept(TITLE).await.err().unwrap().kind(), Kind::Refused);
}

#[tokio::test]
async fn a_link_lets_people_join_or_ask() {
    let service = Service::start();
    let ana = Home::new(&service, "Ana").await;
    let (bo, cy, dan) =
        (Home::new(&service, "Bo").await, Home::new(&service, "Cy").await, Home::new(&service, "Dan").await);
    create(&ana, &titled(&[])).await;
    assert_eq!(ana.engine.group_link(TITLE).err().unwrap().kind(), Kind::NotFound);
    act(&ana, GroupAct::SetLink(LinkMode::Join)).await;
    let link = ana.engine.group_link(TITLE).unwrap();
    assert!(!bo.engine.group_join(&link).await.unwrap().queued);
    agree(&[&ana, &bo], 2).await;
    says(&bo, "I had the link", &[&ana]).await;
    assert!(matches!(bo.engine.group_join(&link).await, Err(ClientError::InGroup)));

    act(&ana, GroupAct::SetLink(LinkMode::Ask)).await;
    let stale = cy.engine.group_join(&link).await.err().unwrap();
    assert!(matches!(stale, ClientError::GroupLinkOver), "{stale}");
    assert!(cy.engine.group(TITLE).is_err(), "nothing of it is kept");
    let link = ana.engine.group_link(TITLE).unwrap();
    for home in [&cy, &dan] {
        assert!(!home.engine.group_join(&link).await.unwrap().queued);
        assert_eq!(view(home).state, "coming");
    }
    ana.until("they ask", |engine| engine.group(TITLE).unwrap().requesting.len() == 2).await;
    // What he says meanwhile waits until he is in, however often he asks.
    let (engine, group) = (cy.engine.clone(), view(&cy).group);
    let waits = tokio::spawn(async move { engine.send(&group, "may I?").await });
    yield_now().await;
    assert!(cy.engine.group_join(&link).await.is_err(), "he has asked already");
    act(&ana, GroupAct::Deny(dan.account())).await;
    act(&ana, GroupAct::Approve(cy.account(), GroupRole::Member)).await;
    cy.until("in", |engine| engine.group(TITLE).unwrap().state == "open").await;
    agree(&[&ana, &bo, &cy], 3).await;
    assert!(!waits.await.unwrap().unwrap().queued);
    for home in [&ana, &bo] {
        home.expect(&cy, "may I?").await;
    }
    says(&cy, "thank you", &[&ana, &bo]).await;
    act(&ana, GroupAct::SetLink(LinkMode::Off)).await;
    assert!(ana.engine.group_link(TITLE).is_err());
    assert!(matches!(dan.engine.group_join(&link).await, Err(ClientError::GroupLinkOver)));
}

/// The record names him already: he has only to accept.
#[tokio::test]
async fn who_is_invited_may_come_by_the_link_too() {
    let service = Service::start();
    let ana = Home::new(&service, "Ana").await;
    create(&ana, &titled(&[])).await;
    for (name, mode) in [("Bo", LinkMode::Join), ("Cy", LinkMode::Ask)] {
        let home = Home::new(&service, name).await;
        act(&ana, GroupAct::Invite(vec![home.account()], GroupRole::Reader)).await;
        act(&ana, GroupAct::SetLink(mode)).await;
        assert!(!home.engine.group_join(&ana.engine.group_link(TITLE).unwrap()).await.unwrap().queued);
        home.until("in", |engine| engine.group(TITLE).is_ok_and(|view| view.state == "open")).await;
        assert_eq!(view(&home).role, Some(GroupRole::Reader));
        says(&ana, "welcome", &[&home]).await;
    }
}

#[tokio::test]
async fn who_is_removed_reads_and_writes_nothing_more() {
    let service = Service::start();
    let [ana, bo, cy] = three(&service).await;
    create(&ana, &titled(&[&bo, &cy])).await;
    agree(&[&ana, &bo, &cy], 3).await;
    assert!(matches!(try_act(&bo, GroupAct::Remove("Cy".into())).await, Err(ClientError::NotAllowed)));
    act(&ana, GroupAct::Remove("Cy".into())).await;
    says(&ana, "without Cy", &[&bo]).await;
    cy.until("out", |engine| engine.group(TITLE).unwrap().state == "out").await;
    assert!(matches!(cy.try_send(TITLE, "let me in").await, Err(ClientError::NotInGroup)));
    agree(&[&ana, &bo], 2).await;
    assert_eq!(cy.texts(TITLE), Vec::<String>::new());
    // And comes back, if somebody lets him.
    act(&ana, GroupAct::Add(vec!["Cy".into()], GroupRole::Reader)).await;
    agree(&[&ana, &bo, &cy], 3).await;
    says(&bo, "welcome back", &[&ana, &cy]).await;
    assert!(matches!(cy.try_send(TITLE, "a reader's word").await, Err(ClientError::OnlyReads)));
    act(&ana, GroupAct::SetRole("Cy".into(), GroupRole::Member)).await;
    agree(&[&ana, &bo, &cy], 3).await;
    says(&cy, "now I may", &[&ana, &bo]).await;
    act(&ana, GroupAct::Ban("Cy".into())).await;
    cy.until("out", |engine| engine.group(TITLE).unwrap().state == "out").await;
    assert!(matches!(
        try_act(&ana, GroupAct::Add(vec!["Cy".into()], GroupRole::Member)).await,
        Err(ClientError::WrongTarget)
    ));
    act(&ana, GroupAct::Unban("Cy".into())).await;
    act(&ana, GroupAct::Add(vec!["Cy".into()], GroupRole::Member)).await;
    agree(&[&ana, &bo, &cy], 3).await;
}

#[tokio::test]
async fn who_leaves_is_settled_by_the_others() {
    let service = Service::start();
    let [ana, bo, cy] = three(&service).await;
    create(&ana, &titled(&[&bo, &cy])).await;
    agree(&[&ana, &bo, &cy], 3).await;
    assert!(matches!(try_act(&ana, GroupAct::Leave).await, Err(ClientError::NotAllowed)));
    act(&cy, GroupAct::Leave).await;
    assert_eq!(view(&cy).state, "out");
    says(&bo, "Cy has left", &[&ana]).await;
    agree(&[&ana, &bo], 2).await;
    act(&ana, GroupAct::HandOver("Bo".into())).await;
    agree(&[&ana, &bo], 2).await;
    assert_eq!((view(&ana).role, view(&bo).role), (Some(GroupRole::Admin), Some(GroupRole::Owner)));
    act(&ana, GroupAct::Leave).await;
    bo.until("alone", |engine| engine.group(TITLE).unwrap().members.len() == 1).await;
    act(&bo, GroupAct::Leave).await;
    assert!(view(&bo).state == "out" && view(&bo).closed);
}

#[tokio::test]
async fn a_group_says_what_its_admins_set() {
    let service = Service::start();
    let [ana, bo, cy] = three(&service).await;
    create(&ana, &NewGroup { description: "ships".into(), ..titled(&[&bo, &cy]) }).await;
    agree(&[&ana, &bo, &cy], 3).await;
    assert_eq!(view(&bo).description, "ships");
    assert!(matches!(
        try_act(&bo, GroupAct::Set(GroupText::Pinned, "mine".into())).await,
        Err(ClientError::NotAllowed)
    ));
    let rules = GroupRules { members_edit: true, members_add: true, ..GroupRules::default() };
    act(&ana, GroupAct::SetRules(rules)).await;
    agree(&[&ana, &bo, &cy], 3).await;
    act(&bo, GroupAct::Set(GroupText::Pinned, "be kind".into())).await;
    act(&bo, GroupAct::Set(GroupText::Description, String::new())).await;
    agree(&[&ana, &bo, &cy], 3).await;
    for home in [&ana, &bo, &cy] {
        let view = view(home);
        assert_eq!((view.pinned.as_str(), view.description.as_str(), view.rules), ("be kind", "", rules));
    }
    // Announcements alone: who posts shows himself, and members only read.
    act(&ana, GroupAct::SetRules(GroupRules { members_post: false, ..rules })).await;
    agree(&[&ana, &bo, &cy], 3).await;
    assert!(matches!(bo.try_send(TITLE, "hm").await, Err(ClientError::OnlyReads)));
    says(&ana, "hear me", &[&bo, &cy]).await;
    act(&ana, GroupAct::SetRole("Bo".into(), GroupRole::Admin)).await;
    agree(&[&ana, &bo, &cy], 3).await;
    says(&bo, "and me", &[&ana, &cy]).await;
    assert!(matches!(try_act(&bo, GroupAct::Close).await, Err(ClientError::NotAllowed)));
    act(&ana, GroupAct::Close).await;
    cy.until("closed", |engine| engine.group(TITLE).unwrap().closed).await;
    assert!(matches!(ana.try_send(TITLE, "the end").await, Err(ClientError::GroupClosed)));
}
