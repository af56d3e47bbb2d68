//! Changes to inputs: small ones, so that most of what a parser checks still holds.

use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

/// No input gets longer: above the longest frame there is nothing new to find.
pub const INPUT_BYTES_MAX: usize = 300 << 10;
/// Changes to one input.
const CHANGES_MAX: u64 = 6;

/// Bytes that mean something somewhere: tags and lengths of protobuf, of TLS, of JSON, of links.
const WORDS: &[&[u8]] = &[
    b"\x08",
    b"\x0a",
    b"\x10",
    b"\x12",
    b"\x1a",
    b"\x22",
    b"\x2a",
    b"\x32",
    b"\x3a",
    b"\x42",
    b"\x4a",
    b"\x52",
    b"\x0a\x00",
    b"\x12\x00",
    b"\x0b\x0c",
    b"\xff\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00",
    b"\x00\x01",
    b"\x00\x4e",
    b"\x00\x00\x00\x00",
    b"\xff\xff\xff\xff",
    b"\x80\x00\x00\x00",
    b"\x7f\xff\xff\xff",
    b"\xbf\xff\xff\xff",
    b"\x40\x00",
    b"undertone:",
    b"https://",
    b"#",
    b"[::1]:1",
    b"\xf0\x9f\x98\x80",
    b"\xed\xa0\x80",
];

/// Makes inputs out of others.
pub struct Mutator<'a> {
    rng: &'a mut ChaCha8Rng,
    seeds: &'a [Vec<u8>],
}

impl<'a> Mutator<'a> {
    /// All that it does follows from `rng` and `seeds`.
    pub fn new(rng: &'a mut ChaCha8Rng, seeds: &'a [Vec<u8>]) -> Self {
        Self { rng, seeds }
    }

    /// One input.
    pub fn input(&mut self) -> Vec<u8> {
        if self.below(64) == 0 {
            let length = self.below(600);
            return self.noise(length);
        }
        let mut input = self.seed().to_vec();
        for _ in 0..=self.below(CHANGES_MAX) {
            self.change(&mut input);
        }
        input.truncate(INPUT_BYTES_MAX);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.place(input.len());
        let length = self.length(input.len() - at);
        match self.below(11) {
            0 | 1 => {
                let bit = self.below(8);
                input.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << bit);
            }
            2 => {
                let value = self.noise(1);
                input.splice(at..(at + 1).min(input.len()), value);
            }
            3 => input.truncate(at),
            4 => drop(input.drain(at..at + length)),
            5 => {
                let again = input.get(at..at + length).unwrap_or_default().to_vec();
                input.splice(at..at, again);
            }
            6 => {
                let word = self.word();
                input.splice(at..at, word);
            }
            7 => {
                let word = self.word();
                let end = (at + word.len()).min(input.len());
                input.splice(at..end, word);
            }
            8 => self.splice(input, at),
            9 => self.miscount(input, at),
            _ => {
                let noise = self.noise(length as u64);
                input.splice(at..at + length, noise);
            }
        }
    }

    /// From here on something of another input, or a piece of it in between.
    fn splice(&mut self, input: &mut Vec<u8>, at: usize) {
        let other = self.seed();
        let from = self.place(other.len());
        let length = self.length(other.len() - from);
        let piece = other.get(from..from + length).unwrap_or_default().iter().copied();
        if self.below(2) == 0 {
            input.truncate(at);
            input.extend(piece);
        } else {
            input.splice(at..at, piece);
        }
    }

    /// Writes a number that may be a length, near to what it could be: as one byte, as two or four, or as a varint.
    fn miscount(&mut self, input: &mut Vec<u8>, at: usize) {
        let rest = (input.len() - at) as u64;
        let near = [0, 1, rest.saturating_sub(1), rest, rest + 1, 127, 128, 65_535, u64::from(u32::MAX), u64::MAX];
        let number = near.get(self.below(near.len() as u64) as usize).copied().unwrap_or_default();
        let written = match self.below(4) {
            0 => vec![number as u8],
            1 => (number as u16).to_be_bytes().to_vec(),
            2 => (number as u32).to_be_bytes().to_vec(),
            _ => varint(number),
        };
        let end = (at + written.len()).min(input.len());
        input.splice(at..end, written);
    }

    fn seed(&mut self) -> &'a [u8] {
        let at = self.below(self.seeds.len() as u64) as usize;
        self.seeds.get(at).map(Vec::as_slice).unwrap_or_default()
    }

    fn word(&mut self) -> Vec<u8> {
        let at = self.below(WORDS.len() as u64) as usize;
        WORDS.get(at).copied().unwrap_or_default().to_vec()
    }

    fn noise(&mut self, length: u64) -> Vec<u8> {
        let mut noise = vec![0; length as usize];
        self.rng.fill_bytes(&mut noise);
        noise
    }

    /// A place among so many bytes, or behind them; the first ones are where most is decided.
    fn place(&mut self, length: usize) -> usize {
        let length = length as u64;
        let bound = if self.below(3) == 0 { length.min(64) } else { length };
        self.below(bound + 1) as usize
    }

    /// A length of at most so many bytes, mostly short.
    fn length(&mut self, max: usize) -> usize {
        let max = max as u64;
        let bound = if self.below(4) == 0 { max } else { max.min(16) };
        self.below(bound + 1) as usize
    }

    /// A number below `bound`, which is not 0. That some come a little more often than others does not matter here.
    fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound.max(1)
    }
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}
