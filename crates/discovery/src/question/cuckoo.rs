//! Contacts into slots: each into one of its three buckets, no two into the same.
//!
//! A walk: whoever finds all three taken moves one out, who goes on. It always takes the same number of steps; if some are
//! left without a slot then, which is next to impossible for 1,600 in 2,048, they are not asked for, and whoever sees the
//! query does not see that.

use rand_core::Rng;

use crate::secret::{BUCKETS, CHOICES, Spot};

/// Steps of the walk. For as many contacts as there may be, some 3,000 are needed on average.
const STEPS: usize = 1 << 16;
const FREE: u16 = u16::MAX;

/// For each slot the contact that is asked for in it.
pub fn place(spots: &[Spot], rng: &mut impl Rng) -> Vec<Option<usize>> {
    let mut slots = vec![FREE; BUCKETS];
    let mut waiting = (0..FREE).zip(spots).map(|(index, _)| index);
    let mut current = waiting.next().unwrap_or(FREE);
    for _ in 0..STEPS {
        let random = rng.next_u32();
        let Some(Spot { buckets, .. }) = spots.get(usize::from(current)) else { continue };
        let free = |bucket: &&u16| slots.get(usize::from(**bucket)) == Some(&FREE);
        let any = ((u64::from(random) * CHOICES as u64) >> 32) as usize;
        let bucket = buckets.iter().find(free).or(buckets.get(any));
        if let Some(slot) = bucket.and_then(|bucket| slots.get_mut(usize::from(*bucket))) {
            std::mem::swap(slot, &mut current);
            if current == FREE {
                current = waiting.next().unwrap_or(FREE);
            }
        }
    }
    slots.into_iter().map(|index| (index != FREE).then_some(index.into())).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

    use super::*;
    use crate::CONTACTS_MAX;

    #[test]
    fn everybody_gets_one_of_his_slots() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        for count in [0, 1, 1_000, CONTACTS_MAX] {
            let spots: Vec<_> = (0..count).map(|_| Spot::new(rng.next_u64(), 1)).collect();
            let slots = place(&spots, &mut rng);
            let placed = slots.iter().enumerate().filter_map(|(slot, index)| index.map(|index| (index, slot)));
            let placed: Vec<_> = placed.collect();
            assert!(placed.iter().all(|(index, slot)| spots[*index].buckets.contains(&(*slot as u16))));
            let distinct: BTreeSet<_> = placed.iter().map(|(index, _)| index).collect();
            assert_eq!((distinct.len(), placed.len()), (count, count));
        }
    }

    #[test]
    fn who_does_not_fit_is_left_out() {
        let mut rng = ChaCha20Rng::from_seed([2; 32]);
        let spots = [Spot::new(5, 1); 7];
        let slots = place(&spots, &mut rng);
        assert_eq!(slots.iter().flatten().count(), CHOICES);
    }
}
