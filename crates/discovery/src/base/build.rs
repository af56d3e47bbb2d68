//! A base from its members.

use std::num::NonZeroUsize;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};

use super::{Base, Block, WIDTH, placing::Placing};
use crate::{
    DiscoveryError, Header, Members,
    interpolate::{Entry, interpolate},
    kernel::dot,
    masks::{by_blocks, mask},
    members::Member,
    ntt::{BLOCKS, LANES, Poly},
    pack::pack,
    parallel::each,
    ring::{Element, Line, PLAIN, multiply_add, reduce, ring},
    secret::{Spot, WORDS},
    shape::{DIGIT_BITS, DIGITS, MASK_BITS, Shape},
    simd::{Backend, vectorized},
    table,
};

impl Base {
    /// The base of these members, which holds all changes up to the delta `through`. The same input gives the same base,
    /// bit by bit, whatever the number of threads.
    ///
    /// Besides the base itself, it takes memory for the members, 12 bytes more for each, and one row.
    ///
    /// # Errors
    /// [`DiscoveryError::TooLarge`], [`DiscoveryError::Unbuildable`].
    pub fn build(
        members: Members,
        through: u32,
        seed: &[u8; 32],
        threads: NonZeroUsize,
    ) -> Result<Self, DiscoveryError> {
        let number = members.number;
        let members = members.distinct();
        let shape = Shape::new(members.len())?;
        Self::with_shape(number, members, shape, through, seed, threads)
    }

    pub(crate) fn with_shape(
        number: u32,
        members: Vec<Member>,
        shape: Shape,
        through: u32,
        seed: &[u8; 32],
        threads: NonZeroUsize,
    ) -> Result<Self, DiscoveryError> {
        let backend = Backend::best();
        let mut header = Header { number, through, shape, salt: 0, hash: [0; 32] };
        let (blocks, download) = if shape.rows == 0 {
            let hidden = members.iter().map(Member::hidden).collect();
            (Vec::new(), table::write(hidden, shape.entries as usize, seed))
        } else {
            let placing = Placing::new(&members, &shape, seed, threads)?;
            header.salt = placing.salt;
            let work = Work { members: &members, shape, placing, seed, threads, backend };
            let mut blocks = work.columns();
            let download = work.masks(&mut blocks, &header.mask_seed());
            (blocks, download)
        };
        header.hash = Sha256::digest(&download).into();
        Ok(Self { header, download: download.into(), blocks, backend })
    }
}

/// What is known while a base is built.
struct Work<'a> {
    members: &'a [Member],
    shape: Shape,
    placing: Placing,
    seed: &'a [u8; 32],
    threads: NonZeroUsize,
    backend: Backend,
}

impl Work<'_> {
    /// All columns, row after row.
    fn columns(&self) -> Vec<Block> {
        let columns = usize::from(self.shape.columns);
        let capacity = self.shape.capacity() * WORDS / WIDTH;
        let block = || Block { columns: Vec::with_capacity(capacity), digits: Vec::new() };
        let mut blocks: Vec<_> = (0..BLOCKS).map(|_| block()).collect();
        for row in 0..usize::from(self.shape.rows) {
            let mut polynomials = vec![Vec::new(); BLOCKS];
            each(self.threads, &mut polynomials, |block, out| {
                let entries = self.entries(row, block);
                *out = interpolate(self.backend, &entries);
            });
            let mut elements: Vec<Vec<Line>> = vec![Vec::new(); WORDS * columns];
            each(self.threads, &mut elements, |index, element| {
                let (word, column) = (index / columns, index % columns);
                let slots = polynomials.iter().map(|block| block.get(column).and_then(|words| words.get(word)));
                let mut poly: Poly = [[0; LANES]; BLOCKS];
                poly.iter_mut().zip(slots).for_each(|(to, from)| *to = from.copied().unwrap_or_default());
                *element = encode(self.backend, &mut poly);
            });
            each(self.threads, &mut blocks, |index, block| {
                for pair in elements.chunks_exact(WIDTH * columns) {
                    let (first, second) = pair.split_at(columns);
                    let line = |element: &Vec<Line>| element.get(index).copied().unwrap_or_default();
                    block.columns.extend(first.iter().zip(second).map(|(one, other)| [line(one), line(other)]));
                }
            });
        }
        blocks
    }

    /// Entries of a row in the buckets of one block, filled up by points that are nobody's.
    fn entries(&self, row: usize, block: usize) -> Vec<Entry> {
        let columns = usize::from(self.shape.columns);
        let zero = || Entry { point: [0; LANES], words: [[0; LANES]; WORDS] };
        let mut entries: Vec<_> = (0..columns).map(|_| zero()).collect();
        let mut rng = ChaCha20Rng::from_seed(*self.seed);
        rng.set_stream((1 + row * BLOCKS + block) as u64);
        for lane in 0..LANES {
            let real = self.placing.row(block * LANES + lane, row).filter_map(|index| self.members.get(index));
            let mut taken = Vec::with_capacity(columns);
            let mut real = real.map(|member| (Spot::new(member.place, self.placing.salt).point, member.words()));
            for entry in &mut entries {
                let (point, words) = real.next().unwrap_or_else(|| filler(&mut rng, &taken));
                taken.push(point);
                let points = entry.point.get_mut(lane).into_iter().zip([point]);
                let lanes = entry.words.iter_mut().filter_map(|word| word.get_mut(lane)).zip(words);
                points.chain(lanes).for_each(|(to, value)| *to = value.into());
            }
        }
        entries
    }

    /// The digits of every row's own masks, into the blocks; and the download: the masks that are left.
    fn masks(&self, blocks: &mut [Block], seed: &[u8; 32]) -> Vec<u8> {
        let shape = &self.shape;
        let common: Vec<_> = (0..shape.common()).map(|place| mask(seed, place)).collect();
        let (powers, keys) = common.split_at(shape.columns.into());
        let lines = |masks: &[Box<Element>]| by_blocks(masks.iter().map(|element| &element[..]));
        let (powers, keys) = (lines(powers), lines(keys));
        let mut rows = vec![(Vec::new(), Vec::new()); shape.rows.into()];
        let built: &[Block] = blocks;
        each(self.threads, &mut rows, |row, (digits, download)| {
            *digits = (0..WORDS).flat_map(|word| row_digits(self.backend, built, shape, row, word, &powers)).collect();
            for group in digits.chunks_exact(shape.switched()) {
                pack_mask(self.backend, group, &keys, download);
            }
        });
        each(self.threads, blocks, |index, block| {
            let digits = rows.iter().flat_map(|(digits, _)| digits);
            block.digits = digits.filter_map(|element: &Vec<Line>| element.get(index)).copied().collect();
        });
        rows.into_iter().flat_map(|(_, download)| download).collect()
    }
}

