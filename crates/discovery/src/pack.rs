//! Numbers of a few bits each, one after another, from each byte's lowest bit on: eight of them fill as many bytes as each
//! has bits.

/// Numbers that fill whole bytes.
const EIGHT: usize = 8;
/// Bits of a number at the most: with what stands before it in its byte it fits a word.
const BITS_MAX: usize = 56;

/// Bytes that `count` numbers of `bits` take, a multiple of eight numbers.
pub const fn packed_len(count: usize, bits: usize) -> usize {
    count / EIGHT * bits
}

/// Appends the lower `BITS` of each number; what is no multiple of eight numbers is left away.
#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "places follow from constants alone")]
pub fn pack<const BITS: usize>(out: &mut Vec<u8>, numbers: &[u64]) {
    const { assert!(BITS <= BITS_MAX) }
    for eight in numbers.as_chunks::<EIGHT>().0 {
        let mut words = [0u64; EIGHT];
        for (index, number) in eight.iter().enumerate() {
            let (number, place) = (number & ((1 << BITS) - 1), index * BITS);
            words[place / 64] |= number << (place % 64);
            if place % 64 + BITS > 64 {
                words[place / 64 + 1] |= number >> (64 - place % 64);
            }
        }
        let bytes = words.map(u64::to_le_bytes);
        out.extend_from_slice(&bytes.as_flattened()[..BITS]);
    }
}

/// The numbers again, as many as there are bytes for.
#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "places follow from constants alone")]
pub fn unpack<const BITS: usize>(bytes: &[u8], numbers: &mut [u64]) {
    const { assert!(BITS <= BITS_MAX) }
    for (eight, packed) in numbers.as_chunks_mut::<EIGHT>().0.iter_mut().zip(bytes.as_chunks::<BITS>().0) {
        let mut padded = [0; BITS_MAX + 8];
        padded[..BITS].copy_from_slice(packed);
        for (index, number) in eight.iter_mut().enumerate() {
            let mut word = [0; 8];
            word.copy_from_slice(&padded[index * BITS / 8..index * BITS / 8 + 8]);
            *number = (u64::from_le_bytes(word) >> (index * BITS % 8)) & ((1 << BITS) - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn come_back<const BITS: usize>(numbers: &[u64]) {
        let mut bytes = vec![7];
        pack::<BITS>(&mut bytes, numbers);
        assert_eq!(bytes.len(), 1 + packed_len(numbers.len(), BITS));
        let mut again = vec![0; numbers.len()];
        unpack::<BITS>(&bytes[1..], &mut again);
        assert!(again.iter().zip(numbers).all(|(again, number)| *again == number & ((1 << BITS) - 1)));
        // One number after another, from the lowest bit on.
        let bits = |at: usize| bytes[1 + at / 8] >> (at % 8) & 1;
        let place = |at: usize| numbers[at / BITS] >> (at % BITS) & 1;
        assert!((0..numbers.len() * BITS).all(|at| u64::from(bits(at)) == place(at)));
    }

    proptest! {
        #[test]
        fn numbers_come_back(numbers in prop::collection::vec(any::<u64>(), 24)) {
            come_back::<44>(&numbers);
            come_back::<25>(&numbers);
            come_back::<18>(&numbers);
            come_back::<1>(&numbers);
            come_back::<56>(&numbers);
        }
    }
}
