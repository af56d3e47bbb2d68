//! The whole protocol, against a map.

use std::{collections::BTreeMap, num::NonZeroUsize};

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use undertone_wire::AccountId;

use crate::{Base, DiscoveryError, DiscoverySecret, Header, Members, Query, Question, shape::Shape};

const ONE: NonZeroUsize = NonZeroUsize::MIN;

/// A base as small as one with rows can be, so that it is made quickly.
const SMALL: Shape = Shape { entries: 3_000, rows: 3, columns: 5, shared: 2 };

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn secret(person: u32) -> DiscoverySecret {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&person.to_be_bytes());
    DiscoverySecret::new(bytes)
}

fn account(person: u32) -> AccountId {
    let mut bytes = [9; 16];
    bytes[..4].copy_from_slice(&person.to_be_bytes());
    AccountId::new(bytes)
}

fn base(shape: Shape, people: impl IntoIterator<Item = (u32, u32)>) -> Result<Base, DiscoveryError> {
    let mut members = Members::new(4);
    let people: Vec<_> = people.into_iter().map(|(person, of)| (secret(person), account(of))).collect();
    members.add(&people, ONE);
    Base::with_shape(4, members.distinct(), shape, 11, &[3; 32], ONE)
}

fn ask(base: &Base, contacts: &[u32], seed: u8) -> Result<Vec<Option<AccountId>>, DiscoveryError> {
    let contacts: Vec<_> = contacts.iter().map(|person| secret(*person)).collect();
    let (question, query) = Question::new(base.header(), &contacts, &mut rng(seed))?;
    let query = Query::from_bytes(base.header(), &query)?;
    let answer = base.answer(&[&query], 0..base.header().rows())?.remove(0);
    question.finish(base.download(), &answer)
}

#[test]
fn exactly_those_are_found_who_are_there() {
    for shape in [SMALL, Shape { shared: 5, ..SMALL }] {
        let people: BTreeMap<_, _> = (0..3_000).map(|person| (person, person + 1)).collect();
        let base = base(shape, people.clone()).unwrap();
        let contacts: Vec<_> = (2_000..3_600).collect();
        let found = ask(&base, &contacts, 1).unwrap();
        let expected = contacts.iter().map(|person| people.get(person).map(|of| account(*of)));
        assert!(found.into_iter().eq(expected));
    }
    let _ = Header::from_bytes;
}
