//! The same again, slowly: transforms by their definition, products by the schoolbook, numbers as large as they are.

use sha2::{Digest as _, Sha256};
use undertone_wire::context::Context;

use super::{ONE, base, rng, secret};
use crate::{
    Members, Query, Question,
    base::Base,
    masks::mask,
    ntt::{BLOCKS, DEGREE, LANES, root},
    ring::{Line, MODULI, PLAIN},
    secret::{BUCKETS, Spot},
    shape::Shape,
};

const SHAPE: Shape = Shape { entries: 1_000, rows: 2, columns: 4, shared: 2 };
const Q: i128 = MODULI[0] as i128 * MODULI[1] as i128;
/// The words that are computed again: the second group of the second row.
const ROW: usize = 1;
const GROUP: usize = 1;

fn pow(base: u64, mut exponent: u64, modulus: u64) -> u64 {
    let (mut result, mut square) = (1, base % modulus);
    while exponent > 0 {
        if exponent % 2 == 1 {
            result = result * square % modulus;
        }
        square = square * square % modulus;
        exponent /= 2;
    }
    result
}

/// All powers of the root of order 4096 that comes of the least base.
fn powers(modulus: u64) -> Vec<u64> {
    let roots = (2..modulus).map(|base| pow(base, (modulus - 1) / 4096, modulus));
    let first = roots.into_iter().find(|root| pow(*root, 2048, modulus) == modulus - 1).unwrap();
    (0..4096)
        .scan(1, |power, _| {
            let now = *power;
            *power = now * first % modulus;
            Some(now)
        })
        .collect()
}

fn root_at(place: usize) -> usize {
    root(place / LANES, place % LANES)
}

/// Coefficients from values at the roots.
fn coefficients(values: &[u64], modulus: u64) -> Vec<u64> {
    let powers = powers(modulus);
    let inverse = pow(DEGREE as u64, modulus - 2, modulus);
    let at = |index: usize| {
        let terms = values
            .iter()
            .enumerate()
            .map(|(place, value)| value * powers[(4096 - root_at(place) * index % 4096) % 4096] % modulus);
        terms.sum::<u64>() % modulus * inverse % modulus
    };
    (0..DEGREE).map(at).collect()
}

/// Values at the roots from coefficients.
fn values(coefficients: &[u64], modulus: u64) -> Vec<u64> {
    let powers = powers(modulus);
    let at = |place: usize| {
        let terms = coefficients
            .iter()
            .enumerate()
            .map(|(index, value)| value * powers[root_at(place) * index % 4096] % modulus);
        terms.sum::<u64>() % modulus
    };
    (0..DEGREE).map(at).collect()
}

/// An element's coefficients between `-q / 2` and `q / 2`.
fn integers(element: impl Iterator<Item = Line>) -> Vec<i128> {
    let words: Vec<_> = element.flatten().collect();
    let [q0, q1] = MODULI.map(u64::from);
    let low = coefficients(&words.iter().map(|word| word & 0xffff_ffff).collect::<Vec<_>>(), q0);
    let high = coefficients(&words.iter().map(|word| word >> 32).collect::<Vec<_>>(), q1);
    let inverse = pow(q0, q1 - 2, q1);
    let join = |(low, high): (u64, u64)| {
        i128::from(low) + i128::from(q0) * i128::from((high + q1 - low % q1) % q1 * inverse % q1)
    };
    low.into_iter().zip(high).map(join).map(|value| if value > Q / 2 { value - Q } else { value }).collect()
}

/// Adds the product modulo `X^2048 + 1`.
fn add_product(sum: &mut [i128], a: &[i128], b: &[i128]) {
    for (i, a) in a.iter().enumerate() {
        for (j, b) in b.iter().enumerate() {
            let product = a * b;
            if i + j < DEGREE { sum[i + j] += product } else { sum[i + j - DEGREE] -= product }
        }
    }
}

fn rounded(sum: i128, modulus: i128, bits: u32) -> i128 {
    ((sum.rem_euclid(modulus) << (bits + 1)) / modulus + 1) / 2 % (1 << bits)
}

fn number(bytes: &[u8], bits: usize, index: usize) -> i128 {
    let bit = |at: usize| i128::from(bytes[at / 8] >> (at % 8) & 1);
    (0..bits).map(|place| bit(index * bits + place) << place).sum()
}

