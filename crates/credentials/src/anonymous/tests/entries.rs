//! Groups, and the entries of their members.

use std::collections::BTreeSet;

use curve25519_dalek::{RistrettoPoint, Scalar};
use proptest::prelude::*;

use super::*;
use crate::{CredentialError, voprf::Element};

fn entry(E_A1: RistrettoPoint, E_A2: RistrettoPoint) -> MemberEntry {
    let bytes = [E_A1, E_A2].map(|point| point.compress().to_bytes());
    MemberEntry::try_from(bytes.as_flattened()).unwrap()
}

fn decrypted(group: &GroupSecret, entry: &MemberEntry) -> Result<AccountId, CredentialError> {
    group.decrypt(entry)
}

#[test]
fn an_entry_stands_for_its_account_in_its_group_alone() {
    let (group, other) = (group(1), self::group(2));
    let entry = group.encrypt(&ANA);
    assert!(decrypted(&group, &entry) == Ok(ANA));
    assert!(entry == group.encrypt(&ANA), "one account has one entry");
    assert!(entry != group.encrypt(&FRANK) && entry != other.encrypt(&ANA));
    assert!(decrypted(&other, &entry) == Err(CredentialError::Entry));
}

#[test]
fn entries_are_the_paper_s() {
    let group = group(1);
    let [M1, M2] = attributes::of_account(&ANA);
    let made = group.encrypt(&ANA);
    assert!(*made.E_A1() == group.a1 * M1 && *made.E_A2() == group.a2 * (group.a1 * M1) + M2);
    assert!(group.a1 * group.b == Scalar::ONE && group.a1 != group.a2);
    let sys = &*system::SYSTEM;
    assert!(*group.public().point() == group.b * sys.G_a1 + group.a2 * sys.G_a2);
}

/// Whoever writes an entry can write anything: it counts only if it is what `encrypt` gives.
#[test]
fn entries_that_are_nobody_s_are_void() {
    let group = group(1);
    let ([M1, M2], [other, _]) = (attributes::of_account(&ANA), attributes::of_account(&FRANK));
    let E_A1 = group.a1 * M1;
    assert!(decrypted(&group, &entry(E_A1, group.a2 * E_A1 + M2)) == Ok(ANA));
    let void = [
        // Decodes to Ana, but is not recognised as her.
        (group.a1 * other, group.a2 * (group.a1 * other) + M2),
        (M1, group.a2 * M1 + M2),
        (E_A1 + M1, group.a2 * (E_A1 + M1) + M2),
        // Decodes to nobody.
        (E_A1, group.a2 * E_A1 + M1),
        (E_A1, group.a2 * E_A1 + M2 + M1),
        (E_A1, E_A1),
        (group.a2 * E_A1 + M2, E_A1),
    ];
    for (E_A1, E_A2) in void {
        assert!(decrypted(&group, &entry(E_A1, E_A2)) == Err(CredentialError::Entry));
    }
}

#[test]
fn only_points_are_read() {
    let made = group(1).encrypt(&ANA);
    let bytes = *made.as_bytes();
    assert!(MemberEntry::try_from(&bytes[..]).ok() == Some(made));
    let refused = |change: fn(&mut Vec<u8>)| {
        let mut bytes = bytes.to_vec();
        change(&mut bytes);
        let entry = MemberEntry::try_from(&bytes[..]).err();
        let public = CredentialPublic::try_from(&bytes[..]).err();
        assert!(entry == Some(CredentialError::Element) && public == entry, "{}", hex(&bytes));
    };
    refused(|bytes| bytes[..32].fill(0));
    refused(|bytes| bytes[32..].fill(0));
    refused(|bytes| bytes[..32].fill(0xff));
    refused(|bytes| bytes[63] |= 0x80);
    refused(|bytes| bytes.push(0));
    refused(|bytes| bytes.truncate(63));
    refused(|bytes| bytes.truncate(32));
    refused(|bytes| bytes.truncate(31));
    refused(Vec::clear);
    let public = group(1).public();
    assert!(GroupPublic::try_from(&public.as_bytes()[..]).ok() == Some(public));
    for refused in [&[0; 32][..], &[0xff; 32], &public.as_bytes()[..31], &bytes] {
        assert!(GroupPublic::try_from(refused).err() == Some(CredentialError::Element));
    }
}

#[test]
fn a_group_follows_from_its_master_key() {
    let [one, other] = [1, 2].map(|seed| GroupMasterKey::generate(&mut rng(seed)));
    let again = GroupMasterKey::from_bytes(&one.to_bytes());
    assert!(again.to_bytes() == one.to_bytes() && *one.to_bytes() != [0; 32]);
    assert!(one.secret().public() == again.secret().public());
    assert!(one.secret().public() != other.secret().public());
    assert!(one.secret().encrypt(&ANA) == again.secret().encrypt(&ANA));
}

#[test]
fn subkeys_differ_by_label_and_group() {
    let keys = [(1, "title"), (1, "titl"), (1, ""), (2, "title")].map(|(seed, label)| *group(seed).subkey(label));
    assert!(BTreeSet::from(keys).len() == 4);
    assert!(*group(1).subkey("title") == keys[0] && keys[0] != [1; 32] && keys[0] != [0; 32]);
}

#[test]
fn points_of_the_system_are_all_different() {
    let s = &*system::SYSTEM;
    let points = [s.G_w, s.G_w_prime, s.G_x0, s.G_x1, s.G_y1, s.G_y2, s.G_y3, s.G_m3, s.G_V, s.G_a1, s.G_a2];
    let encodings: BTreeSet<_> = points.map(|point| *Element::nonzero(point).as_bytes()).into_iter().collect();
    assert!(encodings.len() == points.len());
}

#[test]
fn the_day_is_a_multiple() {
    for day in [0, 1, 2, 3, 5, TODAY.0, 1 << 31, u32::MAX] {
        assert!(attributes::of_day(Day(day)) == system::SYSTEM.G_m3 * Scalar::from(day));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_account_is_found_again(account in any::<[u8; 16]>(), seed in any::<u8>()) {
        let (group, account) = (group(seed), AccountId::new(account));
        let entry = group.encrypt(&account);
        let read = MemberEntry::try_from(&entry.as_bytes()[..]).unwrap();
        prop_assert!(read == entry && decrypted(&group, &read) == Ok(account));
    }

    #[test]
    fn any_points_are_an_entry_of_nobody(scalars in any::<[[u8; 32]; 2]>()) {
        let [one, other] = scalars.map(|bytes| RistrettoPoint::mul_base(&Scalar::from_bytes_mod_order(bytes)));
        prop_assert!(decrypted(&group(1), &entry(one, other)) == Err(CredentialError::Entry));
    }
}
