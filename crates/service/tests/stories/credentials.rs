//! Accounts are issued credentials, by which nobody knows them again.

use undertone_credentials::{Credential, IssuingKey, VerifiedParameters};
use undertone_wire::{
    account::{AccountHandler, DeleteAccountRequest, IssueCredentialsRequest},
    circuit::SignedParameters,
};

use crate::people::{ISSUING, NOW, TODAY, World, code};

#[tokio::test]
async fn an_account_is_issued_todays_and_tomorrows() {
    let world = World::open();
    let (ana, session) = world.registered(1).await;
    let signed: SignedParameters = world.channels.signed_parameters(NOW, 1);
    let parameters = VerifiedParameters::verify(&signed).ok().unwrap();
    let public = parameters.credential_key().unwrap();
    assert!(*public == *IssuingKey::from_seed(&ISSUING).credential_key().public());
    let changes = world.account_store.changes();
    let issued = session.issue_credentials(NOW, IssueCredentialsRequest {}).await.unwrap().credentials;
    assert_eq!(issued.iter().map(|issued| issued.day).collect::<Vec<_>>(), [TODAY.0, TODAY.0 + 1]);
    for issued in &issued {
        let day = undertone_wire::Day(issued.day);
        assert!(Credential::receive(public, ana.account(), day, &issued.credential).is_ok());
        assert!(Credential::receive(public, ana.account(), day + 1, &issued.credential).is_err());
    }
    let again = session.issue_credentials(NOW, IssueCredentialsRequest {}).await.unwrap().credentials;
    assert!(again[0].credential != issued[0].credential, "two of a day have nothing in common");
    assert_eq!(world.account_store.changes(), changes, "nothing is noted");
}

#[tokio::test]
async fn who_is_suspended_or_gone_is_issued_none() {
    let world = World::open();
    let (ana, session) = world.registered(1).await;
    let issue = async || code(session.issue_credentials(NOW, IssueCredentialsRequest {}).await);
    assert!(world.accounts.suspend(ana.account(), true).await.unwrap());
    assert_eq!(issue().await, "FORBIDDEN");
    assert!(world.accounts.suspend(ana.account(), false).await.unwrap());
    assert_eq!(issue().await, "OK");
    session.delete_account(NOW, DeleteAccountRequest {}).await.unwrap();
    assert_eq!(issue().await, "UNAUTHENTICATED");
    let (_, silent) = world.account_circuit();
    assert_eq!(code(silent.issue_credentials(NOW, IssueCredentialsRequest {}).await), "UNAUTHENTICATED");
}
