//! Rows of a base: for each bucket and word, the polynomial through the bucket's entries.
//!
//! Eight buckets are computed with at once, one in each lane, by Lagrange's formula. The polynomials have no constant term:
//! with `f(x) = x g(x)`, it is `g` that goes through `value / point`. So they are zero at zero, which a client asks for
//! where it has nothing to ask, and sees whether the answer is good.

use crate::{
    ntt::{LANES, Lanes},
    ring::PLAIN,
    secret::WORDS,
    simd::vectorized,
};

/// The entries of a row in eight buckets: a point and its words.
pub struct Entry {
    /// Different from the other points of the same bucket, and none is 0 or `PLAIN - 1`.
    pub point: Lanes,
    /// Below `PLAIN`.
    pub words: [Lanes; WORDS],
}

/// Sums of products for each word and lane.
type Sums = [[u64; LANES]; WORDS];

vectorized! {
    /// Coefficients of `x`, `x^2`, ... for each word; as many as entries.
    pub fn interpolate(entries: &[Entry]) -> Vec<[Lanes; WORDS]> {
        through(entries)
    }
}

#[inline(always)]
fn through(entries: &[Entry]) -> Vec<[Lanes; WORDS]> {
    let master = master(entries);
    let mut sums: Vec<Sums> = vec![[[0; LANES]; WORDS]; entries.len()];
    let mut quotient = vec![[0; LANES]; entries.len()];
    for entry in entries {
        let weight = divide(&master, &entry.point, &mut quotient);
        let weighted = entry.words.map(|word| multiply(&word, &weight));
        for (sums, quotient) in sums.iter_mut().zip(&quotient) {
            for (sums, word) in sums.iter_mut().zip(&weighted) {
                let factors = word.iter().zip(quotient);
                sums.iter_mut().zip(factors).for_each(|(sum, (a, b))| *sum += u64::from(*a) * u64::from(*b));
            }
        }
    }
    sums.iter().map(|sums| sums.map(|word| word.map(remainder))).collect()
}

/// The product of `x - point` over all entries, from the constant term on.
#[inline(always)]
fn master(entries: &[Entry]) -> Vec<Lanes> {
    let mut master = Vec::with_capacity(entries.len() + 1);
    master.push([1; LANES]);
    for entry in entries {
        // From p to (x - point) p, in place.
        let mut before = [0; LANES];
        for coefficient in &mut master {
            let product = multiply(coefficient, &entry.point);
            let after = *coefficient;
            *coefficient = subtract(&before, &product);
            before = after;
        }
        master.push(before);
    }
    master
}

/// The quotient of the master polynomial by `x - point`, and the inverse of its value at the point times the point.
#[inline(always)]
fn divide(master: &[Lanes], point: &Lanes, quotient: &mut [Lanes]) -> Lanes {
    let (mut coefficient, mut value) = ([0; LANES], [0; LANES]);
    for (quotient, master) in quotient.iter_mut().zip(master.iter().skip(1)).rev() {
        coefficient = add(&multiply(&coefficient, point), master);
        value = add(&multiply(&value, point), &coefficient);
        *quotient = coefficient;
    }
    inverse(&multiply(&value, point))
}

/// By Fermat: to the power of 2^16 - 1.
#[inline(always)]
fn inverse(value: &Lanes) -> Lanes {
    let mut power = *value;
    for _ in 1..16 {
        power = multiply(&multiply(&power, &power), value);
    }
    power
}

/// Modulo 2^16 + 1, where 2^16 is -1. Both factors are below it.
#[inline(always)]
fn multiply(a: &Lanes, b: &Lanes) -> Lanes {
    zip(a, b, |a, b| {
        let product = a.wrapping_mul(b);
        // Only the product of two times 2^16 is too long for a word, and leaves none of it: it is 1.
        let both = (a >> 16) & (b >> 16);
        fold((product & 0xffff) + PLAIN + both - (product >> 16))
    })
}

#[inline(always)]
fn add(a: &Lanes, b: &Lanes) -> Lanes {
    zip(a, b, |a, b| fold(a + b))
}

#[inline(always)]
fn subtract(a: &Lanes, b: &Lanes) -> Lanes {
    zip(a, b, |a, b| fold(a + PLAIN - b))
}

/// From below twice the modulus to below it.
#[inline(always)]
fn fold(value: u32) -> u32 {
    value.min(value.wrapping_sub(PLAIN))
}

/// Of a sum below 2^48.
#[inline(always)]
fn remainder(sum: u64) -> u32 {
    let part = |shift: u32| (sum >> shift) as u32 & 0xffff;
    let folded = fold(part(0) + PLAIN - part(16));
    fold(folded + part(32))
}

#[inline(always)]
fn zip(a: &Lanes, b: &Lanes, act: impl Fn(u32, u32) -> u32) -> Lanes {
    let mut out = [0; LANES];
    out.iter_mut().zip(a.iter().zip(b)).for_each(|(out, (a, b))| *out = act(*a, *b));
    out
}

#[cfg(test)]
mod tests {
    use std::array;

    use super::*;
    use crate::simd::Backend;

    const P: u32 = PLAIN - 1;

    #[test]
    fn arithmetic_is_modulo_the_prime() {
        for a in [0, 1, 2, 255, 256, 32_768, 65_534, 65_535, P] {
            for b in [0, 1, 3, 257, 65_535, P] {
                let lanes = ([a; LANES], [b; LANES]);
                let exact = (u64::from(a) * u64::from(b) % u64::from(PLAIN)) as u32;
                assert_eq!(multiply(&lanes.0, &lanes.1), [exact; LANES]);
                assert_eq!(add(&lanes.0, &lanes.1), [(a + b) % PLAIN; LANES]);
                assert_eq!(subtract(&lanes.0, &lanes.1), [(a + PLAIN - b) % PLAIN; LANES]);
            }
            let product = multiply(&inverse(&[a; LANES]), &[a; LANES]);
            assert_eq!(product, [u32::from(a != 0); LANES]);
        }
        for sum in [0, 65_536, 65_537, 65_538, (1 << 32) - 1, 1 << 32, (1 << 48) - 1] {
            assert_eq!(u64::from(remainder(sum)), sum % u64::from(PLAIN));
        }
    }

    #[test]
    fn polynomials_go_through_all_entries_and_zero() {
        let entry = |index: usize| Entry {
            point: array::from_fn(|lane| (1 + index as u32 * 1_009 + lane as u32 * 4_001) % 65_535 + 1),
            words: array::from_fn(|word| {
                array::from_fn(|lane| {
                    ((index * 7_919 + word * 104_729 + lane * 31) as u32).wrapping_mul(99_991) % PLAIN
                })
            }),
        };
        for count in [1, 2, 37] {
            let entries: Vec<_> = (0..count).map(entry).collect();
            let rows = interpolate(Backend::PORTABLE, &entries);
            assert_eq!(rows.len(), count);
            for Entry { point, words } in &entries {
                for (word, values) in words.iter().enumerate() {
                    let horner = |value, row: &[Lanes; WORDS]| multiply(&add(&value, &row[word]), point);
                    assert_eq!(rows.iter().rev().fold([0; LANES], horner), *values);
                }
            }
            for backend in Backend::all() {
                assert!(interpolate(backend, &entries) == rows);
            }
        }
    }
}
