//! The ring of the ciphertexts: polynomials modulo `X^2048 + 1` and `q`, a product of two primes of 24 bits.
//!
//! A coefficient stands as its two residues while it is computed with, and as a fraction of `q` when it is not: a number
//! of 64 bits, of which the wire carries the upper ones. Between the two there is no arithmetic on large numbers:
//! `x / q = x0 q1^-1 / q0 + x1 q0^-1 / q1` modulo 1.
//!
//! A value in the transformed ring is one word: the residue of `q0` in its lower half, that of `q1` in its upper. A product
//! of two residues has 48 bits, so 2^16 of them fit a word before anybody reduces.

use std::sync::LazyLock;

use crate::ntt::{BLOCKS, DEGREE, Factor, LANES, Lanes, Ntt, Poly, pow};

/// The two primes of `q`, the largest below 2^24 that are 1 modulo 4096.
pub const MODULI: [u32; 2] = [16_760_833, 16_736_257];
/// The modulus of what is encrypted, a Fermat prime: 2,048 slots of 16 bits and a little.
pub const PLAIN: u32 = 65_537;
/// Bits of a fraction that a query carries.
pub const QUERY_BITS: usize = 44;
/// Products that may be added up before they are reduced.
pub const SUM_MAX: usize = 1 << 16;

const Q: u64 = MODULI[0] as u64 * MODULI[1] as u64;

/// Values of one block in the transformed ring.
pub type Line = [u64; LANES];
/// An element of the transformed ring.
pub type Element = [Line; BLOCKS];
/// A polynomial's coefficients as fractions of `q`.
pub type Fractions = [u64; DEGREE];

/// Transforms modulo each prime and modulo [`PLAIN`].
pub struct Ring {
    of_q: [Ntt; 2],
    plain: Ntt,
}

static RING: LazyLock<Ring> = LazyLock::new(|| {
    // The inverse transforms leave what fractions are made of: x0 q1^-1 and x1 q0^-1.
    let [q0, q1] = MODULI;
    let of_q = [(q0, q1), (q1, q0)].map(|(q, other)| Ntt::new(q, pow(other % q, u64::from(q) - 2, q)));
    Ring { of_q, plain: Ntt::new(PLAIN, 1) }
});

/// The ring, which there is one of.
pub fn ring() -> &'static Ring {
    &RING
}

impl Ring {
    /// Slots of a plaintext from its coefficients.
    #[inline(always)]
    pub fn slots(&self, poly: &mut Poly) {
        self.plain.forward(poly);
    }

    /// Coefficients of a plaintext from its slots.
    #[inline(always)]
    pub fn unslots(&self, poly: &mut Poly) {
        self.plain.inverse(poly);
    }

    /// The element of small coefficients, given modulo 2^32 (negative ones as their complement).
    #[inline(always)]
    pub fn small(&self, coefficients: &Poly) -> Element {
        let coefficients = coefficients.as_flattened();
        self.element(coefficients, |value, q| value.wrapping_add(q & 0u32.wrapping_sub(value >> 31)))
    }

    /// The element of a plaintext's coefficients, taken between `-PLAIN / 2` and `PLAIN / 2`.
    #[inline(always)]
    pub fn plain(&self, coefficients: &Poly) -> Element {
        const HALF: u32 = PLAIN / 2;
        // The sign is what the subtraction leaves in the highest bit.
        let residue = |value: u32, q: u32| value + ((q - PLAIN) & 0u32.wrapping_sub(HALF.wrapping_sub(value) >> 31));
        self.element(coefficients.as_flattened(), residue)
    }

    /// The element whose coefficients are nearest to fractions of `q`, given by their upper [`QUERY_BITS`] alone.
    #[inline(always)]
    pub fn scale(&self, fractions: &Fractions) -> Element {
        // q = 2^48 - BELOW, so fraction * q / 2^44 = 16 fraction - fraction * BELOW / 2^44, by halves of 22 bits.
        const BELOW: u64 = (1 << 48) - Q;
        const HALF: usize = QUERY_BITS / 2;
        self.element(fractions, |fraction, q| {
            let (high, low) = (fraction >> HALF, fraction & ((1 << HALF) - 1));
            let integer = (fraction << 4) - ((high * BELOW + ((low * BELOW) >> HALF)) >> HALF);
            let upper = Factor::new((1 << 24) % q, q);
            upper.times((integer >> 24) as u32, q) + (integer & 0xff_ffff) as u32
        })
    }

