//! What is presented, and all that a service refuses: with one error, whatever is wrong.

use curve25519_dalek::{RistrettoPoint, Scalar};
use proptest::prelude::*;

use super::{forger::Forger, presentation::Commitments, *};
use crate::CredentialError;

const REFUSED: Result<(), CredentialError> = Err(CredentialError::Presentation);

fn present(credential: &Credential, group: &GroupSecret, binding: [u8; 32]) -> Vec<u8> {
    credential.present(key().public(), group, &binding, &mut rng(2))
}

/// Of Ana, in the first group, today.
fn presentation() -> Vec<u8> {
    present(&credential(ANA, TODAY), &group(1), BINDING)
}

fn verify(
    group: &GroupSecret,
    account: AccountId,
    day: Day,
    binding: [u8; 32],
    bytes: &[u8],
) -> Result<(), CredentialError> {
    key().verify(&group.public(), &group.encrypt(&account), day, &binding, bytes)
}

fn verify_ana(bytes: &[u8]) -> Result<(), CredentialError> {
    verify(&group(1), ANA, TODAY, BINDING, bytes)
}

#[test]
fn a_member_is_let_in() {
    let bytes = presentation();
    assert!(bytes.len() == PRESENTATION_LEN && PRESENTATION_LEN == 544);
    assert_eq!(verify_ana(&bytes), Ok(()));
    assert_eq!(Forger::new().judged(), Ok(()));
    for day in [Day(0), Day(1), Day(u32::MAX)] {
        assert_eq!(
            verify(&group(3), FRANK, day, [0; 32], &present(&credential(FRANK, day), &group(3), [0; 32])),
            Ok(())
        );
    }
}

#[test]
fn a_credential_that_was_kept_is_as_good() {
    let kept = Credential::from_bytes(&credential(ANA, TODAY).to_bytes()).ok().unwrap();
    assert_eq!(verify_ana(&present(&kept, &group(1), BINDING)), Ok(()));
}

#[test]
fn it_is_good_for_one_entry_group_day_and_request() {
    let bytes = presentation();
    let mut other_request = BINDING;
    other_request[31] ^= 1;
    assert_eq!(verify(&group(1), FRANK, TODAY, BINDING, &bytes), REFUSED);
    assert_eq!(verify(&group(2), ANA, TODAY, BINDING, &bytes), REFUSED);
    assert_eq!(verify(&group(1), ANA, TODAY + 1, BINDING, &bytes), REFUSED);
    assert_eq!(verify(&group(1), ANA, Day(TODAY.0 - 1), BINDING, &bytes), REFUSED);
    assert_eq!(verify(&group(1), ANA, TODAY, other_request, &bytes), REFUSED);
    // The right entry in a group that is known by another key; another service.
    let (one, other) = (group(1), group(2));
    let key = key();
    assert_eq!(key.verify(&other.public(), &one.encrypt(&ANA), TODAY, &BINDING, &bytes), REFUSED);
    let stranger = CredentialKey::from_seed(&[8; 32]);
    assert_eq!(stranger.verify(&one.public(), &one.encrypt(&ANA), TODAY, &BINDING, &bytes), REFUSED);
}

/// Yesterday's credential, presented as today's; somebody else's, presented as one's own.
#[test]
fn a_credential_for_something_else_does_not_help() {
    let mut forger = Forger::new();
    forger.day = TODAY + 1;
    assert_eq!(forger.judged(), REFUSED);
    // The difference of the days is moved to where the MAC would not notice.
    let mut forger = Forger::new();
    forger.day = TODAY + 1;
    forger.commitments.C_y3 -= system::SYSTEM.G_m3;
    assert_eq!(forger.judged(), REFUSED);
    let mut forger = Forger::new();
    forger.entry = forger.group.encrypt(&FRANK);
    assert_eq!(forger.judged(), REFUSED);
    let mut forger = Forger::new();
    let [M1, M2] = attributes::of_account(&FRANK);
    let [own1, own2] = attributes::of_account(&ANA);
    forger.entry = forger.group.encrypt(&FRANK);
    forger.commitments.C_y1 += M1 - own1;
    forger.commitments.C_y2 += M2 - own2;
    assert_eq!(forger.judged(), REFUSED);
}

