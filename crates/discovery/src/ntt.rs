//! The number-theoretic transform: polynomials modulo `X^2048 + 1` to their values at the roots of it, and back.
//!
//! A polynomial stands as 256 blocks of 8 lanes. Its coefficients are in their order; its values are in an order of their
//! own, `root`, that suits vector instructions: a block's neighbours in all but the last three levels, and the lanes of
//! one tile of 8 x 8 in these, which are turned over for it. Multiplications by constants are Shoup's, with quotients of 32
//! bits. The moduli are below 2^24, so sums of several levels fit a word and are reduced only once in between.
//!
//! Nothing here branches on values, and nothing is looked up by them.

use std::array;

/// Coefficients of a polynomial.
pub const DEGREE: usize = 2048;
/// Lanes of a block.
pub const LANES: usize = 8;
/// Blocks of a polynomial.
pub const BLOCKS: usize = DEGREE / LANES;
/// Blocks of a tile, which is square.
const TILE: usize = LANES;

/// Values next to each other, which are computed with at once.
pub type Lanes = [u32; LANES];
/// A polynomial, by coefficients or by values, as the text says.
pub type Poly = [Lanes; BLOCKS];

/// A constant to multiply by, with its quotient `floor(constant 2^32 / modulus)`.
#[derive(Clone, Copy)]
pub struct Factor<T = u32> {
    value: T,
    quotient: T,
}

impl Factor {
    /// A constant below the modulus.
    pub const fn new(value: u32, modulus: u32) -> Self {
        Self { value, quotient: (((value as u64) << 32) / modulus as u64) as u32 }
    }

    /// `a` times the constant, plus a multiple of the modulus: below twice the modulus, whatever `a` is.
    #[inline(always)]
    pub const fn times(self, a: u32, modulus: u32) -> u32 {
        let quotient = ((a as u64 * self.quotient as u64) >> 32) as u32;
        a.wrapping_mul(self.value).wrapping_sub(quotient.wrapping_mul(modulus))
    }
}

impl Factor<Lanes> {
    fn of(factors: [Factor; LANES]) -> Self {
        Self { value: factors.map(|factor| factor.value), quotient: factors.map(|factor| factor.quotient) }
    }
}

/// The root of `X^2048 + 1` whose value stands in `lane` of `block`, as an odd power of the first root.
#[cfg(test)]
pub const fn root(block: usize, lane: usize) -> usize {
    let (tile, row) = (block / TILE, block % TILE);
    let natural = (tile * TILE + lane) * LANES + row;
    2 * (natural.reverse_bits() >> (usize::BITS - DEGREE.trailing_zeros())) + 1
}

/// Tables for one modulus, a prime below 2^24 that is 1 modulo 4096.
pub struct Ntt {
    modulus: u32,
    one: Factor,
    last: Factor,
    forward: Twiddles,
    inverse: Twiddles,
}

/// Powers of the first root, or of its inverse.
struct Twiddles {
    /// Of level `l`, `2^l` of them, from place `2^l` on.
    early: Vec<Factor>,
    /// Of a tile, for the last three levels: one, two and four, each for all lanes.
    late: Vec<[Factor<Lanes>; 7]>,
}

impl Twiddles {
    fn new(root: u32, modulus: u32) -> Self {
        let power = |index: usize| {
            let exponent = index.reverse_bits() >> (usize::BITS - DEGREE.trailing_zeros());
            Factor::new(pow(root, exponent as u64, modulus), modulus)
        };
        let late = |tile: usize| {
            let level = |groups: usize, group: usize| {
                Factor::of(array::from_fn(|lane| power(groups * (BLOCKS + tile * TILE + lane) + group)))
            };
            [level(1, 0), level(2, 0), level(2, 1), level(4, 0), level(4, 1), level(4, 2), level(4, 3)]
        };
        Self { early: (0..BLOCKS).map(power).collect(), late: (0..BLOCKS / TILE).map(late).collect() }
    }
}

impl Ntt {
    /// For `modulus`, whose inverse transform also multiplies by `scale`.
    pub fn new(modulus: u32, scale: u32) -> Self {
        let first = first_root(modulus);
        let inverse = pow(first, u64::from(modulus) - 2, modulus);
        let degree = pow(DEGREE as u32, u64::from(modulus) - 2, modulus);
        Self {
            modulus,
            one: Factor::new(1, modulus),
            last: Factor::new(mul(degree, scale, modulus), modulus),
            forward: Twiddles::new(first, modulus),
            inverse: Twiddles::new(inverse, modulus),
        }
    }

