//! The whole protocol, against a map; what is refused, and what is seen.

mod deltas;
mod reference;

use std::{collections::BTreeMap, num::NonZeroUsize};

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use undertone_wire::AccountId;

use crate::{
    Base, CONTACTS_MAX, DiscoveryError, DiscoverySecret, Header, Members, Query, Question, find_in_table,
    members::Member, shape::Shape,
};

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
}

#[test]
fn tables_find_the_same() {
    let mut members = Members::new(9);
    let people: Vec<_> = (0..2_000).map(|person| (secret(person), account(person + 1))).collect();
    people.chunks(300).for_each(|page| members.add(page, ONE));
    let kept = Members::from_bytes(&members.to_bytes()).unwrap();
    let base = Base::build(members, 3, &[1; 32], ONE).unwrap();
    assert!(base.header().rows() == 0 && base.header().number() == 9 && base.header().through() == 3);
    assert_eq!(base.download().len(), base.header().download_len());
    let contacts: Vec<_> = (1_900..2_100).map(secret).collect();
    let found = find_in_table(base.header(), base.download(), &contacts).unwrap();
    assert!(found.into_iter().eq((1_900..2_100).map(|person| (person < 2_000).then(|| account(person + 1)))));
    assert!(Base::build(kept, 3, &[1; 32], ONE.saturating_add(2)).unwrap().download() == base.download());
    let broken = vec![0; base.download().len()];
    assert!(find_in_table(base.header(), &broken, &contacts).err() == Some(DiscoveryError::Download));
    assert!(Question::new(base.header(), &contacts, &mut rng(1)).err() == Some(DiscoveryError::Rows));
    assert!(Query::from_bytes(base.header(), &[]).err() == Some(DiscoveryError::Rows));
}

#[test]
fn a_large_base_is_asked_and_a_small_one_is_not() {
    for (entries, rows, shared) in [(44_999, 0, 1), (45_000, 4, 2), (1_000_000, 16, 2), (10_000_000, 54, 5)] {
        let shape = Shape::new(entries).unwrap();
        assert!(shape.rows == rows && shape.shared == shared && shape.check().is_ok());
        let padding = shape.entries as usize - entries;
        assert!(padding <= entries / 32);
    }
    assert!(Shape::new(1 << 30).err() == Some(DiscoveryError::TooLarge));
}

#[test]
fn of_one_secret_the_last_account_counts() {
    let base = base(SMALL, (0..100).map(|person| (person % 10, person))).unwrap();
    let found = ask(&base, &[3, 7, 3, 11, 3, 3, 3], 2).unwrap();
    assert!(
        found
            == [
                Some(account(93)),
                Some(account(97)),
                Some(account(93)),
                None,
                Some(account(93)),
                Some(account(93)),
                Some(account(93))
            ]
    );
}

#[test]
fn entries_of_one_point_stand_in_different_rows_or_another_salt_is_taken() {
    let place = |place, tag| Member { place, sealed: [tag; 20] };
    let build = |members: Vec<_>| Base::with_shape(4, members, SMALL, 0, &[3; 32], ONE);
    // All three at the same place, where there are three rows; a fourth fits nowhere.
    assert!(build((0..3).map(|tag| place(77, tag)).collect()).is_ok());
    assert!(build((0..4).map(|tag| place(77, tag)).collect()).err() == Some(DiscoveryError::Unbuildable));
    // More than three times as many as there are slots for.
    assert!(build((0..11_000).map(|at| place(at, 0)).collect()).err() == Some(DiscoveryError::Unbuildable));
}

#[test]
fn parts_of_answers_make_whole_ones_for_one_or_several() {
    let base = base(SMALL, (0..3_000).map(|person| (person, person))).unwrap();
    let header = base.header();
    let ask = |seed| Question::new(header, &[secret(5), secret(6_000)], &mut rng(seed)).unwrap();
    let ((question, one), (_, other)) = (ask(1), ask(2));
    let read = |query: &[u8]| Query::from_bytes(header, query).unwrap();
    let both = base.answer(&[&read(&one), &read(&other)], 0..3).unwrap();
    let parts = [0..1, 1..1, 1..3].map(|rows| base.answer(&[&read(&one)], rows).unwrap().concat());
    assert!(both[0] == parts.concat() && both[0].len() == header.answer_len());
    assert!(question.finish(base.download(), &both[0]).unwrap() == [Some(account(5)), None]);
    #[allow(clippy::reversed_empty_ranges, reason = "it is refused")]
    for rows in [0..4, 4..4, 2..1] {
        assert!(base.answer(&[&read(&one)], rows).err() == Some(DiscoveryError::Rows));
    }
}

