//! The vault is replaced by whoever knows what it is.

use undertone_wire::{
    account::{AccountHandler, PutVaultRequest, ReadVaultReply, ReadVaultRequest},
    padding,
};

use crate::people::{Accounts, NOW, World, code};

type Session = undertone_service::AccountSession<Accounts>;

fn vault(revision: u64, content: u8) -> PutVaultRequest {
    PutVaultRequest { revision, sealed: vec![content; 8 << 10].into() }
}

async fn put(session: &Session, revision: u64, content: u8) -> &'static str {
    code(session.put_vault(NOW, vault(revision, content)).await)
}

async fn read(session: &Session) -> (u64, Option<u8>) {
    let ReadVaultReply { revision, sealed } = session.read_vault(NOW, ReadVaultRequest {}).await.unwrap();
    (revision, sealed.first().copied())
}

#[tokio::test]
async fn of_two_devices_the_second_reads_first() {
    let world = World::open();
    let (ana, laptop) = world.registered(1).await;
    let (circuit, phone) = world.account_circuit();
    phone.authenticate(NOW, ana.authentication(&circuit)).await.unwrap();
    assert_eq!(read(&laptop).await, (0, None));
    assert_eq!(put(&laptop, 1, 7).await, "OK");
    assert_eq!(put(&phone, 1, 8).await, "CONFLICT");
    assert_eq!(read(&phone).await, (1, Some(7)));
    assert_eq!(put(&phone, 2, 9).await, "OK");
    assert_eq!(put(&phone, 2, 9).await, "OK", "its answer was lost");
    assert_eq!(put(&laptop, 1, 7).await, "CONFLICT");
    assert_eq!(put(&laptop, 4, 7).await, "CONFLICT");
    assert_eq!(read(&laptop).await, (2, Some(9)));
    let (_, bo) = world.registered(2).await;
    assert_eq!(read(&bo).await, (0, None));
}

#[tokio::test]
async fn a_vault_is_of_one_of_few_sizes() {
    let world = World::open();
    let (_, session) = world.registered(1).await;
    let mut revision = 0;
    for size in padding::VAULT {
        for (size, expected) in [(size - 1, "MALFORMED"), (size + 1, "MALFORMED"), (*size, "OK")] {
            let request = PutVaultRequest { revision: revision + 1, sealed: vec![1; size].into() };
            assert_eq!(code(session.put_vault(NOW, request).await), expected);
        }
        revision += 1;
    }
    let empty = PutVaultRequest { revision, ..PutVaultRequest::default() };
    assert_eq!(code(session.put_vault(NOW, empty).await), "MALFORMED");
}