    /// From coefficients, and what gives the residue of each, below 4 times its prime.
    #[inline(always)]
    fn element<T: Copy>(&self, coefficients: &[T], residue: impl Fn(T, u32) -> u32) -> Element {
        let mut residues = [[[0; LANES]; BLOCKS]; 2];
        for ((poly, q), ntt) in residues.iter_mut().zip(MODULI).zip(&self.of_q) {
            let places = poly.as_flattened_mut().iter_mut().zip(coefficients);
            places.for_each(|(to, value)| *to = residue(*value, q));
            ntt.forward(poly);
        }
        let [low, high] = &residues;
        join(low, high)
    }

    /// Coefficients as fractions of `q`, from residues of values, each below 4 times its prime.
    #[inline(always)]
    pub fn fractions(&self, residues: &mut [Poly; 2]) -> Fractions {
        let [low, high] = residues;
        let [ntt0, ntt1] = &self.of_q;
        ntt0.inverse(low);
        ntt1.inverse(high);
        let shares = MODULI.map(Share::new);
        let mut fractions = [0; DEGREE];
        let residues = low.as_flattened().iter().zip(high.as_flattened());
        fractions.iter_mut().zip(residues).for_each(|(fraction, (x0, x1))| *fraction = Share::sum(&shares, [*x0, *x1]));
        fractions
    }
}

/// `1 / q` in 96 bits behind the point.
struct Share {
    upper: u64,
    lower: u64,
}

impl Share {
    const fn new(q: u32) -> Self {
        let lower = ((1u128 << 64) % q as u128) << 32;
        Self { upper: share(q), lower: (lower / q as u128) as u64 }
    }

    /// `x0 / q0 + x1 / q1` modulo 1, to 2^-63: noise is smaller than what one share alone would be wrong by.
    #[inline(always)]
    fn sum([of_0, of_1]: &[Self; 2], [x0, x1]: [u32; 2]) -> u64 {
        let (x0, x1) = (u64::from(x0), u64::from(x1));
        let upper = (x0 * of_0.upper).wrapping_add(x1 * of_1.upper);
        upper.wrapping_add((x0 * of_0.lower + x1 * of_1.lower) >> 32)
    }
}

/// `floor(2^64 / q)`.
const fn share(q: u32) -> u64 {
    ((1u128 << 64) / q as u128) as u64
}

/// The fraction that one unit of a ciphertext is.
pub const ONE: u64 = ((1u128 << 64) / Q as u128) as u64;
/// The fraction that one unit of a plaintext is.
pub const UNIT: u64 = share(PLAIN);

#[inline(always)]
fn join(low: &Poly, high: &Poly) -> Element {
    let mut element = [[0; LANES]; BLOCKS];
    let residues = low.as_flattened().iter().zip(high.as_flattened());
    let places = element.as_flattened_mut().iter_mut().zip(residues);
    places.for_each(|(to, (low, high))| *to = u64::from(*low) | (u64::from(*high) << 32));
    element
}

/// Two sums of up to [`SUM_MAX`] products each, reduced below 4 times their primes.
#[inline(always)]
pub fn reduce(sums: &[Line; 2]) -> [Lanes; 2] {
    let [low, high] = sums;
    [reduce_by(low, MODULI[0]), reduce_by(high, MODULI[1])]
}

#[inline(always)]
fn reduce_by(sums: &Line, q: u32) -> Lanes {
    let (one, upper) = (Factor::new(1, q), Factor::new(((1u64 << 32) % q as u64) as u32, q));
    sums.map(|sum| upper.times((sum >> 32) as u32, q) + one.times(sum as u32, q))
}

/// Sums of sums.
#[inline(always)]
pub fn add(a: &[Line; 2], b: &[Line; 2]) -> [Line; 2] {
    let mut sums = *a;
    sums.as_flattened_mut().iter_mut().zip(b.as_flattened()).for_each(|(sum, more)| *sum += more);
    sums
}

/// The product of two elements, its residues below 4 times their primes.
#[inline(always)]
pub fn product(a: &[Line], b: &[Line]) -> [Poly; 2] {
    let mut residues = [[[0; LANES]; BLOCKS]; 2];
    let [low, high] = &mut residues;
    for ((a, b), (low, high)) in a.iter().zip(b).zip(low.iter_mut().zip(high)) {
        let mut sums = [[0; LANES]; 2];
        multiply_add(&mut sums, a, b);
        [*low, *high] = reduce(&sums);
    }
    residues
}

/// Adds the products of two lines to the sums of each prime.
#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "all have as many lanes")]
pub fn multiply_add([low, high]: &mut [Line; 2], a: &Line, b: &Line) {
    for lane in 0..LANES {
        low[lane] += (a[lane] & 0xffff_ffff) * (b[lane] & 0xffff_ffff);
        high[lane] += (a[lane] >> 32) * (b[lane] >> 32);
    }
}