#[test]
fn columns_masks_and_answers_are_those_of_the_definition() {
    let base = base(SHAPE, (0..1_000).map(|person| (person, person))).unwrap();
    let header = base.header();
    let column = |word, column| integers(base.column(ROW, word, column).into_iter());
    let words = [2 * GROUP, 2 * GROUP + 1];
    let columns = words.map(|word| [0, 1, 2, 3].map(|index| column(word, index)));

    // In each slot, the polynomial goes through the entries of this row.
    let slots = columns.clone().map(|columns| {
        columns.map(|column| {
            assert!(column.iter().all(|value| value.abs() <= i128::from(PLAIN / 2)));
            let column: Vec<_> = column.iter().map(|value| value.rem_euclid(PLAIN.into()) as u64).collect();
            values(&column, PLAIN.into())
        })
    });
    let through = |bucket: usize, point: u64, word: usize| {
        let powers =
            slots[word].iter().zip(1..).map(|(column, power)| column[bucket] * pow(point, power, PLAIN.into()));
        powers.sum::<u64>() % u64::from(PLAIN)
    };
    let mut members = Members::new(4);
    members.add(&(0..1_000).map(|person| (secret(person), super::account(person))).collect::<Vec<_>>(), ONE);
    let mut buckets = vec![Vec::new(); BUCKETS];
    for member in members.distinct() {
        let Spot { buckets: all, point } = Spot::new(member.place, header.salt);
        all.iter().for_each(|bucket| buckets[usize::from(*bucket)].push((point, member.sealed)));
    }
    for (bucket, entries) in buckets.iter_mut().enumerate() {
        entries.sort_by_key(|(point, _)| *point);
        for (point, sealed) in entries.iter().skip(ROW).step_by(2) {
            for (word, at) in words.iter().enumerate() {
                let expected = u16::from_be_bytes([sealed[2 * at], sealed[2 * at + 1]]);
                assert_eq!(through(bucket, (*point).into(), word), u64::from(expected));
            }
        }
    }

    // Masks: of each word the sum of columns times masks; then their digits, times the masks of keys.
    let seed = header.mask_seed();
    let masks: Vec<_> = (0..8).map(|place| integers(mask(&seed, place).iter().copied())).collect();
    let mut mask = vec![0; DEGREE];
    let mut digits = Vec::new();
    for columns in &columns {
        let mut sum = vec![0; DEGREE];
        columns.iter().zip(&masks).for_each(|(column, mask)| add_product(&mut sum, column, mask));
        let fractions: Vec<_> = sum.iter().map(|sum| rounded(*sum, Q, 28)).collect();
        let low: Vec<_> = fractions.iter().map(|value| (value + 8_192) % 16_384 - 8_192).collect();
        let high =
            fractions.iter().zip(&low).map(|(value, low)| ((value - low) / 16_384 + 8_192) % 16_384 - 8_192).collect();
        digits.extend([low, high]);
    }
    digits.iter().zip(&masks[4..]).for_each(|(digit, key)| add_product(&mut mask, digit, key));
    let download = &base.download()[(ROW * 5 + GROUP) * 6_400..][..6_400];
    assert!((0..DEGREE).all(|index| number(download, 25, index) == rounded(mask[index], Q, 25)));

    // The answer of the second word, from the query's fractions as they are.
    let (question, query) = Question::new(header, &[secret(5), secret(2_000)], &mut rng(1)).unwrap();
    let body = |place: usize| (0..DEGREE).map(|index| number(&query[place * 11_264..], 44, index)).collect::<Vec<_>>();
    let mut sum = vec![0; DEGREE];
    columns[1].iter().zip(0..).for_each(|(column, place)| add_product(&mut sum, column, &body(place)));
    digits.iter().zip(8..).for_each(|(digit, place)| add_product(&mut sum, digit, &body(place)));
    let answer = base.answer(&[&Query::from_bytes(header, &query).unwrap()], 0..2).unwrap().remove(0);
    let word = &answer[(ROW * 10 + words[1]) * 4_608..][..4_608];
    for (index, sum) in sum.iter().enumerate() {
        let difference = (number(word, 18, index) - rounded(*sum, 1 << 44, 18)).rem_euclid(1 << 18);
        // Residues of a fraction are of a whole number, so that now and then rounding goes the other way.
        assert!([0, 1, (1 << 18) - 1].contains(&difference));
    }
    assert!(question.finish(base.download(), &answer).unwrap()[0] == Some(super::account(5)));
}

/// What was computed once is computed for ever: both ends of a base are different releases.
#[test]
fn transcripts_stay_as_they_are() {
    let hash = |parts: &[&[u8]]| {
        let hash = Sha256::digest(Context::DISCOVERY.bytes(parts));
        hash.iter().take(8).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    };
    let transcript = |shape| {
        let base: Base = base(shape, (0..1_000).map(|person| (person, person))).unwrap();
        let (_, query) = Question::new(base.header(), &[secret(5), secret(2_000)], &mut rng(1)).unwrap();
        let answer = base.answer(&[&Query::from_bytes(base.header(), &query).unwrap()], 0..2).unwrap().remove(0);
        [&base.header().to_bytes(), &base.download()[..], &query, &answer].map(|bytes| hash(&[bytes]))
    };
    assert_eq!(transcript(SHAPE), ["eef001db2fcff2dc", "30c9a4cd60ea95ee", "b1723e96b6ef851b", "0c3e574e9d4f9fc6"]);
    let shared = Shape { shared: 5, ..SHAPE };
    assert_eq!(transcript(shared), ["af049ee0c0ed9967", "b382471780c9baf7", "9b8ec05820e2b857", "956ec41a6ed9254b"]);
    assert_eq!(BLOCKS * LANES, BUCKETS);
}

/// Who asks for single coefficients gets what is in the base: hidden entries, and of secrets that he does not have nothing.
#[test]
fn a_harvested_base_opens_for_nobody() {
    let base = base(SHAPE, (0..1_000).map(|person| (person, person))).unwrap();
    // The whole of what any queries can bring, in the clear: every column of every bucket.
    let mut harvested = Vec::new();
    let mut members = Members::new(4);
    members.add(&(0..1_000).map(|person| (secret(person), super::account(person))).collect::<Vec<_>>(), ONE);
    for member in members.distinct() {
        harvested.push(member.sealed);
    }
    assert!(harvested.iter().all(|sealed| !(0..1_000).any(|person| sealed[4..] == *super::account(person).as_bytes())));
    for stranger in 1_000..1_100 {
        for number in [3, 4] {
            let mark = secret(stranger).mark(Context::DISCOVERY_BASE, number);
            assert!(harvested.iter().all(|sealed| !bool::from(mark.open(sealed).0)));
        }
    }
    // And the marks of one base open nothing of the next.
    let mark = secret(5).mark(Context::DISCOVERY_BASE, base.header().number() + 1);
    assert!(harvested.iter().all(|sealed| !bool::from(mark.open(sealed).0)));
}
