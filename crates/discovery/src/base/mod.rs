//! The service's half: a base, and answers from it.

mod build;
mod placing;

use std::ops::Range;

use bytes::Bytes;

use crate::{
    DiscoveryError, Header,
    kernel::dot,
    ntt::{BLOCKS, LANES, Poly},
    pack::pack,
    query::Query,
    ring::{Line, add, reduce, ring},
    secret::WORDS,
    shape::{ANSWER_BITS, Shape},
    simd::{Backend, vectorized},
};

/// Words that are computed at once: their sums fit the registers.
const WIDTH: usize = 2;

/// A base as the service has it: entries by rows, in the form in which they are multiplied by queries.
pub struct Base {
    header: Header,
    download: Bytes,
    blocks: Vec<Block>,
    backend: Backend,
}

/// What all rows have in one block of values.
#[derive(Default)]
struct Block {
    /// By row, pair of words, column.
    columns: Vec<[Line; WIDTH]>,
    /// By row, group of words, digit: of the masks of answers, whose key is switched.
    digits: Vec<Line>,
}

impl Block {
    /// Columns of two words of a row.
    #[inline(always)]
    fn pair(&self, shape: &Shape, row: usize, pair: usize) -> &[[Line; WIDTH]] {
        let columns = usize::from(shape.columns);
        let start = (row * WORDS / WIDTH + pair) * columns;
        self.columns.get(start..start + columns).unwrap_or_default()
    }

    /// Digits of the mask of a word's group.
    #[inline(always)]
    fn digits(&self, shape: &Shape, row: usize, word: usize) -> &[Line] {
        let start = (row * shape.groups() + word / usize::from(shape.shared)) * shape.switched();
        self.digits.get(start..start + shape.switched()).unwrap_or_default()
    }
}

/// Sums of one word of an answer: residues of values for both primes.
type Sums = [Poly; 2];

impl Base {
    /// What everybody knows of it.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What everybody may have of it: the table, or the masks of all answers.
    pub fn download(&self) -> &Bytes {
        &self.download
    }

    /// A column of one word and row, by values.
    #[cfg(test)]
    pub(crate) fn column(&self, row: usize, word: usize, column: usize) -> Vec<Line> {
        let line = |block: &Block| block.pair(&self.header.shape, row, word / WIDTH)[column][word % WIDTH];
        self.blocks.iter().map(line).collect()
    }

    /// Answers queries from some of the rows: as many answers, each of as many rows. Answers of adjoining ranges are parts
    /// of one. Several queries at once cost less than one after another, since rows come from memory once.
    ///
    /// # Errors
    /// [`DiscoveryError::Rows`] for rows that there are not; [`DiscoveryError::Length`] for a query that was read for a base
    /// of another shape.
    pub fn answer(&self, queries: &[&Query], rows: Range<u32>) -> Result<Vec<Vec<u8>>, DiscoveryError> {
        let shape = &self.header.shape;
        if rows.start > rows.end || rows.end > self.header.rows() {
            return Err(DiscoveryError::Rows);
        }
        if queries.iter().any(|query| query.shape != *shape) {
            return Err(DiscoveryError::Length);
        }
        let rows = rows.start as usize..rows.end as usize;
        let words = rows.len() * WORDS;
        let zero: Sums = [[[0; LANES]; BLOCKS]; 2];
        let mut answers: Vec<Vec<Sums>> = queries.iter().map(|_| vec![zero; words]).collect();
        for (index, block) in self.blocks.iter().enumerate() {
            add_block(self.backend, shape, block, rows.clone(), queries, index, &mut answers);
        }
        let packed = |sums: &mut Vec<Sums>| {
            let mut out = Vec::with_capacity(rows.len() * shape.row_len());
            for sums in sums {
                pack_word(self.backend, sums, &mut out);
            }
            out
        };
        Ok(answers.iter_mut().map(packed).collect())
    }
}

vectorized! {
    /// The part of all answers that comes of one block.
    fn add_block(
        shape: &Shape,
        block: &Block,
        rows: Range<usize>,
        queries: &[&Query],
        index: usize,
        answers: &mut [Vec<Sums>],
    ) {
        for (number, row) in rows.enumerate() {
            for pair in 0..WORDS / WIDTH {
                let columns = block.pair(shape, row, pair);
                for (query, answer) in queries.iter().zip(answers.iter_mut()) {
                    let sums = dot::<WIDTH>(columns, query.powers(index));
                    for (word, sums) in (pair * WIDTH..).zip(sums) {
                        let [switched] = dot::<1>(query.key(index, word), block.digits(shape, row, word));
                        let total = add(&sums, &switched);
                        let Some([low, high]) = answer.get_mut(number * WORDS + word) else { continue };
                        if let (Some(low), Some(high)) = (low.get_mut(index), high.get_mut(index)) {
                            [*low, *high] = reduce(&total);
                        }
                    }
                }
            }
        }
    }
}

vectorized! {
    /// The upper bits of a word's coefficients.
    fn pack_word(sums: &mut Sums, out: &mut Vec<u8>) {
        const HALF: u64 = 1 << (63 - ANSWER_BITS);
        let mut fractions = ring().fractions(sums);
        let round = |fraction: &mut u64| *fraction = fraction.wrapping_add(HALF) >> (64 - ANSWER_BITS);
        fractions.iter_mut().for_each(round);
        pack::<ANSWER_BITS>(out, &fractions);
    }
}
