//! What nobody in particular may do.

use bytes::Bytes;
use undertone_credentials::{DeviceList, InboxKey, KeyPackage, verify_head};
use undertone_wire::{
    Now,
    limits::{INBOX_ENTRIES_MAX, UNUSED_CHANNEL_DAYS},
    visitor::{CreateChannelRequest, DeliverRequest, FetchContactReply, FetchContactRequest, VisitorHandler},
};

use crate::people::{Keys, LETTER_DAY, NOW, Person, TODAY, World, code, message};
use undertone_wire::channel::ChannelHandler;

fn letter(person: &Person, number: u8) -> DeliverRequest {
    DeliverRequest {
        account: person.account().into(),
        idempotency_id: vec![number; 16].into(),
        sealed: vec![number; 16 << 10].into(),
        expiry_day: LETTER_DAY,
        ..DeliverRequest::default()
    }
}

async fn fetch(world: &World, person: &Person) -> FetchContactReply {
    world
        .visitor()
        .fetch_contact(NOW, FetchContactRequest { account: person.account().into(), ..FetchContactRequest::default() })
        .await
        .unwrap()
}

#[tokio::test]
async fn a_stranger_gets_what_he_can_check() {
    let world = World::open();
    let (ana, _) = world.registered(1).await;
    let mut contents = Vec::new();
    for _ in 0..4 {
        let contact = fetch(&world, &ana).await;
        let list = DeviceList::verify(&contact.device_list).ok().unwrap();
        assert!(list.account() == ana.account() && InboxKey::verify(&list, &contact.inbox_key).is_ok());
        let package = KeyPackage::verify(&list, &contact.key_packages[0]).ok().unwrap();
        contents.push((package.mls()[0], package.last_resort()));
    }
    // Each of the two was handed out once; then the last resort has to do.
    assert_eq!(contents, [(1, false), (2, false), (0, true), (0, true)]);
}

#[tokio::test]
async fn an_unknown_account_is_not_found() {
    let world = World::open();
    let ana = Person::new(1);
    let request = FetchContactRequest { account: ana.account().into(), ..FetchContactRequest::default() };
    assert_eq!(code(world.visitor().fetch_contact(NOW, request).await), "NOT_FOUND");
    assert_eq!(code(world.visitor().deliver(NOW, letter(&ana, 1)).await), "NOT_FOUND");
    let request = FetchContactRequest::default();
    assert_eq!(code(world.visitor().fetch_contact(NOW, request).await), "MALFORMED");
}

#[tokio::test]
async fn a_letter_is_delivered_once_and_has_its_limits() {
    let world = World::open();
    let (ana, _) = world.registered(1).await;
    let deliver = async |change: fn(&mut DeliverRequest)| {
        let mut letter = letter(&ana, 1);
        change(&mut letter);
        code(world.visitor().deliver(NOW, letter).await)
    };
    assert_eq!(deliver(|_| ()).await, "OK");
    assert_eq!(deliver(|_| ()).await, "OK");
    assert_eq!(deliver(|letter| letter.sealed = vec![9; 16 << 10].into()).await, "CONFLICT");
    assert_eq!(deliver(|letter| letter.sealed = vec![1; (16 << 10) - 1].into()).await, "MALFORMED");
    assert_eq!(deliver(|letter| letter.sealed = vec![1; 256].into()).await, "MALFORMED");
    assert_eq!(deliver(|letter| letter.idempotency_id = Bytes::new()).await, "MALFORMED");
    for day in
        (TODAY.0 - 40..TODAY.0 + 80).filter(|day| !day.is_multiple_of(14) || *day < TODAY.0 - 1 || *day > TODAY.0 + 31)
    {
        let letter = DeliverRequest { expiry_day: day, ..letter(&ana, 1) };
        assert_eq!(code(world.visitor().deliver(NOW, letter).await), "MALFORMED", "{day}");
    }
    assert_eq!(world.accounts.counts().await.unwrap().inbox_entries, 1);
}

