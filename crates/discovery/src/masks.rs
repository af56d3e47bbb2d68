//! The masks that all ciphertexts of one base are made with.
//!
//! A ciphertext of RLWE is a pair, mask `a` and body `b = message + noise - a s`. The mask is random and known to all; so
//! it can be the same for everybody, as long as every secret `s` is fresh. Then the half of an answer that comes of masks
//! is the same for everybody as well: the service computes it once for a base, and clients download it once. The seed is a
//! hash of the base's header, so nobody chooses masks.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use crate::{
    ntt::BLOCKS,
    ring::{Element, Line, MODULI},
};

/// The mask of a place, by its values.
pub fn mask(seed: &[u8; 32], place: usize) -> Box<Element> {
    let mut rng = ChaCha20Rng::from_seed(*seed);
    rng.set_stream(place as u64);
    let mut draw = |modulus: u32| loop {
        let value = rng.next_u32() & 0xff_ffff;
        if value < modulus {
            return u64::from(value);
        }
    };
    let [q0, q1] = MODULI;
    let mut element = Box::new([[0; 8]; BLOCKS]);
    element.as_flattened_mut().iter_mut().for_each(|value| *value = draw(q0) | (draw(q1) << 32));
    element
}

/// Elements by blocks: of each block, the lines of all elements.
pub fn by_blocks<'a>(elements: impl IntoIterator<Item = &'a [Line]>) -> Vec<Vec<Line>> {
    let elements: Vec<_> = elements.into_iter().collect();
    let block = |index: usize| elements.iter().filter_map(|element| element.get(index)).copied().collect();
    (0..BLOCKS).map(block).collect()
}