    /// Values from coefficients, in place. In: below 4 times the modulus; out: below the modulus.
    #[inline(always)]
    pub fn forward(&self, poly: &mut Poly) {
        let q = self.modulus;
        let mut factors = self.forward.early.iter().skip(1);
        let mut half = BLOCKS / 2;
        while half > 0 {
            for (group, factor) in poly.chunks_exact_mut(2 * half).zip(&mut factors) {
                let (low, high) = group.split_at_mut(half);
                let pairs = low.as_flattened_mut().iter_mut().zip(high.as_flattened_mut());
                pairs.for_each(|(low, high)| (*low, *high) = forward(*factor, q, *low, *high));
            }
            half /= 2;
        }
        for (tile, [f1, f2, f3, f4, f5, f6, f7]) in tiles(poly).zip(&self.forward.late) {
            transpose(tile);
            let [a, b, c, d, e, f, g, h] = tile;
            forward_lanes(f1, q, a, e);
            forward_lanes(f1, q, b, f);
            forward_lanes(f1, q, c, g);
            forward_lanes(f1, q, d, h);
            forward_lanes(f2, q, a, c);
            forward_lanes(f2, q, b, d);
            forward_lanes(f3, q, e, g);
            forward_lanes(f3, q, f, h);
            forward_lanes(f4, q, a, b);
            forward_lanes(f5, q, c, d);
            forward_lanes(f6, q, e, f);
            forward_lanes(f7, q, g, h);
        }
        self.reduce(poly, self.one);
    }

    /// Coefficients, times the scale, from values, in place. In: below 4 times the modulus; out: below the modulus.
    #[inline(always)]
    pub fn inverse(&self, poly: &mut Poly) {
        let q = self.modulus;
        for (tile, [f1, f2, f3, f4, f5, f6, f7]) in tiles(poly).zip(&self.inverse.late) {
            let [a, b, c, d, e, f, g, h] = &mut *tile;
            inverse_lanes(f4, 4 * q, q, a, b);
            inverse_lanes(f5, 4 * q, q, c, d);
            inverse_lanes(f6, 4 * q, q, e, f);
            inverse_lanes(f7, 4 * q, q, g, h);
            inverse_lanes(f2, 8 * q, q, a, c);
            inverse_lanes(f2, 8 * q, q, b, d);
            inverse_lanes(f3, 8 * q, q, e, g);
            inverse_lanes(f3, 8 * q, q, f, h);
            inverse_lanes(f1, 16 * q, q, a, e);
            inverse_lanes(f1, 16 * q, q, b, f);
            inverse_lanes(f1, 16 * q, q, c, g);
            inverse_lanes(f1, 16 * q, q, d, h);
            transpose(tile);
        }
        let mut half = 1;
        let mut bound = 32 * q;
        while half < BLOCKS {
            // Two levels have made it 128 q, below 2^31: now it is reduced, and six more make it as much again.
            if half == 4 {
                let reduce = |value: &mut u32| *value = self.one.times(*value, q);
                poly.as_flattened_mut().iter_mut().for_each(reduce);
                bound = 2 * q;
            }
            let factors = self.inverse.early.iter().skip(BLOCKS / (2 * half));
            for (group, factor) in poly.chunks_exact_mut(2 * half).zip(factors) {
                let (low, high) = group.split_at_mut(half);
                let pairs = low.as_flattened_mut().iter_mut().zip(high.as_flattened_mut());
                pairs.for_each(|(low, high)| (*low, *high) = inverse(*factor, bound, q, *low, *high));
            }
            half *= 2;
            bound *= 2;
        }
        self.reduce(poly, self.last);
    }

    /// Multiplies by a constant, and reduces wholly.
    #[inline(always)]
    fn reduce(&self, poly: &mut Poly, factor: Factor) {
        for value in poly.as_flattened_mut() {
            let product = factor.times(*value, self.modulus);
            *value = product.min(product.wrapping_sub(self.modulus));
        }
    }
}

/// One step of the way to values. It adds up to `2q`, so after all steps words are below `26q`.
#[inline(always)]
const fn forward(factor: Factor, q: u32, low: u32, high: u32) -> (u32, u32) {
    let product = factor.times(high, q);
    (low + product, low + 2 * q - product)
}

/// One step of the way back. It doubles the bound, which is a multiple of `q`.
#[inline(always)]
const fn inverse(factor: Factor, bound: u32, q: u32, low: u32, high: u32) -> (u32, u32) {
    (low + high, factor.times(low + bound - high, q))
}

#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "all have as many lanes")]
fn forward_lanes(factor: &Factor<Lanes>, q: u32, low: &mut Lanes, high: &mut Lanes) {
    for lane in 0..LANES {
        let factor = Factor { value: factor.value[lane], quotient: factor.quotient[lane] };
        (low[lane], high[lane]) = forward(factor, q, low[lane], high[lane]);
    }
}

#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "all have as many lanes")]
fn inverse_lanes(factor: &Factor<Lanes>, bound: u32, q: u32, low: &mut Lanes, high: &mut Lanes) {
    for lane in 0..LANES {
        let factor = Factor { value: factor.value[lane], quotient: factor.quotient[lane] };
        (low[lane], high[lane]) = inverse(factor, bound, q, low[lane], high[lane]);
    }
}

#[inline(always)]
fn tiles(poly: &mut Poly) -> impl Iterator<Item = &mut [Lanes; TILE]> {
    poly.as_chunks_mut().0.iter_mut()
}

