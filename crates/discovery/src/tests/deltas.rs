//! A year of people who come and go, followed by somebody who looks every day, sometimes every few weeks.

use std::collections::BTreeMap;

use rand_core::Rng as _;

use super::{ONE, account, rng, secret};
use crate::{Base, Change, Delta, DiscoveryError, Members, find_in_table};

const PEOPLE: u32 = 400;

#[test]
fn who_follows_deltas_knows_what_is_in_the_base() {
    let rng = &mut rng(5);
    let mut truth: BTreeMap<u32, u32> = (0..PEOPLE / 2).map(|person| (person, person)).collect();
    let contacts: Vec<_> = (0..PEOPLE).map(secret).collect();
    let base_of = |number, through, truth: &BTreeMap<u32, u32>| {
        let mut members = Members::new(number);
        let people: Vec<_> = truth.iter().map(|(person, of)| (secret(*person), account(*of))).collect();
        members.add(&people, ONE);
        Base::build(members, through, &[number as u8; 32], ONE).unwrap()
    };
    let mut base = base_of(0, 0, &truth);
    let mut deltas: Vec<Vec<u8>> = Vec::new();
    let mut known = find_in_table(base.header(), base.download(), &contacts).unwrap();
    let mut seen = 0;
    for day in 1..=365u32 {
        let mut changes = Vec::new();
        for _ in 0..rng.next_u32() % 9 {
            let person = rng.next_u32() % PEOPLE;
            if rng.next_u32().is_multiple_of(3) {
                truth.remove(&person);
                changes.push((secret(person), Change::Removed));
            } else {
                truth.insert(person, day);
                changes.push((secret(person), Change::Added(account(day))));
            }
        }
        deltas.push(Delta::build(day, &changes, &[day as u8; 32]).unwrap());
        if day % 7 == 0 {
            base = base_of(day, day, &truth);
        }
        // Who was away for long begins again with the base.
        let away = (100..130).contains(&day) || rng.next_u32().is_multiple_of(3);
        if away {
            continue;
        }
        if day - seen > 14 {
            known = find_in_table(base.header(), base.download(), &contacts).unwrap();
            seen = base.header().through();
        }
        for bytes in &deltas[seen as usize..] {
            let delta = Delta::from_bytes(bytes).unwrap();
            for (known, contact) in known.iter_mut().zip(&contacts) {
                match delta.find(contact) {
                    Some(Change::Added(account)) => *known = Some(account),
                    Some(Change::Removed) => *known = None,
                    None => {}
                }
            }
        }
        seen = day;
        assert!(known.iter().zip(0..).all(|(known, person)| *known == truth.get(&person).map(|of| account(*of))));
    }
}

/// Additions and removals, and what fills a delta up, look alike, and nothing of one delta is in another.
#[test]
fn a_delta_tells_nothing_without_a_secret() {
    let changes = [(secret(1), Change::Added(account(1))), (secret(2), Change::Removed)];
    let (one, other) = (Delta::build(1, &changes, &[1; 32]).unwrap(), Delta::build(2, &changes, &[1; 32]).unwrap());
    assert_eq!(one.len(), 5 + 32 * 24);
    let entries = |delta: &[u8]| delta[5..].chunks(24).map(<[u8]>::to_vec).collect::<Vec<_>>();
    // What fills up is seeded alike here; the rest has nothing in common.
    let common = entries(&one).into_iter().filter(|entry| entries(&other).contains(entry)).count();
    assert_eq!(common, 30);
    assert!(entries(&one).iter().all(|entry| entry[8..] != *account(1).as_bytes() && entry[8..] != [0; 16]));
    let delta = Delta::from_bytes(&one).unwrap();
    assert!(delta.number() == 1 && delta.find(&secret(3)).is_none());
    assert!(delta.find(&secret(1)) == Some(Change::Added(account(1))));
    assert!(delta.find(&secret(2)) == Some(Change::Removed));
}

#[test]
fn other_bytes_are_no_delta() {
    let good = Delta::build(1, &[(secret(1), Change::Removed)], &[1; 32]).unwrap();
    let mut swapped = good.clone();
    swapped[5..].rotate_left(24);
    for bad in [&good[1..], &good[..good.len() - 1], &good[..good.len() - 24], &swapped, &[], &[0; 773]] {
        assert!(Delta::from_bytes(bad).err() == Some(DiscoveryError::Malformed) || bad[0] != 1);
    }
    let mut newer = good.clone();
    newer[0] = 2;
    assert!(Delta::from_bytes(&newer).err() == Some(DiscoveryError::Newer));
}
