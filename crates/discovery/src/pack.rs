//! Numbers of a few bits each, one after another, from each byte's lowest bit on.

/// Bytes that `count` numbers of `bits` take, which is a multiple of eight bits.
pub const fn packed_len(count: usize, bits: u32) -> usize {
    count * bits as usize / 8
}

/// Appends the lower `bits` of each number.
#[inline(always)]
pub fn pack(out: &mut Vec<u8>, bits: u32, numbers: impl IntoIterator<Item = u64>) {
    let (mut word, mut held) = (0u128, 0);
    for number in numbers {
        word |= u128::from(number & ((1 << bits) - 1)) << held;
        held += bits;
        while held >= 32 {
            out.extend_from_slice(&(word as u32).to_le_bytes());
            word >>= 32;
            held -= 32;
        }
    }
    while held > 0 {
        out.push(word as u8);
        word >>= 8;
        held = held.saturating_sub(8);
    }
}

/// The numbers again; as many as there are places for, zero where bytes end.
#[inline(always)]
pub fn unpack(bytes: &[u8], bits: u32, numbers: &mut [u64]) {
    let (mut word, mut held) = (0u128, 0);
    let mut words = bytes.chunks(4);
    for number in numbers {
        while held < bits {
            let mut next = [0; 4];
            next.iter_mut().zip(words.next().unwrap_or_default()).for_each(|(to, from)| *to = *from);
            word |= u128::from(u32::from_le_bytes(next)) << held;
            held += 32;
        }
        *number = word as u64 & ((1 << bits) - 1);
        word >>= bits;
        held -= bits;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(numbers in prop::collection::vec(any::<u64>(), 8..=64), bits in 1u32..48) {
            let count = numbers.len() / 8 * 8;
            let mut bytes = vec![7];
            pack(&mut bytes, bits, numbers[..count].iter().copied());
            prop_assert_eq!(bytes.len(), 1 + packed_len(count, bits));
            let mut again = vec![0; count];
            unpack(&bytes[1..], bits, &mut again);
            prop_assert!(again.iter().zip(&numbers).all(|(again, number)| *again == number & ((1 << bits) - 1)));
        }
    }
}