#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "a tile is square")]
fn transpose(tile: &mut [Lanes; TILE]) {
    *tile = array::from_fn(|row| array::from_fn(|lane| tile[lane][row]));
}

/// A primitive root of order 4096, the least power of the least base that gives one.
fn first_root(modulus: u32) -> u32 {
    let exponent = u64::from(modulus - 1) / (2 * DEGREE as u64);
    let roots = (2..modulus).map(|base| pow(base, exponent, modulus));
    let mut primitive = roots.filter(|root| pow(*root, DEGREE as u64, modulus) == modulus - 1);
    // A prime that is 1 modulo 4096 has one.
    primitive.next().unwrap_or_default()
}

/// `a b` modulo `modulus`.
pub const fn mul(a: u32, b: u32, modulus: u32) -> u32 {
    (a as u64 * b as u64 % modulus as u64) as u32
}

/// `base^exponent` modulo `modulus`.
pub const fn pow(base: u32, exponent: u64, modulus: u32) -> u32 {
    let (mut result, mut square, mut left) = (1, base, exponent);
    while left > 0 {
        if left & 1 == 1 {
            result = mul(result, square, modulus);
        }
        square = mul(square, square, modulus);
        left >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Backend, vectorized};

    vectorized! {
        fn forward_by(ntt: &Ntt, poly: &mut Poly) {
            ntt.forward(poly);
        }
    }

    vectorized! {
        fn inverse_by(ntt: &Ntt, poly: &mut Poly) {
            ntt.inverse(poly);
        }
    }

    const MODULI: [u32; 3] = [16_760_833, 16_736_257, 65_537];

    fn some(seed: u32, modulus: u32) -> Box<Poly> {
        let mut state = seed;
        Box::new(array::from_fn(|_| {
            array::from_fn(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 7) % modulus
            })
        }))
    }

    #[test]
    fn values_are_those_at_the_roots() {
        for modulus in MODULI {
            let poly = some(1, modulus);
            let mut values = poly.clone();
            Ntt::new(modulus, 1).forward(&mut values);
            let first = first_root(modulus);
            for (block, lane) in [(0, 0), (0, 1), (1, 0), (7, 5), (100, 3), (255, 7)] {
                let at = pow(first, root(block, lane) as u64, modulus);
                let horner = |value, coefficient: &u32| (mul(value, at, modulus) + coefficient) % modulus;
                let expected = poly.as_flattened().iter().rev().fold(0, horner);
                assert_eq!(values[block][lane], expected);
            }
        }
    }

    #[test]
    fn products_of_values_are_those_of_the_schoolbook() {
        for modulus in MODULI {
            let (a, b) = (some(2, modulus), some(3, modulus));
            let mut expected = vec![0u64; DEGREE];
            for (i, x) in a.as_flattened().iter().enumerate() {
                for (j, y) in b.as_flattened().iter().enumerate() {
                    let product = u64::from(mul(*x, *y, modulus));
                    let signed = if i + j < DEGREE { product } else { u64::from(modulus) - product };
                    expected[(i + j) % DEGREE] += signed;
                }
            }
            let ntt = Ntt::new(modulus, 1);
            let (mut a, mut b) = (a, b);
            ntt.forward(&mut a);
            ntt.forward(&mut b);
            a.as_flattened_mut().iter_mut().zip(b.as_flattened()).for_each(|(x, y)| *x = mul(*x, *y, modulus));
            ntt.inverse(&mut a);
            assert!(a.as_flattened().iter().zip(expected).all(|(x, y)| u64::from(*x) == y % u64::from(modulus)));
        }
    }

    #[test]
    fn the_largest_inputs_come_back_scaled() {
        for modulus in MODULI {
            for value in [0, 1, modulus - 1, 4 * modulus - 1] {
                let ntt = Ntt::new(modulus, 3);
                let mut poly = Box::new([[value; LANES]; BLOCKS]);
                ntt.forward(&mut poly);
                poly.as_flattened_mut().iter_mut().for_each(|value| *value += 3 * modulus);
                ntt.inverse(&mut poly);
                assert!(poly.as_flattened().iter().all(|x| *x == mul(value % modulus, 3, modulus)));
            }
        }
    }

    #[test]
    fn every_root_has_one_place() {
        let places = (0..BLOCKS).flat_map(|block| (0..LANES).map(move |lane| root(block, lane)));
        let mut roots: Vec<_> = places.collect();
        roots.sort_unstable();
        assert!(roots.into_iter().eq((0..DEGREE).map(|index| 2 * index + 1)));
    }

    #[test]
    fn backends_are_equal() {
        for modulus in MODULI {
            let ntt = Ntt::new(modulus, 5);
            let run = |backend: Backend| {
                let mut poly = some(4, modulus);
                forward_by(backend, &ntt, &mut poly);
                let values = poly.clone();
                inverse_by(backend, &ntt, &mut poly);
                (values, poly)
            };
            let expected = run(Backend::PORTABLE);
            assert!(Backend::all().into_iter().all(|backend| run(backend) == expected));
        }
    }
}
