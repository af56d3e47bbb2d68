//! Stories of devices that come to an account: by a link, and by the recovery words.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use std::time::Duration;

use support::{Home, Service, Setup, folder};
use tempfile::TempDir;
use undertone_client::{ClientError, Engine, Kind, LinkOffer, LinkRequest};
use undertone_wire::{account::PutDeviceListRequest, circuit::Code};

/// An empty home.
fn empty(service: &Service) -> (TempDir, Engine) {
    let folder = folder();
    let engine = support::open_at(&folder, service);
    (folder, engine)
}

/// Two devices that show their codes.
async fn meet(old: &Engine, new: &Engine) -> (LinkOffer, LinkRequest) {
    let mut offer = old.link_offer().await.unwrap();
    let mut request = new.link(&offer.text()).await.unwrap();
    let (shown, shown_there) = tokio::join!(offer.code(), request.code());
    assert_eq!(shown.unwrap(), shown_there.unwrap());
    (offer, request)
}

/// Links a second device, and starts its driver.
async fn linked(ana: &Home, service: &Service) -> Home {
    let (folder, new) = empty(service);
    let (offer, request) = meet(&ana.engine, &new).await;
    let (number, me) = tokio::join!(offer.confirm(), request.confirm());
    assert_eq!((number.unwrap(), me.unwrap().account), (2, ana.account()));
    drop(new);
    Home::open(folder, Setup::at(service))
}

fn error<T>(result: Result<T, ClientError>) -> ClientError {
    result.err().expect("it failed")
}