#[test]
fn every_equation_counts() {
    for (equation, forger) in Forger::of_each_equation() {
        assert_eq!(forger.judged(), REFUSED, "{equation}");
    }
}

/// Entries that do not decrypt to the account, as the paper's own statement would let pass with a shifted `E_A1`.
#[test]
fn an_entry_is_no_other_than_encryption_gives() {
    let sys = &*system::SYSTEM;
    for shift in [sys.G_y1, sys.G_a1, RistrettoPoint::mul_base(&Scalar::ONE)] {
        let forger = Forger::new();
        let [M1, M2] = attributes::of_account(&ANA);
        let E_A1 = forger.group.a1 * M1 + shift;
        let E_A2 = forger.group.a2 * E_A1 + M2;
        let bytes = [E_A1, E_A2].map(|point| point.compress().to_bytes());
        let entry = MemberEntry::try_from(bytes.as_flattened()).unwrap();
        assert!(forger.group.decrypt(&entry).is_err());
        assert_eq!(Forger { entry, ..forger }.judged(), REFUSED);
    }
}

#[test]
fn a_forged_mac_is_refused() {
    let changes: [fn(&mut Credential); 6] = [
        |credential| credential.t += Scalar::ONE,
        |credential| credential.U += credential.V,
        |credential| credential.V += credential.U,
        |credential| credential.U = RistrettoPoint::default(),
        |credential| credential.account = FRANK,
        |credential| credential.day = TODAY + 1,
    ];
    for change in changes {
        let mut forged = credential(ANA, TODAY);
        change(&mut forged);
        let bytes = present(&forged, &group(1), BINDING);
        assert_eq!(verify(&group(1), forged.account, forged.day, BINDING, &bytes), REFUSED);
    }
    // Of another service, and presented under its key.
    let other = CredentialKey::from_seed(&[8; 32]);
    let issued = other.issue(ANA, TODAY, &mut rng(1));
    let foreign = Credential::receive(other.public(), ANA, TODAY, &issued).ok().unwrap();
    assert_eq!(verify_ana(&foreign.present(other.public(), &group(1), &BINDING, &mut rng(2))), REFUSED);
    assert_eq!(verify_ana(&present(&foreign, &group(1), BINDING)), REFUSED);
}

#[test]
fn nothing_of_it_can_be_changed() {
    let bytes = presentation();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert_eq!(verify_ana(&changed), REFUSED, "byte {at}");
    }
    let longer = [&bytes[..], &[0]].concat();
    for refused in [&bytes[..543], &bytes[..192], &bytes[..191], &[], &longer, &[0; 544], &[0xff; 544]] {
        assert_eq!(verify_ana(refused), REFUSED);
    }
}

#[test]
fn no_commitment_is_the_identity() {
    for part in 0..6 {
        let mut bytes = presentation();
        bytes[part * 32..][..32].fill(0);
        assert_eq!(verify_ana(&bytes), REFUSED);
        // Even if everything else is made for it.
        let mut forger = Forger::new();
        let Commitments { C_x0, C_x1, C_y1, C_y2, C_y3, C_V } = &mut forger.commitments;
        *[C_x0, C_x1, C_y1, C_y2, C_y3, C_V][part] = RistrettoPoint::default();
        assert_eq!(forger.judged(), REFUSED);
    }
}

#[test]
fn two_presentations_have_nothing_in_common() {
    let (key, credential, group) = (key(), credential(ANA, TODAY), group(1));
    let [one, other] = [2, 3].map(|seed| credential.present(key.public(), &group, &BINDING, &mut rng(seed)));
    assert!(one.chunks(32).zip(other.chunks(32)).all(|(one, other)| one != other));
    assert!(verify_ana(&one) == Ok(()) && verify_ana(&other) == Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
        prop_assert_eq!(verify_ana(&bytes), REFUSED);
    }
}
