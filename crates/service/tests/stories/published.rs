//! What is kept of an account can be published: its owner gets all of it.

use undertone_store::meaning;
use undertone_wire::{
    Message as _,
    account::{AccountHandler, PublishRequest, PutVaultRequest, Row, row},
    limits::FRAME_BYTES_MAX,
    visitor::{DeliverRequest, VisitorHandler},
};

use crate::{
    people::{Accounts, LETTER_DAY, NOW, World},
    profiles::profile,
    tokens::whole_batch,
};

type Session = undertone_service::AccountSession<Accounts>;

async fn publish(session: &Session) -> (Vec<Row>, usize) {
    let (mut rows, mut pages) = (Vec::new(), 0);
    loop {
        let after = rows.len() as u32;
        let reply = session.publish(NOW, PublishRequest { after }).await.unwrap();
        assert!(reply.encoded_len() < FRAME_BYTES_MAX);
        pages += 1;
        rows.extend(reply.rows);
        if !reply.more {
            return (rows, pages);
        }
    }
}

#[tokio::test]
async fn an_owner_gets_all_that_is_kept_and_every_value_has_a_meaning() {
    let world = World::open();
    let (ana, session) = world.registered(1).await;
    world.registered(2).await;
    session.put_vault(NOW, PutVaultRequest { revision: 1, sealed: vec![1; 192 << 10].into() }).await.unwrap();
    session.put_profile(NOW, profile(1, 7)).await.unwrap();
    session.issue_tokens(NOW, whole_batch(1).0).await.unwrap();
    for number in 0..9 {
        let letter = DeliverRequest {
            account: ana.account().into(),
            idempotency_id: vec![number; 16].into(),
            sealed: vec![number; 32 << 10].into(),
            expiry_day: LETTER_DAY,
            ..DeliverRequest::default()
        };
        world.visitor().deliver(NOW, letter).await.unwrap();
    }
    let (rows, pages) = publish(&session).await;
    assert!(pages > 3, "the vault alone fills one");
    assert!(rows.iter().all(|row| meaning(&row.table, &row.column).is_some()));
    let count = |table: &str, column: &str| {
        rows.iter().filter(|row| row.table == table && row.column == column && row.value.is_some()).count()
    };
    assert_eq!((count("accounts", "account"), count("inbox", "seq"), count("vaults", "sealed")), (1, 9, 1));
    assert_eq!((count("key_packages", "package"), count("last_resorts", "package")), (2, 1));
    assert_eq!(
        (count("issued", "request"), count("profiles", "access_hash"), count("suspended", "account")),
        (1, 1, 0)
    );
    let day = LETTER_DAY;
    assert_eq!((count(&format!("ids_{day}"), "id"), count(&format!("bodies_{day}"), "body")), (9, 9));
    // Whatever names an account names this one.
    let id = row::Value::Data(ana.account().into());
    let named = rows.iter().filter(|row| ["account", "log"].contains(&row.column.as_str()));
    assert!(named.map(|row| &row.value).all(|value| *value == Some(id.clone())));
}

#[tokio::test]
async fn chats_leave_nothing_in_an_account() {
    let world = World::open();
    let (_, session) = world.registered(1).await;
    let (before, _) = publish(&session).await;
    for number in 0..200 {
        let keys = world.channel(number).await;
        world.opened(&[&keys]).await;
    }
    assert!(publish(&session).await.0 == before);
}