#[tokio::test]
async fn an_inbox_holds_only_so_much() {
    let world = World::open();
    let (ana, _) = world.registered(1).await;
    for number in 0..INBOX_ENTRIES_MAX {
        let mut id = vec![0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        let letter = DeliverRequest { idempotency_id: id.into(), ..letter(&ana, 1) };
        world.visitor().deliver(NOW, letter).await.unwrap();
    }
    let full = world.visitor().deliver(NOW, letter(&ana, 255)).await.err().unwrap();
    assert!(full.code().as_str_name() == "EXHAUSTED" && full.retry_after_ms > 0);
}

#[tokio::test]
async fn a_channel_is_made_by_whoever_thinks_of_it_first() {
    let world = World::open();
    let keys = Keys::new(1);
    for _ in 0..2 {
        let reply = world.visitor().create_channel(NOW, keys.creation()).await.unwrap();
        let head = reply.head.unwrap();
        assert!(head.seq == 0 && head.epoch == 0 && head.generation == 0);
        assert!(verify_head(&world.head_key, &head).is_ok_and(|head| head.channel() == keys.channel));
    }
    let taken = CreateChannelRequest { channel: keys.channel.into(), ..Keys::new(2).creation() };
    assert_eq!(code(world.visitor().create_channel(NOW, taken).await), "CONFLICT");
    // A retry that comes late learns where the channel stands by now.
    let session = world.opened(&[&keys]).await;
    session.append(NOW, keys.append(vec![message(1)])).await.unwrap();
    let reply = world.visitor().create_channel(NOW, keys.creation()).await.unwrap();
    assert!(reply.head.unwrap().seq == 1);
}

#[tokio::test]
async fn a_channel_has_keys_worth_having() {
    let world = World::open();
    let create = async |change: fn(&mut CreateChannelRequest)| {
        let mut request = Keys::new(1).creation();
        change(&mut request);
        code(world.visitor().create_channel(NOW, request).await)
    };
    assert_eq!(create(|request| request.channel = Bytes::from_static(&[1; 17])).await, "MALFORMED");
    assert_eq!(create(|request| request.read_key = Bytes::from_static(&[0; 32])).await, "MALFORMED");
    assert_eq!(create(|request| request.write_key = Bytes::from_static(&[255; 32])).await, "MALFORMED");
    assert_eq!(create(|request| request.write_key = Bytes::new()).await, "MALFORMED");
    assert_eq!(world.channel_store.changes(), 0);
}

#[tokio::test]
async fn a_channel_in_which_nobody_ever_wrote_is_forgotten() {
    let world = World::open();
    let (used, unused) = (world.channel(1).await, world.channel(2).await);
    let session = world.opened(&[&used, &unused]).await;
    session.append(NOW, used.append(vec![message(1)])).await.unwrap();
    let later = Now(NOW.0 + u64::from(UNUSED_CHANNEL_DAYS + 1) * 86_400_000);
    world.channels.expire(later).await.unwrap();
    // Even where it is still open.
    let mut entry = message(2);
    entry.expiry_day += UNUSED_CHANNEL_DAYS;
    assert_eq!(code(session.append(later, unused.append(vec![entry.clone()])).await), "NOT_FOUND");
    assert_eq!(code(session.append(later, unused.append(vec![entry.clone()])).await), "UNAUTHENTICATED");
    assert_eq!(code(session.append(later, used.append(vec![entry])).await), "OK");
    assert_eq!(code(world.visitor().create_channel(later, unused.creation()).await), "OK");
}

#[tokio::test]
async fn a_visitor_does_one_thing() {
    let world = World::open();
    let (ana, _) = world.registered(1).await;
    let visitor = world.visitor();
    assert_eq!(code(visitor.deliver(NOW, letter(&ana, 1)).await), "OK");
    assert_eq!(code(visitor.create_channel(NOW, Keys::new(1).creation()).await), "FORBIDDEN");
    assert_eq!(code(visitor.deliver(NOW, letter(&ana, 1)).await), "FORBIDDEN");
}
