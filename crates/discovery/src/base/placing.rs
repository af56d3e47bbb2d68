//! Where entries stand: three buckets each, and in every bucket a row.

use std::num::NonZeroUsize;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use crate::{
    DiscoveryError,
    members::Member,
    parallel::each,
    secret::{BUCKETS, CHOICES, Spot},
    shape::Shape,
};

/// Salts that are tried: about one in three is good.
const SALTS_MAX: usize = 256;

/// Entries by buckets.
pub struct Placing {
    /// The salt that has made it.
    pub salt: u64,
    rows: usize,
    /// Places in the list of members, of each bucket by their points.
    buckets: Vec<Vec<u32>>,
}

impl Placing {
    /// With the first salt from a seed by which no bucket overflows, and no point is taken more often than there are rows.
    ///
    /// # Errors
    /// [`DiscoveryError::Unbuildable`].
    pub fn new(
        members: &[Member],
        shape: &Shape,
        seed: &[u8; 32],
        threads: NonZeroUsize,
    ) -> Result<Self, DiscoveryError> {
        let mut rng = ChaCha20Rng::from_seed(*seed);
        let salts = (0..SALTS_MAX).map(|_| rng.next_u64());
        let mut fitting = salts.filter_map(|salt| Self::with_salt(members, shape, salt, threads));
        fitting.next().ok_or(DiscoveryError::Unbuildable)
    }

    fn with_salt(members: &[Member], shape: &Shape, salt: u64, threads: NonZeroUsize) -> Option<Self> {
        let rows = usize::from(shape.rows);
        let spot = |member: &Member| Spot::new(member.place, salt);
        let mut loads = vec![0usize; BUCKETS];
        for bucket in members.iter().flat_map(|member| spot(member).buckets) {
            *loads.get_mut(usize::from(bucket))? += 1;
        }
        if loads.iter().any(|load| *load > shape.capacity()) {
            return None;
        }
        let mut buckets: Vec<_> = loads.into_iter().map(Vec::with_capacity).collect();
        for (index, member) in (0u32..).zip(members) {
            for bucket in spot(member).buckets {
                buckets.get_mut(usize::from(bucket))?.push(index);
            }
        }
        let point = |index: &u32| members.get(*index as usize).map(|member| spot(member).point);
        each(threads, &mut buckets, |_, bucket| bucket.sort_by_key(point));
        // Dealt out in this order, entries of one point come to stand in different rows, if there are enough of these.
        let crowded = |bucket: &Vec<u32>| {
            bucket.iter().zip(bucket.iter().skip(rows)).any(|(one, other)| point(one) == point(other))
        };
        (!buckets.iter().any(crowded)).then_some(Self { salt, rows, buckets })
    }

    /// Entries of one row of a bucket.
    pub fn row(&self, bucket: usize, row: usize) -> impl Iterator<Item = usize> {
        let bucket = self.buckets.get(bucket).into_iter().flatten();
        bucket.skip(row).step_by(self.rows.max(1)).map(|index| *index as usize)
    }
}

const _: () = assert!(CHOICES == 3, "salts are tried for three");