#[tokio::test(start_paused = true)]
async fn a_new_device_has_the_account() {
    let service = Service::start();
    let ana = Home::new(&service, "Ana").await;
    let new = linked(&ana, &service).await;
    let (me, there) = (ana.engine.whoami().unwrap(), new.engine.whoami().unwrap());
    assert!(me.account == there.account && me.name == there.name && me.link == there.link);
    assert_eq!((me.device, there.device), (1, 2));
    for (home, this) in [(&ana, 1), (&new, 2)] {
        let devices = home.engine.devices().unwrap();
        assert_eq!(devices.iter().map(|device| device.number).collect::<Vec<_>>(), [1, 2]);
        assert!(devices.iter().all(|device| device.this == (device.number == this)));
    }
    new.sync().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_no_on_either_side_is_a_no_on_both() {
    let service = Service::start();
    let ana = Home::new(&service, "Ana").await;
    let (_folder, new) = empty(&service);
    let (offer, request) = meet(&ana.engine, &new).await;
    let (confirmed, ()) = tokio::join!(offer.confirm(), request.cancel());
    assert!(matches!(error(confirmed), ClientError::LinkCancelled));
    let (offer, request) = meet(&ana.engine, &new).await;
    let ((), confirmed) = tokio::join!(offer.cancel(), request.confirm());
    assert!(matches!(error(confirmed), ClientError::LinkCancelled));
    assert!(matches!(new.whoami(), Err(ClientError::NotRegistered)));
    assert_eq!(ana.engine.devices().unwrap().len(), 1);
    // And then it can be done all the same.
    let (offer, request) = meet(&ana.engine, &new).await;
    let (number, me) = tokio::join!(offer.confirm(), request.confirm());
    assert_eq!((number.unwrap(), me.unwrap().device), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_link_is_good_for_one_device() {
    let service = Service::start();
    let ana = Home::new(&service, "Ana").await;
    let ((_one, one), (_other, other)) = (empty(&service), empty(&service));
    let (offer, request) = meet(&ana.engine, &one).await;
    let text = offer.text();
    let (number, _) = tokio::join!(offer.confirm(), request.confirm());
    assert_eq!(number.unwrap(), 2);
    assert!(matches!(error(other.link(&text).await), ClientError::LinkUsed));

    // Two at once: whoever else has the link, nobody is linked.
    let (offer, request) = meet(&ana.engine, &other).await;
    let (_third, third) = empty(&service);
    assert!(matches!(error(third.link(&offer.text()).await), ClientError::LinkUsed));
    let (confirmed, there) = tokio::join!(offer.confirm(), request.confirm());
    for failed in [error(confirmed), error(there)] {
        assert!(matches!(failed, ClientError::LinkCancelled), "{failed}");
    }
    assert_eq!(ana.engine.devices().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_link_is_good_for_ten_minutes() {
    let service = Service::start();
    let mut ana = Home::new(&service, "Ana").await;
    // Linking needs no driver; and nobody reads an inbox thousands of times meanwhile.
    ana.offline().await;
    let (_folder, new) = empty(&service);
    let mut offer = ana.engine.link_offer().await.unwrap();
    let text = offer.text();
    let start = tokio::time::Instant::now();
    assert!(matches!(error(offer.code().await), ClientError::LinkTimedOut));
    assert!((600..660).contains(&start.elapsed().as_secs()));
    assert!(matches!(error(new.link(&text).await), ClientError::LinkCancelled));

    // Who showed it is gone: nobody answers.
    let text = ana.engine.link_offer().await.unwrap().text();
    let mut request = new.link(&text).await.unwrap();
    let start = tokio::time::Instant::now();
    let silent = error(request.code().await);
    assert!(matches!(silent, ClientError::LinkSilent) && silent.kind() == Kind::Network);
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn the_service_may_go_away_in_the_middle() {
    let mut service = Service::start();
    let ana = Home::new(&service, "Ana").await;
    let (_folder, new) = empty(&service);
    let (offer, request) = meet(&ana.engine, &new).await;
    service.restart().await;
    let (number, me) = tokio::join!(offer.confirm(), request.confirm());
    assert_eq!((number.unwrap(), me.unwrap().device), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_list_whose_answer_was_lost_stands_in_nobodys_way() {
    let service = Service::start();
    let ana = Home::new(&service, "Ana").await;
    let (_folder, new) = empty(&service);
    let (offer, request) = meet(&ana.engine, &new).await;
    service.lies.refuse::<PutDeviceListRequest>(Code::Unknown);
    // Its driver tries too: it must not be taken for another device that was faster.
    let waiting = tokio::spawn(request.confirm());
    assert_eq!(error(offer.confirm().await).kind(), Kind::Network);
    waiting.abort();
    service.lies.stop();
    ana.sync().await.unwrap();
    // The device that never came is listed; the next one has its own number.
    let (offer, request) = meet(&ana.engine, &new).await;
    let (number, me) = tokio::join!(offer.confirm(), request.confirm());
    assert_eq!((number.unwrap(), me.unwrap().device), (3, 3));
    assert_eq!(ana.engine.devices().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn wrong_links_are_told_apart() {
    let service = Service::start();
    let ana = Home::new(&service, "Ana").await;
    let (_folder, new) = empty(&service);
    let offer = ana.engine.link_offer().await.unwrap();
    let text = offer.text();
    for wrong in ["", "ana", text.get(..text.len() - 5).unwrap(), &service.link(), &ana.link()] {
        assert_eq!(error(new.link(wrong).await).kind(), Kind::Usage, "{wrong}");
    }
    let registering = error(new.register(&text, None, "Ana").await);
    assert_eq!(registering.kind(), Kind::Usage);
    assert!(matches!(error(ana.engine.link(&text).await), ClientError::AlreadyRegistered));
    assert!(matches!(error(new.link_offer().await), ClientError::NotRegistered));

    // Whole, but of a channel that never was.
    let mut other = undertone_wire::link::DeviceLink::parse(&text).ok().unwrap();
    other.channel = undertone_wire::ChannelId::new([7; 16]);
    assert!(matches!(error(new.link(&other.to_text()).await), ClientError::LinkUnknown));
    assert!(matches!(new.whoami(), Err(ClientError::NotRegistered)));
}

#[tokio::test(start_paused = true)]
async fn the_words_bring_an_account_back() {
    let service = Service::start();
    let (_folder, first) = empty(&service);
    let registered = first.register(&service.link(), None, "Ana").await.unwrap();
    drop(first);

    let (_folder, new) = empty(&service);
    let me = new.recover(&service.link(), &registered.words.to_uppercase(), "Ana").await.unwrap();
    assert!(me.account == registered.me.account && me.device > 1);
    assert!(matches!(
        error(new.recover(&service.link(), &registered.words, "Ana").await),
        ClientError::AlreadyRegistered
    ));
}

#[tokio::test(start_paused = true)]
async fn wrong_words_are_told_apart() {
    let mut service = Service::start();
    let (_folder, first) = empty(&service);
    let registered = first.register(&service.link(), None, "Ana").await.unwrap();
    let (_folder, new) = empty(&service);
    let link = service.link();
    let recover = |words: String| {
        let (new, link) = (new.clone(), link.clone());
        async move { error(new.recover(&link, &words, "Ana").await) }
    };
    let misspelt: Vec<_> = (1..)
        .zip(registered.words.split(' '))
        .map(|(place, word)| if place == 9 { "undertone" } else { word })
        .collect();
    let failed = recover(misspelt.join(" ")).await;
    assert!(failed.kind() == Kind::Usage && failed.to_string().contains("word 9"), "{failed}");
    assert_eq!(recover("abandon".to_owned()).await.kind(), Kind::Usage);
    let nobodys = recover(format!("{}art", "abandon ".repeat(23))).await;
    assert!(matches!(nobodys, ClientError::NoSuchWords), "{nobodys}");
    let wrong_link = error(new.recover(&registered.me.link, &registered.words, "Ana").await);
    assert!(matches!(wrong_link, ClientError::WrongLink { .. }));

    service.go_away().await;
    assert_eq!(recover(registered.words.to_string()).await.kind(), Kind::Network);
    assert!(matches!(new.whoami(), Err(ClientError::NotRegistered)));
    service.be_there();
    service.lies.refuse::<PutDeviceListRequest>(Code::Unknown);
    assert_eq!(recover(registered.words.to_string()).await.kind(), Kind::Network);
    assert!(matches!(new.whoami(), Err(ClientError::NotRegistered)));
    service.lies.stop();
    new.recover(&service.link(), &registered.words, "Ana").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_recovery_that_failed_leaves_nothing_behind() {
    let service = Service::start();
    let (_folder, first) = empty(&service);
    let registered = first.register(&service.link(), None, "Ana").await.unwrap();
    let (_folder, new) = empty(&service);
    service.lies.refuse::<PutDeviceListRequest>(Code::Forbidden);
    let failed = error(new.recover(&service.link(), &registered.words, "Ana").await);
    assert_eq!(failed.kind(), Kind::Refused);
    service.lies.stop();
    let me = new.register(&service.link(), None, "Cy").await.unwrap().me;
    assert!(me.account != registered.me.account && new.chats().unwrap().is_empty());
}