impl Member {
    /// As an entry of a table.
    fn hidden(&self) -> table::Hidden {
        let (_, hidden) = self.sealed.split_at(self.sealed.len() - 16);
        (self.place, hidden.try_into().unwrap_or_default())
    }

    /// As words of a row.
    fn words(&self) -> [u16; WORDS] {
        let (words, _) = self.sealed.as_chunks();
        let mut out = [0; WORDS];
        out.iter_mut().zip(words).for_each(|(to, from)| *to = u16::from_be_bytes(*from));
        out
    }
}

/// An entry of nobody, at a point that is free.
fn filler(rng: &mut ChaCha20Rng, taken: &[u16]) -> (u16, [u16; WORDS]) {
    let point = loop {
        let point = rng.next_u32() as u16;
        if point != 0 && !taken.contains(&point) {
            break point;
        }
    };
    (point, [(); WORDS].map(|()| rng.next_u32() as u16))
}

vectorized! {
    /// A column: from one coefficient in all slots to the values of the polynomial that has them there.
    fn encode(poly: &mut Poly) -> Vec<Line> {
        ring().unslots(poly);
        ring().plain(poly).to_vec()
    }
}

vectorized! {
    /// The digits of one word's mask in a row.
    fn row_digits(blocks: &[Block], shape: &Shape, row: usize, word: usize, powers: &[Vec<Line>]) -> [Vec<Line>; DIGITS] {
        split(&mut row_mask(blocks, shape, row, word, powers))
    }
}

/// The mask of one word of a row: its columns times the masks of powers.
#[inline(always)]
fn row_mask(blocks: &[Block], shape: &Shape, row: usize, word: usize, powers: &[Vec<Line>]) -> [Poly; 2] {
    let mut residues = [[[0; LANES]; BLOCKS]; 2];
    let [low, high] = &mut residues;
    for ((block, powers), (low, high)) in blocks.iter().zip(powers).zip(low.iter_mut().zip(high)) {
        let pair = block.pair(shape, row, word / WIDTH);
        if let Some(sums) = dot::<WIDTH>(pair, powers).get(word % WIDTH) {
            [*low, *high] = reduce(sums);
        }
    }
    residues
}

/// A mask as digits between -2^13 and 2^13, of which the first is the lowest.
#[inline(always)]
fn split(residues: &mut [Poly; 2]) -> [Vec<Line>; DIGITS] {
    const BITS: usize = DIGIT_BITS * DIGITS;
    let fractions = ring().fractions(residues);
    let mut digits = [[[0; LANES]; BLOCKS]; DIGITS];
    let [low, high] = &mut digits;
    let places = low.as_flattened_mut().iter_mut().zip(high.as_flattened_mut());
    for ((low, high), fraction) in places.zip(&fractions) {
        let value = (fraction.wrapping_add(1 << (63 - BITS)) >> (64 - BITS)) as u32;
        *low = centred(value);
        *high = centred(value.wrapping_sub(*low) >> DIGIT_BITS);
    }
    digits.map(|digit| ring().small(&digit).to_vec())
}

/// The lowest digit, modulo 2^32.
#[inline(always)]
fn centred(value: u32) -> u32 {
    const SHIFT: usize = 32 - DIGIT_BITS;
    (((value << SHIFT) as i32) >> SHIFT) as u32
}

/// The mask of a group: its digits times the masks of switching keys.
#[inline(always)]
fn switch(digits: &[Vec<Line>], keys: &[Vec<Line>]) -> [Poly; 2] {
    let mut residues = [[[0; LANES]; BLOCKS]; 2];
    let [low, high] = &mut residues;
    for (index, (keys, (low, high))) in keys.iter().zip(low.iter_mut().zip(high)).enumerate() {
        let mut sums = [[0; LANES]; 2];
        for (digit, key) in digits.iter().zip(keys) {
            if let Some(line) = digit.get(index) {
                multiply_add(&mut sums, line, key);
            }
        }
        [*low, *high] = reduce(&sums);
    }
    residues
}

vectorized! {
    /// The mask of a group, as everybody gets it.
    fn pack_mask(digits: &[Vec<Line>], keys: &[Vec<Line>], out: &mut Vec<u8>) {
        const HALF: u64 = 1 << (63 - MASK_BITS);
        let mut fractions = ring().fractions(&mut switch(digits, keys));
        let round = |fraction: &mut u64| *fraction = fraction.wrapping_add(HALF) >> (64 - MASK_BITS);
        fractions.iter_mut().for_each(round);
        pack::<MASK_BITS>(out, &fractions);
    }
}

const _: () = assert!(PLAIN as usize > u16::MAX as usize, "words of 16 bits fit a slot");
