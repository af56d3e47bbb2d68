//! What a service does all day: rows times queries.
//!
//! A product of a matrix and a vector of lines, lane by lane: memory comes in once, in order, and the sums stay in
//! registers. It is bound by the memory's bandwidth for one query, by multiplications for several at once.

use std::hint::black_box;

use crate::{
    ntt::LANES,
    ring::{Line, multiply_add},
};

/// For each of `WIDTH` columns, the sum of its lines times those of the vector, for both primes; unreduced.
///
/// The vector is at most [`SUM_MAX`](crate::ring::SUM_MAX) long.
#[inline(always)]
pub fn dot<const WIDTH: usize>(matrix: &[[Line; WIDTH]], vector: &[Line]) -> [[Line; 2]; WIDTH] {
    let mut sums = [[[0; LANES]; 2]; WIDTH];
    for (columns, line) in matrix.iter().zip(vector) {
        // Left to itself, the compiler puts several turns of this loop into one vector, and gathers lanes for it. It does
        // not when it cannot know where the next columns are.
        let columns = black_box(columns);
        for (sums, column) in sums.iter_mut().zip(columns) {
            multiply_add(sums, column, line);
        }
    }
    sums
}
