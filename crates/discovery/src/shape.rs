//! How large a base is, and all that is made for it: this follows from a few numbers, which everybody knows.

use crate::{
    DiscoveryError,
    ntt::DEGREE,
    pack::packed_len,
    ring::{QUERY_BITS, SUM_MAX},
    secret::{BUCKETS, CHOICES, WORDS},
    table::table_len,
};

/// With fewer entries everybody takes all of them, hidden: that is less than a query and its answer.
pub const TABLE_ENTRIES_MAX: usize = 45_000;
/// Entries of a base, padding included: beyond that, decryption could fail. Larger services split.
pub const ENTRIES_MAX: u32 = 200_000_000;
/// Bits of an answer's fractions.
pub const ANSWER_BITS: usize = 18;
/// Bits of a mask's fractions.
pub const MASK_BITS: usize = 25;
/// Digits of a fraction whose key is switched.
pub const DIGITS: usize = 2;
/// Bits of such a digit.
pub const DIGIT_BITS: usize = 14;
/// Columns and rows at the most.
const COLUMNS_MAX: u16 = 2048;
const ROWS_MAX: u16 = 1024;

const _: () = assert!(COLUMNS_MAX as usize + WORDS * DIGITS <= SUM_MAX, "sums are reduced once");

/// The numbers that all sizes follow from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Entries with padding.
    pub entries: u32,
    /// Rows of a bucket; none for a table.
    pub rows: u16,
    /// Entries of one row and bucket: powers that a query has.
    pub columns: u16,
    /// Words of an answer that have one mask together; divides [`WORDS`].
    pub shared: u8,
}

impl Shape {
    /// The best for so many entries.
    ///
    /// # Errors
    /// [`DiscoveryError::TooLarge`].
    pub fn new(entries: usize) -> Result<Self, DiscoveryError> {
        let padded = u32::try_from(padded_entries(entries)).map_err(|_| DiscoveryError::TooLarge)?;
        if entries < TABLE_ENTRIES_MAX {
            return Ok(Self { entries: padded, rows: 0, columns: 0, shared: 1 });
        }
        Self::with_rows(padded)
    }

    /// The shape that moves the fewest bytes for one question: more rows lengthen answers, more columns queries.
    pub fn with_rows(padded: u32) -> Result<Self, DiscoveryError> {
        let capacity = capacity(padded);
        let shapes = (1..=ROWS_MAX).flat_map(|rows| {
            let columns = capacity.div_ceil(u32::from(rows));
            let shape = move |shared| Self {
                entries: padded,
                rows,
                columns: u16::try_from(columns).unwrap_or(u16::MAX),
                shared,
            };
            [2, 5].map(shape)
        });
        let best = shapes.filter(|shape| shape.check().is_ok()).min_by_key(Self::bytes);
        best.ok_or(DiscoveryError::TooLarge)
    }

    /// Whether it is one that we make.
    ///
    /// # Errors
    /// [`DiscoveryError::Malformed`].
    pub fn check(&self) -> Result<(), DiscoveryError> {
        let Self { entries, rows, columns, shared } = *self;
        let table = rows == 0 && columns == 0 && shared == 1 && (entries as usize) < 2 * TABLE_ENTRIES_MAX;
        let asked = (1..=ROWS_MAX).contains(&rows) && (1..=COLUMNS_MAX).contains(&columns) && [2, 5].contains(&shared);
        if entries <= ENTRIES_MAX && (table || asked) { Ok(()) } else { Err(DiscoveryError::Malformed) }
    }

    /// Bytes both ways of a first question, with the download.
    fn bytes(&self) -> usize {
        self.query_len() + self.download_len() + usize::from(self.rows) * self.row_len()
    }

    /// Entries that a bucket holds.
    pub fn capacity(&self) -> usize {
        usize::from(self.rows) * usize::from(self.columns)
    }

    /// Masks of a row.
    pub fn groups(&self) -> usize {
        WORDS / usize::from(self.shared).max(1)
    }

    /// Digits of one group, each of which has a switching key for every word of the group.
    pub fn switched(&self) -> usize {
        usize::from(self.shared) * DIGITS
    }

    /// Masks that everybody's ciphertexts are made with: of powers, then of switching keys.
    pub fn common(&self) -> usize {
        usize::from(self.columns) + self.switched()
    }

    /// Ciphertexts of a query.
    pub fn bodies(&self) -> usize {
        usize::from(self.columns) + self.switched() * usize::from(self.shared)
    }

    pub fn query_len(&self) -> usize {
        if self.rows == 0 { 0 } else { self.bodies() * packed_len(DEGREE, QUERY_BITS) }
    }

    pub fn row_len(&self) -> usize {
        if self.rows == 0 { 0 } else { WORDS * packed_len(DEGREE, ANSWER_BITS) }
    }

    pub fn download_len(&self) -> usize {
        if self.rows == 0 {
            return table_len(self.entries as usize);
        }
        usize::from(self.rows) * self.groups() * packed_len(DEGREE, MASK_BITS)
    }
}

/// So many, or at most a 32nd more: a number with six significant bits. At least 32.
pub fn padded_entries(entries: usize) -> usize {
    let step = 1usize << entries.max(32).ilog2().saturating_sub(5);
    entries.max(32).next_multiple_of(step)
}

/// Entries for which the fullest bucket has room with one salt in three or so: 3.3 standard deviations above the mean.
fn capacity(entries: u32) -> u32 {
    let mean = CHOICES as f64 * f64::from(entries) / BUCKETS as f64;
    (mean + 3.3 * mean.sqrt()).ceil() as u32
}