/// What is answered from elsewhere, with an error, or to somebody else, is no answer.
#[test]
fn a_wrong_answer_is_seen() {
    let base = |number| {
        let mut members = Members::new(number);
        members.add(&(0..3_000).map(|person| (secret(person), account(person))).collect::<Vec<_>>(), ONE);
        Base::with_shape(number, members.distinct(), SMALL, 0, &[3; 32], ONE).unwrap()
    };
    let (right, wrong) = (base(1), base(2));
    let header = right.header();
    let ask = |seed| Question::new(header, &[secret(5)], &mut rng(seed)).unwrap();
    let answer =
        |base: &Base, query: &[u8]| base.answer(&[&Query::from_bytes(header, query).unwrap()], 0..3).unwrap().remove(0);
    let good = answer(&right, &ask(1).1);
    assert!(ask(1).0.finish(right.download(), &good).is_ok());
    let mut one_row = good.clone();
    one_row[header.row_len() + 100] ^= 0x80;
    let of_another = answer(&right, &ask(2).1);
    let mut swapped = good.clone();
    swapped.rotate_left(header.row_len());
    for bad in [answer(&wrong, &ask(1).1), one_row, of_another, swapped, vec![0; good.len()]] {
        assert!(ask(1).0.finish(right.download(), &bad).err() == Some(DiscoveryError::Answer));
    }
    assert!(ask(1).0.finish(right.download(), &good[1..]).err() == Some(DiscoveryError::Length));
    assert!(ask(1).0.finish(wrong.download(), &good).err() == Some(DiscoveryError::Download));
    assert!(Query::from_bytes(header, &ask(1).1[1..]).err() == Some(DiscoveryError::Length));
    let other_shape = Header { shape: Shape { rows: 4, ..SMALL }, ..header.clone() };
    let query = Query::from_bytes(&Header { shape: Shape { columns: 4, ..SMALL }, ..header.clone() }, &ask(1).1);
    assert!(query.err() == Some(DiscoveryError::Length));
    let query = Query::from_bytes(&other_shape, &ask(1).1).unwrap();
    assert!(right.answer(&[&query], 0..3).err() == Some(DiscoveryError::Length));
}

/// All that leaves a client has one size, whatever is asked.
#[test]
fn two_address_books_look_alike() {
    let base = base(SMALL, (0..3_000).map(|person| (person, person))).unwrap();
    let sizes = [vec![], vec![1], (0..CONTACTS_MAX as u32).collect(), vec![7; 900]].map(|contacts| {
        let contacts: Vec<_> = contacts.into_iter().map(secret).collect();
        let (_, query) = Question::new(base.header(), &contacts, &mut rng(1)).unwrap();
        let answer = base.answer(&[&Query::from_bytes(base.header(), &query).unwrap()], 0..3).unwrap();
        (query.len(), answer[0].len())
    });
    assert!(sizes.iter().all(|size| *size == (base.header().query_len(), base.header().answer_len())));
    let many: Vec<_> = (0..=CONTACTS_MAX as u32).map(secret).collect();
    assert!(Question::new(base.header(), &many, &mut rng(1)).err() == Some(DiscoveryError::TooMany));
}

/// Two questions for the same contacts have no ciphertext in common.
#[test]
fn a_question_is_asked_afresh() {
    let base = base(SMALL, [(1, 1)]).unwrap();
    let mut rng = rng(1);
    let mut ask = || Question::new(base.header(), &[secret(1)], &mut rng).unwrap().1;
    let (one, other) = (ask(), ask());
    let equal = one.iter().zip(&other).filter(|(a, b)| a == b).count();
    assert!(equal < one.len() / 256 * 2);
}
