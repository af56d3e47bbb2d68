//! Arbitrary bytes, to every method of every kind of circuit.

use bytes::Bytes;
use proptest::{collection::vec, prelude::*};
use tokio::runtime::{Builder, Runtime};
use undertone_wire::{
    Message,
    account::{Account, AccountHandler, DeleteAccountRequest},
    channel::{Channel, ChannelHandler, OpenRequest},
    rpc::{Method as _, Service as _},
};

use crate::{
    people::{NOW, World, code, message},
    table::dispatch,
};

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// Methods that exist, and some that do not.
fn method() -> impl Strategy<Value = u32> {
    prop_oneof![0u32..18, any::<u32>()]
}

/// Bytes with or without the form of a message: fields of any number, with bytes, numbers or messages in them.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let field = (1u8..8, prop_oneof![vec(any::<u8>(), 0..40), vec(0u8..2, 16), vec(0u8..2, 32), vec(0u8..2, 64)]);
    let field = field.prop_map(|(number, bytes)| {
        let mut out = vec![number << 3 | 2, bytes.len() as u8];
        out.extend(bytes);
        out
    });
    let number = (1u8..8, any::<u8>()).prop_map(|(number, value)| vec![number << 3, value & 0x7f]);
    let message = vec(prop_oneof![field, number], 0..8).prop_map(|fields| fields.concat());
    prop_oneof![vec(any::<u8>(), 0..200), message]
}

/// A rightful request with some of its bytes changed.
fn damaged(request: Vec<u8>, changes: &[(usize, u8)]) -> Bytes {
    let mut request = request;
    for (at, to) in changes {
        let at = at % request.len();
        request[at] = *to;
    }
    request.into()
}

proptest! {
    #[test]
    fn no_bytes_stop_the_service_or_change_anything_before_authentication(method in method(), body in body()) {
        runtime().block_on(async {
            let world = World::open();
            let body = Bytes::from(body);
            let account = dispatch(&world.account_circuit().1, NOW, method, body.clone()).await;
            let channel = dispatch(&world.channel_circuit().1, NOW, method, body.clone()).await;
            assert!(account.is_err());
            assert_eq!(world.account_store.changes() + world.channel_store.changes(), 0);
            let _ = dispatch(&world.visitor(), NOW, method, body).await;
            if !(1..=Account::METHODS.len() as u32).contains(&method) {
                assert_eq!(code(account), "UNSUPPORTED");
            }
            if !(1..=Channel::METHODS.len() as u32).contains(&method) {
                assert_eq!(code(channel), "UNSUPPORTED");
            }
        });
    }

    #[test]
    fn no_bytes_stop_the_service_after_authentication(method in method(), body in body()) {
        runtime().block_on(async {
            let world = World::open();
            let (ana, session) = world.registered(1).await;
            let keys = world.channel(1).await;
            let body = Bytes::from(body);
            let account = dispatch(&session, NOW, method, body.clone()).await;
            let _ = dispatch(&world.opened(&[&keys]).await, NOW, method, body).await;
            let (circuit, session) = world.account_circuit();
            // One thing may be asked for without a word more.
            let deleted = method == DeleteAccountRequest::NUMBER && account.is_ok();
            let expected = if deleted { "UNAUTHENTICATED" } else { "OK" };
            assert_eq!(code(session.authenticate(NOW, ana.authentication(&circuit)).await), expected);
        });
    }

    /// Whatever an unproven circuit makes of somebody's rightful request, only that request itself does anything.
    #[test]
    fn a_damaged_registration_registers_nobody(changes in vec((any::<usize>(), any::<u8>()), 1..4)) {
        runtime().block_on(async {
            let world = World::open();
            let (circuit, session) = world.account_circuit();
            let rightful = crate::people::Person::new(1).registration(&circuit).encode_to_vec();
            let request = damaged(rightful.clone(), &changes);
            if dispatch(&session, NOW, 1, request.clone()).await.is_ok() {
                // The invite is not looked at where registration is open, and unknown fields nowhere.
                let counts = world.accounts.counts().await.unwrap();
                assert_eq!(counts.accounts, 1);
            } else {
                assert_eq!(world.account_store.changes(), 0);
            }
        });
    }

    #[test]
    fn a_damaged_opening_opens_nothing_else(changes in vec((any::<usize>(), any::<u8>()), 1..4)) {
        runtime().block_on(async {
            let world = World::open();
            let (keys, other) = (world.channel(1).await, world.channel(2).await);
            let (circuit, session) = world.channel_circuit();
            let rightful = OpenRequest { openings: vec![keys.opening(&circuit, false)] }.encode_to_vec();
            let _ = dispatch(&session, NOW, 1, damaged(rightful, &changes)).await;
            let appended = session.append(NOW, keys.append(vec![message(1)])).await;
            assert!(["UNAUTHENTICATED", "FORBIDDEN"].contains(&code(appended)));
            assert_eq!(code(session.append(NOW, other.append(vec![message(1)])).await), "UNAUTHENTICATED");
        });
    }
}
