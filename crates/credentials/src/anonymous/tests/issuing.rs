//! What is issued, and what a client refuses to take.

use proptest::prelude::*;

use super::*;
use crate::{CredentialError, IssuingKey};

fn issued() -> Vec<u8> {
    key().issue(ANA, TODAY, &mut rng(1))
}

fn receive(public: &CredentialPublic, account: AccountId, day: Day, issued: &[u8]) -> Result<(), CredentialError> {
    Credential::receive(public, account, day, issued).map(drop)
}

#[test]
fn what_is_issued_is_received() {
    let (key, issued) = (key(), issued());
    assert!(issued.len() == ISSUED_LEN && ISSUED_LEN == 416);
    let credential = Credential::receive(key.public(), ANA, TODAY, &issued).ok().unwrap();
    assert!(credential.account() == ANA && credential.day() == TODAY);
    assert!(issued != key.issue(ANA, TODAY, &mut rng(2)), "no two are alike");
    let [M1, M2] = attributes::of_account(&ANA);
    let (t, U, V) = (credential.t, credential.U, credential.V);
    let expected = key.W + (key.x0 + key.x1 * t) * U;
    assert!(V == expected + key.y1 * M1 + key.y2 * M2 + key.y3 * attributes::of_day(TODAY));
}

#[test]
fn the_public_key_commits_to_all_of_the_key() {
    let (key, sys) = (key(), &*system::SYSTEM);
    assert!(key.W == sys.G_w * key.w && *key.public().C_W() == key.W + sys.G_w_prime * key.w_prime);
    let sum = sys.G_x0 * key.x0 + sys.G_x1 * key.x1 + sys.G_y1 * key.y1 + sys.G_y2 * key.y2 + sys.G_y3 * key.y3;
    assert!(*key.public().I() == sys.G_V - sum);
    let public = *key.public();
    assert!(CredentialPublic::try_from(&public.as_bytes()[..]).ok() == Some(public));
    assert!(public != *CredentialKey::from_seed(&[8; 32]).public());
    let issuing = IssuingKey::from_seed(&[7; 32]);
    assert!(*issuing.credential_key().public() == public, "the key that follows from the seed of tokens");
}

/// Who is given a key of his own could be known again by what he presents.
#[test]
fn another_key_account_or_day_is_noticed() {
    let (key, other, issued) = (key(), CredentialKey::from_seed(&[8; 32]), issued());
    let public = key.public();
    assert_eq!(receive(public, ANA, TODAY, &issued), Ok(()));
    assert_eq!(receive(other.public(), ANA, TODAY, &issued), Err(CredentialError::Proof));
    assert_eq!(receive(public, FRANK, TODAY, &issued), Err(CredentialError::Proof));
    assert_eq!(receive(public, ANA, TODAY + 1, &issued), Err(CredentialError::Proof));
    let of_other = other.issue(ANA, TODAY, &mut rng(1));
    assert_eq!(receive(public, ANA, TODAY, &of_other), Err(CredentialError::Proof));
}

/// A key that has one scalar of its own, and says it had not. Each is in one equation, or in two.
#[test]
fn every_scalar_of_the_key_is_held_to_the_public_one() {
    let changes: [fn(&mut CredentialKey); 7] = [
        |key| key.w += key.w,
        |key| key.w_prime += key.w,
        |key| key.x0 += key.w,
        |key| key.x1 += key.w,
        |key| key.y1 += key.w,
        |key| key.y2 += key.w,
        |key| key.y3 += key.w,
    ];
    for change in changes {
        let mut marked = key();
        change(&mut marked);
        marked.W = system::SYSTEM.G_w * marked.w;
        let issued = marked.issue(ANA, TODAY, &mut rng(1));
        assert_eq!(receive(key().public(), ANA, TODAY, &issued), Err(CredentialError::Proof));
    }
    // The right key, but another MAC than it gives.
    let mut marked = key();
    marked.W += system::SYSTEM.G_w;
    let issued = marked.issue(ANA, TODAY, &mut rng(1));
    assert_eq!(receive(key().public(), ANA, TODAY, &issued), Err(CredentialError::Proof));
}

#[test]
fn nothing_of_it_can_be_changed() {
    let (key, issued) = (key(), issued());
    for at in 0..issued.len() {
        let mut changed = issued.clone();
        changed[at] ^= 1;
        assert!(receive(key.public(), ANA, TODAY, &changed).is_err(), "byte {at}");
    }
    let refused = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut changed = issued.clone();
        change(&mut changed);
        receive(key.public(), ANA, TODAY, &changed).unwrap_err()
    };
    assert_eq!(refused(&|issued| issued[..32].fill(0xff)), CredentialError::Malformed);
    assert_eq!(refused(&|issued| issued[32..64].fill(0)), CredentialError::Element);
    assert_eq!(refused(&|issued| issued[64..96].fill(0)), CredentialError::Element);
    assert_eq!(refused(&|issued| issued[96..].fill(0)), CredentialError::Proof);
    assert_eq!(refused(&|issued| issued[96..].fill(0xff)), CredentialError::Proof);
    assert_eq!(refused(&|issued| issued.push(0)), CredentialError::Proof);
    assert_eq!(refused(&|issued| issued.truncate(415)), CredentialError::Proof);
    assert_eq!(refused(&|issued| issued.truncate(96)), CredentialError::Proof);
    assert_eq!(refused(&|issued| issued.truncate(95)), CredentialError::Malformed);
    assert_eq!(refused(&Vec::clear), CredentialError::Malformed);
    // The same MAC with another U, and the same U with another t.
    let other = key.issue(ANA, TODAY, &mut rng(2));
    for part in [0..32, 32..64, 64..96, 96..192, 192..416] {
        assert!(
            refused(&|issued| issued[part.clone()].copy_from_slice(&other[part.clone()])) == CredentialError::Proof
        );
    }
}

#[test]
fn a_credential_survives_a_kill() {
    let credential = credential(ANA, TODAY);
    let bytes = credential.to_bytes();
    assert!(bytes.len() == CREDENTIAL_LEN);
    let again = Credential::from_bytes(&bytes).ok().unwrap();
    assert!(again.account() == ANA && again.day() == TODAY && again.to_bytes() == bytes);
    let refused = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.to_vec();
        change(&mut bytes);
        Credential::from_bytes(&bytes).err()
    };
    assert_eq!(refused(&|bytes| bytes[0] = 0), Some(CredentialError::Malformed));
    assert_eq!(refused(&|bytes| bytes[0] = 2), Some(CredentialError::Newer));
    assert_eq!(refused(&|bytes| bytes[21..53].fill(0xff)), Some(CredentialError::Malformed));
    assert_eq!(refused(&|bytes| bytes[53..85].fill(0)), Some(CredentialError::Element));
    assert_eq!(refused(&|bytes| bytes[85..].fill(0)), Some(CredentialError::Element));
    for length in [0, 1, 16, 20, 116] {
        assert_eq!(refused(&|bytes| bytes.truncate(length)), Some(CredentialError::Malformed), "{length}");
    }
    assert_eq!(refused(&|bytes| bytes.push(0)), Some(CredentialError::Malformed));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_a_credential_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(credential) = Credential::from_bytes(&bytes) {
            prop_assert!(credential.to_bytes()[..] == bytes[..]);
        }
        prop_assert!(receive(key().public(), ANA, TODAY, &bytes).is_err());
    }
}
